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
        (vec!["completions", "cmd"], "cmd"),
    ] {
        program().args(&arguments).assert().code(2).stderr(contains(reason));
    }
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
