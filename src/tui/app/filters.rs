//! The filters: one line of the same language for every list.

use std::collections::BTreeMap;

use crate::observe::query::Query;
use crate::tui::app::{App, Mode, Tone};
use crate::tui::deed::Screen;
use crate::tui::layout::Pane;
use crate::tui::prompt::Prompt;

/// What is typed for each list.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    lines: BTreeMap<Pane, Prompt>,
    /// The list whose filter is typed, or was last.
    pub pane: Pane,
}

impl Filters {
    /// What a list is narrowed by, as it was typed.
    pub fn text(&self, pane: Pane) -> &str {
        self.lines.get(&pane).map_or("", Prompt::text)
    }

    /// What a list is narrowed by.
    pub fn query(&self, pane: Pane) -> Query {
        Query::parse(self.text(pane))
    }

    /// The line that is typed.
    pub fn line(&self) -> Option<&Prompt> {
        self.lines.get(&self.pane)
    }

    /// The same, to change it.
    pub fn line_mut(&mut self) -> &mut Prompt {
        self.lines.entry(self.pane).or_default()
    }
}

/// Whether a pane is a list that can be narrowed.
pub fn is_list(pane: Pane) -> bool {
    match pane {
        Pane::Instances
        | Pane::Messages
        | Pane::Trace
        | Pane::SpaceTime
        | Pane::Execution
        | Pane::Store
        | Pane::Checks => true,
        Pane::Replicas
        | Pane::Detail
        | Pane::Event
        | Pane::Graph
        | Pane::Why
        | Pane::Metrics
        | Pane::Log
        | Pane::Faults
        | Pane::Lesson => false,
    }
}

impl App {
    /// Lets a filter be typed for the list that has the focus; where none has, for the one that the
    /// screen is about, or the trace.
    pub(super) fn open_filter(&mut self) {
        let pane = self.pane();
        let list = if is_list(pane) {
            pane
        } else {
            match self.screen {
                Screen::SpaceTime => Pane::SpaceTime,
                Screen::Graph => Pane::Execution,
                Screen::Lesson => Pane::Trace,
                _ => {
                    self.screen = Screen::Cockpit;
                    Pane::Trace
                }
            }
        };
        self.focus_on(list);
        self.filters.pane = list;
        self.mode = Mode::Filter;
    }

    /// Narrows the list anew.
    pub(super) fn refilter(&mut self) {
        let pane = self.filters.pane;
        let query = self.filters.query(pane);
        // What has the form of a term and means nothing is looked for as text; that may surprise.
        self.message = Query::advice(self.filters.text(pane))
            .map(|advice| (format!("{advice}; it is looked for as text"), Tone::Plain));
        match pane {
            Pane::Trace => self.trace.set_query(query),
            Pane::SpaceTime => self.space_time.set_query(query),
            Pane::Messages => self.deliverables.set_query(query),
            Pane::Execution => self.execution.set_query(query),
            Pane::Store => self.digests.set_query(query),
            Pane::Checks => self.checks.set_query(query),
            _ => {}
        }
    }

    /// Takes the filter of a list away.
    pub(super) fn clear_filter(&mut self, pane: Pane) {
        self.filters.pane = pane;
        self.filters.line_mut().set("");
        self.refilter();
    }

    /// Narrows a list to this.
    pub fn set_filter(&mut self, pane: Pane, text: &str) {
        self.filters.pane = pane;
        self.filters.line_mut().set(text);
        self.refilter();
    }
}
