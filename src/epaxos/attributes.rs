//! What replicas agree on besides the command: where it stands relative to others.

use std::fmt;

use crate::epaxos::id::{InstanceId, REPLICAS_MAX, ReplicaId};

/// For each row of the log, the last slot that a command depends on, or none.
///
/// The entry of a row has *prefix meaning*: "every interfering instance of that row up to here".
/// An array, so that it is copied and compared without allocation; union is a maximum per row.
/// Meaning just the one instance named would rely on chains, which a no-op cuts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dependencies {
    /// Per row, the number of slots depended on: the last one plus one, 0 for none.
    prefix: [u64; REPLICAS_MAX],
}

impl Dependencies {
    /// On nothing.
    pub const NONE: Dependencies = Dependencies { prefix: [0; REPLICAS_MAX] };

    /// The last slot of `row` that is depended on.
    pub fn last(&self, row: ReplicaId) -> Option<u64> {
        self.prefix[row.index()].checked_sub(1)
    }

    /// How many slots of `row`, from 0, are depended on.
    pub fn prefix(&self, row: ReplicaId) -> u64 {
        self.prefix[row.index()]
    }

    /// Adds the prefix of `instance`'s row that ends with it.
    pub fn add(&mut self, instance: InstanceId) {
        let prefix = &mut self.prefix[instance.replica.index()];
        *prefix = (*prefix).max(instance.slot.saturating_add(1));
    }

    /// The same slots of each row, counted by `prefix`.
    pub fn from_prefixes(mut prefix: impl FnMut(ReplicaId) -> u64, replicas: usize) -> Self {
        let mut prefixes = [0; REPLICAS_MAX];
        for row in ReplicaId::all(replicas) {
            prefixes[row.index()] = prefix(row);
        }
        Self { prefix: prefixes }
    }

    /// Whether all that `other` depends on is depended on.
    pub fn covers(&self, other: &Dependencies) -> bool {
        self.prefix.iter().zip(other.prefix).all(|(mine, theirs)| *mine >= theirs)
    }

    /// What is depended on by both.
    #[must_use]
    pub fn common(&self, other: &Dependencies) -> Dependencies {
        let mut common = *self;
        for (mine, theirs) in common.prefix.iter_mut().zip(other.prefix) {
            *mine = (*mine).min(theirs);
        }
        common
    }

    /// The same without the last `count` slots of each row.
    #[must_use]
    pub fn without_last(&self, count: u64) -> Dependencies {
        Dependencies { prefix: self.prefix.map(|prefix| prefix.saturating_sub(count)) }
    }

    /// How many slots are depended on that `other` does not.
    pub fn beyond(&self, other: &Dependencies) -> u64 {
        let beyond = self.prefix.iter().zip(other.prefix);
        beyond.map(|(mine, theirs)| mine.saturating_sub(theirs)).fold(0, u64::saturating_add)
    }

    /// The first instance depended on that `other` does not.
    pub fn first_beyond(&self, other: &Dependencies) -> Option<InstanceId> {
        let mut rows = ReplicaId::all(REPLICAS_MAX);
        let row = rows.find(|row| self.prefix(*row) > other.prefix(*row))?;
        Some(InstanceId::new(row, other.prefix(row)))
    }

    /// Whether `instance` lies in the prefix that is depended on.
    pub fn contains(&self, instance: InstanceId) -> bool {
        instance.slot < self.prefix[instance.replica.index()]
    }

    /// Adds all that `other` depends on.
    pub fn merge(&mut self, other: &Dependencies) {
        for (mine, theirs) in self.prefix.iter_mut().zip(other.prefix) {
            *mine = (*mine).max(theirs);
        }
    }

    /// The last instance depended on in each row that has one, in row order.
    pub fn iter(&self) -> impl Iterator<Item = InstanceId> + '_ {
        ReplicaId::all(REPLICAS_MAX)
            .filter_map(|row| self.last(row).map(|slot| InstanceId::new(row, slot)))
    }

    /// The vector form of a cluster of `count` replicas, -1 for none: `[0, -1, -1, -1, -1]`.
    pub fn vector(&self, count: usize) -> Vec<i64> {
        self.prefix[..count]
            .iter()
            .map(|prefix| i64::try_from(*prefix).map_or(i64::MAX, |p| p - 1))
            .collect()
    }

    /// Reads the vector form. `None` where it is longer than any cluster or an entry is below -1.
    pub fn from_vector(vector: &[i64]) -> Option<Self> {
        let mut prefix = [0; REPLICAS_MAX];
        if vector.len() > prefix.len() {
            return None;
        }
        for (prefix, last) in prefix.iter_mut().zip(vector) {
            *prefix = u64::try_from(last.checked_add(1)?).ok()?;
        }
        Some(Self { prefix })
    }
}

impl FromIterator<InstanceId> for Dependencies {
    fn from_iter<I: IntoIterator<Item = InstanceId>>(instances: I) -> Self {
        let mut dependencies = Self::NONE;
        instances.into_iter().for_each(|instance| dependencies.add(instance));
        dependencies
    }
}

impl fmt::Display for Dependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, instance) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            instance.fmt(f)?;
        }
        f.write_str("}")
    }
}

/// What is agreed on beside the command. Two replicas agree only where both parts are equal:
/// comparing dependencies alone and taking the larger `seq` diverges. Written
/// `seq=2 deps={R4.1}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attributes {
    /// Larger than that of every interfering instance known when it was computed, from 1. Orders
    /// the instances of one strongly connected component.
    pub seq: u64,
    /// The interfering instances known when it was computed.
    pub deps: Dependencies,
}

impl Attributes {
    /// What a command gets that interferes with nothing known.
    pub const FIRST: Attributes = Attributes { seq: 1, deps: Dependencies::NONE };

    /// The largest `seq`. No honest run gets there; one message may say so all the same, and must not
    /// make others say what nobody accepts.
    pub const SEQ_MAX: u64 = (1 << 48) - 1;

    /// What a no-op gets.
    pub const NONE: Attributes = Attributes { seq: 0, deps: Dependencies::NONE };

    /// Takes the larger `seq` and the union of the dependencies.
    pub fn merge(&mut self, other: &Attributes) {
        self.seq = self.seq.max(other.seq);
        self.deps.merge(&other.deps);
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seq={} deps={}", self.seq, self.deps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(replica: u8, slot: u64) -> InstanceId {
        InstanceId::new(ReplicaId(replica), slot)
    }

    #[test]
    fn an_entry_means_the_whole_prefix() {
        let deps = Dependencies::from_iter([instance(0, 2), instance(4, 0)]);
        assert!(deps.contains(instance(0, 0)) && deps.contains(instance(0, 2)));
        assert!(!deps.contains(instance(0, 3)) && !deps.contains(instance(1, 0)));
        assert_eq!(deps.to_string(), "{R0.2 R4.0}");
        assert_eq!(deps.vector(5), [2, -1, -1, -1, 0]);
        assert_eq!(Dependencies::from_vector(&deps.vector(5)), Some(deps));
    }

    #[test]
    fn vectors_that_mean_nothing_are_refused() {
        assert_eq!(Dependencies::from_vector(&[-2]), None);
        assert_eq!(Dependencies::from_vector(&[0; REPLICAS_MAX + 1]), None);
        assert_eq!(Dependencies::from_vector(&[i64::MAX]), None);
    }

    #[test]
    fn merging_takes_maxima() {
        let mut mine = Attributes { seq: 2, deps: [instance(0, 2)].into_iter().collect() };
        mine.merge(&Attributes {
            seq: 1,
            deps: [instance(0, 1), instance(3, 0)].into_iter().collect(),
        });
        assert_eq!(mine.to_string(), "seq=2 deps={R0.2 R3.0}");
    }
}
