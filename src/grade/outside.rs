//! A cluster of somebody else's replicas as a world that scripts can act on.
//!
//! While everything is paused, one thing at a time reaches a replica, and what is heard of it until it has
//! been quiet for a while came of that. What is heard of a replica that nothing has reached came of its
//! own timers, which nobody here can stop. But while everything is paused, time is to stand still, so what
//! a replica only says again goes no further then: that is lost, as it may be in any network, and the
//! replica will say it once more. Nothing moves but while a command is carried out.

#![expect(clippy::disallowed_methods, reason = "has a clock of its own")]

mod violations;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::check::Checker;
use crate::config::Endpoint;
use crate::epaxos::command::{Command, Operation, RequestId};
use crate::epaxos::event::Reply;
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::message::{Envelope, Message, MessageKind};
use crate::epaxos::time::Time;
use crate::grade::calls::Calls;
use crate::grade::hearsay::Hearsay;
use crate::grade::processes::Processes;
use crate::grade::relays::Relays;
use crate::net::client::Connection;
use crate::node::gate::Gate;
use crate::observe::notice::{Decision, Effect, GateState, Held, Notice, Shape, Step};
use crate::observe::view::View;
use crate::script::world::{Answer, Next, Proposer, World, requests};

/// How the replicas are to be had.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where they listen.
    pub endpoints: Vec<Endpoint>,
    /// What starts one of them, with `{id}` and `{config}` in it. Where there is nothing, they run
    /// already, and speak to each other past whoever grades them.
    pub start: Option<String>,
    /// Where what they print goes.
    pub logs: Option<PathBuf>,
    /// For how long nothing must be heard before everything is taken to be at rest.
    pub quiet: Duration,
}

/// A cluster that is seen from outside. Not to be used, or dropped, on a runtime.
#[derive(Debug)]
pub struct Outside {
    view: View,
    /// What was heard and is still to be looked at, and what is to be heard.
    inbox: mpsc::UnboundedReceiver<Heard>,
    told: mpsc::UnboundedSender<Heard>,
    connections: Vec<Connection>,
    between: Option<Between>,
    hearsay: Hearsay,
    checker: Checker,
    calls: Calls,
    /// How many messages of each replica have been heard: they are numbered here, since somebody
    /// else's numbers may not be unique.
    sent: Vec<u64>,
    /// What each replica has said while everything was paused: when it first did, and to which.
    said: BTreeMap<(ReplicaId, Message), (Instant, BTreeSet<ReplicaId>)>,
    /// Whether time passes, though everything is paused.
    sleeping: bool,
    proposer: Proposer,
    answers: Vec<Answer>,
    /// Proposals without an answer, with the replica that was asked.
    open: BTreeMap<RequestId, (ReplicaId, Command)>,
    trace: Vec<String>,
    began: Instant,
    quiet: Duration,
    /// Lives as long as whatever runs on it.
    runtime: Runtime,
}

/// What stands between replicas that were started here.
#[derive(Debug)]
struct Between {
    // Dropped in this order: the replicas end before what they speak to.
    processes: Processes,
    relays: Relays,
    gates: Vec<Gate>,
}

/// What comes in.
#[derive(Debug)]
enum Heard {
    Messages(Vec<Envelope>),
    Answer(Answer),
}

impl Outside {
    /// Starts replicas, or turns to those that run, of a cluster of this shape.
    pub fn start(options: &Options, shape: Shape) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start threads: {error}"))?;
        let (told, inbox) = mpsc::unbounded_channel();
        let replicas = options.endpoints.len();
        let between = match &options.start {
            None => None,
            Some(command) => {
                let heard = told.clone();
                let hear = move |envelopes| {
                    // Whoever listened may be gone.
                    heard.send(Heard::Messages(envelopes)).ok();
                };
                let relays = Relays::start(runtime.handle(), &options.endpoints, hear)?;
                let logs = options.logs.as_deref();
                let endpoints = &relays.endpoints;
                let processes = Processes::new(command, &options.endpoints, endpoints, logs)?;
                let gates = (0..replicas).map(|_| Gate::new(GateState::default())).collect();
                Some(Between { processes, relays, gates })
            }
        };
        let connections = {
            let _runtime = runtime.enter();
            let connect = |endpoint: &Endpoint| {
                let address = endpoint.to_string();
                Connection::new(&address).ok_or_else(|| format!("\"{address}\" is no address"))
            };
            options.endpoints.iter().map(connect).collect::<Result<_, _>>()?
        };
        // Replicas that run already may have been asked for something under the usual name.
        let proposer = if between.is_some() {
            Proposer::default()
        } else {
            let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            Proposer::called(&format!("grade-{}", since.as_nanos()))
        };
        let checker = Checker::new(shape.options.quorums, shape.reply_on());
        let mut outside = Self {
            view: View::new(shape),
            inbox,
            told,
            connections,
            between,
            hearsay: Hearsay::default(),
            checker,
            calls: Calls::default(),
            sent: vec![0; replicas],
            said: BTreeMap::new(),
            sleeping: false,
            proposer,
            answers: Vec::new(),
            open: BTreeMap::new(),
            trace: Vec::new(),
            began: Instant::now(),
            quiet: options.quiet,
            runtime,
        };
        if let Some(Between { processes, relays, .. }) = &mut outside.between {
            for id in ReplicaId::all(replicas) {
                processes.start(id)?;
                relays.speak_to(id)?;
            }
        }
        // They may have something to say at first.
        outside.listen(None, options.quiet);
        Ok(outside)
    }

    /// The lines of the trace since this was asked last.
    pub fn take_trace(&mut self) -> Vec<String> {
        std::mem::take(&mut self.trace)
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn between(&mut self) -> Result<&mut Between, String> {
        self.between.as_mut().ok_or_else(|| PAST.to_owned())
    }

    /// Listens until nothing has been heard for `quiet`. What is heard of the replica that `input` has
    /// reached is put down to that.
    fn listen(&mut self, input: Option<(ReplicaId, Decision)>, quiet: Duration) {
        let (mut effects, mut after, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        let reached = input.as_ref().map(|(replica, _)| *replica);
        // Somebody else's replica may never be quiet.
        let limit = if input.is_some() { quiet * INPUT_LIMIT } else { PATIENCE.max(quiet) };
        let until = Instant::now() + limit;
        while Instant::now() < until
            && let Some(heard) =
                self.next(if effects.is_empty() { quiet } else { quiet / ALL_SAID })
        {
            match heard {
                Heard::Messages(envelopes) => {
                    for envelope in envelopes {
                        let of_input = reached == Some(envelope.id.sender);
                        if self.is_said_again(&envelope, of_input) {
                            continue;
                        }
                        let envelope = self.named(envelope);
                        let mut said: Vec<_> =
                            self.hearsay.events(&envelope).into_iter().map(Effect::Event).collect();
                        said.push(Effect::Send(envelope.clone()));
                        if of_input {
                            effects.extend(said);
                            after.push(envelope);
                        } else {
                            self.step(envelope.id.sender, Decision::Wake, said);
                            self.arrive(envelope);
                        }
                    }
                }
                // What brought it about is told first.
                Heard::Answer(answer) => answers.push(answer),
            }
        }
        if let Some((replica, decision)) = input {
            self.step(replica, decision, effects);
            for envelope in after {
                self.arrive(envelope);
            }
        }
        for answer in answers {
            self.take_answer(answer);
        }
    }

    /// Whether a replica only says again what it has said, though time is to stand still.
    fn is_said_again(&mut self, envelope: &Envelope, of_input: bool) -> bool {
        if !self.view.gate.paused || self.sleeping {
            return false;
        }
        let Envelope { id, to, message } = envelope;
        let asks = matches!(
            message.kind(),
            MessageKind::PreAccept
                | MessageKind::Accept
                | MessageKind::Recover
                | MessageKind::Validate
        );
        // Whoever is asked twice may answer twice.
        if of_input && !asks {
            return false;
        }
        let together = TOGETHER.max(self.quiet / TOGETHER_PART);
        let now = Instant::now();
        let (first, told) =
            self.said.entry((id.sender, message.clone())).or_insert_with(|| (now, BTreeSet::new()));
        // Whoever has waited too long for some asks the others.
        let late = asks && first.elapsed() > together;
        late || !told.insert(*to)
    }

    /// The next that is heard, unless there is nothing for so long.
    fn next(&mut self, quiet: Duration) -> Option<Heard> {
        let now = self.now();
        let due = self.between.iter().flat_map(|between| &between.gates).filter_map(Gate::next_due);
        // A message that is delayed is not at rest.
        let wait = due.min().map_or(quiet, |due| quiet.max(due.since(now) + quiet));
        let deadline = Instant::now() + wait;
        loop {
            self.let_due_go();
            let left = deadline.saturating_duration_since(Instant::now());
            let Self { runtime, inbox, .. } = self;
            let tick = left.min(TICK);
            let heard = runtime.block_on(async { tokio::time::timeout(tick, inbox.recv()).await });
            match heard {
                Ok(heard) => return heard,
                Err(_) if left > TICK => {}
                Err(_) => return None,
            }
        }
    }

    /// Lets go on what a delay has kept for long enough.
    fn let_due_go(&mut self) {
        let now = self.now();
        for index in 0..self.sent.len() {
            while let Some(envelope) =
                self.between.as_mut().and_then(|between| between.gates[index].take_due(now))
            {
                self.pass(envelope);
            }
        }
    }

    /// A message under a name that no other one has.
    fn named(&mut self, envelope: Envelope) -> Envelope {
        let sent = &mut self.sent[envelope.id.sender.index()];
        let id = MessageId { number: *sent, copy: 0, ..envelope.id };
        *sent += 1;
        Envelope { id, ..envelope }
    }

    /// Takes note of something.
    fn step(&mut self, replica: ReplicaId, decision: Decision, effects: Vec<Effect>) {
        let step = Step { replica, now: self.now(), decision, effects, timer: None };
        self.checker.step(&step);
        let lines = self.view.apply(Notice::Step(step));
        self.trace.extend(lines.iter().map(ToString::to_string));
    }

    /// A message has come to the gate of its receiver.
    fn arrive(&mut self, envelope: Envelope) {
        let (to, now) = (envelope.to.index(), self.now());
        let Some(between) = &mut self.between else { return };
        match between.gates[to].admit(envelope, now) {
            Ok(envelope) => self.pass(envelope),
            Err(held) => self.hold(held),
        }
    }

    fn hold(&mut self, held: Held) {
        self.view.apply(Notice::Held(held));
    }

    /// Nothing holds a message any more: it is delivered, or what its link does to it happens.
    fn pass(&mut self, envelope: Envelope) {
        let gate = &self.view.gate;
        let (lost, doubled) = (gate.loses(&envelope), gate.doubles(&envelope));
        if lost || !self.is_up(envelope.to) {
            return self.step(envelope.to, Decision::Drop(envelope), Vec::new());
        }
        if doubled {
            let copy = self.view.in_flight.copy_of(envelope.id);
            let decision = Decision::Duplicate(envelope.clone(), copy);
            self.step(envelope.to, decision, Vec::new());
            self.arrive(Envelope { id: copy, ..envelope.clone() });
        }
        self.step(envelope.to, Decision::Deliver(envelope.clone()), Vec::new());
        self.pass_on(envelope);
    }

    fn pass_on(&mut self, envelope: Envelope) {
        self.hearsay.delivered(&envelope);
        if let Some(between) = &self.between {
            between.relays.pass_on(envelope);
        }
    }

    fn is_up(&self, replica: ReplicaId) -> bool {
        self.between.as_ref().is_none_or(|between| between.processes.is_up(replica))
    }

    fn take_answer(&mut self, answer: Answer) {
        let Some((at, command)) = self.open.remove(&answer.request) else { return };
        if let Ok(outcome) = &answer.result {
            self.calls.answer(&command, outcome);
            let reply = Reply {
                command,
                outcome: outcome.clone(),
                commit_latency: None,
                execute_latency: None,
                path: None,
            };
            self.step(at, Decision::Wake, vec![Effect::Reply(reply)]);
        }
        self.answers.push(answer);
    }

    /// Sends proposals; the answers come to the inbox.
    fn ask(&mut self, at: ReplicaId, commands: &[Command]) {
        for command in commands {
            self.calls.ask(command);
            self.hearsay.asked(&command.operation);
            self.open.insert(command.request.clone(), (at, command.clone()));
        }
        let (connection, told) = (self.connections[at.index()].clone(), self.told.clone());
        let commands = commands.to_vec();
        self.runtime.spawn(async move {
            for (request, result) in connection.propose_together(commands).await {
                // Whoever asked may be gone.
                told.send(Heard::Answer(Answer { request, result })).ok();
            }
        });
    }

    /// Takes a message from the gate that it is held at.
    fn take(&mut self, id: MessageId) -> Result<Envelope, String> {
        let to = self.view.in_flight.named(id)?.envelope.to.index();
        let taken = self.between()?.gates[to].take(id);
        taken.ok_or_else(|| format!("{id} is not held"))
    }
}

impl World for Outside {
    fn view(&self) -> &View {
        &self.view
    }

    fn name(&mut self, operations: Vec<Operation>) -> Vec<Command> {
        self.proposer.commands(operations)
    }

    fn propose_commands(&mut self, at: ReplicaId, commands: Vec<Command>) -> Result<(), String> {
        if !self.is_up(at) {
            return Err(format!("{at} is down"));
        }
        self.ask(at, &commands);
        self.listen(Some((at, Decision::Propose(commands))), self.quiet);
        Ok(())
    }

    fn propose_all(
        &mut self,
        proposals: Vec<(ReplicaId, Operation)>,
    ) -> Result<Vec<RequestId>, String> {
        let mut asked = Vec::with_capacity(proposals.len());
        for (at, operation) in proposals {
            if self.view.gate.paused {
                asked.extend(self.propose(at, vec![operation])?);
                continue;
            }
            let commands = self.proposer.commands(vec![operation]);
            asked.extend(requests(&commands));
            self.ask(at, &commands);
            self.step(at, Decision::Propose(commands), Vec::new());
        }
        Ok(asked)
    }

    fn arm(&mut self) {
        self.view.apply(Notice::Armed);
    }

    fn deliver(&mut self, id: MessageId) -> Result<(), String> {
        let envelope = self.take(id)?;
        let to = envelope.to;
        if !self.is_up(to) {
            self.step(to, Decision::Drop(envelope), Vec::new());
            return Ok(());
        }
        self.pass_on(envelope.clone());
        self.listen(Some((to, Decision::Deliver(envelope))), self.quiet);
        Ok(())
    }

    fn drop(&mut self, id: MessageId) -> Result<(), String> {
        let envelope = self.take(id)?;
        self.step(envelope.to, Decision::Drop(envelope), Vec::new());
        Ok(())
    }

    fn duplicate(&mut self, id: MessageId) -> Result<(), String> {
        let (copy, now) = (self.view.in_flight.copy_of(id), self.now());
        let to = self.view.in_flight.named(id)?.envelope.to;
        let twin = self.between()?.gates[to.index()].duplicate(id, copy, now);
        let (envelope, held) = twin.ok_or_else(|| format!("{id} is not held"))?;
        self.step(to, Decision::Duplicate(envelope, copy), Vec::new());
        self.hold(held);
        Ok(())
    }

    fn wake(&mut self, replica: ReplicaId) -> Result<(), String> {
        Err(format!("the clock of {replica} is its own; let time pass with sleep"))
    }

    fn set_clock(&mut self, replica: ReplicaId, _time: Time) -> Result<(), String> {
        Err(format!("the clock of {replica} is its own; let time pass with sleep"))
    }

    fn preview(&mut self, next: Next) -> Result<Step, String> {
        Err(format!("what {next} would bring about cannot be seen from outside"))
    }

    fn crash(&mut self, replica: ReplicaId) -> Result<(), String> {
        let Between { processes, relays, .. } = self.between()?;
        processes.kill(replica)?;
        relays.fall_silent(replica);
        self.step(replica, Decision::Crash, Vec::new());
        self.listen(None, self.quiet);
        Ok(())
    }

    fn recover(&mut self, replica: ReplicaId) -> Result<(), String> {
        let Between { processes, relays, .. } = self.between()?;
        if processes.is_up(replica) {
            return Err(format!("{replica} is up"));
        }
        relays.expect_again(replica)?;
        processes.start(replica)?;
        relays.speak_to(replica)?;
        // It may have forgotten that it has said something.
        self.said.retain(|(sender, _), _| *sender != replica);
        self.listen(Some((replica, Decision::Restart)), self.quiet);
        Ok(())
    }

    fn set_gate(&mut self, gate: GateState) -> Result<(), String> {
        let now = self.now();
        let Between { gates, .. } = self.between()?;
        let (mut released, mut held) = (Vec::new(), Vec::new());
        for own in gates {
            let (free, kept) = own.set(gate.clone(), now);
            released.extend(free);
            held.extend(kept);
        }
        if !gate.paused {
            self.said.clear();
        }
        self.view.apply(Notice::Gate(gate));
        for held in held {
            self.hold(held);
        }
        // As they were sent, whomever they were sent to.
        released.sort_by_key(|envelope| self.view.in_flight.get(envelope.id).map(|it| it.sent));
        for envelope in released {
            self.pass(envelope);
        }
        self.listen(None, self.quiet);
        Ok(())
    }

    fn settle(&mut self) -> Result<(), String> {
        self.listen(None, self.quiet);
        // While nothing is in their way, answers are worth waiting for.
        let deadline = Instant::now() + PATIENCE;
        let gate = &self.view.gate;
        let free = !gate.paused && gate.holds.is_empty() && gate.cuts.is_empty();
        while free && !self.open.is_empty() && Instant::now() < deadline {
            self.listen(None, self.quiet);
        }
        Ok(())
    }

    fn sleep(&mut self, duration: Duration) -> Result<(), String> {
        let until = Instant::now() + duration;
        self.sleeping = true;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.listen(None, left.min(self.quiet));
        }
        self.sleeping = false;
        Ok(())
    }

    fn take_answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }
}

/// Why nothing can be done to messages that go elsewhere.
const PAST: &str = "these replicas speak to each other past this; let it start them, with --start";

/// How long answers are waited for that nothing is in the way of.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked of several replicas at once is asked within this time, or this part of the quiet.
const TOGETHER: Duration = Duration::from_millis(60);
const TOGETHER_PART: u32 = 4;

/// Whoever has begun to speak is taken to have said all of it after this part of the quiet.
const ALL_SAID: u32 = 5;

/// For how many times the quiet what is heard is put down to one input.
const INPUT_LIMIT: u32 = 4;

/// How often it is looked whether a delay is over.
const TICK: Duration = Duration::from_millis(5);
