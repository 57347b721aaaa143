//! Proposals that wait together, to become as few instances as there can be.

use std::collections::VecDeque;

/// Proposals that wait together, in the order in which they came.
#[derive(Debug)]
pub struct Gathered<P> {
    groups: VecDeque<Group<P>>,
    len: usize,
}

/// Proposals that came together.
#[derive(Debug)]
struct Group<P> {
    proposals: Vec<P>,
    /// Whether all of them become the same instance.
    is_whole: bool,
}

/// What an instance has room for.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Commands.
    pub commands: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
}

impl Room {
    /// The room that is left with one command more. `None` where there was none for it.
    fn with(self, bytes: usize) -> Option<Self> {
        let (commands, bytes) = (self.commands.checked_sub(1)?, self.bytes.checked_sub(bytes)?);
        Some(Self { commands, bytes })
    }
}

impl<P> Default for Gathered<P> {
    fn default() -> Self {
        Self { groups: VecDeque::new(), len: 0 }
    }
}

impl<P> Gathered<P> {
    /// Adds proposals that are to become one instance, which has room for them.
    pub fn add_whole(&mut self, proposals: Vec<P>) {
        self.add(Group { proposals, is_whole: true });
    }

    /// Adds proposals that have nothing to do with each other.
    pub fn add_each(&mut self, proposals: Vec<P>) {
        self.add(Group { proposals, is_whole: false });
    }

    fn add(&mut self, group: Group<P>) {
        if !group.proposals.is_empty() {
            self.len += group.proposals.len();
            self.groups.push_back(group);
        }
    }

    /// How many proposals wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes those that come first, as many as an instance has room for, of which each has so many
    /// bytes; and one, or one whole, if there is no room for it. They stay in the pieces in which they
    /// came, since they are large, and many. `None` where none waits.
    pub fn take(&mut self, mut room: Room, bytes: impl Fn(&P) -> usize) -> Option<Vec<Vec<P>>> {
        let mut taken = Vec::new();
        while let Some(Group { mut proposals, is_whole }) = self.groups.pop_front() {
            let (all, least) = (proposals.len(), usize::from(taken.is_empty()));
            let mut fit = 0;
            while let Some(left) = proposals.get(fit).and_then(|it| room.with(bytes(it))) {
                (room, fit) = (left, fit + 1);
            }
            let count = if is_whole && fit < all { least * all } else { fit.max(least) };
            let rest = proposals.split_off(count);
            self.len -= count;
            if count > 0 {
                taken.push(proposals);
            }
            if !rest.is_empty() {
                self.groups.push_front(Group { proposals: rest, is_whole });
            }
            if fit < all {
                break;
            }
        }
        (!taken.is_empty()).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { commands: 4, bytes: 100 };

    /// Takes until nothing is left.
    fn drain(mut gathered: Gathered<usize>) -> Vec<Vec<usize>> {
        let batches = std::iter::from_fn(|| gathered.take(ROOM, |bytes| *bytes));
        let batches = batches.map(|pieces| pieces.concat()).collect();
        assert!(gathered.is_empty());
        batches
    }

    #[test]
    fn what_has_nothing_to_do_with_each_other_fills_instance_after_instance() {
        let mut gathered = Gathered::default();
        gathered.add_each(vec![1, 2, 3]);
        gathered.add_each(vec![]);
        gathered.add_each(vec![4, 5, 6, 7, 8, 9]);
        assert_eq!(gathered.len(), 9);
        assert_eq!(drain(gathered), [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9]]);
    }

    #[test]
    fn what_is_to_be_one_instance_stays_together() {
        let mut gathered = Gathered::default();
        gathered.add_whole(vec![1, 2]);
        gathered.add_whole(vec![3, 4, 5]);
        gathered.add_each(vec![6, 7]);
        gathered.add_whole(vec![8]);
        assert_eq!(drain(gathered), [vec![1, 2], vec![3, 4, 5, 6], vec![7, 8]]);
    }

    #[test]
    fn bytes_count_as_well_as_commands() {
        let mut gathered = Gathered::default();
        gathered.add_each(vec![60, 40, 1, 99]);
        gathered.add_whole(vec![1, 1]);
        assert_eq!(drain(gathered), [vec![60, 40], vec![1, 99], vec![1, 1]]);
    }

    #[test]
    fn what_no_instance_has_room_for_is_one_all_the_same() {
        let mut gathered = Gathered::default();
        gathered.add_each(vec![101, 1]);
        gathered.add_whole(vec![1; 5]);
        gathered.add_each(vec![102]);
        gathered.add_whole(vec![2; 4]);
        assert_eq!(drain(gathered), [vec![101], vec![1], vec![1; 5], vec![102], vec![2; 4]]);
    }
}
