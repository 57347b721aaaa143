//! One row of the log, as far as it is committed.

use std::collections::{BTreeMap, VecDeque};

use crate::epaxos::execution::graph::VertexId;
use crate::epaxos::keys::KeyId;

/// What became of one committed instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    /// It is executed; nothing else is kept of it.
    Executed,
    /// It is still to be executed.
    Pending(Pending),
}

/// A pending instance at a glance: what those have to know that depend on it. One look into distant
/// memory tells all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pending {
    /// All that is known of it.
    pub vertex: VertexId,
    /// The key that it touches, where that is one only, by a write that leads to all earlier touches of
    /// it in its row. Of the last ones that are unindexed it is not told yet.
    pub leading: Option<KeyId>,
    /// Its `seq`.
    pub seq: u64,
}

/// The committed instances of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Row {
    /// How many slots from 0 on are executed without a gap. Nothing else is kept of them.
    executed: u64,
    /// The slots from there on that are committed without a gap.
    contiguous: VecDeque<Cell>,
    /// Those committed beyond the first gap.
    ahead: BTreeMap<u64, Cell>,
}

impl Row {
    /// How many slots, from 0, are executed without a gap.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// Takes the first `count` slots for executed. Nothing must be known of the row yet.
    pub fn begin_at(&mut self, count: u64) {
        assert!(*self == Self::default(), "a row begins once");
        self.executed = count;
    }

    /// Adds a slot that is committed. Says whether it is without a gap.
    pub fn commit(&mut self, slot: u64, cell: Cell) -> bool {
        let is_next = slot == self.watermark();
        if is_next {
            self.contiguous.push_back(cell);
        } else {
            self.ahead.insert(slot, cell);
        }
        is_next
    }

    /// The first slot that is not committed.
    pub fn watermark(&self) -> u64 {
        self.executed + self.contiguous.len() as u64
    }

    /// What became of a slot, if it is committed.
    pub fn cell(&self, slot: u64) -> Option<Cell> {
        let Some(offset) = slot.checked_sub(self.executed) else { return Some(Cell::Executed) };
        let contiguous = usize::try_from(offset).ok().and_then(|place| self.contiguous.get(place));
        contiguous.or_else(|| self.ahead.get(&slot)).copied()
    }

    /// A cell that has not been executed without a gap, to change it.
    pub fn cell_mut(&mut self, slot: u64) -> Option<&mut Cell> {
        let offset = usize::try_from(slot.checked_sub(self.executed)?).ok();
        let contiguous = offset.and_then(|place| self.contiguous.get_mut(place));
        contiguous.or_else(|| self.ahead.get_mut(&slot))
    }

    /// A committed slot that is not executed, at a glance.
    pub fn glance(&self, slot: u64) -> Option<Pending> {
        match self.cell(slot)? {
            Cell::Executed => None,
            Cell::Pending(pending) => Some(pending),
        }
    }

    /// The vertex of a committed slot that is not executed.
    pub fn pending(&self, slot: u64) -> Option<VertexId> {
        self.glance(slot).map(|pending| pending.vertex)
    }

    /// Moves the watermark by one slot, if that is committed.
    pub fn advance(&mut self) -> Option<Cell> {
        let cell = self.ahead.remove(&self.watermark())?;
        self.contiguous.push_back(cell);
        Some(cell)
    }

    /// Takes a committed slot for executed.
    pub fn mark_executed(&mut self, slot: u64) {
        let cell = self.cell_mut(slot);
        *cell.expect("only a committed instance is executed") = Cell::Executed;
        self.settle();
    }

    /// Takes all that is committed for executed.
    pub fn mark_all_executed(&mut self) {
        self.executed = self.watermark();
        self.contiguous.clear();
        self.ahead.values_mut().for_each(|cell| *cell = Cell::Executed);
    }

    /// Keeps nothing of what is executed without a gap.
    pub fn settle(&mut self) {
        while let Some(Cell::Executed) = self.contiguous.front() {
            self.contiguous.pop_front();
            self.executed += 1;
        }
    }
}
