//! Looking for a schedule that makes something true.

use epaxos_tui::check::Checker;
use epaxos_tui::epaxos::mutation::Mutation;
use epaxos_tui::multiverse::goal::Goal;
use epaxos_tui::multiverse::search::{Among, Found, Search};
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::observe::turn::Turn;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;
use epaxos_tui::tui::completion::{Known, candidates};
use epaxos_tui::tui::times::FORMS;

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
fn find(cluster: &Cluster, goal: &str) -> (Vec<Turn>, Option<Among>) {
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
    assert_eq!(shortest, Some(Among::Deliveries));
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
    assert_eq!(shortest, Some(Among::Deliveries));
    let sizes = played(&cluster, &turns);
    assert!(sizes.view().replicas.iter().any(|replica| replica.counters.executed > 1));

    let cluster = after(Shape::new(3), &["pause", "put x 1 @R0", "put x 2 @R1", "crash R0"]);
    let (turns, _) = find(&cluster, "phase(R0.0)=noop");
    let after = played(&cluster, &turns);
    assert!(after.view().total().noops > 0, "{turns:?}");
}

/// Whatever is offered to be looked for can be found in some cluster.
#[test]
fn every_form_that_is_offered_can_be_found() {
    let held = || after(Shape::new(3), &["pause", "put x 1 @R0", "put x 2 @R2"]);
    let crashed = || after(Shape::new(3), &["pause", "put x 1 @R0", "put x 2 @R1", "crash R0"]);
    let forms = ["find", "until"].map(|name| {
        let form = FORMS.iter().find(|form| form.name == name).expect("it is a command");
        form.words.split('|').map(str::to_owned).collect::<Vec<_>>()
    });
    let known = Known { replicas: 3, ..Known::default() };
    let completed = ["find ", "until "].map(|line| candidates(line, &known).1);
    for offered in forms.into_iter().chain(completed).flatten() {
        let (cluster, goals): (_, &[&str]) = match offered.as_str() {
            "path=P" | "path=" => (held(), &["path=fast", "path=slow"]),
            "kind=" => (held(), &["kind=PreAccept", "kind=AcceptReply", "kind=Commit"]),
            "key=" => (held(), &["key=x"]),
            "instance=" => (held(), &["instance=R2.0"]),
            "component>N" | "component>" => (held(), &["component>1"]),
            "seq>" => (held(), &["seq>1"]),
            "TERM" => (held(), &["accepted", "leader=R2", "since=#6"]),
            "phase(I)=P" => (held(), &["phase(R0.0)=accepted", "phase(R2.0)=executed"]),
            "noop" | "phase(R0.0)=noop" => {
                (crashed(), &["noop", "phase(R0.0)=noop", "path=recovery", "kind=Recover"])
            }
            // Only what is broken comes to that.
            "violation" => {
                let mut shape = Shape::new(3);
                shape.options.mutation = Some(Mutation::EqualToEachOther);
                let found = find_wrong(&after(shape, &[]));
                assert!(!found.0.is_empty());
                continue;
            }
            other => panic!("nobody knows what {other} could be"),
        };
        for goal in goals {
            let (turns, _) = find(&cluster, goal);
            assert!(!turns.is_empty(), "{goal}");
        }
    }
}

/// What is found among schedules with faults is a shortest one of those.
#[test]
fn of_what_it_is_the_shortest_is_said() {
    let cluster = after(Shape::new(3), &["pause", "put x 1 @R0"]);
    let (turns, shortest) = find(&cluster, "event=crash");
    assert_eq!((turns.len(), shortest), (1, Some(Among::Faults)));
    let said = Among::Faults.to_string();
    assert_eq!(said, "none of deliveries, timers, losses, crashes and returns alone is shorter");
    assert_eq!(Among::Deliveries.to_string(), "none of deliveries alone is shorter");
    // An entry is counted from the beginning of the run, not of the search.
    let (turns, _) = find(&cluster, "kind=PreAcceptReply since=#3");
    assert!(turns.len() > 2, "{turns:?}");
}

#[test]
fn what_is_already_so_is_known() {
    let cluster = after(Shape::new(3), &["put x 1 @R0", "put x 2 @R2", "settle"]);
    let already = |goal: &str| Goal::parse(goal).expect(goal).already(cluster.view());
    assert_eq!(already("event=propose"), Some(1));
    assert_eq!(already("event=propose instance=R0.0"), Some(0));
    assert_eq!(already("phase(R0.0)=pre-accepted"), Some(0));
    assert!(already("phase(R2.0)=executed").is_some_and(|at| at > 2));
    assert_eq!(already("phase(R2.0)=noop"), None);
    assert_eq!((already("path=recovery"), already("noop")), (None, None));
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
