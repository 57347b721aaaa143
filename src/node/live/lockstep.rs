//! One message at a time, in the order of sending, and time that passes only when told to: real
//! messages over real connections, and still the same run every time.

use std::collections::BTreeMap;

use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::time::Time;
use crate::node::driver::Act;
use crate::node::live::LiveWorld;
use crate::script::stepwise::Stepwise;

/// What lockstep keeps besides.
#[derive(Debug, Default)]
pub(super) struct Lockstep {
    /// The one time, which every replica's clock shows until its own is set forward.
    now: Time,
    /// When each delayed message goes on, for those of them that have been seen here.
    delayed: BTreeMap<MessageId, Time>,
}

impl LiveWorld {
    /// Delays begin anew when the gates change.
    pub(super) fn reset_delays(&mut self) {
        if let Some(lockstep) = &mut self.lockstep {
            lockstep.delayed.clear();
        }
        self.note_delays();
    }
}

/// While it is in lockstep.
impl Stepwise for LiveWorld {
    fn now(&self) -> Time {
        self.lockstep.as_ref().map_or(Time(0), |lockstep| lockstep.now)
    }

    fn next_delayed(&self) -> Option<(Time, MessageId)> {
        let delayed = self.lockstep.as_ref()?.delayed.iter();
        delayed.map(|(id, time)| (*time, *id)).min()
    }

    /// Gives each delayed message its time, once.
    fn note_delays(&mut self) {
        let Some(Lockstep { now, delayed }) = &mut self.lockstep else { return };
        let due = |(id, delay)| (id, delayed.get(&id).copied().unwrap_or(*now + delay));
        *delayed = self.ledger.delays().map(due).collect();
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
