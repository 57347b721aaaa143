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
}

impl Log {
    /// A log that keeps the last `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), senders: BTreeMap::new(), next: 0, capacity }
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
            Decision::Propose(_) | Decision::Wake => None,
        };
        for effect in &step.effects {
            if let Effect::Send(envelope) = effect {
                self.senders.insert(envelope.id, id);
            }
        }
        let entry = Arc::new(Entry { id, parent: id.checked_sub(1), cause, step });
        self.entries.push_back(entry.clone());
        if self.entries.len() > self.capacity {
            self.entries.pop_front();
        }
        entry
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
