//! Who depends on whom: drawn, as a matrix, as what waits for what, and as the search for components
//! that execution does, move by move.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::observe::edges::depends;
use crate::observe::notice::HeldBy;
use crate::observe::view::View;
use crate::observe::walk::Walk;
use crate::tui::app::{App, GraphView};
use crate::tui::layout::Pane;
use crate::tui::panel::text::cell;
use crate::tui::panel::{detail, draw_lines, framed, text};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let seen = app.execution.observer();
    let (title, remark) = match app.graph.shown {
        GraphView::Picture => {
            let cut = if app.neighbourhood.is_cut() { ", not all" } else { "" };
            let depth = app.neighbourhood.depth();
            ("Dependencies", format!("{depth} edges around{cut}  + - further"))
        }
        GraphView::Matrix => ("Component", format!("row depends on column, at {seen}")),
        GraphView::Waiting => ("Waiting", "what waits for what".to_owned()),
        GraphView::Walk => ("Search for components", format!("at {seen}  , . walk")),
    };
    let rows = framed(frame, area, app, Pane::Graph, title, &remark);
    let width = usize::from(rows.width);
    let height = usize::from(rows.height);
    let lines = lines(app, width, height);
    let offset = app.graph.place.offset.min(lines.len().saturating_sub(height));
    draw_lines(frame, rows, lines.into_iter().skip(offset).take(height).collect());
}

/// All there is to show, in lines of at most `columns`.
pub fn lines(app: &App, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    if app.graph.shown == GraphView::Waiting {
        return waiting(app, columns);
    }
    let Some(id) = app.selected else {
        return vec![Line::styled("Select an instance, or propose one.", theme.dim())];
    };
    match app.graph.shown {
        GraphView::Matrix => matrix(app, id, columns),
        GraphView::Walk => walk(app, columns, rows),
        GraphView::Picture | GraphView::Waiting => {
            let lines = detail::picture(app, id, columns, rows);
            let mut lines: Vec<Line> = lines.into_iter().skip(1).collect();
            if lines.is_empty() {
                let alone = format!("{id} depends on nothing, and nothing on it.");
                return vec![Line::styled(alone, theme.dim())];
            }
            let legend = "a → b: a depends on b, so b is executed first";
            lines.push(Line::styled(text::cut(legend, columns), theme.dim()));
            lines
        }
    }
}

/// The members of the component of an instance, as a replica has executed or would execute it.
pub fn component(view: &View, observer: ReplicaId, id: InstanceId) -> Vec<InstanceId> {
    let known = view.replica(observer).instances.get(id);
    if let Some(component) = known.and_then(|known| known.component.as_ref()) {
        return component.to_vec();
    }
    let walk = Walk::from(view, observer, id);
    let found = walk.moves.last().map(|last| last.found.clone()).unwrap_or_default();
    found.into_iter().find(|members| members.contains(&id)).unwrap_or_else(|| vec![id])
}

fn matrix(app: &App, id: InstanceId, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let observer = app.execution.observer();
    let members = component(&app.view, observer, id);
    let wide = members.iter().map(|id| text::width(&id.to_string())).max().unwrap_or(4) + 1;
    let fitting = (columns.saturating_sub(wide + 8) / wide).max(1);
    let around = members.iter().position(|own| *own == id).unwrap_or(0);
    let first = around.saturating_sub(fitting / 2).min(members.len().saturating_sub(fitting));
    let shown = &members[first..(first + fitting).min(members.len())];
    let mut heading = vec![cell("", wide + 6, theme.heading())];
    heading.extend(shown.iter().map(|id| cell(&id.to_string(), wide, theme.heading())));
    let mut lines = vec![Line::from(heading)];
    for member in shown {
        let known = app.view.replica(observer).instances.get(*member);
        let seq = known.map_or(0, |known| known.attributes.seq);
        let name = if *member == id { theme.selection() } else { theme.strong() };
        let mut spans = vec![
            Span::styled(text::left(&member.to_string(), wide - 1), name),
            cell(&format!(" s{seq}"), 7, theme.dim()),
        ];
        spans.extend(shown.iter().map(|other| {
            if other == member {
                return cell("·", wide, theme.dim());
            }
            let depends = depends(&app.view, observer, *member, *other);
            cell(if depends { "●" } else { "" }, wide, theme.notable())
        }));
        lines.push(Line::from(spans));
    }
    let told = match members.len() {
        1 => format!("{id} is a component of its own: nothing that it depends on depends on it."),
        count if shown.len() < count => {
            format!(
                "{} of {count} members; executed from top to bottom, by seq, replica, slot",
                shown.len()
            )
        }
        _ => "executed from top to bottom: by seq, then replica, then slot".to_owned(),
    };
    lines
        .extend(text::wrap(&told, columns).into_iter().map(|line| Line::styled(line, theme.dim())));
    lines
}

/// What is committed and not executed, on each replica, with what is in the way.
fn waiting(app: &App, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = Vec::new();
    for id in ReplicaId::all(app.view.shape.replicas()) {
        let replica = app.view.replica(id);
        if !replica.up {
            lines.push(Line::styled(format!("{id} is down"), theme.bad()));
            continue;
        }
        let committed = replica.in_phase(Phase::Committed);
        if committed == 0 {
            lines.push(Line::styled(format!("{id} waits for nothing"), theme.dim()));
            continue;
        }
        let heading = format!("{id}: {committed} committed, not executed");
        lines.push(Line::styled(heading, theme.strong()));
        let open = replica.open.iter().take(WAITING_LOOKED_AT);
        for (instance, on) in open.filter_map(|own| Some((*own, replica.waits_for(*own)?))).take(6)
        {
            let told = format!("  {instance} waits for {on}: {}", missing(app, id, on));
            let told = text::wrap(&told, columns);
            lines.extend(told.into_iter().map(|line| Line::styled(line, theme.notable())));
        }
    }
    lines
}

/// What a replica lacks of an instance that it waits for.
fn missing(app: &App, replica: ReplicaId, on: InstanceId) -> String {
    let coming = app.view.in_flight.iter().take(FLIGHTS_LOOKED_AT).find(|flight| {
        let envelope = &flight.envelope;
        envelope.to == replica
            && envelope.message.instance() == on
            && envelope.message.kind() == crate::epaxos::message::MessageKind::Commit
    });
    let known = app.view.replica(replica).instances.get(on);
    let phase = known.map_or("unknown here".to_owned(), |known| format!("{} here", known.phase));
    match coming {
        Some(flight) => {
            let held = match flight.held {
                Some(HeldBy::Pause | HeldBy::Rule) => "held at the gate",
                Some(HeldBy::Delay(_)) => "late",
                None => "on its way",
            };
            format!("{phase}; Commit {} is {held}", flight.envelope.id)
        }
        None => phase,
    }
}

/// The move that is looked at, the stack, and what has been found.
fn walk(app: &App, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let (walk, step) = app.graph.walk();
    let Some(at) = app.graph.at() else {
        return vec![Line::styled("There is nothing to walk through.", theme.dim())];
    };
    let count = walk.moves.len();
    let cut = if walk.is_cut { " and more" } else { "" };
    let told = format!("move {} of {count}{cut}: {}", step + 1, at.what);
    let told = text::wrap(&told, columns).into_iter();
    let mut lines: Vec<Line> = told.map(|line| Line::styled(line, theme.strong())).collect();
    lines.push(Line::styled(
        "stack, lowest first: instance, number, lowest reached",
        theme.heading(),
    ));
    let room = rows.saturating_sub(lines.len() + 4).max(1);
    let hidden = at.stack.len().saturating_sub(room);
    if hidden > 0 {
        lines.push(Line::styled(format!("  {hidden} below"), theme.dim()));
    }
    for open in at.stack.iter().skip(hidden) {
        let reaches = if open.low < open.number { theme.notable() } else { theme.text() };
        lines.push(Line::from(vec![
            cell(&format!("  {}", open.id), 12, theme.strong()),
            cell(&open.number.to_string(), 5, theme.dim()),
            Span::styled(open.low.to_string(), reaches),
        ]));
    }
    let found = at.found.iter().map(|members| {
        let members: Vec<String> = members.iter().map(ToString::to_string).collect();
        if members.len() > 1 { format!("({})", members.join(" ")) } else { members.join("") }
    });
    let found: Vec<String> = found.collect();
    let found = if found.is_empty() { "none yet".to_owned() } else { found.join(" ") };
    let told = text::wrap(&format!("found, in order of execution: {found}"), columns);
    lines.extend(told.into_iter().map(|line| Line::styled(line, theme.good())));
    lines
}

/// How many instances of a replica are looked at for those that wait.
const WAITING_LOOKED_AT: usize = 500;

/// How many messages on their way are looked through for a Commit.
const FLIGHTS_LOOKED_AT: usize = 5_000;
