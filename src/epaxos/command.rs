//! What clients ask for: one operation on one key, and the batch of them that an instance carries.

use std::fmt;
use std::sync::Arc;

use hipstr::HipByt;
use smol_str::SmolStr;

use crate::epaxos::id::ReplicaId;

/// A key of the store. Cheap to clone: many messages carry the same one. The usual one, up to 23 bytes,
/// is where it is named, and nowhere else.
pub type Key = SmolStr;

/// A value of the store, any bytes. Cheap to clone. Like a key, one of up to 23 bytes is where it is
/// named: at each replica that is one look into distant memory less for a write, and one allocation less
/// for each time that it is read off the wire.
pub type Value = HipByt<'static>;

/// Whom an answer goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Client {
    /// A client that gave itself a name. It may repeat a request at any replica, and gets the first
    /// one's answer, or is told that this is unknown: replicas remember for a while what its requests
    /// came to ([`REPEATABLE`](crate::epaxos::replica::REPEATABLE)).
    Named(Arc<str>),
    /// A client without a name, whose request came in at this replica, which numbered it. Such a
    /// request cannot be repeated, so nothing is remembered of it.
    Anonymous(ReplicaId),
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Anonymous(replica) => write!(f, "~{replica}"),
        }
    }
}

/// Who asked, and which of their requests it is; each pair takes effect at most once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// Who asked.
    pub client: Client,
    /// The client's own number for the request.
    pub number: u64,
}

impl RequestId {
    /// The request `number` of the client called `name`.
    pub fn named(name: &str, number: u64) -> Self {
        Self { client: Client::Named(name.into()), number }
    }

    /// The `number`-th request that `replica` had from clients without a name.
    pub fn anonymous(replica: ReplicaId, number: u64) -> Self {
        Self { client: Client::Anonymous(replica), number }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.client, self.number)
    }
}

/// One operation on the key-value store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Give `key` a value.
    Put(Key, Value),
    /// Ask for the value of a key.
    Get(Key),
    /// Remove a key.
    Delete(Key),
}

impl Operation {
    /// What its key and its value take, in bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Put(key, value) => key.len() + value.len(),
            Self::Get(key) | Self::Delete(key) => key.len(),
        }
    }

    /// A put of text, as people type it.
    pub fn put(key: &str, value: &str) -> Self {
        Self::Put(key.into(), value.as_bytes().into())
    }

    /// A get of `key`.
    pub fn get(key: &str) -> Self {
        Self::Get(key.into())
    }

    /// A delete of `key`.
    pub fn delete(key: &str) -> Self {
        Self::Delete(key.into())
    }

    /// The one key that the operation touches.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(key, _) | Self::Get(key) | Self::Delete(key) => key,
        }
    }

    /// Whether the operation may change the store.
    pub fn is_write(&self) -> bool {
        !matches!(self, Self::Get(_))
    }

    /// Whether the order of the two operations can be seen: same key, and at least one write.
    pub fn interferes_with(&self, other: &Operation) -> bool {
        (self.is_write() || other.is_write()) && self.key() == other.key()
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(key, value) => write!(f, "put {} {}", Text(key), text(value)),
            Self::Get(key) => write!(f, "get {}", Text(key)),
            Self::Delete(key) => write!(f, "del {}", Text(key)),
        }
    }
}

/// Shows a value on one line: as the text it is, or its length where it is none.
pub fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(value) => Text(value).to_string(),
        Err(_) => format!("<{} bytes>", value.len()),
    }
}

/// A key or a textual value on one line, quoted only where it would not read back as one word.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_alphanumeric() || "_-./:+,%&=~".contains(c);
        if !self.0.is_empty() && self.0.chars().all(plain) {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}

/// An operation together with the request that asked for it. The request travels with the
/// operation, so that every replica can tell a repeated request from a new one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Command {
    /// Who asked.
    pub request: RequestId,
    /// What for.
    pub operation: Operation,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.operation.fmt(f)
    }
}

/// What an instance carries once it is known.
#[derive(Clone, Debug, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::derived_hash_with_manual_eq, reason = "what is equal is what would be, derived")]
pub enum Payload {
    /// No operation: what recovery decides for an instance whose command nobody can have seen
    /// committed.
    Noop,
    /// A batch of at least one client command, executed in this order.
    Commands(Arc<[Command]>),
}

/// Whether they are the same operations. Mostly they are in the same place, and looked at no further:
/// slices behind an `Arc` are not compared that way by themselves.
impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Noop, Self::Noop) => true,
            (Self::Commands(mine), Self::Commands(theirs)) => {
                Arc::ptr_eq(mine, theirs) || mine == theirs
            }
            (Self::Noop | Self::Commands(_), _) => false,
        }
    }
}

impl Payload {
    /// A payload of one command.
    pub fn one(command: Command) -> Self {
        Self::Commands([command].into())
    }

    /// The commands, none for a no-op.
    pub fn commands(&self) -> &[Command] {
        match self {
            Self::Noop => &[],
            Self::Commands(commands) => commands,
        }
    }

    /// How many commands are counted where instances are weighed: a no-op is one, too.
    pub fn weight(&self) -> u64 {
        self.commands().len().max(1) as u64
    }

    /// How many bytes the keys and values of all operations have. Reads every operation: an instance
    /// remembers the sum.
    pub fn bytes(&self) -> u64 {
        self.operations().map(|operation| operation.size() as u64).sum()
    }

    /// Whether both are the same commands in the same place in memory, or both no-ops.
    pub fn is_same_place(&self, other: &Payload) -> bool {
        match (self, other) {
            (Self::Noop, Self::Noop) => true,
            (Self::Commands(mine), Self::Commands(theirs)) => Arc::ptr_eq(mine, theirs),
            (Self::Noop | Self::Commands(_), _) => false,
        }
    }

    /// The operations, none for a no-op.
    pub fn operations(&self) -> impl ExactSizeIterator<Item = &Operation> + Clone {
        self.commands().iter().map(|command| &command.operation)
    }

    /// Whether any two operations of the two payloads interfere.
    pub fn interferes_with(&self, other: &Payload) -> bool {
        self.operations().any(|mine| other.operations().any(|theirs| mine.interferes_with(theirs)))
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Noop = self {
            return f.write_str("no-op");
        }
        for (index, operation) in self.operations().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            operation.fmt(f)?;
        }
        Ok(())
    }
}

/// What an operation came to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The write took effect (or, under the reply-on-commit policy, will).
    Written,
    /// The key has this value.
    Found(Value),
    /// The key has no value.
    NotFound,
    /// A write that may have taken effect before, too long ago for that to be remembered. It has no
    /// effect this time.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written => f.write_str("ok"),
            Self::Found(value) => f.write_str(&text(value)),
            Self::NotFound => f.write_str("not found"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// The state that committed commands are applied to, in execution order. The replica owns one and
/// knows nothing else of it.
pub trait StateMachine {
    /// Applies one operation and says what it came to. Must be a function of the operations applied
    /// so far and nothing else: every replica applies the same ones. A write comes to
    /// [`Outcome::Written`].
    fn apply(&mut self, operation: &Operation) -> Outcome;

    /// Applies one operation after another, and adds what they came to to `outcomes`: the same, for
    /// those that can do many faster.
    fn apply_all<'a>(
        &mut self,
        operations: impl ExactSizeIterator<Item = &'a Operation> + Clone,
        outcomes: &mut Vec<Outcome>,
    ) {
        outcomes.extend(operations.map(|operation| self.apply(operation)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interference_is_same_key_and_a_write() {
        let put = Operation::put("x", "1");
        assert!(put.interferes_with(&Operation::put("x", "2")));
        assert!(put.interferes_with(&Operation::get("x")));
        assert!(Operation::delete("x").interferes_with(&Operation::get("x")));
        assert!(!Operation::get("x").interferes_with(&Operation::get("x")));
        assert!(!put.interferes_with(&Operation::put("y", "1")));
    }

    #[test]
    fn odd_text_is_quoted() {
        assert_eq!(Operation::put("x", "hello world").to_string(), "put x \"hello world\"");
        assert_eq!(Operation::put("é", "").to_string(), "put é \"\"");
        assert_eq!(text(&[0xff, 0xfe]), "<2 bytes>");
    }
}
