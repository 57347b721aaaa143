//! The edges of many vertices, in one table.

use crate::epaxos::execution::graph::VertexId;

/// The edges of many vertices. Those of one lie together, and what lies behind them says that they end.
pub struct Edges {
    targets: Vec<Option<VertexId>>,
}

/// A place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place(u32);

impl Edges {
    /// No edges, and room for so many.
    pub fn with_capacity(edges: usize) -> Self {
        Self { targets: Vec::with_capacity(edges) }
    }

    /// How many entries the table has: one for each edge, and one for each vertex that has any told.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// How many have been added from `place` on, which are of one vertex.
    pub fn count_from(&self, place: Place) -> usize {
        self.targets.len() - place.0 as usize
    }

    /// Where the next edge will be.
    pub fn end(&self) -> Place {
        Place(u32::try_from(self.targets.len()).expect("fewer than four billion edges"))
    }

    /// Adds an edge to `target`.
    pub fn push(&mut self, target: VertexId) {
        self.targets.push(Some(target));
    }

    /// Takes those away again that were added from `place` on.
    pub fn truncate(&mut self, place: Place) {
        self.targets.truncate(place.0 as usize);
    }

    /// Ends those of one vertex.
    pub fn close(&mut self) {
        self.targets.push(None);
    }

    /// The target of the edge at `place`, which is moved to the next one; `None`, and no move, where the
    /// edges of the vertex end.
    pub fn follow(&self, place: &mut Place) -> Option<VertexId> {
        let target = self.targets[place.0 as usize]?;
        place.0 += 1;
        Some(target)
    }

    /// The targets of the edges of the vertex whose first is at `place`.
    pub fn from(&self, mut place: Place) -> impl Iterator<Item = VertexId> {
        std::iter::from_fn(move || self.follow(&mut place))
    }
}
