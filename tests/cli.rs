//! The program as a process: what it prints, and how it ends.

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

fn program() -> Command {
    Command::cargo_bin("epaxos-tui").expect("the program is built")
}

const CYCLE: &str = r#"[
    {"instance":"R4.0","seq":2,"deps":[0,-1,-1,-1,-1],"command":{"put":["x","2"]}},
    {"instance":"R0.0","seq":2,"deps":[-1,-1,-1,-1,0],"command":{"put":["x","1"]}},
    {"instance":"R1.0","seq":3,"deps":[0,-1,-1,-1,0],"command":{"get":"x"}},
    {"instance":"R2.0","seq":1,"deps":[-1,-1,-1,-1,-1],"command":{"del":"y"}}
]"#;

#[test]
fn order_prints_a_component_a_block() {
    let text = "\
R2.0 seq=1 deps={} del y

R0.0 seq=2 deps={R4.0} put x 1
R4.0 seq=2 deps={R0.0} put x 2

R1.0 seq=3 deps={R0.0 R4.0} get x
";
    program().args(["order", "-"]).write_stdin(CYCLE).assert().success().stdout(text).stderr("");
    program()
        .args(["order", "--json", "-"])
        .write_stdin(CYCLE)
        .assert()
        .success()
        .stdout("[[\"R2.0\"],[\"R0.0\",\"R4.0\"],[\"R1.0\"]]\n");
}

#[test]
fn order_says_what_cannot_execute() {
    let log = r#"[{"instance":"R0.0","seq":1,"deps":[-1,2,-1],"command":"noop"}]"#;
    program()
        .args(["order", "-"])
        .write_stdin(log)
        .assert()
        .success()
        .stdout("")
        .stderr("R0.0 waits for R1.0, which is not committed\n");
}

#[test]
fn order_refuses_what_is_no_log() {
    program()
        .args(["order", "/no/such/log"])
        .assert()
        .code(1)
        .stderr(contains("cannot read /no/such/log: No such file"));
    for (log, reason) in [
        ("{", "- is not a log"),
        (r#"[{"instance":"R0.0","seq":1,"deps":[-2,-1,-1],"command":"noop"}]"#, "R0.0"),
        (r#"[{"instance":"R7.0","seq":1,"deps":[-1,-1,-1],"command":"noop"}]"#, "R7"),
    ] {
        let output = program().args(["order", "-"]).write_stdin(log).assert().code(1).stdout("");
        output.stderr(contains(reason));
    }
}

#[test]
fn a_wrong_command_line_is_refused_with_status_2() {
    for (arguments, reason) in [
        (vec!["--replicas", "4"], "a cluster has 3, 5, 7 or 9 replicas"),
        (vec!["--replicas", "eleven"], "a cluster has 3, 5, 7 or 9 replicas"),
        (vec!["--reply-on", "never"], "[possible values: execute, commit]"),
        (vec!["--commit-delay", "soon"], "--commit-delay"),
        (vec!["propose", "--at", "1", "--round-robin", "get", "x"], "cannot be used with"),
        (vec!["frobnicate"], "frobnicate"),
        (vec!["run", "-", "--export", "png=x"], "there is no format \"png\"; there are shiviz"),
        (
            vec!["run", "-", "--export", "dot"],
            "expected a format and a file, such as mermaid=run.mmd",
        ),
        (vec!["completions", "cmd"], "cmd"),
    ] {
        program().args(&arguments).assert().code(2).stderr(contains(reason));
    }
}

#[test]
fn a_run_is_written_down_for_other_programs() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = program();
    run.args(["run", "-", "--replicas", "3"]).write_stdin("put x 1\nsettle\n");
    let files = ["shiviz", "mermaid", "dot", "svg", "csv"].map(|format| {
        let file = folder.path().join(format);
        run.arg("--export").arg(format!("{format}={}", file.display()));
        file
    });
    run.assert().success();
    let text = |file: &std::path::PathBuf| std::fs::read_to_string(file).expect("it was written");
    let begins = ["(?<event>", "sequenceDiagram", "digraph", "<?xml", "counter,R0,R1,R2,total"];
    for (file, begin) in files.iter().zip(begins) {
        assert!(text(file).starts_with(begin), "{}", text(file));
    }
    let file = files[0].display();
    program()
        .args(["run", "-", "--trace", &file.to_string(), "--export", &format!("dot={file}")])
        .assert()
        .code(2)
        .stderr(contains("--trace and --export dot name the same file"));
    program()
        .args(["run", "-", "--export", "dot=/no/such/folder/graph.dot"])
        .write_stdin("")
        .assert()
        .code(1)
        .stderr(contains("cannot write /no/such/folder/graph.dot: No such file"));
}

#[test]
fn help_has_examples_and_version_a_number() {
    program().arg("--help").assert().success().stdout(contains("Examples:\n  epaxos-tui  "));
    program().args(["run", "--help"]).assert().success().stdout(contains("epaxos-tui run -"));
    program()
        .args(["propose", "--help"])
        .assert()
        .success()
        .stdout(contains("--round-robin --count 10"));
    let version = format!("epaxos-tui {}\n", env!("CARGO_PKG_VERSION"));
    program().arg("--version").assert().success().stdout(version);
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = program().args(["completions", shell]).assert().success();
        script.stdout(contains("propose").and(contains("completions")).and(contains("replica")));
    }
}

#[test]
fn a_script_runs_on_a_live_cluster() {
    let script = "put x 1 @R0\nsettle\nget x @R2\nsettle\n";
    let output =
        program().args(["run", "-", "--replicas", "3"]).write_stdin(script).assert().success();
    output.stdout(contains("put x 1 = ok\n").and(contains("get x = 1\n"))).stderr("");

    let output = program().args(["run", "-", "--json"]).write_stdin(script).assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).expect("JSON is text");
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(event["event"].is_string(), "{line}");
    }
    assert!(text.contains(r#"{"event":"output","line":4,"text":"get x = 1"}"#), "{text}");
}

#[test]
fn a_wrong_script_is_refused_before_anything_runs() {
    let script = "put x 1\nsettel\n";
    let refused = program().args(["run", "-"]).write_stdin(script).assert().code(1).stdout("");
    refused.stderr("epaxos-tui: -: line 2: there is no command 'settel'\n");
    let failed = program().args(["run", "-"]).write_stdin("deliver R0-9\n").assert().code(1);
    failed.stderr("epaxos-tui: -: line 1: no message R0-9 is on its way\n");
}

#[test]
fn a_port_in_use_is_said_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let files = tempfile::tempdir().expect("a folder");
    let config = files.path().join("config.json");
    let replica = |port| format!(r#"{{"Host":"127.0.0.1","Port":{port}}}"#);
    let replicas = [replica(port), replica(1), replica(2)].join(",");
    std::fs::write(&config, format!(r#"{{"Replicas":[{replicas}]}}"#)).expect("a file");
    let refused =
        program().arg("run").arg("-").arg("--config").arg(&config).write_stdin("").assert();
    let sentence = format!(
        "R0 cannot listen at 127.0.0.1:{port}: the port is in use, perhaps by another cluster\n"
    );
    refused.code(1).stdout("").stderr(format!("epaxos-tui: {sentence}"));
    let refused = program().args(["replica", "--id", "3", "--config"]).arg(&config).assert();
    refused.code(2).stderr(contains("there is no replica 3; the configuration lists 0 to 2"));
    let refused = program().args(["run", "-", "--replicas", "5", "--config"]).arg(&config).assert();
    refused.code(2).stderr(contains("--replicas asks for 5, and the configuration lists 3"));
}

#[test]
fn the_monitor_needs_a_terminal() {
    program().assert().code(2).stderr(contains("the monitor needs a terminal"));
}

/// Nobody need read to the end: `epaxos-tui completions bash | head -1` is no failure.
#[test]
fn a_closed_pipe_is_no_failure() {
    use std::process::{Command, Stdio};

    let mut child = Command::new(env!("CARGO_BIN_EXE_epaxos-tui"))
        .args(["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn sim_plays_runs_and_says_what_came_up() {
    let runs = ["sim", "--replicas", "3", "--seeds", "0..200"];
    program()
        .args(runs)
        .assert()
        .success()
        .stdout(contains("schedules                          200\n"))
        .stdout(contains("never came up: V2, V3, W1"))
        .stderr("");
    let json = program().args(runs).arg("--json").assert().success();
    let json: serde_json::Value =
        serde_json::from_slice(&json.get_output().stdout).expect("one object");
    assert_eq!(json["schedules"], 200);
    assert_eq!(json["failure"], serde_json::Value::Null);
    assert!(json["rules"]["R3"].as_u64() > Some(0), "{json}");
}

#[test]
fn sim_prints_what_goes_wrong_as_a_script() {
    let broken = ["sim", "--replicas", "5", "--seed", "5", "--mutation", "skip-validate"];
    let failed = program()
        .args(broken)
        .assert()
        .code(1)
        .stdout(contains("# visibility: R1.0 and R4.0 both touch x"))
        .stdout(contains(
            "# Again: epaxos-tui sim --replicas 5 --seed 5 --mutation skip-validate\n",
        ))
        .stderr(contains("a run went wrong: visibility"));
    let script = String::from_utf8_lossy(&failed.get_output().stdout).into_owned();

    // The flags that it names are those under which it does the same on real gRPC.
    let flags =
        script.lines().find_map(|line| line.strip_prefix("# This run: epaxos-tui run FILE "));
    let flags: Vec<_> = flags.expect("it says how").split(' ').collect();
    // What comes after the faults would take minutes of real time.
    let acts: Vec<_> = script.lines().take_while(|line| *line != "run").collect();
    let run = program()
        .args(["run", "-", "--json"])
        .args(&flags)
        .write_stdin(acts.join("\n"))
        .assert()
        .success();
    let trace = run.get_output().stdout.clone();
    program().args(["check", "-"]).write_stdin(trace).assert().stdout(contains("events, "));
}

#[test]
fn sim_refuses_what_are_no_seeds() {
    for (seeds, reason) in
        [("5", "expected two numbers"), ("9..3", "the first one smaller"), ("a..b", "two numbers")]
    {
        program().args(["sim", "--seeds", seeds]).assert().code(2).stderr(contains(reason));
    }
    program().args(["sim", "--replicas", "4"]).assert().code(2).stderr(contains("3, 5, 7 or 9"));
}

#[test]
fn check_finds_a_sound_run_sound() {
    let script = "put x 1\nsettle\nget x @R3\nput x \"a b\" @R1\nput x ';' @R2\nsettle\n\
                  crash R1\nput x 2 @R2\nsettle\nrecover R1\nsettle\n";
    let run = program().args(["run", "-", "--json"]).write_stdin(script).assert().success();
    let trace = run.get_output().stdout.clone();
    program()
        .args(["check", "-"])
        .write_stdin(trace.clone())
        .assert()
        .success()
        .stdout(contains("5 instances decided").and(contains("FAIL").not()))
        .stderr("");
    let checked = program().args(["check", "-", "--json"]).write_stdin(trace).assert().success();
    let checked: serde_json::Value =
        serde_json::from_slice(&checked.get_output().stdout).expect("one object");
    assert_eq!(checked["violations"], serde_json::json!([]));
    assert_eq!(checked["properties"].as_array().map(Vec::len), Some(17));
}

/// Where writes are answered on commit, nothing is promised about what clients see of each other.
#[test]
fn check_promises_less_where_answers_come_early() {
    let run = program()
        .args(["run", "-", "--json", "--reply-on", "commit"])
        .write_stdin("hold kind=Commit instance=R0.0\nput x 1\nsettle\nput x 2 @R1\nsettle\n")
        .assert()
        .success();
    let trace = run.get_output().stdout.clone();
    program()
        .args(["check", "-"])
        .write_stdin(trace)
        .assert()
        .success()
        .stdout(contains("linearizability").not());
}

#[test]
fn check_refuses_what_is_no_trace() {
    let line = |n: u32, event: &str| {
        format!("{{\"n\":{n},\"t_us\":0,\"replica\":\"R0\",\"event\":\"{event}\"}}\n")
    };
    for (trace, reason) in [
        ("hello\n".to_owned(), "line 1: expected value"),
        (String::new(), "nothing to check"),
        (line(0, "crash") + &line(2, "crash"), "line 2: event 2 stands where event 1 should"),
        (line(0, "join"), "line 1: the field \"ballot\" is missing"),
        (line(0, "crash").replace("R0", "R12"), "\"R12\" is not a replica"),
    ] {
        program()
            .args(["check", "-"])
            .write_stdin(trace.clone())
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains(reason));
    }
    let missing = program().args(["check", "/no/such/trace"]).assert().code(1);
    missing.stderr(contains("cannot read /no/such/trace: No such file"));
}

#[test]
fn keys_are_printed_as_a_file_that_can_be_read() {
    let printed = program().arg("--print-keys").assert().success().stderr("");
    let printed = String::from_utf8(printed.get_output().stdout.clone()).expect("text");
    assert!(
        printed
            .contains("normal     n,.,Right    step               # Deliver the oldest message\n")
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.txt");
    std::fs::write(&file, &printed).expect("a file");
    let again = ["--keys", file.to_str().expect("a name"), "--print-keys"];
    program().args(again).assert().success().stdout(printed);
    std::fs::write(&file, "# mine\nnormal x step\n").expect("a file");
    program()
        .args(again)
        .assert()
        .success()
        .stdout(contains("normal     x            step ").and(contains("N            round ")));
}

#[test]
fn keys_that_cannot_be_are_refused_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.txt");
    std::fs::write(&file, "normal x step\nnormal q round\n").expect("a file");
    let name = file.to_str().expect("a name");
    let said = "keys.txt, line 2: 'q' is bound twice: it does 'quit' in 'normal'";
    program().args(["--keys", name]).assert().code(2).stdout("").stderr(contains(said));
    program()
        .args(["--keys", "/no/such/keys"])
        .assert()
        .code(1)
        .stderr(contains("cannot read /no/such/keys: No such file"));
}

#[test]
fn a_recording_is_played_again_and_a_damaged_one_as_far_as_it_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, cut) = (folder.path().join("run.jsonl"), folder.path().join("cut.jsonl"));
    program()
        .args(["run", "-", "--replicas", "3", "--record"])
        .arg(&whole)
        .write_stdin("put x 1\nsettle\ncrash R1\nput y 2 @R2\nsettle\nrecover R1\nsettle\n")
        .assert()
        .success();
    let text = std::fs::read_to_string(&whole).expect("the recording");
    // It is not written over.
    program()
        .args(["run", "-", "--replicas", "3", "--record"])
        .arg(&whole)
        .write_stdin("put x 2\nsettle\n")
        .assert()
        .code(2)
        .stderr(contains("run.jsonl already; remove it, or record to another"));
    assert_eq!(std::fs::read_to_string(&whole).expect("the recording"), text);
    let entries = text.lines().count() - 2;
    program()
        .args(["replay", "--check"])
        .arg(&whole)
        .assert()
        .success()
        .stdout(format!("{entries} entries are as they were\n"));
    let half: String = text.chars().take(text.len() - 30).collect();
    std::fs::write(&cut, half).expect("a file");
    program()
        .args(["replay", "--check"])
        .arg(&cut)
        .assert()
        .code(1)
        .stdout(contains("the line was cut off").and(contains("entries are as they were")))
        .stderr(contains("is not whole"));
    let mut bytes = text.clone().into_bytes();
    let middle = bytes.len() / 2;
    bytes[middle] = 0xff;
    std::fs::write(&cut, &bytes).expect("a file");
    program()
        .args(["replay", "--check"])
        .arg(&cut)
        .assert()
        .code(1)
        .stdout(contains("the line is no text").and(contains("entries are as they were")));
    program()
        .args(["replay", "--check", "-"])
        .write_stdin(text.replacen("recording\":1", "recording\":9", 1))
        .assert()
        .code(1)
        .stderr(
            "epaxos-tui: -: it is a recording of version 9, and this program reads version 1\n",
        );
    program().args(["replay", "-"]).write_stdin(text).assert().code(2).stderr(contains("--check"));
    program()
        .args(["run", "-", "--record", "same", "--trace", "same"])
        .write_stdin("")
        .assert()
        .code(2)
        .stderr(contains("--trace and --record name the same file"));
}

#[test]
fn what_is_not_there_is_said_in_a_sentence() {
    let token = format!("epaxos:{}", "x".repeat(200));
    program()
        .args(["replay", "--check", &token])
        .assert()
        .code(1)
        .stderr("epaxos-tui: the token is damaged: it must be copied whole, as one line\n");
    for format in ["recording", "script", "rust"] {
        program()
            .args(["run", "-", "--export", &format!("{format}=file")])
            .write_stdin("")
            .assert()
            .code(2)
            .stderr(contains(format!("export {format} FILE")));
    }
    program()
        .args(["learn", "9"])
        .assert()
        .code(2)
        .stderr(contains("there is no lesson 9; there are 8"));
}

#[test]
fn lessons_are_listed_and_checked_without_a_screen() {
    program().args(["learn", "--list"]).assert().success().stderr("").stdout(
        contains("1  fast-path    The fast path (7 steps, 4 questions)")
            .and(contains("8  two-ballots  Why two ballots")),
    );
    program()
        .args(["learn", "--check", "1", "cycle", "assets/lessons/8-two-ballots.lesson"])
        .assert()
        .success()
        .stderr("")
        .stdout(contains("1: 7 steps, ").and(contains("8-two-ballots.lesson: 7 steps, ")));
    let folder = tempfile::tempdir().expect("a folder");
    let (wrong, unread) = (folder.path().join("wrong.lesson"), folder.path().join("no.lesson"));
    std::fs::write(&wrong, "# T\n## S\nTold.\n> put x 1\nexpect no status: x=1\n").expect("a file");
    std::fs::write(&unread, "# T\n## S\nTold.\n> putt x 1\n").expect("a file");
    program()
        .args(["learn", "--check"])
        .arg(&wrong)
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("wrong.lesson: line 5: \"x=1\" is in 5 lines of \"status\""));
    program()
        .args(["learn", "--check", "2"])
        .args([&wrong, &unread])
        .assert()
        .code(1)
        .stdout(
            contains("2: 6 steps")
                .and(contains("line 5: "))
                .and(contains("no.lesson: line 4: there is no command 'putt'")),
        )
        .stderr("epaxos-tui: 2 lessons of 3 are not true\n");
    // What cannot be played is said before the screen is taken over; without one there is no lesson.
    program().arg("learn").arg(&unread).assert().code(1).stderr(contains("line 4: there is no"));
    program().args(["learn", "nothing"]).assert().code(1).stderr(contains("cannot read nothing"));
    program().args(["learn", "1"]).assert().code(2).stderr(contains("needs a terminal"));
    program().args(["learn", "1", "--list"]).assert().code(2);
    program().args(["learn", "1", "--check", "2"]).assert().code(2);
}
