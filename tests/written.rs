//! A branch as text: whatever it is written as, it is had again from that.

#[path = "multiverse/runs.rs"]
mod runs;

use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::multiverse::digest::Digests;
use epaxos_tui::multiverse::reader::Recorded;
use epaxos_tui::multiverse::tree::{BranchId, Multiverse};
use epaxos_tui::multiverse::what_if::Change;
use epaxos_tui::multiverse::written::{Form, is_token, known, of_token, recording, token};
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::observe::turn::Choice;
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
fn played(text: &str) -> Cluster {
    let mut cluster = Cluster::new(Shape::new(3));
    let mut session = Session::default();
    for (line, command) in Script::parse(text).expect("a script").commands {
        let said = session.perform(&mut cluster, &command);
        said.unwrap_or_else(|error| panic!("line {line}: {error}\n{text}"));
    }
    cluster
}

/// Checks that a script of a branch comes to what a cluster has come to.
fn check_played(multiverse: &Multiverse, branch: BranchId, cluster: &Cluster) {
    let text = Form::Script.write(multiverse, branch).expect("it can be typed");
    let again = played(&text);
    assert_eq!(known(again.view()), known(cluster.view()), "{text}");
    for id in ReplicaId::all(3) {
        assert_eq!(again.seat(id).next_timer(), cluster.seat(id).next_timer(), "{id}: {text}");
    }
    let turns = || multiverse.turns(branch, 0).map(|turn| &turn.choice);
    let asked = turns().filter_map(|choice| match choice {
        Choice::Propose(commands) => Some(commands),
        _ => None,
    });
    let numbered =
        asked.flatten().map(|command| command.request.number).eq(1..=again.proposer().proposals());
    // What was refused had a number, too; and what is given up is heard of at its sender.
    if numbered && !turns().any(|choice| matches!(choice, Choice::Lose(_))) {
        let digests = |cluster: &Cluster| {
            let mut digests = Digests::default();
            let log = cluster.view().log.iter();
            log.map(|entry| digests.note(&entry.step)).collect::<Vec<_>>()
        };
        assert_eq!(digests(&again), digests(cluster), "{text}");
        for id in ReplicaId::all(3) {
            assert_eq!(again.seat(id).fingerprint(), cluster.seat(id).fingerprint(), "{id}");
        }
    }
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

    /// A script does the same, message by message and at the same times, whatever befell the cluster.
    #[test]
    fn a_branch_is_had_again_from_a_script(
        acts in acts(80),
        place in any::<prop::sample::Index>(),
        lost in any::<bool>(),
    ) {
        let (mut multiverse, cluster) = run(&acts);
        check_played(&multiverse, BranchId::MAIN, &cluster);
        let at = place.index(usize::try_from(multiverse.main().len()).unwrap() + 1) as u64;
        let change = if lost { Change::Drop } else { Change::Crash(None) };
        if let Ok((branch, cluster)) = multiverse.what_if(BranchId::MAIN, at, &change, None) {
            check_played(&multiverse, branch, &cluster);
        }
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

/// A leader that hears nothing asks again when its timer fires, and crashes; another one finishes what it
/// began once it has waited long enough, and it comes back.
fn timers_and_a_crash() -> (Multiverse, BranchId) {
    let acts = [
        Act::Pause,
        Act::Put(0, 0),
        Act::Drop(0),
        Act::Wake(0),
        Act::Deliver(0),
        Act::Crash(0),
        Act::Run,
        Act::Sleep(3_900),
        Act::Sleep(3_900),
        Act::Recover(0),
        Act::Settle,
    ];
    (run(&acts).0, BranchId::MAIN)
}

/// The files are what `export rust` writes of these runs, and tests of their own that cargo runs.
/// `UPDATE_GOLDENFILES=1 cargo test --test written` writes them anew.
#[test]
fn a_test_that_was_written_is_the_one_that_is_run() {
    for (name, (multiverse, branch)) in
        [("exported_run", conflict()), ("exported_crash", timers_and_a_crash())]
    {
        let text = Form::Rust.write(&multiverse, branch).expect("it can be written");
        let file = format!("{}/tests/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
            std::fs::write(&file, &text).expect("the sources can be written to");
        }
        assert_eq!(std::fs::read_to_string(file).expect("it was written"), text);
        check_played(
            &multiverse,
            branch,
            &multiverse.clone().at(branch, u64::MAX).expect("its end"),
        );
    }
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
