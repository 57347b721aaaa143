//! Why a replica named an instance, or a `seq`, when it proposed or answered: what it knew by then.

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::Payload;
use crate::epaxos::event::{Cause, Event};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::message::Message;
use crate::explain::answer::Link;
use crate::explain::facts::{Changed, Facts, Said, sent};
use crate::explain::phrase::{short, tie};
use crate::observe::log::EntryId;

/// The change with which a replica proposed an instance, or answered its PreAccept.
pub(super) fn answered(facts: Facts<'_>, at: ReplicaId, id: InstanceId) -> Option<Changed<'_>> {
    facts.change(at, id, |change| matches!(change.cause, Cause::Proposed | Cause::PreAccept { .. }))
}

/// Why `at` knew `other` to interfere with `id` in that change, as a sentence that begins with "it", and
/// what proves it.
pub(super) fn why_named(
    facts: Facts<'_>,
    at: ReplicaId,
    id: InstanceId,
    other: InstanceId,
) -> (String, Option<Link>) {
    let Some(answer) = answered(facts, at, id) else {
        return (format!("it knew of {other}, and the log has let go of since when"), None);
    };
    let payload = &answer.what.payload;
    let mut earlier = facts.changes(at, other).filter(|change| change.id() <= answer.id());
    if facts.has_forgotten(at, other) && facts.entries(at, other).next().is_none() {
        return (format!("it knew of {other}, and the log has let go of since when"), None);
    }
    let tied =
        earlier.find_map(|change| tie(&change.what.payload, payload).map(|tie| (change, tie)));
    let noted =
        noted(facts, at, other, tied.as_ref().map_or(answer.id(), |(change, _)| change.id()));
    if let Some(noted) = noted
        && let Some(tie) = tie(noted.what, payload)
    {
        let (what, entry) = (short(noted.what), noted.id());
        let text = format!(
            "it had taken note of {other} ({what}) before, at #{entry}, while a recovery validated it, and \
             {tie}"
        );
        return (text, Some(Link::Entry(entry)));
    }
    if let Some((change, tie)) = tied {
        let (what, entry) = (short(&change.what.payload), change.id());
        let verb = if change.what.cause == Cause::Proposed { "proposed" } else { "seen" };
        let text = format!("it had {verb} {other} ({what}) before, at #{entry}, and {tie}");
        return (text, Some(Link::Entry(entry)));
    }
    let mut votes = facts.changes(at, other).filter(|change| change.id() <= answer.id());
    match votes.find(|change| change.what.payload == Payload::Noop) {
        Some(vote) if !vote.what.to.is_committed() => (
            format!(
                "it had voted at #{} for {other} to be a no-op, and as long as that is undecided it \
                 counts as interfering with everything",
                vote.id()
            ),
            Some(Link::Entry(vote.id())),
        ),
        _ if facts.has_forgotten(at, other) => {
            (format!("it knew of {other}, and the log has let go of since when"), None)
        }
        _ => (
            format!("it had taken note of {other} while a recovery validated it"),
            Some(Link::Instance(other, Some(at))),
        ),
    }
}

/// The first entry before another one with which a replica took note of an instance that a recovery validates.
/// No event says so: it is found by the message.
fn noted(
    facts: Facts<'_>,
    at: ReplicaId,
    other: InstanceId,
    before: EntryId,
) -> Option<Said<'_, Payload>> {
    let recoverers = facts.replicas().flat_map(|at| facts.entries(at, other));
    let asked = recoverers.flat_map(|entry| {
        let validates = sent(entry).filter_map(|envelope| match &envelope.message {
            Message::Validate(validate) if validate.instance == other => Some((envelope, validate)),
            _ => None,
        });
        validates.map(move |(envelope, validate)| (entry, envelope, &validate.proposal.payload))
    });
    let noted = asked.filter_map(|(entry, envelope, payload)| {
        if envelope.id.sender == at {
            return Some(Said { entry, what: payload });
        }
        let entry = facts.delivered(envelope, entry.id).filter(|_| envelope.to == at)?;
        let ignored = entry.events().any(|event| matches!(event, Event::Ignored { .. }));
        (!ignored).then_some(Said { entry, what: payload })
    });
    noted.filter(|noted| noted.id() < before).min_by_key(Said::id)
}

/// Why an answer differs from the proposal, as sentences about the answering replica.
pub(super) fn why_differs(
    facts: Facts<'_>,
    at: ReplicaId,
    id: InstanceId,
    proposal: &Attributes,
    answer: &Attributes,
) -> (String, Option<Link>) {
    let more = |other: &InstanceId| !proposal.deps.contains(*other);
    let mut more = answer.deps.iter().filter(more);
    if let Some(other) = more.next() {
        let (text, link) = why_named(facts, at, id, other);
        return match more.count() {
            0 => (text, link),
            rest => (format!("{text}; and so with {rest} more"), link),
        };
    }
    match largest(facts, at, id, answer) {
        Some((other, seen)) => (
            format!("it had {other} with seq={} since #{}", seen.what.after.seq, seen.id()),
            Some(Link::Entry(seen.id())),
        ),
        None => (
            format!("it knew a larger seq among what interferes, {}", answer.seq.saturating_sub(1)),
            None,
        ),
    }
}

/// The instance that gave an answer its `seq`: it interferes, has a `seq` one smaller, and was known by
/// then. Only the last instances of each row are looked at.
pub(super) fn largest<'a>(
    facts: Facts<'a>,
    at: ReplicaId,
    id: InstanceId,
    answer: &Attributes,
) -> Option<(InstanceId, Changed<'a>)> {
    let answered = answered(facts, at, id)?;
    let candidates = answer.deps.iter().flat_map(|last| {
        let first = last.slot.saturating_sub(WALKED);
        (first..=last.slot).rev().map(move |slot| InstanceId::new(last.replica, slot))
    });
    // An acceptor adds nothing of the leader's own row.
    let mut candidates = candidates
        .filter(|other| *other != id && (other.replica != id.replica || at == id.replica));
    candidates.find_map(|other| {
        let mut seen = facts.changes(at, other).filter(|change| change.id() <= answered.id());
        let seen = seen.find(|change| {
            change.what.after.seq + 1 == answer.seq
                && change.what.payload.interferes_with(&answered.what.payload)
        });
        seen.map(|seen| (other, seen))
    })
}

/// How many instances of a row are looked at for a `seq`, from its last one back.
const WALKED: u64 = 32;
