//! One operation, as it is on the wire.
//!
//! All that clients ask for and most of what replicas tell each other is operations. What prost makes
//! of `Operation` would put every key and every value into a string and a vector of their own, to be
//! copied from there, and once more for each replica that is told. This reads and writes the same
//! bytes without.

use prost::bytes::{Buf, BufMut};
use prost::encoding::{
    DecodeContext, WireType, check_wire_type, decode_key, decode_varint, encode_key, encode_varint,
    encoded_len_varint, key_len, merge_loop, skip_field,
};
use prost::{DecodeError, Message};

use crate::epaxos::command::{Key, Operation as Decoded, Value};

/// The message `Operation` of `command.proto`: nothing, until its kind has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Operation {
    /// What is asked, with sizes still to be checked.
    pub kind: Option<Decoded>,
}

impl From<&Decoded> for Operation {
    fn from(operation: &Decoded) -> Self {
        Self { kind: Some(operation.clone()) }
    }
}

/// The field numbers of `Operation`'s kinds.
const PUT: u32 = 1;
const GET: u32 = 2;
const DELETE: u32 = 3;

/// The field numbers of `Put`, `Get` and `Delete`.
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// The field number of an operation's kind, its key and its value, of which most kinds have none.
fn parts(operation: &Decoded) -> (u32, &str, &[u8]) {
    match operation {
        Decoded::Put(key, value) => (PUT, key, value),
        Decoded::Get(key) => (GET, key, &[]),
        Decoded::Delete(key) => (DELETE, key, &[]),
    }
}

/// The key, and the value where it has one, of an operation of the kind that a field number says: of
/// the one that is there, since a kind that comes twice is one message in two parts; otherwise of an
/// empty one.
fn parts_mut(kind: &mut Option<Decoded>, tag: u32) -> (&mut Key, Option<&mut Value>) {
    let is_there = kind.as_ref().is_some_and(|operation| parts(operation).0 == tag);
    if !is_there {
        *kind = None;
    }
    let operation = kind.get_or_insert_with(|| match tag {
        PUT => Decoded::Put(Key::default(), Value::default()),
        GET => Decoded::Get(Key::default()),
        _ => Decoded::Delete(Key::default()),
    });
    match operation {
        Decoded::Put(key, value) => (key, Some(value)),
        Decoded::Get(key) | Decoded::Delete(key) => (key, None),
    }
}

/// Writes an operation.
pub fn encode(operation: &Decoded, buffer: &mut impl BufMut) {
    let (kind, key, value) = parts(operation);
    encode_key(kind, WireType::LengthDelimited, buffer);
    encode_varint((field_len(KEY, key.len()) + field_len(VALUE, value.len())) as u64, buffer);
    encode_field(KEY, key.as_bytes(), buffer);
    encode_field(VALUE, value, buffer);
}

/// How many bytes [`encode`] writes.
pub fn encoded_len(operation: &Decoded) -> usize {
    let (kind, key, value) = parts(operation);
    let inside = field_len(KEY, key.len()) + field_len(VALUE, value.len());
    key_len(kind) + encoded_len_varint(inside as u64) + inside
}

impl Message for Operation {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        if let Some(operation) = &self.kind {
            encode(operation, buffer);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        if !(PUT..=DELETE).contains(&tag) {
            return skip_field(wire_type, tag, buffer, context);
        }
        check_wire_type(WireType::LengthDelimited, wire_type)?;
        if self.kind.is_none()
            && let Some((operation, len)) = read_short(tag, buffer.chunk())
        {
            buffer.advance(len);
            self.kind = Some(operation);
            return Ok(());
        }
        let mut parts = parts_mut(&mut self.kind, tag);
        merge_loop(&mut parts, buffer, context, |(key, value), buffer, context| {
            let (field, wire_type) = decode_key(buffer)?;
            match (field, value) {
                (KEY, _) => {
                    check_wire_type(WireType::LengthDelimited, wire_type)?;
                    **key = read(buffer, |bytes| std::str::from_utf8(bytes).ok().map(Key::from))?;
                }
                (VALUE, Some(value)) => {
                    check_wire_type(WireType::LengthDelimited, wire_type)?;
                    **value = read(buffer, |bytes| Some(Value::from(bytes)))?;
                }
                _ => skip_field(wire_type, field, buffer, context)?,
            }
            Ok(())
        })
    }

    fn encoded_len(&self) -> usize {
        self.kind.as_ref().map_or(0, encoded_len)
    }

    fn clear(&mut self) {
        self.kind = None;
    }
}

/// Reads an operation of the kind that a field number says, and how many bytes of these it takes: where
/// it lies in one piece, is shorter than 128 bytes, and is written as [`encode`] does it. So nearly all
/// are, and this takes half the time of what can read all of them. `None` where it is any other.
pub(super) fn read_short(kind: u32, bytes: &[u8]) -> Option<(Decoded, usize)> {
    let inside = short(bytes)?;
    let (key, rest) = short_field(KEY, inside)?;
    let key = Key::from(std::str::from_utf8(key).ok()?);
    let (operation, rest) = match kind {
        PUT => {
            let (value, rest) = short_field(VALUE, rest)?;
            (Decoded::Put(key, value.into()), rest)
        }
        GET => (Decoded::Get(key), rest),
        DELETE => (Decoded::Delete(key), rest),
        _ => return None,
    };
    rest.is_empty().then_some((operation, 1 + inside.len()))
}

/// What follows its own length, if that is below 128 and so a single byte.
pub(super) fn short(bytes: &[u8]) -> Option<&[u8]> {
    let (len, rest) = bytes.split_first()?;
    if *len < 0x80 { rest.get(..usize::from(*len)) } else { None }
}

/// The bytes of a short field, and those after it.
fn short_field(tag: u32, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, rest) = bytes.split_first()?;
    let field = if u32::from(*key) == delimited(tag) { short(rest)? } else { return None };
    Some((field, &rest[1 + field.len()..]))
}

/// What announces a field of so many bytes.
pub(super) const fn delimited(tag: u32) -> u32 {
    tag << 3 | WireType::LengthDelimited as u32
}

/// How much a field takes. One that is empty is not written.
fn field_len(tag: u32, len: usize) -> usize {
    if len == 0 { 0 } else { key_len(tag) + encoded_len_varint(len as u64) + len }
}

fn encode_field(tag: u32, bytes: &[u8], buffer: &mut impl BufMut) {
    if !bytes.is_empty() {
        encode_key(tag, WireType::LengthDelimited, buffer);
        encode_varint(bytes.len() as u64, buffer);
        buffer.put_slice(bytes);
    }
}

/// Makes something of the bytes of a field, or refuses them as text that is none.
fn read<T>(buffer: &mut impl Buf, make: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, DecodeError> {
    let len = usize::try_from(decode_varint(buffer)?).unwrap_or(usize::MAX);
    if len > buffer.remaining() {
        return Err(refuse("buffer underflow"));
    }
    let result = match buffer.chunk().get(..len) {
        Some(bytes) => {
            let result = make(bytes);
            buffer.advance(len);
            result
        }
        None => make(&buffer.copy_to_bytes(len)),
    };
    result.ok_or_else(|| refuse("invalid string value: data is not UTF-8 encoded"))
}

#[expect(deprecated, reason = "a message that is written by hand has no other way to refuse")]
/// Why something cannot be read.
pub(super) fn refuse(why: &'static str) -> DecodeError {
    DecodeError::new(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What prost makes of the same file.
    #[allow(dead_code, missing_docs, clippy::all, clippy::pedantic)]
    mod derived {
        tonic::include_proto!("epaxos.v1");
    }
    use derived::operation::Kind;

    fn read_by_hand(bytes: &[u8]) -> Option<derived::Operation> {
        let kind = Operation::decode(bytes).ok()?.kind.map(|kind| match kind {
            Decoded::Put(key, value) => {
                Kind::Put(derived::Put { key: key.to_string(), value: value.to_vec() })
            }
            Decoded::Get(key) => Kind::Get(derived::Get { key: key.to_string() }),
            Decoded::Delete(key) => Kind::Delete(derived::Delete { key: key.to_string() }),
        });
        Some(derived::Operation { kind })
    }

    fn operation() -> impl Strategy<Value = Decoded> {
        let value = proptest::collection::vec(any::<u8>(), 0..200);
        (0..3, ".{0,40}", value).prop_map(|(kind, key, value)| match kind {
            0 => Decoded::Put(key.into(), value.into()),
            1 => Decoded::Get(key.into()),
            _ => Decoded::Delete(key.into()),
        })
    }

    /// Bytes that are nearly an operation: some of them changed, some cut off, some twice.
    fn nearly() -> impl Strategy<Value = Vec<u8>> {
        let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
        (operation(), operation(), any::<prop::sample::Index>(), changes).prop_map(
            |(first, second, cut, changes)| {
                let mut bytes = Operation::from(&first).encode_to_vec();
                bytes.extend(Operation::from(&second).encode_to_vec());
                bytes.truncate(cut.index(bytes.len() + 1));
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

    proptest! {
        #[test]
        fn what_is_written_is_what_prost_would_write(operation in operation()) {
            let written = Operation::from(&operation).encode_to_vec();
            prop_assert_eq!(written.len(), Operation::from(&operation).encoded_len());
            let read = derived::Operation::decode(&written[..]).unwrap();
            prop_assert_eq!(&read.encode_to_vec(), &written);
            prop_assert_eq!(Operation::decode(&written[..]).unwrap().kind, Some(operation));
        }

        #[test]
        fn what_is_read_is_what_prost_would_read(bytes in nearly()) {
            let derived = derived::Operation::decode(&bytes[..]).ok();
            prop_assert_eq!(read_by_hand(&bytes), derived);
            // The same, where it does not lie in one piece.
            let (front, back) = bytes.split_at(bytes.len() / 2);
            let pieces = Operation::decode(front.chain(back)).ok();
            prop_assert_eq!(pieces, Operation::decode(&bytes[..]).ok());
        }
    }
}
