//! Who watches a replica; and what becomes of that where they cannot keep up.
//!
//! Everything that happens to a watched replica is told. A replica can do more than can be looked at:
//! what is told and not yet looked at takes memory, and to look at it takes what the replica itself
//! could use. So where too much waits to be looked at, or too much has been told lately, the replica is
//! left alone for a while: it makes no events, and tells of no steps but how many they were. Once what
//! was told has been looked at, it shows itself as it is then, and is watched again. While the load
//! lasts, it is watched in glimpses, so that watching costs little of what can be done.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::epaxos::id::ReplicaId;
use crate::observe::notice::{Notice, Step};
use crate::script::backlog::Backlog;
use crate::script::request::Report;

/// Somebody who watches.
#[derive(Clone, Debug)]
pub struct Watcher {
    /// Where reports go.
    pub reports: mpsc::UnboundedSender<Report>,
    /// How far whoever looks at them is behind.
    pub backlog: Arc<Backlog>,
}

/// Somebody who will hear everything, however long that takes.
impl From<mpsc::UnboundedSender<Report>> for Watcher {
    fn from(reports: mpsc::UnboundedSender<Report>) -> Self {
        Self { reports, backlog: Arc::default() }
    }
}

/// Whether and how one replica is watched.
#[derive(Debug)]
pub(super) struct Watch {
    watcher: Option<Watcher>,
    /// How many steps nobody has seen, while it is left alone.
    unseen: Option<u64>,
    /// Whether it is watched in glimpses only: it has been too much.
    glimpses: bool,
    /// How much was told of it lately: what leaks out of a bucket that fills with what is told.
    lately: u64,
    leaked: Instant,
    /// How often it had been too much when it was watched again.
    overflows: u64,
    /// When to see whether that is to change.
    next: Option<Instant>,
    /// For how long it is left alone when it is too much; and until when it is.
    rest: Duration,
    until: Option<Instant>,
}

impl Watch {
    pub fn new(watcher: Option<Watcher>) -> Self {
        Self {
            watcher,
            unseen: None,
            glimpses: false,
            lately: 0,
            leaked: Instant::now(),
            overflows: 0,
            next: None,
            rest: REST,
            until: None,
        }
    }

    /// Whether steps are to be told.
    pub fn is_on(&self) -> bool {
        self.watcher.is_some() && self.unseen.is_none()
    }

    /// Tells of a step, or counts it. Says whether that was too much.
    pub fn step(&mut self, step: Step) -> bool {
        if self.unseen.is_some() {
            self.miss();
            return false;
        }
        self.lately += self.say(Notice::Step(step));
        let Some(Watcher { backlog, .. }) = &self.watcher else { return false };
        let Some(patience) = backlog.patience() else { return false };
        let most = if self.glimpses { patience / GLIMPSES } else { patience };
        let mut too_much = backlog.len() > most;
        if self.lately > most {
            let now = Instant::now();
            let leak = leak(patience, now - self.leaked);
            self.lately = self.lately.saturating_sub(leak);
            // What was not worth a unit leaks another time.
            if leak > 0 {
                self.leaked = now;
            }
            too_much |= self.lately > most;
        }
        if too_much {
            backlog.overflow();
        }
        too_much || backlog.overflows() != self.overflows
    }

    /// Counts a step that is not told.
    pub fn miss(&mut self) {
        if let Some(unseen) = &mut self.unseen {
            *unseen += 1;
        }
    }

    /// Tells of something else, where the replica is watched.
    pub fn tell(&self, notice: Notice) {
        if self.is_on() {
            self.say(notice);
        }
    }

    /// Says something, if anybody is there to hear it, and returns how much that was.
    fn say(&self, notice: Notice) -> u64 {
        let Some(Watcher { reports, backlog }) = &self.watcher else { return 0 };
        let weight = notice.weight();
        backlog.say(weight);
        // Where nobody listens any more, the end is near.
        reports.send(Report::Notice(notice)).ok();
        weight
    }

    /// Leaves the replica alone: longer each time, as long as every glimpse is too much.
    pub fn look_away(&mut self, replica: ReplicaId) {
        self.say(Notice::Away { replica, unseen: 0 });
        self.unseen = Some(0);
        self.rest = if self.glimpses { REST_MAX.min(2 * self.rest) } else { REST };
        self.glimpses = true;
        let now = Instant::now();
        (self.next, self.until) = (Some(now + REST), Some(now + self.rest));
    }

    /// When to call [`Watch::is_due`].
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Whether the replica is to show itself now. If so, it is watched again, and the number of steps
    /// that were not seen is returned.
    pub fn is_due(&mut self, replica: ReplicaId, now: Instant) -> Option<u64> {
        self.next.filter(|next| *next <= now)?;
        let backlog = &self.watcher.as_ref()?.backlog;
        self.next = Some(now + REST);
        let has_time = backlog.patience().is_none_or(|most| backlog.len() <= most / GLIMPSES / 2);
        if self.unseen.is_none() && has_time {
            // A while has passed in which all could be looked at.
            self.glimpses = false;
            self.next = None;
        }
        let unseen = self.unseen?;
        if !has_time || self.until.is_some_and(|until| until > now) {
            self.say(Notice::Away { replica, unseen });
            return None;
        }
        self.unseen = None;
        (self.lately, self.leaked) = (0, now);
        self.overflows = backlog.overflows();
        Some(unseen)
    }
}

/// How much may be told of a replica in some time, for as long as one likes: a tenth of what may wait to
/// be looked at in each second. What tells so much of each of three replicas takes a tenth of two cores
/// to look at.
fn leak(patience: u64, time: Duration) -> u64 {
    let leak = u128::from(patience) * time.as_micros() / 10_000_000;
    u64::try_from(leak).unwrap_or(u64::MAX)
}

/// Once it has been too much, what may be told and not looked at is this part of what it was.
const GLIMPSES: u64 = 50;

/// How long a replica is left alone at first; and watched without its being too much, until all is as
/// it was.
const REST: Duration = Duration::from_secs(1);

/// How long it is left alone at most. To show itself it is copied with its store, for each of those
/// who look: what that takes is to be little of this.
const REST_MAX: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::time::Time;
    use crate::observe::notice::Decision;

    fn step() -> Step {
        Step {
            replica: ReplicaId(0),
            now: Time(0),
            decision: Decision::Wake,
            effects: Vec::new(),
            timer: None,
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_told_until_there_is_time() {
        let (reports, mut told) = mpsc::unbounded_channel();
        let watcher = Watcher::from(reports);
        let backlog = watcher.backlog.clone();
        let (mut watch, mut other) = (Watch::new(Some(watcher.clone())), Watch::new(Some(watcher)));
        // While nobody minds, all is told.
        backlog.say(2_000);
        assert!(!watch.step(step()) && watch.is_on());
        backlog.mind(1_000);
        assert!(watch.step(step()));
        watch.look_away(ReplicaId(0));
        assert!(!watch.is_on());
        // The others stop with it.
        assert!(other.step(step()));
        for _ in 0..3 {
            assert!(!watch.step(step()));
        }
        let later = Instant::now() + 2 * REST;
        let id = ReplicaId(0);
        assert_eq!(watch.is_due(id, later), None, "there is still too much to look at");
        backlog.hear(backlog.len());
        assert_eq!(watch.is_due(id, later), None, "not so soon");
        assert_eq!(watch.is_due(id, later + REST), Some(3));
        assert!(watch.is_on());
        assert!(!watch.step(step()));
        let told = std::iter::from_fn(|| told.try_recv().ok()).count();
        assert_eq!(told, 6, "four steps, and twice that one was left alone");
        // A glimpse, and it is left alone again.
        backlog.say(20);
        assert!(watch.step(step()));
        // For longer than before.
        watch.look_away(id);
        backlog.hear(backlog.len());
        let now = Instant::now();
        assert_eq!(watch.is_due(id, now + REST), None);
        assert_eq!(watch.is_due(id, now + 2 * REST), Some(0));
        // Where it is not too much any more, it is as it was.
        assert_eq!(watch.is_due(id, now + 3 * REST), None);
        assert_eq!(watch.next(), None);
        backlog.say(21);
        assert!(!watch.step(step()));
    }

    #[test]
    fn what_is_told_too_fast_is_too_much_though_it_is_looked_at_at_once() {
        let (reports, _told) = mpsc::unbounded_channel();
        let watcher = Watcher::from(reports);
        let backlog = watcher.backlog.clone();
        backlog.mind(1_000);
        let mut watch = Watch::new(Some(watcher));
        let mut steps = 0;
        while !watch.step(step()) {
            backlog.hear(1);
            steps += 1;
        }
        assert!(steps >= 1_000, "{steps}");
        assert_eq!(leak(1_000, Duration::from_secs(2)), 200);
    }
}
