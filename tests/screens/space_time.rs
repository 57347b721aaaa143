//! The space-time diagram: what is drawn where, and how one moves in it.

use epaxos_tui::tui::deed::Screen;
use epaxos_tui::tui::layout::Pane;

use ratatui::style::Modifier;

use crate::drive::Drive;
use crate::stage::Stage;

/// A drive on the screen of the diagram.
pub fn shown(stage: Stage, size: (u16, u16)) -> Drive {
    let mut drive = Drive::with(stage, size);
    drive.press("2");
    drive
}

/// Everything that can become of a message.
pub fn fates() -> Stage {
    let mut stage = Stage::of(&[
        "pause",
        "put x 1 @R2",
        "dup R2-0",
        "deliver R2-0/1",
        "drop R2-0",
        "crash R4",
        "deliver R2-1",
        "wake R2",
        "recover R4",
        "deliver kind=PreAccept to=R0",
    ]);
    stage.lose("R2-3");
    stage
}

fn rows(drive: &Drive) -> Vec<String> {
    drive.text().lines().map(str::to_owned).collect()
}

#[test]
fn an_arrow_goes_from_sender_to_receiver_on_the_row_of_the_delivery() {
    let drive = shown(Stage::held(), (120, 40));
    let screen = rows(&drive);
    let row = |number: &str| screen.iter().find(|line| line.starts_with(number)).unwrap().clone();
    let column = |name: &str| screen[3][..screen[3].find(name).unwrap()].chars().count();
    let columns = ["R0", "R1", "R2", "R3", "R4"].map(column);
    let at = |line: &str, lane: usize| line.chars().nth(columns[lane] + 1).unwrap();
    // R4-1 was sent by R4, and is delivered to R1.
    let delivery = row("│ #2 ");
    assert_eq!((at(&delivery, 1), at(&delivery, 4)), ('●', '┤'));
    assert!(delivery.contains("◄─R4-1 PreAccept R4.0 s1 {}"));
    // What goes from one side to the other crosses the lanes between.
    assert_eq!(at(&row("│ #1 "), 3), '┼');
}

#[test]
fn everything_that_becomes_of_a_message_is_seen() {
    let drive = shown(fates(), (120, 40));
    let screen = drive.text();
    for sign in ["2│", "x│", "comes back", "crashes ✗", "t timer resend R2.0", "◁", "now"] {
        assert!(screen.contains(sign), "{sign} is missing:\n{screen}");
    }
    // What was given up by its sender ends half-way.
    let lost = screen.lines().find(|line| line.contains("►#9")).expect("the lost message");
    assert!(lost.contains("├─PreAcc─────x            │"), "{lost}");
}

#[test]
fn the_cone_dims_what_is_concurrent_and_nothing_else() {
    let mut drive = shown(Stage::held(), (120, 40));
    let label = |drive: &Drive, text: &str| {
        let (x, y) = drive.find(text).expect(text);
        drive.buffer()[(x + 3, y)].modifier.contains(Modifier::DIM)
    };
    // The last event is the delivery of R1's answer to R4: it follows on R4's own proposal, and
    // knows nothing of R0's.
    assert!(!label(&drive, "├─put x 1") && !label(&drive, "├─put x 2"));
    drive.press("h");
    assert!(label(&drive, "├─put x 1") && !label(&drive, "├─put x 2"));
    drive.press("h");
    assert!(!label(&drive, "├─put x 1"));
}

#[test]
fn a_hidden_lane_takes_its_events_along_and_leaves_what_went_through_it() {
    let mut drive = shown(Stage::conflict(), (120, 40));
    let all = drive.app.space_time.rows().len();
    // R1 sent nothing but answers: R4 hears of its own PreAccept by way of R1.
    drive.press("l H");
    assert!(drive.app.space_time.rows().len() < all);
    let screen = drive.text();
    assert!(screen.contains("without R1"), "{screen}");
    assert!(!screen.lines().nth(3).unwrap().contains("R1"));
    assert!(screen.contains("via R1"), "{screen}");
    drive.press("A");
    assert_eq!(drive.app.space_time.rows().len(), all);
    // One lane is always left.
    drive.press("H H H H H H H");
    assert_eq!(drive.app.space_time.lanes(5).len(), 1);
}

#[test]
fn a_broadcast_is_folded_into_one_row() {
    let mut drive = shown(Stage::of(&["pause", "put x 1 @R0", "step all"]), (120, 40));
    let all = drive.app.space_time.rows().len();
    drive.press("b");
    assert!(drive.app.space_time.rows().len() < all);
    let screen = drive.text();
    assert!(screen.contains("Commit x4"), "{screen}");
    drive.press("b");
    assert_eq!(drive.app.space_time.rows().len(), all);
}

#[test]
fn scrolling_back_stops_following_and_the_end_resumes_it() {
    let mut drive = shown(Stage::of(&["burst 30", "settle"]), (80, 24));
    assert!(drive.app.space_time.follow);
    drive.press("k k");
    assert!(!drive.app.space_time.follow);
    let screen = drive.text();
    let place = drive.app.space_time.place();
    drive.press("i");
    drive.type_in("put z 1");
    drive.press("Enter Esc");
    assert_eq!(drive.app.space_time.place().selected, place.selected, "the place is kept");
    assert!(drive.text().contains("G follows"));
    drive.press("1 2");
    assert_eq!(drive.app.space_time.place().selected, place.selected, "across screens too");
    drive.press("G");
    assert!(drive.app.space_time.follow);
    assert_ne!(drive.text(), screen);
}

#[test]
fn a_message_on_its_way_is_selected_and_delivered_and_not_an_equal_one() {
    let mut drive = shown(Stage::of(&["pause", "put x 1 @R0", "dup R0-1", "dup R0-1"]), (120, 40));
    // Below the last event are the messages on their way, the second twin the last of them.
    drive.press("j j j j");
    let selected = drive.app.space_time.flight(&drive.app.view).expect("a message").envelope.id;
    assert_eq!(selected.to_string(), "R0-1/2");
    drive.press("Enter");
    let left: Vec<String> = drive
        .app
        .view
        .in_flight
        .iter()
        .filter(|flight| flight.envelope.to.0 == 2)
        .map(|flight| flight.envelope.id.to_string())
        .collect();
    assert!(
        left.iter().all(|id| id != "R0-1/2") && left.contains(&"R0-1/1".to_owned()),
        "{left:?}"
    );
    drive.press("k");
    let next = drive.app.space_time.flight(&drive.app.view).expect("a message").envelope.id;
    drive.press("d");
    assert!(drive.app.view.in_flight.get(next).is_none(), "{next} was dropped");
}

#[test]
fn a_click_selects_an_event_and_a_filter_narrows_the_rows() {
    let mut drive = shown(Stage::conflict(), (120, 40));
    let (column, row) = drive.find("│ #30 ").expect("an event");
    drive.click(column + 20, row);
    assert_eq!(drive.app.space_time.entry(&drive.app.view).unwrap().id, 30);
    assert_eq!(drive.app.screen, Screen::SpaceTime);
    assert_eq!(drive.app.selected, drive.app.event_instance());
    drive.press("/");
    drive.type_in("kind:Commit");
    drive.press("Enter");
    let entries: Vec<u64> = drive.app.space_time.rows().iter().map(|row| row.entry).collect();
    assert!(!entries.is_empty());
    for id in entries {
        let entry = drive.app.view.log.get(id).unwrap();
        assert!(entry.step.decision.message().unwrap().to_string().contains("Commit"), "{entry:?}");
    }
    drive.press("Esc");
    assert!(!drive.app.space_time.is_filtered());
    assert_eq!(drive.app.pane(), Pane::SpaceTime);
}

#[test]
fn lanes_off_the_screen_are_counted_and_come_into_sight() {
    let mut stage = Stage::new(9);
    stage.run(&["put x 1 @R8"]);
    let mut drive = shown(stage, (80, 24));
    let heading = |drive: &Drive| rows(drive)[3].clone();
    assert!(
        heading(&drive).contains("3>") && !heading(&drive).contains("R8"),
        "{}",
        heading(&drive)
    );
    drive.press("l l l l l l l l");
    assert!(
        heading(&drive).contains("<3") && heading(&drive).contains("R8"),
        "{}",
        heading(&drive)
    );
}
