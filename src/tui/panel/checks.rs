//! Everything that must be true of every run, and whether it is.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::check::{Property, Violation};
use crate::tui::app::{App, Standing};
use crate::tui::deed::Deed;
use crate::tui::glyphs;
use crate::tui::keys::Context;
use crate::tui::layout::{Pane, inner, take_bottom};
use crate::tui::panel::text::cell;
use crate::tui::panel::{draw_lines, framed, row_of, text, titled};

/// Draws the screen.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let broken = app.checks.violations();
    let remark = match broken.len() {
        0 => format!(
            "{} steps checked, nothing is wrong",
            app.checks.checked().unwrap_or(app.view.log.len())
        ),
        1 => "1 violation".to_owned(),
        count => format!("{count} violations"),
    };
    let inside = usize::from(detail_height(inner(area).height));
    let room = usize::from(inner(area).height).saturating_sub(inside);
    let below = app.checks.listed().len().saturating_sub(app.checks.place.offset + room);
    let remark = if below > 0 { format!("{remark}, {below} more below") } else { remark };
    let title = titled(app, Pane::Checks, "Checks");
    let mut rows = framed(frame, area, app, Pane::Checks, &title, &remark);
    let height = detail_height(rows.height);
    let detail = take_bottom(&mut rows, height);
    let listed = app.checks.listed();
    let seen = listed.iter().enumerate().skip(app.checks.place.offset);
    let lines = seen.take(usize::from(rows.height)).map(|(index, property)| {
        row(app, *property, index == app.checks.place.selected, usize::from(rows.width))
    });
    draw_lines(frame, rows, lines.collect());
    draw_lines(frame, detail, about(app, usize::from(detail.width), usize::from(detail.height)));
}

/// How much of `height` rows is for the selected property.
pub fn detail_height(height: u16) -> u16 {
    let properties = u16::try_from(Property::ALL.len()).unwrap_or(u16::MAX);
    height.saturating_sub(properties).max(5).min(height / 2)
}

fn row(app: &App, property: Property, selected: bool, columns: usize) -> Line<'static> {
    let theme = app.theme;
    let count = app.checks.violations_of(property).count();
    let (sign, style, note) = match app.checks.standing(property) {
        Standing::Holds => ("ok", theme.good(), String::new()),
        Standing::HeldAt(step) => ("ok", theme.good(), format!("up to step {step}")),
        Standing::Unknown => ("-", theme.dim(), "not looked at".to_owned()),
        Standing::Broken if count == 1 => ("BROKEN", theme.bad(), "1 violation".to_owned()),
        Standing::Broken => ("BROKEN", theme.bad(), format!("{count} violations")),
    };
    let mark = if selected { glyphs::SELECTED } else { " " };
    let noted = if note.is_empty() { 0 } else { text::width(&note) + 1 };
    let room = columns.saturating_sub(MARK + SIGN + NAME + noted);
    let sentence = text::cut(property.sentence(), room);
    let note = text::right(&note, noted);
    row_of(
        app,
        vec![
            cell(mark, MARK, theme.accent()),
            cell(sign, SIGN, style.patch(theme.strong())),
            cell(property.name(), NAME, theme.strong()),
            cell(&sentence, room, theme.text()),
            Span::styled(note, style),
        ],
        selected,
    )
}

/// What there is to say of the selected property.
fn about(app: &App, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let property = app.checks.selected();
    let rule = "─".repeat(columns);
    let mut lines = vec![Line::styled(rule, theme.dim())];
    let told = |line: String| Line::styled(format!(" {line}"), theme.text());
    let mut violations = app.checks.violations_of(property).peekable();
    if violations.peek().is_none() {
        lines.extend(
            text::wrap(property.meaning(), columns.saturating_sub(2)).into_iter().map(told),
        );
    }
    for violation in violations {
        lines.push(Line::styled(format!(" {}", place(app, violation)), theme.bad()));
        let sentence = text::wrap(&violation.sentence, columns.saturating_sub(2));
        lines.extend(sentence.into_iter().map(told));
    }
    lines.truncate(rows);
    lines
}

/// Where a violation showed.
fn place(app: &App, violation: &Violation) -> String {
    let open = app.keys.key(Context::Checks, Deed::Open);
    let step = Some(format!("step {}", violation.at));
    let replica = violation.replica.map(|replica| replica.to_string());
    let instance = violation.instance.map(|instance| format!("{instance} ({open} selects it)"));
    [step, replica, instance].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

const MARK: usize = 2;

const SIGN: usize = 7;

const NAME: usize = 16;
