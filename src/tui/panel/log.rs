//! What the program says of itself.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use tui_logger::{TuiLoggerLevelOutput, TuiLoggerSmartWidget};

use crate::tui::app::App;

/// Draws the screen.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    // The widget divides what it gets without asking how much it is.
    if area.width < 20 || area.height < 4 {
        return;
    }
    let theme = app.theme;
    // Where there is little room, the list of targets says enough of where a line is from.
    let wide = area.width >= 100;
    let time = if wide { "%H:%M:%S%.3f" } else { "%H:%M:%S" };
    let level = if wide { TuiLoggerLevelOutput::Long } else { TuiLoggerLevelOutput::Abbreviated };
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
        .output_timestamp(Some(time.to_owned()))
        .output_level(Some(level))
        .output_target(wide)
        .output_file(false)
        .output_line(false)
        .state(&app.log);
    frame.render_widget(widget, area);
    hide_rate(frame, area, theme.dim());
}

/// The widget puts into its frame how many lines a second it is given, which tells nobody anything.
fn hide_rate(frame: &mut Frame, area: Rect, border: Style) {
    let buffer = frame.buffer_mut();
    let cells = || (area.left()..area.right()).map(|x| (x, area.y));
    let Some(start) = cells().find(|at| buffer[*at].symbol() == "[") else { return };
    for at in cells().filter(|at| at.0 >= start.0) {
        let last = buffer[at].symbol() == "]";
        buffer[at].set_symbol("─").set_style(border);
        if last {
            return;
        }
    }
}
