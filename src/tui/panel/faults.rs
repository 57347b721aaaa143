//! The links and the replicas: what is wrong with them, and what waits because of it.
//!
//! ```text
//!       R0    R1    R2      next timer
//!   R0  up    X     ·       resend R0.0      a row for each replica, a column for whom it sends to;
//! ► R1 [L 3 ] up    ·       -                on the diagonal the replicas themselves
//!   R2  ·     ·     DOWN    DOWN
//!
//!   R1→R0 ...                                what is selected, in words
//!   In force ...                             all that is wrong, in words
//!   · ok  X cut ...                          the letters
//! ```

pub mod words;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::epaxos::id::ReplicaId;
use crate::observe::links::LinkId;
use crate::tui::app::App;
use crate::tui::glyphs;
use crate::tui::layout::{Pane, take_bottom, take_top};
use crate::tui::panel::text::{cell, left};
use crate::tui::panel::{draw_lines, framed, text};

/// Draws the screen.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let remark = words::in_short(app);
    let title = "Faults: links from row to column";
    let mut rest = framed(frame, area, app, Pane::Faults, title, &remark);
    let matrix = Matrix::of(app, rest);
    let lines = std::iter::once(heading(app, &matrix));
    let rows = matrix.rows().map(|id| row(app, id, &matrix));
    let height = u16::try_from(matrix.height + 1).unwrap_or(u16::MAX);
    draw_lines(frame, take_top(&mut rest, height), lines.chain(rows).collect());

    let width = usize::from(rest.width).saturating_sub(4);
    let height = usize::from(rest.height);
    let loose = told(app, width, true);
    let legend = legend(app, height.saturating_sub(loose.len()), width);
    let bottom = u16::try_from(legend.len()).unwrap_or(u16::MAX);
    draw_lines(frame, take_bottom(&mut rest, bottom), legend);
    let height = usize::from(rest.height);
    let mut told = if loose.len() <= height { loose } else { told(app, width, false) };
    if told.len() < height && told.first().is_some_and(|line| line.width() > 0) {
        told.insert(0, Line::default());
    }
    // Where there is room for one line, it is about what is selected.
    if told.len() > height && height > 1 {
        told.truncate(height - 1);
        let advice = "  and more; there is not room for all of it";
        told.push(Line::styled(advice, app.theme.dim()));
    }
    draw_lines(frame, rest, told);
}

/// What is at a place of the screen, if it is a crossing of the matrix.
pub fn crossing_at(app: &App, place: Position) -> Option<LinkId> {
    let mut rows = app.layout().rows(Pane::Faults);
    // The heading, which the rows have lost already, is part of what the matrix reckons with.
    rows.y = rows.y.saturating_sub(1);
    rows.height += 1;
    let matrix = Matrix::of(app, rows);
    let row = usize::from(place.y.checked_sub(rows.y + 1)?);
    let column = usize::from(place.x.checked_sub(rows.x)?).checked_sub(LABEL)? / matrix.cell;
    let from = matrix.rows().nth(row)?;
    let to = ReplicaId::all(app.view.shape.replicas()).nth(column)?;
    Some(LinkId { from, to })
}

/// How wide a row's name is, its mark included.
const LABEL: usize = 5;

/// How much a replica's timer needs.
const TIMER: usize = 19;

/// How many lines must be left below the matrix.
const BELOW: usize = 2;

/// Where the matrix is.
struct Matrix {
    /// The first row to be seen.
    first: usize,
    /// How many are.
    height: usize,
    /// How wide a cell is, brackets included.
    cell: usize,
    /// What is left of a row for the replica's timer.
    timer: usize,
}

impl Matrix {
    fn of(app: &App, area: Rect) -> Self {
        let replicas = app.view.shape.replicas();
        let width = usize::from(area.width);
        let cell = (width.saturating_sub(LABEL + TIMER) / replicas.max(1)).clamp(5, 9);
        let height = usize::from(area.height).saturating_sub(1 + BELOW).clamp(1, replicas.max(1));
        let first = (app.crossing.from.index() + 1).saturating_sub(height);
        let timer = width.saturating_sub(LABEL + replicas * cell + 1);
        Self { first, height, cell, timer }
    }

    fn rows(&self) -> impl Iterator<Item = ReplicaId> + use<> {
        (self.first..self.first + self.height).map(ReplicaId::from_index)
    }
}

fn heading(app: &App, matrix: &Matrix) -> Line<'static> {
    let theme = app.theme;
    let mut spans = vec![cell("", LABEL, theme.heading())];
    for id in ReplicaId::all(app.view.shape.replicas()) {
        let selected = id == app.crossing.to;
        let style = if selected { theme.accent().patch(theme.strong()) } else { theme.heading() };
        spans.push(cell(&format!(" {id}"), matrix.cell, style));
    }
    spans.push(cell(" next timer", matrix.timer + 1, theme.heading()));
    Line::from(spans)
}

fn row(app: &App, from: ReplicaId, matrix: &Matrix) -> Line<'static> {
    let theme = app.theme;
    let selected = from == app.crossing.from;
    let mark = if selected { glyphs::SELECTED } else { " " };
    let name = if selected { theme.accent().patch(theme.strong()) } else { theme.heading() };
    let mut spans = vec![cell(mark, 2, theme.accent()), cell(&from.to_string(), LABEL - 2, name)];
    for to in ReplicaId::all(app.view.shape.replicas()) {
        let crossing = LinkId { from, to };
        let (shown, style) = crossed(app, crossing, matrix.cell - 2);
        let shown = left(&shown, matrix.cell - 2);
        if crossing == app.crossing {
            spans.push(Span::styled(format!("[{shown}]"), style.patch(theme.selection())));
        } else {
            spans.extend([Span::raw(" "), Span::styled(shown, style), Span::raw(" ")]);
        }
    }
    let (timer, style) = timer(app, from, matrix.timer);
    spans.extend([Span::raw(" "), cell(&timer, matrix.timer, style)]);
    Line::from(spans)
}

/// What a crossing shows in `room` columns.
fn crossed(app: &App, crossing: LinkId, room: usize) -> (String, Style) {
    let theme = app.theme;
    if crossing.from == crossing.to {
        return match (app.view.replica(crossing.from).up, room) {
            (true, _) => ("up".to_owned(), theme.good()),
            (false, 4..) => ("DOWN".to_owned(), theme.bad()),
            (false, _) => ("DWN".to_owned(), theme.bad()),
        };
    }
    let gate = &app.view.gate;
    let wrong = [
        ('X', gate.cuts.contains(&crossing)),
        ('L', gate.loss.of(crossing) > 0),
        ('D', !gate.lateness.of(crossing).is_none()),
        ('U', gate.duplicates.of(crossing) > 0),
    ];
    let letters: String =
        wrong.iter().filter(|(_, is)| *is).map(|(letter, _)| *letter).take(room).collect();
    let style = match letters.chars().next() {
        None => theme.text(),
        Some('X') => theme.bad(),
        Some(_) => theme.notable(),
    };
    let waiting = app.deliverables.on_links.get(&crossing).copied().unwrap_or(0);
    if waiting == 0 {
        return (if letters.is_empty() { "·".to_owned() } else { letters }, style);
    }
    let gap = if letters.is_empty() { "" } else { " " };
    let shown = [format!("{letters}{gap}{waiting}"), format!("{letters}{waiting}")];
    let fitting = shown.into_iter().find(|shown| shown.len() <= room);
    let style = if letters.is_empty() { theme.strong() } else { style };
    (fitting.unwrap_or_else(|| format!("{letters}+")), style)
}

/// What a replica waits for.
fn timer(app: &App, id: ReplicaId, room: usize) -> (String, Style) {
    let theme = app.theme;
    let replica = app.view.replica(id);
    match (replica.timer, &replica.panic) {
        _ if replica.up && replica.timer.is_none() => ("-".to_owned(), theme.dim()),
        (_, Some(_)) => ("DOWN, it failed".to_owned(), theme.bad()),
        (None, None) => ("DOWN".to_owned(), theme.bad()),
        (Some((due, timer)), None) => {
            let brief = timer.to_string();
            // While it runs, its clock is known only as of its last step.
            let long = format!("{brief} in {}", text::duration(due.since(replica.now)));
            let fits = app.view.gate.paused && text::width(&long) <= room;
            (if fits { long } else { brief }, theme.text())
        }
    }
}

/// What is selected, and all that is wrong, in words: a line each, or closely packed.
fn told(app: &App, width: usize, loose: bool) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = Vec::new();
    let gap = |lines: &mut Vec<Line<'static>>| lines.extend(loose.then(Line::default));
    let say = |lines: &mut Vec<Line<'static>>, sentence: &str, indent: usize, style: Style| {
        let wrapped = text::wrap(sentence, width.saturating_sub(indent));
        let indent = " ".repeat(indent + 2);
        lines.extend(wrapped.iter().map(|line| Line::styled(format!("{indent}{line}"), style)));
    };
    gap(&mut lines);
    say(&mut lines, &words::selected(app), 0, theme.strong());
    gap(&mut lines);
    let rules = words::in_force(app);
    if rules.is_empty() {
        say(&mut lines, "Nothing is wrong with any link or replica.", 0, theme.dim());
    } else if loose {
        say(&mut lines, "In force", 0, theme.heading());
        for (rule, is_bad) in rules {
            say(&mut lines, &rule, 2, if is_bad { theme.bad() } else { theme.notable() });
        }
    } else {
        let rules: Vec<_> = rules.into_iter().map(|(rule, _)| rule).collect();
        let rules = format!("In force: {}", rules.join("; "));
        say(&mut lines, &rules, 0, theme.notable());
    }
    lines
}

/// The letters: a line each with the key that brings it about, or all in one line where there is less
/// room.
fn legend(app: &App, room: usize, width: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let styles = [theme.text(), theme.bad(), theme.notable(), theme.notable(), theme.notable()];
    let letters = [
        ("·", "ok", "nothing is wrong with the link", "0 takes all away"),
        ("X", "cut", "what is sent there is lost", "x, b both ways"),
        ("L", "loses", "a share of the messages is lost", "L, the next step"),
        ("D", "delays", "messages take longer, and overtake each other", "D, the next step"),
        ("U", "doubles", "a share of the messages comes twice", "U, the next step"),
    ];
    let letters = letters.into_iter().zip(styles);
    if room < LEGEND + 2 {
        let mut spans = vec![Span::raw("  ")];
        for ((letter, brief, ..), style) in letters {
            spans.push(Span::styled(letter, style));
            spans.push(Span::styled(format!(" {brief}  "), theme.dim()));
        }
        spans.push(Span::styled("3", theme.strong()));
        spans.push(Span::styled(" messages wait", theme.dim()));
        return vec![Line::from(spans)];
    }
    let explained = |letter: &'static str, about: &str, key: &str, style: Style| {
        let about = left(about, 48.min(width));
        Line::from(vec![
            Span::raw("  "),
            cell(letter, 3, style),
            Span::styled(about, theme.dim()),
            Span::styled(key.to_owned(), theme.accent()),
        ])
    };
    let mut lines: Vec<_> = letters
        .map(|((letter, _, about, key), style)| explained(letter, about, key, style))
        .collect();
    let waiting = "so many messages are held on the link";
    lines.push(explained("3", waiting, "Space, n: pause, step", theme.strong()));
    lines
}

/// How many lines the legend takes where each letter has a line.
const LEGEND: usize = 6;
