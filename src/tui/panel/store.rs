//! The replicas' stores, side by side.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::epaxos::command;
use crate::epaxos::command::{Key, Value};
use crate::epaxos::id::ReplicaId;
use crate::tui::app::App;
use crate::tui::glyphs;
use crate::tui::layout::{Pane, take_top};
use crate::tui::panel::text::cell;
use crate::tui::panel::{draw_lines, framed, text, titled};

/// Draws the screen.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let theme = app.theme;
    let keys = app.digests.listed();
    let alike = app.digests.alike();
    let remark = if alike {
        format!("{} keys, all stores alike", keys.len())
    } else {
        format!("{} keys, stores differ", keys.len())
    };
    let title = titled(app, Pane::Store, "Stores");
    let mut rows = framed(frame, area, app, Pane::Store, &title, &remark);
    let columns = Columns::of(app, usize::from(rows.width), keys);
    let heading = take_top(&mut rows, 1);
    let mut titles = vec![cell("   key", columns.key + 3, theme.heading())];
    for id in ReplicaId::all(app.view.replicas.len()) {
        let digest = app.digests.of(id).unwrap_or_default();
        titles.push(cell(&format!("{id} {digest}"), columns.value, theme.heading()));
    }
    draw_lines(frame, heading, vec![Line::from(titles)]);
    if keys.is_empty() {
        let hint = "   Nothing has been written yet.";
        return draw_lines(frame, rows, vec![Line::styled(hint, theme.dim())]);
    }
    let seen = keys.iter().enumerate().skip(app.store.offset).take(usize::from(rows.height));
    let lines = seen.map(|(index, key)| row(app, key, index == app.store.selected, &columns));
    draw_lines(frame, rows, lines.collect());
}

/// How wide things are.
struct Columns {
    key: usize,
    value: usize,
}

impl Columns {
    fn of(app: &App, width: usize, keys: &[Key]) -> Self {
        let longest =
            keys.iter().skip(app.store.offset).take(200).map(|key| text::width(key)).max();
        let key = longest.unwrap_or(0).clamp(8, (width / 4).max(8)) + 1;
        let value = width.saturating_sub(key + 3) / app.view.replicas.len().max(1);
        Self { key, value: value.max(3) }
    }
}

fn row(app: &App, key: &Key, selected: bool, columns: &Columns) -> Line<'static> {
    let theme = app.theme;
    let values: Vec<Option<&Value>> =
        app.view.replicas.iter().map(|replica| replica.store.get(key)).collect();
    let differs = values.windows(2).any(|pair| pair[0] != pair[1]);
    let mark = if selected { glyphs::SELECTED } else { " " };
    let differing = if differs { "≠ " } else { "  " };
    let mut spans = vec![
        cell(mark, 1, theme.accent()),
        cell(differing, 2, theme.notable()),
        cell(key, columns.key, theme.strong()),
    ];
    // The value that most have needs no attention; the others do.
    let count = |value: Option<&Value>| values.iter().filter(|other| **other == value).count();
    let usual = values.iter().max_by_key(|value| count(**value)).copied().flatten();
    for value in &values {
        let shown = value.map_or_else(|| "-".to_owned(), |value| command::text(value));
        let style = match (*value == usual, value) {
            (false, _) => theme.notable().patch(theme.selection()),
            (true, None) => theme.dim(),
            (true, Some(_)) => theme.text(),
        };
        let shown = text::cut(&shown, columns.value.saturating_sub(1));
        let space = columns.value.saturating_sub(text::width(&shown));
        spans.push(Span::styled(shown, style));
        spans.push(Span::raw(" ".repeat(space)));
    }
    Line::from(spans).style(if selected { theme.strong() } else { Style::new() })
}
