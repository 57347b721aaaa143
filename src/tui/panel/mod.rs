//! The parts of the screen. Each is a function of the state, drawing into an area.

pub mod checks;
pub mod detail;
pub mod event;
pub mod execution;
pub mod faults;
pub mod graph;
pub mod header;
pub mod instances;
pub mod lesson;
pub mod log;
pub mod messages;
pub mod metrics;
pub mod popup;
pub mod prompt;
pub mod replicas;
pub mod space_time;
pub mod store;
pub mod text;
pub mod timeline;
pub mod trace;
pub mod why;

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

use crate::tui::app::App;
use crate::tui::glyphs;
use crate::tui::layout::{LEAST, Pane, Room, inner};

/// Draws everything.
pub fn render(frame: &mut Frame, app: &App) {
    let area = frame.area();
    let layout = app.layout_of(area);
    if layout.room == Room::None {
        too_small(frame, area);
    } else {
        header::render(frame, layout.header, app);
        header::render_tabs(frame, layout.tabs, app);
        for (pane, area) in &layout.panes {
            match pane {
                Pane::Replicas => replicas::render(frame, *area, app),
                Pane::Instances => instances::render(frame, *area, app, layout.room),
                Pane::Messages => messages::render(frame, *area, app, layout.room),
                Pane::Trace => trace::render(frame, *area, app),
                Pane::Detail => detail::render(frame, *area, app),
                Pane::SpaceTime => space_time::render(frame, *area, app),
                Pane::Event => event::render(frame, *area, app),
                Pane::Graph => graph::render(frame, *area, app),
                Pane::Execution => execution::render(frame, *area, app),
                Pane::Why => why::render(frame, *area, app),
                Pane::Metrics => metrics::render(frame, *area, app),
                Pane::Store => store::render(frame, *area, app),
                Pane::Log => log::render(frame, *area, app),
                Pane::Faults => faults::render(frame, *area, app),
                Pane::Checks => checks::render(frame, *area, app),
                Pane::Lesson => lesson::render(frame, *area, app),
            }
        }
        timeline::render(frame, layout.timeline, app);
        prompt::render_message(frame, layout.message, app);
        prompt::render(frame, layout.prompt, app);
        prompt::render_hints(frame, layout.hints, app);
        popup::render(frame, area, app);
    }
    if app.ascii {
        glyphs::to_ascii(frame.buffer_mut());
    }
}

fn too_small(frame: &mut Frame, area: Rect) {
    let (width, height) = LEAST;
    let text =
        format!("{}x{} is too small; {width}x{height} is the least", area.width, area.height);
    let paragraph = Paragraph::new(text).wrap(ratatui::widgets::Wrap { trim: true });
    frame.render_widget(paragraph, area);
}

/// The title of a list, with what it is narrowed by.
fn titled(app: &App, pane: Pane, title: &str) -> String {
    match app.filters.text(pane) {
        "" => title.to_owned(),
        filter => format!("{title} / {filter}"),
    }
}

/// Draws a pane's frame, with a title and a remark on the right, and returns what is within.
fn framed(frame: &mut Frame, area: Rect, app: &App, pane: Pane, title: &str, remark: &str) -> Rect {
    let focused = app.pane() == pane && app.over.is_none();
    let theme = app.theme;
    let room = usize::from(area.width).saturating_sub(4);
    let title = text::cut(title, room);
    let left = room.saturating_sub(text::width(&title) + 3);
    let mut block = Block::bordered()
        .border_style(theme.border(focused))
        .title(Line::styled(format!(" {title} "), theme.title(focused)));
    // A remark that does not fit is left out: cut, it might say something else.
    if !remark.is_empty() && text::width(remark) <= left {
        let remark = Line::styled(format!(" {remark} "), theme.dim());
        block = block.title(remark.alignment(Alignment::Right));
    }
    frame.render_widget(block, area);
    inner(area)
}

/// Draws lines into an area, the first at its top.
fn draw_lines(frame: &mut Frame, area: Rect, lines: Vec<Line>) {
    frame.render_widget(Paragraph::new(lines), area);
}

/// A row of a list. A selected one is of one style throughout: colours would tear it apart.
fn row_of<'a>(app: &App, spans: Vec<Span<'a>>, selected: bool) -> Line<'a> {
    let style = if selected { app.theme.selection() } else { app.theme.text() };
    let spans = spans.into_iter().map(|span| if selected { span.style(style) } else { span });
    Line::from(spans.collect::<Vec<_>>()).style(style)
}
