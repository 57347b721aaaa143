//! The replicas: how far their instances are, what waits for them, what their clocks say.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::epaxos::id::ReplicaId;
use crate::epaxos::instance::Phase;
use crate::tui::app::App;
use crate::tui::glyphs;
use crate::tui::layout::{Pane, take_top};
use crate::tui::panel::text::{cell, left, number};
use crate::tui::panel::{draw_lines, framed, row_of};

/// The phases that are counted in columns.
pub const COUNTED: [Phase; 4] =
    [Phase::PreAccepted, Phase::Accepted, Phase::Committed, Phase::Executed];

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let selected = app.view.replicas.get(app.replica.selected);
    let behind = selected.and_then(|replica| replica.left_behind);
    let prompt = match behind {
        // Only a cluster that begins anew begins with the same everywhere.
        Some((by, _)) => format!("{by} no longer has what it missed: replace the whole cluster"),
        None => format!("proposals go to {}", app.at),
    };
    let mut rows = framed(frame, area, app, Pane::Replicas, "Replicas", &prompt);
    let heading = take_top(&mut rows, 1);
    let counts = "   P   A   C    X";
    let titles = format!("  id port {counts} inbox {:<14} {:>7} store", "next timer", "now");
    let titles = left(&titles, usize::from(heading.width));
    draw_lines(frame, heading, vec![Line::styled(titles, app.theme.heading())]);
    let count = app.view.shape.replicas();
    let seen = ReplicaId::all(count).skip(app.replica.offset).take(usize::from(rows.height));
    let lines = seen.map(|id| row(app, id));
    draw_lines(frame, rows, lines.collect());
}

/// How many held messages wait for a replica.
pub fn inbox(app: &App, id: ReplicaId) -> u64 {
    app.deliverables.inboxes.get(id.index()).copied().unwrap_or(0)
}

/// The counts of a replica's instances by phase, in columns of these widths.
pub fn counts(app: &App, id: ReplicaId, columns: [usize; COUNTED.len()]) -> Vec<Span<'static>> {
    let theme = app.theme;
    let replica = app.view.replica(id);
    let count = |(phase, columns): (Phase, usize)| {
        let count = replica.in_phase(phase);
        let style = if count == 0 { theme.dim() } else { theme.phase(phase) };
        number(&brief(count, columns), columns, style)
    };
    COUNTED.into_iter().zip(columns).map(count).collect()
}

/// A count that leaves a space in `columns`; only a plus where even its millions do not.
pub fn brief(count: u64, columns: usize) -> String {
    let units = [(1, ""), (1_000, "k"), (1_000_000, "M")];
    let known = units.into_iter().filter(|(size, _)| count >= *size || *size == 1);
    let mut texts = known.map(|(size, unit)| format!("{}{unit}", count / size));
    texts.find(|text| text.len() < columns).unwrap_or_else(|| "+".to_owned())
}

fn row(app: &App, id: ReplicaId) -> Line<'static> {
    let theme = app.theme;
    let replica = app.view.replica(id);
    let selected = app.replica.selected == id.index();
    let focused = app.pane() == Pane::Replicas;
    let mark = if selected { glyphs::SELECTED } else { " " };
    let here = if app.at == id { theme.strong() } else { theme.text() };
    let changed = app.is_replica_changed(id);
    let here = if changed { theme.changed(here) } else { here };
    let name = if changed { format!("{id}*") } else { id.to_string() };
    let endpoint = app.view.shape.endpoints.get(id.index());
    let port = endpoint.and_then(|endpoint| endpoint.rsplit(':').next()).unwrap_or("-");
    let mut spans = vec![
        cell(mark, 2, theme.accent()),
        cell(&name, 3, here),
        match (replica.up, replica.left_behind) {
            (true, None) => cell(port, 5, theme.dim()),
            (true, Some(_)) => cell("LEFT", 5, theme.bad()),
            (false, _) => cell("DOWN", 5, theme.bad()),
        },
    ];
    spans.extend(counts(app, id, [4, 4, 4, 5]));
    let inbox = inbox(app, id);
    let waiting = if inbox == 0 { theme.dim() } else { theme.notable() };
    spans.push(number(&inbox.to_string(), 6, waiting));
    let timer = replica.timer.map_or_else(|| "-".to_owned(), |(_, timer)| timer.to_string());
    let style = if replica.timer.is_some() { theme.text() } else { theme.dim() };
    spans.extend([Span::raw(" "), cell(&timer, 14, style)]);
    spans.push(number(&clock(replica.now.0), 8, theme.dim()));
    let digest = app.digests.of(id).unwrap_or_default();
    spans.extend([Span::raw(" "), cell(&digest, 5, theme.dim())]);
    row_of(app, spans, selected && focused)
}

/// A replica's clock, to the millisecond where there is room for it.
fn clock(micros: u64) -> String {
    match micros / 1_000_000 {
        seconds @ 0..1_000 => format!("{seconds}.{:03}s", micros / 1_000 % 1_000),
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_says_what_it_can_in_its_columns() {
        let brief = |columns: usize| {
            [0, 9, 10, 999, 1_000, 99_999, 3_200_000].map(|count| brief(count, columns))
        };
        assert_eq!(brief(2), ["0", "9", "+", "+", "+", "+", "+"]);
        assert_eq!(brief(4), ["0", "9", "10", "999", "1k", "99k", "3M"]);
        assert_eq!(brief(9), ["0", "9", "10", "999", "1000", "99999", "3200000"]);
    }
}
