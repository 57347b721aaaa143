//! The dependency graph of what is committed and not yet executed.

use smallvec::SmallVec;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::execution::edges::{Edges, Place};
use crate::epaxos::execution::index::{Index, Tails};
use crate::epaxos::execution::links::{Link, Links};
use crate::epaxos::execution::row::{Cell, Pending, Row};
use crate::epaxos::execution::waiting::Waiting;
use crate::epaxos::id::{InstanceId, REPLICAS_MAX, ReplicaId};
use crate::epaxos::keys::{KeyId, Touch, Touches};

pub use crate::epaxos::execution::vertex::{Key, LINK_KEY, Vertex, VertexId};

/// Where a committed instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing is known to be in its way.
    Candidate,
    /// The search under way knows its edges, which begin here, and has not come by.
    Unvisited(Place),
    /// Its own prefix has a gap, and the search under way has not come by.
    Gapped,
    /// The search under way has come by, as its visit of this number, and has not placed it yet.
    Open(u32),
    /// The search under way has placed it in the component of this number.
    Ready(u32),
    /// It reaches something that is not committed.
    Waiting,
}

/// All committed instances. The executed ones are one mark each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Graph {
    rows: Vec<Row>,
    vertices: Vec<Vertex>,
    /// The state of each vertex. Kept apart from the rest since a search asks for little else, and
    /// all states together are small enough to stay at hand. During a search, those of its links follow.
    states: Vec<State>,
    /// What waits, and for what.
    waiting: Waiting,
    /// Places in `vertices` that executed instances have left.
    vacant: Vec<VertexId>,
    /// The last instance of each row that touches each key, as far as that is told.
    tails: Tails,
    index: Index,
    /// What is committed without a gap and not in the index yet. Most never need be: it is executed before
    /// anybody asks for its edges, or those are plain without.
    unindexed: Vec<InstanceId>,
    /// Of how many of these, from the first on, it is told whether they lead.
    told: usize,
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
            waiting: Waiting::new(replicas),
            vacant: Vec::new(),
            tails: Tails::new(replicas),
            index: Index::default(),
            unindexed: Vec::new(),
            told: 0,
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
    fn named_edges(&self, vertex: VertexId, edges: &mut Edges) {
        let vertex = self.vertex(vertex);
        for named in vertex.attributes.deps.iter().filter(|named| *named != vertex.instance) {
            let Some(target) = self.rows[named.replica.index()].pending(named.slot) else {
                continue;
            };
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

        let vertex = self.place(Vertex { instance, attributes, touches });
        let cell = Cell::Pending(Pending { vertex, leading: None, seq: attributes.seq });
        if self.rows[instance.replica.index()].commit(instance.slot, cell) {
            self.admit_one(instance);
        }
        self.admit(instance.replica);
        vertex
    }

    /// Whether all that the vertex depends on is executed, as far as that is seen at a glance.
    pub fn is_free(&self, vertex: VertexId) -> bool {
        let deps = &self.vertex(vertex).attributes.deps;
        let mut rows = self.rows.iter().enumerate();
        rows.all(|(row, slots)| deps.prefix(ReplicaId::from_index(row)) <= slots.executed())
    }

    /// How many rows there are.
    pub fn replicas(&self) -> usize {
        self.rows.len()
    }

    /// What became of the instance, if it has been committed.
    pub fn cell(&self, instance: InstanceId) -> Option<Cell> {
        self.rows.get(instance.replica.index())?.cell(instance.slot)
    }

    /// How many slots of a row, from 0, are executed without a gap.
    pub fn executed(&self, row: ReplicaId) -> u64 {
        self.rows[row.index()].executed()
    }

    /// How many slots of a row, from 0, are committed without a gap.
    pub fn committed(&self, row: ReplicaId) -> u64 {
        self.rows[row.index()].watermark()
    }

    /// Takes the first `count` slots of a row for executed. Nothing must be known of the row yet.
    pub fn begin_at(&mut self, row: ReplicaId, count: u64) {
        self.rows[row.index()].begin_at(count);
    }

    /// Takes an instance for executed that was, before a crash.
    pub fn restore(&mut self, instance: InstanceId) {
        let row = instance.replica;
        self.rows[row.index()].commit(instance.slot, Cell::Executed);
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

    /// Whether this is a link, which stands for instances and is none itself.
    pub fn is_link(&self, vertex: VertexId) -> bool {
        vertex.index() >= self.vertices.len()
    }

    /// The number of a link among all links.
    pub fn link_number(&self, vertex: VertexId) -> Option<usize> {
        vertex.index().checked_sub(self.vertices.len())
    }

    /// Removes all links: the search that needed them is over.
    pub fn remove_links(&mut self) {
        self.states.truncate(self.vertices.len());
        self.waiting.truncate(self.vertices.len());
    }

    /// Where the vertex stands.
    pub fn state(&self, vertex: VertexId) -> State {
        self.states[vertex.index()]
    }

    /// Notes where the vertex stands.
    pub fn set_state(&mut self, vertex: VertexId, state: State) {
        self.states[vertex.index()] = state;
    }

    /// Lets the vertex wait for `on`, which waits itself or has a gap in its own prefix; where it is `on`,
    /// for the end of that gap. Says whether it has waited before.
    pub fn wait(&mut self, vertex: VertexId, on: VertexId) -> bool {
        let gap = if vertex == on { self.gap(vertex) } else { None };
        self.set_state(vertex, State::Waiting);
        if self.is_link(vertex) {
            self.waiting.link_for_vertex(vertex, on);
            return false;
        }
        let Some(gap) = gap else { return self.waiting.for_vertex(vertex, on) };
        let InstanceId { replica: row, slot: committed } = gap;
        let end = self.prefix_needed(vertex, gap);
        self.waiting.for_row((vertex, self.key(vertex)), row, end, committed)
    }

    /// How many slots of the row of `gap` must be committed for the vertex to be without a gap there.
    fn prefix_needed(&self, vertex: VertexId, gap: InstanceId) -> u64 {
        #[cfg(feature = "mutations")]
        if self.latest_only {
            return gap.slot.saturating_add(1);
        }
        self.vertex(vertex).attributes.deps.prefix(gap.replica)
    }

    /// Frees what has waited for a row and does not any more.
    pub fn free(&mut self, row: ReplicaId, candidates: &mut Vec<VertexId>) {
        let committed = self.rows[row.index()].watermark();
        // Any slot may be the one that is waited for then.
        #[cfg(feature = "mutations")]
        let committed = if self.latest_only { u64::MAX } else { committed };
        let Self { states, waiting, .. } = self;
        waiting.free(row, committed, |vertex| {
            states[vertex.index()] = State::Candidate;
            candidates.push(vertex);
        });
    }

    /// What those may wait for that reach the vertex, where it is certain that it still waits: itself, or
    /// what a link waits for.
    pub fn blocked(&mut self, vertex: VertexId) -> Option<VertexId> {
        if self.state(vertex) != State::Waiting {
            return None;
        }
        let on = if self.is_link(vertex) { self.waiting.of_link(vertex)? } else { vertex };
        self.waiting.row(on).map(|_| on)
    }

    /// Takes up a vertex that waits, so that it is searched.
    pub fn resume(&mut self, vertex: VertexId) {
        self.waiting.resume(vertex);
    }

    /// Whether anything may wait for the vertex.
    pub fn has_dependents(&self, vertex: VertexId) -> bool {
        self.waiting.has_dependents(vertex)
    }

    /// What waits for a vertex that is ready.
    pub fn take_dependents(&mut self, vertex: VertexId) -> Vec<VertexId> {
        self.waiting.take_dependents(vertex)
    }

    /// The uncommitted instance that the vertex waits for, if it does.
    pub fn blocker(&self, vertex: VertexId) -> Option<InstanceId> {
        self.waiting.row_of(vertex).map(|row| self.next_of(row))
    }

    /// Every uncommitted instance that something waits for, in order.
    pub fn blockers(&self) -> impl Iterator<Item = InstanceId> {
        self.waiting.rows().map(|row| self.next_of(row))
    }

    /// For each row that has moved on to another gap: the least of those that wait for it, and the gap.
    pub fn moved(&mut self) -> Vec<(Key, InstanceId)> {
        let rows: SmallVec<[_; REPLICAS_MAX]> = self.blockers().collect();
        let moved = |gap: InstanceId| Some((self.waiting.moved(gap.replica, gap.slot)?, gap));
        rows.into_iter().filter_map(moved).collect()
    }

    /// The first instance of a row that is not committed.
    fn next_of(&self, row: ReplicaId) -> InstanceId {
        InstanceId::new(row, self.rows[row.index()].watermark())
    }

    /// By what the vertex is ordered. Links have no order, and no use for one.
    pub fn key(&self, vertex: VertexId) -> Key {
        let vertex = self.vertices.get(vertex.index());
        vertex.map_or(LINK_KEY, |vertex| (vertex.attributes.seq, vertex.instance))
    }

    /// The first uncommitted instance in the vertex's own prefix. It is never the vertex itself,
    /// which is committed.
    pub fn gap(&self, vertex: VertexId) -> Option<InstanceId> {
        let deps = &self.vertex(vertex).attributes.deps;
        #[cfg(feature = "mutations")]
        if self.latest_only {
            return deps.iter().find(|named| self.cell(*named).is_none());
        }
        ReplicaId::all(self.rows.len()).map(|row| self.next_of(row)).find(|gap| deps.contains(*gap))
    }

    /// Appends what the vertex has to come after: not all of it, but enough to reach all of it.
    /// Its prefix must be without a gap, and [`Graph::tell`] must have been called.
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
    ///
    ///    A walk that takes long is no different: what it has not come to is covered by a link.
    ///
    /// Says what the highest `seq` of these is, where that is seen at a glance.
    pub fn edges(&mut self, vertex: VertexId, edges: &mut Edges, links: &mut Links) -> Option<u64> {
        #[cfg(feature = "mutations")]
        if self.latest_only {
            self.named_edges(vertex, edges);
            return None;
        }
        let start = edges.end();
        if let Some(highest) = self.plain_edges(vertex, edges) {
            return Some(highest);
        }
        edges.truncate(start);
        self.catch_up();
        for number in 0..self.vertex(vertex).touches.as_slice().len() {
            let touch = self.vertex(vertex).touches.as_slice()[number];
            self.touch_edges(vertex, touch, edges, links);
        }
        None
    }

    /// Appends what the vertex has to come after since it touches a key.
    fn touch_edges(
        &mut self,
        vertex: VertexId,
        touch: Touch,
        edges: &mut Edges,
        links: &mut Links,
    ) {
        let Self { rows, vertices, states, index, .. } = self;
        let Vertex { instance, attributes, .. } = &vertices[vertex.index()];
        let floor = |row| {
            let own = &rows[instance.replica.index()];
            let preceding = own.pending(preceding(index, touch, *instance, attributes)?)?;
            Some(vertices[preceding.index()].attributes.deps.prefix(row))
        };
        let mut stale = 0;
        for row_id in ReplicaId::all(rows.len()) {
            let end = attributes.deps.prefix(row_id);
            if end == 0 {
                continue;
            }
            let Some(list) = index.list(touch.key, row_id) else { continue };
            let row = &rows[row_id.index()];
            let mut visit = |slot| visit(row, slot, edges, &mut stale);
            let rests = if row_id == instance.replica {
                let above = instance.slot.saturating_add(1);
                let below = 0..end.min(instance.slot);
                let first = list.walk(above..end, touch.write, || above, &mut visit);
                [first, list.walk(below, touch.write, || 0, &mut visit)]
            } else {
                let floor = || floor(row_id).unwrap_or(0);
                [list.walk(0..end, touch.write, floor, &mut visit), None]
            };
            for slot in rests.into_iter().flatten() {
                let Touch { key, write: reads } = touch;
                let link = Link { key, row: row_id, reads, slot };
                edges.push(links.vertex(link, || add_link(states)));
            }
        }
        self.came_by_stale(touch.key, stale);
    }

    /// Appends what a link leads to: the first that it covers, and the link to the rest, where that one
    /// does not lead to it anyway.
    pub fn link_edges(&mut self, link: Link, edges: &mut Edges, links: &mut Links) {
        let Self { rows, states, index, .. } = self;
        let row = &rows[link.row.index()];
        let mut stale = 0;
        if let Some(list) = index.list(link.key, link.row) {
            let visit = |slot| visit(row, slot, edges, &mut stale);
            if let Some(slot) = list.step(link.slot, link.reads, visit) {
                edges.push(links.vertex(Link { slot, ..link }, || add_link(states)));
            }
        }
        self.came_by_stale(link.key, stale);
    }

    /// Drops executed instances from the lists of a key, where so many were come by that this is due.
    fn came_by_stale(&mut self, key: KeyId, stale: usize) {
        if stale > 0 {
            let Self { rows, index, .. } = self;
            let is_executed = |instance: InstanceId| {
                rows[instance.replica.index()].pending(instance.slot).is_none()
            };
            index.came_by_stale(key, stale, is_executed);
        }
    }

    /// The edges of a vertex, where they can be told without looking for them: in each row, all that it
    /// depends on is executed, or the last one that it names is a write to the one key and leads to all
    /// that comes before it in its row, as a walk from there would find. The largest `seq` of these
    /// then; `None` where that is not so.
    fn plain_edges(&self, vertex: VertexId, edges: &mut Edges) -> Option<u64> {
        let Vertex { instance, attributes, touches, .. } = self.vertex(vertex);
        let mut highest = 0;
        for touch in touches.as_slice() {
            let mut last = |row: &Row, end: u64| {
                if end > row.executed() {
                    let last = row.glance(end - 1)?;
                    if last.leading != Some(touch.key) {
                        return None;
                    }
                    highest = highest.max(last.seq);
                    edges.push(last.vertex);
                }
                Some(())
            };
            for (row_id, row) in self.rows.iter().enumerate() {
                let row_id = ReplicaId::from_index(row_id);
                let end = attributes.deps.prefix(row_id);
                if row_id == instance.replica && end > instance.slot {
                    // In two parts, as where it is walked; the vertex itself is in neither.
                    last(row, instance.slot)?;
                    if end > instance.slot + 1 {
                        last(row, end)?;
                    }
                } else {
                    last(row, end)?;
                }
            }
        }
        Some(highest)
    }

    /// Takes vertices out, and marks their instances as executed.
    pub fn execute(&mut self, executed: impl ExactSizeIterator<Item = (VertexId, InstanceId)>) {
        if executed.len() == self.vertices.len() - self.vacant.len() {
            return self.execute_all();
        }
        for (vertex, instance) in executed {
            self.rows[instance.replica.index()].mark_executed(instance.slot);
            self.vertices[vertex.index()] = Vertex::vacant();
            self.states[vertex.index()] = State::Candidate;
            self.waiting.forget(vertex);
            self.vacant.push(vertex);
        }
    }

    /// Takes all vertices out.
    pub fn execute_all(&mut self) {
        self.rows.iter_mut().for_each(Row::mark_all_executed);
        self.vertices.clear();
        self.states.clear();
        self.waiting.clear();
        self.vacant.clear();
        self.unindexed.clear();
        self.told = 0;
        self.unindexed_most = UNINDEXED_MAX;
    }

    /// Puts a vertex in a free place of the table.
    fn place(&mut self, vertex: Vertex) -> VertexId {
        if let Some(id) = self.vacant.pop() {
            self.vertices[id.index()] = vertex;
            return id;
        }
        self.vertices.push(vertex);
        self.states.push(State::Candidate);
        VertexId::from_count(self.vertices.len())
    }

    /// Moves the row's watermark over what is committed without a gap. Only that is admitted, so that
    /// what is known of a key is in slot order and never misses an earlier instance.
    fn admit(&mut self, row: ReplicaId) {
        loop {
            let slots = &mut self.rows[row.index()];
            let slot = slots.watermark();
            match slots.advance() {
                Some(Cell::Pending(_)) => self.admit_one(InstanceId::new(row, slot)),
                // What was executed ahead of the watermark is no one's dependency any more.
                Some(Cell::Executed) => {}
                None => break,
            }
        }
    }

    /// Admits an instance of which all that comes before it in its row is admitted.
    fn admit_one(&mut self, instance: InstanceId) {
        let Self { rows, unindexed, told, unindexed_most, .. } = self;
        unindexed.push(instance);
        if unindexed.len() > *unindexed_most {
            let is_pending = |it: &InstanceId| rows[it.replica.index()].pending(it.slot).is_some();
            *told = unindexed[..*told].iter().filter(|it| is_pending(it)).count();
            unindexed.retain(is_pending);
            *unindexed_most = UNINDEXED_MAX.max(2 * unindexed.len());
        }
    }

    /// Tells of all that is committed without a gap whether it leads, so that edges can be told. As a rule
    /// what is committed is executed at once, and nobody asks.
    pub fn tell(&mut self) {
        let Self { rows, vertices, tails, unindexed, told, .. } = self;
        for instance in &unindexed[*told..] {
            let cell = rows[instance.replica.index()].cell_mut(instance.slot);
            let Some(Cell::Pending(pending)) = cell else { continue };
            let Vertex { attributes, touches, .. } = &vertices[pending.vertex.index()];
            let prefix = attributes.deps.prefix(instance.replica);
            pending.leading = tails.lead(*instance, prefix, touches.as_slice());
        }
        *told = unindexed.len();
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
        self.told = 0;
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

/// Appends an edge to an instance, or counts it where it is executed already.
fn visit(row: &Row, slot: u64, edges: &mut Edges, stale: &mut usize) {
    match row.pending(slot) {
        Some(target) => edges.push(target),
        None => *stale += 1,
    }
}

/// Adds a link. Its edges are told once a search comes by.
fn add_link(states: &mut Vec<State>) -> VertexId {
    states.push(State::Candidate);
    VertexId::from_count(states.len())
}

/// How many instances wait to be indexed until those are sorted out that are executed, at the least. Low
/// in tests, so that small logs reach it.
const UNINDEXED_MAX: usize = if cfg!(test) { 1 } else { 256 };
