//! What is wrong with links and replicas of a live cluster that runs freely: it is suffered, seen,
//! and mended.

use std::time::Duration;

use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::node::cluster::Options;
use epaxos_tui::node::live::LiveWorld;
use epaxos_tui::observe::counters::Counters;
use epaxos_tui::observe::notice::Decision;
use epaxos_tui::script::file::Script;
use epaxos_tui::script::session::{Said, Session};
use epaxos_tui::script::world::World;

/// A person at a live cluster.
struct Live {
    world: LiveWorld,
    session: Session,
}

impl Live {
    fn start(options: &Options) -> Self {
        let world = LiveWorld::start(options, false).expect("a cluster");
        Self { world, session: Session::default() }
    }

    /// Gives it commands; what each has to say, up to the first that is refused.
    fn try_run(&mut self, script: &str) -> Said {
        let mut said = Vec::new();
        for (_, command) in Script::parse(script).expect("a script").commands {
            said.extend(self.session.perform(&mut self.world, &command)?);
        }
        Ok(said)
    }

    fn run(&mut self, script: &str) -> Vec<String> {
        self.try_run(script).expect(script)
    }

    fn total(&self) -> Counters {
        self.world.view().total()
    }

    /// Whether all replicas have come to the same.
    fn is_alike(&self) -> bool {
        let replicas = &self.world.view().replicas;
        replicas.iter().all(|replica| replica.store == replicas[0].store)
    }
}

#[test]
fn a_cluster_whose_links_lose_double_and_delay_comes_to_the_same_everywhere() {
    // What somebody missed is asked for soon, so that the end is seen soon.
    let recover_after = Some(Duration::from_millis(300));
    let mut live = Live::start(&Options { recover_after, ..Options::new(5) });
    live.run("loss 10\ndup 30\ndelay 0ms..4ms\nburst 100 keys=5 conflict=30\nsleep 2s\nheal");
    // Who has missed a Commit learns of it where something later depends on the instance.
    for key in ["k0", "k1", "k2", "k3", "k4", "hot"] {
        live.run(&format!("put {key} last"));
    }
    let mut said = Vec::new();
    for _ in 0..60 {
        said = live.run("sleep 1s\nsettle");
        let open = said.iter().filter(|line| line.ends_with(" is open")).count();
        assert!(said.iter().filter(|line| line.ends_with(" = ok")).count() == said.len() - open);
        if open == 0 && live.is_alike() {
            break;
        }
    }
    assert!(live.is_alike() && !said.iter().any(|line| line.ends_with(" is open")), "{said:?}");
    assert_eq!(live.world.view().replicas[4].store.len(), 6);
    let total = live.total();
    assert!(total.dropped > 0 && total.duplicated > 0, "{total:?}");
    // Nothing that is a twin already is doubled by a rule.
    let log = &live.world.view().log;
    let doubled = log.iter().filter_map(|entry| match &entry.step.decision {
        Decision::Duplicate(envelope, copy) => Some((envelope.id.copy, copy.copy)),
        _ => None,
    });
    assert!(doubled.into_iter().all(|copies| copies == (0, 1)));
}

#[test]
fn a_share_is_what_it_says_under_load() {
    let mut live = Live::start(&Options::new(3));
    live.run("dup 20\nburst 400 keys=400\nsettle");
    let total = live.total();
    let expected = (total.receives.iter().sum::<u64>() - total.duplicated) / 5;
    let width = expected / 4;
    assert!(total.duplicated.abs_diff(expected) < width, "{} of {expected}", total.duplicated);
}

#[test]
fn a_twin_made_by_hand_and_one_made_by_a_rule_have_names_of_their_own() {
    let mut live = Live::start(&Options::new(3));
    live.run("pause\nput x 1\ndup kind=PreAccept\ndup 100\nrun\nsettle");
    let log = &live.world.view().log;
    let twins = log.iter().filter_map(|entry| match &entry.step.decision {
        Decision::Duplicate(envelope, copy) if envelope.id.number == 0 => Some(copy.to_string()),
        _ => None,
    });
    let twins: Vec<_> = twins.filter(|twin| twin.starts_with("R0")).collect();
    assert_eq!(twins, ["R0-0/1", "R0-0/2"]);
}

/// Five replicas of which R2 panics where the key `boom` is named.
fn fragile(recover_after: Option<Duration>) -> Live {
    let panic_at = Some((ReplicaId(2), "boom".into()));
    Live::start(&Options { recover_after, panic_at, ..Options::new(5) })
}

/// Lets time pass until so many answers have come, and returns them.
fn wait_for_answers(live: &mut Live, count: usize) -> Vec<String> {
    let mut answers = Vec::new();
    for _ in 0..300 {
        let said = live.run("sleep 100ms\nsettle");
        answers.extend(said.into_iter().filter(|line| !line.ends_with(" is open")));
        if answers.len() >= count {
            break;
        }
    }
    answers
}

/// Waits until a line of the trace is there.
fn wait_for_line(live: &mut Live, wanted: &str) {
    for _ in 0..300 {
        live.run("sleep 20ms");
        if live.world.view().trace.iter().any(|line| line.to_string() == wanted) {
            return;
        }
    }
    let lines: Vec<_> = live.world.view().trace.iter().map(ToString::to_string).collect();
    panic!("never came: {wanted}\n{}", lines.join("\n"));
}

const FAILED: &str = "R2 fails: it was told to panic where boom is named";

#[test]
fn a_replica_that_panics_is_down_and_the_others_go_on() {
    let mut live = fragile(Some(Duration::from_millis(300)));
    // R2 is asked by R0, and fails in the middle of its answer.
    assert_eq!(live.run("put x 1 @R0\nsettle\nput boom 1 @R0"), ["put x 1 = ok"]);
    wait_for_line(&mut live, FAILED);
    let failed = live.world.view().replica(ReplicaId(2)).clone();
    assert!(!failed.up && failed.timer.is_none());
    assert_eq!(failed.panic.as_deref(), Some("it was told to panic where boom is named"));
    assert_eq!(live.try_run("put y 1 @R2"), Err("R2 is down".to_owned()));
    assert_eq!(live.try_run("wake R2"), Err("R2 is down".to_owned()));

    // The others decide without it, what it was asked for included.
    assert_eq!(wait_for_answers(&mut live, 1), ["put boom 1 = ok"]);
    live.run("put y 2 @R4");
    assert_eq!(wait_for_answers(&mut live, 1), ["put y 2 = ok"]);
    assert_eq!(live.world.view().replica(ReplicaId(2)).store.len(), 1);

    // It comes back with its votes, and learns what it has missed when that is asked for again.
    live.run("recover R2\nput boom 3 @R2");
    assert_eq!(wait_for_answers(&mut live, 1), ["put boom 3 = ok"]);
    live.run("put y 3 @R2");
    assert_eq!(wait_for_answers(&mut live, 1), ["put y 3 = ok"]);
    wait_for_line(&mut live, "R4 R2.1 executed put y 3 = ok");
    let back = live.world.view().replica(ReplicaId(2)).clone();
    assert!(back.up && back.panic.is_none());
    assert_eq!(back.store, live.world.view().replica(ReplicaId(4)).store);
}

#[test]
fn who_asked_a_replica_that_panics_is_told() {
    let mut live = fragile(None);
    live.run("put boom 1 @R2");
    wait_for_line(&mut live, FAILED);
    assert_eq!(wait_for_answers(&mut live, 1), ["put boom 1 failed: R2 is down"]);
    let lines: Vec<_> = live.world.view().trace.iter().map(ToString::to_string).collect();
    assert_eq!(lines, [FAILED], "nothing that it was at has gone out");

    // A message let through by hand: whoever let it through is told at once.
    let mut live = fragile(None);
    live.run("pause\nput boom 1 @R1");
    let refused = live.try_run("deliver to=R2").unwrap_err();
    assert_eq!(refused, "R2 has failed: it was told to panic where boom is named");
    live.run("recover R2\nrun\nsleep 1s");
    assert_eq!(wait_for_answers(&mut live, 1), ["put boom 1 = ok"]);
    wait_for_line(&mut live, "R0 R1.0 executed put boom 1 = ok");
    live.run("settle");
    let order = ReplicaId::all(5).map(|id| format!("{id}: R1.0")).collect::<Vec<_>>();
    assert_eq!(live.run("order"), order);
}
