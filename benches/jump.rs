//! What it takes to go to any place of a run of ten thousand entries with a hundred branches, and to make
//! such a branch (`docs/performance.md`).
//!
//! `cargo bench --bench jump`

#[path = "shared/long_run.rs"]
mod long_run;

use std::hint::black_box;

use criterion::Criterion;
use epaxos_tui::multiverse::tree::{BranchId, Multiverse};
use epaxos_tui::multiverse::what_if::Change;

fn branched(multiverse: &mut Multiverse) -> Vec<BranchId> {
    let len = multiverse.main().len();
    let places = (0..).map(|number| (number * 7_919) % len);
    let made = places.filter_map(|at| {
        let made = multiverse.what_if(BranchId::MAIN, at, &Change::Drop, None).ok();
        made.map(|(branch, _)| branch)
    });
    made.take(100).collect()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut multiverse = long_run::long_run(10_000);
    let len = multiverse.main().len();
    let mut fresh = multiverse.clone();
    criterion.bench_function("jump/the first of all", |bencher| {
        bencher.iter_batched(
            || multiverse.clone(),
            |mut it| black_box(it.at(BranchId::MAIN, len - 1).expect("a place of the run")),
            criterion::BatchSize::PerIteration,
        );
    });
    criterion.bench_function("jump/a new branch", |bencher| {
        let mut at = 0;
        bencher.iter(|| {
            at = (at + 7_919) % len;
            black_box(fresh.what_if(BranchId::MAIN, at, &Change::Drop, None).ok());
        });
    });
    let branches = branched(&mut multiverse);
    let mut at = 0;
    criterion.bench_function("jump/anywhere in the run", |bencher| {
        bencher.iter(|| {
            at = (at + 7_919) % len;
            black_box(multiverse.at(BranchId::MAIN, at).expect("a place of the run"));
        });
    });
    let mut next = branches.iter().cycle();
    criterion.bench_function("jump/anywhere in any branch", |bencher| {
        bencher.iter(|| {
            at = (at + 7_919) % len;
            let branch = *next.next().expect("it goes round");
            black_box(multiverse.at(branch, at).expect("a place of the run"));
        });
    });
    criterion.final_summary();
}
