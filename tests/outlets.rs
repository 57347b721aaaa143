//! The program where its surroundings fail it: outputs that take nothing, signals, files without end,
//! and a system that grants little.

#![expect(clippy::disallowed_methods, reason = "waits for processes")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use epaxos_tui::epaxos;
use epaxos_tui::epaxos::command::{Operation, RequestId};
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::net::client::{CallError, Connection};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use self::ports::Ports;

#[path = "ports/mod.rs"]
mod ports;

const PROGRAM: &str = env!("CARGO_BIN_EXE_epaxos-tui");

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Process {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("it can be started"))
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, signal).expect("it runs");
    }

    fn wait(&mut self) -> ExitStatus {
        wait_until("the process ends", || self.0.try_wait().unwrap())
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The configuration of three replicas.
struct Cluster {
    folder: TempDir,
    config: PathBuf,
    endpoints: Vec<String>,
    _ports: Ports,
}

impl Cluster {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let ports = Ports::keep(3);
        let endpoints = ports.endpoints();
        let listed = endpoints.iter().map(|endpoint| {
            let (host, port) = endpoint.split_once(':').unwrap();
            serde_json::json!({"Host": host, "Port": port})
        });
        let config = folder.path().join("config.json");
        let text = serde_json::json!({"Replicas": listed.collect::<Vec<_>>()}).to_string();
        fs::write(&config, text).unwrap();
        Self { folder, config, endpoints, _ports: ports }
    }

    fn replica(&self, id: usize, more: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["replica", "--id", &id.to_string(), "--config"]).arg(&self.config).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env_remove("RUST_LOG");
        command
    }

    /// Waits until a replica listens.
    fn wait_for(&self, id: usize) {
        let listens = || std::net::TcpStream::connect(&self.endpoints[id]).ok();
        wait_until("the replica listens", listens);
    }

    /// Sends the first replica a request that it refuses.
    fn ask_nonsense(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let request = RequestId::anonymous(ReplicaId(0), 0);
        let nameless = epaxos::command::Command { request, operation: Operation::put("", "1") };
        let asked = runtime.block_on(async {
            let connection = Connection::new(&self.endpoints[0]).expect("it is an address");
            connection.propose(&nameless).await
        });
        assert!(matches!(asked, Err(CallError::Refused(_))), "{asked:?}");
    }

    /// Starts all replicas, the first as `command` says, and lets a thousand commands be executed.
    fn work(&self, first: &mut Command) -> Vec<Process> {
        let mut replicas = vec![Process::start(first)];
        replicas.extend((1..3).map(|id| Process::start(&mut self.replica(id, &[]))));
        (0..3).for_each(|id| self.wait_for(id));
        let mut bench = Command::new(PROGRAM);
        bench.args(["bench", "--count", "10000", "--warm-up", "0s", "--config"]).arg(&self.config);
        let loaded = bench.output().unwrap();
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        replicas
    }
}

/// The counters in what a replica has said.
fn counters(said: &str) -> Value {
    let json = said.lines().filter_map(|line| line.find('{').map(|begin| &line[begin..]));
    let json = json.filter_map(|json| serde_json::from_str::<Value>(json).ok()).next_back();
    json.unwrap_or_else(|| panic!("there are no counters in {said}"))
}

#[test]
fn a_replica_that_prints_on_a_full_disk_goes_on_and_counts_what_is_lost() {
    let cluster = Cluster::new();
    let mut command = cluster.replica(0, &["-d", "2"]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut replicas = cluster.work(command.stdout(full).stderr(Stdio::piped()));
    replicas[0].signal(Signal::TERM);
    assert_eq!(replicas[0].wait().code(), Some(0));
    let said = replicas[0].stderr();
    assert!(said.contains("standard output takes nothing; the counters are {"), "{said}");
    assert!(counters(&said)["lines_lost"].as_u64().unwrap() > 1000, "{said}");
}

#[test]
fn a_replica_whose_reader_has_left_goes_on() {
    let cluster = Cluster::new();
    let mut command = cluster.replica(0, &["-d", "1"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut replicas = cluster.work(command.stdout(writer).stderr(Stdio::piped()));
    replicas[0].signal(Signal::TERM);
    assert_eq!(replicas[0].wait().code(), Some(0));
    let said = replicas[0].stderr();
    assert!(counters(&said)["lines_lost"].as_u64().unwrap() > 1000, "{said}");
}

#[test]
fn a_replica_whose_output_is_not_read_ends_when_told() {
    let cluster = Cluster::new();
    let mut command = cluster.replica(0, &["-d", "2"]);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut replicas = cluster.work(command.stdout(writer).stderr(Stdio::piped()));
    replicas[0].signal(Signal::TERM);
    assert_eq!(replicas[0].wait().code(), Some(0));
    let said = replicas[0].stderr();
    assert!(counters(&said)["lines_lost"].as_u64().unwrap() > 0, "{said}");
    drop(reader);
}

#[test]
fn a_replica_prints_its_counters_whatever_tells_it_to_end() {
    for signal in [Signal::HUP, Signal::INT, Signal::TERM, Signal::QUIT] {
        let cluster = Cluster::new();
        let mut replica = Process::start(cluster.replica(0, &[]).stdout(Stdio::piped()));
        cluster.wait_for(0);
        cluster.ask_nonsense();
        replica.signal(signal);
        assert_eq!(replica.wait().code(), Some(0), "{signal:?}");
        let mut said = String::new();
        replica.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let counters = counters(&said);
        assert_eq!(counters["replica"], "R0");
        assert_eq!(counters["refused"], 1);
        // The one that asked.
        assert!(counters["bounds"]["connections"].as_u64().unwrap() >= 1, "{counters}");
        assert_eq!(counters["bounds"]["connections_refused"], 0);
    }
}

/// Runs a replica alone for as long as it takes to say something, and returns what it has logged by
/// its end.
fn logged(more: &[&str], filter: Option<&str>, what: &str) -> String {
    let cluster = Cluster::new();
    let log = cluster.folder.path().join("log");
    let mut command = cluster.replica(0, more);
    if let Some(filter) = filter {
        command.env("RUST_LOG", filter);
    }
    let mut replica = Process::start(command.stderr(File::create(&log).unwrap()));
    cluster.wait_for(0);
    // R1 comes and goes.
    let mut other = Process::start(&mut cluster.replica(1, &[]));
    cluster.wait_for(1);
    let said = || fs::read_to_string(&log).unwrap();
    if filter.is_none() {
        wait_until("it is reached", || said().contains("from R0 to R1 is up").then_some(()));
    }
    other.signal(Signal::KILL);
    other.wait();
    cluster.ask_nonsense();
    wait_until(what, || said().contains(what).then_some(()));
    replica.signal(Signal::TERM);
    replica.wait();
    said()
}

#[test]
fn the_log_has_what_an_operator_must_know_and_more_where_it_is_asked_for() {
    let said = logged(&[], None, "refused a request: a key has at least one byte");
    for line in ["R0 listens at 127.0.0.1:", "R0 cannot reach R2: ", "the link from R0 to R1 is up"]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.contains("the link from R0 to R1 is down: "), "{said}");
    assert!(!said.contains("DEBUG") && !said.contains("h2::"), "it is quiet: {said}");
    let said = logged(&["-v"], None, "refused a request");
    assert!(said.contains("DEBUG epaxos_tui::net::server: R0 serves no more"), "{said}");
    // The variable says otherwise.
    let said = logged(&["-v"], Some("error"), "R0 listens at");
    assert!(!said.contains("refused a request"), "{said}");
}

#[test]
fn a_filter_that_is_none_is_refused() {
    let cluster = Cluster::new();
    let mut command = cluster.replica(0, &[]);
    let output =
        command.env("RUST_LOG", "epaxos_tui=loud").stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("epaxos-tui: RUST_LOG is not a log filter: "), "{said}");
}

/// What a command comes to whose standard output is this file.
fn into_file(arguments: &[&str], input: &str, out: File) -> (Option<i32>, String) {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(Stdio::piped()).stdout(out).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

const VIOLATED: &[&str] = &["sim", "--replicas", "5", "--seed", "5", "--mutation", "skip-validate"];

#[test]
fn an_output_that_is_full_is_named_and_fails() {
    let script = "put x 1\nsettle\n";
    for arguments in [
        &["run", "-", "--json", "--replicas", "3"][..],
        &["sim", "--replicas", "3", "--seeds", "0..3"],
        &["bench", "--count", "10", "--warm-up", "0s"],
        &["completions", "bash"],
        &["learn", "--list"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (status, said) = into_file(arguments, script, full);
        assert_eq!(status, Some(1), "{arguments:?}: {said}");
        assert!(said.contains("cannot write to standard output: No space left"), "{said}");
    }
}

#[test]
fn a_verdict_does_not_depend_on_whether_it_is_read() {
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        File::from(std::os::fd::OwnedFd::from(writer))
    };
    // A reader that has left has what it wanted, where nothing is wrong.
    assert_eq!(into_file(&["sim", "--replicas", "3", "--seeds", "0..3"], "", closed()).0, Some(0));
    let (status, said) = into_file(VIOLATED, "", closed());
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("a run went wrong: "), "{said}");
    let wrong = "# A lesson\n\nreplicas: 3\n\nAbout.\n\n## Step\n\nNothing.\n\n> put x 1 @R0\n\
                 > settle\nexpect said: get x = 7\n";
    let folder = TempDir::new().unwrap();
    let (one, two) = (folder.path().join("one.lesson"), folder.path().join("two.lesson"));
    fs::write(&one, wrong).unwrap();
    fs::write(&two, wrong).unwrap();
    let arguments = ["learn", "--check", one.to_str().unwrap(), two.to_str().unwrap()];
    let (status, said) = into_file(&arguments, "", closed());
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("2 lessons of 2 are not true"), "{said}");
}

/// The processes that mention a text in their command line, but for this one.
fn mentioning(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(text) {
            found.push(line);
        }
    }
    found
}

#[test]
fn replicas_that_are_graded_end_with_the_grader_however_it_ends() {
    for (signal, code) in [
        (Signal::HUP, Some(129)),
        (Signal::INT, Some(130)),
        (Signal::QUIT, Some(131)),
        (Signal::TERM, Some(143)),
        (Signal::KILL, None),
    ] {
        let cluster = Cluster::new();
        // What is started starts something itself, which ends as well.
        let mark = format!("{}", 86_400 + std::process::id());
        let start = format!("sleep {mark} & '{PROGRAM}' replica --id {{id}} --config {{config}}");
        let scenario = cluster.folder.path().join("long.lesson");
        // Long enough to be ended in the middle.
        let steps = "\n## Step\n\nNothing.\n\n> put x 1 @R0\n> settle\n> sleep 5s\n".repeat(20);
        fs::write(&scenario, format!("# Long\n\nreplicas: 3\n\nAbout.\n{steps}")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("grade").arg(&scenario).arg("--config").arg(&cluster.config);
        command.args(["--start", &start]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut grader = Process::start(&mut command);
        let folder = format!("epaxos-grade-{}-", grader.0.id());
        let sleeping = format!("sleep {mark} ");
        let starts = |line: &String| line.starts_with(&sleeping);
        wait_until("all replicas run", || {
            if let Some(status) = grader.0.try_wait().unwrap() {
                panic!("{status}: {}", grader.stderr());
            }
            (mentioning(&sleeping).iter().filter(|line| starts(line)).count() >= 3).then_some(())
        });
        // A replica that is asked to end while it starts may end the grading by itself.
        (0..3).for_each(|id| cluster.wait_for(id));
        grader.signal(signal);
        let ended = grader.wait().code();
        assert_eq!(ended, code, "{signal:?}: {}", grader.stderr());
        wait_until("all that was started has ended", || {
            let left = mentioning(&folder).len() + mentioning(&sleeping).len();
            (left == 0).then_some(())
        });
    }
}

#[test]
fn what_is_on_a_tether_ends_as_it_would_and_with_its_owner() {
    let tether = |line: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["tether", "--", "sh", "-c", line]).stdin(Stdio::piped());
        Process::start(&mut command)
    };
    assert_eq!(tether("exit 7").wait().code(), Some(7));
    assert_eq!(tether("kill -9 $$").wait().code(), Some(128 + 9));
    let mark = format!("{}", 96_400 + std::process::id());
    let mut held = tether(&format!("sleep {mark} & sleep {mark}"));
    let sleeping = format!("sleep {mark} ");
    let running = || mentioning(&sleeping).iter().filter(|line| line.starts_with("sleep")).count();
    wait_until("both run", || (running() == 2).then_some(()));
    drop(held.0.stdin.take());
    assert_eq!(held.wait().code(), Some(128 + 9));
    wait_until("both have ended", || (running() == 0).then_some(()));
}

/// What a command says to a file, and the kind of file that it takes it for.
fn readers(file: &str) -> Vec<(Vec<&str>, &'static str, &'static str)> {
    vec![
        (vec!["run", file], "16 MiB", "script"),
        (vec!["learn", "--check", file], "16 MiB", "lesson"),
        (vec!["--keys", file, "--print-keys"], "1 MiB", "key file"),
        (vec!["run", "-", "--config", file], "1 MiB", "configuration"),
        (vec!["order", file], "256 MiB", "log"),
        (vec!["replay", "--check", file], "256 MiB", "recording"),
    ]
}

#[test]
fn files_without_end_are_refused_whatever_they_are_read_as() {
    for (arguments, size, kind) in readers("/dev/zero") {
        let output = Command::new(PROGRAM).args(&arguments).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let expected = format!(
            "cannot read /dev/zero: it has more than {size}, the most that a {kind} may have\n"
        );
        assert!(said.ends_with(&expected), "{arguments:?}: {said}");
        let status = if kind == "configuration" { 2 } else { 1 };
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    }
    let output = Command::new(PROGRAM).args(["check", "/dev/zero"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("a line has more than 16 MiB, the most that it may have"), "{said}");
}

#[test]
fn a_pipe_without_end_is_refused() {
    let mut yes = Command::new("yes").stdout(Stdio::piped()).spawn().unwrap();
    let pipe = yes.stdout.take().unwrap();
    let output = Command::new(PROGRAM).args(["run", "-"]).stdin(pipe).output().unwrap();
    yes.kill().ok();
    yes.wait().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = "cannot read standard input: it has more than 16 MiB";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn too_few_files_are_said_and_are_no_panic() {
    let cluster = Cluster::new();
    let config = cluster.config.to_str().unwrap();
    let lesson = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/grading/1-fast-path.lesson");
    for arguments in [
        &["run", "-", "--replicas", "3"][..],
        &["replica", "--id", "0", "--config", config],
        &["propose", "--config", config, "get", "x"],
        &["bench", "--count", "10"],
        &["bench", "--config", config, "--count", "10"],
        &["grade", lesson.to_str().unwrap(), "--config", "config.json", "--start", "true"],
    ] {
        for files in [5, 7, 12] {
            let line = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
            let mut command = Command::new("sh");
            command.current_dir(env!("CARGO_MANIFEST_DIR"));
            command.args(["-c", &line, PROGRAM]).args(arguments).stdin(Stdio::null());
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{arguments:?} with {files}: {said}");
            let sentence = format!("epaxos-tui: this process may open {files} files and needs ");
            assert!(said.starts_with(&sentence), "{arguments:?} with {files}: {said}");
        }
    }
}
