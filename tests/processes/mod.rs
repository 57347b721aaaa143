//! Replicas as processes, with what they print.

#![expect(clippy::disallowed_methods, reason = "waits for processes")]
#![allow(dead_code, reason = "each test uses what it needs")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take that must happen.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Calls `check` until it returns something.
pub fn wait_for<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Writes a configuration with these endpoints.
pub fn config(folder: &Path, name: &str, endpoints: &[String]) -> PathBuf {
    let listed: Vec<_> = endpoints
        .iter()
        .map(|endpoint| {
            let (host, port) = endpoint.rsplit_once(':').expect("host:port");
            serde_json::json!({"Host": host, "Port": port})
        })
        .collect();
    let file = folder.join(name);
    std::fs::write(&file, serde_json::json!({"Replicas": listed}).to_string()).expect("a file");
    file
}

/// One replica. It is killed when this is dropped.
pub struct Process {
    child: Child,
    errors: Arc<Mutex<String>>,
}

impl Process {
    /// Starts the replica `id`, with `prefix` before the command.
    pub fn start(prefix: &[&str], id: usize, config: &Path) -> Self {
        let program = env!("CARGO_BIN_EXE_epaxos-tui");
        let words = prefix.iter().copied().chain([program]);
        let words: Vec<_> = words.collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(["replica", "--id", &id.to_string(), "--config"])
            .arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let errors = Arc::new(Mutex::new(String::new()));
        let (all, lines) = (errors.clone(), BufReader::new(child.stderr.take().expect("a pipe")));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut all = all.lock().unwrap();
                all.push_str(&line);
                all.push('\n');
            }
        });
        Self { child, errors }
    }

    /// Starts the replica `id` and waits until it listens.
    pub fn listening(id: usize, config: &Path) -> Self {
        let process = Self::start(&[], id, config);
        process.wait_for_line(" listens at ");
        process
    }

    /// What it has printed on standard error.
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// Waits until it has printed a line with this in it.
    pub fn wait_for_line(&self, part: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.errors().contains(part) {
            assert!(Instant::now() < deadline, "no {part:?} in:\n{}", self.errors());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it ends by itself.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                return status;
            }
            assert!(Instant::now() < deadline, "it goes on:\n{}", self.errors());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_none()
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let (signal, id) = (format!("-{name}"), self.child.id().to_string());
        let sent = Command::new("kill").args([signal, id]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Kills it at once, and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
