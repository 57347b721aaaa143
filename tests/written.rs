//! A branch as text: whatever it is written as, it is had again from that.

#[path = "multiverse/runs.rs"]
mod runs;

use epaxos_tui::multiverse::reader::Recorded;
use epaxos_tui::multiverse::tree::{BranchId, Multiverse};
use epaxos_tui::multiverse::what_if::Change;
use epaxos_tui::multiverse::written::{Form, is_token, known, of_token, recording, token};
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::script::file::Script;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;
use proptest::prelude::*;

use runs::{Act, acts, perform};

/// A run of three, and what it came to.
fn run(acts: &[Act]) -> (Multiverse, Cluster) {
    let mut cluster = Cluster::new(Shape::new(3));
    let mut multiverse = Multiverse::new(Shape::new(3));
    let mut session = Session::default();
    for act in acts {
        perform(&mut cluster, &mut session, *act);
        multiverse.grow(BranchId::MAIN, &cluster.view().log);
    }
    (multiverse, cluster)
}

/// What a script comes to.
fn played(text: &str) -> Vec<String> {
    let mut cluster = Cluster::new(Shape::new(3));
    let mut session = Session::default();
    for (line, command) in Script::parse(text).expect("a script").commands {
        let said = session.perform(&mut cluster, &command);
        said.unwrap_or_else(|error| panic!("line {line}: {error}\n{text}"));
    }
    known(cluster.view())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_branch_is_had_again_from_a_recording_and_from_a_token(acts in acts(80)) {
        let (multiverse, cluster) = run(&acts);
        let text = recording(&multiverse, BranchId::MAIN).expect("it can be written");
        let mut recorded = Recorded::read(&text).expect("a recording");
        prop_assert_eq!((recorded.verify(), recorded.damage), (Ok(()), None));
        let end = recorded.multiverse.at(BranchId::MAIN, u64::MAX).expect("its end");
        prop_assert_eq!(known(end.view()), known(cluster.view()));
        if let Ok(token) = token(&multiverse, BranchId::MAIN) {
            prop_assert!(is_token(&token) && !token.contains(char::is_whitespace));
            prop_assert_eq!(of_token(&token), Ok(text));
        } else {
            prop_assert!(multiverse.main().len() > 300);
        }
    }

    /// A script does the same, message by message. Its clocks show other times, so that runs in which
    /// timers fire may differ.
    #[test]
    fn a_branch_is_had_again_from_a_script(acts in acts(80)) {
        let timed = |act: &Act| matches!(act, Act::Wake(_) | Act::Sleep(_) | Act::Recover(_));
        let acts: Vec<_> = acts.into_iter().filter(|act| !timed(act)).collect();
        let (multiverse, cluster) = run(&acts);
        let text = Form::Script.write(&multiverse, BranchId::MAIN).expect("it can be typed");
        prop_assert_eq!(played(&text), known(cluster.view()));
    }

    /// Whatever is pasted, it is read or refused.
    #[test]
    fn a_damaged_token_is_refused(junk in "epaxos:[A-Za-z0-9_-]{0,80}") {
        if let Ok(text) = of_token(&junk) {
            prop_assert!(Recorded::read(&text).is_err());
        }
    }
}

/// Two writes at once, one reply lost on the way.
fn conflict() -> (Multiverse, BranchId) {
    let acts = [Act::Pause, Act::Put(0, 0), Act::Put(2, 0), Act::Run, Act::Settle];
    let (mut multiverse, _) = run(&acts);
    let (branch, _) =
        multiverse.what_if(BranchId::MAIN, 3, &Change::Delay, None).expect("a delivery");
    (multiverse, branch)
}

/// The file is what `export rust` writes of this run, and a test of its own that cargo runs.
/// `UPDATE_GOLDENFILES=1 cargo test --test written` writes it anew.
#[test]
fn a_test_that_was_written_is_the_one_that_is_run() {
    let (multiverse, branch) = conflict();
    let text = Form::Rust.write(&multiverse, branch).expect("it can be written");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exported_run.rs");
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::write(file, &text).expect("the sources can be written to");
    }
    assert_eq!(std::fs::read_to_string(file).expect("it was written"), text);
}

#[test]
fn what_cannot_be_typed_is_said() {
    let mut cluster = Cluster::new(Shape::new(3));
    let mut multiverse = Multiverse::new(Shape::new(3));
    let odd = epaxos_tui::epaxos::command::Operation::put("x", "two\nlines");
    cluster.propose(epaxos_tui::epaxos::id::ReplicaId(0), vec![odd]).expect("it is up");
    multiverse.grow(BranchId::MAIN, &cluster.view().log);
    let refused = Form::Script.write(&multiverse, BranchId::MAIN).expect_err("two lines");
    assert!(refused.starts_with("#0 cannot be typed"), "{refused}");
    // A recording takes anything.
    let text = recording(&multiverse, BranchId::MAIN).expect("it can be written");
    assert_eq!(Recorded::read(&text).expect("a recording").verify(), Ok(()));
}
