//! What of the dependency graph is looked at: a picture, a matrix, what waits for what, or the search
//! for components, move by move.

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::observe::view::View;
use crate::observe::walk::{Move, Walk};
use crate::tui::list::Place;

/// How the graph is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GraphView {
    /// The instances around the selected one, drawn.
    #[default]
    Picture,
    /// Who depends on whom in the component of the selected one.
    Matrix,
    /// What waits for what, on each replica.
    Waiting,
    /// The search for components from the selected one.
    Walk,
}

/// What is looked at, and where.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// How it is shown.
    pub shown: GraphView,
    /// The place in it.
    pub place: Place,
    walk: Walk,
    /// What the walk was made of: the version of the view, where it begins, and with whose eyes.
    walked: Option<(u64, InstanceId, ReplicaId)>,
    step: usize,
}

impl Graph {
    /// Shows the graph so, or as a picture where it is shown so already.
    pub fn show(&mut self, shown: GraphView) {
        self.shown = if self.shown == shown { GraphView::Picture } else { shown };
        self.place = Place::default();
        self.step = 0;
    }

    /// Makes the walk anew where it would be another one, and keeps the place in it.
    pub fn settle(&mut self, view: &View, observer: ReplicaId, selected: Option<InstanceId>) {
        let (GraphView::Walk, Some(selected)) = (self.shown, selected) else { return };
        let of = (view.version, selected, observer);
        if self.walked != Some(of) {
            if self.walked.is_none_or(|(_, id, eyes)| (id, eyes) != (selected, observer)) {
                self.step = 0;
            }
            self.walked = Some(of);
            self.walk = Walk::from(view, observer, selected);
        }
        self.step = self.step.min(self.walk.moves.len().saturating_sub(1));
    }

    /// Goes to the next move of the walk, or the one before.
    pub fn walk_on(&mut self, forth: bool) {
        let last = self.walk.moves.len().saturating_sub(1);
        self.step = if forth { (self.step + 1).min(last) } else { self.step.saturating_sub(1) };
    }

    /// The walk, with the number of the move that is looked at.
    pub fn walk(&self) -> (&Walk, usize) {
        (&self.walk, self.step)
    }

    /// The move that is looked at.
    pub fn at(&self) -> Option<&Move> {
        self.walk.moves.get(self.step)
    }
}
