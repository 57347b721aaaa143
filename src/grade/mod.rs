//! Grading: somebody else's replicas are led through scenarios, and held to what these expect.
//!
//! Nothing is known of such replicas but that they speak `epaxos.v1`. So they are looked at from outside.
//! Between them stand `relays`, which they take for each other: all that they say passes there, and can
//! be held, doubled and lost as in any other world. What a replica says of itself is taken for what it
//! did (`hearsay`); what goes on inside it is not seen. [`outside`] makes a world of this, on which the
//! same commands act as on every other one, and `processes` starts the replicas and kills them.
//!
//! A scenario is a [lesson](crate::lesson): its commands are carried out, and its claims are judged, those
//! excepted that speak of what cannot be seen.

mod calls;
mod hearsay;
pub mod outside;
mod processes;
mod relays;
pub mod tether;

use std::fmt;

use serde_json::{Value, json};

pub use crate::grade::processes::kill_all;

use crate::grade::outside::Outside;
use crate::lesson::expectation::Expectation;
use crate::lesson::{Lesson, Step};
use crate::script::session::Session;
use crate::script::world::World;

/// What became of an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It held.
    Held,
    /// It did not, for this reason.
    NotHeld(String),
    /// It speaks of something that cannot be seen from outside.
    NotSeen,
}

/// An expectation, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Its line in the scenario, from 1.
    pub line: usize,
    /// What was expected, as it is written.
    pub expected: String,
    /// What became of it.
    pub verdict: Verdict,
}

/// What was found in one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The title of the scenario.
    pub title: String,
    /// The expectations that were come to, in order.
    pub judged: Vec<Judged>,
    /// What was heard in each step, under its heading.
    pub trace: Vec<(String, Vec<String>)>,
    /// What must be true of every run and was not, in the words of those who looked on.
    pub violations: Vec<String>,
    /// The line of the command that could not be carried out, and why not. Nothing was done after it.
    pub stopped: Option<(usize, String)>,
}

impl Report {
    /// How many expectations held, did not, and could not be seen.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |is: fn(&Verdict) -> bool| {
            self.judged.iter().filter(|judged| is(&judged.verdict)).count()
        };
        (
            count(|verdict| *verdict == Verdict::Held),
            count(|verdict| matches!(verdict, Verdict::NotHeld(_))),
            count(|verdict| *verdict == Verdict::NotSeen),
        )
    }

    /// Whether nothing speaks against the replicas.
    pub fn is_passed(&self) -> bool {
        self.counts().1 == 0 && self.violations.is_empty() && self.stopped.is_none()
    }

    /// The report as JSON, of the scenario called `name`.
    pub fn to_json(&self, name: &str) -> Value {
        let judged = self.judged.iter().map(|Judged { line, expected, verdict }| {
            let (verdict, reason) = match verdict {
                Verdict::Held => ("held", None),
                Verdict::NotHeld(reason) => ("not held", Some(reason)),
                Verdict::NotSeen => ("not seen", None),
            };
            json!({"line": line, "expected": expected, "verdict": verdict, "reason": reason})
        });
        let stopped = self.stopped.as_ref();
        json!({
            "scenario": name,
            "title": self.title,
            "passed": self.is_passed(),
            "expectations": judged.collect::<Vec<_>>(),
            "violations": self.violations,
            "stopped": stopped.map(|(line, reason)| json!({"line": line, "reason": reason})),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Judged { line, expected, verdict } in &self.judged {
            match verdict {
                Verdict::Held => writeln!(f, "  held      line {line}: {expected}")?,
                Verdict::NotHeld(reason) => {
                    writeln!(f, "  NOT HELD  line {line}: {expected}\n            {reason}")?;
                }
                Verdict::NotSeen => {
                    writeln!(f, "  not seen  line {line}: {expected}")?;
                }
            }
        }
        for violation in &self.violations {
            writeln!(f, "  VIOLATED  {violation}")?;
        }
        if let Some((line, reason)) = &self.stopped {
            writeln!(f, "  STOPPED   line {line}: {reason}")?;
        }
        let (held, not_held, not_seen) = self.counts();
        write!(f, "  {held} held, {not_held} did not")?;
        if not_seen > 0 {
            write!(f, ", {not_seen} cannot be seen from outside")?;
        }
        if !self.violations.is_empty() {
            write!(f, "; what must be true of every run was violated")?;
        }
        f.write_str(if self.is_passed() { ": passed" } else { ": failed" })
    }
}

/// Leads a world through a scenario, and judges what it expects.
pub fn grade(scenario: &Lesson, world: &mut Outside) -> Report {
    let mut report = Report { title: scenario.title.clone(), ..Report::default() };
    let mut session = Session::default();
    // What the right answer to a question claims is claimed of the step after it.
    let mut answers: Vec<&Expectation> = Vec::new();
    for step in &scenario.steps {
        let said = match perform(step, &mut session, world) {
            Ok(said) => said,
            Err(stopped) => {
                report.trace.push((step.heading.clone(), world.take_trace()));
                report.stopped = Some(stopped);
                break;
            }
        };
        let trace = world.take_trace();
        report.trace.push((step.heading.clone(), trace.clone()));
        for expectation in answers.drain(..).chain(&step.expectations) {
            let verdict = judge(expectation, world, &said, &trace);
            let Expectation { line, .. } = *expectation;
            report.judged.push(Judged { line, expected: expectation.to_string(), verdict });
        }
        let choices = step.question.iter().flat_map(|question| &question.choices);
        answers
            .extend(choices.filter(|choice| choice.right).flat_map(|choice| &choice.expectations));
    }
    report.violations = world.violations();
    report
}

/// Carries out the commands of a step.
fn perform(
    step: &Step,
    session: &mut Session,
    world: &mut Outside,
) -> Result<Vec<String>, (usize, String)> {
    let mut said = Vec::new();
    for (line, command) in &step.commands {
        let lines = session.perform(world, command).and_then(|lines| {
            // Where nothing is paused everything moves, as it does where lessons are played.
            if !command.only_looks() && !world.view().gate.paused {
                world.settle()?;
            }
            Ok(lines)
        });
        said.extend(lines.map_err(|reason| (*line, reason))?);
    }
    Ok(said)
}

fn judge(
    expectation: &Expectation,
    world: &mut Outside,
    said: &[String],
    trace: &[String],
) -> Verdict {
    if expectation.looks_inside() {
        return Verdict::NotSeen;
    }
    match expectation.judge(world, said, trace) {
        Ok(Ok(())) => Verdict::Held,
        Ok(Err(reason)) | Err(reason) => Verdict::NotHeld(reason),
    }
}
