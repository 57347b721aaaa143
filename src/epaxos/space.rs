//! The instance space: the two-dimensional log, one row per replica.

use std::collections::BTreeMap;

use crate::epaxos::id::{InstanceId, ReplicaId};

/// Something for each instance that has it: a row per replica, ordered by slot within it. Slots may
/// be missing, and a slot far ahead of the others costs no more than a near one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rows<T> {
    rows: Vec<BTreeMap<u64, T>>,
}

impl<T> Rows<T> {
    /// Empty rows for a cluster of `replicas`.
    pub fn new(replicas: usize) -> Self {
        Self { rows: (0..replicas).map(|_| BTreeMap::new()).collect() }
    }

    /// What is held for `instance`.
    pub fn get(&self, instance: InstanceId) -> Option<&T> {
        self.rows[instance.replica.index()].get(&instance.slot)
    }

    /// What is held for `instance`, to change it.
    pub fn get_mut(&mut self, instance: InstanceId) -> Option<&mut T> {
        self.rows[instance.replica.index()].get_mut(&instance.slot)
    }

    /// What is held for `instance`, made by `new` where nothing is.
    pub fn get_or_insert_with(&mut self, instance: InstanceId, new: impl FnOnce() -> T) -> &mut T {
        self.rows[instance.replica.index()].entry(instance.slot).or_insert_with(new)
    }

    /// Holds `value` for `instance`, in place of what was held before.
    pub fn insert(&mut self, instance: InstanceId, value: T) -> Option<T> {
        self.rows[instance.replica.index()].insert(instance.slot, value)
    }

    /// One row, in slot order.
    pub fn row(&self, replica: ReplicaId) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.rows[replica.index()].iter().map(|(slot, value)| (*slot, value))
    }

    /// The part of a row from `slot` on, in slot order.
    pub fn row_from(
        &self,
        replica: ReplicaId,
        slot: u64,
    ) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.rows[replica.index()].range(slot..).map(|(slot, value)| (*slot, value))
    }

    /// Everything, row by row.
    pub fn iter(&self) -> impl Iterator<Item = (InstanceId, &T)> {
        self.rows.iter().enumerate().flat_map(|(row, slots)| {
            let row = ReplicaId::from_index(row);
            slots.iter().map(move |(slot, value)| (InstanceId::new(row, *slot), value))
        })
    }

    /// Everything, row by row, to change it.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.iter_mut().flat_map(BTreeMap::values_mut)
    }

    /// How many instances of all rows have something.
    pub fn len(&self) -> usize {
        self.rows.iter().map(BTreeMap::len).sum()
    }

    /// Whether no instance has anything.
    pub fn is_empty(&self) -> bool {
        self.rows.iter().all(BTreeMap::is_empty)
    }
}
