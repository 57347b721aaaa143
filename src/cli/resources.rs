//! What the system must grant before a command starts. Libraries panic where a thread or a file is
//! refused to them: this asks first, and says what is missing.

use std::num::NonZero;
use std::sync::mpsc::channel;
use std::thread;

use anyhow::{Context, anyhow};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime;
use tokio::runtime::Runtime;

/// A runtime with a thread for each processor, for a command that opens so many files.
pub fn runtime(files: u64) -> anyhow::Result<Runtime> {
    require(files, processors())?;
    runtime::Builder::new_multi_thread().enable_all().build().context("cannot start a runtime")
}

/// A runtime on the caller's thread.
pub fn runtime_here(files: u64) -> anyhow::Result<Runtime> {
    require(files, 0)?;
    runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")
}

/// How many threads work at a time.
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Fails unless the process may open so many files, and start so many threads.
pub fn require(files: u64, threads: usize) -> anyhow::Result<()> {
    require_files(files)?;
    require_threads(threads + OWN_THREADS)
}

/// The files that a cluster of `replicas` in this process opens: of each replica where it listens, and
/// the two ends of its links and of a client.
pub fn cluster_files(replicas: usize) -> u64 {
    let replicas = replicas as u64;
    OWN_FILES + replicas + 2 * replicas * replicas
}

/// The files that one of `replicas` opens.
pub fn replica_files(replicas: usize) -> u64 {
    OWN_FILES + 2 * replicas as u64
}

/// The files that a client of `replicas` opens.
pub fn client_files(replicas: usize) -> u64 {
    OWN_FILES + replicas as u64
}

fn require_files(needed: u64) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|current| *current < needed) else { return Ok(()) };
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    Err(anyhow!(
        "this process may open {current} files and needs {needed}; raise the limit with 'ulimit -n \
         {needed}'"
    ))
}

/// Starts so many threads at a time, for a moment.
fn require_threads(needed: usize) -> anyhow::Result<()> {
    let mut kept = Vec::new();
    let mut threads = Vec::new();
    let mut refused = None;
    for _ in 0..needed {
        let (keep, end) = channel::<()>();
        match thread::Builder::new().spawn(move || end.recv().is_ok()) {
            Ok(thread) => {
                kept.push(keep);
                threads.push(thread);
            }
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let started = threads.len();
    drop(kept);
    for thread in threads {
        drop(thread.join());
    }
    match refused {
        None => Ok(()),
        Some(error) => Err(anyhow!(
            "this process may start {started} threads and needs {needed} ({error}); raise the limit \
             of processes ('ulimit -u') or of memory ('ulimit -v')"
        )),
    }
}

/// Files that every command opens: standard streams, timers and signals of the runtime, what it reads
/// and writes.
const OWN_FILES: u64 = 16;

/// Threads beside those of a runtime: for the log, the printer, signals.
const OWN_THREADS: usize = 4;
