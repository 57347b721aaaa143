//! One simulated run: faults, with everything checked after every step; then an end of faults, after
//! which everything must come to an end too.
//!
//! The order of messages and the moments of faults and timers are free; there is no clock but the
//! number that timers are set by. In the first act a timer fires whenever the schedule says so, the
//! clock of its replica being set forward, as if that clock were fast. In the second one all messages
//! arrive, and timers fire in order of time.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fastrand::Rng;

use crate::check::Checker;
use crate::epaxos::command::{Operation, RequestId};
use crate::epaxos::event::Event;
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::epaxos::message::{Envelope, Message};
use crate::epaxos::quorum::ReplicaSet;
use crate::epaxos::seat::Seat;
use crate::epaxos::time::Time;
use crate::kv::Store;
use crate::observe::notice::{Decision, Effect};
use crate::script::world::{Proposer, requests};
use crate::sim::coverage::Coverage;
use crate::sim::plan::{Order, Plan};
use crate::sim::replicas::Replicas;
use crate::sim::schedule::{Act, Address, Script};

/// What is wrong with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the property, one of [`crate::check::Property`], [`INVARIANT`], [`DURABILITY`] or
    /// [`LIVENESS`].
    pub property: &'static str,
    /// What was seen.
    pub sentence: String,
    /// Whether it showed only after the faults had ended.
    pub late: bool,
}

/// The name of what each replica must hold by itself.
pub const INVARIANT: &str = "invariant";

/// The name of: nobody hears of what a crash could take back.
pub const DURABILITY: &str = "durability";

/// The name of: after the faults, all is decided, executed and answered.
pub const LIVENESS: &str = "liveness";

/// How a run went.
#[derive(Clone, Debug)]
pub struct Run {
    /// What was done before the faults ended.
    pub acts: Vec<Act>,
    /// What came up.
    pub coverage: Coverage,
    /// What is wrong, if anything.
    pub finding: Option<Finding>,
    /// The run as a script, where it was asked for.
    pub script: Option<Script>,
}

/// A run under way.
struct Simulation<'a> {
    plan: &'a Plan,
    rng: Rng,
    replicas: Replicas,
    /// Messages on their way, the oldest first.
    flights: VecDeque<Envelope>,
    copies: BTreeMap<(ReplicaId, u64), u32>,
    now: Time,
    proposer: Proposer,
    /// Requests that wait for an answer, and of whom.
    open: Vec<(ReplicaId, RequestId)>,
    checker: Checker,
    coverage: Coverage,
    acts: Vec<Act>,
    script: Option<Script>,
    /// Replicas that the others cannot reach at the moment.
    apart: ReplicaSet,
    proposals: u8,
    late: bool,
}

/// Draws and plays the run of a plan.
pub fn draw(plan: &Plan) -> Run {
    let mut simulation = Simulation::new(plan, false);
    let finding = simulation.guarded(|simulation| {
        simulation.first_act()?;
        simulation.second_act()
    });
    simulation.end(finding)
}

/// Plays given acts under the circumstances of a plan.
pub fn play(plan: &Plan, acts: &[Act], write_down: bool) -> Run {
    let mut simulation = Simulation::new(plan, write_down);
    let finding = simulation.guarded(|simulation| {
        for act in acts {
            simulation.perform(act.clone())?;
        }
        simulation.second_act()
    });
    simulation.end(finding)
}

type Checked = Result<(), Finding>;

impl<'a> Simulation<'a> {
    fn new(plan: &'a Plan, write_down: bool) -> Self {
        let options = &plan.shape.options;
        let script = write_down.then(|| {
            let mut script = Script::new();
            script.command("pause");
            script
        });
        Self {
            plan,
            // Not the numbers that the plan was drawn from.
            rng: Rng::with_seed(!plan.seed),
            replicas: Replicas::new(&plan.shape),
            flights: VecDeque::new(),
            copies: BTreeMap::new(),
            now: Time::default(),
            proposer: Proposer::default(),
            open: Vec::new(),
            checker: Checker::new(options.quorums, options.reply_on),
            coverage: Coverage { schedules: 1, ..Coverage::default() },
            acts: Vec::new(),
            script,
            apart: ReplicaSet::default(),
            proposals: plan.proposals,
            late: false,
        }
    }

    /// Plays, and takes a panic for what it is: a replica that contradicts itself.
    fn guarded(&mut self, play: impl FnOnce(&mut Self) -> Checked) -> Option<Finding> {
        let played = catch_unwind(AssertUnwindSafe(|| play(self)));
        match played {
            Ok(played) => played.err(),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                let sentence = text.unwrap_or_else(|| "a replica panicked".to_owned());
                Some(Finding { property: INVARIANT, sentence, late: self.late })
            }
        }
    }

    fn end(self, finding: Option<Finding>) -> Run {
        let Self { acts, coverage, script, .. } = self;
        Run { acts, coverage, finding, script }
    }

    fn shape_size(&self) -> usize {
        self.plan.shape.replicas()
    }

    fn finding(&self, property: &'static str, sentence: String) -> Finding {
        Finding { property, sentence, late: self.late }
    }

    // The first act.

    fn first_act(&mut self) -> Checked {
        for _ in 0..self.plan.acts {
            if let Some(act) = self.draw_act() {
                self.perform(act)?;
            }
        }
        Ok(())
    }

    fn up(&self, id: ReplicaId) -> bool {
        self.replicas.seat(id).is_up()
    }

    fn serves(&self, id: ReplicaId) -> bool {
        self.replicas.seat(id).check_serves().is_ok()
    }

    /// Who is up, has missed nothing for good, and is heard by all others that are up.
    fn able(&self) -> ReplicaSet {
        let behind = |id| {
            let mut replicas = self.replicas.seats().filter_map(Seat::replica);
            replicas.any(|other| other.id() != id && other.is_behind(id))
        };
        ReplicaId::all(self.shape_size()).filter(|id| self.serves(*id) && !behind(*id)).collect()
    }

    /// Whether enough are able to decide anything.
    fn is_able(&self) -> bool {
        self.able().len() >= self.plan.shape.options.quorums.slow()
    }

    fn any_replica(&mut self, want: impl Fn(&Seat<Store>) -> bool) -> Option<ReplicaId> {
        let fitting = self.replicas.seats().filter(|seat| want(seat));
        let count = fitting.clone().count();
        (count > 0).then(|| {
            let nth = self.rng.usize(..count);
            fitting.clone().nth(nth).expect("there are as many").id()
        })
    }

    fn percent(&mut self, chance: u8) -> bool {
        self.rng.u8(..100) < chance
    }

    fn draw_act(&mut self) -> Option<Act> {
        let per_mille = self.rng.u32(..1000);
        let crash = u32::from(self.plan.crashes);
        if per_mille < crash {
            let unable = self.shape_size() - self.able().len();
            let may = unable < self.plan.shape.options.quorums.failures();
            return may.then(|| self.any_replica(Seat::is_up).map(Act::Crash)).flatten();
        }
        if per_mille < crash + u32::from(self.plan.returns) {
            return self.any_replica(|seat| !seat.is_up()).map(Act::Restart);
        }
        if self.percent(self.plan.partitions) {
            let everybody = ReplicaId::all(self.shape_size());
            self.apart = everybody.filter(|_| self.rng.u8(..3) == 0).collect();
        }
        if self.percent(self.plan.timers) {
            return self.any_replica(|seat| seat.next_timer().is_some()).map(Act::Wake);
        }
        if self.proposals > 0 && self.rng.u32(..10) < 2 {
            return self.draw_proposal();
        }
        self.draw_message()
    }

    fn draw_proposal(&mut self) -> Option<Act> {
        let leaders: Vec<_> = self.plan.leaders.iter().filter(|id| self.serves(*id)).collect();
        if leaders.is_empty() {
            return None;
        }
        self.proposals -= 1;
        let at = leaders[self.rng.usize(..leaders.len())];
        let commands = if self.percent(self.plan.batches) { 2 } else { 1 };
        Some(Act::Propose(at, (0..commands).map(|_| self.draw_operation()).collect()))
    }

    fn draw_operation(&mut self) -> Operation {
        let key = key(self.rng.u8(..self.plan.keys));
        if !self.percent(self.plan.writes) {
            return Operation::get(key);
        }
        match self.rng.u8(..6) {
            0 => Operation::delete(key),
            _ => Operation::put(key, &self.rng.u8(..100).to_string()),
        }
    }

    fn draw_message(&mut self) -> Option<Act> {
        let mut index = self.draw_index()?;
        let slow = |envelope: &Envelope| {
            self.plan.slow.is_some_and(|slow| envelope.id.sender == slow || envelope.to == slow)
        };
        if slow(&self.flights[index]) && self.rng.u8(..10) != 0 {
            index = self.draw_index()?;
        }
        let envelope = &self.flights[index];
        let apart = self.apart.contains(envelope.id.sender) != self.apart.contains(envelope.to);
        if apart && self.rng.u8(..4) != 0 {
            return None;
        }
        let address = Address::of(self.flights.iter(), index);
        if apart || self.percent(self.plan.loss) {
            return Some(Act::Drop(address));
        }
        if self.percent(self.plan.duplication) {
            return Some(Act::Duplicate(address));
        }
        Some(Act::Deliver(address))
    }

    fn draw_index(&mut self) -> Option<usize> {
        let last = self.flights.len().checked_sub(1)?;
        let mostly = self.rng.u8(..4) != 0;
        Some(match self.plan.order {
            Order::Oldest if mostly => self.rng.usize(..=last.min(2)),
            Order::Newest if mostly => last - self.rng.usize(..=last.min(2)),
            _ => self.rng.usize(..=last),
        })
    }

    // What is done.

    /// Does what an act says, if it can be done.
    fn perform(&mut self, act: Act) -> Checked {
        if self.can(&act) {
            self.acts.push(act.clone());
            return match act {
                Act::Propose(at, operations) => self.propose(at, operations),
                Act::Deliver(address) => self.at(&address, Self::deliver),
                Act::Duplicate(address) => self.at(&address, Self::duplicate),
                Act::Drop(address) => self.at(&address, Self::drop),
                Act::Wake(id) => self.wake(id),
                Act::Crash(id) => self.crash(id),
                Act::Restart(id) => self.restart(id),
            };
        }
        Ok(())
    }

    fn can(&self, act: &Act) -> bool {
        match act {
            Act::Propose(id, _) => self.serves(*id),
            Act::Crash(id) => self.up(*id),
            Act::Deliver(address) | Act::Duplicate(address) | Act::Drop(address) => {
                address.find(self.flights.iter()).is_some()
            }
            Act::Wake(id) => self.replicas.seat(*id).next_timer().is_some(),
            Act::Restart(id) => !self.up(*id),
        }
    }

    fn at(&mut self, address: &Address, act: fn(&mut Self, usize) -> Checked) -> Checked {
        let index = address.find(self.flights.iter()).expect("it was found before");
        act(self, index)
    }

    fn write(&mut self, command: impl std::fmt::Display) {
        if let Some(script) = &mut self.script {
            script.command(command);
        }
    }

    fn propose(&mut self, at: ReplicaId, operations: Vec<Operation>) -> Checked {
        if let Some(script) = &mut self.script {
            script.propose(at, &operations);
        }
        let commands = self.proposer.commands(operations);
        self.open.extend(requests(&commands).into_iter().map(|request| (at, request)));
        self.decide(at, Decision::Propose(commands))
    }

    fn deliver(&mut self, index: usize) -> Checked {
        let envelope = self.flights.remove(index).expect("it was found before");
        self.write(format_args!("deliver {}", envelope.id));
        // Whoever is down receives nothing.
        let up = self.up(envelope.to);
        let decision = if up { Decision::Deliver } else { Decision::Drop };
        self.decide(envelope.to, decision(envelope))
    }

    fn drop(&mut self, index: usize) -> Checked {
        let envelope = self.flights.remove(index).expect("it was found before");
        self.write(format_args!("drop {}", envelope.id));
        self.decide(envelope.to, Decision::Drop(envelope))
    }

    fn duplicate(&mut self, index: usize) -> Checked {
        let envelope = self.flights[index].clone();
        self.write(format_args!("dup {}", envelope.id));
        let MessageId { sender, number, .. } = envelope.id;
        let copies = self.copies.entry((sender, number)).or_default();
        *copies += 1;
        let copy = MessageId { copy: *copies, ..envelope.id };
        self.flights.push_back(Envelope { id: copy, ..envelope.clone() });
        self.decide(envelope.to, Decision::Duplicate(envelope, copy))
    }

    fn wake(&mut self, id: ReplicaId) -> Checked {
        self.write(format_args!("wake {id}"));
        self.decide(id, Decision::Wake)
    }

    fn crash(&mut self, id: ReplicaId) -> Checked {
        self.write(format_args!("crash {id}"));
        // Its clients are told so.
        self.open.retain(|(at, _)| *at != id);
        self.decide(id, Decision::Crash)
    }

    fn restart(&mut self, id: ReplicaId) -> Checked {
        self.write(format_args!("recover {id}"));
        self.decide(id, Decision::Restart)
    }

    /// Takes one decision, and checks everything.
    fn decide(&mut self, id: ReplicaId, decision: Decision) -> Checked {
        let step = self.replicas.decide(id, decision, self.now);
        self.coverage.count(&step);
        self.checker.step(&step);
        let mut sent = Vec::new();
        for effect in step.effects {
            match effect {
                Effect::Send(envelope) => sent.push(envelope),
                Effect::Reply(reply) => {
                    self.open.retain(|(_, request)| *request != reply.command.request);
                }
                // Its clients are told so.
                Effect::Event(Event::LeftBehind { .. }) => self.open.retain(|(at, _)| *at != id),
                Effect::Event(_) => {}
            }
        }
        self.check()?;
        self.check_stored(id, &sent)?;
        self.flights.extend(sent);
        if let Some(replica) = self.replicas.seat(id).replica() {
            replica.check_invariants();
        }
        Ok(())
    }

    /// What a replica has promised or voted is what survives a crash, before anybody hears of it.
    fn check_stored(&self, id: ReplicaId, sent: &[Envelope]) -> Checked {
        let stored = &self.replicas.seat(id).durable().instances;
        for Envelope { message, .. } in sent {
            let instance = stored.get(message.instance());
            let is_stored = match message {
                Message::PreAcceptReply(reply) => instance.is_some_and(|stored| {
                    stored.phase == Phase::PreAccepted && stored.attributes == reply.attributes
                }),
                Message::AcceptReply(reply) => {
                    instance.is_some_and(|stored| stored.accepted_ballot >= reply.ballot)
                }
                Message::RecoverReply(reply) => {
                    instance.is_some_and(|stored| stored.ballot >= reply.ballot)
                }
                _ => true,
            };
            if !is_stored {
                let sentence = format!("{id} says {message} and has not stored it");
                return Err(self.finding(DURABILITY, sentence));
            }
        }
        Ok(())
    }

    fn check(&self) -> Checked {
        match self.checker.violations().first() {
            Some(violation) => {
                Err(self.finding(violation.property.name(), violation.sentence.clone()))
            }
            None => Ok(()),
        }
    }

    // The second act.

    fn second_act(&mut self) -> Checked {
        self.late = true;
        for id in ReplicaId::all(self.shape_size()) {
            if !self.up(id) && self.plan.all_return {
                self.restart(id)?;
            }
        }
        let clocks = ReplicaId::all(self.shape_size()).map(|id| self.replicas.clock(id));
        let start = clocks.max().unwrap_or_default();
        self.write("run");
        if let Err(finding) = self.settle(start) {
            // With too many left behind or down, nothing need come to an end.
            return if finding.property == LIVENESS && !self.is_able() {
                Ok(())
            } else {
                Err(finding)
            };
        }
        // A replica that was told nothing of an instance need not learn of it until something that it
        // executes depends on it: these reads depend on everything.
        for id in
            ReplicaId::all(self.shape_size()).filter(|id| self.serves(*id)).collect::<Vec<_>>()
        {
            let reads = (0..self.plan.keys).map(|number| Operation::get(key(number))).collect();
            self.propose(id, reads)?;
        }
        let settled = self.settle(start).and_then(|()| self.check_end());
        match settled {
            Err(finding) if finding.property == LIVENESS && !self.is_able() => {}
            settled => settled?,
        }
        self.checker.finish();
        self.check()
    }

    /// Delivers everything and fires every timer in order of time, until nothing is left to do.
    fn settle(&mut self, start: Time) -> Checked {
        // All of it happens by itself.
        self.write("settle");
        self.write(format_args!("sleep {}s", SETTLING_MAX.as_secs()));
        let script = self.script.take();
        let settled = self.settle_unwritten(start);
        self.script = script;
        settled
    }

    fn settle_unwritten(&mut self, start: Time) -> Checked {
        loop {
            while !self.flights.is_empty() {
                self.deliver(0)?;
            }
            let timers =
                self.replicas.seats().filter_map(|seat| Some((seat.next_timer()?, seat.id())));
            let Some(((time, timer), id)) = timers.min_by_key(|((time, _), id)| (*time, *id))
            else {
                break;
            };
            if time > start + SETTLING_MAX {
                let sentence = format!(
                    "{} s after the faults {id} still waits to {timer}",
                    SETTLING_MAX.as_secs()
                );
                return Err(self.finding(LIVENESS, sentence));
            }
            self.now = self.now.max(time);
            self.wake(id)?;
        }
        let took = u64::try_from(self.now.max(start).since(start).as_micros()).unwrap_or(u64::MAX);
        self.coverage.longest_settling_us = self.coverage.longest_settling_us.max(took);
        Ok(())
    }

    fn check_end(&self) -> Checked {
        let able = self.able();
        if let Some((at, request)) = self.open.iter().find(|(at, _)| able.contains(*at)) {
            return Err(self.finding(LIVENESS, format!("{at} never answers {request}")));
        }
        let stores = self.replicas.seats().filter_map(|seat| Some((seat.id(), seat.replica()?)));
        let mut stores = stores.filter(|(id, _)| able.contains(*id));
        let Some((first, one)) = stores.next() else { return Ok(()) };
        for (id, replica) in stores {
            if replica.machine() != one.machine() {
                let sentence = format!("{first} and {id} end with different stores");
                return Err(self.finding(LIVENESS, sentence));
            }
        }
        for seat in self.replicas.seats().filter(|seat| able.contains(seat.id())) {
            for (instance, state) in seat.durable().instances.iter() {
                if state.phase != Phase::Executed {
                    let sentence =
                        format!("{instance} is {} at {} in the end", state.phase, seat.id());
                    return Err(self.finding(LIVENESS, sentence));
                }
            }
        }
        Ok(())
    }
}

fn key(number: u8) -> &'static str {
    ["x", "y", "z"][usize::from(number)]
}

/// How long, by the replicas' clocks, everything may take to come to an end after the faults.
pub const SETTLING_MAX: Duration = Duration::from_mins(10);
