//! The words of `why`: what is asked about, and what is asked of it.

use std::fmt;
use std::str::FromStr;

use clap::Args;

use crate::epaxos::id::{InstanceId, MessageId, ParseIdError};
use crate::explain::question::{About, Question};
use crate::observe::log::EntryId;
use crate::script::words::At;

/// A question as it is typed.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Asked {
    /// An instance, such as R0.1; a message, such as R0-5; or an entry of the log, such as entry=12
    #[arg(value_name = "INSTANCE|MESSAGE|entry=N")]
    pub what: Subject,
    /// What is asked of an instance, and with whose eyes; what suggests itself if left out
    #[arg(value_name = "path|seq|executed|ballot|noop|dep=I|before=I|@R")]
    pub words: Vec<Aspect>,
}

impl Asked {
    /// Puts the words together.
    pub fn question(&self) -> Result<Question, String> {
        let Self { what: subject, words: aspects } = self;
        let (mut at, mut asked) = (None, None);
        for aspect in aspects {
            let twice = match aspect {
                Aspect::At(replica) => at.replace(replica.0).is_some(),
                other => asked.replace(*other).is_some(),
            };
            if twice {
                return Err("one thing is asked at a time, with the eyes of one replica".to_owned());
            }
        }
        let about = match (*subject, asked) {
            (Subject::Instance(id), None | Some(Aspect::At(_))) => About::Instance(id),
            (Subject::Instance(id), Some(Aspect::Path)) => About::Path(id),
            (Subject::Instance(id), Some(Aspect::Seq)) => About::Seq(id),
            (Subject::Instance(id), Some(Aspect::Executed)) => About::Executed(id),
            (Subject::Instance(id), Some(Aspect::Ballot)) => About::Ballot(id),
            (Subject::Instance(id), Some(Aspect::Noop)) => About::Noop(id),
            (Subject::Instance(id), Some(Aspect::Dependency(on))) => About::Dependency(id, on),
            (Subject::Instance(id), Some(Aspect::Before(other))) => About::Before(id, other),
            (Subject::Message(id), None) if at.is_none() => About::Message(id),
            (Subject::Entry(id), None) if at.is_none() => About::Entry(id),
            (other, _) => {
                return Err(format!("{other} is no instance, and needs nothing beside it"));
            }
        };
        Ok(Question { about, at })
    }

    /// The words that read back as this question.
    pub(super) fn written(&self) -> Vec<String> {
        let words = self.words.iter().map(ToString::to_string);
        std::iter::once(self.what.to_string()).chain(words).collect()
    }
}

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An instance, written `R0.1`.
    Instance(InstanceId),
    /// A message, written `R0-5`.
    Message(MessageId),
    /// An entry of the log, written `entry=12`.
    Entry(EntryId),
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("entry=").or_else(|| text.strip_prefix('#'));
        if let Some(number) = number {
            let number = number.parse().map(Self::Entry);
            return number.map_err(|_| format!("\"{text}\" is not an entry, such as entry=12"));
        }
        let instance = text.parse().map(Self::Instance).ok();
        instance.or_else(|| text.parse().map(Self::Message).ok()).ok_or_else(|| {
            format!(
                "\"{text}\" is not an instance, such as R0.1, a message, such as R0-5, nor an entry of the \
                 log, such as entry=12"
            )
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => id.fmt(f),
            Self::Message(id) => id.fmt(f),
            Self::Entry(id) => write!(f, "entry={id}"),
        }
    }
}

/// What is asked of an instance, or with whose eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// Why it was decided as it was.
    Path,
    /// Why it has its `seq`.
    Seq,
    /// Why it is not executed, or when it was.
    Executed,
    /// Why it is in its ballot.
    Ballot,
    /// Why it is a no-op.
    Noop,
    /// Why it depends on another one.
    Dependency(InstanceId),
    /// Why it is executed before another one.
    Before(InstanceId),
    /// With whose eyes.
    At(At),
}

impl FromStr for Aspect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('@') || text.starts_with("at=") {
            return text.parse().map(Self::At);
        }
        let instance = |text: &str| text.parse().map_err(|error: ParseIdError| error.to_string());
        match (text, text.split_once('=')) {
            ("path", _) => Ok(Self::Path),
            ("seq", _) => Ok(Self::Seq),
            ("executed", _) => Ok(Self::Executed),
            ("ballot", _) => Ok(Self::Ballot),
            ("noop", _) => Ok(Self::Noop),
            (_, Some(("dep", on))) => instance(on).map(Self::Dependency),
            (_, Some(("before", other))) => instance(other).map(Self::Before),
            _ => {
                Err("expected path, seq, executed, ballot, noop, dep=I, before=I or @R".to_owned())
            }
        }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str("path"),
            Self::Seq => f.write_str("seq"),
            Self::Executed => f.write_str("executed"),
            Self::Ballot => f.write_str("ballot"),
            Self::Noop => f.write_str("noop"),
            Self::Dependency(on) => write!(f, "dep={on}"),
            Self::Before(other) => write!(f, "before={other}"),
            Self::At(At(replica)) => write!(f, "@{replica}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::script::grammar::Command;

    fn refused(line: &str) -> String {
        Command::parse(line).expect_err(line).to_string()
    }

    #[test]
    fn questions_read_back_as_written() {
        for line in [
            "why R0.1",
            "why R0.1 path",
            "why R0.1 seq @R2",
            "why R0.1 dep=R4.0 @R1",
            "why R0.1 before=R4.0",
            "why R0-5",
            "why R0-5/1",
            "why entry=12",
        ] {
            let command = Command::parse(line).expect(line).expect("a command");
            assert_eq!(command.to_string(), line);
        }
    }

    #[test]
    fn what_is_no_question_is_refused_in_a_sentence() {
        assert!(refused("why x").contains("\"x\" is not an instance, such as R0.1, a message"));
        assert!(refused("why R0.0 fast").contains("expected path, seq, executed, ballot, noop"));
        assert!(refused("why R0.0 path seq").contains("one thing is asked at a time"));
        assert_eq!(refused("why R0-5 path"), "R0-5 is no instance, and needs nothing beside it");
        assert!(refused("why entry=x").contains("\"entry=x\" is not an entry, such as entry=12"));
    }
}
