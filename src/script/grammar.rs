//! The commands, and how a line of text becomes one. The prompt, `run`, scenarios and lessons all
//! come through here.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::epaxos::command::Operation;
use crate::epaxos::id::{InstanceId, MessageId, ReplicaId};
use crate::epaxos::message::MessageKind;
use crate::observe::filter::Filter;

/// One command of the script language.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum Command {
    /// Propose to give a key a value
    Put {
        /// The key, any text
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// The value, any text
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// The replica to ask, such as @R3; the current one if left out
        at: Option<At>,
    },
    /// Propose to read a key
    Get {
        /// The key
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// The replica to ask
        at: Option<At>,
    },
    /// Propose to remove a key
    Del {
        /// The key
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// The replica to ask
        at: Option<At>,
    },
    /// Propose many writes at once, spread over all replicas
    Burst {
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
        count: u32,
        /// keys=K different keys (default 10), conflict=P percent of the writes on one shared key
        #[arg(value_name = "keys=K|conflict=P")]
        options: Vec<BurstOption>,
    },
    /// Hold every message and stop the replicas' clocks
    Pause,
    /// Let messages and clocks go on; those held by a rule stay
    Run,
    /// Deliver the oldest held messages, one after another
    Step {
        /// How many, or all; one if left out
        #[arg(default_value = "1")]
        count: Count,
    },
    /// Deliver a held message
    Deliver {
        /// The message, such as R0-5, or a description of messages, such as kind=Accept to=R1
        #[arg(required = true, value_name = "ID|kind=K|from=R|to=R|instance=I")]
        which: Vec<Term>,
    },
    /// Throw a held message away
    Drop {
        /// The message, or a description of messages
        #[arg(required = true, value_name = "ID|kind=K|from=R|to=R|instance=I")]
        which: Vec<Term>,
    },
    /// Make a second copy of a held message
    Dup {
        /// The message, or a description of messages
        #[arg(required = true, value_name = "ID|kind=K|from=R|to=R|instance=I")]
        which: Vec<Term>,
    },
    /// Hold messages of a description at their receivers; all of them if left out
    Hold {
        /// The description
        #[arg(value_name = "kind=K|from=R|to=R|instance=I")]
        which: Vec<Term>,
    },
    /// Take a rule of hold back; all rules if left out
    Release {
        /// The description that the rule was made with
        #[arg(value_name = "kind=K|from=R|to=R|instance=I")]
        which: Vec<Term>,
    },
    /// Fire a replica's next timer now, whatever its clock says
    Wake {
        /// The replica
        replica: ReplicaId,
    },
    /// Wait until nothing moves any more, and print the answers
    Settle,
    /// Let time pass
    Sleep {
        /// How long, such as 200ms or 1s
        #[arg(value_parser = duration)]
        duration: Duration,
    },
    /// Print where the replicas, or one instance on each of them, stand
    Status {
        /// The instance
        instance: Option<InstanceId>,
    },
    /// Print in which order each replica executed, components of several in parentheses
    Order,
    /// List the commands, or explain one
    Help {
        /// The command
        command: Option<String>,
    },
}

/// A replica as the place to ask, written `@R3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At(pub ReplicaId);

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(replica) = text.strip_prefix('@') else {
            return Err("a replica to ask is written with @, such as @R3".to_owned());
        };
        replica.parse().map(At).map_err(|error: crate::epaxos::id::ParseIdError| error.to_string())
    }
}

/// How many messages to step through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// This many.
    Some(u32),
    /// Until none is left that may be delivered, those sent meanwhile included.
    All,
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            text => text
                .parse()
                .map(Self::Some)
                .map_err(|_| "expected a number, or the word all".to_owned()),
        }
    }
}

/// A part of the description of a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BurstOption {
    /// How many different keys.
    Keys(u32),
    /// How many in a hundred writes go to one shared key.
    Conflict(u32),
}

impl FromStr for BurstOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str, most: u32| match text.trim_end_matches('%').parse() {
            Ok(number) if number <= most => Ok(number),
            _ => Err(format!("\"{text}\" is not a number from 0 to {most}")),
        };
        match text.split_once('=') {
            Some(("keys", keys)) => match number(keys, 1_000_000)? {
                0 => Err("a burst needs at least one key".to_owned()),
                keys => Ok(Self::Keys(keys)),
            },
            Some(("conflict", percent)) => number(percent, 100).map(Self::Conflict),
            _ => Err("expected keys=K or conflict=P".to_owned()),
        }
    }
}

/// A part of the description of messages: one message's name, or a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// This message.
    Id(MessageId),
    /// Messages of this kind.
    Kind(MessageKind),
    /// Messages from this replica.
    From(ReplicaId),
    /// Messages to this replica.
    To(ReplicaId),
    /// Messages about this instance.
    Instance(InstanceId),
}

impl FromStr for Term {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = |error: crate::epaxos::id::ParseIdError| error.to_string();
        match text.split_once('=') {
            Some(("kind", kind)) => MessageKind::ALL
                .into_iter()
                .find(|known| known.name().eq_ignore_ascii_case(kind))
                .map(Self::Kind)
                .ok_or_else(|| {
                    let names = MessageKind::ALL.map(MessageKind::name).join(", ");
                    format!("there is no message \"{kind}\"; there are {names}")
                }),
            Some(("from", replica)) => replica.parse().map(Self::From).map_err(words),
            Some(("to", replica)) => replica.parse().map(Self::To).map_err(words),
            Some(("instance", instance)) => instance.parse().map(Self::Instance).map_err(words),
            Some(_) => Err("expected kind=, from=, to= or instance=".to_owned()),
            None => text.parse().map(Self::Id).map_err(words),
        }
    }
}

/// Which messages a command means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// One message.
    Id(MessageId),
    /// All that meet a description.
    Filter(Filter),
}

impl Which {
    /// Puts the parts of a description together.
    pub fn from_terms(terms: &[Term]) -> Result<Self, String> {
        if let [Term::Id(id)] = terms {
            return Ok(Self::Id(*id));
        }
        let mut filter = Filter::default();
        for term in terms {
            let twice = match *term {
                Term::Id(id) => {
                    return Err(format!("{id} names one message and needs nothing beside it"));
                }
                Term::Kind(kind) => filter.kind.replace(kind).is_some(),
                Term::From(replica) => filter.from.replace(replica).is_some(),
                Term::To(replica) => filter.to.replace(replica).is_some(),
                Term::Instance(instance) => filter.instance.replace(instance).is_some(),
            };
            if twice {
                return Err("each of kind, from, to and instance can be given once".to_owned());
            }
        }
        Ok(Self::Filter(filter))
    }
}

/// A line that is no command: one sentence that says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(String);

/// The word list of a line goes through clap, as that of a process does.
#[derive(Debug, Parser)]
#[command(multicall = true, disable_help_subcommand = true, disable_help_flag = true)]
struct Words {
    #[command(subcommand)]
    command: Command,
}

impl Command {
    /// Reads one line. `None` for an empty one and for a comment, which starts with `#`.
    pub fn parse(line: &str) -> Result<Option<Command>, ParseError> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let words = shlex::split(line)
            .ok_or_else(|| ParseError("a quotation mark has no partner".to_owned()))?;
        Self::from_words(words).map(Some)
    }

    /// Reads a command that is already split into words.
    pub fn from_words(words: impl IntoIterator<Item = String>) -> Result<Command, ParseError> {
        let words = Words::try_parse_from(words).map_err(|error| ParseError(sentence(&error)))?;
        words.command.checked()
    }

    /// Refuses what no single word shows to be wrong.
    fn checked(self) -> Result<Command, ParseError> {
        let terms = match &self {
            Self::Hold { which } | Self::Release { which } => {
                if let Some(Term::Id(id)) = which.iter().find(|term| matches!(term, Term::Id(_))) {
                    let advice = "a rule describes messages to come, such as kind=Commit";
                    return Err(ParseError(format!("{id} is one message; {advice}")));
                }
                which
            }
            Self::Deliver { which } | Self::Drop { which } | Self::Dup { which } => which,
            _ => return Ok(self),
        };
        Which::from_terms(terms).map_err(ParseError)?;
        Ok(self)
    }

    /// The operation that the command proposes, and where, if it proposes one.
    pub fn proposal(&self) -> Option<(Operation, Option<ReplicaId>)> {
        let (operation, at) = match self {
            Self::Put { key, value, at } => (Operation::put(key, value), at),
            Self::Get { key, at } => (Operation::get(key), at),
            Self::Del { key, at } => (Operation::delete(key), at),
            _ => return None,
        };
        Some((operation, at.map(|at| at.0)))
    }

    /// The names of all commands, with one line on each.
    pub fn list() -> Vec<(String, String)> {
        use clap::CommandFactory;
        Words::command()
            .get_subcommands()
            .map(|command| (command.get_name().to_owned(), about(command)))
            .collect()
    }

    /// How one command is written, and what its words mean; `None` where there is no such command.
    pub fn explain(name: &str) -> Option<Vec<String>> {
        use clap::CommandFactory;
        let mut words = Words::command();
        let command = words.find_subcommand_mut(name)?;
        let mut lines = vec![format!("{}: {}", usage(command), about(command))];
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            lines.push(format!("  {}: {help}", argument.get_id().as_str().to_uppercase()));
        }
        Some(lines)
    }
}

fn about(command: &clap::Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// How a command is written, without clap's heading.
fn usage(command: &mut clap::Command) -> String {
    let usage = command.render_usage().to_string();
    usage.trim_start_matches("Usage: ").trim().to_owned()
}

/// clap's report as one sentence.
fn sentence(error: &clap::Error) -> String {
    let report = error.to_string();
    let mut paragraphs = report.split("\n\n");
    let first = paragraphs.next().unwrap_or_default().trim_start_matches("error: ");
    let first = first.split_whitespace().collect::<Vec<_>>().join(" ");
    let usage = paragraphs.find_map(|paragraph| paragraph.trim().strip_prefix("Usage: "));
    match usage {
        Some(usage) if error.kind() != clap::error::ErrorKind::InvalidSubcommand => {
            format!("{first}; it is written: {usage}")
        }
        _ => first.replace("unrecognized subcommand", "there is no command"),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}, expected such as 200ms or 1s"))
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.words().iter().map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

/// A word so that it reads back as one.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./@=%:+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    // shlex cannot quote a NUL; no word that came from a line has one.
    shlex::try_quote(word).map_or_else(|_| word.replace('\0', ""), std::borrow::Cow::into_owned)
}

impl Command {
    /// The words that read back as this command.
    fn words(&self) -> Vec<String> {
        let at = |at: &Option<At>| at.map(|At(replica)| format!("@{replica}"));
        let terms = |which: &[Term]| which.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (name, rest) = match self {
            Self::Put { key, value, at: to } => {
                ("put", [key.clone(), value.clone()].into_iter().chain(at(to)).collect())
            }
            Self::Get { key, at: to } => ("get", [key.clone()].into_iter().chain(at(to)).collect()),
            Self::Del { key, at: to } => ("del", [key.clone()].into_iter().chain(at(to)).collect()),
            Self::Burst { count, options } => {
                let options = options.iter().map(ToString::to_string);
                ("burst", std::iter::once(count.to_string()).chain(options).collect())
            }
            Self::Pause => ("pause", vec![]),
            Self::Run => ("run", vec![]),
            Self::Step { count: Count::All } => ("step", vec!["all".to_owned()]),
            Self::Step { count: Count::Some(count) } => ("step", vec![count.to_string()]),
            Self::Deliver { which } => ("deliver", terms(which)),
            Self::Drop { which } => ("drop", terms(which)),
            Self::Dup { which } => ("dup", terms(which)),
            Self::Hold { which } => ("hold", terms(which)),
            Self::Release { which } => ("release", terms(which)),
            Self::Wake { replica } => ("wake", vec![replica.to_string()]),
            Self::Settle => ("settle", vec![]),
            Self::Sleep { duration } => {
                ("sleep", vec![humantime::format_duration(*duration).to_string().replace(' ', "")])
            }
            Self::Status { instance } => {
                ("status", instance.iter().map(ToString::to_string).collect())
            }
            Self::Order => ("order", vec![]),
            Self::Help { command } => ("help", command.iter().cloned().collect()),
        };
        std::iter::once(name.to_owned()).chain(rest).collect()
    }
}

impl fmt::Display for BurstOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(keys) => write!(f, "keys={keys}"),
            Self::Conflict(percent) => write!(f, "conflict={percent}"),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Kind(kind) => write!(f, "kind={kind}"),
            Self::From(replica) => write!(f, "from={replica}"),
            Self::To(replica) => write!(f, "to={replica}"),
            Self::Instance(instance) => write!(f, "instance={instance}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Command {
        Command::parse(line).expect(line).expect("a command")
    }

    fn refused(line: &str) -> String {
        Command::parse(line).expect_err(line).to_string()
    }

    #[test]
    fn commands_read_back_as_written() {
        for line in [
            "put x 1",
            "put x 'hello world' @R4",
            "put -k -1",
            "get x @R2",
            "del x",
            "burst 20 keys=3 conflict=30",
            "pause",
            "run",
            "step 3",
            "step all",
            "deliver R0-5",
            "drop kind=Accept to=R1",
            "dup R3-0/1",
            "hold kind=Commit from=R0 to=R3 instance=R0.1",
            "hold",
            "release",
            "wake R2",
            "settle",
            "sleep 1s200ms",
            "status R0.1",
            "order",
            "help put",
        ] {
            assert_eq!(parse(line).to_string(), line);
        }
        assert_eq!(parse("step"), Command::Step { count: Count::Some(1) });
        assert_eq!(parse("put x -1").to_string(), "put x -1");
        assert_eq!(parse("sleep 1200ms").to_string(), "sleep 1s200ms");
        assert_eq!(Command::parse("  # a comment"), Ok(None));
    }

    #[test]
    fn what_is_no_command_is_refused_in_a_sentence() {
        assert_eq!(
            refused("put x"),
            "the following required arguments were not provided: <VALUE>; it is written: put <KEY> <VALUE> [AT]"
        );
        assert_eq!(refused("putt x 1"), "there is no command 'putt'");
        assert_eq!(
            refused("put x 1 R3"),
            "invalid value 'R3' for '[AT]': a replica to ask is written with @, such as @R3"
        );
        assert_eq!(
            refused("hold R0-1"),
            "R0-1 is one message; a rule describes messages to come, such as kind=Commit"
        );
        assert_eq!(refused("put 'x 1"), "a quotation mark has no partner");
        assert!(refused("hold kind=Prepare").contains("there is no message \"Prepare\""));
        assert!(refused("deliver kind=Commit kind=Accept").contains("can be given once"));
    }

    proptest! {
        #[test]
        fn any_line_is_a_command_or_a_sentence(line in "\\PC{0,40}") {
            if let Err(error) = Command::parse(&line) {
                prop_assert!(!error.to_string().is_empty());
                prop_assert!(!error.to_string().contains('\n'));
            }
        }

        #[test]
        fn any_text_can_be_put(key in "\\PC{1,9}", value in "\\PC{0,9}") {
            let put = Command::Put { key, value, at: Some(At(ReplicaId(1))) };
            prop_assert_eq!(Command::parse(&put.to_string()), Ok(Some(put)));
        }
    }
}
