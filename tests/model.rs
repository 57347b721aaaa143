//! Every way in which a small cluster can run, tried by stateright on the very replica that the program
//! runs.
//!
//! A state is what all replicas hold, and every message that was ever sent: any of them may arrive at
//! any time, again, or never, so that loss, delay, reordering and repetition need no action of their
//! own. Two commands that interfere are proposed, one leader may be lost, and timers of recovery fire
//! whenever they like, a few times.
//!
//! What is found here for three replicas is no search but all there is, within these bounds. With five
//! replicas that is out of reach: there the bound is a number of states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use epaxos_tui::epaxos::command::{Command, Operation, Payload, RequestId};
use epaxos_tui::epaxos::event::{Event, Rule};
use epaxos_tui::epaxos::id::{InstanceId, ReplicaId};
use epaxos_tui::epaxos::instance::{Instance, Path, Phase};
use epaxos_tui::epaxos::message::Message;
use epaxos_tui::epaxos::mutation::Mutation;
use epaxos_tui::epaxos::replica::{Input, Options, Output, Timeouts};
use epaxos_tui::epaxos::seat::Seat;
use epaxos_tui::epaxos::time::Time;
use epaxos_tui::kv::Store;
use stateright::{Checker, HasDiscoveries, Model, Property};

/// A cluster, and what may happen to it.
struct Small {
    options: Options,
    /// Who proposes what, each at any time.
    proposals: Vec<(ReplicaId, Operation)>,
    /// Who may be lost, for good, once it has proposed something.
    may_lose: Option<ReplicaId>,
    /// Who is lost as soon as everything is proposed, before anything else happens.
    lost: Vec<ReplicaId>,
    /// How many timers of each replica may fire.
    wakes: Vec<u8>,
    /// Which rules of recovery came up.
    rules: Mutex<BTreeSet<Rule>>,
}

/// What all replicas hold, and what is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    seats: Vec<Seat<Store>>,
    clocks: Vec<Time>,
    wakes: Vec<u8>,
    sent: BTreeSet<(ReplicaId, ReplicaId, Message)>,
    /// Which proposals are still to come.
    open: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
enum Action {
    Propose(usize),
    Deliver(ReplicaId, ReplicaId, Message),
    Wake(ReplicaId),
    Lose(ReplicaId),
}

impl Small {
    fn new(replicas: usize, proposals: Vec<(u8, Operation)>) -> Self {
        let never = Duration::from_hours(1000);
        let timeouts = Timeouts {
            fast_path: never,
            resend: never,
            resend_max: never,
            recover: Some(Duration::from_secs(1)),
        };
        let proposals = proposals.into_iter().map(|(at, operation)| (ReplicaId(at), operation));
        Self {
            options: Options { timeouts, ..Options::new(ReplicaId(0), replicas) },
            proposals: proposals.collect(),
            may_lose: None,
            lost: Vec::new(),
            wakes: vec![0; replicas],
            rules: Mutex::default(),
        }
    }

    fn propose(&self, state: &mut State, index: usize) {
        let (at, operation) = self.proposals[index].clone();
        state.open.retain(|open| *open != index);
        let request = RequestId::named("model", index as u64);
        self.step(state, at, Input::Propose(vec![Command { request, operation }]));
    }

    fn step(&self, state: &mut State, at: ReplicaId, input: Input) {
        let mut out = Vec::new();
        let seat = &mut state.seats[at.index()];
        seat.step(state.clocks[at.index()], input, &mut out);
        seat.replica().expect("it has just taken a step").check_invariants();
        for output in out {
            match output {
                Output::Send { to, message } => {
                    state.sent.insert((at, to, message));
                }
                Output::Observe(event) => {
                    if let Event::Ruled { rule, .. } = *event {
                        self.rules.lock().expect("nobody panics holding it").insert(rule);
                    }
                }
                Output::Reply(_) => {}
            }
        }
    }
}

impl State {
    fn up(&self, id: ReplicaId) -> bool {
        self.seats[id.index()].is_up()
    }

    /// Takes away messages that can change nothing any more, whenever they arrive, so that states which
    /// differ in nothing else are one.
    fn forget_the_dead(&mut self) {
        let Self { seats, sent, .. } = self;
        let instance = |at: ReplicaId, id| seats[at.index()].durable().instances.get(id);
        sent.retain(|(from, to, message)| {
            if !seats[to.index()].is_up() {
                return false;
            }
            let id = message.instance();
            let committed = |at| instance(at, id).is_some_and(|it| it.phase.is_committed());
            let over = instance(*to, id).is_some_and(|it| message.ballot() < Some(it.ballot));
            match message {
                // Answers to a count that is over.
                Message::PreAcceptReply(_) => instance(*to, id)
                    .is_some_and(|it| it.phase == Phase::PreAccepted && it.ballot.is_initial()),
                Message::AcceptReply(_)
                | Message::RecoverReply(_)
                | Message::ValidateReply(_)
                | Message::Nack(_) => !over && !committed(*to),
                Message::Commit(_) => !committed(*to),
                Message::Waiting(_) => true,
                // Answered with a decision that the sender has, or with nothing it can hear.
                _ => !committed(*to) || (seats[from.index()].is_up() && !committed(*from)),
            }
        });
    }

    /// Everything committed anywhere.
    fn committed(&self) -> impl Iterator<Item = (InstanceId, &Instance)> {
        let instances = self.seats.iter().flat_map(|seat| seat.durable().instances.iter());
        instances.filter(|(_, instance)| instance.phase.is_committed())
    }
}

impl Model for Small {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let replicas = self.options.quorums.replicas();
        let mut state = State {
            seats: ReplicaId::all(replicas)
                .map(|id| Seat::new(Options { id, ..self.options.clone() }))
                .collect(),
            clocks: vec![Time::default(); replicas],
            wakes: self.wakes.clone(),
            sent: BTreeSet::new(),
            open: (0..self.proposals.len()).collect(),
        };
        for id in &self.lost {
            let led = |index: &usize| self.proposals[*index].0 == *id;
            for index in state.open.clone().into_iter().filter(led) {
                self.propose(&mut state, index);
            }
        }
        for id in &self.lost {
            state.seats[id.index()].crash();
        }
        state.forget_the_dead();
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let open = state.open.iter().copied();
        actions.extend(open.filter(|it| state.up(self.proposals[*it].0)).map(Action::Propose));
        for (from, to, message) in &state.sent {
            if state.up(*to) {
                actions.push(Action::Deliver(*from, *to, message.clone()));
            }
        }
        for seat in &state.seats {
            // The timers that matter here come first: the others are hours away.
            let next = seat.next_timer().filter(|(time, _)| *time < Time::default() + HOUR);
            if next.is_some() && state.wakes[seat.id().index()] > 0 {
                actions.push(Action::Wake(seat.id()));
            }
        }
        let has_led = |id: &ReplicaId| state.seats[id.index()].durable().next_slot > 0;
        let lost = self.may_lose.filter(|id| state.up(*id) && has_led(id));
        actions.extend(lost.map(Action::Lose));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Propose(index) => self.propose(&mut state, index),
            Action::Deliver(from, to, message) => {
                self.step(&mut state, to, Input::Receive { from, message });
            }
            Action::Wake(id) => {
                let (due, _) = state.seats[id.index()].next_timer().expect("it has one");
                state.clocks[id.index()] = due;
                state.wakes[id.index()] -= 1;
                self.step(&mut state, id, Input::Wake);
            }
            Action::Lose(id) => {
                state.seats[id.index()].crash();
            }
        }
        state.forget_the_dead();
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("agreement", |_, state| agreement(state)),
            Property::always("visibility", |_, state| visibility(state)),
            Property::always("nontriviality", nontriviality),
            Property::always("one order", |_, state| one_order(state)),
            Property::sometimes("a fast commit", |_, state| came_by(state, Path::Fast)),
            Property::sometimes("a slow commit", |_, state| came_by(state, Path::Slow)),
            Property::sometimes("a recovered command", |_, state: &State| {
                let mut committed = state.committed();
                committed.any(|(_, it)| {
                    it.path == Some(Path::Recovery) && it.payload != Some(Payload::Noop)
                })
            }),
            Property::sometimes("a no-op", |_, state: &State| {
                state.committed().any(|(_, it)| it.payload == Some(Payload::Noop))
            }),
            Property::sometimes("a cycle", |_, state: &State| {
                let decided: BTreeMap<_, _> = state.committed().collect();
                decided.iter().any(|(id, it)| {
                    let mut deps = it.attributes.deps.iter();
                    deps.any(|dep| {
                        let other = decided.get(&dep);
                        dep != *id && other.is_some_and(|it| it.attributes.deps.contains(*id))
                    })
                })
            }),
        ]
    }
}

const HOUR: Duration = Duration::from_hours(1);

fn agreement(state: &State) -> bool {
    let mut decided = BTreeMap::new();
    state.committed().all(|(id, instance)| {
        let tuple = (&instance.payload, &instance.attributes);
        *decided.entry(id).or_insert(tuple) == tuple
    })
}

fn visibility(state: &State) -> bool {
    let decided: BTreeMap<_, _> = state.committed().collect();
    let knows = |one: &Instance, other: InstanceId| one.attributes.deps.contains(other);
    decided.iter().all(|(x, one)| {
        !knows(one, *x)
            && decided.range(..x).all(|(y, other)| {
                let (Some(mine), Some(theirs)) = (&one.payload, &other.payload) else {
                    return true;
                };
                !mine.interferes_with(theirs) || knows(one, *y) || knows(other, *x)
            })
    })
}

fn nontriviality(model: &Small, state: &State) -> bool {
    state.committed().all(|(id, instance)| {
        let payload = instance.payload.as_ref().expect("a decision has a payload");
        let asked = |operation: &Operation| {
            model.proposals.iter().any(|(at, asked)| *at == id.replica && asked == operation)
        };
        payload.operations().all(asked)
    })
}

/// Replicas that have executed the same instances have the same store: the two writes differ.
fn one_order(state: &State) -> bool {
    let mut stores: BTreeMap<Vec<InstanceId>, &Store> = BTreeMap::new();
    state.seats.iter().filter_map(Seat::replica).all(|replica| {
        let instances = replica.durable().instances.iter();
        let executed = instances.filter(|(_, instance)| instance.phase == Phase::Executed);
        let executed: Vec<_> = executed.map(|(id, _)| id).collect();
        *stores.entry(executed).or_insert(replica.machine()) == replica.machine()
    })
}

fn came_by(state: &State, path: Path) -> bool {
    state.committed().any(|(_, instance)| instance.path == Some(path))
}

/// Two writes of one key.
fn two_writes(one: u8, other: u8) -> Vec<(u8, Operation)> {
    vec![(one, Operation::put("x", "1")), (other, Operation::put("x", "2"))]
}

const R0: ReplicaId = ReplicaId(0);
const R4: ReplicaId = ReplicaId(4);

const ALWAYS: [&str; 4] = ["agreement", "visibility", "nontriviality", "one order"];

/// Tries everything, and compares what there was with what is said of it.
fn exhaust(model: Small, states: usize, rules: &[Rule]) {
    let checker = model.checker().threads(2).spawn_dfs().join();
    for property in ALWAYS {
        checker.assert_no_discovery(property);
    }
    for property in ["a recovered command", "a no-op"] {
        checker.assert_any_discovery(property);
    }
    let found = checker.model().rules.lock().expect("nobody panics holding it").clone();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), rules);
    assert_eq!(checker.unique_state_count(), states);
}

#[test]
fn three_replicas_without_failures() {
    for (thrifty, states) in [(true, 167), (false, 1800)] {
        let mut model = Small::new(3, two_writes(0, 1));
        model.options.thrifty = thrifty;
        let checker = model.checker().spawn_dfs().join();
        for property in ALWAYS {
            checker.assert_no_discovery(property);
        }
        checker.assert_any_discovery("a fast commit");
        checker.assert_any_discovery("a slow commit");
        assert_eq!(checker.unique_state_count(), states, "thrifty: {thrifty}");
    }
}

/// The leader of one command may be lost at any time. Who leads the other one recovers it.
#[test]
fn three_replicas_a_leader_recovers() {
    use Rule::{R1, R2, R3, R4, R5, V1};

    let mut model = Small::new(3, two_writes(0, 1));
    (model.may_lose, model.wakes) = (Some(R0), vec![0, 1, 0]);
    exhaust(model, 34_291, &[R1, R2, R3, R4, R5, V1]);
}

/// The same, and a third replica recovers it, or the command of the one that is left.
#[test]
fn three_replicas_an_acceptor_recovers() {
    use Rule::{R1, R2, R3, R4, R5, V1, V4, W2, W4};

    let mut model = Small::new(3, two_writes(0, 1));
    (model.may_lose, model.wakes) = (Some(R0), vec![0, 0, 1]);
    exhaust(model, 34_598, &[R1, R2, R3, R4, R5, V1, V4, W2, W4]);
}

/// Of five, a leader is lost before anything it sent has arrived.
#[test]
fn five_replicas_an_acceptor_recovers() {
    use Rule::{R3, R4, R5, V1, V3, V4};

    let mut model = Small::new(5, two_writes(0, 4));
    (model.lost, model.wakes) = (vec![R0], vec![0, 1, 0, 0, 0]);
    exhaust(model, 63_114, &[R3, R4, R5, V1, V3, V4]);
}

/// Both leaders are lost, so that a majority that knows neither leader's mind recovers both commands.
/// Half a minute, optimized: `cargo test --release --test model -- --ignored`.
#[test]
#[ignore = "it takes minutes unless optimized"]
fn five_replicas_without_either_leader() {
    use Rule::{R4 as Enough, R5, V1, V3, V4, W2};

    let mut model = Small::new(5, two_writes(0, 4));
    (model.lost, model.wakes) = (vec![R0, R4], vec![0, 2, 0, 0, 0]);
    exhaust(model, 271_604, &[Enough, R5, V1, V3, V4, W2]);
}

/// Two that recover at once, as far as a number of states goes: with three replicas, and with five.
#[test]
fn two_recoverers_as_far_as_it_goes() {
    let mut three = Small::new(3, two_writes(0, 1));
    (three.may_lose, three.wakes) = (Some(R0), vec![0, 1, 1]);
    let mut five = Small::new(5, two_writes(0, 4));
    (five.lost, five.wakes) = (vec![R0], vec![0, 1, 1, 0, 0]);
    for model in [three, five] {
        let checker = model.checker().threads(2).target_state_count(60_000).spawn_dfs().join();
        for property in ALWAYS {
            checker.assert_no_discovery(property);
        }
    }
}

/// A protocol that is broken is found to be: the properties above can fail.
#[test]
fn broken_protocols_are_found_out() {
    let found_out = |mut model: Small, mutation, property| {
        model.options.mutation = Some(mutation);
        let checker = model.checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
        checker.spawn_dfs().join().assert_any_discovery(property);
    };
    let mut model = Small::new(3, two_writes(0, 1));
    (model.may_lose, model.wakes) = (Some(R0), vec![0, 1, 0]);
    model.options.thrifty = false;
    found_out(model, Mutation::EqualToEachOther, "agreement");

    let mut model = Small::new(5, two_writes(0, 2));
    (model.lost, model.wakes) = (vec![R0], vec![0, 1, 0, 0, 0]);
    found_out(model, Mutation::SkipValidate, "visibility");
}
