//! Work of a fixed amount, whose instructions `.ci/instructions` counts: the same on every machine, but
//! for the compiler, and so a regression shows where times would not show it (`docs/testing.md`).
//!
//! `instructions NAME COUNT` does so much of one kind of work. Counted twice, with two counts, the
//! difference is that of the work alone: whatever comes before it is the same. Without arguments
//! the names are listed, each with two counts.

#[path = "../benches/shared/carried.rs"]
mod carried;
#[path = "../benches/shared/commands.rs"]
mod commands;
#[path = "../benches/shared/logs.rs"]
mod logs;
#[path = "../benches/shared/messages.rs"]
mod messages;

use std::hint::black_box;

use epaxos_tui::epaxos::execution::Execution;
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::keys::Keys;
use epaxos_tui::epaxos::replica::Options;
use epaxos_tui::net::bytes::{Ear, Mouth};

use crate::carried::Carried;
use crate::commands::Commands;
use crate::logs::{ROWS, Shape};

/// A kind of work: its name, two counts, and what does it.
type Work = (&'static str, [usize; 2], fn(usize));

const WORKS: [Work; 9] = [
    ("core-single", [1_000, 3_000], |count| core(count, 1)),
    ("core-batch-of-100", [2_000, 12_000], |count| core(count, 100)),
    ("execution-random", EXECUTIONS, |count| execution(Shape::Random, count)),
    ("execution-knotted", EXECUTIONS, |count| execution(Shape::Knotted, count)),
    ("execution-chain", EXECUTIONS, |count| execution(Shape::Chain, count)),
    ("execution-hot-key", EXECUTIONS, |count| execution(Shape::HotKey, count)),
    ("execution-one-component", EXECUTIONS, |count| execution(Shape::OneComponent, count)),
    ("codec-single", [0, 2_000], |count| codec(count, 1)),
    ("codec-batch-of-100", [0, 2_000], |count| codec(count, 100)),
];

/// Nothing of a log is executed, or all of it: either way, all of it is made.
const EXECUTIONS: [usize; 2] = [0, 20_000];

/// Commands of clients go all the way at five replicas, in batches of so many.
fn core(commands: usize, batch: usize) {
    let mut carried = Carried::new(5, |options| Options { observed: false, ..options });
    let mut made = Commands::new(1_000);
    // Whoever gives the commands counts for nothing: they are made whatever the count.
    let instances = CORE_COMMANDS / batch;
    let batches = (0..instances).map(|number| {
        let leader = ReplicaId::from_index(number % 5);
        (leader, made.batch(leader, batch))
    });
    let mut batches: Vec<_> = batches.collect();
    for (leader, batch) in batches.drain(..commands / batch) {
        carried.propose(leader, batch);
        carried.settle(|_, _, _| {});
    }
    assert_eq!(carried.replies(), commands as u64);
}

/// How many commands are made, executed or not.
const CORE_COMMANDS: usize = 12_000;

/// Decisions of a log are committed, and executed in one pass.
fn execution(shape: Shape, count: usize) {
    let log = shape.log(EXECUTIONS[1]);
    let (mut keys, mut execution) = (Keys::default(), Execution::new(ROWS));
    for decision in &log[..count] {
        let touches = keys.touches(&decision.payload);
        execution.commit(decision.instance, decision.attributes, touches);
    }
    black_box(execution.advance());
    assert_eq!(execution.pending(), 0);
}

/// So many commands are written and read, in PreAccepts and Commits of so many.
fn codec(commands: usize, batch: usize) {
    let suffix = format!(" of {batch}");
    let all = messages::all().into_iter().filter(|(name, _)| name.ends_with(&suffix));
    let both: Vec<_> = all.map(|(_, envelope)| envelope).collect();
    for _ in 0..commands / batch {
        for envelope in &both {
            let bytes = Mouth::new(messages::WRITER).encode(black_box(envelope).clone());
            black_box(Ear::new(messages::READER).decode(&bytes).expect("a message"));
        }
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [name, count] = arguments.as_slice() else {
        for (name, [fewer, more], _) in WORKS {
            println!("{name} {fewer} {more}");
        }
        return;
    };
    let (.., work) = WORKS.iter().find(|(known, ..)| known == name).expect("a kind of work");
    work(count.parse().expect("a count"));
}
