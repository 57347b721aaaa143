//! How much a part of the log holds: what the limits of memory are compared with.

use std::iter::Sum;
use std::ops::{Add, AddAssign, SubAssign};

use crate::epaxos::instance::Instance;

/// Commands and the bytes of their keys and values. Both count: a million small commands take room by
/// their number, a thousand large ones by their values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Amount {
    /// How many commands; a no-op counts as one. See [`Instance::weight`].
    pub commands: u64,
    /// How many bytes of keys and values. See [`Instance::bytes`].
    pub bytes: u64,
}

impl Amount {
    /// Nothing.
    pub const NONE: Amount = Amount { commands: 0, bytes: 0 };

    /// What one instance holds.
    pub fn of(instance: &Instance) -> Self {
        Self { commands: instance.weight(), bytes: instance.bytes() }
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { commands: self.commands + other.commands, bytes: self.bytes + other.bytes }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Amount {
    /// Panics where more is taken away than there is: a count has gone wrong then.
    fn sub_assign(&mut self, other: Self) {
        let less = |mine: u64, theirs| mine.checked_sub(theirs).expect("no more goes than is held");
        self.commands = less(self.commands, other.commands);
        self.bytes = less(self.bytes, other.bytes);
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::NONE, Add::add)
    }
}
