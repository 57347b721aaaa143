//! Why an instance is not decided, or a decision not known: what is missing, and where it is.

use crate::epaxos::event::{Event, Rule, TimerKind};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::epaxos::message::{Envelope, MessageKind};
use crate::explain::answer::{Link, Telling};
use crate::explain::attempt::{
    Attempt, Heard, JOINING, PROPOSING, Reach, Stage, VALIDATING, VOTING,
};
use crate::explain::facts::{FLIGHTS, Facts, sent};
use crate::explain::noop::{conflicts, found};
use crate::explain::path::gave_up;
use crate::explain::phrase::{names, whereabouts};
use crate::observe::in_flight::Flight;
use crate::observe::links::LinkId;

/// Tells why a replica does not know an instance to be committed.
pub(super) fn not_committed(telling: &mut Telling<'_>, at: ReplicaId, id: InstanceId) {
    let facts = telling.facts;
    let Some((who, known)) = facts.decision(id) else { return undecided(telling, id) };
    let decided = facts.count(id);
    let who = decided.map_or(who, |decided| decided.at());
    let entry = decided.map(|decided| decided.id());
    let (text, link) = match entry {
        Some(entry) => (format!("{who} committed {id} at #{entry}."), Link::Entry(entry)),
        None => (format!("{who} has {id} committed."), Link::Instance(id, Some(who))),
    };
    telling.say(text, link);
    debug_assert!(known.phase.is_committed(), "a decision is committed");
    let commits = facts.flights(id).filter(|flight| is_commit(&flight.envelope, at));
    let commits: Vec<_> = commits.collect();
    for flight in commits.iter().take(SOME) {
        let Flight { envelope, held, .. } = flight;
        let place = whereabouts(facts, envelope, *held);
        let text = format!("The Commit to {at}, {}, is {place}.", envelope.id);
        telling.say(text, Link::Message(envelope.id));
    }
    if !commits.is_empty() {
        return;
    }
    let sent = decided.and_then(|decided| {
        let commit = sent(decided.entry).find(|envelope| is_commit(envelope, at))?;
        Some((commit, facts.failed(commit.id, decided.id())))
    });
    let (text, link) = match sent {
        Some((commit, Some(failed))) => {
            let how = failed.how(facts, commit);
            (format!("The Commit to {at}, {}, {how}.", commit.id), Some(failed.entry()))
        }
        _ => (format!("No Commit to {at} is on its way."), None),
    };
    telling.say(text, link.map(Link::Entry));
    if facts.replica(at).up {
        asks_later(telling, at, id);
    }
}

/// Tells when a replica that has missed a decision will ask for it.
fn asks_later(telling: &mut Telling<'_>, at: ReplicaId, id: InstanceId) {
    let facts = telling.facts;
    let waits = facts.instance(at, id).is_some()
        || facts.replica(at).open.iter().take(MANY).any(|open| {
            facts.instance(at, *open).is_some_and(|known| known.blocked_on == Some(id))
        });
    let recovers = facts.0.shape.options.timeouts.recover.is_some();
    let text = match (drives(facts, at, id), waits, recovers) {
        (Some(TimerKind::FastPath), ..) => {
            format!("{at} will ask the others for votes when its fast-path timer fires.")
        }
        (Some(TimerKind::Resend), ..) => {
            format!("{at} will ask the others again when its resend timer fires.")
        }
        (_, true, true) => format!("{at} will ask the others when its recover timer fires."),
        (_, true, false) => format!("Nobody recovers anything here, so {at} will not ask."),
        (_, false, _) => {
            format!("Nothing that {at} is to execute waits for it, so {at} does not ask.")
        }
    };
    telling.say(text, Link::Replica(at));
}

/// The timer with which a replica goes on with an instance that it drives itself; none where it drives none.
fn drives(facts: Facts<'_>, at: ReplicaId, id: InstanceId) -> Option<TimerKind> {
    let timer = facts.replica(at).timer.map(|(_, timer)| timer);
    if let Some(timer) = timer.filter(|timer| timer.instance == id) {
        return Some(timer.kind);
    }
    let (ballot, _) = facts.ballot(at, id).filter(|(ballot, _)| ballot.replica == at)?;
    let voted = facts.instance(at, id).is_some_and(|known| known.phase == Phase::Accepted);
    let stage = match ballot.is_initial() {
        _ if voted => VOTING,
        true => PROPOSING,
        false => JOINING,
    };
    let attempt = Attempt { id, ballot, stage };
    // Up, a leader always goes on with its own attempt, were it down in between.
    let own = ballot.is_initial().then_some(TimerKind::Resend);
    self::timer(facts, attempt, attempt.heard(facts).as_ref()).or(own)
}

fn is_commit(envelope: &Envelope, to: ReplicaId) -> bool {
    envelope.message.kind() == MessageKind::Commit && envelope.to == to
}

/// Tells why an instance is decided nowhere.
pub(super) fn undecided(telling: &mut Telling<'_>, id: InstanceId) {
    let facts = telling.facts;
    let ballots = facts.replicas().filter_map(|at| Some(facts.ballot(at, id)?.0));
    let ballot = ballots.max().unwrap_or(Ballot::initial(id.replica));
    let driver = ballot.replica;
    let stage =
        if ballot.is_initial() { Some(led(telling, id)) } else { driven(telling, id, ballot) };
    if !facts.replica(driver).up {
        telling.say(format!("{driver} is down."), Link::Replica(driver));
        return heirs(telling, id, driver);
    }
    let stuck = Reach::of(facts, driver).tell(telling);
    // Where there is none, what it waits for is another instance.
    if let Some(stage) = stage {
        on_their_way(telling, Attempt { id, ballot, stage }, stuck);
    }
    if stuck {
        heirs(telling, id, driver);
    }
}

/// Where the command leader's own attempt stands.
fn led(telling: &mut Telling<'_>, id: InstanceId) -> Stage {
    let facts = telling.facts;
    let leader = id.replica;
    let quorums = facts.0.shape.options.quorums;
    let in_phase = |phase| {
        facts
            .replicas()
            .filter(move |at| facts.instance(*at, id).is_some_and(|known| known.phase == phase))
    };
    let accepted: Vec<_> = in_phase(Phase::Accepted).collect();
    let ballot = Ballot::initial(leader);
    if !accepted.is_empty() {
        if let Some(slow) = facts.slow(id) {
            gave_up(telling, id, slow);
        }
        let takes = format!("It takes the votes of {}, {leader} included", quorums.slow());
        counted(telling, Attempt { id, ballot, stage: VOTING }, &takes, &accepted);
        return VOTING;
    }
    let holders: Vec<_> = in_phase(Phase::PreAccepted).collect();
    let takes = format!("A fast quorum takes {}, {leader} included", quorums.fast());
    counted(telling, Attempt { id, ballot, stage: PROPOSING }, &takes, &holders);
    PROPOSING
}

/// Tells how many it takes, and how many there are: those whose answers have reached the driver, and those
/// whose have not.
fn counted(telling: &mut Telling<'_>, attempt: Attempt, takes: &str, holders: &[ReplicaId]) {
    let Attempt { id, ballot, stage } = attempt;
    let (facts, driver) = (telling.facts, ballot.replica);
    let done = match stage {
        VOTING => "voted",
        JOINING => "joined",
        _ => "pre-accepted it",
    };
    let eyes = Link::Instance(id, Some(driver));
    // Who is down counts nothing, and whoever goes on with it asks anew.
    let heard = facts.replica(driver).up.then(|| attempt.heard(facts)).flatten();
    let others: Vec<_> = holders.iter().copied().filter(|at| *at != driver).collect();
    let Some(heard) = heard.filter(|heard| !attempt.is_coming(facts, heard, &others)) else {
        let text = format!("{takes}; {} {done} so far.", have(holders));
        return telling.say(text, eyes);
    };
    let again = if heard.restarted { " since it came back" } else { "" };
    let text = format!("{takes}; {driver} has {} so far{again}.", heard.counted(stage));
    telling.say(text, eyes);
    let differ = match stage {
        PROPOSING => facts.proposal(id).map(|proposed| heard.differ(proposed.what)),
        _ => None,
    };
    if let Some(differ) = differ.filter(|differ| !differ.is_empty()) {
        let differs = if differ.len() == 1 { "differs" } else { "differ" };
        let text = format!(
            "What {} answered {differs} from the proposal, which counts against a fast quorum.",
            names(&differ)
        );
        telling.say(text, eyes);
    }
    let unheard: Vec<_> = others.into_iter().filter(|at| !heard.has(*at)).collect();
    if !unheard.is_empty() {
        let text = format!("{} {done} too, which {driver} does not know.", have(&unheard));
        telling.say(text, unheard.first().map(|at| Link::Instance(id, Some(*at))));
    }
}

fn have(replicas: &[ReplicaId]) -> String {
    let verb = if replicas.len() == 1 { "has" } else { "have" };
    format!("{} {verb}", names(replicas))
}

/// Where a recovery stands.
fn driven(telling: &mut Telling<'_>, id: InstanceId, ballot: Ballot) -> Option<Stage> {
    let facts = telling.facts;
    let driver = ballot.replica;
    let slow = facts.0.shape.options.quorums.slow();
    super::ballot::set_out(telling, id, ballot);
    let events = facts.events(driver, id).skip_while(
        |said| !matches!(said.what, Event::Recovering { ballot: other, .. } if *other == ballot),
    );
    let rule = events.filter_map(|said| match said.what {
        Event::Ruled { rule, .. } => Some((*rule, said.id())),
        _ => None,
    });
    let joined: Vec<_> = facts
        .replicas()
        .filter(|at| facts.ballot(*at, id).is_some_and(|(other, _)| other == ballot))
        .collect();
    let (text, link, stage) = match rule.last() {
        None => {
            let attempt = Attempt { id, ballot, stage: JOINING };
            counted(telling, attempt, &format!("It takes {slow} to join"), &joined);
            return Some(JOINING);
        }
        Some((Rule::R4, entry)) => (
            "Enough hold the proposal (rule R4), so it asks what speaks against a fast commit."
                .to_owned(),
            Link::Entry(entry),
            Some(VALIDATING),
        ),
        Some((Rule::V4, entry)) => {
            let conflicts = conflicts(facts, id, driver, ballot, entry);
            let first = conflicts.keys().next().map(|other| Link::Instance(*other, Some(driver)));
            let speak = if conflicts.len() == 1 { "speaks" } else { "speak" };
            let text = format!(
                "It waits for what becomes of {}, which {speak} against a fast commit (rule V4).",
                names(conflicts.keys())
            );
            (text, first.unwrap_or(Link::Entry(entry)), None)
        }
        Some(_) => {
            let voted = facts.replicas().filter(|at| {
                facts
                    .instance(*at, id)
                    .is_some_and(|known| known.phase == Phase::Accepted && known.ballot == ballot)
            });
            let voted: Vec<_> = voted.collect();
            found(telling, id, driver, ballot);
            let attempt = Attempt { id, ballot, stage: VOTING };
            counted(telling, attempt, &format!("It takes the votes of {slow}"), &voted);
            return Some(VOTING);
        }
    };
    telling.say(text, link);
    stage
}

/// Tells who will go on with an instance whose driver cannot.
fn heirs(telling: &mut Telling<'_>, id: InstanceId, driver: ReplicaId) {
    let facts = telling.facts;
    if facts.0.shape.options.timeouts.recover.is_none() {
        return telling.say("Nobody recovers anything here.".to_owned(), None);
    }
    let knows = |at: &ReplicaId| facts.replica(*at).up && facts.ballot(*at, id).is_some();
    let heirs: Vec<_> = facts.replicas().filter(|at| *at != driver && knows(at)).collect();
    let reaches = |at: &&ReplicaId| Reach::of(facts, **at).is_enough(facts);
    let able: Vec<_> = heirs.iter().filter(reaches).collect();
    let text = match (heirs.as_slice(), able.as_slice()) {
        ([], _) => "Nobody else knows of it.".to_owned(),
        ([heir], []) => {
            let why = Reach::of(facts, *heir).why_not();
            format!("{heir} knows of it, but reaches too few to finish it: {why}.")
        }
        (heirs, []) => format!("{} know of it, but reach too few to finish it.", names(heirs)),
        (_, [heir]) => format!("{heir} will finish it when its patience is over."),
        (_, able) => format!("{} will finish it when the patience of one is over.", names(able)),
    };
    telling.say(text, heirs.first().map(|heir| Link::Replica(*heir)));
    // Whoever hears of it yet may finish it.
    if able.is_empty() && facts.flights(id).next().is_none() {
        telling.say("Nothing can come of it before that changes.".to_owned(), None);
    }
}

/// Tells which messages about an instance are on their way, which were lost, and what its driver does next.
fn on_their_way(telling: &mut Telling<'_>, attempt: Attempt, stuck: bool) {
    let facts = telling.facts;
    let (stage, driver) = (attempt.stage, attempt.ballot.replica);
    let matters = |flight: &&Flight| {
        let envelope = &flight.envelope;
        stage.contains(envelope.message.kind())
            && facts.replica(envelope.to).up
            && (envelope.to == driver || envelope.id.sender == driver)
    };
    let flights: Vec<_> = facts.flights(attempt.id).filter(matters).collect();
    for flight in flights.iter().take(SOME) {
        let Flight { envelope, held, .. } = flight;
        let (kind, place) = (envelope.message.kind(), whereabouts(facts, envelope, *held));
        let (from, to) = (envelope.id.sender, envelope.to);
        let cut = facts.0.gate.cuts.contains(&LinkId::of(envelope));
        let lost = if cut { ", and will be lost, since its link is cut" } else { "" };
        let text = format!("The {kind} from {from} to {to}, {}, is {place}{lost}.", envelope.id);
        telling.say(text, Link::Message(envelope.id));
    }
    if flights.len() > SOME {
        let text = match flights.len() - SOME {
            1 => "And 1 more message about it has not arrived.".to_owned(),
            more => format!("And {more} more messages about it have not arrived."),
        };
        telling.say(text, None);
    }
    let heard = attempt.heard(facts);
    if let Some(heard) = &heard {
        attempt.tell_lost(telling, heard);
    }
    if flights.is_empty() && !stuck && facts.0.in_flight.len() <= FLIGHTS {
        let next = next(facts, attempt, heard.as_ref());
        let text = format!("Nothing to or from {driver} that would help is on its way{next}.");
        telling.say(text, Link::Replica(driver));
    }
}

/// What the driver of an attempt does next by itself, as the rest of a sentence.
fn next(facts: Facts<'_>, attempt: Attempt, heard: Option<&Heard<'_>>) -> String {
    let driver = attempt.ballot.replica;
    let kind = timer(facts, attempt, heard);
    match kind {
        Some(TimerKind::FastPath) => {
            format!("; {driver} takes the slow path when its {} timer fires", TimerKind::FastPath)
        }
        Some(TimerKind::Resend) => format!(
            "; {driver} asks all that have not answered when its {} timer fires",
            TimerKind::Resend
        ),
        Some(TimerKind::Recover) => format!("; {driver} begins anew when its patience is over"),
        None => String::new(),
    }
}

/// The timer that the driver of an attempt has set for it. A replica says only which of its timers is next;
/// but whoever drives an instance has exactly one for it.
fn timer(facts: Facts<'_>, attempt: Attempt, heard: Option<&Heard<'_>>) -> Option<TimerKind> {
    let Attempt { id, ballot, stage } = attempt;
    let timer = facts.replica(ballot.replica).timer.map(|(_, timer)| timer);
    if let Some(timer) = timer.filter(|timer| timer.instance == id) {
        return Some(timer.kind);
    }
    let heard = heard?;
    let majority = heard.from().count() + 1 >= facts.0.shape.options.quorums.slow();
    Some(match stage {
        // Coming back, a replica takes up what it leads, and nothing else that it drove.
        _ if heard.restarted && !ballot.is_initial() => return None,
        PROPOSING if majority => TimerKind::FastPath,
        _ => TimerKind::Resend,
    })
}

/// How many messages are named.
const SOME: usize = 3;

/// How many instances are looked through.
const MANY: usize = 10_000;
