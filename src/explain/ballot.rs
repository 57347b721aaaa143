//! Why an instance is in the ballot in which it is: who set out to recover it, and when.

use std::collections::BTreeMap;

use crate::epaxos::event::{Event, TimerKind};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::explain::answer::{Link, Telling};
use crate::explain::facts::{Facts, Said};
use crate::explain::phrase::{named, names, span};
use crate::observe::log::{Entry, EntryId};
use crate::observe::notice::Decision;

/// Tells it, and returns the question.
pub(super) fn tell(telling: &mut Telling<'_>, id: InstanceId) -> String {
    let facts = telling.facts;
    let at = telling.wanted().unwrap_or_else(|| highest(facts, id));
    let named = named(facts, id);
    let Some((ballot, since)) = facts.ballot(at, id) else {
        telling.say(format!("{at} is in no ballot of {id}: it has never heard of it."), None);
        return format!("Why is {named} in no ballot at {at}?");
    };
    let question = format!("Why is {named} in ballot {ballot} at {at}?");
    if ballot.is_initial() {
        let text = format!(
            "Ballot {ballot} belongs to {id} from the start: its leader may use it without asking anybody."
        );
        telling.say(text, Link::Instance(id, Some(at)));
        let others = attempts(facts, id);
        let text = match others.last_key_value() {
            None => "Nobody has set out to recover it.".to_owned(),
            Some((other, _)) => format!("Ballot {other}, which is higher, has not reached {at}."),
        };
        telling.say(text, others.into_values().last().map(|entry| Link::Entry(entry.id)));
        return question;
    }
    set_out(telling, id, ballot);
    let before = attempts(facts, id).range(..ballot).map(|(other, _)| *other).collect::<Vec<_>>();
    if !before.is_empty() {
        telling.say(format!("Before that, {} had been tried.", names(before)), None);
    }
    if ballot.replica != at {
        let text = format!("{at} has promised to act on no lower one.");
        telling.say(text, since.map(Link::Entry));
    }
    question
}

/// Who is in the highest ballot: its driver before others.
fn highest(facts: Facts<'_>, id: InstanceId) -> ReplicaId {
    let ballots = facts.replicas().filter_map(|at| Some((facts.ballot(at, id)?.0, at)));
    let best = ballots.max_by_key(|(ballot, at)| (*ballot, ballot.replica == *at));
    best.map_or(id.replica, |(_, at)| at)
}

/// The ballots in which anybody set out to recover an instance.
fn attempts(facts: Facts<'_>, id: InstanceId) -> BTreeMap<Ballot, &Entry> {
    let events = facts.replicas().flat_map(|at| facts.events(at, id));
    let attempts = events.filter_map(|said| match said.what {
        Event::Recovering { ballot, .. } => Some((*ballot, &**said.entry)),
        _ => None,
    });
    attempts.collect()
}

/// Tells who set out to recover an instance in a ballot, and why then.
pub(super) fn set_out(telling: &mut Telling<'_>, id: InstanceId, ballot: Ballot) {
    let facts = telling.facts;
    let driver = ballot.replica;
    let wanted = |said: &Said<'_, Event>| matches!(said.what, Event::Recovering { ballot: other, .. } if *other == ballot);
    let Some(began) = facts.events(driver, id).find(wanted) else {
        let text = format!(
            "{driver} set out to recover {id} in {ballot}; the log has let go of when it did."
        );
        return telling.say(text, Link::Replica(driver));
    };
    let (entry, now) = (began.entry, began.entry.step.now);
    let fired = facts.events(driver, id).filter(|said| said.id() == entry.id);
    let fired = fired.into_iter().find_map(|said| match said.what {
        Event::TimerFired(timer) => Some(timer.kind),
        _ => None,
    });
    let why = match fired {
        Some(TimerKind::Resend) => ", since its last try had led to nothing".to_owned(),
        _ => match facts.entries(driver, id).next().filter(|first| first.id < entry.id) {
            _ if facts.has_forgotten(driver, id) => ", since its patience was over".to_owned(),
            Some(first) => format!(
                ", since it had known of it for {}, from #{} on, without a decision",
                span(now.since(first.step.now)),
                first.id
            ),
            None => ", since what it is to execute waits for it".to_owned(),
        },
    };
    let text = format!("{driver} set out to recover it in {ballot} at #{}{why}.", entry.id);
    telling.say(text, Link::Entry(entry.id));
    if let Some(crash) = crashed(facts, id.replica, entry.id) {
        telling.say(
            format!("{}, its leader, had crashed at #{crash}.", id.replica),
            Link::Entry(crash),
        );
    }
}

/// The entry with which a replica went down before another one, if it was down then.
pub(super) fn crashed(facts: Facts<'_>, replica: ReplicaId, entry: EntryId) -> Option<EntryId> {
    let mut own = facts.before(entry).filter(|before| before.step.replica == replica);
    // What is done to messages on their way says nothing of the replica.
    let last = own.find(|before| {
        !matches!(
            before.step.decision,
            Decision::Drop(_) | Decision::Duplicate(..) | Decision::Lose(_)
        )
    })?;
    matches!(last.step.decision, Decision::Crash | Decision::Panic(_)).then_some(last.id)
}
