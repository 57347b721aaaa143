//! The grid of instances: a row for each command leader, a column for each slot, and in each cell
//! one letter for each replica that could know of it, or one replica's view in more detail.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::observe::view::View;
use crate::tui::app::App;
use crate::tui::layout::{Pane, Room, inner, take_top};
use crate::tui::panel::text::{cell, number};
use crate::tui::panel::{draw_lines, framed, replicas, text};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App, room: Room) {
    let seen = match app.observer {
        Some(observer) => format!("as {observer} sees them"),
        None => "one letter a replica".to_owned(),
    };
    let title = if room == Room::Large { "Instances" } else { "Replicas and instances" };
    let mut rows = framed(frame, area, app, Pane::Instances, title, &seen);
    let heading = take_top(&mut rows, 1);
    let shown = slots(app, area, room);
    let mut titles = match room {
        Room::Large => vec![cell("leader", lead(room), app.theme.heading())],
        _ => vec![cell("id  P A C   X inbox", lead(room), app.theme.heading())],
    };
    for slot in shown.clone() {
        titles.push(cell(&format!(" .{slot}"), width(app), app.theme.heading()));
    }
    draw_lines(frame, heading, vec![Line::from(titles)]);
    if room == Room::Large {
        render_legend(frame, area, app);
    }
    let leaders = ReplicaId::all(app.view.shape.replicas()).take(usize::from(rows.height));
    let lines = leaders.map(|leader| {
        let mut spans = leader_cells(app, leader, room);
        for slot in shown.clone() {
            spans.extend(instance_cell(app, InstanceId::new(leader, slot)));
        }
        Line::from(spans)
    });
    draw_lines(frame, rows, lines.collect());
}

/// What the letters mean, on the lower edge of the frame.
fn render_legend(frame: &mut Frame, area: Rect, app: &App) {
    let meaning = replicas::COUNTED.iter().map(|phase| {
        Span::styled(format!(" {} {phase} ", phase.letter()), app.theme.phase(*phase))
    });
    let line = Line::from(meaning.collect::<Vec<_>>());
    let width = u16::try_from(line.width()).unwrap_or(u16::MAX);
    if width + 4 <= area.width && area.height > 1 {
        let x = area.right() - width - 2;
        let edge = Rect { x, y: area.bottom() - 1, width, height: 1 };
        // Else the letters would be as dim as the frame, and not of the colour that they explain.
        frame.render_widget(Clear, edge);
        frame.render_widget(line, edge);
    }
}

fn leader_cells(app: &App, leader: ReplicaId, room: Room) -> Vec<Span<'static>> {
    let theme = app.theme;
    let name = leader.to_string();
    if room == Room::Large {
        return vec![cell(&name, lead(room), theme.text())];
    }
    let inbox = replicas::inbox(app, leader);
    let waiting = if inbox == 0 { theme.dim() } else { theme.notable() };
    let here = if app.at == leader { theme.strong() } else { theme.text() };
    let up = app.view.replica(leader).up;
    // A replica that is down is known by its name, here where room is scarce.
    let name = if up { name } else { format!("{name}!") };
    let mut spans = vec![cell(&name, 3, if up { here } else { theme.bad() })];
    spans.extend(replicas::counts(app, leader, [2, 2, 2, 4]));
    spans.push(number(&inbox.to_string(), 6, waiting));
    spans
}

/// One instance, in [`width`] columns.
fn instance_cell(app: &App, id: InstanceId) -> Vec<Span<'static>> {
    let theme = app.theme;
    let selected = app.selected == Some(id);
    let known = app.view.replicas.iter().map(|replica| replica.instances.get(id));
    let mut spans = match app.observer {
        Some(observer) => match app.view.replica(observer).instances.get(id) {
            None if app.view.replica(observer).let_go.contains(id) => {
                vec![Span::styled(GONE, theme.dim())]
            }
            None => vec![Span::styled("-", theme.dim())],
            Some(instance) => {
                let letter = instance.phase.letter().to_string();
                let path = instance.path.map_or("", crate::epaxos::instance::Path::name);
                let rest =
                    text::cut(&format!(" s{} {path}", instance.attributes.seq), width(app) - 2);
                let style = theme.phase(instance.phase);
                let changed = app.is_changed(instance.since);
                let style = if changed { theme.changed(style) } else { style };
                vec![Span::styled(letter, style), Span::styled(rest, theme.dim())]
            }
        },
        None if known.clone().all(|instance| instance.is_none()) => {
            let gone = app.view.replicas.iter().any(|replica| replica.let_go.contains(id));
            vec![Span::styled(if gone { GONE } else { "-" }, theme.dim())]
        }
        None => known
            .zip(&app.view.replicas)
            .map(|(instance, replica)| {
                if instance.is_none() && replica.let_go.contains(id) {
                    return Span::styled("~", theme.dim());
                }
                let phase = instance.map_or(Phase::Initial, |instance| instance.phase);
                let style = theme.phase(phase);
                let changed = instance.is_some_and(|instance| app.is_changed(instance.since));
                let style = if changed { theme.changed(style) } else { style };
                Span::styled(phase.letter().to_string(), style)
            })
            .collect(),
    };
    if selected {
        spans = spans.into_iter().map(|span| span.style(theme.selection())).collect();
        spans.insert(0, Span::styled("[", theme.accent()));
        spans.push(Span::styled("]", theme.accent()));
    } else {
        spans.insert(0, Span::raw(" "));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::raw(" ".repeat(width(app).saturating_sub(used))));
    spans
}

/// What stands for an instance that is let go.
const GONE: &str = "~";

/// How wide a cell is.
fn width(app: &App) -> usize {
    match app.observer {
        Some(_) => 12,
        None => (app.view.shape.replicas() + 3).max(7),
    }
}

/// How wide the columns before the cells are.
fn lead(room: Room) -> usize {
    if room == Room::Large { 7 } else { 19 }
}

/// How many slots are seen in an area.
pub fn columns(app: &App, area: Rect, room: Room) -> u64 {
    let inner = usize::from(inner(area).width).saturating_sub(lead(room));
    (inner / width(app)).max(1) as u64
}

fn slots(app: &App, area: Rect, room: Room) -> std::ops::Range<u64> {
    let last = last_slot(&app.view).unwrap_or(0);
    let end = app.first_slot.saturating_add(columns(app, area, room));
    app.first_slot..end.min(last.saturating_add(1))
}

/// The last slot of any row that any replica knows.
pub fn last_slot(view: &View) -> Option<u64> {
    let rows = ReplicaId::all(view.shape.replicas());
    let last = rows.flat_map(|row| {
        view.replicas
            .iter()
            .filter_map(move |replica| replica.instances.row(row).next_back().map(|(slot, _)| slot))
    });
    last.max()
}

/// The slot at a column of the screen.
pub fn slot_at(app: &App, x: u16) -> Option<u64> {
    let layout = app.layout();
    let area = layout.pane(Pane::Instances)?;
    let start = usize::from(inner(area).x) + lead(layout.room);
    let column = usize::from(x).checked_sub(start)? / width(app);
    let slot = app.first_slot.saturating_add(column as u64);
    slots(app, area, layout.room).contains(&slot).then_some(slot)
}
