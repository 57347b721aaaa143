//! What is counted, per replica and in sum. The names are those of the course project the monitor
//! grew from, where it had one.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::epaxos::attributes::Dependencies;
use crate::epaxos::command::Payload;
use crate::epaxos::event::{Cause, Event, Reason, Rule};
use crate::epaxos::message::MessageKind;
use crate::observe::notice::{Decision, Effect, Step};

/// The counters of one replica, or of several added up.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Messages sent, by [`MessageKind::index`].
    pub sends: [u64; MessageKind::ALL.len()],
    /// Messages received, by [`MessageKind::index`].
    pub receives: [u64; MessageKind::ALL.len()],
    /// Commands that clients proposed.
    pub proposals: u64,
    /// Requests that came again.
    pub repeated: u64,
    /// Instances led here and committed on the fast path.
    pub fasts: u64,
    /// Instances led here and committed on the slow path.
    pub slows: u64,
    /// Proposals that shared an instance with an earlier one.
    pub aggregated: u64,
    /// Edges followed in the execution graph.
    pub graph_edges: u64,
    /// Committed instances from which the execution graph was searched.
    pub exec_candidates: u64,
    /// Executions that had to wait for an instance never heard of.
    pub blips: u64,
    /// Instances executed.
    pub executed: u64,
    /// Of those, no-ops.
    pub noops: u64,
    /// Instances executed and let go.
    pub let_go: u64,
    /// Messages not acted upon, by reason.
    pub ignored: [u64; Reason::ALL.len()],
    /// Recoveries started here.
    pub recoveries: u64,
    /// How often each rule decided how a recovery of this replica goes on, in [`Rule`] order.
    pub rules: [u64; Rule::ALL.len()],
    /// Timers acted upon.
    pub timers: u64,
    /// Messages dropped at this replica's gate.
    pub dropped: u64,
    /// Messages duplicated at this replica's gate.
    pub duplicated: u64,
    /// Messages this replica sent that never reached a gate.
    pub lost: u64,
    /// Steps that nobody saw, since there were too many: nothing else counts them.
    pub unseen: u64,
    /// From proposal to commit at the leader, in microseconds.
    pub commit_latency: Histogram<u64>,
    /// From proposal to execution at the leader, in microseconds.
    pub execute_latency: Histogram<u64>,
    /// Instances in each executed component.
    pub component_size: Histogram<u64>,
    /// Components that one step executed one after another, where it executed any.
    pub chain_depth: Histogram<u64>,
}

impl Default for Counters {
    fn default() -> Self {
        let histogram =
            || Histogram::new(SIGNIFICANT_DIGITS).expect("the number of digits is within bounds");
        Self {
            sends: [0; MessageKind::ALL.len()],
            receives: [0; MessageKind::ALL.len()],
            proposals: 0,
            repeated: 0,
            fasts: 0,
            slows: 0,
            aggregated: 0,
            graph_edges: 0,
            exec_candidates: 0,
            blips: 0,
            executed: 0,
            noops: 0,
            let_go: 0,
            ignored: [0; Reason::ALL.len()],
            recoveries: 0,
            rules: [0; Rule::ALL.len()],
            timers: 0,
            dropped: 0,
            duplicated: 0,
            lost: 0,
            unseen: 0,
            commit_latency: histogram(),
            execute_latency: histogram(),
            component_size: histogram(),
            chain_depth: histogram(),
        }
    }
}

impl Counters {
    /// Counts a step of the replica.
    pub fn count(&mut self, step: &Step) {
        match &step.decision {
            Decision::Propose(commands) => self.proposals += commands.len() as u64,
            Decision::Deliver(envelope) => self.receives[envelope.message.kind().index()] += 1,
            Decision::Drop(_) => self.dropped += 1,
            Decision::Duplicate(..) => self.duplicated += 1,
            Decision::Lose(_) => self.lost += 1,
            Decision::Show(sight) => self.unseen += sight.unseen,
            Decision::Wake | Decision::Crash | Decision::Restart | Decision::Panic(_) => {}
        }
        let mut components = 0;
        for effect in &step.effects {
            match effect {
                Effect::Send(envelope) => self.sends[envelope.message.kind().index()] += 1,
                Effect::Reply(reply) => {
                    record(&mut self.commit_latency, reply.commit_latency);
                }
                Effect::Event(event) => components += u64::from(self.count_event(event)),
            }
        }
        if components > 0 {
            note(&mut self.chain_depth, components);
        }
    }

    /// Counts an event, and says whether a component was executed with it.
    fn count_event(&mut self, event: &Event) -> bool {
        match event {
            Event::Proposed { commands, .. } => self.aggregated += commands.len() as u64 - 1,
            Event::Repeated { .. } => self.repeated += 1,
            Event::Status(change) => match change.cause {
                Cause::FastQuorum { .. } => self.fasts += 1,
                Cause::SlowQuorum { .. } => self.slows += 1,
                _ => {}
            },
            Event::Executed { instance, payload, results, component, .. } => {
                self.executed += 1;
                for result in results {
                    record(&mut self.execute_latency, result.latency);
                }
                self.noops += u64::from(*payload == Payload::Noop);
                if component.last() == Some(instance) {
                    note(&mut self.component_size, component.len() as u64);
                    return true;
                }
            }
            // Once an instance, however many more it turns out to wait for.
            Event::Blocked { unseen, again, .. } => self.blips += u64::from(*unseen && !*again),
            Event::Searched { candidates, edges } => {
                self.exec_candidates += candidates;
                self.graph_edges += edges;
            }
            Event::Recovering { .. } => self.recoveries += 1,
            Event::LetGo { upto, .. } => self.let_go = upto.beyond(&Dependencies::NONE),
            Event::Joined { .. } | Event::LeftBehind { .. } | Event::CaughtUp => {}
            Event::Ruled { rule, .. } => self.rules[*rule as usize] += 1,
            Event::TimerFired(_) => self.timers += 1,
            Event::Ignored { reason, .. } => self.ignored[*reason as usize] += 1,
        }
        false
    }

    /// Adds another replica's counters.
    pub fn add(&mut self, other: &Counters) {
        let add_all = |mine: &mut [u64], theirs: &[u64]| {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
        };
        add_all(&mut self.sends, &other.sends);
        add_all(&mut self.receives, &other.receives);
        add_all(&mut self.ignored, &other.ignored);
        add_all(&mut self.rules, &other.rules);
        for ((name, mine), (same, theirs)) in self.plain_mut().into_iter().zip(other.plain()) {
            debug_assert_eq!(name, same, "both lists are in one order");
            *mine += theirs;
        }
        let merge = |mine: &mut Histogram<u64>, theirs| {
            mine.add(theirs).expect("histograms of one shape, free to grow, add up");
        };
        merge(&mut self.commit_latency, &other.commit_latency);
        merge(&mut self.execute_latency, &other.execute_latency);
        merge(&mut self.component_size, &other.component_size);
        merge(&mut self.chain_depth, &other.chain_depth);
    }

    /// The counters that are single numbers, with the names under which they are shown.
    pub fn plain(&self) -> [(&'static str, u64); 17] {
        [
            ("proposals", self.proposals),
            ("repeated", self.repeated),
            ("fasts", self.fasts),
            ("slows", self.slows),
            ("aggregated", self.aggregated),
            ("graph_edges", self.graph_edges),
            ("exec_candidates", self.exec_candidates),
            ("blips", self.blips),
            ("executed", self.executed),
            ("noops", self.noops),
            ("let_go", self.let_go),
            ("recoveries", self.recoveries),
            ("timers", self.timers),
            ("dropped", self.dropped),
            ("duplicated", self.duplicated),
            ("lost", self.lost),
            ("unseen", self.unseen),
        ]
    }

    fn plain_mut(&mut self) -> [(&'static str, &mut u64); 17] {
        [
            ("proposals", &mut self.proposals),
            ("repeated", &mut self.repeated),
            ("fasts", &mut self.fasts),
            ("slows", &mut self.slows),
            ("aggregated", &mut self.aggregated),
            ("graph_edges", &mut self.graph_edges),
            ("exec_candidates", &mut self.exec_candidates),
            ("blips", &mut self.blips),
            ("executed", &mut self.executed),
            ("noops", &mut self.noops),
            ("let_go", &mut self.let_go),
            ("recoveries", &mut self.recoveries),
            ("timers", &mut self.timers),
            ("dropped", &mut self.dropped),
            ("duplicated", &mut self.duplicated),
            ("lost", &mut self.lost),
            ("unseen", &mut self.unseen),
        ]
    }

    /// All messages sent.
    pub fn sends_total(&self) -> u64 {
        self.sends.iter().sum()
    }

    /// All messages received.
    pub fn receives_total(&self) -> u64 {
        self.receives.iter().sum()
    }

    /// The share of instances led here that were committed on the fast path, from 0 to 1; `None`
    /// before the first.
    #[expect(clippy::cast_precision_loss, reason = "a share is shown to a few digits")]
    pub fn fast_share(&self) -> Option<f64> {
        let all = self.fasts + self.slows;
        (all > 0).then(|| self.fasts as f64 / all as f64)
    }

    /// The counters as JSON, with stable names; latencies in microseconds.
    pub fn to_json(&self) -> Value {
        let by_kind = |counts: &[u64]| -> Map<String, Value> {
            let total = ("total".to_owned(), json!(counts.iter().sum::<u64>()));
            let kinds = MessageKind::ALL.iter().zip(counts);
            std::iter::once(total)
                .chain(kinds.map(|(kind, count)| (kind.to_string(), json!(count))))
                .collect()
        };
        let ignored: Map<String, Value> = Reason::ALL
            .iter()
            .zip(self.ignored)
            .map(|(reason, count)| (reason.to_string(), json!(count)))
            .collect();
        let mut json = Map::new();
        json.insert("sends".to_owned(), by_kind(&self.sends).into());
        json.insert("receives".to_owned(), by_kind(&self.receives).into());
        for (name, count) in self.plain() {
            json.insert(name.to_owned(), json!(count));
        }
        json.insert("ignored".to_owned(), ignored.into());
        let rules = Rule::ALL.iter().zip(self.rules);
        let rules: Map<String, Value> =
            rules.map(|(rule, count)| (rule.name().to_owned(), json!(count))).collect();
        json.insert("rules".to_owned(), rules.into());
        json.insert("commit_latency_us".to_owned(), summary(&self.commit_latency));
        json.insert("execute_latency_us".to_owned(), summary(&self.execute_latency));
        json.insert("component_size".to_owned(), summary(&self.component_size));
        json.insert("chain_depth".to_owned(), summary(&self.chain_depth));
        json.into()
    }
}

fn record(histogram: &mut Histogram<u64>, latency: Option<Duration>) {
    if let Some(latency) = latency {
        note(histogram, u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }
}

/// Counts a value. `saturating_record` would keep the histogram at the size it was made with, and
/// take every value for the largest that fits; `record` lets it grow, which is bounded here.
fn note(histogram: &mut Histogram<u64>, value: u64) {
    let recorded = histogram.record(value.min(VALUE_MAX));
    recorded.expect("a histogram that is free to grow takes any value");
}

/// The percentiles of a histogram, as JSON.
fn summary(histogram: &Histogram<u64>) -> Value {
    let at = |quantile| histogram.value_at_quantile(quantile);
    json!({
        "count": histogram.len(),
        "p50": at(0.5),
        "p90": at(0.9),
        "p99": at(0.99),
        "max": histogram.max(),
    })
}

/// The largest value that is told from larger ones: an hour, in microseconds.
const VALUE_MAX: u64 = 3_600_000_000;

/// Three digits: latencies to a tenth of a percent, at a few tens of kilobytes a histogram.
const SIGNIFICANT_DIGITS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_values_are_told_from_small_ones() {
        let mut counters = Counters::default();
        for millis in [1, 20, 300] {
            record(&mut counters.commit_latency, Some(Duration::from_millis(millis)));
        }
        record(&mut counters.commit_latency, Some(Duration::MAX));
        let summary = summary(&counters.commit_latency);
        assert_eq!(summary["p50"].as_u64().unwrap() / 100, 200);
        assert!(summary["max"].as_u64().unwrap() >= VALUE_MAX);
    }
}
