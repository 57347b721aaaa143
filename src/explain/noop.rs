//! Why an instance was decided to be a no-op, or what a recovery found instead: the rule, and its evidence.

use std::collections::BTreeMap;

use crate::epaxos::command::Payload;
use crate::epaxos::event::{Cause, Event, Rule, StatusChange};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::epaxos::message::{Message, RecoverReply};
use crate::explain::answer::{Link, Telling};
use crate::explain::ballot;
use crate::explain::facts::{Changed, Facts};
use crate::explain::knowledge::answered;
use crate::explain::path::upheld;
use crate::explain::phrase::{named, names};
use crate::observe::log::EntryId;
use crate::observe::notice::Decision;

/// Tells it, and returns the question.
pub(super) fn tell(telling: &mut Telling<'_>, id: InstanceId) -> String {
    let facts = telling.facts;
    let named = named(facts, id);
    let question = format!("Why is {id} a no-op?");
    let Some((who, known)) = facts.decision(id) else {
        let votes = facts.change_anywhere(id, |change| {
            change.payload == Payload::Noop && matches!(change.cause, Cause::Recovery(_))
        });
        let Some(vote) = votes else {
            let text = "It is none: it is not decided, and nobody has proposed that.".to_owned();
            telling.say(text, Link::Instance(id, None));
            return format!("Is {named} a no-op?");
        };
        recovered(telling, id, vote);
        telling.say("It is not decided yet.".to_owned(), Link::Instance(id, None));
        return format!("Why is {id} to become a no-op?");
    };
    if known.payload != Payload::Noop {
        let text = format!(
            "It is none: it was decided with its commands, by the {} path.",
            known.path.map_or("known", |path| path.name())
        );
        telling.say(text, Link::Instance(id, Some(who)));
        return format!("Is {named} a no-op?");
    }
    let count = facts.count(id);
    let vote = count.and_then(|count| {
        facts.change(count.at(), id, |change| {
            matches!(change.cause, Cause::Recovery(_)) && change.ballot == count.what.ballot
        })
    });
    if let Some(vote) = vote {
        recovered(telling, id, vote);
    } else {
        let text = "It was recovered; the log has let go of who did, and by which rule.".to_owned();
        telling.say(text, Link::Instance(id, None));
    }
    instead(telling, id);
    question
}

fn recovered(telling: &mut Telling<'_>, id: InstanceId, vote: Changed<'_>) {
    ballot::set_out(telling, id, vote.what.ballot);
    found(telling, id, vote.at(), vote.what.ballot);
}

/// What became of the commands that a no-op stands in the place of.
fn instead(telling: &mut Telling<'_>, id: InstanceId) {
    let facts = telling.facts;
    let mut events = facts
        .entries(id.replica, id)
        .flat_map(|entry| entry.events().map(move |event| (entry.id, event)));
    let again = events.find_map(|(entry, event)| match event {
        Event::Proposed { instance, instead_of, .. } if *instead_of == Some(id) => {
            Some((*instance, entry))
        }
        _ => None,
    });
    if let Some((again, entry)) = again {
        let text = format!("{} proposed its commands again, as {again}.", id.replica);
        telling.say(text, Link::Entry(entry));
    }
}

/// Tells by which rule a recovery went on, and on what evidence.
pub(super) fn found(
    telling: &mut Telling<'_>,
    id: InstanceId,
    recoverer: ReplicaId,
    ballot: Ballot,
) {
    let facts = telling.facts;
    let vote = facts.change(recoverer, id, |change| {
        matches!(change.cause, Cause::Recovery(_)) && change.ballot == ballot
    });
    let Some(vote) = vote else {
        let text = "The log has let go of the rule by which it went on.".to_owned();
        return telling.say(text, None);
    };
    let Cause::Recovery(rule) = vote.what.cause else { return };
    let name = rule.name();
    if vote.what.payload != Payload::Noop {
        let text = format!("Rule {name}: {}.", upheld(rule, id));
        return telling.say(text, Link::Entry(vote.id()));
    }
    let why = evidence(facts, id, vote, rule);
    let text = format!("Rule {name}: {why}; hence a no-op.");
    telling.say(text, Link::Entry(vote.id()));
}

/// What a rule found that led to a no-op.
fn evidence(facts: Facts<'_>, id: InstanceId, vote: Changed<'_>, rule: Rule) -> String {
    let leader = id.replica;
    let (recoverer, ballot) = (vote.at(), vote.what.ballot);
    let conflicts = || conflicts(facts, id, recoverer, ballot, vote.id());
    match rule {
        Rule::R2 => {
            "somebody had voted for a no-op in an earlier ballot, which may have been decided"
                .to_owned()
        }
        Rule::R3 => format!(
            "{leader}, its leader, joined {ballot} without having committed it, and so never will"
        ),
        Rule::R5 => holders(facts, id, vote),
        Rule::V2 => {
            let committed = conflicts().into_iter().filter(|(_, committed)| *committed);
            against(facts, committed.map(|(other, _)| other), "is committed and interferes, and")
        }
        Rule::V3 => {
            let mut outside = conflicts()
                .into_keys()
                .filter(|other| !is_in_quorum(facts, *other, id, recoverer, ballot));
            match outside.next() {
                Some(other) => format!(
                    "{} interferes, and neither depends on the other; a fast commit would have needed {}, \
                     which leads that one, to hold the proposal, and it cannot have",
                    named(facts, other),
                    other.replica
                ),
                None => rule.finding().to_owned(),
            }
        }
        Rule::W1 => {
            let without = conflicts().into_keys().filter(|other| {
                facts.instance(recoverer, *other).is_some_and(|known| {
                    known.phase.is_committed()
                        && known.payload != Payload::Noop
                        && !known.attributes.deps.contains(id)
                })
            });
            against(facts, without, "was committed meanwhile, interferes, and")
        }
        Rule::W3 => {
            let waits = waiting(facts, vote).into_iter().find(|id| conflicts().contains_key(id));
            let other =
                waits.map_or("an instance that interferes".to_owned(), |id| named(facts, id));
            format!(
                "the recovery of {other} waits too, and so many hold that one that no fast quorum can have \
                 held {id}"
            )
        }
        Rule::W4 => format!("{leader}, its leader, answered late, and had not committed it"),
        other => other.finding().to_owned(),
    }
}

fn against(facts: Facts<'_>, others: impl Iterator<Item = InstanceId>, what: &str) -> String {
    let mut others = others;
    let neither = "neither depends on the other";
    match others.next() {
        Some(other) => {
            format!("{} {what} {neither}, which rules out a fast commit", named(facts, other))
        }
        None => format!("an instance {what} {neither}, which rules out a fast commit"),
    }
}

/// What was said to speak against a proposal in a ballot, and whether that was committed: in the answers
/// that the recoverer had by then.
pub(super) fn conflicts(
    facts: Facts<'_>,
    id: InstanceId,
    recoverer: ReplicaId,
    ballot: Ballot,
    until: EntryId,
) -> BTreeMap<InstanceId, bool> {
    let mut conflicts = BTreeMap::new();
    let own = facts.before(until + 1).filter(|entry| entry.step.replica == recoverer);
    for entry in own {
        let Decision::Deliver(envelope) = &entry.step.decision else { continue };
        let Message::ValidateReply(reply) = &envelope.message else { continue };
        if reply.instance == id && reply.ballot == ballot {
            for conflict in &reply.conflicts {
                *conflicts.entry(conflict.instance).or_default() |= conflict.committed;
            }
        }
    }
    conflicts
}

/// Whether the leader of `other` was asked to validate `id` in a ballot, and so was of the quorum.
fn is_in_quorum(
    facts: Facts<'_>,
    other: InstanceId,
    id: InstanceId,
    recoverer: ReplicaId,
    ballot: Ballot,
) -> bool {
    let sent = facts.entries(recoverer, id).flat_map(|entry| super::facts::sent(entry));
    let mut asked = sent.filter(|envelope| match &envelope.message {
        Message::Validate(validate) => validate.instance == id && validate.ballot == ballot,
        _ => false,
    });
    other.replica == recoverer || asked.any(|envelope| envelope.to == other.replica)
}

/// The instances of which the recoverer had heard by then that their recoveries wait, the last first.
fn waiting(facts: Facts<'_>, vote: Changed<'_>) -> Vec<InstanceId> {
    let own = facts.before(vote.id() + 1).filter(|entry| entry.step.replica == vote.at());
    let heard = own.filter_map(|entry| match &entry.step.decision {
        Decision::Deliver(envelope) => match &envelope.message {
            Message::Waiting(waiting) => Some(waiting.instance),
            _ => None,
        },
        _ => None,
    });
    heard.collect()
}

/// R5: what those had that joined.
fn holders(facts: Facts<'_>, id: InstanceId, vote: Changed<'_>) -> String {
    let leader = id.replica;
    let (recoverer, ballot) = (vote.at(), vote.what.ballot);
    let own = facts.before(vote.id() + 1).filter(|entry| entry.step.replica == recoverer);
    let replies = own.filter_map(|entry| match &entry.step.decision {
        Decision::Deliver(envelope) => match &envelope.message {
            Message::RecoverReply(reply) if reply.instance == id && reply.ballot == ballot => {
                Some((envelope.id.sender, reply))
            }
            _ => None,
        },
        _ => None,
    });
    let replies: BTreeMap<ReplicaId, &RecoverReply> =
        replies.map(|(from, reply)| (from, &**reply)).collect();
    let of = |wanted: fn(&RecoverReply) -> bool| {
        let found = replies.iter().filter(|(_, reply)| wanted(reply)).map(|(from, _)| *from);
        found.collect::<Vec<_>>()
    };
    let blank = of(|reply| reply.phase == Phase::Initial);
    let other = of(|reply| {
        let initial = reply.initial.as_ref().map(|initial| initial.attributes);
        reply.phase == Phase::PreAccepted && initial != Some(reply.attributes)
    });
    let (mut blank, mut other) = (blank, other);
    match answered(facts, recoverer, id).map(|answered| answered.what) {
        None => blank.insert(0, recoverer),
        Some(StatusChange { cause: Cause::PreAccept { proposal, .. }, after, .. })
            if proposal != after =>
        {
            other.insert(0, recoverer);
        }
        Some(_) => {}
    }
    let mut said = Vec::new();
    if !blank.is_empty() {
        said.push(format!("{} had never pre-accepted it", names(blank)));
    }
    if !other.is_empty() {
        said.push(format!("{} had recorded more than was proposed", names(other)));
    }
    let said = if said.is_empty() { "too few held it".to_owned() } else { said.join(" and ") };
    format!("{said}, so too few held exactly what {leader} proposed for a fast commit")
}
