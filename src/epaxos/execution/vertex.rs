//! A vertex of the dependency graph.

use std::num::NonZeroU32;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::keys::Touches;

/// By what the members of one component are ordered, and components that are ready together.
/// `seq` alone is not total, and two instances of one replica may share a component.
pub type Key = (u64, InstanceId);

/// What stands for the order of a link: it comes after that of all instances.
pub const LINK_KEY: Key = (u64::MAX, InstanceId { replica: ReplicaId(u8::MAX), slot: u64::MAX });

/// A place in the table of vertices. Counted from 1, so that a cell of a row is four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VertexId(NonZeroU32);

/// A committed instance that is not executed yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Vertex {
    /// Its name.
    pub instance: InstanceId,
    /// Its agreed place among others.
    pub attributes: Attributes,
    /// The keys that its commands touch.
    pub touches: Touches,
}

impl Vertex {
    /// What is left where a vertex was.
    pub fn vacant() -> Self {
        Self {
            instance: InstanceId::new(ReplicaId(0), 0),
            attributes: Attributes::default(),
            touches: Touches::default(),
        }
    }
}

impl VertexId {
    /// Its place in a table of all.
    pub fn index(self) -> usize {
        self.0.get() as usize - 1
    }

    /// The id of the last of `count` vertices.
    pub fn from_count(count: usize) -> Self {
        let count = u32::try_from(count).ok().and_then(NonZeroU32::new);
        Self(count.expect("fewer than four billion instances wait to be executed"))
    }
}
