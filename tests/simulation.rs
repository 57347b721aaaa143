//! A fixed slice of the random runs that `epaxos-tui sim` plays, and what is done with one that goes
//! wrong.

use epaxos_tui::check::Checker;
use epaxos_tui::epaxos::event::Rule;
use epaxos_tui::epaxos::mutation::Mutation;
use epaxos_tui::epaxos::quorum::CLUSTER_SIZES;
use epaxos_tui::observe::notice::Notice;
use epaxos_tui::script::file::Script;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;
use epaxos_tui::tools::check;
use epaxos_tui::tools::simulate::{Failure, Search};

/// How many runs of each size. An unoptimized build plays some thousand a second.
const RUNS: u64 = 3_000;

#[test]
fn no_run_goes_wrong() {
    for replicas in CLUSTER_SIZES {
        let searched = Search::new(0..RUNS, Some(replicas)).run(|_| {});
        if let Some(failure) = searched.failure {
            panic!("{}", failure.script());
        }
        assert_eq!(searched.coverage.schedules, RUNS);
    }
}

/// Each rule of recovery, both paths, and whatever else runs are for, come up with five replicas.
#[test]
fn runs_reach_what_they_are_for() {
    let mut coverage = Search::new(0..RUNS, Some(5)).run(|_| {}).coverage;
    // The two rarest rules, once in some thousand runs: seeds at which they come up.
    for (rule, seed) in [(Rule::W1, W1_SEED), (Rule::W3, W3_SEED)] {
        let found = Search::new(seed..seed + 1, Some(5)).run(|_| {}).coverage;
        assert!(found.rules[rule as usize] > 0, "{rule} no longer comes up at seed {seed}");
        coverage.add(&found);
    }
    let missing: Vec<_> = coverage.missing().collect();
    assert!(missing.is_empty(), "never came up: {missing:?}");
    assert!(coverage.fasts > 0 && coverage.slows > 0 && coverage.recovered > 0);
    assert!(coverage.noops > 0 && coverage.led_again > 0 && coverage.largest_component > 2);
    assert!(coverage.blips > 0 && coverage.dropped > 0 && coverage.duplicated > 0);
    assert!(coverage.crashes > coverage.restarts && coverage.restarts > 0 && coverage.timers > 0);
}

const W1_SEED: u64 = 1_111;
const W3_SEED: u64 = 658;

#[test]
fn a_seed_is_a_run() {
    let search = Search::new(7..8, None);
    assert_eq!(search.run(|_| {}).coverage, search.run(|_| {}).coverage);
}

/// A run that goes wrong, since the protocol is broken.
fn broken(mutation: Mutation, seed: u64) -> Failure {
    let search = Search { mutation: Some(mutation), ..Search::new(seed..seed + 1, Some(5)) };
    search.run(|_| {}).failure.unwrap_or_else(|| panic!("{mutation} is not caught at {seed}"))
}

/// Plays a script in the simulator that people use.
fn played(failure: &Failure, mutation: Option<Mutation>) -> (Checker, String) {
    let mut shape = failure.plan.shape.clone();
    shape.options.mutation = mutation;
    let replicas = shape.replicas();
    let mut checker = Checker::new(shape.options.quorums, shape.options.reply_on);
    let mut cluster = Cluster::new(shape);
    cluster.listen();
    let mut session = Session::default();
    for (line, command) in Script::parse(&failure.script()).expect("it is a script").commands {
        // Once the run takes another course, what it names may not be there.
        if let Err(error) = session.perform(&mut cluster, &command) {
            assert!(mutation.is_none(), "line {line}: {error}");
            break;
        }
    }
    for notice in cluster.take_notices() {
        if let Notice::Step(step) = notice {
            checker.step(&step);
        }
    }
    let trace = cluster.view().trace.iter();
    let lines: Vec<_> = trace.map(|line| line.to_json(replicas).to_string()).collect();
    (checker, lines.join("\n"))
}

/// The script of a run that went wrong does the same in the world for people; its trace, read back, is
/// found wrong for the same reason; and the protocol as it should be passes.
#[test]
fn what_went_wrong_can_be_seen_again() {
    for (mutation, seed) in [(Mutation::SingleBallot, 110), (Mutation::SkipValidate, 5)] {
        let failure = broken(mutation, seed);
        assert!(failure.shrunken.acts.len() < failure.drawn, "{mutation} is not cut down");
        let found = failure.shrunken.finding.as_ref().expect("it still goes wrong");

        let (checker, trace) = played(&failure, Some(mutation));
        let violation = checker.violations().first().expect("it goes wrong again");
        assert_eq!(violation.property.name(), found.property);
        assert_eq!(violation.sentence, found.sentence);

        let recorded = check::check(trace.as_bytes()).expect("it is a trace");
        let read = recorded.violations.first().expect("the trace shows it too");
        assert_eq!((read.property, &read.sentence), (violation.property, &violation.sentence));

        let (sound, trace) = played(&failure, None);
        assert_eq!(sound.violations(), []);
        assert_eq!(check::check(trace.as_bytes()).expect("it is a trace").violations, []);
    }
}
