//! The dependency graph of what is committed and not yet executed.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::execution::index::{Index, Tails};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::keys::{KeyId, Touch, Touches};

/// By what the members of one component are ordered, and components that are ready together.
/// `seq` alone is not total, and two instances of one replica may share a component.
pub type Key = (u64, InstanceId);

/// A place in the table of vertices. Counted from 1, so that a cell of a row is four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VertexId(NonZeroU32);

/// Where a committed instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing is known to be in its way.
    Candidate,
    /// The search under way has come by, as its visit of this number, and has not placed it yet.
    Open(u32),
    /// The search under way has placed it in the component of this number.
    Ready(u32),
    /// It reaches something that is not committed.
    Waiting,
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
    /// The uncommitted instance that it waits for, or last waited for, if it ever did.
    pub blocker: Option<InstanceId>,
    /// The keys that its commands touch.
    touches: Touches,
}

/// All committed instances. The executed ones are one mark each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Graph {
    rows: Vec<Row>,
    vertices: Vec<Vertex>,
    /// The state of each vertex. Kept apart from the rest since a search asks for little else, and
    /// all states together are small enough to stay at hand.
    states: Vec<State>,
    /// The key of each vertex that touches one only, by a write that leads to all earlier touches of it
    /// in its row.
    leading: Vec<Option<KeyId>>,
    /// Places in `vertices` that executed instances have left.
    vacant: Vec<VertexId>,
    /// The last instance of each row that touches each key, as far as the rows are without a gap.
    tails: Tails,
    index: Index,
    /// What is committed without a gap and not in the index yet. Most never need be: it is executed before
    /// anybody asks for its edges, or those are plain without.
    unindexed: Vec<InstanceId>,
    /// How many may be there before those are sorted out that are executed by now.
    unindexed_most: usize,
    /// Broken on purpose: a dependency means the one instance it names.
    #[cfg(feature = "mutations")]
    latest_only: bool,
}

impl Graph {
    /// The graph of a cluster of `replicas`, nothing being committed.
    pub fn new(replicas: usize) -> Self {
        Self {
            rows: vec![Row::default(); replicas],
            vertices: Vec::new(),
            states: Vec::new(),
            leading: Vec::new(),
            vacant: Vec::new(),
            tails: Tails::new(replicas),
            index: Index::default(),
            unindexed: Vec::new(),
            unindexed_most: UNINDEXED_MAX,
            #[cfg(feature = "mutations")]
            latest_only: false,
        }
    }

    /// Takes each dependency for the one instance it names from now on.
    #[cfg(feature = "mutations")]
    pub fn latest_only(&mut self) {
        self.latest_only = true;
    }

    /// What takes the place of [`Graph::edges`] then.
    #[cfg(feature = "mutations")]
    fn named_edges(&self, vertex: VertexId, edges: &mut Vec<VertexId>) {
        let vertex = self.vertex(vertex);
        for named in vertex.attributes.deps.iter().filter(|named| *named != vertex.instance) {
            let Some(Cell::Pending(target)) = self.cell(named) else { continue };
            let theirs = self.vertex(target).touches.as_slice();
            let touch = |mine: &Touch| {
                theirs.iter().any(|it| it.key == mine.key && (it.write || mine.write))
            };
            if vertex.touches.as_slice().iter().any(touch) {
                edges.push(target);
            }
        }
    }

    /// Adds a committed instance.
    pub fn commit(
        &mut self,
        instance: InstanceId,
        attributes: Attributes,
        touches: Touches,
    ) -> VertexId {
        let replicas = self.rows.len();
        let in_cluster = |id: InstanceId| id.replica.index() < replicas;
        assert!(in_cluster(instance), "{instance} belongs to a replica of the cluster");
        assert!(attributes.deps.iter().all(in_cluster), "{instance} depends on the cluster's rows");
        assert!(self.cell(instance).is_none(), "{instance} is committed once");

        let vertex = self.place(Vertex { instance, attributes, blocker: None, touches });
        let row = &mut self.rows[instance.replica.index()];
        if row.watermark() == instance.slot {
            row.contiguous.push_back(Cell::Pending(vertex));
            self.admit_one(instance, vertex);
        } else {
            row.ahead.insert(instance.slot, Cell::Pending(vertex));
        }
        self.admit(instance.replica);
        vertex
    }

    /// Whether all that the vertex depends on is executed, as far as that is seen at a glance.
    pub fn is_free(&self, vertex: VertexId) -> bool {
        let deps = &self.vertex(vertex).attributes.deps;
        let mut rows = self.rows.iter().enumerate();
        rows.all(|(row, slots)| deps.prefix(ReplicaId::from_index(row)) <= slots.executed)
    }

    /// What became of the instance, if it has been committed.
    pub fn cell(&self, instance: InstanceId) -> Option<Cell> {
        self.rows.get(instance.replica.index())?.cell(instance.slot)
    }

    /// How many slots of a row, from 0, are executed without a gap.
    pub fn executed(&self, row: ReplicaId) -> u64 {
        self.rows[row.index()].executed
    }

    /// How many slots of a row, from 0, are committed without a gap.
    pub fn committed(&self, row: ReplicaId) -> u64 {
        self.rows[row.index()].watermark()
    }

    /// Takes the first `count` slots of a row for executed. Nothing must be known of the row yet.
    pub fn begin_at(&mut self, row: ReplicaId, count: u64) {
        let row = &mut self.rows[row.index()];
        assert!(*row == Row::default(), "a row begins once");
        row.executed = count;
    }

    /// Takes an instance for executed that was, before a crash.
    pub fn restore(&mut self, instance: InstanceId) {
        let row = instance.replica;
        self.rows[row.index()].ahead.insert(instance.slot, Cell::Executed);
        self.admit(row);
        self.rows[row.index()].settle();
    }

    /// Forgets a key, all of whose instances are executed.
    pub fn forget(&mut self, key: KeyId) {
        self.tails.forget(key);
        self.index.forget(key);
    }

    /// What the vertex says of itself.
    pub fn vertex(&self, vertex: VertexId) -> &Vertex {
        &self.vertices[vertex.index()]
    }

    /// Where the vertex stands.
    pub fn state(&self, vertex: VertexId) -> State {
        self.states[vertex.index()]
    }

    /// Notes where the vertex stands.
    pub fn set_state(&mut self, vertex: VertexId, state: State) {
        self.states[vertex.index()] = state;
    }

    /// Lets the vertex wait for an uncommitted instance, and says whether it has waited before.
    pub fn wait(&mut self, vertex: VertexId, blocker: InstanceId) -> bool {
        self.set_state(vertex, State::Waiting);
        self.vertices[vertex.index()].blocker.replace(blocker).is_some()
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
        #[cfg(feature = "mutations")]
        if self.latest_only {
            return deps.iter().find(|named| self.cell(*named).is_none());
        }
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
    ///    `Tails::lead` and `Index::admit`). It also reaches all of that, by induction along the row: a walk from
    ///    its own slot downward, not cut short by a floor, ends only at another linked write. That
    ///    is why the own row is walked in two parts. One walk from above the own slot could end at
    ///    a write which in turn relies on this one, and what lies below both would be lost.
    /// 2. Given that, a walk may end at any linked write. Where none comes up, as in a row that
    ///    only reads, it need not go below the *floor*, the prefix of the preceding write of the
    ///    own row: by 1 that write is reached, and what it covers is reached from it, by induction
    ///    along the row again. Otherwise each of many writes would look at all those reads.
    pub fn edges(&mut self, vertex: VertexId, edges: &mut Vec<VertexId>) {
        #[cfg(feature = "mutations")]
        if self.latest_only {
            return self.named_edges(vertex, edges);
        }
        let start = edges.len();
        if self.plain_edges(vertex, edges) {
            return;
        }
        edges.truncate(start);
        self.catch_up();
        let Self { rows, vertices, index, .. } = self;
        let Vertex { instance, attributes, touches, .. } = &vertices[vertex.index()];
        for touch in touches.as_slice() {
            let mut stale = 0;
            let floor = |row| {
                let own = &rows[instance.replica.index()];
                let preceding = own.pending(preceding(index, *touch, *instance, attributes)?)?;
                Some(vertices[preceding.index()].attributes.deps.prefix(row))
            };
            for row_id in ReplicaId::all(rows.len()) {
                let end = attributes.deps.prefix(row_id);
                if end == 0 {
                    continue;
                }
                let lists = index.lists(touch.key);
                let Some(list) = lists.iter().find(|list| list.row == row_id) else { continue };
                let row = &rows[row_id.index()];
                let mut push = |slot| match row.pending(slot) {
                    Some(vertex) => edges.push(vertex),
                    None => stale += 1,
                };
                if row_id == instance.replica {
                    let above = instance.slot.saturating_add(1);
                    list.walk(above..end, touch.write, || above, &mut push);
                    list.walk(0..end.min(instance.slot), touch.write, || 0, &mut push);
                } else {
                    list.walk(0..end, touch.write, || floor(row_id).unwrap_or(0), &mut push);
                }
            }
            if stale > STALE_MAX {
                for list in index.lists_mut(touch.key) {
                    let row = &rows[list.row.index()];
                    list.trim(|slot| row.pending(slot).is_none());
                }
            }
        }
    }

    /// The edges of a vertex, where they can be told without looking for them: in each row, all that it
    /// depends on is executed, or the last one that it names is a write to the one key and leads to all
    /// that comes before it in its row, as a walk from there would find. False where that is not so.
    fn plain_edges(&self, vertex: VertexId, edges: &mut Vec<VertexId>) -> bool {
        let Vertex { instance, attributes, touches, .. } = self.vertex(vertex);
        for touch in touches.as_slice() {
            for (row_id, row) in self.rows.iter().enumerate() {
                let row_id = ReplicaId::from_index(row_id);
                let end = attributes.deps.prefix(row_id);
                let mut push_last = |end: u64| {
                    if end <= row.executed {
                        return true;
                    }
                    let named = row.pending(end - 1);
                    let leading =
                        named.filter(|named| self.leading[named.index()] == Some(touch.key));
                    edges.extend(leading);
                    leading.is_some()
                };
                // The own row in two parts, as where it is walked; the vertex itself is in neither.
                let (below, above) = if row_id == instance.replica && end > instance.slot {
                    (instance.slot, Some(end).filter(|end| *end > instance.slot + 1))
                } else {
                    (end, None)
                };
                if !push_last(below) || !above.is_none_or(push_last) {
                    return false;
                }
            }
        }
        true
    }

    /// Takes vertices out, and marks their instances as executed.
    pub fn execute(&mut self, executed: impl ExactSizeIterator<Item = (VertexId, InstanceId)>) {
        let are_all = executed.len() == self.vertices.len() - self.vacant.len();
        for (vertex, instance) in executed {
            self.rows[instance.replica.index()].mark_executed(instance.slot);
            if !are_all {
                self.vertices[vertex.index()] = Vertex::vacant();
                self.states[vertex.index()] = State::Candidate;
                self.leading[vertex.index()] = None;
                self.vacant.push(vertex);
            }
        }
        if are_all {
            self.vertices.clear();
            self.states.clear();
            self.leading.clear();
            self.vacant.clear();
            self.unindexed.clear();
            self.unindexed_most = UNINDEXED_MAX;
        }
    }

    /// Puts a vertex in a free place of the table.
    fn place(&mut self, vertex: Vertex) -> VertexId {
        if let Some(id) = self.vacant.pop() {
            self.vertices[id.index()] = vertex;
            return id;
        }
        self.vertices.push(vertex);
        self.states.push(State::Candidate);
        self.leading.push(None);
        VertexId::from_count(self.vertices.len())
    }

    /// Moves the row's watermark over what is committed without a gap. Only that is admitted, so that
    /// what is known of a key is in slot order and never misses an earlier instance.
    fn admit(&mut self, row: ReplicaId) {
        loop {
            let slots = &mut self.rows[row.index()];
            let slot = slots.watermark();
            match slots.advance() {
                Some(Cell::Pending(vertex)) => {
                    self.admit_one(InstanceId::new(row, slot), vertex);
                }
                // What was executed ahead of the watermark is no one's dependency any more.
                Some(Cell::Executed) => {}
                None => break,
            }
        }
    }

    /// Admits an instance of which all that comes before it in its row is admitted.
    fn admit_one(&mut self, instance: InstanceId, vertex: VertexId) {
        let Self { rows, vertices, leading, tails, unindexed, unindexed_most, .. } = self;
        let Vertex { attributes, touches, .. } = &vertices[vertex.index()];
        let prefix = attributes.deps.prefix(instance.replica);
        leading[vertex.index()] = tails.lead(instance, prefix, touches.as_slice());
        unindexed.push(instance);
        if unindexed.len() > *unindexed_most {
            unindexed.retain(|it| rows[it.replica.index()].pending(it.slot).is_some());
            *unindexed_most = UNINDEXED_MAX.max(2 * unindexed.len());
        }
    }

    /// Indexes what is not yet, so that edges can be looked for.
    fn catch_up(&mut self) {
        let Self { rows, vertices, index, unindexed, .. } = self;
        for instance in unindexed.drain(..) {
            let row = &rows[instance.replica.index()];
            if let Some(vertex) = row.pending(instance.slot) {
                let Vertex { attributes, touches, .. } = &vertices[vertex.index()];
                let prefix = attributes.deps.prefix(instance.replica);
                let is_executed = |slot| row.pending(slot).is_none();
                index.admit(instance, prefix, touches.as_slice(), is_executed);
            }
        }
        self.unindexed_most = UNINDEXED_MAX;
    }
}

/// The write to a key that precedes an instance in its own row, where the instance depends on it.
fn preceding(
    index: &Index,
    touch: Touch,
    instance: InstanceId,
    attributes: &Attributes,
) -> Option<u64> {
    let end = attributes.deps.prefix(instance.replica).min(instance.slot);
    touch.write.then(|| index.write_before(touch.key, instance.replica, end))?
}

impl Vertex {
    /// What is left where a vertex was.
    fn vacant() -> Self {
        Self {
            instance: InstanceId::new(ReplicaId(0), 0),
            attributes: Attributes::default(),
            blocker: None,
            touches: Touches::default(),
        }
    }
}

/// The committed instances of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Row {
    /// How many slots from 0 on are executed without a gap. Nothing else is kept of them.
    executed: u64,
    /// The slots from there on that are committed without a gap.
    contiguous: VecDeque<Cell>,
    /// Those committed beyond the first gap.
    ahead: BTreeMap<u64, Cell>,
}

impl Row {
    /// The first slot that is not committed.
    fn watermark(&self) -> u64 {
        self.executed + self.contiguous.len() as u64
    }

    fn cell(&self, slot: u64) -> Option<Cell> {
        let Some(offset) = slot.checked_sub(self.executed) else { return Some(Cell::Executed) };
        let contiguous = usize::try_from(offset).ok().and_then(|place| self.contiguous.get(place));
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
        self.contiguous.push_back(cell);
        Some(cell)
    }

    fn mark_executed(&mut self, slot: u64) {
        let offset = usize::try_from(slot - self.executed).ok();
        let contiguous = offset.and_then(|place| self.contiguous.get_mut(place));
        let cell = contiguous.or_else(|| self.ahead.get_mut(&slot));
        *cell.expect("only a committed instance is executed") = Cell::Executed;
        self.settle();
    }

    /// Keeps nothing of what is executed without a gap.
    fn settle(&mut self) {
        while let Some(Cell::Executed) = self.contiguous.front() {
            self.contiguous.pop_front();
            self.executed += 1;
        }
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

/// How many instances wait to be indexed until those are sorted out that are executed, at the least. Low
/// in tests, so that small logs reach it.
const UNINDEXED_MAX: usize = if cfg!(test) { 1 } else { 256 };

/// How many executed instances a vertex may come by in vain before the lists are trimmed.
/// Low in tests, so that small logs reach it.
const STALE_MAX: usize = if cfg!(test) { 1 } else { 16 };
