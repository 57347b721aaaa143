//! Clusters as they were at some places, so that no place is far from one of them.

use std::collections::{BTreeMap, VecDeque};

use crate::multiverse::tree::BranchId;
use crate::sim::cluster::Cluster;

/// Clusters as they were, by branch and by how many turns they had taken. Few: each is as large as
/// all that is known of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints {
    kept: BTreeMap<(BranchId, u64), Cluster>,
    /// How far apart they are on each branch.
    strides: BTreeMap<BranchId, u64>,
    /// Places that somebody has come to the long way, the latest last.
    lately: VecDeque<((BranchId, u64), Cluster)>,
}

impl Checkpoints {
    /// The last one on a branch's own part that has taken `least` turns or more, and `most` at most.
    pub fn before(&self, branch: BranchId, least: u64, most: u64) -> Option<(u64, &Cluster)> {
        if least > most {
            return None;
        }
        let mut found = self.kept.range((branch, least)..=(branch, most));
        let found = found.next_back().map(|((_, at), cluster)| (*at, cluster));
        let fits = |(of, at): &(BranchId, u64)| *of == branch && (least..=most).contains(at);
        let lately = self.lately.iter().filter(|(place, _)| fits(place));
        let lately = lately.map(|((_, at), cluster)| (*at, cluster));
        found.into_iter().chain(lately).max_by_key(|(at, _)| *at)
    }

    /// Keeps a cluster as it is after `at` turns for a while.
    pub fn keep(&mut self, branch: BranchId, at: u64, cluster: &Cluster) {
        self.lately.retain(|(place, _)| *place != (branch, at));
        if self.lately.len() == LATELY_MOST {
            self.lately.pop_front();
        }
        self.lately.push_back(((branch, at), cluster.clone()));
    }

    /// Offers a cluster as it is after `at` turns, of which a copy is kept if none is near. Where there
    /// get to be too many, those stay that are twice as far apart.
    pub fn offer(&mut self, branch: BranchId, at: u64, cluster: &Cluster) {
        let stride = self.strides.entry(branch).or_insert(STRIDE);
        if !at.is_multiple_of(*stride) || self.kept.contains_key(&(branch, at)) {
            return;
        }
        let own = self.kept.range((branch, 0)..=(branch, u64::MAX)).count();
        if own == KEPT_MOST {
            *stride *= 2;
            let stride = *stride;
            self.kept.retain(|(other, at), _| *other != branch || at.is_multiple_of(stride));
        }
        self.kept.insert((branch, at), cluster.clone());
    }

    /// Keeps those of some branches only.
    pub fn retain(&mut self, branches: impl Fn(BranchId) -> bool) {
        self.kept.retain(|(branch, _), _| branches(*branch));
        self.strides.retain(|branch, _| branches(*branch));
        self.lately.retain(|((branch, _), _)| branches(*branch));
    }
}

/// How many turns two checkpoints are apart at first.
const STRIDE: u64 = 256;

/// How many places are kept that somebody has come to lately.
const LATELY_MOST: usize = 4;

/// How many there are of a branch.
const KEPT_MOST: usize = 12;
