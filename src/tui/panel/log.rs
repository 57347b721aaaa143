//! What the program says of itself.

use ratatui::Frame;
use ratatui::layout::Rect;
use tui_logger::{TuiLoggerLevelOutput, TuiLoggerSmartWidget};

use crate::tui::app::App;

/// Draws the screen.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    // The widget divides what it gets without asking how much it is.
    if area.width < 20 || area.height < 4 {
        return;
    }
    let theme = app.theme;
    let widget = TuiLoggerSmartWidget::default()
        .style_error(theme.bad())
        .style_warn(theme.notable())
        .style_info(theme.text())
        .style_debug(theme.dim())
        .style_trace(theme.dim())
        .border_style(theme.dim())
        .highlight_style(theme.selection())
        .title_target(" Targets ")
        .title_log(" Log ")
        .output_separator(' ')
        .output_timestamp(Some("%H:%M:%S%.3f".to_owned()))
        .output_level(Some(TuiLoggerLevelOutput::Long))
        .output_file(false)
        .output_line(false)
        .state(&app.log);
    frame.render_widget(widget, area);
}
