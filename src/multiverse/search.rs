//! Looking through schedules for one that makes something true.
//!
//! First breadth first, so that what is found is shortest: deliveries alone, then with timers, losses
//! and crashes too. Then at random, and what is found is cut down. Where it is a violation that is
//! looked for, clients ask for things too, and everything that [`simulation`]
//! knows to do is done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fastrand::Rng;

use crate::check::Checker;
use crate::epaxos::command::Operation;
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::message::Envelope;
use crate::epaxos::seat::Seat;
use crate::epaxos::time::Time;
use crate::multiverse::goal::Goal;
use crate::observe::in_flight::InFlight;
use crate::observe::log::{Entry, Log};
use crate::observe::notice::{Decision, Effect, Shape, Step};
use crate::observe::turn::Turn;
use crate::observe::view::View;
use crate::script::file::Script;
use crate::script::session::Session;
use crate::script::stepwise::Stepwise;
use crate::script::world::{Proposer, World};
use crate::sim::cluster::Cluster;
use crate::sim::plan::Plan;
use crate::sim::replicas::Replicas;
use crate::sim::schedule::{Act, Address};
use crate::sim::shrink::{fewest, shrink};
use crate::sim::simulation;

/// A search under way. It goes on as often as it is told to, and does so much at a time.
#[derive(Debug)]
pub struct Search {
    goal: Goal,
    /// A view of such a cluster, of nothing.
    nothing: View,
    start: State,
    checker: Checker,
    stage: Stage,
    frontier: VecDeque<(u32, State)>,
    /// Each state that was come to, by the one before it and the turn between them.
    visited: Vec<(u32, Option<Turn>)>,
    known: BTreeSet<u64>,
    tried: u64,
}

/// How it is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Breadth first, with deliveries only.
    Deliveries,
    /// Breadth first, with all that can befall a cluster.
    Faults,
    /// At random; so many walks were made.
    Random(u64),
    /// At random, from the beginning, with all kinds of trouble that the simulation has.
    Simulated(u64),
}

/// Of what the runs are made among which what was found is a shortest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// Of deliveries and nothing else.
    Deliveries,
    /// Of all that can befall a cluster but twins: nobody asks for anything.
    Faults,
}

impl fmt::Display for Among {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deliveries => "none of deliveries alone is shorter",
            Self::Faults => {
                "none of deliveries, timers, losses, crashes and returns alone is shorter"
            }
        })
    }
}

/// What came of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// These turns make it true.
    Run {
        /// The turns, from where the search began.
        turns: Vec<Turn>,
        /// Of what no shorter run can be made, where that is known.
        shortest: Option<Among>,
        /// What is wrong with the run, where that was looked for.
        wrong: Option<String>,
    },
    /// Nothing in all that was looked through.
    Nothing,
}

/// A cluster in which nothing is seen but what it is.
#[derive(Clone, Debug)]
struct State {
    replicas: Replicas,
    flights: Vec<Envelope>,
    prints: Vec<u64>,
    /// How many twins were made of each message.
    copies: BTreeMap<(ReplicaId, u64), u32>,
    proposer: Proposer,
    now: Time,
    /// How many entries led to it.
    entries: u64,
}

impl Search {
    /// A search from where a cluster is.
    pub fn new(cluster: &Cluster, goal: Goal) -> Self {
        let shape: Shape = cluster.view().shape.clone();
        let mut checker = Checker::new(shape.options.quorums, shape.reply_on());
        if goal.violation {
            cluster.view().log.iter().for_each(|entry| checker.step(&entry.step));
        }
        let start = State::of(cluster);
        let mut search = Self {
            nothing: View::with_capacity(shape, 1, 1),
            checker,
            stage: match (goal.violation, cluster.view().log.is_empty()) {
                (false, _) => Stage::Deliveries,
                (true, false) => Stage::Random(0),
                (true, true) => Stage::Simulated(0),
            },
            goal,
            frontier: VecDeque::new(),
            visited: Vec::new(),
            known: BTreeSet::new(),
            tried: 0,
            start,
        };
        search.begin();
        search
    }

    /// What is being looked for.
    pub fn goal(&self) -> &Goal {
        &self.goal
    }

    /// How far it is, in words.
    pub fn progress(&self) -> String {
        match self.stage {
            Stage::Deliveries => format!("{} states, deliveries only", self.visited.len()),
            Stage::Faults => format!("{} states, with faults", self.visited.len()),
            Stage::Random(walks) | Stage::Simulated(walks) => format!("{walks} random runs"),
        }
    }

    fn begin(&mut self) {
        self.known = BTreeSet::from([self.start.hash()]);
        self.visited = vec![(0, None)];
        self.frontier = VecDeque::from([(0, self.start.clone())]);
        self.tried = 0;
    }

    /// Goes on for a while: so many states, or a tenth as many random runs. Says what came of it once
    /// something has.
    pub fn go_on(&mut self, states: u64) -> Option<Found> {
        for _ in 0..states {
            if let Stage::Simulated(seed) = self.stage {
                if seed >= WALKS_MOST {
                    return Some(Found::Nothing);
                }
                self.stage = Stage::Simulated(seed + 1);
                if let Some(found) = self.simulate(seed) {
                    return Some(found);
                }
                continue;
            }
            if let Stage::Random(walks) = self.stage {
                if walks >= WALKS_MOST {
                    return Some(Found::Nothing);
                }
                self.stage = Stage::Random(walks + 1);
                if let Some(found) = self.walk(walks) {
                    return Some(found);
                }
                continue;
            }
            let Some((index, state)) =
                self.frontier.pop_front().filter(|_| self.tried < STATES_MOST)
            else {
                self.stage =
                    if self.stage == Stage::Deliveries { Stage::Faults } else { Stage::Random(0) };
                self.begin();
                continue;
            };
            self.tried += 1;
            if let Some(found) = self.expand(index, &state) {
                return Some(found);
            }
        }
        None
    }

    /// Looks at all states that come next to one.
    fn expand(&mut self, index: u32, state: &State) -> Option<Found> {
        for act in state.acts(self.stage == Stage::Faults) {
            let mut next = state.clone();
            let Some(step) = next.perform(&act) else { continue };
            let turn = Turn::of(&step);
            if self.goal.is_met(&entry(step, &next), &next.replicas, &self.nothing) {
                let mut turns: Vec<Turn> = turn.into_iter().collect();
                turns.extend(self.way_to(index));
                turns.reverse();
                let among = match self.stage {
                    Stage::Deliveries => Among::Deliveries,
                    _ => Among::Faults,
                };
                return Some(Found::Run { turns, shortest: Some(among), wrong: None });
            }
            if self.visited.len() < STATES_KEPT && self.known.insert(next.hash()) {
                let place = u32::try_from(self.visited.len()).ok()?;
                self.visited.push((index, turn));
                self.frontier.push_back((place, next));
            }
        }
        None
    }

    /// The turns that lead to a state, the last one first.
    fn way_to(&self, mut index: u32) -> Vec<Turn> {
        let mut turns = Vec::new();
        while let Some((before, Some(turn))) = self.visited.get(index as usize) {
            turns.push(turn.clone());
            index = *before;
        }
        turns
    }

    /// One random run.
    fn walk(&self, seed: u64) -> Option<Found> {
        let mut rng = Rng::with_seed(seed);
        let mood = Mood::draw(&mut rng, self.goal.violation);
        let mut state = self.start.clone();
        let mut checker = self.goal.violation.then(|| self.checker.clone());
        let mut acts = Vec::new();
        for _ in 0..mood.acts {
            let Some(act) = state.draw(&mood, &mut rng) else { continue };
            // A replica that contradicts itself panics; where it does, the run ends.
            let step = catch_unwind(AssertUnwindSafe(|| state.perform(&act))).ok()?;
            let Some(step) = step else { continue };
            acts.push(act);
            if self.holds(step, &state, checker.as_mut()) {
                let wrong = checker.and_then(|it| it.violations().first().map(ToString::to_string));
                let acts = fewest(acts, |acts| self.play(acts).map(|(done, _)| done));
                let (_, turns) = self.play(&acts)?;
                return Some(Found::Run { turns, shortest: None, wrong });
            }
        }
        None
    }

    /// One run of the simulation, in a cluster of this kind.
    fn simulate(&self, seed: u64) -> Option<Found> {
        let shape = &self.nothing.shape;
        let drawn = Plan::draw(seed, Some(shape.replicas()));
        let plan = Plan { shape: shape.clone(), ..drawn };
        let run = simulation::draw(&plan);
        let finding = run.finding?;
        let run = shrink(&plan, &run.acts, &finding);
        let finding = run.finding.unwrap_or(finding);
        let wrong = format!("{}: {}", finding.property, finding.sentence);
        let turns = turns_of(shape, &run.script?.to_string());
        Some(Found::Run { turns, shortest: None, wrong: Some(wrong) })
    }

    fn holds(&self, step: Step, state: &State, checker: Option<&mut Checker>) -> bool {
        let wrong = checker.is_none_or(|checker| {
            checker.step(&step);
            !checker.violations().is_empty()
        });
        wrong && self.goal.is_met(&entry(step, state), &state.replicas, &self.nothing)
    }

    /// Plays acts as far as they can be done. Says which were done, and their turns, if they lead to the
    /// goal.
    fn play(&self, acts: &[Act]) -> Option<(Vec<Act>, Vec<Turn>)> {
        let mut state = self.start.clone();
        let mut checker = self.goal.violation.then(|| self.checker.clone());
        let (mut done, mut turns) = (Vec::new(), Vec::new());
        for act in acts {
            let Some(step) = state.perform(act) else { continue };
            done.push(act.clone());
            turns.extend(Turn::of(&step));
            if self.holds(step, &state, checker.as_mut()) {
                return Some((done, turns));
            }
        }
        None
    }
}

/// The circumstances of a random run: each has some kinds of trouble and lacks others.
struct Mood {
    acts: u32,
    loss: u32,
    doubling: u32,
    timers: u32,
    crashes: u32,
    returns: u32,
    proposals: u32,
    /// How many more of those there may be.
    asked: u32,
    newest: bool,
}

impl Mood {
    fn draw(rng: &mut Rng, asks: bool) -> Self {
        let mut some = |values: &[u32]| values[rng.usize(..values.len())];
        Self {
            acts: some(&[40, 80, 160]),
            loss: some(&[0, 0, 20, 50, 150]),
            doubling: some(&[0, 0, 50]),
            timers: some(&[10, 30, 80, 200]),
            crashes: some(&[0, 5, 15, 40]),
            returns: some(&[0, 10, 30]),
            proposals: if asks { some(&[0, 50, 150]) } else { 0 },
            asked: some(&[2, 3, 4, 6]),
            newest: some(&[0, 0, 1]) == 1,
        }
    }
}

impl State {
    fn of(cluster: &Cluster) -> Self {
        let replicas = cluster.replicas().clone();
        let flights: Vec<_> = cluster.in_flight().iter().map(|it| it.envelope.clone()).collect();
        let made = |id: MessageId, flying: &InFlight| flying.copy_of(id).copy - 1;
        let copies = flights
            .iter()
            .map(|it| ((it.id.sender, it.id.number), made(it.id, cluster.in_flight())));
        Self {
            prints: replicas.seats().map(Seat::fingerprint).collect(),
            copies: copies.collect(),
            proposer: cluster.proposer().clone(),
            now: cluster.now(),
            entries: cluster.view().log.len(),
            replicas,
            flights,
        }
    }

    /// Equal for states from which the same can happen: messages count for what they say.
    fn hash(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let message = |envelope: &Envelope| {
            let mut hasher = DefaultHasher::new();
            (envelope.id.sender, envelope.to, &envelope.message).hash(&mut hasher);
            hasher.finish()
        };
        let flights = self.flights.iter().map(message).fold(0, u64::wrapping_add);
        let mut hasher = DefaultHasher::new();
        (&self.prints, flights).hash(&mut hasher);
        hasher.finish()
    }

    fn all(&self) -> impl Iterator<Item = ReplicaId> + use<> {
        ReplicaId::all(self.prints.len())
    }

    fn failures(&self) -> usize {
        (self.prints.len() - 1) / 2
    }

    fn down(&self) -> usize {
        self.replicas.seats().filter(|seat| !seat.is_up()).count()
    }

    /// All that can be done now.
    fn acts(&self, faults: bool) -> Vec<Act> {
        let addresses =
            (0..self.flights.len()).map(|index| Address::of(self.flights.iter(), index));
        // Of equal messages, the first stands for all.
        let addresses: Vec<_> = addresses.filter(|address| address.nth == 0).collect();
        let mut acts: Vec<Act> = addresses.iter().copied().map(Act::Deliver).collect();
        if faults {
            let seat = |id: &ReplicaId| self.replicas.seat(*id);
            acts.extend(self.all().filter(|id| seat(id).next_timer().is_some()).map(Act::Wake));
            acts.extend(addresses.into_iter().map(Act::Drop));
            acts.extend(self.all().filter(|id| !seat(id).is_up()).map(Act::Restart));
            if self.down() < self.failures() {
                acts.extend(self.all().filter(|id| seat(id).is_up()).map(Act::Crash));
            }
        }
        acts
    }

    fn draw(&self, mood: &Mood, rng: &mut Rng) -> Option<Act> {
        let any = |rng: &mut Rng, want: &dyn Fn(&Seat<crate::kv::Store>) -> bool| {
            let fitting: Vec<_> =
                self.replicas.seats().filter(|seat| want(seat)).map(Seat::id).collect();
            (!fitting.is_empty()).then(|| fitting[rng.usize(..fitting.len())])
        };
        let mut lot = rng.u32(..1_000);
        let mut is = |chance: u32| {
            let hit = lot < chance;
            lot = lot.saturating_sub(chance);
            hit
        };
        if is(mood.crashes) {
            return any(rng, &Seat::is_up)
                .filter(|_| self.down() < self.failures())
                .map(Act::Crash);
        }
        if is(mood.returns) {
            return any(rng, &|seat| !seat.is_up()).map(Act::Restart);
        }
        if is(mood.timers) {
            return any(rng, &|seat| seat.next_timer().is_some()).map(Act::Wake);
        }
        let asked = self.proposer.proposals();
        if is(mood.proposals) && asked < u64::from(mood.asked) {
            let operation = Operation::put("x", &(asked + 1).to_string());
            return any(rng, &|seat| seat.check_serves().is_ok())
                .map(|id| Act::Propose(id, vec![operation]));
        }
        let last = self.flights.len().checked_sub(1)?;
        let index = if mood.newest && rng.u8(..4) > 0 {
            last - rng.usize(..=last.min(2))
        } else {
            rng.usize(..=last)
        };
        let address = Address::of(self.flights.iter(), index);
        Some(match rng.u32(..1_000) {
            lot if lot < mood.loss => Act::Drop(address),
            lot if lot < mood.loss + mood.doubling => Act::Duplicate(address),
            _ => Act::Deliver(address),
        })
    }

    /// Does something, if it can be done.
    fn perform(&mut self, act: &Act) -> Option<Step> {
        let seat = |id: ReplicaId| self.replicas.seat(id);
        let (id, decision) = match act {
            Act::Propose(id, operations) => {
                seat(*id).check_serves().ok()?;
                (*id, Decision::Propose(self.proposer.commands(operations.clone())))
            }
            Act::Deliver(address) => {
                let envelope = self.flights.remove(address.find(self.flights.iter())?);
                let up = seat(envelope.to).is_up();
                let decision = if up { Decision::Deliver } else { Decision::Drop };
                (envelope.to, decision(envelope))
            }
            Act::Drop(address) => {
                let envelope = self.flights.remove(address.find(self.flights.iter())?);
                (envelope.to, Decision::Drop(envelope))
            }
            Act::Duplicate(address) => {
                let envelope = self.flights[address.find(self.flights.iter())?].clone();
                let made = self.copies.entry((envelope.id.sender, envelope.id.number)).or_default();
                *made += 1;
                let copy = MessageId { copy: *made, ..envelope.id };
                self.flights.push(Envelope { id: copy, ..envelope.clone() });
                (envelope.to, Decision::Duplicate(envelope, copy))
            }
            Act::Wake(id) => {
                seat(*id).due().ok()?;
                (*id, Decision::Wake)
            }
            Act::Crash(id) => {
                seat(*id).check_up().ok()?;
                (*id, Decision::Crash)
            }
            Act::Restart(id) => {
                seat(*id).check_down().ok()?;
                (*id, Decision::Restart)
            }
        };
        let step = self.replicas.decide(id, decision, self.now);
        self.entries += 1;
        self.prints[id.index()] = self.replicas.seat(id).fingerprint();
        for effect in &step.effects {
            if let Effect::Send(envelope) = effect {
                self.flights.push(envelope.clone());
            }
        }
        Some(step)
    }
}

/// The turns that a script takes in a cluster of this kind, up to where a replica contradicts itself.
fn turns_of(shape: &Shape, script: &str) -> Vec<Turn> {
    let mut cluster = Cluster::new(shape.clone());
    let mut session = Session::default();
    let commands = Script::parse(script).map(|script| script.commands).unwrap_or_default();
    for (_, command) in commands {
        let mut next = cluster.clone();
        let perform = || session.perform(&mut next, &command).is_ok();
        match catch_unwind(AssertUnwindSafe(perform)) {
            Ok(_) => cluster = next,
            Err(_) => break,
        }
    }
    cluster.view().log.iter().filter_map(|entry| Turn::of(&entry.step)).collect()
}

/// A step as the entry that led to a state.
fn entry(step: Step, state: &State) -> Arc<Entry> {
    let mut entry = Log::new(1).append(step);
    Arc::make_mut(&mut entry).id = state.entries - 1;
    entry
}

/// How many states are looked at in each stage.
const STATES_MOST: u64 = 100_000;

/// How many states are remembered: each has what no other one shares with it.
const STATES_KEPT: usize = 200_000;

/// How many random runs are made.
const WALKS_MOST: u64 = 200_000;
