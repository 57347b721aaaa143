//! Looking back, and trying out what could have been: nothing of it disturbs the cluster.

use epaxos_tui::multiverse::tree::BranchId;
use epaxos_tui::tui::app::Mode;
use epaxos_tui::tui::deed::Screen;

use crate::drive::Drive;
use crate::stage::Stage;

const LARGE: (u16, u16) = (120, 40);

/// Types a command and sends it. Returns what the screen shows then.
fn command(drive: &mut Drive, line: &str) -> String {
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
fn done(drive: &Drive) -> u64 {
    drive.stage.view().log.len()
}

fn seen(drive: &Drive) -> u64 {
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

/// Lets a search that was asked for come to its end.
fn search_on(drive: &mut Drive) {
    let (mut search, _) = drive.app.search().expect("something is looked for");
    loop {
        if let Some(found) = search.go_on(1_000) {
            return drive.app.found(found);
        }
    }
}

#[test]
fn a_schedule_that_is_found_is_a_branch() {
    let held = ["pause", "put x 1 @R0", "put x 2 @R4"];
    let mut drive = Drive::with(Stage::of(&held), LARGE);
    let steps = done(&drive);
    command(&mut drive, "find path=slow");
    let again = command(&mut drive, "find component>1");
    assert!(again.contains("path=slow is still being looked for"), "{again}");
    search_on(&mut drive);
    let shown = command(&mut drive, "screen cockpit");
    assert!(shown.contains("BRANCH b1 10 of 10"), "{shown}");
    assert_eq!((drive.app.view.total().slows, done(&drive)), (1, steps));
    command(&mut drive, "find component>1");
    command(&mut drive, "cancel");
    let refused = command(&mut drive, "cancel");
    assert!(refused.contains("nothing is being looked for"), "{refused}");
    let refused = command(&mut drive, "find phase(R7.0)=noop");
    assert!(refused.contains("there is no R7"), "{refused}");
    let refused = command(&mut drive, "find path=scenic");
    assert!(refused.contains("scenic"), "{refused}");
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
}

#[test]
fn it_goes_on_until_something_is_true() {
    let held = ["pause", "put x 1 @R0", "put x 2 @R4"];
    let mut drive = Drive::with(Stage::of(&held), LARGE);
    command(&mut drive, "branch");
    let shown = command(&mut drive, "until phase(R0.0)=committed");
    assert!(shown.contains("phase(R0.0)=committed at #"), "{shown}");
    let refused = command(&mut drive, "until phase(R3.0)=noop");
    assert!(refused.contains("nothing moves any more"), "{refused}");
    // In the world itself breakpoints do it.
    command(&mut drive, "goto now");
    let shown = command(&mut drive, "until path=slow");
    assert!(shown.contains("break path=slow at #"), "{shown}");
    assert!(drive.stage.view().gate.paused);
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

/// A branch from which something is looked for stays until it is found.
#[test]
fn what_is_looked_from_is_not_deleted() {
    let mut drive = Drive::with(Stage::of(&["pause", "put x 1 @R0", "put x 2 @R4"]), LARGE);
    command(&mut drive, "branch from-here");
    command(&mut drive, "find path=slow");
    command(&mut drive, "switch main");
    let refused = command(&mut drive, "delete-branch from-here");
    assert!(refused.contains("path=slow is being looked for from there"), "{refused}");
    let (_, stale) = drive.app.search().expect("something is looked for");
    command(&mut drive, "cancel");
    command(&mut drive, "find component>1");
    drive.app.take_found(&stale, Ok(epaxos_tui::multiverse::search::Found::Nothing));
    assert!(drive.app.hunt.is_some(), "what was cancelled is not what is looked for now");
}
