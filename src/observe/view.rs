//! The state of a cluster as far as it can be seen, folded from what the cluster says of itself.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::{Payload, StateMachine};
use crate::epaxos::event::{Event, StatusChange, Timer};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::{Instance, Path, Phase};
use crate::epaxos::message::Envelope;
use crate::epaxos::space::Rows;
use crate::epaxos::time::Time;
use crate::kv::Store;
use crate::observe::counters::Counters;
use crate::observe::facets::Facets;
use crate::observe::in_flight::InFlight;
use crate::observe::log::{Entry, EntryId, Log};
use crate::observe::notice::{Decision, GateState, Notice, Shape, Sight, Step};
use crate::observe::query::Query;
use crate::observe::trace::Line;

/// Everything that a screen, a trace or a report shows.
#[derive(Clone, Debug)]
pub struct View {
    /// What the cluster is.
    pub shape: Shape,
    /// The replicas, by index.
    pub replicas: Vec<ReplicaView>,
    /// Messages on their way.
    pub in_flight: InFlight,
    /// What the gates hold back.
    pub gate: GateState,
    /// What met a breakpoint last: the first since somebody went on.
    pub broke: Option<Broke>,
    /// Whether the next that meets one counts.
    armed: bool,
    /// The decision log.
    pub log: Log,
    /// The trace, one line an event, oldest first.
    pub trace: VecDeque<Line>,
    /// How many lines of the trace there have been, those let go included.
    pub traced: u64,
    /// Grows with every change: a screen that has drawn this version need not draw again.
    pub version: u64,
    trace_capacity: usize,
}

/// Something happened at which everything is to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broke {
    /// What happened.
    pub entry: EntryId,
    /// Which breakpoint it met.
    pub at: Query,
}

impl fmt::Display for Broke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "break {} at #{}", self.at, self.entry)
    }
}

/// One replica as it is seen.
#[derive(Clone, Debug)]
pub struct ReplicaView {
    /// Its log.
    pub instances: Rows<InstanceView>,
    /// What it has executed since it came up, in order, without what it has let go.
    pub executed: VecDeque<InstanceId>,
    /// How many more came before those, and are let go.
    pub executed_gone: u64,
    /// The instances it knows and has not executed.
    pub open: BTreeSet<InstanceId>,
    /// The entries in which something is said of an instance here, oldest first, those included that
    /// the log has let go.
    pub history: Rows<Vec<EntryId>>,
    /// For each row, what it has executed and let go: nothing is known of that any more.
    pub let_go: Dependencies,
    /// Whether others no longer have what it has not executed, and who said so.
    pub left_behind: Option<(ReplicaId, InstanceId)>,
    /// How many of the instances that it keeps are in each phase, by [`Phase`] order.
    pub phases: [u64; Phase::ALL.len()],
    /// Its store.
    pub store: Store,
    /// What is counted.
    pub counters: Counters,
    /// How many steps it has taken part in.
    pub steps: u64,
    /// The last of them.
    pub last: Option<EntryId>,
    /// What its clock said last.
    pub now: Time,
    /// The timer it waits for.
    pub timer: Option<(Time, Timer)>,
    /// Whether it is up.
    pub up: bool,
    /// How many steps it has taken since it is not looked at, where more happens than can be.
    pub away: Option<u64>,
    /// Why it is down, where its program failed: one sentence.
    pub panic: Option<String>,
}

/// One instance as one replica has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceView {
    /// How far it has come.
    pub phase: Phase,
    /// The ballot joined.
    pub ballot: Ballot,
    /// What it carries.
    pub payload: Payload,
    /// Where it stands relative to others.
    pub attributes: Attributes,
    /// How it was committed, once it was.
    pub path: Option<Path>,
    /// The entry that changed its phase last.
    pub since: EntryId,
    /// The change of phase before execution that came last, with its cause, where it was seen.
    pub change: Option<StatusChange>,
    /// When it was first known here.
    pub known: Time,
    /// How long after that it was committed, once it was.
    pub committed_after: Option<Duration>,
    /// How long after it was first known it was executed, once it was.
    pub executed_after: Option<Duration>,
    /// Its place in this replica's order of execution, once it has one.
    pub order: Option<u64>,
    /// The component it was executed in, in execution order.
    pub component: Option<Arc<[InstanceId]>>,
    /// The instance that its execution was last said to wait for; see [`ReplicaView::waits_for`].
    pub blocked_on: Option<InstanceId>,
}

impl View {
    /// A view of a cluster in which nothing has happened.
    pub fn new(shape: Shape) -> Self {
        Self::with_capacity(shape, LOG_CAPACITY, TRACE_CAPACITY)
    }

    /// A view that keeps `entries` of the log and `lines` of the trace.
    pub fn with_capacity(shape: Shape, entries: usize, lines: usize) -> Self {
        let replicas = shape.replicas();
        Self {
            replicas: (0..replicas).map(|_| ReplicaView::new(replicas)).collect(),
            in_flight: InFlight::default(),
            gate: GateState::default(),
            broke: None,
            armed: true,
            log: Log::new(entries),
            trace: VecDeque::new(),
            traced: 0,
            version: 0,
            trace_capacity: lines,
            shape,
        }
    }

    /// Takes note of what happened, and returns the lines it adds to the trace.
    pub fn apply(&mut self, notice: Notice) -> Vec<Line> {
        self.version += 1;
        let lost = match notice {
            Notice::Lost(id) => self.in_flight.get(id).map(|flight| flight.envelope.clone()),
            _ => None,
        };
        self.in_flight.apply(&notice);
        match notice {
            Notice::Step(step) => self.apply_step(step),
            Notice::Gate(gate) => {
                self.gate = gate;
                Vec::new()
            }
            Notice::Lost(_) => lost.map_or_else(Vec::new, |envelope| self.lose(envelope)),
            Notice::Armed => {
                self.armed = true;
                Vec::new()
            }
            Notice::Away { replica, unseen } => {
                self.replicas[replica.index()].away = Some(unseen);
                Vec::new()
            }
            Notice::Held(_) => Vec::new(),
        }
    }

    /// A message was given up by its sender, which is no step of it, and yet a part of what happened.
    fn lose(&mut self, envelope: Envelope) -> Vec<Line> {
        let replica = envelope.id.sender;
        let ReplicaView { now, timer, .. } = *self.replica(replica);
        let decision = Decision::Lose(envelope);
        self.apply_step(Step { replica, now, decision, effects: Vec::new(), timer })
    }

    fn apply_step(&mut self, step: Step) -> Vec<Line> {
        let entry = self.log.append(step);
        self.replicas[entry.step.replica.index()].apply(&entry);
        let lines = Line::of(&entry, self.traced);
        self.watch(&entry, &lines);
        self.traced += lines.len() as u64;
        self.trace.extend(lines.iter().cloned());
        // A line keeps the entry that it tells a part of.
        let kept = self.log.forgotten();
        let is_over = |trace: &VecDeque<Line>| {
            let forgotten = trace.front().is_some_and(|line| line.entry.id < kept);
            forgotten || trace.len() > self.trace_capacity
        };
        while is_over(&self.trace) {
            self.trace.pop_front();
        }
        lines
    }

    /// Looks whether an entry meets a breakpoint.
    fn watch(&mut self, entry: &Entry, lines: &[Line]) {
        // Until everything stands still, more may meet it.
        if self.gate.breaks.is_empty() || !self.armed {
            return;
        }
        let facets = Facets::of_entry(entry, self);
        let text = || lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let met = self.gate.breaks.iter().find(|at| at.matches(&facets, text));
        if let Some(at) = met.cloned() {
            self.broke = Some(Broke { entry: entry.id, at });
            self.armed = false;
        }
    }

    /// The counters of all replicas, added up.
    pub fn total(&self) -> Counters {
        let mut total = Counters::default();
        self.replicas.iter().for_each(|replica| total.add(&replica.counters));
        total
    }

    /// One instance as each replica has it, by replica.
    pub fn instance(&self, id: InstanceId) -> Vec<Option<&InstanceView>> {
        self.replicas.iter().map(|replica| replica.instances.get(id)).collect()
    }

    /// One replica.
    pub fn replica(&self, id: ReplicaId) -> &ReplicaView {
        &self.replicas[id.index()]
    }

    /// How many lines of the trace have been let go.
    pub fn trace_forgotten(&self) -> u64 {
        self.traced - self.trace.len() as u64
    }
}

impl ReplicaView {
    fn new(replicas: usize) -> Self {
        Self {
            instances: Rows::new(replicas),
            executed: VecDeque::new(),
            executed_gone: 0,
            open: BTreeSet::new(),
            history: Rows::new(replicas),
            let_go: Dependencies::NONE,
            left_behind: None,
            phases: [0; Phase::ALL.len()],
            store: Store::default(),
            counters: Counters::default(),
            steps: 0,
            last: None,
            now: Time::default(),
            timer: None,
            up: true,
            away: None,
            panic: None,
        }
    }

    fn apply(&mut self, entry: &Entry) {
        let step = &entry.step;
        self.now = step.now;
        self.steps += 1;
        self.last = Some(entry.id);
        self.timer = step.timer;
        self.counters.count(step);
        match &step.decision {
            Decision::Crash => self.up = false,
            Decision::Panic(sentence) => {
                self.up = false;
                self.panic = Some(sentence.clone());
            }
            Decision::Restart => self.restart(),
            Decision::Show(sight) => self.show(entry.id, sight),
            _ => {}
        }
        for event in entry.events() {
            self.remember(entry.id, event);
            match event {
                Event::Status(change) => self.change(entry.id, change),
                Event::Executed { instance, payload, results, order, component } => {
                    for (operation, result) in payload.operations().zip(results) {
                        if !result.repeated {
                            self.store.apply(operation);
                        }
                    }
                    self.execute(entry.id, *instance, *order, component);
                }
                Event::Blocked { instance, on, .. } => {
                    if let Some(view) = self.instances.get_mut(*instance) {
                        view.blocked_on = Some(*on);
                    }
                }
                Event::LetGo { upto, .. } => self.let_go(upto),
                Event::LeftBehind { by, instance } => self.left_behind = Some((*by, *instance)),
                Event::CaughtUp => self.left_behind = None,
                Event::Proposed { .. }
                | Event::Repeated { .. }
                | Event::Searched { .. }
                | Event::Recovering { .. }
                | Event::Joined { .. }
                | Event::Ruled { .. }
                | Event::TimerFired(_)
                | Event::Ignored { .. } => {}
            }
        }
    }

    /// Takes note that an entry says something of an instance.
    fn remember(&mut self, entry: EntryId, event: &Event) {
        let Some(instance) = event.instance().filter(|id| !self.let_go.contains(*id)) else {
            return;
        };
        let history = self.history.get_or_insert_with(instance, Vec::new);
        if history.last() != Some(&entry) {
            history.push(entry);
        }
    }

    fn change(&mut self, entry: EntryId, change: &StatusChange) {
        self.open.insert(change.instance);
        let before = self.instances.get(change.instance);
        if let Some(before) = before {
            self.phases[before.phase as usize] -= 1;
        }
        self.phases[change.to as usize] += 1;
        let known = before.map_or(self.now, |before| before.known);
        let view = InstanceView {
            phase: change.to,
            ballot: change.ballot,
            payload: change.payload.clone(),
            attributes: change.after,
            path: change.path(),
            since: entry,
            change: Some(change.clone()),
            known,
            committed_after: change.to.is_committed().then(|| self.now.since(known)),
            executed_after: None,
            order: None,
            component: None,
            blocked_on: None,
        };
        self.instances.insert(change.instance, view);
    }

    /// Nothing is known any more of what a replica has let go.
    fn let_go(&mut self, upto: &Dependencies) {
        for row in ReplicaId::all(self.history.rows()) {
            // Of millions that went unseen nothing is here.
            let end = upto.prefix(row);
            while let Some(slot) = self.history.first(row).filter(|slot| *slot < end) {
                self.history.remove(InstanceId::new(row, slot));
            }
            while let Some(slot) = self.instances.first(row).filter(|slot| *slot < end) {
                if let Some(gone) = self.instances.remove(InstanceId::new(row, slot)) {
                    self.phases[gone.phase as usize] -= 1;
                }
            }
        }
        self.let_go.merge(upto);
        // Those behind one that is kept go when that goes: what is kept has one beginning.
        while self.executed.front().is_some_and(|id| upto.contains(*id)) {
            self.executed.pop_front();
            self.executed_gone += 1;
        }
    }

    /// What is known of the replica is what it shows.
    fn show(&mut self, entry: EntryId, sight: &Sight) {
        let durable = sight.seat.durable();
        self.away = None;
        self.up = sight.seat.is_up();
        self.let_go(&durable.let_go);
        self.instances = Rows::new(self.history.rows());
        self.open.clear();
        self.phases = [0; Phase::ALL.len()];
        for (id, instance) in durable.instances.iter() {
            let Some(view) = InstanceView::shown(instance, entry, self.now) else { continue };
            self.phases[view.phase as usize] += 1;
            if view.phase != Phase::Executed {
                self.open.insert(id);
            }
            self.instances.insert(id, view);
        }
        // In which order was not seen.
        self.executed.clear();
        if let Some(replica) = sight.seat.replica() {
            self.store = replica.machine().clone();
            self.executed_gone = replica.executed();
            let missing = replica.missing().and_then(|gone| gone.first_beyond(&self.let_go));
            let before = self.left_behind.map(|(by, _)| by);
            self.left_behind = missing.map(|id| (before.unwrap_or(id.replica), id));
        }
    }

    /// How many instances it has executed since it came up with an empty store.
    pub fn executed_ever(&self) -> u64 {
        self.executed_gone + self.executed.len() as u64
    }

    /// How many instances it has executed and let go.
    pub fn instances_let_go(&self) -> u64 {
        self.let_go.beyond(&Dependencies::NONE)
    }

    /// What had been executed will be again, the store not being durable; but where something was let
    /// go, the store was kept.
    fn restart(&mut self) {
        self.up = true;
        self.panic = None;
        self.left_behind = None;
        if self.let_go != Dependencies::NONE {
            return;
        }
        self.store = Store::default();
        self.open.extend(std::mem::take(&mut self.executed));
        let executed = std::mem::take(&mut self.phases[Phase::Executed as usize]);
        self.phases[Phase::Committed as usize] += executed;
        for view in self.instances.values_mut().filter(|view| view.phase == Phase::Executed) {
            view.phase = Phase::Committed;
            view.order = None;
            view.component = None;
        }
    }

    fn execute(
        &mut self,
        entry: EntryId,
        id: InstanceId,
        order: u64,
        component: &Arc<[InstanceId]>,
    ) {
        // A program that fails may have decided it in the step of which nothing was heard.
        let Some(view) = self.instances.get_mut(id) else { return };
        self.open.remove(&id);
        self.executed.push_back(id);
        self.phases[view.phase as usize] -= 1;
        self.phases[Phase::Executed as usize] += 1;
        view.phase = Phase::Executed;
        view.since = entry;
        view.executed_after = Some(self.now.since(view.known));
        view.order = Some(order);
        view.component = Some(component.clone());
        view.blocked_on = None;
    }

    /// The uncommitted instance that a committed one waits for here. What it was last said to wait for
    /// may have been committed since, and wait itself.
    pub fn waits_for(&self, id: InstanceId) -> Option<InstanceId> {
        let mut waiting = self.instances.get(id)?;
        for _ in 0..=self.instances.len() {
            let on = waiting.blocked_on?;
            match self.instances.get(on) {
                Some(next) if next.phase.is_committed() => waiting = next,
                _ => return Some(on),
            }
        }
        None
    }

    /// How many instances are in `phase`.
    pub fn in_phase(&self, phase: Phase) -> u64 {
        self.phases[phase as usize]
    }
}

impl InstanceView {
    /// An instance as a replica shows it, where it knows what that carries. How it came to that was
    /// not seen.
    fn shown(instance: &Instance, entry: EntryId, now: Time) -> Option<Self> {
        let payload = instance.payload.clone()?;
        Some(Self {
            phase: instance.phase,
            ballot: instance.ballot,
            payload,
            attributes: instance.attributes,
            path: instance.path,
            since: entry,
            change: None,
            known: now,
            committed_after: None,
            executed_after: None,
            order: None,
            component: None,
            blocked_on: None,
        })
    }
}

/// How many entries a view keeps, unless it is told otherwise.
const LOG_CAPACITY: usize = 100_000;

/// How many lines of the trace a view keeps, unless it is told otherwise.
const TRACE_CAPACITY: usize = 200_000;
