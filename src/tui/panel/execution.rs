//! What was executed, in order, and what waits to be.

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::tui::app::App;
use crate::tui::layout::Pane;
use crate::tui::panel::{draw_lines, framed};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let rows = framed(frame, area, app, Pane::Execution, "Execution order", "");
    draw_lines(frame, rows, Vec::new());
}
