//! Signals: job control, Ctrl-Z and its return, and being told to end.
//!
//! In raw mode Ctrl-Z is a key like any other. It is turned into the signal that it would have been,
//! to the whole job, as a shell expects; that signal, whoever sent it, is met by giving the terminal
//! back and then stopping for good.

use std::io;
use std::time::Duration;

use rustix::process::Signal as Sent;
use rustix::process::{getpid, kill_current_process_group, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To give the terminal back and stop.
    Stop,
    /// To go on, after a stop of which there was no warning.
    GoOn,
    /// To end.
    End,
}

/// The signals that are listened to.
#[derive(Debug)]
pub struct Signals {
    stop: Signal,
    go_on: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens to them from now on.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            stop: signal(SignalKind::from_raw(Sent::TSTP.as_raw()))?,
            go_on: signal(SignalKind::from_raw(Sent::CONT.as_raw()))?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Comes back with what the process has been asked for.
    pub async fn next(&mut self) -> Asked {
        // The streams end with the runtime, and this with it.
        tokio::select! {
            Some(()) = self.stop.recv() => Asked::Stop,
            Some(()) = self.go_on.recv() => Asked::GoOn,
            Some(()) = self.interrupt.recv() => Asked::End,
            Some(()) = self.terminate.recv() => Asked::End,
            else => std::future::pending().await,
        }
    }

    /// Stops the process, and comes back when it has been told to go on.
    pub async fn stop(&mut self) {
        if kill_process(getpid(), Sent::STOP).is_ok() {
            // Threads stop one after another: only the signal to go on says that all is over.
            let _late = tokio::time::timeout(GO_ON_WITHIN, self.go_on.recv()).await;
        }
    }
}

/// Asks every process of the job to stop.
pub fn stop_job() {
    if let Err(error) = kill_current_process_group(Sent::TSTP) {
        tracing::warn!("cannot stop: {error}");
    }
}

/// How long, counted while running, the signal to go on may take to arrive.
const GO_ON_WITHIN: Duration = Duration::from_secs(2);
