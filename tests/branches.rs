//! What a tree of runs takes.

#[path = "../benches/shared/long_run.rs"]
mod long_run;

use epaxos_tui::multiverse::tree::BranchId;
use epaxos_tui::multiverse::what_if::Change;

/// A hundred branches of a run of ten thousand entries, each changed somewhere and run to its end, and
/// every place of it looked at.
#[test]
fn a_hundred_branches_take_less_than_200_megabytes() {
    let mut multiverse = None;
    let taken = allocation_counter::measure(|| {
        let mut tree = long_run::long_run(10_000);
        let len = tree.main().len();
        let (mut made, mut at) = (0, 0);
        while made < 100 {
            at = (at + 7_919) % len;
            made += u32::from(tree.what_if(BranchId::MAIN, at, &Change::Drop, None).is_ok());
        }
        let branches: Vec<_> = tree.iter().map(|(id, _)| id).collect();
        for branch in branches {
            at = (at + 7_919) % len;
            tree.at(branch, at).expect("a place of the run");
        }
        multiverse = Some(tree);
    });
    assert!(multiverse.is_some_and(|tree| tree.iter().count() == 101));
    println!("{} MB", taken.bytes_current / 1_000_000);
    assert!(taken.bytes_current < 200_000_000, "{} bytes", taken.bytes_current);
}
