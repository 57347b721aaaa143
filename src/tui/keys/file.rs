//! Keys in a file: one line for each deed of a context.
//!
//! ```text
//! # where    keys      what they do
//! normal     n,.,Right step           # Deliver the oldest message
//! space-time none      cone           # Dim what is concurrent with the event
//! ```
//!
//! What a file does not mention stays as it is.

use std::fmt;
use std::str::FromStr;

use ratatui::crossterm::event::KeyCode;

use crate::tui::deed::Deed;
use crate::tui::keys::{Binding, Context, Key, Keys};

/// What is wrong with a file of keys, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {sentence}")]
pub struct FileError {
    /// The line that is to blame, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub sentence: String,
}

/// A line of a file.
struct Line {
    number: usize,
    context: Context,
    keys: Vec<Key>,
    deed: Deed,
}

impl Line {
    fn wrong(&self, sentence: String) -> FileError {
        FileError { line: self.number, sentence }
    }

    fn is_of(&self, binding: &Binding) -> bool {
        (self.context, self.deed) == (binding.context, binding.deed)
    }
}

/// Reads the keys that a file changes; the others are as they are by themselves.
impl FromStr for Keys {
    type Err = FileError;

    fn from_str(text: &str) -> Result<Self, FileError> {
        let mut keys = Self::default();
        let mut lines: Vec<Line> = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let number = index + 1;
            let read = read_line(text, number);
            let Some(line) = read.map_err(|sentence| FileError { line: number, sentence })? else {
                continue;
            };
            let same =
                lines.iter().find(|own| (own.context, own.deed) == (line.context, line.deed));
            if let Some(own) = same {
                let (context, deed) = (line.context.name(), line.deed.name());
                let before = own.number;
                return Err(line.wrong(format!(
                    "'{deed}' has been given its keys in '{context}' in line {before}"
                )));
            }
            keys.bind(&line);
            lines.push(line);
        }
        for line in &lines {
            keys.check(line)?;
        }
        keys.check_ways_out(&lines)?;
        Ok(keys)
    }
}

/// One line of a file; `None` where it says nothing.
fn read_line(text: &str, number: usize) -> Result<Option<Line>, String> {
    let mut words = text.split_whitespace().take_while(|word| !word.starts_with('#'));
    let Some(context) = words.next() else { return Ok(None) };
    let context = Context::parse(context).ok_or_else(|| {
        let all = Context::ALL.map(Context::name).join(", ");
        format!("there is no context '{context}'; there are {all}")
    })?;
    let written = "a line is a context, keys with commas between them or none, and a deed";
    let (Some(keys), Some(deed), None) = (words.next(), words.next(), words.next()) else {
        return Err(written.to_owned());
    };
    let deed =
        Deed::parse(deed).ok_or_else(|| format!("there is nothing to be done called '{deed}'"))?;
    let keys = match keys {
        "none" => Vec::new(),
        keys => keys.split(',').map(str::parse).collect::<Result<Vec<Key>, String>>()?,
    };
    Ok(Some(Line { number, context, keys, deed }))
}

impl Keys {
    /// Gives a deed other keys. What was not bound in a context before comes last there.
    fn bind(&mut self, line: &Line) {
        if let Some(binding) = self.bindings.iter_mut().find(|binding| line.is_of(binding)) {
            binding.keys.clone_from(&line.keys);
        } else {
            let (context, deed) = (line.context, line.deed);
            let about = self.about(deed);
            let keys = line.keys.clone();
            self.bindings.push(Binding { context, keys, deed, hint: "", about });
        }
    }

    /// Refuses keys of a line that cannot mean what it says.
    fn check(&self, line: &Line) -> Result<(), FileError> {
        let context = line.context.name();
        for (index, key) in line.keys.iter().enumerate() {
            let name = key.word();
            if line.context.is_typed_in() && key.is_text() {
                return Err(line.wrong(format!(
                    "'{name}' cannot do anything in '{context}': there, it is typed"
                )));
            }
            if line.keys[..index].contains(key) {
                return Err(line.wrong(format!("'{name}' is named twice")));
            }
            let always = line.context == Context::Always;
            let other = self.bindings.iter().find(|other| {
                let meets =
                    other.context == line.context || other.context == Context::Always || always;
                meets && !line.is_of(other) && other.keys.contains(key)
            });
            if let Some(other) = other {
                let (place, deed) = (other.context.name(), other.deed.name());
                return Err(line.wrong(format!(
                    "'{name}' is bound twice: it does '{deed}' in '{place}'; give that another key, or none"
                )));
            }
        }
        Ok(())
    }

    /// Refuses to take away the last key that leads out of something, to the palette, or home.
    fn check_ways_out(&self, lines: &[Line]) -> Result<(), FileError> {
        let bare = [Context::Normal, Context::Always];
        let needed: [(Deed, &[Context]); 7] = [
            (Deed::Quit, &bare),
            (Deed::OpenPalette, &bare),
            (Deed::Back, &[Context::Prompt]),
            (Deed::Back, &[Context::Filter]),
            (Deed::Back, &[Context::Palette]),
            (Deed::Back, &[Context::Output]),
            (Deed::Back, &[Context::Why]),
        ];
        for (deed, contexts) in needed {
            let is_one = |own: &Binding| own.deed == deed && contexts.contains(&own.context);
            let bound = self.bindings.iter().any(|own| is_one(own) && !own.keys.is_empty());
            let taker = lines
                .iter()
                .rev()
                .find(|line| line.deed == deed && contexts.contains(&line.context));
            if let (false, Some(line)) = (bound, taker) {
                let (name, context) = (deed.name(), line.context.name());
                return Err(line.wrong(format!("some key must do '{name}' in '{context}'")));
            }
        }
        Ok(())
    }
}

/// All keys as a file that reads back as the same.
impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Keys of epaxos-tui: where, which keys, and what they do. What is not mentioned"
        )?;
        writeln!(f, "# stays as it is; 'none' takes all keys away. Read with --keys FILE.")?;
        for context in Context::ALL.into_iter().filter(|context| self.of(*context).count() > 0) {
            writeln!(f)?;
            for Binding { keys, deed, about, .. } in self.of(context) {
                let words: Vec<String> = keys.iter().map(|key| key.word()).collect();
                let words = if words.is_empty() { "none".to_owned() } else { words.join(",") };
                writeln!(f, "{:10} {words:12} {:18} # {about}", context.name(), deed.name())?;
            }
        }
        Ok(())
    }
}

impl Key {
    /// The key as it is written in a file.
    fn word(self) -> String {
        let named = NAMED.iter().find(|(_, code)| *code == self.code);
        let name = match (named, self.code) {
            (Some((name, _)), _) => (*name).to_owned(),
            (None, KeyCode::Char(c)) if self.ctrl => c.to_ascii_uppercase().to_string(),
            (None, KeyCode::Char(c)) => c.to_string(),
            (None, KeyCode::F(number)) => format!("F{number}"),
            (None, code) => format!("{code:?}"),
        };
        if self.ctrl { format!("Ctrl-{name}") } else { name }
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let (ctrl, name) = match word.strip_prefix("Ctrl-") {
            Some(name) if !name.is_empty() => (true, name),
            _ => (false, word),
        };
        let named = NAMED.iter().find(|(own, _)| own.eq_ignore_ascii_case(name) && name.len() > 1);
        let number = name.strip_prefix('F').and_then(|number| number.parse().ok());
        let mut characters = name.chars();
        let code = match (named, number, characters.next(), characters.next()) {
            (Some((_, code)), ..) => *code,
            (None, Some(number @ 1..=12), ..) => KeyCode::F(number),
            (None, _, Some(c), None) if ctrl => KeyCode::Char(c.to_ascii_lowercase()),
            (None, _, Some(c), None) => KeyCode::Char(c),
            _ => {
                let advice = "a key is such as x, Ctrl-X, F5, Enter, Left or Space";
                return Err(format!("there is no key '{word}'; {advice}"));
            }
        };
        let twin = match code {
            KeyCode::Char('i') if ctrl => Some("Tab"),
            KeyCode::Char('m') if ctrl => Some("Enter"),
            KeyCode::Char('[') if ctrl => Some("Esc"),
            _ => None,
        };
        match twin {
            Some(twin) => Err(format!("terminals cannot tell '{word}' from {twin}")),
            None => Ok(Self { code, ctrl }),
        }
    }
}

/// Keys with names of more than a character. A comma stands between keys, and a number sign before
/// what is no key, so they have names too.
const NAMED: [(&str, KeyCode); 17] = [
    ("Space", KeyCode::Char(' ')),
    ("Comma", KeyCode::Char(',')),
    ("Hash", KeyCode::Char('#')),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Shift-Tab", KeyCode::BackTab),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("Insert", KeyCode::Insert),
    ("Delete", KeyCode::Delete),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let keys = Keys::default();
        assert_eq!(keys.to_string().parse(), Ok(keys));
        let changed: Keys =
            "normal Comma,Hash,Ctrl-Left,F12 step\nnormal z cone\nlog none log-up".parse().unwrap();
        assert_eq!(changed.to_string().parse(), Ok(changed));
    }

    #[test]
    fn what_a_file_does_not_mention_stays() {
        let keys: Keys = "# only this\n\n  normal  x,X step # forth\n".parse().unwrap();
        assert_eq!(keys.key(Context::Normal, Deed::Step), "x");
        assert_eq!(keys.key(Context::Normal, Deed::Round), "N");
        let old: Key = "n".parse().unwrap();
        assert_eq!(keys.deed(old, &[Context::Normal]), None);
        assert_eq!("".parse(), Ok(Keys::default()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let wrong = |text: &str| text.parse::<Keys>().expect_err(text).to_string();
        for (text, said) in [
            (
                "#\nnowhere x step",
                "line 2: there is no context 'nowhere'; there are always, normal",
            ),
            ("normal x fly", "line 1: there is nothing to be done called 'fly'"),
            ("normal Ctlr-X step", "line 1: there is no key 'Ctlr-X'; a key is such as"),
            ("normal x,, step", "line 1: there is no key ''"),
            ("normal x", "line 1: a line is a context, keys"),
            ("normal x step on", "line 1: a line is a context, keys"),
            ("normal Ctrl-I step", "line 1: terminals cannot tell 'Ctrl-I' from Tab"),
            ("normal x,x step", "line 1: 'x' is named twice"),
            ("normal q step", "line 1: 'q' is bound twice: it does 'quit' in 'normal'"),
            ("normal Ctrl-C step", "line 1: 'Ctrl-C' is bound twice: it does 'quit' in 'always'"),
            ("always F5 quit", "line 1: 'F5' is bound twice: it does 'present' in 'normal'"),
            (
                "normal x step\nnormal z step",
                "line 2: 'step' has been given its keys in 'normal' in line 1",
            ),
            ("prompt x enter", "line 1: 'x' cannot do anything in 'prompt': there, it is typed"),
            ("always x quit", "line 1: 'x' cannot do anything in 'always': there, it is typed"),
            ("normal none quit\nalways none quit", "line 2: some key must do 'quit' in 'always'"),
            (
                "always none palette\nnormal none palette",
                "line 2: some key must do 'palette' in 'normal'",
            ),
            ("prompt none back", "line 1: some key must do 'back' in 'prompt'"),
        ] {
            assert!(wrong(text).starts_with(said), "{text}: {}", wrong(text));
        }
        // A key can go from one deed to another in one file.
        assert!("normal q step\nnormal Q quit".parse::<Keys>().is_ok());
        assert!("normal none quit".parse::<Keys>().is_ok(), "Ctrl-C is left");
    }
}
