//! Phase 2, the slow path: a majority votes on the union of what was known.

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::{Payload, StateMachine};
use crate::epaxos::event::{Cause, Reason};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::{Path, Phase};
use crate::epaxos::message::{Accept, AcceptReply, Message};
use crate::epaxos::quorum::ReplicaSet;
use crate::epaxos::replica::{Attempt, Output, Replica, Stage, send};
use crate::epaxos::time::Time;

impl<M: StateMachine> Replica<M> {
    /// Gives up the fast path: votes for the union of all replies and asks a slow quorum to.
    pub(super) fn go_slow(
        &mut self,
        now: Time,
        id: InstanceId,
        timed_out: bool,
        out: &mut Vec<Output>,
    ) {
        let Some(Attempt { stage: Stage::PreAccepting(tally), .. }) = self.attempts.get(&id) else {
            unreachable!("the slow path follows PreAccept");
        };
        let attributes = tally.union();
        let cause = Cause::SlowPath { votes: tally.votes().to_vec(), timed_out };
        let instance = self.durable.instances.get(id).expect("a led instance is recorded");
        let payload = instance.payload.clone().expect("the leader knows its own commands");
        self.ask_for_votes(now, id, cause, payload, attributes, out);
    }

    /// Votes for a payload and its attributes in the ballot of the attempt, and asks others to: a
    /// leader a slow quorum, a recoverer, who knows that somebody is gone, everybody.
    pub(super) fn ask_for_votes(
        &mut self,
        now: Time,
        id: InstanceId,
        cause: Cause,
        payload: Payload,
        attributes: Attributes,
        out: &mut Vec<Output>,
    ) {
        let voters = ReplicaSet::from_iter([self.options.id]);
        let ballot = self.enter(now, id, Stage::Accepting { voters });
        let vote = payload.clone();
        self.update(id, cause, |instance| instance.accept(ballot, vote, attributes), out);
        let message = Message::Accept(Accept { instance: id, ballot, payload, attributes });
        if ballot.is_initial() {
            send(self.peers_for(self.options.quorums.slow()), &message, out);
        } else {
            send(self.peers(), &message, out);
        }
    }

    /// The driver of a ballot asks for our vote.
    pub(super) fn on_accept(
        &mut self,
        now: Time,
        from: ReplicaId,
        message: Accept,
        out: &mut Vec<Output>,
    ) {
        let id = message.instance;
        // A ballot belongs to one driver, and only that one proposes in it.
        let misled = self.is_misled(from, message.ballot);
        let reason = match self.durable.instances.get(id) {
            _ if misled => Some(Reason::NotTheLeader),
            Some(instance) if instance.phase.is_committed() => Some(Reason::AlreadyCommitted),
            Some(instance) if message.ballot < instance.ballot => Some(Reason::StaleBallot),
            Some(instance)
                if instance.phase == Phase::Accepted
                    && instance.accepted_ballot == message.ballot =>
            {
                Some(Reason::Repeated)
            }
            Some(_) | None => None,
        };
        let ballot = message.ballot;
        let joined = self.durable.instances.get(id).map(|instance| instance.ballot);
        if let Some(reason) = reason {
            self.ignore(from, &Message::Accept(message), reason, out);
            match reason {
                Reason::AlreadyCommitted => self.tell_decision(from, id, out),
                Reason::Repeated => Self::send_accept_reply(from, id, ballot, out),
                Reason::StaleBallot => {
                    Self::refuse(from, id, joined.expect("only what is known is newer"), out);
                }
                _ => {}
            }
            return;
        }
        if joined.is_some_and(|joined| joined < ballot) {
            self.end_attempt(id);
        }
        let Accept { payload, attributes, .. } = message;
        let cause = Cause::Accept { from };
        self.update(id, cause, |instance| instance.accept(ballot, payload, attributes), out);
        Self::send_accept_reply(from, id, ballot, out);
        self.put_off(now, id);
    }

    fn send_accept_reply(
        to: ReplicaId,
        instance: InstanceId,
        ballot: Ballot,
        out: &mut Vec<Output>,
    ) {
        let reply = AcceptReply { instance, ballot };
        out.push(Output::Send { to, message: Message::AcceptReply(reply) });
    }

    /// An acceptor voted for what we asked it to.
    pub(super) fn on_accept_reply(
        &mut self,
        now: Time,
        from: ReplicaId,
        message: &AcceptReply,
        out: &mut Vec<Output>,
    ) {
        let id = message.instance;
        let reason = match self.attempts.get_mut(&id) {
            Some(Attempt { ballot, .. }) if message.ballot != *ballot => Some(Reason::StaleBallot),
            Some(Attempt { stage: Stage::Accepting { voters }, .. }) => {
                (!voters.insert(from)).then_some(Reason::Repeated)
            }
            Some(_) | None => Some(Reason::NotWaiting),
        };
        if let Some(reason) = reason {
            return self.ignore(from, &Message::AcceptReply(message.clone()), reason, out);
        }
        let Some(Attempt { ballot, stage: Stage::Accepting { voters }, .. }) =
            self.attempts.get(&id)
        else {
            unreachable!("the vote was just counted");
        };
        let accepted = *voters;
        if accepted.len() < self.options.quorums.slow() {
            return;
        }
        if ballot.is_initial() {
            self.decide(now, id, Cause::SlowQuorum { accepted }, Path::Slow, out);
        } else {
            self.decide(now, id, Cause::RecoveryQuorum { accepted }, Path::Recovery, out);
        }
    }

    /// Sends the Accept to every replica that has not voted, thrifty or not.
    pub(super) fn resend_accept(&mut self, id: InstanceId, out: &mut Vec<Output>) {
        let Some(Attempt { ballot, stage: Stage::Accepting { voters }, .. }) =
            self.attempts.get(&id)
        else {
            unreachable!("only an attempt that waits for votes repeats the request")
        };
        let instance = self.durable.instances.get(id).expect("a driven instance is recorded");
        let payload = instance.payload.clone().expect("what is voted on is known");
        let attributes = instance.attributes;
        let message =
            Message::Accept(Accept { instance: id, ballot: *ballot, payload, attributes });
        let voters = *voters;
        send(self.peers().filter(|peer| !voters.contains(*peer)), &message, out);
    }
}
