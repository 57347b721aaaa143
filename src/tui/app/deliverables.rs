//! What a person can let through by hand: held messages, and the timers of paused replicas.

use std::collections::BTreeMap;

use crate::epaxos::id::{MessageId, ReplicaId};
use crate::observe::facets::Facets;
use crate::observe::in_flight::Flight;
use crate::observe::links::LinkId;
use crate::observe::query::Query;
use crate::observe::view::View;
use crate::tui::list::Place;

/// One row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliverable {
    /// A held message.
    Message(MessageId),
    /// The next timer of a replica whose clock stands still.
    Timer(ReplicaId),
}

/// The list, messages first, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Deliverables {
    rows: Vec<Deliverable>,
    /// How many of the rows are messages.
    pub messages: usize,
    /// How many of them wait for each replica.
    pub inboxes: Vec<u64>,
    /// How many of them wait on each link that any wait on.
    pub on_links: BTreeMap<LinkId, u64>,
    query: Query,
    /// The version of the view that the rows are taken from.
    version: Option<u64>,
    /// Where the list stands.
    pub place: Place,
    /// What is selected: a row stays selected while others come and go before it. A timer only where
    /// a person has selected it: one that merely was first for a moment gives way to messages.
    chosen: Option<Deliverable>,
}

impl Deliverables {
    /// The selected row.
    pub fn selected(&self) -> Option<Deliverable> {
        self.rows.get(self.place.selected).copied()
    }

    /// The selected message.
    pub fn selected_message<'a>(&self, view: &'a View) -> Option<&'a Flight> {
        match self.selected()? {
            Deliverable::Message(id) => view.in_flight.get(id),
            Deliverable::Timer(_) => None,
        }
    }

    /// All rows.
    pub fn rows(&self) -> &[Deliverable] {
        &self.rows
    }

    /// Moves the selection.
    pub fn go(&mut self, by: isize) {
        self.place.go(by, self.rows.len());
        self.chosen = self.selected();
    }

    /// Selects a row.
    pub fn select(&mut self, index: usize) {
        self.place.selected = index;
        self.chosen = self.rows.get(index).copied();
    }

    /// Lists what meets `query` from now on.
    pub fn set_query(&mut self, query: Query) {
        self.query = query;
        self.version = None;
    }

    fn meets(&self, view: &View, flight: &Flight) -> bool {
        self.query.is_empty()
            || self.query.matches(&Facets::of_flight(flight, view), || flight.envelope.to_string())
    }

    fn meets_timer(&self, view: &View, replica: ReplicaId) -> bool {
        let Some((_, timer)) = view.replica(replica).timer else { return false };
        self.query.matches(&Facets::of_timer(replica, timer), || format!("{replica} timer {timer}"))
    }

    /// Takes note of rows that came and went.
    pub fn settle(&mut self, view: &View, height: usize) {
        if self.version != Some(view.version) {
            self.version = Some(view.version);
            self.rows.clear();
            self.inboxes = vec![0; view.replicas.len()];
            self.on_links.clear();
            for flight in view.in_flight.held() {
                if self.meets(view, flight) {
                    self.rows.push(Deliverable::Message(flight.envelope.id));
                }
                *self.on_links.entry(LinkId::of(&flight.envelope)).or_default() += 1;
                if let Some(inbox) = self.inboxes.get_mut(flight.envelope.to.index()) {
                    *inbox += 1;
                }
            }
            self.messages = self.rows.len();
            if view.gate.paused {
                let waiting = ReplicaId::all(view.shape.replicas())
                    .filter(|replica| self.meets_timer(view, *replica));
                let waiting: Vec<_> = waiting.map(Deliverable::Timer).collect();
                self.rows.extend(waiting);
            }
            let chosen = self.chosen.and_then(|row| self.rows.iter().position(|own| *own == row));
            let among = self.messages.checked_sub(1).unwrap_or(self.rows.len());
            self.place.selected = chosen.unwrap_or(self.place.selected.min(among));
        }
        self.place.settle(self.rows.len(), height);
        let by_hand = |row: &Deliverable| match row {
            Deliverable::Message(_) => true,
            Deliverable::Timer(_) => self.chosen == Some(*row),
        };
        self.chosen = self.selected().filter(by_hand);
    }
}
