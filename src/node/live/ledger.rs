//! What still moves in a cluster, told from what it has said so far.

use std::collections::{BTreeMap, BTreeSet};

use crate::epaxos::command::RequestId;
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::observe::in_flight::InFlight;
use crate::observe::notice::{Decision, Effect, HeldBy, Notice, Sight, Step};
use crate::script::world::Answer;

/// Messages and proposals that something will yet come of without anybody doing anything. Since
/// every notice comes before its effects go out, nothing can move that is not in here, but for what
/// other clients ask.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Messages sent and not seen at their receiver's gate.
    moving: BTreeSet<MessageId>,
    /// Messages that a delay keeps at a gate.
    delayed: BTreeSet<MessageId>,
    /// Our proposals that no replica has been seen to take up.
    unseen: BTreeSet<RequestId>,
    /// Our proposals that failed before any replica took them up.
    refused: BTreeSet<RequestId>,
    /// Our proposals that have no answer, with the replica that each was asked of.
    open: BTreeMap<RequestId, ReplicaId>,
    /// Those of them that were seen to be answered, with the place of that among all answers. A
    /// replica that goes down answers whoever waits there with a failure.
    answered: BTreeMap<RequestId, u64>,
    answers: u64,
}

impl Ledger {
    /// Takes note of our own proposals to a replica.
    pub fn ask<'a>(&mut self, at: ReplicaId, requests: impl Iterator<Item = &'a RequestId>) {
        for request in requests {
            self.unseen.insert(request.clone());
            self.open.insert(request.clone(), at);
        }
    }

    /// Takes note of what happened.
    pub fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::Step(step) => self.note_step(step),
            Notice::Held(held) => {
                self.forget(held.id);
                if let HeldBy::Delay(_) = held.why {
                    self.delayed.insert(held.id);
                }
            }
            Notice::Lost(id) => self.forget(*id),
            Notice::Gate(_) | Notice::Armed | Notice::Away { .. } => {}
        }
    }

    fn note_step(&mut self, step: &Step) {
        match &step.decision {
            Decision::Propose(commands) => {
                for command in commands {
                    self.unseen.remove(&command.request);
                }
            }
            Decision::Deliver(envelope) | Decision::Drop(envelope) | Decision::Lose(envelope) => {
                self.forget(envelope.id);
            }
            // Until it is heard what became of it.
            Decision::Duplicate(_, copy) => drop(self.moving.insert(*copy)),
            Decision::Crash | Decision::Panic(_) => self.fail_all(step.replica),
            Decision::Wake | Decision::Restart => {}
            Decision::Show(sight) => self.show(step.replica, sight),
        }
        for effect in &step.effects {
            match effect {
                Effect::Send(envelope) => {
                    self.moving.insert(envelope.id);
                }
                Effect::Reply(reply) => self.note_reply(&reply.command.request),
                Effect::Event(_) => {}
            }
        }
    }

    /// What was on its way when a replica was left alone has come or will, and is not waited for: it
    /// would be for ever.
    fn show(&mut self, replica: ReplicaId, sight: &Sight) {
        self.moving.clear();
        self.delayed.clear();
        let delayed = sight.held.iter().filter(|(_, why)| matches!(why, HeldBy::Delay(_)));
        self.delayed.extend(delayed.map(|(envelope, _)| envelope.id));
        let open = &self.open;
        self.unseen.retain(|request| open.get(request) != Some(&replica));
    }

    /// An answer to one of our proposals has been given, and is on its way to us.
    fn note_reply(&mut self, request: &RequestId) {
        if self.open.contains_key(request) && !self.answered.contains_key(request) {
            self.answered.insert(request.clone(), self.answers);
            self.answers += 1;
        }
    }

    /// A replica that goes down gives up whoever waits for it: those are answered too, each with a
    /// failure. What it has not taken up yet is answered when it does, or refuses to.
    fn fail_all(&mut self, replica: ReplicaId) {
        let waiting = self
            .open
            .iter()
            .filter(|(request, at)| **at == replica && !self.unseen.contains(request));
        let waiting: Vec<RequestId> = waiting.map(|(request, _)| request.clone()).collect();
        for request in &waiting {
            self.note_reply(request);
        }
    }

    /// Takes note of an answer to one of our proposals. Returns its place among all answers as the
    /// replicas gave them: each comes in a call of its own, and calls may overtake each other.
    pub fn note_answer(&mut self, answer: &Answer) -> u64 {
        if self.unseen.remove(&answer.request) && answer.result.is_err() {
            self.refused.insert(answer.request.clone());
        }
        self.open.remove(&answer.request);
        self.answered.remove(&answer.request).unwrap_or(self.answers)
    }

    fn forget(&mut self, id: MessageId) {
        self.moving.remove(&id);
        self.delayed.remove(&id);
    }

    /// Whether every message on its way is at a gate.
    pub fn at_gates(&self) -> bool {
        self.moving.is_empty()
    }

    /// Whether a replica has taken up each of these proposals, or they have failed.
    pub fn has_seen(&self, requests: &[RequestId]) -> bool {
        !requests.iter().any(|request| self.unseen.contains(request))
    }

    /// Whether a proposal failed before any replica took it up: nothing has come of it. Said once.
    pub fn take_refused(&mut self, request: &RequestId) -> bool {
        self.refused.remove(request)
    }

    /// Whether nothing moves. While all is paused, delays do not end.
    pub fn is_quiet(&self, paused: bool) -> bool {
        let delayed = !paused && !self.delayed.is_empty();
        !delayed && self.moving.is_empty() && self.unseen.is_empty() && self.answered.is_empty()
    }

    /// What moves, in words.
    pub fn describe(&self, in_flight: &InFlight) -> String {
        let counts = [
            (self.moving.len(), "message", "on the way"),
            (self.delayed.len(), "message", "delayed"),
            (self.unseen.len(), "proposal", "not taken up"),
            (self.answered.len(), "answer", "on the way"),
        ];
        let plural = |count| if count == 1 { "" } else { "s" };
        let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
        let counts =
            counts.map(|(count, what, how)| format!("{count} {what}{} {how}", plural(count)));
        let first = self.moving.first().or(self.delayed.first());
        let example = first.and_then(|id| in_flight.get(*id));
        let example = example.map(|flight| format!("such as {}", flight.envelope));
        counts.chain(example).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::command::{Command, Operation};
    use crate::epaxos::time::Time;

    fn note(ledger: &mut Ledger, replica: u8, decision: Decision) {
        let (replica, now) = (ReplicaId(replica), Time(0));
        let step = Step { replica, now, decision, effects: Vec::new(), timer: None };
        ledger.note(&Notice::Step(step));
    }

    /// The failure comes in a call of its own, and must not be missed by whoever looks right after the
    /// crash.
    #[test]
    fn whoever_waits_at_a_replica_that_goes_down_will_be_answered() {
        for fate in [Decision::Crash, Decision::Panic("of old age".to_owned())] {
            let mut ledger = Ledger::default();
            let requests = [1, 2, 3].map(|number| RequestId::named("somebody", number));
            ledger.ask(ReplicaId(1), requests[..2].iter());
            ledger.ask(ReplicaId(2), requests[2..].iter());
            for (request, at) in requests.iter().zip([1, 1, 2]) {
                let (request, operation) = (request.clone(), Operation::get("x"));
                let commands = vec![Command { request, operation }];
                note(&mut ledger, at, Decision::Propose(commands));
            }
            assert!(ledger.is_quiet(true), "what is open may stay so");
            note(&mut ledger, 1, fate);
            assert!(!ledger.is_quiet(true));
            // The later one may well be heard of first.
            let place = |ledger: &mut Ledger, index: usize| {
                let (request, result) = (requests[index].clone(), Err("R1 is down".to_owned()));
                ledger.note_answer(&Answer { request, result })
            };
            assert_eq!([place(&mut ledger, 1), place(&mut ledger, 0)], [1, 0]);
            assert!(ledger.is_quiet(true), "R2 is up, and its client waits");
        }
    }
}
