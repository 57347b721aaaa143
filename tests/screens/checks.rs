//! The checks screen: of a sound run, and of one of a protocol that is broken.

use std::sync::Arc;
use std::time::Duration;

use epaxos_tui::check::Property;
use epaxos_tui::epaxos::id::{InstanceId, ReplicaId};
use epaxos_tui::epaxos::mutation::Mutation;
use epaxos_tui::epaxos::seat::Seat;
use epaxos_tui::epaxos::time::Time;
use epaxos_tui::observe::notice::{Decision, Notice, Shape, Sight, Step};
use epaxos_tui::script::request::Report;
use epaxos_tui::tui::app::{Action, Standing};
use epaxos_tui::tui::deed::Screen;
use epaxos_tui::tui::layout::Pane;

use crate::drive::Drive;
use crate::stage::Stage;

/// A choice is lost, since a vote is reported in a ballot that was only joined.
pub fn broken() -> Stage {
    let mut stage = nearly_broken();
    stage.run(&["deliver kind=RecoverReply to=R3"]);
    stage
}

/// The same before the last messages arrive that it takes.
pub fn nearly_broken() -> Stage {
    let mut stage = Stage::mutated(Mutation::SingleBallot);
    stage.run(&[
        "pause",
        "put x 1 @R4",
        "deliver kind=PreAccept to=R1",
        "put x 2 @R0",
        "deliver kind=PreAccept instance=R0.0",
        "deliver kind=PreAcceptReply to=R0",
        "drop kind=Accept",
        "wake R2",
        "deliver kind=Recover to=R1",
        "deliver kind=Recover to=R3",
        "deliver kind=RecoverReply to=R2",
        "deliver kind=Validate",
        "deliver kind=ValidateReply",
        "deliver kind=Accept to=R1",
        "deliver kind=Accept to=R3",
        "deliver kind=AcceptReply from=R1",
        "deliver kind=Recover to=R0",
        "drop kind=RecoverReply from=R0",
        "wake R3",
        "deliver kind=Recover from=R3 to=R0",
        "deliver kind=Recover from=R3 to=R4",
    ]);
    stage
}

/// A replica is too fast to be looked at.
pub fn away(unseen: u64) -> Action {
    Action::Reports(vec![Report::Notice(Notice::Away { replica: ReplicaId(0), unseen })])
}

/// It shows itself as it was when nothing had happened.
pub fn seen_again() -> Action {
    let seat = Seat::new(Shape::new(5).options);
    let sight = Sight { unseen: 2_345, seat, held: Vec::new() };
    Action::Reports(vec![Report::Notice(Notice::Step(Step {
        replica: ReplicaId(0),
        now: Time(9_000),
        decision: Decision::Show(Arc::new(sight)),
        effects: Vec::new(),
        timer: None,
    }))])
}

#[test]
fn the_first_violation_is_shown_at_once() {
    let mut drive = Drive::with(broken(), (120, 40));
    assert_eq!(drive.app.screen, Screen::Checks);
    assert_eq!(drive.app.checks.selected(), Property::Choice);
    assert!(drive.text().contains("choice BROKEN"), "the header tells: {}", drive.text());

    // From there to what shows it, as the replica sees it that does.
    drive.press("Enter");
    let instance = InstanceId::new(ReplicaId(0), 0);
    assert_eq!((drive.app.screen, drive.app.pane()), (Screen::Cockpit, Pane::Detail));
    assert_eq!((drive.app.selected, drive.app.observer), (Some(instance), Some(ReplicaId(3))));
    // Nobody is taken back to the checks by what goes wrong after that.
    drive.stage.run(&["run", "settle"]);
    let reports = drive.stage.take_reports();
    drive.act(Action::Reports(reports));
    assert_eq!(drive.app.screen, Screen::Cockpit);
}

#[test]
fn what_takes_long_is_looked_at_now_and_then() {
    let mut drive = Drive::conflict((120, 40));
    let standing = |drive: &Drive| drive.app.checks.standing(Property::Linearizability);
    assert_eq!(standing(&drive), Standing::Unknown);
    drive.act(Action::Tick(Duration::from_secs(1)));
    assert_eq!(standing(&drive), Standing::Holds);
    let steps = drive.app.view.log.len();
    drive.stage.run(&["put x 3", "settle"]);
    let reports = drive.stage.take_reports();
    drive.act(Action::Reports(reports));
    assert_eq!(standing(&drive), Standing::HeldAt(steps));
    drive.act(Action::Tick(Duration::from_secs(3)));
    assert_eq!(standing(&drive), Standing::Holds);
}

#[test]
fn there_is_nothing_to_open_where_nothing_is_wrong() {
    let mut drive = Drive::conflict((80, 24));
    drive.press("8 j j Enter");
    assert_eq!(drive.app.screen, Screen::Checks);
    assert!(drive.text().contains("nothing wrong"), "{}", drive.text());
}
