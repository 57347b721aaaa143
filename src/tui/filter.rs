//! The filter of the trace: `kind:Accept replica:R3 instance:R0.1 event:status key:x path:slow
//! !word`, all of which must hold. Anything may be typed; what has no meaning as a term is looked
//! for as text.

use crate::epaxos::command::Payload;
use crate::epaxos::event::Event;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Path;
use crate::epaxos::message::{Envelope, Message, MessageKind};
use crate::observe::notice::{Decision, Effect};
use crate::observe::trace::{Line, Part};
use crate::observe::view::View;

/// Which lines of the trace are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFilter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    negated: bool,
    test: Test,
}

/// One thing that a line can be asked. Words are kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Kind(String),
    Replica(ReplicaId),
    Instance(InstanceId),
    Event(String),
    Key(String),
    Path(String),
    Word(String),
}

impl TraceFilter {
    /// Reads a filter as it is typed.
    pub fn parse(text: &str) -> Self {
        Self { terms: text.split_whitespace().filter_map(Term::parse).collect() }
    }

    /// Whether every line is shown.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether the line is shown. The view tells what an instance carries where the line does not.
    pub fn matches(&self, line: &Line, view: &View) -> bool {
        if self.is_empty() {
            return true;
        }
        let facets = Facets::of(line);
        self.terms.iter().all(|term| term.negated != term.test.holds(line, &facets, view))
    }
}

impl Term {
    /// `None` for an exclamation mark with nothing after it yet.
    fn parse(word: &str) -> Option<Self> {
        let (negated, word) = match word.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, word),
        };
        (!word.is_empty()).then(|| Self { negated, test: Test::parse(word) })
    }
}

impl Test {
    fn parse(word: &str) -> Self {
        let lower = word.to_lowercase();
        let (Some((name, value)), Some((_, given))) = (lower.split_once(':'), word.split_once(':'))
        else {
            return Self::Word(lower);
        };
        let test = match name {
            "kind" => Some(Self::Kind(value.to_owned())),
            "event" => Some(Self::Event(value.to_owned())),
            "path" => Some(Self::Path(value.to_owned())),
            "key" => Some(Self::Key(given.to_owned())),
            "replica" => value.parse().ok().map(Self::Replica),
            "instance" => value.parse().ok().map(Self::Instance),
            _ => None,
        };
        test.unwrap_or(Self::Word(lower))
    }

    fn holds(&self, line: &Line, facets: &Facets, view: &View) -> bool {
        let starts = |name: Option<&str>, start: &str| {
            name.is_some_and(|name| name.to_lowercase().starts_with(start))
        };
        match self {
            Self::Kind(kind) => starts(facets.kind.map(MessageKind::name), kind),
            Self::Event(event) => starts(Some(line.event()), event),
            Self::Path(path) => starts(facets.path.map(Path::name), path),
            Self::Replica(replica) => line.replica() == *replica || facets.other == Some(*replica),
            Self::Instance(instance) => facets.instance == Some(*instance),
            Self::Key(key) => facets.touches(key, view),
            Self::Word(word) => line.to_string().to_lowercase().contains(word),
        }
    }
}

/// What a line is about.
#[derive(Default)]
struct Facets<'a> {
    instance: Option<InstanceId>,
    kind: Option<MessageKind>,
    path: Option<Path>,
    other: Option<ReplicaId>,
    payload: Option<&'a Payload>,
    keys: Vec<&'a str>,
}

impl<'a> Facets<'a> {
    fn of(line: &'a Line) -> Self {
        match line.part() {
            Part::Decision(
                Decision::Deliver(envelope)
                | Decision::Drop(envelope)
                | Decision::Duplicate(envelope, _),
            ) => Self::of_message(envelope, envelope.id.sender),
            Part::Effect(Effect::Send(envelope)) | Part::Decision(Decision::Lose(envelope)) => {
                Self::of_message(envelope, envelope.to)
            }
            Part::Effect(Effect::Event(event)) => Self::of_event(event),
            Part::Decision(
                Decision::Propose(_)
                | Decision::Wake
                | Decision::Crash
                | Decision::Restart
                | Decision::Panic(_),
            )
            | Part::Effect(Effect::Reply(_)) => Self::default(),
        }
    }

    fn of_message(envelope: &'a Envelope, other: ReplicaId) -> Self {
        let message = &envelope.message;
        let path = match message {
            Message::Commit(commit) => Some(commit.path),
            _ => None,
        };
        Self {
            instance: Some(message.instance()),
            kind: Some(message.kind()),
            path,
            other: Some(other),
            payload: message.payload(),
            keys: Vec::new(),
        }
    }

    fn of_event(event: &'a Event) -> Self {
        let about = |instance| Self { instance: Some(instance), ..Self::default() };
        match event {
            Event::Proposed { instance, commands, .. } => Self {
                keys: commands.iter().map(|command| &**command.operation.key()).collect(),
                ..about(*instance)
            },
            Event::Status(change) => Self {
                path: change.path(),
                payload: Some(&change.payload),
                ..about(change.instance)
            },
            Event::Executed { instance, payload, .. } => {
                Self { payload: Some(payload), ..about(*instance) }
            }
            Event::Blocked { instance, .. }
            | Event::Recovering { instance, .. }
            | Event::Joined { instance, .. }
            | Event::Ruled { instance, .. } => about(*instance),
            Event::TimerFired(timer) => about(timer.instance),
            Event::Ignored { from, kind, instance, .. } => {
                Self { kind: Some(*kind), other: Some(*from), ..about(*instance) }
            }
            Event::Repeated { .. } | Event::Searched { .. } => Self::default(),
        }
    }

    fn touches(&self, key: &str, view: &View) -> bool {
        let carries = |payload: &Payload| payload.operations().any(|op| &**op.key() == key);
        if self.keys.contains(&key) {
            return true;
        }
        match (self.payload, self.instance) {
            (Some(payload), _) => carries(payload),
            (None, Some(id)) if self.keys.is_empty() => {
                let mut known = view.replicas.iter().filter_map(|known| known.instances.get(id));
                known.next().is_some_and(|instance| carries(&instance.payload))
            }
            _ => false,
        }
    }
}

/// The instance that a line of the trace is about.
pub fn instance_of(line: &Line) -> Option<InstanceId> {
    Facets::of(line).instance
}
