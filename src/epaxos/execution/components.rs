//! Tarjan's search for strongly connected components, without recursion.

use crate::epaxos::execution::graph::{Graph, State, VertexId};
use crate::epaxos::id::InstanceId;

/// A search through the graph, from one root after another.
pub struct Search<'a> {
    graph: &'a mut Graph,
    /// What has been come by, in order of arrival. A vertex's place here is its number.
    visits: Vec<Visit>,
    /// The edges of all visits; each visit owns a range.
    edges: Vec<VertexId>,
    /// The numbers from the root to where the search stands: what recursion would keep in frames.
    path: Vec<usize>,
    /// The numbers that are not in a component yet.
    open: Vec<usize>,
    /// The members of all components found, one component after another.
    members: Vec<VertexId>,
    /// Where in `members` each component ends.
    ends: Vec<usize>,
    blocked: Vec<(VertexId, InstanceId)>,
    followed: u64,
}

/// What a search keeps of a vertex.
struct Visit {
    vertex: VertexId,
    /// The lowest number known to be reached that is still open.
    low: usize,
    /// Its first edge.
    start: usize,
    /// The edge to follow next.
    next: usize,
    /// Where its edges end.
    end: usize,
    component: Option<usize>,
}

/// What a search found.
pub struct Found {
    visits: Vec<Visit>,
    edges: Vec<VertexId>,
    members: Vec<VertexId>,
    ends: Vec<usize>,
    /// Which vertices cannot be executed, and what they wait for.
    pub blocked: Vec<(VertexId, InstanceId)>,
    /// How many edges were followed.
    pub followed: u64,
}

impl<'a> Search<'a> {
    /// A search that has seen nothing yet.
    pub fn new(graph: &'a mut Graph) -> Self {
        Self {
            graph,
            visits: Vec::new(),
            edges: Vec::new(),
            path: Vec::new(),
            open: Vec::new(),
            members: Vec::new(),
            ends: Vec::new(),
            blocked: Vec::new(),
            followed: 0,
        }
    }

    /// Whether there is anything to learn from starting at the vertex.
    pub fn is_new(&self, vertex: VertexId) -> bool {
        let vertex = self.graph.vertex(vertex);
        vertex.state == State::Candidate && vertex.visit.is_none()
    }

    /// Finds the components of all that the root reaches; or what is in the way.
    pub fn explore(&mut self, root: VertexId) {
        if let Err(blocker) = self.descend(root) {
            self.abandon(blocker);
        }
    }

    /// What was found.
    pub fn finish(self) -> Found {
        let Self { visits, edges, members, ends, blocked, followed, .. } = self;
        Found { visits, edges, members, ends, blocked, followed }
    }

    /// Follows edges until all are followed, or something uncommitted is in the way.
    fn descend(&mut self, root: VertexId) -> Result<(), InstanceId> {
        self.enter(root)?;
        while let Some(&number) = self.path.last() {
            let visit = &mut self.visits[number];
            if visit.next == visit.end {
                self.leave(number);
                continue;
            }
            let target = self.edges[visit.next];
            visit.next += 1;
            self.followed += 1;
            let vertex = self.graph.vertex(target);
            match (vertex.state, vertex.visit) {
                (State::Waiting(blocker), _) => return Err(blocker),
                (State::Candidate, None) => self.enter(target)?,
                (State::Candidate, Some(seen)) => {
                    if self.visits[seen].component.is_none() {
                        let low = &mut self.visits[number].low;
                        *low = seen.min(*low);
                    }
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, vertex: VertexId) -> Result<(), InstanceId> {
        let number = self.visits.len();
        let start = self.edges.len();
        let mut visit =
            Visit { vertex, low: number, start, next: start, end: start, component: None };
        self.graph.vertex_mut(vertex).visit = Some(number);
        self.open.push(number);
        self.path.push(number);
        let gap = self.graph.gap(vertex);
        if gap.is_none() {
            self.graph.edges(vertex, &mut self.edges);
            visit.end = self.edges.len();
        }
        self.visits.push(visit);
        gap.map_or(Ok(()), Err)
    }

    /// All edges of the path's last vertex are followed: it either completes a component, or
    /// belongs to that of a vertex before it on the path.
    fn leave(&mut self, number: usize) {
        self.path.pop();
        let low = self.visits[number].low;
        if low == number {
            return self.close(number);
        }
        let parent = *self.path.last().expect("a vertex that reaches back was entered from there");
        let parent = &mut self.visits[parent];
        parent.low = parent.low.min(low);
    }

    /// All that is open from `number` on is one component.
    fn close(&mut self, number: usize) {
        let component = self.ends.len();
        let first = self.members.len();
        let split = self.open.partition_point(|open| *open < number);
        for open in self.open.drain(split..) {
            let visit = &mut self.visits[open];
            visit.component = Some(component);
            self.members.push(visit.vertex);
        }
        if self.members.len() - first > 1 {
            self.members[first..].sort_unstable_by_key(|member| self.graph.key(*member));
        }
        self.ends.push(self.members.len());
    }

    /// Gives up on all that is open: all of it reaches `blocker`.
    ///
    /// What is on the path reaches the path's end, which reaches the blocker. What is open but off
    /// the path has been left without completing a component, so it reaches something open with a
    /// lower number; and that again, until it is on the path. The components completed so far
    /// reach nothing open, hence are ready all the same.
    fn abandon(&mut self, blocker: InstanceId) {
        self.path.clear();
        for number in self.open.drain(..) {
            let id = self.visits[number].vertex;
            let vertex = self.graph.vertex_mut(id);
            vertex.state = State::Waiting(blocker);
            vertex.visit = None;
            self.blocked.push((id, blocker));
        }
    }
}

impl Found {
    /// How many components are ready.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The members of a component, in execution order.
    pub fn members(&self, component: usize) -> &[VertexId] {
        let start = component.checked_sub(1).map_or(0, |previous| self.ends[previous]);
        &self.members[start..self.ends[component]]
    }

    /// The components that a component has to come after, some of them repeatedly.
    pub fn prerequisites(&self, graph: &Graph, component: usize) -> impl Iterator<Item = usize> {
        let visit = |vertex| {
            let number = graph.vertex(vertex).visit;
            &self.visits[number.expect("what is ready was visited")]
        };
        self.members(component)
            .iter()
            .flat_map(move |member| &self.edges[visit(*member).start..visit(*member).end])
            .map(move |target| visit(*target).component.expect("what a component reaches is ready"))
            .filter(move |other| *other != component)
    }
}
