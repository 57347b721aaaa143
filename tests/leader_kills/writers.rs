//! Clients of a cluster in which leaders are killed: each request has one answer, or one error after
//! which it is repeated under its name at another replica.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use epaxos_tui::epaxos::command::RequestId;
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::node::cluster::Cluster;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::wire::propose_response::Outcome;
use super::wire::replica_client::ReplicaClient;
use super::wire::{Get, Operation, ProposeRequest, Put, operation};
use super::{PATIENCE, REPLICAS};

/// A named request to write.
#[derive(Clone, Debug)]
pub struct Asked {
    pub request: RequestId,
    wire: ProposeRequest,
    key: String,
    value: String,
}

impl Asked {
    pub fn put(name: &str, number: u64, key: &str, value: &str) -> Self {
        let put = Put { key: key.to_owned(), value: value.into() };
        let operation = Some(Operation { kind: Some(operation::Kind::Put(put)) });
        Self {
            request: RequestId::named(name, number),
            wire: ProposeRequest { identity: name.to_owned(), number: Some(number), operation },
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }
}

/// What clients were told.
#[derive(Debug, Default)]
pub struct Told {
    pub acknowledged: BTreeSet<RequestId>,
    /// The last value of each key that was acknowledged. No two clients write one key at a time.
    pub values: BTreeMap<String, String>,
    pub errors: u64,
}

impl Told {
    pub fn acknowledge(&mut self, asked: &Asked) {
        self.acknowledged.insert(asked.request.clone());
        self.values.insert(asked.key.clone(), asked.value.clone());
    }

    pub fn count(&mut self, answer: &Result<(), Status>) {
        self.errors += u64::from(answer.is_err());
    }

    pub fn merge(&mut self, other: Told) {
        self.acknowledged.extend(other.acknowledged);
        self.values.extend(other.values);
        self.errors += other.errors;
    }
}

async fn client(endpoint: &str) -> ReplicaClient<Channel> {
    let endpoint = format!("http://{endpoint}");
    ReplicaClient::connect(endpoint).await.expect("the process listens, though a replica is down")
}

/// An error that says what is wrong, and that the request may be repeated.
pub fn check_down(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().ends_with(" is down"), "{status:?}");
}

/// Asks once.
pub async fn ask(endpoint: &str, asked: &Asked) -> Result<(), Status> {
    let mut client = client(endpoint).await;
    let call = timeout(PATIENCE, client.propose(asked.wire.clone())).await;
    let answer = call.expect("every call has an end")?.into_inner();
    assert!(matches!(answer.outcome, Some(Outcome::Written(_))), "{answer:?}");
    Ok(())
}

/// Asks one replica after the other until the write is acknowledged.
pub async fn insist(cluster: &Cluster, first: ReplicaId, asked: &Asked, told: &mut Told) {
    for replica in std::iter::once(first).chain(first.next(REPLICAS)).cycle() {
        let answer = ask(cluster.endpoint(replica), asked).await;
        told.count(&answer);
        match answer {
            Ok(()) => return told.acknowledge(asked),
            Err(status) => check_down(&status),
        }
        tokio::time::sleep(THINKING).await;
    }
}

/// Reads at one replica, one key after the other, under names.
pub struct Reader {
    pub replica: ReplicaId,
    client: ReplicaClient<Channel>,
    name: String,
    /// How many keys it has asked for.
    asked: u64,
}

impl Reader {
    pub async fn connect(cluster: &Cluster, replica: ReplicaId) -> Self {
        let client = client(cluster.endpoint(replica)).await;
        Self { replica, client, name: format!("reader-{replica}"), asked: 0 }
    }

    pub async fn read(&mut self, key: &str) -> Option<String> {
        let get = operation::Kind::Get(Get { key: key.to_owned() });
        let operation = Some(Operation { kind: Some(get) });
        let (identity, number) = (self.name.clone(), Some(self.asked));
        self.asked += 1;
        let call = self.client.propose(ProposeRequest { identity, number, operation });
        let answer = timeout(PATIENCE, call).await.expect("every call has an end");
        match answer.expect("all are up").into_inner().outcome {
            Some(Outcome::Found(value)) => Some(String::from_utf8(value).expect("it was text")),
            _ => None,
        }
    }

    /// The last of its reads.
    pub fn last(&self) -> RequestId {
        RequestId::named(&self.name, self.asked - 1)
    }
}

/// Writes, one call after the other, to a key of its own; what each call is answered with is told in
/// the end.
pub async fn call(cluster: Arc<Cluster>, writer: u64, end: watch::Receiver<bool>) -> Told {
    let mut told = Told::default();
    let name = format!("caller-{writer}");
    for number in 0.. {
        if *end.borrow() {
            break;
        }
        let asked = Asked::put(&name, number, &format!("own-{writer}"), &number.to_string());
        let replica = usize::try_from((writer + number) % 5).expect("it is below five");
        insist(&cluster, ReplicaId::from_index(replica), &asked, &mut told).await;
        tokio::time::sleep(THINKING).await;
    }
    told
}

/// Writes on a stream, several requests at a time, each to a key of its own; on a stream to the next
/// replica where one ends.
pub async fn stream(cluster: Arc<Cluster>, end: watch::Receiver<bool>) -> Told {
    let mut told = Told::default();
    let mut open: BTreeMap<u64, Asked> = BTreeMap::new();
    let mut next = 0;
    'streams: for replica in ReplicaId::all(REPLICAS).cycle() {
        let mut client = client(cluster.endpoint(replica)).await;
        let (sender, requests) = mpsc::channel(AT_ONCE);
        let answers = client.propose_stream(ReceiverStream::new(requests)).await;
        let mut answers = answers.expect("a stream can be opened").into_inner();
        loop {
            if open.is_empty() {
                if *end.borrow() {
                    return told;
                }
                tokio::time::sleep(THINKING).await;
                for number in next..next + AT_ONCE as u64 {
                    let key = format!("streamed-{}", number % AT_ONCE as u64);
                    open.insert(number, Asked::put("streamer", number, &key, &number.to_string()));
                }
                next += AT_ONCE as u64;
            }
            for asked in open.values() {
                // Where the stream has ended, the answers say so.
                sender.send(asked.wire.clone()).await.ok();
            }
            while !open.is_empty() {
                let answer = timeout(PATIENCE, answers.message()).await;
                match answer.expect("every request on a stream has an end") {
                    Ok(Some(answer)) => {
                        let number = answer.number.expect("it was numbered");
                        let asked = open.remove(&number).expect("a request is answered once");
                        told.acknowledge(&asked);
                    }
                    Ok(None) => panic!("{replica} ends a stream and says nothing of {open:?}"),
                    Err(status) => {
                        check_down(&status);
                        told.errors += 1;
                        tokio::time::sleep(THINKING).await;
                        continue 'streams;
                    }
                }
            }
        }
    }
    told
}

/// How many requests of a stream are under way.
const AT_ONCE: usize = 4;

/// How long a client waits between its requests.
const THINKING: Duration = Duration::from_millis(25);
