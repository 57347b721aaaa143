//! Which of two entries of the log may have brought the other about: vector clocks, after Fidge and
//! Mattern (1988).

use crate::epaxos::id::{REPLICAS_MAX, ReplicaId};

/// How many steps of each replica come before something, its own step included: its whole past in
/// nine numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock([u32; REPLICAS_MAX]);

impl Clock {
    /// Counts one more step of `replica`.
    pub fn tick(&mut self, replica: ReplicaId) {
        let count = &mut self.0[replica.index()];
        *count = count.saturating_add(1);
    }

    /// Adds the past of something that is known from now on.
    pub fn join(&mut self, other: &Clock) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine = (*mine).max(theirs));
    }

    /// How many steps of `replica` are in this past.
    pub fn of(&self, replica: ReplicaId) -> u32 {
        self.0[replica.index()]
    }

    /// The first `replicas` numbers, as they are written: `R0:2 R1:0 R2:1`.
    pub fn text(&self, replicas: usize) -> String {
        let parts =
            ReplicaId::all(replicas).map(|replica| format!("{replica}:{}", self.of(replica)));
        parts.collect::<Vec<_>>().join(" ")
    }
}

/// Where something stands in the happened-before order: what is before it, and whether anything can
/// come after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Its past.
    pub clock: Clock,
    /// The replica whose step it is; none where no replica took part, as when a message is lost.
    pub at: Option<ReplicaId>,
}

/// How one moment stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// It is the same one.
    Same,
    /// It may have brought the other about.
    Before,
    /// The other may have brought it about.
    After,
    /// Neither can know of the other.
    Concurrent,
}

impl Moment {
    /// Whether this is in the past of `other`.
    fn is_before(&self, other: &Moment) -> bool {
        self.at.is_some_and(|at| self.clock.of(at) <= other.clock.of(at)) && self != other
    }

    /// How this moment stands to another one of the same run. Two messages that were lost are told
    /// apart by their pasts alone, and nothing comes after either.
    pub fn order(&self, other: &Moment) -> Order {
        match (self == other, self.is_before(other), other.is_before(self)) {
            (true, ..) => Order::Same,
            (_, true, _) => Order::Before,
            (_, _, true) => Order::After,
            _ => Order::Concurrent,
        }
    }
}
