//! Where the protocol can be broken on purpose: see [`Mutation`]. Without the feature `mutations` all
//! questions here are answered with a constant.

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::StateMachine;
use crate::epaxos::event::Cause;
use crate::epaxos::execution::Execution;
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::{Instance, Path, Phase, Proposal};
use crate::epaxos::mutation::Mutation;
use crate::epaxos::quorum::ReplicaSet;
use crate::epaxos::replica::{Options, Output, Replica, Stage};
use crate::epaxos::time::Time;

impl Options {
    /// Whether the protocol is broken in this way.
    #[cfg(feature = "mutations")]
    pub(super) fn mutated(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Whether the protocol is broken in this way: it is not.
    #[cfg(not(feature = "mutations"))]
    #[expect(clippy::unused_self, reason = "it has the shape of the one with the feature")]
    pub(super) const fn mutated(&self, _: Mutation) -> bool {
        false
    }
}

/// The execution of a replica with these options.
pub(super) fn execution(options: &Options) -> Execution {
    let execution = Execution::new(options.quorums.replicas());
    #[cfg(feature = "mutations")]
    if options.mutated(Mutation::LatestOnly) {
        return execution.latest_only();
    }
    execution
}

impl<M: StateMachine> Replica<M> {
    /// Whether somebody uses a ballot that is another one's.
    pub(super) fn is_misled(&self, from: ReplicaId, ballot: Ballot) -> bool {
        from != ballot.replica && !self.options.mutated(Mutation::SharedBallots)
    }

    /// What is taken for a fast quorum, and for what it holds, where the count is broken.
    pub(super) fn mistaken_quorum(&self, id: InstanceId) -> Option<(ReplicaSet, Attributes)> {
        let apart = self.options.mutated(Mutation::EqualToEachOther);
        let unequal = self.options.mutated(Mutation::SeqNotCompared);
        if !apart && !unequal {
            return None;
        }
        let Stage::PreAccepting(tally) = &self.attempts.get(&id)?.stage else { return None };
        let [(_, proposal), replies @ ..] = tally.votes() else { return None };
        replies.iter().find_map(|(_, candidate)| {
            let same = |reply: &Attributes| {
                if apart { reply == candidate } else { reply.deps == proposal.deps }
            };
            let alike = replies.iter().filter(|(_, reply)| same(reply));
            let largest = alike.clone().map(|(_, reply)| reply.seq).max()?;
            let who: ReplicaSet = alike.map(|(replica, _)| *replica).collect();
            let enough = who.len() + 1 >= self.options.quorums.fast();
            enough.then_some((who, Attributes { seq: largest, ..*candidate }))
        })
    }

    /// Commits what no fast quorum holds.
    pub(super) fn decide_by_mistake(
        &mut self,
        now: Time,
        id: InstanceId,
        (equal, attributes): (ReplicaSet, Attributes),
        out: &mut Vec<Output>,
    ) {
        self.durable.instances.get_mut(id).expect("it is led here").attributes = attributes;
        if let Some(touches) = self.touches.get(id) {
            self.index.record(id, touches.as_slice(), attributes.seq);
        }
        self.decide(now, id, Cause::FastQuorum { equal }, Path::Fast, out);
    }
}

/// What a crash takes along that should have been durable.
pub(super) fn forget(options: &Options, id: InstanceId, instance: &mut Instance) {
    let undecided = !instance.phase.is_committed();
    if options.mutated(Mutation::ForgetPromises) && undecided {
        instance.ballot = instance.accepted_ballot;
    }
    let foreign = id.replica != options.id && instance.phase == Phase::PreAccepted;
    if options.mutated(Mutation::ForgetPreAccepts) && foreign {
        let ballot = instance.ballot;
        *instance = Instance::new(id);
        instance.ballot = ballot;
    }
}

/// Records a proposal whatever the instance has come to.
pub(super) fn force(instance: &mut Instance, proposal: Proposal) {
    instance.set_payload(proposal.payload.clone());
    instance.initial = Some(proposal);
}

/// The ballot that a recoverer takes.
pub(super) fn next_ballot(options: &Options, joined: Ballot) -> Ballot {
    // The own name makes it a ballot that nobody else drives, whoever drove the last one.
    let shared = options.mutated(Mutation::SharedBallots);
    let replica = if shared { joined.replica } else { options.id };
    Ballot { round: joined.round + 1, replica }
}
