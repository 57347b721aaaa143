//! What one client can take of a replica's memory and time: each limit is met, counted, and leaves the
//! others served.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use epaxos_tui::net::bounds::Limits;
use epaxos_tui::net::handshake::Hello;
use futures::{FutureExt, StreamExt, stream};
use prost::Message as _;
use tokio::task::JoinSet;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use super::scene::{PATIENCE, Raw, Scene, call, peak, resident};
use super::wire::kv_client::KvClient;
use super::wire::{GetRequest, PutRequest};
use super::{DISPATCH, METHODS};

const PUT: &str = METHODS[0];
const GET: &str = METHODS[1];
const BATCH: &str = METHODS[4];
const STREAM: &str = METHODS[5];
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// Opens a call as the replica that says `hello`, says `first` on it, and leaves it open. Its answers are
/// for the caller to read.
async fn open(
    channel: &Channel,
    hello: &Hello,
    method: &'static str,
    first: Vec<Vec<u8>>,
) -> Result<Streaming<Vec<u8>>, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.expect("the connection is there");
    let path = PathAndQuery::from_static(method);
    // Watch is answered once its one request has ended.
    let rest = if method == WATCH { stream::empty().boxed() } else { stream::pending().boxed() };
    let requests = stream::iter(first).chain(rest);
    let mut request = Request::new(requests);
    hello.write(request.metadata_mut());
    client.streaming(request, path, Raw).await.map(Response::into_inner)
}

async fn put(scene: &Scene, key: &str, value: Vec<u8>) {
    let request = PutRequest { key: key.into(), value, ..PutRequest::default() };
    KvClient::new(scene.channel(0).await).put(request).await.expect("it is written");
}

fn get(key: &str) -> GetRequest {
    GetRequest { key: key.into(), ..GetRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_connection_wait_for_their_turn_and_none_fails() {
    let limits = Limits { calls_per_connection: 16, ..Limits::default() };
    let mut scene = Scene::within(limits).await;
    put(&scene, "k", b"v".to_vec()).await;
    let channel = scene.channel(0).await;
    let mut calls = JoinSet::new();
    for _ in 0..500 {
        let mut client = KvClient::new(channel.clone());
        calls.spawn(async move { client.get(get("k")).await });
    }
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().expect("it had to wait").into_inner().value, b"v");
    }
    let usage = scene.usage();
    // Two of other replicas, and one that has been answered may still be open here.
    assert!(usage.calls_most <= 2 * 16 + 4, "{usage:?}");
    assert_eq!(usage.calls_refused, 0);
    scene.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_calls_at_a_time_meet_no_limit() {
    let mut scene = Scene::start(None).await;
    put(&scene, "k", b"v".to_vec()).await;
    let channel = scene.channel(0).await;
    let mut calls = JoinSet::new();
    for _ in 0..5000 {
        let mut client = KvClient::new(channel.clone());
        calls.spawn(async move { client.get(get("k")).await });
    }
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().expect("it is served");
    }
    let usage = scene.usage();
    assert_eq!((usage.waits, usage.calls_refused, usage.connections_refused), (0, 0, 0));
    scene.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_not_read_wait_where_they_cost_nothing() {
    const CALLS: u64 = 400;
    let mut scene = Scene::start(None).await;
    put(&scene, "large", vec![7; 1 << 20]).await;
    let channel = scene.channel(0).await;
    let before = resident();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let channel = channel.clone();
        calls.spawn(async move {
            let mut client = tonic::client::Grpc::new(channel);
            client.ready().await.unwrap();
            let request = Request::new(futures::stream::iter([get("large").encode_to_vec()]));
            let unread = client.streaming(request, PathAndQuery::from_static(GET), Raw).await;
            std::future::pending::<()>().await;
            drop(unread);
        });
    }
    let usage = scene.wait_for("answers wait for room", |usage| usage.waits >= CALLS / 2).await;
    println!("{usage:?}, {} MiB more", resident() - before);
    assert!(resident() - before < 200, "{} MiB more", resident() - before);
    // On another connection, the same answer is read at once.
    let mut client = KvClient::new(scene.channel(0).await);
    assert_eq!(client.get(get("large")).await.unwrap().into_inner().value.len(), 1 << 20);
    drop(calls);
    scene.check().await;
    assert_eq!(scene.usage().connections_stalled, 0, "there is room for others");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_which_a_part_has_come_wait_for_room() {
    let limits = Limits {
        bytes_per_connection: 8 << 20,
        arriving_bytes: 8 << 20,
        stall: Duration::from_millis(300),
        ..Limits::default()
    };
    let mut scene = Scene::within(limits).await;
    // Two messages have room. All announce four MiB, and have sent a part of them.
    let mut streams: Vec<_> = (0..20).map(|_| partial(&scene.address(0))).collect();
    let usage = scene.wait_for("a message waits", |usage| usage.waits > 0).await;
    assert!(usage.bytes_most < 10 << 20, "{usage:?}");
    // Those that keep the room and say no more are ended, until there is room again.
    scene.wait_for("they are ended", |usage| usage.connections_stalled >= 2).await;
    for stream in &mut streams {
        stream.shutdown(std::net::Shutdown::Write).ok();
    }
    drop(streams);
    put(&scene, "k", vec![7; 1 << 20]).await;
    scene.check().await;
}

/// A connection on which a call has begun whose one message is never finished.
fn partial(address: &str) -> TcpStream {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    // The headers of HPACK's static table, and the path as a literal.
    let mut headers = vec![0x83, 0x86, 0x04, u8::try_from(PUT.len()).unwrap()];
    headers.extend_from_slice(PUT.as_bytes());
    headers.extend_from_slice(&[0x01, 9]);
    headers.extend_from_slice(b"localhost");
    headers.extend_from_slice(&[0x0f, 0x10, 16]);
    headers.extend_from_slice(b"application/grpc");
    frame(&mut bytes, 1, 4, &headers);
    let mut data = vec![0];
    data.extend_from_slice(&(4_u32 << 20).to_be_bytes());
    data.resize(2000, 7);
    frame(&mut bytes, 0, 0, &data);
    let mut stream = TcpStream::connect(address).expect("the replica listens");
    stream.write_all(&bytes).expect("it is open");
    stream
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, payload: &[u8]) {
    bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes()[1..]);
    bytes.extend_from_slice(&[kind, flags, 0, 0, 0, 1]);
    bytes.extend_from_slice(payload);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_bounded_each_kind_by_itself() {
    let limits = Limits {
        calls: 60,
        streams_per_connection: 10,
        dispatches_per_connection: 3,
        side_calls: 5,
        ..Limits::default()
    };
    let mut scene = Scene::within(limits).await;
    scene.check().await;
    let (channel, hello) = (scene.channel(0).await, scene.hello(1));
    let mut refused = 0;
    for (method, first, limit) in
        [(STREAM, vec![], 10), (DISPATCH, vec![], 3), (WATCH, vec![Vec::new()], 5)]
    {
        let mut kept = Vec::new();
        let status = loop {
            // What a stream says in the end is what it was refused with.
            let mut stream = match open(&channel, &hello, method, first.clone()).await {
                Ok(stream) => stream,
                Err(status) => break status,
            };
            if method != WATCH
                && let Some(Err(status)) = stream.message().now_or_never()
            {
                break status;
            }
            kept.push(stream);
            assert!(kept.len() <= limit, "{method} has no limit");
        };
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(status.message().starts_with("R0 admits no further call: "), "{status:?}");
        assert_eq!(kept.len(), limit, "{method}");
        refused += 1;
        assert_eq!(scene.usage().calls_refused, refused);
    }
    scene.check().await;
}

/// What a connection says until it is closed.
fn last_words(mut stream: TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    let mut words = Vec::new();
    stream.read_to_end(&mut words).expect("it is closed, in order");
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_told_so_and_closed() {
    const LIMIT: usize = 12;
    let mut scene = Scene::within(Limits { connections: LIMIT, ..Limits::default() }).await;
    scene.check().await;
    let address = scene.address(0);
    let opened = tokio::task::spawn_blocking(move || {
        (0..3 * LIMIT).map(|_| TcpStream::connect(&address).unwrap()).collect::<Vec<_>>()
    });
    let mut opened = opened.await.unwrap();
    let most = (3 * LIMIT) as u64;
    let usage = scene
        .wait_for("each is admitted or refused", |usage| {
            usage.connections_refused >= most - LIMIT as u64
        })
        .await;
    assert_eq!(usage.connections_most, LIMIT as u64);
    let words = tokio::task::spawn_blocking(move || {
        let last = opened.split_off(3 * LIMIT - 1).remove(0);
        (last_words(last), opened)
    });
    let (words, opened) = words.await.unwrap();
    // Where many come at once, some are closed without a word.
    if !words.is_empty() {
        let (settings, goaway) = words.split_at(9);
        assert_eq!((settings[3], goaway[3]), (4, 7), "settings, and a GOAWAY");
        assert_eq!(goaway[13..17], [0, 0, 0, 0xb], "because of too much");
        let reason = String::from_utf8_lossy(&goaway[17..]);
        assert_eq!(reason, "R0 has 12 connections open; try again later");
    }
    drop(opened);
    scene.wait_for("they are gone", |usage| usage.connections_open <= 4).await;
    scene.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_refused_alone_is_told_why() {
    let scene = Scene::within(Limits { connections: 1, ..Limits::default() }).await;
    // Whatever comes first has the only place: another replica, or this.
    let address = scene.address(0);
    let words = tokio::task::spawn_blocking(move || {
        let _first = TcpStream::connect(&address).unwrap();
        loop {
            let words = last_words(TcpStream::connect(&address).unwrap());
            if !words.is_empty() {
                return words;
            }
        }
    });
    let words = words.await.unwrap();
    let reason = String::from_utf8_lossy(&words[9 + 17..]).into_owned();
    assert_eq!(reason, "R0 has 1 connections open; try again later");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_of_no_use_are_closed_and_others_are_kept() {
    let short = Duration::from_millis(400);
    let limits = Limits { handshake: short, idle: short, ..Limits::default() };
    let mut scene = Scene::within(limits).await;
    scene.check().await;
    let channel = scene.channel(0).await;
    // A call that is open keeps its connection, whatever is said on it.
    let mut kept = open(&channel, &scene.hello(1), STREAM, vec![]).await.unwrap();
    let address = scene.address(0);
    let ends = tokio::task::spawn_blocking(move || {
        let silent = TcpStream::connect(&address).unwrap();
        let mut greeted = TcpStream::connect(&address).unwrap();
        greeted.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
        (last_words(silent), last_words(greeted))
    });
    let (silent, greeted) = ends.await.unwrap();
    println!("{silent:?}, {greeted:?}");
    scene.wait_for("both are counted", |usage| usage.connections_idle >= 2).await;
    assert!(kept.message().now_or_never().is_none(), "the stream goes on");
    // The links between the replicas are as they were: nothing is said on them most of the time.
    scene.check().await;
    assert!(kept.message().now_or_never().is_none(), "the stream goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gives_up_many_calls_at_once_keeps_its_connection() {
    let mut scene = Scene::start(None).await;
    put(&scene, "k", b"v".to_vec()).await;
    let channel = scene.channel(0).await;
    KvClient::new(channel.clone()).get(get("k")).await.unwrap();
    let before = scene.usage().connections;
    for _ in 0..5 {
        let mut calls = JoinSet::new();
        for _ in 0..1000 {
            let mut client = KvClient::new(channel.clone());
            calls.spawn(async move { client.get(get("k")).await });
        }
        tokio::task::yield_now().await;
        calls.shutdown().await;
        KvClient::new(channel.clone()).get(get("k")).await.expect("the connection is as it was");
    }
    assert_eq!(scene.usage().connections, before, "it had to connect again");
    scene.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_bounded_and_its_connection_is_kept() {
    let mut scene = Scene::start(None).await;
    let channel = scene.channel(0).await;
    put(&scene, "k", b"v".to_vec()).await;
    let mut client = KvClient::new(channel);
    client.get(get("k")).await.unwrap();
    let before = scene.usage().connections;
    let mut request = Request::new(get("k"));
    let large = "x".repeat(12 << 10).parse().unwrap();
    request.metadata_mut().insert("large", large);
    client.get(request).await.expect_err("it is too large");
    client.get(get("k")).await.expect("the connection is as it was");
    assert_eq!(scene.usage().connections, before);
    scene.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_commands_by_the_million_cost_no_more_than_their_bytes() {
    let mut scene = Scene::start(None).await;
    let channel = scene.channel(0).await;
    // Of two bytes each: a field, and that nothing is in it.
    let proposals = [1 << 3 | 2, 0].repeat(8 << 20);
    let batch = |commands: Vec<u8>| {
        // By hand: made as messages, they would be as many here.
        let field = |number: u8, bytes: Vec<u8>| {
            let mut field = vec![number << 3 | 2];
            prost::encoding::encode_varint(bytes.len() as u64, &mut field);
            [field, bytes].concat()
        };
        let payload = field(2, commands);
        let pre_accept = field(3, payload);
        let id = field(1, vec![1 << 3, 1]);
        [id, field(3, pre_accept)].concat()
    };
    let commands = [1 << 3 | 2, 0].repeat((8 << 20) - 100);
    peak();
    let before = resident();
    for (method, bytes) in [
        (BATCH, proposals.clone()),
        (STREAM, proposals),
        (DISPATCH, batch(commands)),
        (STREAM, vec![0; 16 << 20]),
    ] {
        let end = call(&channel, &scene.hello(1), method, bytes).await.unwrap_err();
        assert_eq!(end.code(), Code::InvalidArgument, "{method}: {end:?}");
        let grown = peak() - before;
        println!("{method}: {grown} MiB more at the most; {}", end.message());
        assert!(grown < 300, "{method}: {grown} MiB more for 16");
    }
    scene.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proposals_of_no_bytes_on_a_stream_cost_no_more_than_their_frames() {
    let mut scene = Scene::start(None).await;
    let channel = scene.channel(0).await;
    peak();
    let before = resident();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    // Each takes five bytes: 16 MiB of them.
    let requests =
        futures::StreamExt::map(futures::stream::iter(0..(16 << 20) / 5), |_| Vec::new());
    let path = PathAndQuery::from_static(STREAM);
    let refused = scene.refused();
    let answers = client.streaming(Request::new(requests), path, Raw).await;
    match answers {
        Ok(answers) => drop(answers.into_inner().message().await.unwrap_err()),
        Err(status) => println!("{status:?}"),
    }
    assert_eq!(scene.refused(), refused + 1);
    let grown = peak() - before;
    println!("{grown} MiB more at the most");
    assert!(grown < 200, "{grown} MiB more");
    scene.check().await;
}
