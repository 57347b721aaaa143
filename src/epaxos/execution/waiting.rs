//! What committed instances wait for.
//!
//! An instance waits either until its own prefix of a row is committed, or for another instance that it
//! reaches, and that waits itself. So those that wait form trees, with one of the first kind as the root
//! of each. What becomes of a root decides for the whole tree: as long as it waits, all do.
//!
//! That is why a decision costs little where thousands wait. It frees the roots whose prefixes are
//! complete with it, each once for each row, and not whatever waits for the next gap of the same row. And
//! what waits for an instance is freed once that one is executed; until then it is searched only where
//! something that was freed reaches it.

use std::collections::{BTreeMap, BTreeSet};

use crate::epaxos::execution::graph::{Key, VertexId};
use crate::epaxos::id::ReplicaId;

/// What an instance waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Wait {
    /// Slots of a row to be committed.
    Row(ReplicaId),
    /// Another instance to be executed.
    Vertex(VertexId),
}

/// What is known of the waiting of one vertex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Place {
    wait: Option<Wait>,
    /// Whether it has ever waited.
    again: bool,
}

/// Those that wait for slots of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct RowWaiters {
    /// Each by how many slots must be committed without a gap.
    by_end: BTreeSet<(u64, Key, VertexId)>,
    /// The keys of the same.
    keys: BTreeSet<Key>,
    /// How many slots were committed when it was last told which one they wait for; 0 where none waits.
    told: u64,
}

/// All that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// By vertex. As long as what has ever waited makes it.
    places: Vec<Place>,
    /// What waits for a vertex, and what did so before it was found to wait for another one.
    dependents: BTreeMap<VertexId, Vec<VertexId>>,
    rows: Vec<RowWaiters>,
}

impl Waiting {
    /// Nothing waits, in a cluster of `replicas`.
    pub fn new(replicas: usize) -> Self {
        Self {
            places: Vec::new(),
            dependents: BTreeMap::new(),
            rows: vec![RowWaiters::default(); replicas],
        }
    }

    fn set(&mut self, vertex: VertexId, wait: Wait) -> bool {
        if self.places.len() <= vertex.index() {
            self.places.resize(vertex.index() + 1, Place::default());
        }
        let place = &mut self.places[vertex.index()];
        place.wait = Some(wait);
        std::mem::replace(&mut place.again, true)
    }

    fn wait(&self, vertex: VertexId) -> Option<Wait> {
        self.places.get(vertex.index())?.wait
    }

    /// Lets a vertex wait until the first `end` slots of a row are committed, `committed` of them being so.
    /// Says whether it has waited before.
    pub fn for_row(
        &mut self,
        (vertex, key): (VertexId, Key),
        row: ReplicaId,
        end: u64,
        committed: u64,
    ) -> bool {
        let waiters = &mut self.rows[row.index()];
        waiters.by_end.insert((end, key, vertex));
        waiters.keys.insert(key);
        waiters.told = committed;
        self.set(vertex, Wait::Row(row))
    }

    /// Lets a vertex wait for another one. Says whether it has waited before.
    pub fn for_vertex(&mut self, vertex: VertexId, on: VertexId) -> bool {
        self.dependents.entry(on).or_default().push(vertex);
        self.set(vertex, Wait::Vertex(on))
    }

    /// Lets a link wait for a vertex, as long as the search takes that made it.
    pub fn link_for_vertex(&mut self, link: VertexId, on: VertexId) {
        self.set(link, Wait::Vertex(on));
    }

    /// What a link was let wait for.
    pub fn of_link(&self, link: VertexId) -> Option<VertexId> {
        match self.wait(link)? {
            Wait::Vertex(on) => Some(on),
            Wait::Row(_) => None,
        }
    }

    /// Frees those for which it is enough that the first `committed` slots of a row are.
    pub fn free(&mut self, row: ReplicaId, committed: u64, mut freed: impl FnMut(VertexId)) {
        let waiters = &mut self.rows[row.index()];
        while let Some((end, ..)) = waiters.by_end.first()
            && *end <= committed
        {
            let (_, key, vertex) = waiters.by_end.pop_first().expect("it was just seen");
            waiters.keys.remove(&key);
            self.places[vertex.index()].wait = None;
            freed(vertex);
        }
        if waiters.keys.is_empty() {
            waiters.told = 0;
        }
    }

    /// A vertex no longer waits, since a search goes through it.
    pub fn resume(&mut self, vertex: VertexId) {
        self.places[vertex.index()].wait = None;
    }

    /// Whether anything may wait for the vertex.
    pub fn has_dependents(&self, vertex: VertexId) -> bool {
        !self.dependents.is_empty() && self.dependents.contains_key(&vertex)
    }

    /// Those that wait for a vertex, which is executed and has none any more.
    pub fn take_dependents(&mut self, vertex: VertexId) -> Vec<VertexId> {
        if self.dependents.is_empty() {
            return Vec::new();
        }
        let mut dependents = self.dependents.remove(&vertex).unwrap_or_default();
        dependents.retain(|it| self.wait(*it) == Some(Wait::Vertex(vertex)));
        dependents
    }

    /// Forgets a vertex, which is executed.
    pub fn forget(&mut self, vertex: VertexId) {
        if let Some(place) = self.places.get_mut(vertex.index()) {
            *place = Place::default();
        }
    }

    /// Forgets all vertices from this number on, which are links.
    pub fn truncate(&mut self, vertices: usize) {
        self.places.truncate(vertices);
    }

    /// Forgets all vertices, which are executed.
    pub fn clear(&mut self) {
        self.places.clear();
        self.dependents.clear();
    }

    /// The row whose slots the root of the vertex's tree waits for; `None` where the root has been freed,
    /// or where the vertex does not wait. Who is far from the root is brought nearer, so that it is found
    /// sooner the next time: it waits for what it waited for through another one.
    pub fn row(&mut self, mut vertex: VertexId) -> Option<ReplicaId> {
        loop {
            let on = match self.wait(vertex)? {
                Wait::Row(row) => return Some(row),
                Wait::Vertex(on) => on,
            };
            if let Wait::Vertex(next) = self.wait(on)? {
                self.for_vertex(vertex, next);
            }
            vertex = on;
        }
    }

    /// The same, and nobody is brought nearer.
    pub fn row_of(&self, mut vertex: VertexId) -> Option<ReplicaId> {
        loop {
            match self.wait(vertex)? {
                Wait::Row(row) => return Some(row),
                Wait::Vertex(on) => vertex = on,
            }
        }
    }

    /// The rows that something waits for.
    pub fn rows(&self) -> impl Iterator<Item = ReplicaId> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| !row.keys.is_empty()).map(|(row, _)| ReplicaId::from_index(row))
    }

    /// The least of those that wait for a row, where that has moved on to `committed` since it was told
    /// for which slot they wait.
    pub fn moved(&mut self, row: ReplicaId, committed: u64) -> Option<Key> {
        let waiters = &mut self.rows[row.index()];
        let least = waiters.keys.first().copied()?;
        (std::mem::replace(&mut waiters.told, committed) != committed).then_some(least)
    }
}
