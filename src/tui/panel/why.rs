//! The answer to a question, with the clause that is pointed at, and what else can be asked.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::explain::answer::Answer;
use crate::tui::app::App;
use crate::tui::deed::{Deed, Move};
use crate::tui::keys::Context;
use crate::tui::layout::Pane;
use crate::tui::panel::{draw_lines, framed, text};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let focused = app.pane() == Pane::Why && app.over.is_none();
    let answer = app.answer();
    let remark = match &answer {
        Some((_, 1, _)) | None => String::new(),
        Some((question, count, _)) => format!("{} of {count} questions", question + 1),
    };
    let rows = framed(frame, area, app, Pane::Why, "Why", &remark);
    let (width, height) = (usize::from(rows.width), usize::from(rows.height));
    let answer = answer.map(|(.., answer)| answer);
    draw_lines(frame, rows, lines(app, answer.as_ref(), width, height, focused));
}

/// The question and its answer in lines of at most `columns`, so many that the clause that is pointed
/// at is among them.
pub fn lines(
    app: &App,
    answer: Option<&Answer>,
    columns: usize,
    rows: usize,
    focused: bool,
) -> Vec<Line<'static>> {
    let theme = app.theme;
    let Some(answer) = answer else {
        return vec![Line::styled("Select something to ask about.", theme.dim())];
    };
    let question = text::wrap(&answer.question, columns).into_iter();
    let mut lines: Vec<Line> = question.map(|line| Line::styled(line, theme.strong())).collect();
    let (paragraph, row) = paragraph(app, answer, columns, focused);
    let room = rows.saturating_sub(lines.len()).max(1);
    let hidden = (row + 1).saturating_sub(room);
    lines.extend(paragraph.into_iter().skip(hidden));
    if focused && lines.len() + 1 < rows {
        let clause = answer.clauses.get(app.asking.clause);
        let key = |deed| app.keys.key(Context::Why, deed);
        let (left, right) = (key(Deed::Go(Move::Left)), key(Deed::Go(Move::Right)));
        let mut leads = format!("{left} {right} other questions");
        if clause.is_some_and(|clause| clause.link.is_some()) {
            leads = format!("{} the proof   {leads}", key(Deed::FollowLink));
        }
        lines.push(Line::styled(text::cut(&leads, columns), theme.dim()));
    }
    lines
}

/// The clauses one after another, and in which line the one begins that is pointed at.
fn paragraph(
    app: &App,
    answer: &Answer,
    columns: usize,
    focused: bool,
) -> (Vec<Line<'static>>, usize) {
    let theme = app.theme;
    let pointed = app.asking.clause.min(answer.clauses.len().saturating_sub(1));
    let mut lines: Vec<Vec<Span<'static>>> = vec![Vec::new()];
    let (mut used, mut row) = (0, 0);
    for (index, clause) in answer.clauses.iter().enumerate() {
        let style = match (focused && index == pointed, clause.link) {
            (true, _) => theme.selection(),
            (false, Some(_)) => theme.text().add_modifier(Modifier::UNDERLINED),
            (false, None) => Style::new(),
        };
        for (number, word) in clause.text.split(' ').enumerate() {
            let word = text::cut(word, columns);
            let width = text::width(&word);
            if used > 0 && used + 1 + width > columns {
                lines.push(Vec::new());
                used = 0;
            }
            if index == pointed && number == 0 {
                row = lines.len() - 1;
            }
            let Some(line) = lines.last_mut() else { continue };
            if used > 0 {
                // The space within a clause looks like the clause, that between two like neither.
                let space = if number == 0 { Style::new() } else { style };
                line.push(Span::styled(" ", space));
                used += 1;
            }
            line.push(Span::styled(word, style));
            used += width;
        }
    }
    (lines.into_iter().map(Line::from).collect(), row)
}
