//! Committed logs of five rows, in shapes that are easy and hard to put in order.

use epaxos_tui::epaxos::attributes::{Attributes, Dependencies};
use epaxos_tui::epaxos::command::{Command, Operation, Payload, RequestId};
use epaxos_tui::epaxos::draw::draw;
use epaxos_tui::epaxos::id::{InstanceId, ReplicaId};

/// How many rows a log has.
pub const ROWS: usize = 5;

/// A decision, and the number of the one key that it writes to.
#[derive(Clone, Debug)]
pub struct Decision {
    pub instance: InstanceId,
    pub attributes: Attributes,
    pub payload: Payload,
    #[allow(dead_code, reason = "only who compares with something else asks")]
    pub key: usize,
}

/// How the instances of a log depend on each other. The rows take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// 100,000 keys; each instance depends on the latest of each row that wrote to its key.
    Random,
    /// The same, after five that know each other: rows cannot be executed in turn, and all is searched.
    Knotted,
    /// One key; each depends on all before it.
    Chain,
    /// One key; five at a time know each other, as if all replicas led at once, so that there are
    /// components of five.
    HotKey,
    /// One key; all depend on all.
    OneComponent,
}

impl Shape {
    /// All shapes.
    #[allow(dead_code, reason = "instructions have names of their own")]
    pub const ALL: [Shape; 5] =
        [Self::Random, Self::Knotted, Self::Chain, Self::HotKey, Self::OneComponent];

    /// The shape's name.
    #[allow(dead_code, reason = "instructions have names of their own")]
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Knotted => "knotted",
            Self::Chain => "chain",
            Self::HotKey => "hot key",
            Self::OneComponent => "one component",
        }
    }

    /// So many decisions, in the order in which they were proposed.
    pub fn log(self, count: usize) -> Vec<Decision> {
        let mut last = vec![Attributes::FIRST; RANDOM_KEYS];
        let decision = |number| {
            let (key, attributes) = match self {
                Self::Knotted if number < ROWS => {
                    (RANDOM_KEYS, Attributes { seq: 1, deps: on_first(ROWS) })
                }
                Self::Random | Self::Knotted => {
                    let drawn = draw(0, [number as u64]) % RANDOM_KEYS as u64;
                    let key = usize::try_from(drawn).expect("there are not so many keys");
                    let attributes = last[key];
                    last[key].seq += 1;
                    last[key].deps.add(nth(number));
                    (key, attributes)
                }
                Self::Chain => (0, Attributes { seq: number as u64 + 1, deps: on_first(number) }),
                Self::HotKey => {
                    let round = number / ROWS;
                    let known = ((round + 1) * ROWS).min(count);
                    (0, Attributes { seq: round as u64 + 1, deps: on_first(known) })
                }
                Self::OneComponent => (0, Attributes { seq: number as u64, deps: on_first(count) }),
            };
            Decision { instance: nth(number), attributes, payload: write(key), key }
        };
        (0..count).map(decision).collect()
    }
}

/// The `number`-th instance.
fn nth(number: usize) -> InstanceId {
    InstanceId::new(ReplicaId::from_index(number % ROWS), (number / ROWS) as u64)
}

/// The dependencies on the first `count` instances.
fn on_first(count: usize) -> Dependencies {
    (count.saturating_sub(ROWS)..count).map(nth).collect()
}

fn write(key: usize) -> Payload {
    let operation = Operation::put(&format!("key-{key}"), "a value of bytes");
    Payload::one(Command { request: RequestId::anonymous(ReplicaId(0), 0), operation })
}

const RANDOM_KEYS: usize = 100_000;
