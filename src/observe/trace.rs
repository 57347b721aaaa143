//! The trace: one line an event, to read or as JSON. `docs/trace.md` lists the names.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::{Outcome, Payload};
use crate::epaxos::event::{Applied, Event, StatusChange};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::message::{Envelope, Message};
use crate::observe::log::Entry;
use crate::observe::notice::{Decision, Effect};

/// One line of the trace: a part of an entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number among all lines, from 0.
    pub n: u64,
    /// The entry it tells a part of.
    pub entry: Arc<Entry>,
    /// Which part: 0 the decision, n its n-th effect.
    part: usize,
}

/// What a line tells.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// What reached the replica.
    Decision(&'a Decision),
    /// What came of it.
    Effect(&'a Effect),
}

impl Line {
    /// The lines that tell an entry, numbered from `first`.
    pub fn of(entry: &Arc<Entry>, first: u64) -> Vec<Line> {
        let decision = match entry.step.decision {
            Decision::Deliver(_)
            | Decision::Drop(_)
            | Decision::Duplicate(..)
            | Decision::Lose(_)
            | Decision::Crash
            | Decision::Restart
            | Decision::Panic(_)
            | Decision::Show(_) => Some(0),
            // Told by the events that follow.
            Decision::Propose(_) | Decision::Wake => None,
        };
        let effects = entry.step.effects.iter().enumerate();
        let told =
            effects.filter(|(_, effect)| !matches!(effect, Effect::Event(Event::Searched { .. })));
        let parts = decision.into_iter().chain(told.map(|(index, _)| index + 1));
        (first..).zip(parts).map(|(n, part)| Line { n, entry: entry.clone(), part }).collect()
    }

    /// What the line tells.
    pub fn part(&self) -> Part<'_> {
        match self.part.checked_sub(1) {
            None => Part::Decision(&self.entry.step.decision),
            Some(index) => Part::Effect(&self.entry.step.effects[index]),
        }
    }

    /// The replica at which it happened.
    pub fn replica(&self) -> ReplicaId {
        self.entry.step.replica
    }

    /// The instance that the line is about, where it is about one.
    pub fn instance(&self) -> Option<InstanceId> {
        match self.part() {
            Part::Decision(decision) => decision.instance(),
            Part::Effect(Effect::Send(envelope)) => Some(envelope.message.instance()),
            Part::Effect(Effect::Event(event)) => event.instance(),
            Part::Effect(Effect::Reply(_)) => None,
        }
    }

    /// The name of the event.
    pub fn event(&self) -> &'static str {
        match self.part() {
            Part::Decision(decision) => decision.name(),
            Part::Effect(Effect::Send(_)) => "send",
            Part::Effect(Effect::Reply(_)) => "reply",
            Part::Effect(Effect::Event(event)) => event.name(),
        }
    }

    /// The line as JSON. `replicas` is the length of dependency vectors.
    pub fn to_json(&self, replicas: usize) -> Value {
        let mut json = Map::new();
        json.insert("n".to_owned(), json!(self.n));
        json.insert("t_us".to_owned(), json!(self.entry.step.now.0));
        json.insert("replica".to_owned(), text(self.replica()));
        json.insert("event".to_owned(), json!(self.event()));
        let fields = match self.part() {
            Part::Decision(decision) => decision_fields(decision, replicas),
            Part::Effect(Effect::Send(envelope)) => envelope_fields("to", envelope, replicas),
            Part::Effect(Effect::Reply(reply)) => vec![
                ("request", text(&reply.command.request)),
                ("value", text(&reply.outcome)),
                ("commit_us", micros(reply.commit_latency)),
                ("execute_us", micros(reply.execute_latency)),
            ],
            Part::Effect(Effect::Event(event)) => event_fields(event, replicas),
        };
        json.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
        json.into()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replica = self.replica();
        match self.part() {
            Part::Decision(decision) => fmt_decision(f, replica, decision),
            Part::Effect(Effect::Send(Envelope { id, to, message })) => {
                write!(f, "{replica} → {to} {message} [{id}]")
            }
            Part::Effect(Effect::Reply(reply)) => {
                write!(f, "{replica} reply {}: {}", reply.command.request, reply.outcome)
            }
            Part::Effect(Effect::Event(event)) => fmt_event(f, replica, event),
        }
    }
}

fn fmt_decision(
    f: &mut fmt::Formatter<'_>,
    replica: ReplicaId,
    decision: &Decision,
) -> fmt::Result {
    match decision {
        Decision::Propose(commands) => write!(f, "{replica} propose ({} commands)", commands.len()),
        Decision::Deliver(Envelope { id, message, .. }) => {
            write!(f, "{replica} ← {} {message} [{id}]", id.sender)
        }
        Decision::Wake => write!(f, "{replica} wake"),
        Decision::Crash => write!(f, "{replica} crashes, and keeps what is durable"),
        Decision::Restart => write!(f, "{replica} comes back with what was durable"),
        Decision::Panic(sentence) => write!(f, "{replica} fails: {sentence}"),
        Decision::Show(sight) => write!(f, "{replica} is seen again, {} steps later", sight.unseen),
        Decision::Drop(Envelope { id, message, .. }) => {
            write!(f, "{replica} ⇥ {} {message} [{id}] dropped", id.sender)
        }
        Decision::Lose(Envelope { id, to, message }) => {
            write!(f, "{replica} ⇥ {to} {message} [{id}] given up")
        }
        Decision::Duplicate(Envelope { id, message, .. }, copy) => {
            write!(f, "{replica} ⇉ {} {message} [{id}] duplicated as [{copy}]", id.sender)
        }
    }
}

fn fmt_event(f: &mut fmt::Formatter<'_>, replica: ReplicaId, event: &Event) -> fmt::Result {
    match event {
        Event::Proposed { instance, commands, instead_of, .. } => {
            write!(f, "{replica} propose {instance} {}", Payload::Commands(commands.clone()))?;
            instead_of.map_or(Ok(()), |noop| write!(f, " instead of {noop}"))
        }
        Event::Repeated { request } => write!(f, "{replica} repeated {request}"),
        Event::Status(StatusChange { instance, to, payload: Payload::Noop, cause, .. }) => {
            write!(f, "{replica} {instance} {to} no-op ({cause})")
        }
        Event::Status(StatusChange { instance, to, after, cause, .. }) => {
            write!(f, "{replica} {instance} {to} {after} ({cause})")
        }
        Event::Executed { instance, payload, results, component, .. } => {
            write!(f, "{replica} {instance} executed {payload}")?;
            if !results.is_empty() {
                f.write_str(" =")?;
            }
            for (index, result) in results.iter().enumerate() {
                let separator = if index == 0 { " " } else { "; " };
                let repeated = match result {
                    Applied { outcome: Outcome::Unknown, .. } => " (no effect)",
                    Applied { repeated: true, .. } => " (repeated, no effect)",
                    Applied { .. } => "",
                };
                write!(f, "{separator}{}{repeated}", result.outcome)?;
            }
            match component.len() {
                1 => Ok(()),
                members => write!(f, " (in a component of {members})"),
            }
        }
        Event::Blocked { instance, on, unseen, .. } => {
            let unseen = if *unseen { ", never seen" } else { "" };
            write!(f, "{replica} {instance} waits for {on}{unseen}")
        }
        Event::Searched { candidates, edges } => {
            write!(f, "{replica} searched {candidates} candidates, {edges} edges")
        }
        Event::Recovering { instance, ballot } => {
            write!(f, "{replica} recovers {instance} in {ballot}")
        }
        Event::Joined { instance, ballot } => write!(f, "{replica} joins {ballot} of {instance}"),
        Event::Ruled { instance, rule } => write!(f, "{replica} {instance} rule {rule}"),
        Event::LetGo { upto, without } => {
            write!(f, "{replica} lets go of {upto}")?;
            if without.is_empty() { Ok(()) } else { write!(f, " without {without}") }
        }
        Event::LeftBehind { by, instance } => {
            write!(f, "{replica} is left behind: {by} no longer has {instance}")
        }
        Event::CaughtUp => write!(f, "{replica} has caught up"),
        Event::TimerFired(timer) => write!(f, "{replica} timer {timer}"),
        Event::Ignored { from, kind, instance, reason } => {
            write!(f, "{replica} ignored {kind} {instance} from {from} ({reason})")
        }
    }
}

type Fields = Vec<(&'static str, Value)>;

fn decision_fields(decision: &Decision, replicas: usize) -> Fields {
    match decision {
        Decision::Propose(commands) => vec![("commands", json!(commands.len()))],
        Decision::Deliver(envelope) | Decision::Drop(envelope) => {
            envelope_fields("from", envelope, replicas)
        }
        Decision::Lose(envelope) => envelope_fields("to", envelope, replicas),
        Decision::Duplicate(envelope, copy) => {
            let mut fields = envelope_fields("from", envelope, replicas);
            fields.push(("copy", text(copy)));
            fields
        }
        Decision::Panic(sentence) => vec![("reason", text(sentence))],
        Decision::Show(sight) => vec![("unseen", json!(sight.unseen))],
        Decision::Wake | Decision::Crash | Decision::Restart => Vec::new(),
    }
}

fn envelope_fields(other: &'static str, envelope: &Envelope, replicas: usize) -> Fields {
    let message = &envelope.message;
    let end = if other == "to" { envelope.to } else { envelope.id.sender };
    let mut fields = vec![
        ("id", text(envelope.id)),
        ("message", text(message.kind())),
        (other, text(end)),
        ("instance", text(message.instance())),
    ];
    fields.extend(message.ballot().map(|ballot| ("ballot", text(ballot))));
    let attributes = match message {
        // There whether anything is recorded or not, so that the fields are always the same.
        Message::RecoverReply(reply) => Some(&reply.attributes),
        message => message.attributes(),
    };
    fields.extend(attributes.into_iter().flat_map(|a| attribute_fields(a, replicas)));
    match message {
        Message::Executed(message) => {
            fields.push(("executed", json!(message.executed.vector(replicas))));
        }
        Message::Fetch(message) => fields.push(("until", json!(message.until))),
        Message::Gone(message) => fields.push(("let_go", json!(message.let_go.vector(replicas)))),
        _ => {}
    }
    fields
}

fn event_fields(event: &Event, replicas: usize) -> Fields {
    match event {
        Event::Proposed { instance, commands, attributes, instead_of } => {
            let payload = Payload::Commands(commands.clone());
            let requests: Vec<_> =
                commands.iter().map(|command| command.request.to_string()).collect();
            let mut fields = vec![("instance", text(instance)), ("command", text(payload))];
            fields.push(("requests", json!(requests)));
            fields.push(("instead_of", instead_of.map_or(Value::Null, text)));
            fields.extend(attribute_fields(attributes, replicas));
            fields
        }
        Event::Repeated { request } => vec![("request", text(request))],
        Event::Status(change) => {
            let mut fields = vec![
                ("instance", text(change.instance)),
                ("from_phase", text(change.from)),
                ("phase", text(change.to)),
                ("ballot", text(change.ballot)),
                ("command", text(&change.payload)),
            ];
            fields.extend(attribute_fields(&change.after, replicas));
            fields.extend(change.path().map(|path| ("path", text(path))));
            fields.push(("cause", text(&change.cause)));
            fields
        }
        Event::Executed { instance, payload, results, order, component } => {
            let values: Vec<_> = results.iter().map(|result| result.outcome.to_string()).collect();
            let repeated: Vec<_> = results.iter().map(|result| result.repeated).collect();
            let component: Vec<_> = component.iter().map(ToString::to_string).collect();
            vec![
                ("instance", text(instance)),
                ("command", text(payload)),
                ("values", json!(values)),
                ("repeated", json!(repeated)),
                ("order", json!(order)),
                ("component", json!(component)),
            ]
        }
        Event::Blocked { instance, on, unseen, again } => vec![
            ("instance", text(instance)),
            ("on", text(on)),
            ("unseen", json!(unseen)),
            ("again", json!(again)),
        ],
        Event::Searched { candidates, edges } => {
            vec![("candidates", json!(candidates)), ("edges", json!(edges))]
        }
        Event::Recovering { instance, ballot } | Event::Joined { instance, ballot } => {
            vec![("instance", text(instance)), ("ballot", text(ballot))]
        }
        Event::Ruled { instance, rule } => {
            vec![("instance", text(instance)), ("rule", text(rule.name()))]
        }
        Event::LetGo { upto, without } => {
            let without: Vec<_> = without.iter().map(|replica| replica.to_string()).collect();
            vec![("let_go", json!(upto.vector(replicas))), ("without", json!(without))]
        }
        Event::LeftBehind { by, instance } => vec![("by", text(by)), ("instance", text(instance))],
        Event::CaughtUp => Vec::new(),
        Event::TimerFired(timer) => {
            vec![("timer", text(timer.kind)), ("instance", text(timer.instance))]
        }
        Event::Ignored { from, kind, instance, reason } => vec![
            ("message", text(kind)),
            ("from", text(from)),
            ("instance", text(instance)),
            ("reason", text(reason)),
        ],
    }
}

fn attribute_fields(attributes: &Attributes, replicas: usize) -> Fields {
    vec![("seq", json!(attributes.seq)), ("deps", json!(attributes.deps.vector(replicas)))]
}

#[expect(clippy::needless_pass_by_value, reason = "names are small, and the calls read better so")]
fn text(value: impl ToString) -> Value {
    Value::String(value.to_string())
}

fn micros(latency: Option<Duration>) -> Value {
    latency.map_or(Value::Null, |latency| json!(latency.as_micros()))
}
