//! Finishing what another replica left undecided: who joins, and what their answers allow.
//!
//! A recoverer picks a ballot above all it knows, has a majority join it, and then must propose
//! whatever may already have been committed. A vote in an earlier ballot tells that plainly (R1, R2).
//! A fast commit leaves no vote, only replicas that hold the leader's proposal unchanged, and no
//! majority can tell for sure whether there were enough of them. The rules R3 to R5 settle the clear
//! cases; the others are validated (`validation.rs`).

use std::collections::BTreeMap;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::{Payload, StateMachine};
use crate::epaxos::draw::draw;
use crate::epaxos::event::{Cause, Event, Reason, Rule, Timer, TimerKind};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::{Instance, Phase, Proposal};
use crate::epaxos::message::{Message, Nack, Recover, RecoverReply};
use crate::epaxos::mutation::Mutation;
use crate::epaxos::quorum::ReplicaSet;
use crate::epaxos::replica::mutated::next_ballot;
use crate::epaxos::replica::{Attempt, Output, Replica, Stage, send};
use crate::epaxos::time::Time;

/// An instance that this replica will recover if nobody else does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Watch {
    /// The timer that is set for it, unless a recovery is under way here.
    pub(super) timer: Option<(Time, Timer)>,
    /// How often it has been tried.
    tries: u32,
}

impl<M: StateMachine> Replica<M> {
    /// Sees to it that an undecided instance is recovered some time, unless somebody decides it
    /// first. One that this replica still leads in its own first ballot is not: it repeats its
    /// requests, whereas recovering it would make it a no-op (R3).
    pub(super) fn watch(&mut self, now: Time, id: InstanceId) {
        let Some(base) = self.options.timeouts.recover else { return };
        let known = self.durable.instances.get(id);
        let decided = known.is_some_and(|instance| instance.phase.is_committed());
        let led = id.replica == self.options.id && known.is_none_or(|own| own.ballot.is_initial());
        if decided || led || self.attempts.contains_key(&id) || self.missing.is_some() {
            return;
        }
        let watch = self.watches.entry(id).or_insert(Watch { timer: None, tries: 0 });
        if watch.timer.is_none() {
            let wait = base.saturating_mul(1 << watch.tries.min(3));
            // Replicas that wait for the same instance should not all wake at once.
            let (own, leader) = (u64::from(self.options.id.0), u64::from(id.replica.0));
            let drawn = draw(self.options.seed, [own, leader, id.slot, u64::from(watch.tries)]);
            let jitter = wait * u32::try_from(drawn % 1000).expect("it is below 1000") / 1000;
            let timer = (now + wait + jitter, Timer { instance: id, kind: TimerKind::Recover });
            watch.timer = Some(timer);
            watch.tries += 1;
            self.timers.insert(timer);
        }
    }

    /// Puts a watch off: somebody else is at it.
    pub(super) fn put_off(&mut self, now: Time, id: InstanceId) {
        self.stop_watching(id);
        self.watch(now, id);
    }

    /// Takes the timer of a watch away; how often the instance has been tried is remembered.
    fn stop_watching(&mut self, id: InstanceId) {
        if let Some(timer) = self.watches.get_mut(&id).and_then(|watch| watch.timer.take()) {
            self.timers.remove(&timer);
        }
    }

    /// Ends a watch: the instance is decided.
    pub(super) fn unwatch(&mut self, id: InstanceId) {
        if let Some(timer) = self.watches.remove(&id).and_then(|watch| watch.timer) {
            self.timers.remove(&timer);
        }
    }

    /// Nobody has decided the instance in time.
    pub(super) fn on_recover_timer(&mut self, now: Time, id: InstanceId, out: &mut Vec<Output>) {
        if let Some(watch) = self.watches.get_mut(&id) {
            watch.timer = None;
            let tries = watch.tries;
            if self.postpones_recovery(now, id, tries) {
                return self.watch(now, id);
            }
        }
        self.recover_instance(now, id, out);
    }

    /// Sets out to finish an instance in a ballot above all that are known here; where there is none,
    /// leaves it to whoever drives that one.
    pub(super) fn recover_instance(&mut self, now: Time, id: InstanceId, out: &mut Vec<Output>) {
        self.end_attempt(id);
        self.stop_watching(id);
        let known = self.durable.instances.get(id);
        let joined = known.map_or(Ballot::initial(id.replica), |instance| instance.ballot);
        if joined.round == Ballot::ROUND_MAX {
            return;
        }
        let ballot = next_ballot(&self.options, joined);
        let own = reply(self.promise(id, ballot), id);
        self.tell(out, || Event::Recovering { instance: id, ballot });
        let replies = BTreeMap::from([(self.options.id, own)]);
        self.begin_attempt(now, id, ballot, Stage::Recovering(replies));
        let message = Message::Recover(Recover { instance: id, ballot });
        send(self.peers(), &message, out);
    }

    /// Somebody means to finish an instance, and asks us to join.
    pub(super) fn on_recover(
        &mut self,
        now: Time,
        from: ReplicaId,
        message: &Recover,
        out: &mut Vec<Output>,
    ) {
        let (id, ballot) = (message.instance, message.ballot);
        let known = self.durable.instances.get(id);
        let joined = known.map_or(Ballot::initial(id.replica), |instance| instance.ballot);
        let reason = match known {
            _ if self.is_misled(from, ballot) => Some(Reason::NotTheLeader),
            Some(instance) if instance.phase.is_committed() => Some(Reason::AlreadyCommitted),
            _ if ballot < joined => Some(Reason::StaleBallot),
            _ => None,
        };
        if let Some(reason) = reason {
            self.ignore(from, &Message::Recover(message.clone()), reason, out);
            match reason {
                Reason::AlreadyCommitted => self.tell_decision(from, id, out),
                Reason::StaleBallot => Self::refuse(from, id, joined, out),
                _ => {}
            }
            return;
        }
        if ballot > joined && !self.options.mutated(Mutation::NoPromise) {
            self.join(now, id, ballot, out);
        }
        let instance = self.durable.instances.get_or_insert_with(id, || Instance::new(id));
        let message =
            Message::RecoverReply(Box::new(RecoverReply { ballot, ..reply(instance, id) }));
        out.push(Output::Send { to: from, message });
    }

    /// Promises to act on no lower ballot of an instance any more.
    fn promise(&mut self, id: InstanceId, ballot: Ballot) -> &Instance {
        let instance = self.durable.instances.get_or_insert_with(id, || Instance::new(id));
        if self.options.mutated(Mutation::SingleBallot) && instance.phase == Phase::Accepted {
            instance.accepted_ballot = instance.ballot;
        }
        instance.join(ballot);
        instance
    }

    /// Joins somebody else's ballot, which ends an attempt of our own.
    pub(super) fn join(
        &mut self,
        now: Time,
        id: InstanceId,
        ballot: Ballot,
        out: &mut Vec<Output>,
    ) {
        self.end_attempt(id);
        self.promise(id, ballot);
        self.tell(out, || Event::Joined { instance: id, ballot });
        self.put_off(now, id);
    }

    /// Tells a driver which ballot it has to beat.
    pub(super) fn refuse(
        to: ReplicaId,
        instance: InstanceId,
        ballot: Ballot,
        out: &mut Vec<Output>,
    ) {
        out.push(Output::Send { to, message: Message::Nack(Nack { instance, ballot }) });
    }

    /// Somebody has joined a higher ballot than the one we drive.
    pub(super) fn on_nack(
        &mut self,
        now: Time,
        from: ReplicaId,
        message: &Nack,
        out: &mut Vec<Output>,
    ) {
        let id = message.instance;
        match self.attempts.get(&id) {
            None => {
                let reason = Reason::NotWaiting;
                self.ignore(from, &Message::Nack(message.clone()), reason, out);
            }
            Some(attempt) if message.ballot <= attempt.ballot => {
                let reason = Reason::StaleBallot;
                self.ignore(from, &Message::Nack(message.clone()), reason, out);
            }
            // Joining is a promise, and a promise can do no harm; our next ballot will beat it.
            Some(_) => self.join(now, id, message.ballot, out),
        }
    }

    /// A replica has joined our ballot, and says what it has.
    pub(super) fn on_recover_reply(
        &mut self,
        now: Time,
        from: ReplicaId,
        message: RecoverReply,
        out: &mut Vec<Output>,
    ) {
        let id = message.instance;
        let reason = match self.attempts.get_mut(&id) {
            Some(attempt) if attempt.ballot != message.ballot => Some(Reason::StaleBallot),
            Some(Attempt { stage: Stage::Recovering(replies), .. }) => {
                let new = !replies.contains_key(&from);
                replies.entry(from).or_insert_with(|| message.clone());
                (!new).then_some(Reason::Repeated)
            }
            Some(Attempt {
                stage: Stage::Validating(validation) | Stage::Waiting(validation),
                ..
            }) if !validation.quorum.contains(from) => {
                validation.late.insert(from, message.clone());
                None
            }
            Some(_) | None => Some(Reason::NotWaiting),
        };
        if let Some(reason) = reason {
            return self.ignore(from, &Message::RecoverReply(Box::new(message)), reason, out);
        }
        match &self.attempts[&id].stage {
            Stage::Recovering(replies) if replies.len() >= self.options.quorums.slow() => {
                self.apply_recovery_rules(now, id, out);
            }
            Stage::Waiting(_) => self.check_waiting(now, id, out),
            _ => {}
        }
    }

    /// R2 to R5. (R1, a decision, is answered with a Commit, and ends the attempt there.)
    fn apply_recovery_rules(&mut self, now: Time, id: InstanceId, out: &mut Vec<Output>) {
        let Stage::Recovering(replies) = &self.attempts[&id].stage else {
            unreachable!("the rules apply to answers to Recover");
        };
        let quorums = self.options.quorums;
        let highest = replies.values().map(|reply| reply.accepted_ballot).max();
        let voted = replies
            .values()
            .find(|reply| reply.phase == Phase::Accepted && Some(reply.accepted_ballot) == highest);
        if let Some(RecoverReply { payload: Some(payload), attributes, .. }) = voted {
            let (payload, attributes) = (payload.clone(), *attributes);
            return self.propose_recovered(now, id, Rule::R2, payload, attributes, out);
        }
        if replies.contains_key(&id.replica) && !self.options.mutated(Mutation::DropR3) {
            return self.propose_noop(now, id, Rule::R3, out);
        }
        let holders = replies.values().filter_map(held_proposal);
        let (count, held) = (holders.clone().count(), holders.clone().next().cloned());
        // A fast commit needs N−e holders, of which at most N−#Q are outside Q.
        let mut needed = (replies.len() - quorums.fast_failures()).max(1);
        if self.options.mutated(Mutation::HoldersThreshold) {
            needed = quorums.failures();
        }
        match held {
            Some(proposal) if count >= needed => {
                let quorum: ReplicaSet = replies.keys().copied().collect();
                self.rule(id, Rule::R4, out);
                if self.options.mutated(Mutation::SkipValidate) {
                    let Proposal { payload, attributes } = proposal;
                    return self.propose_recovered(now, id, Rule::V1, payload, attributes, out);
                }
                self.validate(now, id, quorum, count, proposal, out);
            }
            _ => self.propose_noop(now, id, Rule::R5, out),
        }
    }

    /// Notes which rule decided how a recovery goes on.
    pub(super) fn rule(&self, instance: InstanceId, rule: Rule, out: &mut Vec<Output>) {
        self.tell(out, || Event::Ruled { instance, rule });
    }

    /// Has a majority vote for nothing being done: no fast commit happened or can happen.
    pub(super) fn propose_noop(
        &mut self,
        now: Time,
        id: InstanceId,
        rule: Rule,
        out: &mut Vec<Output>,
    ) {
        self.propose_recovered(now, id, rule, Payload::Noop, Attributes::NONE, out);
    }

    /// Has a majority vote for what a rule found.
    pub(super) fn propose_recovered(
        &mut self,
        now: Time,
        id: InstanceId,
        rule: Rule,
        payload: Payload,
        attributes: Attributes,
        out: &mut Vec<Output>,
    ) {
        self.rule(id, rule, out);
        self.ask_for_votes(now, id, Cause::Recovery(rule), payload, attributes, out);
    }

    /// Asks everybody to join who has not answered.
    pub(super) fn resend_recover(&self, id: InstanceId, out: &mut Vec<Output>) {
        let Some(Attempt { ballot, stage: Stage::Recovering(replies), .. }) =
            self.attempts.get(&id)
        else {
            unreachable!("only an attempt that waits for replicas to join repeats the request")
        };
        let message = Message::Recover(Recover { instance: id, ballot: *ballot });
        send(self.peers().filter(|peer| !replies.contains_key(peer)), &message, out);
    }
}

/// What a replica has, as an answer to whoever recovers it.
fn reply(instance: &Instance, id: InstanceId) -> RecoverReply {
    RecoverReply {
        instance: id,
        ballot: instance.ballot,
        phase: instance.phase,
        accepted_ballot: instance.accepted_ballot,
        payload: instance.payload.clone(),
        attributes: instance.attributes,
        initial: instance.initial.clone(),
    }
}

/// The leader's proposal, where the replica has it recorded unchanged: what it would have been
/// counted for in a fast quorum.
fn held_proposal(reply: &RecoverReply) -> Option<&Proposal> {
    let initial = reply.initial.as_ref()?;
    let held = reply.phase == Phase::PreAccepted && reply.attributes == initial.attributes;
    held.then_some(initial)
}
