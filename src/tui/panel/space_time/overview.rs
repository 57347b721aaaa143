//! Hundreds of events at once: a line for each message, as in a space-time diagram on paper.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::symbols::Marker;
use ratatui::widgets::canvas::{Canvas, Line};

use crate::observe::causality::Order;
use crate::observe::notice::Decision;
use crate::tui::app::{App, OVERVIEW_EVENTS};
use crate::tui::panel::space_time::lanes::{End, Lanes};

/// Draws the messages of as many rows as there is room for, from the first to be seen on: time goes
/// down, and a message goes from the row in which it was sent to that in which it arrived.
pub fn render(frame: &mut Frame, area: Rect, app: &App, lanes: &Lanes) {
    let first = app.space_time.place().offset;
    let rows = app.space_time.rows();
    // Few events take all the room there is.
    let most = usize::from(area.height) * OVERVIEW_EVENTS;
    let left = rows.len().saturating_sub(first);
    let count = left.clamp(usize::from(area.height).min(most), most.max(1));
    let selected = app.space_time.entry(&app.view);
    let mut messages = Vec::new();
    for (index, row) in rows.iter().enumerate().skip(first).take(count) {
        let Some(entry) = app.view.log.get(row.entry).filter(|_| row.reply.is_none()) else {
            continue;
        };
        let Some(message) = entry.step.decision.message() else { continue };
        let (End::At(from), End::At(to)) = (lanes.end(message.id.sender), lanes.end(message.to))
        else {
            continue;
        };
        let sent = entry.cause.map(|cause| rows.partition_point(|row| row.entry < cause));
        let start = sent.unwrap_or(index).max(first) - first;
        let colour = match &entry.step.decision {
            Decision::Drop(_) | Decision::Lose(_) => app.theme.bad().fg,
            _ => match selected.map(|selected| entry.moment.order(&selected.moment)) {
                Some(Order::Same) => app.theme.notable().fg,
                Some(Order::Concurrent) if app.space_time.cone => continue,
                _ => app.theme.accent().fg,
            },
        };
        messages.push((from, start, to, index - first, colour.unwrap_or(Color::Reset)));
    }
    let height = f64::from(u32::try_from(count).unwrap_or(u32::MAX).max(1));
    let canvas = Canvas::default()
        .marker(if app.ascii { Marker::Dot } else { Marker::Braille })
        .x_bounds([0.0, f64::from(area.width.max(1))])
        .y_bounds([0.0, height])
        .paint(|context| {
            for (_, column) in &lanes.seen {
                let x = f64::from(column.saturating_sub(area.x)) + 0.5;
                let (top, bottom) = (height, 0.0);
                context.draw(&Line { x1: x, y1: top, x2: x, y2: bottom, color: Color::DarkGray });
            }
            context.layer();
            for (from, start, to, end, color) in &messages {
                let place =
                    |row: &usize| height - f64::from(u32::try_from(*row).unwrap_or(u32::MAX));
                context.draw(&Line {
                    x1: f64::from(from.saturating_sub(area.x)) + 0.5,
                    y1: place(start),
                    x2: f64::from(to.saturating_sub(area.x)) + 0.5,
                    y2: place(end),
                    color: *color,
                });
            }
        });
    frame.render_widget(canvas, area);
}
