//! Worlds in which messages move, and time passes, only when they are told to: the same order in
//! every one of them, so that a script prints the same.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::message::Envelope;
use crate::epaxos::time::Time;
use crate::observe::in_flight::InFlight;
use crate::observe::notice::{GateState, HeldBy};
use crate::script::session::{next_to_deliver, pass};
use crate::script::world::World;

/// What time alone brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A delayed message goes on.
    Message(MessageId),
    /// A replica's timer fires.
    Timer(ReplicaId),
}

/// When delayed messages go on, by the one time of a world that stands still in between.
#[derive(Clone, Debug, Default)]
pub struct Delays(BTreeMap<MessageId, (Duration, Time)>);

impl Delays {
    /// When a message that is at its gate goes on, where it meets a delay. That begins when the
    /// message is noted first, and anew when the delay is another one.
    pub fn due(&mut self, gate: &GateState, envelope: &Envelope, now: Time) -> Option<Time> {
        let Some(delay) = gate.delay_of(envelope) else {
            self.0.remove(&envelope.id);
            return None;
        };
        let noted = self.0.entry(envelope.id).or_insert((delay, now + delay));
        if noted.0 != delay {
            *noted = (delay, now + delay);
        }
        Some(noted.1)
    }

    /// Notes all messages that are held, and forgets those that are gone.
    pub fn note(&mut self, gate: &GateState, in_flight: &InFlight, now: Time) {
        if !gate.delays_any() {
            return self.0.clear();
        }
        self.0.retain(|id, _| in_flight.get(*id).is_some());
        for flight in in_flight.held() {
            self.due(gate, &flight.envelope, now);
        }
    }

    /// Forgets a message that is gone.
    pub fn forget(&mut self, id: MessageId) {
        self.0.remove(&id);
    }

    /// The first message that is kept by nothing but a delay, with when it goes on.
    pub fn next(&self, in_flight: &InFlight) -> Option<(Time, MessageId)> {
        let delayed = |id: &MessageId| {
            let held = in_flight.get(*id).and_then(|flight| flight.held);
            matches!(held, Some(HeldBy::Delay(_)))
        };
        let delayed = self.0.iter().filter(|(id, _)| delayed(id));
        delayed.map(|(id, (_, due))| (*due, *id)).min()
    }
}

/// A world that stands still in between.
pub trait Stepwise: World + Sized {
    /// The one time, which every replica's clock shows until its own is set forward.
    fn now(&self) -> Time;

    /// Sets the one time forward, and with it all clocks that are not ahead.
    fn set_now(&mut self, time: Time) -> Result<(), String>;

    /// The first delayed message, with when it goes on.
    fn next_delayed(&self) -> Option<(Time, MessageId)>;

    /// Takes note of messages that are delayed from now on, where the world does not do so itself.
    fn note_delays(&mut self) {}

    /// Delivers whatever may move, oldest first, until nothing does.
    fn deliver_undelayed(&mut self) -> Result<(), String> {
        self.note_delays();
        let broke = self.view().broke.clone();
        while self.view().broke == broke
            && let Some(id) = next_to_deliver(self)
        {
            pass(self, id)?;
            self.note_delays();
        }
        Ok(())
    }

    /// Delivers whatever may move, oldest first, and then what is delayed, in order of time.
    fn deliver_everything(&mut self) -> Result<(), String> {
        let broke = self.view().broke.clone();
        self.deliver_undelayed()?;
        while self.view().broke == broke
            && let Some((time, id)) = self.next_delayed()
        {
            self.meet(time, Due::Message(id))?;
            self.deliver_undelayed()?;
        }
        Ok(())
    }

    /// Lets the oldest message go on that may, or else, where that is wanted, the first one that is
    /// delayed. Says whether there was one.
    fn move_one(&mut self, delayed: bool) -> Result<bool, String> {
        self.note_delays();
        if let Some(id) = next_to_deliver(self) {
            return pass(self, id).map(|()| true);
        }
        match self.next_delayed().filter(|_| delayed) {
            Some((time, id)) => self.meet(time, Due::Message(id)).map(|()| true),
            None => Ok(false),
        }
    }

    /// Lets all happen that takes no longer than `duration`, in order of time. Nothing while all is
    /// paused.
    fn pass_time(&mut self, duration: Duration) -> Result<(), String> {
        if self.view().gate.paused {
            return Ok(());
        }
        let until = self.now() + duration;
        let broke = self.view().broke.clone();
        self.deliver_undelayed()?;
        while self.view().broke == broke
            && let Some((time, due)) = self.next_due().filter(|(time, _)| *time <= until)
        {
            self.meet(time, due)?;
            self.deliver_undelayed()?;
        }
        if self.view().broke == broke { self.set_now(until) } else { Ok(()) }
    }

    /// The next thing that time alone brings about.
    fn next_due(&self) -> Option<(Time, Due)> {
        let replicas = ReplicaId::all(self.view().shape.replicas());
        let timers =
            replicas.filter_map(|id| Some((self.view().replica(id).timer?.0, Due::Timer(id))));
        let delayed = self.next_delayed().map(|(time, id)| (time, Due::Message(id)));
        timers.chain(delayed).min()
    }

    /// Brings it about.
    fn meet(&mut self, time: Time, due: Due) -> Result<(), String> {
        self.set_now(time)?;
        match due {
            Due::Timer(id) => self.wake(id),
            Due::Message(id) => pass(self, id),
        }
    }
}
