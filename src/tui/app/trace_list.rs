//! The place in the trace, which grows at one end and is let go at the other.

use std::collections::VecDeque;

use crate::observe::facets::Facets;
use crate::observe::log::EntryId;
use crate::observe::query::Query;
use crate::observe::trace::Line;
use crate::observe::view::View;
use crate::tui::list::Place;

/// Which lines are shown and which of them is selected. Lines are remembered by their number, so
/// that a place stays where it is while older lines are let go.
#[derive(Clone, Debug)]
pub struct TraceList {
    query: Query,
    /// The numbers of the lines that pass the filter, where there is one.
    matches: VecDeque<u64>,
    /// All lines below this number have been looked at.
    scanned: u64,
    selected: u64,
    top: u64,
    /// Whether the latest line is selected whenever one comes.
    pub follow: bool,
}

impl Default for TraceList {
    fn default() -> Self {
        Self {
            query: Query::default(),
            matches: VecDeque::new(),
            scanned: 0,
            selected: 0,
            top: 0,
            follow: true,
        }
    }
}

impl TraceList {
    /// Shows what meets `query` from now on.
    pub fn set_query(&mut self, query: Query) {
        if self.query != query {
            self.query = query;
            self.matches.clear();
            self.scanned = 0;
        }
    }

    /// The trace is another one.
    pub fn look_again(&mut self) {
        self.matches.clear();
        self.scanned = 0;
    }

    /// Whether anything is left out.
    pub fn is_filtered(&self) -> bool {
        !self.query.is_empty()
    }

    /// How many lines are shown.
    pub fn len(&self, view: &View) -> usize {
        if self.is_filtered() { self.matches.len() } else { view.trace.len() }
    }

    /// A line that is shown.
    pub fn line<'a>(&self, view: &'a View, index: usize) -> Option<&'a Line> {
        let index = if self.is_filtered() {
            let number = *self.matches.get(index)?;
            usize::try_from(number.checked_sub(view.trace_forgotten())?).ok()?
        } else {
            index
        };
        view.trace.get(index)
    }

    /// The line that is selected.
    pub fn selected<'a>(&self, view: &'a View) -> Option<&'a Line> {
        self.line(view, self.place(view).selected)
    }

    /// The place among the lines that are shown.
    pub fn place(&self, view: &View) -> Place {
        let last = self.len(view).saturating_sub(1);
        let index = |number: u64| {
            if self.is_filtered() {
                self.matches.partition_point(|shown| *shown < number)
            } else {
                usize::try_from(number.saturating_sub(view.trace_forgotten())).unwrap_or(last)
            }
        };
        Place::new(index(self.selected).min(last), index(self.top).min(last))
    }

    /// Moves the selection; up stops following, down to the last line starts it again.
    pub fn go(&mut self, view: &View, by: isize) {
        let mut place = self.place(view);
        let length = self.len(view);
        place.go(by, length);
        self.follow = place.selected + 1 >= length && by > 0;
        self.keep(view, place);
    }

    /// Selects a line that is shown.
    pub fn select(&mut self, view: &View, index: usize) {
        let place = Place::new(index, self.place(view).offset);
        self.follow = false;
        self.keep(view, place);
    }

    /// Selects the first line that is shown of an entry, or of one after it.
    pub fn select_entry(&mut self, view: &View, entry: EntryId) {
        let before = |line: &Line| line.entry.id < entry;
        let index = if self.is_filtered() {
            let forgotten = view.trace_forgotten();
            let kept = |number: &u64| usize::try_from(number.saturating_sub(forgotten)).ok();
            self.matches.partition_point(|number| {
                kept(number).and_then(|index| view.trace.get(index)).is_some_and(before)
            })
        } else {
            view.trace.partition_point(before)
        };
        self.select(view, index.min(self.len(view).saturating_sub(1)));
    }

    fn keep(&mut self, view: &View, place: Place) {
        let number = |index| self.line(view, index).map(|line| line.n);
        let (selected, top) = (number(place.selected), number(place.offset));
        self.selected = selected.unwrap_or(0);
        self.top = top.unwrap_or(0);
    }

    /// Takes note of lines that came and went.
    pub fn settle(&mut self, view: &View, height: usize) {
        if self.is_filtered() {
            let forgotten = view.trace_forgotten();
            let new = usize::try_from(self.scanned.saturating_sub(forgotten)).unwrap_or(usize::MAX);
            let lines = view.trace.range(new.min(view.trace.len())..);
            let matching = lines.filter(|line| {
                self.query.matches(&Facets::of_line(line, view), || line.to_string())
            });
            self.matches.extend(matching.map(|line| line.n));
            while self.matches.front().is_some_and(|first| *first < forgotten) {
                self.matches.pop_front();
            }
        }
        self.scanned = view.traced;
        let mut place = self.place(view);
        let length = self.len(view);
        if self.follow {
            place.selected = length.saturating_sub(1);
        }
        place.settle(length, height);
        self.keep(view, place);
    }
}
