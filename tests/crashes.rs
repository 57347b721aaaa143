//! Replicas of a live cluster crash under load, over and over, and nothing that a client was told is
//! lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use epaxos_tui::epaxos::command::{Operation, Outcome};
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::node::client::Client;
use epaxos_tui::node::cluster::{Cluster, Options};
use epaxos_tui::node::driver::Act;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

const REPLICAS: usize = 5;
const WRITERS: u64 = 6;
const ROUNDS: u64 = 20;

/// Writes to its own key and to one that all share, until it is told to end; at another replica where
/// one is down. Returns the last value of its own key that it was told is written, and the one it had
/// no answer for, if that came after.
async fn write(
    cluster: Arc<Cluster>,
    writer: u64,
    mut end: tokio::sync::watch::Receiver<bool>,
) -> Told {
    let mut told = Told::default();
    let mut clients = Vec::new();
    for replica in ReplicaId::all(REPLICAS) {
        // A name for each incarnation: a request with an unknown fate is not repeated here.
        let name = format!("writer-{writer}-{replica}");
        let client = Client::connect(cluster.endpoint(replica), &name).expect("an address");
        clients.push(client.with_timeout(Duration::from_secs(2)));
    }
    for value in 1u64.. {
        if *end.borrow_and_update() {
            break;
        }
        let client = &clients[usize::try_from(writer + value).expect("small") % REPLICAS];
        let own = Operation::put(&format!("own-{writer}"), &value.to_string());
        if let Ok(Outcome::Written) = client.propose(own).await {
            told = Told { written: value, unknown: Vec::new() };
        } else {
            told.unknown.push(value);
        }
        let shared = Operation::put("shared", &format!("{writer}-{value}"));
        client.propose(shared).await.ok();
    }
    told
}

/// What a writer knows of its own key.
#[derive(Debug, Default)]
struct Told {
    written: u64,
    unknown: Vec<u64>,
}

/// Reads a key at every replica, again and again until all say the same: a write without an answer may
/// still be on its way to be decided.
async fn agreed(cluster: &Cluster, key: &str) -> Outcome {
    let mut values = Vec::new();
    for attempt in 0..60 {
        values.clear();
        for replica in ReplicaId::all(REPLICAS) {
            let name = format!("reader-{replica}-{key}-{attempt}");
            let client = Client::connect(cluster.endpoint(replica), &name).expect("an address");
            values.push(client.propose(Operation::get(key)).await);
        }
        if let [Ok(first), rest @ ..] = &values[..]
            && rest.iter().all(|value| value.as_ref() == Ok(first))
        {
            return first.clone();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the replicas do not agree on {key}: {values:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_crashes() {
    let options =
        Options { recover_after: Some(Duration::from_millis(150)), ..Options::new(REPLICAS) };
    let cluster = Arc::new(Cluster::start(&options, None, &Handle::current()).expect("free ports"));
    let (end, ended) = tokio::sync::watch::channel(false);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let writing = write(cluster.clone(), writer, ended.clone());
        writers.spawn(async move { (writer, writing.await) });
    }

    // Up to two of five are down at any time; which, and for how long, differs with each round.
    for round in 0..ROUNDS {
        let replica =
            ReplicaId(u8::try_from((round * 7 + round / 5) % 5).expect("it is below five"));
        let other = ReplicaId((replica.0 + 1 + u8::try_from(round % 3).expect("small")) % 5);
        tokio::time::sleep(Duration::from_millis(20 + round * 13 % 60)).await;
        cluster.act(replica, Act::Crash).await.expect("it is up");
        tokio::time::sleep(Duration::from_millis(round * 29 % 90)).await;
        if round % 2 == 0 {
            cluster.act(other, Act::Crash).await.expect("it is up");
            tokio::time::sleep(Duration::from_millis(round * 17 % 150)).await;
            cluster.act(other, Act::Restart).await.expect("it is down");
        }
        tokio::time::sleep(Duration::from_millis(round * 31 % 200)).await;
        cluster.act(replica, Act::Restart).await.expect("it is down");
    }
    end.send(true).expect("somebody writes");

    let mut told = BTreeMap::new();
    while let Some(ended) = writers.join_next().await {
        let (writer, seen) = ended.expect("no writer panics");
        told.insert(writer, seen);
    }
    for (writer, told) in told {
        assert!(told.written > 0, "writer {writer} never had an answer");
        let value = agreed(&cluster, &format!("own-{writer}")).await;
        let possible = std::iter::once(told.written).chain(told.unknown.iter().copied());
        let possible: Vec<_> =
            possible.map(|value| Outcome::Found(value.to_string().as_bytes().into())).collect();
        assert!(possible.contains(&value), "{writer} was told {told:?}, and reads {value:?}");
    }
    agreed(&cluster, "shared").await;
    cluster.shutdown().await;
}
