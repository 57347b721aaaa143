//! `epaxos-tui run`: a script without a screen.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::observe::trace::Line;
use crate::script::file::Script;
use crate::script::session::Session;
use crate::script::world::World;

/// Writes down what happens as it happens, to read or as JSON, one event a line.
#[derive(Debug)]
pub struct Printer<W> {
    out: W,
    json: bool,
    /// The length of dependency vectors.
    replicas: usize,
    /// The first failure to write, after which nothing more is written.
    failed: Option<io::Error>,
}

impl<W: Write> Printer<W> {
    /// A printer onto `out` for a cluster of `replicas`.
    pub fn new(out: W, json: bool, replicas: usize) -> Self {
        Self { out, json, replicas, failed: None }
    }

    /// Prints lines of the trace.
    pub fn trace(&mut self, lines: &[Line]) {
        for line in lines {
            if self.json {
                self.print(&line.to_json(self.replicas).to_string());
            } else {
                self.print(&line.to_string());
            }
        }
    }

    /// Prints what a command of line `line` had to say.
    fn said(&mut self, line: usize, said: &[String]) {
        for text in said {
            if self.json {
                self.print(&json!({"event": "output", "line": line, "text": text}).to_string());
            } else {
                self.print(text);
            }
        }
    }

    fn print(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = writeln!(self.out, "{text}").err();
        }
    }

    /// Writes out what is buffered.
    pub fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = self.out.flush().err();
        }
    }

    /// Writes out what is buffered. The first failure to write, of this call or an earlier one.
    pub fn finish(&mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }
}

/// Why a script ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A command could not be carried out.
    #[error("line {line}: {reason}")]
    Command {
        /// The line of the script, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// What happened could not be written down.
    #[error("cannot write the trace: {0}")]
    Output(#[from] io::Error),
}

/// Carries out a script, to its end or to the first command that fails. The world's own trace goes
/// to the same `printer`, as it is heard.
pub fn run<W: Write>(
    world: &mut impl World,
    script: &Script,
    printer: &Mutex<Printer<W>>,
) -> Result<(), RunError> {
    let mut session = Session::default();
    for (line, command) in &script.commands {
        let said = session.perform(world, command);
        let said = said.map_err(|reason| RunError::Command { line: *line, reason })?;
        let mut printer = lock(printer);
        printer.said(*line, &said);
        // So that whoever reads along sees what has been done before more is.
        printer.finish()?;
    }
    Ok(())
}

/// The printer, even after a panic of whoever had it: half a line is better than none.
fn lock<W>(printer: &Mutex<Printer<W>>) -> MutexGuard<'_, Printer<W>> {
    printer.lock().unwrap_or_else(PoisonError::into_inner)
}
