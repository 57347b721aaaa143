//! The lessons of the program are true, a lesson that is not is found out, and what is no lesson is
//! refused in a sentence.

mod document;

use epaxos_tui::lesson::play::Report;
use epaxos_tui::lesson::{LESSONS, Lesson, named};
use proptest::prelude::*;

fn checked(text: &str) -> Result<Report, String> {
    let lesson = Lesson::parse(text).map_err(|error| error.to_string())?;
    lesson.check().map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    checked(text).expect_err(text)
}

#[test]
fn every_lesson_is_true_and_asks_enough() {
    for source in LESSONS {
        let lesson = Lesson::parse(source.text).expect(source.name);
        let report = lesson.check().unwrap_or_else(|error| panic!("{}: {error}", source.name));
        assert!((6..=12).contains(&report.steps), "{}: {report}", source.name);
        assert!((2..=4).contains(&report.questions), "{}: {report}", source.name);
        assert!(report.answered >= 2, "{}: {report}", source.name);
        assert!(report.expectations >= report.steps, "{}: {report}", source.name);
        assert!(!lesson.about.is_empty(), "{}", source.name);
    }
}

#[test]
fn lessons_are_known_by_number_and_by_name() {
    assert_eq!(named("1"), Some(0));
    assert_eq!(named("two-ballots"), Some(7));
    for word in ["0", "9", "", "fast", "two-ballots.lesson"] {
        assert_eq!(named(word), None, "{word}");
    }
}

/// The lines of a text, one of them changed.
fn with_line(text: &str, number: usize, line: &str) -> String {
    let lines = text.lines().enumerate();
    let lines = lines.map(|(index, own)| if index + 1 == number { line } else { own });
    lines.collect::<Vec<_>>().join("\n")
}

/// Each claim of each lesson is there for something: none of them holds whatever happens.
#[test]
fn no_expectation_can_be_turned_round() {
    for source in LESSONS {
        let lesson = Lesson::parse(source.text).expect(source.name);
        for expectation in lesson.steps.iter().flat_map(|step| &step.expectations) {
            let own = source.text.lines().nth(expectation.line - 1).expect("a line");
            let (count, rest) = own.trim_start_matches("expect ").split_once(' ').expect("words");
            let turned = match count.parse::<usize>() {
                Ok(count) => format!("expect {} {rest}", count + 1),
                Err(_) if count == "no" => format!("expect {rest}"),
                Err(_) => format!("expect no {count} {rest}"),
            };
            // What said and trace are is one word, with a colon at its end.
            let error = refused(&with_line(source.text, expectation.line, &turned));
            let line = format!("line {}: ", expectation.line);
            assert!(error.starts_with(&line), "{}: {turned}: {error}", source.name);
        }
    }
}

#[test]
fn an_answer_that_is_marked_wrongly_is_found_out() {
    let mut turned = 0;
    for source in LESSONS {
        let lesson = Lesson::parse(source.text).expect(source.name);
        let questions = lesson.steps.iter().filter_map(|step| step.question.as_ref());
        for choice in questions.clone().flat_map(|question| &question.choices) {
            if choice.expectations.is_empty() {
                continue;
            }
            // All are turned round, so that there still are right ones and wrong ones.
            let question = questions.clone().find(|it| it.choices.contains(choice)).expect("one");
            let mut text = source.text.to_owned();
            for own in &question.choices {
                let sign = if own.right { '-' } else { '+' };
                text = with_line(&text, own.line, &format!("{sign} {}", own.text));
            }
            let error = refused(&text);
            assert!(error.contains("this is said to be "), "{}: {error}", source.name);
            turned += 1;
        }
    }
    assert!(turned > 50, "{turned} answers are told by the run");
}

const SMALL: &str = "\
# A title
replicas: 3
thrifty: no
reply-on: commit

What it is about.

## First
Told.
> put x 1
> settle
expect said: put x 1 = ok
? What next?
+ a read
  expect said: get x = 1
- a write
  expect said: put
= It was said.

## Second
Told again.
> get x @R2
> settle
";

#[test]
fn a_small_lesson_is_read_as_it_is_written() {
    let lesson = Lesson::parse(SMALL).expect("a lesson");
    assert_eq!((lesson.title.as_str(), lesson.about.as_str()), ("A title", "What it is about."));
    assert_eq!((lesson.shape.replicas(), lesson.shape.options.thrifty), (3, false));
    assert_eq!(lesson.steps.len(), 2);
    let report = lesson.check().expect("it is true");
    assert_eq!(
        report.to_string(),
        "2 steps, 4 commands, 1 expectation, 1 question (1 answered by the run): all of it holds"
    );
}

#[test]
fn what_does_not_hold_is_said_with_its_line() {
    for (from, to, reason) in [
        (
            "expect said: put x 1 = ok",
            "expect said: put x 1 = no",
            "line 12: \"put x 1 = no\" is in no line",
        ),
        (
            "expect said: put x 1 = ok",
            "expect 2 said: put",
            "is in one line of what was said, and not 2",
        ),
        (
            "expect said: get x = 1",
            "expect said: get x = 2",
            "line 14: this is said to be right, but then",
        ),
        ("expect said: put\n", "expect said: get\n", "line 16: this is said to be wrong, but all"),
        ("> get x @R2", "> get x @R3", "line 22: there is no R3; the replicas are R0 to R2"),
        ("> get x @R2", "> deliver R0-9", "line 22: no message R0-9 is on its way"),
        ("said: put x 1 = ok", "status R7.0: x", "line 12: there is no R7"),
    ] {
        assert!(SMALL.contains(from), "{from}");
        let error = refused(&SMALL.replacen(from, to, 1));
        assert!(error.contains(reason), "{to}: {error}");
    }
}

#[test]
fn what_is_no_lesson_is_refused_with_its_line() {
    for (from, to, reason) in [
        ("# A title", "A title", "line 1: a lesson begins with its title, after #"),
        ("# A title", "#", "line 1: a lesson needs words"),
        ("What it is about.", "# Another", "line 6: a lesson has one title"),
        ("replicas: 3", "replicas: 4", "line 2: a cluster has 3, 5, 7 or 9 replicas"),
        ("thrifty: no", "thrifty: maybe", "line 3: thrifty is yes or no"),
        ("reply-on: commit", "reply-on: never", "line 4: reply-on is execute or commit"),
        ("thrifty: no", "colour: red", "line 3: there is no setting \"colour\""),
        ("> put x 1", "> putt x 1", "line 10: there is no command 'putt'"),
        ("> put x 1", ">", "line 10: a command is missing after >"),
        ("expect said: put x 1 = ok", "expect said", "line 12: an expectation is written"),
        ("expect said: put x 1 = ok", "expect put x 2: ok", "\"put x 2\" does something"),
        ("expect said: put x 1 = ok", "expect help: put", "line 12: an expectation is written"),
        ("? What next?\n", "", "line 13: this belongs to a question, which begins with ?"),
        ("+ a read", "- a read", "line 13: none of the choices is right"),
        ("- a write", "+ a write", "line 13: every choice is right"),
        ("- a write\n  expect said: put\n", "", "line 13: a question has at least two choices"),
        ("= It was said.", "", "line 13: the explanation is missing, after ="),
        ("= It was said.", "= It was.\n= It was said.", "line 19: a question has one explanation"),
        ("= It was said.", "= It was.\n+ c", "line 19: a question ends its step"),
        ("= It was said.", "= It was.\n> run", "line 19: a question ends its step"),
        ("= It was said.", "= It was.\nMore.", "line 19: a question ends its step"),
        ("+ a read", "+ a\n+ b\n+ c\n+ d\n- e\n- f", "line 19: a question has 5 choices at most"),
        ("Told again.\n", "", "line 20: this step tells nothing"),
        ("## First\nTold.\n", "", "this belongs to a step, which begins with ##"),
    ] {
        assert!(SMALL.contains(from), "{from}");
        let error = refused(&SMALL.replacen(from, to, 1));
        assert!(error.contains(reason), "{to}: {error}");
    }
    let (first, _) = SMALL.split_once("## Second").expect("a second step");
    assert_eq!(refused(first), "line 15: there is no next step that could tell this");
    assert_eq!(refused(""), "line 1: a lesson begins with its title, after #");
    assert_eq!(refused("# T\n"), "line 1: a lesson has steps, each of which begins with ##");
}

/// The example of the document is a lesson, and a true one.
#[test]
fn the_example_of_the_document_is_true() {
    let document = document::read("lessons.md");
    let examples = document::blocks(&document, "lesson");
    let [example] = examples.as_slice() else { panic!("{} examples", examples.len()) };
    let report = checked(example).unwrap_or_else(|error| panic!("{error}\n{example}"));
    assert_eq!(document::blocks(&document, "checked"), [format!("mine.lesson: {report}")]);
}

proptest! {
    /// Whatever is cut out of a lesson or put into it, it is read or refused in a sentence.
    #[test]
    fn nothing_that_is_read_panics(
        which in 0..LESSONS.len(),
        from in 0usize..200,
        count in 0usize..20,
        line in "[#+=?>%a-z0-9 :-]{0,12}",
    ) {
        let lines: Vec<&str> = LESSONS[which].text.lines().collect();
        let from = from.min(lines.len());
        let to = (from + count).min(lines.len());
        let text = [&lines[..from], &[line.as_str()], &lines[to..]].concat().join("\n");
        if let Err(error) = Lesson::parse(&text) {
            prop_assert!(error.to_string().starts_with("line "));
        }
    }
}
