//! Why one instance depends on another, or does not.

use crate::epaxos::command::Payload;
use crate::epaxos::event::{Cause, StatusChange};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::explain::answer::{Link, Telling};
use crate::explain::attempt::{Attempt, PROPOSING};
use crate::explain::facts::{Changed, Facts};
use crate::explain::knowledge::{answered, why_named};
use crate::explain::order::route;
use crate::explain::phrase::{named, names, no_tie, tie};
use crate::observe::view::InstanceView;

/// Tells it, and returns the question.
pub(super) fn tell(telling: &mut Telling<'_>, id: InstanceId, on: InstanceId) -> String {
    let facts = telling.facts;
    let at = telling.eyes(id);
    let names = (named(facts, id), named(facts, on));
    let Some(known) = facts.instance(at, id) else {
        let text = format!("{at} has never heard what {id} carries.");
        telling.say(text, Link::Replica(at));
        return format!("Does {} depend on {} at {at}?", names.0, names.1);
    };
    if id == on || !known.attributes.deps.contains(on) {
        indirect(telling, at, id, on, known);
        return format!("Why does {} not depend on {}?", names.0, names.1);
    }
    prefix(telling, id, on, known);
    origin(telling, at, id, on);
    learnt(telling, at, id);
    format!("Why does {} depend on {}?", names.0, names.1)
}

/// The instance named by the entry of a row may be a later one than the one that is asked for.
fn prefix(telling: &mut Telling<'_>, id: InstanceId, on: InstanceId, known: &InstanceView) {
    let row = on.replica;
    let last = InstanceId::new(row, known.attributes.deps.last(row).unwrap_or(on.slot));
    if last == on {
        return;
    }
    let text =
        format!("{id} names {last}, which stands for all that interferes in {row}'s row up to it.");
    telling.say(text, Link::Instance(id, None));
    let facts = telling.facts;
    let carried = facts.decision(on).map(|(_, known)| known);
    let carried = carried.or_else(|| facts.replicas().find_map(|at| facts.instance(at, on)));
    let text =
        match carried.map(|carried| (&carried.payload, tie(&carried.payload, &known.payload))) {
            Some((_, Some(tie))) => format!("{on} is one of those, since {tie}."),
            Some((payload, None)) => format!(
                "{on} is not one of those, since {}; but {id} has to wait until that is decided.",
                no_tie(payload, &known.payload)
            ),
            None => format!("Whether {on} is one of those nobody knows yet."),
        };
    telling.say(text, Link::Instance(on, None));
}

/// Where the dependency came in: with the proposal, or with an answer.
fn origin(telling: &mut Telling<'_>, at: ReplicaId, id: InstanceId, on: InstanceId) {
    let facts = telling.facts;
    let leader = id.replica;
    let proposal = facts.proposal(id);
    if let Some(proposed) = proposal.filter(|proposed| proposed.what.deps.contains(on)) {
        let named =
            InstanceId::new(on.replica, proposed.what.deps.last(on.replica).unwrap_or(on.slot));
        let (why, link) = why_named(facts, leader, id, named);
        let entry = answered(facts, leader, id).map(|answered| answered.id());
        let when = entry.map(|entry| format!(" at #{entry}")).unwrap_or_default();
        let text = format!("{leader} proposed it so{when}, since {why}.");
        return telling.say(text, link.or(entry.map(Link::Entry)));
    }
    let Some((voter, more)) = brought(telling, at, id, on) else {
        let text = "The log has let go of where that came in.".to_owned();
        return telling.say(text, Link::Instance(id, Some(at)));
    };
    if let Some(proposed) = proposal {
        let text = format!("{leader} proposed {} without it.", proposed.what);
        telling.say(text, Link::Entry(proposed.id()));
    }
    let row = on.replica;
    let last = more.attributes.deps.last(row).unwrap_or(on.slot);
    let (why, link) = why_named(facts, voter, id, InstanceId::new(row, last));
    let entry = answered(facts, voter, id).map(|answered| answered.id());
    let when = entry.map(|entry| format!(" at #{entry}")).unwrap_or_default();
    let text = format!("{voter} added it{when}, since {why}.");
    telling.say(text, link.or(entry.map(Link::Entry)));
    if more.counted {
        let text = format!("{leader} put all that its answers named to the vote.");
        telling.say(text, facts.slow(id).map(|slow| Link::Entry(slow.id())));
    }
}

/// An answer that brought a dependency in.
struct Brought {
    attributes: crate::epaxos::attributes::Attributes,
    /// Whether the leader counted it.
    counted: bool,
}

/// The replica whose answer brought a dependency in: of those that the leader counted the first; else the
/// one that is looked at, or whoever else added it.
fn brought(
    telling: &Telling<'_>,
    at: ReplicaId,
    id: InstanceId,
    on: InstanceId,
) -> Option<(ReplicaId, Brought)> {
    let facts = telling.facts;
    if let Some(Cause::SlowPath { votes, .. }) = facts.slow(id).map(|slow| &slow.what.cause)
        && let Some((voter, attributes)) = votes.iter().find(|(_, vote)| vote.deps.contains(on))
    {
        return Some((*voter, Brought { attributes: *attributes, counted: true }));
    }
    let added = |change: &StatusChange| match &change.cause {
        Cause::PreAccept { proposal, .. } => {
            change.after.deps.contains(on) && !proposal.deps.contains(on)
        }
        _ => false,
    };
    let others = facts.replicas().filter(|other| *other != at);
    let mut found = std::iter::once(at).chain(others).filter_map(|at| facts.change(at, id, added));
    let found: Changed<'_> = found.next()?;
    Some((found.at(), Brought { attributes: found.what.after, counted: false }))
}

/// How the replica that is looked at came to know of it.
fn learnt(telling: &mut Telling<'_>, at: ReplicaId, id: InstanceId) {
    if at == id.replica {
        return;
    }
    let last = telling.facts.changes(at, id).last();
    let Some(last) = last else { return };
    let (from, kind) = match last.what.cause {
        Cause::Accept { from } => (from, "Accept"),
        Cause::Committed { from, .. } => (from, "Commit"),
        _ => return,
    };
    let text = format!("{at} has it from {from}'s {kind}, at #{}.", last.id());
    telling.say(text, Link::Entry(last.id()));
}

/// It does not depend on it itself.
fn indirect(
    telling: &mut Telling<'_>,
    at: ReplicaId,
    id: InstanceId,
    on: InstanceId,
    known: &InstanceView,
) {
    let facts = telling.facts;
    if id == on {
        return telling.say("Nothing depends on itself.".to_owned(), Link::Instance(id, None));
    }
    let own = format!("At {at} {id} has {}, and {on} is not among that", known.attributes);
    if let Some(path) = route(facts, at, id, on).filter(|path| !path.is_empty()) {
        telling.say(format!("{own}."), Link::Instance(id, Some(at)));
        let text = format!("But it is reached through {}.", names(&path));
        return telling.say(text, path.first().map(|next| Link::Instance(*next, Some(at))));
    }
    telling.say(format!("{own}."), Link::Instance(id, Some(at)));
    let other = facts.decision(on).map(|(_, other)| other);
    let Some(other) = other.or_else(|| facts.replicas().find_map(|at| facts.instance(at, on)))
    else {
        return telling.say(format!("Nobody knows what {on} carries."), None);
    };
    let decided = other.phase.is_committed();
    let text = match tie(&known.payload, &other.payload) {
        None => format!("It need not be: {}.", no_tie(&known.payload, &other.payload)),
        Some(tie) if other.attributes.deps.contains(id) && (decided || proposed(facts, on, id)) => {
            format!("The two interfere, since {tie}; but it is {on} that depends on {id}.")
        }
        Some(tie) if known.phase.is_committed() => format!(
            "The two interfere, since {tie}; so {on} comes to depend on {id}, unless it becomes a no-op."
        ),
        Some(tie) if decided => format!(
            "The two interfere, since {tie}, and {on} is decided without {id}; so {id} comes to depend on \
             it, unless it becomes a no-op."
        ),
        Some(tie) if known.phase == Phase::Accepted => format!(
            "The two interfere, since {tie}; but nobody whose answer was counted knew of {on} then."
        ),
        Some(tie) => {
            format!("The two interfere, since {tie}; but {at} did not know of {on} then.")
        }
    };
    let both_known = !matches!((&known.payload, &other.payload), (Payload::Noop, Payload::Noop));
    telling.say(text, both_known.then_some(Link::Instance(on, None)));
    let undecided = !decided && !known.phase.is_committed();
    if undecided && known.payload.interferes_with(&other.payload) && !proposed(facts, on, id) {
        let said: Vec<_> = [(id, on), (on, id)]
            .into_iter()
            .filter_map(|(id, on)| Some((said(facts, id, on)?, id)))
            .collect();
        for (text, id) in said {
            telling.say(text, Link::Instance(id, None));
        }
        telling.say("Neither is decided yet.".to_owned(), None);
    }
}

/// Whether the command leader proposed an instance to depend on another one, so that it will unless it
/// becomes a no-op.
fn proposed(facts: Facts<'_>, id: InstanceId, on: InstanceId) -> bool {
    facts.proposal(id).is_some_and(|proposed| proposed.what.deps.contains(on))
}

/// Who of those that were asked about an undecided instance says that it depends on another one, and whether
/// its leader has heard that.
fn said(facts: Facts<'_>, id: InstanceId, on: InstanceId) -> Option<String> {
    let leader = id.replica;
    let naming = |phase| {
        let names = move |at: &ReplicaId| {
            let known = facts.instance(*at, id);
            known.is_some_and(|known| known.phase == phase && known.attributes.deps.contains(on))
        };
        facts.replicas().filter(names).collect::<Vec<_>>()
    };
    let voted = naming(Phase::Accepted);
    if !voted.is_empty() {
        let have = if voted.len() == 1 { "has" } else { "have" };
        return Some(format!("{} {have} voted for {id} to depend on {on}.", names(voted)));
    }
    let answered = naming(Phase::PreAccepted);
    let first = answered.into_iter().find(|at| *at != leader)?;
    let attempt = Attempt { id, ballot: Ballot::initial(leader), stage: PROPOSING };
    let heard = match attempt.heard(facts) {
        Some(heard) if heard.has(first) => format!(", and {leader} has heard it"),
        Some(_) => format!(", and {leader} has not heard it"),
        None => String::new(),
    };
    Some(format!("{first}'s answer about {id} names {on}{heard}."))
}
