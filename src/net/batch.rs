//! Commands of one instance, as they are on the wire.
//!
//! They are most of what replicas tell each other. What prost makes of `Batch` would be a copy of every
//! command for each replica that is told, and would add up how long they are once for each message that
//! the batch lies in. This writes the same bytes from the commands themselves, and, where they are more than
//! a few, once for all who are told ([`Spellings`](crate::net::spellings::Spellings)).

use prost::bytes::{Buf, BufMut, Bytes};
use prost::encoding::{
    DecodeContext, WireType, check_wire_type, decode_varint, encode_key, encode_varint,
    encoded_len_varint, key_len, message, skip_field,
};
use prost::{DecodeError, Message};

use crate::epaxos::command::{Client, Command};
use crate::net::convert::BATCH_MAX;
use crate::net::operation;
use crate::net::wire;

/// The message `Batch` of `dispatch.proto`.
#[derive(Clone, Debug, PartialEq)]
pub enum Batch {
    /// To be written: its bytes.
    Said(Bytes),
    /// As it was read, still to be checked.
    Heard(Vec<wire::Command>),
}

impl Default for Batch {
    fn default() -> Self {
        Self::Heard(Vec::new())
    }
}

/// The field number of `Batch`'s commands.
const COMMANDS: u32 = 1;

/// The field numbers of `Command`.
const IDENTITY: u32 = 1;
const ANONYMOUS_AT: u32 = 2;
const NUMBER: u32 = 3;
const OPERATION: u32 = 4;

impl Batch {
    /// Commands, to be written.
    pub fn said(commands: &[Command]) -> Self {
        Self::Said(spell(commands, spelled_len(commands)))
    }
}

/// How many bytes a batch of commands takes.
pub fn spelled_len(commands: &[Command]) -> usize {
    let field = |command| {
        let len = command_len(command);
        key_len(COMMANDS) + encoded_len_varint(len as u64) + len
    };
    commands.iter().map(field).sum()
}

/// The bytes of a batch of commands, which are so many.
pub fn spell(commands: &[Command], len: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(len);
    for command in commands {
        encode_key(COMMANDS, WireType::LengthDelimited, &mut bytes);
        encode_varint(command_len(command) as u64, &mut bytes);
        encode_command(command, &mut bytes);
    }
    bytes.into()
}

impl Message for Batch {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        match self {
            Self::Said(bytes) => buffer.put_slice(bytes),
            Self::Heard(commands) => message::encode_repeated(COMMANDS, commands, buffer),
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        match self {
            Self::Heard(commands) if tag == COMMANDS => {
                if commands.is_empty() {
                    let room = buffer.remaining() / COMMAND_BYTES;
                    commands.reserve(room.min(BATCH_MAX));
                }
                check_wire_type(WireType::LengthDelimited, wire_type)?;
                check_room(commands.len())?;
                if let Some((command, len)) = read_short(buffer.chunk()) {
                    buffer.advance(len);
                    commands.push(command);
                    return Ok(());
                }
                message::merge_repeated(wire_type, commands, buffer, context)
            }
            _ => skip_field(wire_type, tag, buffer, context),
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Said(bytes) => bytes.len(),
            Self::Heard(commands) => message::encoded_len_repeated(COMMANDS, commands),
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The message `ProposeBatchRequest` of `replica.proto`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proposals {
    /// What is proposed, still to be checked.
    pub proposals: Vec<wire::ProposeRequest>,
}

/// The field number of `ProposeBatchRequest`'s proposals.
const PROPOSALS: u32 = 1;

impl Message for Proposals {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        message::encode_repeated(PROPOSALS, &self.proposals, buffer);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        if tag != PROPOSALS {
            return skip_field(wire_type, tag, buffer, context);
        }
        check_room(self.proposals.len())?;
        message::merge_repeated(wire_type, &mut self.proposals, buffer, context)
    }

    fn encoded_len(&self) -> usize {
        message::encoded_len_repeated(PROPOSALS, &self.proposals)
    }

    fn clear(&mut self) {
        self.proposals.clear();
    }
}

/// Refuses a further command of a batch that has too many. An empty one takes two bytes on the wire,
/// and a hundred once it is read: what is refused in the end must not be read to the end. One more
/// than allowed is read, and refused with what is said of a batch.
fn check_room(commands: usize) -> Result<(), DecodeError> {
    if commands > BATCH_MAX {
        return Err(operation::refuse("a batch has more commands than 1024"));
    }
    Ok(())
}

/// How many bytes a command takes, less what says how many they are.
fn command_len(command: &Command) -> usize {
    let client = match &command.request.client {
        Client::Named(name) => {
            key_len(IDENTITY) + encoded_len_varint(name.len() as u64) + name.len()
        }
        Client::Anonymous(replica) => key_len(ANONYMOUS_AT) + encoded_len_varint(replica.0.into()),
    };
    let number = match command.request.number {
        0 => 0,
        number => key_len(NUMBER) + encoded_len_varint(number),
    };
    let operation = operation::encoded_len(&command.operation);
    client + number + key_len(OPERATION) + encoded_len_varint(operation as u64) + operation
}

fn encode_command(command: &Command, buffer: &mut impl BufMut) {
    match &command.request.client {
        Client::Named(name) => {
            encode_key(IDENTITY, WireType::LengthDelimited, buffer);
            encode_varint(name.len() as u64, buffer);
            buffer.put_slice(name.as_bytes());
        }
        Client::Anonymous(replica) => {
            encode_key(ANONYMOUS_AT, WireType::Varint, buffer);
            encode_varint(replica.0.into(), buffer);
        }
    }
    if command.request.number != 0 {
        encode_key(NUMBER, WireType::Varint, buffer);
        encode_varint(command.request.number, buffer);
    }
    encode_key(OPERATION, WireType::LengthDelimited, buffer);
    encode_varint(operation::encoded_len(&command.operation) as u64, buffer);
    operation::encode(&command.operation, buffer);
}

/// Reads a command, and how many of these bytes it takes, where it is one that [`operation::read_short`]
/// could read, of a client without a name.
fn read_short(bytes: &[u8]) -> Option<(wire::Command, usize)> {
    let inside = operation::short(bytes)?;
    let (at, rest) = number(ANONYMOUS_AT, inside)?;
    let client = wire::command::Client::AnonymousAt(u32::try_from(at).ok()?);
    let (number, rest) = number(NUMBER, rest).unwrap_or((0, rest));
    let (key, rest) = rest.split_first()?;
    let (kind, parts) = operation::short(rest)?.split_first()?;
    let (operation, len) = operation::read_short(u32::from(kind >> 3), parts)?;
    let is_plain = u32::from(*key) == operation::delimited(OPERATION)
        && u32::from(*kind) == operation::delimited(u32::from(kind >> 3));
    // Nothing is left, inside the operation or behind it.
    let is_all = (len, parts.len() + 2) == (parts.len(), rest.len());
    let operation = Some(operation::Operation { kind: Some(operation) });
    let command = wire::Command { client: Some(client), number, operation };
    (is_plain && is_all).then_some((command, 1 + inside.len()))
}

/// Reads a field that is a number, and what comes after it.
fn number(tag: u32, bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (key, mut rest) = bytes.split_first()?;
    let is_number = u32::from(*key) == tag << 3 | WireType::Varint as u32;
    Some((is_number.then(|| decode_varint(&mut rest).ok())??, rest))
}

/// How many bytes a command has as a rule, or more: there is room for so many of them at once.
const COMMAND_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::command::{Operation, RequestId};
    use crate::epaxos::id::ReplicaId;
    use proptest::prelude::*;

    /// What prost makes of the same file.
    #[allow(dead_code, missing_docs, clippy::all, clippy::pedantic)]
    mod derived {
        tonic::include_proto!("epaxos.v1");
    }

    fn command() -> impl Strategy<Value = Command> {
        let client = prop_oneof![
            ".{1,200}".prop_map(|name| Client::Named(name.into())),
            (0..9u8).prop_map(|replica| Client::Anonymous(ReplicaId(replica))),
        ];
        let number = prop_oneof![Just(0), 0..300u64, any::<u64>()];
        let size = prop_oneof![0..20usize, 0..200usize];
        let value = size.prop_flat_map(|size| proptest::collection::vec(any::<u8>(), size));
        let operation = (0..3, ".{0,40}", value).prop_map(|(kind, key, value)| match kind {
            0 => Operation::Put(key.into(), value.into()),
            1 => Operation::Get(key.into()),
            _ => Operation::Delete(key.into()),
        });
        (client, number, operation).prop_map(|(client, number, operation)| Command {
            request: RequestId { client, number },
            operation,
        })
    }

    /// Bytes that are nearly a batch: some of them changed, some cut off.
    fn nearly() -> impl Strategy<Value = Vec<u8>> {
        let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
        let commands = proptest::collection::vec(command(), 1..3);
        (commands, any::<prop::sample::Index>(), any::<bool>(), changes).prop_map(
            |(commands, cut, is_cut, changes)| {
                let mut bytes = Batch::said(&commands).encode_to_vec();
                if is_cut {
                    bytes.truncate(cut.index(bytes.len()));
                }
                for (place, byte) in changes {
                    if !bytes.is_empty() {
                        let place = place.index(bytes.len());
                        bytes[place] = byte;
                    }
                }
                bytes
            },
        )
    }

    #[test]
    fn a_batch_of_too_many_commands_is_not_read_to_its_end() {
        let empty = |count| [u8::try_from(COMMANDS << 3 | 2).unwrap(), 0].repeat(count);
        let read = |count| {
            Batch::decode(&empty(count)[..]).map(|batch| match batch {
                Batch::Heard(commands) => commands.len(),
                Batch::Said(_) => unreachable!("it was read"),
            })
        };
        assert_eq!(read(BATCH_MAX + 1), Ok(BATCH_MAX + 1));
        let too_many = "failed to decode Protobuf message: a batch has more commands than 1024";
        assert_eq!(read(BATCH_MAX + 2).unwrap_err().to_string(), too_many);
        let proposals = Proposals::decode(&empty(8 << 20)[..]);
        assert_eq!(proposals.unwrap_err().to_string(), too_many);
        assert_eq!(Proposals::decode(&empty(3)[..]).unwrap().proposals.len(), 3);
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_prost_would_read(bytes in nearly()) {
            let derived = derived::Batch::decode(&bytes[..]).ok();
            let derived = derived.map(|batch| batch.encode_to_vec());
            let read = Batch::decode(&bytes[..]).ok().map(|batch| batch.encode_to_vec());
            prop_assert_eq!(&read, &derived);
            // The same, where it does not lie in one piece.
            let (front, back) = bytes.split_at(bytes.len() / 2);
            let pieces = Batch::decode(front.chain(back)).ok().map(|batch| batch.encode_to_vec());
            prop_assert_eq!(pieces, derived);
        }

        #[test]
        fn what_is_written_is_what_prost_would_write(
            commands in proptest::collection::vec(command(), 0..5),
        ) {
            let said = Batch::said(&commands);
            let written = said.encode_to_vec();
            prop_assert_eq!(written.len(), said.encoded_len());
            let read = derived::Batch::decode(&written[..]).unwrap();
            prop_assert_eq!(&read.encode_to_vec(), &written);
            prop_assert_eq!(read.commands.len(), commands.len());
            let heard = Batch::decode(&written[..]).unwrap();
            prop_assert_eq!(heard.encoded_len(), written.len());
            prop_assert_eq!(heard.encode_to_vec(), written);
        }
    }
}
