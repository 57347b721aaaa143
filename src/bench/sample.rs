//! What was measured.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The answers of some time, and how long each took.
#[derive(Clone, Debug)]
pub struct Sample {
    /// For how long answers were counted.
    pub time: Duration,
    /// From when an operation was due to its answer, in nanoseconds.
    pub latency: Histogram<u64>,
}

impl Default for Sample {
    fn default() -> Self {
        Self { time: Duration::ZERO, latency: histogram() }
    }
}

impl Sample {
    /// Notes an answer.
    pub fn note(&mut self, latency: Duration) {
        self.latency.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// How many answers there are.
    pub fn answered(&self) -> u64 {
        self.latency.len()
    }

    /// Adds what another client measured at the same time.
    pub fn add(&mut self, other: &Sample) {
        self.time = self.time.max(other.time);
        self.latency.add(&other.latency).expect("both have the same bounds");
    }

    /// Answers in a second.
    pub fn throughput(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "there are not that many")]
        let answered = self.answered() as f64;
        if self.time.is_zero() { 0.0 } else { answered / self.time.as_secs_f64() }
    }

    /// The latency that so many in a hundred do not exceed.
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.latency.value_at_percentile(percent))
    }
}

/// Nanoseconds up to an hour, in three digits.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(3_600_000_000_000, 3).expect("the bounds make sense")
}

/// The middle one of some numbers; of an even count, the lower of the two.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get((numbers.len().max(1) - 1) / 2).copied().unwrap_or(0.0)
}
