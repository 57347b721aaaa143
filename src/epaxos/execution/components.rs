//! Tarjan's search for strongly connected components, without recursion.

use crate::epaxos::execution::Blocked;
use crate::epaxos::execution::graph::{Graph, Key, State, VertexId};
use crate::epaxos::id::InstanceId;

/// A search through the graph, from one root after another.
pub struct Search<'a> {
    graph: &'a mut Graph,
    /// What has been come by, in order of arrival. A vertex's place here is its number.
    visits: Vec<Visit>,
    /// The edges of all visits; each visit owns a range.
    edges: Vec<VertexId>,
    /// The numbers from the root to where the search stands: what recursion would keep in frames.
    path: Vec<u32>,
    /// The numbers that are not in a component yet.
    open: Vec<u32>,
    /// The numbers of the members of all components found, one component after another.
    members: Vec<u32>,
    /// Where in `members` each component ends.
    ends: Vec<usize>,
    blocked: Vec<(VertexId, Blocked)>,
    followed: u64,
}

/// What a search keeps of a vertex.
struct Visit {
    vertex: VertexId,
    /// By what the vertex is ordered. A copy: what is visited together lies together here.
    key: Key,
    /// The lowest number known to be reached that is still open.
    low: u32,
    /// Its first edge.
    start: usize,
    /// The edge to follow next.
    next: usize,
    /// Where its edges end.
    end: usize,
}

/// What a search found.
pub struct Found {
    visits: Vec<Visit>,
    edges: Vec<VertexId>,
    members: Vec<u32>,
    ends: Vec<usize>,
    /// Which vertices cannot be executed, and what they wait for.
    pub blocked: Vec<(VertexId, Blocked)>,
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
        self.graph.state(vertex) == State::Candidate
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
            let visit = &mut self.visits[number as usize];
            if visit.next == visit.end {
                self.leave(number);
                continue;
            }
            let target = self.edges[visit.next];
            visit.next += 1;
            self.followed += 1;
            match self.graph.state(target) {
                State::Candidate => self.enter(target)?,
                State::Open(seen) => visit.low = visit.low.min(seen),
                State::Ready(_) => {}
                State::Waiting => {
                    let blocker = self.graph.vertex(target).blocker;
                    return Err(blocker.expect("what waits, waits for something"));
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, vertex: VertexId) -> Result<(), InstanceId> {
        let number = number(self.visits.len());
        let start = self.edges.len();
        self.graph.set_state(vertex, State::Open(number));
        self.open.push(number);
        self.path.push(number);
        let gap = self.graph.gap(vertex);
        if gap.is_none() {
            self.graph.edges(vertex, &mut self.edges);
        }
        let (key, end) = (self.graph.key(vertex), self.edges.len());
        self.visits.push(Visit { vertex, key, low: number, start, next: start, end });
        gap.map_or(Ok(()), Err)
    }

    /// All edges of the path's last vertex are followed: it either completes a component, or
    /// belongs to that of a vertex before it on the path.
    fn leave(&mut self, number: u32) {
        self.path.pop();
        let low = self.visits[number as usize].low;
        if low == number {
            return self.close(number);
        }
        let parent = *self.path.last().expect("a vertex that reaches back was entered from there");
        let parent = &mut self.visits[parent as usize];
        parent.low = parent.low.min(low);
    }

    /// All that is open from `first` on is one component.
    fn close(&mut self, first: u32) {
        let component = State::Ready(number(self.ends.len()));
        let start = self.members.len();
        while let Some(member) = self.open.pop_if(|open| *open >= first) {
            self.graph.set_state(self.visits[member as usize].vertex, component);
            self.members.push(member);
        }
        self.members[start..].sort_unstable_by_key(|member| self.visits[*member as usize].key);
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
            let vertex = self.visits[number as usize].vertex;
            let again = self.graph.wait(vertex, blocker);
            self.blocked.push((
                vertex,
                Blocked { instance: self.graph.vertex(vertex).instance, on: blocker, again },
            ));
        }
    }
}

impl Found {
    /// How many components are ready.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// By what a component is ordered: its least member.
    pub fn least(&self, component: usize) -> Key {
        self.visits(component).next().expect("a component has members").key
    }

    /// The members of a component, in execution order.
    pub fn members(&self, component: usize) -> impl Iterator<Item = InstanceId> {
        self.visits(component).map(|visit| visit.key.1)
    }

    /// The members of all components, in no particular order.
    pub fn all(&self) -> impl ExactSizeIterator<Item = (VertexId, InstanceId)> {
        let visit = |member: &u32| &self.visits[*member as usize];
        self.members.iter().map(visit).map(|visit| (visit.vertex, visit.key.1))
    }

    /// The components that a component has to come after, some of them repeatedly.
    pub fn prerequisites(&self, graph: &Graph, component: usize) -> impl Iterator<Item = usize> {
        let component_of = |vertex: &VertexId| match graph.state(*vertex) {
            State::Ready(component) => component as usize,
            state => unreachable!("what a component reaches is ready, not {state:?}"),
        };
        self.visits(component)
            .flat_map(|visit| &self.edges[visit.start..visit.end])
            .map(component_of)
            .filter(move |other| *other != component)
    }

    fn visits(&self, component: usize) -> impl Iterator<Item = &Visit> {
        let start = component.checked_sub(1).map_or(0, |previous| self.ends[previous]);
        let members = &self.members[start..self.ends[component]];
        members.iter().map(|member| &self.visits[*member as usize])
    }
}

/// A count of visits or components as their next number.
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than four billion instances wait to be executed")
}
