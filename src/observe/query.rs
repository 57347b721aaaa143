//! The language of filters and breakpoints: `key:x leader:R0 kind:Accept path:slow replica:R3
//! since:#40 component>1 !word`, all of which must hold. A colon and an equals sign mean the same.

use std::fmt;

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::{Path, Phase};
use crate::epaxos::message::MessageKind;
use crate::observe::facets::Facets;
use crate::observe::log::EntryId;

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    negated: bool,
    test: Test,
}

/// One thing that can be asked. Words are kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Kind(Meant<MessageKind>),
    Event(Meant<&'static str>),
    Path(Meant<Path>),
    Phase(Meant<Phase>),
    Key(String),
    Replica(ReplicaId),
    Leader(ReplicaId),
    Instance(InstanceId),
    Since(EntryId),
    Component(Than, u64),
    Sequence(Than, u64),
    Word(String),
}

/// What a word means: what has this name, otherwise all whose names begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Meant<T> {
    word: String,
    all: Vec<T>,
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Than {
    Less,
    Equal,
    More,
}

impl Than {
    fn holds(self, number: u64, other: u64) -> bool {
        match self {
            Self::Less => number < other,
            Self::Equal => number == other,
            Self::More => number > other,
        }
    }
}

impl fmt::Display for Than {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::Equal => "=",
            Self::More => ">",
        })
    }
}

impl Query {
    /// Reads what is typed. Anything may be typed; what has no meaning as a term is looked for as
    /// text.
    pub fn parse(text: &str) -> Self {
        let words = text.split_whitespace().filter_map(negated);
        let term = |(negated, word): (bool, &str)| {
            let meant = Test::parse(word).unwrap_or_else(|_| Test::Word(word.to_lowercase()));
            Term { negated, test: meant }
        };
        Self { terms: words.map(term).collect() }
    }

    /// Why a part of what is typed is looked for as text, though it has the form of a term.
    pub fn advice(text: &str) -> Option<String> {
        let words = text.split_whitespace().filter_map(negated);
        let mut unfinished = words.filter(|(_, word)| !word.ends_with([':', '=', '>', '<']));
        unfinished.find_map(|(_, word)| Test::parse(word).err())
    }

    /// Reads one term, and refuses in a sentence what has no meaning: a query to which something is
    /// attached must not look for anything else than what was meant.
    pub fn term(word: &str) -> Result<Self, String> {
        let (negated, word) = negated(word).ok_or("something must be looked for")?;
        Ok(Self { terms: vec![Term { negated, test: Test::parse(word)? }] })
    }

    /// All that both look for.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.terms.extend(other.terms);
        self
    }

    /// Whether nothing is looked for, so that everything is found.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether this is what is looked for. `text` is how it reads, asked for only where a word is
    /// looked for.
    pub fn matches(&self, facets: &Facets, text: impl Fn() -> String) -> bool {
        self.terms.iter().all(|term| term.negated != term.test.holds(facets, &text))
    }
}

/// Takes off an exclamation mark; nothing where nothing is left.
fn negated(word: &str) -> Option<(bool, &str)> {
    let (negated, word) = match word.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, word),
    };
    (!word.is_empty()).then_some((negated, word))
}

impl Test {
    fn parse(word: &str) -> Result<Self, String> {
        let at = word.find([':', '=', '>', '<']).filter(|at| *at > 0);
        let Some(at) = at else { return Ok(Self::Word(word.to_lowercase())) };
        let (name, value) = (word[..at].to_lowercase(), &word[at + 1..]);
        let than = match &word[at..=at] {
            ">" => Than::More,
            "<" => Than::Less,
            _ => Than::Equal,
        };
        if value.is_empty() {
            return Err(format!("{word:?} names nothing to look for"));
        }
        if than != Than::Equal && !["component", "seq"].contains(&name.as_str()) {
            return Err(format!("{name:?} is no number; component>1 or seq>3 compares numbers"));
        }
        let lower = value.to_lowercase();
        let number = |what: &str| {
            let digits = value.strip_prefix('#').unwrap_or(value);
            digits.parse().map_err(|_| format!("{value:?} is no number of {what}"))
        };
        match name.as_str() {
            "kind" => among(lower, "message", &MessageKind::ALL, MessageKind::name).map(Self::Kind),
            "event" => among(lower, "event", &EVENTS, |name| name).map(Self::Event),
            "path" => among(lower, "path", &Path::ALL, Path::name).map(Self::Path),
            "phase" => among(lower, "phase", &Phase::ALL, Phase::name).map(Self::Phase),
            "key" => Ok(Self::Key(value.to_owned())),
            "replica" => lower.parse().map(Self::Replica).map_err(|error| format!("{error}")),
            "leader" => lower.parse().map(Self::Leader).map_err(|error| format!("{error}")),
            "instance" => value.parse().map(Self::Instance).map_err(|error| format!("{error}")),
            "since" => number("a step").map(Self::Since),
            "component" => number("instances").map(|size| Self::Component(than, size)),
            "seq" => number("the sequence").map(|seq| Self::Sequence(than, seq)),
            _ => Err(format!("{name:?} can not be looked for; {NAMES} can")),
        }
    }

    fn holds(&self, facets: &Facets, text: &impl Fn() -> String) -> bool {
        match self {
            Self::Kind(meant) => facets.kinds.iter().any(|own| meant.all.contains(own)),
            Self::Event(meant) => facets.events.iter().any(|own| meant.all.contains(own)),
            Self::Path(meant) => facets.paths.iter().any(|own| meant.all.contains(own)),
            Self::Phase(meant) => facets.phases.iter().any(|own| meant.all.contains(own)),
            Self::Key(key) => facets.touches(key),
            Self::Replica(replica) => facets.replicas.contains(replica),
            Self::Leader(leader) => facets.instances.iter().any(|own| own.replica == *leader),
            Self::Instance(instance) => facets.instances.contains(instance),
            Self::Since(entry) => facets.entry.is_some_and(|own| own >= *entry),
            Self::Component(than, size) => {
                facets.component.is_some_and(|own| than.holds(own, *size))
            }
            Self::Sequence(than, seq) => facets.seqs.iter().any(|own| than.holds(*own, *seq)),
            Self::Word(word) => text().to_lowercase().contains(word),
        }
    }
}

/// A name or the beginning of one. What begins no name would never be found.
fn among<T: Copy>(
    word: String,
    what: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<Meant<T>, String> {
    let lower = |one: &T| name(*one).to_lowercase();
    let called = all.iter().find(|one| lower(one) == word);
    let begun = || all.iter().filter(|one| lower(one).starts_with(&word)).copied().collect();
    let meant = called.map_or_else(begun, |one| vec![*one]);
    if !meant.is_empty() {
        return Ok(Meant { word, all: meant });
    }
    let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
    Err(format!("there is no {what} {word:?}; there are {}", names.join(", ")))
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms: Vec<String> = self.terms.iter().map(ToString::to_string).collect();
        f.write_str(&terms.join(" "))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let negated = if self.negated { "!" } else { "" };
        write!(f, "{negated}{}", self.test)
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(Meant { word, .. }) => write!(f, "kind={word}"),
            Self::Event(Meant { word, .. }) => write!(f, "event={word}"),
            Self::Path(Meant { word, .. }) => write!(f, "path={word}"),
            Self::Phase(Meant { word, .. }) => write!(f, "phase={word}"),
            Self::Key(key) => write!(f, "key={key}"),
            Self::Replica(replica) => write!(f, "replica={replica}"),
            Self::Leader(leader) => write!(f, "leader={leader}"),
            Self::Instance(instance) => write!(f, "instance={instance}"),
            Self::Since(entry) => write!(f, "since=#{entry}"),
            Self::Component(than, size) => write!(f, "component{than}{size}"),
            Self::Sequence(than, seq) => write!(f, "seq{than}{seq}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// The names of events, as the trace has them.
const EVENTS: [&str; 19] = [
    "propose",
    "deliver",
    "timer",
    "drop",
    "duplicate",
    "lose",
    "crash",
    "recover",
    "panic",
    "send",
    "reply",
    "repeat",
    "status",
    "execute",
    "blocked",
    "recovering",
    "join",
    "rule",
    "ignored",
];

/// The words that mean something after a name, in lower case: kinds, events, paths and phases.
pub fn words() -> Vec<String> {
    let kinds = MessageKind::ALL.iter().map(|kind| kind.name());
    let paths = Path::ALL.iter().map(|path| path.name());
    let phases = Phase::ALL.iter().map(|phase| phase.name());
    let all = kinds.chain(EVENTS).chain(paths).chain(phases);
    all.map(str::to_lowercase).collect()
}

/// The names of what can be looked for.
pub const NAMES: &str =
    "kind, event, path, phase, key, replica, leader, instance, since, component, seq";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn terms_read_back_as_written() {
        for term in [
            "kind=accept",
            "!path=slow",
            "phase=committed",
            "key=x",
            "replica=R3",
            "leader=R0",
            "instance=R0.1",
            "since=#40",
            "component>1",
            "seq<3",
            "word",
        ] {
            assert_eq!(Query::term(term).map(|query| query.to_string()), Ok(term.to_owned()));
        }
        assert_eq!(Query::term("Kind:Acc"), Query::term("kind=acc"));
        assert_eq!(Query::parse("key:x !leader:R0").to_string(), "key=x !leader=R0");
    }

    #[test]
    fn what_means_nothing_is_refused_in_a_sentence_or_is_a_word() {
        for (term, sentence) in [
            ("path=medium", "there is no path \"medium\"; there are fast, slow, recovery"),
            ("colour=red", "\"colour\" can not be looked for; "),
            ("key=", "\"key=\" names nothing to look for"),
            ("key>1", "\"key\" is no number; component>1 or seq>3 compares numbers"),
            ("component>x", "\"x\" is no number of instances"),
            ("!", "something must be looked for"),
        ] {
            let refused = Query::term(term).expect_err(term);
            assert!(refused.starts_with(sentence), "{refused}");
        }
        assert_eq!(Query::parse("path=medium"), Query::parse("PATH=MEDIUM"));
        assert!(Query::parse("  ! ").is_empty());
    }

    proptest! {
        #[test]
        fn anything_can_be_looked_for(text in "\\PC{0,30}") {
            let query = Query::parse(&text);
            let facets = Facets::default();
            let _found = query.matches(&facets, || text.clone());
        }
    }
}
