//! Looking for a schedule that makes something true.

use epaxos_tui::check::Checker;
use epaxos_tui::epaxos::mutation::Mutation;
use epaxos_tui::multiverse::goal::Goal;
use epaxos_tui::multiverse::search::{Found, Search};
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::observe::turn::Turn;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;

/// A cluster to which this has been done.
fn after(shape: Shape, lines: &[&str]) -> Cluster {
    let mut cluster = Cluster::new(shape);
    let mut session = Session::default();
    for line in lines {
        let command = Command::parse(line).expect(line).expect(line);
        session.perform(&mut cluster, &command).expect(line);
    }
    cluster
}

/// What is found, and how much was looked through.
fn find(cluster: &Cluster, goal: &str) -> (Vec<Turn>, bool) {
    let mut search = Search::new(cluster, Goal::parse(goal).expect(goal));
    loop {
        match search.go_on(1_000) {
            None => {}
            Some(Found::Run { turns, shortest, .. }) => return (turns, shortest),
            Some(Found::Nothing) => panic!("{goal}: nothing in {}", search.progress()),
        }
    }
}

/// The cluster after the turns that were found.
fn played(cluster: &Cluster, turns: &[Turn]) -> Cluster {
    let mut cluster = cluster.clone();
    for turn in turns {
        cluster.follow(turn).expect("what was found is possible");
    }
    cluster
}

#[test]
fn the_shortest_way_to_the_slow_path_is_found() {
    let cluster = after(Shape::new(5), &["pause", "put x 1 @R0", "put x 2 @R4"]);
    let (turns, shortest) = find(&cluster, "path=slow");
    assert!(shortest);
    let after = played(&cluster, &turns);
    assert_eq!(after.view().total().slows, 1);
    // Two PreAccepts, one of them at who knows of the other proposal; both replies; two Accepts and their
    // replies.
    assert_eq!(turns.len(), 8, "{turns:#?}");
    // None of them can be left out.
    for left_out in 0..turns.len() {
        let mut fewer = turns.clone();
        fewer.remove(left_out);
        let mut cluster = cluster.clone();
        for turn in &fewer {
            // What needs the one that is left out is not possible.
            cluster.follow(turn).ok();
        }
        assert_eq!(cluster.view().total().slows, 0, "without {left_out}");
    }
}

#[test]
fn a_cycle_and_a_no_op_are_found() {
    let cluster = after(Shape::new(3), &["pause", "put x 1 @R0", "put x 2 @R2"]);
    let (turns, shortest) = find(&cluster, "component>1");
    assert!(shortest);
    let sizes = played(&cluster, &turns);
    assert!(sizes.view().replicas.iter().any(|replica| replica.counters.executed > 1));

    let cluster = after(Shape::new(3), &["pause", "put x 1 @R0", "put x 2 @R1", "crash R0"]);
    let (turns, _) = find(&cluster, "phase(R0.0)=noop");
    let after = played(&cluster, &turns);
    assert!(after.view().total().noops > 0, "{turns:?}");
}

#[test]
fn what_cannot_be_looked_for_is_said() {
    let sentence = |text: &str| Goal::parse(text).expect_err(text);
    assert!(sentence("").contains("path=slow"));
    assert!(sentence("phase(R0.0)=done").contains("noop"));
    assert!(sentence("path=scenic").contains("fast"));
}

/// In a protocol that is broken on purpose, in each of the ways that are known to show in a cluster of
/// three, what is wrong is found from a cluster in which nothing has happened.
#[test]
fn violations_are_found() {
    for mutation in [
        Mutation::SingleBallot,
        Mutation::EqualToEachOther,
        Mutation::NoPromise,
        Mutation::SharedBallots,
        Mutation::DropR3,
        Mutation::LatestOnly,
    ] {
        check_found(mutation);
    }
}

/// This one takes some thousand runs more.
#[test]
fn a_rare_violation_is_found() {
    check_found(Mutation::SeqNotCompared);
}

fn check_found(mutation: Mutation) {
    let mut shape = Shape::new(3);
    shape.options.mutation = Some(mutation);
    let cluster = after(shape.clone(), &[]);
    let (turns, wrong) = find_wrong(&cluster);
    let property = wrong.split(':').next().expect("a property").to_owned();
    let after = played(&cluster, &turns);
    let mut checker = Checker::new(shape.options.quorums, shape.reply_on());
    after.view().log.iter().for_each(|entry| checker.step(&entry.step));
    checker.finish();
    // What only a simulation sees, the run can still be looked at for.
    let seen = ["liveness", "durability", "invariant"].contains(&property.as_str());
    assert!(seen || !checker.violations().is_empty(), "{mutation}: {wrong}");
    assert!(!turns.is_empty(), "{mutation}");
    println!("{mutation}: {} turns, {wrong}", turns.len());
}

/// What is wrong from here, found from a cluster in which something has happened.
#[test]
fn a_violation_is_found_from_the_middle_of_a_run() {
    let mut shape = Shape::new(3);
    shape.options.mutation = Some(Mutation::EqualToEachOther);
    let cluster = after(shape, &["pause", "put x 0", "step 2"]);
    let (turns, wrong) = find_wrong(&cluster);
    assert!(wrong.contains("choice"), "{wrong}");
    assert!(!turns.is_empty());
}

fn find_wrong(cluster: &Cluster) -> (Vec<Turn>, String) {
    let mut search = Search::new(cluster, Goal::parse("violation").expect("a goal"));
    loop {
        match search.go_on(100) {
            None => {}
            Some(Found::Run { turns, wrong, .. }) => return (turns, wrong.expect("it says what")),
            Some(Found::Nothing) => panic!("nothing in {}", search.progress()),
        }
    }
}
