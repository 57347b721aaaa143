//! When a client asks for its next operation.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use async_io::Timer;
use futures::FutureExt;
use tokio::time::Instant;

/// When the next operation is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// A closed loop: when one that is under way has been answered.
    InFlight {
        /// So many are under way, over all clients.
        most: u64,
        /// How long after an answer the next one is asked for.
        think: Duration,
    },
    /// An open loop: so many a second, over all clients.
    Rate(f64),
}

/// When the next operation of one client is due.
#[derive(Debug)]
pub(super) struct Due {
    start: Instant,
    pace: Pace,
    /// In an open loop, how many have been due.
    count: u64,
    /// In a closed loop, when each that could be asked for has been thought about, since the start.
    thoughts: VecDeque<Duration>,
    alarm: Option<Alarm>,
}

/// The runtime's own timers ring at whole milliseconds, which would be taken for latency.
#[derive(Debug)]
struct Alarm {
    at: Instant,
    timer: Timer,
}

impl Due {
    /// For one client that asks at this pace from `start` on.
    pub(super) fn new(start: Instant, pace: Pace) -> Self {
        Self { start, pace, count: 0, thoughts: VecDeque::new(), alarm: None }
    }

    /// The time at which the next operation was due, since the start; `None` where it is not yet. `open`
    /// is how many are under way.
    pub(super) fn take(&mut self, open: u64) -> Option<Duration> {
        let now = self.start.elapsed();
        match self.pace {
            Pace::InFlight { most, think: Duration::ZERO } => (open < most).then_some(now),
            Pace::InFlight { most, think } => {
                while open + (self.thoughts.len() as u64) < most {
                    self.thoughts.push_back(now + think);
                }
                let is_due = self.thoughts.front().is_some_and(|thought| *thought <= now);
                is_due.then(|| {
                    self.thoughts.pop_front();
                    now
                })
            }
            Pace::Rate(rate) => {
                let due = self.scheduled(rate);
                (due <= now).then(|| {
                    self.count += 1;
                    due
                })
            }
        }
    }

    /// The time of the next operation of an open loop.
    #[expect(clippy::cast_precision_loss, reason = "a load is not that long")]
    fn scheduled(&self, rate: f64) -> Duration {
        Duration::from_secs_f64(self.count as f64 / rate)
    }

    /// Ends when something is due by the clock: never, in a closed loop in which nobody thinks.
    pub(super) async fn next(&mut self) {
        std::future::poll_fn(|context| self.poll(context)).await;
    }

    /// Whether something is due by the clock.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let due = match self.pace {
            Pace::InFlight { .. } => self.thoughts.front().copied(),
            Pace::Rate(rate) => Some(self.scheduled(rate)),
        };
        let Some(due) = due else { return Poll::Pending };
        let at = self.start + due;
        let alarm = self.alarm.get_or_insert_with(|| Alarm { at, timer: Timer::at(at.into_std()) });
        if alarm.at != at {
            alarm.at = at;
            alarm.timer.set_at(at.into_std());
        }
        alarm.timer.poll_unpin(context).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When a client asks at this pace, where each answer takes `service`, for so long.
    async fn asked(pace: Pace, service: Duration, time: Duration) -> Vec<Duration> {
        let start = Instant::now();
        let (mut due, mut open, mut asked) = (Due::new(start, pace), VecDeque::new(), Vec::new());
        while start.elapsed() < time {
            let now = start.elapsed();
            while open.front().is_some_and(|answered| *answered <= now) {
                open.pop_front();
            }
            while let Some(due) = due.take(open.len() as u64) {
                asked.push(due);
                open.push_back(due + service);
            }
            tokio::task::yield_now().await;
        }
        asked
    }

    #[tokio::test]
    async fn a_client_that_thinks_asks_no_sooner() {
        let (think, service) = (Duration::from_millis(20), Duration::from_millis(10));
        let pace = Pace::InFlight { most: 2, think };
        let asked = asked(pace, service, Duration::from_secs(1)).await;
        assert!(asked.len() > 2, "{asked:?}");
        for (first, third) in asked.iter().zip(&asked[2..]) {
            assert!(*third >= *first + think + service, "{asked:?}");
        }
    }

    #[tokio::test]
    async fn an_alarm_rings_when_something_is_due_and_not_before() {
        for pace in
            [Pace::Rate(700.0), Pace::InFlight { most: 1, think: Duration::from_micros(1_300) }]
        {
            let mut due = Due::new(Instant::now(), pace);
            for _ in 0..20 {
                while due.take(0).is_some() {}
                due.next().await;
                assert!(due.take(0).is_some(), "{pace:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_was_due_while_nobody_asked_is_asked_for_with_its_own_time() {
        let mut due = Due::new(Instant::now(), Pace::Rate(1_000.0));
        std::thread::sleep(Duration::from_millis(20));
        let late: Vec<_> = std::iter::from_fn(|| due.take(1_000)).collect();
        assert!(late.len() >= 20);
        assert_eq!(late[..3], [0, 1, 2].map(Duration::from_millis));
    }
}
