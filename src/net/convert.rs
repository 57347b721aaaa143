//! What is said on the wire, to and from what the protocol knows. Parsed rather than validated:
//! what comes out of here is a message that a replica of this cluster could have sent, or a
//! sentence on why it is not.

pub(super) mod earlier;
mod letting_go;
mod recovery;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::{Client, Command, Key, Operation, Outcome, Payload, RequestId};
use crate::epaxos::id::{Ballot, InstanceId, MessageId, ReplicaId};
use crate::epaxos::instance::{Path, Phase};
use crate::epaxos::message::{
    Accept, AcceptReply, Commit, Envelope, Message, PreAccept, PreAcceptReply,
};
use crate::net::batch::Batch;
use crate::net::convert::earlier::{Heard, Said};
use crate::net::convert::recovery::CONFLICTS_MAX;
use crate::net::operation;
use crate::net::wire;

/// The longest key, in bytes. Keys are names, and every replica indexes them.
pub const KEY_MAX: usize = 4 << 10;

/// The longest value, in bytes. It travels in every PreAccept, Accept and Commit.
pub const VALUE_MAX: usize = 1 << 20;

/// The longest client name, in bytes.
pub const IDENTITY_MAX: usize = 256;

/// The most commands in one instance.
pub const BATCH_MAX: usize = 1024;

/// The most bytes of keys and values in one instance.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// Slots, and numbers that count commands, stay below this: a replica that leads a million
/// commands a second gets here after nine years.
pub const SLOT_LIMIT: u64 = 1 << 48;

/// Rounds of ballots stay below this.
pub const ROUND_LIMIT: u32 = Ballot::ROUND_MAX + 1;

/// Why something on the wire is not acted upon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A part that every message of its kind has is not there.
    #[error("the {0} is missing")]
    Missing(&'static str),
    /// The sender is none of the cluster's replicas.
    #[error("the sender is replica {sender}, and there are only {replicas}")]
    UnknownSender {
        /// The sender.
        sender: u32,
        /// N.
        replicas: usize,
    },
    /// The sender claims to be the receiver.
    #[error("the sender says that it is {0}, which is this replica")]
    OwnName(ReplicaId),
    /// The envelope is meant for another replica.
    #[error("the envelope is addressed to replica {to}, and this is {me}")]
    OtherReceiver {
        /// Whom it is addressed to.
        to: u32,
        /// The one who reads it.
        me: ReplicaId,
    },
    /// A replica is named that the cluster does not have.
    #[error("the {what} names replica {replica}, and there are only {replicas}")]
    UnknownReplica {
        /// What names it.
        what: &'static str,
        /// The name.
        replica: u32,
        /// N.
        replicas: usize,
    },
    /// The dependencies are not one entry for each replica.
    #[error("there are {found} dependencies, and a cluster of {replicas} has one for each replica")]
    DependencyCount {
        /// How many there are.
        found: usize,
        /// N.
        replicas: usize,
    },
    /// A dependency is neither a slot nor -1.
    #[error("the dependency {0} is neither a slot nor -1")]
    Dependency(i64),
    /// A number is larger than any that this cluster will ever reach.
    #[error("the {what} {found} is out of all reach")]
    TooLarge {
        /// What it counts.
        what: &'static str,
        /// The number.
        found: u64,
    },
    /// Somebody other than the command leader sends PreAccept.
    #[error("a PreAccept of {instance} comes from {sender}, which does not lead it")]
    NotTheOwner {
        /// The instance.
        instance: InstanceId,
        /// The sender.
        sender: ReplicaId,
    },
    /// A command is to come after itself.
    #[error("{0} depends on itself")]
    OwnDependency(InstanceId),
    /// A command leader proposes nothing at all, which only recoverers do.
    #[error("the leader of {0} proposes a no-op")]
    Nothing(InstanceId),
    /// A first ballot is named after somebody who does not lead the instance.
    #[error("the first ballot of {instance} is said to be {replica}'s, which does not lead it")]
    FirstBallot {
        /// The instance.
        instance: InstanceId,
        /// Whom the ballot names.
        replica: ReplicaId,
    },
    /// A reply tells of a vote that nobody can have cast.
    #[error("a vote in {vote} on {instance} does not go with {phase} in {ballot}")]
    Vote {
        /// The instance.
        instance: InstanceId,
        /// The ballot of the vote.
        vote: Ballot,
        /// How far the sender says to be.
        phase: Phase,
        /// The ballot that it says to have joined.
        ballot: Ballot,
    },
    /// An enumeration has a value that it does not know.
    #[error("the path {0} is unknown")]
    Path(i32),
    /// The phase is none that an undecided instance can have.
    #[error("the phase {0} is none of an undecided instance")]
    Phase(i32),
    /// More conflicts than could be.
    #[error("there are {0} conflicts, more than {CONFLICTS_MAX}")]
    Conflicts(usize),
    /// More holders than replicas.
    #[error("there are {0} holders, more than replicas")]
    Holders(u32),
    /// A message names commands that this stream has not spelled out of its instance.
    #[error("the commands of {0} were not spelled out before on this stream")]
    Unheard(InstanceId),
    /// A batch is empty.
    #[error("a batch has at least one command")]
    EmptyBatch,
    /// A batch has too many commands.
    #[error("a batch has {0} commands, more than {BATCH_MAX}")]
    BatchLength(usize),
    /// A batch is too large.
    #[error("a batch has {0} bytes of keys and values, more than {BATCH_BYTES_MAX}")]
    BatchBytes(usize),
    /// A key is empty.
    #[error("a key has at least one byte")]
    EmptyKey,
    /// A key is too long.
    #[error("a key has {0} bytes, more than {KEY_MAX}")]
    KeyLength(usize),
    /// A value is too long.
    #[error("a value has {0} bytes, more than {VALUE_MAX}")]
    ValueLength(usize),
    /// A client's name is empty where there must be one.
    #[error("a named client has a name of at least one byte")]
    EmptyIdentity,
    /// A client's name is too long.
    #[error("a client's identity has {0} bytes, more than {IDENTITY_MAX}")]
    IdentityLength(usize),
}

/// Reads and writes what passes between the replicas of one cluster.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// The replica that reads, or writes.
    pub me: ReplicaId,
    /// N, the number of replicas.
    pub replicas: usize,
}

impl Dialect {
    /// Reads a message to this replica, from a stream of which that was `heard` before.
    pub(super) fn read(
        self,
        envelope: wire::Envelope,
        heard: &mut Heard,
    ) -> Result<Envelope, Refusal> {
        let id = present(envelope.id, "message's name")?;
        let (sender, replicas) = (id.sender, self.replicas);
        let sender = self.replica("", sender);
        let sender = sender.map_err(|_| Refusal::UnknownSender { sender: id.sender, replicas })?;
        if sender == self.me {
            return Err(Refusal::OwnName(sender));
        }
        if envelope.to != u32::from(self.me.0) {
            return Err(Refusal::OtherReceiver { to: envelope.to, me: self.me });
        }
        let message = self.message(present(envelope.message, "message")?, heard)?;
        if let Message::PreAccept(PreAccept { instance, .. }) = message
            && instance.replica != sender
        {
            return Err(Refusal::NotTheOwner { instance, sender });
        }
        let id = MessageId { sender, number: id.number, copy: id.copy };
        Ok(Envelope { id, to: self.me, message })
    }

    fn message(
        self,
        message: wire::envelope::Message,
        heard: &mut Heard,
    ) -> Result<Message, Refusal> {
        use wire::envelope::Message as Wire;
        Ok(match message {
            Wire::PreAccept(message) => {
                let instance = self.instance(message.instance)?;
                let ballot = self.ballot(message.ballot, instance)?;
                Message::PreAccept(PreAccept {
                    instance,
                    ballot,
                    payload: self.proposed(message.payload, instance, ballot, heard)?,
                    attributes: self.attributes(message.attributes, instance)?,
                })
            }
            Wire::PreAcceptReply(message) => {
                let instance = self.instance(message.instance)?;
                Message::PreAcceptReply(PreAcceptReply {
                    instance,
                    ballot: self.ballot(message.ballot, instance)?,
                    attributes: self.attributes(message.attributes, instance)?,
                })
            }
            Wire::Accept(message) => {
                let instance = self.instance(message.instance)?;
                let ballot = self.ballot(message.ballot, instance)?;
                Message::Accept(Accept {
                    instance,
                    ballot,
                    payload: self.proposed(message.payload, instance, ballot, heard)?,
                    attributes: self.attributes(message.attributes, instance)?,
                })
            }
            Wire::AcceptReply(message) => {
                let instance = self.instance(message.instance)?;
                let ballot = self.ballot(message.ballot, instance)?;
                Message::AcceptReply(AcceptReply { instance, ballot })
            }
            Wire::Commit(message) => {
                let instance = self.instance(message.instance)?;
                Message::Commit(Commit {
                    instance,
                    payload: heard.payload(self, instance, message.payload)?,
                    attributes: self.attributes(message.attributes, instance)?,
                    path: path(message.path)?,
                })
            }
            Wire::Recover(message) => Message::Recover(self.recover(message)?),
            Wire::RecoverReply(message) => {
                Message::RecoverReply(Box::new(self.recover_reply(message)?))
            }
            Wire::Validate(message) => Message::Validate(self.validate(message)?),
            Wire::ValidateReply(message) => Message::ValidateReply(self.validate_reply(message)?),
            Wire::Waiting(message) => Message::Waiting(self.waiting(message)?),
            Wire::Nack(message) => Message::Nack(self.nack(message)?),
            Wire::Executed(message) => Message::Executed(self.executed(&message)?),
            Wire::Fetch(message) => Message::Fetch(self.fetch(message)?),
            Wire::Gone(message) => Message::Gone(self.gone(&message)?),
        })
    }

    fn replica(self, what: &'static str, replica: u32) -> Result<ReplicaId, Refusal> {
        let known = u8::try_from(replica).ok().filter(|id| usize::from(*id) < self.replicas);
        known.map(ReplicaId).ok_or(Refusal::UnknownReplica {
            what,
            replica,
            replicas: self.replicas,
        })
    }

    fn instance(self, instance: Option<wire::Instance>) -> Result<InstanceId, Refusal> {
        let instance = present(instance, "instance")?;
        let replica = self.replica("instance", instance.replica)?;
        Ok(InstanceId::new(replica, within("slot", instance.slot, SLOT_LIMIT)?))
    }

    fn ballot(self, named: Option<wire::Ballot>, of: InstanceId) -> Result<Ballot, Refusal> {
        let wire::Ballot { round, replica } = present(named, "ballot")?;
        within("round", u64::from(round), u64::from(ROUND_LIMIT))?;
        let ballot = Ballot { round, replica: self.replica("ballot", replica)? };
        if ballot.is_initial() && ballot.replica != of.replica {
            // Taken for a recovery, it would end the leader's own attempt, and recover nothing.
            return Err(Refusal::FirstBallot { instance: of, replica: ballot.replica });
        }
        Ok(ballot)
    }

    fn attributes(
        self,
        attributes: Option<wire::Attributes>,
        of: InstanceId,
    ) -> Result<Attributes, Refusal> {
        let wire::Attributes { seq, deps } = present(attributes, "seq and deps")?;
        let deps = self.prefixes(&deps)?;
        if deps.contains(of) {
            return Err(Refusal::OwnDependency(of));
        }
        Ok(Attributes { seq: within("seq", seq, Attributes::SEQ_MAX + 1)?, deps })
    }

    /// One slot for each row, or -1.
    fn prefixes(self, deps: &[i64]) -> Result<Dependencies, Refusal> {
        if deps.len() != self.replicas {
            let (found, replicas) = (deps.len(), self.replicas);
            return Err(Refusal::DependencyCount { found, replicas });
        }
        for last in deps {
            match u64::try_from(*last) {
                Ok(slot) => within("dependency", slot, SLOT_LIMIT)?,
                Err(_) if *last == -1 => continue,
                Err(_) => return Err(Refusal::Dependency(*last)),
            };
        }
        Ok(Dependencies::from_vector(deps).expect("length and entries have been checked"))
    }

    /// What the driver of a ballot proposes. A no-op that is not decided counts as interfering with
    /// everything, so it is not taken from whoever has no business with one.
    fn proposed(
        self,
        payload: Option<wire::Payload>,
        of: InstanceId,
        ballot: Ballot,
        heard: &mut Heard,
    ) -> Result<Payload, Refusal> {
        match heard.payload(self, of, payload)? {
            Payload::Noop if ballot.is_initial() => Err(Refusal::Nothing(of)),
            payload => Ok(payload),
        }
    }

    fn payload(self, payload: Option<wire::Payload>) -> Result<Payload, Refusal> {
        match present(payload.and_then(|payload| payload.kind), "payload")? {
            wire::payload::Kind::Noop(wire::Noop {}) => Ok(Payload::Noop),
            wire::payload::Kind::Earlier(_) => Err(Refusal::Missing("payload")),
            wire::payload::Kind::Batch(Batch::Said(_)) => {
                unreachable!("what was read is not yet to be written")
            }
            wire::payload::Kind::Batch(Batch::Heard(commands)) => {
                check_count(commands.len())?;
                let commands = self.commands(commands)?;
                check_bytes(commands.iter().map(|command| &command.operation))?;
                Ok(Payload::Commands(commands))
            }
        }
    }

    /// Reads commands, each straight to where it stays: they are too many to be moved for nothing.
    fn commands(self, commands: Vec<wire::Command>) -> Result<Arc<[Command]>, Refusal> {
        let mut refused = None;
        // Something must be in the place of one that is refused.
        let mut instead = |refusal| {
            refused.get_or_insert(refusal);
            let request = RequestId::anonymous(self.me, 0);
            Command { request, operation: Operation::Get(Key::default()) }
        };
        let read = |command| self.command(command).unwrap_or_else(&mut instead);
        let commands = commands.into_iter().map(read).collect();
        refused.map_or(Ok(commands), Err)
    }

    fn command(self, command: wire::Command) -> Result<Command, Refusal> {
        let client = match present(command.client, "client")? {
            wire::command::Client::Identity(name) => {
                Client::Named(identity(name)?.ok_or(Refusal::EmptyIdentity)?)
            }
            wire::command::Client::AnonymousAt(replica) => {
                Client::Anonymous(self.replica("client", replica)?)
            }
        };
        let request = RequestId { client, number: command.number };
        Ok(Command { request, operation: operation(command.operation)? })
    }

    /// Writes a message of this replica, onto a stream on which that was `said` before.
    pub(super) fn write(self, envelope: Envelope, said: &mut Said) -> wire::Envelope {
        use wire::envelope::Message as Wire;
        let message = match envelope.message {
            Message::PreAccept(message) => Wire::PreAccept(wire::PreAccept {
                instance: Some(message.instance.into()),
                ballot: Some(message.ballot.into()),
                payload: Some(said.payload(message.instance, &message.payload)),
                attributes: Some(self.write_attributes(&message.attributes)),
            }),
            Message::PreAcceptReply(message) => Wire::PreAcceptReply(wire::PreAcceptReply {
                instance: Some(message.instance.into()),
                ballot: Some(message.ballot.into()),
                attributes: Some(self.write_attributes(&message.attributes)),
            }),
            Message::Accept(message) => Wire::Accept(wire::Accept {
                instance: Some(message.instance.into()),
                ballot: Some(message.ballot.into()),
                payload: Some(said.payload(message.instance, &message.payload)),
                attributes: Some(self.write_attributes(&message.attributes)),
            }),
            Message::AcceptReply(message) => Wire::AcceptReply(wire::AcceptReply {
                instance: Some(message.instance.into()),
                ballot: Some(message.ballot.into()),
            }),
            Message::Commit(message) => Wire::Commit(wire::Commit {
                instance: Some(message.instance.into()),
                payload: Some(said.payload(message.instance, &message.payload)),
                attributes: Some(self.write_attributes(&message.attributes)),
                path: wire::Path::from(message.path).into(),
            }),
            Message::Recover(message) => Wire::Recover(wire::Recover {
                instance: Some(message.instance.into()),
                ballot: Some(message.ballot.into()),
            }),
            Message::RecoverReply(message) => {
                Wire::RecoverReply(self.write_recover_reply(&message))
            }
            Message::Validate(message) => Wire::Validate(wire::Validate {
                instance: Some(message.instance.into()),
                ballot: Some(message.ballot.into()),
                proposal: Some(self.write_proposal(&message.proposal)),
            }),
            Message::ValidateReply(message) => Wire::ValidateReply((&message).into()),
            Message::Waiting(message) => Wire::Waiting((&message).into()),
            Message::Nack(message) => Wire::Nack(wire::Nack {
                instance: Some(message.instance.into()),
                ballot: Some(message.ballot.into()),
            }),
            Message::Executed(message) => Wire::Executed(self.write_executed(&message)),
            Message::Fetch(message) => Wire::Fetch(message.into()),
            Message::Gone(message) => Wire::Gone(self.write_gone(&message)),
        };
        let MessageId { sender, number, copy } = envelope.id;
        let id = wire::MessageId { sender: sender.0.into(), number, copy };
        wire::Envelope { id: Some(id), to: envelope.to.0.into(), message: Some(message) }
    }

    fn write_attributes(self, attributes: &Attributes) -> wire::Attributes {
        wire::Attributes { seq: attributes.seq, deps: attributes.deps.vector(self.replicas) }
    }
}

/// What a client asks of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The request's name; none where it cannot be repeated, and the replica names it.
    pub request: Option<RequestId>,
    /// What is asked.
    pub operation: Operation,
}

impl Wish {
    /// Reads what any of a replica's services was asked.
    pub(super) fn read(
        name: String,
        number: Option<u64>,
        wished: Option<operation::Operation>,
    ) -> Result<Self, Refusal> {
        let request = match (identity(name)?, number) {
            (Some(client), Some(number)) => {
                Some(RequestId { client: Client::Named(client), number })
            }
            _ => None,
        };
        Ok(Self { request, operation: operation(wished)? })
    }
}

/// The bytes of an operation that count towards the limit of a batch.
pub fn size(operation: &Operation) -> usize {
    let value = match operation {
        Operation::Put(_, value) => value.len(),
        Operation::Get(_) | Operation::Delete(_) => 0,
    };
    operation.key().len() + value
}

pub(super) fn check_count(commands: usize) -> Result<(), Refusal> {
    match commands {
        0 => Err(Refusal::EmptyBatch),
        1..=BATCH_MAX => Ok(()),
        _ => Err(Refusal::BatchLength(commands)),
    }
}

pub(super) fn check_bytes<'a>(
    operations: impl Iterator<Item = &'a Operation>,
) -> Result<(), Refusal> {
    let bytes = operations.map(size).sum();
    if bytes > BATCH_BYTES_MAX { Err(Refusal::BatchBytes(bytes)) } else { Ok(()) }
}

fn present<T>(part: Option<T>, what: &'static str) -> Result<T, Refusal> {
    part.ok_or(Refusal::Missing(what))
}

fn within(what: &'static str, found: u64, limit: u64) -> Result<u64, Refusal> {
    if found < limit { Ok(found) } else { Err(Refusal::TooLarge { what, found }) }
}

/// A client's name; none where it has none.
fn identity(name: String) -> Result<Option<Arc<str>>, Refusal> {
    if name.len() > IDENTITY_MAX {
        return Err(Refusal::IdentityLength(name.len()));
    }
    Ok((!name.is_empty()).then(|| name.into()))
}

fn operation(operation: Option<operation::Operation>) -> Result<Operation, Refusal> {
    let operation = present(operation.and_then(|operation| operation.kind), "operation")?;
    match operation.key().len() {
        0 => return Err(Refusal::EmptyKey),
        1..=KEY_MAX => {}
        length => return Err(Refusal::KeyLength(length)),
    }
    match &operation {
        Operation::Put(_, value) if value.len() > VALUE_MAX => {
            Err(Refusal::ValueLength(value.len()))
        }
        _ => Ok(operation),
    }
}

fn path(path: i32) -> Result<Path, Refusal> {
    match wire::Path::try_from(path) {
        Ok(wire::Path::Fast) => Ok(Path::Fast),
        Ok(wire::Path::Slow) => Ok(Path::Slow),
        Ok(wire::Path::Recovery) => Ok(Path::Recovery),
        Ok(wire::Path::Unspecified) | Err(_) => Err(Refusal::Path(path)),
    }
}

impl From<InstanceId> for wire::Instance {
    fn from(instance: InstanceId) -> Self {
        Self { replica: instance.replica.0.into(), slot: instance.slot }
    }
}

impl From<Ballot> for wire::Ballot {
    fn from(ballot: Ballot) -> Self {
        Self { round: ballot.round, replica: ballot.replica.0.into() }
    }
}

impl From<Path> for wire::Path {
    fn from(path: Path) -> Self {
        match path {
            Path::Fast => Self::Fast,
            Path::Slow => Self::Slow,
            Path::Recovery => Self::Recovery,
        }
    }
}

impl From<&Payload> for wire::Payload {
    fn from(payload: &Payload) -> Self {
        let kind = match payload {
            Payload::Noop => wire::payload::Kind::Noop(wire::Noop {}),
            Payload::Commands(commands) => wire::payload::Kind::Batch(Batch::said(commands)),
        };
        Self { kind: Some(kind) }
    }
}

impl From<Outcome> for wire::propose_response::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Written => Self::Written(wire::Written {}),
            Outcome::Found(value) => Self::Found(value.to_vec()),
            Outcome::NotFound => Self::NotFound(wire::NotFound {}),
            Outcome::Unknown => Self::Unknown(wire::Unknown {}),
        }
    }
}

impl From<wire::propose_response::Outcome> for Outcome {
    fn from(outcome: wire::propose_response::Outcome) -> Self {
        use wire::propose_response::Outcome as Wire;
        match outcome {
            Wire::Written(wire::Written {}) => Self::Written,
            Wire::Found(value) => Self::Found(value.into()),
            Wire::NotFound(wire::NotFound {}) => Self::NotFound,
            Wire::Unknown(wire::Unknown {}) => Self::Unknown,
        }
    }
}
