//! Whatever a live cluster is sent: no replica goes down, nothing grows, and who sent it is told what
//! was wrong with it.

#![expect(clippy::unnecessary_wraps, reason = "parts of messages are made as they are put in")]

#[path = "hostile/bounds.rs"]
mod bounds;
#[path = "hostile/connections.rs"]
mod connections;
#[path = "hostile/scene.rs"]
mod scene;

mod wire {
    #![allow(missing_docs, clippy::all, clippy::pedantic)]
    tonic::include_proto!("epaxos.v1");
}

use std::time::Duration;

use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::net::handshake::Hello;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost::Message as _;
use scene::{Scene, call, resident};
use tokio::runtime::Runtime;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};
use wire::envelope::Message;
use wire::replica_client::ReplicaClient;

const DISPATCH: &str = "/epaxos.v1.Replica/Dispatch";

const METHODS: [&str; 7] = [
    "/epaxos.v1.Kv/Put",
    "/epaxos.v1.Kv/Get",
    "/epaxos.v1.Kv/Delete",
    "/epaxos.v1.Replica/Propose",
    "/epaxos.v1.Replica/ProposeBatch",
    "/epaxos.v1.Replica/ProposeStream",
    DISPATCH,
];

/// Out of the way of all instances that are really led, and with no bit pattern that one change turns
/// into a small number.
const SLOT: u64 = 0x5a5a_5a5a_5a5a;

fn instance() -> Option<wire::Instance> {
    Some(wire::Instance { replica: 1, slot: SLOT })
}

fn ballot(round: u32) -> Option<wire::Ballot> {
    Some(wire::Ballot { round, replica: 1 })
}

fn attributes() -> Option<wire::Attributes> {
    Some(wire::Attributes { seq: 1, deps: vec![-1; 3] })
}

fn put(key: &str, value: usize) -> Option<wire::Operation> {
    let put = wire::Put { key: key.into(), value: vec![7; value] };
    Some(wire::Operation { kind: Some(wire::operation::Kind::Put(put)) })
}

fn payload() -> Option<wire::Payload> {
    let client = Some(wire::command::Client::Identity("mallory".into()));
    let command = wire::Command { client, number: 1, operation: put("fuzz", 3) };
    let batch = wire::Batch { commands: vec![command] };
    Some(wire::Payload { kind: Some(wire::payload::Kind::Batch(batch)) })
}

fn proposal() -> Option<wire::Proposal> {
    Some(wire::Proposal { payload: payload(), attributes: attributes() })
}

/// What R1 says to R0.
fn envelope(message: Message) -> wire::Envelope {
    let id = Some(wire::MessageId { sender: 1, number: 0, copy: 0 });
    wire::Envelope { id, to: 0, message: Some(message) }
}

fn pre_accept() -> wire::PreAccept {
    wire::PreAccept {
        instance: instance(),
        ballot: ballot(0),
        payload: payload(),
        attributes: attributes(),
    }
}

/// One message of each kind that nothing is wrong with.
fn messages() -> Vec<Message> {
    let (instance, ballot, attributes) = (instance(), ballot(0), attributes());
    let accept =
        wire::Accept { instance, ballot, payload: payload(), attributes: self::attributes() };
    let commit =
        wire::Commit { instance, payload: payload(), attributes: self::attributes(), path: 1 };
    let reply = wire::RecoverReply {
        instance,
        ballot: self::ballot(1),
        phase: 2,
        accepted_ballot: ballot,
        payload: payload(),
        attributes: self::attributes(),
        initial: proposal(),
    };
    let conflicts = vec![wire::Conflict { instance, committed: true }];
    let joined = self::ballot(3);
    vec![
        Message::PreAccept(pre_accept()),
        Message::PreAcceptReply(wire::PreAcceptReply { instance, ballot, attributes }),
        Message::Accept(accept),
        Message::AcceptReply(wire::AcceptReply { instance, ballot }),
        Message::Commit(commit),
        Message::Recover(wire::Recover { instance, ballot: joined }),
        Message::RecoverReply(reply),
        Message::Validate(wire::Validate { instance, ballot: joined, proposal: proposal() }),
        Message::ValidateReply(wire::ValidateReply { instance, ballot: joined, conflicts }),
        Message::Waiting(wire::Waiting { instance, holders: 2 }),
        Message::Nack(wire::Nack { instance, ballot: joined }),
    ]
}

/// Runs a property on any bytes, within a runtime.
fn run<T: std::fmt::Debug>(
    runtime: &Runtime,
    cases: u32,
    strategy: &impl Strategy<Value = T>,
    property: impl AsyncFn(T) -> Result<(), TestCaseError>,
) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config)
        .run(strategy, |value| runtime.block_on(async { property(value).await }));
    if let Err(error) = run {
        panic!("{error}");
    }
}

/// A call ends well, or says what was wrong; and what is said to be wrong is counted.
fn check_end(scene: &Scene, before: u64, end: &Result<(), Status>) -> Result<(), TestCaseError> {
    let refused = scene.refused() - before;
    match end {
        Ok(()) => prop_assert_eq!(refused, 0),
        Err(status) => match status.code() {
            Code::InvalidArgument => {
                prop_assert!(!status.message().is_empty());
                prop_assert_eq!(refused, 1, "{:?}", status);
            }
            // Noise may happen to ask for a key.
            code => prop_assert_eq!(code, Code::NotFound, "{:?}", status),
        },
    }
    Ok(())
}

#[test]
fn noise_is_refused_by_every_method() {
    let runtime = Runtime::new().unwrap();
    let mut scene = runtime.block_on(Scene::start(None));
    let channel = runtime.block_on(scene.channel(0));
    let hello = scene.hello(1);
    for method in METHODS {
        run(&runtime, 150, &vec(any::<u8>(), 0..200), async |bytes| {
            let before = scene.refused();
            let end = call(&channel, &hello, method, bytes).await;
            check_end(&scene, before, &end)
        });
    }
    assert!(scene.refused() > 700, "noise is seldom anything else: {}", scene.refused());
    runtime.block_on(scene.check());
}

#[test]
fn damaged_messages_are_refused_or_harmless() {
    let runtime = Runtime::new().unwrap();
    let mut scene = runtime.block_on(Scene::start(None));
    let channel = runtime.block_on(scene.channel(0));
    let hello = scene.hello(1);
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 1..5);
    let cases = (prop::sample::select(messages()), damage, any::<prop::sample::Index>());
    run(&runtime, 1000, &cases, async |(message, damage, end)| {
        let mut bytes = envelope(message).encode_to_vec();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        // Sometimes with the end missing.
        bytes.truncate(bytes.len() / 2 + end.index(bytes.len()));
        let before = scene.refused();
        let end = call(&channel, &hello, DISPATCH, bytes).await;
        check_end(&scene, before, &end)
    });
    assert!(scene.refused() > 100, "much of it cannot be read: {}", scene.refused());
    runtime.block_on(scene.check());
}

/// What is wrong with a message, and what is said of it.
fn wrong_messages() -> Vec<(wire::Envelope, &'static str)> {
    let changed = |change: fn(&mut wire::PreAccept)| {
        let mut message = pre_accept();
        change(&mut message);
        envelope(Message::PreAccept(message))
    };
    let deps = |deps: Vec<i64>| {
        let mut message = pre_accept();
        message.attributes = Some(wire::Attributes { seq: 1, deps });
        envelope(Message::PreAccept(message))
    };
    let named = |sender, to| {
        let id = Some(wire::MessageId { sender, number: 0, copy: 0 });
        wire::Envelope { id, to, ..envelope(Message::PreAccept(pre_accept())) }
    };
    vec![
        (
            deps(vec![-1; 2]),
            "there are 2 dependencies, and a cluster of 3 has one for each replica",
        ),
        (
            deps(vec![-1; 100_000]),
            "there are 100000 dependencies, and a cluster of 3 has one for each replica",
        ),
        (deps(vec![-1, -2, -1]), "the dependency -2 is neither a slot nor -1"),
        (deps(vec![1 << 48, -1, -1]), "the dependency 281474976710656 is out of all reach"),
        (deps(vec![-1, 0x5a5a_5a5a_5a5a, -1]), "R1.99344109427290 depends on itself"),
        (named(3, 0), "the sender is replica 3, and there are only 3"),
        (named(u32::MAX, 0), "the sender is replica 4294967295, and there are only 3"),
        (named(0, 0), "the sender says that it is R0, which is this replica"),
        (named(1, 9), "the envelope is addressed to replica 9, and this is R0"),
        (named(2, 0), "a PreAccept of R1.99344109427290 comes from R2, which does not lead it"),
        (
            changed(|it| it.instance = Some(wire::Instance { replica: 3, slot: 0 })),
            "the instance names replica 3, and there are only 3",
        ),
        (
            changed(|it| it.instance = Some(wire::Instance { replica: 1, slot: u64::MAX })),
            "the slot 18446744073709551615 is out of all reach",
        ),
        (
            changed(|it| {
                it.attributes = Some(wire::Attributes { seq: u64::MAX, deps: vec![-1; 3] });
            }),
            "the seq 18446744073709551615 is out of all reach",
        ),
        (changed(|it| it.ballot = ballot(u32::MAX)), "the round 4294967295 is out of all reach"),
        (
            changed(|it| it.ballot = Some(wire::Ballot { round: 0, replica: 2 })),
            "the first ballot of R1.99344109427290 is said to be R2's, which does not lead it",
        ),
        (changed(|it| it.payload = None), "the payload is missing"),
        (
            envelope(Message::Commit(wire::Commit {
                instance: instance(),
                payload: payload(),
                attributes: attributes(),
                path: 77,
            })),
            "the path 77 is unknown",
        ),
        (
            envelope(Message::Waiting(wire::Waiting { instance: instance(), holders: 4 })),
            "there are 4 holders, more than replicas",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_messages_are_refused_in_words() {
    let mut scene = Scene::start(None).await;
    let channel = scene.channel(0).await;
    for (envelope, sentence) in wrong_messages() {
        let before = scene.refused();
        // Whoever it names as its sender opens the stream, where that can be.
        let sender = envelope.id.map_or(1, |id| id.sender);
        let hello = scene.hello(if sender == 2 { 2 } else { 1 });
        let end = call(&channel, &hello, DISPATCH, envelope.encode_to_vec()).await.unwrap_err();
        assert_eq!((end.code(), end.message()), (Code::InvalidArgument, sentence));
        assert_eq!(scene.refused(), before + 1);
    }
    scene.check().await;
}

/// What a client may ask for that is too little or too much, and what is said of it.
fn wrong_requests() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let propose = |operation| wire::ProposeRequest { operation, ..wire::ProposeRequest::default() };
    let batch = |count, value| wire::ProposeBatchRequest {
        proposals: vec![propose(put("k", value)); count],
    };
    let get = wire::operation::Kind::Get(wire::Get { key: "k".into() });
    let get = propose(Some(wire::Operation { kind: Some(get) }));
    let gets = wire::ProposeBatchRequest { proposals: vec![get; 5] };
    let put_of = |key: usize, value: usize| wire::PutRequest {
        key: "k".repeat(key),
        value: vec![0; value],
        ..wire::PutRequest::default()
    };
    let identity = "n".repeat(257);
    let named = wire::ProposeRequest { identity, ..propose(put("k", 1)) };
    vec![
        (METHODS[0], put_of(0, 1).encode_to_vec(), "a key has at least one byte"),
        (METHODS[0], put_of(4097, 1).encode_to_vec(), "a key has 4097 bytes, more than 4096"),
        (
            METHODS[0],
            put_of(1, (1 << 20) + 1).encode_to_vec(),
            "a value has 1048577 bytes, more than 1048576",
        ),
        (
            METHODS[0],
            put_of(1, 5 << 20).encode_to_vec(),
            "Error, decoded message length too large: found 5242888 bytes, the limit is: 4194304 \
             bytes",
        ),
        (METHODS[3], propose(None).encode_to_vec(), "the operation is missing"),
        (METHODS[3], named.encode_to_vec(), "a client's identity has 257 bytes, more than 256"),
        (METHODS[4], batch(0, 0).encode_to_vec(), "a batch has at least one command"),
        (METHODS[4], batch(1025, 1).encode_to_vec(), "a batch has 1025 commands, more than 1024"),
        (
            METHODS[4],
            gets.encode_to_vec(),
            "the answers to a batch with 5 gets may take 5243040 bytes, and the client receives \
             4194304 at most; read fewer keys at once, or raise the limit of the client and name it \
             in the metadata, as epaxos-answer-max",
        ),
        (
            METHODS[4],
            batch(9, 1 << 20).encode_to_vec(),
            "a batch has 9437193 bytes of keys and values, more than 8388608",
        ),
        (
            METHODS[5],
            vec![0; (16 << 20) + 1],
            "Error, decoded message length too large: found 16777217 bytes, the limit is: \
             16777216 bytes",
        ),
        (
            DISPATCH,
            vec![0; (16 << 20) + 1],
            "Error, decoded message length too large: found 16777217 bytes, the limit is: \
             16777216 bytes",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_refused_in_words_and_leave_nothing_behind() {
    let mut scene = Scene::start(None).await;
    let channel = scene.channel(0).await;
    let hello = scene.hello(1);
    let mut after_first = 0;
    for round in 0..12 {
        for (method, bytes, sentence) in wrong_requests() {
            let before = scene.refused();
            let end = call(&channel, &hello, method, bytes).await.unwrap_err();
            assert_eq!((end.code(), end.message()), (Code::InvalidArgument, sentence));
            assert_eq!(scene.refused(), before + 1, "{sentence}");
        }
        if round == 0 {
            after_first = resident();
        }
    }
    let grown = resident() - after_first;
    println!("{after_first} MiB after one round, {grown} more after eleven others of 48 MiB each");
    assert!(grown < 150, "{grown} MiB more than after one round");
    scene.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_at_their_limits_are_dealt_with() {
    let recover_after = Some(Duration::from_millis(600));
    let mut scene = Scene::start(recover_after).await;
    let channel = scene.channel(0).await;
    let hello = scene.hello(1);
    // The last round there is: nobody can go above it, and nobody says what others would refuse.
    for slot in [SLOT, (1 << 48) - 1] {
        let instance = Some(wire::Instance { replica: 1, slot });
        let ballot = ballot((1 << 31) - 1);
        let message = Message::Recover(wire::Recover { instance, ballot });
        call(&channel, &hello, DISPATCH, envelope(message).encode_to_vec()).await.unwrap();
    }
    // The largest seq and slot of a command that is decided: its key has had its day, and nothing else.
    let mut commit = wire::Commit {
        instance: Some(wire::Instance { replica: 1, slot: (1 << 48) - 2 }),
        payload: payload(),
        attributes: Some(wire::Attributes { seq: (1 << 48) - 1, deps: vec![-1; 3] }),
        path: 2,
    };
    call(&channel, &hello, DISPATCH, envelope(Message::Commit(commit.clone())).encode_to_vec())
        .await
        .unwrap();
    commit.instance = Some(wire::Instance { replica: 2, slot: 1 << 47 });
    call(&channel, &hello, DISPATCH, envelope(Message::Commit(commit)).encode_to_vec())
        .await
        .unwrap();
    scene.check().await;
    // Long enough for a recovery to set out.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    scene.check().await;
    for replica in ReplicaId::all(scene::REPLICAS) {
        assert_eq!(scene.cluster.refused(replica), 0, "{replica} was told nonsense by a replica");
    }
}

/// What callers of Dispatch say of themselves that is wrong, and how they are told.
fn wrong_introductions(scene: &Scene) -> Vec<(MetadataMap, Code, &'static str)> {
    let written = |change: fn(&mut Hello)| {
        let mut hello = scene.hello(1);
        change(&mut hello);
        let mut metadata = MetadataMap::new();
        hello.write(&mut metadata);
        metadata
    };
    let mut garbled = written(|_| {});
    garbled.insert("epaxos-incarnation", "0123".parse().unwrap());
    vec![
        (
            MetadataMap::new(),
            Code::InvalidArgument,
            "the metadata has no epaxos-replica; a replica says who it is when it calls Dispatch \
             (see dispatch.proto)",
        ),
        (
            garbled,
            Code::InvalidArgument,
            "epaxos-incarnation is \"0123\", not 32 hexadecimal digits",
        ),
        (
            written(|hello| hello.incarnation.0 ^= 1),
            Code::FailedPrecondition,
            "another process runs as R1 already; stop one, or give it another --id",
        ),
        (
            written(|hello| hello.replica = ReplicaId(0)),
            Code::FailedPrecondition,
            "two processes run as R0; stop one, or give it another --id",
        ),
        (
            written(|hello| hello.endpoints = vec!["a:1".to_owned(); 5].into()),
            Code::FailedPrecondition,
            "the configuration of R1 lists 5 replicas, and that of R0 lists 3; start all replicas \
             with the same configuration",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_replica_of_the_cluster_is_refused_in_words() {
    let mut scene = Scene::start(None).await;
    // Links are up.
    scene.check().await;
    let mut client = ReplicaClient::new(scene.channel(0).await);
    for (metadata, code, sentence) in wrong_introductions(&scene) {
        let before = scene.refused();
        let message = envelope(Message::PreAccept(pre_accept()));
        let mut request = Request::new(futures::stream::iter([message]));
        *request.metadata_mut() = metadata;
        let end = client.dispatch(request).await.unwrap_err();
        assert_eq!((end.code(), end.message()), (code, sentence));
        assert_eq!(scene.refused(), before + 1, "{sentence}");
    }
    // Who was let in as R1 says nothing as R2.
    let mut request = Request::new(futures::stream::iter([wire::Envelope {
        id: Some(wire::MessageId { sender: 2, number: 0, copy: 0 }),
        ..envelope(Message::Nack(wire::Nack { instance: instance(), ballot: ballot(3) }))
    }]));
    scene.hello(1).write(request.metadata_mut());
    let mut silence = client.dispatch(request).await.unwrap();
    assert_eq!(silence.metadata().get("epaxos-replica").unwrap(), "R0", "the called one answers");
    let end = silence.get_mut().message().await.unwrap_err();
    let sentence = "the message is from R2, and the stream from R1";
    assert_eq!((end.code(), end.message()), (Code::InvalidArgument, sentence));
    scene.check().await;
}
