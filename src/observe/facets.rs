//! What lines, steps, messages and instances can be asked: the sides of them that a query sees.

use crate::epaxos::command::{Command, Payload};
use crate::epaxos::event::{Event, Timer};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::{Path, Phase};
use crate::epaxos::message::{Envelope, Message, MessageKind};
use crate::observe::in_flight::Flight;
use crate::observe::log::{Entry, EntryId};
use crate::observe::notice::{Decision, Effect};
use crate::observe::trace::{Line, Part};
use crate::observe::view::View;

/// The sides of something. What it has nothing of, it is never found by.
#[derive(Clone, Debug, Default)]
pub struct Facets<'a> {
    /// The instances it is about.
    pub instances: Vec<InstanceId>,
    /// The kinds of message that it tells of.
    pub kinds: Vec<MessageKind>,
    /// The paths on which it tells that something was committed.
    pub paths: Vec<Path>,
    /// The phases that it tells of.
    pub phases: Vec<Phase>,
    /// The replicas that took part.
    pub replicas: Vec<ReplicaId>,
    /// The names of its events.
    pub events: Vec<&'static str>,
    /// The sequence numbers that it tells of.
    pub seqs: Vec<u64>,
    /// How many instances the largest component has that it tells of.
    pub component: Option<u64>,
    /// The entry of the log that it belongs to, or was last changed by.
    pub entry: Option<EntryId>,
    payloads: Vec<&'a Payload>,
    commands: Vec<&'a Command>,
}

impl<'a> Facets<'a> {
    /// Those of a line of the trace. The view tells what an instance carries where the line does not.
    pub fn of_line(line: &'a Line, view: &'a View) -> Self {
        let mut facets = Self { entry: Some(line.entry.id), ..Self::default() };
        facets.replicas.push(line.replica());
        facets.events.push(line.event());
        match line.part() {
            Part::Decision(decision) => facets.add_decision(decision),
            Part::Effect(Effect::Send(envelope)) => facets.add_message(envelope, envelope.to),
            Part::Effect(Effect::Event(event)) => facets.add_event(event),
            Part::Effect(Effect::Reply(reply)) => facets.commands.push(&reply.command),
        }
        facets.look_up(view);
        facets
    }

    /// Those of an entry of the log: what was decided, and what came of it but for the messages that
    /// went out, each of which is heard of again.
    pub fn of_entry(entry: &'a Entry, view: &'a View) -> Self {
        let mut facets = Self { entry: Some(entry.id), ..Self::default() };
        facets.replicas.push(entry.step.replica);
        facets.events.push(entry.step.decision.name());
        facets.add_decision(&entry.step.decision);
        for effect in &entry.step.effects {
            match effect {
                Effect::Event(event) => {
                    facets.events.push(event.name());
                    facets.add_event(event);
                }
                Effect::Reply(reply) => {
                    facets.events.push("reply");
                    facets.commands.push(&reply.command);
                }
                Effect::Send(_) => {}
            }
        }
        facets.look_up(view);
        facets
    }

    /// Those of a message on its way.
    pub fn of_flight(flight: &'a Flight, view: &'a View) -> Self {
        let mut facets = Self { entry: Some(flight.entry), ..Self::default() };
        facets.replicas.push(flight.envelope.id.sender);
        facets.add_message(&flight.envelope, flight.envelope.to);
        facets.look_up(view);
        facets
    }

    /// Those of a timer that a replica waits for.
    pub fn of_timer(replica: ReplicaId, timer: Timer) -> Self {
        Self {
            instances: vec![timer.instance],
            replicas: vec![replica],
            events: vec!["timer"],
            ..Self::default()
        }
    }

    /// Those of an instance, as all replicas that know it have it.
    pub fn of_instance(id: InstanceId, view: &'a View) -> Self {
        let mut facets = Self { instances: vec![id], ..Self::default() };
        for (replica, known) in ReplicaId::all(view.shape.replicas()).zip(view.instance(id)) {
            let Some(known) = known else { continue };
            facets.replicas.push(replica);
            facets.phases.push(known.phase);
            facets.paths.extend(known.path);
            facets.seqs.push(known.attributes.seq);
            facets.payloads.push(&known.payload);
            facets.entry = facets.entry.max(Some(known.since));
            let members = known.component.as_ref().map(|component| component.len() as u64);
            facets.component = facets.component.max(members);
        }
        facets
    }

    fn add_decision(&mut self, decision: &'a Decision) {
        match decision {
            Decision::Deliver(envelope)
            | Decision::Drop(envelope)
            | Decision::Duplicate(envelope, _) => self.add_message(envelope, envelope.id.sender),
            Decision::Lose(envelope) => self.add_message(envelope, envelope.to),
            Decision::Propose(commands) => self.commands.extend(commands),
            Decision::Wake
            | Decision::Crash
            | Decision::Restart
            | Decision::Panic(_)
            | Decision::Show(_) => {}
        }
    }

    fn add_message(&mut self, envelope: &'a Envelope, other: ReplicaId) {
        let message = &envelope.message;
        self.instances.push(message.instance());
        self.kinds.push(message.kind());
        self.replicas.push(other);
        self.payloads.extend(message.payload());
        self.seqs.extend(message.attributes().map(|attributes| attributes.seq));
        if let Message::Commit(commit) = message {
            self.paths.push(commit.path);
        }
    }

    fn add_event(&mut self, event: &'a Event) {
        self.instances.extend(event.instance());
        match event {
            Event::Proposed { commands, attributes, .. } => {
                self.commands.extend(commands.iter());
                self.seqs.push(attributes.seq);
            }
            Event::Status(change) => {
                self.paths.extend(change.path());
                self.phases.push(change.to);
                self.seqs.push(change.after.seq);
                self.payloads.push(&change.payload);
            }
            Event::Executed { payload, component, .. } => {
                self.phases.push(Phase::Executed);
                self.payloads.push(payload);
                self.component = self.component.max(Some(component.len() as u64));
            }
            Event::Ignored { from, kind, .. } => {
                self.kinds.push(*kind);
                self.replicas.push(*from);
            }
            Event::LeftBehind { by, .. } => self.replicas.push(*by),
            Event::Blocked { .. }
            | Event::Repeated { .. }
            | Event::Searched { .. }
            | Event::Recovering { .. }
            | Event::Joined { .. }
            | Event::Ruled { .. }
            | Event::LetGo { .. }
            | Event::CaughtUp
            | Event::TimerFired(_) => {}
        }
    }

    /// Where nothing is said of what the instances carry, asks who knows.
    fn look_up(&mut self, view: &'a View) {
        if !self.payloads.is_empty() || !self.commands.is_empty() {
            return;
        }
        for id in &self.instances {
            if id.replica.index() < view.shape.replicas() {
                let mut known = view.replicas.iter().filter_map(|own| own.instances.get(*id));
                self.payloads.extend(known.next().map(|known| &known.payload));
            }
        }
    }

    /// Whether a key is read or written by what it is about.
    pub fn touches(&self, key: &str) -> bool {
        let commands = self.commands.iter().map(|command| &command.operation);
        let mut all = self.payloads.iter().flat_map(|payload| payload.operations()).chain(commands);
        all.any(|operation| &**operation.key() == key)
    }
}
