//! What is to be written down for another program, and where.

use crate::export::{Format, UnknownFormat};

/// What was seen is to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// As what.
    pub format: Format,
    /// The file; one with a number and a new name where none is said.
    pub file: Option<String>,
    /// Whether a file that there is already may be lost.
    pub replace: bool,
}

impl Export {
    /// What is asked for by a format, and perhaps the name of a file.
    pub fn parse(words: &str, replace: bool) -> Result<Self, String> {
        let (format, file) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
        let format = format.parse().map_err(|error: UnknownFormat| error.to_string())?;
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
