//! Every screen at every size, on worlds of any kind: nothing fails, and nothing lies over anything
//! else.

use epaxos_tui::script::file::Script;
use epaxos_tui::sim::plan::Plan;
use epaxos_tui::sim::simulation;
use epaxos_tui::tui::deed::Screen;
use epaxos_tui::tui::layout::Pane;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::drive::Drive;
use crate::stage::Stage;

/// A cluster to which whatever can happen has: crashes, losses, copies, delays, recoveries.
fn random(seed: u64, replicas: usize) -> Stage {
    let plan = Plan::draw(seed, Some(replicas));
    let acts = simulation::draw(&plan).acts;
    let script = simulation::play(&plan, &acts, true).script.expect("it was asked for");
    let commands = Script::parse(&script.to_string()).expect("it is a script").commands;
    let mut stage = Stage::shaped(plan.shape);
    for (_, command) in commands.iter().take(400) {
        stage.perform(command);
    }
    stage
}

/// Whether the cells of a frame's corners are corners: whoever draws over another's pane breaks one.
fn is_whole(buffer: &Buffer, area: Rect) -> bool {
    let corner = |x, y, corner: &str| buffer[(x, y)].symbol() == corner;
    area.width < 2
        || area.height < 2
        || corner(area.left(), area.top(), "┌")
            && corner(area.right() - 1, area.top(), "┐")
            && corner(area.left(), area.bottom() - 1, "└")
            && corner(area.right() - 1, area.bottom() - 1, "┘")
}

/// Draws the screen on show at a size, and looks whether everything has a place of its own.
fn check(drive: &mut Drive, width: u16, height: u16) {
    drive.resize(width, height);
    let buffer = drive.buffer();
    let app = &drive.app;
    let layout = app.layout();
    let screen = app.screen;
    let lines = [layout.header, layout.tabs, layout.timeline, layout.message];
    let others = [layout.prompt, layout.hints];
    let panes = layout.panes.iter().map(|(_, area)| *area);
    let areas: Vec<Rect> = lines.into_iter().chain(others).chain(panes).collect();
    for (index, area) in areas.iter().enumerate().filter(|(_, area)| !area.is_empty()) {
        let within = app.area().intersection(*area) == *area;
        assert!(within, "{screen:?} at {width}x{height}: {area:?} lies outside");
        let over = areas[..index].iter().find(|other| other.intersects(*area));
        assert!(over.is_none(), "{screen:?} at {width}x{height}: {area:?} lies over {over:?}");
    }
    let too_small = layout.room == epaxos_tui::tui::layout::Room::None;
    for (pane, area) in layout.panes.iter().filter(|_| !too_small) {
        // The log is drawn by a widget with frames of its own.
        let whole = *pane == Pane::Log || is_whole(&buffer, *area);
        assert!(whole, "{screen:?} at {width}x{height}: the frame of {pane:?} is broken");
    }
}

/// Everything that can be on show: each screen, each of its panes alone, and each way to show it.
fn shows() -> Vec<&'static str> {
    vec![
        "1",
        "1 f",
        "1 Tab f",
        "1 Tab Tab f",
        "2",
        "2 -",
        "2 +",
        "2 + + h",
        "2 b H",
        "2 f",
        "2 V",
        "2 l l l l",
        "3",
        "3 m",
        "3 b",
        "3 t . .",
        "3 w",
        "3 f",
        "3 Tab f",
        "4",
        "5",
        "6",
        "7",
        "8",
        "8 w",
    ]
}

fn drives() -> Vec<Drive> {
    let stages = [
        Stage::new(5),
        Stage::conflict(),
        Stage::held(),
        random(3, 3),
        random(5, 5),
        random(7, 7),
        random(9, 9),
        Stage::of(&["burst 300 keys=5 conflict=40", "settle", "pause", "burst 40 conflict=100"]),
    ];
    stages.into_iter().map(|stage| Drive::with(stage, (100, 30))).collect()
}

/// Each size from 1x1 to 200x60, each with another world and another screen; all of them at the
/// sizes at which the layout changes.
#[test]
fn every_screen_at_every_size() {
    let shows = shows();
    let mut drives: Vec<Vec<Drive>> = shows
        .iter()
        .map(|keys| {
            let mut drives = drives();
            for drive in &mut drives {
                drive.press(keys);
            }
            drives
        })
        .collect();
    let worlds = drives[0].len();
    let mut turn = 0;
    for width in 1..=200u16 {
        for height in 1..=60u16 {
            turn += 1;
            check(&mut drives[turn % shows.len()][turn / shows.len() % worlds], width, height);
        }
    }
    for (width, height) in [(60, 16), (61, 17), (77, 22), (78, 22), (80, 24), (109, 34), (110, 34)]
    {
        for drive in drives.iter_mut().flatten() {
            check(drive, width, height);
        }
    }
}

#[test]
fn every_screen_can_be_shown() {
    let mut drive = Drive::conflict((120, 40));
    for (number, screen) in (1..).zip(Screen::ALL) {
        drive.press(&format!("{number}"));
        assert_eq!(drive.app.screen, screen);
    }
}

/// A terminal that shrinks to a cell and grows again shows what it showed before.
#[test]
fn a_size_of_one_and_back_changes_nothing() {
    for keys in shows() {
        let mut drive = Drive::conflict((120, 40));
        drive.press(keys);
        let before = drive.text();
        drive.resize(1, 1);
        drive.buffer();
        drive.resize(120, 40);
        assert_eq!(drive.text(), before, "after {keys}");
    }
}
