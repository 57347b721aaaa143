//! The last entries of the decision log, in one line.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

use crate::epaxos::event::{Cause, Event, StatusChange};
use crate::observe::log::Entry;
use crate::observe::notice::Decision;
use crate::tui::app::App;
use crate::tui::glyphs;
use crate::tui::layout::inner;

/// Draws as many of the last entries as fit.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    if area.is_empty() {
        return;
    }
    let theme = app.theme;
    let mut row = area;
    if area.height >= 3 {
        let block = Block::bordered().border_style(theme.dim());
        let marks = format!(" {} commit   x drop   t timer   + proposal ", glyphs::DECISION);
        let title = Line::styled(" Timeline ", theme.strong());
        let legend = Line::styled(marks, theme.dim()).right_aligned();
        frame.render_widget(block.title(title).title(legend), area);
        row = inner(area);
    }
    let mut spans: Vec<Span> = Vec::new();
    let mut left = usize::from(row.width).saturating_sub(6);
    for entry in app.view.log.iter().rev() {
        let (mark, style) = mark(app, entry);
        let text = format!("{mark}#{}", entry.id);
        // A dash and a space on either side of it.
        let needed = text.chars().count() + 3;
        if needed > left {
            spans.push(Span::styled("…", theme.dim()));
            break;
        }
        left -= needed;
        spans.push(Span::styled(text, style));
        spans.push(Span::styled(" ─ ", theme.dim()));
    }
    spans.reverse();
    // The dash before the first entry leads nowhere.
    if spans.first().is_some_and(|span| span.content == " ─ ") {
        spans.remove(0);
    }
    spans.insert(0, Span::raw(" "));
    if app.view.log.is_empty() {
        spans.push(Span::styled("nothing has happened yet", theme.dim()));
    }
    frame.render_widget(Line::from(spans), row);
}

/// What makes an entry stand out.
fn mark(app: &App, entry: &Entry) -> (&'static str, Style) {
    let theme = app.theme;
    let committed = entry.events().find_map(|event| match event {
        Event::Status(change) => change.path().filter(|_| decides(change)),
        _ => None,
    });
    match (committed, &entry.step.decision) {
        (Some(path), _) => (glyphs::DECISION, theme.path(path)),
        (None, Decision::Propose(_)) => ("+", theme.strong()),
        (None, Decision::Drop(_) | Decision::Lose(_)) => ("x", theme.bad()),
        (None, Decision::Duplicate(..)) => ("2", theme.notable()),
        (None, Decision::Wake) => ("t", theme.notable()),
        (None, Decision::Crash | Decision::Panic(_)) => ("!", theme.bad()),
        (None, Decision::Restart) => ("^", theme.good()),
        (None, Decision::Show(_)) => ("?", theme.notable()),
        (None, Decision::Deliver(_)) => ("", theme.text()),
    }
}

/// Whether the change takes a decision, and does not merely learn of one.
fn decides(change: &StatusChange) -> bool {
    !matches!(change.cause, Cause::Committed { .. })
}
