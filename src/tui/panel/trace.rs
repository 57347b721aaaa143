//! The trace: what happened, a line each.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::epaxos::event::Event;
use crate::epaxos::instance::Phase;
use crate::observe::notice::{Decision, Effect};
use crate::observe::trace::Line as TraceLine;
use crate::observe::trace::Part;
use crate::tui::app::App;
use crate::tui::glyphs;
use crate::tui::layout::Pane;
use crate::tui::panel::text::cell;
use crate::tui::panel::{draw_lines, framed, row_of, text, titled};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let count = app.trace.len(&app.view);
    let mut remark = if app.trace.is_filtered() {
        format!("{count} of {} lines", app.view.trace.len())
    } else {
        format!("{count} lines")
    };
    let forgotten = app.view.trace_forgotten();
    if forgotten > 0 {
        remark = format!("{remark}, {forgotten} let go");
    }
    remark.push_str(if app.trace.follow { "  following" } else { "  G follows" });
    let title = titled(app, Pane::Trace, "Trace");
    let rows = framed(frame, area, app, Pane::Trace, &title, &remark);
    let place = app.trace.place(&app.view);
    let seen = (place.offset..count).take(usize::from(rows.height));
    let lines = seen.filter_map(|index| {
        let line = app.trace.line(&app.view, index)?;
        let before = index.checked_sub(1).and_then(|before| app.trace.line(&app.view, before));
        let first = before.is_none_or(|before| before.entry.id != line.entry.id);
        let selected = index == place.selected;
        Some(row(app, line, first, selected, usize::from(rows.width)))
    });
    draw_lines(frame, rows, lines.collect());
}

fn row(app: &App, line: &TraceLine, first: bool, selected: bool, columns: usize) -> Line<'static> {
    let theme = app.theme;
    let focused = selected && app.pane() == Pane::Trace;
    let mark = if focused { glyphs::SELECTED } else { " " };
    // The number of the decision stands at its first line to be seen only.
    let number = format!("#{}", line.entry.id);
    let shown = if first { number.as_str() } else { "" };
    let numbers = text::width(&format!("#{} ", app.view.log.len())).max(6);
    let room = columns.saturating_sub(text::width(mark) + numbers);
    let spans = vec![
        cell(mark, 1, theme.accent()),
        cell(shown, numbers, theme.dim()),
        cell(&text::trace(&line.to_string(), room), room, style(app, line)),
    ];
    row_of(app, spans, focused)
}

fn style(app: &App, line: &TraceLine) -> Style {
    let theme = app.theme;
    match line.part() {
        Part::Decision(Decision::Drop(_) | Decision::Lose(_) | Decision::Panic(_)) => theme.bad(),
        Part::Decision(Decision::Duplicate(..)) => theme.notable(),
        Part::Decision(_) => theme.text(),
        Part::Effect(Effect::Send(_)) => theme.dim(),
        Part::Effect(Effect::Reply(_)) => theme.strong(),
        Part::Effect(Effect::Event(event)) => match event {
            Event::Proposed { .. } => theme.strong(),
            Event::Status(change) => theme.phase(change.to),
            Event::Executed { .. } => theme.phase(Phase::Executed),
            Event::LeftBehind { .. } => theme.bad(),
            Event::Recovering { .. }
            | Event::CaughtUp
            | Event::Ruled { .. }
            | Event::TimerFired(_) => theme.notable(),
            Event::Blocked { .. }
            | Event::Ignored { .. }
            | Event::Joined { .. }
            | Event::LetGo { .. }
            | Event::Repeated { .. }
            | Event::Searched { .. } => theme.dim(),
        },
    }
}
