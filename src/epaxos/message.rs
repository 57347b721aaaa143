//! What replicas say to each other.
//!
//! | message | from → to | answered by | handled in | paper |
//! |---|---|---|---|---|
//! | [`PreAccept`] | command leader → fast quorum | `PreAcceptReply`, or `Commit` | `pre_accept.rs` | fig. 2, phase 1 |
//! | [`PreAcceptReply`] | acceptor → command leader | – | `pre_accept.rs` | fig. 2, phase 1 |
//! | [`Accept`] | ballot's driver → slow quorum | `AcceptReply`, or `Commit` | `accept.rs` | fig. 2, Paxos-Accept |
//! | [`AcceptReply`] | acceptor → ballot's driver | – | `accept.rs` | fig. 2, Paxos-Accept |
//! | [`Commit`] | whoever knows → all | never | `commit.rs` | fig. 2, commit |
//! | [`Recover`] | recoverer → all | `RecoverReply`, `Nack` or `Commit` | `recovery.rs` | EPaxos* fig. 3 |
//! | [`RecoverReply`] | whoever joined → recoverer | – | `recovery.rs` | EPaxos* fig. 3 |
//! | [`Validate`] | recoverer → recovery quorum | `ValidateReply`, `Nack` or `Commit` | `validation.rs` | EPaxos* fig. 3 |
//! | [`ValidateReply`] | recovery quorum → recoverer | – | `validation.rs` | EPaxos* fig. 3 |
//! | [`Waiting`] | recoverer → all | never | `validation.rs` | EPaxos* fig. 3 |
//! | [`Nack`] | whoever joined a higher ballot → driver | never | `recovery.rs` | – |
//! | [`Executed`] | whoever has executed so many more → all | never | `letting_go.rs` | – |
//! | [`Fetch`] | whoever has missed much → whoever has it | `Commit`s, or `Gone` | `fetching.rs` | – |
//! | [`Gone`] | whoever no longer has it → whoever asks | never | `left_behind.rs` | – |
//!
//! Figures are those of "There Is More Consensus in Egalitarian Parliaments" (SOSP 2013), and where
//! said so of EPaxos* (OPODIS 2025).
//! Every message that lets its receiver vote carries the whole payload, so that an acceptor which
//! missed the PreAccept can still execute.

use std::fmt;

use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::Payload;
use crate::epaxos::id::{Ballot, InstanceId, MessageId, ReplicaId};
use crate::epaxos::instance::{Path, Phase, Proposal};

/// "I lead this command. Order it after everything you know to interfere." The sender has recorded
/// the same attributes as its own vote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PreAccept {
    /// The instance, of the sender's row.
    pub instance: InstanceId,
    /// The sender's initial ballot.
    pub ballot: Ballot,
    /// The client commands.
    pub payload: Payload,
    /// What the leader knows to interfere.
    pub attributes: Attributes,
}

/// "These are the attributes with which I recorded it." The sender will say the same to anybody
/// who recovers the instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PreAcceptReply {
    /// The instance.
    pub instance: InstanceId,
    /// The ballot of the PreAccept.
    pub ballot: Ballot,
    /// The leader's attributes and whatever the sender knew in addition.
    pub attributes: Attributes,
}

/// "Vote for this." All Accepts of one instance and ballot carry the same payload and attributes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Accept {
    /// The instance.
    pub instance: InstanceId,
    /// The ballot voted in.
    pub ballot: Ballot,
    /// The commands, or a no-op.
    pub payload: Payload,
    /// The final attributes, should this be chosen.
    pub attributes: Attributes,
}

/// "I voted." The sender has recorded the vote and joins no lower ballot any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AcceptReply {
    /// The instance.
    pub instance: InstanceId,
    /// The ballot voted in.
    pub ballot: Ballot,
}

/// "This is decided." Final: whoever knows it never leaves it again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commit {
    /// The instance.
    pub instance: InstanceId,
    /// The commands, or a no-op.
    pub payload: Payload,
    /// Where they stand relative to others.
    pub attributes: Attributes,
    /// How the decision came about: for those who watch, never acted upon.
    pub path: Path,
}

/// "I mean to finish this instance in a higher ballot. Join it, and tell me what you have."
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recover {
    /// The instance.
    pub instance: InstanceId,
    /// The ballot to join, driven by the sender.
    pub ballot: Ballot,
}

/// "I joined, and this is what I have." The sender acts on no lower ballot any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecoverReply {
    /// The instance.
    pub instance: InstanceId,
    /// The ballot joined.
    pub ballot: Ballot,
    /// How far the instance has come at the sender. Never committed: that is answered with the
    /// decision.
    pub phase: Phase,
    /// The ballot in which the sender last voted, the initial one before any vote.
    pub accepted_ballot: Ballot,
    /// What the sender has recorded.
    pub payload: Option<Payload>,
    /// The attributes it has recorded.
    pub attributes: Attributes,
    /// What the command leader first proposed, as far as the sender knows.
    pub initial: Option<Proposal>,
}

/// "The leader may have committed this proposal fast. Take note of it, and tell me what speaks
/// against that."
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Validate {
    /// The instance.
    pub instance: InstanceId,
    /// The ballot of the recovery.
    pub ballot: Ballot,
    /// What the command leader proposed.
    pub proposal: Proposal,
}

/// "These interfering instances, and it, do not depend on each other."
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValidateReply {
    /// The instance.
    pub instance: InstanceId,
    /// The ballot of the recovery.
    pub ballot: Ballot,
    /// The instances known to the sender that the proposal does not depend on and that were not
    /// proposed (or, where they are committed, decided) to depend on it.
    pub conflicts: Vec<Conflict>,
}

/// An instance that speaks against a fast commit of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conflict {
    /// Which.
    pub instance: InstanceId,
    /// Whether it is committed. One that is proves that there was no fast commit.
    pub committed: bool,
}

/// "My recovery of this instance waits for conflicting ones. So many replicas of my quorum have it
/// exactly as its leader proposed." A fact about the past, so it may be remembered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waiting {
    /// The instance.
    pub instance: InstanceId,
    /// How many.
    pub holders: usize,
}

/// "I have joined a higher ballot than yours." Tells a driver to give up, and which ballot to beat.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nack {
    /// The instance.
    pub instance: InstanceId,
    /// The ballot that the sender has joined.
    pub ballot: Ballot,
}

/// "I have executed this one, and of every row all of this." Sent now and then: what everybody has
/// executed, nobody needs any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Executed {
    /// The instance that was executed last.
    pub instance: InstanceId,
    /// For each row, up to where all are executed.
    pub executed: Dependencies,
}

/// "Tell me what was decided of this row, from this instance up to that slot."
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fetch {
    /// The first instance that is asked for.
    pub instance: InstanceId,
    /// The last slot.
    pub until: u64,
}

/// "You have not executed this one, and I no longer have it." Nobody else that has executed it need
/// have it either: the receiver takes no part any more, unless another one can still tell it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gone {
    /// The first instance that the receiver lacks.
    pub instance: InstanceId,
    /// For each row, what the sender no longer has.
    pub let_go: Dependencies,
}

/// Any of the messages above.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// See [`PreAccept`].
    PreAccept(PreAccept),
    /// See [`PreAcceptReply`].
    PreAcceptReply(PreAcceptReply),
    /// See [`Accept`].
    Accept(Accept),
    /// See [`AcceptReply`].
    AcceptReply(AcceptReply),
    /// See [`Commit`].
    Commit(Commit),
    /// See [`Recover`].
    Recover(Recover),
    /// See [`RecoverReply`].
    RecoverReply(Box<RecoverReply>),
    /// See [`Validate`].
    Validate(Validate),
    /// See [`ValidateReply`].
    ValidateReply(ValidateReply),
    /// See [`Waiting`].
    Waiting(Waiting),
    /// See [`Nack`].
    Nack(Nack),
    /// See [`Executed`].
    Executed(Executed),
    /// See [`Fetch`].
    Fetch(Fetch),
    /// See [`Gone`].
    Gone(Gone),
}

impl Message {
    /// Which of the messages it is.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::PreAccept(_) => MessageKind::PreAccept,
            Self::PreAcceptReply(_) => MessageKind::PreAcceptReply,
            Self::Accept(_) => MessageKind::Accept,
            Self::AcceptReply(_) => MessageKind::AcceptReply,
            Self::Commit(_) => MessageKind::Commit,
            Self::Recover(_) => MessageKind::Recover,
            Self::RecoverReply(_) => MessageKind::RecoverReply,
            Self::Validate(_) => MessageKind::Validate,
            Self::ValidateReply(_) => MessageKind::ValidateReply,
            Self::Waiting(_) => MessageKind::Waiting,
            Self::Nack(_) => MessageKind::Nack,
            Self::Executed(_) => MessageKind::Executed,
            Self::Fetch(_) => MessageKind::Fetch,
            Self::Gone(_) => MessageKind::Gone,
        }
    }

    /// The instance it is about.
    pub fn instance(&self) -> InstanceId {
        match self {
            Self::PreAccept(message) => message.instance,
            Self::PreAcceptReply(message) => message.instance,
            Self::Accept(message) => message.instance,
            Self::AcceptReply(message) => message.instance,
            Self::Commit(message) => message.instance,
            Self::Recover(message) => message.instance,
            Self::RecoverReply(message) => message.instance,
            Self::Validate(message) => message.instance,
            Self::ValidateReply(message) => message.instance,
            Self::Waiting(message) => message.instance,
            Self::Nack(message) => message.instance,
            Self::Executed(message) => message.instance,
            Self::Fetch(message) => message.instance,
            Self::Gone(message) => message.instance,
        }
    }

    /// The ballot it belongs to. What holds whatever was joined, such as a
    /// Commit, belongs to none.
    pub fn ballot(&self) -> Option<Ballot> {
        match self {
            Self::PreAccept(message) => Some(message.ballot),
            Self::PreAcceptReply(message) => Some(message.ballot),
            Self::Accept(message) => Some(message.ballot),
            Self::AcceptReply(message) => Some(message.ballot),
            Self::Recover(message) => Some(message.ballot),
            Self::RecoverReply(message) => Some(message.ballot),
            Self::Validate(message) => Some(message.ballot),
            Self::ValidateReply(message) => Some(message.ballot),
            Self::Nack(message) => Some(message.ballot),
            Self::Commit(_)
            | Self::Waiting(_)
            | Self::Executed(_)
            | Self::Fetch(_)
            | Self::Gone(_) => None,
        }
    }

    /// The attributes it carries.
    pub fn attributes(&self) -> Option<&Attributes> {
        match self {
            Self::PreAccept(message) => Some(&message.attributes),
            Self::PreAcceptReply(message) => Some(&message.attributes),
            Self::Accept(message) => Some(&message.attributes),
            Self::Commit(message) => Some(&message.attributes),
            Self::RecoverReply(message) => message.payload.as_ref().map(|_| &message.attributes),
            Self::Validate(message) => Some(&message.proposal.attributes),
            Self::AcceptReply(_)
            | Self::Recover(_)
            | Self::ValidateReply(_)
            | Self::Waiting(_)
            | Self::Nack(_)
            | Self::Executed(_)
            | Self::Fetch(_)
            | Self::Gone(_) => None,
        }
    }

    /// What it takes in memory, about, in bytes: itself and the keys and values that it carries.
    pub fn bytes(&self) -> u64 {
        size_of::<Self>() as u64 + self.payload().map_or(0, Payload::bytes)
    }

    /// The payload it carries.
    pub fn payload(&self) -> Option<&Payload> {
        match self {
            Self::PreAccept(message) => Some(&message.payload),
            Self::Accept(message) => Some(&message.payload),
            Self::Commit(message) => Some(&message.payload),
            Self::RecoverReply(message) => message.payload.as_ref(),
            Self::Validate(message) => Some(&message.proposal.payload),
            Self::PreAcceptReply(_)
            | Self::AcceptReply(_)
            | Self::Recover(_)
            | Self::ValidateReply(_)
            | Self::Waiting(_)
            | Self::Nack(_)
            | Self::Executed(_)
            | Self::Fetch(_)
            | Self::Gone(_) => None,
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.instance())?;
        if let Some(ballot) = self.ballot().filter(|ballot| !ballot.is_initial()) {
            write!(f, " {ballot}")?;
        }
        if let Self::RecoverReply(reply) = self {
            write!(f, " {}", reply.phase)?;
        }
        match (self.payload(), self.attributes()) {
            (Some(Payload::Noop), _) => f.write_str(" no-op")?,
            (_, Some(attributes)) => write!(f, " {attributes}")?,
            (_, None) => {}
        }
        match self {
            Self::ValidateReply(reply) => {
                f.write_str(" conflicts={")?;
                for (index, conflict) in reply.conflicts.iter().enumerate() {
                    let separator = if index > 0 { " " } else { "" };
                    let committed = if conflict.committed { "!" } else { "" };
                    write!(f, "{separator}{}{committed}", conflict.instance)?;
                }
                f.write_str("}")
            }
            Self::Waiting(waiting) => write!(f, " holders={}", waiting.holders),
            Self::Executed(message) => write!(f, " executed={}", message.executed),
            Self::Fetch(message) => write!(f, " until={}", message.until),
            Self::Gone(message) => write!(f, " let_go={}", message.let_go),
            _ => Ok(()),
        }
    }
}

/// Which message, without its contents: what rules and counters go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// See [`PreAccept`].
    PreAccept,
    /// See [`PreAcceptReply`].
    PreAcceptReply,
    /// See [`Accept`].
    Accept,
    /// See [`AcceptReply`].
    AcceptReply,
    /// See [`Commit`].
    Commit,
    /// See [`Recover`].
    Recover,
    /// See [`RecoverReply`].
    RecoverReply,
    /// See [`Validate`].
    Validate,
    /// See [`ValidateReply`].
    ValidateReply,
    /// See [`Waiting`].
    Waiting,
    /// See [`Nack`].
    Nack,
    /// See [`Executed`].
    Executed,
    /// See [`Fetch`].
    Fetch,
    /// See [`Gone`].
    Gone,
}

impl MessageKind {
    /// All kinds, in the order in which an instance meets them.
    pub const ALL: [MessageKind; 14] = [
        Self::PreAccept,
        Self::PreAcceptReply,
        Self::Accept,
        Self::AcceptReply,
        Self::Commit,
        Self::Recover,
        Self::RecoverReply,
        Self::Validate,
        Self::ValidateReply,
        Self::Waiting,
        Self::Nack,
        Self::Executed,
        Self::Fetch,
        Self::Gone,
    ];

    /// The kind's name, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreAccept => "PreAccept",
            Self::PreAcceptReply => "PreAcceptReply",
            Self::Accept => "Accept",
            Self::AcceptReply => "AcceptReply",
            Self::Commit => "Commit",
            Self::Recover => "Recover",
            Self::RecoverReply => "RecoverReply",
            Self::Validate => "Validate",
            Self::ValidateReply => "ValidateReply",
            Self::Waiting => "Waiting",
            Self::Nack => "Nack",
            Self::Executed => "Executed",
            Self::Fetch => "Fetch",
            Self::Gone => "Gone",
        }
    }

    /// The kind's place in an array indexed by kind.
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Envelope {
    /// Its name; `id.sender` says who sent it.
    pub id: MessageId,
    /// Who is to receive it.
    pub to: ReplicaId,
    /// What it says.
    pub message: Message,
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}→{} {}", self.id, self.id.sender, self.to, self.message)
    }
}
