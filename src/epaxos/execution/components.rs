//! Tarjan's search for strongly connected components, without recursion.

use std::ops::Range;

use crate::epaxos::execution::Blocked;
use crate::epaxos::execution::edges::{Edges, Place};
use crate::epaxos::execution::graph::{Graph, Key, LINK_KEY, State, VertexId};
use crate::epaxos::execution::links::Links;
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
    /// The edges of all candidates that have no gap, and then of whatever else was come by.
    edges: Edges,
    links: Links,
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
    /// The links of components, each with the number of its component.
    linking: Vec<(u32, u32)>,
    blocked: Vec<Blocked>,
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
    /// The links of components, in order of these, each with the number of its component.
    linking: Vec<(u32, u32)>,
    /// Which instances cannot be executed, and what they wait for.
    pub blocked: Vec<Blocked>,
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
        let mut links = Links::default();
        let mut roots = Vec::with_capacity(candidates.len());
        for vertex in candidates.iter().copied() {
            let first = edges.end();
            let key = graph.key(vertex);
            let (state, highest) = if graph.gap(vertex).is_some() {
                (State::Gapped, None)
            } else {
                (State::Unvisited(first), graph.edges(vertex, &mut edges, &mut links))
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
            links,
            visits: Vec::with_capacity(candidates.len()),
            path: Vec::new(),
            open: Vec::new(),
            members: Vec::with_capacity(candidates.len()),
            ends: Vec::with_capacity(candidates.len()),
            linking: Vec::new(),
            blocked: Vec::new(),
            started: 0,
            followed: 0,
        }
    }

    /// Finds the components of all that the candidates reach, and of what has waited for these; or what
    /// is in the way.
    pub fn run(mut self) -> Found {
        for Root { key, vertex, descends } in std::mem::take(&mut self.roots) {
            let state = self.graph.state(vertex);
            if !matches!(state, State::Unvisited(_) | State::Gapped) {
                continue;
            }
            match (state, descends) {
                (State::Unvisited(first), Some(edges)) if self.blocked.is_empty() => {
                    self.started += 1;
                    self.followed += u64::from(edges);
                    let number = self.visit(vertex, key, first);
                    self.close(number);
                }
                _ => self.start(vertex, key),
            }
        }
        self.wake_dependents();
        let Self { visits, edges, members, ends, linking, blocked, started, followed, .. } = self;
        Found { visits, edges, members, ends, linking, blocked, started, followed }
    }

    /// Searches from one vertex.
    fn start(&mut self, vertex: VertexId, key: Key) {
        self.started += 1;
        if let Err(on) = self.descend(vertex, key) {
            self.abandon(on);
        }
    }

    /// Searches from all that waits for what is ready now.
    fn wake_dependents(&mut self) {
        let mut number = 0;
        while let Some(member) = self.members.get(number) {
            let ready = self.visits[*member as usize].vertex;
            for dependent in self.graph.take_dependents(ready) {
                // Unless the search came by meanwhile.
                if self.graph.state(dependent) == State::Waiting {
                    self.tell(dependent);
                    self.start(dependent, self.graph.key(dependent));
                }
            }
            number += 1;
        }
    }

    /// Follows edges until all are followed, or something is in the way: a vertex that waits, or has a gap.
    fn descend(&mut self, root: VertexId, key: Key) -> Result<(), VertexId> {
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
                State::Waiting => self.enter_waiting(target)?,
                // All else that is no link and no candidate waits.
                State::Candidate => {
                    self.tell(target);
                    self.enter(target, LINK_KEY)?;
                }
            }
        }
        Ok(())
    }

    /// Comes to a vertex that waits. It is in the way if its tree's root still waits. Otherwise it may be
    /// ready by now, and is searched. But it may be one of very many that have waited for what is searched:
    /// where one of the other edges leads to what is in the way for certain, that will do.
    fn enter_waiting(&mut self, target: VertexId) -> Result<(), VertexId> {
        if let Some(on) = self.graph.blocked(target) {
            return Err(on);
        }
        let mut ahead = self.path.last().expect("a vertex led here").next;
        while let Some(other) = self.edges.follow(&mut ahead) {
            match self.graph.state(other) {
                State::Gapped => return self.enter(other, self.graph.key(other)),
                State::Waiting => self.graph.blocked(other).map_or(Ok(()), Err)?,
                _ => {}
            }
        }
        self.tell(target);
        self.enter(target, self.graph.key(target))
    }

    /// Appends the edges of a vertex that was no candidate: one that has waited, which has no gap, or a link.
    fn tell(&mut self, vertex: VertexId) {
        let Self { graph, edges, links, .. } = self;
        let first = edges.end();
        if let Some(number) = graph.link_number(vertex) {
            graph.link_edges(links.link(number), edges, links);
        } else {
            graph.resume(vertex);
            graph.edges(vertex, edges, links);
        }
        edges.close();
        graph.set_state(vertex, State::Unvisited(first));
    }

    fn enter(&mut self, vertex: VertexId, key: Key) -> Result<(), VertexId> {
        let State::Unvisited(first) = self.graph.state(vertex) else {
            // It has no edges; nobody will follow the first one.
            self.visit(vertex, key, self.edges.end());
            return Err(vertex);
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
        let component = number(self.ends.len());
        let start = self.members.len();
        while let Some(member) = self.open.pop_if(|open| *open >= first) {
            let vertex = self.visits[member as usize].vertex;
            self.graph.set_state(vertex, State::Ready(component));
            if self.graph.is_link(vertex) {
                self.linking.push((component, member));
            } else {
                self.members.push(member);
            }
        }
        self.members[start..].sort_unstable_by_key(|member| self.visits[*member as usize].key);
        self.ends.push(self.members.len());
    }

    /// Gives up on all that is open: all of it reaches `on`, which waits, or is open and has a gap.
    ///
    /// What is on the path reaches the path's end, which reaches `on`. What is open but off
    /// the path has been left without completing a component, so it reaches something open with a
    /// lower number; and that again, until it is on the path. The components completed so far
    /// reach nothing open, hence are ready all the same.
    fn abandon(&mut self, on: VertexId) {
        self.path.clear();
        let blocker = self.graph.blocker(on).or_else(|| self.graph.gap(on));
        let blocker = blocker.expect("what is in the way waits, or has a gap");
        for number in self.open.drain(..) {
            let vertex = self.visits[number as usize].vertex;
            let again = self.graph.wait(vertex, on);
            if !self.graph.is_link(vertex) {
                let instance = self.graph.vertex(vertex).instance;
                self.blocked.push(Blocked { instance, on: blocker, again });
            }
        }
    }
}

impl Found {
    /// How many components there are. Links are components, too, where they are in none with an
    /// instance.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether a component has no instances, but a link.
    pub fn is_link(&self, component: usize) -> bool {
        !self.linking.is_empty() && self.range(component).is_empty()
    }

    /// How many edges were told.
    pub fn told(&self) -> u64 {
        self.edges.len() as u64
    }

    /// By what a component is ordered: its least member. It must have one.
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
        let first = self.linking.partition_point(|(of, _)| (*of as usize) < component);
        let links =
            self.linking[first..].iter().take_while(move |(of, _)| *of as usize == component);
        let links = links.map(|(_, link)| &self.visits[*link as usize]);
        self.visits(component)
            .chain(links)
            .flat_map(|visit| self.edges.from(visit.first))
            .map(move |vertex| component_of(&vertex))
            .filter(move |other| *other != component)
    }

    fn visits(&self, component: usize) -> impl Iterator<Item = &Visit> {
        self.members[self.range(component)].iter().map(|member| &self.visits[*member as usize])
    }

    /// Where the members of a component are.
    fn range(&self, component: usize) -> Range<usize> {
        component.checked_sub(1).map_or(0, |previous| self.ends[previous])..self.ends[component]
    }
}

/// A count of visits or components as their next number.
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than four billion instances wait to be executed")
}
