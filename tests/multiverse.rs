//! Going back, branching off and comparing: what was is had again exactly.

#[path = "multiverse/runs.rs"]
mod runs;

use epaxos_tui::epaxos::command::Operation;
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::multiverse::digest::Digests;
use epaxos_tui::multiverse::tree::{BranchId, Multiverse};
use epaxos_tui::multiverse::what_if::Change;
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::observe::view::View;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;
use proptest::prelude::*;

use runs::{Act, acts, perform};

/// A run, with what it was at each entry.
#[derive(Clone, Debug)]
struct Run {
    cluster: Cluster,
    multiverse: Multiverse,
    digests: Vec<u64>,
    view: View,
}

impl Run {
    /// A cluster in which nothing has happened.
    fn start(replicas: usize) -> Cluster {
        Cluster::new(Shape::new(replicas))
    }

    /// Does all that can be done.
    fn of(replicas: usize, acts: &[Act]) -> Self {
        let mut cluster = Self::start(replicas);
        cluster.listen();
        let mut run = Self {
            cluster,
            multiverse: Multiverse::new(Shape::new(replicas)),
            digests: Vec::new(),
            view: View::new(Shape::new(replicas)),
        };
        let (mut session, mut digests) = (Session::default(), Digests::default());
        for act in acts {
            perform(&mut run.cluster, &mut session, *act);
            for notice in run.cluster.take_notices() {
                run.multiverse.note(BranchId::MAIN, &notice);
                // What is set is set after the steps before it and before those after it.
                run.view.apply(notice);
                run.multiverse.grow(BranchId::MAIN, &run.view.log);
            }
        }
        let entries: Vec<_> = run.cluster.view().log.iter().cloned().collect();
        run.digests = entries.iter().map(|entry| digests.note(&entry.step)).collect();
        run
    }
}

/// All replicas of a cluster, to compare.
fn seats(cluster: &Cluster) -> Vec<String> {
    let replicas = ReplicaId::all(cluster.view().shape.replicas());
    replicas.map(|id| format!("{:?}", cluster.seat(id))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// For random runs with faults, the turns give the same digest at every entry, the same replicas
    /// and the same messages on their way.
    #[test]
    fn a_run_can_be_had_again(acts in acts(120), replicas in prop::sample::select(vec![3, 5])) {
        let run = Run::of(replicas, &acts);
        let mut multiverse = run.multiverse.clone();
        let mut again = multiverse.at(BranchId::MAIN, 0).expect("the beginning");
        let mut digests = Digests::default();
        for (at, digest) in (0..).zip(&run.digests) {
            multiverse.go_on(BranchId::MAIN, at, &mut again).expect("it was possible before");
            let entry = again.view().log.get(at).expect("the latest").clone();
            prop_assert_eq!(digests.note(&entry.step), *digest, "at #{}", at);
        }
        prop_assert_eq!(seats(&again), seats(&run.cluster));
        let ids = |cluster: &Cluster| -> Vec<_> {
            cluster.in_flight().iter().map(|flight| flight.envelope.clone()).collect()
        };
        prop_assert_eq!(ids(&again), ids(&run.cluster));
    }

    /// Wherever one goes, in whatever order, one finds what one found there before.
    #[test]
    fn a_place_is_the_same_from_everywhere(
        acts in acts(150),
        places in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
    ) {
        let run = Run::of(3, &acts);
        let mut multiverse = run.multiverse.clone();
        let len = multiverse.main().len();
        for place in places {
            let at = place.index(usize::try_from(len).unwrap() + 1) as u64;
            let there = multiverse.at(BranchId::MAIN, at).expect("a place of the run");
            prop_assert_eq!(there.view().log.len(), at);
            let mut walked = Run::start(3);
            for turn in run.multiverse.turns(BranchId::MAIN, 0).take(usize::try_from(at).unwrap()) {
                walked.follow(turn).expect("it was possible before");
            }
            prop_assert_eq!(seats(&there), seats(&walked));
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let put = || vec![Operation::put("x", "else")];
    prop_oneof![
        Just(Change::Drop),
        Just(Change::Duplicate),
        Just(Change::Delay),
        Just(Change::Swap),
        Just(Change::Crash(None)),
        (0..3u8).prop_map(|id| Change::Crash(Some(ReplicaId(id)))),
        Just(Change::Propose(put())),
        (0..3u8).prop_map(move |id| Change::Add(ReplicaId(id), put())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Every branch that can be made is a run like others: it can be had again, and nothing of what was
    /// before it changes.
    #[test]
    fn a_branch_can_be_had_again(
        acts in acts(100),
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..8),
    ) {
        let mut multiverse = Run::of(3, &acts).multiverse;
        let mut made = Vec::new();
        for (place, change) in changes {
            let branches: Vec<_> = multiverse.iter().map(|(id, branch)| (id, branch.len())).collect();
            let (of, len) = branches[place.index(branches.len())];
            let at = place.index(usize::try_from(len).unwrap() + 1) as u64;
            if let Ok((branch, cluster)) = multiverse.what_if(of, at, &change, None) {
                prop_assert_eq!(multiverse.get(branch).unwrap().len(), cluster.view().log.len());
                made.push((branch, cluster));
            } else {
                prop_assert_eq!(multiverse.iter().count(), branches.len());
            }
        }
        for (branch, cluster) in made {
            let again = multiverse.at(branch, u64::MAX).expect("it was possible before");
            prop_assert_eq!(seats(&again), seats(&cluster));
            prop_assert_eq!(&again.view().gate, &cluster.view().gate);
        }
    }
}

#[test]
fn a_branch_of_a_branch_shares_what_it_can() {
    let acts: Vec<Act> =
        (0..40).map(|number| Act::Put(number % 3, number % 3)).chain([Act::Settle]).collect();
    let mut multiverse = Run::of(3, &acts).multiverse;
    let len = multiverse.main().len();
    let there = multiverse.at(BranchId::MAIN, len / 2).expect("the middle");
    let gate = there.view().gate.clone();
    let first = multiverse.branch(BranchId::MAIN, len / 2, &gate, Some("first")).unwrap();
    let second = multiverse.branch(first, len / 4, &gate, None).unwrap();
    // It leaves the first one before that has become one of its own.
    assert_eq!(multiverse.get(second).unwrap().fork, Some((BranchId::MAIN, len / 4)));
    assert_eq!(multiverse.forks(BranchId::MAIN), [len / 4, len / 2]);
    assert_eq!(seats(&multiverse.at(first, len / 2).unwrap()), seats(&there));
    assert!(multiverse.delete(BranchId::MAIN).is_err());
    assert!(multiverse.branch(first, 0, &gate, Some("first")).is_err());
    multiverse.delete(second).unwrap();
    multiverse.rename(first, "other").unwrap();
    assert!(multiverse.rename(BranchId::MAIN, "trunk").is_err());
    for name in ["now", "start", "end", "other", "a b"] {
        assert!(multiverse.rename(first, name).is_err(), "{name}");
        assert!(multiverse.branch(BranchId::MAIN, 0, &gate, Some(name)).is_err(), "{name}");
    }
    assert_eq!(multiverse.named("other"), Ok(first));
}

/// Also where there are checkpoints: the beginning is before all of them.
#[test]
fn the_beginning_of_a_long_run_can_be_looked_at() {
    let acts: Vec<Act> =
        (0..100).flat_map(|number| [Act::Put(number % 3, 0), Act::Settle]).collect();
    let mut multiverse = Run::of(3, &acts).multiverse;
    assert!(multiverse.main().len() > 300);
    multiverse.at(BranchId::MAIN, u64::MAX).expect("its end");
    let there = multiverse.at(BranchId::MAIN, 0).expect("its beginning");
    assert!(there.view().log.is_empty());
    multiverse
        .what_if(BranchId::MAIN, 0, &Change::Crash(Some(ReplicaId(2))), None)
        .expect("a crash");
    let gate = there.view().gate.clone();
    let branch = multiverse.branch(BranchId::MAIN, 0, &gate, None).expect("a branch");
    multiverse.delete(branch).expect("it is no other's origin");
    assert!(multiverse.branch(branch, 0, &gate, None).is_err());
}
