//! The commands, and how a line of text becomes one. The prompt, `run`, scenarios and lessons all
//! come through here.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

use crate::epaxos::command::Operation;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::observe::links::Delay;
use crate::script::why::Asked;
use crate::script::words::{
    BurstOption, Count, Doubled, Doubling, Looked, On, Part, Proposal, Scope, Side, Term, To,
    Which, delay, delay_word, duration, link, percent, time_word,
};
use crate::script::world::Next;

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
        /// The replica to ask, such as @R3, or the current one; the request to repeat, such as as=alice#7
        #[arg(value_name = "@R|as=CLIENT#N")]
        to: Vec<To>,
    },
    /// Propose to read a key
    Get {
        /// The key
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// The replica to ask, and the request's name
        #[arg(value_name = "@R|as=CLIENT#N")]
        to: Vec<To>,
    },
    /// Propose to remove a key
    Del {
        /// The key
        #[arg(allow_hyphen_values = true)]
        key: String,
        /// The replica to ask, and the request's name
        #[arg(value_name = "@R|as=CLIENT#N")]
        to: Vec<To>,
    },
    /// Propose several operations as one instance
    Batch {
        /// The operations, each in quotation marks, and the replica to ask
        #[arg(required = true, value_name = "OPERATION|@R")]
        parts: Vec<Part>,
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
    /// Deliver every message that is held now, once, and nothing that comes of it
    Round,
    /// Stop everything when something happens that is described so; without a description, list those
    Break {
        /// What is looked for; all of it must hold
        #[arg(value_name = "path=P|kind=K|key=K|instance=I|component>N|seq>N|WORD")]
        terms: Vec<Looked>,
    },
    /// Take a breakpoint back; all of them if left out
    Unbreak {
        /// The description that it was made with
        #[arg(value_name = "path=P|kind=K|key=K|instance=I|component>N|seq>N|WORD")]
        terms: Vec<Looked>,
    },
    /// Tell what delivering a message, or firing a replica's next timer, would bring about now
    Preview {
        /// The message, such as R0-5, or the replica
        #[arg(value_name = "MESSAGE|REPLICA")]
        next: Next,
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
    /// Make a second copy of a held message, or of a share of all messages from now on
    Dup {
        /// The message, such as R0-5, or a description of messages; or how many in a hundred, 0 for none
        #[arg(value_name = "MESSAGE|PERCENT")]
        first: Doubled,
        /// More of the description; or the one link that is meant, such as R0 R3
        #[arg(value_name = "MORE|FROM TO")]
        rest: Vec<On>,
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
    /// Set a replica's clock forward; timers that are due by then can be fired with wake
    Clock {
        /// The replica
        replica: ReplicaId,
        /// What it shows then, since the beginning, such as 350ms; nothing where it shows more already
        #[arg(value_parser = duration)]
        time: Duration,
    },
    /// Cut all links between replicas on different sides, such as: partition R0 R1 / R2 R3 R4
    Partition {
        /// The replicas of each side, with / between the sides; who is left out is on a side of its own
        #[arg(required = true, value_name = "R|/")]
        groups: Vec<Side>,
    },
    /// Cut a link in one direction
    Cut {
        /// Whose messages are lost
        from: ReplicaId,
        /// On the way to this one
        to: ReplicaId,
    },
    /// Take back a cut, and nothing else
    Uncut {
        /// Whose messages go through again
        from: ReplicaId,
        /// On the way to this one
        to: ReplicaId,
    },
    /// Mend all links, or one: no cut, loss, dup or delay. What hold and delay keep by description, stays
    Heal {
        /// The one link that is meant: from here
        #[arg(requires = "to")]
        from: Option<ReplicaId>,
        /// To here
        to: Option<ReplicaId>,
    },
    /// Lose a share of all messages, or of those on one link
    Loss {
        /// How many in a hundred; 0 for none
        #[arg(value_parser = percent)]
        percent: u32,
        /// The one link that is meant: from here
        #[arg(requires = "to")]
        from: Option<ReplicaId>,
        /// To here
        to: Option<ReplicaId>,
    },
    /// Let messages take longer: all, those on one link, or those of a description
    Delay {
        /// How long, such as 20ms, or between what, such as 5ms..40ms; 0ms takes it back, 0ms alone all
        #[arg(value_parser = delay, value_name = "TIME|A..B")]
        delay: Delay,
        /// The one link that is meant, such as R0 R3, or the description
        #[arg(value_name = "FROM TO|kind=K|from=R|to=R|instance=I")]
        on: Vec<On>,
    },
    /// Choose other messages for loss, dup and delay
    Seed {
        /// Any number; 0 at first
        seed: u64,
    },
    /// Stop a replica, which keeps what must be durable and loses the rest
    Crash {
        /// The replica
        replica: ReplicaId,
    },
    /// Let a crashed replica come back with what was durable
    Recover {
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
    /// Say why something is as it is, as far as the log shows
    Why(Asked),
    /// List the commands, or explain one
    Help {
        /// The command
        command: Option<String>,
    },
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
            Self::Deliver { which } | Self::Drop { which } => which,
            Self::Dup { first, rest } => {
                Doubling::from_words(*first, rest).map_err(ParseError)?;
                return Ok(self);
            }
            Self::Why(asked) => {
                asked.question().map_err(ParseError)?;
                return Ok(self);
            }
            Self::Delay { on, .. } => {
                Scope::from_words(on).map_err(ParseError)?;
                return Ok(self);
            }
            Self::Cut { from, to } | Self::Uncut { from, to } => {
                link(Some(*from), Some(*to)).map_err(ParseError)?;
                return Ok(self);
            }
            Self::Loss { from, to, .. } | Self::Heal { from, to } => {
                link(*from, *to).map_err(ParseError)?;
                return Ok(self);
            }
            Self::Put { to, .. } | Self::Get { to, .. } | Self::Del { to, .. } => {
                let at = |it: &&To| matches!(it, To::At(_));
                return match to.iter().partition::<Vec<_>, _>(at) {
                    (ats, _) if ats.len() > 1 => {
                        Err(ParseError("a proposal goes to one replica".to_owned()))
                    }
                    (_, names) if names.len() > 1 => {
                        Err(ParseError("a request has one name".to_owned()))
                    }
                    _ => Ok(self),
                };
            }
            Self::Batch { parts } => {
                let ats = parts.iter().filter(|part| matches!(part, Part::At(_))).count();
                return match parts.len() - ats {
                    0 => Err(ParseError("a batch needs at least one operation".to_owned())),
                    _ if ats > 1 => Err(ParseError("a batch goes to one replica".to_owned())),
                    _ => Ok(self),
                };
            }
            _ => return Ok(self),
        };
        Which::from_terms(terms).map_err(ParseError)?;
        Ok(self)
    }

    /// Whether nothing can come of it but words.
    pub fn only_looks(&self) -> bool {
        matches!(
            self,
            Self::Status { .. }
                | Self::Order
                | Self::Help { .. }
                | Self::Why(_)
                | Self::Preview { .. }
        )
    }

    /// What the command proposes, and where, if it proposes one operation.
    pub fn proposal(&self) -> Option<(Proposal, Option<ReplicaId>)> {
        let (operation, to) = match self {
            Self::Put { key, value, to } => (Operation::put(key, value), to),
            Self::Get { key, to } => (Operation::get(key), to),
            Self::Del { key, to } => (Operation::delete(key), to),
            _ => return None,
        };
        let request = to.iter().find_map(To::request).cloned();
        Some((Proposal { operation, request }, to.iter().find_map(To::replica)))
    }

    /// The command that proposes an operation of text to the current replica.
    pub(super) fn proposing(proposal: &Proposal) -> Command {
        let Proposal { operation, request } = proposal;
        let key = operation.key().to_string();
        let to = request.iter().cloned().map(To::As).collect();
        match operation {
            Operation::Put(_, value) => {
                let value = String::from_utf8_lossy(value).into_owned();
                Self::Put { key, value, to }
            }
            Operation::Get(_) => Self::Get { key, to },
            Operation::Delete(_) => Self::Del { key, to },
        }
    }

    /// The names of all commands, with one line on each.
    pub fn list() -> Vec<(String, String)> {
        Words::command()
            .get_subcommands()
            .map(|command| (command.get_name().to_owned(), about(command)))
            .collect()
    }

    /// How one command is written, and what its words mean; `None` where there is no such command.
    pub fn explain(name: &str) -> Option<Vec<String>> {
        let mut words = Words::command();
        let command = words.find_subcommand_mut(name)?;
        let mut lines = vec![format!("{}: {}", usage(command), about(command))];
        let own =
            |argument: &&clap::Arg| !["help", "version"].contains(&argument.get_id().as_str());
        for argument in command.get_arguments().filter(own) {
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

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.words().iter().map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

/// A word so that it reads back as one.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./@=%:+,<>!#".contains(c);
    // A word that begins with # would be a comment.
    if !word.is_empty() && !word.starts_with('#') && word.chars().all(plain) {
        return word.to_owned();
    }
    // shlex cannot quote a NUL; no word that came from a line has one.
    shlex::try_quote(word).map_or_else(|_| word.replace('\0', ""), Cow::into_owned)
}

impl Command {
    /// The words that read back as this command.
    fn words(&self) -> Vec<String> {
        let added = |to: &[To]| to.iter().map(ToString::to_string).collect::<Vec<_>>();
        let terms = |which: &[Term]| which.iter().map(ToString::to_string).collect::<Vec<_>>();
        let looked = |terms: &[Looked]| terms.iter().map(ToString::to_string).collect::<Vec<_>>();
        let all = |on: &[On]| on.iter().map(ToString::to_string).collect::<Vec<_>>();
        let ends = |from: &Option<ReplicaId>, to: &Option<ReplicaId>| {
            from.iter().chain(to).map(ToString::to_string).collect::<Vec<_>>()
        };
        let (name, rest) = match self {
            Self::Put { key, value, to } => {
                ("put", [key.clone(), value.clone()].into_iter().chain(added(to)).collect())
            }
            Self::Get { key, to } => {
                ("get", std::iter::once(key.clone()).chain(added(to)).collect())
            }
            Self::Del { key, to } => {
                ("del", std::iter::once(key.clone()).chain(added(to)).collect())
            }
            Self::Batch { parts } => ("batch", parts.iter().map(ToString::to_string).collect()),
            Self::Burst { count, options } => {
                let options = options.iter().map(ToString::to_string);
                ("burst", std::iter::once(count.to_string()).chain(options).collect())
            }
            Self::Pause => ("pause", vec![]),
            Self::Run => ("run", vec![]),
            Self::Step { count: Count::All } => ("step", vec!["all".to_owned()]),
            Self::Step { count: Count::Some(count) } => ("step", vec![count.to_string()]),
            Self::Round => ("round", vec![]),
            Self::Break { terms } => ("break", looked(terms)),
            Self::Unbreak { terms } => ("unbreak", looked(terms)),
            Self::Preview { next } => ("preview", vec![next.to_string()]),
            Self::Deliver { which } => ("deliver", terms(which)),
            Self::Drop { which } => ("drop", terms(which)),
            Self::Dup { first, rest } => {
                ("dup", std::iter::once(first.to_string()).chain(all(rest)).collect())
            }
            Self::Hold { which } => ("hold", terms(which)),
            Self::Release { which } => ("release", terms(which)),
            Self::Wake { replica } => ("wake", vec![replica.to_string()]),
            Self::Clock { replica, time } => ("clock", vec![replica.to_string(), time_word(*time)]),
            Self::Partition { groups } => {
                ("partition", groups.iter().map(ToString::to_string).collect())
            }
            Self::Cut { from, to } => ("cut", vec![from.to_string(), to.to_string()]),
            Self::Uncut { from, to } => ("uncut", vec![from.to_string(), to.to_string()]),
            Self::Heal { from, to } => ("heal", ends(from, to)),
            Self::Loss { percent, from, to } => {
                ("loss", std::iter::once(percent.to_string()).chain(ends(from, to)).collect())
            }
            Self::Delay { delay, on } => {
                ("delay", std::iter::once(delay_word(*delay)).chain(all(on)).collect())
            }
            Self::Seed { seed } => ("seed", vec![seed.to_string()]),
            Self::Crash { replica } => ("crash", vec![replica.to_string()]),
            Self::Recover { replica } => ("recover", vec![replica.to_string()]),
            Self::Settle => ("settle", vec![]),
            Self::Sleep { duration } => ("sleep", vec![time_word(*duration)]),
            Self::Status { instance } => {
                ("status", instance.iter().map(ToString::to_string).collect())
            }
            Self::Order => ("order", vec![]),
            Self::Why(asked) => ("why", asked.written()),
            Self::Help { command } => ("help", command.iter().cloned().collect()),
        };
        std::iter::once(name.to_owned()).chain(rest).collect()
    }
}
