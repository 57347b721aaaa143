//! What a command costs in what can be counted, and is the same on every machine: allocations, messages
//! and bytes. Whoever adds one finds out here.
//!
//! The bounds are the figures of the day they were written, and a few in a hundred more. Where a figure has
//! become smaller for good, its bound is to follow:
//!
//! ```sh
//! cargo test --test counts -- --nocapture
//! ```
//!
//! prints the figures beside the bounds, and below them the bounds that would go with the figures, as they
//! stand here.

#![expect(clippy::cast_precision_loss, reason = "figures are rounded")]

#[path = "../benches/shared/carried.rs"]
mod carried;
#[path = "../benches/shared/commands.rs"]
mod commands;

use std::collections::BTreeMap;
use std::fmt::Write;

use epaxos_tui::epaxos::id::{MessageId, ReplicaId};
use epaxos_tui::epaxos::message::Envelope;
use epaxos_tui::epaxos::quorum::CLUSTER_SIZES;
use epaxos_tui::epaxos::replica::Options;
use epaxos_tui::net::bytes::Mouth;
use epaxos_tui::net::convert::Dialect;

use crate::carried::{Carried, Part};
use crate::commands::Commands;

/// The most allocations of one instance in each part of its way, at a replica of five that nobody
/// observes, for a single command and for a batch of a hundred.
const ALLOCATIONS: [(Part, [f64; 2]); 4] = [
    (Part::Propose, [2.62, 23.13]),
    (Part::PreAccept, [0.39, 7.28]),
    (Part::Decide, [1.05, 1.05]),
    (Part::Commit, [0.02, 0.02]),
];

/// The most messages and bytes of one command, bytes being those of the messages before gRPC frames them.
///
/// Where nothing conflicts, a command takes 2 (asked) messages to a fast quorum and back, and N-1 Commits.
/// Where all write to one key at once, replies differ, and there are two more messages for each that votes.
const MESSAGES: [(usize, Asked, Conflict, f64, f64); 16] = [
    (3, Asked::Few, Conflict::None, 4.14, 209.6),
    (3, Asked::Few, Conflict::All, 6.20, 270.9),
    (3, Asked::All, Conflict::None, 6.20, 271.7),
    (3, Asked::All, Conflict::All, 10.32, 399.1),
    (5, Asked::Few, Conflict::None, 8.26, 442.4),
    (5, Asked::Few, Conflict::All, 12.38, 592.1),
    (5, Asked::All, Conflict::None, 12.38, 582.6),
    (5, Asked::All, Conflict::All, 20.50, 882.4),
    (7, Asked::Few, Conflict::None, 14.44, 770.5),
    (7, Asked::Few, Conflict::All, 20.50, 1035.8),
    (7, Asked::All, Conflict::None, 18.50, 920.5),
    (7, Asked::All, Conflict::All, 30.50, 1416.8),
    (9, Asked::Few, Conflict::None, 18.50, 1044.1),
    (9, Asked::Few, Conflict::All, 26.50, 1424.5),
    (9, Asked::All, Conflict::None, 24.50, 1282.2),
    (9, Asked::All, Conflict::All, 40.50, 1994.4),
];

/// Whom a leader asks: a quorum, being thrifty, or everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Few,
    All,
}

/// Which commands interfere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conflict {
    None,
    All,
}

/// The batches whose allocations are counted.
const BATCHES: [usize; 2] = [1, 100];

/// How many commands are led before anything is counted: every key is known by then, and what grows by
/// doubling seldom does.
const WARM_UP: usize = 20_000;

/// How many commands are counted.
const COUNTED: usize = 20_000;

/// How many commands are under way at a time.
const UNDER_WAY: usize = 500;

/// Allocations of one instance, by part: the average of many.
fn allocations(batch: usize) -> [f64; ALLOCATIONS.len()] {
    let mut carried = Carried::new(5, |options| Options { observed: false, ..options });
    let mut commands = Commands::new(2_000);
    let mut counted = [0; ALLOCATIONS.len()];
    for round in 0..(WARM_UP + COUNTED) / UNDER_WAY {
        let leader = ReplicaId::from_index(round % 5);
        let instances = 0..UNDER_WAY / batch;
        let batches = instances.map(|_| commands.batch(leader, batch)).collect();
        carried.lead(leader, batches, |part, step| {
            let counts = allocation_counter::measure(step);
            if round * UNDER_WAY >= WARM_UP {
                let place = ALLOCATIONS.iter().position(|(bounded, _)| *bounded == part);
                counted[place.expect("every part has a bound")] += counts.count_total;
            }
        });
    }
    assert_eq!(carried.replies(), (WARM_UP + COUNTED) as u64);
    counted.map(|allocations| average(allocations, COUNTED / batch))
}

fn average(total: u64, count: usize) -> f64 {
    total as f64 / count as f64
}

/// The bound that goes with a figure: so near that one more of what is counted is too much.
fn with_room(figure: f64) -> f64 {
    figure + (0.03 * figure + 0.02).min(0.5)
}

#[test]
fn a_step_allocates_no_more_than_it_did() {
    let counted = BATCHES.map(allocations);
    let mut over = Vec::new();
    println!(
        "{:<12}{:>7}{:>14}{:>14}{:>12}",
        "part", "batch", "an instance", "a command", "at most"
    );
    for (place, (part, bounds)) in ALLOCATIONS.iter().enumerate() {
        for ((batch, counted), most) in BATCHES.iter().zip(&counted).zip(bounds) {
            let (part, found) = (format!("{part:?}"), counted[place]);
            let each = found / *batch as f64;
            let line = format!("{part:<12}{batch:>7}{found:>14.2}{each:>14.2}{most:>12.2}");
            println!("{line}");
            if found > *most {
                over.push(line);
            }
        }
    }
    println!("\nwith room:");
    for (place, (part, _)) in ALLOCATIONS.iter().enumerate() {
        let [single, batch] = [0, 1].map(|column| with_room(counted[column][place]));
        println!("    (Part::{part:?}, [{single:.2}, {batch:.2}]),");
    }
    assert!(
        over.is_empty(),
        "more allocations for an instance than there may be:\n{}",
        over.join("\n")
    );
}

/// Messages and bytes of one command. All replicas lead a command, and all at once; then all arrives.
fn messages(replicas: usize, asked: Asked, conflict: Conflict) -> (f64, f64) {
    let thrifty = asked == Asked::Few;
    let options = |options| Options { observed: false, thrifty, ..options };
    let mut carried = Carried::new(replicas, options);
    // Where there are more keys than commands by far, no two that are under way together meet.
    let keys = if conflict == Conflict::All { 1 } else { 1_000_000 };
    let mut commands = Commands::new(keys);
    let mut streams = BTreeMap::new();
    let (mut sent, mut bytes) = (0, 0);
    let rounds = MESSAGES_COUNTED / replicas;
    for _ in 0..rounds {
        for leader in ReplicaId::all(replicas) {
            carried.propose(leader, commands.batch(leader, 1));
        }
        carried.settle(|sender, to, message| {
            let id = MessageId { sender, number: sent, copy: 0 };
            let envelope = Envelope { id, to, message: message.clone() };
            let stream = streams.entry((sender, to));
            let stream = stream.or_insert_with(|| Mouth::new(Dialect { me: sender, replicas }));
            bytes += stream.encode(envelope).len() as u64;
            sent += 1;
        });
    }
    let led = rounds * replicas;
    assert_eq!(carried.replies(), led as u64, "every command is answered");
    (average(sent, led), average(bytes, led))
}

/// How many commands are led where messages are counted.
const MESSAGES_COUNTED: usize = 2_000;

#[test]
fn a_command_takes_no_more_messages_and_bytes_than_it_did() {
    let (mut over, mut bounds) = (Vec::new(), String::new());
    println!(
        "{:>3}{:>7}{:>10}{:>10}{:>9}{:>9}{:>9}",
        "N", "asked", "conflict", "messages", "at most", "bytes", "at most"
    );
    for (replicas, asked, conflict, most_messages, most_bytes) in MESSAGES {
        assert!(CLUSTER_SIZES.contains(&replicas));
        let (messages, bytes) = messages(replicas, asked, conflict);
        let (asked, conflict) = (format!("{asked:?}"), format!("{conflict:?}"));
        let line = format!(
            "{replicas:>3}{asked:>7}{conflict:>10}{messages:>10.2}{most_messages:>9.2}{bytes:>9.0}{most_bytes:>9.0}",
        );
        println!("{line}");
        let (most_now, most_bytes_now) = (with_room(messages), 1.03 * bytes);
        writeln!(bounds, "    ({replicas}, Asked::{asked}, Conflict::{conflict}, {most_now:.2}, {most_bytes_now:.1}),").expect("text grows");
        if messages > most_messages || bytes > most_bytes {
            over.push(line);
        }
    }
    println!("\nwith room:\n{bounds}");
    assert!(over.is_empty(), "more for a command than there may be:\n{}", over.join("\n"));
}
