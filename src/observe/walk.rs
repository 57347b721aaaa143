//! Tarjan's search for strongly connected components, to be watched: the same that execution does,
//! slowly, with a sentence on every move.
//!
//! It walks the graph as if nothing of it had been executed, so that it can be watched afterwards as
//! well. What it finds is what a replica executes: components in order, within each by sequence
//! number, then replica, then slot (EPaxos paper, 4.3.2).

use std::collections::BTreeMap;
use std::fmt;

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::observe::edges::{Reach, dependencies};
use crate::observe::view::View;

/// The whole walk from one instance.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The moves, in order.
    pub moves: Vec<Move>,
    /// Whether there would have been more.
    pub is_cut: bool,
}

/// One move, and where everything stands after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// What happened.
    pub what: What,
    /// The open instances from the bottom of the stack on.
    pub stack: Vec<Open>,
    /// The components found so far, in order of execution.
    pub found: Vec<Vec<InstanceId>>,
}

/// An instance on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Which one.
    pub id: InstanceId,
    /// When it was come by: its number.
    pub number: usize,
    /// The lowest number that it is known to reach.
    pub low: usize,
}

/// What a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An instance is come by for the first time.
    Visit(InstanceId),
    /// An edge leads to an instance that is open: the two reach each other.
    Back(InstanceId, InstanceId),
    /// An edge leads to an instance of a component that has been found: nothing to learn.
    Over(InstanceId, InstanceId),
    /// All edges of an instance have been followed, and it reaches a lower one: that one decides.
    Return(InstanceId, InstanceId),
    /// All edges of an instance have been followed, and it reaches no lower one: it and all above it
    /// on the stack are a component of so many.
    Component(InstanceId, usize),
    /// An instance is not committed: nothing on the stack can be executed before it is.
    Blocked(InstanceId),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visit(id) => write!(f, "come by {id}, and put it on the stack"),
            Self::Back(from, to) => {
                write!(f, "{from} depends on {to}, which is on the stack: they reach each other")
            }
            Self::Over(from, to) => {
                write!(f, "{from} depends on {to}, which comes before: nothing to do")
            }
            Self::Return(id, to) => {
                write!(f, "all edges of {id} are followed; back to {to}, with what it reaches")
            }
            Self::Component(id, 1) => {
                write!(f, "{id} reaches nothing below it on the stack: it is executed alone")
            }
            Self::Component(id, members) => {
                write!(
                    f,
                    "{id} reaches nothing below it: it and all above it, {members} in all, are one \
                     component, executed by seq, then replica"
                )
            }
            Self::Blocked(id) => {
                write!(f, "{id} is not committed here: nothing on the stack can be executed")
            }
        }
    }
}

/// An instance while its edges are followed.
struct Frame {
    id: InstanceId,
    edges: Vec<InstanceId>,
    next: usize,
}

struct Search<'a> {
    view: &'a View,
    observer: ReplicaId,
    numbers: BTreeMap<InstanceId, usize>,
    stack: Vec<Open>,
    found: Vec<Vec<InstanceId>>,
    moves: Vec<Move>,
}

impl Walk {
    /// Walks from an instance, as `observer` has it.
    pub fn from(view: &View, observer: ReplicaId, root: InstanceId) -> Self {
        let mut search = Search {
            view,
            observer,
            numbers: BTreeMap::new(),
            stack: Vec::new(),
            found: Vec::new(),
            moves: Vec::new(),
        };
        let is_cut = !search.explore(root);
        Self { moves: search.moves, is_cut }
    }
}

impl Search<'_> {
    fn note(&mut self, what: What) {
        self.moves.push(Move { what, stack: self.stack.clone(), found: self.found.clone() });
    }

    /// Whether the walk came to its end.
    fn explore(&mut self, root: InstanceId) -> bool {
        let mut path = Vec::new();
        if !self.visit(root, &mut path) {
            return true;
        }
        while let Some(frame) = path.last_mut() {
            if self.moves.len() > MOVES_MOST {
                return false;
            }
            let id = frame.id;
            let Some(to) = frame.edges.get(frame.next).copied() else {
                path.pop();
                self.leave(id, path.last().map(|parent| parent.id));
                continue;
            };
            frame.next += 1;
            match (self.numbers.get(&to).copied(), self.is_open(to)) {
                (None, _) => {
                    if !self.visit(to, &mut path) {
                        return true;
                    }
                }
                (Some(number), true) => {
                    self.lower(id, number);
                    self.note(What::Back(id, to));
                }
                (Some(_), false) => self.note(What::Over(id, to)),
            }
        }
        true
    }

    fn is_open(&self, id: InstanceId) -> bool {
        self.stack.iter().any(|open| open.id == id)
    }

    fn lower(&mut self, id: InstanceId, number: usize) {
        if let Some(open) = self.stack.iter_mut().find(|open| open.id == id) {
            open.low = open.low.min(number);
        }
    }

    /// Whether the instance is committed, so that the walk goes on.
    fn visit(&mut self, id: InstanceId, path: &mut Vec<Frame>) -> bool {
        let number = self.numbers.len();
        self.numbers.insert(id, number);
        let known = self.view.replica(self.observer).instances.get(id);
        if !known.is_some_and(|known| known.phase.is_committed()) {
            self.note(What::Blocked(id));
            return false;
        }
        self.stack.push(Open { id, number, low: number });
        self.note(What::Visit(id));
        let edges = dependencies(self.view, self.observer, id, Reach::WHOLE);
        path.push(Frame { id, edges, next: 0 });
        true
    }

    /// All edges of an instance have been followed.
    fn leave(&mut self, id: InstanceId, parent: Option<InstanceId>) {
        let Some(at) = self.stack.iter().position(|open| open.id == id) else { return };
        let Open { number, low, .. } = self.stack[at];
        if low == number {
            let mut members: Vec<InstanceId> = self.stack.drain(at..).map(|open| open.id).collect();
            let instances = &self.view.replica(self.observer).instances;
            members.sort_by_key(|id| {
                let seq = instances.get(*id).map_or(0, |known| known.attributes.seq);
                (seq, id.replica, id.slot)
            });
            let count = members.len();
            self.found.push(members);
            self.note(What::Component(id, count));
        } else if let Some(parent) = parent {
            self.lower(parent, low);
            self.note(What::Return(id, parent));
        }
    }
}

/// After so many moves nobody watches any more.
const MOVES_MOST: usize = 400;
