//! Lessons: runs that are told, with questions about what comes next.
//!
//! A lesson is a text that can be read as it is. Its commands are those of the script language and are
//! carried out in the simulator, its claims are held against the run, and so are the answers to its
//! questions where the run can tell. `docs/lessons.md` says how one is written.
//!
//! [`parse`] reads it, all of it before anything runs; [`expectation`] is what a line claims; [`play`]
//! plays it step by step, and says whether all that it claims is so.

pub mod expectation;
pub mod parse;
pub mod play;

use crate::lesson::expectation::Expectation;
use crate::observe::notice::Shape;
use crate::script::grammar::Command;

/// A lesson that is ready to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// What it is called.
    pub title: String,
    /// What it is about, in a sentence or two.
    pub about: String,
    /// The cluster in which it is played.
    pub shape: Shape,
    /// Its steps, at least one.
    pub steps: Vec<Step>,
}

/// A step: what happens, what is told of it, and what is asked about the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it begins in the text, from 1.
    pub line: usize,
    /// Its heading.
    pub heading: String,
    /// What is told, in paragraphs.
    pub narration: Vec<String>,
    /// What is done when the step begins, each with its line.
    pub commands: Vec<(usize, Command)>,
    /// What holds when that is done.
    pub expectations: Vec<Expectation>,
    /// What is asked at its end.
    pub question: Option<Question>,
}

/// A question with the answers that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its line.
    pub line: usize,
    /// The question.
    pub text: String,
    /// The answers, two to [`CHOICES_MOST`] of them.
    pub choices: Vec<Choice>,
    /// What is told once one was chosen.
    pub because: String,
}

/// An answer that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its line.
    pub line: usize,
    /// The answer.
    pub text: String,
    /// Whether it is right.
    pub right: bool,
    /// What holds after the next step if it is.
    pub expectations: Vec<Expectation>,
}

/// Why something is no lesson, or not a true one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LessonError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl LessonError {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }
}

impl Lesson {
    /// How many questions it asks.
    pub fn questions(&self) -> usize {
        self.steps.iter().filter(|step| step.question.is_some()).count()
    }
}

/// A lesson of the program: its name, and its text.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The name that it is chosen by.
    pub name: &'static str,
    /// The text.
    pub text: &'static str,
}

/// The lessons of the program, in the order in which they are best taken.
pub const LESSONS: [Source; 8] = [
    Source { name: "fast-path", text: include_str!("../../assets/lessons/1-fast-path.lesson") },
    Source { name: "conflict", text: include_str!("../../assets/lessons/2-conflict.lesson") },
    Source { name: "cycle", text: include_str!("../../assets/lessons/3-cycle.lesson") },
    Source { name: "reads", text: include_str!("../../assets/lessons/4-reads.lesson") },
    Source { name: "thrifty", text: include_str!("../../assets/lessons/5-thrifty.lesson") },
    Source { name: "crash", text: include_str!("../../assets/lessons/6-crash.lesson") },
    Source { name: "match", text: include_str!("../../assets/lessons/7-match.lesson") },
    Source { name: "two-ballots", text: include_str!("../../assets/lessons/8-two-ballots.lesson") },
];

/// The index of the lesson of a name or a number, from 1.
pub fn named(word: &str) -> Option<usize> {
    let number = word.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let number = number.filter(|number| *number < LESSONS.len());
    number.or_else(|| LESSONS.iter().position(|source| source.name == word))
}

/// How many answers a question may offer: one for each letter from `a` to `e`.
pub const CHOICES_MOST: usize = 5;
