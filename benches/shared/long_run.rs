//! A run of ten thousand entries, as a tree.

use epaxos_tui::multiverse::tree::{BranchId, Multiverse};
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;

/// Five replicas and some thousand writes, a third of them to one key, until there are so many entries.
pub fn long_run(entries: u64) -> Multiverse {
    let mut cluster = Cluster::new(Shape::new(5));
    let mut multiverse = Multiverse::new(Shape::new(5));
    let mut session = Session::default();
    while cluster.view().log.len() < entries {
        for line in ["burst 20 keys=50 conflict=30", "settle"] {
            let command = Command::parse(line).expect("a command").expect("a command");
            session.perform(&mut cluster, &command).expect("nothing can fail here");
        }
        multiverse.grow(BranchId::MAIN, &cluster.view().log);
    }
    multiverse
}
