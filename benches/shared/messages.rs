//! The messages that carry commands, as one replica of five sends them to another.

use epaxos_tui::epaxos::attributes::Attributes;
use epaxos_tui::epaxos::command::Payload;
use epaxos_tui::epaxos::id::{Ballot, InstanceId, MessageId, ReplicaId};
use epaxos_tui::epaxos::instance::Path;
use epaxos_tui::epaxos::message::{Commit, Envelope, Message, PreAccept};
use epaxos_tui::net::convert::Dialect;

use crate::commands::Commands;

/// Who sends.
pub const WRITER: Dialect = Dialect { me: ReplicaId(0), replicas: 5 };

/// Who receives.
pub const READER: Dialect = Dialect { me: ReplicaId(1), replicas: 5 };

/// How many commands the messages carry.
const BATCHES: [usize; 2] = [1, 100];

/// The messages, by name.
pub fn all() -> Vec<(String, Envelope)> {
    let both = |batch| {
        let messages = [pre_accept(batch), commit(batch)];
        messages.map(|message| (format!("{} of {batch}", message.kind()), envelope(message)))
    };
    BATCHES.into_iter().flat_map(both).collect()
}

fn envelope(message: Message) -> Envelope {
    let id = MessageId { sender: WRITER.me, number: 1_000_000, copy: 0 };
    Envelope { id, to: READER.me, message }
}

fn pre_accept(batch: usize) -> Message {
    Message::PreAccept(PreAccept {
        instance: instance(),
        ballot: Ballot::initial(WRITER.me),
        payload: payload(batch),
        attributes: attributes(),
    })
}

fn commit(batch: usize) -> Message {
    Message::Commit(Commit {
        instance: instance(),
        payload: payload(batch),
        attributes: attributes(),
        path: Path::Fast,
    })
}

fn instance() -> InstanceId {
    InstanceId::new(WRITER.me, 100_000)
}

fn payload(batch: usize) -> Payload {
    Payload::Commands(Commands::new(10_000).batch(WRITER.me, batch).into())
}

/// With something to depend on in each row.
fn attributes() -> Attributes {
    let deps = ReplicaId::all(WRITER.replicas).map(|row| InstanceId::new(row, 99_999)).collect();
    Attributes { seq: 400_000, deps }
}
