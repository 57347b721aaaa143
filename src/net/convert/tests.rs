use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::epaxos::instance::{Phase, Proposal};
use crate::epaxos::message::{
    Conflict, Nack, Recover, RecoverReply, Validate, ValidateReply, Waiting,
};

const REPLICAS: usize = 5;

/// What R1 of five says to R3, and R3's ear.
const WRITER: Dialect = Dialect { me: ReplicaId(1), replicas: REPLICAS };
const READER: Dialect = Dialect { me: ReplicaId(3), replicas: REPLICAS };

/// What is said on a stream of its own.
fn say(envelope: Envelope) -> wire::Envelope {
    let bytes = WRITER.write(envelope, &mut Said::default()).encode_to_vec();
    wire::Envelope::decode(&bytes[..]).expect("what is written can be read")
}

/// What is heard on a stream of its own.
fn hear(envelope: wire::Envelope) -> Result<Envelope, Refusal> {
    READER.read(envelope, &mut Heard::default())
}

fn replica() -> impl Strategy<Value = ReplicaId> {
    (0..5_u8).prop_map(ReplicaId)
}

fn instance() -> impl Strategy<Value = InstanceId> {
    (replica(), 0..SLOT_LIMIT).prop_map(|(replica, slot)| InstanceId { replica, slot })
}

fn ballot() -> impl Strategy<Value = Ballot> {
    (0..ROUND_LIMIT, replica()).prop_map(|(round, replica)| Ballot { round, replica })
}

fn attributes() -> impl Strategy<Value = Attributes> {
    (0..SLOT_LIMIT, vec(instance(), 0..6))
        .prop_map(|(seq, deps)| Attributes { seq, deps: deps.into_iter().collect() })
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = || ".{1,9}".prop_map(crate::epaxos::command::Key::from);
    prop_oneof![
        (key(), vec(any::<u8>(), 0..20)).prop_map(|(key, value)| Operation::Put(key, value.into())),
        key().prop_map(Operation::Get),
        key().prop_map(Operation::Delete),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let client = prop_oneof![
        ".{1,9}".prop_map(|name| Client::Named(name.into())),
        replica().prop_map(Client::Anonymous),
    ];
    (client, any::<u64>(), operation()).prop_map(|(client, number, operation)| Command {
        request: RequestId { client, number },
        operation,
    })
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        Just(Payload::Noop),
        vec(command(), 1..5).prop_map(|commands| Payload::Commands(commands.into())),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let parts = (0..11, instance(), ballot(), payload(), attributes(), any::<bool>());
    let honest = parts.prop_map(|(kind, mut instance, mut ballot, payload, attributes, fast)| {
        if kind == 0 {
            // Only the owner sends a PreAccept.
            instance.replica = WRITER.me;
        }
        if ballot.is_initial() && payload == Payload::Noop {
            // Only recoverers propose one.
            ballot.round = 1;
        }
        if ballot.is_initial() {
            ballot.replica = instance.replica;
        }
        let others = attributes.deps.iter().filter(|last| last.replica != instance.replica);
        let attributes = Attributes { deps: others.collect(), ..attributes };
        (kind, instance, ballot, payload, attributes, fast)
    });
    honest.prop_map(|(kind, instance, ballot, payload, attributes, fast)| match kind {
        0 => Message::PreAccept(PreAccept { instance, ballot, payload, attributes }),
        1 => Message::PreAcceptReply(PreAcceptReply { instance, ballot, attributes }),
        2 => Message::Accept(Accept { instance, ballot, payload, attributes }),
        3 => Message::AcceptReply(AcceptReply { instance, ballot }),
        4 => {
            let path = if fast { Path::Fast } else { Path::Recovery };
            Message::Commit(Commit { instance, payload, attributes, path })
        }
        5 => Message::Recover(Recover { instance, ballot }),
        6 => Message::RecoverReply(Box::new(RecoverReply {
            instance,
            ballot,
            phase: if fast { Phase::PreAccepted } else { Phase::Accepted },
            accepted_ballot: if fast { Ballot::initial(instance.replica) } else { ballot },
            payload: Some(payload.clone()),
            attributes,
            initial: fast.then_some(Proposal { payload, attributes }),
        })),
        7 => {
            let proposal = Proposal { payload, attributes };
            Message::Validate(Validate { instance, ballot, proposal })
        }
        8 => {
            let conflicts = vec![Conflict { instance, committed: fast }];
            Message::ValidateReply(ValidateReply { instance, ballot, conflicts })
        }
        9 => Message::Waiting(Waiting { instance, holders: 3 }),
        _ => Message::Nack(Nack { instance, ballot }),
    })
}

fn envelope() -> impl Strategy<Value = Envelope> {
    (any::<u64>(), any::<u32>(), message()).prop_map(|(number, copy, message)| Envelope {
        id: MessageId { sender: WRITER.me, number, copy },
        to: READER.me,
        message,
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(envelope in envelope()) {
        let bytes = say(envelope.clone()).encode_to_vec();
        let read = hear(wire::Envelope::decode(&bytes[..]).unwrap());
        prop_assert_eq!(read, Ok(envelope));
    }

    #[test]
    fn operations_and_outcomes_read_back(operation in operation(), value in vec(any::<u8>(), 0..9)) {
        prop_assert_eq!(super::operation(Some((&operation).into())), Ok(operation));
        for outcome in [
            Outcome::Written,
            Outcome::NotFound,
            Outcome::Unknown,
            Outcome::Found(value.into()),
        ] {
            let wire = wire::propose_response::Outcome::from(outcome.clone());
            prop_assert_eq!(Outcome::from(wire), outcome);
        }
    }

    /// Whatever a few flipped bytes make of a message, it is refused in words, or read as something
    /// that could have been sent.
    #[test]
    fn damage_is_refused_or_harmless(
        envelope in envelope(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = say(envelope).encode_to_vec();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        check(&bytes)?;
    }

    #[test]
    fn noise_is_refused_or_harmless(bytes in vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(wire) = wire::Envelope::decode(bytes) else { return Ok(()) };
    match hear(wire) {
        Ok(envelope) => {
            prop_assert!(envelope.to == READER.me && envelope.id.sender != READER.me);
            prop_assert!(envelope.message.instance().replica.index() < REPLICAS);
            let again = hear(say(envelope.clone()));
            prop_assert_eq!(again, Ok(envelope));
        }
        Err(refusal) => {
            let sentence = refusal.to_string();
            prop_assert!(!sentence.is_empty() && !sentence.contains('\n'));
        }
    }
    Ok(())
}

/// A PreAccept that nothing is wrong with.
fn good() -> wire::Envelope {
    let instance = InstanceId::new(WRITER.me, 7);
    let ballot = Ballot::initial(WRITER.me);
    let request = RequestId::named("ann", 1);
    let payload = Payload::one(Command { request, operation: Operation::put("x", "1") });
    let attributes = Attributes::FIRST;
    let message = Message::PreAccept(PreAccept { instance, ballot, payload, attributes });
    let id = MessageId { sender: WRITER.me, number: 0, copy: 0 };
    say(Envelope { id, to: READER.me, message })
}

/// What is said of the good message after a change to it.
fn refused(change: impl FnOnce(&mut wire::Envelope)) -> String {
    let mut envelope = good();
    change(&mut envelope);
    hear(envelope).expect_err("the change makes it bad").to_string()
}

/// The same for a change to what the envelope carries.
fn refused_within(change: impl FnOnce(&mut wire::PreAccept)) -> String {
    refused(|envelope| match &mut envelope.message {
        Some(wire::envelope::Message::PreAccept(message)) => change(message),
        _ => unreachable!("the good message is a PreAccept"),
    })
}

fn refused_command(change: impl FnOnce(&mut wire::Command)) -> String {
    refused_within(|message| match &mut message.payload.as_mut().unwrap().kind {
        Some(wire::payload::Kind::Batch(Batch::Heard(commands))) => change(&mut commands[0]),
        _ => unreachable!("the good payload is a batch"),
    })
}

fn refused_batch(change: impl FnOnce(&mut Vec<wire::Command>)) -> String {
    refused_within(|message| match &mut message.payload.as_mut().unwrap().kind {
        Some(wire::payload::Kind::Batch(Batch::Heard(commands))) => change(commands),
        _ => unreachable!("the good payload is a batch"),
    })
}

#[test]
fn envelopes_are_refused_in_words() {
    hear(good()).unwrap();
    let sentences = [
        refused(|envelope| envelope.id = None),
        refused(|envelope| envelope.id.as_mut().unwrap().sender = 5),
        refused(|envelope| envelope.id.as_mut().unwrap().sender = 257),
        refused(|envelope| envelope.id.as_mut().unwrap().sender = 3),
        refused(|envelope| envelope.id.as_mut().unwrap().sender = 2),
        refused(|envelope| envelope.to = 0),
        refused(|envelope| envelope.message = None),
    ];
    let expected = [
        "the message's name is missing",
        "the sender is replica 5, and there are only 5",
        "the sender is replica 257, and there are only 5",
        "the sender says that it is R3, which is this replica",
        "a PreAccept of R1.7 comes from R2, which does not lead it",
        "the envelope is addressed to replica 0, and this is R3",
        "the message is missing",
    ];
    assert_eq!(sentences, expected);
}

#[test]
fn messages_are_refused_in_words() {
    let deps =
        |deps: Vec<i64>| refused_within(|message| message.attributes.as_mut().unwrap().deps = deps);
    let sentences = [
        refused_within(|message| message.instance = None),
        refused_within(|message| message.instance.as_mut().unwrap().replica = 5),
        refused_within(|message| message.instance.as_mut().unwrap().slot = 1 << 48),
        refused_within(|message| message.ballot.as_mut().unwrap().replica = 300),
        refused_within(|message| message.ballot.as_mut().unwrap().round = u32::MAX),
        refused_within(|message| message.attributes.as_mut().unwrap().seq = u64::MAX),
        deps(vec![-1; 4]),
        deps(vec![-1; 6]),
        deps(vec![-1, -2, -1, -1, -1]),
        deps(vec![i64::MIN, -1, -1, -1, -1]),
        deps(vec![i64::MAX, -1, -1, -1, -1]),
        deps(vec![-1, 7, -1, -1, -1]),
        refused_within(|message| message.ballot.as_mut().unwrap().replica = 4),
    ];
    let expected = [
        "the instance is missing",
        "the instance names replica 5, and there are only 5",
        "the slot 281474976710656 is out of all reach",
        "the ballot names replica 300, and there are only 5",
        "the round 4294967295 is out of all reach",
        "the seq 18446744073709551615 is out of all reach",
        "there are 4 dependencies, and a cluster of 5 has one for each replica",
        "there are 6 dependencies, and a cluster of 5 has one for each replica",
        "the dependency -2 is neither a slot nor -1",
        "the dependency -9223372036854775808 is neither a slot nor -1",
        "the dependency 9223372036854775807 is out of all reach",
        "R1.7 depends on itself",
        "the first ballot of R1.7 is said to be R4's, which does not lead it",
    ];
    assert_eq!(sentences, expected);
    assert_eq!(path(0).unwrap_err().to_string(), "the path 0 is unknown");
}

/// A recoverer that believed any of these would propose what nobody has, or contradict itself.
#[test]
fn replies_to_recovery_are_refused_in_words() {
    let said = |change: fn(&mut RecoverReply)| {
        let instance = InstanceId::new(ReplicaId(0), 3);
        let mut reply = RecoverReply {
            instance,
            ballot: Ballot { round: 2, replica: READER.me },
            phase: Phase::Accepted,
            accepted_ballot: Ballot { round: 1, replica: ReplicaId(2) },
            payload: Some(Payload::Noop),
            attributes: Attributes::NONE,
            initial: None,
        };
        change(&mut reply);
        let id = MessageId { sender: WRITER.me, number: 0, copy: 0 };
        let message = Message::RecoverReply(Box::new(reply));
        let read = hear(say(Envelope { id, to: READER.me, message }));
        read.map_err(|refusal| refusal.to_string()).err()
    };
    assert_eq!(said(|_| {}), None);
    let sentences = [
        said(|reply| reply.payload = None),
        said(|reply| reply.phase = Phase::PreAccepted),
        said(|reply| reply.accepted_ballot.round = 3),
        said(|reply| {
            reply.phase = Phase::PreAccepted;
            reply.accepted_ballot = Ballot::initial(reply.instance.replica);
        }),
    ];
    let expected = [
        "the payload is missing",
        "a vote in b1.R2 on R0.3 does not go with pre-accepted in b2.R3",
        "a vote in b3.R2 on R0.3 does not go with accepted in b2.R3",
        "the proposal is missing",
    ];
    assert_eq!(sentences.map(Option::unwrap_or_default), expected);
}

#[test]
fn payloads_are_refused_in_words() {
    let put = |key: usize, value: usize| {
        let put = Operation::Put("k".repeat(key).into(), vec![0; value].into());
        Some((&put).into())
    };
    let client = |client| refused_command(|command| command.client = client);
    let name = |name: &str| client(Some(wire::command::Client::Identity(name.to_owned())));
    let many =
        |commands: &mut Vec<wire::Command>, count| *commands = vec![commands[0].clone(); count];
    let sentences = [
        refused_within(|message| message.payload = Some(wire::Payload { kind: None })),
        refused_within(|message| {
            let kind = Some(wire::payload::Kind::Noop(wire::Noop {}));
            message.payload = Some(wire::Payload { kind });
        }),
        refused_within(|message| {
            let kind = Some(wire::payload::Kind::Earlier(0));
            message.payload = Some(wire::Payload { kind });
        }),
        refused_batch(Vec::clear),
        refused_batch(|commands| many(commands, 1025)),
        refused_batch(|commands| {
            commands[0].operation = put(1, VALUE_MAX);
            many(commands, 9);
        }),
        refused_command(|command| command.operation = None),
        refused_command(|command| command.operation = put(0, 0)),
        refused_command(|command| command.operation = put(KEY_MAX + 1, 0)),
        refused_command(|command| command.operation = put(1, VALUE_MAX + 1)),
        client(None),
        client(Some(wire::command::Client::AnonymousAt(5))),
        name(""),
        name(&"n".repeat(257)),
    ];
    let expected = [
        "the payload is missing",
        "the leader of R1.7 proposes a no-op",
        "the commands of R1.7 were not spelled out before on this stream",
        "a batch has at least one command",
        "a batch has 1025 commands, more than 1024",
        "a batch has 9437193 bytes of keys and values, more than 8388608",
        "the operation is missing",
        "a key has at least one byte",
        "a key has 4097 bytes, more than 4096",
        "a value has 1048577 bytes, more than 1048576",
        "the client is missing",
        "the client names replica 5, and there are only 5",
        "a named client has a name of at least one byte",
        "a client's identity has 257 bytes, more than 256",
    ];
    assert_eq!(sentences, expected);
    assert_eq!(BTreeSet::from(expected).len(), expected.len());
}

#[test]
fn a_request_without_a_name_or_a_number_is_a_new_one() {
    let get = || Some((&Operation::get("x")).into());
    let request = |name: &str, number| Wish::read(name.to_owned(), number, get()).unwrap().request;
    assert_eq!(request("", None), None);
    assert_eq!(request("", Some(3)), None);
    assert_eq!(request("ann", None), None);
    assert_eq!(request("ann", Some(0)), Some(RequestId::named("ann", 0)));
}
