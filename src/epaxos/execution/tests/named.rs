//! Small logs, each for one clause of the rule.

use super::{Decision, Numbered};
use super::{decision, execution, instance, order, text};
use crate::epaxos::execution::Blocked;
use crate::epaxos::id::InstanceId;

#[test]
fn dependencies_come_first_whatever_their_seq() {
    let log = [decision("R0.0", 1, "R1.0", ["put x"]), decision("R1.0", 7, "", ["put x"])];
    assert_eq!(order(&log), "R1.0 | R0.0");
}

#[test]
fn what_is_ready_together_goes_by_seq_then_replica_then_slot() {
    let log = [
        decision("R1.0", 2, "", ["put a"]),
        decision("R0.1", 2, "", ["put b"]),
        decision("R0.0", 2, "", ["put c"]),
        decision("R2.0", 1, "", ["put d"]),
    ];
    assert_eq!(order(&log), "R2.0 | R0.0 | R0.1 | R1.0");
}

#[test]
fn what_becomes_ready_late_precedes_what_was_ready_before() {
    // R1.0 depends on R2.0, and is of lower seq than R3.0, which depends on nothing.
    let log = [
        decision("R1.0", 1, "R2.0", ["put x"]),
        decision("R2.0", 2, "", ["put x"]),
        decision("R3.0", 3, "", ["put y"]),
    ];
    assert_eq!(order(&log), "R2.0 | R1.0 | R3.0");
}

#[test]
fn a_cycle_is_executed_by_seq() {
    let log = [decision("R0.0", 2, "R1.0", ["put x"]), decision("R1.0", 1, "R0.0", ["put x"])];
    assert_eq!(order(&log), "R1.0 R0.0");
}

#[test]
fn equal_seq_is_broken_by_replica_then_slot() {
    let log = [
        decision("R1.0", 1, "R0.1 R1.0", ["put x"]),
        decision("R0.1", 1, "R1.0", ["put x"]),
        decision("R0.0", 1, "R0.1", ["put x"]),
    ];
    assert_eq!(order(&log), "R0.0 R0.1 R1.0");
}

#[test]
fn two_instances_of_one_replica_share_a_component() {
    let log = [
        decision("R0.0", 1, "R1.0", ["put x"]),
        decision("R1.0", 1, "R0.1", ["put x"]),
        decision("R0.1", 1, "R0.0", ["put x"]),
    ];
    assert_eq!(order(&log), "R0.0 R0.1 R1.0");
}

#[test]
fn a_batch_interferes_by_any_of_its_keys() {
    let log = [
        decision("R0.0", 1, "", ["put x"]),
        decision("R1.0", 1, "", ["get y"]),
        decision("R2.0", 0, "R0.0 R1.0", ["get x", "get y", "put z"]),
        decision("R3.0", 0, "R2.0", ["get z"]),
    ];
    // Only R1.0 is not in the way of R2.0: two reads.
    assert_eq!(order(&log), "R0.0 | R2.0 | R3.0 | R1.0");
}

#[test]
fn reads_do_not_order_each_other() {
    let log = [decision("R0.0", 2, "", ["get x"]), decision("R1.0", 1, "R0.0", ["get x"])];
    assert_eq!(order(&log), "R1.0 | R0.0");
}

#[test]
fn a_prefix_reaches_past_a_no_op() {
    // Were R0.1 alone the dependency of R1.0, nothing would order R1.0 after R0.0.
    let log = [
        decision("R0.0", 9, "", ["put x"]),
        decision("R0.1", 0, "", []),
        decision("R1.0", 1, "R0.1", ["put x"]),
    ];
    assert_eq!(order(&log), "R0.1 | R0.0 | R1.0");
}

#[test]
fn a_no_op_orders_nothing() {
    let log = [decision("R0.0", 2, "R1.0", []), decision("R1.0", 1, "R0.0", ["put x"])];
    assert_eq!(order(&log), "R1.0 | R0.0");
}

#[test]
fn the_whole_prefix_must_be_committed_even_where_it_does_not_interfere() {
    let mut execution = execution(&[
        decision("R0.1", 1, "", ["put x"]),
        decision("R1.0", 2, "R0.1", ["put x"]),
        decision("R2.0", 3, "R1.0", ["put x"]),
    ]);
    let pass = execution.advance();
    assert_eq!(text(&pass), "R0.1");
    let gap = instance("R0.0");
    let blocked = |name| Blocked { instance: instance(name), on: gap, again: false };
    assert_eq!(pass.blocked, [blocked("R1.0"), blocked("R2.0")]);
    assert_eq!(execution.blocker(instance("R2.0")), Some(gap));
    assert_eq!(execution.blockers().collect::<Vec<_>>(), [gap]);
    assert_eq!(execution.pending(), 2);

    let unrelated = decision("R0.0", 9, "", ["put y"]);
    execution.commit(&unrelated);
    assert_eq!(text(&execution.advance()), "R1.0 | R2.0 | R0.0");
    assert_eq!(execution.pending(), 0);
    assert_eq!(execution.blockers().count(), 0);
}

#[test]
fn an_instance_nobody_has_seen_blocks() {
    let mut execution = execution(&[decision("R0.0", 1, "R4.2", ["put x"])]);
    assert_eq!(text(&execution.advance()), "");
    assert_eq!(execution.blocker(instance("R0.0")), Some(instance("R4.0")));
    assert!(!execution.is_executed(instance("R0.0")) && execution.is_committed(instance("R0.0")));
    assert!(!execution.is_committed(instance("R4.0")));
    assert_eq!(execution.blocker(instance("R4.0")), None);
}

#[test]
fn nothing_new_is_nothing_to_do() {
    let mut execution = execution(&[decision("R0.0", 1, "R4.2", ["put x"])]);
    execution.advance();
    let pass = execution.advance();
    assert_eq!((pass.candidates, pass.edges, pass.blocked.len()), (0, 0, 0));
}

#[test]
fn forward_dependencies_in_the_own_row_lose_nothing() {
    // Each of R0.1 and R0.2 covers the whole row. A walk for either that ended at the other would
    // leave R0.0 out of reach.
    let log = [
        decision("R0.0", 9, "", ["put x"]),
        decision("R0.1", 1, "R0.2", ["put x"]),
        decision("R0.2", 1, "R0.2", ["put x"]),
    ];
    assert_eq!(order(&log), "R0.0 | R0.1 R0.2");
}

#[test]
fn what_reaches_all_before_it_only_through_what_comes_later_is_no_link() {
    // R1.1 comes last and depends on all before it; so does R0.1, but on R1.1 as well. Were R1.1 to reach
    // all through R0.1, which takes R1.1 for its way to R1.0, nothing would lead to R1.0.
    let log = [
        decision("R0.0", 1, "R0.1 R1.1", ["put x"]),
        decision("R1.0", 2, "R0.1 R1.1", ["put x"]),
        decision("R0.1", 3, "R0.1 R1.1", ["put x"]),
        decision("R1.1", 4, "R0.1 R1.1", ["put x"]),
    ];
    assert_eq!(order(&log), "R0.0 R1.0 R0.1 R1.1");
}

#[test]
fn what_can_be_executed_in_turn_is_ordered_without_a_look_at_any_edge() {
    let mut log = [
        decision("R0.0", 1, "", ["put x"]),
        decision("R1.0", 2, "R0.0", ["put x"]),
        decision("R0.1", 1, "R0.0", ["get y"]),
        decision("R2.0", 1, "", ["get y"]),
        decision("R0.2", 3, "R0.1 R1.0 R2.0", ["put x", "put y"]),
        decision("R1.1", 0, "", []),
    ];
    // Row by row as well, as after a restart, and whatever came first.
    for _ in 0..3 {
        let pass = execution(&log).advance();
        assert_eq!(text(&pass), "R1.1 | R0.0 | R0.1 | R2.0 | R1.0 | R0.2");
        assert_eq!((pass.candidates, pass.edges), (6, 0));
        log.sort_by_key(|decision| decision.instance);
        log.rotate_left(2);
    }
}

#[test]
fn what_is_in_turn_and_of_lower_seq_than_what_it_depends_on_comes_after_it() {
    // R0.0 may have become of higher seq after R1.0 knew of it.
    let log = [
        decision("R0.0", 5, "", ["put x"]),
        decision("R1.0", 2, "R0.0", ["put x"]),
        decision("R2.0", 1, "", ["put y"]),
    ];
    assert_eq!(order(&log), "R2.0 | R0.0 | R1.0");
    let equal = [decision("R1.0", 5, "", ["put x"]), decision("R0.0", 5, "R1.0", ["get x"])];
    assert_eq!(order(&equal), "R1.0 | R0.0");
}

#[test]
#[should_panic(expected = "R0.0 is committed once")]
fn a_second_decision_is_a_mistake() {
    execution(&[decision("R0.0", 1, "", []), decision("R0.0", 1, "", [])]);
}

#[test]
fn the_last_slot_there_is_does_no_harm() {
    let last = InstanceId { slot: u64::MAX, ..instance("R0.0") };
    let mut execution = Numbered::new(1);
    execution.commit(&Decision { instance: last, ..decision("R0.0", 1, "", ["put x"]) });
    execution.advance();
    assert!(execution.is_executed(last));
}
