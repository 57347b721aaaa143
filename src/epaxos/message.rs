//! What replicas say to each other.
//!
//! | message | from → to | answered by | handled in | paper |
//! |---|---|---|---|---|
//! | [`PreAccept`] | command leader → fast quorum | `PreAcceptReply`, or `Commit` | `pre_accept.rs` | fig. 2, phase 1 |
//! | [`PreAcceptReply`] | acceptor → command leader | – | `pre_accept.rs` | fig. 2, phase 1 |
//! | [`Accept`] | ballot's driver → slow quorum | `AcceptReply`, or `Commit` | `accept.rs` | fig. 2, Paxos-Accept |
//! | [`AcceptReply`] | acceptor → ballot's driver | – | `accept.rs` | fig. 2, Paxos-Accept |
//! | [`Commit`] | whoever knows → all | never | `commit.rs` | fig. 2, commit |
//!
//! Figures are those of "There Is More Consensus in Egalitarian Parliaments" (SOSP 2013).
//! Every message that lets its receiver vote carries the whole payload, so that an acceptor which
//! missed the PreAccept can still execute.

use std::fmt;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::Payload;
use crate::epaxos::id::{Ballot, InstanceId, MessageId, ReplicaId};
use crate::epaxos::instance::Path;

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
        }
    }

    /// The ballot it belongs to. A Commit belongs to none: it holds whatever was joined.
    pub fn ballot(&self) -> Option<Ballot> {
        match self {
            Self::PreAccept(message) => Some(message.ballot),
            Self::PreAcceptReply(message) => Some(message.ballot),
            Self::Accept(message) => Some(message.ballot),
            Self::AcceptReply(message) => Some(message.ballot),
            Self::Commit(_) => None,
        }
    }

    /// The attributes it carries.
    pub fn attributes(&self) -> Option<&Attributes> {
        match self {
            Self::PreAccept(message) => Some(&message.attributes),
            Self::PreAcceptReply(message) => Some(&message.attributes),
            Self::Accept(message) => Some(&message.attributes),
            Self::AcceptReply(_) => None,
            Self::Commit(message) => Some(&message.attributes),
        }
    }

    /// The payload it carries.
    pub fn payload(&self) -> Option<&Payload> {
        match self {
            Self::PreAccept(message) => Some(&message.payload),
            Self::Accept(message) => Some(&message.payload),
            Self::Commit(message) => Some(&message.payload),
            Self::PreAcceptReply(_) | Self::AcceptReply(_) => None,
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.instance())?;
        if let Some(attributes) = self.attributes() {
            write!(f, " {attributes}")?;
        }
        Ok(())
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
}

impl MessageKind {
    /// All kinds, in the order in which an instance meets them.
    pub const ALL: [MessageKind; 5] =
        [Self::PreAccept, Self::PreAcceptReply, Self::Accept, Self::AcceptReply, Self::Commit];

    /// The kind's name, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreAccept => "PreAccept",
            Self::PreAcceptReply => "PreAcceptReply",
            Self::Accept => "Accept",
            Self::AcceptReply => "AcceptReply",
            Self::Commit => "Commit",
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
