//! For each key, which instances of each row touch it.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::ops::Range;

use crate::epaxos::command;
use crate::epaxos::command::{Operation, Payload};
use crate::epaxos::id::{InstanceId, ReplicaId};

/// A key, numbered in order of appearance.
type KeyId = usize;

/// That an instance touches a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Touch {
    /// Which key.
    pub key: KeyId,
    /// Whether any of the instance's operations on the key is a write. Two instances interfere
    /// where both touch a key and this holds for at least one of them.
    pub write: bool,
}

/// The keys that an instance touches, each once. One key is by far the most common number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Touches {
    /// An instance of one key.
    One(Touch),
    /// A no-op, or a batch over several keys.
    Many(Box<[Touch]>),
}

impl Touches {
    /// The touches as a slice.
    pub fn as_slice(&self) -> &[Touch] {
        match self {
            Self::One(touch) => std::slice::from_ref(touch),
            Self::Many(touches) => touches,
        }
    }
}

impl Default for Touches {
    fn default() -> Self {
        Self::Many(Box::default())
    }
}

/// The instances below their rows' watermarks, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Index {
    keys: BTreeMap<command::Key, KeyId>,
    /// Per key, a list for each row that touches it.
    lists: Vec<Vec<List>>,
}

impl Index {
    /// Looks up, and numbers where they are new, the keys of a payload.
    pub fn touches(&mut self, payload: &Payload) -> Touches {
        let mut operations = payload.operations();
        match (operations.next(), operations.next()) {
            (None, _) => Touches::default(),
            (Some(operation), None) => Touches::One(self.touch(operation)),
            _ => self.touches_of_batch(payload),
        }
    }

    /// Adds an instance that `prefix` slots of its own row come before. Instances of a row are
    /// added in slot order.
    pub fn admit(&mut self, instance: InstanceId, prefix: u64, touches: &[Touch]) {
        for touch in touches {
            let lists = &mut self.lists[touch.key];
            let found = lists.iter().position(|list| list.row == instance.replica);
            let place = found.unwrap_or_else(|| {
                lists.push(List::new(instance.replica));
                lists.len() - 1
            });
            lists[place].push(instance.slot, prefix, touch.write);
        }
    }

    /// The lists of a key.
    pub fn lists(&self, key: KeyId) -> &[List] {
        &self.lists[key]
    }

    /// The lists of a key, to be trimmed.
    pub fn lists_mut(&mut self, key: KeyId) -> &mut [List] {
        &mut self.lists[key]
    }

    /// The last write to a key in `row` before the slot `end`.
    pub fn write_before(&self, key: KeyId, row: ReplicaId, end: u64) -> Option<u64> {
        let list = self.lists[key].iter().find(|list| list.row == row)?;
        before(&list.writes, end).next_back().map(|write| write.slot)
    }

    fn touch(&mut self, operation: &Operation) -> Touch {
        let write = operation.is_write();
        if let Some(key) = self.keys.get(operation.key()) {
            return Touch { key: *key, write };
        }
        let key = self.lists.len();
        self.lists.push(Vec::new());
        self.keys.insert(operation.key().clone(), key);
        Touch { key, write }
    }

    fn touches_of_batch(&mut self, payload: &Payload) -> Touches {
        let mut writes = BTreeMap::new();
        for operation in payload.operations() {
            let touch = self.touch(operation);
            *writes.entry(touch.key).or_insert(false) |= touch.write;
        }
        Touches::Many(writes.into_iter().map(|(key, write)| Touch { key, write }).collect())
    }
}

/// The instances of one row that touch one key, in slot order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct List {
    /// Whose row.
    pub row: ReplicaId,
    writes: VecDeque<Write>,
    reads: VecDeque<u64>,
}

/// An instance that writes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Write {
    slot: u64,
    /// Whether the write depends on all earlier entries of the list, so that who reaches it
    /// reaches them. So it is with all that the protocol commits: a leader knows its own row.
    linked: bool,
}

impl List {
    fn new(row: ReplicaId) -> Self {
        Self { row, writes: VecDeque::new(), reads: VecDeque::new() }
    }

    fn push(&mut self, slot: u64, prefix: u64, write: bool) {
        if !write {
            return self.reads.push_back(slot);
        }
        let read = self.reads.back().copied();
        let last = read.max(self.writes.back().map(|write| write.slot));
        self.writes.push_back(Write { slot, linked: last.is_none_or(|last| last < prefix) });
    }

    /// Drops the executed entries in front, so that a hot key costs no more with time.
    pub fn trim(&mut self, is_executed: impl Fn(u64) -> bool) {
        while self.writes.front().is_some_and(|write| is_executed(write.slot)) {
            self.writes.pop_front();
        }
        while self.reads.front().is_some_and(|read| is_executed(*read)) {
            self.reads.pop_front();
        }
    }

    /// Visits the writes among `slots`, from the last down to the first linked one: through that,
    /// all earlier entries are reached. On behalf of a write, visits the reads down to there too,
    /// or where no write is linked, down to the `floor`.
    pub fn walk(
        &self,
        slots: Range<u64>,
        on_behalf_of_write: bool,
        floor: impl FnOnce() -> u64,
        mut visit: impl FnMut(u64),
    ) {
        let mut linked = None;
        for write in before(&self.writes, slots.end).rev() {
            if write.slot < slots.start {
                break;
            }
            visit(write.slot);
            if write.linked {
                linked = Some(write.slot);
                break;
            }
        }
        if on_behalf_of_write && !self.reads.is_empty() {
            let start = linked.unwrap_or_else(floor);
            let end = self.reads.partition_point(|read| *read < slots.end);
            let reads = self.reads.range(..end).rev();
            reads.take_while(|read| **read >= start).for_each(|read| visit(*read));
        }
    }
}

/// The writes before the slot `end`.
fn before(writes: &VecDeque<Write>, end: u64) -> impl DoubleEndedIterator<Item = &Write> {
    writes.range(..writes.partition_point(|write| write.slot < end))
}
