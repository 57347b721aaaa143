//! The main suite: golden transcripts of the script language, one claim a file.
//!
//! Each file is played in the simulator. Expected output is never typed: run with
//! `UPDATE_GOLDENFILES=1`, then read the difference, and keep it only if you can say why.

mod scenario;

use std::path::Path;

use epaxos_tui::observe::notice::Shape;
use epaxos_tui::sim::cluster::Cluster;

use crate::scenario::Scenario;

test_each_file::test_each_path! { in "./tests/scenarios" as simulated => simulated }

fn simulated(path: &Path) {
    let mut scenario = Scenario::new(|shape: Shape| Ok(Cluster::new(shape)), scenario::check);
    goldenscript::run(&mut scenario, path).expect("the scenario runs");
}
