//! What a replica counts of itself whether or not anybody watches it: little enough to cost nothing.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::epaxos::event::Reply;
use crate::epaxos::instance::Path;

/// What one replica has done since it started, or several have.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Messages sent to other replicas.
    pub messages: u64,
    /// Instances led.
    pub led: u64,
    /// Commands of clients answered, by the [`Path`] on which they were committed.
    pub answered: [u64; Path::ALL.len()],
    /// From proposal to commit at the leader, in microseconds.
    pub commit: Histogram<u64>,
    /// From proposal to execution at the leader, in microseconds.
    pub execute: Histogram<u64>,
    /// The last answers, which were all alike, and how many they were; not in the figures yet. Those of a
    /// batch are alike, and come one after another.
    last: (Answer, u64),
}

/// What is counted of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Answer {
    path: Option<Path>,
    commit: Option<Duration>,
    execute: Option<Duration>,
}

impl Default for Tally {
    fn default() -> Self {
        // Up to an hour, in three digits.
        let histogram =
            || Histogram::new_with_max(3_600_000_000, 3).expect("the bounds make sense");
        Self {
            messages: 0,
            led: 0,
            answered: [0; Path::ALL.len()],
            commit: histogram(),
            execute: histogram(),
            last: Default::default(),
        }
    }
}

impl Tally {
    /// Counts an answer to a client.
    pub(super) fn answer(&mut self, reply: &Reply) {
        let Reply { path, commit_latency: commit, execute_latency: execute, .. } = *reply;
        let answer = Answer { path, commit, execute };
        if answer != self.last.0 {
            self.settle();
            self.last.0 = answer;
        }
        self.last.1 += 1;
    }

    /// Adds the last answers to the figures.
    pub(super) fn settle(&mut self) {
        let (Answer { path, commit, execute }, count) = std::mem::take(&mut self.last);
        if let Some(path) = path {
            self.answered[path as usize] += count;
        }
        record(&mut self.commit, commit, count);
        record(&mut self.execute, execute, count);
    }

    /// Adds what another replica has done.
    pub fn add(&mut self, other: &Tally) {
        self.messages += other.messages;
        self.led += other.led;
        for (mine, theirs) in self.answered.iter_mut().zip(other.answered) {
            *mine += theirs;
        }
        self.commit.add(&other.commit).expect("both have the same bounds");
        self.execute.add(&other.execute).expect("both have the same bounds");
    }

    /// What has been done since `earlier`.
    #[must_use]
    pub fn since(mut self, earlier: &Tally) -> Self {
        self.messages -= earlier.messages;
        self.led -= earlier.led;
        for (mine, theirs) in self.answered.iter_mut().zip(earlier.answered) {
            *mine -= theirs;
        }
        self.commit.subtract(&earlier.commit).expect("it holds what was earlier");
        self.execute.subtract(&earlier.execute).expect("it holds what was earlier");
        self
    }

    /// All commands answered.
    pub fn commands(&self) -> u64 {
        self.answered.iter().sum()
    }
}

fn record(histogram: &mut Histogram<u64>, latency: Option<Duration>, count: u64) {
    if let Some(latency) = latency {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        histogram.saturating_record_n(micros, count);
    }
}
