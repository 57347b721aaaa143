//! One message at a time, in the order of sending, and time that passes only when told to: real
//! messages over real connections, and still the same run every time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::time::Time;
use crate::node::driver::Act;
use crate::node::live::LiveWorld;
use crate::script::session::{next_to_deliver, pass};
use crate::script::world::World;

/// What lockstep keeps besides.
#[derive(Debug, Default)]
pub(super) struct Lockstep {
    /// The one time, which every replica's clock shows until its own is set forward.
    now: Time,
    /// When each delayed message goes on, for those of them that have been seen here.
    delayed: BTreeMap<MessageId, Time>,
}

/// What time alone brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Message(MessageId),
    Timer(ReplicaId),
}

impl LiveWorld {
    /// Delays begin anew when the gates change.
    pub(super) fn reset_delays(&mut self) {
        if let Some(lockstep) = &mut self.lockstep {
            lockstep.delayed.clear();
        }
        self.note_delays();
    }

    /// Gives each delayed message its time, once.
    fn note_delays(&mut self) {
        let Some(Lockstep { now, delayed }) = &mut self.lockstep else { return };
        let due = |(id, delay)| (id, delayed.get(&id).copied().unwrap_or(*now + delay));
        *delayed = self.ledger.delays().map(due).collect();
    }

    /// Delivers whatever may move, oldest first, and then what is delayed, in order of time.
    pub(super) fn deliver_everything(&mut self) -> Result<(), String> {
        self.deliver_undelayed()?;
        while let Some(due) = self.next_delayed() {
            self.meet(due)?;
            self.deliver_undelayed()?;
        }
        Ok(())
    }

    /// Lets all happen that takes no longer than `duration`, in order of time.
    pub(super) fn sleep_in_lockstep(&mut self, duration: Duration) -> Result<(), String> {
        if self.view.gate.paused {
            return Ok(());
        }
        let until = self.lockstep.as_ref().map_or(Time(0), |lockstep| lockstep.now) + duration;
        self.deliver_undelayed()?;
        while let Some(due) = self.next_due().filter(|(time, _)| *time <= until) {
            self.meet(due)?;
            self.deliver_undelayed()?;
        }
        self.set_now(until)
    }

    fn deliver_undelayed(&mut self) -> Result<(), String> {
        self.note_delays();
        while let Some(id) = next_to_deliver(self) {
            pass(self, id)?;
            self.note_delays();
        }
        Ok(())
    }

    fn next_due(&self) -> Option<(Time, Due)> {
        let replicas = ReplicaId::all(self.view.shape.replicas());
        let timers =
            replicas.filter_map(|id| Some((self.view.replica(id).timer?.0, Due::Timer(id))));
        timers.chain(self.next_delayed()).min()
    }

    fn next_delayed(&self) -> Option<(Time, Due)> {
        let delayed = self.lockstep.as_ref()?.delayed.iter();
        delayed.map(|(id, time)| (*time, Due::Message(*id))).min()
    }

    fn meet(&mut self, (time, due): (Time, Due)) -> Result<(), String> {
        self.set_now(time)?;
        match due {
            Due::Timer(id) => self.wake(id),
            Due::Message(id) => pass(self, id),
        }
    }

    /// Sets all clocks forward, where they are not ahead.
    fn set_now(&mut self, time: Time) -> Result<(), String> {
        if let Some(lockstep) = &mut self.lockstep {
            lockstep.now = lockstep.now.max(time);
        }
        for id in ReplicaId::all(self.view.shape.replicas()) {
            self.act(id, Act::SetClock(time))?;
        }
        Ok(())
    }
}
