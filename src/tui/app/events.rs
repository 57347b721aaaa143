//! The selected event: moving among events and instances, and what follows from it.

use crate::epaxos::id::{InstanceId, MessageId, ReplicaId};
use crate::observe::log::Entry;
use crate::observe::notice::{Decision, Effect as StepEffect};
use crate::script::grammar::Command;
use crate::script::words::Term;
use crate::tui::app::{App, Effect};
use crate::tui::deed::Move;
use crate::tui::layout::Pane;

impl App {
    /// Moves in the diagram: up and down among events, left and right among lanes.
    pub(super) fn go_in_space_time(&mut self, to: Move, by: isize) {
        let replicas = self.view.shape.replicas();
        match to {
            Move::Left | Move::Right => return self.space_time.go_to_lane(by, replicas),
            Move::PageUp | Move::PageDown | Move::HalfUp | Move::HalfDown => {
                let height = self.layout().height(Pane::SpaceTime);
                let (lines, _) = self.space_time.division(height);
                self.space_time.go(to.by(self.space_time.page(lines)));
            }
            Move::Up | Move::Down | Move::Top | Move::Bottom => self.space_time.go(by),
        }
        self.note_event();
    }

    /// The instance of the selected event becomes the selected one.
    pub(super) fn note_event(&mut self) {
        self.event = crate::tui::list::Place::default();
        if let Some(instance) = self.event_instance() {
            self.select(instance);
        }
        self.follow = self.space_time.follow;
    }

    /// The instance that the selected event is about.
    pub fn event_instance(&self) -> Option<InstanceId> {
        match self.space_time.flight(&self.view) {
            Some(flight) => Some(flight.envelope.message.instance()),
            None => instance_of(self.space_time.entry(&self.view)?),
        }
    }

    /// The replica at which it happened, or is to happen.
    pub(super) fn event_replica(&self) -> Option<ReplicaId> {
        match self.space_time.flight(&self.view) {
            Some(flight) => Some(flight.envelope.to),
            None => self.space_time.entry(&self.view).map(|entry| entry.step.replica),
        }
    }

    /// A message on its way is delivered; of what has happened, all there is to say is shown.
    pub(super) fn open_event(&mut self) -> Vec<Effect> {
        if let Some(flight) = self.space_time.flight(&self.view) {
            let id = flight.envelope.id;
            return self.send(Command::Deliver { which: vec![Term::Id(id)] });
        }
        self.focus_on(Pane::Event);
        Vec::new()
    }

    /// The message that is selected where one can be: among what can be delivered, or below the
    /// diagram.
    pub(super) fn message_at_hand(&self) -> Option<MessageId> {
        match self.pane() {
            Pane::SpaceTime | Pane::Event => {
                self.space_time.flight(&self.view).map(|flight| flight.envelope.id)
            }
            _ => self.deliverables.selected_message(&self.view).map(|flight| flight.envelope.id),
        }
    }

    /// Moves among what was executed and what waits to be.
    pub(super) fn go_in_execution(&mut self, by: isize) {
        let length = self.execution.len(&self.view);
        self.execution.place.go(by, length);
        let index = self.execution.place.selected;
        if let Some(id) = self.execution.listed(&self.view, index, 1).first() {
            self.select(*id);
        }
        self.follow = by > 0 && index + 1 == length;
    }
}

/// The instance that an entry of the log is about, the one that matters most where there are several.
pub fn instance_of(entry: &Entry) -> Option<InstanceId> {
    let told = || {
        entry.step.effects.iter().find_map(|effect| match effect {
            StepEffect::Event(event) => event.instance(),
            StepEffect::Send(_) | StepEffect::Reply(_) => None,
        })
    };
    match &entry.step.decision {
        Decision::Crash | Decision::Restart | Decision::Panic(_) | Decision::Show(_) => None,
        decision => decision.instance().or_else(told),
    }
}
