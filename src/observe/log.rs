//! The decision log: every step in the order in which it was heard, numbered, with its cause.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::epaxos::event::Event;
use crate::epaxos::id::MessageId;
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
    /// What happened.
    pub step: Step,
}

/// The log, bounded: the oldest entries are let go, and counted.
#[derive(Clone, Debug)]
pub struct Log {
    entries: VecDeque<Arc<Entry>>,
    /// Which entry sent each message that may still be delivered.
    senders: BTreeMap<MessageId, EntryId>,
    next: EntryId,
    capacity: usize,
    /// How many effects the entries have.
    effects: usize,
}

impl Log {
    /// A log that keeps the last `capacity` entries, or fewer where they are large: one commit can
    /// bring about thousands of effects.
    pub fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), senders: BTreeMap::new(), next: 0, capacity, effects: 0 }
    }

    /// Appends a step.
    pub fn append(&mut self, step: Step) -> Arc<Entry> {
        let id = self.next;
        self.next += 1;
        let cause = match &step.decision {
            Decision::Deliver(envelope) | Decision::Drop(envelope) => {
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
            | Decision::Panic(_) => None,
        };
        for effect in &step.effects {
            if let Effect::Send(envelope) = effect {
                self.senders.insert(envelope.id, id);
            }
        }
        let entry = Arc::new(Entry { id, parent: id.checked_sub(1), cause, step });
        self.effects += entry.step.effects.len();
        self.entries.push_back(entry.clone());
        while self.entries.len() > self.capacity || self.is_heavy() {
            let oldest = self.entries.pop_front();
            self.effects -= oldest.map_or(0, |oldest| oldest.step.effects.len());
        }
        entry
    }

    /// Whether there are more effects than may be kept. The last entry is, whatever it is.
    fn is_heavy(&self) -> bool {
        self.entries.len() > 1 && self.effects > self.capacity.saturating_mul(EFFECTS_EACH)
    }

    /// Forgets where a message came from that will never be delivered.
    pub fn lose(&mut self, id: MessageId) {
        self.senders.remove(&id);
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
}

impl Entry {
    /// The events of the step, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.step.effects.iter().filter_map(|effect| match effect {
            Effect::Event(event) => Some(event),
            Effect::Send(_) | Effect::Reply(_) => None,
        })
    }
}

/// How many effects an entry may have on average.
const EFFECTS_EACH: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::id::ReplicaId;
    use crate::epaxos::time::Time;

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
}
