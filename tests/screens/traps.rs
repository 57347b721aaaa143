//! What others have fallen into, and nobody here is to.

use epaxos_tui::tui::app::Action;
use epaxos_tui::tui::theme::Theme;
use ratatui::style::{Color, Modifier};
use std::time::Duration;

use crate::drive::Drive;
use crate::space_time;
use crate::stage::Stage;

const SIZES: [(u16, u16); 2] = [(120, 40), (80, 24)];

/// Everything that can be on show.
const SHOWS: [&str; 14] =
    ["1", "1 ?", "1 w", "2", "2 -", "2 +", "3", "3 m", "3 t", "4", "5", "7", "7 Right", "8"];

fn shown(keys: &str, size: (u16, u16)) -> Drive {
    let mut drive = Drive::with(space_time::fates(), size);
    drive.press(keys);
    drive
}

/// Equal messages are told apart by their names: what is dropped is the one that is pointed at.
#[test]
fn of_equal_messages_the_one_pointed_at_is_dropped() {
    let mut drive = Drive::with(Stage::of(&["pause", "put x 1", "dup R0-0", "dup R0-0"]), SIZES[0]);
    let (column, row) = drive.find("R0-0/1").expect("a twin");
    drive.click(column, row);
    drive.press("d");
    let left: Vec<String> =
        drive.app.view.in_flight.iter().map(|flight| flight.envelope.id.to_string()).collect();
    assert_eq!(left, ["R0-0", "R0-1", "R0-0/2"]);
}

/// Nothing is limited to the first ten.
#[test]
fn lists_have_no_end_that_is_not_that_of_what_they_list() {
    let mut drive = Drive::with(Stage::of(&["burst 60 keys=30", "settle"]), SIZES[0]);
    drive.press("3 G");
    assert!(drive.text().contains("59 "), "{}", drive.text());
    drive.press("5 G");
    assert!(drive.text().contains("k9"), "{}", drive.text());
    drive.press("2 g");
    assert!(drive.text().contains("#0 "), "{}", drive.text());
}

#[test]
fn opening_help_loses_no_key() {
    let mut drive = Drive::new(SIZES[0]);
    drive.press("? p a u s e");
    assert!(drive.text().contains("> pause"), "{}", drive.text());
}

#[test]
fn what_is_proposed_may_be_written_in_any_script() {
    for size in SIZES {
        for text in ["größe 漢字", "ключ значение", "🦀 e\u{301}\u{301}", "مفتاح قيمة"]
        {
            let mut drive = Drive::with(Stage::of(&["pause"]), size);
            drive.press("i");
            drive.type_in(&format!("put {text}"));
            drive.press("Left Left Enter Esc n n n n n");
            for keys in SHOWS {
                drive.press("Esc Esc Esc");
                drive.press(keys);
                drive.buffer();
            }
            assert_eq!(drive.app.view.total().proposals, 1, "{text}");
        }
    }
}

/// What is lost is seen to be lost.
#[test]
fn lost_messages_are_in_the_diagram() {
    let drive = shown("2", SIZES[0]);
    let crosses =
        drive.text().lines().filter(|line| line.contains('─') && line.contains("x ")).count();
    assert!(crosses >= 2, "{}", drive.text());
}

#[test]
fn every_screen_can_be_read_without_unicode() {
    for size in SIZES {
        for keys in SHOWS {
            let mut drive = shown(keys, size);
            drive.app.ascii = true;
            let text = drive.text();
            assert!(text.is_ascii(), "{keys}: {text}");
            assert!(!text.contains('?') || text.matches('?').count() < 8, "{keys}: {text}");
        }
    }
}

/// Colour tells nothing alone: without any, the characters are the same, and what is selected is still
/// marked.
#[test]
fn every_screen_can_be_read_without_colour() {
    for size in SIZES {
        for keys in SHOWS {
            let coloured = shown(keys, size);
            let mut plain = shown(keys, size);
            plain.app.theme = Theme::Mono;
            assert_eq!(coloured.text(), plain.text(), "{keys}");
            let buffer = plain.buffer();
            let colours = buffer.content.iter().filter(|cell| {
                // The overview draws lanes in the terminal's own grey.
                let plain = [Color::Reset, Color::DarkGray];
                !plain.contains(&cell.fg) || cell.bg != Color::Reset
            });
            assert_eq!(colours.count(), 0, "{keys}");
        }
    }
}

/// On a light terminal nothing is white, and no background is painted.
#[test]
fn every_screen_can_be_read_on_a_light_terminal() {
    for size in SIZES {
        for keys in SHOWS {
            let mut drive = shown(keys, size);
            drive.app.theme = Theme::Light;
            let buffer = drive.buffer();
            let light = [Color::White, Color::LightYellow, Color::Yellow, Color::LightCyan];
            let unreadable = buffer
                .content
                .iter()
                .filter(|cell| light.contains(&cell.fg) || cell.bg != Color::Reset)
                .count();
            assert_eq!(unreadable, 0, "{keys}");
        }
    }
}

/// A screen on which nothing happens is not drawn again.
#[test]
fn an_idle_screen_asks_for_no_frame() {
    for keys in ["1", "2", "3", "4", "5", "7", "8"] {
        let mut drive = Drive::conflict(SIZES[0]);
        drive.press(keys);
        // What is looked at now and then has been looked at.
        (1..6).for_each(|second| drive.tick(second));
        let before = (drive.app.revision, drive.app.view.version);
        for second in 6..40 {
            drive.act(Action::Tick(Duration::from_secs(second)));
        }
        assert_eq!((drive.app.revision, drive.app.view.version), before, "{keys}");
    }
}

/// The selected row is marked by a character, not by its style alone.
#[test]
fn a_selection_is_marked_and_reversed() {
    for (keys, size) in [("1", SIZES[0]), ("2", SIZES[1]), ("3", SIZES[0]), ("8", SIZES[1])] {
        let mut drive = Drive::held(size);
        drive.press(keys);
        let (x, y) = drive.find("│►").expect("a mark");
        let buffer = drive.buffer();
        let row = (x..buffer.area.width).map(|x| buffer[(x, y)].modifier);
        assert!(row.into_iter().any(|style| style.contains(Modifier::REVERSED)), "{keys}");
    }
}
