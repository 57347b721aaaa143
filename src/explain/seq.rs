//! Why an instance has the `seq` that it has.

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::Payload;
use crate::epaxos::event::Cause;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::explain::answer::{Link, Telling};
use crate::explain::knowledge::{answered, largest};
use crate::explain::phrase::named;

/// Tells it, and returns the question.
pub(super) fn tell(telling: &mut Telling<'_>, id: InstanceId) -> String {
    let facts = telling.facts;
    let at = telling.eyes(id);
    let named = named(facts, id);
    let Some(known) = facts.instance(at, id) else {
        let text = format!("{at} has never heard what {id} carries.");
        telling.say(text, Link::Replica(at));
        return format!("Which seq has {named} at {at}?");
    };
    let seq = known.attributes.seq;
    let question = format!("Why does {named} have seq={seq} at {at}?");
    if known.payload == Payload::Noop {
        let text = "It is a no-op, which interferes with nothing and needs no place.".to_owned();
        telling.say(text, Link::Instance(id, Some(at)));
        return question;
    }
    let proposal = facts.proposal(id);
    if let Some(proposed) = proposal.filter(|proposed| proposed.what.seq == seq) {
        let attributes = *proposed.what;
        chosen(telling, id.replica, id, &attributes, "proposed");
        return question;
    }
    let slow = facts.slow(id).map(|slow| &slow.what.cause);
    let counted = match slow {
        Some(Cause::SlowPath { votes, .. }) => votes.iter().find(|(_, vote)| vote.seq == seq),
        _ => None,
    };
    let own = || facts.change(at, id, |change| matches!(change.cause, Cause::PreAccept { .. }));
    let answer = counted.copied().or_else(|| Some((at, own()?.what.after)));
    let Some((voter, attributes)) = answer.filter(|(_, answer)| answer.seq == seq) else {
        let text = "The log has let go of the answer that it comes from.".to_owned();
        telling.say(text, Link::Instance(id, Some(at)));
        return question;
    };
    if let Some(proposed) = proposal {
        let text = format!("{} proposed seq={}.", id.replica, proposed.what.seq);
        telling.say(text, Link::Entry(proposed.id()));
    }
    chosen(telling, voter, id, &attributes, "answered");
    if counted.is_some() {
        let text = format!("{} put the largest to the vote.", id.replica);
        telling.say(text, facts.slow(id).map(|slow| Link::Entry(slow.id())));
    }
    question
}

/// Why a replica proposed or answered this `seq`.
fn chosen(
    telling: &mut Telling<'_>,
    at: ReplicaId,
    id: InstanceId,
    attributes: &Attributes,
    verb: &str,
) {
    let facts = telling.facts;
    let entry = answered(facts, at, id).map(|answered| answered.id());
    let seq = attributes.seq;
    if seq <= Attributes::FIRST.seq {
        let text = format!("{at} {verb} it, knowing nothing that interferes; seq starts at {seq}.");
        return telling.say(text, entry.map(Link::Entry));
    }
    let one_more = "one more than the largest seq that it knew of what interferes";
    if let Some((other, seen)) = largest(facts, at, id, attributes) {
        let text =
            format!("{at} {verb} {seq}, {one_more}: {other} had {} at #{}.", seq - 1, seen.id());
        return telling.say(text, Link::Entry(seen.id()));
    }
    telling.say(format!("{at} {verb} {seq}, {one_more}."), entry.map(Link::Entry));
    telling.say("Which instance that was, the log does not show.".to_owned(), None);
}
