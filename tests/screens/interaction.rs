//! What keys, clicks and typed lines bring about.

use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::observe::filter::Filter;
use epaxos_tui::tui::app::{Action, Deliverable, Effect, Mode, Over};
use epaxos_tui::tui::deed::{Deed, Screen};
use epaxos_tui::tui::layout::Pane;
use proptest::prelude::*;

use crate::calm::calmly;
use crate::drive::Drive;
use crate::picture;
use crate::stage::Stage;

use crate::{LARGE, SMALL};

/// The selected message's name.
fn selected(drive: &Drive) -> String {
    match drive.app.deliverables.selected() {
        Some(Deliverable::Message(id)) => id.to_string(),
        other => panic!("no message is selected but {other:?}"),
    }
}

#[test]
fn a_command_typed_is_carried_out_and_answered() {
    let mut drive = Drive::new(SMALL);
    drive.press("i");
    drive.type_in("put x 1");
    drive.press("Enter");
    assert!(drive.text().contains("put x 1 = ok"), "{}", drive.text());
    drive.type_in("@R3");
    drive.press("Enter");
    drive.type_in("get x");
    drive.press("Enter");
    assert!(drive.text().contains("get x = 1"), "{}", drive.text());
    assert_eq!(drive.app.at, ReplicaId(3));
    assert!(drive.text().contains("R3>"));
}

#[test]
fn the_message_that_is_seen_is_the_one_delivered() {
    let mut stage = Stage::new(3);
    stage.run(&["pause", "put x 1", "dup R0-0"]);
    let mut drive = Drive::with(stage, LARGE);
    // The twin is equal to the first in everything but its name.
    drive.press("j");
    assert_eq!(selected(&drive), "R0-0/1");
    drive.press("Enter");
    let left: Vec<_> =
        drive.stage.view().in_flight.iter().map(|flight| flight.envelope.id).collect();
    assert!(left.iter().any(|id| id.to_string() == "R0-0"));
    assert!(left.iter().all(|id| id.to_string() != "R0-0/1"));
}

#[test]
fn a_row_stays_selected_while_rows_before_it_go() {
    let mut drive = Drive::held(LARGE);
    drive.press("j");
    let before = selected(&drive);
    drive.press("n");
    assert_eq!(selected(&drive), before);
    drive.press("d");
    assert_ne!(selected(&drive), before, "it was dropped");
}

#[test]
fn a_timer_that_nobody_selected_gives_way_to_messages() {
    let mut stage = Stage::new(3);
    stage.run(&["pause", "put x 1"]);
    let mut drive = Drive::with(stage, LARGE);
    drive.press("d");
    assert_eq!(drive.app.deliverables.selected(), Some(Deliverable::Timer(ReplicaId(0))));
    drive.press("i");
    drive.type_in("put y 2 @R1");
    drive.press("Enter Esc");
    assert_eq!(selected(&drive), "R1-0");
    drive.press("G");
    let timer = drive.app.deliverables.selected();
    assert_eq!(timer, Some(Deliverable::Timer(ReplicaId(1))));
    drive.press("i");
    drive.type_in("put z 3 @R2");
    drive.press("Enter Esc");
    assert_eq!(drive.app.deliverables.selected(), timer, "this one was selected by hand");
}

#[test]
fn timers_of_paused_replicas_are_fired_by_hand() {
    let mut drive = Drive::held(LARGE);
    drive.press("G");
    assert_eq!(drive.app.deliverables.selected(), Some(Deliverable::Timer(ReplicaId(4))));
    let steps = drive.stage.view().log.len();
    drive.press("d");
    assert!(drive.text().contains("a timer can only be fired"));
    drive.press("Enter");
    assert!(drive.stage.view().log.len() > steps);
}

#[test]
fn keys_hold_release_pause_and_run() {
    let mut drive = Drive::held(LARGE);
    drive.press("r");
    assert!(drive.stage.view().gate.holds.is_empty());
    drive.press("h");
    assert_eq!(drive.stage.view().gate.holds.len(), 1);
    drive.press("r Space");
    assert!(!drive.stage.view().gate.paused);
    assert!(drive.text().contains("RUN"));
    drive.press("Space");
    assert!(drive.text().contains("PAUSED"));
    drive.press("n");
    assert!(drive.text().contains("! no message is held"), "{}", drive.text());
}

#[test]
fn scrolling_back_stops_following_and_the_end_resumes_it() {
    let mut drive = Drive::conflict(LARGE);
    drive.press("Tab");
    assert_eq!(drive.app.pane(), Pane::Trace);
    assert!(drive.app.trace.follow);
    drive.press("k k");
    assert!(!drive.app.trace.follow);
    let seen = drive.app.trace.selected(&drive.app.view).map(|line| line.n);
    drive.press("i");
    drive.type_in("put z 1");
    drive.press("Enter Esc");
    assert_eq!(drive.app.trace.selected(&drive.app.view).map(|line| line.n), seen);
    drive.press("G");
    assert!(drive.app.trace.follow);
}

#[test]
fn the_filter_narrows_while_it_is_typed() {
    let mut drive = Drive::conflict(LARGE);
    let all = drive.app.trace.len(&drive.app.view);
    drive.press("Tab /");
    drive.type_in("event:status");
    let some = drive.app.trace.len(&drive.app.view);
    assert!(0 < some && some < all);
    drive.press("Enter");
    assert_eq!((drive.app.mode, drive.app.trace.len(&drive.app.view)), (Mode::Normal, some));
    drive.press("i");
    drive.type_in("put x 3");
    drive.press("Enter Esc");
    assert!(drive.app.trace.len(&drive.app.view) > some, "new lines pass the filter too");
    drive.press("Esc");
    assert!(!drive.app.trace.is_filtered());
}

#[test]
fn the_palette_does_what_is_chosen_and_loses_no_key() {
    let mut drive = Drive::held(LARGE);
    drive.press("?");
    drive.type_in("go to the metrics");
    drive.press("Enter");
    assert_eq!(drive.app.screen, Screen::Metrics);
    drive.press("?");
    drive.type_in(":burst");
    drive.press("Enter");
    assert_eq!((drive.app.mode, drive.app.prompt.text()), (Mode::Prompt, "burst "));
    for (typed, done) in [("run", false), ("pause", true), ("hold", true)] {
        drive.press("Esc ?");
        drive.type_in(typed);
        drive.press("Enter");
        assert_eq!(drive.stage.view().gate.paused, done, "{typed} needs no more words");
    }
    assert!(drive.stage.view().gate.holds.iter().any(Filter::is_any));
    drive.press("i F1");
    assert!(matches!(drive.app.over, Some(Over::Palette(_))), "also while text is typed");
}

/// Of what is said of an instance, the table and the start of the picture are seen beside the rest.
#[test]
fn an_instance_is_explained_without_scrolling() {
    let mut drive = Drive::conflict(LARGE);
    drive.press("BackTab k");
    let text = drive.text();
    for part in ["┌ Instance R0.0", "DIFFERENT", "committed alike at 5 of 5", "[R0.0 X]"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_palette_offers_only_what_can_be_done() {
    let offers = |drive: &Drive, deed: Deed| drive.app.can(deed);
    let drive = Drive::new(LARGE);
    assert!(!offers(&drive, Deed::Drop) && !offers(&drive, Deed::Step));
    let drive = Drive::held(LARGE);
    assert!(offers(&drive, Deed::Drop) && offers(&drive, Deed::Step));
}

#[test]
fn output_of_several_lines_can_be_read() {
    let mut drive = Drive::new(SMALL);
    drive.press("i");
    drive.type_in("help");
    drive.press("Enter");
    assert!(matches!(drive.app.over, Some(Over::Output(_))));
    let first = drive.text();
    drive.press("G");
    assert_ne!(drive.text(), first);
    drive.press("g");
    assert_eq!(drive.text(), first);
    drive.press("Esc");
    assert!(drive.app.over.is_none());
    assert_eq!(drive.app.mode, Mode::Prompt, "one level back only");
}

#[test]
fn escape_never_quits_and_control_c_always_does() {
    let mut drive = Drive::conflict(SMALL);
    drive.press("6 f i Esc Esc Esc Esc Esc Esc");
    assert_eq!(drive.effects, []);
    drive.press("i ? C-c");
    assert_eq!(drive.effects, [Effect::Quit]);
    drive.press("Esc q C-z C-l");
    assert_eq!(drive.effects[1..], [Effect::Quit, Effect::Suspend, Effect::Redraw]);
}

/// Esc and a key that come at once reach the program as Alt with that key.
#[test]
fn escape_and_a_key_at_once_are_two_keys() {
    let mut drive = Drive::new(SMALL);
    drive.press("i");
    drive.type_in("put x");
    drive.press("A-q");
    assert_eq!((drive.app.mode, &drive.effects[..]), (Mode::Normal, &[Effect::Quit][..]));
    drive.press("i A-b A-d");
    assert_eq!((drive.app.mode, drive.app.prompt.text()), (Mode::Prompt, "put "));
}

#[test]
fn pasted_commands_are_carried_out_together_or_not_at_all() {
    let mut drive = Drive::new(SMALL);
    drive.act(Action::Paste("put x 1\rput y 2\r".to_owned()));
    assert_eq!(drive.stage.view().total().proposals, 2);
    drive.act(Action::Paste("put x 3\nputt x 4\n".to_owned()));
    assert_eq!(drive.stage.view().total().proposals, 2);
    assert_eq!(drive.app.prompt.text(), "putt x 4");
    assert!(drive.text().contains("line 2 of 2 pasted"), "{}", drive.text());
}

#[test]
fn a_refused_line_stays_at_the_prompt() {
    let mut drive = Drive::new(SMALL);
    drive.press("i");
    drive.type_in("put ключ");
    drive.press("Enter");
    assert_eq!(drive.app.prompt.text(), "put ключ");
    assert!(drive.text().contains("<VALUE>"));
    drive.type_in(" ценность");
    drive.press("Enter");
    assert_eq!(drive.app.prompt.text(), "");
    assert_eq!(drive.stage.view().total().proposals, 1);
}

#[test]
fn a_click_selects_and_a_second_one_delivers() {
    let mut drive = Drive::held(LARGE);
    let (column, row) = drive.find("R2-0").expect("it is held");
    let steps = drive.stage.view().log.len();
    drive.click(column, row);
    assert_eq!((selected(&drive).as_str(), drive.stage.view().log.len()), ("R2-0", steps));
    drive.click(column, row);
    assert_eq!(drive.stage.view().log.len(), steps + 1);
    let (column, row) = drive.find("5 Store").expect("a tab");
    drive.click(column, row);
    assert_eq!(drive.app.screen, Screen::Store);
    drive.press("1");
    let (column, row) = drive.find("PP").expect("an instance's cell");
    drive.click(column, row);
    assert_eq!(drive.app.pane(), Pane::Instances);
    assert_eq!(drive.app.selected.map(|selected| selected.to_string()).as_deref(), Some("R0.0"));
}

#[test]
fn place_and_selection_survive_other_screens_and_sizes() {
    let mut drive = Drive::held(LARGE);
    drive.press("j j");
    let (before, text) = (selected(&drive), drive.text());
    drive.press("2 3 4 5 6 7 8 1");
    drive.resize(1, 1);
    drive.text();
    drive.resize(LARGE.0, LARGE.1);
    assert_eq!((selected(&drive), drive.text()), (before, text));
}

#[test]
fn a_small_terminal_shows_one_pane_and_a_tiny_one_says_so() {
    let mut drive = Drive::held((60, 16));
    assert!(drive.text().contains("Deliverable"));
    drive.press("Tab");
    assert!(drive.text().contains("Trace"));
    drive.resize(59, 16);
    assert!(drive.text().contains("59x16 is too small; 60x16 is the least"));
}

/// Much that has happened costs no more to draw than little: only what is seen is made.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is asked")]
fn a_long_run_is_drawn_as_fast_as_a_short_one() {
    let long = Drive::with(Stage::of(&["burst 2000 conflict=10", "settle"]), LARGE);
    assert!(long.app.view.trace.len() > 50_000);
    long.text();
    let long = std::cell::RefCell::new(long);
    calmly(|| {
        let mut long = long.borrow_mut();
        let begun = std::time::Instant::now();
        for _ in 0..10 {
            long.press("k");
            long.text();
        }
        let each = begun.elapsed() / 10;
        assert!(each.as_millis() < 100, "a frame, unoptimised, took {each:?}");
    });
}

#[derive(Clone, Debug)]
enum Poke {
    Keys(String),
    Type(String),
    Line(&'static str),
    Paste(String),
    Resize(u16, u16),
    Click(u16, u16),
    Tick(u64),
}

const NAMED: &str = "Enter Esc Tab BackTab Up Down Left Right PgUp PgDn Space F1 C-d C-u C-l";

fn poke() -> impl Strategy<Value = Poke> {
    let named: Vec<&str> = NAMED.split(' ').collect();
    let lines = [
        "put x 1",
        "put x 2 @R4",
        "get x @R2",
        "burst 7 conflict=50",
        "pause",
        "run",
        "step",
        "step all",
        "hold kind=Commit",
        "release",
        "wake R1",
        "status",
        "order",
        "help",
        "oops",
    ];
    prop_oneof![
        4 => proptest::sample::select(named).prop_map(|key| Poke::Keys(key.to_owned())),
        4 => "[1-4nduhrwofimgGjkl/?: ]".prop_map(|key| Poke::Keys(key.replace(' ', "Space"))),
        2 => proptest::sample::select(lines.to_vec()).prop_map(Poke::Line),
        1 => "\\PC{0,8}".prop_map(Poke::Type),
        1 => "\\PC{0,8}(\n\\PC{0,8})?".prop_map(Poke::Paste),
        2 => (0u16..200, 0u16..60).prop_map(|(width, height)| Poke::Resize(width, height)),
        1 => (0u16..200, 0u16..60).prop_map(|(column, row)| Poke::Click(column, row)),
        1 => (0u64..9).prop_map(Poke::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is done at whatever size, every screen can be drawn.
    #[test]
    fn nothing_that_is_done_panics(
        replicas in proptest::sample::select(vec![3usize, 5, 7, 9]),
        pokes in proptest::collection::vec(poke(), 0..40),
        ascii in any::<bool>(),
    ) {
        let mut drive = Drive::with(Stage::new(replicas), (100, 30));
        drive.app.ascii = ascii;
        for poke in pokes {
            match poke {
                Poke::Keys(keys) => drive.press(&keys),
                Poke::Type(text) => drive.type_in(&text),
                Poke::Line(line) => {
                    drive.press("Esc Esc i C-u");
                    drive.type_in(line);
                    drive.press("Enter Esc");
                }
                Poke::Paste(text) => drive.act(Action::Paste(text)),
                Poke::Resize(width, height) => drive.resize(width, height),
                Poke::Click(column, row) => drive.click(column, row),
                Poke::Tick(seconds) => drive.tick(seconds),
            }
            let buffer = drive.buffer();
            prop_assert!(!ascii || picture::text(&buffer).is_ascii());
        }
    }
}
