//! How much was executed in each second.

use std::collections::VecDeque;
use std::time::Duration;

/// The numbers of the last seconds. Told the time, it never asks for it.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    seconds: VecDeque<u64>,
    /// When the second being counted began, and what the count was then.
    since: Option<(Duration, u64)>,
}

impl Rate {
    /// Takes note of how much has been executed by `now`; says whether a second is over.
    pub fn tick(&mut self, now: Duration, executed: u64) -> bool {
        let Some((since, before)) = self.since else {
            self.since = Some((now, executed));
            return false;
        };
        let seconds = now.saturating_sub(since).as_secs_f64();
        if seconds < 0.95 {
            return false;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is shown to a few digits"
        )]
        let rate = (executed.saturating_sub(before) as f64 / seconds).round() as u64;
        self.seconds.push_back(rate);
        while self.seconds.len() > SECONDS {
            self.seconds.pop_front();
        }
        self.since = Some((now, executed));
        true
    }

    /// The rates, oldest first.
    pub fn seconds(&self) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator {
        self.seconds.iter().copied()
    }
}

/// How many seconds are kept.
const SECONDS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_per_second_however_long_the_second_took() {
        let mut rate = Rate::default();
        let mut at =
            |milliseconds, executed| rate.tick(Duration::from_millis(milliseconds), executed);
        assert!(!at(0, 100) && !at(500, 150));
        assert!(at(1000, 300) && at(3000, 700));
        assert_eq!(rate.seconds().collect::<Vec<_>>(), [200, 200]);
    }
}
