//! Each property is found broken where it is: runs that no sound replica would make, told to the
//! checker fact by fact.

use std::sync::Arc;

use epaxos_tui::check::fact::{Fact, Record};
use epaxos_tui::check::{Checker, Property};
use epaxos_tui::epaxos::attributes::Attributes;
use epaxos_tui::epaxos::command::{Command, Operation, Outcome, Payload, RequestId};
use epaxos_tui::epaxos::event::Applied;
use epaxos_tui::epaxos::id::{Ballot, InstanceId, ReplicaId};
use epaxos_tui::epaxos::instance::{Path, Phase, Proposal};
use epaxos_tui::epaxos::quorum::Quorums;
use epaxos_tui::epaxos::replica::ReplyOn;
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;

const R: [ReplicaId; 3] = [ReplicaId(0), ReplicaId(1), ReplicaId(2)];

fn instance(replica: usize, slot: u64) -> InstanceId {
    InstanceId::new(R[replica], slot)
}

fn attributes(seq: u64, deps: &[InstanceId]) -> Attributes {
    Attributes { seq, deps: deps.iter().copied().collect() }
}

/// A command, by the number of its request.
fn command(number: u64, operation: Operation) -> Command {
    Command { request: RequestId::named("alice", number), operation }
}

/// A run of three replicas.
struct Told {
    checker: Checker,
    events: u64,
}

impl Told {
    fn new() -> Self {
        Self { checker: Checker::new(Quorums::new(3), ReplyOn::Execute), events: 0 }
    }

    fn tell(&mut self, at: usize, fact: &Fact<'_>) {
        self.checker.line(self.events, R[at], fact);
        self.events += 1;
    }

    fn lead(&mut self, id: InstanceId, command: &Command) -> Payload {
        let commands: Arc<[Command]> = [command.clone()].into();
        let at = id.replica.index();
        self.tell(at, &Fact::Led { instance: id, commands: &commands, again: false });
        Payload::Commands(commands)
    }

    fn record(
        &mut self,
        at: usize,
        instance: InstanceId,
        phase: Phase,
        ballot: Ballot,
        payload: &Payload,
        attributes: Attributes,
    ) {
        let path = phase.is_committed().then_some(Path::Slow);
        let record = Record { instance, phase, ballot, payload, attributes, path };
        self.tell(at, &Fact::Recorded(record));
    }

    fn commit(&mut self, at: usize, id: InstanceId, payload: &Payload, attributes: Attributes) {
        let ballot = Ballot::initial(id.replica);
        self.record(at, id, Phase::Committed, ballot, payload, attributes);
    }

    fn execute(&mut self, at: usize, instance: InstanceId, payload: &Payload, outcome: Outcome) {
        let results = &[Applied { outcome, repeated: false, latency: None }];
        let component = &[instance];
        self.tell(at, &Fact::Executed { instance, payload, results, component });
    }

    /// Leads, commits at a replica and executes there.
    fn put(&mut self, id: InstanceId, number: u64, deps: &[InstanceId]) -> Payload {
        let payload = self.lead(id, &command(number, Operation::put("x", &number.to_string())));
        self.commit(id.replica.index(), id, &payload, attributes(number, deps));
        payload
    }

    /// What is found, the run being over.
    fn broken(mut self) -> Vec<Property> {
        self.checker.finish();
        self.checker.violations().iter().map(|violation| violation.property).collect()
    }
}

#[test]
fn a_sound_run_is_found_sound() {
    let mut told = Told::new();
    let first = told.put(instance(0, 0), 1, &[]);
    told.execute(0, instance(0, 0), &first, Outcome::Written);
    let asked = command(1, Operation::put("x", "1"));
    told.tell(0, &Fact::Replied { command: &asked, outcome: &Outcome::Written });
    let second = told.put(instance(1, 0), 2, &[instance(0, 0)]);
    told.commit(1, instance(0, 0), &first, attributes(1, &[]));
    told.execute(1, instance(0, 0), &first, Outcome::Written);
    told.execute(1, instance(1, 0), &second, Outcome::Written);
    told.tell(1, &Fact::Crashed);
    told.tell(1, &Fact::Restarted);
    told.execute(1, instance(0, 0), &first, Outcome::Written);
    told.execute(1, instance(1, 0), &second, Outcome::Written);
    assert_eq!(told.checker.decided(), 2);
    assert_eq!(told.broken(), []);
}

#[test]
fn what_nobody_asked_for() {
    let mut told = Told::new();
    told.lead(instance(0, 0), &command(1, Operation::put("x", "1")));
    let other = Payload::one(command(1, Operation::put("x", "2")));
    told.commit(1, instance(0, 0), &other, attributes(1, &[instance(1, 0)]));
    assert_eq!(told.broken(), [Property::Nontriviality]);
}

#[test]
fn two_decisions() {
    let mut told = Told::new();
    let payload = told.put(instance(0, 0), 1, &[instance(1, 0)]);
    told.commit(1, instance(0, 0), &payload, attributes(2, &[instance(1, 0)]));
    assert_eq!(told.broken(), [Property::Agreement]);
}

#[test]
fn a_decision_that_changes() {
    let mut told = Told::new();
    let payload = told.put(instance(0, 0), 1, &[instance(1, 0)]);
    told.commit(0, instance(0, 0), &payload, attributes(1, &[instance(1, 0)]));
    assert_eq!(told.broken(), [Property::Stability]);
}

#[test]
fn two_that_do_not_know_each_other() {
    let mut told = Told::new();
    // Both wait for something that is nowhere decided.
    told.put(instance(0, 0), 1, &[instance(2, 0)]);
    told.put(instance(1, 0), 2, &[instance(2, 0)]);
    assert_eq!(told.broken(), [Property::Visibility]);
}

#[test]
fn one_that_depends_on_itself() {
    let mut told = Told::new();
    told.put(instance(0, 0), 1, &[instance(0, 0), instance(2, 0)]);
    assert_eq!(told.broken(), [Property::Visibility]);
}

#[test]
fn a_ballot_that_goes_back() {
    let mut told = Told::new();
    let id = instance(0, 0);
    let ballot = |round| Ballot { round, replica: R[1] };
    told.tell(1, &Fact::Joined { instance: id, ballot: ballot(2) });
    told.tell(1, &Fact::Joined { instance: id, ballot: ballot(1) });
    assert_eq!(told.broken(), [Property::Ballots]);
}

#[test]
fn a_vote_for_what_was_not_proposed() {
    let mut told = Told::new();
    let id = instance(0, 0);
    let payload = told.lead(id, &command(1, Operation::put("x", "1")));
    let ballot = Ballot::initial(R[0]);
    told.record(0, id, Phase::Accepted, ballot, &payload, attributes(1, &[]));
    told.record(1, id, Phase::Accepted, ballot, &payload, attributes(2, &[]));
    assert_eq!(told.broken(), [Property::Ballots]);
}

#[test]
fn two_proposals_in_one_ballot() {
    let mut told = Told::new();
    let id = instance(0, 0);
    let payload = &told.lead(id, &command(1, Operation::put("x", "1")));
    let ballot = Ballot::initial(R[0]);
    for seq in [1, 2] {
        let attributes = attributes(seq, &[]);
        told.tell(0, &Fact::AskedToAccept { instance: id, ballot, payload, attributes });
    }
    assert_eq!(told.broken(), [Property::Proposals]);
    let mut told = Told::new();
    for seq in [1, 2] {
        let attributes = attributes(seq, &[]);
        told.tell(0, &Fact::AskedToPreAccept { instance: id, payload, attributes });
    }
    assert_eq!(told.broken(), [Property::Proposals]);
}

#[test]
fn a_proposal_that_is_told_otherwise() {
    let mut told = Told::new();
    let instance = instance(0, 0);
    let payload = &told.lead(instance, &command(1, Operation::put("x", "1")));
    told.tell(0, &Fact::AskedToPreAccept { instance, payload, attributes: attributes(1, &[]) });
    for seq in [1, 2] {
        let proposal = &Proposal { payload: payload.clone(), attributes: attributes(seq, &[]) };
        told.tell(1, &Fact::Quoted { instance, proposal });
    }
    assert_eq!(told.broken(), [Property::Proposals]);
}

#[test]
fn a_slot_that_is_used_twice() {
    let mut told = Told::new();
    told.lead(instance(0, 0), &command(1, Operation::put("x", "1")));
    told.lead(instance(0, 0), &command(2, Operation::put("x", "2")));
    assert_eq!(told.broken(), [Property::Proposals]);
}

#[test]
fn an_acceptor_that_knows_less() {
    let mut told = Told::new();
    let id = instance(0, 0);
    let payload = told.lead(id, &command(1, Operation::put("x", "1")));
    let ballot = Ballot::initial(R[0]);
    let more = attributes(2, &[instance(2, 0)]);
    told.record(0, id, Phase::PreAccepted, ballot, &payload, more);
    told.record(1, id, Phase::PreAccepted, ballot, &payload, attributes(2, &[]));
    assert_eq!(told.broken(), [Property::Growth]);
}

#[test]
fn a_choice_that_is_lost() {
    let mut told = Told::new();
    let id = instance(0, 0);
    let payload = told.lead(id, &command(1, Operation::put("x", "1")));
    let ballot = Ballot::initial(R[0]);
    told.record(0, id, Phase::Accepted, ballot, &payload, attributes(1, &[]));
    told.record(1, id, Phase::Accepted, ballot, &payload, attributes(1, &[]));
    let ballot = Ballot { round: 1, replica: R[2] };
    let (payload, attributes) = (&Payload::Noop, Attributes::NONE);
    told.tell(2, &Fact::AskedToAccept { instance: id, ballot, payload, attributes });
    assert_eq!(told.broken(), [Property::Choice]);
}

#[test]
fn executed_before_what_it_depends_on() {
    let mut told = Told::new();
    let payload = told.put(instance(1, 0), 1, &[instance(0, 0)]);
    told.execute(1, instance(1, 0), &payload, Outcome::Written);
    assert_eq!(told.broken(), [Property::Closure]);

    let mut told = Told::new();
    let first = told.put(instance(0, 0), 1, &[]);
    told.commit(1, instance(0, 0), &first, attributes(1, &[]));
    let second = told.put(instance(1, 0), 2, &[instance(0, 0)]);
    told.execute(1, instance(1, 0), &second, Outcome::Written);
    // What was passed over is decided, and nothing is in its way.
    assert_eq!(told.broken(), [Property::Closure, Property::Progress, Property::Progress]);
}

#[test]
fn executed_twice() {
    let mut told = Told::new();
    let payload = told.put(instance(0, 0), 1, &[]);
    told.execute(0, instance(0, 0), &payload, Outcome::Written);
    told.execute(0, instance(0, 0), &payload, Outcome::Written);
    assert_eq!(told.broken(), [Property::Once]);
}

#[test]
fn a_request_that_takes_effect_twice() {
    let mut told = Told::new();
    let first = told.put(instance(0, 0), 1, &[]);
    told.execute(0, instance(0, 0), &first, Outcome::Written);
    let again = told.lead(instance(0, 1), &command(1, Operation::put("x", "1")));
    told.commit(0, instance(0, 1), &again, attributes(2, &[instance(0, 0)]));
    told.execute(0, instance(0, 1), &again, Outcome::Written);
    assert_eq!(told.broken(), [Property::Once]);
}

#[test]
fn another_order_at_another_replica() {
    let mut told = Told::new();
    let ids = [instance(0, 0), instance(1, 0)];
    // In one component, so that either order is after what each depends on.
    let component = &ids;
    let payloads = [told.put(ids[0], 1, &[ids[1]]), told.put(ids[1], 2, &[ids[0]])];
    told.commit(0, ids[1], &payloads[1], attributes(2, &[ids[0]]));
    told.commit(1, ids[0], &payloads[0], attributes(1, &[ids[1]]));
    let results = &[Applied { outcome: Outcome::Written, repeated: false, latency: None }];
    for (at, index) in [(0, 0), (0, 1), (1, 1), (1, 0)] {
        let (instance, payload) = (ids[index], &payloads[index]);
        told.tell(at, &Fact::Executed { instance, payload, results, component });
    }
    let broken = told.broken();
    assert_eq!(broken[..2], [Property::Order, Property::Order]);
    assert!(broken.contains(&Property::Convergence), "{broken:?}");
}

#[test]
fn answered_first_and_executed_last() {
    let mut told = Told::new();
    let ids = [instance(0, 0), instance(1, 0)];
    let first = told.put(ids[0], 1, &[ids[1]]);
    told.commit(0, ids[1], &Payload::Noop, Attributes::NONE);
    told.execute(0, ids[0], &first, Outcome::Written);
    let asked = command(1, Operation::put("x", "1"));
    told.tell(0, &Fact::Replied { command: &asked, outcome: &Outcome::Written });
    // Asked for after that answer, and executed before it elsewhere.
    let id = instance(2, 0);
    let second = told.put(id, 2, &[]);
    told.execute(2, id, &second, Outcome::Written);
    told.commit(2, ids[1], &Payload::Noop, Attributes::NONE);
    told.commit(2, ids[0], &first, attributes(1, &[ids[1]]));
    told.execute(2, ids[0], &first, Outcome::Written);
    assert!(told.broken().contains(&Property::RealTime));
}

#[test]
fn a_read_of_what_is_not_there() {
    let mut told = Told::new();
    let get = command(1, Operation::get("x"));
    let payload = told.lead(instance(0, 0), &get);
    told.commit(0, instance(0, 0), &payload, attributes(1, &[]));
    let lie = Outcome::Found(b"7".as_slice().into());
    told.execute(0, instance(0, 0), &payload, lie.clone());
    assert_eq!(told.broken(), [Property::Answers]);
}

#[test]
fn an_answer_to_nothing() {
    let mut told = Told::new();
    let put = command(1, Operation::put("x", "1"));
    told.lead(instance(0, 0), &put);
    told.tell(0, &Fact::Replied { command: &put, outcome: &Outcome::Written });
    assert_eq!(told.broken(), [Property::Answers]);
}

#[test]
fn a_history_that_no_single_store_has() {
    let mut told = Told::new();
    let put = command(1, Operation::put("x", "1"));
    let payload = told.lead(instance(0, 0), &put);
    told.commit(0, instance(0, 0), &payload, attributes(1, &[]));
    told.execute(0, instance(0, 0), &payload, Outcome::Written);
    told.tell(0, &Fact::Replied { command: &put, outcome: &Outcome::Written });
    // Another replica has never heard of it, and says so after that.
    let get = command(2, Operation::get("x"));
    let payload = told.lead(instance(1, 0), &get);
    told.commit(1, instance(1, 0), &payload, attributes(1, &[]));
    told.execute(1, instance(1, 0), &payload, Outcome::NotFound);
    told.tell(1, &Fact::Replied { command: &get, outcome: &Outcome::NotFound });
    let broken = told.broken();
    assert!(broken.contains(&Property::Linearizability), "{broken:?}");
}

#[test]
fn decided_and_left_lying() {
    let mut told = Told::new();
    told.put(instance(0, 0), 1, &[]);
    assert_eq!(told.broken(), [Property::Progress]);
}

/// Every property has a test above; and each has a name and a sentence of its own.
#[test]
fn properties_have_names() {
    let names: std::collections::BTreeSet<_> = Property::ALL.map(Property::name).into();
    let sentences: std::collections::BTreeSet<_> = Property::ALL.map(Property::sentence).into();
    assert_eq!((names.len(), sentences.len()), (Property::ALL.len(), Property::ALL.len()));
}

/// A trace of a run with everything in it.
fn trace() -> Vec<String> {
    let mut cluster = Cluster::new(Shape::new(3));
    let mut session = Session::default();
    for line in [
        "put x 1 @R0",
        "put x 2 @R1",
        "batch 'put y 1' 'get x' @R2",
        "deliver R1-0",
        "settle",
        "put x 3 @R0",
        "deliver kind=PreAccept",
        "crash R0",
        "wake R1",
        "settle",
        "recover R0",
        "settle",
    ] {
        let command = epaxos_tui::script::grammar::Command::parse(line).expect(line).expect(line);
        session.perform(&mut cluster, &command).expect(line);
    }
    cluster.view().trace.iter().map(|line| line.to_json(3).to_string()).collect()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        failure_persistence: None,
        ..proptest::prelude::ProptestConfig::default()
    })]

    /// Whatever a file says, it is refused in words or found wrong: reading it never panics.
    #[test]
    fn a_mangled_trace_is_read_or_refused(
        edits in proptest::collection::vec((0..200usize, 0..12usize, 0..14usize), 1..6),
    ) {
        let values = [
            "null", "0", "-1", "18446744073709551615", "\"\"", "\"R0.18446744073709551615\"",
            "\"R8.0\"", "\"b4294967295.R2\"", "[9223372036854775807,-1,-1]", "[0,0,0,0,0]",
            "\"no-op\"", "\"put \\\"\"", "\"committed\"", "[true]",
        ];
        let mut lines = trace();
        for (line, field, value) in edits {
            let index = line % lines.len();
            let mut object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&lines[index]).expect("it was written as an object");
            let name = object.keys().nth(field % object.len()).expect("it has fields").clone();
            let value = serde_json::from_str(values[value]).expect("these are values");
            object.insert(name, value);
            lines[index] = serde_json::Value::Object(object).to_string();
        }
        if let Ok(checked) = epaxos_tui::tools::check::check(lines.join("\n").as_bytes()) {
            checked.to_text();
        }
    }
}
