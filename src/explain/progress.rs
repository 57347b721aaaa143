//! Why an instance is not decided, or a decision not known: what is missing, and where it is.

use crate::epaxos::event::{Event, Rule, TimerKind};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::epaxos::message::{Envelope, MessageKind};
use crate::explain::answer::{Link, Telling};
use crate::explain::facts::{Facts, Failed, sent};
use crate::explain::noop::{conflicts, found};
use crate::explain::path::gave_up;
use crate::explain::phrase::{names, whereabouts};
use crate::observe::in_flight::Flight;

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
    let commits = flights(facts, id).filter(|flight| is_commit(&flight.envelope, at));
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
        Some((commit.id, facts.failed(commit.id, decided.id())))
    });
    let (text, link) = match sent {
        Some((commit, Some(Failed::Dropped(entry)))) => {
            (format!("The Commit to {at}, {commit}, was dropped at #{entry}."), Some(entry))
        }
        Some((commit, Some(Failed::Lost(entry)))) => {
            (format!("The Commit to {at}, {commit}, was given up by its sender."), Some(entry))
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
    let text = match (waits, recovers) {
        (true, true) => format!("{at} will ask the others when its patience is over."),
        (true, false) => format!("Nobody recovers anything here, so {at} will not ask."),
        (false, _) => {
            format!("Nothing that {at} is to execute waits for it, so {at} does not ask.")
        }
    };
    telling.say(text, Link::Replica(at));
}

fn is_commit(envelope: &Envelope, to: ReplicaId) -> bool {
    envelope.message.kind() == MessageKind::Commit && envelope.to == to
}

/// The messages about an instance that are on their way, of those that are looked through.
fn flights(facts: Facts<'_>, id: InstanceId) -> impl Iterator<Item = &Flight> {
    let flights = facts.0.in_flight.iter().take(MANY);
    flights.filter(move |flight| flight.envelope.message.instance() == id)
}

/// Tells why an instance is decided nowhere.
pub(super) fn undecided(telling: &mut Telling<'_>, id: InstanceId) {
    let facts = telling.facts;
    let ballots = facts.replicas().filter_map(|at| Some(facts.ballot(at, id)?.0));
    let ballot = ballots.max().unwrap_or(Ballot::initial(id.replica));
    let driver = ballot.replica;
    let stage = if ballot.is_initial() { led(telling, id) } else { driven(telling, id, ballot) };
    if !facts.replica(driver).up {
        telling.say(format!("{driver} is down."), Link::Replica(driver));
        heirs(telling, id);
    }
    // What it waits for is another instance.
    if !stage.is_empty() {
        on_their_way(telling, id, driver, stage);
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
    if !accepted.is_empty() {
        if let Some(slow) = facts.slow(id) {
            gave_up(telling, id, slow);
        }
        let text = format!(
            "It takes the votes of {}, {leader} included; {} voted so far.",
            quorums.slow(),
            have(&accepted)
        );
        telling.say(text, Link::Instance(id, Some(leader)));
        return VOTING;
    }
    let holders: Vec<_> = in_phase(Phase::PreAccepted).collect();
    let text = format!(
        "A fast quorum takes {}, {leader} included; {} pre-accepted it so far.",
        quorums.fast(),
        have(&holders)
    );
    telling.say(text, Link::Instance(id, Some(leader)));
    PROPOSING
}

fn have(replicas: &[ReplicaId]) -> String {
    let verb = if replicas.len() == 1 { "has" } else { "have" };
    format!("{} {verb}", names(replicas))
}

/// The messages that a stage of an attempt is about.
type Stage = &'static [MessageKind];

const PROPOSING: Stage = &[MessageKind::PreAccept, MessageKind::PreAcceptReply];
const JOINING: Stage = &[MessageKind::Recover, MessageKind::RecoverReply, MessageKind::Nack];
const VALIDATING: Stage = &[MessageKind::Validate, MessageKind::ValidateReply, MessageKind::Nack];
const VOTING: Stage = &[MessageKind::Accept, MessageKind::AcceptReply, MessageKind::Nack];
const NOTHING: Stage = &[];

/// Where a recovery stands.
fn driven(telling: &mut Telling<'_>, id: InstanceId, ballot: Ballot) -> Stage {
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
        None => (format!("It takes {slow} to join; {} so far.", have(&joined)), None, JOINING),
        Some((Rule::R4, entry)) => (
            "Enough hold the proposal (rule R4), so it asks what speaks against a fast commit."
                .to_owned(),
            Some(Link::Entry(entry)),
            VALIDATING,
        ),
        Some((Rule::V4, entry)) => {
            let conflicts = conflicts(facts, id, driver, ballot, entry);
            let first = conflicts.keys().next().map(|other| Link::Instance(*other, Some(driver)));
            let speak = if conflicts.len() == 1 { "speaks" } else { "speak" };
            let text = format!(
                "It waits for what becomes of {}, which {speak} against a fast commit (rule V4).",
                names(conflicts.keys())
            );
            (text, first.or(Some(Link::Entry(entry))), NOTHING)
        }
        Some((_, entry)) => {
            let voted = facts.replicas().filter(|at| {
                facts
                    .instance(*at, id)
                    .is_some_and(|known| known.phase == Phase::Accepted && known.ballot == ballot)
            });
            let voted: Vec<_> = voted.collect();
            found(telling, id, driver, ballot);
            let text = format!("It takes the votes of {slow}; {} voted so far.", have(&voted));
            (text, Some(Link::Entry(entry)), VOTING)
        }
    };
    telling.say(text, link);
    stage
}

/// Tells who will go on with an instance whose driver is down.
fn heirs(telling: &mut Telling<'_>, id: InstanceId) {
    let facts = telling.facts;
    if facts.0.shape.options.timeouts.recover.is_none() {
        return telling.say("Nobody recovers anything here.".to_owned(), None);
    }
    let knows = |at: &ReplicaId| facts.replica(*at).up && facts.ballot(*at, id).is_some();
    let heirs: Vec<_> = facts.replicas().filter(knows).collect();
    let text = match heirs.as_slice() {
        [] => "Nobody else knows of it.".to_owned(),
        heirs => format!("{} will finish it when the patience of one is over.", names(heirs)),
    };
    telling.say(text, heirs.first().map(|heir| Link::Replica(*heir)));
}

/// Tells which messages about an instance are on their way, or that none are.
fn on_their_way(telling: &mut Telling<'_>, id: InstanceId, driver: ReplicaId, stage: Stage) {
    let facts = telling.facts;
    let matters = |flight: &&Flight| {
        let envelope = &flight.envelope;
        stage.contains(&envelope.message.kind())
            && facts.replica(envelope.to).up
            && (envelope.to == driver || envelope.id.sender == driver)
    };
    let flights: Vec<_> = flights(facts, id).filter(matters).collect();
    for flight in flights.iter().take(SOME) {
        let Flight { envelope, held, .. } = flight;
        let (kind, place) = (envelope.message.kind(), whereabouts(facts, envelope, *held));
        let (from, to) = (envelope.id.sender, envelope.to);
        let text = format!("The {kind} from {from} to {to}, {}, is {place}.", envelope.id);
        telling.say(text, Link::Message(envelope.id));
    }
    if flights.len() > SOME {
        let text = match flights.len() - SOME {
            1 => "And 1 more message about it has not arrived.".to_owned(),
            more => format!("And {more} more messages about it have not arrived."),
        };
        telling.say(text, None);
    }
    if flights.is_empty() && facts.0.in_flight.len() <= MANY && facts.replica(driver).up {
        let timer = facts.replica(driver).timer.filter(|(_, timer)| timer.instance == id);
        let again = match timer.map(|(_, timer)| timer.kind) {
            Some(kind @ (TimerKind::FastPath | TimerKind::Resend)) => {
                format!("; {driver} goes on when its {kind} timer fires")
            }
            _ => String::new(),
        };
        let text = format!("Nothing to or from {driver} that would help is on its way{again}.");
        telling.say(text, Link::Replica(driver));
    }
}

/// How many messages are named.
const SOME: usize = 3;

/// How many messages, or instances, are looked through.
const MANY: usize = 10_000;
