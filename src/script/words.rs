//! The words of commands that mean more than text: replicas to ask, descriptions of messages,
//! numbers with a meaning.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::epaxos::command::{Operation, RequestId};
use crate::epaxos::id::{InstanceId, MessageId, ParseIdError, ReplicaId};
use crate::epaxos::message::MessageKind;
use crate::observe::filter::Filter;
use crate::observe::links::{Delay, LinkId};
use crate::observe::query::Query;
use crate::script::grammar::Command;

/// A replica as the place to ask, written `@R3` or `at=R3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At(pub ReplicaId);

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(replica) = text.strip_prefix('@').or_else(|| text.strip_prefix("at=")) else {
            return Err("a replica to ask is written with @, such as @R3".to_owned());
        };
        replica.parse().map(At).map_err(|error: ParseIdError| error.to_string())
    }
}

/// A part of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// One more operation.
    Operation(Proposal),
    /// The replica to ask.
    At(At),
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('@') || text.starts_with("at=") {
            return text.parse().map(Self::At);
        }
        let command = Command::parse(text).map_err(|error| error.to_string())?;
        match command.as_ref().and_then(Command::proposal) {
            Some((proposal, None)) => Ok(Self::Operation(proposal)),
            _ => Err("expected a put, get or del in quotation marks, without a replica".to_owned()),
        }
    }
}

/// An operation to propose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What is asked for.
    pub operation: Operation,
    /// The name of the request; the next one of the script if it has none.
    pub request: Option<RequestId>,
}

/// What may follow an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// The replica to ask.
    At(At),
    /// The name of the request.
    As(RequestId),
}

impl To {
    /// The replica, if it is one.
    pub fn replica(&self) -> Option<ReplicaId> {
        match self {
            Self::At(at) => Some(at.0),
            Self::As(_) => None,
        }
    }

    /// The request, if it is one.
    pub fn request(&self) -> Option<&RequestId> {
        match self {
            Self::At(_) => None,
            Self::As(request) => Some(request),
        }
    }
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(name) = text.strip_prefix("as=") else { return text.parse().map(Self::At) };
        let parts = name.rsplit_once('#');
        let named = parts.and_then(|(client, number)| Some((client, number.parse().ok()?)));
        match named.filter(|(client, _)| !client.is_empty() && !client.starts_with('~')) {
            Some((client, number)) => Ok(Self::As(RequestId::named(client, number))),
            None => Err("expected a client and a number, such as as=alice#7".to_owned()),
        }
    }
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(At(replica)) => write!(f, "@{replica}"),
            Self::As(request) => write!(f, "as={request}"),
        }
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

/// A part of what a breakpoint looks for, such as `path=slow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked(Query);

impl Looked {
    /// All that several parts look for together.
    pub fn together(parts: &[Looked]) -> Query {
        parts.iter().fold(Query::default(), |all, Looked(part)| all.and(part.clone()))
    }
}

impl FromStr for Looked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Query::term(text).map(Self)
    }
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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
        let words = |error: ParseIdError| error.to_string();
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

/// Whom a rule of links is about: one word of a link's two ends, or of a description of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// One end of a link.
    Replica(ReplicaId),
    /// A condition on messages, or one message's name.
    Term(Term),
}

impl FromStr for On {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('=') {
            return text.parse().map(Self::Term);
        }
        match (text.parse(), text.parse()) {
            (Ok(replica), _) => Ok(Self::Replica(replica)),
            (_, Ok(id)) => Ok(Self::Term(Term::Id(id))),
            (Err(error), Err(_)) => {
                let error: ParseIdError = error;
                Err(format!("{error}, nor a description of messages, such as kind=Commit"))
            }
        }
    }
}

/// What a rule of links is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All links, or one of them.
    Link(Option<LinkId>),
    /// Messages of a description, whatever their link.
    Messages(Filter),
}

impl Scope {
    /// Puts the words together.
    pub fn from_words(words: &[On]) -> Result<Self, String> {
        let terms = words.iter().filter_map(|word| match word {
            On::Term(term) => Some(*term),
            On::Replica(_) => None,
        });
        let terms: Vec<_> = terms.collect();
        match words {
            [] => Ok(Self::Link(None)),
            [On::Replica(from), On::Replica(to)] => link(Some(*from), Some(*to)).map(Self::Link),
            _ if terms.len() == words.len() => match Which::from_terms(&terms)? {
                Which::Filter(filter) => Ok(Self::Messages(filter)),
                Which::Id(id) => Err(format!(
                    "{id} is one message; a rule describes messages to come, such as kind=Commit"
                )),
            },
            _ => Err("a link is named by its two ends alone, such as R0 R3".to_owned()),
        }
    }
}

/// The link between two replicas, or none where none are named.
pub fn link(from: Option<ReplicaId>, to: Option<ReplicaId>) -> Result<Option<LinkId>, String> {
    match (from, to) {
        (Some(from), Some(to)) if from == to => Err(format!("{from} has no link to itself")),
        (Some(from), Some(to)) => Ok(Some(LinkId { from, to })),
        _ => Ok(None),
    }
}

/// What is doubled: the first word after `dup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubled {
    /// So many messages in a hundred, from now on.
    Percent(u32),
    /// A held message, or a part of the description of some.
    Term(Term),
}

impl FromStr for Doubled {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text);
        if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
            return percent(text).map(Self::Percent);
        }
        text.parse().map(Self::Term).map_err(|error: String| {
            format!("{error}, nor a percentage for all messages to come, such as 5")
        })
    }
}

/// What a `dup` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubling {
    /// So many messages in a hundred, from now on, on all links or on one.
    Share(u32, Option<LinkId>),
    /// Held messages.
    Messages(Which),
}

impl Doubling {
    /// Puts the words together.
    pub fn from_words(first: Doubled, rest: &[On]) -> Result<Self, String> {
        let term = match first {
            Doubled::Percent(percent) => {
                return match Scope::from_words(rest)? {
                    Scope::Link(link) => Ok(Self::Share(percent, link)),
                    Scope::Messages(_) => {
                        Err("a share is doubled on all links or on one, such as R0 R3".to_owned())
                    }
                };
            }
            Doubled::Term(term) => term,
        };
        let mut terms = vec![term];
        for word in rest {
            match word {
                On::Term(term) => terms.push(*term),
                On::Replica(replica) => {
                    return Err(format!(
                        "{replica} is no part of a description; from={replica} is"
                    ));
                }
            }
        }
        Which::from_terms(&terms).map(Self::Messages)
    }
}

/// Reads a percentage, such as `20` or `20%`.
pub fn percent(text: &str) -> Result<u32, String> {
    match text.strip_suffix('%').unwrap_or(text).parse() {
        Ok(percent @ 0..=100) => Ok(percent),
        _ => Err(format!("\"{text}\" is not a percentage from 0 to 100")),
    }
}

/// Reads a time, such as `200ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= SLEEP_MAX => Ok(duration),
        Ok(_) => Err("nobody waits longer than a day".to_owned()),
        Err(error) => Err(format!("{error}, expected such as 200ms or 1s")),
    }
}

/// Reads a delay: a time, or a range of times, such as `5ms..40ms`.
pub fn delay(text: &str) -> Result<Delay, String> {
    let Some((least, most)) = text.split_once("..") else {
        return duration(text).map(Delay::fixed);
    };
    if least.is_empty() || most.is_empty() {
        return Err("a range has two ends, such as 5ms..40ms".to_owned());
    }
    let (least, most) = (duration(least)?, duration(most)?);
    if least < most {
        return Ok(Delay { least, most });
    }
    Err("a range goes from a shorter time to a longer one, such as 5ms..40ms".to_owned())
}

/// A time as it is typed.
pub fn time_word(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

/// A delay as it is typed.
pub fn delay_word(delay: Delay) -> String {
    if delay.least == delay.most {
        return time_word(delay.least);
    }
    format!("{}..{}", time_word(delay.least), time_word(delay.most))
}

/// The longest a script may let pass, or keep a message, at once.
const SLEEP_MAX: Duration = Duration::from_hours(24);

/// A part of the description of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This replica is on this side.
    Replica(ReplicaId),
    /// Here the next side begins.
    Other,
}

impl FromStr for Side {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "/" => Ok(Self::Other),
            text => {
                text.parse().map(Self::Replica).map_err(|error: ParseIdError| error.to_string())
            }
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replica(replica) => replica.fmt(f),
            Self::Other => f.write_str("/"),
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

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replica(replica) => replica.fmt(f),
            Self::Term(term) => term.fmt(f),
        }
    }
}

impl fmt::Display for Doubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => percent.fmt(f),
            Self::Term(term) => term.fmt(f),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(proposal) => Command::proposing(proposal).fmt(f),
            Self::At(At(replica)) => write!(f, "@{replica}"),
        }
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
