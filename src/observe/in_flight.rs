//! Messages that were sent and have neither been delivered nor lost.

use std::collections::{BTreeMap, BTreeSet};

use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::message::Envelope;
use crate::observe::filter::Filter;
use crate::observe::log::EntryId;
use crate::observe::notice::{Decision, Effect, HeldBy, Notice, Sight};

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// The message.
    pub envelope: Envelope,
    /// The place of its sending among all sendings: what "oldest first" means.
    pub sent: u64,
    /// The entry that sent it.
    pub entry: EntryId,
    /// What keeps it at the receiver's gate, where it has arrived there.
    pub held: Option<HeldBy>,
}

/// All messages on their way, oldest first.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    flights: BTreeMap<u64, Flight>,
    by_id: BTreeMap<MessageId, u64>,
    /// Those that are held, since of very many on their way few may be.
    held: BTreeSet<u64>,
    /// How many duplicates were made of each message that any were made of.
    copies: BTreeMap<(ReplicaId, u64), u32>,
    sent: u64,
    steps: EntryId,
}

impl InFlight {
    /// Takes note of what happened.
    pub fn apply(&mut self, notice: &Notice) {
        match notice {
            Notice::Step(step) => {
                match &step.decision {
                    Decision::Deliver(envelope)
                    | Decision::Drop(envelope)
                    | Decision::Lose(envelope) => self.remove(envelope.id),
                    Decision::Duplicate(envelope, copy) => self.duplicate(envelope, *copy),
                    Decision::Propose(_)
                    | Decision::Wake
                    | Decision::Crash
                    | Decision::Restart
                    | Decision::Panic(_) => {}
                    Decision::Show(sight) => self.show(step.replica, sight),
                }
                for effect in &step.effects {
                    if let Effect::Send(envelope) = effect {
                        self.insert(envelope.clone(), None);
                    }
                }
                self.steps += 1;
            }
            Notice::Held(held) => {
                if let Some(flight) =
                    self.by_id.get(&held.id).and_then(|sent| self.flights.get_mut(sent))
                {
                    flight.held = Some(held.why);
                    self.held.insert(flight.sent);
                }
            }
            Notice::Lost(id) => {
                self.steps += u64::from(self.by_id.contains_key(id));
                self.remove(*id);
            }
            Notice::Gate(_) | Notice::Armed | Notice::Away { .. } => {}
        }
    }

    fn insert(&mut self, envelope: Envelope, held: Option<HeldBy>) {
        let sent = self.sent;
        self.sent += 1;
        self.by_id.insert(envelope.id, sent);
        if held.is_some() {
            self.held.insert(sent);
        }
        self.flights.insert(sent, Flight { envelope, sent, entry: self.steps, held });
    }

    fn duplicate(&mut self, envelope: &Envelope, copy: MessageId) {
        let made = self.copies.entry((copy.sender, copy.number)).or_default();
        *made = copy.copy.max(*made);
        let held = self.get(envelope.id).and_then(|flight| flight.held);
        self.insert(Envelope { id: copy, ..envelope.clone() }, held);
    }

    /// Of what is on its way to a replica that was not seen for a while, only that is known which is
    /// held there.
    fn show(&mut self, replica: ReplicaId, sight: &Sight) {
        let to = self.flights.values().map(|flight| &flight.envelope);
        let to: Vec<_> = to.filter(|it| it.to == replica).map(|it| it.id).collect();
        for id in to {
            self.remove(id);
        }
        for (envelope, why) in &sight.held {
            self.insert(envelope.clone(), Some(*why));
        }
    }

    fn remove(&mut self, id: MessageId) {
        if let Some(sent) = self.by_id.remove(&id) {
            self.flights.remove(&sent);
            self.held.remove(&sent);
        }
    }

    /// One message.
    pub fn get(&self, id: MessageId) -> Option<&Flight> {
        self.flights.get(self.by_id.get(&id)?)
    }

    /// One message that somebody names, or the sentence that it is not there.
    pub fn named(&self, id: MessageId) -> Result<&Flight, String> {
        self.get(id).ok_or_else(|| format!("no message {id} is on its way"))
    }

    /// All messages on their way, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Flight> {
        self.flights.values()
    }

    /// The messages that are held at a gate, oldest first.
    pub fn held(&self) -> impl DoubleEndedIterator<Item = &Flight> {
        self.held.iter().filter_map(|sent| self.flights.get(sent))
    }

    /// The held messages that meet a description, oldest first.
    pub fn matching(&self, filter: Filter) -> impl DoubleEndedIterator<Item = &Flight> {
        self.held().filter(move |flight| filter.matches(&flight.envelope))
    }

    /// How many messages are on their way.
    pub fn len(&self) -> usize {
        self.flights.len()
    }

    /// Whether no message is on its way.
    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// A name for the next duplicate of a message, one that no message ever had.
    pub fn copy_of(&self, id: MessageId) -> MessageId {
        let made = self.copies.get(&(id.sender, id.number)).copied().unwrap_or(0);
        MessageId { copy: made + 1, ..id }
    }
}
