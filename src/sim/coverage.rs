//! What simulated runs have come across: a search that never meets a rule says nothing about it.

use crate::epaxos::command::Payload;
use crate::epaxos::event::{Cause, Event, Rule};
use crate::observe::notice::{Decision, Effect, Step};

/// Counts over any number of runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Runs.
    pub schedules: u64,
    /// Steps of all replicas.
    pub steps: u64,
    /// Instances committed on the fast path.
    pub fasts: u64,
    /// Instances committed on the slow path.
    pub slows: u64,
    /// Recoveries started.
    pub recoveries: u64,
    /// Instances decided by a recovery.
    pub recovered: u64,
    /// How often each rule decided how a recovery goes on, in the order of [`Rule::ALL`].
    pub rules: [u64; Rule::ALL.len()],
    /// No-ops that were executed, by any replica.
    pub noops: u64,
    /// Instances that took the place of no-ops.
    pub led_again: u64,
    /// Components of more than one instance that were executed, by any replica.
    pub components: u64,
    /// The largest of them.
    pub largest_component: u64,
    /// Instances that were found waiting for one never heard of.
    pub blips: u64,
    /// Messages lost.
    pub dropped: u64,
    /// Messages doubled.
    pub duplicated: u64,
    /// Crashes.
    pub crashes: u64,
    /// Restarts.
    pub restarts: u64,
    /// Timers fired.
    pub timers: u64,
    /// How often something was let go.
    pub let_go: u64,
    /// How often something was let go without somebody.
    pub let_go_without: u64,
    /// Replicas that were told that they are left behind.
    pub left_behind: u64,
    /// Of those, who caught up all the same.
    pub caught_up: u64,
    /// The longest time, in microseconds, that a cluster needed from the end of the faults until
    /// nothing was left to do.
    pub longest_settling_us: u64,
}

impl Coverage {
    /// Counts a step.
    pub fn count(&mut self, step: &Step) {
        self.steps += 1;
        match step.decision {
            Decision::Drop(_) | Decision::Lose(_) => self.dropped += 1,
            Decision::Duplicate(..) => self.duplicated += 1,
            Decision::Crash | Decision::Panic(_) => self.crashes += 1,
            Decision::Restart => self.restarts += 1,
            Decision::Wake => self.timers += 1,
            Decision::Propose(_) | Decision::Deliver(_) | Decision::Show(_) => {}
        }
        for effect in &step.effects {
            if let Effect::Event(event) = effect {
                self.count_event(event);
            }
        }
    }

    fn count_event(&mut self, event: &Event) {
        match event {
            Event::Status(change) => match change.cause {
                Cause::FastQuorum { .. } => self.fasts += 1,
                Cause::SlowQuorum { .. } => self.slows += 1,
                Cause::RecoveryQuorum { .. } => self.recovered += 1,
                _ => {}
            },
            Event::Executed { instance, payload, component, .. } => {
                self.noops += u64::from(*payload == Payload::Noop);
                if component.len() > 1 && component.first() == Some(instance) {
                    self.components += 1;
                    self.largest_component = self.largest_component.max(component.len() as u64);
                }
            }
            Event::LetGo { without, .. } => {
                self.let_go += 1;
                self.let_go_without += u64::from(!without.is_empty());
            }
            Event::LeftBehind { .. } => self.left_behind += 1,
            Event::CaughtUp => self.caught_up += 1,
            Event::Recovering { .. } => self.recoveries += 1,
            Event::Ruled { rule, .. } => self.rules[*rule as usize] += 1,
            Event::Proposed { instead_of: Some(_), .. } => self.led_again += 1,
            Event::Blocked { unseen: true, again: false, .. } => self.blips += 1,
            _ => {}
        }
    }

    /// Adds the counts of other runs.
    pub fn add(&mut self, other: &Coverage) {
        let Self { schedules, steps, fasts, slows, recoveries, recovered, rules, .. } = self;
        *schedules += other.schedules;
        *steps += other.steps;
        *fasts += other.fasts;
        *slows += other.slows;
        *recoveries += other.recoveries;
        *recovered += other.recovered;
        rules.iter_mut().zip(other.rules).for_each(|(mine, theirs)| *mine += theirs);
        self.noops += other.noops;
        self.led_again += other.led_again;
        self.components += other.components;
        self.largest_component = self.largest_component.max(other.largest_component);
        self.blips += other.blips;
        self.dropped += other.dropped;
        self.duplicated += other.duplicated;
        self.crashes += other.crashes;
        self.restarts += other.restarts;
        self.timers += other.timers;
        self.let_go += other.let_go;
        self.let_go_without += other.let_go_without;
        self.left_behind += other.left_behind;
        self.caught_up += other.caught_up;
        self.longest_settling_us = self.longest_settling_us.max(other.longest_settling_us);
    }

    /// The rules that never came up.
    pub fn missing(&self) -> impl Iterator<Item = Rule> {
        Rule::ALL.into_iter().filter(|rule| self.rules[*rule as usize] == 0)
    }
}
