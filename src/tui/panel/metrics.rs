//! Numbers: what each replica sent, received, decided and executed, and how long that took.

use hdrhistogram::Histogram;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::epaxos::event::{Reason, Rule};
use crate::epaxos::message::MessageKind;
use crate::observe::counters::Counters;
use crate::tui::app::App;
use crate::tui::glyphs;
use crate::tui::layout::Pane;
use crate::tui::panel::text::{cell, number};
use crate::tui::panel::{draw_lines, framed, replicas, text};

/// Draws the screen.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let height = usize::from(area.height).saturating_sub(2);
    let lines = lines(app, usize::from(area.width).saturating_sub(2));
    let offset = app.metrics.offset.min(lines.len().saturating_sub(height));
    let remark = match lines.len().saturating_sub(offset + height) {
        0 => String::new(),
        below => format!("{below} more below"),
    };
    let rows = framed(frame, area, app, Pane::Metrics, "Metrics", &remark);
    draw_lines(frame, rows, lines.into_iter().skip(offset).take(height).collect());
}

/// All there is to see: side by side where there is room for two tables, otherwise one below the
/// other.
pub fn lines(app: &App, columns: usize) -> Vec<Line<'static>> {
    let total = app.view.total();
    let half = columns.saturating_sub(GAP) / 2;
    let two = half >= HISTOGRAMS && half >= NAMES + NUMBER + REPLICA * app.view.replicas.len();
    let width = if two { half } else { columns };
    let mut lines = vec![rate(app, columns), share(app, &total), kept(app), Line::default()];
    let mut left = histograms(app, &total);
    left.push(Line::default());
    left.extend(message_rows(app, &total, width));
    let right = event_rows(app, &total, width, two);
    if !two {
        lines.extend(left.into_iter().chain(right));
        return lines;
    }
    let rows = left.len().max(right.len());
    left.resize(rows, Line::default());
    let mut right = right.into_iter();
    for mut line in left {
        let other = right.next().unwrap_or_default();
        line.push_span(Span::raw(" ".repeat((half + GAP).saturating_sub(line.width()))));
        line.extend(other.spans);
        lines.push(line);
    }
    lines
}

/// How much of what happened is kept, and what that takes.
fn kept(app: &App) -> Line<'static> {
    let theme = app.theme;
    let log = &app.view.log;
    let megabytes = |bytes: usize| format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10);
    let told = format!(
        "{} of {} steps, {} of {} lines; {} of at most {}",
        log.iter().len(),
        log.len(),
        app.view.trace.len(),
        app.view.traced,
        megabytes(log.bytes()),
        megabytes(log.bytes_most()),
    );
    Line::from(vec![cell("kept", NAMES - 2, theme.heading()), Span::styled(told, theme.text())])
}

/// How wide the names are.
const NAMES: usize = 20;

/// How wide a number is, where there is room for it.
const NUMBER: usize = 8;

/// How wide a replica's number has to be.
const REPLICA: usize = 6;

/// How wide the histograms are.
const HISTOGRAMS: usize = NAMES - 2 + 5 * NUMBER;

/// What is between two tables.
const GAP: usize = 2;

/// Latencies and sizes.
fn histograms(app: &App, total: &Counters) -> Vec<Line<'static>> {
    let theme = app.theme;
    let names = ["count", "p50", "p90", "p99", "max"];
    let mut heading = vec![cell("", NAMES - 2, theme.heading())];
    heading.extend(names.map(|name| number(name, NUMBER, theme.heading())));
    vec![
        Line::from(heading),
        histogram(app, "commit latency", &total.commit_latency, text::micros),
        histogram(app, "execute latency", &total.execute_latency, text::micros),
        histogram(app, "component size", &total.component_size, |n| n.to_string()),
        histogram(app, "chain depth", &total.chain_depth, |n| n.to_string()),
    ]
}

/// What was sent and received.
fn message_rows(app: &App, total: &Counters, width: usize) -> Vec<Line<'static>> {
    let mut table = Table::new(app, total, width);
    table.heading("messages");
    for (kind, name) in MessageKind::ALL.iter().map(|kind| (kind.index(), kind.name())) {
        table.row(&format!("sent {name}"), |counters| counters.sends[kind]);
    }
    table.row("sent in all", Counters::sends_total);
    for (kind, name) in MessageKind::ALL.iter().map(|kind| (kind.index(), kind.name())) {
        table.row(&format!("got {name}"), |counters| counters.receives[kind]);
    }
    table.row("got in all", Counters::receives_total);
    table.lines
}

/// What else was counted, below a heading of its own where it is a table of its own.
fn event_rows(app: &App, total: &Counters, width: usize, headed: bool) -> Vec<Line<'static>> {
    let mut table = Table::new(app, total, width);
    if headed {
        table.heading("events");
    }
    table.plain_rows();
    table.lines.push(Line::styled("not acted upon", app.theme.heading()));
    // The last ones are rare, and shown once they have occurred.
    let rare = [Reason::TooFarAhead, Reason::NoRoom, Reason::Lagging];
    let shown = |reason: &Reason| !rare.contains(reason) || total.ignored[*reason as usize] > 0;
    for reason in Reason::ALL.into_iter().filter(shown) {
        table.row(&format!("  {reason}"), |counters| counters.ignored[reason as usize]);
    }
    if total.recoveries > 0 {
        table.lines.push(Line::styled("rules of recovery", app.theme.heading()));
    }
    for rule in Rule::ALL.into_iter().filter(|rule| total.rules[*rule as usize] > 0) {
        table.row(&format!("  {}", rule.name()), |counters| counters.rules[rule as usize]);
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

impl<'a> Table<'a> {
    fn new(app: &'a App, total: &'a Counters, width: usize) -> Self {
        let each: Vec<_> = app.view.replicas.iter().map(|replica| &replica.counters).collect();
        let width = width.saturating_sub(NAMES + NUMBER) / each.len().max(1);
        Self { app, each, total, width: width.min(NUMBER), lines: Vec::new() }
    }

    fn heading(&mut self, name: &str) {
        let style = self.app.theme.heading();
        let mut heading = vec![cell(name, NAMES, style), number("all", NUMBER, style)];
        let each = (0..self.each.len()).map(|id| number(&format!("R{id}"), self.width, style));
        heading.extend(each);
        self.lines.push(Line::from(heading));
    }

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
        let shown = |value: u64, width: usize| replicas::brief(value, width);
        let mut spans = vec![cell(name, NAMES, theme.text())];
        spans.push(number(&shown(all, NUMBER), NUMBER, style(all).patch(theme.strong())));
        let columns =
            each.iter().map(|value| number(&shown(*value, self.width), self.width, style(*value)));
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
    let mut spans = vec![cell(name, NAMES - 2, theme.text())];
    spans.extend(values.iter().map(|value| number(value, NUMBER, style)));
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
        cell("executed", NAMES - 2, theme.text()),
        number(&format!("{now}/s"), NUMBER, theme.strong()),
        Span::styled(format!("  {bars}"), theme.accent()),
    ])
}

fn share(app: &App, total: &Counters) -> Line<'static> {
    let theme = app.theme;
    let share = total.fast_share().map_or("-".to_owned(), |share| format!("{:.1}%", share * 100.0));
    Line::from(vec![
        cell("fast path", NAMES - 2, theme.text()),
        number(&share, NUMBER, theme.strong()),
        Span::styled(format!("  {} fast", total.fasts), theme.good()),
        Span::styled(format!("  {} slow", total.slows), Style::new().patch(theme.notable())),
    ])
}
