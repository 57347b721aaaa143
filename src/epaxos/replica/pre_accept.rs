//! Phase 1: the leader proposes attributes, acceptors add what they know.

use std::sync::Arc;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::{Command, Payload, StateMachine};
use crate::epaxos::event::{Cause, Event, Reason, Timer, TimerKind};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::{Instance, Path, Phase, Proposal};
use crate::epaxos::message::{Message, PreAccept, PreAcceptReply};
use crate::epaxos::mutation::Mutation;
use crate::epaxos::quorum::{PreAcceptTally, Verdict};
use crate::epaxos::replica::mutated::force;
use crate::epaxos::replica::{Attempt, Output, Replica, Stage};
use crate::epaxos::time::Time;

impl<M: StateMachine> Replica<M> {
    /// Makes a new instance of client commands and asks for a fast quorum.
    pub(super) fn lead(
        &mut self,
        now: Time,
        commands: Arc<[Command]>,
        instead_of: Option<InstanceId>,
        out: &mut Vec<Output>,
    ) {
        let id = InstanceId::new(self.options.id, self.durable.next_slot);
        self.durable.next_slot += 1;
        let ballot = Ballot::initial(self.options.id);
        let payload = Payload::Commands(commands.clone());
        let mut attributes = Attributes::default();
        let touches = self.keys.touches(&payload);
        self.add_interfering(&touches, None, &mut attributes);
        self.touches.insert(id, touches);
        self.tell(out, || Event::Proposed { instance: id, commands, attributes, instead_of });

        let proposal = Proposal { payload: payload.clone(), attributes };
        self.update(id, Cause::Proposed, |instance| instance.pre_accept(proposal, attributes), out);

        let mut tally = PreAcceptTally::new(self.options.id, attributes);
        let message = Message::PreAccept(PreAccept { instance: id, ballot, payload, attributes });
        for to in self.peers_for(self.options.quorums.fast()) {
            tally.ask(to);
            out.push(Output::Send { to, message: message.clone() });
        }
        self.begin_attempt(now, id, ballot, Stage::PreAccepting(tally));
    }

    /// A command leader asks us to order its command after everything we know to interfere.
    pub(super) fn on_pre_accept(
        &mut self,
        now: Time,
        from: ReplicaId,
        message: PreAccept,
        out: &mut Vec<Output>,
    ) {
        let id = message.instance;
        // Nobody but the leader may use the initial ballot, and no other carries a PreAccept.
        let misled = from != id.replica || message.ballot != Ballot::initial(id.replica);
        let (phase, joined) = match self.durable.instances.get(id) {
            Some(instance) => (instance.phase, instance.ballot),
            None => (Phase::Initial, message.ballot),
        };
        let late = self.options.mutated(Mutation::PreAcceptAfterJoin);
        let reason = match phase {
            _ if misled => Some(Reason::NotTheLeader),
            Phase::Committed | Phase::Executed => Some(Reason::AlreadyCommitted),
            // Answering after having joined a recovery could complete a fast quorum that the
            // recovery has already counted out.
            _ if message.ballot < joined && !late => Some(Reason::StaleBallot),
            Phase::Accepted => Some(Reason::AlreadyAccepted),
            Phase::PreAccepted => Some(Reason::Repeated),
            Phase::Initial => None,
        };
        if let Some(reason) = reason {
            self.ignore(from, &Message::PreAccept(message), reason, out);
            match reason {
                Reason::AlreadyCommitted => self.tell_decision(from, id, out),
                Reason::Repeated => self.send_pre_accept_reply(from, id, out),
                Reason::StaleBallot => Self::refuse(from, id, joined, out),
                _ => {}
            }
            return;
        }

        // The leader knows its own row, and its later commands already depend on this one.
        let mut attributes = message.attributes;
        let touches = self.keys.touches(&message.payload);
        self.add_interfering(&touches, Some(id.replica), &mut attributes);
        self.touches.insert(id, touches);
        let cause = Cause::PreAccept { from, proposal: message.attributes };
        let proposal = Proposal { payload: message.payload, attributes: message.attributes };
        let record = |instance: &mut Instance| {
            if late {
                force(instance, proposal);
                (instance.attributes, instance.phase) = (attributes, Phase::PreAccepted);
            } else {
                instance.pre_accept(proposal, attributes);
            }
        };
        self.update(id, cause, record, out);
        self.send_pre_accept_reply(from, id, out);
        self.watch(now, id);
    }

    /// Answers a PreAccept with what is recorded, the first time or again.
    fn send_pre_accept_reply(&self, to: ReplicaId, id: InstanceId, out: &mut Vec<Output>) {
        let instance = self.durable.instances.get(id).expect("only what is recorded is answered");
        let ballot = Ballot::initial(id.replica);
        let reply = PreAcceptReply { instance: id, ballot, attributes: instance.attributes };
        out.push(Output::Send { to, message: Message::PreAcceptReply(reply) });
    }

    /// An acceptor says with which attributes it recorded our command.
    pub(super) fn on_pre_accept_reply(
        &mut self,
        now: Time,
        from: ReplicaId,
        message: &PreAcceptReply,
        out: &mut Vec<Output>,
    ) {
        let id = message.instance;
        let ignored = |reason| (reason, Message::PreAcceptReply(message.clone()));
        let Some(Attempt { ballot, stage: Stage::PreAccepting(tally), timer, .. }) =
            self.attempts.get_mut(&id)
        else {
            let (reason, message) = ignored(Reason::NotWaiting);
            return self.ignore(from, &message, reason, out);
        };
        if message.ballot != *ballot {
            let (reason, message) = ignored(Reason::StaleBallot);
            return self.ignore(from, &message, reason, out);
        }
        if !tally.record(from, message.attributes) {
            let (reason, message) = ignored(Reason::Repeated);
            return self.ignore(from, &message, reason, out);
        }
        let verdict = tally.verdict(self.options.quorums);
        let (equal, patient) = (tally.equal(), timer.1.kind != TimerKind::FastPath);
        if let Some(mistake) = self.mistaken_quorum(id) {
            return self.decide_by_mistake(now, id, mistake, out);
        }
        match verdict {
            Verdict::Fast => {
                let cause = Cause::FastQuorum { equal };
                self.decide(now, id, cause, Path::Fast, out);
            }
            Verdict::Slow => self.go_slow(now, id, false, out),
            // Set once: later replies do not make the leader wait longer.
            Verdict::SlowEnough if patient => {
                let timer = Timer { instance: id, kind: TimerKind::FastPath };
                self.set_timer((now + self.options.timeouts.fast_path, timer));
            }
            Verdict::SlowEnough | Verdict::Waiting => {}
        }
    }

    /// Sends the PreAccept to every replica that has not answered, thrifty or not.
    pub(super) fn resend_pre_accept(&mut self, id: InstanceId, out: &mut Vec<Output>) {
        let peers = self.peers();
        let Some(Attempt { ballot, stage: Stage::PreAccepting(tally), .. }) =
            self.attempts.get_mut(&id)
        else {
            unreachable!("only an attempt that waits for PreAccept replies repeats the request")
        };
        let instance = self.durable.instances.get(id).expect("a led instance is recorded");
        let Proposal { payload, attributes } =
            instance.initial.clone().expect("the leader knows its own proposal");
        let message =
            Message::PreAccept(PreAccept { instance: id, ballot: *ballot, payload, attributes });
        let voters = tally.voters();
        for to in peers.filter(|peer| !voters.contains(*peer)) {
            tally.ask(to);
            out.push(Output::Send { to, message: message.clone() });
        }
    }
}
