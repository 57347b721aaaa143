//! Long logs: no shape may overflow the stack, or take more than its share of edges.

use super::{Attributes, Decision, Dependencies, InstanceId, Numbered, Payload, ReplicaId};
use super::{operation, payload};

const ROWS: usize = 5;

/// Long enough to overflow a small stack many times over, short enough for a debug build.
const COUNT: u64 = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };

/// A small generator of numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The `number`-th instance, where the rows take turns.
fn nth(number: u64) -> InstanceId {
    let row = usize::try_from(number % ROWS as u64).unwrap();
    InstanceId::new(ReplicaId::from_index(row), number / ROWS as u64)
}

/// The dependencies on the first `count` instances, where the rows take turns.
fn on_first(count: u64) -> Dependencies {
    (count.saturating_sub(ROWS as u64)..count).map(nth).collect()
}

fn log(count: u64, mut make: impl FnMut(u64) -> (u64, Dependencies, Payload)) -> Vec<Decision> {
    let decision = |number| {
        let (seq, deps, payload) = make(number);
        Decision { instance: nth(number), attributes: Attributes { seq, deps }, payload }
    };
    (0..count).map(decision).collect()
}

/// Each depends on all before it: one key, writes.
fn chain(count: u64) -> Vec<Decision> {
    let put = payload([operation("put x")].into_iter());
    log(count, |number| (number + 1, on_first(number), put.clone()))
}

/// As a chain, but each knows the others of its round too: components of `ROWS`.
fn hot_key(count: u64) -> Vec<Decision> {
    let (put, get) = (operation("put x"), operation("get x"));
    let mut random = Random(7);
    log(count, |number| {
        let round = number / ROWS as u64;
        let mut deps = on_first(round * ROWS as u64);
        let first = round * ROWS as u64;
        (first..(first + ROWS as u64).min(count)).map(nth).for_each(|id| deps.add(id));
        let operation = if random.below(2) == 0 { &put } else { &get };
        (round + 1, deps, payload([operation.clone()].into_iter()))
    })
}

/// All depend on all.
fn one_component(count: u64) -> Vec<Decision> {
    let put = payload([operation("put x")].into_iter());
    let all = on_first(count);
    log(count, |number| (number % 1000, all, put.clone()))
}

/// Many keys, each known to depend on the latest of each row that touches it.
fn random(count: u64, keys: u64) -> Vec<Decision> {
    let mut random = Random(42);
    let index = |key: u64| usize::try_from(key).unwrap();
    let mut known = vec![(0, Dependencies::NONE); index(keys)];
    let names: Vec<_> = (0..keys).map(|key| format!("key-{key}")).collect();
    log(count, |number| {
        let key = index(random.below(keys));
        let (seq, deps) = known[key];
        known[key] = (seq + 1, deps);
        known[key].1.add(nth(number));
        let name = &names[key];
        let verb = if random.below(2) == 0 { "put" } else { "get" };
        (seq + 1, deps, payload([operation(&format!("{verb} {name}"))].into_iter()))
    })
}

/// One row only reads, the others only write.
fn readers_and_writers(count: u64) -> Vec<Decision> {
    let (put, get) = (operation("put x"), operation("get x"));
    log(count, |number| {
        let operation = if number % ROWS as u64 == 0 { &get } else { &put };
        (number + 1, on_first(number), payload([operation.clone()].into_iter()))
    })
}

/// Two more rows, of two instances that depend on each other: something has to be searched.
fn knot() -> [Decision; 2] {
    let put = payload([operation("put knot")].into_iter());
    let both = [ROWS, ROWS + 1].map(|row| InstanceId::new(ReplicaId::from_index(row), 0));
    let attributes = Attributes { seq: 1, deps: both.into_iter().collect() };
    both.map(|instance| Decision { instance, attributes, payload: put.clone() })
}

/// Searches the log in one pass on a small stack, and returns how many edges that took.
fn edges(mut log: Vec<Decision>) -> u64 {
    log.extend(knot());
    edges_as_it_is(log)
}

/// The same, where the log may be one that is not searched.
fn edges_as_it_is(log: Vec<Decision>) -> u64 {
    let run = move || {
        let mut execution = Numbered::new(ROWS + 2);
        for decision in &log {
            execution.commit(decision);
        }
        let pass = execution.advance();
        assert_eq!(execution.pending(), 0);
        let members = pass.components.iter().map(<[_]>::len);
        assert_eq!(members.sum::<usize>(), log.len());
        pass.edges
    };
    let thread = std::thread::Builder::new().stack_size(256 * 1024);
    thread.spawn(run).unwrap().join().unwrap()
}

#[test]
fn a_long_chain_overflows_no_stack() {
    assert!(edges(chain(COUNT)) <= 6 * COUNT);
}

#[test]
fn what_can_be_executed_in_turn_takes_no_edges() {
    assert_eq!(edges_as_it_is(chain(COUNT)), 0);
    let mut log = random(COUNT, 1_000);
    // Row by row.
    log.sort_by_key(|decision| decision.instance);
    assert_eq!(edges_as_it_is(log), 0);
}

#[test]
fn a_chain_learned_backward_overflows_no_stack() {
    let mut log = chain(COUNT);
    log.reverse();
    assert!(edges(log) <= 6 * COUNT);
}

#[test]
fn one_component_of_everything_takes_few_edges() {
    assert!(edges(one_component(COUNT)) <= 7 * COUNT);
}

#[test]
fn a_hot_key_takes_few_edges() {
    assert!(edges(hot_key(COUNT)) <= 10 * COUNT);
}

#[test]
fn many_keys_take_few_edges() {
    assert!(edges(random(COUNT, 1000)) <= 10 * COUNT);
}

#[test]
fn a_row_that_only_reads_takes_few_edges() {
    assert!(edges(readers_and_writers(COUNT / 4)) <= 10 * COUNT / 4);
}

#[test]
fn a_hot_key_costs_no_more_with_time() {
    let mut execution = Numbered::new(ROWS);
    let mut edges = 0;
    for decision in readers_and_writers(COUNT / 4) {
        execution.commit(&decision);
        edges += execution.advance().edges;
    }
    assert_eq!((execution.pending(), edges), (0, 0), "what is executed is not looked at again");
}

#[test]
#[ignore = "a measurement, to be read: cargo test --release scale -- --ignored --nocapture"]
#[expect(clippy::disallowed_methods, reason = "measures")]
fn speed() {
    type Shape = fn() -> Vec<Decision>;
    let shapes: [(&str, Shape); 7] = [
        ("random, 1000 keys", || random(1_000_000, 1000)),
        ("random, 100000 keys", || random(1_000_000, 100_000)),
        ("random, 1000000 keys", || random(1_000_000, 1_000_000)),
        ("chain", || chain(1_000_000)),
        ("one component", || one_component(1_000_000)),
        ("hot key", || hot_key(1_000_000)),
        ("readers and writers", || readers_and_writers(1_000_000)),
    ];
    for (name, shape) in shapes {
        let log = shape();
        let start = std::time::Instant::now();
        let mut execution = Numbered::new(ROWS);
        for decision in &log {
            execution.commit(decision);
        }
        let committed = start.elapsed().as_millis();
        let edges = execution.advance().edges;
        let all = start.elapsed().as_millis();
        println!("{name}: {committed} ms to commit, {all} ms in all, {edges} edges");
    }
}
