//! Turns of phrase that several answers share.

use std::fmt::Display;
use std::time::Duration;

use crate::epaxos::command::{Operation, Payload};
use crate::epaxos::id::InstanceId;
use crate::epaxos::message::Envelope;
use crate::explain::facts::Facts;
use crate::observe::notice::HeldBy;

/// Names in a row: `R0, R1 and R2`. Of very many, the first few.
pub(super) fn names<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    let mut names: Vec<_> = names.into_iter().map(|name| name.to_string()).collect();
    if names.len() > NAMES {
        let more = names.len() - (NAMES - 1);
        names.truncate(NAMES - 1);
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        None => "nobody".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// A thing so many times: `1 vote`, `2 votes`.
pub(super) fn many(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// What an instance carries, not all of it where that is much.
pub(super) fn short(payload: &Payload) -> String {
    cut(&payload.to_string())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHORT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// An instance with what it carries, as far as anybody knows: `R0.0 (put x 1)`.
pub(super) fn named(facts: Facts<'_>, id: InstanceId) -> String {
    let decided = facts.decision(id).map(|(_, known)| known);
    let known = decided.or_else(|| facts.replicas().find_map(|at| facts.instance(at, id)));
    match known {
        Some(known) => format!("{id} ({})", short(&known.payload)),
        None => id.to_string(),
    }
}

/// What ties two payloads together, as the rest of a sentence about both: `both write x`.
pub(super) fn tie(one: &Payload, other: &Payload) -> Option<String> {
    let mut pairs = one.operations().flat_map(|mine| {
        other.operations().filter(|theirs| mine.interferes_with(theirs)).map(move |it| (mine, it))
    });
    let (mine, theirs) = pairs.next()?;
    let key = cut(&key(mine));
    Some(match (mine.is_write(), theirs.is_write()) {
        (true, true) => format!("both write {key}"),
        _ => format!("one of them writes {key} and the other reads it"),
    })
}

/// Why the order of two payloads cannot be seen, as the rest of a sentence about both.
pub(super) fn no_tie(one: &Payload, other: &Payload) -> &'static str {
    let mut operations = one.operations();
    let shares = operations.any(|mine| other.operations().any(|theirs| mine.key() == theirs.key()));
    match (one, other) {
        (Payload::Noop, _) | (_, Payload::Noop) => "a no-op interferes with nothing",
        _ if shares => "both only read what they share",
        _ => "they have no key in common",
    }
}

/// A key as it is written in an operation.
fn key(operation: &Operation) -> String {
    let written = Operation::get(operation.key()).to_string();
    written.strip_prefix("get ").unwrap_or_default().to_owned()
}

/// A time as people say it.
pub(super) fn span(time: Duration) -> String {
    let micros = time.as_micros();
    let (whole, rest, unit) = match micros {
        1_000_000.. => (micros / 1_000_000, micros % 1_000_000 / 1_000, "s"),
        _ => (micros / 1_000, micros % 1_000, "ms"),
    };
    match format!("{rest:03}").trim_end_matches('0') {
        "" => format!("{whole} {unit}"),
        rest => format!("{whole}.{rest} {unit}"),
    }
}

/// Where a message is that is on its way.
pub(super) fn whereabouts(facts: Facts<'_>, envelope: &Envelope, held: Option<HeldBy>) -> String {
    let gate = &facts.0.gate;
    match held {
        Some(HeldBy::Rule) => match gate.holds.iter().find(|rule| rule.matches(envelope)) {
            Some(rule) if rule.is_any() => "held by a rule that holds all".to_owned(),
            Some(rule) => format!("held by the rule \"{rule}\""),
            None => "held by a rule".to_owned(),
        },
        Some(HeldBy::Delay(_)) => "delayed".to_owned(),
        Some(HeldBy::Pause) if gate.paused => "held while all is paused".to_owned(),
        Some(HeldBy::Pause) | None => "on its way".to_owned(),
    }
}

/// A text on one line, whatever was put into it.
pub(super) fn line(text: String) -> String {
    if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text }
}

/// How many names are listed.
const NAMES: usize = 6;

/// How many characters of what an instance carries are shown.
const SHORT: usize = 40;
