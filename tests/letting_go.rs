//! A long run keeps a short log: in the replicas, and in what is seen of them.

use epaxos_tui::check::Checker;
use epaxos_tui::epaxos::command::Operation;
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::replica::{GOSSIP_EVERY, KEEP};
use epaxos_tui::observe::notice::{Notice, Shape};
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;

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
