//! What became of a message, and why one was ignored.

use crate::epaxos::event::{Event, Reason};
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::epaxos::message::{Envelope, MessageKind};
use crate::explain::answer::{Link, Telling};
use crate::explain::facts::{Facts, sent, why_lost};
use crate::explain::phrase::{names, whereabouts};
use crate::explain::sentence;
use crate::observe::log::Entry;
use crate::observe::notice::Decision;

/// Tells it, and returns the question.
pub(super) fn tell(telling: &mut Telling<'_>, id: MessageId) -> String {
    let facts = telling.facts;
    let view = facts.0;
    if let Some(flight) = view.in_flight.get(id) {
        let Envelope { to, message, .. } = &flight.envelope;
        let (from, place) = (id.sender, whereabouts(facts, &flight.envelope, flight.held));
        telling.say(
            format!("{from} sent it to {to} at #{}.", flight.entry),
            Link::Entry(flight.entry),
        );
        telling.say(format!("It is {place}."), Link::Message(id));
        if !view.replica(*to).up {
            let text = format!("{to} is down, so it is lost when its turn comes.");
            telling.say(text, Link::Replica(*to));
        } else if view.gate.loses(&flight.envelope) {
            let text = format!("The link from {from} to {to} loses it when its turn comes.");
            telling.say(text, Link::Message(id));
        }
        return format!("What has become of {id}, {message}?");
    }
    let ended_at = facts.before(view.log.len()).find_map(|entry| match &entry.step.decision {
        Decision::Deliver(envelope) | Decision::Drop(envelope) | Decision::Lose(envelope)
            if envelope.id == id =>
        {
            Some((entry, envelope))
        }
        _ => None,
    });
    let Some((end, envelope)) = ended_at else {
        nowhere(telling, id);
        return format!("What has become of {id}?");
    };
    if let Some(cause) = end.cause {
        let text = format!("{} sent it to {} at #{cause}.", id.sender, envelope.to);
        telling.say(text, Link::Entry(cause));
    }
    copies(telling, end, id);
    ended(telling, end, envelope);
    format!("What became of {id}, {}?", envelope.message)
}

/// The message is neither on its way nor seen to arrive.
fn nowhere(telling: &mut Telling<'_>, id: MessageId) {
    let facts = telling.facts;
    let sends: u64 = facts.replica(id.sender).counters.sends.iter().sum();
    let text = if id.number >= sends {
        format!("{} has sent no such message: it has sent {sends} so far.", id.sender)
    } else if id.copy > 0 {
        "It is not on its way, and the latest entries of the log do not speak of it.".to_owned()
    } else {
        "It is not on its way any more, and what became of it is too long ago.".to_owned()
    };
    telling.say(text, Link::Replica(id.sender));
}

/// Tells of the twins that were made of a message, or of what it is a twin of.
fn copies(telling: &mut Telling<'_>, end: &Entry, id: MessageId) {
    let facts = telling.facts;
    let made = facts.before(end.id).filter_map(|entry| match &entry.step.decision {
        Decision::Duplicate(original, copy) if original.id == id || *copy == id => {
            Some((original.id, *copy, entry.id))
        }
        _ => None,
    });
    let made: Vec<_> = made.collect();
    if let Some((original, _, entry)) = made.iter().find(|(_, copy, _)| *copy == id) {
        telling.say(format!("It is a copy of {original}, made at #{entry}."), Link::Entry(*entry));
    }
    let twins: Vec<_> = made.iter().rev().filter(|(original, ..)| *original == id).collect();
    if let Some((.., entry)) = twins.first() {
        let text = format!("It was doubled, as {}.", names(twins.iter().map(|(_, copy, _)| copy)));
        telling.say(text, Link::Entry(*entry));
    }
}

/// Tells how a message ended.
fn ended(telling: &mut Telling<'_>, end: &Entry, envelope: &Envelope) {
    let (facts, entry) = (telling.facts, Link::Entry(end.id));
    let to = envelope.to;
    match &end.step.decision {
        Decision::Drop(_) => {
            let how = why_lost(facts, envelope, end.id)
                .unwrap_or_else(|| format!("was dropped at #{}, before {to} saw it", end.id));
            telling.say(format!("It {how}."), entry);
        }
        Decision::Lose(_) => {
            let text =
                format!("{} gave it up at #{}: it never reached {to}.", end.step.replica, end.id);
            telling.say(text, entry);
        }
        _ => {
            telling.say(format!("It was delivered at #{}.", end.id), entry);
            telling.say(sentence(facts.0, end), entry);
        }
    }
}

/// Why the message that an entry delivered was ignored, as the rest of a sentence that says so.
pub(super) fn why_ignored(facts: Facts<'_>, entry: &Entry, reason: Reason) -> String {
    let Decision::Deliver(envelope) = &entry.step.decision else {
        return reason.name().to_owned();
    };
    let (at, id) = (entry.step.replica, envelope.message.instance());
    let kind = envelope.message.kind();
    let answers = sent(entry).next().is_some();
    let earlier = facts.changes(at, id).filter(|change| change.id() < entry.id);
    let last = earlier.last();
    match reason {
        Reason::StaleBallot => {
            let theirs = envelope.message.ballot().map(|ballot| ballot.to_string());
            let theirs = theirs.unwrap_or_else(|| "its ballot".to_owned());
            let refused = if answers { ", and says so" } else { "" };
            match joined(facts, entry) {
                Some(ballot) if kind_asks(kind) => {
                    format!("{at} has joined {ballot}, which is above {theirs}{refused}")
                }
                Some(ballot) if kind == MessageKind::Nack => {
                    format!("{theirs} is not above {ballot}, which {at} drives")
                }
                Some(ballot) => format!("it belongs to {theirs}, and {at} has gone on to {ballot}"),
                None => format!("{theirs} is over"),
            }
        }
        Reason::Repeated if kind_asks(kind) => {
            format!("{at} acted on the first one, and only repeats its answer")
        }
        Reason::Repeated => format!("{at} had counted {} before", envelope.id.sender),
        Reason::AlreadyCommitted => {
            let since = facts.change(at, id, |change| change.to == Phase::Committed);
            let since = since.filter(|since| since.id() < entry.id);
            let since = since.map(|since| format!(" since #{}", since.id())).unwrap_or_default();
            let told = if answers { ", and sends the decision" } else { "" };
            format!("{at} has {id} committed{since}{told}")
        }
        Reason::AlreadyAccepted => {
            let since = last.map(|last| format!(" at #{}", last.id())).unwrap_or_default();
            format!("{at} has voted{since}, so this comes too late")
        }
        Reason::NotWaiting => match (last, joined(facts, entry)) {
            (Some(last), _) if last.what.to.is_committed() => {
                format!("{id} was committed at #{}, without it", last.id())
            }
            (_, Some(ballot)) if ballot.replica != at => {
                format!("{at} drives no ballot of {id} any more, and has joined {ballot}")
            }
            (Some(last), _) if last.what.to == Phase::Accepted => {
                format!("{at} had enough answers, and went on at #{}", last.id())
            }
            _ if kind == MessageKind::Nack => format!("{at} does not drive {id}"),
            _ => format!("{at} does not wait for it"),
        },
        _ => why_refused(at, envelope, reason),
    }
}

/// Why a replica does not take a message at all, whatever became of the instance.
fn why_refused(at: ReplicaId, envelope: &Envelope, reason: Reason) -> String {
    let (from, id) = (envelope.id.sender, envelope.message.instance());
    match reason {
        Reason::NotTheLeader => format!("{from} is not the replica that may send that"),
        Reason::NotJoined => format!("{at} has not joined that ballot"),
        Reason::NeverLed => format!("{at} has never led {id}"),
        Reason::LetGo => format!("{id} is over, and {at} has let go of it"),
        Reason::LeftBehind => {
            format!("{from} has missed what {at} no longer has, and is told so")
        }
        Reason::TooFarAhead => {
            format!("it names slots that {at} never led, or too far beyond what {at} has committed")
        }
        Reason::NoRoom => {
            format!("the instances that {at} has not executed take as much memory as they may")
        }
        Reason::Lagging => {
            format!("{at} was left behind, and records nothing that it cannot execute")
        }
        // These depend on what became of the instance.
        Reason::StaleBallot
        | Reason::Repeated
        | Reason::AlreadyCommitted
        | Reason::AlreadyAccepted
        | Reason::NotWaiting => reason.name().to_owned(),
    }
}

/// Whether a message asks its receiver for something, rather than answering.
fn kind_asks(kind: MessageKind) -> bool {
    matches!(
        kind,
        MessageKind::PreAccept | MessageKind::Accept | MessageKind::Recover | MessageKind::Validate
    )
}

/// The highest ballot that a replica was in before an entry.
fn joined(facts: Facts<'_>, entry: &Entry) -> Option<crate::epaxos::id::Ballot> {
    let Decision::Deliver(envelope) = &entry.step.decision else { return None };
    let id = envelope.message.instance();
    let events = facts.events(entry.step.replica, id).filter(|said| said.id() < entry.id);
    let ballots = events.filter_map(|said| match said.what {
        Event::Status(change) => Some(change.ballot),
        Event::Recovering { ballot, .. } | Event::Joined { ballot, .. } => Some(*ballot),
        _ => None,
    });
    ballots.max()
}
