//! Asking why on the screen: the answer, its clauses, and where they lead.

use epaxos_tui::tui::app::Over;
use epaxos_tui::tui::deed::Screen;
use epaxos_tui::tui::layout::Pane;

use crate::drive::Drive;
use crate::graph;
use crate::stage::Stage;

const LARGE: (u16, u16) = (120, 40);

#[test]
fn why_is_answered_over_the_cockpit_and_closed_again() {
    let mut drive = Drive::conflict(LARGE);
    drive.press("Tab Tab");
    let before = drive.text();
    drive.press("w");
    assert!(matches!(drive.app.over, Some(Over::Why)));
    assert!(drive.text().contains("Why did R"), "{}", drive.text());
    drive.press("Esc");
    assert_eq!(drive.text(), before);
}

#[test]
fn every_clause_that_points_somewhere_leads_there() {
    for (stage, size) in [(Stage::conflict(), LARGE), (graph::blocked(), (80, 24))] {
        let mut drive = graph::shown(stage, size);
        drive.press("w");
        assert_eq!(drive.app.pane(), Pane::Why);
        let (_, questions, _) = drive.app.answer().expect("an answer");
        assert!(questions > 2);
        let mut led = 0;
        for question in 0..questions {
            let clauses = drive.app.answer().expect("an answer").2.clauses;
            for (index, clause) in clauses.iter().enumerate() {
                let mut other = graph::shown(
                    if size == LARGE { Stage::conflict() } else { graph::blocked() },
                    size,
                );
                other.press("w");
                (0..question).for_each(|_| other.press("l"));
                (0..index).for_each(|_| other.press("j"));
                other.press("Enter");
                let led_away = other.app.screen != Screen::Graph
                    || other.app.selected != drive.app.selected
                    || other.app.observer != drive.app.observer
                    || other.text().contains("points to nothing")
                    || clause.link.is_some();
                assert!(led_away, "{clause:?}");
                led += usize::from(clause.link.is_some());
            }
            drive.press("l");
        }
        assert!(led > 4, "{led} clauses led somewhere");
    }
}

#[test]
fn a_clause_leads_to_the_event_that_proves_it() {
    let mut drive = graph::shown(Stage::conflict(), LARGE);
    drive.press("/");
    drive.type_in("key:x");
    drive.press("Enter g w j");
    let answer = drive.app.answer().expect("an answer").2;
    let link = answer.clauses[1].link.expect("a proof");
    let epaxos_tui::explain::answer::Link::Entry(entry) = link else { panic!("{link:?}") };
    let asked = drive.app.selected;
    drive.press("Enter");
    assert_eq!(drive.app.screen, Screen::SpaceTime);
    assert_eq!(drive.app.space_time.entry(&drive.app.view).unwrap().id, entry);
    drive.press("Esc");
    assert_eq!((drive.app.screen, drive.app.pane()), (Screen::Graph, Pane::Why));
    assert_eq!((drive.app.selected, drive.app.observer), (asked, None));
}

#[test]
fn a_question_typed_is_answered_at_once_and_a_bad_one_refused_in_place() {
    let mut drive = Drive::conflict(LARGE);
    drive.press(":");
    drive.type_in("why R0.0 before=R4.0");
    drive.press("Enter");
    assert!(
        drive.text().contains("Why is R0.0"),
        "{:?} {}",
        drive.app.prompt.error(),
        drive.text()
    );
    drive.press("Esc :");
    drive.type_in("why R0.0 medium");
    drive.press("Enter");
    assert!(drive.app.prompt.error().is_some());
    drive.press("C-u");
    drive.type_in("why R9.0");
    drive.press("Enter");
    let refused = drive.app.prompt.error().map(|error| error.sentence.clone());
    assert!(refused.is_some_and(|sentence| sentence.contains("R9")), "{}", drive.text());
}

#[test]
fn a_message_on_its_way_is_asked_about() {
    let mut drive = Drive::with(Stage::held(), LARGE);
    drive.press("2 j w");
    assert!(drive.text().contains("held"), "{}", drive.text());
}
