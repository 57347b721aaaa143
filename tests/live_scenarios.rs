//! The scenarios once more, on real replicas over real gRPC. The gates stay shut and messages pass one
//! at a time, in the order of their sending, so what is seen is the same, event for event, as in the
//! simulator.

mod scenario;

use std::path::Path;

use epaxos_tui::node::cluster::Options;
use epaxos_tui::node::live::LiveWorld;
use epaxos_tui::observe::notice::Shape;

use crate::scenario::Scenario;

test_each_file::test_each_path! { in "./tests/scenarios" as live => live }

fn live(path: &Path) {
    let make = |shape: Shape| {
        let options = Options {
            thrifty: shape.options.thrifty,
            reply_on: shape.reply_on(),
            gossip_every: shape.options.gossip_every,
            keep: shape.options.keep,
            keep_most: shape.options.keep_most,
            gossip_bytes: shape.options.gossip_bytes,
            keep_bytes: shape.options.keep_bytes,
            keep_most_bytes: shape.options.keep_most_bytes,
            ..Options::new(shape.replicas())
        };
        LiveWorld::start(&options, true).map_err(|error| error.to_string())
    };
    let mut scenario = Scenario::new(make, |_| {});
    let script = std::fs::read_to_string(path).expect("a scenario");
    let seen = goldenscript::generate(&mut scenario, &script).expect("the scenario runs");
    assert_eq!(seen, script, "the live cluster and the simulator differ");
}
