//! The graph and the order of execution: what is drawn, and that what is walked through is what is
//! executed.

use epaxos_tui::epaxos::id::{InstanceId, ReplicaId};
use epaxos_tui::observe::walk::{Walk, What};
use epaxos_tui::tui::layout::Pane;
use proptest::prelude::*;

use crate::drive::Drive;
use crate::stage::Stage;

/// A drive on the screen of the graph.
pub fn shown(stage: Stage, size: (u16, u16)) -> Drive {
    let mut drive = Drive::with(stage, size);
    drive.press("3");
    drive
}

/// A conflict whose last commit has not reached R3, and a read that waits for it there.
pub fn blocked() -> Stage {
    Stage::of(&[
        "pause",
        "put y 9 @R1",
        "step all",
        "put x 1 @R0",
        "put x 2 @R4",
        "deliver R4-1",
        "deliver R0-0",
        "hold kind=Commit to=R3",
        "step all",
        "get x @R2",
        "deliver kind=PreAccept",
        "step all",
        "release kind=Commit to=R3",
        "deliver kind=Commit to=R3 instance=R2.0",
    ])
}

#[test]
fn a_component_is_bracketed_and_what_waits_is_told() {
    for size in [(120, 40), (80, 24)] {
        let drive = shown(blocked(), size);
        let screen = drive.text();
        let row = |id: &str| {
            let listed = |line: &&str| line.contains(&format!(" {id} ")) && line.contains(" slow");
            let found = screen.lines().find(listed);
            found.unwrap_or_else(|| panic!("{id} is not listed:\n{screen}")).to_owned()
        };
        assert!(row("R0.0").contains('┌') && row("R4.0").contains('└'), "{screen}");
        assert!(screen.contains("R3: R2.0 waits for R"), "{screen}");
        assert_eq!(screen.contains("in one order everywhere"), size == (120, 40), "{screen}");
    }
}

#[test]
fn the_selection_follows_the_list_and_the_list_the_observer() {
    let mut drive = shown(blocked(), (120, 40));
    drive.press("g");
    assert_eq!(drive.app.selected, Some(InstanceId::new(ReplicaId(1), 0)));
    drive.press("j");
    assert_eq!(drive.app.selected.map(|id| id.to_string()).as_deref(), Some("R0.0"));
    drive.press("o o o o");
    assert!(drive.text().contains("Execution order at R3"));
    // R3 has executed one instance, and waits with another.
    assert!(drive.text().contains("◄R"), "{}", drive.text());
    drive.press("Enter");
    assert_eq!(drive.app.pane(), Pane::Detail);
}

/// Nobody's eyes are asked for in particular: what only others know of is listed, too.
#[test]
fn what_the_furthest_replica_does_not_know_is_listed_too() {
    let stage = Stage::of(&["pause", "put x 1 @R0", "put x 2 @R4", "deliver R4-1"]);
    let mut drive = shown(stage, (120, 40));
    let screen = drive.text();
    assert!(
        screen.contains("R0.0 ") && screen.contains("R4.0 ") && screen.contains("elsewhere"),
        "{screen}"
    );
    drive.press("g j");
    let selected = drive.app.selected.map(|id| id.to_string());
    drive.press("o");
    assert!(!drive.text().contains("elsewhere"), "{selected:?} {}", drive.text());
}

#[test]
fn a_picture_that_does_not_fit_is_told_in_words() {
    let mut drive = shown(Stage::of(&["burst 20 conflict=100", "settle"]), (120, 40));
    drive.press("k k");
    let screen = drive.text();
    assert!(screen.contains("component: R") && screen.contains("depends on R"), "{screen}");
}

#[test]
fn the_matrix_shows_each_dependency_of_a_component() {
    let mut drive = shown(Stage::conflict(), (120, 40));
    drive.press("/");
    drive.type_in("key:x");
    drive.press("Enter g m");
    let screen = drive.text();
    assert!(
        screen.contains("R0.0 s2    ·    ●") && screen.contains("R4.0 s2    ●    ·"),
        "{screen}"
    );
    drive.press("m");
    assert!(drive.text().contains("component"), "the picture again");
}

#[test]
fn what_waits_for_what_is_told_for_each_replica() {
    let mut drive = shown(blocked(), (120, 40));
    drive.press("b");
    let screen = drive.text();
    assert!(screen.contains("R3: 1 committed, not executed"), "{screen}");
    assert!(screen.contains("R2.0 waits for R0.0:"), "{screen}");
    assert!(screen.contains("R0 waits for nothing"), "{screen}");
}

#[test]
fn the_search_is_walked_forth_and_back() {
    let mut drive = shown(Stage::conflict(), (120, 40));
    drive.press("G t");
    assert!(drive.text().contains("move 1 of"), "{}", drive.text());
    let first = drive.text();
    drive.press(". . .");
    assert!(drive.text().contains("move 4 of"));
    drive.press(", , , ,");
    assert_eq!(drive.text(), first);
}

/// What a walk finds last, where it comes to its end.
fn found(stage: &Stage, replica: ReplicaId, root: InstanceId) -> Option<Vec<Vec<InstanceId>>> {
    let walk = Walk::from(stage.view(), replica, root);
    let last = walk.moves.last()?;
    (!walk.is_cut && !matches!(last.what, What::Blocked(_))).then(|| last.found.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The walk is the search that execution does: it finds the same components in the same order.
    #[test]
    fn what_is_walked_through_is_what_is_executed(
        keys in 1u32..4,
        count in 1u32..25,
        conflict in 0u32..100,
    ) {
        let burst = format!("burst {count} keys={keys} conflict={conflict}");
        let stage = Stage::of(&[&burst, "settle"]);
        for replica in ReplicaId::all(5) {
            let instances = &stage.view().replica(replica).instances;
            for (id, known) in instances.iter() {
                let Some(found) = found(&stage, replica, id) else { continue };
                let own = found.iter().find(|members| members.contains(&id)).expect("its own");
                prop_assert_eq!(&own[..], known.component.as_deref().expect("executed"));
                let orders: Vec<u64> =
                    found.iter().flatten().map(|id| instances.get(*id).unwrap().order.unwrap()).collect();
                prop_assert!(own.is_sorted_by_key(|id| instances.get(*id).unwrap().order));
                prop_assert_eq!(orders.iter().max(), orders.last(), "what is found last is executed last");
            }
        }
    }
}
