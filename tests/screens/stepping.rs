//! Going on step by step: what is played, what is marked, what is foretold, where it stops.

use std::time::Duration;

use epaxos_tui::script::world::Next;
use epaxos_tui::tui::app::Action;
use epaxos_tui::tui::deed::Screen;
use ratatui::style::Modifier;

use crate::drive::Drive;
use crate::stage::Stage;

const LARGE: (u16, u16) = (120, 40);

fn steps(drive: &Drive) -> u64 {
    drive.stage.view().log.len()
}

fn tick(drive: &mut Drive, milliseconds: u64) {
    drive.act(Action::Tick(Duration::from_millis(milliseconds)));
}

#[test]
fn a_paused_world_is_played_at_the_chosen_rate_until_it_is_quiet() {
    let mut drive = Drive::with(Stage::of(&["pause", "put x 1"]), LARGE);
    drive.press("s");
    let at_first = steps(&drive);
    tick(&mut drive, 1_000);
    assert_eq!(steps(&drive), at_first + 1, "the first step is taken at once");
    tick(&mut drive, 1_200);
    assert_eq!(steps(&drive), at_first + 1);
    tick(&mut drive, 1_500);
    assert_eq!(steps(&drive), at_first + 2);
    drive.press("> >");
    assert!(drive.text().contains("playing at 10 steps/s"));
    tick(&mut drive, 1_600);
    tick(&mut drive, 1_700);
    assert_eq!(steps(&drive), at_first + 4);
    for beat in 0..30 {
        tick(&mut drive, 2_000 + 100 * beat);
    }
    assert!(drive.text().contains("nothing is left to deliver"));
    assert!(!drive.app.play.on && drive.app.pace().is_none());
}

#[test]
fn a_world_that_runs_is_paused_to_be_played_and_stopped_by_the_same_key() {
    let mut drive = Drive::new(LARGE);
    drive.press("s");
    assert!(drive.app.view.gate.paused && drive.app.play.on);
    drive.press("s");
    assert!(!drive.app.play.on);
    drive.press("< < < < < < <");
    assert!(drive.text().contains("plays at 1 step in 4s"));
}

#[test]
fn a_round_delivers_what_is_held_and_quiet_all_that_comes_of_it() {
    let mut drive = Drive::with(Stage::of(&["pause", "put x 1", "put y 2 @R3"]), LARGE);
    let before = steps(&drive);
    drive.press("N");
    assert_eq!(steps(&drive), before + 4, "two PreAccepts of each");
    drive.press("T");
    assert!(drive.app.view.in_flight.is_empty());
    assert!(drive.text().contains("fast 2"));
}

#[test]
fn what_the_last_step_changed_is_marked_until_the_next() {
    let mut drive = Drive::held(LARGE);
    let marked = |drive: &Drive, text: &str, offset: u16| {
        let (x, y) = drive.find(text).expect(text);
        drive.buffer()[(x + offset, y)].modifier.contains(Modifier::UNDERLINED)
    };
    drive.press("Enter");
    let first = drive.app.view.log.iter().next_back().unwrap().step.replica;
    assert!(marked(&drive, &format!("{first}*"), 0), "{}", drive.text());
    drive.press("Enter");
    let second = drive.app.view.log.iter().next_back().unwrap().step.replica;
    assert_ne!(first, second);
    assert!(marked(&drive, &format!("{second}*"), 0));
    assert!(drive.find(&format!("{first}*")).is_none(), "{}", drive.text());
    // While everything moves, nothing is marked.
    drive.press("Space");
    assert!(drive.find(&format!("{second}*")).is_none());
}

#[test]
fn the_cursor_on_a_message_foretells_what_comes_of_it_and_it_comes() {
    let mut drive = Drive::held(LARGE);
    for _ in 0..12 {
        let Some(next) = drive.app.next_at_hand() else { break };
        let foretold = drive.app.preview.of(next).expect("a preview").to_vec();
        let before = drive.app.view.traced;
        drive.press("Enter");
        let view = &drive.app.view;
        let lines: Vec<String> =
            view.trace.iter().filter(|line| line.n >= before).map(ToString::to_string).collect();
        // What follows by itself, since a rule holds it no more, is another step.
        assert_eq!(foretold[foretold.len() - lines.len()..], lines[..], "{foretold:#?}");
    }
}

#[test]
fn looking_at_what_would_happen_lets_nothing_happen() {
    let mut drive = Drive::held(LARGE);
    let before = steps(&drive);
    drive.press("j j j k G g j");
    assert_eq!(steps(&drive), before);
    drive.press("2 j j j j j j");
    assert!(matches!(drive.app.next_at_hand(), Some(Next::Deliver(_))));
    assert_eq!(steps(&drive), before);
}

#[test]
fn a_breakpoint_stops_the_world_says_which_it_was_and_shows_it() {
    let mut drive = Drive::new(LARGE);
    for line in ["break kind=Commit", "break key=z path=slow", "put x 1 @R1"] {
        drive.press("i");
        drive.type_in(line);
        drive.press("Enter Esc");
    }
    assert!(drive.app.view.gate.paused);
    assert!(drive.text().contains("break kind=commit at #"), "{}", drive.text());
    drive.press("2");
    assert_eq!(drive.app.screen, Screen::SpaceTime);
    let broke = drive.app.view.broke.clone().expect("it was met");
    assert_eq!(drive.app.space_time.entry(&drive.app.view).unwrap().id, broke.entry);
    assert!(drive.text().contains("Commit"));
}

#[test]
fn a_class_gets_more_room_a_slower_pace_and_a_sentence() {
    for size in [LARGE, (80, 24)] {
        let mut drive = Drive::with(Stage::held(), size);
        drive.press("2 V Enter");
        let rate = drive.app.play.rate();
        assert_eq!(rate, "1 step in 2s");
        drive.press("n");
        let entry = drive.app.view.log.iter().next_back().unwrap().clone();
        let told = epaxos_tui::explain::sentence(&drive.app.view, &entry);
        let first: Vec<&str> = told.split(' ').take(3).collect();
        assert!(drive.text().contains(&first.join(" ")), "{told}\n{}", drive.text());
        // While it is played, too.
        drive.press("s");
        tick(&mut drive, 10_000);
        assert!(drive.text().contains("PLAY"), "{}", drive.text());
        let entry = drive.app.view.log.iter().next_back().unwrap().clone();
        let told = epaxos_tui::explain::sentence(&drive.app.view, &entry);
        let first: Vec<&str> = told.split(' ').take(3).collect();
        assert!(drive.text().contains(&first.join(" ")), "{told}\n{}", drive.text());
        drive.press("s V");
        assert!(!drive.app.presenting);
    }
}
