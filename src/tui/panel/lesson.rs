//! A step of a lesson with its question, or the lessons that there are.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::lesson::{Question, Step};
use crate::tui::app::{App, Course, Learning, Shelved};
use crate::tui::deed::Deed;
use crate::tui::glyphs;
use crate::tui::keys::Context;
use crate::tui::layout::Pane;
use crate::tui::panel::text::cell;
use crate::tui::panel::{draw_lines, framed, row_of, text};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let Some(learning) = &app.learning else { return };
    let inside = crate::tui::layout::inner(area);
    let lines = lines(app, usize::from(inside.width));
    let below = lines.len() > learning.scroll.offset + usize::from(inside.height);
    let (title, remark) = match app.course() {
        None => ("Lessons".to_owned(), format!("{} of them", learning.shelf.len())),
        Some(course) => (format!("Lesson {}", course.index + 1), standing(course)),
    };
    let more = if below { "↓ more, " } else { "" };
    let rows = framed(frame, area, app, Pane::Lesson, &title, &format!("{more}{remark}"));
    let seen = lines.into_iter().skip(learning.scroll.offset).take(usize::from(rows.height));
    draw_lines(frame, rows, seen.collect());
}

/// How far somebody is, and how many answers were right.
fn standing(course: &Course) -> String {
    let (steps, questions) = (course.lesson.steps.len(), course.lesson.questions());
    let score = format!("score {} of {questions}", course.score());
    match course.page {
        page if page < steps => format!("step {} of {steps}, {score}", page + 1),
        _ => score,
    }
}

/// All of it, in lines of at most `columns`.
pub fn lines(app: &App, columns: usize) -> Vec<Line<'static>> {
    let Some(learning) = &app.learning else { return Vec::new() };
    match app.course() {
        None => list(app, learning, columns),
        Some(course) => match course.step() {
            Some(step) => told(app, course, step, columns),
            None => end(app, learning, course, columns),
        },
    }
}

/// Lines of a text, between words.
fn wrapped(words: &str, columns: usize, style: Style) -> impl Iterator<Item = Line<'static>> {
    text::wrap(words, columns).into_iter().map(move |line| Line::styled(line, style))
}

/// Lines of a text that begins with a sign, the later ones as far to the right as what follows that.
fn hanging(sign: &str, words: &str, columns: usize, style: Style) -> Vec<Line<'static>> {
    let indent = text::width(sign);
    let lines = text::wrap(words, columns.saturating_sub(indent));
    let begin = |index: usize| if index == 0 { sign.to_owned() } else { " ".repeat(indent) };
    let line = |(index, line): (usize, String)| Line::styled(begin(index) + &line, style);
    lines.into_iter().enumerate().map(line).collect()
}

fn key(app: &App, deed: Deed) -> String {
    app.keys.key(Context::Lesson, deed)
}

/// A heading, and beside or below it what the lesson is called.
fn headed(app: &App, heading: &str, title: &str, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let left = columns.saturating_sub(text::width(heading));
    if left < text::width(title) + 2 {
        let title = wrapped(title, columns, theme.dim());
        return wrapped(heading, columns, theme.strong()).chain(title).collect();
    }
    let heading = Span::styled(heading.to_owned(), theme.strong());
    vec![Line::from(vec![heading, text::number(title, left, theme.dim())])]
}

fn told(app: &App, course: &Course, step: &Step, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = headed(app, &step.heading, &course.lesson.title, columns);
    for paragraph in &step.narration {
        lines.push(Line::default());
        lines.extend(wrapped(paragraph, columns, theme.text()));
    }
    if !course.scene().said.is_empty() {
        lines.push(Line::default());
    }
    lines.extend(done(app, course, columns));
    if let Some((question, answered)) = course.question() {
        lines.push(Line::default());
        lines.extend(wrapped(&question.text, columns, theme.strong()));
        lines.extend(choices(app, question, answered, columns));
    }
    let on = key(app, Deed::NextPart);
    // There is nothing before the first step.
    let back = match course.page {
        0 => String::new(),
        _ => format!("   {} back", key(app, Deed::PreviousPart)),
    };
    let leads = match course.question() {
        _ if !app.is_in_lesson() => {
            let name = &app.times.branch().name;
            format!("You are trying something of your own, in {name}. {on} returns to the lesson.")
        }
        Some((_, None)) => format!("A letter answers.{back}"),
        _ => format!("{on} goes on{back}"),
    };
    lines.push(Line::default());
    lines.extend(wrapped(&leads, columns, theme.dim()));
    lines
}

/// The commands of a step with what they had to say. Those that said nothing share lines.
fn done(app: &App, course: &Course, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = Vec::new();
    let mut silent = String::new();
    for (command, said) in &course.scene().said {
        if said.is_empty() && text::width(&silent) + text::width(command) + 7 <= columns {
            let sign = if silent.is_empty() { "" } else { "   > " };
            silent = format!("{silent}{sign}{command}");
            continue;
        }
        if !silent.is_empty() {
            lines.extend(hanging("> ", &silent, columns, theme.accent()));
            silent.clear();
        }
        if said.is_empty() {
            silent.clone_from(command);
            continue;
        }
        lines.extend(hanging("> ", command, columns, theme.accent()));
        lines.extend(said.iter().flat_map(|line| hanging("  ", line, columns, theme.dim())));
    }
    if !silent.is_empty() {
        lines.extend(hanging("> ", &silent, columns, theme.accent()));
    }
    lines
}

/// The answers to choose from; once one was chosen, which are right, and why.
fn choices(
    app: &App,
    question: &Question,
    answered: Option<usize>,
    columns: usize,
) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = Vec::new();
    for ((index, choice), letter) in question.choices.iter().enumerate().zip('a'..) {
        let (mark, style) = match answered {
            None => (" ", theme.text()),
            Some(_) if choice.right => ("✓", theme.good()),
            Some(chosen) if chosen == index => ("✗", theme.bad()),
            Some(_) => (" ", theme.dim()),
        };
        lines.extend(hanging(&format!("{mark} {letter}  "), &choice.text, columns, style));
    }
    if let Some(chosen) = answered {
        let right = question.choices.get(chosen).is_some_and(|choice| choice.right);
        let (word, style) =
            if right { ("Right. ", theme.good()) } else { ("Not quite. ", theme.notable()) };
        lines.push(Line::default());
        lines.extend(wrapped(&format!("{word}{}", question.because), columns, style));
    }
    lines
}

/// What came of it all.
fn end(app: &App, learning: &Learning, course: &Course, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let questions = course.lesson.questions();
    let score = format!("The end. Your score: {} of {questions}", course.score());
    let mut lines = headed(app, &score, &course.lesson.title, columns);
    lines.push(Line::default());
    for (index, step) in course.lesson.steps.iter().enumerate() {
        let Some(question) = &step.question else { continue };
        let chosen = course.answers.get(&index).and_then(|chosen| question.choices.get(*chosen));
        let (mark, style) = match chosen {
            Some(choice) if choice.right => ("✓ ", theme.good()),
            Some(_) => ("✗ ", theme.notable()),
            None => ("- ", theme.dim()),
        };
        lines.extend(hanging(mark, &question.text, columns, style));
    }
    lines.push(Line::default());
    let (on, back) = (key(app, Deed::NextPart), key(app, Deed::PreviousPart));
    let all = key(app, Deed::Lessons);
    let next = match learning.shelf.get(course.index + 1) {
        Some(next) => format!("{on} takes the next lesson: {}.", next.lesson.title),
        None => format!("{on} lists all lessons."),
    };
    lines.extend(wrapped(&next, columns, theme.text()));
    lines.push(Line::default());
    let leads = format!("{back} back   {all} all lessons");
    lines.extend(wrapped(&leads, columns, theme.dim()));
    lines
}

/// The lessons to choose from, and what the selected one is about.
fn list(app: &App, learning: &Learning, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let row = |(index, shelved): (usize, &Shelved)| {
        let selected = index == learning.place.selected;
        let mark = if selected { glyphs::SELECTED } else { " " };
        let questions = shelved.lesson.questions();
        let score = shelved.score.map(|score| format!("{score} of {questions}"));
        let spans: Vec<Span> = vec![
            cell(mark, 2, theme.accent()),
            cell(&(index + 1).to_string(), 3, theme.accent()),
            cell(&shelved.lesson.title, columns.saturating_sub(12), theme.text()),
            text::number(&score.unwrap_or_default(), 7, theme.good()),
        ];
        row_of(app, spans, selected)
    };
    let mut lines: Vec<Line> = learning.shelf.iter().enumerate().map(row).collect();
    if let Some(shelved) = learning.shelf.get(learning.place.selected) {
        lines.push(Line::default());
        lines.extend(wrapped(&shelved.lesson.about, columns, theme.text()));
    }
    lines.push(Line::default());
    let leads = format!("{} takes it", key(app, Deed::NextPart));
    lines.extend(wrapped(&leads, columns, theme.dim()));
    lines
}
