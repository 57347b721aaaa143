//! A script as a file: one command a line, all of them understood before any is carried out.

use crate::script::grammar::Command;

/// A script that is ready to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The commands, each with the number of its line, from 1.
    pub commands: Vec<(usize, Command)>,
}

/// A line that is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl Script {
    /// Reads a script. Empty lines and lines that start with `#` are for people.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut commands = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let command = Command::parse(text)
                .map_err(|error| ScriptError { line, reason: error.to_string() })?;
            commands.extend(command.map(|command| (line, command)));
        }
        Ok(Self { commands })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_is_wrong_is_named() {
        let script = "# two writes\nput x 1\n\nput y 2 @R1\nsettel\n";
        let error = Script::parse(script).unwrap_err();
        assert_eq!(error.to_string(), "line 5: there is no command 'settel'");
        let lines: Vec<_> = Script::parse("# a\npause\n\n run\n").unwrap().commands;
        assert_eq!(lines, [(2, Command::Pause), (4, Command::Run)]);
    }
}
