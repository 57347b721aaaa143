//! How calls end whose answers come too late or are too large.

mod wire {
    #![allow(missing_docs, clippy::all, clippy::pedantic)]
    // What any client in any language would generate from the same files.
    tonic::include_proto!("epaxos.v1");
}

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use epaxos_tui::epaxos::command::{Command, Operation, Outcome, RequestId};
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::net::client::Connection;
use epaxos_tui::node::cluster::{Cluster, Options};
use http_body::Body as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use prost::Message;
use tokio::runtime::Handle;
use tonic::codegen::http;
use tonic::transport::Channel;
use tonic::{Code, Request};
use wire::kv_client::KvClient;
use wire::operation::Kind;
use wire::replica_client::ReplicaClient;
use wire::{GetRequest, ProposeBatchRequest, ProposeRequest, PutRequest};

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_mins(2);

fn start(options: &Options) -> Cluster {
    Cluster::start(options, None, &Handle::current()).expect("the loopback has free ports")
}

fn propose(kind: Kind) -> ProposeRequest {
    let operation = Some(wire::Operation { kind: Some(kind) });
    ProposeRequest { operation, ..ProposeRequest::default() }
}

fn put(key: &str) -> ProposeRequest {
    propose(Kind::Put(wire::Put { key: key.into(), value: b"v".to_vec() }))
}

fn get(key: &str) -> ProposeRequest {
    propose(Kind::Get(wire::Get { key: key.into() }))
}

/// Calls a method with one message and a deadline that only the server keeps. Returns the status
/// with which the call ends.
async fn call(address: &str, method: &str, message: &impl Message, timeout: &str) -> String {
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let bytes = message.encode_to_vec();
    let length = u8::try_from(bytes.len()).expect("it is short");
    let frame = String::from_utf8([vec![0, 0, 0, 0, length], bytes].concat()).expect("all is text");
    let request = http::Request::post(format!("http://{address}/epaxos.v1.{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", timeout)
        .body(frame)
        .expect("a request");
    let answer = client.request(request).await.expect("the replica answers");
    if let Some(status) = answer.headers().get("grpc-status") {
        return status.to_str().expect("a number").to_owned();
    }
    let mut body = answer.into_body();
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let frame = frame.expect("there are trailers").expect("the stream is whole");
        if let Ok(trailers) = frame.into_trailers() {
            return trailers["grpc-status"].to_str().expect("a number").to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_deadline_passes_ends_with_deadline_exceeded_whatever_it_asks() {
    // Nothing is ever answered.
    let cluster = start(&Options { paused: true, ..Options::new(3) });
    let address = cluster.endpoint(ReplicaId(1));
    let write = PutRequest { key: "x".into(), value: b"v".to_vec(), ..PutRequest::default() };
    let read = GetRequest { key: "x".into(), ..GetRequest::default() };
    let batch = ProposeBatchRequest { proposals: vec![put("x"), get("y")] };
    let one = put("x");
    for timeout in ["1m", "3m", "20m", "999u", "0S"] {
        for round in 0..20 {
            let calls = async {
                tokio::join!(
                    call(address, "Kv/Put", &write, timeout),
                    call(address, "Kv/Get", &read, timeout),
                    call(address, "Replica/Propose", &one, timeout),
                    call(address, "Replica/ProposeBatch", &batch, timeout),
                    // The answer begins at once, and has nothing in it.
                    call(address, "Replica/ProposeStream", &one, timeout),
                )
            };
            let ends = tokio::time::timeout(PATIENCE, calls).await.expect("every call ends");
            let expected = ["4"; 5];
            assert_eq!(<[_; 5]>::from(ends), expected, "round {round} of {timeout}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_answered_in_time_has_its_answer() {
    let cluster = start(&Options::new(3));
    let address = cluster.endpoint(ReplicaId(1));
    for timeout in ["99999999H", "60S", "1M", "nonsense"] {
        assert_eq!(call(address, "Replica/Propose", &put("x"), timeout).await, "0", "{timeout}");
        assert_eq!(call(address, "Replica/ProposeStream", &put("x"), timeout).await, "0");
    }
}

const LARGE: usize = 1 << 20;

/// A cluster with values of the largest size at `large-0` and so on.
async fn with_large_values(count: usize) -> (Cluster, Channel) {
    let cluster = start(&Options::new(3));
    let endpoint = format!("http://{}", cluster.endpoint(ReplicaId(0)));
    let channel = Channel::from_shared(endpoint).unwrap().connect().await.unwrap();
    for number in 0..count {
        let (key, value) = (format!("large-{number}"), vec![7; LARGE]);
        let put = PutRequest { key, value, ..PutRequest::default() };
        KvClient::new(channel.clone()).put(put).await.unwrap();
    }
    (cluster, channel)
}

fn gets(count: usize) -> Vec<ProposeRequest> {
    (0..count).map(|number| get(&format!("large-{number}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_answers_its_client_may_not_receive_is_not_executed() {
    let (_cluster, channel) = with_large_values(5).await;
    let mut client = ReplicaClient::new(channel.clone());
    let proposals = [vec![put("written")], gets(5)].concat();
    let refused = client.propose_batch(ProposeBatchRequest { proposals: proposals.clone() }).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let sentence = "the answers to a batch with 5 gets may take ";
    assert!(refused.message().starts_with(sentence), "{refused:?}");
    // Only now: nothing was proposed.
    let read = GetRequest { key: "written".into(), ..GetRequest::default() };
    let found = KvClient::new(channel.clone()).get(read.clone()).await;
    assert_eq!(found.unwrap_err().code(), Code::NotFound);
    // As many as there may be are received by a client that was told of no limit.
    let answers = client.propose_batch(ProposeBatchRequest { proposals: gets(3) }).await.unwrap();
    assert_eq!(answers.into_inner().encoded_len() >> 20, 3);
    // A client that receives more says so.
    let mut request = Request::new(ProposeBatchRequest { proposals });
    request.metadata_mut().insert("epaxos-answer-max", "6000000".parse().unwrap());
    let mut larger = client.max_decoding_message_size(6_000_000);
    assert_eq!(larger.propose_batch(request).await.unwrap().into_inner().answers.len(), 6);
    KvClient::new(channel).get(read).await.expect("it was written with the others");
    let mut request = Request::new(ProposeBatchRequest { proposals: gets(1) });
    request.metadata_mut().insert("epaxos-answer-max", "4MB".parse().unwrap());
    let refused = larger.propose_batch(request).await.unwrap_err();
    let sentence = "epaxos-answer-max is \"4MB\", not a number of bytes";
    assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, sentence));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_client_receives_the_answers_to_any_batch() {
    let (cluster, _channel) = with_large_values(1).await;
    let connection = Connection::new(cluster.endpoint(ReplicaId(0))).unwrap();
    // More than one message of a replica may have.
    let command = |number| {
        let request = RequestId::named("ann", number);
        Command { request, operation: Operation::get("large-0") }
    };
    let commands: Vec<_> = (0..20).map(command).collect();
    let outcomes = connection.propose_batch(&commands).await.unwrap();
    let is_large =
        |outcome: &Outcome| matches!(outcome, Outcome::Found(value) if value.len() == LARGE);
    assert!(outcomes.len() == 20 && outcomes.iter().all(is_large));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_is_received_whatever_it_says() {
    let (_cluster, channel) = with_large_values(5).await;
    let mut kv = KvClient::new(channel.clone());
    let read = |key: String| GetRequest { key, ..GetRequest::default() };
    let found = kv.get(read("large-0".into())).await.unwrap().into_inner();
    assert_eq!(found.value.len(), LARGE);
    // A stream has one message for each answer.
    let mut client = ReplicaClient::new(channel);
    let answers = client.propose_stream(futures::stream::iter(gets(5))).await.unwrap();
    let mut answers = answers.into_inner();
    let mut count = 0;
    while answers.message().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 5);
    // A status is a header, and headers have a limit too.
    for key in ["\u{1}".repeat(4096), "\u{10ffff}".repeat(1024)] {
        let status = kv.get(read(key)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
        assert!(status.message().ends_with("... has no value"), "{status:?}");
    }
    let status = kv.get(read("missing".into())).await.unwrap_err();
    assert_eq!(status.message(), "the key \"missing\" has no value");
}
