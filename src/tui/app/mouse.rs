//! The mouse: a click selects, a second click on the same thing opens, the wheel scrolls.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::tui::app::{App, Effect, Mode, Over};
use crate::tui::deed::{Deed, Move};
use crate::tui::layout::Pane;
use crate::tui::panel;

impl App {
    pub(super) fn on_mouse(&mut self, event: MouseEvent) -> Vec<Effect> {
        let place = Position::new(event.column, event.row);
        match event.kind {
            MouseEventKind::ScrollUp => self.wheel(place, Move::Up),
            MouseEventKind::ScrollDown => self.wheel(place, Move::Down),
            MouseEventKind::Down(MouseButton::Left) => return self.click(place),
            MouseEventKind::Drag(MouseButton::Left) if self.over.is_none() => {
                self.slide(place);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Goes to the place in time that is pointed at. Says whether there is one.
    fn slide(&mut self, place: Position) -> bool {
        let timeline = self.layout().timeline;
        let Some(at) = panel::timeline::place_at(self, place, timeline) else { return false };
        let (branch, _) = self.times.place();
        self.go_to_place(branch, at);
        true
    }

    fn wheel(&mut self, place: Position, to: Move) {
        if self.over.is_none() && self.layout().timeline.contains(place) {
            let deed = if to == Move::Up { Deed::StepBack } else { Deed::Step };
            if self.can(deed) && (deed == Deed::StepBack || self.can_go_forth()) {
                self.perform(deed);
            }
            return;
        }
        if self.over.is_none() {
            match self.layout().pane_at(place) {
                Some(pane) => self.focus_on(pane),
                None => return,
            }
        }
        for _ in 0..WHEEL_ROWS {
            self.perform(Deed::Go(to));
        }
    }

    fn click(&mut self, place: Position) -> Vec<Effect> {
        if self.over.is_some() {
            return self.click_over(place);
        }
        let layout = self.layout();
        if layout.prompt.contains(place) {
            self.mode = Mode::Prompt;
            return Vec::new();
        }
        self.mode = Mode::Normal;
        if layout.tabs.contains(place) {
            if let Some(screen) = panel::header::tab_at(self, place.x, layout.tabs) {
                self.screen = screen;
            }
            return Vec::new();
        }
        if self.slide(place) {
            return Vec::new();
        }
        let Some(pane) = layout.pane_at(place) else { return Vec::new() };
        self.focus_on(pane);
        let rows = layout.rows(pane);
        if !rows.contains(place) {
            return Vec::new();
        }
        let row = usize::from(place.y - rows.y);
        match self.select_row(pane, row, place) {
            Some(index) if self.clicked == Some((pane, index)) => {
                self.clicked = None;
                self.open()
            }
            Some(index) => {
                self.clicked = Some((pane, index));
                Vec::new()
            }
            // A click on nothing comes between two on the same thing.
            None => {
                self.clicked = None;
                Vec::new()
            }
        }
    }

    /// Selects what is in a row of a pane, and returns a number by which it is known again.
    fn select_row(&mut self, pane: Pane, row: usize, place: Position) -> Option<usize> {
        match pane {
            Pane::Replicas => {
                let index = self.replica.offset + row;
                (index < self.view.shape.replicas()).then(|| self.replica.selected = index)?;
                Some(index)
            }
            Pane::Instances => {
                let replica =
                    (row < self.view.shape.replicas()).then(|| ReplicaId::from_index(row))?;
                let slot = panel::instances::slot_at(self, place.x)?;
                self.select(InstanceId::new(replica, slot));
                Some(row.saturating_mul(1_000_003).saturating_add(usize::try_from(slot).ok()?))
            }
            Pane::Messages => {
                let index = self.deliverables.place.offset + row;
                (index < self.deliverables.rows().len())
                    .then(|| self.deliverables.select(index))?;
                Some(index)
            }
            Pane::Trace => {
                let index = self.trace.place(&self.view).offset + row;
                let line = self.trace.line(&self.view, index).map(|line| line.n)?;
                self.trace.select(&self.view, index);
                usize::try_from(line).ok()
            }
            Pane::Store => {
                let keys = self.digests.listed().len();
                let index = self.store.offset + row;
                (index < keys).then(|| self.store.selected = index)?;
                Some(index)
            }
            Pane::Faults => {
                let crossing = panel::faults::crossing_at(self, place)?;
                self.crossing = crossing;
                Some(crossing.from.index() * self.view.shape.replicas() + crossing.to.index())
            }
            Pane::Checks => {
                let index = self.checks.place.offset + row;
                let listed = self.checks.listed().len();
                (index < listed).then(|| self.checks.place.selected = index)?;
                Some(index)
            }
            Pane::SpaceTime => {
                let index = panel::space_time::row_at(self, place)?;
                self.space_time.select(index);
                self.note_event();
                Some(index)
            }
            Pane::Execution => {
                let index = self.execution.place.offset + row;
                let id = *self.execution.listed(&self.view, index, 1).first()?;
                self.select(id);
                Some(index)
            }
            Pane::Detail | Pane::Event | Pane::Graph | Pane::Why | Pane::Metrics | Pane::Log => {
                None
            }
            Pane::Lesson => self.select_lesson(row),
        }
    }

    fn click_over(&mut self, place: Position) -> Vec<Effect> {
        let inner = panel::popup::inner_area(self.area());
        if !panel::popup::area(self.area()).contains(place) {
            self.over = None;
            return Vec::new();
        }
        // The palette's first two rows are what is typed, and a rule.
        let row = usize::from(place.y.saturating_sub(inner.y));
        let chosen = match (&mut self.over, row.checked_sub(2)) {
            (Some(Over::Palette(palette)), Some(row)) => palette.select_row(row),
            _ => false,
        };
        if chosen { self.perform(Deed::Enter) } else { Vec::new() }
    }
}

/// How many rows a notch of the wheel scrolls.
const WHEEL_ROWS: usize = 3;
