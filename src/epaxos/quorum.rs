//! How many replicas must agree, and counting those that do. Arithmetic only: no replica, no log.

use std::fmt;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::id::ReplicaId;

/// The cluster sizes that the monitor runs: odd, since an even one tolerates no more failures.
pub const CLUSTER_SIZES: [usize; 4] = [3, 5, 7, 9];

/// The quorum sizes of a cluster, as EPaxos* (Ryabinin, Gotsman, Sutra, 2025) has them.
///
/// With `f = ⌊N/2⌋` failures tolerated, of which `e = ⌈(f+1)/2⌉` leave the fast path open:
///
/// | N | slow = recovery (N−f) | fast (N−e) |
/// |---|---|---|
/// | 3 | 2 | 2 |
/// | 5 | 3 | 3 |
/// | 7 | 4 | 5 |
/// | 9 | 5 | 6 |
///
/// All sizes include the command leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quorums {
    replicas: usize,
}

impl Quorums {
    /// The quorums of a cluster of `replicas`, one of [`CLUSTER_SIZES`].
    pub fn new(replicas: usize) -> Self {
        assert!(
            CLUSTER_SIZES.contains(&replicas),
            "a cluster has 3, 5, 7 or 9 replicas, not {replicas}"
        );
        Self { replicas }
    }

    /// N, the number of replicas.
    pub fn replicas(self) -> usize {
        self.replicas
    }

    /// f, the number of crashed replicas in spite of which commands still commit.
    pub fn failures(self) -> usize {
        self.replicas / 2
    }

    /// e, the number of crashed replicas in spite of which commands still commit fast.
    pub fn fast_failures(self) -> usize {
        (self.failures() + 1).div_ceil(2)
    }

    /// The replicas that must vote for a value on the slow path, or answer a recovery.
    pub fn slow(self) -> usize {
        self.replicas - self.failures()
    }

    /// The replicas that must hold the leader's own attributes for a fast commit.
    pub fn fast(self) -> usize {
        self.replicas - self.fast_failures()
    }
}

/// A set of replicas, as one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaSet(u16);

impl ReplicaSet {
    /// All replicas of a cluster of `count`.
    pub fn all(count: usize) -> Self {
        ReplicaId::all(count).collect()
    }

    /// Adds a replica, and says whether it was new.
    pub fn insert(&mut self, replica: ReplicaId) -> bool {
        let new = !self.contains(replica);
        self.0 |= 1 << replica.0;
        new
    }

    /// Whether the replica is in the set.
    pub fn contains(self, replica: ReplicaId) -> bool {
        self.0 & (1 << replica.0) != 0
    }

    /// How many replicas are in the set.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether no replica is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The replicas of this set that are not in `other`.
    #[must_use]
    pub fn without(self, other: ReplicaSet) -> Self {
        Self(self.0 & !other.0)
    }

    /// The replicas in the set, in order.
    pub fn iter(self) -> impl Iterator<Item = ReplicaId> {
        (0..16).filter(move |bit| self.0 & (1 << bit) != 0).map(ReplicaId)
    }
}

impl FromIterator<ReplicaId> for ReplicaSet {
    fn from_iter<I: IntoIterator<Item = ReplicaId>>(replicas: I) -> Self {
        let mut set = Self::default();
        replicas.into_iter().for_each(|replica| {
            set.insert(replica);
        });
        set
    }
}

impl fmt::Display for ReplicaSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, replica) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            replica.fmt(f)?;
        }
        f.write_str("}")
    }
}

/// What the replies to PreAccept come to so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A fast quorum holds exactly what the leader proposed: commit.
    Fast,
    /// A slow quorum answered, and those still asked cannot make a fast quorum: go on to Accept.
    Slow,
    /// A slow quorum answered, and a fast one may still come together: wait, but not for long.
    SlowEnough,
    /// Too few have answered.
    Waiting,
}

/// The command leader's count of the replies to its PreAccept.
///
/// Only a reply *equal to the proposal* counts for the fast path. Counting replies equal to each
/// other, as the 2013 paper does, lets two different values commit at N = 3 and 5.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PreAcceptTally {
    proposal: Attributes,
    asked: ReplicaSet,
    equal: ReplicaSet,
    /// Every vote so far in order of arrival, the leader's own first: few, and shown to observers.
    votes: Vec<(ReplicaId, Attributes)>,
}

impl PreAcceptTally {
    /// Starts a count with the leader's own vote, before anybody is asked.
    pub fn new(leader: ReplicaId, proposal: Attributes) -> Self {
        let own = ReplicaSet::from_iter([leader]);
        Self { proposal, asked: own, equal: own, votes: vec![(leader, proposal)] }
    }

    /// Notes that `replica` has been sent the PreAccept, perhaps again.
    pub fn ask(&mut self, replica: ReplicaId) {
        self.asked.insert(replica);
    }

    /// Counts a reply. `false` where the replica had been counted before; its first vote stands.
    pub fn record(&mut self, replica: ReplicaId, attributes: Attributes) -> bool {
        if self.voters().contains(replica) {
            return false;
        }
        if attributes == self.proposal {
            self.equal.insert(replica);
        }
        self.votes.push((replica, attributes));
        true
    }

    /// Who has voted.
    pub fn voters(&self) -> ReplicaSet {
        self.votes.iter().map(|(replica, _)| *replica).collect()
    }

    /// Who was asked and has not voted.
    pub fn silent(&self) -> ReplicaSet {
        self.asked.without(self.voters())
    }

    /// Who has voted for exactly the leader's proposal.
    pub fn equal(&self) -> ReplicaSet {
        self.equal
    }

    /// Every vote in order of arrival, the leader's own first.
    pub fn votes(&self) -> &[(ReplicaId, Attributes)] {
        &self.votes
    }

    /// Where the count stands.
    pub fn verdict(&self, quorums: Quorums) -> Verdict {
        let voters = self.voters();
        let outstanding = self.silent().len();
        if self.equal.len() >= quorums.fast() {
            Verdict::Fast
        } else if voters.len() < quorums.slow() {
            Verdict::Waiting
        } else if self.equal.len() + outstanding < quorums.fast() {
            Verdict::Slow
        } else {
            Verdict::SlowEnough
        }
    }

    /// What the slow path proposes: the union of all votes used.
    pub fn union(&self) -> Attributes {
        let mut union = self.proposal;
        self.votes.iter().for_each(|(_, attributes)| union.merge(attributes));
        union
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_those_of_the_table() {
        let sizes = CLUSTER_SIZES.map(|n| (Quorums::new(n).slow(), Quorums::new(n).fast()));
        assert_eq!(sizes, [(2, 2), (3, 3), (4, 5), (5, 6)]);
    }

    /// The intersections that recovery rests on, by trying every pair of subsets: a slow quorum
    /// always meets a slow quorum, and always contains someone of every fast quorum.
    #[test]
    fn quorums_intersect() {
        for replicas in CLUSTER_SIZES {
            let quorums = Quorums::new(replicas);
            let subsets =
                |size| (0..1u16 << replicas).map(ReplicaSet).filter(move |set| set.len() == size);
            for slow in subsets(quorums.slow()) {
                let meets = |other: ReplicaSet| slow.without(other).len() < slow.len();
                assert!(subsets(quorums.slow()).all(meets));
                // At least `#Q − e` of a recovery quorum belong to any fast quorum.
                let shared = |fast: ReplicaSet| slow.len() - slow.without(fast).len();
                let least = subsets(quorums.fast()).map(shared).min().unwrap();
                assert_eq!(least, quorums.slow() - quorums.fast_failures());
                assert!(least >= 1);
            }
        }
    }

    /// The tally's verdict, decided again the slow way: by listing every way in which the replicas
    /// that were asked and are silent could still vote.
    fn verdict_by_counting(
        quorums: Quorums,
        proposal: Attributes,
        asked: &[ReplicaId],
        votes: &[(ReplicaId, Attributes)],
    ) -> Verdict {
        let equal = votes.iter().filter(|(_, vote)| *vote == proposal).count();
        let silent = asked.iter().filter(|id| !votes.iter().any(|(voter, _)| voter == *id)).count();
        let reachable =
            (0..1u32 << silent).map(|future| equal + future.count_ones() as usize).max();
        match () {
            () if equal >= quorums.fast() => Verdict::Fast,
            () if votes.len() < quorums.slow() => Verdict::Waiting,
            () if reachable.unwrap() < quorums.fast() => Verdict::Slow,
            () => Verdict::SlowEnough,
        }
    }

    proptest! {
        #[test]
        fn the_tally_agrees_with_counting(
            size in 0usize..4,
            leader in 0u8..9,
            asked in proptest::collection::vec(0u8..9, 0..12),
            replies in proptest::collection::vec((0u8..9, 1u64..3), 0..16),
        ) {
            let quorums = Quorums::new(CLUSTER_SIZES[size]);
            let wrap = |id: u8| ReplicaId(id % u8::try_from(quorums.replicas()).unwrap());
            let attributes = |seq| Attributes { seq, ..Attributes::FIRST };
            let leader = wrap(leader);
            let mut tally = PreAcceptTally::new(leader, attributes(1));
            let mut asked: Vec<_> = asked.into_iter().map(wrap).chain([leader]).collect();
            asked.sort();
            asked.dedup();
            for id in &asked {
                tally.ask(*id);
            }

            let mut votes = vec![(leader, attributes(1))];
            for (replica, seq) in replies {
                let replica = wrap(replica);
                let first = votes.iter().all(|(voter, _)| *voter != replica);
                prop_assert_eq!(tally.record(replica, attributes(seq)), first);
                if first {
                    votes.push((replica, attributes(seq)));
                }
                let expected = verdict_by_counting(quorums, attributes(1), &asked, &votes);
                prop_assert_eq!(tally.verdict(quorums), expected);
                let largest = votes.iter().map(|(_, vote)| vote.seq).max();
                prop_assert_eq!(Some(tally.union().seq), largest);
            }
        }
    }
}
