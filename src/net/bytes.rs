//! Messages as the bytes that they take on the wire: for whoever counts them, or times their making. The
//! links themselves leave that to the transport.

use prost::Message as _;

use crate::epaxos::message::Envelope;
use crate::net::convert::earlier::{Heard, Said};
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

/// The end of a stream at which messages become bytes.
#[derive(Debug)]
pub struct Mouth {
    dialect: Dialect,
    said: Said,
}

impl Mouth {
    /// The beginning of a stream.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, said: Said::default() }
    }

    /// The bytes of the next message, without the five that gRPC puts before each.
    pub fn encode(&mut self, envelope: Envelope) -> Vec<u8> {
        self.dialect.write(envelope, &mut self.said).encode_to_vec()
    }
}

/// The end of a stream at which bytes become messages.
#[derive(Debug)]
pub struct Ear {
    dialect: Dialect,
    heard: Heard,
}

impl Ear {
    /// The beginning of a stream.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, heard: Heard::default() }
    }

    /// The message that the next bytes are.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Envelope, Garbled> {
        Ok(self.dialect.read(wire::Envelope::decode(bytes)?, &mut self.heard)?)
    }
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
        let bytes = Mouth::new(WRITER).encode(envelope.clone());
        let mut ear = Ear::new(READER);
        assert_eq!(ear.decode(&bytes), Ok(envelope));
        let refusal = Garbled::Refused(Refusal::OwnName(WRITER.me));
        assert_eq!(Ear::new(WRITER).decode(&bytes), Err(refusal));
        assert!(matches!(ear.decode(&bytes[1..]), Err(Garbled::Bytes(_))));
    }
}
