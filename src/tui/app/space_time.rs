//! The place in the space-time diagram: which events have a row, and what of them is to be seen.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::epaxos::id::{MessageId, ReplicaId};
use crate::observe::facets::Facets;
use crate::observe::in_flight::Flight;
use crate::observe::log::{Entry, EntryId};
use crate::observe::notice::{Decision, Effect};
use crate::observe::query::Query;
use crate::observe::trace::Line;
use crate::observe::view::View;
use crate::tui::list::Place;

/// How much room an event has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zoom {
    /// A dot or less: hundreds of events at once.
    Overview,
    /// One line.
    #[default]
    One,
    /// A line below it for what came of it.
    Two,
    /// Room to point at it from the back of a lecture hall.
    Three,
}

impl Zoom {
    /// How many lines an event takes.
    pub fn lines(self) -> usize {
        match self {
            Self::Overview | Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
        }
    }

    /// The next larger one.
    #[must_use]
    pub fn larger(self) -> Self {
        match self {
            Self::Overview => Self::One,
            Self::One => Self::Two,
            Self::Two | Self::Three => Self::Three,
        }
    }

    /// The next smaller one.
    fn smaller(self) -> Self {
        match self {
            Self::Three => Self::Two,
            Self::Two => Self::One,
            Self::One | Self::Overview => Self::Overview,
        }
    }
}

/// A row of the diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The entry of the log that it tells of.
    pub entry: EntryId,
    /// Which of its effects, where the row is that of an answer to a client.
    pub reply: Option<usize>,
    /// Further entries that it tells of: deliveries of the same broadcast, one after another.
    pub also: Vec<EntryId>,
    /// Which replicas were down then.
    pub down: Down,
}

/// A set of replicas that are down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Down(u16);

impl Down {
    /// Whether a replica is among them.
    pub fn contains(self, replica: ReplicaId) -> bool {
        self.0 & (1 << replica.index()) != 0
    }

    fn note(&mut self, entry: &Entry) {
        let bit = 1 << entry.step.replica.index();
        match entry.step.decision {
            Decision::Show(ref sight) if sight.seat.is_up() => self.0 &= !bit,
            Decision::Crash | Decision::Panic(_) | Decision::Show(_) => self.0 |= bit,
            Decision::Restart => self.0 &= !bit,
            _ => {}
        }
    }
}

/// What is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The row of this number, counted from the first there ever was.
    Row(u64),
    /// A message on its way.
    Flight(MessageId),
}

/// Entries to come back to.
#[derive(Clone, Copy, Debug)]
struct Kept {
    chosen: Option<EntryId>,
    top: Option<EntryId>,
}

/// The rows, and the place among them.
#[derive(Clone, Debug)]
pub struct SpaceTime {
    rows: VecDeque<Row>,
    /// How many rows have been let go.
    gone: u64,
    /// All entries below this one have been looked at.
    scanned: EntryId,
    down: Down,
    /// Messages on their way that are shown, oldest first, up to as many as anybody would look at.
    flights: Vec<MessageId>,
    /// How many there are in all.
    pub in_flight: usize,
    version: Option<u64>,
    /// The entries at which selection and top are to be again, once rows have been made anew.
    kept: Option<Kept>,
    query: Query,
    hidden: BTreeSet<ReplicaId>,
    folds: bool,
    /// How much room an event has, where a person chose that.
    zoom: Option<Zoom>,
    /// How much it has otherwise.
    usual: Zoom,
    /// Whether what the selected event has nothing to do with is dimmed.
    pub cone: bool,
    chosen: Chosen,
    /// The place of the chosen message among those on their way.
    among: usize,
    top: u64,
    /// Whether the latest event is selected whenever one comes.
    pub follow: bool,
    /// The lane that is pointed at.
    pub lane: usize,
}

impl Default for SpaceTime {
    fn default() -> Self {
        Self {
            rows: VecDeque::new(),
            gone: 0,
            scanned: 0,
            down: Down::default(),
            flights: Vec::new(),
            in_flight: 0,
            version: None,
            kept: None,
            query: Query::default(),
            hidden: BTreeSet::new(),
            folds: false,
            zoom: None,
            usual: Zoom::default(),
            cone: false,
            chosen: Chosen::Row(0),
            among: 0,
            top: 0,
            follow: true,
            lane: 0,
        }
    }
}

impl SpaceTime {
    /// The rows that there are.
    pub fn rows(&self) -> &VecDeque<Row> {
        &self.rows
    }

    /// The messages on their way that are shown.
    pub fn flights(&self) -> &[MessageId] {
        &self.flights
    }

    /// What is selected.
    pub fn chosen(&self) -> Chosen {
        self.chosen
    }

    /// The selected row.
    pub fn row(&self) -> Option<&Row> {
        match self.chosen {
            Chosen::Row(number) => self.rows.get(self.index(number)?),
            Chosen::Flight(_) => None,
        }
    }

    /// The entry of the selected row.
    pub fn entry<'a>(&self, view: &'a View) -> Option<&'a Arc<Entry>> {
        view.log.get(self.row()?.entry)
    }

    /// The selected message on its way.
    pub fn flight<'a>(&self, view: &'a View) -> Option<&'a Flight> {
        match self.chosen {
            Chosen::Row(_) => None,
            Chosen::Flight(id) => view.in_flight.get(id),
        }
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.gone)?).ok()
    }

    fn number(&self, index: usize) -> u64 {
        self.gone + index as u64
    }

    /// The place among rows and, after them, messages on their way.
    pub fn place(&self) -> Place {
        let last = self.rows.len().saturating_sub(1);
        let selected = match self.chosen {
            Chosen::Row(number) => self.index(number).unwrap_or(0).min(last),
            Chosen::Flight(_) => self.rows.len() + self.among,
        };
        Place::new(selected, self.index(self.top).unwrap_or(0).min(last))
    }

    fn choose(&mut self, index: usize) {
        match index
            .checked_sub(self.rows.len())
            .and_then(|among| Some((among, self.flights.get(among)?)))
        {
            Some((among, id)) => {
                self.among = among;
                self.chosen = Chosen::Flight(*id);
            }
            None => {
                self.chosen =
                    Chosen::Row(self.number(index.min(self.rows.len().saturating_sub(1))));
            }
        }
    }

    /// Moves the selection; up stops following, down to the last event starts it again.
    pub fn go(&mut self, by: isize) {
        let length = self.rows.len() + self.flights.len();
        let mut place = self.place();
        // The end of the list is the last event, unless one is there already.
        let events = if by == isize::MAX && place.selected + 1 < self.rows.len() {
            self.rows.len()
        } else {
            length
        };
        place.go(by, events);
        self.follow = place.selected + 1 == self.rows.len() && by > 0;
        self.choose(place.selected);
    }

    /// Selects what is in a place of the list.
    pub fn select(&mut self, index: usize) {
        self.follow = false;
        self.choose(index);
    }

    /// Selects again what was selected before.
    pub fn choose_again(&mut self, chosen: Chosen) {
        self.chosen = chosen;
        self.follow = false;
        self.version = None;
    }

    /// Selects a message on its way.
    pub fn select_flight(&mut self, id: MessageId) {
        if let Some(among) = self.flights.iter().position(|own| *own == id) {
            self.select(self.rows.len() + among);
        }
    }

    /// Goes to the row of an entry, or the next one that has a row.
    pub fn select_entry(&mut self, entry: EntryId) {
        let index = self.rows.partition_point(|row| row.entry < entry);
        let before = index.checked_sub(1).and_then(|before| self.rows.get(before));
        let folded = before.is_some_and(|row| row.also.contains(&entry));
        self.select(if folded { index - 1 } else { index });
    }

    /// Shows what passes a filter from now on.
    pub fn set_query(&mut self, query: Query) {
        if self.query != query {
            self.query = query;
            self.scan_again();
        }
    }

    /// Whether anything is left out by a filter.
    pub fn is_filtered(&self) -> bool {
        !self.query.is_empty()
    }

    /// The replicas whose lanes are hidden.
    pub fn hidden(&self) -> &BTreeSet<ReplicaId> {
        &self.hidden
    }

    /// The lanes that are shown.
    pub fn lanes(&self, replicas: usize) -> Vec<ReplicaId> {
        ReplicaId::all(replicas).filter(|replica| !self.hidden.contains(replica)).collect()
    }

    /// Hides the lane that is pointed at, unless it is the last one.
    pub fn hide(&mut self, replicas: usize) {
        let lanes = self.lanes(replicas);
        if let Some(replica) = lanes.get(self.lane.min(lanes.len().saturating_sub(1)))
            && lanes.len() > 1
        {
            self.hidden.insert(*replica);
            self.scan_again();
        }
    }

    /// Shows all lanes.
    pub fn show_all(&mut self) {
        if !self.hidden.is_empty() {
            self.hidden.clear();
            self.scan_again();
        }
    }

    /// Whether the deliveries of a broadcast share a row.
    pub fn folds(&self) -> bool {
        self.folds
    }

    /// Lets them share one, or not.
    pub fn fold(&mut self) {
        self.folds = !self.folds;
        self.scan_again();
    }

    /// Points at another lane.
    pub fn go_to_lane(&mut self, by: isize, replicas: usize) {
        let last = self.lanes(replicas).len().saturating_sub(1);
        self.lane = self.lane.min(last).saturating_add_signed(by).min(last);
    }

    /// The log is another one.
    pub fn look_again(&mut self) {
        self.scan_again();
    }

    /// Rows are made anew, and the place is kept at its entry as far as that can be.
    fn scan_again(&mut self) {
        let entry = |number| Some(self.rows.get(self.index(number)?)?.entry);
        let chosen = match self.chosen {
            Chosen::Row(number) => entry(number),
            Chosen::Flight(_) => None,
        };
        let top = entry(self.top);
        self.rows.clear();
        self.gone = 0;
        self.scanned = 0;
        self.down = Down::default();
        self.version = None;
        self.kept = Some(Kept { chosen, top });
    }

    /// How much room an event has.
    pub fn zoom(&self) -> Zoom {
        self.zoom.unwrap_or(self.usual)
    }

    /// Gives each event more room, or less.
    pub fn zoom_by(&mut self, larger: bool) {
        let zoom = self.zoom();
        self.zoom = Some(if larger { zoom.larger() } else { zoom.smaller() });
    }

    /// Gives events as much room as they usually have.
    pub fn reset_zoom(&mut self) {
        self.zoom = None;
    }

    /// How many of `height` lines below the heading show events, and how many messages on their way
    /// are shown below those and the line that stands for now.
    pub fn division(&self, height: usize) -> (usize, usize) {
        let flights = self.in_flight.min(height / FLIGHTS_SHARE).min(self.flights.len());
        let more = usize::from(self.in_flight > flights);
        (height.saturating_sub(1 + flights + more), flights)
    }

    /// How many rows are seen at once in so many lines.
    pub fn page(&self, lines: usize) -> usize {
        match self.zoom() {
            Zoom::Overview => lines.saturating_mul(OVERVIEW_EVENTS),
            zoom => lines / zoom.lines(),
        }
    }

    /// Takes note of what came and went.
    pub fn settle(&mut self, view: &View, height: usize, usual: Zoom) {
        self.usual = usual;
        if self.version != Some(view.version) {
            self.version = Some(view.version);
            self.settle_flights(view);
            self.settle_rows(view);
        }
        let (lines, shown) = self.division(height);
        let page = self.page(lines);
        let mut place = self.place();
        let rows = self.rows.len();
        if self.follow {
            place.selected = rows.saturating_sub(1);
        }
        // Messages on their way are below, wherever the rows stand.
        let mut among_rows = Place::new(place.selected.min(rows.saturating_sub(1)), place.offset);
        among_rows.settle(rows, page);
        self.top = self.number(among_rows.offset);
        if place.selected < rows || shown == 0 {
            self.choose(place.selected.min(rows.saturating_sub(1)));
        }
    }

    fn settle_flights(&mut self, view: &View) {
        let shown = |flight: &&Flight| {
            let envelope = &flight.envelope;
            let lanes = !self.hidden.contains(&envelope.to);
            lanes
                && (self.query.is_empty()
                    || self
                        .query
                        .matches(&Facets::of_flight(flight, view), || envelope.to_string()))
        };
        self.flights.clear();
        let plain = self.query.is_empty() && self.hidden.is_empty();
        let mut flights = view.in_flight.iter().filter(shown).map(|flight| flight.envelope.id);
        self.flights.extend(flights.by_ref().take(FLIGHTS_MAX));
        self.in_flight = if plain {
            view.in_flight.len()
        } else {
            self.flights.len() + flights.take(FLIGHTS_MAX).count()
        };
        if let Chosen::Flight(id) = self.chosen {
            match self.flights.iter().position(|own| *own == id) {
                Some(among) => self.among = among,
                // Whatever has taken its place; where nothing has, what happened last.
                None => match self.flights.get(self.among).or(self.flights.last()) {
                    Some(next) => self.chosen = Chosen::Flight(*next),
                    None => self.follow = true,
                },
            }
        }
    }

    /// Takes note of rows that came and went.
    pub(super) fn settle_rows(&mut self, view: &View) {
        let forgotten = view.log.forgotten();
        while self.rows.front().is_some_and(|row| row.entry < forgotten) {
            self.rows.pop_front();
            self.gone += 1;
        }
        for id in self.scanned.max(forgotten)..view.log.len() {
            let Some(entry) = view.log.get(id) else { continue };
            self.down.note(entry);
            self.add_rows(view, entry);
        }
        self.scanned = view.log.len();
        if let Some(Kept { chosen, top }) = self.kept.take() {
            let number = |entry: EntryId, rows: &VecDeque<Row>| {
                self.gone + rows.partition_point(|row| row.entry < entry) as u64
            };
            self.top = top.map_or(self.gone, |entry| number(entry, &self.rows));
            if let (Some(entry), Chosen::Row(_)) = (chosen, self.chosen) {
                self.chosen = Chosen::Row(number(entry, &self.rows));
            }
        }
    }

    fn add_rows(&mut self, view: &View, entry: &Arc<Entry>) {
        if self.hidden.contains(&lane_of(entry)) || !self.is_wanted(view, entry) {
            return;
        }
        if self.folds
            && let Some(last) = self.rows.back_mut().filter(|last| last.reply.is_none())
            && view.log.get(last.entry).is_some_and(|first| is_same_broadcast(first, entry))
        {
            last.also.push(entry.id);
        } else {
            self.rows.push_back(Row {
                entry: entry.id,
                reply: None,
                also: Vec::new(),
                down: self.down,
            });
        }
        let replies = entry.step.effects.iter().enumerate();
        let replies = replies.filter(|(_, effect)| matches!(effect, Effect::Reply(_)));
        self.rows.extend(replies.map(|(index, _)| Row {
            entry: entry.id,
            reply: Some(index),
            also: Vec::new(),
            down: self.down,
        }));
    }

    fn is_wanted(&self, view: &View, entry: &Arc<Entry>) -> bool {
        self.query.is_empty()
            || self.query.matches(&Facets::of_entry(entry, view), || {
                let lines: Vec<String> =
                    Line::of(entry, 0).iter().map(ToString::to_string).collect();
                lines.join("\n")
            })
    }
}

/// In whose lane an entry is drawn: where it happened; what is lost, where it was going.
fn lane_of(entry: &Entry) -> ReplicaId {
    match &entry.step.decision {
        Decision::Lose(envelope) => envelope.to,
        _ => entry.step.replica,
    }
}

/// Whether both deliver the same thing that one step said to several.
fn is_same_broadcast(first: &Entry, next: &Entry) -> bool {
    match (&first.step.decision, &next.step.decision) {
        (Decision::Deliver(first_message), Decision::Deliver(message)) => {
            first.cause.is_some()
                && first.cause == next.cause
                && first_message.message == message.message
        }
        _ => false,
    }
}

/// How many messages on their way can be selected: nobody looks through more.
const FLIGHTS_MAX: usize = 1_000;

/// Which part of the diagram messages on their way may take.
const FLIGHTS_SHARE: usize = 4;

/// How many events the overview shows in a line.
pub const OVERVIEW_EVENTS: usize = 16;
