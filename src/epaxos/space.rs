//! The instance space: the two-dimensional log, one row per replica.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::ops::Bound;

use crate::epaxos::id::{InstanceId, ReplicaId};

/// Something for each slot that has it, in slot order. Made for slots that come and go roughly in
/// order: those lie side by side, and are found without a search. A slot far ahead of the others, or
/// behind them, costs more than a near one, and no more room.
#[derive(Clone, Debug)]
pub struct Row<T> {
    /// The slots from `start` on, [`CHUNK`] of them in each.
    chunks: VecDeque<Chunk<T>>,
    /// The first slot of the first chunk.
    start: u64,
    /// Slots that lie in no chunk.
    apart: BTreeMap<u64, T>,
    len: usize,
}

/// What is held for a few neighbouring slots.
#[derive(Clone, Debug)]
struct Chunk<T> {
    slots: Box<[Option<T>]>,
    /// Which of them hold something, a bit each: rows are mostly sparse, and are read often.
    held: Places,
}

impl<T> Chunk<T> {
    fn new() -> Self {
        Self { slots: (0..CHUNK).map(|_| None).collect(), held: Places(0) }
    }
}

/// Some places of a chunk, in order, as one bit each.
#[derive(Clone, Debug)]
struct Places(u32);

impl Places {
    fn insert(&mut self, place: usize) {
        self.0 |= 1 << place;
    }

    fn remove(&mut self, place: usize) {
        self.0 &= !(1 << place);
    }

    fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Those from `first` on, which is less than [`CHUNK`].
    fn from(&self, first: usize) -> Self {
        Self(self.0 & (u32::MAX << first))
    }
}

impl Iterator for Places {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = (!self.is_empty()).then(|| self.0.trailing_zeros() as usize)?;
        self.remove(place);
        Some(place)
    }
}

impl DoubleEndedIterator for Places {
    fn next_back(&mut self) -> Option<usize> {
        let place = self.0.checked_ilog2()? as usize;
        self.remove(place);
        Some(place)
    }
}

impl<T> Default for Row<T> {
    fn default() -> Self {
        Self { chunks: VecDeque::new(), start: 0, apart: BTreeMap::new(), len: 0 }
    }
}

impl<T> Row<T> {
    /// An empty row for slots from about `slot` on.
    pub fn beginning_at(slot: u64) -> Self {
        let mut row = Self::default();
        row.begin_at(slot);
        row
    }

    /// Expects slots from about `slot` on, where nothing was ever held. Otherwise the first of them
    /// would be taken for one far ahead of the others.
    pub fn begin_at(&mut self, slot: u64) {
        if self.chunks.is_empty() && self.apart.is_empty() && slot < FARTHEST {
            self.start = slot - slot % CHUNK;
        }
    }

    /// What is held for `slot`.
    pub fn get(&self, slot: u64) -> Option<&T> {
        match self.place(slot) {
            Some((chunk, place)) => self.chunks[chunk].slots[place].as_ref(),
            None => self.apart.get(&slot),
        }
    }

    /// What is held for `slot`, to change it.
    pub fn get_mut(&mut self, slot: u64) -> Option<&mut T> {
        match self.place(slot) {
            Some((chunk, place)) => self.chunks[chunk].slots[place].as_mut(),
            None => self.apart.get_mut(&slot),
        }
    }

    /// What is held for `slot`, made by `new` where nothing is.
    pub fn get_or_insert_with(&mut self, slot: u64, new: impl FnOnce() -> T) -> &mut T {
        self.reach(slot);
        let Some((chunk, place)) = self.place(slot) else {
            let Self { apart, len, .. } = self;
            return apart.entry(slot).or_insert_with(|| {
                *len += 1;
                new()
            });
        };
        let Chunk { slots, held } = &mut self.chunks[chunk];
        let slot = &mut slots[place];
        if slot.is_none() {
            held.insert(place);
            self.len += 1;
        }
        slot.get_or_insert_with(new)
    }

    /// Holds `value` for `slot`, in place of what was held before.
    pub fn insert(&mut self, slot: u64, value: T) -> Option<T> {
        self.reach(slot);
        let before = match self.place(slot) {
            Some((chunk, place)) => {
                let chunk = &mut self.chunks[chunk];
                chunk.held.insert(place);
                chunk.slots[place].replace(value)
            }
            None => self.apart.insert(slot, value),
        };
        self.len += usize::from(before.is_none());
        before
    }

    /// Holds nothing for `slot` any more.
    pub fn remove(&mut self, slot: u64) -> Option<T> {
        let removed = match self.place(slot) {
            Some((chunk, place)) => {
                let chunk = &mut self.chunks[chunk];
                chunk.held.remove(place);
                chunk.slots[place].take()
            }
            None => self.apart.remove(&slot),
        };
        self.len -= usize::from(removed.is_some());
        while self.chunks.len() > 1 && self.chunks[0].held.is_empty() {
            self.chunks.pop_front();
            self.start += CHUNK;
        }
        removed
    }

    /// Everything, in slot order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.iter_from(0)
    }

    /// Everything from `slot` on, in slot order.
    pub fn iter_from(&self, slot: u64) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let (start, end) = (self.start, self.end());
        let before = self.apart.range(slot..start.max(slot));
        let after = self.apart.range((Bound::Included(end.max(slot)), Bound::Unbounded));
        let skipped = slot.saturating_sub(start).min(end - start);
        let (first, inside) = (skipped / CHUNK, as_index(skipped % CHUNK));
        let chunks = self.chunks.range(as_index(first)..).enumerate();
        let held = chunks.flat_map(move |(index, chunk)| {
            let skipped = if index == 0 { inside } else { 0 };
            let start = start + (first + index as u64) * CHUNK;
            let held =
                move |place: usize| Some((start + place as u64, chunk.slots[place].as_ref()?));
            chunk.held.from(skipped).filter_map(held)
        });
        before.map(named).chain(held).chain(after.map(named))
    }

    /// Everything, to change it.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let held = self.chunks.iter_mut().flat_map(|chunk| chunk.slots.iter_mut().flatten());
        held.chain(self.apart.values_mut())
    }

    /// How many slots have something.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no slot has anything.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first slot beyond the chunks.
    fn end(&self) -> u64 {
        self.start + self.chunks.len() as u64 * CHUNK
    }

    /// The chunk in which a slot lies, and its place there.
    fn place(&self, slot: u64) -> Option<(usize, usize)> {
        let offset = slot.checked_sub(self.start)?;
        let chunk = as_index(offset / CHUNK);
        (chunk < self.chunks.len()).then_some((chunk, as_index(offset % CHUNK)))
    }

    /// Adds chunks up to a slot, where it is not far. Where all that was held is gone, the chunks
    /// begin anew, wherever it is.
    fn reach(&mut self, slot: u64) {
        if self.len == 0 && !self.chunks.is_empty() && slot < FARTHEST {
            self.chunks.truncate(1);
            self.start = slot - slot % CHUNK;
        }
        let end = self.end();
        if slot < end || slot - end >= REACH {
            return;
        }
        while self.end() <= slot {
            let mut chunk = Chunk::new();
            // Few rows hold anything apart.
            if !self.apart.is_empty() {
                for (place, slot) in (self.end()..self.end() + CHUNK).enumerate() {
                    if let Some(held) = self.apart.remove(&slot) {
                        chunk.slots[place] = Some(held);
                        chunk.held.insert(place);
                    }
                }
            }
            self.chunks.push_back(chunk);
        }
    }
}

/// What is held matters, not where.
impl<T: PartialEq> PartialEq for Row<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for Row<T> {}

impl<T: Hash> Hash for Row<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        self.iter().for_each(|held| held.hash(state));
    }
}

fn named<'a, T>((slot, held): (&'a u64, &'a T)) -> (u64, &'a T) {
    (*slot, held)
}

fn as_index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// How many neighbouring slots are held together: as many as [`Places`] has bits.
const CHUNK: u64 = 32;

/// No row begins so far on, so that its end is still a number.
const FARTHEST: u64 = 1 << 62;

/// How far ahead of the others a slot may be and still be held beside them.
const REACH: u64 = 4 * CHUNK;

/// Something for each instance that has it: a row per replica, ordered by slot within it. Slots may
/// be missing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rows<T> {
    rows: Vec<Row<T>>,
}

impl<T> Rows<T> {
    /// Empty rows for a cluster of `replicas`.
    pub fn new(replicas: usize) -> Self {
        Self { rows: (0..replicas).map(|_| Row::default()).collect() }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// What is held for `instance`.
    pub fn get(&self, instance: InstanceId) -> Option<&T> {
        self.rows[instance.replica.index()].get(instance.slot)
    }

    /// What is held for `instance`, to change it.
    pub fn get_mut(&mut self, instance: InstanceId) -> Option<&mut T> {
        self.rows[instance.replica.index()].get_mut(instance.slot)
    }

    /// What is held for `instance`, made by `new` where nothing is.
    pub fn get_or_insert_with(&mut self, instance: InstanceId, new: impl FnOnce() -> T) -> &mut T {
        self.rows[instance.replica.index()].get_or_insert_with(instance.slot, new)
    }

    /// Holds `value` for `instance`, in place of what was held before.
    pub fn insert(&mut self, instance: InstanceId, value: T) -> Option<T> {
        self.rows[instance.replica.index()].insert(instance.slot, value)
    }

    /// Holds nothing for `instance` any more.
    pub fn remove(&mut self, instance: InstanceId) -> Option<T> {
        self.rows[instance.replica.index()].remove(instance.slot)
    }

    /// One row, in slot order.
    pub fn row(&self, replica: ReplicaId) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.rows[replica.index()].iter()
    }

    /// The first slot of a row that something is held for.
    pub fn first(&self, replica: ReplicaId) -> Option<u64> {
        self.row(replica).next().map(|(slot, _)| slot)
    }

    /// The part of a row from `slot` on, in slot order.
    pub fn row_from(
        &self,
        replica: ReplicaId,
        slot: u64,
    ) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.rows[replica.index()].iter_from(slot)
    }

    /// Everything, row by row.
    pub fn iter(&self) -> impl Iterator<Item = (InstanceId, &T)> {
        self.rows.iter().enumerate().flat_map(|(row, slots)| {
            let row = ReplicaId::from_index(row);
            slots.iter().map(move |(slot, value)| (InstanceId::new(row, slot), value))
        })
    }

    /// Everything, to change it.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.iter_mut().flat_map(Row::values_mut)
    }

    /// How many instances of all rows have something.
    pub fn len(&self) -> usize {
        self.rows.iter().map(Row::len).sum()
    }

    /// Whether no instance has anything.
    pub fn is_empty(&self) -> bool {
        self.rows.iter().all(Row::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What may be done to a row.
    #[derive(Clone, Debug)]
    enum Act {
        Insert(u64),
        Make(u64),
        Remove(u64),
    }

    fn slot() -> impl Strategy<Value = u64> {
        prop_oneof![4 => 0..200u64, 2 => 150..1_000u64, 1 => Just(u64::MAX), 1 => 1u64 << 40..1u64 << 41]
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            slot().prop_map(Act::Insert),
            slot().prop_map(Act::Make),
            slot().prop_map(Act::Remove),
        ]
    }

    #[test]
    fn a_row_that_begins_far_on_holds_its_slots_side_by_side() {
        for begin in [0, 5, (1 << 56) + 7, FARTHEST - 1] {
            let mut row = Row::beginning_at(begin);
            for slot in begin..begin + 1000 {
                row.insert(slot, slot);
                assert!(row.apart.is_empty() && row.chunks.len() <= 2, "{slot} from {begin}");
                if slot >= begin + 10 {
                    assert_eq!(row.remove(slot - 10), Some(slot - 10));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_is_a_map(
            begin in slot(),
            acts in proptest::collection::vec(act(), 0..200),
            from in slot(),
        ) {
            let (mut row, mut map) = (Row::beginning_at(begin), BTreeMap::new());
            for (value, act) in acts.into_iter().enumerate() {
                match act {
                    Act::Insert(slot) => {
                        prop_assert_eq!(row.insert(slot, value), map.insert(slot, value));
                    }
                    Act::Make(slot) => {
                        let made = *row.get_or_insert_with(slot, || value);
                        prop_assert_eq!(made, *map.entry(slot).or_insert(value));
                    }
                    Act::Remove(slot) => prop_assert_eq!(row.remove(slot), map.remove(&slot)),
                }
                prop_assert_eq!(row.len(), map.len());
            }
            let expected: Vec<_> = map.iter().map(|(slot, value)| (*slot, value)).collect();
            prop_assert_eq!(row.iter().collect::<Vec<_>>(), expected.clone());
            let backwards: Vec<_> = expected.iter().rev().copied().collect();
            prop_assert_eq!(row.iter().rev().collect::<Vec<_>>(), backwards);
            let late: Vec<_> = map.range(from..).map(|(slot, value)| (*slot, value)).collect();
            prop_assert_eq!(row.iter_from(from).collect::<Vec<_>>(), late);
            for slot in map.keys() {
                prop_assert_eq!(row.get(*slot), map.get(slot));
            }
            let mut again = Row::default();
            for (slot, value) in map.iter().rev() {
                again.insert(*slot, *value);
            }
            prop_assert!(row == again, "the same is held, whatever came first");
        }
    }
}
