//! Bringing everything on the screen up to date that depends on something else.

use crate::tui::app::{App, Over, Zoom};
use crate::tui::layout::{Layout, Pane, Room};
use crate::tui::panel;

impl App {
    /// Brings everything that depends on something else up to date.
    pub(super) fn settle(&mut self) {
        let layout = self.layout();
        let replicas = self.view.shape.replicas();
        self.digests.settle(&self.view);
        self.replica.settle(replicas, layout.height(Pane::Replicas));
        self.deliverables.settle(&self.view, layout.height(Pane::Messages));
        self.trace.settle(&self.view, layout.height(Pane::Trace));
        let usual = if layout.room == Room::Large { Zoom::Two } else { Zoom::One };
        let usual = if self.presenting { usual.larger() } else { usual };
        self.space_time.settle(&self.view, layout.height(Pane::SpaceTime), usual);
        let height = layout.height(Pane::Execution);
        let footer = panel::execution::footer_height(u16::try_from(height).unwrap_or(u16::MAX));
        let height = height - usize::from(footer);
        self.execution.settle(&self.view, self.observer, self.selected, height);
        self.graph.settle(&self.view, self.execution.observer(), self.selected);
        self.settle_asking();
        self.settle_grid(&layout);
        self.neighbourhood.settle(&self.view, self.selected, self.observer);
        let area = layout.rows(Pane::Detail);
        if !area.is_empty() {
            let lines = panel::detail::lines(self, usize::from(area.width)).len();
            self.detail.settle_offset(lines, usize::from(area.height));
        }
        let area = layout.rows(Pane::Metrics);
        if !area.is_empty() {
            let lines = panel::metrics::lines(self, usize::from(area.width)).len();
            self.metrics.settle_offset(lines, usize::from(area.height));
        }
        let area = layout.rows(Pane::Store);
        if !area.is_empty() {
            let keys = self.digests.listed().len();
            self.store.settle(keys, usize::from(area.height));
        }
        let area = layout.rows(Pane::Checks);
        if !area.is_empty() {
            let rows = area.height - panel::checks::detail_height(area.height);
            let listed = self.checks.listed().len();
            self.checks.place.settle(listed, usize::from(rows));
        }
        self.settle_lesson();
        let height = usize::from(panel::popup::inner_area(self.area()).height);
        match &mut self.over {
            Some(Over::Output(output)) => {
                output.place.settle_offset(output.lines.len(), height);
            }
            Some(Over::Palette(palette)) => palette.settle(height.saturating_sub(2)),
            Some(Over::Why) | None => {}
        }
    }

    fn settle_grid(&mut self, layout: &Layout) {
        let Some(selected) = self.selected else { return };
        let area = layout.pane(Pane::Instances).unwrap_or_default();
        let columns = panel::instances::columns(self, area, layout.room);
        let least = (selected.slot + 1).saturating_sub(columns);
        self.first_slot = self.first_slot.clamp(least, selected.slot.max(least));
        let end = panel::instances::last_slot(&self.view).unwrap_or(0);
        self.first_slot = self.first_slot.min((end + 1).saturating_sub(columns).max(least));
    }
}
