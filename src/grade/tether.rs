//! A process on a tether: it ends with whatever started it, however that ends.
//!
//! No process can promise to kill its children when it is killed itself. So a process in between
//! does it: it starts the command in a process group of its own, and kills that group when its
//! standard input ends. The other end of that pipe belongs to whoever started the tether, and the
//! system closes it with its owner.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use anyhow::{Context, anyhow};
use rustix::process::{Pid, Signal, kill_process_group};

/// A command that runs `command` on a tether, by means of `program`, which is this one. Its standard
/// input is a pipe that must be kept. Its process group is its own, so that no signal of a terminal
/// ends the tether and not the command.
pub fn on_tether(program: &Path, command: &[&str]) -> Command {
    let mut tether = Command::new(program);
    tether.arg("tether").arg("--").args(command).stdin(Stdio::piped()).process_group(0);
    tether
}

/// Runs a command until it ends or standard input does, and ends the process as the command has.
pub fn run(command: &[OsString]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("there is no command")?;
    let mut tethered = Command::new(program);
    tethered.args(arguments).stdin(Stdio::null()).process_group(0);
    let name = program.to_string_lossy();
    let mut child = tethered.spawn().with_context(|| format!("cannot start \"{name}\""))?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let group = group.context("a process has a positive number")?;
    let held = thread::Builder::new().spawn(move || {
        wait_for_end(io::stdin());
        kill_process_group(group, Signal::KILL).ok();
    });
    if let Err(error) = held {
        end(&mut child, group);
        return Err(anyhow!("cannot start a thread: {error}"));
    }
    let status = child.wait().context("cannot wait for a process")?;
    // What it has left running ends with it.
    kill_process_group(group, Signal::KILL).ok();
    std::process::exit(code(status));
}

fn end(child: &mut Child, group: Pid) {
    kill_process_group(group, Signal::KILL).ok();
    child.wait().ok();
}

fn wait_for_end(mut input: impl Read) {
    let mut bytes = [0; 64];
    loop {
        match input.read(&mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// The exit status as shells have it.
fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}
