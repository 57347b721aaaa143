//! `epaxos-tui learn`.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, anyhow};

use crate::cli::arguments::{LearnArguments, ScreenArguments};
use crate::cli::{Usage, monitor, print};
use crate::files::{Kind, read_text};
use crate::lesson::{LESSONS, Lesson, named};

/// Opens the monitor on a lesson, or lists lessons, or checks them.
pub fn run(arguments: &LearnArguments) -> anyhow::Result<()> {
    if arguments.list {
        return list();
    }
    if !arguments.check.is_empty() {
        return check(&arguments.check);
    }
    let (lessons, chosen) = match &arguments.lesson {
        None => (built_in()?, None),
        Some(word) => match named(word) {
            Some(index) => (built_in()?, Some(index)),
            None if is_number(word) => return Err(no_such(word)),
            None => (vec![(branch_name(word), read(word)?)], Some(0)),
        },
    };
    open(lessons, chosen, &arguments.screen)
}

/// The lessons of the program, with their names.
fn built_in() -> anyhow::Result<Vec<(String, Lesson)>> {
    let parsed = LESSONS.iter().map(|source| {
        let lesson = Lesson::parse(source.text).context(source.name)?;
        Ok((source.name.to_owned(), lesson))
    });
    parsed.collect()
}

/// What the run of a lesson in a file is called.
fn branch_name(file: &str) -> String {
    let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
    stem.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect()
}

fn open(
    lessons: Vec<(String, Lesson)>,
    chosen: Option<usize>,
    screen: &ScreenArguments,
) -> anyhow::Result<()> {
    // Whether it can be played is known before the terminal is taken over.
    if let Some((name, lesson)) = chosen.and_then(|index| lessons.get(index)) {
        lesson.play().with_context(|| name.clone())?;
    }
    let shape = lessons[chosen.unwrap_or(0)].1.shape.clone();
    monitor::look_at(screen, shape, |app| app.learning(lessons, chosen))
}

/// The lesson of a number, a name or a file.
pub(super) fn read(word: &str) -> anyhow::Result<Lesson> {
    let text = match named(word) {
        Some(index) => LESSONS[index].text.to_owned(),
        None if is_number(word) => return Err(no_such(word)),
        None => read_text(Path::new(word), Kind::Lesson)?,
    };
    Lesson::parse(&text).with_context(|| word.to_owned())
}

/// Whether a word is meant as the number of a lesson: no file has that name.
fn is_number(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit()) && !Path::new(word).exists()
}

fn no_such(number: &str) -> anyhow::Error {
    let last = LESSONS.len();
    Usage(format!("there is no lesson {number}; there are {last}, and --list lists them")).into()
}

fn list() -> anyhow::Result<()> {
    let mut lines = String::new();
    for (number, source) in (1..).zip(LESSONS) {
        let lesson = Lesson::parse(source.text).context(source.name)?;
        let (name, title) = (source.name, &lesson.title);
        let (steps, questions) = (lesson.steps.len(), lesson.questions());
        writeln!(lines, "{number}  {name:12} {title} ({steps} steps, {questions} questions)")?;
        writeln!(lines, "   {:12} {}", "", lesson.about)?;
    }
    Ok(print(&lines)?)
}

/// Checks each, and says of each what was found, also after one that is not true.
fn check(words: &[String]) -> anyhow::Result<()> {
    let mut wrong = 0;
    // Whether all are true does not depend on whether that can be printed.
    let mut printed = Ok(());
    for word in words {
        let found = read(word).and_then(|lesson| lesson.check().with_context(|| word.clone()));
        match found {
            Ok(report) => printed = printed.and_then(|()| print(&format!("{word}: {report}\n"))),
            Err(error) if words.len() == 1 => return Err(error),
            Err(error) => {
                wrong += 1;
                let sentence = format!("{}\n", super::sentence(&error));
                printed = printed.and_then(|()| print(&sentence));
            }
        }
    }
    match wrong {
        0 => Ok(printed?),
        1 => Err(anyhow!("1 lesson of {} is not true", words.len())),
        wrong => Err(anyhow!("{wrong} lessons of {} are not true", words.len())),
    }
}
