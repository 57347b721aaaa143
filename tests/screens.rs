//! What the screens look like, and what keys, clicks and typed lines bring about.

mod calm;
#[path = "screens/checks.rs"]
mod checks;
#[path = "screens/commands.rs"]
mod commands;
#[path = "screens/drive.rs"]
mod drive;
#[path = "screens/faults.rs"]
mod faults;
#[path = "screens/filter.rs"]
mod filter;
#[path = "screens/finding.rs"]
mod finding;
#[path = "screens/graph.rs"]
mod graph;
#[path = "screens/interaction.rs"]
mod interaction;
#[path = "screens/lessons.rs"]
mod lessons;
#[path = "screens/mockups.rs"]
mod mockups;
#[path = "screens/neighbourhood.rs"]
mod neighbourhood;
#[path = "screens/picture.rs"]
mod picture;
#[path = "screens/sizes.rs"]
mod sizes;
#[path = "screens/space_time.rs"]
mod space_time;
#[path = "screens/stage.rs"]
mod stage;
#[path = "screens/stepping.rs"]
mod stepping;
#[path = "screens/times.rs"]
mod times;
#[path = "screens/traps.rs"]
mod traps;
#[path = "screens/why.rs"]
mod why;

use std::time::Duration;

use drive::Drive;
use epaxos_tui::tui::theme::Theme;
use stage::Stage;

/// Compares a screen with what it is known to look like.
macro_rules! look {
    ($name:expr, $drive:expr) => {
        insta::with_settings!({ snapshot_path => "screens", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $drive.picture());
        });
    };
}

const LARGE: (u16, u16) = (120, 40);
const SMALL: (u16, u16) = (80, 24);

/// Both, with the names that their snapshots have.
const SIZES: [((u16, u16), &str); 2] = [(LARGE, "120x40"), (SMALL, "80x24")];

#[test]
fn checks_of_a_sound_run_and_of_broken_ones() {
    for (size, name) in SIZES {
        let mut drive = Drive::conflict(size);
        drive.act(epaxos_tui::tui::app::Action::Tick(Duration::from_secs(1)));
        drive.press("8 j");
        look!(format!("checks_sound_{name}"), drive);
        look!(format!("checks_choice_{name}"), Drive::with(checks::broken(), size));
    }
}

#[test]
fn too_much_to_be_shown() {
    for (size, name) in SIZES {
        let mut drive = Drive::conflict(size);
        drive.act(checks::away(1_234));
        look!(format!("too_fast_{name}"), drive);
        drive.act(checks::seen_again());
        drive.press("8");
        look!(format!("seen_again_{name}"), drive);
    }
}

#[test]
fn space_time_at_every_zoom_and_in_every_state() {
    for (size, name) in SIZES {
        look!(format!("space_time_{name}"), space_time::shown(Stage::held(), size));
        look!(format!("space_time_fates_{name}"), space_time::shown(space_time::fates(), size));
        let mut drive = space_time::shown(Stage::conflict(), size);
        drive.press("k k k h +");
        look!(format!("space_time_cone_{name}"), drive);
        let mut drive = space_time::shown(Stage::conflict(), size);
        drive.press("b l l H");
        look!(format!("space_time_folded_{name}"), drive);
        let mut drive = space_time::shown(Stage::of(&["burst 40 conflict=50", "settle"]), size);
        drive.press("- - -");
        look!(format!("space_time_overview_{name}"), drive);
        drive.app.ascii = true;
        look!(format!("space_time_overview_ascii_{name}"), drive);
        let mut drive = space_time::shown(space_time::fates(), size);
        drive.app.ascii = true;
        drive.app.theme = Theme::Mono;
        look!(format!("space_time_ascii_mono_{name}"), drive);
    }
}

#[test]
fn graph_and_execution() {
    for (size, name) in SIZES {
        let mut drive = graph::shown(graph::blocked(), size);
        drive.press("k");
        look!(format!("graph_{name}"), drive);
        drive.press("o o o o b");
        look!(format!("graph_waiting_{name}"), drive);
        let mut drive = graph::shown(Stage::of(&["burst 24 keys=3 conflict=30", "settle"]), size);
        drive.press("k k k m");
        look!(format!("graph_matrix_{name}"), drive);
        drive.press("t . . . . . . . .");
        look!(format!("graph_walk_{name}"), drive);
        drive.press("Tab");
        look!(format!("graph_lanes_{name}"), drive);
        drive.app.ascii = true;
        drive.app.theme = Theme::Mono;
        look!(format!("graph_ascii_mono_{name}"), drive);
    }
}

#[test]
fn cockpit_before_anything_has_happened() {
    look!("cockpit_empty_120x40", Drive::new(LARGE));
    look!("cockpit_empty_80x24", Drive::new(SMALL));
}

#[test]
fn cockpit_with_messages_held() {
    for (size, name) in SIZES {
        let mut drive = Drive::held(size);
        drive.press("j j");
        look!(format!("cockpit_held_{name}"), drive);
    }
}

#[test]
fn cockpit_after_a_conflict() {
    for (size, name) in SIZES {
        let mut drive = Drive::conflict(size);
        drive.press("BackTab");
        look!(format!("cockpit_conflict_{name}"), drive);
    }
}

#[test]
fn cockpit_without_unicode_and_in_other_colours() {
    for size in [LARGE, SMALL] {
        let mut drive = Drive::held(size);
        drive.app.ascii = true;
        assert!(drive.text().is_ascii());
        look!(format!("cockpit_ascii_{}x{}", size.0, size.1), drive);
    }
    for (theme, name) in
        [(Theme::Light, "light"), (Theme::Mono, "mono"), (Theme::Contrast, "contrast")]
    {
        let mut drive = Drive::conflict(LARGE);
        drive.app.theme = theme;
        look!(format!("cockpit_{name}_120x40"), drive);
    }
}

#[test]
fn high_contrast_dims_nothing_on_any_screen() {
    for screen in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        let mut drive = Drive::conflict(LARGE);
        drive.app.theme = Theme::Contrast;
        drive.press(screen);
        assert!(!drive.picture().contains("dim"), "{}", drive.picture());
    }
}

#[test]
fn a_small_screen_drawn() {
    let mut drive = Drive::conflict((60, 16));
    drive.press("Tab");
    let drawing = epaxos_tui::tui::picture::svg(&drive.buffer(), Theme::Dark);
    insta::with_settings!({ snapshot_path => "screens", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("drawn_60x16.svg", drawing);
    });
}

#[test]
fn an_instance_on_the_slow_path_explained() {
    let mut drive = Drive::conflict(LARGE);
    // To the grid, up to R0's instance, into it, and all of the screen for it.
    drive.press("BackTab k Enter f");
    look!("instance_120x40", drive);
    let mut drive = Drive::conflict(SMALL);
    drive.press("BackTab k Enter");
    look!("instance_80x24", drive);
}

#[test]
fn the_grid_with_one_replicas_eyes() {
    let mut drive = Drive::conflict(LARGE);
    drive.press("o o");
    look!("observer_120x40", drive);
}

#[test]
fn metrics() {
    for (size, name) in SIZES {
        let mut drive = Drive::with(Stage::slow(Duration::from_millis(1)), size);
        drive.tick(0);
        drive.press("4 i");
        drive.type_in("burst 100 conflict=20");
        drive.press("Enter Esc");
        drive.tick(1);
        drive.tick(2);
        look!(format!("metrics_{name}"), drive);
    }
}

#[test]
fn the_timeline_marks_a_decision_that_a_recovery_took() {
    let lines = ["hold kind=PreAcceptReply", "put x 1 @R0", "settle", "crash R0", "sleep 10s"];
    let drive = Drive::with(Stage::of(&lines), LARGE);
    let text = drive.text();
    let timeline = text.lines().skip_while(|line| !line.contains("Timeline")).nth(1).unwrap();
    assert!(timeline.contains("●#"), "{text}");
}

#[test]
fn stores_mark_what_differs() {
    for (size, name) in SIZES {
        let lines = ["put x 1", "put ключ 漢字", "settle", "hold to=R3", "put x 2", "settle"];
        let mut drive = Drive::with(Stage::of(&lines), size);
        drive.press("5 j");
        assert!(drive.text().contains("stores differ"));
        look!(format!("store_{name}"), drive);
    }
}

#[test]
fn log() {
    for (size, name) in SIZES {
        let mut drive = Drive::new(size);
        drive.press("6");
        look!(format!("log_{name}"), drive);
    }
}

#[test]
fn palette_and_output_and_a_refused_command() {
    for (size, name) in SIZES {
        let mut drive = Drive::held(size);
        drive.press("?");
        drive.type_in("deliver");
        look!(format!("palette_{name}"), drive);
        drive.press("Esc i");
        drive.type_in("status");
        drive.press("Enter");
        look!(format!("output_{name}"), drive);
        drive.press("Esc");
        drive.type_in("put x 1 R3");
        drive.press("Enter");
        look!(format!("refused_{name}"), drive);
    }
}

#[test]
fn faults_before_anything_is_wrong() {
    for (size, name) in SIZES {
        let mut drive = Drive::new(size);
        drive.press("7");
        look!(format!("faults_none_{name}"), drive);
    }
}

#[test]
fn faults_of_links_and_replicas() {
    for (size, name) in SIZES {
        let mut drive = Drive::with(faults::faulty(5), size);
        drive.press("7 Down");
        look!(format!("faults_{name}"), drive);
        drive.press("Left");
        look!(format!("faults_replica_{name}"), drive);
    }
    for (size, name) in SIZES {
        let mut drive = Drive::with(faults::faulty(9), size);
        drive.press("7 Right");
        look!(format!("faults_nine_{name}"), drive);
    }
}

#[test]
fn faults_without_unicode_and_without_colour() {
    for (size, name) in SIZES {
        let mut drive = Drive::with(faults::faulty(9), size);
        drive.press("7 Right");
        drive.app.ascii = true;
        assert!(drive.text().is_ascii());
        look!(format!("faults_ascii_{name}"), drive);
        let mut drive = Drive::with(faults::faulty(5), size);
        drive.press("7");
        drive.app.theme = Theme::Mono;
        look!(format!("faults_mono_{name}"), drive);
    }
}

#[test]
fn faults_of_a_replica_that_failed() {
    for (size, name) in SIZES {
        let mut drive = Drive::held(size);
        faults::fail(&mut drive, 3);
        look!(format!("failed_cockpit_{name}"), drive);
        drive.press("7 j j j l l");
        look!(format!("failed_faults_{name}"), drive);
    }
}

#[test]
fn the_past_and_a_branch_of_it() {
    for (size, name) in SIZES {
        let mut drive = Drive::conflict(size);
        drive.press("[ ' [ p p p");
        look!(format!("past_{name}"), drive);
        drive.press("b");
        drive.press("i");
        drive.type_in("put x 7 @R3");
        drive.press("Enter Esc");
        look!(format!("branch_{name}"), drive);
    }
}

#[test]
fn a_lesson_with_a_question_answered_wrong_and_right_and_back() {
    for (size, name) in SIZES {
        let mut drive = lessons::learning(None, size);
        look!(format!("lessons_{name}"), drive);
        drive.press("j Enter");
        look!(format!("lesson_asks_{name}"), drive);
        drive.press("a");
        look!(format!("lesson_wrong_{name}"), drive);
        drive.press("n c");
        look!(format!("lesson_right_{name}"), drive);
        drive.press("n p p");
        look!(format!("lesson_back_{name}"), drive);
        drive.press("n n a n c n n n");
        look!(format!("lesson_end_{name}"), drive);
    }
    let mut drive = lessons::learning(Some(1), SMALL);
    drive.press("b");
    (drive.app.ascii, drive.app.theme) = (true, Theme::Light);
    look!("lesson_ascii_light_80x24", drive);
}
