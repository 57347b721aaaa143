//! The faults screen, worked with keys and the mouse: each comes to the command that could be typed.

use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::time::Time;
use epaxos_tui::observe::links::{Delay, LinkId};
use epaxos_tui::observe::notice::{Decision, GateState, Notice, Step};
use epaxos_tui::script::request::Report;
use epaxos_tui::tui::app::{Action, Mode};
use epaxos_tui::tui::deed::Screen;

use crate::drive::Drive;
use crate::stage::Stage;

/// A cluster of `replicas` with something of everything wrong in it, and messages that wait.
pub fn faulty(replicas: usize) -> Stage {
    let mut stage = Stage::new(replicas);
    stage.run(&[
        "pause",
        "cut R0 R1",
        "cut R1 R0",
        "loss 20 R0 R2",
        "delay 5ms..40ms R2 R0",
        "loss 10 R2 R0",
        "dup 50 R1 R2",
        "delay 10s kind=Commit",
        "put x 1 @R0",
        "put y 1 @R1",
        "put x 2 @R2",
        "dup kind=PreAccept from=R0 to=R1",
    ]);
    let last = replicas - 1;
    stage.run(&[&*format!("crash R{last}")]);
    stage
}

/// Lets the screen hear that a replica has panicked.
pub fn fail(drive: &mut Drive, replica: u8) {
    let sentence = "index out of bounds: the len is 3 but the index is 3".to_owned();
    let step = Step {
        replica: ReplicaId(replica),
        now: Time(1_500),
        decision: Decision::Panic(sentence),
        effects: Vec::new(),
        timer: None,
    };
    drive.act(Action::Reports(vec![Report::Notice(Notice::Step(step))]));
}

fn link(from: u8, to: u8) -> LinkId {
    LinkId { from: ReplicaId(from), to: ReplicaId(to) }
}

fn gate(drive: &Drive) -> &GateState {
    &drive.stage.view().gate
}

fn opened() -> Drive {
    let mut drive = Drive::new((120, 40));
    drive.press("7");
    assert_eq!((drive.app.screen, drive.app.crossing), (Screen::Faults, link(0, 1)));
    drive
}

#[test]
fn a_key_cuts_a_link_and_takes_the_cut_back() {
    let mut drive = opened();
    drive.press("x");
    assert_eq!(gate(&drive).cuts.iter().collect::<Vec<_>>(), [&link(0, 1)]);
    assert!(drive.text().contains("R0→R1 cut"), "the header tells: {}", drive.text());
    // Both ways: the one that is not cut, and then both back.
    drive.press("b");
    assert_eq!(gate(&drive).cuts.len(), 2);
    drive.press("b");
    assert!(gate(&drive).cuts.is_empty());
    drive.press("x x");
    assert!(gate(&drive).cuts.is_empty());
}

#[test]
fn steps_go_up_and_end_at_nothing() {
    let mut drive = opened();
    drive.press("Right Down Down");
    let here = link(2, 2);
    assert_eq!(drive.app.crossing, here);
    drive.press("Right");
    let here = link(2, 3);
    let steps = [10, 25, 50, 100, 0].map(|step| {
        drive.press("L");
        assert_eq!(gate(&drive).loss.of(here), step);
        drive.press("U");
        assert_eq!(gate(&drive).duplicates.of(here), step);
        gate(&drive).loss.own().count()
    });
    assert_eq!(steps, [1, 1, 1, 1, 0]);
    let mut delays = Vec::new();
    for _ in 0..4 {
        drive.press("D");
        delays.push(gate(&drive).lateness.of(here).most.as_millis());
    }
    assert_eq!(delays, [40, 400, 2_000, 0]);
    assert!(gate(&drive).is_open());
}

#[test]
fn a_link_is_mended_and_all_are() {
    let mut drive = opened();
    drive.press("x L D U Down b L");
    drive.press("0");
    let own: Vec<_> = gate(&drive).loss.own().map(|(link, _)| link).collect();
    assert_eq!(own, [link(0, 1)], "R1 has no link to itself, and nothing was done to one");
    drive.press("Up 0");
    assert!(gate(&drive).is_open());
    drive.press("x Right L Right D H");
    assert!(gate(&drive).is_open());
}

#[test]
fn what_is_done_to_a_replica_is_done_to_that_of_the_row() {
    let mut drive = opened();
    drive.press("Down Down Down c");
    assert!(!drive.stage.view().replica(ReplicaId(3)).up);
    assert!(drive.text().contains("R3 DOWN"), "the header tells: {}", drive.text());
    drive.press("c");
    assert!(drive.stage.view().replica(ReplicaId(3)).up);
    drive.stage.run(&["pause", "put x 1 @R3"]);
    let reports = drive.stage.take_reports();
    drive.act(Action::Reports(reports));
    assert!(drive.text().contains("resend R3.0 in 300.0ms"), "{}", drive.text());
    drive.press("W");
    assert_eq!(drive.stage.view().replica(ReplicaId(3)).counters.timers, 1);
}

#[test]
fn a_replica_is_no_link() {
    let mut drive = opened();
    drive.press("Left x");
    let (said, _) = drive.app.message.clone().unwrap();
    assert_eq!(said, "R0 has no link to itself");
    assert!(gate(&drive).is_open());
    drive.press("Enter");
    assert_eq!((drive.app.mode, drive.app.prompt.text()), (Mode::Prompt, "crash R0"));
}

#[test]
fn enter_types_the_command_of_what_is_selected() {
    let mut drive = opened();
    drive.press("Enter");
    assert_eq!((drive.app.mode, drive.app.prompt.text()), (Mode::Prompt, "loss 10 R0 R1"));
    drive.press("Enter Esc");
    assert_eq!(gate(&drive).loss.of(link(0, 1)), 10);
    drive.press("Right D Enter");
    assert_eq!(drive.app.prompt.text(), "delay 5ms..40ms R0 R2");
    drive.press("C-u");
    drive.type_in("delay 0ms R0 R2");
    drive.press("Enter Esc U Enter");
    assert_eq!(drive.app.prompt.text(), "dup 10 R0 R2");
    assert_eq!(gate(&drive).lateness.of(link(0, 2)), Delay::default());
}

#[test]
fn a_click_selects_a_crossing_and_a_second_one_types_about_it() {
    for size in [(120, 40), (80, 24)] {
        let mut drive = Drive::new(size);
        let (x, y) = drive.find("7 Faults").unwrap();
        drive.click(x, y);
        assert_eq!(drive.app.screen, Screen::Faults);
        let (x, _) = drive.find(" R3 ").unwrap();
        let (_, y) = drive.find("│  R2 ").unwrap();
        drive.click(x + 1, y);
        assert_eq!(drive.app.crossing, link(2, 3));
        assert!(drive.text().contains("R2→R3: nothing is wrong with it."), "{}", drive.text());
        // Beside the matrix there is nothing to select.
        drive.click(size.0 - 3, y);
        drive.click(x, y + 6);
        assert_eq!(drive.app.crossing, link(2, 3));
        drive.click(x + 1, y);
        drive.click(x + 1, y);
        assert_eq!((drive.app.mode, drive.app.prompt.text()), (Mode::Prompt, "loss 10 R2 R3"));
    }
}

#[test]
fn the_palette_finds_what_the_screen_can_do() {
    let mut drive = opened();
    drive.press("?");
    drive.type_in("both directions");
    drive.press("Enter");
    assert_eq!(gate(&drive).cuts.len(), 2);
    drive.press("?");
    drive.type_in("heal");
    drive.press("Enter");
    assert!(gate(&drive).is_open());
}

#[test]
fn the_selection_stays_on_the_matrix_and_in_sight_however_small() {
    for replicas in [3, 5, 7, 9] {
        let mut drive = Drive::with(faulty(replicas), (60, 16));
        drive.press("7 G");
        let last = u8::try_from(replicas - 1).unwrap();
        assert_eq!(drive.app.crossing, link(last, 1));
        drive.press("l l l l l l l l l l j j");
        assert_eq!(drive.app.crossing, link(last, last));
        assert!(drive.text().contains(&format!("► R{last}")), "{}", drive.text());
        for (width, height) in [(60, 16), (61, 17), (78, 22), (79, 34), (110, 34), (200, 60)] {
            drive.resize(width, height);
            assert!(drive.text().contains(&format!("► R{last}")), "{}", drive.text());
        }
        drive.press("g h h h h h h h h h k");
        assert_eq!(drive.app.crossing, link(0, 0));
    }
}

#[test]
fn a_panic_is_told_in_the_message_the_trace_and_the_header() {
    let mut drive = Drive::held((120, 40));
    fail(&mut drive, 3);
    let text = drive.text();
    let sentence = "index out of bounds: the len is 3 but the index is 3";
    assert!(text.contains(&format!("! R3 has failed: {sentence}")), "{text}");
    assert!(text.contains("R3 DOWN"), "{text}");
    assert!(text.contains("R3 fails: index out of bounds: the len is 3"), "{text}");
    // The detail of an instance tells why R3 knows nothing more of it.
    assert!(text.contains("R3 is down, its program failed: index out of"), "{text}");
    drive.press("7");
    let text = drive.text();
    assert!(text.contains(&format!("R3 is down, its program failed: {sentence}")), "{text}");
}

#[test]
fn a_partition_is_told_by_its_sides() {
    for (command, told) in [
        ("partition R0 R3 / R1 R2 R4", "partitioned: R0 R3 / R1 R2 R4"),
        ("partition R2", "partitioned: R0 R1 R3 R4 / R2"),
        ("partition R0 / R1 / R2", "partitioned: R0 / R1 / R2 / R3 R4"),
        ("cut R0 R1", "cut: R0→R1"),
    ] {
        let mut drive = Drive::with(Stage::of(&[command]), (120, 40));
        drive.press("7");
        assert!(drive.text().contains(told), "{command}: {}", drive.text());
    }
    let mut drive = Drive::with(Stage::of(&["partition R2", "uncut R0 R2"]), (120, 40));
    drive.press("7");
    assert!(drive.text().contains("cut: R1→R2 R2→R0 R2→R1"), "{}", drive.text());
}

#[test]
fn what_is_selected_is_told_however_little_room_there_is() {
    let mut drive = Drive::with(faulty(9), (60, 16));
    drive.press("7 Right");
    assert!(drive.text().contains("R0→R2: loses 20%; 1 message waits."), "{}", drive.text());
}
