//! The lines at the bottom: what was said last, the prompt or the filter, and the keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};
use unicode_segmentation::UnicodeSegmentation;

use crate::explain::sentence;
use crate::tui::app::{App, Mode, Tone};
use crate::tui::completion::Known;
use crate::tui::deed::{Deed, Screen};
use crate::tui::keys::{Binding, Context};
use crate::tui::layout::{Pane, inner};
use crate::tui::panel::{detail, draw_lines, text};
use crate::tui::prompt::Prompt;

/// Draws what was said last: why a line was refused, or an answer.
pub fn render_message(frame: &mut Frame, area: Rect, app: &App) {
    let theme = app.theme;
    let (mark, said, style) = match (app.prompt.error(), &app.message) {
        (Some(error), _) if app.mode == Mode::Prompt => ("! ", &*error.sentence, theme.bad()),
        // To a class, what just happened matters more than that something was asked for.
        (_, Some((_, Tone::Plain | Tone::Good)) | None) if app.presenting => {
            return render_told(frame, area, app);
        }
        (_, Some((said, tone))) => match tone {
            Tone::Plain => ("", &**said, theme.text()),
            Tone::Good => ("", &**said, theme.good()),
            Tone::Bad => ("! ", &**said, theme.bad()),
        },
        (_, None) => return render_silence(frame, area, app),
    };
    let columns = usize::from(area.width).saturating_sub(2);
    let lines = text::wrap(&format!("{mark}{said}"), columns);
    // A long sentence takes the rows above for as long as it stands.
    let extra = u16::try_from(lines.len().min(MESSAGE_ROWS)).unwrap_or(1).saturating_sub(1);
    let extra = extra.min(area.y);
    let area = Rect { y: area.y - extra, height: area.height + extra, ..area };
    frame.render_widget(Clear, area);
    let lines = lines.into_iter().take(MESSAGE_ROWS);
    draw_lines(frame, area, lines.map(|line| Line::styled(format!(" {line}"), style)).collect());
}

/// How many rows a sentence may take.
const MESSAGE_ROWS: usize = 3;

/// While there is nothing to say: to a class, what just happened; what would come of the message under
/// the cursor; or something of the selected instance.
fn render_silence(frame: &mut Frame, area: Rect, app: &App) {
    let theme = app.theme;
    if app.presenting {
        return render_told(frame, area, app);
    }
    let foretold = app.next_at_hand().and_then(|next| Some((next, app.preview.of(next)?.first()?)));
    let watched = matches!(app.pane(), Pane::Messages | Pane::SpaceTime | Pane::Event);
    match foretold.filter(|_| watched) {
        Some((next, sentence)) => {
            let columns = usize::from(area.width).saturating_sub(2);
            let told = format!(" if {next} goes on: {sentence}");
            frame.render_widget(Line::styled(text::cut(&told, columns), theme.notable()), area);
        }
        None => render_why(frame, area, app),
    }
}

/// What just happened, to be read from afar.
fn render_told(frame: &mut Frame, area: Rect, app: &App) {
    let theme = app.theme;
    let last = app.view.log.iter().next_back();
    let told = match last {
        Some(entry) => sentence(&app.view, entry),
        None => "Nothing has happened yet.".to_owned(),
    };
    let title = last.map(|entry| format!(" #{} ", entry.id)).unwrap_or_default();
    let block = Block::bordered().border_style(theme.accent()).title(title);
    let rows = inner(area);
    frame.render_widget(block, area);
    let lines = text::wrap(&told, usize::from(rows.width)).into_iter();
    draw_lines(frame, rows, lines.map(|line| Line::styled(line, theme.strong())).collect());
}

/// Why the selected instance is where it is, unless its own pane
/// tells.
fn render_why(frame: &mut Frame, area: Rect, app: &App) {
    let shown = app.layout_of(frame.area()).pane(Pane::Detail).is_some();
    if shown || app.screen != Screen::Cockpit {
        return;
    }
    if let (Some(selected), Some(why)) = (app.selected, detail::why_in_short(app)) {
        let columns = usize::from(area.width).saturating_sub(2);
        let why = text::cut(&format!(" {selected} {why}"), columns);
        frame.render_widget(Line::styled(why, app.theme.dim()), area);
    }
}

/// Draws the prompt, or the filter while one is typed.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    if area.is_empty() {
        return;
    }
    let theme = app.theme;
    let active = app.mode != Mode::Normal && app.over.is_none();
    let (label, line, advice) = if app.mode == Mode::Filter {
        let words = "key: leader: kind: path: replica: instance: event: since:#40 !not word";
        ("/ ".to_owned(), app.filters.line().unwrap_or(&app.prompt), words.to_owned())
    } else {
        let key = |deed| app.keys.key(Context::Prompt, deed);
        let (up, down) = (key(Deed::HistoryBack), key(Deed::HistoryForth));
        let (complete, back) = (key(Deed::Complete), key(Deed::Back));
        let advice = format!("{up}{down} history  {complete} complete  {back} leave");
        (format!("{}> ", app.at), &app.prompt, advice)
    };
    let mut row = area;
    if area.height >= 3 {
        let title = if app.mode == Mode::Filter { " Filter " } else { " Command " };
        let mut block = Block::bordered()
            .border_style(theme.border(active))
            .title(Line::styled(title, theme.title(active)));
        if active {
            let advice = Line::styled(format!(" {advice} "), theme.dim());
            block = block.title(advice.right_aligned());
        }
        frame.render_widget(block, area);
        row = inner(area);
    }
    render_line(frame, row, app, &format!(" {label}"), line, active);
}

fn render_line(
    frame: &mut Frame,
    area: Rect,
    app: &App,
    label: &str,
    prompt: &Prompt,
    active: bool,
) {
    let theme = app.theme;
    let room = usize::from(area.width).saturating_sub(text::width(label) + 1);
    let scroll = prompt.scroll(room);
    let label_style = if active { theme.accent().patch(theme.strong()) } else { theme.dim() };
    let mut spans = vec![Span::styled(label.to_owned(), label_style)];
    spans.extend(visible(app, prompt, scroll, room, active));
    let cursor = prompt.cursor_column().saturating_sub(scroll);
    if active {
        let used: usize = spans.iter().map(Span::width).sum();
        let left = usize::from(area.width).saturating_sub(used + 3);
        spans.push(Span::raw("   "));
        spans.extend(candidates(app, prompt, left));
    } else if prompt.text().is_empty() {
        let key = app.keys.key(Context::Normal, Deed::OpenPrompt);
        let advice =
            format!("press {key} and type a command, such as put x 1 or burst 20 conflict=30");
        spans.push(Span::styled(text::cut(&advice, room), theme.dim()));
    }
    frame.render_widget(Line::from(spans), area);
    let x = text::width(label).saturating_add(cursor);
    if active && x < usize::from(area.width) {
        let x = area.x.saturating_add(u16::try_from(x).unwrap_or(u16::MAX));
        frame.set_cursor_position((x, area.y));
    }
}

/// The part of the text that is in sight, what is wrong with it underlined.
fn visible(
    app: &App,
    prompt: &Prompt,
    scroll: usize,
    room: usize,
    active: bool,
) -> Vec<Span<'static>> {
    let theme = app.theme;
    let text = prompt.text();
    let blamed = prompt.error().map(|error| error.blamed);
    let wrong = theme.bad().add_modifier(ratatui::style::Modifier::UNDERLINED);
    let usual = if active { theme.text() } else { theme.dim() };
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut column = 0;
    for (byte, grapheme) in text.grapheme_indices(true) {
        let width = text::width(grapheme);
        let seen = column >= scroll && column + width <= scroll + room;
        column += width;
        if !seen {
            continue;
        }
        let bad = blamed.is_some_and(|(start, end)| (start..end).contains(&byte));
        let style = if bad { wrong } else { usual };
        match spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(grapheme),
            _ => spans.push(Span::styled(grapheme.to_owned(), style)),
        }
    }
    // What is missing is missing at the end.
    if blamed.is_some_and(|(start, _)| start >= text.len()) {
        spans.push(Span::styled("   ", wrong));
    }
    spans
}

fn candidates(app: &App, prompt: &Prompt, room: usize) -> Vec<Span<'static>> {
    let theme = app.theme;
    if app.mode != Mode::Prompt || prompt.error().is_some() {
        return Vec::new();
    }
    let mut left = room;
    let mut spans = Vec::new();
    for (candidate, shown) in prompt.candidates(&Known::of(&app.view)) {
        let needed = text::width(&candidate) + 1;
        if needed > left {
            break;
        }
        left -= needed;
        let style = if shown { theme.selection() } else { theme.dim() };
        spans.push(Span::styled(candidate, style));
        spans.push(Span::raw(" "));
    }
    spans
}

/// Draws the keys that mean something now, as many as fit.
pub fn render_hints(frame: &mut Frame, area: Rect, app: &App) {
    let theme = app.theme;
    let mut spans = vec![Span::raw(" ")];
    let mut left = usize::from(area.width).saturating_sub(1);
    let contexts = app.contexts();
    let narrow = contexts.iter().filter(|context| **context != Context::Always);
    let bindings = narrow.flat_map(|context| app.keys.of(*context));
    let worth = |binding: &&Binding| {
        // A key that means something else here says nothing of what it means elsewhere.
        let first = binding.keys.first().and_then(|key| app.keys.deed(*key, &contexts));
        !binding.hint.is_empty() && first == Some(binding.deed) && app.can(binding.deed)
    };
    // Whoever knows the key of the palette can find all others, so it is never left out.
    let (last, others): (Vec<&Binding>, Vec<&Binding>) =
        bindings.filter(worth).partition(|binding| binding.deed == Deed::OpenPalette);
    left = left.saturating_sub(last.iter().map(|binding| width(binding)).sum());
    let fitting = others.into_iter().filter(|binding| {
        let fits = width(binding) <= left;
        left -= if fits { width(binding) } else { 0 };
        fits
    });
    for binding in fitting.chain(last) {
        spans.push(Span::styled(binding.key(), theme.accent()));
        spans.push(Span::styled(format!(" {}  ", hint(app, binding)), theme.dim()));
    }
    frame.render_widget(Line::from(spans), area);
}

/// What a key does where that depends on what is selected.
fn hint(app: &App, binding: &Binding) -> &'static str {
    let delivers = binding.deed == Deed::Open
        && app.screen == Screen::SpaceTime
        && app.space_time.flight(&app.view).is_some();
    if delivers { "deliver" } else { binding.hint }
}

/// How wide the hint of a binding is at most.
fn width(binding: &Binding) -> usize {
    let hint = text::width(binding.hint).max(if binding.deed == Deed::Open { 7 } else { 0 });
    text::width(&binding.key()) + hint + 3
}
