//! In which order the replicas execute what is decided, and what comes of it.
//!
//! The order in which the first replica to get there executes the writes of a key is the key's order;
//! every other replica must follow it. All of this is linear in what is executed, so that a live
//! cluster can be watched.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::check::consensus::Consensus;
use crate::check::fact::Fact;
use crate::check::{Property, Report};
use crate::epaxos::attributes::Dependencies;
use crate::epaxos::command::{Command, Operation, Outcome, Payload, StateMachine};
use crate::epaxos::event::Applied;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::epaxos::keys::KeyMap;
use crate::epaxos::quorum::ReplicaSet;
use crate::epaxos::replica::REPEATABLE;
use crate::epaxos::space::Rows;
use crate::kv::Store;

/// What has been executed where.
#[derive(Clone, Debug)]
pub(super) struct Executions {
    replicas: Vec<Local>,
    instances: Rows<Times>,
    /// Per key, its writes in order.
    writes: KeyMap<Writes>,
    /// What each command of a client came to, where it had its effect last.
    effects: BTreeMap<Command, Made>,
    /// Counts facts: the clock of this checker.
    clock: u64,
}

/// The writes of a key in order, without those that are over.
#[derive(Clone, Debug, Default)]
struct Writes {
    gone: usize,
    kept: VecDeque<InstanceId>,
}

/// When a client asked for an instance's commands, and when the first of them was answered.
#[derive(Clone, Debug, Default)]
struct Times {
    led: Option<u64>,
    answered: Option<u64>,
    /// Per operation that reads, how many writes of its key come before it.
    reads: BTreeMap<usize, usize>,
}

/// The effect of a command.
#[derive(Clone, Debug)]
struct Made {
    instance: InstanceId,
    replica: ReplicaId,
    outcome: Outcome,
    /// Its place among all that touch its key; writes have even numbers, reads the odd ones between.
    place: usize,
}

/// One replica's executions.
#[derive(Clone, Debug)]
struct Local {
    /// What is decided here, and whether it is executed.
    decided: Rows<bool>,
    /// Per row, how many instances from slot 0 on are decided here without a gap.
    prefix: Vec<u64>,
    executed: u64,
    /// What it has let go. Its store is kept through a crash then.
    let_go: Dependencies,
    keys: KeyMap<Touched>,
    store: Store,
}

/// A key at one replica.
#[derive(Clone, Debug, Default)]
struct Touched {
    /// What touches it, is decided and not executed, and whether it writes.
    open: BTreeMap<InstanceId, bool>,
    /// How many of the key's writes have been executed.
    writes: usize,
    /// When the last asked for of all that was executed was asked for; and of all that wrote.
    latest: u64,
    latest_write: u64,
}

impl Local {
    fn new(replicas: usize) -> Self {
        Self {
            decided: Rows::new(replicas),
            prefix: vec![0; replicas],
            executed: 0,
            let_go: Dependencies::NONE,
            keys: KeyMap::default(),
            store: Store::default(),
        }
    }

    fn touched(&mut self, operation: &Operation) -> &mut Touched {
        self.keys.get_or_insert_with(operation.key(), |_| Touched::default())
    }

    /// Takes note of a decision.
    fn decide(&mut self, id: InstanceId, payload: &Payload) {
        self.decided.insert(id, false);
        let prefix = &mut self.prefix[id.replica.index()];
        while self.decided.get(InstanceId::new(id.replica, *prefix)).is_some() {
            *prefix += 1;
        }
        for operation in payload.operations() {
            *self.touched(operation).open.entry(id).or_default() |= operation.is_write();
        }
    }

    /// Forgets what was executed: it will be again, unless some of it was let go.
    fn restart(&mut self, consensus: &Consensus) {
        if self.let_go != Dependencies::NONE {
            return;
        }
        self.keys = KeyMap::default();
        self.store = Store::default();
        self.executed = 0;
        let ids: Vec<_> = self.decided.iter().map(|(id, _)| id).collect();
        for id in ids {
            self.decided.insert(id, false);
            let Some((payload, _)) = consensus.decision(id) else { continue };
            for operation in payload.operations() {
                *self.touched(operation).open.entry(id).or_default() |= operation.is_write();
            }
        }
    }
}

/// One instance that is being executed at one replica.
struct Execution<'a> {
    replica: ReplicaId,
    id: InstanceId,
    payload: &'a Payload,
    results: &'a [Applied],
    component: &'a [InstanceId],
}

impl Executions {
    pub(super) fn new(replicas: usize) -> Self {
        Self {
            replicas: (0..replicas).map(|_| Local::new(replicas)).collect(),
            instances: Rows::new(replicas),
            writes: KeyMap::default(),
            effects: BTreeMap::new(),
            clock: 0,
        }
    }

    /// Whether all replicas have executed an instance, and some have let go of it.
    pub(super) fn is_over(&self, id: InstanceId) -> bool {
        self.replicas.iter().all(|local| local.has_executed(id))
            && self.replicas.iter().any(|local| local.let_go.contains(id))
    }

    /// The place of a command among all that touch its key, once it has been executed somewhere.
    pub(super) fn place(&self, command: &Command) -> Option<usize> {
        self.effects.get(command).map(|made| made.place)
    }

    pub(super) fn see(
        &mut self,
        replica: ReplicaId,
        fact: &Fact<'_>,
        consensus: &Consensus,
        answered_late: bool,
        report: &mut Report,
    ) {
        self.clock += 1;
        let local = &mut self.replicas[replica.index()];
        match fact {
            Fact::Restarted => local.restart(consensus),
            Fact::LetGo { upto, without } => self.let_go(replica, upto, *without, report),
            Fact::Led { instance, again, .. } => {
                let times = self.instances.get_or_insert_with(*instance, Times::default);
                // Commands that are led again were asked for before.
                times.led = (!again).then_some(self.clock);
            }
            Fact::Recorded(record) if record.phase == Phase::Committed => {
                local.decide(record.instance, record.payload);
            }
            Fact::Executed { instance, payload, results, component } => {
                let id = *instance;
                let execution = Execution { replica, id, payload, results, component };
                self.execute(&execution, consensus, report);
            }
            Fact::Replied { command, outcome } if answered_late => {
                self.answer(replica, command, outcome, report);
            }
            _ => {}
        }
    }

    fn execute(&mut self, execution: &Execution<'_>, consensus: &Consensus, report: &mut Report) {
        let Execution { replica, id, payload, results, .. } = *execution;
        let local = &mut self.replicas[replica.index()];
        match local.decided.get_mut(id) {
            Some(executed) if !*executed => *executed = true,
            Some(_) => {
                let sentence = format!("{replica} executes {id} a second time");
                return report.violation(Property::Once, replica, id, sentence);
            }
            None => {
                let sentence = format!("{replica} executes {id}, which is not decided there");
                return report.violation(Property::Closure, replica, id, sentence);
            }
        }
        local.executed += 1;
        for operation in payload.operations() {
            local.touched(operation).open.remove(&id);
        }
        self.check_closure(execution, consensus, report);
        for (index, (command, result)) in payload.commands().iter().zip(results).enumerate() {
            if !result.repeated {
                self.check_effect(execution, index, command, result, consensus, report);
            } else if result.outcome == Outcome::Unknown {
                self.check_unknown(replica, id, command, report);
            }
        }
    }

    /// All that an instance depends on is decided, and what interferes executed.
    fn check_closure(&self, execution: &Execution<'_>, consensus: &Consensus, report: &mut Report) {
        let Execution { replica, id, payload, component, .. } = *execution;
        let local = &self.replicas[replica.index()];
        let Some((_, attributes)) = consensus.decision(id) else { return };
        for row in ReplicaId::all(self.replicas.len()) {
            let decided = local.prefix[row.index()];
            if attributes.deps.prefix(row) > decided {
                let missing = InstanceId::new(row, decided);
                let sentence = format!("{replica} executes {id} before {missing} is decided there");
                report.violation(Property::Closure, replica, id, sentence);
            }
        }
        for operation in payload.operations() {
            let Some(touched) = local.keys.get(operation.key()) else { continue };
            for row in ReplicaId::all(self.replicas.len()) {
                let first = InstanceId::new(row, 0);
                let end = InstanceId::new(row, attributes.deps.prefix(row));
                for (other, write) in touched.open.range(first..end) {
                    let interferes = *write || operation.is_write();
                    if interferes && !component.contains(other) {
                        let sentence =
                            format!("{replica} executes {id} before {other}, on which it depends");
                        report.violation(Property::Closure, replica, id, sentence);
                    }
                }
            }
        }
    }

    /// One command takes effect.
    fn check_effect(
        &mut self,
        execution: &Execution<'_>,
        index: usize,
        command: &Command,
        result: &Applied,
        consensus: &Consensus,
        report: &mut Report,
    ) {
        let Execution { replica, id, .. } = *execution;
        let operation = &command.operation;
        let times = self.instances.get_or_insert_with(id, Times::default);
        let (led, answered) = (times.led.unwrap_or(0), times.answered);
        let local = &mut self.replicas[replica.index()];
        let expected = local.store.apply(operation);
        if expected != result.outcome {
            let sentence = format!(
                "{operation} of {id} comes to {} at {replica}, whose store says {expected}",
                result.outcome
            );
            report.violation(Property::Answers, replica, id, sentence);
        }

        let touched = local.keys.get_or_insert_with(operation.key(), |_| Touched::default());
        let before = touched.writes;
        let overtaken = if operation.is_write() { touched.latest } else { touched.latest_write };
        touched.latest = touched.latest.max(led);
        if operation.is_write() {
            touched.writes += 1;
            touched.latest_write = touched.latest_write.max(led);
        }
        if answered.is_some_and(|answered| answered < overtaken) {
            let sentence = format!(
                "{replica} executes {operation} of {id} after what was asked for when it had been \
                 answered"
            );
            report.violation(Property::RealTime, replica, id, sentence);
        }

        let place = if operation.is_write() {
            let writes = self.writes.get_or_insert_with(operation.key(), |_| Writes::default());
            while writes.kept.front().is_some_and(|first| consensus.gone().contains(*first)) {
                writes.kept.pop_front();
                writes.gone += 1;
            }
            match before.checked_sub(writes.gone).map(|place| writes.kept.get(place)) {
                Some(None) => writes.kept.push_back(id),
                // Whoever came back executes what is over for the others.
                None => {}
                Some(Some(other)) if *other == id => {}
                Some(Some(other)) => {
                    let sentence = format!(
                        "{replica} executes {operation} of {id} where others execute {other}"
                    );
                    report.violation(Property::Order, replica, id, sentence);
                }
            }
            2 * before
        } else {
            let times = self.instances.get_or_insert_with(id, Times::default);
            let first = *times.reads.entry(index).or_insert(before);
            if first != before {
                let sentence = format!(
                    "{operation} of {id} comes after {first} writes of its key at one replica, and \
                     after {before} at {replica}"
                );
                report.violation(Property::Order, replica, id, sentence);
            }
            (2 * before).saturating_sub(1)
        };
        let outcome = result.outcome.clone();
        self.check_once(command, Made { instance: id, replica, outcome, place }, report);
    }

    /// A write takes effect once.
    fn check_once(&mut self, command: &Command, made: Made, report: &mut Report) {
        let Made { instance: id, replica, .. } = made;
        let Some(earlier) = self.effects.insert(command.clone(), made) else { return };
        if command.operation.is_write() && earlier.instance != id {
            let sentence = format!(
                "{} ({}) takes effect in {} and in {id}",
                command.request, command.operation, earlier.instance
            );
            report.violation(Property::Once, replica, id, sentence);
        }
    }

    /// What a write came to is unknown only where enough other writes of its key have been executed.
    fn check_unknown(
        &self,
        replica: ReplicaId,
        id: impl Into<Option<InstanceId>>,
        command: &Command,
        report: &mut Report,
    ) {
        let Command { request, operation } = command;
        let touched = self.replicas[replica.index()].keys.get(operation.key());
        let writes = touched.map_or(0, |touched| touched.writes);
        if !operation.is_write() || writes <= REPEATABLE {
            let sentence = format!(
                "{replica} does not know what {request} ({operation}) came to, after {writes} writes \
                 of its key"
            );
            report.violation(Property::Answers, replica, id, sentence);
        }
    }

    /// A replica keeps no more of the beginning of each row.
    fn let_go(
        &mut self,
        replica: ReplicaId,
        upto: &Dependencies,
        without: ReplicaSet,
        report: &mut Report,
    ) {
        let replicas = self.replicas.len();
        for other in ReplicaId::all(replicas).filter(|other| !without.contains(*other)) {
            let local = &self.replicas[other.index()];
            let before = &self.replicas[replica.index()].let_go;
            let missing = ReplicaId::all(replicas).find_map(|row| {
                let mut slots = before.prefix(row)..upto.prefix(row);
                let missing = |slot: &u64| !local.has_executed(InstanceId::new(row, *slot));
                slots.find(missing).map(|slot| InstanceId::new(row, slot))
            });
            if let Some(missing) = missing {
                let sentence =
                    format!("{replica} lets go of {missing}, and {other} has not executed it");
                report.violation(Property::LettingGo, replica, missing, sentence);
            }
        }
        if without.len() > replicas / 2 {
            let sentence = format!("{replica} lets go of {upto} without {without}");
            report.violation(Property::LettingGo, replica, None, sentence);
        }
        let local = &mut self.replicas[replica.index()];
        for row in ReplicaId::all(replicas) {
            for slot in local.let_go.prefix(row)..upto.prefix(row) {
                local.decided.remove(InstanceId::new(row, slot));
            }
        }
        local.let_go.merge(upto);
    }

    /// Forgets an instance that is over; and what it came to, where nobody is going to look for an
    /// order of all requests any more.
    pub(super) fn forget(&mut self, id: InstanceId, payload: &Payload, too_long: bool) {
        self.instances.remove(id);
        for command in payload.commands().iter().filter(|_| too_long) {
            self.forget_effect(id, command);
        }
    }

    fn forget_effect(&mut self, id: InstanceId, command: &Command) {
        if self.effects.get(command).is_some_and(|made| made.instance == id) {
            self.effects.remove(command);
        }
    }

    /// A client is told what its command came to.
    fn answer(
        &mut self,
        replica: ReplicaId,
        command: &Command,
        outcome: &Outcome,
        report: &mut Report,
    ) {
        if *outcome == Outcome::Unknown {
            return self.check_unknown(replica, None, command, report);
        }
        let Some(made) = self.effects.get(command) else {
            let sentence = format!("{} is answered before it is executed", command.request);
            return report.violation(Property::Answers, replica, None, sentence);
        };
        if made.replica == replica && made.outcome != *outcome {
            let sentence = format!(
                "{} is told {outcome}, and its {} came to {}",
                command.request, command.operation, made.outcome
            );
            report.violation(Property::Answers, replica, made.instance, sentence);
        }
        let times = self.instances.get_or_insert_with(made.instance, Times::default);
        times.answered.get_or_insert(self.clock);
    }

    pub(super) fn finish(&self, consensus: &Consensus, report: &mut Report) {
        for (one, local) in self.replicas.iter().enumerate() {
            let replica = ReplicaId::from_index(one);
            for (id, executed) in local.decided.iter() {
                if !executed && !local.waits(id, consensus) {
                    let sentence = format!("{id} is decided at {replica} and waits for nothing");
                    report.violation(Property::Progress, replica, id, sentence);
                }
            }
            for (other, theirs) in self.replicas.iter().enumerate().skip(one + 1) {
                let same = local.executed == theirs.executed
                    && local.executed_ids().eq(theirs.executed_ids());
                if same && local.store != theirs.store {
                    let sentence = format!(
                        "{replica} and {} have executed the same and have different stores",
                        ReplicaId::from_index(other)
                    );
                    report.violation(Property::Convergence, replica, None, sentence);
                }
            }
        }
    }
}

impl Local {
    fn has_executed(&self, id: InstanceId) -> bool {
        self.let_go.contains(id) || self.decided.get(id) == Some(&true)
    }

    fn executed_ids(&self) -> impl Iterator<Item = InstanceId> {
        self.decided.iter().filter(|(_, executed)| **executed).map(|(id, _)| id)
    }

    /// Whether something undecided can be reached from a decided instance.
    fn waits(&self, id: InstanceId, consensus: &Consensus) -> bool {
        let mut seen = BTreeSet::from([id]);
        let mut next = vec![id];
        while let Some(id) = next.pop() {
            let Some((_, attributes)) = consensus.decision(id) else { continue };
            for last in attributes.deps.iter() {
                if last.slot >= self.prefix[last.replica.index()] {
                    return true;
                }
                let row = self.decided.row(last.replica).take_while(|(slot, _)| *slot <= last.slot);
                for (slot, _) in row.filter(|(_, executed)| !**executed) {
                    let dependency = InstanceId::new(last.replica, slot);
                    if seen.insert(dependency) {
                        next.push(dependency);
                    }
                }
            }
        }
        false
    }
}
