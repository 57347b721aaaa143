//! Random schedules in the simulator: whatever the order in which messages arrive, and however
//! often, the replicas agree.

use std::collections::BTreeMap;
use std::time::Duration;

use epaxos_tui::epaxos::command::{Key, Operation, Payload};
use epaxos_tui::epaxos::id::{InstanceId, ReplicaId};
use epaxos_tui::epaxos::quorum::CLUSTER_SIZES;
use epaxos_tui::epaxos::replica::{Options, ReplyOn, Timeouts};
use epaxos_tui::epaxos::seat::Seat;
use epaxos_tui::kv::Store;
use epaxos_tui::observe::notice::{Decision, Effect, Shape};
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
    Crash(usize),
    Restart(usize),
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
        1 => (0..9usize).prop_map(Act::Crash),
        1 => (0..9usize).prop_map(Act::Restart),
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
    for id in ReplicaId::all(replicas).filter(|id| !cluster.seat(*id).is_up()).collect::<Vec<_>>() {
        cluster.recover(id).expect("it is down");
    }
    finish(&mut cluster, replicas);
    // A replica that was told nothing of an instance need not learn of it, until something that it
    // executes depends on it: these reads depend on everything.
    for id in ReplicaId::all(replicas) {
        let reads = ["x", "y"].map(Operation::get).to_vec();
        cluster.propose(id, reads).expect("every replica takes proposals");
    }
    finish(&mut cluster, replicas);
    cluster.check_invariants();
    cluster
}

/// Delivers everything and fires every timer until nothing is left to do.
fn finish(cluster: &mut Cluster, replicas: usize) {
    for _ in 0..ROUNDS_MAX {
        cluster.settle().expect("a simulation settles");
        let timers =
            ReplicaId::all(replicas).filter_map(|id| Some((cluster.seat(id).next_timer()?.0, id)));
        let Some((_, next)) = timers.min() else { return };
        cluster.wake(next).expect("a timer is set");
    }
    panic!("after {ROUNDS_MAX} timers there is still something to do");
}

/// More timers than any of these schedules needs once nothing is lost any more.
const ROUNDS_MAX: usize = 10_000;

fn perform(cluster: &mut Cluster, replicas: usize, act: Act) {
    let at = |index: usize| ReplicaId::from_index(index % replicas);
    let up = |index: usize| cluster.seat(at(index)).is_up();
    let flights: Vec<_> = cluster.in_flight().iter().map(|flight| flight.envelope.id).collect();
    let pick = |index: usize| flights.get(index % flights.len().max(1)).copied();
    let down = ReplicaId::all(replicas).filter(|id| !cluster.seat(*id).is_up()).count();
    let result = match act {
        Act::Propose { at: index, operations } if up(index) => {
            cluster.propose(at(index), operations).map(|_| ())
        }
        Act::Deliver(index) => pick(index).map_or(Ok(()), |id| cluster.deliver(id)),
        Act::Duplicate(index) => pick(index).map_or(Ok(()), |id| cluster.duplicate(id)),
        Act::Drop(index) => pick(index).map_or(Ok(()), |id| cluster.drop(id)),
        Act::Crash(index) if up(index) && down < replicas / 2 => cluster.crash(at(index)),
        Act::Restart(index) if !up(index) => cluster.recover(at(index)),
        Act::Wake(index) if cluster.seat(at(index)).next_timer().is_some() => {
            cluster.wake(at(index))
        }
        // Nothing of the kind can be done now.
        Act::Propose { .. } | Act::Crash(_) | Act::Restart(_) | Act::Wake(_) => Ok(()),
    };
    result.expect("every act is possible");
}

/// Everything committed anywhere is the same everywhere.
fn check_agreement(cluster: &Cluster, replicas: usize) -> BTreeMap<InstanceId, Payload> {
    let mut decided = BTreeMap::new();
    let mut payloads = BTreeMap::new();
    for id in ReplicaId::all(replicas) {
        for (instance, state) in cluster.seat(id).durable().instances.iter() {
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

fn machine(cluster: &Cluster, id: ReplicaId) -> &Store {
    cluster.seat(id).replica().expect("all are up in the end").machine()
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
        assert_eq!(machine(cluster, id), machine(cluster, ReplicaId(0)));
        assert_eq!(
            &cluster.view().replica(id).store,
            machine(cluster, id),
            "what is shown of {id}'s store is not what it is",
        );
    }
}

/// Replays the decision log on fresh replicas, and compares every effect.
fn check_replay(cluster: &Cluster, shape: &Shape) {
    let mut fresh: Vec<_> = ReplicaId::all(shape.replicas())
        .map(|id| (Seat::<Store>::new(Options { id, ..shape.options.clone() }), 0u64))
        .collect();
    for entry in cluster.view().log.iter() {
        let step = &entry.step;
        let (seat, messages) = &mut fresh[step.replica.index()];
        let mut out = Vec::new();
        match (step.decision.input(), &step.decision) {
            (Some(input), _) => seat.step(step.now, input, &mut out),
            (None, Decision::Crash) => assert!(seat.crash()),
            (None, Decision::Restart) => assert!(seat.restart(step.now, &mut out)),
            (None, _) => continue,
        }
        let replayed = out.into_iter().map(|output| Effect::of(output, step.replica, messages));
        assert_eq!(replayed.collect::<Vec<_>>(), step.effects);
    }
    for (seat, _) in &fresh {
        assert_eq!(seat, cluster.seat(seat.id()), "{} replays differently", seat.id());
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
        let mut cluster = play(shape.clone(), acts);
        let payloads = check_agreement(&cluster, shape.replicas());
        check_order(&cluster, shape.replicas(), &payloads);
        check_replay(&cluster, &shape);
        let asked = cluster.view().log.iter().map(|entry| match &entry.step.decision {
            Decision::Propose(commands) => commands.len(),
            _ => 0,
        });
        let asked: usize = asked.sum();
        // An answer, or word that the replica has crashed.
        prop_assert_eq!(cluster.take_answers().len(), asked, "each request has one answer");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Where nothing interferes and nothing is lost, every command is committed fast, in whatever order
    /// messages arrive.
    #[test]
    fn what_does_not_interfere_is_fast(
        size in 0..CLUSTER_SIZES.len(),
        thrifty: bool,
        proposals in proptest::collection::vec(0..9usize, 1..12),
        order in proptest::collection::vec(0..1000usize, 0..200),
    ) {
        let mut shape = Shape::new(CLUSTER_SIZES[size]);
        shape.options.thrifty = thrifty;
        let replicas = shape.replicas();
        let mut cluster = Cluster::new(shape);
        for (number, at) in proposals.iter().enumerate() {
            let operations = vec![Operation::put(&format!("key-{number}"), "1")];
            perform(&mut cluster, replicas, Act::Propose { at: *at, operations });
        }
        for index in order {
            perform(&mut cluster, replicas, Act::Deliver(index));
        }
        cluster.settle().expect("a simulation settles");
        let total = cluster.view().total();
        prop_assert_eq!((total.fasts, total.slows), (proposals.len() as u64, 0));
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
    assert!(total.recoveries > 0 && total.noops > 0, "{} recoveries", total.recoveries);
    let ignored = total.ignored.iter().filter(|count| **count > 0).count();
    assert!(ignored >= 4, "only {ignored} reasons to ignore a message came up");
}

/// A leader whose first quorum has lost a member asks the others when it repeats its request. Whoever
/// recovers its instance before that makes it a no-op, and the one in its place, and so on.
#[test]
fn a_recovery_has_the_patience_that_leaders_need() {
    let impatient = Timeouts { recover: Some(Duration::from_millis(100)), ..Timeouts::default() };
    for (timeouts, enough) in [(impatient.patient(), true), (impatient, false)] {
        let mut shape = Shape::new(5);
        shape.options.timeouts = timeouts;
        let mut cluster = Cluster::new(shape);
        // With two of five down, whoever recovers hears of the leader: a no-op (R3).
        for id in [2, 3] {
            cluster.crash(ReplicaId(id)).expect("it is up");
        }
        cluster.propose(ReplicaId(0), vec![Operation::put("x", "1")]).expect("R0 is up");
        cluster.sleep(Duration::from_secs(5)).expect("time passes");
        let noops = cluster.view().total().noops;
        assert_eq!(noops == 0, enough, "{noops} no-ops were executed with {timeouts:?}");
        assert!(!enough || cluster.take_answers().len() == 1, "there is no answer");
    }
}
