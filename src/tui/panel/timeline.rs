//! The entries of the decision log around the place that is looked at, in one line.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

use crate::epaxos::event::{Cause, Event, StatusChange};
use crate::observe::log::Entry;
use crate::observe::notice::Decision;
use crate::observe::turn::Choice;
use crate::tui::app::App;
use crate::tui::glyphs;
use crate::tui::layout::inner;

/// Draws as many entries as fit around the place that is looked at, and where that is in all of them.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    if area.is_empty() {
        return;
    }
    let theme = app.theme;
    if area.height >= 3 {
        let marks = format!(" {} commit   x drop   t timer   + proposal ", glyphs::DECISION);
        let mut block = Block::bordered()
            .border_style(theme.dim())
            .title(Line::styled(" Timeline ", theme.strong()))
            .title(Line::styled(marks, theme.dim()).right_aligned());
        if let Some(slider) = slider(app, area) {
            block = block.title_bottom(slider);
        }
        frame.render_widget(block, area);
    }
    let row = row(area);
    let mut spans = vec![Span::raw(" ")];
    if let Some((place, width)) = small_slider(app, area) {
        frame.render_widget(knob(app, width), place);
    }
    let cells = cells(app, width_for_cells(app, area));
    for (index, Cell { text, style, .. }) in cells.into_iter().enumerate() {
        if index > 0 {
            spans.push(Span::styled(DASH, theme.dim()));
        }
        spans.push(Span::styled(text, style));
    }
    if app.times.branch().is_empty() && app.view.log.is_empty() {
        spans.push(Span::styled("nothing has happened yet", theme.dim()));
    }
    let room = u16::try_from(width_for_cells(app, area)).unwrap_or(row.width);
    frame.render_widget(Line::from(spans), Rect { width: room, ..row });
}

/// The line with the entries.
fn row(area: Rect) -> Rect {
    if area.height >= 3 { inner(area) } else { area }
}

/// The entry that stands at a place on the screen, as how many turns there are up to it; or the one that
/// the slider is drawn to.
pub fn place_at(app: &App, place: Position, area: Rect) -> Option<u64> {
    let row = row(area);
    if let Some((own, width)) = small_slider(app, area).filter(|(own, _)| own.contains(place)) {
        let along = u64::from(place.x - own.x).min(width);
        return Some(app.times.branch().len() * along / width.max(1));
    }
    if row.contains(place) {
        let mut end = row.x + 1;
        for Cell { at, text, .. } in cells(app, width_for_cells(app, area)) {
            end += u16::try_from(text.chars().count() + DASH.chars().count()).ok()?;
            if place.x < end {
                return at;
            }
        }
        return None;
    }
    let below = place.y + 1 == area.bottom() && area.height >= 3;
    if !below || !area.contains(place) {
        return None;
    }
    let (width, len) = (u64::from(row.width.max(2) - 1), app.times.branch().len());
    let along = u64::from(place.x.saturating_sub(row.x)).min(width);
    Some(len * along / width)
}

/// How far the place that is looked at is in all that is known, as a knob on the border.
fn slider(app: &App, area: Rect) -> Option<Line<'static>> {
    app.times.past.as_ref()?;
    Some(knob(app, u64::from(row(area).width.max(2) - 1)))
}

/// Where that has no border to be on, at the end of the line, with how wide it is.
fn small_slider(app: &App, area: Rect) -> Option<(Rect, u64)> {
    let small = area.height < 3 && area.width > 2 * SMALL && app.times.past.is_some();
    let place = Rect { x: area.right().saturating_sub(SMALL), y: area.y, width: SMALL, height: 1 };
    small.then_some((place, u64::from(SMALL - 1)))
}

/// How much room there is for entries.
fn width_for_cells(app: &App, area: Rect) -> usize {
    let beside = small_slider(app, area).map_or(0, |(place, _)| place.width + 1);
    usize::from(row(area).width.saturating_sub(beside))
}

fn knob(app: &App, width: u64) -> Line<'static> {
    let (_, at) = app.times.place();
    let len = app.times.branch().len().max(1);
    let before = usize::try_from(width * at / len).unwrap_or(0);
    let rest = usize::try_from(width).unwrap_or(0).saturating_sub(before);
    let theme = app.theme;
    Line::from(vec![
        Span::styled("━".repeat(before), theme.accent()),
        Span::styled(glyphs::DECISION, theme.accent()),
        Span::styled("─".repeat(rest), theme.dim()),
    ])
}

/// How many columns the slider takes on a line of its own.
const SMALL: u16 = 24;

/// An entry on the timeline; without one, there are more than are shown.
struct Cell {
    /// How many turns there are up to it.
    at: Option<u64>,
    text: String,
    style: Style,
}

/// The entries around the place that is looked at, as many as fit.
fn cells(app: &App, width: usize) -> Vec<Cell> {
    let theme = app.theme;
    let (_, at) = app.times.place();
    let past = app.times.past.is_some();
    let at = if past { at } else { app.view.log.len() };
    let end = if past { app.times.branch().len() } else { at };
    let mut left = width.saturating_sub(6);
    // Where more is known to come, there is room for it.
    let mut behind = if end > at { left * 2 / 3 } else { left };
    let cut = || Cell { at: None, text: "…".to_owned(), style: theme.dim() };
    let mut cells = Vec::new();
    for number in (0..at).rev() {
        let cell = cell(app, number, number + 1 == at && past);
        let needed = cell.text.chars().count() + DASH.chars().count();
        if needed > behind {
            cells.push(cut());
            break;
        }
        behind -= needed;
        left -= needed;
        cells.push(cell);
    }
    cells.reverse();
    for number in at..end {
        let cell = cell(app, number, false);
        let needed = cell.text.chars().count() + DASH.chars().count();
        if needed > left {
            cells.push(cut());
            break;
        }
        left -= needed;
        cells.push(cell);
    }
    cells
}

fn cell(app: &App, number: u64, here: bool) -> Cell {
    let theme = app.theme;
    let (branch, _) = app.times.place();
    let entry = app.view.log.get(number);
    let (mark, style) = match entry {
        Some(entry) => mark(app, entry),
        None => (coming(app, number), theme.dim()),
    };
    let forks = if app.times.multiverse.is_left_at(branch, number + 1) { "Y" } else { "" };
    let (text, style) = if here {
        (format!("[{mark}#{number}]{forks}"), theme.selection())
    } else {
        (format!("{mark}#{number}{forks}"), style)
    };
    Cell { at: Some(number + 1), text, style }
}

/// What is known of a turn that is still to come.
fn coming(app: &App, number: u64) -> &'static str {
    let (branch, _) = app.times.place();
    match app.times.multiverse.turn(branch, number).map(|turn| &turn.choice) {
        Some(Choice::Propose(_)) => "+",
        Some(Choice::Drop(_) | Choice::Lose(_)) => "x",
        Some(Choice::Duplicate(..)) => "2",
        Some(Choice::Wake) => "t",
        Some(Choice::Crash | Choice::Panic(_) | Choice::Failed(_)) => "!",
        Some(Choice::Restart) => "^",
        Some(Choice::Deliver(_)) | None => "",
    }
}

/// What is between two entries.
const DASH: &str = " ─ ";

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
