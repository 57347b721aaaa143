//! The gate in front of a replica: every message has crossed the network when it gets here, and
//! goes straight on, or waits in view.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::epaxos::id::MessageId;
use crate::epaxos::message::Envelope;
use crate::epaxos::time::Time;
use crate::observe::notice::{GateState, Held, HeldBy};

/// One replica's gate. Owned by the event loop: plain data, and no clock of its own. However many
/// messages wait, each comes and goes at little cost.
#[derive(Debug, Default)]
pub struct Gate {
    state: GateState,
    /// Whether nothing is held back at all: what the usual message asks.
    open: bool,
    /// By the order of arrival.
    waiting: BTreeMap<u64, Waiting>,
    /// The place of each in that order.
    places: BTreeMap<MessageId, u64>,
    /// Those that a delay keeps, by when it is over.
    due: BTreeSet<(Time, u64)>,
    /// How many have waited so far.
    arrived: u64,
    /// How many bytes those take that wait.
    bytes: u64,
}

/// A message at the gate.
#[derive(Debug)]
struct Waiting {
    envelope: Envelope,
    /// The delay that it met, and when that lets it go on.
    delay: Option<(Duration, Time)>,
    why: HeldBy,
}

impl Waiting {
    /// When it goes on, where only a delay keeps it.
    fn due(&self) -> Option<Time> {
        match self.why {
            HeldBy::Delay(_) => self.delay.map(|(_, due)| due),
            HeldBy::Pause | HeldBy::Rule => None,
        }
    }
}

impl Gate {
    /// A gate that nothing waits at.
    pub fn new(state: GateState) -> Self {
        let mut gate = Self::default();
        gate.set(state, Time::default());
        gate
    }

    /// A message arrives: back it comes, or it waits.
    pub fn admit(&mut self, envelope: Envelope, now: Time) -> Result<Envelope, Held> {
        if self.open {
            return Ok(envelope);
        }
        let delay = self.state.delay_of(&envelope).map(|delay| (delay, now + delay));
        match self.state.holds_back(&envelope, delay.map(|(_, due)| due), now) {
            None => Ok(envelope),
            Some(why) => {
                let held = Held { id: envelope.id, why };
                self.arrived += 1;
                self.keep(self.arrived, Waiting { envelope, delay, why });
                Err(held)
            }
        }
    }

    fn keep(&mut self, place: u64, waiting: Waiting) {
        self.bytes += waiting.envelope.message.bytes();
        self.places.insert(waiting.envelope.id, place);
        self.due.extend(waiting.due().map(|due| (due, place)));
        self.waiting.insert(place, waiting);
    }

    /// Whether what waits takes more memory than it may.
    pub fn is_over_full(&self) -> bool {
        self.bytes > BYTES_MAX && self.waiting.len() > 1
    }

    /// All that waits, in order of arrival, with what keeps it.
    pub fn held(&self) -> Vec<(Envelope, HeldBy)> {
        self.waiting.values().map(|waiting| (waiting.envelope.clone(), waiting.why)).collect()
    }

    /// A message that waits.
    pub fn get(&self, id: MessageId) -> Option<&Envelope> {
        Some(&self.waiting.get(self.places.get(&id)?)?.envelope)
    }

    /// Takes a message away from the gate, to be let through or thrown away.
    pub fn take(&mut self, id: MessageId) -> Option<Envelope> {
        let place = self.places.remove(&id)?;
        let taken = self.waiting.remove(&place)?;
        self.bytes -= taken.envelope.message.bytes();
        if let Some(due) = taken.due() {
            self.due.remove(&(due, place));
        }
        Some(taken.envelope)
    }

    /// Makes a twin of a waiting message, which waits like it but for a delay of its own. Returns
    /// the message, and what keeps the twin.
    pub fn duplicate(
        &mut self,
        id: MessageId,
        copy: MessageId,
        now: Time,
    ) -> Option<(Envelope, Held)> {
        let waiting = self.waiting.get(self.places.get(&id)?)?;
        let envelope = waiting.envelope.clone();
        let twin = Envelope { id: copy, ..envelope.clone() };
        let delay = self.state.delay_of(&twin).map(|delay| (delay, now + delay));
        let why = self.state.holds_back(&twin, delay.map(|(_, due)| due), now);
        // Whoever doubles a message by hand means to decide over both.
        let (delay, why) = why.map_or((waiting.delay, waiting.why), |why| (delay, why));
        self.arrived += 1;
        self.keep(self.arrived, Waiting { envelope: twin, delay, why });
        Some((envelope, Held { id: copy, why }))
    }

    /// Holds back something else from now on. Returns what goes on, in order of arrival, and what
    /// waits for another reason than before. A delay that is still the same goes on; one that is
    /// new begins now.
    pub fn set(&mut self, state: GateState, now: Time) -> (Vec<Envelope>, Vec<Held>) {
        self.open = state.is_open();
        self.state = state;
        self.places.clear();
        self.due.clear();
        self.bytes = 0;
        let (mut released, mut changed) = (Vec::new(), Vec::new());
        for (place, mut waiting) in std::mem::take(&mut self.waiting) {
            let delay = self.state.delay_of(&waiting.envelope);
            if delay != waiting.delay.map(|(delay, _)| delay) {
                waiting.delay = delay.map(|delay| (delay, now + delay));
            }
            let due = waiting.delay.map(|(_, due)| due);
            match self.state.holds_back(&waiting.envelope, due, now) {
                None => released.push(waiting.envelope),
                Some(why) => {
                    if why != waiting.why {
                        changed.push(Held { id: waiting.envelope.id, why });
                    }
                    self.keep(place, Waiting { why, ..waiting });
                }
            }
        }
        (released, changed)
    }

    /// Whether a message that may go on is lost on its way instead.
    pub fn loses(&self, envelope: &Envelope) -> bool {
        !self.open && self.state.loses(envelope)
    }

    /// Whether a message that goes on is doubled on its way.
    pub fn doubles(&self, envelope: &Envelope) -> bool {
        !self.open && self.state.doubles(envelope)
    }

    /// When the next delay is over, by the replica's clock.
    pub fn next_due(&self) -> Option<Time> {
        let (due, _) = self.due.first().filter(|_| !self.state.paused)?;
        Some(*due)
    }

    /// Takes the first message whose delay is over: of several at the same time, the first to arrive.
    pub fn take_due(&mut self, now: Time) -> Option<Envelope> {
        if self.next_due()? > now {
            return None;
        }
        let (_, place) = self.due.first()?;
        let id = self.waiting.get(place)?.envelope.id;
        self.take(id)
    }
}

/// How many bytes the messages may take that wait at a gate. One that is held for long, under load, loses
/// what comes beyond.
const BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
    use crate::epaxos::message::{AcceptReply, Message, MessageKind};
    use crate::observe::filter::Filter;
    use crate::observe::links::{Delay, PerLink};

    fn envelope(number: u64) -> Envelope {
        let instance = InstanceId::new(ReplicaId(0), 0);
        let reply = AcceptReply { instance, ballot: Ballot::initial(ReplicaId(0)) };
        let id = MessageId { sender: ReplicaId(1), number, copy: 0 };
        Envelope { id, to: ReplicaId(0), message: Message::AcceptReply(reply) }
    }

    fn id(number: u64) -> MessageId {
        envelope(number).id
    }

    fn rule(kind: MessageKind) -> Filter {
        Filter { kind: Some(kind), ..Filter::default() }
    }

    fn paused() -> GateState {
        GateState { paused: true, ..GateState::default() }
    }

    #[test]
    fn an_open_gate_holds_nothing() {
        let mut gate = Gate::new(GateState::default());
        assert_eq!(gate.admit(envelope(0), Time(0)), Ok(envelope(0)));
        assert_eq!((gate.next_due(), gate.take(id(0))), (None, None));
    }

    #[test]
    fn the_bytes_of_what_waits_are_counted() {
        let mut gate = Gate::new(paused());
        let each = envelope(0).message.bytes();
        for number in 0..=BYTES_MAX / each {
            assert!(!gate.is_over_full());
            gate.admit(envelope(number), Time(0)).unwrap_err();
        }
        assert!(gate.is_over_full());
        gate.take(id(0)).unwrap();
        assert!(!gate.is_over_full());
        let copy = MessageId { copy: 1, ..id(1) };
        gate.duplicate(id(1), copy, Time(0)).unwrap();
        assert!(gate.is_over_full());
        gate.set(paused(), Time(0));
        assert!(gate.is_over_full(), "what goes on waiting is counted once");
        gate.set(GateState::default(), Time(0));
        assert_eq!(gate.bytes, 0);
    }

    #[test]
    fn what_the_pause_holds_goes_on_in_order_of_arrival() {
        let mut gate = Gate::new(paused());
        for number in [2, 0, 1] {
            let held = gate.admit(envelope(number), Time(0)).unwrap_err();
            assert_eq!(held, Held { id: id(number), why: HeldBy::Pause });
        }
        assert_eq!(gate.take(id(0)), Some(envelope(0)));
        assert_eq!(gate.take(id(0)), None);
        let (released, changed) = gate.set(GateState::default(), Time(0));
        assert_eq!((released, changed), (vec![envelope(2), envelope(1)], vec![]));
    }

    #[test]
    fn a_rule_holds_what_it_describes_and_outlasts_the_pause() {
        let holds = vec![rule(MessageKind::AcceptReply)];
        let mut gate = Gate::new(paused());
        gate.admit(envelope(0), Time(0)).unwrap_err();
        let (released, changed) = gate.set(GateState { holds: holds.clone(), ..paused() }, Time(0));
        assert_eq!(changed, [Held { id: id(0), why: HeldBy::Rule }]);
        assert!(released.is_empty());
        let (released, _) = gate.set(GateState { holds, ..GateState::default() }, Time(0));
        assert!(released.is_empty());
        let other = GateState { holds: vec![rule(MessageKind::Commit)], ..GateState::default() };
        assert_eq!(gate.set(other, Time(0)).0, [envelope(0)]);
        assert_eq!(gate.admit(envelope(1), Time(0)), Ok(envelope(1)));
    }

    #[test]
    fn a_delay_counts_only_while_nothing_is_paused() {
        let delay = Delay::fixed(Duration::from_micros(10));
        let delays = vec![(rule(MessageKind::AcceptReply), delay)];
        let running = GateState { delays, ..GateState::default() };
        let mut gate = Gate::new(running.clone());
        gate.admit(envelope(0), Time(5)).unwrap_err();
        assert_eq!(gate.next_due(), Some(Time(15)));
        gate.set(GateState { paused: true, ..running.clone() }, Time(9));
        assert_eq!((gate.next_due(), gate.take_due(Time(20))), (None, None));
        let (released, changed) = gate.set(running, Time(9));
        assert_eq!((released, gate.take_due(Time(14))), (vec![], None));
        assert_eq!(changed.len(), 0, "it was seen to be delayed all the time: {changed:?}");
        assert_eq!(gate.take_due(Time(15)), Some(envelope(0)));
    }

    #[test]
    fn a_twin_waits_like_the_first() {
        let mut gate = Gate::new(paused());
        gate.admit(envelope(0), Time(0)).unwrap_err();
        let copy = MessageId { copy: 1, ..id(0) };
        let held = Held { id: copy, why: HeldBy::Pause };
        assert_eq!(gate.duplicate(id(0), copy, Time(0)), Some((envelope(0), held)));
        assert_eq!(gate.duplicate(id(1), copy, Time(0)), None);
        let twin = Envelope { id: copy, ..envelope(0) };
        assert_eq!(gate.set(GateState::default(), Time(0)).0, [envelope(0), twin]);
    }

    #[test]
    fn a_shorter_delay_overtakes_a_longer_one() {
        let mut lateness = PerLink::default();
        let delay = Delay { least: Duration::ZERO, most: Duration::from_millis(40) };
        lateness.set(None, delay);
        let mut gate = Gate::new(GateState { lateness, ..GateState::default() });
        for number in 0..20 {
            gate.admit(envelope(number), Time(0)).unwrap_err();
        }
        let end = Time(40_000);
        let order: Vec<_> = std::iter::from_fn(|| gate.take_due(end)).collect();
        let numbers: Vec<_> = order.iter().map(|envelope| envelope.id.number).collect();
        assert_eq!(numbers.len(), 20);
        assert!(!numbers.is_sorted(), "nothing was overtaken: {numbers:?}");
    }

    #[test]
    fn a_new_delay_begins_when_it_is_made_and_ends_when_it_is_taken_back() {
        let mut slow = GateState::default();
        slow.lateness.set(None, Delay::fixed(Duration::from_micros(10)));
        let mut gate = Gate::new(paused());
        gate.admit(envelope(0), Time(0)).unwrap_err();
        gate.set(slow.clone(), Time(50));
        assert_eq!(gate.next_due(), Some(Time(60)));
        slow.lateness.set(None, Delay::fixed(Duration::from_micros(20)));
        gate.set(slow, Time(55));
        assert_eq!(gate.next_due(), Some(Time(75)));
        assert_eq!(gate.set(GateState::default(), Time(56)).0, [envelope(0)]);
    }
}
