//! What would come of the message under the cursor, before it is delivered.

use crate::script::grammar::Command;
use crate::script::request::Request;
use crate::script::session::Said;
use crate::script::world::Next;
use crate::tui::app::{App, Deliverable, Effect};
use crate::tui::deed::Screen;

/// What was asked of the world, and what it said.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// What is asked, and under which number.
    asked: Option<(u64, Subject)>,
    /// What was answered last.
    said: Option<(Subject, Said)>,
    /// What was asked of another place, under which numbers: the answers are of no use.
    stale: Vec<u64>,
}

/// What is tried out, and how many steps its replica had taken: after another one, the answer may be
/// another.
type Subject = (Next, u64);

impl Preview {
    /// What would come of it, line by line, the first of which says what it is.
    pub fn of(&self, next: Next) -> Option<&[String]> {
        match &self.said {
            Some(((about, _), Ok(lines))) if *about == next => Some(lines),
            _ => None,
        }
    }

    /// Takes an answer, if it is one to what was asked here.
    pub fn take(&mut self, request: u64, said: &Said) -> bool {
        if let Some(index) = self.stale.iter().position(|stale| *stale == request) {
            self.stale.swap_remove(index);
            return true;
        }
        match self.asked.take_if(|(asked, _)| *asked == request) {
            Some((_, subject)) => {
                self.said = Some((subject, said.clone()));
                true
            }
            None => false,
        }
    }

    /// Forgets what was said: something may have happened since.
    pub fn forget(&mut self) {
        self.said = None;
    }

    /// Forgets what was said and asked: it was of another place.
    pub fn forget_all(&mut self) {
        self.said = None;
        self.stale.extend(self.asked.take().map(|(request, _)| request));
    }
}

impl App {
    /// What is under the cursor that could be let happen.
    pub fn next_at_hand(&self) -> Option<Next> {
        match self.screen {
            Screen::Cockpit => match self.deliverables.selected()? {
                Deliverable::Message(id) => Some(Next::Deliver(id)),
                Deliverable::Timer(replica) => Some(Next::Wake(replica)),
            },
            Screen::SpaceTime => {
                let flight = self.space_time.flight(&self.view)?;
                flight.held.map(|_| Next::Deliver(flight.envelope.id))
            }
            _ => None,
        }
    }

    /// Asks the world what would come of it, unless that is known.
    pub(super) fn ask_for_preview(&mut self) -> Option<Effect> {
        let next = self.next_at_hand()?;
        let replica = match next {
            Next::Deliver(id) => self.view.in_flight.get(id)?.envelope.to,
            Next::Wake(replica) => replica,
        };
        let replica = self.view.replica(replica);
        // In a world that runs an answer is stale at once; it is asked again now and then.
        let steps = if self.view.gate.paused { replica.steps } else { 0 };
        let subject = (next, steps);
        let known = self.preview.said.as_ref().is_some_and(|(about, _)| *about == subject);
        if known || self.preview.asked.is_some() || !replica.up {
            return None;
        }
        let command = Command::Preview { next };
        if let Some(past) = &mut self.times.past {
            let said = past.session.perform(&mut past.cluster, &command);
            self.preview.said = Some((subject, said));
            return None;
        }
        let id = self.requests;
        self.requests += 1;
        self.preview.asked = Some((id, subject));
        Some(Effect::Request(Request { id, at: self.at, command }))
    }
}
