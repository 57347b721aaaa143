//! What can be wrong with connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use prost::Message as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::scene::{Manner, PATIENCE, Scene, call, connect, proxy, resident};
use super::wire::kv_client::KvClient;
use super::wire::replica_client::ReplicaClient;
use super::wire::{self, PutRequest};
use super::{DISPATCH, METHODS, envelope, messages, put};

fn put_request(key: &str, value: Vec<u8>) -> PutRequest {
    PutRequest { key: key.into(), value, ..PutRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_anywhere_harm_nobody() {
    let mut scene = Scene::start(None).await;
    let request = put_request("cut", vec![7; 100]).encode_to_vec();
    let message = envelope(messages().remove(0)).encode_to_vec();
    let hello = scene.hello(1);
    let (mut ended, mut whole) = (0, 0);
    // The preface of HTTP/2 is 24 bytes, a call takes some 500: in every frame, and between them.
    for bytes in (1..660).step_by(9) {
        for (method, body) in [(METHODS[0], &request), (METHODS[5], &request), (DISPATCH, &message)]
        {
            let Ok(channel) = connect(&proxy(&scene.address(0), Manner::Cut(bytes))).await else {
                ended += 1;
                continue;
            };
            let call = call(&channel, &hello, method, body.clone());
            match tokio::time::timeout(PATIENCE, call).await.expect("every call has an end") {
                Ok(()) => whole += 1,
                Err(_) => ended += 1,
            }
        }
    }
    println!("{ended} cut off, {whole} done by then");
    assert!(ended > 60 && whole > 5, "{ended} cut off, {whole} done by then");
    scene.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_its_answers_costs_no_memory() {
    let mut scene = Scene::start(None).await;
    let mut client = ReplicaClient::new(scene.channel(0).await);
    KvClient::new(scene.channel(0).await)
        .put(put_request("large", vec![7; 1 << 20]))
        .await
        .unwrap();
    let get = wire::operation::Kind::Get(wire::Get { key: "large".into() });
    let request = wire::ProposeRequest {
        operation: Some(wire::Operation { kind: Some(get) }),
        ..wire::ProposeRequest::default()
    };
    let before = resident();
    let (sender, requests) = mpsc::channel(16);
    let answers = client.propose_stream(ReceiverStream::new(requests)).await.unwrap().into_inner();
    for _ in 0..600 {
        sender.send(request.clone()).await.unwrap();
    }
    // Whoever is served after them has an answer: they are all done, and none is taken.
    scene.check().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let grown = resident() - before;
    println!("{before} MiB, and {grown} more with 600 MiB of answers waiting");
    assert!(grown < 150, "{grown} MiB more for 600 MiB of answers that nobody reads");
    drop(answers);
    scene.check().await;
}

/// A connection that says no more than it must, or nothing at all.
fn idle(address: &str, silent: bool) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the replica listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    if !silent {
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .expect("it is open");
        let mut settings = [0; 9];
        stream.read_exact(&mut settings).expect("the replica answers");
        assert_eq!(settings[3], 4, "with its settings");
    }
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_are_borne() {
    const CONNECTIONS: usize = 1000;
    let limit = getrlimit(Resource::Nofile);
    let needed = 2 * CONNECTIONS as u64 + 500;
    if limit.current.is_some_and(|current| current < needed) {
        let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("so many files may be open");
    }
    let mut scene = Scene::start(None).await;
    scene.check().await;
    let before = resident();
    let mut after_first = 0;
    for round in 0..4 {
        let address = scene.address(0);
        let open = tokio::task::spawn_blocking(move || {
            (0..CONNECTIONS).map(|number| idle(&address, number % 2 == 0)).collect::<Vec<_>>()
        });
        let open = open.await.unwrap();
        assert_eq!(open.len(), CONNECTIONS);
        scene.check().await;
        if round == 0 {
            after_first = resident();
        }
        drop(open);
    }
    scene.check().await;
    let after = resident();
    println!("{before} MiB, {after_first} with {CONNECTIONS} connections, {after} after 4000");
    assert!(after_first - before < 200, "{before} MiB, and then {after_first}");
    assert!(after - after_first < 50, "{after_first} MiB, and then {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_speaks_one_byte_at_a_time_is_served_and_delays_nobody() {
    let mut scene = Scene::start(None).await;
    let slow: Vec<_> = (0..20)
        .map(|number| {
            let address = proxy(&scene.address(0), Manner::Drip);
            tokio::spawn(async move {
                let channel = connect(&address).await.expect("a proxy");
                let request = wire::ProposeRequest {
                    operation: put(&format!("slow-{number}"), 200),
                    ..wire::ProposeRequest::default()
                };
                ReplicaClient::new(channel).propose(request).await
            })
        })
        .collect();
    for _ in 0..3 {
        scene.check().await;
    }
    for slow in slow {
        slow.await.unwrap().expect("it is written in the end");
    }
    scene.check().await;
}
