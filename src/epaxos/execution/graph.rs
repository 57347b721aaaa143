//! The dependency graph of what is committed and not yet executed.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::Payload;
use crate::epaxos::execution::index::{Index, Touch, Touches};
use crate::epaxos::id::{InstanceId, ReplicaId};

/// By what the members of one component are ordered, and components that are ready together.
/// `seq` alone is not total, and two instances of one replica may share a component.
pub type Key = (u64, InstanceId);

/// A place in the table of vertices. Counted from 1, so that a cell of a row is four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VertexId(NonZeroU32);

/// Whether a committed instance waits for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing is known to be in its way.
    Candidate,
    /// It reaches this instance, which is not committed.
    Waiting(InstanceId),
}

/// What became of one committed instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    /// It is executed; nothing else is kept of it.
    Executed,
    /// It is still to be executed.
    Pending(VertexId),
}

/// A committed instance that is not executed yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Vertex {
    /// Its name.
    pub instance: InstanceId,
    /// Its agreed place among others.
    pub attributes: Attributes,
    /// Whether it waits.
    pub state: State,
    /// Its number in the search under way, if that has come by. Forgotten with the search.
    pub visit: Option<usize>,
    /// The keys that its commands touch.
    touches: Touches,
}

/// All committed instances. The executed ones are one mark each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Graph {
    rows: Vec<Row>,
    vertices: Vec<Vertex>,
    /// Places in `vertices` that executed instances have left.
    vacant: Vec<VertexId>,
    index: Index,
}

impl Graph {
    /// The graph of a cluster of `replicas`, nothing being committed.
    pub fn new(replicas: usize) -> Self {
        Self {
            rows: vec![Row::default(); replicas],
            vertices: Vec::new(),
            vacant: Vec::new(),
            index: Index::default(),
        }
    }

    /// Adds a committed instance.
    pub fn commit(
        &mut self,
        instance: InstanceId,
        attributes: Attributes,
        payload: &Payload,
    ) -> VertexId {
        let replicas = self.rows.len();
        let in_cluster = |id: InstanceId| id.replica.index() < replicas;
        assert!(in_cluster(instance), "{instance} belongs to a replica of the cluster");
        assert!(attributes.deps.iter().all(in_cluster), "{instance} depends on the cluster's rows");
        assert!(self.cell(instance).is_none(), "{instance} is committed once");

        let touches = self.index.touches(payload);
        let state = State::Candidate;
        let vertex = self.place(Vertex { instance, attributes, state, visit: None, touches });
        self.rows[instance.replica.index()].ahead.insert(instance.slot, Cell::Pending(vertex));
        self.admit(instance.replica);
        vertex
    }

    /// What became of the instance, if it has been committed.
    pub fn cell(&self, instance: InstanceId) -> Option<Cell> {
        self.rows.get(instance.replica.index())?.cell(instance.slot)
    }

    /// What the vertex says of itself.
    pub fn vertex(&self, vertex: VertexId) -> &Vertex {
        &self.vertices[vertex.index()]
    }

    /// What the vertex says of itself, to be changed.
    pub fn vertex_mut(&mut self, vertex: VertexId) -> &mut Vertex {
        &mut self.vertices[vertex.index()]
    }

    /// By what the vertex is ordered.
    pub fn key(&self, vertex: VertexId) -> Key {
        let vertex = self.vertex(vertex);
        (vertex.attributes.seq, vertex.instance)
    }

    /// The first uncommitted instance in the vertex's own prefix. It is never the vertex itself,
    /// which is committed.
    pub fn gap(&self, vertex: VertexId) -> Option<InstanceId> {
        let deps = &self.vertex(vertex).attributes.deps;
        ReplicaId::all(self.rows.len())
            .map(|row| InstanceId::new(row, self.rows[row.index()].watermark()))
            .find(|gap| deps.contains(*gap))
    }

    /// Appends what the vertex has to come after: not all of it, but enough to reach all of it.
    /// Its prefix must be without a gap.
    ///
    /// That all of it is reached rests on two things the walk is careful about.
    ///
    /// 1. A *linked* write covers everything before it in its row that touches the key (see
    ///    `Index::admit`). It also reaches all of that, by induction along the row: a walk from
    ///    its own slot downward, not cut short by a floor, ends only at another linked write. That
    ///    is why the own row is walked in two parts. One walk from above the own slot could end at
    ///    a write which in turn relies on this one, and what lies below both would be lost.
    /// 2. Given that, a walk may end at any linked write, and need not go below the *floor*, the
    ///    prefix of the preceding write of the own row: by 1 that write is reached, and what it
    ///    covers is reached from it, by induction along the row again.
    pub fn edges(&mut self, vertex: VertexId, edges: &mut Vec<VertexId>) {
        let Self { rows, vertices, index, .. } = self;
        let Vertex { instance, attributes, touches, .. } = &vertices[vertex.index()];
        for touch in touches.as_slice() {
            let floor = floor(rows, vertices, index, touch, *instance, attributes);
            for list in index.lists_mut(touch.key) {
                let row = &rows[list.row.index()];
                let start = floor.prefix(list.row);
                let end = attributes.deps.prefix(list.row);
                let push = |slot| edges.extend(row.pending(slot));
                list.trim(|slot| row.pending(slot).is_none());
                if list.row == instance.replica {
                    let above = instance.slot.saturating_add(1);
                    list.walk(start.max(above)..end, touch.write, push);
                    let push = |slot| edges.extend(row.pending(slot));
                    list.walk(0..end.min(instance.slot), touch.write, push);
                } else {
                    list.walk(start..end, touch.write, push);
                }
            }
        }
    }

    /// Takes the vertex out, and marks its instance as executed.
    pub fn execute(&mut self, vertex: VertexId) {
        let left = Vertex {
            instance: InstanceId::new(ReplicaId(0), 0),
            attributes: Attributes::default(),
            state: State::Candidate,
            visit: None,
            touches: Touches::default(),
        };
        let executed = std::mem::replace(&mut self.vertices[vertex.index()], left).instance;
        self.rows[executed.replica.index()].mark_executed(executed.slot);
        self.vacant.push(vertex);
    }

    /// Puts a vertex in a free place of the table.
    fn place(&mut self, vertex: Vertex) -> VertexId {
        if let Some(id) = self.vacant.pop() {
            self.vertices[id.index()] = vertex;
            return id;
        }
        self.vertices.push(vertex);
        VertexId::from_count(self.vertices.len())
    }

    /// Moves the row's watermark over what is committed without a gap, and indexes that. Only now,
    /// so that the index of a key is in slot order and never misses an earlier entry.
    fn admit(&mut self, row: ReplicaId) {
        while let Some(cell) = self.rows[row.index()].advance() {
            // What was executed ahead of the watermark is no one's dependency any more.
            if let Cell::Pending(vertex) = cell {
                let vertex = &self.vertices[vertex.index()];
                let prefix = vertex.attributes.deps.prefix(row);
                self.index.admit(vertex.instance, prefix, vertex.touches.as_slice());
            }
        }
    }
}

/// The prefix below which a write need not look, since the preceding write of its own row is
/// reached and has looked there. Without it, each of many writes would look at all reads of a row
/// that only reads. A read looks at nothing but writes, whose links stop it soon enough.
fn floor(
    rows: &[Row],
    vertices: &[Vertex],
    index: &Index,
    touch: &Touch,
    instance: InstanceId,
    attributes: &Attributes,
) -> Dependencies {
    if !touch.write {
        return Dependencies::NONE;
    }
    let row = instance.replica;
    let end = attributes.deps.prefix(row).min(instance.slot);
    index
        .write_before(touch.key, row, end)
        .and_then(|slot| rows[row.index()].pending(slot))
        .map_or(Dependencies::NONE, |vertex| vertices[vertex.index()].attributes.deps)
}

/// The committed instances of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Row {
    /// The slots from 0 on that are committed without a gap.
    contiguous: Vec<Cell>,
    /// Those committed beyond the first gap.
    ahead: BTreeMap<u64, Cell>,
}

impl Row {
    /// The first slot that is not committed.
    fn watermark(&self) -> u64 {
        self.contiguous.len() as u64
    }

    fn cell(&self, slot: u64) -> Option<Cell> {
        let contiguous = usize::try_from(slot).ok().and_then(|slot| self.contiguous.get(slot));
        contiguous.or_else(|| self.ahead.get(&slot)).copied()
    }

    /// The vertex of a committed slot that is not executed.
    fn pending(&self, slot: u64) -> Option<VertexId> {
        match self.cell(slot)? {
            Cell::Executed => None,
            Cell::Pending(vertex) => Some(vertex),
        }
    }

    /// Moves the watermark by one slot, if that is committed.
    fn advance(&mut self) -> Option<Cell> {
        let cell = self.ahead.remove(&self.watermark())?;
        self.contiguous.push(cell);
        Some(cell)
    }

    fn mark_executed(&mut self, slot: u64) {
        let contiguous = usize::try_from(slot).ok().and_then(|slot| self.contiguous.get_mut(slot));
        let cell = contiguous.or_else(|| self.ahead.get_mut(&slot));
        *cell.expect("only a committed instance is executed") = Cell::Executed;
    }
}

impl VertexId {
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }

    /// The id of the last of `count` vertices.
    fn from_count(count: usize) -> Self {
        let count = u32::try_from(count).ok().and_then(NonZeroU32::new);
        Self(count.expect("fewer than four billion instances wait to be executed"))
    }
}
