//! One replica's clock: the only place where it learns what time it is.
#![expect(clippy::disallowed_methods, reason = "somebody has to look at the real clock")]

use std::time::{Duration, Instant};

use crate::epaxos::time::Time;

/// A clock that can be stopped, and set forward.
#[derive(Clone, Debug)]
pub struct Clock {
    /// What it said last when it was set or stopped, or let go on.
    base: Time,
    /// When that was; none while it stands.
    since: Option<Instant>,
}

impl Clock {
    /// A clock that shows the time since `start`, or one that stands at nought.
    pub fn new(start: Instant, frozen: bool) -> Self {
        Self { base: Time::default(), since: (!frozen).then_some(start) }
    }

    /// What it shows.
    pub fn now(&self) -> Time {
        self.since.map_or(self.base, |since| self.base + since.elapsed())
    }

    /// Stops it.
    pub fn freeze(&mut self) {
        *self = Self { base: self.now(), since: None };
    }

    /// Lets it go on from where it stands.
    pub fn thaw(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Sets it forward. It is never set back.
    pub fn set_forward(&mut self, time: Time) {
        let ahead = time.since(self.now());
        self.base = self.base + ahead;
    }

    /// When it will show `time`; never, while it stands.
    pub fn instant_of(&self, time: Time) -> Option<Instant> {
        // A clock that need not show it within a lifetime need not be waited for.
        self.since?.checked_add(time.since(self.base).min(FAR))
    }
}

/// When a cluster starts.
pub(super) fn start() -> Instant {
    Instant::now()
}

const FAR: Duration = Duration::from_hours(365 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_stands_and_goes_on_from_there() {
        let mut clock = Clock::new(Instant::now(), true);
        assert_eq!((clock.now(), clock.instant_of(Time(5))), (Time(0), None));
        clock.set_forward(Time(1_000_000));
        clock.set_forward(Time(10));
        assert_eq!(clock.now(), Time(1_000_000));
        clock.thaw();
        let now = clock.now();
        assert!(now >= Time(1_000_000) && now < Time(60_000_000));
        assert!(clock.instant_of(Time(2_000_000)).is_some());
        clock.freeze();
        assert_eq!(clock.now(), clock.now());
    }

    #[test]
    fn a_running_clock_can_be_set_forward() {
        let mut clock = Clock::new(Instant::now(), false);
        clock.set_forward(Time(5_000_000));
        assert!(clock.now() >= Time(5_000_000));
        let due = clock.instant_of(Time(5_000_000)).unwrap();
        assert!(due <= Instant::now());
    }
}
