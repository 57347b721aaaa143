//! What it costs to look up what interferes with a command, and to note the command, where there are
//! few keys and many (`docs/testing.md`).
//!
//! `cargo bench --bench index` prints the time of one write's look-up and record, as an acceptor makes
//! them, that of the key's number included, among 1, 1,000 and 1,000,000 keys that five replicas have written to.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use epaxos_tui::epaxos::command::{Command, Operation, Payload, RequestId};
use epaxos_tui::epaxos::draw::draw;
use epaxos_tui::epaxos::id::{InstanceId, ReplicaId};
use epaxos_tui::epaxos::index::{ConflictIndex, Interference};
use epaxos_tui::epaxos::keys::Keys;

const REPLICAS: usize = 5;

/// How many commands are made beforehand, and then come again and again.
const COMMANDS: u64 = 100_000;

/// A write to one of the keys.
fn write(key: u64) -> Payload {
    let operation = Operation::put(&format!("key-{key}"), "a value of bytes");
    Payload::one(Command { request: RequestId::anonymous(ReplicaId(0), 0), operation })
}

/// The `number`-th instance, where the rows take turns.
fn instance(number: u64) -> InstanceId {
    let rows = REPLICAS as u64;
    let row = u8::try_from(number % rows).expect("a replica");
    InstanceId::new(ReplicaId(row), number / rows)
}

/// What an acceptor goes by.
struct Acceptor {
    keys: Keys,
    index: ConflictIndex,
}

impl Acceptor {
    /// What it does with a command.
    fn look_up_and_record(&mut self, number: u64, payload: &Payload) -> Interference {
        let instance = instance(number);
        let touches = self.keys.touches(payload);
        let found = self.index.interfering(touches.as_slice(), Some(instance.replica));
        self.index.record(instance, touches.as_slice(), found.seq + 1);
        found
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("index");
    group.sample_size(20).throughput(Throughput::Elements(1));
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    for keys in [1, 1_000, 1_000_000] {
        let index = ConflictIndex::new(REPLICAS);
        let mut acceptor = Acceptor { keys: Keys::default(), index };
        let known = keys.max(REPLICAS as u64);
        for number in 0..known {
            acceptor.look_up_and_record(number, &write(number % keys));
        }
        let payloads: Vec<_> = (0..COMMANDS).map(|it| write(draw(0, [it]) % keys)).collect();
        let mut number = known;
        let mut next = payloads.iter().cycle();
        group.bench_function(format!("{keys} keys"), |bencher| {
            bencher.iter(|| {
                number += 1;
                let payload = next.next().expect("they come again and again");
                acceptor.look_up_and_record(number, black_box(payload))
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
