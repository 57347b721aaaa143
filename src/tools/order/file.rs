//! Reads a committed log.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::{Command, Key, Operation, Payload, RequestId};
use crate::epaxos::id::{InstanceId, ParseIdError, REPLICAS_MAX, ReplicaId};
use crate::tools::order::Committed;

/// Why a log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The text is not JSON, or not to be trusted: it gives a field twice.
    #[error("the log is not a JSON array: {0}")]
    NotJson(String),
    /// The text is JSON, and not an array.
    #[error("the log is {0}, it must be an array of committed instances")]
    NotAnArray(&'static str),
    /// An entry of the array cannot be used.
    #[error("{}: {mistake}", entry_name(*index, instance.as_deref()))]
    Entry {
        /// Its place in the array, from 0.
        index: usize,
        /// What it gives as its instance, if it gives any.
        instance: Option<String>,
        /// What is wrong with it.
        mistake: Mistake,
    },
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// It is not an object of the right fields.
    #[error("{0}")]
    Shape(String),
    /// Its name is none.
    #[error("{0}")]
    Instance(String),
    /// The row is not one of the cluster.
    #[error("its replica does not exist, since deps has {0} entries")]
    Replica(usize),
    /// It has been given before.
    #[error("the instance appears twice, first in entry {0}")]
    Twice(usize),
    /// The dependencies are of no cluster.
    #[error("deps has {0} entries, it must have one for each replica, 1 to {REPLICAS_MAX}")]
    Length(usize),
    /// The dependencies are of another cluster than those before.
    #[error("deps has {found} entries, but entry 0 has {expected}")]
    LengthDiffers {
        /// How many it has.
        found: usize,
        /// How many the first entry has.
        expected: usize,
    },
    /// A dependency is not a slot.
    #[error("deps contains {0}, it must contain slots, or -1 for none")]
    Dependency(i64),
    /// The command is none of the known ones.
    #[error(
        r#"the command must be {{"put":[KEY,VALUE]}}, {{"get":KEY}}, {{"del":KEY}}, an array of these, or "noop""#
    )]
    Command,
    /// A batch contains nothing.
    #[error(r#"the batch is empty, write "noop" for a no-op"#)]
    EmptyBatch,
}

/// Reads a log.
pub fn parse(text: &str) -> Result<Vec<Committed>, OrderError> {
    let entries = match serde_json::from_str::<Vec<Entry>>(text) {
        Ok(entries) => entries,
        Err(error) => return Err(explain(text, &error)),
    };
    let mut log = Vec::with_capacity(entries.len());
    let expected = entries.first().map_or(0, |entry| entry.deps.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let name = entry.instance.clone();
        let committed = check(entry, expected).map_err(|mistake| OrderError::Entry {
            index,
            instance: Some(name),
            mistake,
        })?;
        log.push(committed);
    }
    check_names(&log)?;
    Ok(log)
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    instance: String,
    seq: u64,
    deps: Vec<i64>,
    command: Written,
}

/// What may be written as a command. Whatever else is written is told apart from it later, so that
/// the complaint can say what would have been right.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Batch(Vec<Single>),
    One(Single),
    Word(String),
    Other(serde::de::IgnoredAny),
}

/// What may be written as one operation.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Single {
    Put(Key, Key),
    Get(OneKey),
    Del(OneKey),
}

/// A key, alone or as an array of one.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneKey {
    Plain(Key),
    Listed([Key; 1]),
}

impl From<OneKey> for Key {
    fn from(key: OneKey) -> Self {
        match key {
            OneKey::Plain(key) | OneKey::Listed([key]) => key,
        }
    }
}

impl From<Single> for Operation {
    fn from(single: Single) -> Self {
        match single {
            Single::Put(key, value) => Self::Put(key, value.as_bytes().into()),
            Single::Get(key) => Self::Get(key.into()),
            Single::Del(key) => Self::Delete(key.into()),
        }
    }
}

/// Makes an entry what it stands for, in a cluster of `expected` replicas.
fn check(entry: Entry, expected: usize) -> Result<Committed, Mistake> {
    let instance: InstanceId = entry
        .instance
        .parse()
        .map_err(|error: ParseIdError| Mistake::Instance(error.to_string()))?;
    let found = entry.deps.len();
    if !(1..=REPLICAS_MAX).contains(&found) {
        return Err(Mistake::Length(found));
    }
    if found != expected {
        return Err(Mistake::LengthDiffers { found, expected });
    }
    if instance.replica.index() >= expected {
        return Err(Mistake::Replica(expected));
    }
    if let Some(bad) = entry.deps.iter().find(|slot| **slot < -1 || **slot == i64::MAX) {
        return Err(Mistake::Dependency(*bad));
    }
    let deps = Dependencies::from_vector(&entry.deps).expect("length and entries are checked");
    let payload = payload(entry.command, instance.replica)?;
    Ok(Committed { instance, attributes: Attributes { seq: entry.seq, deps }, payload })
}

/// Makes a payload of what is written as the command of one of `leader`'s instances.
fn payload(written: Written, leader: ReplicaId) -> Result<Payload, Mistake> {
    let operations = match written {
        Written::Word(word) if ["noop", "no-op"].contains(&word.as_str()) => {
            return Ok(Payload::Noop);
        }
        Written::Word(_) | Written::Other(_) => return Err(Mistake::Command),
        Written::Batch(batch) if batch.is_empty() => return Err(Mistake::EmptyBatch),
        Written::Batch(batch) => batch,
        Written::One(single) => vec![single],
    };
    // Who asked is not in the log, and makes no difference to the order.
    let request = RequestId::anonymous(leader, 0);
    let command = |single: Single| Command { request: request.clone(), operation: single.into() };
    Ok(Payload::Commands(operations.into_iter().map(command).collect()))
}

/// Refuses an instance that appears twice.
fn check_names(log: &[Committed]) -> Result<(), OrderError> {
    let mut seen = BTreeSet::new();
    for (index, entry) in log.iter().enumerate() {
        if !seen.insert(entry.instance) {
            let first = log.iter().position(|other| other.instance == entry.instance);
            let instance = Some(entry.instance.to_string());
            let mistake = Mistake::Twice(first.expect("what was seen is in the log"));
            return Err(OrderError::Entry { index, instance, mistake });
        }
    }
    Ok(())
}

/// Finds out what is wrong with a text that does not read as entries. It is read a second time,
/// piece by piece, so that what is right is read fast.
fn explain(text: &str, error: &serde_json::Error) -> OrderError {
    let entries = match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(entries)) => entries,
        Ok(other) => return OrderError::NotAnArray(kind(&other)),
        Err(error) => return OrderError::NotJson(error.to_string()),
    };
    for (index, entry) in entries.into_iter().enumerate() {
        let name = entry.get("instance").and_then(Value::as_str).map(str::to_owned);
        if let Some(mistake) = shape_mistake(entry) {
            return OrderError::Entry { index, instance: name, mistake };
        }
    }
    // A field given twice is not seen in pieces: there, the last one has replaced the others.
    OrderError::NotJson(error.to_string())
}

/// What keeps a value from being an entry, if anything does.
fn shape_mistake(entry: Value) -> Option<Mistake> {
    if !entry.is_object() {
        let mistake = format!("it is {}, it must be an object", kind(&entry));
        return Some(Mistake::Shape(mistake));
    }
    let error = serde_json::from_value::<Entry>(entry).err()?;
    Some(Mistake::Shape(error.to_string()))
}

/// How an entry is referred to: by its place, and by its instance if it gives one.
fn entry_name(index: usize, instance: Option<&str>) -> String {
    match instance {
        Some(instance) => format!("entry {index} ({instance})"),
        None => format!("entry {index}"),
    }
}

/// What a value is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
