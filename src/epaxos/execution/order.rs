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
    let mut by_rank: Vec<usize> = (0..found.len()).collect();
    if by_rank.is_sorted_by_key(least) {
        return by_rank;
    }
    by_rank.sort_by_cached_key(least);
    Schedule::new(found, graph, by_rank).run()
}

/// Kahn's algorithm over the components. They are named by rank: the place of their least member
/// among all least members.
struct Schedule {
    by_rank: Vec<usize>,
    /// Per rank, how many edges lead to components that have not had their turn.
    missing: Vec<usize>,
    /// Per rank, where in `dependents` its own begin; and where the last one's end.
    starts: Vec<usize>,
    dependents: Vec<usize>,
    /// Ranks that the scan has passed over, and that have become ready since.
    late: BinaryHeap<Reverse<usize>>,
    order: Vec<usize>,
}

impl Schedule {
    fn new(found: &Found, graph: &Graph, by_rank: Vec<usize>) -> Self {
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
        let order = Vec::with_capacity(count);
        Self { by_rank, missing, starts, dependents, late: BinaryHeap::new(), order }
    }

    /// Scans the ranks upward. What is not ready when the scan comes by is late: once ready, it is
    /// before all that the scan has yet to reach, so only the late ones need a heap.
    fn run(mut self) -> Vec<usize> {
        for rank in 0..self.by_rank.len() {
            if self.missing[rank] == 0 {
                self.emit(rank, rank);
            }
            while let Some(Reverse(late)) = self.late.pop() {
                self.emit(late, rank);
            }
        }
        assert_eq!(self.order.len(), self.by_rank.len(), "components do not form cycles");
        self.order
    }

    /// Lets `rank` have its turn, the scan having come to `scanned`.
    fn emit(&mut self, rank: usize, scanned: usize) {
        self.order.push(self.by_rank[rank]);
        for edge in self.starts[rank]..self.starts[rank + 1] {
            let dependent = self.dependents[edge];
            self.missing[dependent] -= 1;
            if self.missing[dependent] == 0 && dependent <= scanned {
                self.late.push(Reverse(dependent));
            }
        }
    }
}
