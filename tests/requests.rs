//! Clients that repeat a request: one effect, one answer.

use std::time::Duration;

use epaxos_tui::epaxos::command::{Command, Operation, Outcome, RequestId, StateMachine};
use epaxos_tui::epaxos::event::{Event, Reply};
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::replica::{Input, Options, Output, REPEATABLE, Replica};
use epaxos_tui::epaxos::time::Time;
use epaxos_tui::kv::Store;

/// Three replicas whose messages arrive at once, or not at all.
struct Trio {
    replicas: Vec<Replica<Counting>>,
    now: Time,
    connected: bool,
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
        while self.connected && !self.undelivered.is_empty() {
            let (at, input) = self.undelivered.remove(0);
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

/// What is remembered is bounded, and forgotten at the same place of the order everywhere, also where
/// some replica executes the one that is too late in the middle of others.
#[test]
fn a_write_repeated_too_late_is_a_new_one_at_every_replica() {
    let mut trio = Trio::new();
    let first = RequestId::named("alice", 1);
    trio.propose(0, &first, Operation::put("x", "first"));
    for number in 0..REPEATABLE as u64 - 1 {
        trio.propose(1, &RequestId::named("bob", number), Operation::put("x", "later"));
    }
    trio.propose(2, &first, Operation::put("x", "first"));
    assert_eq!(trio.applied(), [REPEATABLE; 3], "still remembered");

    // The one that is forgotten over this and the one that is repeated are under way together.
    trio.connected = false;
    trio.propose(1, &RequestId::named("bob", 1000), Operation::put("x", "later"));
    let early = RequestId::named("bob", 0);
    trio.propose(0, &early, Operation::put("x", "later"));
    trio.connected = true;
    trio.flow();
    trio.propose(2, &first, Operation::put("x", "first"));
    assert_eq!(trio.applied(), [REPEATABLE + 2; 3]);
    let stores: Vec<_> = trio.replicas.iter().map(|replica| &replica.machine().store).collect();
    assert!(stores.iter().all(|store| store.get("x").is_some_and(|value| **value == *b"first")));
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
