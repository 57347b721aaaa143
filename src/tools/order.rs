//! Prints the order in which a committed log is executed: `epaxos-tui order FILE`.
//!
//! A log is a JSON array with one object for each committed instance, in any order:
//!
//! ```json
//! {"instance": "R0.0", "seq": 1, "deps": [-1, -1, 0], "command": {"put": ["x", "1"]}}
//! ```
//!
//! `deps` has one entry for each replica, the last slot of its row that is depended on, or -1.
//! `command` is `{"put": [KEY, VALUE]}`, `{"get": KEY}` or `{"del": KEY}`; an array of these for
//! a batch; or `"noop"`.

mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::Payload;
use crate::epaxos::execution::Execution;
use crate::epaxos::id::InstanceId;
use crate::epaxos::keys::Keys;
pub use crate::tools::order::file::{OrderError, parse};

/// One committed instance of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its name.
    pub instance: InstanceId,
    /// Its agreed place among others.
    pub attributes: Attributes,
    /// What it carries.
    pub payload: Payload,
}

/// The order in which a log is executed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The strongly connected components in order, each with its members in order.
    pub components: Vec<Vec<InstanceId>>,
    /// What cannot be executed, in order, and an uncommitted instance that it waits for.
    pub blocked: Vec<(InstanceId, InstanceId)>,
}

/// Orders a log. Where an instance is in it twice, which a log that was parsed never has, the
/// first one counts.
pub fn order(log: &[Committed]) -> Order {
    let rows = |entry: &Committed| {
        let deps = entry.attributes.deps.iter().map(|id| id.replica.index());
        deps.chain([entry.instance.replica.index()]).max()
    };
    let last = log.iter().filter_map(rows).max();
    let mut execution = Execution::new(last.map_or(0, |last| last + 1));
    let mut keys = Keys::default();
    for entry in log {
        if !execution.is_committed(entry.instance) {
            let touches = keys.touches(&entry.payload);
            execution.commit(entry.instance, entry.attributes, touches);
        }
    }
    let pass = execution.advance();
    let mut blocked: Vec<_> =
        pass.blocked.iter().map(|blocked| (blocked.instance, blocked.on)).collect();
    blocked.sort_unstable();
    let components = pass.components.iter().map(<[_]>::to_vec).collect();
    Order { components, blocked }
}

/// The order as text: one line an instance, an empty line between components.
pub fn to_text(log: &[Committed], order: &Order) -> String {
    let entries: BTreeMap<_, _> = log.iter().map(|entry| (entry.instance, entry)).collect();
    let mut text = String::new();
    for (index, component) in order.components.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        for entry in component.iter().filter_map(|instance| entries.get(instance)) {
            let Committed { instance, attributes, payload } = entry;
            writeln!(text, "{instance} {attributes} {payload}").expect("a string takes all text");
        }
    }
    text
}

/// The order as one line of JSON: an array of components, each an array of instances.
pub fn to_json(order: &Order) -> String {
    let name =
        |component: &Vec<InstanceId>| component.iter().map(ToString::to_string).collect::<Vec<_>>();
    let names: Vec<_> = order.components.iter().map(name).collect();
    serde_json::to_string(&names).expect("names are plain text")
}

/// What cannot be executed, one sentence a line; empty where all can.
pub fn blocked_text(order: &Order) -> String {
    let mut text = String::new();
    for (instance, blocker) in &order.blocked {
        writeln!(text, "{instance} waits for {blocker}, which is not committed")
            .expect("a string takes all text");
    }
    text
}
