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
    /// How many requests there were that are not looked at: a run that goes on and on is too long.
    passed_over: usize,
}

impl History {
    /// How many requests there are.
    pub(super) fn len(&self) -> usize {
        self.calls.len() + self.passed_over
    }

    /// Keeps no history that nobody is going to look at any more, in a run that lets go of its own.
    /// Says whether it does.
    pub(super) fn shorten(&mut self) -> bool {
        let too_long = self.passed_over > 0 || self.calls.len() > CALLS_MAX;
        if too_long {
            self.passed_over += self.calls.len();
            self.calls.clear();
        }
        too_long
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
            // It may have taken effect, or not.
            Fact::Replied { outcome: Outcome::Unknown, .. } => {}
            Fact::Replied { command, outcome } => {
                if let Some((_, answer @ None)) = self.calls.get_mut(*command) {
                    *answer = Some((self.clock, (*outcome).clone()));
                }
            }
            _ => {}
        }
    }

    pub(super) fn finish(&self, executions: &Executions, report: &mut Report) {
        if self.passed_over > 0 {
            return;
        }
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
            let sentence = match verdict(calls) {
                Verdict::Linearizable => continue,
                Verdict::NotLinearizable => {
                    format!("no order of the operations on {key} explains what clients were told")
                }
                Verdict::Unknown => format!(
                    "after {DEAD_ENDS_MAX} dead ends, no order of the operations on {key} was found \
                     that explains what clients were told"
                ),
            };
            report.violation(Property::Linearizability, None, None, sentence);
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

/// What a search for an order comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is one.
    Linearizable,
    /// There is none.
    NotLinearizable,
    /// None was found before the search became too long.
    Unknown,
}

/// Whether a single register, empty at first, could have answered all these calls as they were.
pub fn verdict(mut calls: Vec<Call>) -> Verdict {
    calls.sort_by_key(|call| call.asked);
    // A read without an answer explains nothing and can always be left out.
    calls.retain(|call| call.answer.is_some() || call.operation.is_write());
    Search::new(&calls).run()
}

/// A store of one key: its value, if it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Register(Option<Value>);

/// A search under way: an order of some of the calls, to which one more is added or from which the last
/// one is taken back.
struct Search<'a> {
    /// In the order in which they were asked for.
    calls: &'a [Call],
    /// Their numbers, the lowest hint first.
    by_hint: Vec<usize>,
    /// The numbers of those that were answered, in the order of the answers.
    by_answer: Vec<usize>,
    placed: Vec<bool>,
    /// How many answered ones have no place yet.
    left: usize,
    /// All before this place of `by_hint` have one; and of `by_answer`.
    hint_from: usize,
    answer_from: usize,
    register: Register,
}

/// One step of the search, with what it takes to go back.
struct Frame {
    /// The call that was placed, none at the beginning.
    call: Option<usize>,
    hint_from: usize,
    answer_from: usize,
    register: Register,
    /// Which place of `by_hint` to try next, after this one.
    next: usize,
}

/// A set of placed calls and the register after them: from there on, how it came to be does not matter.
/// The set is given by the first call without a place, and the placed ones after that.
type Situation = (usize, Vec<usize>, Register);

impl<'a> Search<'a> {
    fn new(calls: &'a [Call]) -> Self {
        let mut by_hint: Vec<_> = (0..calls.len()).collect();
        by_hint.sort_by_key(|index| calls[*index].hint);
        let answered = |index: &usize| calls[*index].answer.is_some();
        let mut by_answer: Vec<_> = (0..calls.len()).filter(answered).collect();
        by_answer.sort_by_key(|index| calls[*index].answer.as_ref().map(|(when, _)| *when));
        Self {
            calls,
            by_hint,
            placed: vec![false; calls.len()],
            left: by_answer.len(),
            by_answer,
            hint_from: 0,
            answer_from: 0,
            register: Register::default(),
        }
    }

    fn run(mut self) -> Verdict {
        let register = Register::default();
        let root = Frame { call: None, hint_from: 0, answer_from: 0, register, next: 0 };
        let mut path = vec![root];
        let mut dead_ends: BTreeSet<Situation> = BTreeSet::new();
        while self.left > 0 {
            let from = path.last().expect("the root is taken off last").next;
            let Some((position, register)) = self.next(from) else {
                dead_ends.insert(self.situation());
                let frame = path.pop().expect("the root is taken off last");
                let Some(call) = frame.call else { return Verdict::NotLinearizable };
                self.take_back(call, frame);
                if dead_ends.len() > DEAD_ENDS_MAX {
                    return Verdict::Unknown;
                }
                continue;
            };
            path.last_mut().expect("the root is taken off last").next = position + 1;
            let frame = self.place(self.by_hint[position], register);
            if !dead_ends.is_empty() && dead_ends.contains(&self.situation()) {
                let call = frame.call.expect("it was just placed");
                self.take_back(call, frame);
            } else {
                path.push(frame);
            }
        }
        Verdict::Linearizable
    }

    /// The first call, from a place of `by_hint` on, that may come next, with the register after it.
    fn next(&mut self, from: usize) -> Option<(usize, Register)> {
        while self.by_hint.get(self.hint_from).is_some_and(|index| self.placed[*index]) {
            self.hint_from += 1;
        }
        while self.by_answer.get(self.answer_from).is_some_and(|index| self.placed[*index]) {
            self.answer_from += 1;
        }
        // Nothing comes next that was asked for after another one had been answered that has no place.
        let first = self.by_answer.get(self.answer_from).map(|index| &self.calls[*index]);
        let horizon =
            first.and_then(|call| call.answer.as_ref()).map_or(u64::MAX, |(when, _)| *when);
        (from.max(self.hint_from)..self.by_hint.len()).find_map(|position| {
            let index = self.by_hint[position];
            let call = &self.calls[index];
            let may = !self.placed[index] && call.asked < horizon;
            may.then(|| self.after(call)).flatten().map(|register| (position, register))
        })
    }

    /// The register after a call, where that can be answered here as it was.
    fn after(&self, call: &Call) -> Option<Register> {
        let (register, returned) = match &call.operation {
            Operation::Put(_, value) => (Register(Some(value.clone())), Outcome::Written),
            Operation::Delete(_) => (Register(None), Outcome::Written),
            Operation::Get(_) => {
                let Register(value) = &self.register;
                let returned = value.clone().map_or(Outcome::NotFound, Outcome::Found);
                (self.register.clone(), returned)
            }
        };
        let agrees = call.answer.as_ref().is_none_or(|(_, outcome)| *outcome == returned);
        agrees.then_some(register)
    }

    fn place(&mut self, call: usize, register: Register) -> Frame {
        self.placed[call] = true;
        self.left -= usize::from(self.calls[call].answer.is_some());
        let register = std::mem::replace(&mut self.register, register);
        let (hint_from, answer_from) = (self.hint_from, self.answer_from);
        Frame { call: Some(call), hint_from, answer_from, register, next: 0 }
    }

    fn take_back(&mut self, call: usize, frame: Frame) {
        self.placed[call] = false;
        self.left += usize::from(self.calls[call].answer.is_some());
        (self.hint_from, self.answer_from) = (frame.hint_from, frame.answer_from);
        self.register = frame.register;
    }

    fn situation(&self) -> Situation {
        let first = self.placed.iter().position(|placed| !placed).unwrap_or(self.placed.len());
        let beyond = (first..self.placed.len()).filter(|index| self.placed[*index]).collect();
        (first, beyond, self.register.clone())
    }
}

/// How many requests are remembered of a run that lets go of what is over: more than anybody would
/// search for an order of.
const CALLS_MAX: usize = 100_000;

/// How often the search may be stuck. With the right hints it never is.
const DEAD_ENDS_MAX: usize = 100_000;
