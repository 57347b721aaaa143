//! The messages of recovery.

use super::{Dialect, Refusal, present};
use crate::epaxos::id::InstanceId;
use crate::epaxos::instance::{Phase, Proposal};
use crate::epaxos::message::{
    Conflict, Nack, Recover, RecoverReply, Validate, ValidateReply, Waiting,
};
use crate::net::wire;

impl Dialect {
    pub(super) fn recover(self, message: wire::Recover) -> Result<Recover, Refusal> {
        let instance = self.instance(message.instance)?;
        Ok(Recover { instance, ballot: self.ballot(message.ballot, instance)? })
    }

    /// A recoverer acts on what replies say of votes, so what they say must be possible.
    pub(super) fn recover_reply(
        self,
        message: wire::RecoverReply,
    ) -> Result<RecoverReply, Refusal> {
        let instance = self.instance(message.instance)?;
        let ballot = self.ballot(message.ballot, instance)?;
        let phase = phase(message.phase)?;
        let vote = self.ballot(message.accepted_ballot, instance)?;
        let possible = if phase == Phase::Accepted { vote <= ballot } else { vote.is_initial() };
        if !possible {
            return Err(Refusal::Vote { instance, vote, phase, ballot });
        }
        if phase != Phase::Initial {
            present(message.payload.as_ref(), "payload")?;
        }
        if phase == Phase::PreAccepted {
            present(message.initial.as_ref(), "proposal")?;
        }
        let initial = message.initial.map(|initial| self.proposal(Some(initial), instance));
        Ok(RecoverReply {
            instance,
            ballot,
            phase,
            accepted_ballot: vote,
            payload: message.payload.map(|payload| self.payload(Some(payload))).transpose()?,
            attributes: self.attributes(message.attributes, instance)?,
            initial: initial.transpose()?,
        })
    }

    pub(super) fn validate(self, message: wire::Validate) -> Result<Validate, Refusal> {
        let instance = self.instance(message.instance)?;
        Ok(Validate {
            instance,
            ballot: self.ballot(message.ballot, instance)?,
            proposal: self.proposal(message.proposal, instance)?,
        })
    }

    pub(super) fn validate_reply(
        self,
        message: wire::ValidateReply,
    ) -> Result<ValidateReply, Refusal> {
        if message.conflicts.len() > CONFLICTS_MAX {
            return Err(Refusal::Conflicts(message.conflicts.len()));
        }
        let conflict = |conflict: wire::Conflict| {
            let instance = self.instance(conflict.instance)?;
            Ok(Conflict { instance, committed: conflict.committed })
        };
        let about = self.instance(message.instance)?;
        Ok(ValidateReply {
            instance: about,
            ballot: self.ballot(message.ballot, about)?,
            conflicts: message
                .conflicts
                .into_iter()
                .map(conflict)
                .collect::<Result<_, Refusal>>()?,
        })
    }

    pub(super) fn waiting(self, message: wire::Waiting) -> Result<Waiting, Refusal> {
        let holders = usize::try_from(message.holders).ok().filter(|count| *count <= self.replicas);
        Ok(Waiting {
            instance: self.instance(message.instance)?,
            holders: holders.ok_or(Refusal::Holders(message.holders))?,
        })
    }

    pub(super) fn nack(self, message: wire::Nack) -> Result<Nack, Refusal> {
        let instance = self.instance(message.instance)?;
        Ok(Nack { instance, ballot: self.ballot(message.ballot, instance)? })
    }

    fn proposal(
        self,
        proposal: Option<wire::Proposal>,
        of: InstanceId,
    ) -> Result<Proposal, Refusal> {
        let proposal = present(proposal, "proposal")?;
        Ok(Proposal {
            payload: self.payload(proposal.payload)?,
            attributes: self.attributes(proposal.attributes, of)?,
        })
    }

    pub(super) fn write_recover_reply(self, message: &RecoverReply) -> wire::RecoverReply {
        wire::RecoverReply {
            instance: Some(message.instance.into()),
            ballot: Some(message.ballot.into()),
            phase: wire::Phase::from(message.phase).into(),
            accepted_ballot: Some(message.accepted_ballot.into()),
            payload: message.payload.as_ref().map(Into::into),
            attributes: Some(self.write_attributes(&message.attributes)),
            initial: message.initial.as_ref().map(|initial| self.write_proposal(initial)),
        }
    }

    pub(super) fn write_proposal(self, proposal: &Proposal) -> wire::Proposal {
        wire::Proposal {
            payload: Some((&proposal.payload).into()),
            attributes: Some(self.write_attributes(&proposal.attributes)),
        }
    }
}

fn phase(phase: i32) -> Result<Phase, Refusal> {
    match wire::Phase::try_from(phase) {
        Ok(wire::Phase::Initial) => Ok(Phase::Initial),
        Ok(wire::Phase::PreAccepted) => Ok(Phase::PreAccepted),
        Ok(wire::Phase::Accepted) => Ok(Phase::Accepted),
        Ok(wire::Phase::Unspecified) | Err(_) => Err(Refusal::Phase(phase)),
    }
}

impl From<Phase> for wire::Phase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Initial => Self::Initial,
            Phase::PreAccepted => Self::PreAccepted,
            Phase::Accepted => Self::Accepted,
            Phase::Committed | Phase::Executed => {
                unreachable!("about a decided instance, the decision is said")
            }
        }
    }
}

impl From<&ValidateReply> for wire::ValidateReply {
    fn from(message: &ValidateReply) -> Self {
        let conflict = |conflict: &Conflict| wire::Conflict {
            instance: Some(conflict.instance.into()),
            committed: conflict.committed,
        };
        Self {
            instance: Some(message.instance.into()),
            ballot: Some(message.ballot.into()),
            conflicts: message.conflicts.iter().map(conflict).collect(),
        }
    }
}

impl From<&Waiting> for wire::Waiting {
    fn from(message: &Waiting) -> Self {
        let holders = u32::try_from(message.holders).expect("there are few replicas");
        Self { instance: Some(message.instance.into()), holders }
    }
}

/// As many conflicts as one reply may name.
pub(super) const CONFLICTS_MAX: usize = 100_000;
