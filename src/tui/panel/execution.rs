//! What was executed, in order, and what waits to be: one instance a row, with lanes that lead from
//! what an instance depends on to it, as graphs of commits are drawn.
//!
//! ```text
//!  ord    instance command  seq deps       R0 R1 R2  path
//!    0 ●╮   R1.0   put y 9    1 {}          X  X  X  fast
//!    1 ││ ┌ R0.0   put x 1    2 {R4.0}      X  X  C  slow    ┌ one component of several
//!    2 ●│ └ R4.0   put x 2    2 {R0.0}      X  X  A  slow    └
//!    3 ◄┴   R2.0   get x      3 {R0.0 R4.0} X  C  .  fast    depends on what ends in its row
//! ```

mod lanes;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::check::Property;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::tui::app::{App, Standing};
use crate::tui::glyphs;
use crate::tui::layout::{Pane, take_bottom, take_top};
use crate::tui::panel::execution::lanes::Lanes;
use crate::tui::panel::text::{cell, number};
use crate::tui::panel::{draw_lines, framed, row_of, text, titled};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let list = &app.execution;
    let (count, executed) = (list.len(&app.view), list.executed(&app.view));
    // Where nobody's eyes are asked for, those of whoever is furthest.
    let whose = if app.observer.is_some() { "" } else { ", furthest" };
    let title = format!("Execution order at {}{whose}", list.observer());
    let title = titled(app, Pane::Execution, &title);
    let remark = format!("{executed} executed, {} wait", count - executed);
    let mut rows = framed(frame, area, app, Pane::Execution, &title, &remark);
    let heading = take_top(&mut rows, 1);
    let below = footer_height(rows.height);
    let footer = take_bottom(&mut rows, below);
    draw_lines(frame, footer, summary(app, usize::from(footer.width), usize::from(below)));
    let height = usize::from(rows.height);
    let seen = list.listed(&app.view, list.place.offset, height);
    // What is executed, and after what, must be told beside them.
    let most = usize::from(rows.width) / 16;
    let lanes = Lanes::of(&app.view, list.observer(), &seen, most);
    let columns = Columns::of(app, usize::from(rows.width), lanes.width());
    draw_lines(frame, heading, vec![columns.heading(app)]);
    if seen.is_empty() {
        let hint = "  Nothing is known here yet: propose something.";
        return draw_lines(frame, rows, vec![Line::styled(hint, app.theme.dim())]);
    }
    let drawn = seen.iter().enumerate().map(|(row, id)| {
        let selected = app.selected == Some(*id);
        columns.row(app, *id, selected, lanes.row(row))
    });
    draw_lines(frame, rows, drawn.collect());
}

/// How many rows of the pane are below the list: the list is told how many there are.
pub fn footer_height(height: u16) -> u16 {
    match height {
        0..4 => 0,
        4..9 => 1,
        _ => 2,
    }
}

/// How wide things are.
struct Columns {
    lanes: usize,
    command: usize,
    deps: usize,
    replicas: usize,
}

impl Columns {
    fn of(app: &App, width: usize, lanes: usize) -> Self {
        let replicas = app.view.shape.replicas();
        let fixed = 1 + ORDER + 1 + lanes + 2 + INSTANCE + SEQ + 1 + 3 * replicas + PATH;
        let rest = width.saturating_sub(fixed);
        let command = (rest / 2).clamp(0, 24);
        Self { lanes, command, deps: rest - command, replicas }
    }

    fn heading(&self, app: &App) -> Line<'static> {
        let theme = app.theme;
        let style = theme.heading();
        let mut spans = vec![
            number("ord", 1 + ORDER, style),
            cell("", 1 + self.lanes + 2, style),
            cell("instance", INSTANCE, style),
            cell("command", self.command, style),
            number("seq", SEQ, style),
            cell(" deps", 1 + self.deps, style),
        ];
        for id in ReplicaId::all(self.replicas) {
            let up = app.view.replica(id).up;
            spans.push(number(&id.to_string(), 3, if up { style } else { theme.bad() }));
        }
        spans.push(cell(" path", PATH, style));
        Line::from(spans)
    }

    fn row(&self, app: &App, id: InstanceId, selected: bool, lanes: &str) -> Line<'static> {
        let theme = app.theme;
        let observer = app.execution.observer();
        // What the observer does not know is told as somebody else has it.
        let here = app.view.replica(observer).instances.get(id);
        let known = here.or_else(|| app.view.instance(id).into_iter().flatten().next());
        let Some(known) = known else {
            return Line::styled(format!(" {id} is not known to {observer}"), theme.dim());
        };
        let order = here
            .and_then(|here| here.order)
            .map_or_else(|| "-".to_owned(), |order| order.to_string());
        let mark = if selected { glyphs::SELECTED } else { " " };
        let mut spans = vec![
            cell(mark, 1, theme.accent()),
            number(&order, ORDER, theme.dim()),
            Span::raw(" "),
            cell(lanes, self.lanes, theme.accent()),
            cell(bracket(known.component.as_deref(), id), 2, theme.notable()),
            cell(&id.to_string(), INSTANCE, theme.strong()),
            cell(&known.payload.to_string(), self.command, theme.text()),
            number(&known.attributes.seq.to_string(), SEQ, theme.text()),
            Span::raw(" "),
            cell(&known.attributes.deps.to_string(), self.deps, theme.text()),
        ];
        for replica in app.view.replicas.iter().take(self.replicas) {
            let here = replica.instances.get(id);
            let phase = here.map_or(Phase::Initial, |here| here.phase);
            let style = theme.phase(phase);
            let changed = here.is_some_and(|here| app.is_changed(here.since));
            let style = if changed { theme.changed(style) } else { style };
            spans.push(Span::raw("  "));
            spans.push(Span::styled(phase.letter().to_string(), style));
        }
        spans.push(match (known.path, app.view.replica(observer).waits_for(id)) {
            (_, Some(on)) => cell(&format!(" ◄{on}"), PATH, theme.bad()),
            (Some(path), None) => cell(&format!(" {path}"), PATH, theme.path(path)),
            (None, None) if here.is_none() => cell(" elsewhere", PATH, theme.dim()),
            (None, None) => cell(&format!(" {}", known.phase), PATH, theme.phase(known.phase)),
        });
        row_of(app, spans, selected && app.pane() == Pane::Execution)
    }
}

/// The bracket around a component of several.
fn bracket(component: Option<&[InstanceId]>, id: InstanceId) -> &'static str {
    match component {
        Some([first, .., last]) if *first == id && *last != id => "┌",
        Some([_, .., last]) if *last == id => "└",
        Some([_, _, ..]) => "│",
        _ => "",
    }
}

/// Whether the order is the same everywhere, and what is in the way of the rest.
fn summary(app: &App, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let (same, style) = match app.checks.standing(Property::Order) {
        Standing::Broken => ("interfering commands are NOT in one order everywhere", theme.bad()),
        _ => ("interfering commands are in one order everywhere so far", theme.good()),
    };
    let waiting = ReplicaId::all(app.view.shape.replicas()).filter_map(|id| {
        let replica = app.view.replica(id);
        let blocked = |open: &&InstanceId| {
            replica.instances.get(**open).is_some_and(|known| known.phase == Phase::Committed)
        };
        let first = replica.open.iter().take(OPEN_LOOKED_AT).find(blocked)?;
        let on = replica.waits_for(*first)?;
        Some(format!("{id}: {first} waits for {on}"))
    });
    let waiting: Vec<String> = waiting.collect();
    let (blocked, blocked_style) = if waiting.is_empty() {
        ("nothing that is committed waits".to_owned(), theme.dim())
    } else {
        (waiting.join("   "), theme.notable())
    };
    let same = Line::styled(text::cut(&format!(" {same}"), columns), style);
    let blocked = Line::styled(text::cut(&format!(" {blocked}"), columns), blocked_style);
    // Where there is room for one thing, what is in the way is worth more.
    if rows < 2 && waiting.is_empty() {
        return vec![same];
    }
    if rows < 2 { vec![blocked] } else { vec![same, blocked] }
}

const ORDER: usize = 4;

const INSTANCE: usize = 9;

const SEQ: usize = 4;

const PATH: usize = 13;

/// How many instances are looked at for one that waits.
const OPEN_LOOKED_AT: usize = 200;
