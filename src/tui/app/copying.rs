//! What is selected, as plain text that can be pasted elsewhere.

use std::sync::Arc;

use crate::check::Violation;
use crate::epaxos::command;
use crate::epaxos::command::Key;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::observe::log::Entry;
use crate::observe::trace::Line;
use crate::tui::app::{App, Deliverable, Effect, Over, Tone};
use crate::tui::layout::Pane;
use crate::tui::panel;

impl App {
    /// Copies what is selected, or says that nothing is.
    pub(super) fn copy(&mut self) -> Vec<Effect> {
        if let Some(text) = self.selected_text().filter(|text| !text.is_empty()) {
            return vec![Effect::Copy(text)];
        }
        self.say("nothing is selected here that could be copied", Tone::Bad);
        Vec::new()
    }

    /// What is selected, in plain text, where anything is.
    pub fn selected_text(&self) -> Option<String> {
        match &self.over {
            Some(Over::Output(output)) => return Some(output.lines.join("\n")),
            Some(Over::Why) => return self.answer_text(),
            Some(Over::Palette(_)) => return None,
            None => {}
        }
        match self.pane() {
            Pane::Replicas => Some(self.replica_text(ReplicaId::from_index(self.replica.selected))),
            Pane::Instances | Pane::Detail => self.instance_text(self.selected?),
            Pane::Messages => Some(match self.deliverables.selected()? {
                Deliverable::Message(id) => self.view.in_flight.get(id)?.envelope.to_string(),
                Deliverable::Timer(replica) => {
                    let (_, timer) = self.view.replica(replica).timer?;
                    format!("{replica} timer {timer}")
                }
            }),
            Pane::Trace => self.trace.selected(&self.view).map(ToString::to_string),
            Pane::SpaceTime | Pane::Event => match self.space_time.flight(&self.view) {
                Some(flight) => Some(flight.envelope.to_string()),
                None => self.space_time.entry(&self.view).map(event_text),
            },
            Pane::Execution => self.execution_text(self.selected?),
            Pane::Why => self.answer_text(),
            Pane::Store => Some(self.key_text(self.digests.listed().get(self.store.selected)?)),
            Pane::Faults => Some(panel::faults::words::selected(self)),
            Pane::Checks => Some(self.check_text()),
            Pane::Graph => Some(plain(&panel::graph::lines(self, COLUMNS, ROWS))),
            Pane::Metrics => Some(plain(&panel::metrics::lines(self, COLUMNS))),
            Pane::Lesson => Some(plain(&panel::lesson::lines(self, COLUMNS))),
            Pane::Log => None,
        }
    }

    /// How a replica stands, in a line.
    fn replica_text(&self, id: ReplicaId) -> String {
        let replica = self.view.replica(id);
        let endpoint = self.view.shape.endpoints.get(id.index()).cloned().unwrap_or_default();
        let up = if replica.up { "up" } else { "DOWN" };
        let phases = Phase::ALL.into_iter().filter(|phase| *phase != Phase::Initial);
        let counts = phases.map(|phase| format!("{} {phase}", replica.in_phase(phase)));
        let inbox = self.deliverables.inboxes.get(id.index()).copied().unwrap_or(0);
        let timer = replica.timer.map_or_else(String::new, |(_, timer)| format!(", next {timer}"));
        let counts = counts.collect::<Vec<_>>().join(", ");
        format!("{id} {endpoint} {up}: {counts}; {inbox} held for it{timer}")
    }

    /// An instance as each replica has it.
    fn instance_text(&self, id: InstanceId) -> Option<String> {
        let known = self.view.instance(id);
        let best = known.iter().flatten().max_by_key(|known| known.phase)?;
        let mut lines = vec![format!("{id} {}", best.payload)];
        for (index, known) in known.iter().enumerate() {
            let replica = ReplicaId::from_index(index);
            lines.push(match known {
                None => format!("  {replica} -"),
                Some(known) => {
                    let path = known.path.map_or_else(String::new, |path| format!(" {path}"));
                    let order = known.order.map_or_else(String::new, |order| format!(" #{order}"));
                    format!("  {replica} {}{path}{order} {}", known.phase, known.attributes)
                }
            });
        }
        Some(lines.join("\n"))
    }

    /// An instance in its place of the order of execution.
    fn execution_text(&self, id: InstanceId) -> Option<String> {
        let observer = self.execution.observer();
        let known = self.view.replica(observer).instances.get(id)?;
        let order =
            known.order.map_or_else(|| known.phase.to_string(), |order| format!("#{order}"));
        let path = known.path.map_or_else(String::new, |path| format!(" {path}"));
        let members = known.component.as_deref().filter(|members| members.len() > 1);
        let members = members.map_or_else(String::new, |members| {
            let members: Vec<String> = members.iter().map(ToString::to_string).collect();
            format!(" in one component with {}", members.join(" "))
        });
        Some(format!(
            "{observer} {order} {id} {} {}{path}{members}",
            known.payload, known.attributes
        ))
    }

    fn answer_text(&self) -> Option<String> {
        let (.., answer) = self.answer()?;
        Some(format!("{} {}", answer.question, answer.paragraph()))
    }

    /// The value of a key at each replica.
    fn key_text(&self, key: &Key) -> String {
        let replicas = ReplicaId::all(self.view.shape.replicas());
        let values = replicas.map(|id| match self.view.replica(id).store.get(key) {
            Some(value) => format!("  {id} {}", command::text(value)),
            None => format!("  {id} -"),
        });
        format!("{key}\n{}", values.collect::<Vec<_>>().join("\n"))
    }

    /// A property with all that violates it.
    fn check_text(&self) -> String {
        let property = self.checks.selected();
        let violations = self.checks.violations_of(property);
        let place =
            |violation: &Violation| format!("  step {}: {}", violation.at, violation.sentence);
        let mut lines = vec![format!("{}: {}", property.name(), property.sentence())];
        lines.extend(violations.map(place));
        if lines.len() == 1 {
            lines.push("  no violation has been seen".to_owned());
        }
        lines.join("\n")
    }
}

/// An entry of the log with all that came of it, as the trace tells it.
fn event_text(entry: &Arc<Entry>) -> String {
    let lines = Line::of(entry, 0);
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    format!("#{} {}", entry.id, lines.join("\n"))
}

fn plain(lines: &[ratatui::text::Line]) -> String {
    let lines = lines.iter().map(|line| line.to_string().trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// How much room pictures may take that are copied.
const COLUMNS: usize = 120;

/// See above.
const ROWS: usize = 200;
