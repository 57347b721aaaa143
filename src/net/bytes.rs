//! One message as the bytes that it takes on the wire: for whoever counts them, or times their making.
//! The links themselves leave that to the transport.

use prost::Message as _;

use crate::epaxos::message::Envelope;
use crate::net::convert::{Dialect, Refusal};
use crate::net::wire;

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Garbled {
    /// They are none of the wire's messages.
    #[error("{0}")]
    Bytes(#[from] prost::DecodeError),
    /// They are one that no replica of this cluster could have sent.
    #[error("{0}")]
    Refused(#[from] Refusal),
}

/// The bytes of a message, without the five that gRPC puts before each.
pub fn encode(dialect: Dialect, envelope: Envelope) -> Vec<u8> {
    dialect.write(envelope).encode_to_vec()
}

/// The message that some bytes are.
pub fn decode(dialect: Dialect, bytes: &[u8]) -> Result<Envelope, Garbled> {
    Ok(dialect.read(wire::Envelope::decode(bytes)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::id::{Ballot, InstanceId, MessageId, ReplicaId};
    use crate::epaxos::message::{AcceptReply, Message};

    const WRITER: Dialect = Dialect { me: ReplicaId(1), replicas: 3 };
    const READER: Dialect = Dialect { me: ReplicaId(0), replicas: 3 };

    #[test]
    fn bytes_are_the_message_they_were_made_of() {
        let instance = InstanceId::new(READER.me, 7);
        let reply = AcceptReply { instance, ballot: Ballot::initial(READER.me) };
        let id = MessageId { sender: WRITER.me, number: 300, copy: 0 };
        let envelope = Envelope { id, to: READER.me, message: Message::AcceptReply(reply) };
        let bytes = encode(WRITER, envelope.clone());
        assert_eq!(decode(READER, &bytes), Ok(envelope));
        let refusal = Garbled::Refused(Refusal::OwnName(WRITER.me));
        assert_eq!(decode(WRITER, &bytes), Err(refusal));
        assert!(matches!(decode(READER, &bytes[1..]), Err(Garbled::Bytes(_))));
    }
}
