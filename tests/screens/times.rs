//! Looking back, and trying out what could have been: nothing of it disturbs the cluster.

use epaxos_tui::multiverse::tree::{BranchId, Multiverse};
use epaxos_tui::multiverse::written::known;
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::tui::app::{App, Mode};
use epaxos_tui::tui::deed::Screen;
use epaxos_tui::tui::theme::Theme;
use proptest::prelude::*;

use crate::drive::Drive;
use crate::stage::Stage;

pub const LARGE: (u16, u16) = (120, 40);

/// Types a command and sends it. Returns what the screen shows then.
pub fn command(drive: &mut Drive, line: &str) -> String {
    drive.press(":");
    drive.type_in(line);
    drive.press("Enter");
    let shown = drive.text();
    if drive.app.mode != Mode::Normal {
        drive.press("Esc");
        drive.app.prompt.accept();
    }
    shown
}

/// What the world has done, whatever is looked at.
pub fn done(drive: &Drive) -> u64 {
    drive.stage.view().log.len()
}

pub fn seen(drive: &Drive) -> u64 {
    drive.app.view.log.len()
}

#[test]
fn a_step_back_and_forth_is_no_step_at_all() {
    let mut drive = Drive::conflict(LARGE);
    let steps = done(&drive);
    for back in 1..=steps {
        drive.press("p");
        assert_eq!(seen(&drive), steps - back);
    }
    assert!(drive.text().contains("nothing had happened yet"), "{}", drive.text());
    drive.press("p");
    assert_eq!((seen(&drive), done(&drive)), (0, steps));
    for forth in 1..steps {
        drive.press("n");
        assert_eq!(seen(&drive), forth);
        assert!(drive.app.times.past.is_some());
    }
    drive.press("n");
    assert!(drive.app.times.past.is_none(), "the end of what is known is what goes on now");
    assert!(drive.text().contains("this is what is going on now"));
    drive.app.message = None;
    let mut untouched = Drive::conflict(LARGE);
    untouched.app.message = None;
    assert_eq!(drive.text(), untouched.text());
    assert_eq!(done(&drive), steps);
}

#[test]
fn what_goes_on_meanwhile_is_heard_and_seen_on_return() {
    let mut drive = Drive::with(Stage::of(&["put x 1", "settle"]), LARGE);
    let steps = done(&drive);
    drive.press("p p p");
    drive.stage.run(&["put y 2 @R3", "settle"]);
    let reports = drive.stage.take_reports();
    drive.act(epaxos_tui::tui::app::Action::Reports(reports));
    assert_eq!(seen(&drive), steps - 3);
    assert!(done(&drive) > steps);
    drive.press("$");
    assert_eq!(seen(&drive), done(&drive));
    assert!(drive.app.times.past.is_none());
    assert_eq!(drive.app.times.multiverse.main().len(), done(&drive));
}

#[test]
fn decisions_forks_and_bookmarks_are_gone_to() {
    let mut drive = Drive::with(Stage::of(&["put x 1", "settle", "put y 2 @R3", "settle"]), LARGE);
    let steps = done(&drive);
    drive.press("[");
    let second = seen(&drive);
    assert!(drive.text().contains("R3 is asked") || second > 1, "{}", drive.text());
    drive.press("'");
    drive.press("[");
    assert_eq!(seen(&drive), 1, "the first proposal");
    drive.press("]");
    assert_eq!(seen(&drive), second);
    drive.press("0");
    assert_eq!(seen(&drive), 0);
    command(&mut drive, "goto m1");
    assert_eq!(seen(&drive), second);
    command(&mut drive, "goto #2");
    assert_eq!(seen(&drive), 3);
    drive.press("b");
    command(&mut drive, "goto start");
    drive.press("}");
    assert_eq!(seen(&drive), 3);
    drive.press("{");
    assert!(drive.text().contains("nothing branches off there"));
    let refused = command(&mut drive, "goto #99");
    assert!(refused.contains("there is no #99"), "{refused}");
    assert_eq!(done(&drive), steps);
}

#[test]
fn whoever_acts_in_the_past_begins_a_branch() {
    let mut drive = Drive::with(Stage::of(&["pause", "put x 1", "step 2"]), LARGE);
    let steps = done(&drive);
    drive.press("p p");
    command(&mut drive, "put x 9 @R4");
    assert_eq!(drive.app.times.branch().name, "b1");
    assert!(drive.text().contains("BRANCH b1"), "{}", drive.text());
    drive.press("T");
    assert!(drive.app.view.in_flight.is_empty());
    let end = seen(&drive);
    command(&mut drive, "rename-branch late");
    command(&mut drive, "branch");
    assert_eq!(drive.app.times.branch().name, "b2");
    let refused = command(&mut drive, "delete-branch late");
    assert!(refused.contains("b2 branches off from late"), "{refused}");
    command(&mut drive, "switch main");
    assert!(drive.app.times.past.is_none());
    assert_eq!((seen(&drive), done(&drive)), (steps, steps));
    command(&mut drive, "switch late");
    assert_eq!(seen(&drive), end);
    let listed = command(&mut drive, "branches");
    assert!(listed.contains("late: "), "{listed}");
}

#[test]
fn an_entry_may_be_otherwise() {
    let mut drive = Drive::with(Stage::of(&["put x 1", "settle"]), LARGE);
    let steps = done(&drive);
    command(&mut drive, "what-if #1 drop as lost");
    assert_eq!(drive.app.times.branch().name, "lost");
    assert!(drive.app.view.total().dropped == 1 && drive.stage.view().total().dropped == 0);
    drive.press("$");
    command(&mut drive, "what-if #0 change 'put x 2' as other");
    let store = &drive.app.view.replica(epaxos_tui::epaxos::id::ReplicaId(0)).store;
    assert_eq!(store.get("x").map(|value| &value[..]), Some(&b"2"[..]));
    let refused = command(&mut drive, "what-if #0 drop");
    assert!(refused.contains("#0 delivers no message"), "{refused}");
    assert_eq!(drive.app.times.multiverse.iter().count(), 3);
    drive.press("$");
    assert_eq!((seen(&drive), done(&drive)), (steps, steps));
    drive.press("B");
    assert!(drive.text().contains(&format!("what-if #{} ", steps - 1)), "{}", drive.text());
}

#[test]
fn the_timeline_is_clicked_and_slid() {
    let mut drive = Drive::with(Stage::of(&["put x 1", "settle"]), LARGE);
    let (x, y) = drive.find("#3 ").expect("an entry of the timeline").to_owned();
    let (_, timeline) = drive.find("Timeline").expect("the timeline");
    assert!(y <= timeline + 1, "{x} {y}");
    let row = timeline + 1;
    let line = drive.text().lines().nth(usize::from(row)).unwrap().to_owned();
    let column = line[..line.find("#3").unwrap()].chars().count();
    drive.click(u16::try_from(column).unwrap(), row);
    assert_eq!(seen(&drive), 4);
    drive.click(1, row + 1);
    assert_eq!(seen(&drive), 0);
    drive.click(118, row + 1);
    assert!(drive.app.times.past.is_none());
}

/// All lists show what was, whatever they had shown before.
#[test]
fn every_screen_shows_the_place_that_is_looked_at() {
    let mut drive = Drive::conflict(LARGE);
    for screen in Screen::ALL {
        if screen == Screen::Log {
            continue;
        }
        drive.press("$");
        command(&mut drive, &format!("screen {}", screen.name().to_lowercase()));
        command(&mut drive, "goto start");
        (0..4).for_each(|_| drop(command(&mut drive, "step")));
        let walked = drive.text();
        drive.press("$");
        let jumped = command(&mut drive, "goto #3");
        // What the prompt holds is nothing of a place.
        let seen = |text: &str| text.lines().take(36).map(str::to_owned).collect::<Vec<_>>();
        for (walked, jumped) in seen(&walked).iter().zip(&seen(&jumped)) {
            assert_eq!(walked, jumped, "{screen:?}");
        }
    }
    assert_eq!(drive.app.times.place().0, BranchId::MAIN);
}

#[test]
fn two_branches_are_compared_by_what_they_mean() {
    let held = ["pause", "put x 1 @R0", "put x 2 @R4", "step all"];
    let mut drive = Drive::with(Stage::of(&held), LARGE);
    let refused = command(&mut drive, "compare");
    assert!(refused.contains("main leaves no other branch"), "{refused}");
    command(&mut drive, "what-if #2 delay as late");
    let shown = command(&mut drive, "compare");
    assert!(shown.contains("The first 2 entries are the same. At #2"), "{shown}");
    assert!(shown.contains("≠ path"), "{shown}");
    drive.press("Esc");
    let same = command(&mut drive, "compare late main");
    assert!(same.contains("compare late main"), "{same}");
    drive.press("Esc");
    drive.press("=");
    assert!(drive.text().contains("compare main late"));
    // Below that, both runs go on side by side.
    let first =
        |drive: &Drive| drive.text().lines().find(|it| it.contains("│#2 ")).map(str::to_owned);
    let mut pages = 0;
    while first(&drive).is_none() && pages < 12 {
        drive.press("Space");
        pages += 1;
    }
    let first = first(&drive).unwrap_or_else(|| drive.text());
    assert_eq!(first.matches(" ← ").count(), 2, "{first}");
}

/// Whoever holds the key down that goes forth comes to what is going on, and delivers nothing there.
#[test]
fn a_key_that_is_held_down_stops_at_now() {
    let mut drive = Drive::with(Stage::of(&["pause", "put x 1", "step 1"]), LARGE);
    let steps = done(&drive);
    for keys in ["n", "T"] {
        drive.press("p p");
        for _ in 0..20 {
            drive.press(keys);
        }
        assert!(drive.app.times.past.is_none());
        assert!(drive.text().contains(&format!("let go of {keys} to go on")), "{}", drive.text());
        // Time passes, and it is still held down.
        for beat in 1..5 {
            drive.tick(beat);
            drive.press(keys);
        }
        assert_eq!(done(&drive), steps);
    }
    // Let go and pressed once more, it is meant.
    drive.tick(6);
    drive.tick(7);
    drive.press("n");
    assert_eq!(done(&drive), steps + 1);
    // So it is after any other key.
    drive.press("p n j n");
    assert_eq!(done(&drive), steps + 2);
}

#[test]
fn a_recording_ends_where_it_ends() {
    let stage = Stage::of(&["pause", "put x 1", "step 1"]);
    let mut multiverse = Multiverse::new(Shape::new(5));
    multiverse.grow(BranchId::MAIN, &stage.view().log);
    let mut drive = Drive::with(Stage::new(5), LARGE);
    drive.app = App::new(Shape::new(5), Theme::Dark, false, true).replaying(multiverse);
    drive.resize(LARGE.0, LARGE.1);
    for keys in ["n", "p n n n", "T"] {
        drive.press(keys);
        assert!(drive.text().contains("this is the end of what was recorded"), "{}", drive.text());
        assert_eq!(drive.app.times.multiverse.iter().count(), 1);
    }
    // A branch goes on.
    drive.press("b n");
    assert!(seen(&drive) > 2);
}

/// What changes nothing begins no branch, and lets nothing go on.
#[test]
fn what_is_refused_or_harmless_begins_no_branch() {
    let mut drive = Drive::with(Stage::of(&["put x 1", "settle", "put y 2 @R3", "settle"]), LARGE);
    let steps = done(&drive);
    command(&mut drive, "goto #3");
    for (line, said) in [
        ("goto #3", ""),
        ("deliver R0-99", "no message R0-99 is on its way"),
        ("drop kind=Accept", "no held message meets"),
        ("recover R1", "R1 is not down"),
        ("put x 1 @R7", "there is no R7"),
        ("release kind=Commit", "there is no rule"),
        ("unbreak path=slow", "there is no breakpoint"),
        ("break path=slow", "that counts for what branches off here"),
        ("break", "break path=slow"),
        ("status R0.0", "R0 R0.0"),
        ("run", ""),
    ] {
        let shown = command(&mut drive, line);
        assert!(shown.contains(said), "{line}: {shown}");
        drive.press("Esc");
        assert_eq!((drive.app.times.multiverse.iter().count(), seen(&drive)), (1, 4), "{line}");
    }
    assert!(drive.stage.view().gate.breaks.is_empty());
    command(&mut drive, "crash R4");
    assert_eq!(drive.app.times.branch().name, "b1");
    assert_eq!(drive.app.view.gate.breaks.len(), 1);
    // At the end of a branch neither plays what stands still there.
    let len = seen(&drive);
    command(&mut drive, "break kind=Accept");
    command(&mut drive, "deliver R0-99");
    assert_eq!((seen(&drive), done(&drive)), (len, steps));
}

/// What goes by itself in the past does not go on in the world.
#[test]
fn play_ends_where_what_is_known_does() {
    let mut drive = Drive::with(Stage::of(&["pause", "put x 1", "step 1"]), LARGE);
    let steps = done(&drive);
    command(&mut drive, "goto start");
    drive.press("s");
    for beat in 1..40u64 {
        let tick = std::time::Duration::from_secs(beat);
        drive.act(epaxos_tui::tui::app::Action::Tick(tick));
    }
    assert!(drive.app.times.past.is_none() && !drive.app.play.on);
    assert_eq!(done(&drive), steps);
}

/// A breakpoint that is met meanwhile is told on return.
#[test]
fn what_is_met_meanwhile_is_news() {
    let mut drive = Drive::with(Stage::of(&["put x 1", "settle", "break path=fast"]), LARGE);
    drive.press("p p");
    drive.stage.run(&["put y 2 @R1", "settle"]);
    let reports = drive.stage.take_reports();
    drive.act(epaxos_tui::tui::app::Action::Reports(reports));
    assert!(drive.app.stopped.is_none());
    drive.press("$");
    assert!(drive.app.stopped.is_some(), "{}", drive.text());
}

/// Something that somebody may do.
fn deeds() -> impl Strategy<Value = Vec<&'static str>> {
    let lines = vec![
        "put x 1 @R0",
        "put x 2 @R3",
        "get y @R4",
        "burst 3 conflict=50",
        "step",
        "step 3",
        "round",
        "settle",
        "sleep 300ms",
        "wake R0",
        "crash R1",
        "recover R1",
        "dup R0-0",
        "drop R0-1",
        "hold kind=Commit",
        "release",
        "loss 30",
        "pause",
        "run",
    ];
    proptest::collection::vec(proptest::sample::select(lines), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happened: so many steps back and as many forth lead to where one was, and each place
    /// is the same from both sides.
    #[test]
    fn back_and_forth_is_no_way_at_all(lines in deeds(), back in 1usize..30) {
        let mut stage = Stage::new(5);
        for line in lines {
            stage.perform(&Command::parse(line).expect(line).expect(line));
        }
        let mut drive = Drive::with(stage, LARGE);
        let seen = |drive: &Drive| {
            let view = &drive.app.view;
            let flights = view.in_flight.iter().map(|flight| flight.envelope.id.to_string());
            let flights: Vec<_> = flights.collect();
            let up: Vec<_> = view.replicas.iter().map(|it| (it.up, it.timer)).collect();
            (view.log.len(), known(view), flights, up, view.gate.clone())
        };
        let whole = |drive: &mut Drive| {
            drive.app.message = None;
            drive.text()
        };
        drive.press("j");
        let (before, steps) = (whole(&mut drive), usize::try_from(done(&drive)).unwrap());
        let back = back.min(steps);
        let mut places = vec![seen(&drive)];
        for _ in 0..back {
            drive.press("p");
            places.push(seen(&drive));
        }
        for place in places.iter().rev().skip(1) {
            drive.press("n");
            prop_assert_eq!(&seen(&drive), place);
        }
        prop_assert!(drive.app.times.past.is_none());
        for (now, then) in whole(&mut drive).lines().zip(before.lines()) {
            prop_assert_eq!(now, then);
        }
        prop_assert_eq!(usize::try_from(done(&drive)).unwrap(), steps);
    }
}
