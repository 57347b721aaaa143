//! Whether a proposal that may have been committed fast was: asking a recovery quorum what speaks
//! against it, and waiting where that is undecided itself.
//!
//! A fast commit of `id` with dependencies D means that a fast quorum held D. An interfering instance x
//! outside D that does not depend on `id` either speaks against that: a replica of both quorums would
//! have told one of the leaders of the other. So either x takes a dependency on `id` in the end, or
//! `id` was not committed fast.

use std::collections::{BTreeMap, BTreeSet};

use crate::epaxos::command::{Payload, StateMachine};
use crate::epaxos::event::{Reason, Rule};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::{Instance, Phase, Proposal};
use crate::epaxos::message::{
    Conflict, Message, Recover, RecoverReply, Validate, ValidateReply, Waiting,
};
use crate::epaxos::mutation::Mutation;
use crate::epaxos::quorum::ReplicaSet;
use crate::epaxos::replica::mutated::force;
use crate::epaxos::replica::{Output, Replica, Stage, send};
use crate::epaxos::time::Time;

/// A proposal that is being validated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Validation {
    /// Q, the recovery quorum.
    pub(super) quorum: ReplicaSet,
    /// How many of Q hold the proposal unchanged.
    holders: usize,
    proposal: Proposal,
    /// Who of Q has answered.
    answered: ReplicaSet,
    /// What speaks against the proposal, and whether somebody knows it to be committed.
    conflicts: BTreeMap<InstanceId, bool>,
    /// What replicas outside Q have answered to Recover since.
    pub(super) late: BTreeMap<ReplicaId, RecoverReply>,
}

impl<M: StateMachine> Replica<M> {
    /// Asks the whole of Q what speaks against a proposal, this replica first.
    pub(super) fn validate(
        &mut self,
        now: Time,
        id: InstanceId,
        quorum: ReplicaSet,
        holders: usize,
        proposal: Proposal,
        out: &mut Vec<Output>,
    ) {
        self.note_proposal(id, proposal.clone());
        let own = self.conflicts(id, &proposal);
        let validation = Validation {
            quorum,
            holders,
            proposal: proposal.clone(),
            answered: ReplicaSet::from_iter([self.options.id]),
            conflicts: own.into_iter().map(|own| (own.instance, own.committed)).collect(),
            late: BTreeMap::new(),
        };
        let ballot = self.enter(now, id, Stage::Validating(validation));
        let message = Message::Validate(Validate { instance: id, ballot, proposal });
        send(self.peers().filter(|peer| quorum.contains(*peer)), &message, out);
    }

    /// A recoverer asks what speaks against a fast commit.
    pub(super) fn on_validate(
        &mut self,
        from: ReplicaId,
        message: Validate,
        out: &mut Vec<Output>,
    ) {
        let (id, ballot) = (message.instance, message.ballot);
        let reason = match self.durable.instances.get(id) {
            _ if self.is_misled(from, ballot) => Some(Reason::NotTheLeader),
            None => Some(Reason::NotJoined),
            Some(instance) if instance.phase.is_committed() => Some(Reason::AlreadyCommitted),
            Some(instance) if ballot < instance.ballot => Some(Reason::StaleBallot),
            Some(instance) if ballot > instance.ballot => Some(Reason::NotJoined),
            // Having voted in this very ballot, the replica must not take the proposal back in.
            Some(instance)
                if instance.phase > Phase::PreAccepted
                    && !self.options.mutated(Mutation::ValidateAfterVote) =>
            {
                Some(Reason::AlreadyAccepted)
            }
            Some(_) => None,
        };
        if let Some(reason) = reason {
            let joined = self.durable.instances.get(id).map(|instance| instance.ballot);
            self.ignore(from, &Message::Validate(message), reason, out);
            match (reason, joined) {
                (Reason::AlreadyCommitted, _) => self.tell_decision(from, id, out),
                (Reason::StaleBallot, Some(joined)) => Self::refuse(from, id, joined, out),
                _ => {}
            }
            return;
        }
        let conflicts = self.conflicts(id, &message.proposal);
        self.note_proposal(id, message.proposal);
        let reply = ValidateReply { instance: id, ballot, conflicts };
        out.push(Output::Send { to: from, message: Message::ValidateReply(reply) });
    }

    /// Takes note of a proposal that is being validated. It can be found by its keys from now on.
    fn note_proposal(&mut self, id: InstanceId, proposal: Proposal) {
        let touches = self.keys.touches(&proposal.payload);
        self.index.record(id, touches.as_slice(), proposal.attributes.seq);
        self.touches.insert(id, touches);
        let instance = self.durable.instances.get_or_insert_with(id, || Instance::new(id));
        let bytes = instance.bytes();
        if self.options.mutated(Mutation::ValidateAfterVote) {
            force(instance, proposal);
        } else {
            instance.validate(proposal);
        }
        self.pending_bytes = self.pending_bytes - bytes + instance.bytes();
    }

    /// The instances known here that interfere with a proposal, that it does not depend on, and that
    /// do not depend on it: by what was decided, or else by what their leaders first proposed.
    fn conflicts(&self, id: InstanceId, proposal: &Proposal) -> Vec<Conflict> {
        let deps = &proposal.attributes.deps;
        // No row is read beyond the last instance that touches one of the keys.
        let touches = self.keys.known(&proposal.payload);
        let conflicting = self.index.interfering(touches.as_slice(), None).deps;
        let rows = ReplicaId::all(self.options.quorums.replicas());
        let outside =
            rows.filter(|row| conflicting.prefix(*row) > deps.prefix(*row)).flat_map(|row| {
                let slots = self.durable.instances.row_from(row, deps.prefix(row));
                let slots = slots.take_while(move |(slot, _)| *slot < conflicting.prefix(row));
                slots.map(move |(slot, instance)| (InstanceId::new(row, slot), instance))
            });
        let conflicting = outside.filter_map(|(other, instance)| {
            let committed = instance.phase.is_committed();
            let (payload, attributes) = if committed {
                (instance.payload.as_ref()?, &instance.attributes)
            } else {
                let initial = instance.initial.as_ref()?;
                (&initial.payload, &initial.attributes)
            };
            let silent = other != id
                && payload.interferes_with(&proposal.payload)
                && !attributes.deps.contains(id);
            silent.then_some(Conflict { instance: other, committed })
        });
        conflicting.collect()
    }

    /// A replica of our recovery quorum says what speaks against the proposal.
    pub(super) fn on_validate_reply(
        &mut self,
        now: Time,
        from: ReplicaId,
        message: &ValidateReply,
        out: &mut Vec<Output>,
    ) {
        let id = message.instance;
        let reason = match self.attempts.get_mut(&id) {
            Some(attempt) if attempt.ballot != message.ballot => Some(Reason::StaleBallot),
            Some(attempt) => match &mut attempt.stage {
                Stage::Validating(validation) if validation.quorum.contains(from) => {
                    let new = validation.answered.insert(from);
                    for conflict in &message.conflicts {
                        *validation.conflicts.entry(conflict.instance).or_default() |=
                            conflict.committed;
                    }
                    (!new).then_some(Reason::Repeated)
                }
                _ => Some(Reason::NotWaiting),
            },
            None => Some(Reason::NotWaiting),
        };
        if let Some(reason) = reason {
            return self.ignore(from, &Message::ValidateReply(message.clone()), reason, out);
        }
        let Stage::Validating(validation) = &self.attempts[&id].stage else {
            unreachable!("the answer was just counted");
        };
        if validation.answered == validation.quorum {
            self.apply_validation_rules(now, id, out);
        }
    }

    /// V1 to V4.
    fn apply_validation_rules(&mut self, now: Time, id: InstanceId, out: &mut Vec<Output>) {
        let Stage::Validating(validation) = &self.attempts[&id].stage else {
            unreachable!("the rules apply to answers to Validate");
        };
        let Validation { quorum, holders, proposal, conflicts, .. } = validation;
        if conflicts.is_empty() {
            let Proposal { payload, attributes } = proposal.clone();
            return self.propose_recovered(now, id, Rule::V1, payload, attributes, out);
        }
        if conflicts.values().any(|committed| *committed) {
            return self.propose_noop(now, id, Rule::V2, out);
        }
        let all_outside = *holders == quorum.len() - self.options.quorums.fast_failures();
        let mutated = self.options.mutated(Mutation::DropV3);
        if !mutated && all_outside && conflicts.keys().any(|other| !quorum.contains(other.replica))
        {
            return self.propose_noop(now, id, Rule::V3, out);
        }
        let holders = *holders;
        let undecided: Vec<_> = conflicts.keys().copied().collect();
        let stage = Stage::Waiting(validation.clone());
        self.rule(id, Rule::V4, out);
        self.enter(now, id, stage);
        let message = Message::Waiting(Waiting { instance: id, holders });
        send(self.peers(), &message, out);
        for other in undecided {
            self.watch(now, other);
        }
        self.check_waiting(now, id, out);
    }

    /// Somebody's recovery waits. Remembered: it may matter to a recovery that only starts to wait.
    pub(super) fn on_waiting(&mut self, now: Time, message: &Waiting, out: &mut Vec<Output>) {
        let known = self.durable.instances.get(message.instance);
        if known.is_some_and(|instance| instance.phase.is_committed()) {
            // What became of it says more.
            return;
        }
        let known = self.waiting.entry(message.instance).or_default();
        *known = message.holders.max(*known);
        self.check_all_waiting(now, out);
    }

    /// Looks again at every recovery that waits: something it may wait for has happened.
    pub(super) fn check_all_waiting(&mut self, now: Time, out: &mut Vec<Output>) {
        // As a rule there are none, and every decision asks.
        for id in self.validating.iter().copied().collect::<Vec<_>>() {
            self.check_waiting(now, id, out);
        }
    }

    /// W1 to W4, where the recovery still waits.
    pub(super) fn check_waiting(&mut self, now: Time, id: InstanceId, out: &mut Vec<Output>) {
        let Some(Stage::Waiting(validation)) = self.attempts.get(&id).map(|attempt| &attempt.stage)
        else {
            return;
        };
        let verdicts: BTreeSet<_> =
            validation.conflicts.keys().map(|other| self.verdict_of(*other, id)).collect();
        if verdicts.contains(&Some(false)) {
            return self.propose_noop(now, id, Rule::W1, out);
        }
        let Proposal { payload, attributes } = validation.proposal.clone();
        if !verdicts.contains(&None) {
            return self.propose_recovered(now, id, Rule::W2, payload, attributes, out);
        }
        let quorums = self.options.quorums;
        let bound = quorums.slow() - quorums.fast_failures();
        let held =
            |other: &InstanceId| self.waiting.get(other).is_some_and(|holders| *holders > bound);
        if validation.conflicts.keys().any(held) {
            return self.propose_noop(now, id, Rule::W3, out);
        }
        let voted = validation.late.values().filter(|late| late.phase == Phase::Accepted);
        let voted = voted.max_by_key(|late| late.accepted_ballot);
        if let Some(RecoverReply { payload: Some(payload), attributes, .. }) = voted {
            let (payload, attributes) = (payload.clone(), *attributes);
            return self.propose_recovered(now, id, Rule::W4, payload, attributes, out);
        }
        if validation.late.contains_key(&id.replica) {
            self.propose_noop(now, id, Rule::W4, out);
        }
    }

    /// Whether what became of a conflicting instance bears with a fast commit of `id`; `None` while
    /// it is undecided here.
    fn verdict_of(&self, other: InstanceId, id: InstanceId) -> Option<bool> {
        let instance = self.durable.instances.get(other)?;
        let noop = instance.payload == Some(Payload::Noop);
        let decided = instance.phase.is_committed();
        decided.then(|| noop || instance.attributes.deps.contains(id))
    }

    /// Repeats what a validation has asked and said; and asks those outside the quorum again, who have
    /// not joined: what they have may settle it (W4).
    pub(super) fn resend_validation(&self, id: InstanceId, out: &mut Vec<Output>) {
        let attempt = &self.attempts[&id];
        let ballot = attempt.ballot;
        match &attempt.stage {
            Stage::Validating(validation) => {
                let proposal = validation.proposal.clone();
                let message = Message::Validate(Validate { instance: id, ballot, proposal });
                let missing = validation.quorum.without(validation.answered);
                send(missing.iter(), &message, out);
                self.ask_outside(id, ballot, validation, out);
            }
            Stage::Waiting(validation) => {
                let message =
                    Message::Waiting(Waiting { instance: id, holders: validation.holders });
                send(self.peers(), &message, out);
                self.ask_outside(id, ballot, validation, out);
            }
            Stage::PreAccepting(_) | Stage::Accepting { .. } | Stage::Recovering(_) => {}
        }
    }

    fn ask_outside(
        &self,
        id: InstanceId,
        ballot: Ballot,
        validation: &Validation,
        out: &mut Vec<Output>,
    ) {
        let answered = |peer: &ReplicaId| {
            validation.quorum.contains(*peer) || validation.late.contains_key(peer)
        };
        let message = Message::Recover(Recover { instance: id, ballot });
        send(self.peers().filter(|peer| !answered(peer)), &message, out);
    }
}
