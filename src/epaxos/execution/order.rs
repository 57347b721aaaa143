//! The order among components that become ready in one pass.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::epaxos::execution::components::Found;
use crate::epaxos::execution::graph::Graph;

/// The components in execution order: each after those it depends on, and among all that may come
/// next, the one whose least member is least.
pub fn execution_order(found: &Found, graph: &Graph) -> Vec<usize> {
    let least = |component: &usize| found.least(*component);
    // The search completes a component after all those it depends on. Where that order happens to
    // ascend, as it mostly does since `seq` grows along dependencies, it is the one wanted.
    let mut by_rank: Vec<usize> = (0..found.len()).filter(|it| !found.is_link(*it)).collect();
    if by_rank.is_sorted_by_key(least) {
        return by_rank;
    }
    by_rank.sort_by_cached_key(least);
    Schedule::new(found, graph, by_rank).run()
}

/// Kahn's algorithm over the components. They are named by rank: the place of their least member
/// among all least members. Those that are links have the ranks after these. They have no turn of their
/// own, but take it as soon as they may, so that what has to come after a link has to come after what the
/// link covers, and after nothing else.
struct Schedule {
    by_rank: Vec<usize>,
    /// How many ranks are of components with members.
    turns: usize,
    /// Per rank, how many edges lead to components that have not had their turn.
    missing: Vec<usize>,
    /// Per rank, where in `dependents` its own begin; and where the last one's end.
    starts: Vec<usize>,
    dependents: Vec<usize>,
    /// Ranks that the scan has passed over, and that have become ready since.
    late: BinaryHeap<Reverse<usize>>,
    /// What has had its turn, and those that waited for it have not been told.
    done: Vec<usize>,
    order: Vec<usize>,
}

impl Schedule {
    fn new(found: &Found, graph: &Graph, mut by_rank: Vec<usize>) -> Self {
        let turns = by_rank.len();
        by_rank.extend((0..found.len()).filter(|it| found.is_link(*it)));
        let count = by_rank.len();
        let mut rank_of = vec![0; count];
        for (rank, component) in by_rank.iter().enumerate() {
            rank_of[*component] = rank;
        }
        let mut edges = Vec::new();
        let mut missing = vec![0; count];
        let mut starts = vec![0; count + 1];
        for (rank, component) in by_rank.iter().enumerate() {
            for before in found.prerequisites(graph, *component) {
                edges.push((rank_of[before], rank));
                missing[rank] += 1;
                starts[rank_of[before] + 1] += 1;
            }
        }
        for rank in 0..count {
            starts[rank + 1] += starts[rank];
        }
        let mut next = starts.clone();
        let mut dependents = vec![0; edges.len()];
        for (before, rank) in edges {
            dependents[next[before]] = rank;
            next[before] += 1;
        }
        Self {
            by_rank,
            turns,
            missing,
            starts,
            dependents,
            late: BinaryHeap::new(),
            done: Vec::new(),
            order: Vec::with_capacity(turns),
        }
    }

    /// Scans the ranks upward. What is not ready when the scan comes by is late: once ready, it is
    /// before all that the scan has yet to reach, so only the late ones need a heap.
    fn run(mut self) -> Vec<usize> {
        let links = self.turns..self.by_rank.len();
        self.done = links.filter(|link| self.missing[*link] == 0).collect();
        self.release(0);
        for rank in 0..self.turns {
            if self.missing[rank] == 0 {
                self.emit(rank, rank);
            }
            while let Some(Reverse(late)) = self.late.pop() {
                self.emit(late, rank);
            }
        }
        assert_eq!(self.order.len(), self.turns, "components do not form cycles");
        self.order
    }

    /// Lets `rank` have its turn, the scan having come to `scanned`.
    fn emit(&mut self, rank: usize, scanned: usize) {
        self.order.push(self.by_rank[rank]);
        self.done.push(rank);
        self.release(scanned + 1);
    }

    /// Tells those that waited for what is done. The scan has come by the ranks below `end`.
    fn release(&mut self, end: usize) {
        while let Some(rank) = self.done.pop() {
            for edge in self.starts[rank]..self.starts[rank + 1] {
                let dependent = self.dependents[edge];
                self.missing[dependent] -= 1;
                if self.missing[dependent] > 0 {
                    continue;
                }
                if dependent >= self.turns {
                    self.done.push(dependent);
                } else if dependent < end {
                    self.late.push(Reverse(dependent));
                }
            }
        }
    }
}
