//! Numbers: what each replica sent, received, decided and executed, and how long that took.

use hdrhistogram::Histogram;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::epaxos::event::Reason;
use crate::epaxos::message::MessageKind;
use crate::observe::counters::Counters;
use crate::observe::view::View;
use crate::tui::app::App;
use crate::tui::glyphs;
use crate::tui::layout::Pane;
use crate::tui::panel::text::{cell, number};
use crate::tui::panel::{draw_lines, framed, text};

/// Draws the screen.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let height = usize::from(area.height).saturating_sub(2);
    let length = length(&app.view);
    let offset = app.metrics.offset.min(length.saturating_sub(height));
    let remark = match length.saturating_sub(offset + height) {
        0 => String::new(),
        below => format!("{below} more below"),
    };
    let rows = framed(frame, area, app, Pane::Metrics, "Metrics", &remark);
    let lines = lines(app, usize::from(rows.width));
    draw_lines(frame, rows, lines.into_iter().skip(offset).take(height).collect());
}

/// How many lines there are to see.
pub fn length(view: &View) -> usize {
    let counters = Counters::default().plain().len();
    let _ = view;
    TOP_LINES + 2 * MessageKind::ALL.len() + 2 + counters + 1 + Reason::ALL.len()
}

/// How wide the names are.
const NAMES: usize = 20;

/// The lines before the table: rate, share, four histograms, and what divides them.
const TOP_LINES: usize = 10;

fn lines(app: &App, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let total = app.view.total();
    let mut lines = vec![rate(app, columns), share(app, &total), Line::default()];
    lines.push(Line::styled(
        format!("{:<20}{:>9}{:>9}{:>9}{:>9}{:>9}", "", "count", "p50", "p90", "p99", "max"),
        theme.heading(),
    ));
    lines.push(histogram(app, "commit latency", &total.commit_latency, text::micros));
    lines.push(histogram(app, "execute latency", &total.execute_latency, text::micros));
    lines.push(histogram(app, "component size", &total.component_size, |n| n.to_string()));
    lines.push(histogram(app, "chain depth", &total.chain_depth, |n| n.to_string()));
    lines.push(Line::default());
    let each: Vec<&Counters> = app.view.replicas.iter().map(|replica| &replica.counters).collect();
    let width = (columns.saturating_sub(NAMES + 10) / each.len().max(1)).min(9);
    let mut heading = vec![cell("", NAMES, theme.heading()), number("all", 9, theme.heading())];
    heading.extend((0..each.len()).map(|id| number(&format!("R{id}"), width, theme.heading())));
    lines.push(Line::from(heading));
    let mut table = Table { app, each, total: &total, width, lines };
    for (kind, name) in MessageKind::ALL.iter().map(|kind| (kind.index(), kind.name())) {
        table.row(&format!("sent {name}"), |counters| counters.sends[kind]);
    }
    table.row("sent in all", Counters::sends_total);
    for (kind, name) in MessageKind::ALL.iter().map(|kind| (kind.index(), kind.name())) {
        table.row(&format!("got {name}"), |counters| counters.receives[kind]);
    }
    table.row("got in all", Counters::receives_total);
    table.plain_rows();
    table.lines.push(Line::styled("not acted upon", theme.heading()));
    for reason in Reason::ALL {
        table.row(&format!("  {reason}"), |counters| counters.ignored[reason as usize]);
    }
    table.lines
}

struct Table<'a> {
    app: &'a App,
    each: Vec<&'a Counters>,
    total: &'a Counters,
    width: usize,
    lines: Vec<Line<'static>>,
}

impl Table<'_> {
    fn row(&mut self, name: &str, value: impl Fn(&Counters) -> u64) {
        let each: Vec<u64> = self.each.iter().map(|counters| value(counters)).collect();
        self.push(name, value(self.total), &each);
    }

    /// The counters that are single numbers.
    fn plain_rows(&mut self) {
        let each: Vec<_> = self.each.iter().map(|counters| counters.plain()).collect();
        for (index, (name, all)) in self.total.plain().into_iter().enumerate() {
            let each: Vec<u64> = each.iter().map(|counters| counters[index].1).collect();
            self.push(name, all, &each);
        }
    }

    fn push(&mut self, name: &str, all: u64, each: &[u64]) {
        let theme = self.app.theme;
        let style = |value: u64| if value == 0 { theme.dim() } else { theme.text() };
        let mut spans = vec![cell(name, NAMES, theme.text())];
        spans.push(number(&all.to_string(), 9, style(all).patch(theme.strong())));
        let columns =
            each.iter().map(|value| number(&value.to_string(), self.width, style(*value)));
        spans.extend(columns);
        self.lines.push(Line::from(spans));
    }
}

fn histogram(
    app: &App,
    name: &str,
    histogram: &Histogram<u64>,
    show: fn(u64) -> String,
) -> Line<'static> {
    let theme = app.theme;
    let at = |quantile| {
        if histogram.is_empty() {
            "-".to_owned()
        } else {
            show(histogram.value_at_quantile(quantile))
        }
    };
    let max = if histogram.is_empty() { "-".to_owned() } else { show(histogram.max()) };
    let style = if histogram.is_empty() { theme.dim() } else { theme.text() };
    let values = [histogram.len().to_string(), at(0.5), at(0.9), at(0.99), max];
    let mut spans = vec![cell(name, NAMES, theme.text())];
    spans.extend(values.iter().map(|value| number(value, 9, style)));
    Line::from(spans)
}

/// What was executed in each of the last seconds, as bars.
fn rate(app: &App, columns: usize) -> Line<'static> {
    let theme = app.theme;
    let room = columns.saturating_sub(NAMES + 14);
    let shown: Vec<u64> = app.rate.seconds().rev().take(room).collect();
    let now = shown.first().copied().unwrap_or(0);
    let most = shown.iter().copied().max().unwrap_or(0).max(1);
    let levels = glyphs::BARS.len() as u64 - 1;
    let bar = |rate: u64| {
        let level = rate.saturating_mul(levels).div_ceil(most);
        glyphs::BARS[usize::try_from(level).unwrap_or(0).min(glyphs::BARS.len() - 1)]
    };
    let bars: String = shown.iter().rev().map(|rate| bar(*rate)).collect();
    Line::from(vec![
        cell("executed", NAMES, theme.text()),
        number(&format!("{now}/s"), 9, theme.strong()),
        Span::styled(format!("  {bars}"), theme.accent()),
    ])
}

fn share(app: &App, total: &Counters) -> Line<'static> {
    let theme = app.theme;
    let share = total.fast_share().map_or("-".to_owned(), |share| format!("{:.1}%", share * 100.0));
    Line::from(vec![
        cell("fast path", NAMES, theme.text()),
        number(&share, 9, theme.strong()),
        Span::styled(format!("  {} fast", total.fasts), theme.good()),
        Span::styled(format!("  {} slow", total.slows), Style::new().patch(theme.notable())),
    ])
}
