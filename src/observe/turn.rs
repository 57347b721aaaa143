//! A decision without what came of it: all that has to be kept of a run so that it can be had again.

use crate::epaxos::command::Command;
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::time::Time;
use crate::observe::notice::{Decision, Step};

/// One decision of a run. What came of it comes of it again, wherever the decisions before it were the
/// same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The replica that was reached, or whose message was.
    pub replica: ReplicaId,
    /// What its clock said.
    pub now: Time,
    /// What happened.
    pub choice: Choice,
}

/// A [`Decision`] in which messages are named and not contained: what they say follows from the turns
/// before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Clients asked for these, together.
    Propose(Vec<Command>),
    /// A message was let through.
    Deliver(MessageId),
    /// A message was thrown away at the gate.
    Drop(MessageId),
    /// A message was doubled at the gate; the twin has the second name.
    Duplicate(MessageId, MessageId),
    /// A message was given up by its sender.
    Lose(MessageId),
    /// The replica's clock reached a timer.
    Wake,
    /// The replica lost everything but what is durable, and is down.
    Crash,
    /// The replica came back with what is durable.
    Restart,
    /// The replica's program failed with this sentence, and the replica is down.
    Panic(String),
    /// The replica's program failed at this: nothing of what it was about to say was heard.
    Failed(Box<Choice>),
}

/// What is to come of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The decision, and what comes of it.
    pub step: Step,
    /// What its replica is then: [`Seat::fingerprint`](crate::epaxos::seat::Seat::fingerprint).
    pub state: u64,
}

impl Choice {
    /// What was decided. Nothing where a replica showed itself after steps that nobody saw: what
    /// those were is not known.
    pub fn of(decision: &Decision) -> Option<Self> {
        Some(match decision {
            Decision::Propose(commands) => Self::Propose(commands.clone()),
            Decision::Deliver(envelope) => Self::Deliver(envelope.id),
            Decision::Drop(envelope) => Self::Drop(envelope.id),
            Decision::Duplicate(envelope, copy) => Self::Duplicate(envelope.id, *copy),
            Decision::Lose(envelope) => Self::Lose(envelope.id),
            Decision::Wake => Self::Wake,
            Decision::Crash => Self::Crash,
            Decision::Restart => Self::Restart,
            Decision::Panic(sentence) => Self::Panic(sentence.clone()),
            Decision::Show(_) => return None,
        })
    }

    /// The message that it is about, where it is about one.
    pub fn message(&self) -> Option<MessageId> {
        match self {
            Self::Deliver(id) | Self::Drop(id) | Self::Duplicate(id, _) | Self::Lose(id) => {
                Some(*id)
            }
            Self::Failed(choice) => choice.message(),
            Self::Propose(_) | Self::Wake | Self::Crash | Self::Restart | Self::Panic(_) => None,
        }
    }
}

impl Turn {
    /// The decision of a step; see [`Choice::of`].
    pub fn of(step: &Step) -> Option<Self> {
        let choice = Choice::of(&step.decision)?;
        Some(Self { replica: step.replica, now: step.now, choice })
    }
}
