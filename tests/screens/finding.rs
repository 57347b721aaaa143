//! Looking for a schedule, going on until something is true, and what takes long: nobody is kept by it
//! or taken by surprise.

use epaxos_tui::epaxos::message::MessageKind;
use epaxos_tui::tui::deed::Screen;

use crate::checks::nearly_broken;
use crate::drive::Drive;
use crate::stage::Stage;
use crate::times::{LARGE, command, done, seen};

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

/// What is found takes nobody by surprise.
#[test]
fn whoever_types_or_went_elsewhere_is_told_where_what_was_found_is() {
    let held = ["pause", "put x 1 @R0", "put x 2 @R4"];
    let started = || {
        let mut drive = Drive::with(Stage::of(&held), LARGE);
        command(&mut drive, "find path=slow");
        drive
    };
    let said = "path=slow: found in 8 steps, and none of deliveries alone is shorter; ";
    let mut drive = started();
    search_on(&mut drive);
    assert!(drive.text().contains(&format!("{said}this is b1")), "{}", drive.text());

    let typing = |drive: &mut Drive| {
        drive.press(":");
        drive.type_in("crash R");
    };
    let filtering = |drive: &mut Drive| {
        drive.press("Tab /");
        drive.type_in("n");
    };
    let reading = |drive: &mut Drive| drive.press("?");
    let back = |drive: &mut Drive| drive.press("p");
    let branch = |drive: &mut Drive| drop(command(drive, "branch other"));
    let on = |drive: &mut Drive| drive.press("n");
    for away in [typing, filtering, reading, back, branch, on] as [fn(&mut Drive); 6] {
        let mut drive = started();
        away(&mut drive);
        let before = (drive.app.times.place(), drive.app.mode, drive.app.screen);
        search_on(&mut drive);
        assert_eq!((drive.app.times.place(), drive.app.mode, drive.app.screen), before);
        let name = drive.app.times.multiverse.iter().last().unwrap().1.name.clone();
        let (told, _) = drive.app.message.clone().expect("it is announced");
        assert_eq!(told, format!("{said}switch {name} opens it"));
        drive.app.over = None;
        drive.press("C-u Esc Esc");
        command(&mut drive, &format!("switch {name}"));
        assert_eq!(drive.app.view.total().slows, 1);
    }
}

#[test]
fn what_is_already_so_is_said_and_nothing_is_looked_for() {
    let mut drive = Drive::conflict(LARGE);
    let steps = done(&drive);
    let shown = command(&mut drive, "find path=slow");
    let (told, _) = drive.app.message.clone().expect("it is said");
    assert!(told.starts_with("path=slow: already so at #"), "{shown}");
    assert!(told.ends_with(&format!("; path=slow since=#{steps} looks for it from here on")));
    assert!(drive.app.hunt.is_none());
    command(&mut drive, "branch");
    let here = drive.app.times.place();
    let shown = command(&mut drive, "until phase(R0.0)=committed");
    assert!(shown.contains("phase(R0.0)=committed: already so at #"), "{shown}");
    let shown = command(&mut drive, "until path=slow");
    assert!(shown.contains("path=slow: already so at #"), "{shown}");
    assert_eq!((drive.app.times.place(), done(&drive)), (here, steps));
    let refused = command(&mut drive, "find violations");
    assert!(refused.contains("is violation meant?"), "{refused}");
    let shown = command(&mut drive, "find banana");
    assert!(shown.contains("with \"banana\" in the lines of the trace"), "{shown}");
    let (_, cancelled) = drive.app.search().expect("it is looked for");
    let shown = command(&mut drive, "cancel");
    assert!(shown.contains("banana is not looked for any more"), "{shown}");
    // What comes of it later is no news.
    drive.app.take_found(&cancelled, Ok(epaxos_tui::multiverse::search::Found::Nothing));
    assert!(drive.text().contains("banana is not looked for any more"), "{}", drive.text());
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

/// In a branch in which nothing is held, too, it stops at the very entry.
#[test]
fn a_branch_that_runs_stops_where_it_was_to_go() {
    let held = ["pause", "put x 1 @R0", "put x 2 @R4"];
    let mut drive = Drive::with(Stage::of(&held), LARGE);
    command(&mut drive, "branch");
    command(&mut drive, "branch other");
    let shown = command(&mut drive, "until phase(R0.0)=accepted");
    let paused = (seen(&drive), shown.contains(&format!("=accepted at #{}", seen(&drive) - 1)));
    command(&mut drive, "switch b1");
    command(&mut drive, "hold kind=AcceptReply");
    command(&mut drive, "run");
    command(&mut drive, "switch main");
    let mut drive = Drive::with(Stage::of(&["put x 0 @R1", "settle"]), LARGE);
    command(&mut drive, "goto #0");
    command(&mut drive, "hold");
    assert_eq!((drive.app.times.branch().name.as_str(), drive.app.view.gate.paused), ("b1", false));
    command(&mut drive, "put x 1 @R0");
    command(&mut drive, "branch");
    let before = seen(&drive);
    // What no rule holds moves, entry by entry.
    command(&mut drive, "pause");
    command(&mut drive, "release");
    let shown = command(&mut drive, "until phase(R0.0)=executed");
    let at = seen(&drive) - 1;
    assert!(shown.contains(&format!("phase(R0.0)=executed at #{at}")), "{shown}");
    assert!(at > before && paused.1, "{paused:?}");
    assert!(!drive.app.view.in_flight.is_empty(), "what comes of it has not moved yet");
}

/// On the cluster itself, it takes all that a search takes, and leaves nothing behind.
#[test]
fn the_cluster_goes_on_until_something_is_true_and_nothing_is_left_behind() {
    let held = ["pause", "put x 1 @R0", "put x 2 @R4"];
    let mut drive = Drive::with(Stage::of(&held), LARGE);
    let breaks = |drive: &Drive| drive.stage.view().gate.breaks.len();
    let shown = command(&mut drive, "until phase(R0.0)=accepted");
    assert!(shown.contains(&format!("phase(R0.0)=accepted at #{}", done(&drive) - 1)), "{shown}");
    let shown = command(&mut drive, "until path=slow");
    assert!(shown.contains(&format!("break path=slow at #{}", done(&drive) - 1)), "{shown}");
    assert_eq!(breaks(&drive), 0, "met, and taken back");
    let shown = command(&mut drive, "until noop");
    assert!(shown.contains("nothing moves any more, and nothing was noop"), "{shown}");
    let shown = command(&mut drive, "until component>7");
    assert!(shown.contains("nothing moves any more, and nothing was component>7"), "{shown}");
    assert_eq!(breaks(&drive), 0, "come to rest, and taken back");
    // A breakpoint of one's own stays.
    command(&mut drive, "break component>8");
    command(&mut drive, "until component>8");
    assert_eq!(breaks(&drive), 1);
    command(&mut drive, "unbreak");
    // What runs is waited for, until somebody has enough or everything rests.
    command(&mut drive, "run");
    command(&mut drive, "until component>9");
    assert_eq!(breaks(&drive), 1);
    command(&mut drive, "run");
    assert_eq!(breaks(&drive), 0, "overridden, and taken back");
    command(&mut drive, "until component>9");
    command(&mut drive, "cancel");
    assert_eq!(breaks(&drive), 0);
    command(&mut drive, "until component>9");
    drive.tick(1);
    drive.tick(2);
    let shown = drive.text();
    assert!(shown.contains("everything has come to rest, and nothing was component>9"), "{shown}");
    assert_eq!(breaks(&drive), 0);
}

/// Also where no breakpoint could say what that is; and a cluster that runs is paused then.
#[test]
fn the_cluster_goes_on_until_something_is_wrong() {
    for paused in [true, false] {
        let mut stage = nearly_broken();
        // Nothing else moves before that.
        for kind in MessageKind::ALL.into_iter().filter(|kind| kind.name() != "RecoverReply") {
            stage.run(&[&format!("hold kind={kind}")]);
        }
        if !paused {
            stage.run(&["hold kind=RecoverReply", "run"]);
        }
        let mut drive = Drive::with(stage, LARGE);
        assert!(drive.app.checks.violations().is_empty());
        command(&mut drive, "until violation");
        if !paused {
            assert!(drive.app.checks.violations().is_empty());
            command(&mut drive, "release kind=RecoverReply");
        }
        let wrong = drive.app.checks.violations().first().expect("it is broken").at;
        let (told, _) = drive.app.message.clone().expect("it is said");
        assert_eq!(told, format!("violation at #{}", wrong - 1));
        assert!(drive.stage.view().gate.paused);
        assert_eq!((drive.app.screen, done(&drive) >= wrong), (Screen::Checks, true));
    }
}

/// A run of many entries is gone to bit by bit, and somebody can do something else meanwhile.
#[test]
fn what_takes_long_keeps_nobody() {
    let mut stage = Stage::new(5);
    stage.run(&["burst 600 conflict=20", "settle"]);
    let mut drive = Drive::with(stage, LARGE);
    let steps = done(&drive);
    assert!(steps > 5_000, "{steps}");
    drive.works = false;
    drive.press("p");
    assert!(drive.app.is_working());
    assert!(drive.text().contains("on the way to #"), "{}", drive.text());
    drive.press("2");
    assert_eq!(drive.app.screen, Screen::SpaceTime);
    drive.press("Esc");
    assert!(!drive.app.is_working() && drive.app.times.past.is_none());
    assert!(drive.text().contains("it was ended there"), "{}", drive.text());
    drive.works = true;
    drive.press("p");
    assert_eq!(seen(&drive), steps - 1);
    // It is not gone twice.
    drive.works = false;
    drive.press("p p p");
    assert_eq!((seen(&drive), drive.app.is_working()), (steps - 4, false));
    drive.works = true;

    command(&mut drive, "burst 10001");
    assert!(drive.text().contains("a branch takes a burst of 10000 at most"), "{}", drive.text());
    assert_eq!(drive.app.times.multiverse.iter().count(), 1);
    // Esc would end it.
    let typed = |drive: &mut Drive, line: &str| {
        drive.press(":");
        drive.type_in(line);
        drive.press("Enter");
    };
    drive.works = false;
    typed(&mut drive, "burst 400");
    assert!(drive.app.is_working());
    typed(&mut drive, "put x 1");
    assert!(drive.text().contains("burst 400 has not come to rest yet"), "{}", drive.text());
    let whole = |drive: &Drive| (drive.app.times.branch().len(), drive.app.view.in_flight.len());
    drive.press("Esc");
    let (len, flights) = whole(&drive);
    assert!(flights > 0 && drive.app.view.gate.paused, "it stands still where it was ended");
    drive.works = true;
    drive.press("Esc T");
    assert!(whole(&drive).0 > len && whole(&drive).1 == 0);
    drive.works = false;
    drive.press("Esc $");
    typed(&mut drive, "what-if #700 drop as lost");
    assert!(drive.app.is_working());
    drive.works = true;
    drive.press("F1 Esc");
    assert_eq!(drive.app.times.branch().name, "lost");
    assert_eq!(drive.app.view.total().dropped, 1);
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
