//! Replicas as processes, started by a command that is theirs.

#![expect(clippy::disallowed_methods, reason = "waits for processes")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::config::Endpoint;
use crate::epaxos::id::ReplicaId;
use crate::grade::relays::configuration;
use crate::grade::tether::on_tether;

/// The replicas of one cluster. They end with it.
#[derive(Debug)]
pub struct Processes {
    /// What starts one, with `{id}`, `{config}` and `{folder}` in it.
    command: String,
    /// Where each of them listens.
    endpoints: Vec<Endpoint>,
    /// Where their configurations are.
    folder: PathBuf,
    /// Where what they print goes, if anywhere.
    logs: Option<PathBuf>,
    /// The program that keeps them on a tether.
    program: PathBuf,
    running: Vec<Option<Child>>,
}

impl Processes {
    /// None of them running. Each is told that the others listen where `relays` do.
    pub fn new(
        command: &str,
        endpoints: &[Endpoint],
        relays: &[Endpoint],
        logs: Option<&Path>,
    ) -> Result<Self, String> {
        let program = std::env::current_exe();
        let program = program.map_err(|error| format!("cannot find this program: {error}"))?;
        let number = CLUSTERS.fetch_add(1, Ordering::Relaxed);
        let folder = format!("epaxos-grade-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let failed = |error| format!("cannot write to {}: {error}", folder.display());
        running().folders.insert(folder.clone());
        // Of a process that had this number before, something may be left.
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).map_err(failed)?;
        if let Some(logs) = logs {
            fs::create_dir_all(logs).map_err(failed)?;
        }
        for id in 0..endpoints.len() {
            let listed = configuration(id, endpoints, relays).into_iter().map(|endpoint| {
                // The first such configurations had ports as text; whoever reads them reads that.
                json!({"Host": endpoint.host, "Port": endpoint.port.to_string()})
            });
            let config = json!({"Replicas": listed.collect::<Vec<_>>()});
            let file = folder.join(format!("{id}.json"));
            fs::write(file, format!("{config:#}\n")).map_err(failed)?;
            fs::create_dir(folder.join(id.to_string())).map_err(failed)?;
        }
        Ok(Self {
            command: command.to_owned(),
            endpoints: endpoints.to_vec(),
            folder,
            logs: logs.map(Path::to_owned),
            program,
            running: endpoints.iter().map(|_| None).collect(),
        })
    }

    /// Starts a replica, and waits until somebody listens where it should.
    pub fn start(&mut self, id: ReplicaId) -> Result<(), String> {
        let endpoint = self.endpoints[id.index()].to_string();
        if is_listening(&endpoint) {
            return Err(format!(
                "something listens at {endpoint} already, before {id} is started: perhaps a replica \
                 that was left"
            ));
        }
        let config = self.folder.join(format!("{}.json", id.index()));
        let line = self.command.replace("{id}", &id.index().to_string());
        let line = line.replace("{config}", &config.display().to_string());
        let own = self.folder.join(id.index().to_string());
        let line = line.replace("{folder}", &own.display().to_string());
        let out = || match &self.logs {
            None => Ok(Stdio::null()),
            Some(logs) => {
                let file = logs.join(format!("replica-{}.log", id.index()));
                let file = File::options().create(true).append(true).open(file)?;
                Ok(Stdio::from(file))
            }
        };
        let failed = |error: std::io::Error| format!("cannot start {id} as \"{line}\": {error}");
        let mut command = on_tether(&self.program, &["sh", "-c", &line]);
        command.stdout(out().map_err(failed)?).stderr(out().map_err(failed)?);
        let mut child = command.spawn().map_err(failed)?;
        let tether = child.stdin.take();
        running().tethers.extend(tether.map(|tether| (child.id(), tether)));
        let deadline = Instant::now() + START_LIMIT;
        while !is_listening(&endpoint) {
            if let Ok(Some(status)) = child.try_wait() {
                kill(&mut child);
                return Err(format!("{id}, started as \"{line}\", has ended: {status}"));
            }
            if Instant::now() > deadline {
                kill(&mut child);
                return Err(format!("{id}, started as \"{line}\", does not listen at {endpoint}"));
            }
            std::thread::sleep(START_POLL);
        }
        self.running[id.index()] = Some(child);
        Ok(())
    }

    /// Kills a replica at once.
    pub fn kill(&mut self, id: ReplicaId) -> Result<(), String> {
        let child = self.running[id.index()].take();
        kill(&mut child.ok_or_else(|| format!("{id} is down already"))?);
        // It may take the system a moment to know.
        let (endpoint, deadline) =
            (self.endpoints[id.index()].to_string(), Instant::now() + START_LIMIT);
        while is_listening(&endpoint) && Instant::now() < deadline {
            std::thread::sleep(START_POLL);
        }
        Ok(())
    }

    /// Whether a replica was started and not killed.
    pub fn is_up(&self, id: ReplicaId) -> bool {
        self.running[id.index()].is_some()
    }

    /// The first replica that has ended without having been told to.
    pub fn fallen(&mut self) -> Option<ReplicaId> {
        let ended = |child: &mut Option<Child>| {
            child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_))))
        };
        self.running.iter_mut().position(ended).map(ReplicaId::from_index)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.running.iter_mut().flatten().for_each(kill);
        // Nobody misses what cannot be removed.
        fs::remove_dir_all(&self.folder).ok();
        running().folders.remove(&self.folder);
    }
}

/// Kills a process with all that it has started, and waits until it is gone.
fn kill(child: &mut Child) {
    let tether = running().tethers.remove(&child.id());
    drop(tether);
    child.wait().ok();
}

/// Kills all replicas that were started, of all clusters, and removes what they were given: for a
/// program that ends at once.
pub fn kill_all() {
    let Running { tethers, folders } = std::mem::take(&mut *running());
    drop(tethers);
    for folder in folders {
        // What cannot be removed is only in the way.
        fs::remove_dir_all(folder).ok();
    }
}

/// What must not outlive the program.
#[derive(Debug, Default)]
struct Running {
    /// By process, the pipe whose end is its end.
    tethers: BTreeMap<u32, ChildStdin>,
    /// Where configurations are.
    folders: BTreeSet<PathBuf>,
}

/// What runs.
fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

static RUNNING: Mutex<Running> =
    Mutex::new(Running { tethers: BTreeMap::new(), folders: BTreeSet::new() });

/// How many clusters there have been in this process.
static CLUSTERS: AtomicU64 = AtomicU64::new(0);

fn is_listening(endpoint: &str) -> bool {
    let addresses = endpoint.to_socket_addrs().into_iter().flatten();
    addresses.into_iter().any(|address| TcpStream::connect_timeout(&address, START_POLL).is_ok())
}

/// How long a replica may take to listen.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How often it is looked whether it does.
const START_POLL: Duration = Duration::from_millis(20);
