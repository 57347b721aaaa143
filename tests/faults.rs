//! What is wrong with links and replicas of a live cluster that runs freely: it is suffered, seen,
//! and mended.

use std::time::Duration;

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
