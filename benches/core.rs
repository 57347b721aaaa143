//! What one replica of five does in a second without any network: proposals, PreAccepts, the count of
//! replies and commits, of one command each and of a hundred, unobserved and observed
//! (`docs/testing.md`).
//!
//! `cargo bench --bench core` prints for each part of an instance's way the time that one replica takes for
//! a thousand commands, and how many commands that is in a second. The commands write to 10,000 keys. The
//! replicas take turns in leading a thousand at a time, so that as many are under way together.

#![expect(clippy::disallowed_methods, reason = "measures")]

#[path = "shared/carried.rs"]
mod carried;
#[path = "shared/commands.rs"]
mod commands;

use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::replica::Options;

use crate::carried::{Carried, Part};
use crate::commands::Commands;

const REPLICAS: usize = 5;

/// How many commands are under way at a time.
const UNDER_WAY: usize = 1_000;

/// The way's parts, as they are called here.
const PARTS: [(&str, Part); 4] = [
    ("propose, at the leader", Part::Propose),
    ("PreAccept, at an acceptor", Part::PreAccept),
    ("replies, commit, execution and answer, at the leader", Part::Decide),
    ("Commit and execution, at an acceptor", Part::Commit),
];

/// A cluster that has been at it for a while.
struct Cluster {
    carried: Carried,
    commands: Commands,
    batch: usize,
    rounds: usize,
}

impl Cluster {
    fn new(batch: usize, observed: bool) -> Self {
        let carried = Carried::new(REPLICAS, |options| Options { observed, ..options });
        let mut cluster = Self { carried, commands: Commands::new(10_000), batch, rounds: 0 };
        for _ in 0..2 * REPLICAS {
            cluster.round(Part::Commit);
        }
        cluster
    }

    /// Leads a round of instances, and returns how long one part of their way took.
    fn round(&mut self, part: Part) -> Duration {
        let leader = ReplicaId::from_index(self.rounds % REPLICAS);
        self.rounds += 1;
        let instances = 0..UNDER_WAY / self.batch;
        let batches = instances.map(|_| self.commands.batch(leader, self.batch)).collect();
        let mut taken = Duration::ZERO;
        self.carried.lead(leader, batches, |done, step| {
            let start = Instant::now();
            step();
            if done == part {
                taken += start.elapsed();
            }
        });
        taken
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (observed, name) in [(false, "unobserved"), (true, "observed")] {
        for batch in [1, 100] {
            let mut group = criterion.benchmark_group(format!("core/{name}/{batch} a batch"));
            group.sample_size(10).sampling_mode(SamplingMode::Flat);
            group.warm_up_time(Duration::from_millis(200));
            group.measurement_time(Duration::from_secs(1));
            group.throughput(Throughput::Elements(UNDER_WAY as u64));
            for (name, part) in PARTS {
                let mut cluster = Cluster::new(batch, observed);
                group.bench_function(name, |bencher| {
                    bencher.iter_custom(|rounds| (0..rounds).map(|_| cluster.round(part)).sum());
                });
            }
            group.finish();
        }
    }
    criterion.final_summary();
}
