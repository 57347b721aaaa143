//! A long run keeps a short log: in the replicas, and in what is seen of them.

use std::time::Duration;

use epaxos_tui::check::Checker;
use epaxos_tui::epaxos::amount::Amount;
use epaxos_tui::epaxos::command::Operation;
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::replica::{
    GOSSIP_BYTES, GOSSIP_EVERY, KEEP, KEEP_BYTES, KEEP_MOST_BYTES, Replica,
};
use epaxos_tui::observe::notice::{Notice, Shape};
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;

const MEBIBYTE: u64 = 1 << 20;

const REPLICAS: usize = 3;
const COMMANDS: u64 = 20_000;

#[test]
fn a_long_run_keeps_a_short_log() {
    let shape = Shape::new(REPLICAS);
    let mut checker = Checker::new(shape.options.quorums, shape.options.reply_on);
    let mut cluster = Cluster::new(shape);
    cluster.listen();
    for number in 0..COMMANDS {
        let at = ReplicaId::from_index(usize::try_from(number).unwrap() % REPLICAS);
        // Keys come and go.
        let operation = Operation::put(&format!("k{}", number / 10 % 5_000), "1");
        cluster.propose(at, vec![operation]).unwrap();
        cluster.settle().unwrap();
        for notice in cluster.take_notices() {
            if let Notice::Step(step) = notice {
                checker.step(&step);
            }
        }
    }
    cluster.check_invariants();
    assert_eq!(checker.violations(), []);
    let most = usize::try_from(KEEP + GOSSIP_EVERY).unwrap() * REPLICAS;
    for id in ReplicaId::all(REPLICAS) {
        let held = cluster.seat(id).durable().instances.len();
        let seen = cluster.view().replica(id);
        println!("{id} holds {held} of {COMMANDS}");
        assert!(held <= most, "{id} holds {held}");
        assert_eq!(seen.instances.len(), held, "what is seen is what is held");
        assert!(seen.executed.len() <= most);
        assert_eq!(seen.instances_let_go() + held as u64, COMMANDS);
    }
}

/// A put of a value of `bytes` bytes.
fn large_put(key: &str, bytes: u64) -> Operation {
    Operation::Put(key.into(), vec![b'v'; usize::try_from(bytes).unwrap()].into())
}

/// A cluster whose leaders ask all others at once, so that it goes on without waiting while one is down.
fn unthrifty() -> Cluster {
    let mut shape = Shape::new(REPLICAS);
    shape.options.thrifty = false;
    Cluster::new(shape)
}

/// Has a cluster execute each batch, proposed at one replica that is up
/// after another, and returns the cluster.
fn execute(mut cluster: Cluster, batches: impl IntoIterator<Item = Vec<Operation>>) -> Cluster {
    for (number, batch) in batches.into_iter().enumerate() {
        let up =
            ReplicaId::all(REPLICAS).filter(|id| cluster.seat(*id).is_up()).collect::<Vec<_>>();
        cluster.propose(up[number % up.len()], batch).unwrap();
        cluster.settle().unwrap();
    }
    cluster.check_invariants();
    cluster
}

/// How much a replica that is up has executed and keeps.
fn kept(cluster: &Cluster, id: ReplicaId) -> Amount {
    cluster.seat(id).replica().map(Replica::kept).expect("it is up")
}

/// What a replica may keep while all are up: the limit of each row, and what is executed until the
/// others are told so.
const BYTES_MAX: u64 = KEEP_BYTES * REPLICAS as u64 + GOSSIP_BYTES + 2 * MEBIBYTE;

#[test]
fn large_values_are_kept_by_their_bytes() {
    let puts = (0..64).map(|_| vec![large_put("x", MEBIBYTE)]);
    let cluster = execute(Cluster::new(Shape::new(REPLICAS)), puts);
    for id in ReplicaId::all(REPLICAS) {
        let Amount { commands, bytes } = kept(&cluster, id);
        assert!(bytes <= BYTES_MAX, "{id} keeps {bytes} bytes of 64 MiB");
        assert!(commands > 0, "{id} keeps the last ones");
    }
}

#[test]
fn batches_are_kept_by_the_bytes_of_all_their_commands() {
    let batch = |_| (0..16).map(|at| large_put(&format!("k{at}"), MEBIBYTE / 16)).collect();
    let cluster = execute(Cluster::new(Shape::new(REPLICAS)), (0..64).map(batch));
    for id in ReplicaId::all(REPLICAS) {
        let Amount { bytes, .. } = kept(&cluster, id);
        assert!(bytes <= BYTES_MAX, "{id} keeps {bytes} bytes");
    }
}

#[test]
fn large_keys_are_kept_by_their_bytes() {
    let key = "k".repeat(usize::try_from(MEBIBYTE / 2).unwrap());
    let reads = (0..128).map(|_| vec![Operation::get(&key)]);
    let cluster = execute(Cluster::new(Shape::new(REPLICAS)), reads);
    for id in ReplicaId::all(REPLICAS) {
        let Amount { bytes, .. } = kept(&cluster, id);
        assert!(bytes <= BYTES_MAX, "{id} keeps {bytes} bytes");
    }
}

/// After small commands, so that what a replica lacks is larger than the average of what is kept.
#[test]
fn a_crashed_replica_costs_the_others_so_many_bytes_and_no_more() {
    let small = (0..2_000).map(|number| vec![Operation::put("x", &number.to_string())]);
    let mut cluster = execute(unthrifty(), small);
    let crashed = ReplicaId(2);
    cluster.crash(crashed).unwrap();
    let most = KEEP_MOST_BYTES + BYTES_MAX;
    for _ in 0..24 {
        let puts = (0..8).map(|_| vec![large_put("x", MEBIBYTE)]);
        cluster = execute(cluster, puts);
        for id in [ReplicaId(0), ReplicaId(1)] {
            let Amount { bytes, .. } = kept(&cluster, id);
            assert!(bytes <= most, "{id} keeps {bytes} bytes for {crashed}");
        }
    }
    cluster.recover(crashed).unwrap();
    cluster = execute(cluster, [vec![Operation::get("x")]]);
    for _ in 0..3 {
        let _ = cluster.wake(crashed);
        cluster.settle().unwrap();
    }
    let missing = cluster.seat(crashed).replica().and_then(Replica::missing);
    assert!(missing.is_some(), "{crashed} lacks more than is kept for it, and is told so");
}

#[test]
fn a_replica_that_lacks_less_than_the_limit_catches_up() {
    let mut cluster = unthrifty();
    let crashed = ReplicaId(2);
    cluster.crash(crashed).unwrap();
    let puts = (0..100).map(|_| vec![large_put("x", MEBIBYTE)]);
    cluster = execute(cluster, puts);
    assert!(kept(&cluster, ReplicaId(0)).bytes >= 100 * MEBIBYTE, "all is kept for {crashed}");
    cluster.recover(crashed).unwrap();
    // The next messages tell it that it lacks something, and what.
    cluster = execute(cluster, (0..16).map(|_| vec![large_put("x", MEBIBYTE)]));
    // What it lacks of each row is little, and it fetches it all the same: one recovery after another
    // would take minutes, and the others keep no more than a limit.
    cluster.sleep(Duration::from_secs(10)).unwrap();
    cluster.check_invariants();
    assert!(cluster.seat(crashed).check_serves().is_ok());
    assert_eq!(cluster.seat(crashed).replica().map(Replica::executed), Some(116));
    for id in ReplicaId::all(REPLICAS) {
        let Amount { bytes, .. } = kept(&cluster, id);
        assert!(bytes <= BYTES_MAX, "{id} keeps {bytes} bytes once {crashed} has caught up");
    }
}
