//! What a line of a lesson claims about the run.

use std::fmt;

use crate::script::grammar::Command;
use crate::script::session::Session;
use crate::script::world::World;

/// A claim: so many lines of something have a text in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Its line in the lesson, from 1.
    pub line: usize,
    /// How many lines.
    count: Count,
    /// Of what.
    source: Source,
    /// What they have in them.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Some,
    Exactly(usize),
}

/// Whose lines are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// What a command says that only looks.
    Looks(Command),
    /// What the commands of the step had to say.
    Said,
    /// What the step added to the trace.
    Trace,
}

impl Expectation {
    /// Reads what follows the word `expect`.
    pub(super) fn parse(line: usize, words: &str) -> Result<Self, String> {
        let (of, text) = words.split_once(": ").ok_or(WRITTEN)?;
        let (count, of) = match of.trim().split_once(' ') {
            Some(("no", rest)) => (Count::Exactly(0), rest),
            Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                (Count::Exactly(number.parse().map_err(|_| WRITTEN)?), rest)
            }
            _ => (Count::Some, of.trim()),
        };
        let source = match of.trim() {
            "said" => Source::Said,
            "trace" => Source::Trace,
            command => match Command::parse(command).map_err(|error| error.to_string())? {
                Some(Command::Help { .. }) | None => return Err(WRITTEN.to_owned()),
                Some(command) if command.only_looks() => Source::Looks(command),
                Some(command) => {
                    return Err(format!(
                        "\"{command}\" does something, and an expectation only looks"
                    ));
                }
            },
        };
        let text = text.trim().to_owned();
        if text.is_empty() {
            return Err(WRITTEN.to_owned());
        }
        Ok(Self { line, count, source, text })
    }

    /// Whether it speaks of what goes on inside of replicas, of which messages and answers say nothing.
    pub fn looks_inside(&self) -> bool {
        match self.source {
            Source::Said => false,
            Source::Looks(_) => true,
            Source::Trace => {
                let text = format!(" {} ", self.text);
                INSIDE.iter().any(|word| text.contains(word))
            }
        }
    }

    /// Whether it holds; if not, the reason why, as what comes after "but". The error says why that
    /// cannot be told.
    pub fn judge(
        &self,
        world: &mut impl World,
        said: &[String],
        trace: &[String],
    ) -> Result<Result<(), String>, String> {
        let looked;
        let lines = match &self.source {
            Source::Said => said,
            Source::Trace => trace,
            Source::Looks(command) => {
                looked = Session::default().perform(world, command)?;
                &looked
            }
        };
        let found = lines.iter().filter(|line| line.contains(&self.text)).count();
        let holds = match self.count {
            Count::Some => found > 0,
            Count::Exactly(count) => found == count,
        };
        if holds {
            return Ok(Ok(()));
        }
        let found = match found {
            0 => "no line".to_owned(),
            1 => "one line".to_owned(),
            found => format!("{found} lines"),
        };
        let not = match self.count {
            Count::Exactly(count @ 1..) => format!(", and not {count}"),
            Count::Some | Count::Exactly(0) => String::new(),
        };
        Ok(Err(format!("\"{}\" is in {found} of {}{not}", self.text, self.source)))
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expect ")?;
        match self.count {
            Count::Some => {}
            Count::Exactly(0) => f.write_str("no ")?,
            Count::Exactly(count) => write!(f, "{count} ")?,
        }
        match &self.source {
            Source::Looks(command) => write!(f, "{command}")?,
            Source::Said => f.write_str("said")?,
            Source::Trace => f.write_str("trace")?,
        }
        write!(f, ": {}", self.text)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Looks(command) => write!(f, "\"{command}\""),
            Self::Said => f.write_str("what was said"),
            Self::Trace => f.write_str("the trace of this step"),
        }
    }
}

const WRITTEN: &str = "an expectation is written: expect [no|NUMBER] WHAT: TEXT, where WHAT is said, trace, \
                       or a command that only looks, such as status R0.0";

/// What the trace says of what goes on inside a replica, and of no message.
const INSIDE: [&str; 7] =
    [" executed ", " ignored ", " rule ", " waits for ", " timer ", " repeated ", " lets go "];
