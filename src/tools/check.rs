//! Checking a recorded trace.

use std::fmt::Write;
use std::io::{self, BufRead};

use serde_json::{Value, json};

use crate::check::recorded::{NotATrace, Recording};
use crate::check::{Property, Violation};

/// What a trace came to.
#[derive(Clone, Debug)]
pub struct Checked {
    /// How many events were read.
    pub events: u64,
    /// How many instances were decided.
    pub decided: u64,
    /// What was checked: all properties, or fewer where clients were answered before execution.
    pub properties: Vec<Property>,
    /// What is wrong, in the order in which it showed.
    pub violations: Vec<Violation>,
    /// The event before which something went unseen, if anything did: what comes after it is not checked.
    pub blind_since: Option<u64>,
}

/// Why a trace could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    /// A line is none of a trace.
    #[error("line {line}: {error}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        error: NotATrace,
    },
    /// There is nothing in it.
    #[error("it tells of no instance: there is nothing to check")]
    Empty,
}

/// Reads a trace of JSON lines, and checks it. Empty lines are passed over.
pub fn check(trace: impl BufRead) -> Result<Checked, CheckError> {
    let mut recording = Recording::default();
    for (line, text) in (1..).zip(trace.lines()) {
        let text = text?;
        if !text.trim().is_empty() {
            recording.line(&text).map_err(|error| CheckError::Line { line, error })?;
        }
    }
    let events = recording.events();
    let checker = recording.finish().ok_or(CheckError::Empty)?;
    Ok(Checked {
        events,
        decided: checker.decided(),
        properties: Property::ALL.into_iter().filter(|it| checker.promises(*it)).collect(),
        violations: checker.violations().to_vec(),
        blind_since: checker.blind_since(),
    })
}

impl Checked {
    /// For people: each property with whether it holds, then what is wrong.
    pub fn to_text(&self) -> String {
        let mut text = format!("{} events, {} instances decided\n", self.events, self.decided);
        for property in &self.properties {
            let holds = self.violations.iter().all(|violation| violation.property != *property);
            let sign = if holds { "ok  " } else { "FAIL" };
            writeln!(text, "{sign} {property:<16} {}", property.sentence()).expect("it grows");
        }
        if let Some(event) = self.blind_since {
            let why = "steps before it went unseen, so nothing after it is checked";
            writeln!(text, "event {event}: {why}").expect("it grows");
        }
        for violation in &self.violations {
            writeln!(text, "event {}: {violation}", violation.at).expect("it grows");
        }
        text
    }

    /// The same as one JSON object.
    pub fn to_json(&self) -> Value {
        let violations = self.violations.iter().map(|violation| {
            json!({
                "event": violation.at,
                "property": violation.property.name(),
                "replica": violation.replica.map(|replica| replica.to_string()),
                "instance": violation.instance.map(|instance| instance.to_string()),
                "sentence": violation.sentence,
            })
        });
        json!({
            "events": self.events,
            "decided": self.decided,
            "properties": self.properties.iter().map(|it| it.name()).collect::<Vec<_>>(),
            "violations": violations.collect::<Vec<_>>(),
            "blind_since": self.blind_since,
        })
    }
}
