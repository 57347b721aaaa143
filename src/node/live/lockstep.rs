//! One message at a time, in the order of sending, and time that passes only when told to: real
//! messages over real connections, and still the same run every time.

use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::time::Time;
use crate::node::driver::Act;
use crate::node::live::LiveWorld;
use crate::script::stepwise::{Delays, Stepwise};

/// What lockstep keeps besides.
#[derive(Debug, Default)]
pub(super) struct Lockstep {
    /// The one time, which every replica's clock shows until its own is set forward.
    now: Time,
    /// When each delayed message goes on, for those of them that have been seen here.
    delays: Delays,
}

/// While it is in lockstep.
impl Stepwise for LiveWorld {
    fn now(&self) -> Time {
        self.lockstep.as_ref().map_or(Time(0), |lockstep| lockstep.now)
    }

    fn next_delayed(&self) -> Option<(Time, MessageId)> {
        self.lockstep.as_ref()?.delays.next(&self.view.in_flight)
    }

    /// Gives each delayed message its time, once.
    fn note_delays(&mut self) {
        if let Some(Lockstep { now, delays }) = &mut self.lockstep {
            delays.note(&self.view.gate, &self.view.in_flight, *now);
        }
    }

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
