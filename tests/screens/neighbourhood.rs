//! The picture of what an instance depends on.

use epaxos_tui::epaxos::id::{InstanceId, ReplicaId};
use epaxos_tui::tui::neighbourhood::Neighbourhood;

use crate::stage::Stage;

#[test]
fn two_that_depend_on_each_other_are_drawn_as_a_component() {
    let stage = Stage::conflict();
    let mut picture = Neighbourhood::default();
    let selected = InstanceId::new(ReplicaId(0), 0);
    picture.settle(stage.view(), Some(selected), None);
    let text = picture.lines.join("\n");
    assert!(text.contains("R0.0") && text.contains("R4.0"), "{text}");
    assert!(text.contains("component"), "{text}");
}

#[test]
fn an_instance_alone_needs_no_picture() {
    let stage = Stage::of(&["put x 1", "settle"]);
    let mut picture = Neighbourhood::default();
    picture.settle(stage.view(), Some(InstanceId::new(ReplicaId(0), 0)), None);
    assert_eq!(picture.lines, Vec::<String>::new());
}

#[test]
fn however_much_there_is_the_picture_stays_small() {
    let stage = Stage::of(&["burst 200 conflict=100", "settle"]);
    let mut picture = Neighbourhood::default();
    picture.settle(stage.view(), Some(InstanceId::new(ReplicaId(2), 30)), None);
    let instances = picture.lines.iter().map(|line| line.matches("[R").count()).sum::<usize>();
    assert!((2..=25).contains(&instances), "{instances}");
    assert!(picture.is_cut());
}
