//! Lessons on the screen: going on and back, answering, leaving and returning.

use epaxos_tui::lesson::{LESSONS, Lesson};
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::tui::app::{Action, App};
use epaxos_tui::tui::deed::Screen;
use epaxos_tui::tui::theme::Theme;

use crate::drive::Drive;

const LARGE: (u16, u16) = (120, 40);
const SMALL: (u16, u16) = (80, 24);

/// A screen on which a lesson is taken, or on which one can be chosen.
pub fn learning(chosen: Option<usize>, size: (u16, u16)) -> Drive {
    let mut drive = Drive::new(size);
    let lessons = LESSONS
        .iter()
        .map(|source| (source.name.to_owned(), Lesson::parse(source.text).expect(source.name)));
    let app = App::new(Shape::new(5), Theme::Dark, false, true);
    drive.app = app.learning(lessons.collect(), chosen);
    drive.act(Action::Resize(size.0, size.1));
    drive
}

/// What the lesson has to say, where all of it fits.
fn shown(drive: &Drive, text: &str) {
    let screen = drive.text();
    assert!(screen.contains(text), "no {text}:\n{screen}");
}

fn step(drive: &Drive) -> usize {
    drive.app.course().expect("a lesson").page
}

#[test]
fn every_lesson_is_gone_through_and_back_with_the_right_answers() {
    for (index, source) in LESSONS.iter().enumerate() {
        let mut drive = learning(Some(index), LARGE);
        let steps = drive.app.course().expect(source.name).lesson.steps.clone();
        for (number, step) in steps.iter().enumerate() {
            let at = drive.app.times.place().1;
            shown(&drive, &format!("step {} of {}", number + 1, steps.len()));
            assert_eq!(drive.app.view.log.len(), at);
            if let Some(question) = &step.question {
                let right = question.choices.iter().position(|choice| choice.right).unwrap();
                drive.press(["a", "b", "c", "d", "e"][right]);
                shown(&drive, "Right.");
            }
            drive.press("n");
        }
        let questions = steps.iter().filter(|step| step.question.is_some()).count();
        shown(&drive, &format!("Your score: {questions} of {questions}"));
        let end = drive.app.view.log.len();
        for number in (0..steps.len()).rev() {
            drive.press("p");
            assert_eq!(step(&drive), number);
        }
        assert!(drive.app.view.log.len() < end || end == 0);
        // Answers stay given.
        shown(&drive, &format!("score {questions} of {questions}"));
        assert!(drive.app.checks.violations().is_empty(), "{}", source.name);
    }
}

#[test]
fn what_comes_next_is_not_given_away_and_what_was_is_known_again() {
    let mut drive = learning(Some(0), LARGE);
    assert_eq!(drive.app.times.branch().len(), 0);
    drive.press("n b n");
    let (seen, at) = (drive.text(), drive.app.times.place());
    assert_eq!(drive.app.times.branch().len(), at.1);
    drive.press("a n");
    assert!(drive.app.times.branch().len() > at.1);
    drive.press("p");
    assert_eq!(drive.app.times.place(), at);
    // The answer is there now, and the rest of the screen as it was.
    let lanes = |text: &str| -> Vec<String> {
        let beside = |line: &str| line.chars().skip(64).collect::<String>().replace('►', " ");
        text.lines().skip(2).map(beside).collect()
    };
    let (before, after) = (lanes(&seen), lanes(&drive.text()));
    assert_eq!(before[..30], after[..30]);
}

#[test]
fn a_question_is_asked_for_once_and_then_passed() {
    let mut drive = learning(Some(0), LARGE);
    drive.press("n");
    assert_eq!(step(&drive), 1);
    drive.press("Enter");
    assert_eq!(step(&drive), 1);
    shown(&drive, "answer with a, b or c, or go on without an answer");
    drive.press("d");
    shown(&drive, "answer with a, b or c");
    drive.press("Enter");
    assert_eq!(step(&drive), 2);
    drive.press("p c a");
    shown(&drive, "the first answer counts");
    shown(&drive, "score 0 of 4");
    shown(&drive, "Not quite.");
}

#[test]
fn whoever_tries_something_leaves_the_lesson_and_returns_to_it() {
    let mut drive = learning(Some(0), LARGE);
    drive.press("n b n");
    let at = drive.app.times.place();
    drive.press(":");
    drive.type_in("put x 7 @R4");
    drive.press("Enter Esc");
    assert_ne!(drive.app.times.place().0, at.0);
    shown(&drive, "You are trying something of your own, in b2.");
    drive.press("1 n n");
    assert_eq!(drive.app.screen, Screen::Cockpit);
    assert!(!drive.app.is_in_lesson());
    drive.press("9");
    assert_eq!((drive.app.screen, drive.app.times.place()), (Screen::Lesson, at));
    // The same at its last step, where nothing more is known.
    drive.press("n n n n n n n n");
    let at = drive.app.times.place();
    drive.press("2 :");
    drive.type_in("put x 8");
    drive.press("Enter Esc");
    assert_ne!(drive.app.times.place().0, at.0);
    drive.press("L");
    assert_eq!(drive.app.times.place(), at);
    // A branch that was deleted is made again.
    drive.press(":");
    drive.type_in("delete-branch b2");
    drive.press("Enter :");
    drive.type_in("delete-branch b3");
    drive.press("Enter :");
    drive.type_in("delete-branch fast-path");
    drive.press("Enter Esc L");
    assert!(drive.app.is_in_lesson(), "{}", drive.text());
}

#[test]
fn lessons_are_chosen_from_a_list_and_taken_up_again() {
    let mut drive = learning(None, SMALL);
    shown(&drive, "Lessons");
    drive.press("j j Enter");
    assert_eq!(drive.app.course().expect("a lesson").index, 2);
    drive.press("n");
    assert_eq!(step(&drive), 0, "there is a question");
    drive.press("b n Esc");
    assert!(drive.app.course().is_none());
    drive.press("Enter");
    assert_eq!(step(&drive), 1);
    drive.press("l k Enter");
    assert_eq!((drive.app.course().expect("a lesson").index, step(&drive)), (1, 0));
    // Or with the mouse: a click selects, a second one takes.
    drive.press("l");
    let (column, row) = drive.find("Why two ballots").expect("a row");
    drive.click(column, row);
    assert!(drive.app.course().is_none());
    drive.click(column, row);
    assert_eq!(drive.app.course().expect("a lesson").index, 7);
}

#[test]
fn all_of_a_lesson_is_reached_on_a_small_screen() {
    for (index, source) in LESSONS.iter().enumerate() {
        let mut drive = learning(Some(index), SMALL);
        drive.app.ascii = true;
        while let Some(step) = drive.app.course().and_then(|it| it.step()).cloned() {
            if let Some(question) = &step.question {
                drive.press("a");
                // The explanation is in sight.
                let last = question.because.rsplit(' ').next().expect("a word");
                shown(&drive, last);
                drive.press("g");
            }
            let screen = drive.text();
            assert!(screen.is_ascii(), "{}: {screen}", source.name);
            assert!(screen.contains("9 Lesson"), "{screen}");
            drive.press("n");
        }
    }
}
