//! The line at which commands are typed.

use std::collections::VecDeque;

use ratatui::crossterm::event::{Event, KeyEvent};
use tui_input::backend::crossterm::to_input_request;
use tui_input::{Input, InputRequest};

use crate::tui::completion;
use crate::tui::completion::Known;

/// A line of text being typed, with its history.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    input: Input,
    history: VecDeque<String>,
    /// Which line of the history is shown, and what was typed before it was.
    browsing: Option<(usize, String)>,
    completing: Option<Completing>,
    error: Option<PromptError>,
}

/// Why the line was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptError {
    /// One sentence.
    pub sentence: String,
    /// The bytes of the line that are to blame; none at its end where something is missing.
    pub blamed: (usize, usize),
}

/// A word that is being completed: each further Tab puts the next candidate in its place.
#[derive(Clone, Debug)]
struct Completing {
    /// The bytes of the line that the candidate on show takes.
    start: usize,
    end: usize,
    candidates: Vec<String>,
    shown: Option<usize>,
}

impl Prompt {
    /// What is typed.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Where the cursor is, in columns from the start of the text.
    pub fn cursor_column(&self) -> usize {
        self.input.visual_cursor()
    }

    /// How many columns to scroll so that the cursor is seen in `width` of them.
    pub fn scroll(&self, width: usize) -> usize {
        self.input.visual_scroll(width)
    }

    /// Why the line was refused, until it is changed.
    pub fn error(&self) -> Option<&PromptError> {
        self.error.as_ref()
    }

    /// Takes a key that edits.
    pub fn edit(&mut self, key: KeyEvent) {
        if let Some(request) = to_input_request(&Event::Key(key)) {
            let changed = self.input.handle(request);
            self.completing = None;
            if changed.is_some_and(|changed| changed.value) {
                self.error = None;
                self.browsing = None;
            }
        }
    }

    /// Inserts pasted text, which must be one line, at the cursor.
    pub fn insert(&mut self, text: &str) {
        let room = LENGTH_MAX.saturating_sub(self.text().chars().count());
        for c in text.chars().filter(|c| !c.is_control()).take(room) {
            self.input.handle(InputRequest::InsertChar(c));
        }
        self.error = None;
        self.completing = None;
    }

    /// Replaces the text.
    pub fn set(&mut self, text: &str) {
        self.input = Input::from(text);
        self.error = None;
        self.completing = None;
    }

    /// Keeps the text, and says why it was refused.
    pub fn refuse(&mut self, sentence: String) {
        let blamed = blame(self.text(), &sentence);
        self.error = Some(PromptError { sentence, blamed });
    }

    /// Takes the text away and remembers it.
    pub fn accept(&mut self) -> String {
        let text = self.input.value_and_reset();
        self.remember(&text);
        self.error = None;
        self.completing = None;
        self.browsing = None;
        text
    }

    /// Adds a line to the history.
    pub fn remember(&mut self, text: &str) {
        if text.trim().is_empty() || self.history.back().is_some_and(|last| last == text) {
            return;
        }
        self.history.push_back(text.to_owned());
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }

    /// Shows the line of the history before the one shown.
    pub fn back(&mut self) {
        let (index, draft) = match self.browsing.take() {
            Some((index, draft)) => (index.saturating_sub(1), draft),
            None => (self.history.len().saturating_sub(1), self.text().to_owned()),
        };
        let Some(line) = self.history.get(index).cloned() else { return };
        self.set(&line);
        self.browsing = Some((index, draft));
    }

    /// Shows the line of the history after the one shown, at last what was being typed.
    pub fn forth(&mut self) {
        let Some((index, draft)) = self.browsing.take() else { return };
        match self.history.get(index + 1).cloned() {
            Some(line) => {
                self.set(&line);
                self.browsing = Some((index + 1, draft));
            }
            None => self.set(&draft),
        }
    }

    /// Completes the word before the cursor as far as that is certain; when asked again, with the
    /// next candidate, or the one before.
    pub fn complete(&mut self, known: &Known, forward: bool) {
        if let Some(completing) = self.completing.take() {
            self.show_next(completing, forward);
            return;
        }
        let end = self.cursor_byte();
        let (start, candidates) = completion::candidates(&self.text()[..end], known);
        let typed = self.text()[start..end].to_owned();
        let common = completion::common_prefix(&candidates);
        match candidates.as_slice() {
            [] => {}
            [only] => {
                let only = only.clone();
                let space = if only.ends_with(['=', '>', ':']) { "" } else { " " };
                self.replace(start, end, &format!("{only}{space}"));
            }
            _ if common.len() > typed.len() => {
                let end = self.replace(start, end, &common);
                self.completing = Some(Completing { start, end, candidates, shown: None });
            }
            _ => self.show_next(Completing { start, end, candidates, shown: None }, forward),
        }
        self.error = None;
    }

    fn show_next(&mut self, mut completing: Completing, forward: bool) {
        let count = completing.candidates.len();
        let next = match (completing.shown, forward) {
            (None, true) => 0,
            (None, false) => count.saturating_sub(1),
            (Some(shown), true) => (shown + 1) % count.max(1),
            (Some(shown), false) => (shown + count.max(1) - 1) % count.max(1),
        };
        let Some(candidate) = completing.candidates.get(next).cloned() else { return };
        completing.end = self.replace(completing.start, completing.end, &candidate);
        completing.shown = Some(next);
        self.completing = Some(completing);
    }

    /// Puts `text` in place of some bytes, the cursor after it, and returns where that is.
    fn replace(&mut self, start: usize, end: usize, text: &str) -> usize {
        let whole = self.text();
        let line = format!("{}{text}{}", &whole[..start], &whole[end..]);
        let cursor = line[..start + text.len()].chars().count();
        self.input = Input::from(line).with_cursor(cursor);
        start + text.len()
    }

    fn cursor_byte(&self) -> usize {
        let text = self.text();
        text.char_indices().nth(self.input.cursor()).map_or(text.len(), |(byte, _)| byte)
    }

    /// What the word before the cursor could become, to be shown beside the text; the one on show
    /// is marked.
    pub fn candidates(&self, known: &Known) -> Vec<(String, bool)> {
        if let Some(completing) = &self.completing {
            let mark = |(index, candidate): (usize, &String)| {
                (candidate.clone(), Some(index) == completing.shown)
            };
            return completing.candidates.iter().enumerate().map(mark).collect();
        }
        let (_, candidates) = completion::candidates(&self.text()[..self.cursor_byte()], known);
        candidates.into_iter().map(|candidate| (candidate, false)).collect()
    }
}

/// The lines of a paste, without control characters; terminals send returns for line ends.
pub fn pasted_lines(text: &str) -> Vec<String> {
    let clean = |line: &str| {
        let line = line.replace('\t', " ");
        line.chars().filter(|c| !c.is_control()).collect::<String>()
    };
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines.split('\n').map(clean).filter(|line| !line.trim().is_empty()).collect()
}

/// Which part of the line the sentence speaks of: the first thing it quotes that is in the line. A
/// sentence that quotes nothing of it speaks of what is missing at the end.
fn blame(line: &str, sentence: &str) -> (usize, usize) {
    for quote in ['\'', '"'] {
        for quoted in sentence.split(quote).skip(1).step_by(2) {
            if !quoted.is_empty()
                && let Some(start) = line.rfind(quoted)
            {
                return (start, start + quoted.len());
            }
        }
    }
    match line.rfind(['\'', '"']) {
        Some(quote) if sentence.contains("quotation") => (quote, line.len()),
        _ => (line.len(), line.len()),
    }
}

/// How many lines are remembered.
const HISTORY_MAX: usize = 500;

/// How long a line a paste can make.
const LENGTH_MAX: usize = 4_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ratatui::crossterm::event::{KeyCode, KeyModifiers};

    fn press(prompt: &mut Prompt, code: KeyCode) {
        prompt.edit(KeyEvent::new(code, KeyModifiers::NONE));
    }

    fn type_in(prompt: &mut Prompt, text: &str) {
        text.chars().for_each(|c| press(prompt, KeyCode::Char(c)));
    }

    #[test]
    fn the_cursor_goes_by_what_is_seen() {
        let mut prompt = Prompt::default();
        type_in(&mut prompt, "put ключ 漢e\u{301}");
        assert_eq!(prompt.cursor_column(), 12);
        press(&mut prompt, KeyCode::Backspace);
        assert_eq!(prompt.text(), "put ключ 漢");
        press(&mut prompt, KeyCode::Left);
        type_in(&mut prompt, "🤦🏼\u{200d}♂\u{fe0f}");
        assert_eq!(prompt.text(), "put ключ 🤦🏼\u{200d}♂\u{fe0f}漢");
        press(&mut prompt, KeyCode::Backspace);
        assert_eq!(prompt.text(), "put ключ 漢");
    }

    #[test]
    fn history_goes_back_and_forth_and_keeps_the_draft() {
        let mut prompt = Prompt::default();
        for line in ["put x 1", "get x", "get x"] {
            type_in(&mut prompt, line);
            assert_eq!(prompt.accept(), line);
        }
        type_in(&mut prompt, "dr");
        prompt.back();
        assert_eq!(prompt.text(), "get x");
        prompt.back();
        prompt.back();
        assert_eq!(prompt.text(), "put x 1");
        prompt.forth();
        prompt.forth();
        assert_eq!(prompt.text(), "dr");
        for index in 0..2 * HISTORY_MAX {
            prompt.remember(&index.to_string());
        }
        assert_eq!(prompt.history.len(), HISTORY_MAX);
    }

    #[test]
    fn a_refused_line_stays_and_shows_what_is_wrong_with_it() {
        let blamed = |line: &str| {
            let mut prompt = Prompt::default();
            type_in(&mut prompt, line);
            let error = crate::script::grammar::Command::parse(line).expect_err(line);
            prompt.refuse(error.to_string());
            assert_eq!(prompt.text(), line);
            let (start, end) = prompt.error().expect("just refused").blamed;
            line[start..end].to_owned()
        };
        assert_eq!(blamed("putt x 1"), "putt");
        assert_eq!(blamed("put x 1 R3"), "R3");
        assert_eq!(blamed("hold kind=Prepare"), "kind=Prepare");
        assert_eq!(blamed("put x"), "");
        assert_eq!(blamed("put 'x 1"), "'x 1");
    }

    #[test]
    fn pasted_text_loses_its_control_characters() {
        assert_eq!(
            pasted_lines("put x 1\r\nget\tx\r\u{1b}[31mdel x\n\n"),
            ["put x 1", "get x", "[31mdel x"]
        );
        let mut prompt = Prompt::default();
        prompt.insert("a\u{7}b\u{1b}c");
        assert_eq!(prompt.text(), "abc");
    }

    #[test]
    fn tab_completes_as_far_as_is_certain_and_then_tries() {
        let known = Known { replicas: 5, ..Known::default() };
        let mut prompt = Prompt::default();
        type_in(&mut prompt, "dro");
        prompt.complete(&known, true);
        assert_eq!(prompt.text(), "drop ");
        type_in(&mut prompt, "kind=Pre");
        prompt.complete(&known, true);
        assert_eq!(prompt.text(), "drop kind=PreAccept");
        prompt.complete(&known, true);
        prompt.complete(&known, true);
        assert_eq!(prompt.text(), "drop kind=PreAcceptReply");
        prompt.complete(&known, false);
        assert_eq!(prompt.text(), "drop kind=PreAccept");
    }

    proptest! {
        #[test]
        fn nothing_typed_or_pasted_or_completed_panics(
            text in "\\PC{0,20}",
            keys in proptest::collection::vec(0usize..9, 0..30),
        ) {
            let known = Known { replicas: 5, ..Known::default() };
            let mut prompt = Prompt::default();
            prompt.insert(&text);
            for key in keys {
                match key {
                    0 => press(&mut prompt, KeyCode::Left),
                    1 => press(&mut prompt, KeyCode::Backspace),
                    2 => press(&mut prompt, KeyCode::Delete),
                    3 => prompt.complete(&known, true),
                    4 => prompt.back(),
                    5 => prompt.forth(),
                    6 => type_in(&mut prompt, "é"),
                    7 => prompt.refuse(format!("\"{text}\" is wrong")),
                    _ => drop(prompt.accept()),
                }
                prop_assert!(prompt.scroll(7) <= prompt.cursor_column());
                prompt.candidates(&known);
            }
        }
    }
}
