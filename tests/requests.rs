//! Clients that repeat a request: one effect, one answer.

mod wire {
    #![allow(missing_docs, clippy::all, clippy::pedantic)]
    tonic::include_proto!("epaxos.v1");
}

use std::time::Duration;

use epaxos_tui::epaxos::command::{Command, Operation, Outcome, RequestId, StateMachine};
use epaxos_tui::epaxos::event::{Event, Reply};
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::replica::{Input, Options, Output, REPEATABLE, Replica, ReplyOn};
use epaxos_tui::epaxos::time::Time;
use epaxos_tui::kv::Store;
use epaxos_tui::node::client::Client;
use epaxos_tui::node::cluster::{self, Cluster};
use tokio::runtime::Handle;
use tonic::Code;
use wire::kv_client::KvClient;

/// Three replicas whose messages arrive at once, or not at all.
struct Trio {
    replicas: Vec<Replica<Counting>>,
    now: Time,
    connected: bool,
    /// A replica to which messages are kept back.
    deaf: Option<ReplicaId>,
    undelivered: Vec<(ReplicaId, Input)>,
    replies: Vec<(ReplicaId, Reply)>,
    events: Vec<Event>,
}

/// A store that counts how often it is asked.
#[derive(Debug, Default)]
struct Counting {
    store: Store,
    applied: usize,
}

impl StateMachine for Counting {
    fn apply(&mut self, operation: &Operation) -> Outcome {
        self.applied += 1;
        self.store.apply(operation)
    }
}

impl Trio {
    fn new() -> Self {
        let replica = |id| Replica::new(Options::new(id, 3), Counting::default());
        Self {
            replicas: ReplicaId::all(3).map(replica).collect(),
            now: Time::default(),
            connected: true,
            deaf: None,
            undelivered: Vec::new(),
            replies: Vec::new(),
            events: Vec::new(),
        }
    }

    fn propose(&mut self, at: u8, request: &RequestId, operation: Operation) {
        let command = Command { request: request.clone(), operation };
        self.step(ReplicaId(at), Input::Propose(vec![command]));
    }

    fn step(&mut self, at: ReplicaId, input: Input) {
        self.carry(at, input);
        self.flow();
    }

    fn flow(&mut self) {
        let next = |it: &Self| it.undelivered.iter().position(|(to, _)| Some(*to) != it.deaf);
        while self.connected
            && let Some(next) = next(self)
        {
            let (at, input) = self.undelivered.remove(next);
            self.carry(at, input);
        }
    }

    fn carry(&mut self, at: ReplicaId, input: Input) {
        self.now = self.now + Duration::from_micros(10);
        let mut out = Vec::new();
        self.replicas[at.index()].step(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Send { to, message } => {
                    self.undelivered.push((to, Input::Receive { from: at, message }));
                }
                Output::Reply(reply) => self.replies.push((at, reply)),
                Output::Observe(event) => self.events.push(*event),
            }
        }
    }

    /// What the answers were, and who gave them.
    fn answers(&self) -> Vec<(u8, Outcome)> {
        self.replies.iter().map(|(at, reply)| (at.0, reply.outcome.clone())).collect()
    }

    fn repeats(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Repeated { .. })).count()
    }

    fn applied(&self) -> Vec<usize> {
        self.replicas.iter().map(|replica| replica.machine().applied).collect()
    }
}

fn found(value: &str) -> Outcome {
    Outcome::Found(value.as_bytes().into())
}

#[test]
fn a_request_repeated_after_its_answer_gets_the_same_answer() {
    let mut trio = Trio::new();
    let read = RequestId::named("alice", 2);
    trio.propose(0, &RequestId::named("alice", 1), Operation::put("x", "1"));
    trio.propose(0, &read, Operation::get("x"));
    trio.propose(1, &RequestId::named("bob", 1), Operation::put("x", "2"));
    trio.propose(0, &read, Operation::get("x"));
    let expected = [(0, Outcome::Written), (0, found("1")), (1, Outcome::Written), (0, found("1"))];
    assert_eq!(trio.answers(), expected);
    assert_eq!(trio.repeats(), 1);
    assert_eq!(trio.applied(), [3, 3, 3]);
}

#[test]
fn a_request_repeated_while_it_is_open_becomes_no_second_instance() {
    let mut trio = Trio::new();
    trio.connected = false;
    let request = RequestId::named("alice", 1);
    trio.propose(0, &request, Operation::put("x", "1"));
    trio.propose(0, &request, Operation::put("x", "1"));
    assert_eq!(trio.repeats(), 1);
    assert_eq!(trio.replicas[0].durable().next_slot, 1);

    // The host knows who waits for the request, however many; it is answered once.
    trio.connected = true;
    trio.flow();
    assert_eq!(trio.answers(), [(0, Outcome::Written)]);
}

#[test]
fn a_request_repeated_at_another_replica_has_no_second_effect() {
    let mut trio = Trio::new();
    trio.connected = false;
    let request = RequestId::named("alice", 1);
    trio.propose(0, &request, Operation::put("x", "1"));
    trio.propose(2, &request, Operation::put("x", "1"));
    trio.connected = true;
    trio.flow();
    assert_eq!(trio.answers().len(), 2, "both replicas answer the client that asked them");
    assert_eq!(trio.applied(), [1, 1, 1]);
}

#[test]
fn the_same_request_twice_in_one_batch_is_one_command() {
    let mut trio = Trio::new();
    let command =
        Command { request: RequestId::named("alice", 1), operation: Operation::put("x", "1") };
    trio.step(ReplicaId(0), Input::Propose(vec![command.clone(), command]));
    assert_eq!(trio.answers(), [(0, Outcome::Written)]);
    assert_eq!(trio.applied(), [1, 1, 1]);
}

/// A client that starts counting anew uses a number twice. These are two requests: if the second
/// were dropped for its name, some replicas would drop the one and some the other.
#[test]
fn one_number_for_two_operations_is_two_requests() {
    let mut trio = Trio::new();
    trio.connected = false;
    let request = RequestId::named("alice", 1);
    trio.propose(0, &request, Operation::put("x", "1"));
    trio.propose(1, &request, Operation::put("y", "1"));
    trio.connected = true;
    trio.flow();
    assert_eq!(trio.applied(), [2, 2, 2]);
    let stores: Vec<_> = trio.replicas.iter().map(|replica| &replica.machine().store).collect();
    assert!(stores[0] == stores[1] && stores[1] == stores[2], "{stores:?}");
    assert_eq!(trio.answers().len(), 2);
}

/// What every write of x came to, at every replica, in the order in which each of them executed them.
fn stores(trio: &Trio) -> Vec<Option<String>> {
    let value = |replica: &Replica<Counting>| {
        replica.machine().store.get("x").map(|value| String::from_utf8_lossy(value).into_owned())
    };
    trio.replicas.iter().map(value).collect()
}

/// As many writes of x by other clients as make what came before them unknown.
fn write_over(trio: &mut Trio, at: u8, from: u64) {
    for number in from..from + REPEATABLE as u64 {
        trio.propose(at, &RequestId::named("bob", number), Operation::put("x", "later"));
    }
}

#[test]
fn a_write_repeated_too_late_has_no_effect_and_is_answered_as_unknown() {
    let mut trio = Trio::new();
    let first = RequestId::named("alice", 1);
    trio.propose(0, &first, Operation::put("x", "first"));
    for number in 0..REPEATABLE as u64 - 1 {
        trio.propose(1, &RequestId::named("bob", number), Operation::put("x", "later"));
    }
    trio.propose(2, &first, Operation::put("x", "first"));
    assert_eq!(trio.answers().last(), Some(&(2, Outcome::Written)), "still remembered");
    trio.propose(1, &RequestId::named("bob", 1000), Operation::put("x", "later"));
    let led = trio.replicas[2].durable().next_slot;
    for at in [2, 0, 1, 2] {
        trio.propose(at, &first, Operation::put("x", "first"));
        assert_eq!(trio.answers().last(), Some(&(at, Outcome::Unknown)));
    }
    assert_eq!(trio.replicas[2].durable().next_slot, led, "there is nothing to decide");
    assert_eq!(trio.applied(), [REPEATABLE + 1; 3]);
    assert_eq!(stores(&trio), vec![Some("later".to_owned()); 3]);
}

/// The replica that is asked again has heard of nothing, so that only the execution can tell: of the
/// two instances, the first one takes effect, and answers the client that waits at the other replica.
#[test]
fn a_write_repeated_where_it_is_not_known_takes_effect_once() {
    for reply_on in [ReplyOn::Execute, ReplyOn::Commit] {
        let mut trio = Trio::new();
        for id in ReplicaId::all(3) {
            let options = Options { reply_on, ..Options::new(id, 3) };
            trio.replicas[id.index()] = Replica::new(options, Counting::default());
        }
        trio.deaf = Some(ReplicaId(2));
        let first = RequestId::named("alice", 1);
        trio.propose(0, &first, Operation::delete("x"));
        write_over(&mut trio, 0, 0);
        trio.propose(2, &first, Operation::delete("x"));
        assert_eq!(trio.replicas[2].durable().next_slot, 1, "it is new there");
        trio.deaf = None;
        trio.flow();
        assert_eq!(trio.applied(), [REPEATABLE + 1; 3]);
        assert_eq!(stores(&trio), vec![Some("later".to_owned()); 3]);
        assert_eq!(trio.answers().last(), Some(&(2, Outcome::Written)));
        let no_effect = |event: &&Event| match event {
            Event::Executed { instance, results, .. } => {
                instance.replica == ReplicaId(2)
                    && results[0].repeated
                    && results[0].outcome == Outcome::Unknown
            }
            _ => false,
        };
        assert_eq!(trio.events.iter().filter(no_effect).count(), 3, "at each replica");
    }
}

#[test]
fn a_repeated_write_in_a_batch_is_unknown_and_the_others_take_effect() {
    let mut trio = Trio::new();
    let first = RequestId::named("alice", 1);
    trio.propose(0, &first, Operation::put("x", "first"));
    write_over(&mut trio, 1, 0);
    let command = |client: &str, number, operation| Command {
        request: RequestId::named(client, number),
        operation,
    };
    trio.step(
        ReplicaId(2),
        Input::Propose(vec![
            command("carol", 1, Operation::put("x", "new")),
            command("alice", 1, Operation::put("x", "first")),
            command("alice", 2, Operation::put("y", "new")),
            command("alice", 1, Operation::put("x", "first")),
        ]),
    );
    let last: Vec<_> = trio.answers()[1 + REPEATABLE..].to_vec();
    let expected = [Outcome::Unknown, Outcome::Unknown, Outcome::Written, Outcome::Written];
    assert_eq!(last, expected.map(|outcome| (2, outcome)));
    assert_eq!(stores(&trio), vec![Some("new".to_owned()); 3]);
    assert_eq!(trio.applied(), [REPEATABLE + 3; 3]);
}

/// A replica that crashes makes what it remembers anew from its log.
#[test]
fn a_write_repeated_after_a_crash_has_no_effect() {
    for later in [REPEATABLE - 1, REPEATABLE] {
        let mut trio = Trio::new();
        let first = RequestId::named("alice", 1);
        trio.propose(0, &first, Operation::put("x", "first"));
        for number in 0..later as u64 {
            trio.propose(1, &RequestId::named("bob", number), Operation::put("x", "later"));
        }
        let fresh = Replica::new(Options::new(ReplicaId(0), 3), Counting::default());
        let left = std::mem::replace(&mut trio.replicas[0], fresh).crash();
        let (options, machine) = (Options::new(ReplicaId(0), 3), Counting::default());
        let mut out = Vec::new();
        trio.replicas[0] = Replica::restart(options, left, machine, trio.now, &mut out);
        trio.propose(0, &first, Operation::put("x", "first"));
        let expected = if later < REPEATABLE { Outcome::Written } else { Outcome::Unknown };
        assert_eq!(trio.answers().last(), Some(&(0, expected)));
        assert_eq!(trio.applied(), [later + 1; 3]);
        assert_eq!(stores(&trio), vec![Some("later".to_owned()); 3]);
    }
}

/// Numbers go by key: a client may use them in any order on different keys, and with gaps.
#[test]
fn new_requests_with_lower_numbers_take_effect() {
    let mut trio = Trio::new();
    trio.propose(0, &RequestId::named("alice", 10), Operation::put("x", "first"));
    write_over(&mut trio, 1, 0);
    trio.propose(2, &RequestId::named("alice", 9), Operation::put("x", "second"));
    trio.propose(0, &RequestId::named("alice", 10), Operation::put("y", "1"));
    assert_eq!(trio.answers()[1 + REPEATABLE..], [(2, Outcome::Written), (0, Outcome::Written)]);
    assert_eq!(stores(&trio), vec![Some("second".to_owned()); 3]);
}

#[test]
fn requests_without_a_name_are_never_taken_for_each_other() {
    let mut trio = Trio::new();
    for replica in 0..3 {
        let request = RequestId::anonymous(ReplicaId(replica), 0);
        trio.propose(replica, &request, Operation::put("x", "1"));
    }
    assert_eq!(trio.answers().len(), 3);
    assert_eq!(trio.applied(), [3, 3, 3]);
}

#[test]
fn latencies_run_from_the_proposal() {
    let mut trio = Trio::new();
    trio.propose(0, &RequestId::named("alice", 1), Operation::put("x", "1"));
    let (_, reply) = &trio.replies[0];
    assert!(reply.commit_latency.is_some_and(|latency| !latency.is_zero()));
    assert_eq!(reply.commit_latency, reply.execute_latency, "nothing was in the way of execution");
}

/// On gRPC, a write that is repeated too late is refused in words, in whichever way the client asks.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_repeated_too_late_is_refused_in_words() {
    let options = cluster::Options::new(3);
    let cluster = Cluster::start(&options, None, &Handle::current()).expect("free ports");
    let kv =
        |replica: u8| KvClient::connect(format!("http://{}", cluster.endpoint(ReplicaId(replica))));
    let put = |identity: &str, number: u64, value: &str| wire::PutRequest {
        key: "x".into(),
        value: value.into(),
        identity: identity.into(),
        number: Some(number),
    };
    let mut client = kv(0).await.unwrap();
    client.put(put("alice", 7, "first")).await.unwrap();
    for number in 0..REPEATABLE as u64 {
        client.put(put("bob", number, "later")).await.unwrap();
    }
    let delete = wire::DeleteRequest { key: "x".into(), identity: "alice".into(), number: Some(7) };
    for at in 0..3 {
        let mut client = kv(at).await.unwrap();
        let refused = client.put(put("alice", 7, "first")).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("this call had no effect"), "{}", refused.message());
        // A number that is used for two operations is too low for both of them.
        let refused = client.delete(delete.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
    }
    let request = RequestId::named("alice", 7);
    let again = Command { request, operation: Operation::put("x", "first") };
    let asked = Client::connect(cluster.endpoint(ReplicaId(1)), "other").unwrap();
    assert_eq!(asked.propose_as(&again).await, Ok(Outcome::Unknown));
    let get = wire::GetRequest { key: "x".into(), ..Default::default() };
    assert_eq!(kv(2).await.unwrap().get(get).await.unwrap().into_inner().value, b"later");
    cluster.shutdown().await;
}
