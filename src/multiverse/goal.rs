//! What a search looks for.

use std::fmt;

use crate::epaxos::command::Payload;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::observe::facets::Facets;
use crate::observe::log::Entry;
use crate::observe::query::Query;
use crate::observe::trace::Line;
use crate::observe::view::View;
use crate::sim::replicas::Replicas;

/// What is to become true: everything at once, at some entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// What the entry must be.
    query: Query,
    phases: Vec<(InstanceId, Wanted)>,
    /// Whether something must be wrong with the run.
    pub violation: bool,
    text: String,
}

/// What an instance is to have become at some replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// As far as this, or further.
    Phase(Phase),
    /// It is decided that nothing is done there.
    Noop,
}

impl Goal {
    /// Reads what is typed: the terms of filters, `phase(R0.0)=noop` or another phase, and `violation`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut goal = Self {
            query: Query::default(),
            phases: Vec::new(),
            violation: false,
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        for word in text.split_whitespace() {
            if word == "violation" {
                goal.violation = true;
            } else if let Some(rest) = word.strip_prefix("phase(") {
                goal.phases.push(phase(rest).ok_or_else(|| odd(word))?);
            } else {
                goal.query = goal.query.and(Query::term(word)?);
            }
        }
        if goal.text.is_empty() {
            return Err("something must be looked for, such as path=slow".to_owned());
        }
        Ok(goal)
    }

    /// Whether an entry, after which the replicas are as they are, is what is looked for, but for what
    /// is wrong with the run. `view` is of a cluster of the same size; it need not know anything.
    pub fn is_met(&self, entry: &std::sync::Arc<Entry>, replicas: &Replicas, view: &View) -> bool {
        let text = || {
            let lines: Vec<String> = Line::of(entry, 0).iter().map(ToString::to_string).collect();
            lines.join("\n")
        };
        let holds = |(id, wanted): &(InstanceId, Wanted)| {
            let known = replicas.seats().filter_map(|seat| seat.durable().instances.get(*id));
            let mut known = known.map(|instance| (instance.phase, instance.payload.as_ref()));
            known.any(|(phase, payload)| match wanted {
                Wanted::Phase(wanted) => phase >= *wanted,
                Wanted::Noop => phase.is_committed() && matches!(payload, Some(Payload::Noop)),
            })
        };
        let about = |(id, _): &(InstanceId, Wanted)| id.replica.index() < view.shape.replicas();
        self.phases.iter().all(|wanted| about(wanted) && holds(wanted))
            && (self.query.is_empty() || self.query.matches(&Facets::of_entry(entry, view), text))
    }

    /// The replicas that it names.
    pub fn replicas(&self) -> impl Iterator<Item = ReplicaId> {
        self.phases.iter().map(|(id, _)| id.replica)
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn phase(rest: &str) -> Option<(InstanceId, Wanted)> {
    let (instance, wanted) = rest.split_once(")=")?;
    let wanted = match wanted.to_lowercase().as_str() {
        "noop" | "no-op" => Wanted::Noop,
        name => {
            let mut phases = Phase::ALL.into_iter();
            Wanted::Phase(phases.find(|phase| phase.name().to_lowercase() == name)?)
        }
    };
    Some((instance.parse().ok()?, wanted))
}

fn odd(word: &str) -> String {
    let names: Vec<String> = Phase::ALL.iter().map(|phase| phase.name().to_lowercase()).collect();
    format!("{word:?} is not such as phase(R0.0)=noop; there are noop, {}", names.join(", "))
}
