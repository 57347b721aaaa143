//! A branch made by changing one turn of another.
//!
//! What comes after is as it was, as far as that is still possible: a message is the same where the
//! same replica sends the same kind of message about the same instance to the same receiver. What is
//! then still on its way is delivered, the oldest first.

use crate::epaxos::command::Operation;
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::message::Envelope;
use crate::multiverse::tree::{Branch, BranchId, Multiverse};
use crate::observe::notice::HeldBy;
use crate::observe::turn::{Choice, Turn};
use crate::script::session::pass;
use crate::script::stepwise::Stepwise;
use crate::script::world::World;
use crate::sim::cluster::Cluster;

/// What is to be otherwise at a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The message is lost.
    Drop,
    /// The message arrives twice.
    Duplicate,
    /// The message arrives after everything else.
    Delay,
    /// The turn after this one comes first.
    Swap,
    /// This replica crashes before it; where none is named, the one that was reached.
    Crash(Option<ReplicaId>),
    /// Clients ask for these instead.
    Propose(Vec<Operation>),
    /// Clients ask this replica for these before it.
    Add(ReplicaId, Vec<Operation>),
}

/// A run that was, and one that is like it but for a change, while it is being made.
#[derive(Clone, Debug)]
pub struct Rewriting {
    of: BranchId,
    branch: BranchId,
    /// What was: it says what the messages are that its turns name.
    original: Cluster,
    changed: Cluster,
    /// The turn that is taken next, of those that were.
    next: u64,
    /// The message that is to come last.
    late: Option<MessageId>,
}

impl Multiverse {
    /// Makes a branch in which one turn of `of`, the one after `at` others, is changed, and runs it
    /// until nothing moves any more. Returns the branch, and the cluster at its end.
    pub fn what_if(
        &mut self,
        of: BranchId,
        at: u64,
        change: &Change,
        name: Option<&str>,
    ) -> Result<(BranchId, Cluster), String> {
        let mut rewriting = self.rewrite(of, at, change, name)?;
        while !self.rewrite_on(&mut rewriting, u64::MAX)? {}
        Ok((rewriting.branch, rewriting.changed))
    }

    /// Begins such a branch: the turn is changed, and none of the later ones is taken.
    pub fn rewrite(
        &mut self,
        of: BranchId,
        at: u64,
        change: &Change,
        name: Option<&str>,
    ) -> Result<Rewriting, String> {
        let original = self.at(of, at).map_err(|astray| astray.to_string())?;
        let branch = self.branch(of, at, &original.view().gate, name)?;
        let changed = original.clone();
        let mut rewriting = Rewriting { of, branch, original, changed, next: at + 1, late: None };
        let done = rewriting.change(self, at, change);
        self.unless_failed(branch, done).map(|()| rewriting)
    }

    /// Takes so many of the later turns, as far as they are still possible, and then lets so many
    /// messages move. Says whether nothing moves any more. Where it fails, there is no such branch.
    pub fn rewrite_on(&mut self, rewriting: &mut Rewriting, turns: u64) -> Result<bool, String> {
        let done = rewriting.go_on(self, turns);
        self.unless_failed(rewriting.branch, done)
    }

    /// Forgets a branch that came to nothing.
    fn unless_failed<T>(&mut self, branch: BranchId, done: Result<T, String>) -> Result<T, String> {
        done.inspect_err(|_| self.forget(branch))
    }
}

impl Rewriting {
    /// The branch that is made.
    pub fn branch(&self) -> BranchId {
        self.branch
    }

    /// Which turn is taken next, of those that were.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The cluster at the end of the branch.
    pub fn into_cluster(self) -> Cluster {
        self.changed
    }

    fn change(
        &mut self,
        multiverse: &mut Multiverse,
        at: u64,
        change: &Change,
    ) -> Result<(), String> {
        let turn = self.turn(multiverse, at)?;
        match change {
            Change::Drop => {
                let id = delivered(at, &turn)?;
                self.changed.drop(id)?;
            }
            Change::Delay => self.late = Some(delivered(at, &turn)?),
            Change::Duplicate => {
                self.changed.duplicate(delivered(at, &turn)?)?;
                self.changed.follow(&turn)?;
            }
            Change::Swap => {
                let after = self.turn(multiverse, at + 1)?;
                let too_soon = |reason| format!("#{} cannot come before #{at}: {reason}", at + 1);
                self.changed.follow(&after).map_err(too_soon)?;
                self.changed.follow(&turn).ok();
                self.next += 1;
            }
            Change::Crash(replica) => {
                self.changed.crash(replica.unwrap_or(turn.replica))?;
                self.changed.follow(&turn).ok();
            }
            Change::Propose(operations) => {
                if !matches!(turn.choice, Choice::Propose(_)) {
                    return Err(format!("#{at} is no proposal"));
                }
                self.changed.propose(turn.replica, operations.clone())?;
            }
            Change::Add(replica, operations) => {
                self.changed.propose(*replica, operations.clone())?;
                self.changed.follow(&turn).ok();
            }
        }
        multiverse.grow(self.branch, &self.changed.view().log);
        for passed in at..self.next {
            let turn = self.turn(multiverse, passed)?;
            self.original.follow(&turn)?;
        }
        Ok(())
    }

    fn turn(&self, multiverse: &Multiverse, at: u64) -> Result<Turn, String> {
        multiverse.turn(self.of, at).cloned().ok_or_else(|| format!("there is no #{at}"))
    }

    fn go_on(&mut self, multiverse: &mut Multiverse, turns: u64) -> Result<bool, String> {
        let end = multiverse.get(self.of).map_or(0, Branch::len);
        let to = end.min(self.next.saturating_add(turns));
        let taken = to.saturating_sub(self.next);
        while self.next < to {
            self.follow_one(multiverse)?;
            self.next += 1;
        }
        let mut moves = true;
        for _ in taken..turns {
            moves = self.next == end && self.move_one()?;
            multiverse.grow(self.branch, &self.changed.view().log);
            if !moves {
                break;
            }
        }
        Ok(self.next == end && !moves)
    }

    /// Takes the turn that was taken next, if it is still possible.
    fn follow_one(&mut self, multiverse: &mut Multiverse) -> Result<(), String> {
        let (branch, at) = (self.branch, self.next);
        let turn = self.turn(multiverse, at)?;
        if let Some(counterpart) = self.counterpart(&turn) {
            // What has become impossible does not happen.
            self.changed.follow(&counterpart).ok();
            multiverse.grow(branch, &self.changed.view().log);
        }
        multiverse.go_on(self.of, at, &mut self.original).map_err(|it| it.to_string())?;
        if self.original.view().gate != self.changed.view().gate {
            multiverse.grow(branch, &self.changed.view().log);
            let gate = self.original.view().gate.clone();
            multiverse.set_gate(branch, &gate);
            self.changed.set_gate(gate)?;
        }
        Ok(())
    }

    /// The turn that is here what a turn was there.
    fn counterpart(&self, turn: &Turn) -> Option<Turn> {
        let choice = match &turn.choice {
            Choice::Deliver(id) => Choice::Deliver(self.same(*id)?),
            Choice::Drop(id) => Choice::Drop(self.same(*id)?),
            Choice::Lose(id) => Choice::Lose(self.same(*id)?),
            Choice::Duplicate(id, _) => {
                let id = self.same(*id)?;
                Choice::Duplicate(id, self.changed.in_flight().copy_of(id))
            }
            Choice::Wake => {
                let timer = |cluster: &Cluster| cluster.seat(turn.replica).next_timer();
                let due = timer(&self.original)?.1;
                (timer(&self.changed)?.1 == due).then_some(Choice::Wake)?
            }
            // What made a program fail then may not have happened here.
            Choice::Panic(_) | Choice::Failed(_) => return None,
            choice @ (Choice::Propose(_) | Choice::Crash | Choice::Restart) => choice.clone(),
        };
        Some(Turn { choice, ..turn.clone() })
    }

    /// The message that is here what a message is there.
    fn same(&self, id: MessageId) -> Option<MessageId> {
        let there = &self.original.in_flight().get(id)?.envelope;
        let is_same = |here: &Envelope| {
            let what =
                |it: &Envelope| (it.id.sender, it.to, it.message.kind(), it.message.instance());
            what(here) == what(there)
        };
        let named = self.changed.in_flight().get(id).map(|flight| &flight.envelope);
        let others = self.changed.in_flight().iter().map(|flight| &flight.envelope);
        named.into_iter().chain(others).find(|here| is_same(here)).map(|here| here.id)
    }

    /// Lets one message move that may, but for the one that is late, which comes after all others.
    fn move_one(&mut self) -> Result<bool, String> {
        let waits = |id: &MessageId| self.changed.in_flight().get(*id).is_some();
        let Some(late) = self.late.take().filter(waits) else {
            return self.changed.move_one(true);
        };
        if let Some(id) = self.next_but(late) {
            self.late = Some(late);
            return pass(&mut self.changed, id).map(|()| true);
        }
        pass(&mut self.changed, late).map(|()| true)
    }

    fn next_but(&self, late: MessageId) -> Option<MessageId> {
        let mut held = self.changed.in_flight().held();
        let free = |why| why == Some(HeldBy::Pause);
        let next = held.find(|flight| free(flight.held) && flight.envelope.id != late);
        next.map(|flight| flight.envelope.id)
    }
}

/// The message that a turn delivers.
fn delivered(at: u64, turn: &Turn) -> Result<MessageId, String> {
    match turn.choice {
        Choice::Deliver(id) => Ok(id),
        _ => Err(format!("#{at} delivers no message")),
    }
}
