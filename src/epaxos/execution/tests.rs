//! The order of execution against its definition, taken literally, and cases with names.

mod named;
mod oracle;
mod scale;
mod shapes;

use std::ops::{Deref, DerefMut};

use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::{Command, Operation, Payload, RequestId};
use crate::epaxos::execution::{Execution, Pass};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::keys::Keys;

/// A decision, as a test writes it down.
#[derive(Clone, Debug)]
struct Decision {
    instance: InstanceId,
    attributes: Attributes,
    payload: Payload,
}

/// A decision in notation: `decision("R0.1", 2, "R0.0 R4.1", ["put x"])`. No operation is a no-op.
fn decision<const N: usize>(name: &str, seq: u64, deps: &str, operations: [&str; N]) -> Decision {
    Decision {
        instance: instance(name),
        attributes: Attributes { seq, deps: deps.split_whitespace().map(instance).collect() },
        payload: payload(operations.iter().map(|text| operation(text))),
    }
}

fn instance(name: &str) -> InstanceId {
    name.parse().unwrap()
}

fn operation(text: &str) -> Operation {
    match text.split_once(' ').unwrap() {
        ("put", key) => Operation::put(key, "v"),
        ("get", key) => Operation::get(key),
        ("del", key) => Operation::delete(key),
        _ => panic!("{text} is no operation"),
    }
}

fn payload(operations: impl Iterator<Item = Operation>) -> Payload {
    let request = RequestId::anonymous(ReplicaId(0), 0);
    let commands: Vec<_> =
        operations.map(|operation| Command { request: request.clone(), operation }).collect();
    if commands.is_empty() { Payload::Noop } else { Payload::Commands(commands.into()) }
}

/// An execution with numbers for its keys.
struct Numbered {
    keys: Keys,
    execution: Execution,
}

impl Numbered {
    fn new(replicas: usize) -> Self {
        Self { keys: Keys::default(), execution: Execution::new(replicas) }
    }

    fn commit(&mut self, decision: &Decision) {
        let touches = self.keys.touches(&decision.payload);
        self.execution.commit(decision.instance, decision.attributes, touches);
    }
}

impl Deref for Numbered {
    type Target = Execution;

    fn deref(&self) -> &Execution {
        &self.execution
    }
}

impl DerefMut for Numbered {
    fn deref_mut(&mut self) -> &mut Execution {
        &mut self.execution
    }
}

fn execution(decisions: &[Decision]) -> Numbered {
    let mut execution = Numbered::new(5);
    for decision in decisions {
        execution.commit(decision);
    }
    execution
}

/// The components of one pass over all decisions, `R0.0 R1.0 | R0.1`.
fn order(decisions: &[Decision]) -> String {
    text(&execution(decisions).advance())
}

fn text(pass: &Pass) -> String {
    let component = |members: &[InstanceId]| {
        members.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let components = pass.components.iter().map(component);
    components.collect::<Vec<_>>().join(" | ")
}
