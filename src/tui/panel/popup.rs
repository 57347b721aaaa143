//! What lies over the panes: the palette, and output of several lines.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

use crate::tui::app::{App, Output, Over};
use crate::tui::deed::{Deed, Move};
use crate::tui::glyphs;
use crate::tui::keys::Context;
use crate::tui::layout::{inner, take_top};
use crate::tui::palette::Palette;
use crate::tui::panel::text::cell;
use crate::tui::panel::{draw_lines, row_of, text, why};

/// Where it lies on a screen.
pub fn area(screen: Rect) -> Rect {
    let width = screen.width.saturating_sub(4).min(100);
    let height = screen.height.saturating_sub(4).min(30);
    Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - height) / 2,
        width,
        height,
    }
}

/// What is within its frame.
pub fn inner_area(screen: Rect) -> Rect {
    inner(area(screen))
}

/// Draws whatever lies over the panes of a screen.
pub fn render(frame: &mut Frame, screen: Rect, app: &App) {
    match &app.over {
        Some(Over::Palette(palette)) => render_palette(frame, area(screen), app, palette),
        Some(Over::Output(output)) => render_output(frame, area(screen), app, output),
        Some(Over::Why) => render_why(frame, screen, app),
        None => {}
    }
}

fn framed(frame: &mut Frame, area: Rect, app: &App, title: &str, remark: &str) -> Rect {
    frame.render_widget(Clear, area);
    let title = text::cut(title, usize::from(area.width).saturating_sub(8));
    let block = Block::bordered()
        .border_style(app.theme.border(true))
        .title(Line::styled(format!(" {title} "), app.theme.title(true)))
        .title_bottom(Line::styled(format!(" {remark} "), app.theme.dim()).right_aligned());
    frame.render_widget(block, area);
    inner(area)
}

fn render_palette(frame: &mut Frame, area: Rect, app: &App, palette: &Palette) {
    let theme = app.theme;
    let key = |deed| app.keys.key(Context::Palette, deed);
    let (up, down) = (key(Deed::Go(Move::Up)), key(Deed::Go(Move::Down)));
    let (enter, back) = (key(Deed::Enter), key(Deed::Back));
    let remark = format!("type to narrow  {up}{down} select  {enter} does it  {back} closes");
    let mut rows = framed(frame, area, app, "What can be done now", &remark);
    let mut typed = take_top(&mut rows, 1);
    draw_lines(
        frame,
        typed,
        vec![Line::from(vec![
            Span::styled("> ", theme.accent()),
            Span::raw(palette.query.text().to_owned()),
        ])],
    );
    let cursor = u16::try_from(palette.query.cursor_column() + 2).unwrap_or(u16::MAX);
    take_left(&mut typed, cursor);
    if !typed.is_empty() {
        frame.set_cursor_position((typed.x, typed.y));
    }
    let rule = take_top(&mut rows, 1);
    let line = "─".repeat(usize::from(rule.width));
    draw_lines(frame, rule, vec![Line::styled(line, theme.dim())]);
    if palette.is_empty() {
        let nothing = "Nothing that can be done now is called so.";
        return draw_lines(frame, rows, vec![Line::styled(nothing, theme.dim())]);
    }
    let seen = palette.place.offset..palette.len();
    let name = palette.name_width() + 1;
    let lines = seen.take(usize::from(rows.height)).filter_map(|index| {
        let entry = palette.entry(index)?;
        let selected = index == palette.place.selected;
        let mark = if selected { glyphs::SELECTED } else { " " };
        let spans = vec![
            cell(mark, 2, theme.accent()),
            cell(&entry.keys, 10, theme.accent()),
            cell(&entry.name(), name, theme.accent()),
            cell(&entry.about, usize::from(rows.width).saturating_sub(12 + name), theme.text()),
        ];
        Some(row_of(app, spans, selected))
    });
    draw_lines(frame, rows, lines.collect());
}

fn take_left(area: &mut Rect, columns: u16) {
    let columns = columns.min(area.width);
    area.x += columns;
    area.width -= columns;
}

/// No larger than what it says: what is asked about is to be seen beside it.
fn render_why(frame: &mut Frame, screen: Rect, app: &App) {
    let answer = app.answer().map(|(.., answer)| answer);
    let area = area(screen);
    let width = usize::from(area.width).saturating_sub(2);
    let needed = why::lines(app, answer.as_ref(), width, usize::from(area.height), true).len() + 3;
    let height = u16::try_from(needed).unwrap_or(u16::MAX).min(area.height);
    // Above the prompt, where it hides the least.
    let area = Rect { y: area.bottom() - height, height, ..area };
    let key = |deed| app.keys.key(Context::Why, deed);
    let go = |to| key(Deed::Go(to));
    let (enter, back) = (key(Deed::FollowLink), key(Deed::Back));
    let remark = format!(
        "{}{} clause  {enter} goes to what proves it  {}{} question  {back} closes",
        go(Move::Up),
        go(Move::Down),
        go(Move::Left),
        go(Move::Right),
    );
    let rows = framed(frame, area, app, "Why", &remark);
    let (width, height) = (usize::from(rows.width), usize::from(rows.height));
    draw_lines(frame, rows, why::lines(app, answer.as_ref(), width, height, true));
}

fn render_output(frame: &mut Frame, area: Rect, app: &App, output: &Output) {
    let height = usize::from(inner(area).height);
    let offset = output.place.offset.min(output.lines.len().saturating_sub(height));
    let last = (offset + height).min(output.lines.len());
    let back = app.keys.key(Context::Output, Deed::Back);
    let remark = format!("{}-{last} of {}  {back} closes", offset + 1, output.lines.len());
    let rows = framed(frame, area, app, &output.title, &remark);
    let seen = output.lines.iter().skip(offset).take(height);
    let lines = seen.map(|line| Line::raw(text::cut(line, usize::from(rows.width))));
    draw_lines(frame, rows, lines.collect());
}
