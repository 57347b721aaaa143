//! What it costs to make bytes of a message, and a message of bytes (`docs/testing.md`).
//!
//! `cargo bench --bench codec` prints the time for a PreAccept and a Commit, of one command and of a
//! hundred, and how many bytes that is in a second.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use epaxos_tui::net::bytes::{Ear, Mouth};

#[path = "shared/commands.rs"]
mod commands;
#[path = "shared/messages.rs"]
mod messages;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, envelope) in messages::all() {
        let encode = |envelope| Mouth::new(messages::WRITER).encode(envelope);
        let bytes = encode(envelope.clone());
        let mut group = criterion.benchmark_group(format!("codec/{name}, {} bytes", bytes.len()));
        group.sample_size(20).throughput(Throughput::Bytes(bytes.len() as u64));
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
        group.bench_function("encode", |bencher| {
            bencher.iter(|| encode(black_box(&envelope).clone()));
        });
        group.bench_function("decode", |bencher| {
            bencher
                .iter(|| Ear::new(messages::READER).decode(black_box(&bytes)).expect("a message"));
        });
        group.finish();
    }
    criterion.final_summary();
}
