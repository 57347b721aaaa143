//! What is to be written down for another program, and where.

use std::fmt;

use crate::export::{Format, UnknownFormat};
use crate::multiverse::written::Form;

/// As what something is to be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// What was seen.
    Seen(Format),
    /// What was decided in the branch that is looked at.
    Branch(Form),
}

impl Written {
    /// The names by which all of them are asked for.
    pub fn names() -> Vec<String> {
        let forms = Form::ALL.into_iter().map(|form| form.name().to_owned());
        Format::ALL.into_iter().map(|format| format.to_string()).chain(forms).collect()
    }

    /// What the names of such files end in.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Seen(format) => format.extension(),
            Self::Branch(form) => form.extension(),
        }
    }

    /// What it is, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Seen(format) => format.about(),
            Self::Branch(form) => form.about(),
        }
    }

    fn parse(name: &str) -> Result<Self, String> {
        if let Ok(form) = name.parse() {
            return Ok(Self::Branch(form));
        }
        let unknown = |_: UnknownFormat| {
            format!("there is no format \"{name}\"; there are {}", Self::names().join(", "))
        };
        name.parse().map(Self::Seen).map_err(unknown)
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seen(format) => format.name(),
            Self::Branch(form) => form.name(),
        })
    }
}

/// What was seen is to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// As what.
    pub format: Written,
    /// The file; one with a number and a new name where none is said.
    pub file: Option<String>,
    /// Whether a file that there is already may be lost.
    pub replace: bool,
}

impl Export {
    /// What is asked for by a format, and perhaps the name of a file.
    pub fn parse(words: &str, replace: bool) -> Result<Self, String> {
        let (format, file) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
        let format = Written::parse(format)?;
        let file = file.trim();
        if replace && file.is_empty() {
            return Err(format!("export! {format} needs the name of a file"));
        }
        let file = (!file.is_empty()).then(|| unquoted(file));
        Ok(Self { format, file, replace })
    }
}

/// The name of a file, which may be quoted as for a shell.
pub(super) fn unquoted(file: &str) -> String {
    let unquoted = shlex::split(file).and_then(|words| match words.as_slice() {
        [word] => Some(word.clone()),
        _ => None,
    });
    unquoted.unwrap_or_else(|| file.to_owned())
}
