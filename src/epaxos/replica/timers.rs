//! Waiting, and what is done when it has been too long.

use crate::epaxos::command::StateMachine;
use crate::epaxos::event::{Event, Timer, TimerKind};
use crate::epaxos::id::{Ballot, InstanceId};
use crate::epaxos::replica::{Attempt, Output, Replica, Stage};
use crate::epaxos::time::Time;

impl<M: StateMachine> Replica<M> {
    /// Acts on every timer that is due.
    pub(super) fn on_wake(&mut self, now: Time, out: &mut Vec<Output>) {
        while let Some((time, timer)) = self.next_timer().filter(|(time, _)| *time <= now) {
            self.timers.remove(&(time, timer));
            self.tell(out, || Event::TimerFired(timer));
            match timer.kind {
                TimerKind::FastPath => self.go_slow(now, timer.instance, true, out),
                TimerKind::Resend => self.on_resend(now, timer.instance, out),
                TimerKind::Recover => self.on_recover_timer(now, timer.instance, out),
            }
        }
    }

    /// Too few have answered: asks all that have not.
    fn on_resend(&mut self, now: Time, id: InstanceId, out: &mut Vec<Output>) {
        let attempt = self.attempts.get_mut(&id).expect("a timer is set for a driven instance");
        attempt.resends += 1;
        let resends = attempt.resends;
        if self.postpones_resend(now, id, resends) {
            return self.set_timer(self.resend_timer(now, id, resends));
        }
        let attempt = self.attempts.get(&id).expect("it is still driven");
        match attempt.stage {
            Stage::PreAccepting(_) => self.resend_pre_accept(id, out),
            Stage::Accepting { .. } => self.resend_accept(id, out),
            Stage::Recovering(_) | Stage::Validating(_) | Stage::Waiting(_)
                if resends > RESENDS_MAX =>
            {
                // Somebody of the quorum may have gone for good: another ballot, another quorum.
                return self.recover_instance(now, id, out);
            }
            Stage::Recovering(_) => self.resend_recover(id, out),
            Stage::Validating(_) | Stage::Waiting(_) => self.resend_validation(id, out),
        }
        self.set_timer(self.resend_timer(now, id, resends));
    }

    /// When to repeat a request that has been repeated `resends` times.
    pub(super) fn resend_timer(
        &self,
        now: Time,
        instance: InstanceId,
        resends: u32,
    ) -> (Time, Timer) {
        let timeouts = self.options.timeouts;
        let wait = timeouts.resend.saturating_mul(1 << resends.min(16)).min(timeouts.resend_max);
        (now + wait, Timer { instance, kind: TimerKind::Resend })
    }

    /// Sets the timer of an attempt in place of the one it had.
    pub(super) fn set_timer(&mut self, timer: (Time, Timer)) {
        let attempt =
            self.attempts.get_mut(&timer.1.instance).expect("a timer is set for a driven instance");
        self.timers.remove(&std::mem::replace(&mut attempt.timer, timer));
        self.timers.insert(timer);
    }

    /// Begins to drive an instance: its request has gone out, or goes out now.
    pub(super) fn begin_attempt(
        &mut self,
        now: Time,
        id: InstanceId,
        ballot: Ballot,
        stage: Stage,
    ) {
        let timer = self.resend_timer(now, id, 0);
        self.timers.insert(timer);
        self.attempts.insert(id, Attempt { ballot, stage, resends: 0, timer });
    }

    /// Goes on to the next stage of an attempt, with a request that has not been repeated yet.
    /// Returns the ballot.
    pub(super) fn enter(&mut self, now: Time, id: InstanceId, stage: Stage) -> Ballot {
        let attempt = self.attempts.get_mut(&id).expect("only a driven instance has stages");
        if stage.is_validation() {
            self.validating.insert(id);
        } else {
            self.validating.remove(&id);
        }
        attempt.stage = stage;
        attempt.resends = 0;
        let ballot = attempt.ballot;
        self.set_timer(self.resend_timer(now, id, 0));
        ballot
    }

    /// Ends an attempt, if there is one, and its timer.
    pub(super) fn end_attempt(&mut self, id: InstanceId) {
        if let Some(attempt) = self.attempts.remove(&id) {
            self.timers.remove(&attempt.timer);
            self.validating.remove(&id);
        }
    }
}

/// How often a request of a recovery is repeated before the recovery starts anew.
const RESENDS_MAX: u32 = 3;
