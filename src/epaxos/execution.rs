//! In which order committed instances are executed.
//!
//! # The rule
//!
//! Commit decides a command and its attributes, not a position. The positions follow from the
//! graph in which a committed instance has an edge to each instance that it depends on: go through
//! the strongly connected components of that graph, dependencies first, and inside a component by
//! `(seq, replica, slot)`. All three are needed: `seq` may tie, and two instances of one replica
//! may share a component, as in R0.1 → R1.1 → R0.2 → R0.1. Among components that could come next,
//! the one with the lowest such member goes first. Interfering commands are never in that
//! position, so this is only to have one answer.
//!
//! Every replica arrives at the same order of interfering commands, whatever it learns first,
//! since all of this is a function of what was agreed on; and since of two interfering instances
//! at least one depends on the other.
//!
//! # Why an entry means a prefix
//!
//! The dependencies of an instance are one number a row: every interfering instance of that row up
//! to this slot. The edges are the members of these prefixes that interfere. One could mean just
//! the instance named, the latest one, and trust it to depend on those before it. But recovery
//! may turn that one into a no-op, which depends on nothing; the chain is cut, and two replicas
//! disagree on what the cut has set free.
//!
//! The price: which members interfere is known only when all of them are committed. So an instance
//! waits until its whole prefix is committed, members that turn out not to interfere included. And
//! so do all that depend on it.
//!
//! # What is in the way
//!
//! Each instance is in exactly one of four states.
//!
//! ```text
//!  uncommitted ──► candidate ──► executed
//!                   │     ▲
//!                   ▼     │ that is committed, or executed
//!                  waiting for a prefix of one row, or for one instance
//! ```
//!
//! [`Execution::advance`] searches the graph from each candidate, and from nothing else. A search
//! that comes upon a gap in a prefix, or upon something that waits, is over: all that is open in it waits
//! for that, and is not searched again until that changes, unless something that was freed reaches it
//! (`waiting`). What a search completes is executed and leaves the graph, and what has waited for it is
//! searched next. It may leave, since what an executed instance depends on is executed as well.
//!
//! # How it stays linear
//!
//! Prefixes are long, and their members reach each other; the search needs only enough edges to
//! reach them all. For each key and row there is a list of the instances that touch it. A walk
//! back through it ends at the first write that itself depends on what comes before. Nothing is
//! assumed about the input for that: where a log is not one the protocol could have made, or where very
//! much is read, walks would get longer. So a walk takes only so many steps, and leaves the rest to
//! links, which all that depend on the same prefix share (`links`). The search keeps its path in a vector rather than in
//! stack frames, so a chain may be as long as memory is large.
//!
//! Most of this is for rare cases. What is committed after all that it depends on is executed
//! without a look at anything else. Where there is something to search, three things are tried before
//! the lists, which are not even made before they are needed: who depends on nothing but lower `seq`s
//! is a component of its own; the last instance that is named in each row mostly reaches all
//! before it in that row; and where very many come at once, as after a restart, and all rows could be executed
//! in turn, their edges are not even told (`in_turn`).
//!
//! # What is left out
//!
//! Under lasting contention a component may keep growing before it can complete; nothing here
//! slows clients down to prevent it. And nothing is executed early, where commands commute with
//! what they wait for.

mod components;
mod edges;
mod graph;
mod in_turn;
mod index;
mod links;
mod order;
mod row;
#[cfg(test)]
mod tests;
mod vertex;
mod waiting;

use smallvec::SmallVec;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::execution::components::{Found, Search};
use crate::epaxos::execution::graph::{Graph, Key, VertexId};
use crate::epaxos::execution::row::{Cell, Pending};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::keys::{KeyId, Touches};

/// What is committed at one replica, and how much of it is executed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Execution {
    graph: Graph,
    /// What the next pass starts from.
    candidates: Vec<VertexId>,
    pending: usize,
}

/// What one call of [`Execution::advance`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pass {
    /// What is now executed, in order.
    pub components: Components,
    /// How many instances were looked at as the start of a search.
    pub candidates: u64,
    /// How many edges were followed.
    pub edges: u64,
    /// How many edges were told, followed or not, and where instances had too many, links among them.
    /// It is this that takes memory, as long as the pass.
    pub told: u64,
    /// Which instances were found blocked.
    pub blocked: Vec<Blocked>,
}

/// An instance that is committed and cannot be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blocked {
    /// Which.
    pub instance: InstanceId,
    /// The uncommitted instance that it waits for.
    pub on: InstanceId,
    /// Whether it has waited for another one before.
    pub again: bool,
}

/// Strongly connected components, each of instances that are executed together, in execution order. As
/// a rule it is one, of one instance, and takes no room of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Components {
    /// The members of all, one component after another, no-ops included.
    members: SmallVec<[InstanceId; 1]>,
    /// Where in `members` each component ends.
    ends: SmallVec<[usize; 1]>,
}

impl Components {
    /// The members of each component.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[InstanceId]> {
        let mut start = 0;
        self.ends.iter().map(move |end| &self.members[std::mem::replace(&mut start, *end)..*end])
    }

    /// How many components there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether nothing is executed.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The instance that is executed last.
    pub fn last(&self) -> Option<InstanceId> {
        self.members.last().copied()
    }

    fn push(&mut self, members: impl Iterator<Item = InstanceId>) {
        self.members.extend(members);
        self.ends.push(self.members.len());
    }
}

#[cfg(test)]
impl Pass {
    /// All that the pass has had to do with, counted.
    fn work(&self) -> u64 {
        self.candidates + self.edges + self.told + self.blocked.len() as u64
    }
}

impl Execution {
    /// Nothing committed in a cluster of `replicas`.
    pub fn new(replicas: usize) -> Self {
        Self { graph: Graph::new(replicas), candidates: Vec::new(), pending: 0 }
    }

    /// The same, broken on purpose: a dependency means the one instance it names.
    #[cfg(feature = "mutations")]
    #[must_use]
    pub fn latest_only(mut self) -> Self {
        self.graph.latest_only();
        self
    }

    /// Takes note of a decision, and of the keys that it touches. A decision is taken once.
    pub fn commit(&mut self, instance: InstanceId, attributes: Attributes, touches: Touches) {
        let vertex = self.graph.commit(instance, attributes, touches);
        self.pending += 1;
        self.candidates.push(vertex);
        self.graph.free(instance.replica, &mut self.candidates);
    }

    /// Executes everything that has become executable since the last call.
    pub fn advance(&mut self) -> Pass {
        let mut pass = Pass::default();
        let moved = self.graph.moved();
        match self.candidates[..] {
            [] => {}
            [vertex] if self.graph.is_free(vertex) && !self.graph.has_dependents(vertex) => {
                self.candidates.clear();
                self.execute_alone(vertex, &mut pass);
            }
            _ => self.search(&mut pass),
        }
        for (key, on) in moved {
            let key_of = |blocked: &Blocked| self.key(blocked.instance);
            let place = pass.blocked.iter().position(|other| key_of(other) > Some(key));
            let moved = Blocked { instance: key.1, on, again: true };
            pass.blocked.insert(place.unwrap_or(pass.blocked.len()), moved);
        }
        pass
    }

    /// Executes all candidates that can be, and what has waited for these.
    fn search(&mut self, pass: &mut Pass) {
        let candidates = std::mem::take(&mut self.candidates);
        if candidates.len() >= MANY
            && candidates.len() == self.pending
            && let Some(order) = in_turn::order(&self.graph, &candidates)
        {
            return self.execute_in_turn(order, pass);
        }
        let none_waits = candidates.len() == self.pending;
        let found = Search::new(&mut self.graph, &candidates, none_waits).run();
        pass.candidates = found.started;
        pass.edges = found.followed;
        pass.told = found.told();
        self.execute(&found, pass);
        pass.blocked = found.blocked;
        self.graph.remove_links();
    }

    /// By what an instance is ordered that waits.
    fn key(&self, instance: InstanceId) -> Option<Key> {
        match self.graph.cell(instance)? {
            Cell::Pending(Pending { vertex, .. }) => Some(self.graph.key(vertex)),
            Cell::Executed => None,
        }
    }

    /// The uncommitted instance that `instance` waits for, as the last pass found. `None` for one
    /// that is executed or not committed.
    pub fn blocker(&self, instance: InstanceId) -> Option<InstanceId> {
        let Some(Cell::Pending(Pending { vertex, .. })) = self.graph.cell(instance) else {
            return None;
        };
        self.graph.blocker(vertex)
    }

    /// Every uncommitted instance that something committed waits for, in order.
    pub fn blockers(&self) -> impl Iterator<Item = InstanceId> {
        self.graph.blockers()
    }

    /// Whether the instance has been committed.
    pub fn is_committed(&self, instance: InstanceId) -> bool {
        self.graph.cell(instance).is_some()
    }

    /// Whether the instance has been executed.
    pub fn is_executed(&self, instance: InstanceId) -> bool {
        self.graph.cell(instance) == Some(Cell::Executed)
    }

    /// How many instances of a row, from slot 0, are executed without a gap.
    pub fn executed(&self, row: ReplicaId) -> u64 {
        self.graph.executed(row)
    }

    /// How many instances of a row, from slot 0, are committed without a gap.
    pub fn committed(&self, row: ReplicaId) -> u64 {
        self.graph.committed(row)
    }

    /// Takes the first `count` instances of a row for executed: they were, and nothing else is known
    /// of the row yet.
    pub fn begin_at(&mut self, row: ReplicaId, count: u64) {
        self.graph.begin_at(row, count);
    }

    /// Takes an instance for executed that was, before a crash.
    pub fn restore(&mut self, instance: InstanceId) {
        self.graph.restore(instance);
        self.graph.free(instance.replica, &mut self.candidates);
    }

    /// Forgets a key, all of whose instances are executed.
    pub fn forget(&mut self, key: KeyId) {
        self.graph.forget(key);
    }

    /// How many instances are committed and not executed.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// The usual case: one decision, and all that it depends on is executed. There is nothing to
    /// search.
    fn execute_alone(&mut self, vertex: VertexId, pass: &mut Pass) {
        let instance = self.graph.vertex(vertex).instance;
        self.graph.execute([(vertex, instance)].into_iter());
        self.pending -= 1;
        pass.candidates = 1;
        pass.components.push([instance].into_iter());
    }

    /// All that is committed can be executed in turn, in this order. There is nothing to search.
    fn execute_in_turn(&mut self, order: Vec<InstanceId>, pass: &mut Pass) {
        pass.candidates = order.len() as u64;
        pass.components.ends = (1..=order.len()).collect();
        pass.components.members = order.into();
        self.graph.execute_all();
        self.pending = 0;
    }

    /// Executes what is ready. All is put in order first: an executed instance leaves the graph.
    fn execute(&mut self, found: &Found, pass: &mut Pass) {
        let order = order::execution_order(found, &self.graph);
        pass.components.members.reserve_exact(found.all().len());
        pass.components.ends.reserve_exact(order.len());
        for component in order {
            pass.components.push(found.members(component));
        }
        self.pending -= found.all().len();
        self.graph.execute(found.all());
    }
}

/// How many must be committed for it to be asked whether they can be executed in turn. Low in tests, so that
/// small logs reach it.
const MANY: usize = if cfg!(test) { 2 } else { 64 };
