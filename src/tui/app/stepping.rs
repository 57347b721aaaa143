//! Going on by itself, step by step: how fast, and what has changed since the step before.

use std::time::Duration;

use crate::epaxos::id::ReplicaId;
use crate::observe::log::EntryId;
use crate::script::grammar::Command;
use crate::script::words::{Count, Doubled};
use crate::tui::app::{App, Effect, Tone};
use crate::tui::deed::Deed;
use crate::tui::keys::Context;

/// A world that is paused and stepped by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Play {
    /// Whether it goes on.
    pub on: bool,
    /// Which of the rates.
    rate: usize,
    /// When it stepped last.
    last: Option<Duration>,
}

impl Default for Play {
    fn default() -> Self {
        Self { on: false, rate: RATE_AT_FIRST, last: None }
    }
}

impl Play {
    /// The time between two steps.
    pub fn every(self) -> Duration {
        Duration::from_millis(RATES[self.rate].0)
    }

    /// The rate as people read it.
    pub fn rate(self) -> &'static str {
        RATES[self.rate].1
    }
}

/// Milliseconds between steps, slowest first, with the rate that comes to, and that in steps a second.
const RATES: [(u64, &str, &str); 9] = [
    (4_000, "1 step in 4s", "0.25"),
    (2_000, "1 step in 2s", "0.5"),
    (1_000, "1 step/s", "1"),
    (500, "2 steps/s", "2"),
    (200, "5 steps/s", "5"),
    (100, "10 steps/s", "10"),
    (50, "20 steps/s", "20"),
    (25, "40 steps/s", "40"),
    (17, "60 steps/s", "60"),
];

/// The rates in steps a second, slowest first.
pub fn rates() -> [&'static str; RATES.len()] {
    RATES.map(|(.., steps)| steps)
}

/// The rate at first.
const RATE_AT_FIRST: usize = 3;

/// The rate at which a class can follow.
const RATE_FOR_A_CLASS: usize = 1;

impl App {
    /// How often the screen wants to be told the time, where that is more often than usual.
    pub fn pace(&self) -> Option<Duration> {
        self.play.on.then(|| self.play.every())
    }

    /// Goes on by itself, or stops. A world that runs is paused first.
    pub(super) fn play_or_stop(&mut self) -> Vec<Effect> {
        self.play.on = !self.play.on;
        self.play.last = None;
        if self.play.on {
            let rate = self.play.rate();
            let key = |deed| self.keys.key(Context::Normal, deed);
            let (slower, faster) = (key(Deed::Slower), key(Deed::Faster));
            self.say(format!("playing, {rate}; {slower} and {faster} change that"), Tone::Plain);
            if !self.view.gate.paused && !self.can_go_forth() {
                return self.send(Command::Pause);
            }
        } else {
            self.say("stopped playing", Tone::Plain);
        }
        Vec::new()
    }

    /// Plays faster, or slower.
    pub(super) fn change_rate(&mut self, faster: bool) {
        let rate = self.play.rate;
        self.play.rate =
            if faster { (rate + 1).min(RATES.len() - 1) } else { rate.saturating_sub(1) };
        self.tell_rate();
    }

    /// Plays so many steps a second.
    pub(super) fn set_rate(&mut self, steps: &str) -> Result<(), String> {
        let named = RATES.iter().position(|(.., name)| *name == steps);
        let known = rates().join(", ");
        let known = || format!("speed needs faster, slower, or one of {known} steps a second");
        self.play.rate = named.ok_or_else(known)?;
        Ok(())
    }

    /// Says how fast it plays.
    pub(super) fn tell_rate(&mut self) {
        let playing = if self.play.on { "playing" } else { "plays" };
        self.say(format!("{playing} at {}", self.play.rate()), Tone::Plain);
    }

    /// Takes the next step, when it is time for it.
    pub(super) fn play_on(&mut self, now: Duration) -> Vec<Effect> {
        // A step that is still being taken is waited for.
        let steps = self.can_go_forth() || self.view.gate.paused;
        if !self.play.on || !steps || !self.is_idle() {
            return Vec::new();
        }
        // A clock that is told a little too early must not cost a whole beat.
        let due = self.play.last.is_none_or(|last| now + EARLY >= last + self.play.every());
        if !due {
            return Vec::new();
        }
        self.play.last = Some(now);
        if self.can_go_forth() {
            self.go_by(true);
            self.play.on &= self.can_go_forth();
            self.revision += 1;
            self.settle();
            return Vec::new();
        }
        if self.deliverables.messages == 0 {
            self.play.on = false;
            self.say("nothing is left to deliver", Tone::Plain);
            return Vec::new();
        }
        self.send(Command::Step { count: Count::Some(1) })
    }

    /// Turns the mode for a class on or off: slower, with more room, and a sentence on each step.
    pub(super) fn present(&mut self) {
        self.presenting = !self.presenting;
        if self.presenting {
            self.play.rate = RATE_FOR_A_CLASS;
        } else {
            self.play.rate = RATE_AT_FIRST;
        }
        self.space_time.reset_zoom();
        self.message = None;
    }

    /// Takes note of a command that is about to change something: what it changes is marked until the
    /// next one.
    pub(super) fn note_change(&mut self, command: &Command) {
        let steps = match command {
            Command::Put { .. }
            | Command::Get { .. }
            | Command::Del { .. }
            | Command::Batch { .. }
            | Command::Burst { .. }
            | Command::Step { .. }
            | Command::Round
            | Command::Deliver { .. }
            | Command::Drop { .. }
            | Command::Wake { .. }
            | Command::Crash { .. }
            | Command::Recover { .. } => true,
            Command::Dup { first, .. } => matches!(first, Doubled::Term(_)),
            _ => false,
        };
        if steps || *command == Command::Run {
            self.stopped = None;
        }
        if steps {
            self.mark = self.view.gate.paused.then(|| self.view.log.len());
        }
    }

    /// Whether the last step was one of this replica.
    pub fn is_replica_changed(&self, replica: ReplicaId) -> bool {
        self.view.replica(replica).last.is_some_and(|last| self.is_changed(last))
    }

    /// Whether something that an entry changed last was changed by the last step. While everything
    /// moves, so does everything else, and nothing is marked.
    pub fn is_changed(&self, since: EntryId) -> bool {
        let still = self.view.gate.paused || self.times.past.is_some();
        still && self.mark.is_some_and(|mark| since >= mark)
    }
}

/// By how much a clock may be told too early.
const EARLY: Duration = Duration::from_millis(5);
