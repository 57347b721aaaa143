//! What can be let through by hand.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::epaxos::id::ReplicaId;
use crate::epaxos::instance::Phase;
use crate::epaxos::message::MessageKind;
use crate::observe::in_flight::Flight;
use crate::observe::notice::HeldBy;
use crate::tui::app::{App, Deliverable};
use crate::tui::glyphs;
use crate::tui::layout::{Pane, Room, take_top};
use crate::tui::panel::text::{cell, number};
use crate::tui::panel::{draw_lines, framed, row_of, text, titled};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App, room: Room) {
    let messages = app.deliverables.messages;
    let timers = app.deliverables.rows().len() - messages;
    let mut remark = format!("{messages} messages");
    if timers > 0 {
        remark = format!("{remark}, {timers} timers");
    }
    let title = titled(app, Pane::Messages, "Deliverable");
    let mut rows = framed(frame, area, app, Pane::Messages, &title, &remark);
    if app.deliverables.rows().is_empty() {
        return draw_lines(frame, rows, nothing(app));
    }
    let wide = room == Room::Large;
    if wide {
        let heading = take_top(&mut rows, 1);
        let rest = usize::from(heading.width).saturating_sub(34 + 9);
        let titles =
            format!("  id    route message        inst {} age by", text::left("attrs", rest));
        draw_lines(frame, heading, vec![Line::styled(titles, app.theme.heading())]);
    }
    let place = app.deliverables.place;
    let seen = app.deliverables.rows().iter().enumerate().skip(place.offset);
    let lines = seen.take(usize::from(rows.height)).map(|(index, row)| {
        let selected = index == place.selected;
        let mark = if selected { glyphs::SELECTED } else { " " };
        let mut spans = vec![cell(mark, 2, app.theme.accent())];
        let columns = usize::from(rows.width).saturating_sub(2);
        match row {
            Deliverable::Message(id) => match app.view.in_flight.get(*id) {
                Some(flight) if wide => spans.extend(wide_row(app, flight, columns)),
                Some(flight) => spans.extend(narrow_row(app, flight, columns)),
                None => {}
            },
            Deliverable::Timer(replica) => spans.extend(timer_row(app, *replica, wide, columns)),
        }
        let focused = selected && app.pane() == Pane::Messages;
        row_of(app, spans, focused)
    });
    draw_lines(frame, rows, lines.collect());
}

/// Why the list is empty, and what to do about it.
fn nothing(app: &App) -> Vec<Line<'static>> {
    let theme = app.theme;
    let advice = |key: &'static str, does: &'static str| {
        Line::from(vec![
            Span::styled(text::left(key, 9), theme.accent()),
            Span::styled(does, theme.dim()),
        ])
    };
    let state = if app.view.gate.paused { "Nothing is held yet." } else { "Nothing is held." };
    let mut lines = vec![Line::styled(state, theme.dim())];
    if !app.view.gate.paused {
        lines.push(advice("Space", "hold every message from now on"));
    }
    lines.push(advice("i", "propose something: put x 1"));
    lines.push(advice("?", "see what else can be done"));
    lines
}

/// The colour of a kind of message: that of the phase to which it leads.
pub fn kind_style(app: &App, kind: MessageKind) -> Style {
    let phase = match kind {
        MessageKind::Recover
        | MessageKind::RecoverReply
        | MessageKind::Validate
        | MessageKind::ValidateReply
        | MessageKind::Waiting
        | MessageKind::Nack
        | MessageKind::Fetch
        | MessageKind::Gone => return app.theme.notable(),
        MessageKind::PreAccept | MessageKind::PreAcceptReply => Phase::PreAccepted,
        MessageKind::Accept | MessageKind::AcceptReply => Phase::Accepted,
        MessageKind::Commit => Phase::Committed,
        MessageKind::Executed => Phase::Executed,
    };
    app.theme.phase(phase)
}

fn wide_row(app: &App, flight: &Flight, columns: usize) -> Vec<Span<'static>> {
    let theme = app.theme;
    let envelope = &flight.envelope;
    let message = &envelope.message;
    let route = format!("{}{}{}", envelope.id.sender, glyphs::TO, envelope.to);
    let age = app.view.log.len().saturating_sub(flight.entry + 1);
    let by = match flight.held {
        Some(HeldBy::Rule) => "rule",
        Some(HeldBy::Delay(_)) => "late",
        Some(HeldBy::Pause) | None => "",
    };
    vec![
        cell(&envelope.id.to_string(), 6, new(app, flight)),
        cell(&route, 6, theme.text()),
        cell(message.kind().name(), 15, kind_style(app, message.kind())),
        cell(&message.instance().to_string(), 5, theme.text()),
        cell(&text::short_message(message), columns.saturating_sub(32 + 9), theme.text()),
        number(&age.to_string(), 4, theme.dim()),
        cell("", 1, theme.text()),
        cell(by, 4, theme.notable()),
    ]
}

/// What the last step has sent stands out.
fn new(app: &App, flight: &Flight) -> Style {
    let theme = app.theme;
    if app.is_changed(flight.entry) { theme.changed(theme.text()) } else { theme.text() }
}

fn narrow_row(app: &App, flight: &Flight, columns: usize) -> Vec<Span<'static>> {
    let theme = app.theme;
    let envelope = &flight.envelope;
    let message = &envelope.message;
    let route = format!("{}{}{}", envelope.id, glyphs::TO, envelope.to);
    let rule = if flight.held == Some(HeldBy::Pause) { " " } else { "#" };
    vec![
        cell(&route, 9, new(app, flight)),
        cell(message.kind().name(), 15, kind_style(app, message.kind())),
        cell(&message.instance().to_string(), 5, theme.text()),
        cell(&text::short_message(message), columns.saturating_sub(30), theme.text()),
        cell(rule, 1, theme.notable()),
    ]
}

fn timer_row(app: &App, id: ReplicaId, wide: bool, columns: usize) -> Vec<Span<'static>> {
    let theme = app.theme;
    let Some((due, timer)) = app.view.replica(id).timer else { return Vec::new() };
    let ahead = due.since(app.view.replica(id).now).as_millis();
    let ahead = if ahead == 0 { "due now".to_owned() } else { format!("in {ahead}ms") };
    let (first, second) = if wide { (6, 6) } else { (6, 3) };
    vec![
        cell("timer", first, theme.notable()),
        cell(&id.to_string(), second, theme.text()),
        cell(timer.kind.name(), 15, theme.text()),
        cell(&timer.instance.to_string(), 5, theme.text()),
        cell(&ahead, columns.saturating_sub(first + second + 20), theme.dim()),
    ]
}
