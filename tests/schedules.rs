//! Random schedules in the simulator: whatever the order in which messages arrive, and however
//! often, the replicas agree.

use std::collections::BTreeMap;

use epaxos_tui::epaxos::command::{Key, Operation, Payload};
use epaxos_tui::epaxos::id::{InstanceId, ReplicaId};
use epaxos_tui::epaxos::quorum::CLUSTER_SIZES;
use epaxos_tui::epaxos::replica::{Options, Replica, ReplyOn};
use epaxos_tui::kv::Store;
use epaxos_tui::observe::notice::{Effect, Shape};
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// One thing to do to a cluster; indexes are taken modulo what there is.
#[derive(Clone, Debug)]
enum Act {
    Propose { at: usize, operations: Vec<Operation> },
    Deliver(usize),
    Duplicate(usize),
    Drop(usize),
    Wake(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    ("[xy]", 0..100u8, 0..4u8).prop_map(|(key, value, kind)| match kind {
        0 => Operation::get(&key),
        1 => Operation::delete(&key),
        _ => Operation::put(&key, &value.to_string()),
    })
}

fn act() -> impl Strategy<Value = Act> {
    let index = 0..1000usize;
    prop_oneof![
        3 => (0..9usize, proptest::collection::vec(operation(), 1..3))
            .prop_map(|(at, operations)| Act::Propose { at, operations }),
        24 => index.clone().prop_map(Act::Deliver),
        2 => index.clone().prop_map(Act::Duplicate),
        1 => index.prop_map(Act::Drop),
        1 => (0..9usize).prop_map(Act::Wake),
    ]
}

/// Plays the acts, then delivers everything and fires every timer until nothing is left to do.
fn play(shape: Shape, acts: Vec<Act>) -> Cluster {
    let replicas = shape.replicas();
    let mut cluster = Cluster::new(shape);
    for act in acts {
        perform(&mut cluster, replicas, act);
        cluster.check_invariants();
    }
    loop {
        cluster.settle().expect("a simulation settles");
        let mut waiting =
            ReplicaId::all(replicas).filter(|id| cluster.replica(*id).next_wake().is_some());
        let Some(next) = waiting.next() else { break };
        cluster.wake(next).expect("a timer is set");
    }
    cluster.check_invariants();
    cluster
}

fn perform(cluster: &mut Cluster, replicas: usize, act: Act) {
    let at = |index: usize| ReplicaId::from_index(index % replicas);
    let flights: Vec<_> =
        cluster.in_flight().iter().map(|flight| flight.envelope.clone()).collect();
    let pick = |index: usize| flights.get(index % flights.len().max(1));
    let result = match act {
        Act::Propose { at: index, operations } => {
            cluster.propose(at(index), operations).map(|_| ())
        }
        Act::Deliver(index) => pick(index).map_or(Ok(()), |flight| cluster.deliver(flight.id)),
        Act::Duplicate(index) => pick(index).map_or(Ok(()), |flight| cluster.duplicate(flight.id)),
        // A lost Commit can be repaired only by recovery.
        Act::Drop(index) => match pick(index) {
            Some(flight) if flight.message.kind().name() != "Commit" => cluster.drop(flight.id),
            _ => Ok(()),
        },
        Act::Wake(index) => {
            let _ = cluster.wake(at(index));
            Ok(())
        }
    };
    result.expect("every act is possible");
}

/// Everything committed anywhere is the same everywhere.
fn check_agreement(cluster: &Cluster, replicas: usize) -> BTreeMap<InstanceId, Payload> {
    let mut decided = BTreeMap::new();
    let mut payloads = BTreeMap::new();
    for id in ReplicaId::all(replicas) {
        for (instance, state) in cluster.replica(id).durable().instances.iter() {
            assert!(state.phase.is_committed(), "{instance} is not committed at {id} in the end");
            let decision = (state.payload.clone(), state.attributes);
            let first = decided.entry(instance).or_insert_with(|| decision.clone());
            assert_eq!(*first, decision, "{instance} differs at {id}");
            payloads.insert(instance, state.payload.clone().expect("a decision has a payload"));
        }
    }
    for (x, (payload, attributes)) in &decided {
        for (y, (other, others)) in decided.range(..x) {
            let interfere =
                payload.as_ref().zip(other.as_ref()).is_some_and(|(x, y)| x.interferes_with(y));
            let visible = attributes.deps.contains(*y) || others.deps.contains(*x);
            assert!(!interfere || visible, "{x} and {y} interfere and do not know each other");
        }
    }
    payloads
}

/// Interfering instances are executed in the same order everywhere, and all stores end equal.
fn check_order(cluster: &Cluster, replicas: usize, payloads: &BTreeMap<InstanceId, Payload>) {
    let histories = |id: ReplicaId| {
        let mut executed: Vec<_> = cluster.view().replica(id).instances.iter().collect();
        executed
            .sort_by_key(|(_, instance)| instance.order.expect("everything executes in the end"));
        let mut writes: BTreeMap<Key, Vec<InstanceId>> = BTreeMap::new();
        for (instance, _) in executed {
            for operation in
                payloads[&instance].operations().filter(|operation| operation.is_write())
            {
                writes.entry(operation.key().clone()).or_default().push(instance);
            }
        }
        writes
    };
    let first = histories(ReplicaId(0));
    for id in ReplicaId::all(replicas) {
        assert_eq!(histories(id), first, "{id} executed in another order than R0");
        assert_eq!(cluster.replica(id).machine(), cluster.replica(ReplicaId(0)).machine());
        assert_eq!(
            &cluster.view().replica(id).store,
            cluster.replica(id).machine(),
            "what is shown of {id}'s store is not what it is",
        );
    }
}

/// Replays the decision log on fresh replicas, and compares every effect.
fn check_replay(cluster: &Cluster, shape: &Shape) {
    let mut fresh: Vec<_> = ReplicaId::all(shape.replicas())
        .map(|id| (Replica::new(Options { id, ..shape.options.clone() }, Store::default()), 0u64))
        .collect();
    for entry in cluster.view().log.iter() {
        let step = &entry.step;
        let (replica, sent) = &mut fresh[step.replica.index()];
        let Some(input) = step.decision.input() else { continue };
        let mut out = Vec::new();
        replica.step(step.now, input, &mut out);
        let replayed = out.into_iter().map(|output| Effect::of(output, step.replica, sent));
        assert_eq!(replayed.collect::<Vec<_>>(), step.effects);
    }
    for (replica, _) in &fresh {
        assert_eq!(replica, cluster.replica(replica.id()), "{} replays differently", replica.id());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schedules.regressions"),
        ))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn replicas_agree(
        size in 0..CLUSTER_SIZES.len(),
        thrifty: bool,
        early: bool,
        acts in proptest::collection::vec(act(), 0..160),
    ) {
        let mut shape = Shape::new(CLUSTER_SIZES[size]);
        shape.options.thrifty = thrifty;
        shape.options.reply_on = if early { ReplyOn::Commit } else { ReplyOn::Execute };
        let proposed: usize = acts
            .iter()
            .map(|act| match act {
                Act::Propose { operations, .. } => operations.len(),
                _ => 0,
            })
            .sum();
        let mut cluster = play(shape.clone(), acts);
        let payloads = check_agreement(&cluster, shape.replicas());
        check_order(&cluster, shape.replicas(), &payloads);
        check_replay(&cluster, &shape);
        prop_assert_eq!(cluster.take_answers().len(), proposed, "every request has one answer");
    }
}

/// The runs above are not all alike: slow paths, cycles, and repeated messages come up in them.
#[test]
fn schedules_reach_what_they_are_for() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut total = epaxos_tui::observe::counters::Counters::default();
    for _ in 0..60 {
        let acts =
            proptest::collection::vec(act(), 80..160).new_tree(&mut runner).unwrap().current();
        total.add(&play(Shape::new(5), acts).view().total());
    }
    assert!(total.fasts > 0 && total.slows > 0, "{} fast, {} slow", total.fasts, total.slows);
    assert!(total.component_size.max() > 1, "no component of several instances");
    assert!(total.blips > 0 && total.timers > 0 && total.aggregated > 0);
    let ignored = total.ignored.iter().filter(|count| **count > 0).count();
    assert!(ignored >= 4, "only {ignored} reasons to ignore a message came up");
}
