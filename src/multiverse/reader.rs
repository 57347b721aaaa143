//! Reads a run that was written down, up to where it makes no sense any more.

use std::fmt;

use serde_json::Value;

use crate::epaxos::command::Command;
use crate::epaxos::id::{MessageId, ParseIdError};
use crate::epaxos::time::Time;
use crate::multiverse::digest::Digests;
use crate::multiverse::recording::{End, Header, Record, VERSION, replica};
use crate::multiverse::tree::{BranchId, Multiverse};
use crate::observe::notice::{GateState, Notice};
use crate::observe::turn::{Choice, Turn};
use crate::script::gates;
use crate::script::world::World;

/// A run that was written down.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The run.
    pub multiverse: Multiverse,
    /// What came of each turn then.
    pub digests: Vec<u64>,
    /// What is wrong with the file, where not all of it could be read.
    pub damage: Option<Damage>,
    /// Why no more of the run was written down, where there was more.
    pub why: Option<String>,
}

/// Where a file ends that goes on, or should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there, as a sentence.
    pub reason: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Why a file is no recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARecording {
    /// Its first line is something else.
    #[error("it is not a recording: {0}")]
    Header(String),
    /// It was written by another program.
    #[error("it is a recording of version {0}, and this program reads version {VERSION}")]
    Version(u64),
}

/// What came of a turn is not what came of it when it was written down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// It is something else.
    #[error(
        "#{at} came to something else when it was recorded: what is determined is not all that it depends on"
    )]
    Digest {
        /// Which turn, from 0.
        at: u64,
    },
    /// It is not possible.
    #[error("#{at} cannot have happened: {reason}")]
    Impossible {
        /// Which turn, from 0.
        at: u64,
        /// Why not, as a sentence.
        reason: String,
    },
}

impl Recorded {
    /// Reads a file, which may be anything: each line must be text, so that what is none ends it there
    /// and not all of it.
    pub fn read(file: impl AsRef<[u8]>) -> Result<Self, NotARecording> {
        let mut lines = (1..).zip(file.as_ref().split_inclusive(|byte| *byte == b'\n'));
        let (_, first) = lines.next().unwrap_or((1, b""));
        let first = as_text(first).map_err(NotARecording::Header)?;
        let shape = header(first)?.shape().map_err(NotARecording::Header)?;
        let mut recorded = Self {
            multiverse: Multiverse::new(shape),
            digests: Vec::new(),
            damage: None,
            why: None,
        };
        let (mut ended, mut last) = (false, 1);
        for (line, bytes) in lines {
            last = line;
            let taken = recorded.take(bytes, ended);
            match taken {
                Ok(end) => ended = end,
                Err(reason) => {
                    recorded.damage = Some(Damage { line, reason });
                    break;
                }
            }
        }
        if !ended && recorded.damage.is_none() {
            let reason = "the file was cut off: there is no end".to_owned();
            recorded.damage = Some(Damage { line: last + 1, reason });
        }
        Ok(recorded)
    }

    /// Takes note of one line. Says whether it is the last.
    fn take(&mut self, bytes: &[u8], ended: bool) -> Result<bool, String> {
        if ended {
            return Err("there is more after the end".to_owned());
        }
        if !bytes.ends_with(b"\n") {
            return Err("the line was cut off".to_owned());
        }
        let text = as_text(bytes)?;
        let odd = |error: serde_json::Error| format!("it is no turn: {error}");
        let value: Value = serde_json::from_str(text).map_err(odd)?;
        if value.get("end").is_some() {
            let End { end, why } = serde_json::from_value(value).map_err(odd)?;
            self.why = why;
            let len = self.multiverse.main().len();
            return if end == len {
                Ok(true)
            } else {
                Err(format!("there are {len} turns, not {end}"))
            };
        }
        let record: Record = serde_json::from_value(value).map_err(odd)?;
        let expected = self.multiverse.main().len();
        if record.n != expected {
            return Err(format!("it is turn {}, and {expected} should be next", record.n));
        }
        let replicas = self.multiverse.shape().replicas();
        let digest = u64::from_str_radix(&record.digest, 16);
        let digest = digest.map_err(|_| format!("\"{}\" is no digest", record.digest))?;
        let turn = turn(&record, replicas)?;
        if let Some(lines) = &record.gates {
            let gate: GateState = gates::read(lines, replicas)?;
            self.multiverse.note(BranchId::MAIN, &Notice::Gate(gate));
        }
        self.multiverse.add(BranchId::MAIN, turn, record.silent);
        if let Some(ended) = self.multiverse.main().ended {
            return Err(format!("no more of it is read: {ended}"));
        }
        self.digests.push(digest);
        Ok(false)
    }

    /// Takes all turns again, and says where something else comes of one than was written down. What
    /// comes after that is taken from the run.
    pub fn verify(&mut self) -> Result<(), Difference> {
        let mut digests = Digests::default();
        let impossible = |at, reason| Difference::Impossible { at, reason };
        let mut cluster = self.multiverse.start();
        for (at, expected) in (0..).zip(&self.digests) {
            let went = self.multiverse.go_on(BranchId::MAIN, at, &mut cluster);
            let difference = match (went, cluster.view().log.get(at)) {
                (Ok(()), Some(entry)) if digests.note(&entry.step) == *expected => continue,
                (Ok(()), _) => Difference::Digest { at },
                (Err(astray), _) => impossible(at, astray.reason),
            };
            let kept = if matches!(difference, Difference::Digest { .. }) { at + 1 } else { at };
            self.multiverse.truncate(kept);
            return Err(difference);
        }
        Ok(())
    }
}

fn as_text(line: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(line).map_err(|error| {
        format!("the line is no text: byte {} of it is no UTF-8", error.valid_up_to() + 1)
    })
}

fn header(line: &str) -> Result<Header, NotARecording> {
    let odd = |error: serde_json::Error| NotARecording::Header(error.to_string());
    let value: Value = serde_json::from_str(line).map_err(odd)?;
    match value.get("epaxos_recording").and_then(Value::as_u64) {
        Some(VERSION) => serde_json::from_value(value).map_err(odd),
        Some(other) => Err(NotARecording::Version(other)),
        None => Err(NotARecording::Header("its first line does not say so".to_owned())),
    }
}

fn turn(record: &Record, replicas: usize) -> Result<Turn, String> {
    let message = |name: &Option<String>| -> Result<MessageId, String> {
        let name = name.as_deref().ok_or("it names no message")?;
        let id: MessageId = name.parse().map_err(|error: ParseIdError| error.to_string())?;
        replica(&id.sender.to_string(), replicas).map(|_| id)
    };
    if record.t_us > TIME_MOST {
        return Err("its clock says what no clock does".to_owned());
    }
    let choice = match record.event.as_str() {
        "propose" => {
            let asked = record.commands.iter().flatten();
            let commands: Vec<Command> =
                asked.map(|asked| asked.command(replicas)).collect::<Result<_, _>>()?;
            if commands.is_empty() {
                return Err("nothing is asked for".to_owned());
            }
            Choice::Propose(commands)
        }
        "deliver" => Choice::Deliver(message(&record.message)?),
        "drop" => Choice::Drop(message(&record.message)?),
        "duplicate" => Choice::Duplicate(message(&record.message)?, message(&record.copy)?),
        "lose" => Choice::Lose(message(&record.message)?),
        "timer" => Choice::Wake,
        "crash" => Choice::Crash,
        "recover" => Choice::Restart,
        "panic" => Choice::Panic(record.sentence.clone().unwrap_or_default()),
        other => return Err(format!("there is no event \"{other}\"")),
    };
    Ok(Turn { replica: replica(&record.replica, replicas)?, now: Time(record.t_us), choice })
}

/// The latest that a clock may say, in microseconds: ten years.
const TIME_MOST: u64 = 10 * 365 * 24 * 3_600 * 1_000_000;
