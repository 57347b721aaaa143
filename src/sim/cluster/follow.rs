//! Taking decisions that were taken before: how a run is had again.

use crate::epaxos::command::Command;
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::message::Envelope;
use crate::observe::notice::{Decision, Notice};
use crate::observe::turn::{Choice, Turn};
use crate::script::world::{World, requests};
use crate::sim::cluster::Cluster;

impl Cluster {
    /// Takes a decision that was taken elsewhere, at the time at which it was. Refuses with a sentence
    /// where it is not possible here, and then nothing has happened.
    pub fn follow(&mut self, turn: &Turn) -> Result<(), String> {
        let decision = self.possible(turn)?;
        let Turn { replica, now, choice } = turn;
        // A replica whose clock is ahead, or was just set to its timer, says nothing of the others'.
        if *choice != Choice::Wake && *now > self.replicas.clock(*replica) {
            self.now = self.now.max(*now);
        }
        match (choice, decision) {
            (Choice::Lose(id), _) => self.lose(*id),
            (Choice::Failed(_), decision) => {
                let step = self.replicas.fail(*replica, decision, *now);
                self.say(Notice::Step(step));
            }
            (Choice::Duplicate(_, copy), Decision::Duplicate(envelope, _)) => {
                let twin = Envelope { id: *copy, ..envelope.clone() };
                self.decide_at(*replica, Decision::Duplicate(envelope, *copy), *now);
                self.arrive(&twin);
            }
            (choice, decision) => {
                if let Choice::Propose(commands) = choice {
                    self.expect_answers(*replica, commands);
                }
                self.decide_at(*replica, decision, *now);
                if let Choice::Crash | Choice::Panic(_) = choice {
                    self.let_open_go(*replica);
                }
            }
        }
        Ok(())
    }

    /// The decision of a turn with all that it is about, if it can be taken now.
    fn possible(&self, turn: &Turn) -> Result<Decision, String> {
        let seat = self.seat(turn.replica);
        let choice = match &turn.choice {
            Choice::Failed(choice) => choice,
            choice => choice,
        };
        Ok(match choice {
            Choice::Propose(commands) => {
                seat.check_leads()?;
                Decision::Propose(commands.clone())
            }
            Choice::Deliver(id) => {
                seat.check_up()?;
                Decision::Deliver(self.to(turn.replica, *id)?)
            }
            Choice::Drop(id) => Decision::Drop(self.to(turn.replica, *id)?),
            Choice::Duplicate(id, copy) => {
                let expected = self.in_flight().copy_of(*id);
                // A live gate names the twins that links make by what it made by hand.
                if copy.copy == 0
                    || copy.copy > expected.copy
                    || self.in_flight().get(*copy).is_some()
                {
                    return Err(format!("{copy} is no name for a twin of {id}"));
                }
                Decision::Duplicate(self.to(turn.replica, *id)?, *copy)
            }
            Choice::Lose(id) if id.sender == turn.replica => Decision::Lose(self.envelope(*id)?),
            Choice::Lose(id) => return Err(format!("{id} is no message of {}", turn.replica)),
            Choice::Wake => {
                let due = seat.due()?;
                if due > turn.now {
                    return Err(format!(
                        "the timer of {} is not due at {}",
                        turn.replica, turn.now
                    ));
                }
                Decision::Wake
            }
            Choice::Crash => {
                seat.check_up()?;
                Decision::Crash
            }
            Choice::Panic(sentence) => {
                seat.check_up()?;
                Decision::Panic(sentence.clone())
            }
            Choice::Restart => {
                seat.check_down()?;
                Decision::Restart
            }
            Choice::Failed(_) => return Err("nothing fails at a failure".to_owned()),
        })
    }

    /// A message on its way to a replica.
    fn to(&self, replica: ReplicaId, id: MessageId) -> Result<Envelope, String> {
        let envelope = self.envelope(id)?;
        let meant = envelope.to == replica;
        meant.then_some(envelope).ok_or_else(|| format!("{id} is not on its way to {replica}"))
    }

    fn expect_answers(&mut self, at: ReplicaId, commands: &[Command]) {
        self.proposer.note(commands);
        self.open.extend(requests(commands).into_iter().map(|request| (at, request)));
    }
}
