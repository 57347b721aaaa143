//! Who depends on whom, as one replica has it: the edges of its execution graph.
//!
//! Dependencies are prefixes; the edges are those members that interfere (EPaxos paper, 4.3.2). An
//! instance that the replica does not know may interfere, and is one.

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::observe::view::View;

/// How much of a long prefix is looked at: in each row, from its end.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// How many slots.
    pub slots: u64,
    /// How many edges.
    pub edges: usize,
}

impl Reach {
    /// Enough for a picture: what lies further back is nearly always reached through what is near.
    pub const NEAR: Reach = Reach { slots: 32, edges: 2 };

    /// All that lies as near as that.
    pub const WHOLE: Reach = Reach { slots: 256, edges: 256 };
}

/// What an instance depends on, as `observer` has it, the latest of each row first.
pub fn dependencies(
    view: &View,
    observer: ReplicaId,
    id: InstanceId,
    reach: Reach,
) -> Vec<InstanceId> {
    let Some(known) = view.replica(observer).instances.get(id) else { return Vec::new() };
    let mut found = Vec::new();
    for last in known.attributes.deps.iter() {
        if last.replica.index() >= view.shape.replicas() {
            continue;
        }
        let first = (last.slot + 1).saturating_sub(reach.slots);
        let members = (first..=last.slot).rev().map(|slot| InstanceId::new(last.replica, slot));
        let edges = members.filter(|member| depends(view, observer, id, *member));
        found.extend(edges.take(reach.edges));
    }
    found
}

/// Whether the first depends on the second, as `observer` has them.
pub fn depends(view: &View, observer: ReplicaId, id: InstanceId, on: InstanceId) -> bool {
    let instances = &view.replica(observer).instances;
    let Some(known) = instances.get(id) else { return false };
    let interferes =
        instances.get(on).is_none_or(|other| known.payload.interferes_with(&other.payload));
    id != on && known.attributes.deps.contains(on) && interferes
}

/// The first instance of each row after `id` that depends on it, as `observer` has it, looking at no
/// more than what is near.
pub fn dependents(view: &View, observer: ReplicaId, id: InstanceId) -> Vec<InstanceId> {
    let instances = &view.replica(observer).instances;
    let Some(known) = instances.get(id) else { return Vec::new() };
    let rows = ReplicaId::all(view.shape.replicas());
    let first = rows.filter_map(|row| {
        let near = instances.row_from(row, id.slot.saturating_sub(Reach::NEAR.slots));
        let mut dependents = near.take(2 * DEPENDENTS_NEAR).filter(|(slot, other)| {
            InstanceId::new(row, *slot) != id
                && other.attributes.deps.contains(id)
                && other.payload.interferes_with(&known.payload)
        });
        dependents.next().map(|(slot, _)| InstanceId::new(row, slot))
    });
    first.collect()
}

/// How many instances of a row are looked at on either side.
const DEPENDENTS_NEAR: usize = 32;
