//! The instrument: that it counts what happens, and tells what waited.

mod calm;

use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command;
use calm::calmly;
use epaxos_tui::bench::due::Pace;
use epaxos_tui::bench::load::{Call, Limit, Load, Progress};
use epaxos_tui::bench::sample::Sample;
use epaxos_tui::bench::workload::Workload;
use epaxos_tui::bench::{Plan, Target};
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::node::cluster::{Cluster, Options};
use epaxos_tui::node::driver::Act;
use epaxos_tui::observe::notice::GateState;
use futures::future::join_all;
use predicates::str::contains;
use serde_json::Value;
use tokio::runtime::{Handle, Runtime};

fn load(call: Call, pace: Pace, limit: Limit) -> Load {
    let workload = Workload { keys: 100, ..Workload::default() };
    Load { clients: 3, call, pace, bare: false, workload, warm_up: Duration::ZERO, limit }
}

/// A closed loop in which nobody thinks.
fn closed(most: u64) -> Pace {
    Pace::InFlight { most, think: Duration::ZERO }
}

fn program() -> Command {
    Command::cargo_bin("epaxos-tui").expect("the program is built")
}

/// Measures a cluster of three once, and counts.
async fn count_answers(call: Call, batch: bool) {
    let options = Options { batch, ..Options::new(3) };
    let cluster = Cluster::start(&options, None, &Handle::current()).expect("ports are free");
    let load = load(call, closed(30), Limit::Count(500));
    let target = Target::Embedded(cluster);
    let plan = Plan { load, compare: true, rounds: 1 };
    let rounds = plan.run(&target, None, |_| {}).await.expect("nothing is in the way");
    let [round] = &rounds[..] else { panic!("one round was asked for") };
    // What was in flight when the last one counted is answered, too, and counted by replicas.
    let echo = round.echo.as_ref().expect("it was asked for");
    for measured in echo.iter().chain([&round.cluster]) {
        assert!((500..=530).contains(&measured.sample.answered()), "{call:?}");
    }
    let tally = round.cluster.tally.as_ref().expect("the cluster is here");
    assert!((500..=530).contains(&tally.commands()), "{} {call:?}", tally.commands());
    assert_eq!(tally.answered[0], tally.commands(), "without conflicts, every path is fast");
    // A PreAccept, its answer, and two Commits. Who waits for long asks again.
    assert_eq!(tally.messages, 4 * tally.led, "{call:?}");
    assert!(if batch { tally.led < tally.commands() } else { tally.led == tally.commands() });
}

#[test]
fn every_answer_is_counted_once_by_clients_and_replicas() {
    let runtime = Runtime::new().expect("a runtime");
    for (call, batch) in [(Call::Unary, false), (Call::Stream, false), (Call::Stream, true)] {
        calmly(|| runtime.block_on(count_answers(call, batch)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_after_the_end_is_not_waited_for() {
    let cluster = Cluster::start(&Options::new(3), None, &Handle::current()).expect("ports");
    let hour = Pace::InFlight { most: 3, think: Duration::from_hours(1) };
    // The first is due at once, and the others half an hour apart.
    let rate = Pace::Rate(3.0 / 1_800.0);
    let loads = [
        (Call::Unary, hour, 0),
        (Call::Stream, hour, 0),
        (Call::Unary, rate, 3),
        (Call::Stream, rate, 3),
    ];
    let loads = loads.map(async |(call, pace, answered)| {
        let load = load(call, pace, Limit::Time(Duration::from_secs(5)));
        let endpoints = &cluster.shape().endpoints;
        let sample = load.run(endpoints, &Arc::new(Progress::default()), async {}).await;
        let sample = sample.expect("that nothing is answered was to be expected");
        assert_eq!(sample.answered(), answered, "{call:?} {pace:?}");
    });
    join_all(loads).await;
}

/// Stops a cluster for a while in the middle of a load.
async fn sample_with_a_stop(pace: Pace) -> Sample {
    let cluster = Cluster::start(&Options::new(3), None, &Handle::current()).expect("ports");
    let endpoints = cluster.shape().endpoints.clone();
    let load = load(Call::Stream, pace, Limit::Time(Duration::from_millis(1_500)));
    let progress = Arc::new(Progress::default());
    let stop = async {
        for paused in [true, false] {
            tokio::time::sleep(Duration::from_millis(400)).await;
            for replica in ReplicaId::all(3) {
                let gate = GateState { paused, ..GateState::default() };
                cluster.act(replica, Act::SetGate(gate)).await.expect("it is up");
            }
        }
    };
    let loaded = load.run(&endpoints, &progress, async {});
    let (sample, ()) = tokio::join!(loaded, stop);
    cluster.shutdown().await;
    sample.expect("nothing is in the way")
}

#[test]
fn an_open_loop_counts_those_who_wait_while_everything_stands_still() {
    let late = |sample: &Sample| sample.answered() - sample.latency.count_between(0, 100_000_000);
    let runtime = Runtime::new().expect("a runtime");
    calmly(|| {
        // Four hundred were due in that time, of which three hundred waited for longer than that.
        let open = runtime.block_on(sample_with_a_stop(Pace::Rate(1_000.0)));
        assert!(late(&open) >= 200, "only {} of {} were late", late(&open), open.answered());
        // A closed loop has asked for no more than were in flight.
        let closed = runtime.block_on(sample_with_a_stop(closed(6)));
        assert!(late(&closed) <= 12, "{} of {} were late", late(&closed), closed.answered());
    });
}

#[test]
fn the_program_prints_a_table_or_json() {
    let asked = ["bench", "--count", "200", "--warm-up", "0s", "--in-flight", "20"];
    let compared = ["--batch", "--compare-transport", "--rounds", "1"];
    let table = program().args(asked).args(compared).assert().success().stderr("");
    let table = String::from_utf8(table.get_output().stdout.clone()).expect("it is text");
    for part in [
        "3 replicas in this process",
        "bare unary",
        "bare stream",
        "of bare streams",
        "to execute",
        "fast 100.0 %",
    ] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
    calmly(|| check_json(&asked));
}

fn check_json(asked: &[&str]) {
    let json = program().args(asked).arg("--json").assert().success();
    let json: Value = serde_json::from_slice(&json.get_output().stdout).expect("it is JSON");
    assert_eq!(json["fast"], 1.0);
    assert_eq!(json["messages_per_command"], 4.0);
    assert!(json["measured"]["throughput"].as_f64().expect("a number") > 0.0);
    assert!(json["measured"]["latency"]["p99.9"].as_f64().expect("a number") > 0.0);
    assert_eq!(json["ratio_to_bare_stream"], Value::Null);
}

#[test]
fn what_cannot_be_measured_is_refused_in_a_sentence() {
    for (arguments, reason) in [
        (vec!["--in-flight", "2", "--clients", "3"], "3 clients have at least as many in flight"),
        (vec!["--conflict", "101"], "expected a number from 0 to 100"),
        (vec!["--rate", "0"], "expected a number above 0"),
        (vec!["--rate", "10", "--in-flight", "3"], "cannot be used with"),
        (vec!["--rate", "10", "--think", "1ms"], "cannot be used with"),
        (vec!["--value-size", "2000000"], "a value has 2000000 bytes, more than 1048576"),
        (vec!["--config", "/nowhere.json"], "cannot read /nowhere.json"),
    ] {
        let refused = program().arg("bench").args(&arguments).assert().code(2);
        refused.stderr(contains(reason));
    }
}
