//! The strongly connected components of a small graph, after Kosaraju, without recursion.

use std::collections::{BTreeMap, BTreeSet};

use crate::epaxos::id::InstanceId;

/// The edges out of each instance.
pub type Edges = BTreeMap<InstanceId, BTreeSet<InstanceId>>;

/// The components, each in the order of names, one before another that depends on it.
pub fn components(edges: &Edges) -> Vec<Vec<InstanceId>> {
    let mut seen = BTreeSet::new();
    let mut left = Vec::new();
    for id in edges.keys() {
        visit(*id, edges, &mut seen, &mut left);
    }
    let reversed = reverse(edges);
    let mut seen = BTreeSet::new();
    let mut components = Vec::new();
    for id in left.into_iter().rev() {
        let mut members = Vec::new();
        visit(id, &reversed, &mut seen, &mut members);
        if !members.is_empty() {
            members.sort_unstable();
            components.push(members);
        }
    }
    components.reverse();
    components
}

/// The edges the other way round.
pub fn reverse(edges: &Edges) -> Edges {
    let mut reversed: Edges = edges.keys().map(|id| (*id, BTreeSet::new())).collect();
    for (from, to) in edges.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to))) {
        reversed.entry(*to).or_default().insert(*from);
    }
    reversed
}

/// Appends all that is reached from an instance and was not seen, each after all that it leads to.
fn visit(
    root: InstanceId,
    edges: &Edges,
    seen: &mut BTreeSet<InstanceId>,
    left: &mut Vec<InstanceId>,
) {
    let out = |id: InstanceId| edges.get(&id).into_iter().flatten().copied();
    if !seen.insert(root) {
        return;
    }
    let mut path = vec![(root, out(root))];
    while let Some((id, rest)) = path.last_mut() {
        let id = *id;
        if let Some(to) = rest.find(|to| seen.insert(*to)) {
            path.push((to, out(to)));
        } else {
            path.pop();
            left.push(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::id::ReplicaId;

    fn id(slot: u64) -> InstanceId {
        InstanceId::new(ReplicaId(0), slot)
    }

    #[test]
    fn what_reaches_each_other_is_together_and_comes_after_what_it_depends_on() {
        let mut edges: Edges = (0..7).map(|slot| (id(slot), BTreeSet::new())).collect();
        for (from, to) in [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 3), (5, 0), (5, 3)] {
            edges.entry(id(from)).or_default().insert(id(to));
        }
        let found = components(&edges);
        let place = |slot| found.iter().position(|members| members.contains(&id(slot))).unwrap();
        assert_eq!(found.iter().map(Vec::len).sum::<usize>(), 7);
        assert_eq!(found[place(0)], [id(0), id(1), id(2)]);
        assert_eq!(found[place(3)], [id(3), id(4)]);
        assert_eq!((found[place(5)].len(), found[place(6)].len()), (1, 1));
        assert!(place(3) < place(0) && place(0) < place(5));
    }
}
