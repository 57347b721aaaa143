//! Whether clients could tell the cluster from a single store that does one thing at a time.
//!
//! A history is *linearizable* when there is an order of its operations in which each returns what a
//! single store would have returned, and in which what ended before something else began comes before
//! it (Herlihy and Wing, 1990). Operations touch one key each, so the history of each key may be
//! looked at by itself (locality).
//!
//! The search is that of Wing and Gong (1993) with Lowe's memory of what was tried (2017): it goes
//! forward through time and takes back the last choice where it is stuck. Which operation to try first
//! is what makes it fast: the order in which the replicas executed them, in which a sound run succeeds
//! without ever going back. Finding none does not rest on that hint.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::execution::Executions;
use crate::check::fact::Fact;
use crate::check::{Property, Report};
use crate::epaxos::command::{Command, Key, Operation, Outcome, Value};

/// What clients have asked for, and been told.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    calls: BTreeMap<Command, (u64, Option<(u64, Outcome)>)>,
    clock: u64,
}

impl History {
    /// How many requests there are.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn see(&mut self, fact: &Fact<'_>) {
        self.clock += 1;
        match fact {
            Fact::Led { commands, .. } => {
                for command in commands.iter() {
                    // A repeated or re-proposed command was asked for when it was the first time.
                    if !self.calls.contains_key(command) {
                        self.calls.insert(command.clone(), (self.clock, None));
                    }
                }
            }
            Fact::Replied { command, outcome } => {
                if let Some((_, answer @ None)) = self.calls.get_mut(*command) {
                    *answer = Some((self.clock, (*outcome).clone()));
                }
            }
            _ => {}
        }
    }

    pub(super) fn finish(&self, executions: &Executions, report: &mut Report) {
        let mut keys: BTreeMap<&Key, Vec<Call>> = BTreeMap::new();
        for (command, (asked, answer)) in &self.calls {
            let hint = executions.place(command).unwrap_or(usize::MAX);
            let call = Call {
                operation: command.operation.clone(),
                asked: *asked,
                answer: answer.clone(),
                hint,
            };
            keys.entry(command.operation.key()).or_default().push(call);
        }
        for (key, calls) in keys {
            if !is_linearizable(calls) {
                let sentence =
                    format!("no order of the operations on {key} explains what clients were told");
                report.violation(Property::Linearizability, None, None, sentence);
            }
        }
    }
}

/// One operation of a client.
#[derive(Clone, Debug)]
pub struct Call {
    /// What was asked for. All calls of a history touch the same key.
    pub operation: Operation,
    /// When, on any clock that does not stand still.
    pub asked: u64,
    /// When it was answered, on the same clock, and what. None for one without an answer, which may
    /// take effect at any time after it was asked for, or never.
    pub answer: Option<(u64, Outcome)>,
    /// Which calls to try first, the lowest: changes how long the search takes, never what it finds.
    pub hint: usize,
}

/// How far a search has come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// All answered calls before this one have been placed.
    first: usize,
    /// Those after it that have been, too.
    beyond: BTreeSet<usize>,
    /// The unanswered calls that have been placed.
    unanswered: BTreeSet<usize>,
    value: Option<Value>,
}

/// Whether a single register, empty at first, could have answered all these calls as they were.
pub fn is_linearizable(mut calls: Vec<Call>) -> bool {
    calls.sort_by_key(|call| (call.asked, call.hint));
    // A read without an answer explains nothing and can always be left out.
    calls.retain(|call| call.answer.is_some() || call.operation.is_write());
    let (answered, unanswered): (Vec<_>, Vec<_>) =
        calls.into_iter().partition(|call| call.answer.is_some());
    let start =
        Place { first: 0, beyond: BTreeSet::new(), unanswered: BTreeSet::new(), value: None };
    let mut tried = BTreeSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(place) = open.pop() {
        if place.first == answered.len() {
            return true;
        }
        // The last one pushed is tried next: the lowest hint goes last.
        for next in place.successors(&answered, &unanswered) {
            if tried.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    false
}

impl Place {
    /// Every place that is one call further, the one with the highest hint first.
    fn successors(&self, answered: &[Call], unanswered: &[Call]) -> Vec<Place> {
        let mut candidates = Vec::new();
        // Nothing may be placed that was asked for after some other call was answered that has not.
        let mut horizon = u64::MAX;
        for (index, call) in answered.iter().enumerate().skip(self.first) {
            if call.asked > horizon {
                break;
            }
            if !self.beyond.contains(&index) {
                let (when, _) = call.answer.as_ref().expect("these are answered");
                horizon = horizon.min(*when);
                candidates.push((call, index, true));
            }
        }
        for (index, call) in unanswered.iter().enumerate() {
            if !self.unanswered.contains(&index) {
                candidates.push((call, index, false));
            }
        }
        candidates.retain(|(call, ..)| call.asked < horizon);
        candidates.sort_by_key(|(call, ..)| std::cmp::Reverse(call.hint));
        candidates
            .into_iter()
            .filter_map(|(call, index, is_answered)| self.with(call, index, is_answered, answered))
            .collect()
    }

    /// The place after a call, where what it returned can be returned here.
    fn with(&self, call: &Call, index: usize, is_answered: bool, all: &[Call]) -> Option<Place> {
        let value = match &call.operation {
            Operation::Put(_, value) => Some(value.clone()),
            Operation::Delete(_) => None,
            Operation::Get(_) => self.value.clone(),
        };
        let returned = match &call.operation {
            Operation::Get(_) => value.clone().map_or(Outcome::NotFound, Outcome::Found),
            _ => Outcome::Written,
        };
        if call.answer.as_ref().is_some_and(|(_, outcome)| *outcome != returned) {
            return None;
        }
        let mut next = Place { value, ..self.clone() };
        if is_answered {
            next.beyond.insert(index);
            while next.first < all.len() && next.beyond.remove(&next.first) {
                next.first += 1;
            }
        } else {
            next.unanswered.insert(index);
        }
        Some(next)
    }
}
