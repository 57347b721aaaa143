//! What is to be saved, and where.

use crate::tui::app::exporting::unquoted;

/// A picture of the screen that is to be saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Save {
    /// The file, which ends in `.txt` or `.svg`; one with a number and a new name where none is said.
    pub file: Option<String>,
    /// Whether a file that there is already may be lost.
    pub replace: bool,
}

impl Save {
    /// The file of a name, if that says what is to be in it.
    pub fn parse(file: &str, replace: bool) -> Result<Self, String> {
        let file = unquoted(file);
        let ending = file.rsplit_once('.').map(|(name, ending)| (name, ending.to_lowercase()));
        match ending {
            Some((name, ending)) if !name.is_empty() && ["txt", "svg"].contains(&&*ending) => {
                Ok(Self { file: Some(file), replace })
            }
            _ => Err(format!("\"{file}\" should end in .txt or .svg")),
        }
    }
}
