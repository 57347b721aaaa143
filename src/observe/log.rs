//! The decision log: every step in the order in which it was heard, numbered, with its cause.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::epaxos::command::Command;
use crate::epaxos::event::{Event, StatusChange};
use crate::epaxos::id::{MessageId, REPLICAS_MAX};
use crate::epaxos::instance::Phase;
use crate::observe::causality::{Clock, Moment};
use crate::observe::notice::{Decision, Effect, Step};

/// The number of an entry, from 0.
pub type EntryId = u64;

/// One decision and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 0.
    pub id: EntryId,
    /// The entry before it in this history; none for the first.
    pub parent: Option<EntryId>,
    /// The entry whose effect this acts on: the one that sent the message, which may have been let go
    /// since. None for what comes from outside.
    pub cause: Option<EntryId>,
    /// What of the run is in its past.
    pub moment: Moment,
    /// What happened.
    pub step: Step,
}

/// The log, bounded: the oldest entries are let go, and counted.
#[derive(Clone, Debug)]
pub struct Log {
    entries: VecDeque<Arc<Entry>>,
    /// Which entry sent each message that may still be delivered, and what was in its past.
    senders: BTreeMap<MessageId, (EntryId, Clock)>,
    /// What is in the past of each replica now.
    clocks: [Clock; REPLICAS_MAX],
    next: EntryId,
    capacity: usize,
    /// How many effects the entries have.
    effects: usize,
    /// What the entries take, about, in bytes.
    bytes: usize,
}

impl Log {
    /// A log that keeps the last `capacity` entries, or fewer where they are large: one commit can
    /// bring about thousands of effects, and one value may be a megabyte.
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            senders: BTreeMap::new(),
            clocks: [Clock::default(); REPLICAS_MAX],
            next: 0,
            capacity,
            effects: 0,
            bytes: 0,
        }
    }

    /// Appends a step.
    pub fn append(&mut self, step: Step) -> Arc<Entry> {
        let id = self.next;
        self.next += 1;
        let sender = self.sender(&step.decision);
        let moment = self.moment(&step, sender.map(|(_, clock)| clock));
        for effect in &step.effects {
            if let Effect::Send(envelope) = effect {
                self.senders.insert(envelope.id, (id, moment.clock));
            }
        }
        let cause = sender.map(|(entry, _)| entry);
        let entry = Arc::new(Entry { id, parent: id.checked_sub(1), cause, moment, step });
        self.effects += entry.step.effects.len();
        self.bytes += entry.bytes();
        self.entries.push_back(entry.clone());
        while self.entries.len() > self.capacity || self.is_heavy() {
            if let Some(oldest) = self.entries.pop_front() {
                self.effects -= oldest.step.effects.len();
                self.bytes -= oldest.bytes();
            }
        }
        entry
    }

    /// The entry that sent what a decision is about, and what was in its past.
    fn sender(&mut self, decision: &Decision) -> Option<(EntryId, Clock)> {
        match decision {
            Decision::Deliver(envelope) | Decision::Drop(envelope) | Decision::Lose(envelope) => {
                self.senders.remove(&envelope.id)
            }
            Decision::Duplicate(envelope, copy) => {
                let sender = self.senders.get(&envelope.id).copied();
                self.senders.extend(sender.map(|sender| (*copy, sender)));
                sender
            }
            Decision::Propose(_)
            | Decision::Wake
            | Decision::Crash
            | Decision::Restart
            | Decision::Panic(_)
            | Decision::Show(_) => None,
        }
    }

    /// Where a step stands in the happened-before order. What happens to a message on its way is no
    /// step of a replica: it has a past, and nothing comes of it.
    fn moment(&mut self, step: &Step, sent: Option<Clock>) -> Moment {
        // Of those that were sent before, some arrived while nobody looked, and nothing else will
        // ever take them out.
        if let Decision::Show(_) = step.decision {
            let kept = self.forgotten();
            self.senders.retain(|_, (entry, _)| *entry >= kept);
        }
        if let Decision::Drop(_) | Decision::Duplicate(..) | Decision::Lose(_) = step.decision {
            return Moment { clock: sent.unwrap_or_default(), at: None };
        }
        let clock = &mut self.clocks[step.replica.index()];
        if let Some(sent) = sent {
            clock.join(&sent);
        }
        clock.tick(step.replica);
        Moment { clock: *clock, at: Some(step.replica) }
    }

    /// Whether there are more effects than may be kept. The last entry is, whatever it is.
    fn is_heavy(&self) -> bool {
        let heavy = self.effects > self.capacity.saturating_mul(EFFECTS_EACH);
        self.entries.len() > 1 && (heavy || self.bytes > self.bytes_most())
    }

    /// How much the entries that are kept may take, about, in bytes.
    pub fn bytes_most(&self) -> usize {
        self.capacity.saturating_mul(BYTES_EACH)
    }

    /// An entry, unless it has been let go.
    pub fn get(&self, id: EntryId) -> Option<&Arc<Entry>> {
        let index = id.checked_sub(self.forgotten())?;
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// The entries that are kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Entry>> + ExactSizeIterator {
        self.entries.iter()
    }

    /// How many entries there have been.
    pub fn len(&self) -> u64 {
        self.next
    }

    /// Whether nothing has happened yet.
    pub fn is_empty(&self) -> bool {
        self.next == 0
    }

    /// How many of them have been let go.
    pub fn forgotten(&self) -> u64 {
        self.next - self.entries.len() as u64
    }

    /// What the entries that are kept take, about, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Entry {
    /// The events of the step, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.step.effects.iter().filter_map(|effect| match effect {
            Effect::Event(event) => Some(event),
            Effect::Send(_) | Effect::Reply(_) => None,
        })
    }

    /// What it takes, about, in bytes: itself and its effects. Payloads are shared between all that
    /// speak of them at one replica, and are counted where they come in: proposed by clients, or by the
    /// message that made the instance known. Each replica of a live cluster decodes its own copy.
    fn bytes(&self) -> usize {
        let bytes = |commands: &[Command]| -> usize {
            let each = |command: &Command| command.operation.size() + size_of::<Command>();
            commands.iter().map(each).sum()
        };
        let is_first = |event: &Event| {
            matches!(event, Event::Status(StatusChange { from: Phase::Initial, .. }))
        };
        let payload = match &self.step.decision {
            Decision::Propose(commands) => bytes(commands),
            Decision::Deliver(envelope) if self.events().any(is_first) => {
                envelope.message.payload().map_or(0, |payload| bytes(payload.commands()))
            }
            _ => 0,
        };
        size_of::<Entry>() + self.step.effects.capacity() * size_of::<Effect>() + payload
    }
}

/// How many effects an entry may have on average.
const EFFECTS_EACH: usize = 4;

/// How many bytes an entry may take on average.
const BYTES_EACH: usize = 2_560;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::attributes::Attributes;
    use crate::epaxos::command::{Operation, Payload, RequestId};
    use crate::epaxos::event::Cause;
    use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
    use crate::epaxos::instance::Path;
    use crate::epaxos::message::{Commit, Envelope, Message, Waiting};
    use crate::epaxos::time::Time;
    use crate::observe::causality::Order;

    fn step(effects: usize) -> Step {
        let searched = Effect::Event(Event::Searched { candidates: 0, edges: 0 });
        Step {
            replica: ReplicaId(0),
            now: Time::default(),
            decision: Decision::Wake,
            effects: vec![searched; effects],
            timer: None,
        }
    }

    #[test]
    fn what_is_known_of_is_before_and_what_is_not_is_concurrent() {
        let mut log = Log::new(100);
        let message = |number, to| {
            let id = MessageId { sender: ReplicaId(0), number, copy: 0 };
            let waiting = Waiting { instance: InstanceId::new(ReplicaId(0), 0), holders: 1 };
            Envelope { id, to: ReplicaId(to), message: Message::Waiting(waiting) }
        };
        let mut at = |replica, decision, sent: &[Envelope]| {
            let effects = sent.iter().cloned().map(Effect::Send).collect();
            let replica = ReplicaId(replica);
            let step = Step { replica, now: Time::default(), decision, effects, timer: None };
            log.append(step).moment
        };
        let sends = at(0, Decision::Wake, &[message(0, 1), message(1, 2)]);
        let apart = at(1, Decision::Wake, &[]);
        let lost = at(0, Decision::Lose(message(1, 2)), &[]);
        let receives = at(1, Decision::Deliver(message(0, 1)), &[]);
        let later = at(0, Decision::Wake, &[]);
        assert_eq!(sends.order(&apart), Order::Concurrent);
        assert_eq!(sends.order(&receives), Order::Before);
        assert_eq!(receives.order(&sends), Order::After);
        assert_eq!(apart.order(&receives), Order::Before);
        assert_eq!(later.order(&receives), Order::Concurrent);
        assert_eq!((sends.order(&lost), lost.order(&later)), (Order::Before, Order::Concurrent));
        assert_eq!(receives.clock.text(3), "R0:1 R1:2 R2:0");
    }

    #[test]
    fn what_is_kept_is_bounded_however_large_entries_are() {
        let mut log = Log::new(10);
        (0..20).for_each(|_| drop(log.append(step(1))));
        assert_eq!((log.iter().len(), log.forgotten()), (10, 10));
        log.append(step(35));
        assert_eq!((log.iter().len(), log.forgotten()), (6, 15));
        log.append(step(1_000));
        assert_eq!((log.iter().len(), log.len()), (1, 22));
        assert!(log.get(21).is_some() && log.get(20).is_none());
    }

    /// The delivery of a commit that makes an instance known, with a value of so many bytes.
    fn decoded(slot: u64, bytes: usize) -> Step {
        let (replica, instance) = (ReplicaId(1), InstanceId::new(ReplicaId(0), slot));
        let operation = Operation::put("x", &"v".repeat(bytes));
        let payload = Payload::one(Command { request: RequestId::named("script", 1), operation });
        let (attributes, path) = (Attributes::FIRST, Path::Fast);
        let status = StatusChange {
            instance,
            from: Phase::Initial,
            to: Phase::Committed,
            ballot: Ballot::initial(instance.replica),
            payload: payload.clone(),
            before: Attributes::default(),
            after: attributes,
            cause: Cause::Committed { from: instance.replica, path },
        };
        let id = MessageId { sender: instance.replica, number: slot, copy: 0 };
        let message = Message::Commit(Commit { instance, payload, attributes, path });
        Step {
            replica,
            decision: Decision::Deliver(Envelope { id, to: replica, message }),
            effects: vec![Effect::Event(Event::Status(status))],
            ..step(0)
        }
    }

    #[test]
    fn what_is_kept_is_bounded_however_large_values_are() {
        let mut log = Log::new(10);
        let proposal = |bytes: usize| {
            let operation = Operation::put("x", &"v".repeat(bytes));
            let command = Command { request: RequestId::named("script", 1), operation };
            Step { decision: Decision::Propose(vec![command]), ..step(0) }
        };
        for _ in 0..20 {
            log.append(proposal(10_000));
            assert!(log.bytes() <= log.bytes_most(), "{} of {}", log.bytes(), log.bytes_most());
        }
        assert_eq!(log.iter().len(), 2);
        let mut log = Log::new(10);
        for slot in 0..20 {
            log.append(decoded(slot, 10_000));
            assert!(log.bytes() <= log.bytes_most(), "each receiver has a copy of its own");
        }
        assert_eq!(log.iter().len(), 2);
        // The last entry is kept, whatever it is.
        log.append(proposal(1_000_000));
        assert_eq!(log.iter().len(), 1);
    }
}
