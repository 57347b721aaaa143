//! What becomes of links where packets vanish for a while, and where processes are stopped.
//!
//! Packets vanish in networks of their own, which only root can make, with `ip`; elsewhere such tests
//! say that they are skipped.

#![expect(clippy::disallowed_methods, reason = "real time is what this is about")]

mod ports;
mod processes;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ports::Ports;
use processes::{PATIENCE, Process, config, wait_for};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_epaxos-tui");

/// Three hosts and a fourth for clients, at one switch. Removed when this is dropped.
struct Network {
    /// Tells the names of its hosts from others'.
    tag: String,
}

const HOSTS: usize = 3;

/// How many networks there have been in this process.
static NETWORKS: AtomicUsize = AtomicUsize::new(0);

fn ip(words: &str) -> Result<(), String> {
    let output = Command::new("ip").args(words.split(' ')).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    let error = || format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    output.status.success().then_some(()).ok_or_else(error)
}

impl Network {
    fn new() -> Result<Self, String> {
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let network = Self { tag: format!("e{}n{number}", std::process::id()) };
        let (hub, tag) = (network.host(HOSTS), &network.tag);
        ip(&format!("netns add {hub}"))?;
        ip(&format!("-n {hub} link add hub type bridge"))?;
        ip(&format!("-n {hub} addr add 10.77.0.100/24 dev hub"))?;
        ip(&format!("-n {hub} link set hub up"))?;
        for number in 0..HOSTS {
            let host = network.host(number);
            ip(&format!("netns add {host}"))?;
            ip(&format!("-n {hub} link add p{number} type veth peer name {tag}v netns {host}"))?;
            ip(&format!("-n {hub} link set p{number} master hub up"))?;
            ip(&format!("-n {host} addr add 10.77.0.{} dev {tag}v", number + 1))?;
            ip(&format!("-n {host} link set lo up"))?;
            ip(&format!("-n {host} link set {tag}v up"))?;
            ip(&format!("-n {host} route add 10.77.0.0/24 dev {tag}v"))?;
        }
        Ok(network)
    }

    /// A network, unless none can be made here.
    fn if_permitted(test: &str) -> Option<Self> {
        Self::new().inspect_err(|why| println!("{test} is skipped: {why}")).ok()
    }

    fn host(&self, number: usize) -> String {
        format!("{}h{number}", self.tag)
    }

    fn endpoints() -> Vec<String> {
        (1..=HOSTS).map(|number| format!("10.77.0.{number}:7000")).collect()
    }

    /// From now on every packet from and to the host vanishes, without a word to anybody.
    fn cut(&self, host: usize) {
        ip(&format!("-n {} link set p{host} nomaster", self.host(HOSTS))).unwrap();
    }

    fn heal(&self, host: usize) {
        ip(&format!("-n {} link set p{host} master hub", self.host(HOSTS))).unwrap();
    }

    /// Runs a command at a host.
    fn run(&self, host: usize, words: &[&str]) -> Output {
        let host = self.host(host);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &host]).args(words).output().expect("ip runs")
    }

    fn propose(&self, host: usize, config: &Path, at: usize, operation: &[&str]) -> Output {
        let (at, config) = (at.to_string(), config.to_str().expect("text"));
        let words = [PROGRAM, "propose", "--config", config, "--at", &at];
        self.run(host, &[&words[..], operation].concat())
    }

    /// How many connections to `other` the host has.
    fn connections(&self, host: usize, other: usize) -> usize {
        // Addresses are written back to front, and 01 means established.
        let remote = format!("{:02X}004D0A:", other + 1);
        let table = self.run(host, &["cat", "/proc/net/tcp"]).stdout;
        let table = String::from_utf8(table).expect("text");
        let is_open = |line: &&str| {
            let words: Vec<_> = line.split_whitespace().collect();
            words[2].starts_with(&remote) && words[3] == "01"
        };
        table.lines().filter(is_open).count()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in 0..=HOSTS {
            ip(&format!("netns del {}", self.host(host))).ok();
        }
    }
}

#[test]
fn a_link_works_again_soon_after_packets_pass_again() {
    let Some(network) = Network::if_permitted("a cut at the packet level") else { return };
    let folder = TempDir::new().unwrap();
    let config = config(folder.path(), "config.json", &Network::endpoints());
    let start = |host: usize| {
        let process = Process::start(&["ip", "netns", "exec", &network.host(host)], host, &config);
        process.wait_for_line(" listens at ");
        process
    };
    let mut all: Vec<_> = (0..HOSTS).map(start).collect();
    let put = |host: usize, at: usize, value: &str| {
        network.propose(host, &config, at, &["put", "x", value])
    };
    let surely = |what: &str, host: usize, at: usize, value: &str| {
        wait_for(what, || put(host, at, value).status.success().then_some(()));
    };
    (0..HOSTS).for_each(|at| surely("a put before the cut", HOSTS, at, "1"));
    assert!(network.connections(0, 2) >= 2, "a link each way");

    network.cut(2);
    let cut = Instant::now();
    // Something is under way in both directions when packets begin to vanish.
    surely("a put of the majority", HOSTS, 0, "2");
    assert!(!put(2, 2, "3").status.success(), "R2 is alone");
    // Each side gives up what it has dialled, and then what it has accepted.
    wait_for("R0 to give up R2", || (network.connections(0, 2) == 0).then_some(()));
    wait_for("R2 to give up R0", || (network.connections(2, 0) == 0).then_some(()));
    println!("all connections were given up {:?} after the cut", cut.elapsed());

    // Long enough for the pauses between two attempts of TCP to be far longer than what is allowed.
    std::thread::sleep(Duration::from_secs(25).saturating_sub(cut.elapsed()));
    network.heal(2);
    let healed = Instant::now();
    wait_for("a link from R0", || (network.connections(0, 2) >= 2).then_some(()));
    println!("links were there {:?} after the network had healed", healed.elapsed());
    surely("a put at R2", HOSTS, 2, "4");
    println!("R2 has decided {:?} after the network had healed", healed.elapsed());
    let after = healed.elapsed();
    assert!(after < Duration::from_secs(12), "{after:?}, as long as TCP's own pauses");
    let read = network.propose(HOSTS, &config, 0, &["get", "x"]);
    assert!(String::from_utf8_lossy(&read.stdout).contains('4'), "{read:?}");
    assert!(all.iter_mut().all(Process::is_running));
    assert!(all.iter().all(|process| !process.errors().contains("refuses")));
}

/// A client's call does not wait for a host that is gone, either.
#[test]
fn a_call_ends_when_the_host_of_its_replica_is_gone() {
    let Some(network) = Network::if_permitted("a host that is gone") else { return };
    let folder = TempDir::new().unwrap();
    let config = config(folder.path(), "config.json", &Network::endpoints());
    let _all: Vec<_> = (0..HOSTS)
        .map(|host| Process::start(&["ip", "netns", "exec", &network.host(host)], host, &config))
        .collect();
    wait_for("a put", || {
        network.propose(HOSTS, &config, 2, &["put", "x", "1"]).status.success().then_some(())
    });
    // The majority is gone, so that the call waits; then its replica is.
    network.cut(0);
    network.cut(1);
    let mut waiting = Command::new("ip");
    waiting.args(["netns", "exec", &network.host(HOSTS), PROGRAM, "propose", "--at", "2"]);
    waiting.arg("--config").arg(&config).args(["put", "x", "2"]);
    let mut waiting = waiting.stderr(std::process::Stdio::null()).spawn().expect("ip runs");
    wait_for("the call", || (network.connections(2, 99) == 1).then_some(()));
    network.cut(2);
    wait_for("R2 to give up its client", || (network.connections(2, 99) == 0).then_some(()));
    wait_for("the client to give up", || {
        waiting.try_wait().expect("it can be asked").filter(|status| !status.success())
    });
}

/// Longer than anything that was sent may stay without an acknowledgement.
const STOPPED: Duration = Duration::from_secs(8);

#[test]
fn a_replica_that_was_stopped_goes_on_and_so_do_the_others() {
    let (ports, folder) = (Ports::keep(3), TempDir::new().unwrap());
    let config = config(folder.path(), "config.json", &ports.endpoints());
    let mut all: Vec<_> = (0..3).map(|id| Process::listening(id, &config)).collect();
    let propose = |at: usize, words: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["propose", "--at", &at.to_string(), "--config"]).arg(&config).args(words);
        command.output().expect("the program starts")
    };
    let surely = |at: usize, words: &[&str]| {
        wait_for("an answer", || Some(propose(at, words)).filter(|out| out.status.success()));
    };
    surely(2, &["put", "x", "1"]);
    all[2].signal("STOP");
    // More than the system keeps for a process that reads nothing: the sender is told to wait.
    let (large, stopped) = ("v".repeat(100_000), Instant::now());
    for number in 0..150 {
        surely(number % 2, &["put", &format!("large-{number}"), &large]);
    }
    std::thread::sleep(STOPPED.saturating_sub(stopped.elapsed()));
    all[2].signal("CONT");
    let continued = Instant::now();
    surely(2, &["put", "x", "2"]);
    println!("R2 has decided {:?} after it went on", continued.elapsed());
    let read = propose(0, &["get", "x"]);
    assert!(String::from_utf8_lossy(&read.stdout).contains('2'), "{read:?}");
    assert!(all.iter_mut().all(Process::is_running));
    assert!(all.iter().all(|process| !process.errors().contains("refuses")));
}

#[test]
fn a_whole_cluster_that_was_stopped_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("script");
    // The cluster is stopped while it sleeps; then every replica still reaches every other.
    let after =
        (0..3).map(|id| format!("put after-{id} 1 @R{id}\nsettle\n")).collect::<Vec<_>>().concat();
    let before = "put before 1 @R0\nsettle\n";
    std::fs::write(&script, format!("{before}sleep 3s\n{after}")).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("run").arg(&script).args(["--replicas", "3", "--json"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    std::thread::sleep(Duration::from_secs(2));
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    };
    signal("-STOP");
    std::thread::sleep(STOPPED);
    signal("-CONT");
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it does not go on");
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    for id in 0..3 {
        assert!(printed.contains(&format!("put after-{id} 1 = ok")), "{printed}");
    }
    assert!(!printed.contains("\"event\":\"drop\"") && !printed.contains("lost"), "{printed}");
}
