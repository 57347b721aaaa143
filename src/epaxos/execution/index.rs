//! For each key, which instances of each row touch it.

use std::collections::VecDeque;
use std::ops::Range;

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::keys::{ByKey, KeyId, Touch};

/// The instances below their rows' watermarks, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Index {
    lists: Vec<Lists>,
}

/// What touches one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Lists {
    /// One for each row that touches it.
    rows: Vec<List>,
    /// How many executed entries were come by since these were last dropped.
    stale: usize,
}

impl Index {
    /// Adds an instance that `prefix` slots of its own row come before. Instances of a row are
    /// added in slot order.
    pub fn admit(
        &mut self,
        instance: InstanceId,
        prefix: u64,
        touches: &[Touch],
        is_executed: impl Fn(u64) -> bool,
    ) {
        for touch in touches {
            let key = touch.key.index();
            if key >= self.lists.len() {
                self.lists.resize_with(key + 1, Lists::default);
            }
            let lists = &mut self.lists[key].rows;
            let found = lists.iter().position(|list| list.row == instance.replica);
            let place = found.unwrap_or_else(|| {
                lists.push(List::new(instance.replica));
                lists.len() - 1
            });
            let list = &mut lists[place];
            if list.entries.len() > 2 * list.kept + KEPT_MIN {
                list.drop_all(&is_executed);
            }
            list.push(instance.slot, prefix, touch.write);
        }
    }

    /// What touches a key in `row`.
    pub fn list(&self, key: KeyId, row: ReplicaId) -> Option<&List> {
        self.lists.get(key.index())?.rows.iter().find(|list| list.row == row)
    }

    /// Takes note that `count` entries of a key were come by in vain, since they are executed. Many in
    /// front of the lists are dropped at once. All others are dropped when as many have been come by as
    /// the lists have entries: to look through all of them costs no more then than what it saves has.
    pub fn came_by_stale(
        &mut self,
        key: KeyId,
        count: usize,
        is_executed: impl Fn(InstanceId) -> bool,
    ) {
        let Some(Lists { rows, stale }) = self.lists.get_mut(key.index()) else { return };
        *stale += count;
        let all = *stale > rows.iter().map(|list| list.entries.len()).sum();
        for list in rows {
            let row = list.row;
            let is_executed = |slot| is_executed(InstanceId::new(row, slot));
            if all {
                list.drop_all(is_executed);
            } else if count > STALE_MAX {
                list.trim(is_executed);
            }
        }
        if all {
            *stale = 0;
        }
    }

    /// Forgets the lists of a key, all of whose instances are executed.
    pub fn forget(&mut self, key: KeyId) {
        if let Some(lists) = self.lists.get_mut(key.index()) {
            *lists = Lists::default();
        }
    }

    /// The last write to a key in `row` before the slot `end`.
    pub fn write_before(&self, key: KeyId, row: ReplicaId, end: u64) -> Option<u64> {
        let list = self.list(key, row)?;
        list.write_before(end).map(|place| list.entries[place].slot)
    }
}

/// For each key and row, the last instance that touches it: enough to tell whether a write leads to all
/// that comes before it, in one look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tails {
    /// How many slots of the row lie before the end of that instance, 0 where there is none.
    ends: ByKey<u64>,
}

impl Tails {
    /// Nothing touches anything yet, in a cluster of `replicas`.
    pub fn new(replicas: usize) -> Self {
        Self { ends: ByKey::new(replicas) }
    }

    /// Adds an instance that `prefix` slots of its own row come before. Instances of a row are added in
    /// slot order. Returns the key that it touches, where that is one only, and by a write that comes
    /// after all earlier touches of it in the row.
    pub fn lead(&mut self, instance: InstanceId, prefix: u64, touches: &[Touch]) -> Option<KeyId> {
        let mut leads = None;
        for touch in touches {
            let end = self.ends.row_mut(touch.key, instance.replica);
            let before = std::mem::replace(end, instance.slot.saturating_add(1));
            leads = (touch.write && before <= prefix).then_some(touch.key);
        }
        leads.filter(|_| touches.len() == 1)
    }

    /// Forgets a key, all of whose instances are executed.
    pub fn forget(&mut self, key: KeyId) {
        self.ends.forget(key);
    }
}

/// The instances of one row that touch one key, in slot order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct List {
    /// Whose row.
    pub row: ReplicaId,
    entries: VecDeque<Entry>,
    /// How many entries were left when the executed ones were last dropped.
    kept: usize,
}

/// An instance that touches a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    slot: u64,
    /// How many entries back the preceding write is, 0 for none.
    back: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Read,
    Write,
    /// A write that depends on all earlier entries of the list, so that who reaches it reaches
    /// them. So it is with all writes that the protocol commits: a leader knows its own row.
    LinkedWrite,
}

impl List {
    fn new(row: ReplicaId) -> Self {
        Self { row, entries: VecDeque::new(), kept: 0 }
    }

    fn push(&mut self, slot: u64, prefix: u64, write: bool) {
        let is_linked = self.entries.back().is_none_or(|last| last.slot < prefix);
        let kind = match (write, is_linked) {
            (false, _) => Kind::Read,
            (true, false) => Kind::Write,
            (true, true) => Kind::LinkedWrite,
        };
        self.append(slot, kind);
    }

    fn append(&mut self, slot: u64, kind: Kind) {
        let back = match self.entries.back() {
            None | Some(Entry { kind: Kind::Read, back: 0, .. }) => 0,
            Some(Entry { kind: Kind::Read, back, .. }) => back + 1,
            Some(_) => 1,
        };
        self.entries.push_back(Entry { slot, back, kind });
    }

    /// Drops all executed entries, so that a key costs no more with time, whatever waits.
    fn drop_all(&mut self, is_executed: impl Fn(u64) -> bool) {
        for Entry { slot, kind, .. } in std::mem::take(&mut self.entries) {
            if !is_executed(slot) {
                self.append(slot, kind);
            }
        }
        self.kept = self.entries.len();
    }

    /// Drops the executed entries in front.
    fn trim(&mut self, is_executed: impl Fn(u64) -> bool) {
        while self.entries.front().is_some_and(|entry| is_executed(entry.slot)) {
            self.entries.pop_front();
        }
    }

    /// Visits entries among `slots`, from the last down to the first linked write: through that
    /// write, all earlier ones are reached. Visits the reads only on behalf of a write; and where
    /// they are many, none below `floor`, which takes some finding. Visits only so many: the rest is
    /// left to a link, which covers all from the slot that is returned.
    pub fn walk(
        &self,
        slots: Range<u64>,
        on_behalf_of_write: bool,
        floor: impl Fn() -> u64,
        mut visit: impl FnMut(u64),
    ) -> Option<u64> {
        let mut start = slots.start;
        let mut visited = 0;
        let mut next = self.last_before(slots.end, on_behalf_of_write);
        while let Some(place) = next {
            let entry = self.entries[place];
            if entry.slot < start {
                break;
            }
            if visited == VISITS_MAX {
                return Some(entry.slot);
            }
            visit(entry.slot);
            visited += 1;
            if on_behalf_of_write && visited == PATIENCE {
                start = start.max(floor());
            }
            next = self.next_down(place, on_behalf_of_write);
        }
        None
    }

    /// Visits the last entry up to `slot` on behalf of a link, and says where the rest begins, if there is any.
    pub fn step(&self, slot: u64, reads: bool, mut visit: impl FnMut(u64)) -> Option<u64> {
        let place = self.last_before(slot.saturating_add(1), reads)?;
        visit(self.entries[place].slot);
        self.next_down(place, reads).map(|next| self.entries[next].slot)
    }

    /// The place of the last entry before the slot `end`, or of the last write.
    fn last_before(&self, end: u64, reads: bool) -> Option<usize> {
        if reads { self.position(end).checked_sub(1) } else { self.write_before(end) }
    }

    /// The place of the entry to visit after the one at `place`; none where that one leads to all the rest.
    fn next_down(&self, place: usize, reads: bool) -> Option<usize> {
        match self.entries[place].kind {
            Kind::LinkedWrite => None,
            _ if reads => place.checked_sub(1),
            _ => self.preceding_write(place),
        }
    }

    /// The place of the last write before the slot `end`.
    fn write_before(&self, end: u64) -> Option<usize> {
        let last = self.position(end).checked_sub(1)?;
        match self.entries[last].kind {
            Kind::Read => self.preceding_write(last),
            Kind::Write | Kind::LinkedWrite => Some(last),
        }
    }

    fn preceding_write(&self, place: usize) -> Option<usize> {
        let back = self.entries[place].back as usize;
        if back == 0 { None } else { place.checked_sub(back) }
    }

    /// How many entries are before the slot `end`.
    fn position(&self, end: u64) -> usize {
        match self.entries.back() {
            Some(last) if last.slot >= end => {
                self.entries.partition_point(|entry| entry.slot < end)
            }
            _ => self.entries.len(),
        }
    }
}

/// How many entries a list may have before the executed ones are dropped on arrival of another. These limits are
/// low in tests, so that small logs reach them.
const KEPT_MIN: usize = if cfg!(test) { 1 } else { 16 };

/// How many entries a walk visits before it asks for the floor.
const PATIENCE: usize = if cfg!(test) { 1 } else { 8 };

/// How many entries a walk visits at the most.
const VISITS_MAX: usize = if cfg!(test) { 2 } else { 16 };

/// How many executed entries may be come by at once before those in front are dropped.
const STALE_MAX: usize = if cfg!(test) { 1 } else { 16 };
