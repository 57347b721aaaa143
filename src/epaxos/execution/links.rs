//! Vertices that stand for many instances, where naming each of them would take too many edges.
//!
//! A link covers the instances of one row that touch one key, from some slot down: all of them, or the
//! writes alone. It has an edge to the first of these and one to the link that covers the rest. So what
//! has to come after a long prefix has one edge to a link in place of one to each member, and all that
//! depend on the prefix share its links: there are at most two for each key that an instance touches.
//!
//! Links change nothing but the number of edges. A link is reached only by what depends on the whole
//! prefix, and reaches nothing but members of it; so instances reach each other with links as they do
//! without, which is all that components and their order depend on. Links live as long as one search.

use std::collections::BTreeMap;

use crate::epaxos::execution::graph::VertexId;
use crate::epaxos::id::ReplicaId;
use crate::epaxos::keys::KeyId;

/// What a link covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The key that the instances touch.
    pub key: KeyId,
    /// Their row.
    pub row: ReplicaId,
    /// Whether reads are among them; otherwise it is writes alone.
    pub reads: bool,
    /// The highest slot that is covered.
    pub slot: u64,
}

/// The links of one search.
#[derive(Debug, Default)]
pub struct Links {
    vertices: BTreeMap<Link, VertexId>,
    /// All of them, in the order in which they were made. So follow their vertices on each other.
    all: Vec<Link>,
}

impl Links {
    /// The vertex of a link. One that is new gets one, after those of all others.
    pub fn vertex(&mut self, link: Link, new: impl FnOnce() -> VertexId) -> VertexId {
        *self.vertices.entry(link).or_insert_with(|| {
            self.all.push(link);
            new()
        })
    }

    /// The link that has the vertex of this number among all vertices of links.
    pub fn link(&self, number: usize) -> Link {
        self.all[number]
    }
}
