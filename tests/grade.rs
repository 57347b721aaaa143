//! Replicas in processes of their own are led through scenarios: our own pass those that come with the
//! program, and what is broken is found out. The processes are the program's own, and all that is known of
//! them is what they say over gRPC. Half a second of silence is taken for an end, and what comes later
//! for something else: where the machine stands still for that long, a verdict is wrong.

mod calm;
mod ports;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use calm::calmly;
use epaxos_tui::lesson::Lesson;
use ports::Ports;
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_epaxos-tui");

/// A configuration of so many replicas, at ports that must be kept until they are no longer needed.
fn config(folder: &TempDir, replicas: usize) -> (Ports, PathBuf) {
    let ports = Ports::keep(replicas);
    let listed = ports.endpoints().into_iter().map(|endpoint| {
        let (host, port) = endpoint.split_once(':').unwrap();
        format!(r#"{{"Host": "{host}", "Port": {port}}}"#)
    });
    let listed = listed.collect::<Vec<_>>().join(", ");
    let file = folder.path().join("config.json");
    fs::write(&file, format!(r#"{{"Replicas": [{listed}]}}"#)).unwrap();
    (ports, file)
}

/// What starts one of our own replicas.
fn start(flags: &str) -> String {
    format!("'{PROGRAM}' replica --id {{id}} --config {{config}} {flags}")
}

fn grade(scenarios: &[&Path], config: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("grade").args(scenarios);
    // A machine that is busy may take its time.
    command.arg("--config").arg(config).args(["--quiet", "500ms"]).args(more);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What is found where a scenario is played by our own replicas with these flags.
fn graded(scenario: &str, replicas: usize, flags: &str) -> Value {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("own.lesson");
    fs::write(&file, scenario).unwrap();
    let (_ports, config) = config(&folder, replicas);
    let output = grade(&[&file], &config, &["--json", "--start", &start(flags)]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

fn passes(scenario: &str) {
    let folder = TempDir::new().unwrap();
    let logs = folder.path().join("logs");
    let more = ["--logs", logs.to_str().unwrap(), "--start", &start("-d 1")];
    let file = Path::new("assets/grading").join(scenario);
    let (_ports, config) = config(&folder, 5);
    let output = grade(&[&file], &config, &more);
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{errors}");
    assert!(out.contains(" held, 0 did not: passed\n"), "{out}");
    assert!(!out.contains("not seen"), "{out}");
    // What they print is kept.
    let log = logs.join(file.file_stem().unwrap()).join("replica-0.log");
    assert!(!fs::read_to_string(log).unwrap().is_empty());
}

#[test]
fn what_the_scenarios_expect_is_what_the_protocol_does() {
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/grading")).unwrap()
    {
        let file = file.unwrap().path();
        let scenario = Lesson::parse(&fs::read_to_string(&file).unwrap()).unwrap();
        scenario.check().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

#[test]
fn our_own_replicas_take_the_fast_path() {
    calmly(|| passes("1-fast-path.lesson"));
}

#[test]
fn our_own_replicas_take_the_slow_path_where_they_must() {
    calmly(|| passes("2-conflict.lesson"));
}

#[test]
fn our_own_replicas_bear_losses_and_doubles() {
    calmly(|| passes("3-losses.lesson"));
}

#[test]
fn our_own_replicas_finish_what_a_dead_one_began() {
    calmly(|| passes("4-crash.lesson"));
}

/// The verdict on the expectation of a line.
fn verdict(report: &Value, line: u64) -> &str {
    let expectations = report["expectations"].as_array().unwrap();
    let found = expectations.iter().find(|it| it["line"] == line);
    found.unwrap_or_else(|| panic!("{report:#}"))["verdict"].as_str().unwrap()
}

#[test]
fn what_does_not_hold_is_told_from_what_does_and_from_what_cannot_be_seen() {
    let scenario = "\
# Whom a leader asks

replicas: 3

Nothing else.

## It asks

Half of the others.

> pause
> put x 1 @R0
expect 1 trace: PreAccept R0.0
expect trace: R0 → R1 PreAccept R0.0
expect 1 status R0.0: pre-accepted
expect no trace: R0 executed
";
    calmly(|| {
        let report = graded(scenario, 3, "--no-thrifty");
        assert_eq!(report["passed"], false);
        let verdicts = [13, 14, 15, 16].map(|line| verdict(&report, line));
        assert_eq!(verdicts, ["not held", "held", "not seen", "not seen"]);
        let reason = report["expectations"][0]["reason"].as_str().unwrap();
        assert_eq!(reason, "\"PreAccept R0.0\" is in 2 lines of the trace of this step, and not 1");
        assert_eq!(report["violations"], Value::Array(vec![]));
    });
}

#[test]
fn whoever_is_asked_twice_may_answer_twice() {
    let scenario = "\
# A message comes twice

replicas: 3

And is answered twice.

## Twice

R1 has one and the same PreAccept two times.

> pause
> put x 1 @R0
> dup kind=PreAccept to=R1
> deliver kind=PreAccept to=R1
expect 2 trace: R1 → R0 PreAcceptReply R0.0 seq=1 deps={}
";
    calmly(|| {
        let report = graded(scenario, 3, "");
        assert_eq!(verdict(&report, 15), "held", "{report:#}");
        assert_eq!(report["passed"], true, "{report:#}");
    });
}

#[test]
fn replicas_that_decide_differently_are_found_out_by_what_they_say() {
    let scenario = "\
# A leader that takes answers for equal which are equal to each other

replicas: 3

R0 tells nobody but its client of what it has decided, and dies. What the others decide must be the same.

## Deciding too early

R1 knows of its own write.

> pause
> put x 1 @R0
> put x 2 @R1
> deliver kind=PreAccept to=R1
> deliver kind=PreAcceptReply to=R0
expect trace: R0 → R1 Commit R0.0

## Finishing it

They cannot know.

> crash R0
> drop from=R0
> run
> get x @R2
> sleep 20s
> settle
";
    calmly(|| {
        let report = graded(scenario, 3, "--mutation equal-to-each-other");
        let violations = report["violations"].as_array().unwrap();
        let mut violations = violations.iter().filter_map(Value::as_str);
        assert!(violations.any(|violation| violation.contains("agreement")), "{report:#}");
        assert_eq!(report["passed"], false);
    });
}

#[test]
fn replicas_that_run_already_are_seen_by_their_clients_only() {
    let folder = TempDir::new().unwrap();
    let (_ports, config) = config(&folder, 3);
    let scenario = "\
# A client's view

replicas: 3

What is written is read.

## Write and read

Anywhere.

> put x 1 @R0
> get x @R2
> settle
expect said: get x = 1

## Holding

They talk past whoever grades them.

> pause
";
    let file = folder.path().join("own.lesson");
    fs::write(&file, scenario).unwrap();
    let replica = |id: usize| {
        let mut command = Command::new(PROGRAM);
        command.args(["replica", "--id", &id.to_string(), "--config"]).arg(&config);
        command.spawn().unwrap()
    };
    let mut replicas: Vec<_> = (0..3).map(replica).collect();
    // They may still be on their way up; and asked twice, they do not take one grading for the other.
    let mut outputs = Vec::new();
    for _ in 0..40 {
        outputs.push(text(&grade(&[&file], &config, &[]).stdout));
        if outputs.iter().filter(|out| out.contains("held      line 14")).count() == 2 {
            break;
        }
    }
    for replica in &mut replicas {
        replica.kill().unwrap();
        replica.wait().unwrap();
    }
    let last = outputs.last().unwrap();
    assert!(last.contains("held      line 14: expect said: get x = 1"), "{last}");
    assert!(
        last.contains(
            "STOPPED   line 20: these replicas speak to each other past this; let it start them, \
             with --start"
        ),
        "{last}"
    );
}

#[test]
fn what_cannot_be_started_is_said() {
    let folder = TempDir::new().unwrap();
    let (_ports, config) = config(&folder, 5);
    let scenario = Path::new("assets/grading/1-fast-path.lesson");
    let failed = |more: &[&str]| {
        let output = grade(&[scenario], &config, more);
        (output.status.code().unwrap(), text(&output.stderr))
    };
    let (status, error) = failed(&["--start", "exit 3"]);
    assert_eq!(status, 1);
    assert!(error.contains("R0, started as \"exit 3\", has ended: exit status: 3"), "{error}");
    let three = fs::read_to_string(&config).unwrap();
    let three: Value = serde_json::from_str(&three).unwrap();
    let listed = three["Replicas"].as_array().unwrap()[..3].to_vec();
    fs::write(&config, serde_json::json!({"Replicas": listed}).to_string()).unwrap();
    let (status, error) = failed(&["--start", "true"]);
    assert_eq!(status, 2);
    assert!(error.contains("is played by 5 replicas, and the configuration lists 3"), "{error}");
    fs::write(&config, "{}").unwrap();
    assert_eq!(failed(&["--start", "true"]).0, 2);
}
