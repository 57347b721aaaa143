//! In which time committed instances are put in order, in shapes that are easy and hard; beside it the
//! strongly connected components alone, as petgraph finds them (`docs/testing.md`).
//!
//! `cargo bench --bench execution` prints a table; `-- random` one of that shape. Criterion would repeat
//! what takes a second too often: each figure is the least of three, and of one where the log is a million
//! long.
//!
//! * *all*: all instances are committed, then what can be executed is, in one pass. *Commit* is the first
//!   half of that, and *order* the second; *edges* are those that were followed, for each instance.
//! * *each*: after each commit, whatever can be executed is.
//! * *petgraph*: a graph is *built* from scratch, which takes what the first half of *all* does, and
//!   *Tarjan* finds its components. That is less than what is done in *all*: members and components are in
//!   no particular order, and nothing could be missing.
//!
//! Ours runs in a thread with a stack of 256 KiB. Petgraph's search calls itself and is given a stack of
//! 4 GiB, of which it uses what it needs.
//!
//! The keys have numbers already, for both; both use the allocator of the program; neither is told how
//! much will come.
//!
//! Petgraph is not given every edge that a prefix means, which would be millions of millions, but those
//! that suffice where all instances are writes: for each row, the last interfering instance of the
//! prefix, since that depends on the earlier ones of its row; and in the instance's own row the last one
//! before it, too. That is at most one more than there are rows, and the same components come out: they
//! are counted and compared.

#![expect(clippy::disallowed_methods, reason = "measures")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded")]

#[path = "shared/logs.rs"]
mod logs;

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use epaxos_tui::epaxos::execution::Execution;
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::keys::{Keys, Touches};
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::logs::{Decision, ROWS, Shape};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What all in one pass takes.
struct Whole {
    commit: Duration,
    order: Duration,
    edges: u64,
    components: usize,
}

/// The keys that each decision touches.
fn touches(log: &[Decision]) -> Vec<Touches> {
    let mut keys = Keys::default();
    log.iter().map(|decision| keys.touches(&decision.payload)).collect()
}

/// Commits all, then executes all.
fn whole(log: &[Decision]) -> Whole {
    let touches = touches(log);
    let start = Instant::now();
    let mut execution = Execution::new(ROWS);
    for (decision, touches) in log.iter().zip(touches) {
        execution.commit(decision.instance, decision.attributes, touches);
    }
    let commit = start.elapsed();
    let start = Instant::now();
    let pass = execution.advance();
    let order = start.elapsed();
    assert_eq!(execution.pending(), 0, "nothing is missing");
    Whole { commit, order, edges: pass.edges, components: pass.components.len() }
}

/// Executes after each commit.
fn each(log: &[Decision]) -> Duration {
    let touches = touches(log);
    let start = Instant::now();
    let mut execution = Execution::new(ROWS);
    for (decision, touches) in log.iter().zip(touches) {
        execution.commit(decision.instance, decision.attributes, touches);
        black_box(execution.advance());
    }
    assert_eq!(execution.pending(), 0, "nothing is missing");
    start.elapsed()
}

/// What petgraph takes.
struct Theirs {
    build: Duration,
    tarjan: Duration,
    edges: usize,
    components: usize,
}

fn petgraph(log: &[Decision]) -> Theirs {
    let start = Instant::now();
    let graph = graph(log);
    let build = start.elapsed();
    let start = Instant::now();
    let components = tarjan_scc(&graph).len();
    Theirs { build, tarjan: start.elapsed(), edges: graph.edge_count(), components }
}

/// The graph of a log of writes. What touches a key is found in a list for each key and row, as ours
/// does.
fn graph(log: &[Decision]) -> DiGraph<(), ()> {
    let keys = log.iter().map(|decision| decision.key + 1).max().unwrap_or(0);
    let mut lists = vec![Vec::<(u64, NodeIndex)>::new(); keys * ROWS];
    let place = |key: usize, row: ReplicaId| key * ROWS + row.index();
    let mut graph = DiGraph::new();
    for decision in log {
        let node = graph.add_node(());
        let of = place(decision.key, decision.instance.replica);
        lists[of].push((decision.instance.slot, node));
    }
    for (number, decision) in log.iter().enumerate() {
        let node = NodeIndex::new(number);
        for row in ReplicaId::all(ROWS) {
            let list = &lists[place(decision.key, row)];
            let end = decision.attributes.deps.prefix(row);
            let named = list.partition_point(|(slot, _)| *slot < end).checked_sub(1);
            if let Some((_, target)) = named.map(|entry| list[entry])
                && target != node
            {
                graph.add_edge(node, target, ());
            }
            if row == decision.instance.replica && end > decision.instance.slot {
                let own = list.partition_point(|(slot, _)| *slot < decision.instance.slot);
                if let Some(entry) = own.checked_sub(1) {
                    graph.add_edge(node, list[entry].1, ());
                }
            }
        }
    }
    graph
}

/// Runs something on a stack of so many bytes.
fn on_stack<T: Send>(bytes: usize, run: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(bytes).spawn_scoped(scope, run);
        thread.expect("a thread").join().expect("it ends well")
    })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// One line of the table.
fn measure(shape: Shape, count: usize) {
    let log = shape.log(count);
    let times = if count < 1_000_000 { 3 } else { 1 };
    let least = |durations: Vec<Duration>| durations.into_iter().min().expect("at least one");
    let wholes = on_stack(STACK, || (0..times).map(|_| whole(&log)).collect::<Vec<_>>());
    let commit = least(wholes.iter().map(|whole| whole.commit).collect());
    let order = least(wholes.iter().map(|whole| whole.order).collect());
    let each = match shape {
        Shape::OneComponent if count > ONE_COMPONENT_EACH_MAX => None,
        _ => Some(on_stack(STACK, || least((0..times).map(|_| each(&log)).collect()))),
    };
    let theirs =
        on_stack(STACK_OF_PETGRAPH, || (0..times).map(|_| petgraph(&log)).collect::<Vec<_>>());
    let build = least(theirs.iter().map(|theirs| theirs.build).collect());
    let tarjan = least(theirs.iter().map(|theirs| theirs.tarjan).collect());
    assert_eq!(wholes[0].components, theirs[0].components, "the components are the same");
    let both = milliseconds(commit + order);
    println!(
        "{:<14}{count:>9}{:>9.1}{:>9.1}{both:>9.1}{:>7.0}{:>7.1}{:>11}{:>9.1}{:>9.1}{:>9.1}{:>7.1}{:>11}",
        shape.name(),
        milliseconds(commit),
        milliseconds(order),
        both * 1_000_000.0 / count as f64,
        wholes[0].edges as f64 / count as f64,
        each.map_or("-".to_owned(), |each| format!("{:.1}", milliseconds(each))),
        milliseconds(build),
        milliseconds(tarjan),
        milliseconds(build + tarjan),
        theirs[0].edges as f64 / count as f64,
        wholes[0].components,
    );
}

fn main() {
    println!("milliseconds, but where it says otherwise\n");
    println!("{:<23}{:^41}{:>11}{:^34}", "", "all", "each", "petgraph");
    println!(
        "{:<14}{:>9}{:>9}{:>9}{:>9}{:>7}{:>7}{:>11}{:>9}{:>9}{:>9}{:>7}{:>11}",
        "shape",
        "count",
        "commit",
        "order",
        "both",
        "ns/one",
        "edges",
        "",
        "build",
        "Tarjan",
        "both",
        "edges",
        "components"
    );
    let asked: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_asked = |shape: &Shape| {
        asked.is_empty() || asked.iter().any(|it| shape.name().starts_with(it.as_str()))
    };
    for shape in Shape::ALL.into_iter().filter(is_asked) {
        for count in [10_000, 100_000, 1_000_000] {
            measure(shape, count);
        }
    }
}

/// The stack on which ours runs.
const STACK: usize = 256 << 10;

/// The stack on which petgraph runs.
const STACK_OF_PETGRAPH: usize = 4 << 30;

/// The largest component that is executed with a look after each commit.
const ONE_COMPONENT_EACH_MAX: usize = 10_000;
