//! Tarjan's search for strongly connected components, without recursion.

use crate::epaxos::execution::Blocked;
use crate::epaxos::execution::edges::{Edges, Place};
use crate::epaxos::execution::graph::{Graph, Key, State, VertexId};
use crate::epaxos::id::InstanceId;

/// A search through the graph, from one candidate after another.
///
/// The edges of all candidates are told before anything is searched, in the order in which they were
/// committed. What one has to do with does not wait for another then, and it lies in memory as it is
/// read: told on the way, edges cost most of the time that a search takes.
pub struct Search<'a> {
    graph: &'a mut Graph,
    /// The candidates, by key.
    roots: Vec<Root>,
    /// The edges of all candidates that have no gap.
    edges: Edges,
    /// What has been come by, in order of arrival. A vertex's place here is its number.
    visits: Vec<Visit>,
    /// From the root to where the search stands: what recursion would keep in frames.
    path: Vec<Step>,
    /// The numbers that are not in a component yet.
    open: Vec<u32>,
    /// The numbers of the members of all components found, one component after another.
    members: Vec<u32>,
    /// Where in `members` each component ends.
    ends: Vec<usize>,
    blocked: Vec<(VertexId, Blocked)>,
    started: u64,
    followed: u64,
}

/// A candidate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Root {
    key: Key,
    vertex: VertexId,
    /// How many edges there are, where all of them lead to what has a lower `seq`, and nothing waits. All
    /// of that has been searched when it is the root's turn, and is ready if nothing was found blocked:
    /// it completes a component of its own, and where the edges lead needs no look.
    descends: Option<u16>,
}

/// A vertex on the path.
struct Step {
    number: u32,
    /// The edge to follow next.
    next: Place,
}

/// What a search keeps of a vertex.
struct Visit {
    vertex: VertexId,
    /// By what the vertex is ordered. A copy: what is visited together lies together here.
    key: Key,
    /// The lowest number known to be reached that is still open.
    low: u32,
    /// Its first edge.
    first: Place,
}

/// What a search found.
pub struct Found {
    visits: Vec<Visit>,
    edges: Edges,
    members: Vec<u32>,
    ends: Vec<usize>,
    /// Which vertices cannot be executed, and what they wait for.
    pub blocked: Vec<(VertexId, Blocked)>,
    /// From how many candidates a search was begun.
    pub started: u64,
    /// How many edges were followed.
    pub followed: u64,
}

impl<'a> Search<'a> {
    /// A search that has seen nothing yet. Told is whether nothing else that is committed waits.
    pub fn new(graph: &'a mut Graph, candidates: &[VertexId], none_waits: bool) -> Self {
        graph.tell();
        // One for each row is what there is where rows do not wait for each other.
        let mut edges = Edges::with_capacity(candidates.len() * (graph.replicas() + 1));
        let mut roots = Vec::with_capacity(candidates.len());
        for vertex in candidates.iter().copied() {
            let first = edges.end();
            let key = graph.key(vertex);
            let (state, highest) = if graph.gap(vertex).is_some() {
                (State::Gapped, None)
            } else {
                (State::Unvisited(first), graph.edges(vertex, &mut edges))
            };
            let (seq, _) = key;
            let count = u16::try_from(edges.count_from(first)).ok();
            let are_lower = highest.is_some_and(|highest| highest < seq);
            let descends = count.filter(|_| are_lower && none_waits);
            edges.close();
            roots.push(Root { key, vertex, descends });
            graph.set_state(vertex, state);
        }
        roots.sort_unstable();
        Self {
            graph,
            roots,
            edges,
            visits: Vec::with_capacity(candidates.len()),
            path: Vec::new(),
            open: Vec::new(),
            members: Vec::with_capacity(candidates.len()),
            ends: Vec::with_capacity(candidates.len()),
            blocked: Vec::new(),
            started: 0,
            followed: 0,
        }
    }

    /// Finds the components of all that the candidates reach; or what is in the way.
    pub fn run(mut self) -> Found {
        for Root { key, vertex, descends } in std::mem::take(&mut self.roots) {
            let state = self.graph.state(vertex);
            if !matches!(state, State::Unvisited(_) | State::Gapped) {
                continue;
            }
            self.started += 1;
            match (state, descends) {
                (State::Unvisited(first), Some(edges)) if self.blocked.is_empty() => {
                    self.followed += u64::from(edges);
                    let number = self.visit(vertex, key, first);
                    self.close(number);
                }
                _ => {
                    if let Err(blocker) = self.descend(vertex, key) {
                        self.abandon(blocker);
                    }
                }
            }
        }
        let Self { visits, edges, members, ends, blocked, started, followed, .. } = self;
        Found { visits, edges, members, ends, blocked, started, followed }
    }

    /// Follows edges until all are followed, or something uncommitted is in the way.
    fn descend(&mut self, root: VertexId, key: Key) -> Result<(), InstanceId> {
        self.enter(root, key)?;
        while let Some(Step { number, next }) = self.path.last_mut() {
            let Some(target) = self.edges.follow(next) else {
                let number = *number;
                self.path.pop();
                self.leave(number);
                continue;
            };
            self.followed += 1;
            match self.graph.state(target) {
                State::Unvisited(_) | State::Gapped => {
                    self.enter(target, self.graph.key(target))?;
                }
                State::Open(seen) => {
                    let low = &mut self.visits[*number as usize].low;
                    *low = seen.min(*low);
                }
                State::Ready(_) => {}
                State::Waiting => {
                    let blocker = self.graph.blocker(target);
                    return Err(blocker.expect("what waits, waits for something"));
                }
                State::Candidate => {
                    unreachable!("the search knows all candidates")
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, vertex: VertexId, key: Key) -> Result<(), InstanceId> {
        let State::Unvisited(first) = self.graph.state(vertex) else {
            // It has no edges; nobody will follow the first one.
            self.visit(vertex, key, self.edges.end());
            return Err(self.graph.gap(vertex).expect("a gap stays while there is a search"));
        };
        let number = self.visit(vertex, key, first);
        self.path.push(Step { number, next: first });
        Ok(())
    }

    /// Opens a vertex whose edges begin at `first`, and gives it its number.
    fn visit(&mut self, vertex: VertexId, key: Key, first: Place) -> u32 {
        let number = number(self.visits.len());
        self.graph.set_state(vertex, State::Open(number));
        self.open.push(number);
        self.visits.push(Visit { vertex, key, low: number, first });
        number
    }

    /// All edges of a vertex, which was the path's last, are followed: it either completes a component,
    /// or belongs to that of a vertex before it on the path.
    fn leave(&mut self, number: u32) {
        let low = self.visits[number as usize].low;
        if low == number {
            return self.close(number);
        }
        let parent = self.path.last().expect("a vertex that reaches back was entered from there");
        let parent = &mut self.visits[parent.number as usize];
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
            .flat_map(|visit| self.edges.from(visit.first))
            .map(move |vertex| component_of(&vertex))
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
