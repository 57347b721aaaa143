//! Writes a run down as it happens.

use serde::Serialize;

use crate::epaxos::id::MessageId;
use crate::multiverse::digest::Digests;
use crate::multiverse::recording::{Asked, End, Header, Record};
use crate::multiverse::tree::Ended;
use crate::observe::log::Log;
use crate::observe::notice::{Decision, GateState, Notice, Shape, Step};
use crate::script::gates;

/// What makes lines of what happens in one run, from its beginning on.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    digests: Digests,
    written: u64,
    gates: Option<GateState>,
    ended: Option<Ended>,
}

impl Recorder {
    /// A recorder, and the first line.
    pub fn new(shape: &Shape) -> (Self, String) {
        (Self::default(), line(&Header::of(shape)))
    }

    /// Takes note of what a world says that is no step.
    pub fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::Gate(gate) => self.gates = Some(gate.clone()),
            Notice::Away { .. } => self.ended = Some(Ended::Unseen),
            Notice::Step(_) | Notice::Lost(_) | Notice::Held(_) | Notice::Armed => {}
        }
    }

    /// The lines of the steps that are new in the log. It must be looked at before it lets go of any
    /// of them.
    pub fn lines(&mut self, log: &Log) -> Vec<String> {
        let mut lines = Vec::new();
        while self.ended.is_none()
            && let Some(entry) = log.get(self.written)
        {
            match self.record(&entry.step) {
                Some(record) => lines.push(line(&record)),
                None => self.ended = Some(Ended::Unseen),
            }
        }
        lines
    }

    /// The last line.
    pub fn end(&self) -> String {
        line(&End { end: self.written, why: self.ended.map(|ended| ended.to_string()) })
    }

    fn record(&mut self, step: &Step) -> Option<Record> {
        let mut record = Record {
            n: self.written,
            t_us: step.now.0,
            replica: step.replica.to_string(),
            event: step.decision.name().to_owned(),
            silent: step.effects.is_empty() && step.decision.input().is_some(),
            gates: self.gates.take().map(|gate| gates::commands(&gate)),
            ..Record::default()
        };
        let name = |id: MessageId| Some(id.to_string());
        match &step.decision {
            Decision::Propose(commands) => {
                record.commands = Some(commands.iter().map(Asked::of).collect());
            }
            Decision::Deliver(envelope) | Decision::Drop(envelope) | Decision::Lose(envelope) => {
                record.message = name(envelope.id);
            }
            Decision::Duplicate(envelope, copy) => {
                (record.message, record.copy) = (name(envelope.id), name(*copy));
            }
            Decision::Panic(sentence) => record.sentence = Some(sentence.clone()),
            Decision::Wake | Decision::Crash | Decision::Restart => {}
            Decision::Show(_) => return None,
        }
        record.digest = format!("{:016x}", self.digests.note(step));
        self.written += 1;
        Some(record)
    }
}

fn line(what: &impl Serialize) -> String {
    serde_json::to_string(what).expect("plain data is always written")
}
