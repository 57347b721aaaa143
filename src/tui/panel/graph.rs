//! Who depends on whom.

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::tui::app::App;
use crate::tui::layout::Pane;
use crate::tui::panel::{detail, draw_lines, framed};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let rows = framed(frame, area, app, Pane::Graph, "Dependencies", "");
    let lines = app.selected.map(|id| detail::picture(app, id, usize::from(rows.width)));
    draw_lines(frame, rows, lines.unwrap_or_default());
}
