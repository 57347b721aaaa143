//! What a replica says of itself, taken for what it did.
//!
//! Every message says something of its sender: whoever answers a PreAccept has recorded these attributes,
//! whoever sends a Commit has decided. `epaxos/message.rs` has what each of them promises. So much can be
//! told of a replica of which nothing else is seen, and be held against what the others say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::{Command, Operation, Payload};
use crate::epaxos::event::{Cause, Event, StatusChange};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::{Path, Phase};
use crate::epaxos::message::{Commit, Envelope, Message, PreAccept};
use crate::epaxos::quorum::ReplicaSet;

/// What all replicas have said so far.
#[derive(Debug, Default)]
pub struct Hearsay {
    /// How each of them has each instance, by its own account.
    known: BTreeMap<(ReplicaId, InstanceId), Known>,
    /// What each leader has proposed.
    proposals: BTreeMap<InstanceId, (Payload, Attributes)>,
    /// What was to be voted for in each ballot.
    ballots: BTreeMap<(InstanceId, Ballot), (Payload, Attributes)>,
    /// Who is known to have told a driver that it holds the leader's proposal, or that it voted.
    voters: BTreeMap<(InstanceId, Ballot, Phase), Vec<ReplicaId>>,
    /// The highest ballot of an instance in which a replica has answered another one.
    answered: BTreeMap<(ReplicaId, ReplicaId, InstanceId), Ballot>,
    /// What clients have asked for.
    asked: BTreeSet<Operation>,
    /// Which instance carried which commands first.
    led: BTreeMap<Arc<[Command]>, InstanceId>,
}

/// An instance, as a replica says that it has it.
#[derive(Clone, Debug)]
struct Known {
    phase: Phase,
    ballot: Ballot,
    attributes: Attributes,
    payload: Option<Payload>,
}

impl Hearsay {
    /// A client asks for something.
    pub fn asked(&mut self, operation: &Operation) {
        self.asked.insert(operation.clone());
    }

    /// What the sender of a message has done, by what it says.
    pub fn events(&mut self, envelope: &Envelope) -> Vec<Event> {
        let sender = envelope.id.sender;
        if let Some(event) = self.goes_back(envelope) {
            return vec![event];
        }
        match &envelope.message {
            Message::PreAccept(message) => self.leads(sender, message),
            Message::PreAcceptReply(message) => {
                let (id, from) = (message.instance, message.instance.replica);
                let Some((payload, proposal)) = self.proposals.get(&id).cloned() else {
                    return Vec::new();
                };
                let record = (Phase::PreAccepted, message.ballot, message.attributes);
                self.record(sender, id, record, &payload, Cause::PreAccept { from, proposal })
            }
            Message::Accept(message) => {
                let (id, ballot) = (message.instance, message.ballot);
                let voted = (message.payload.clone(), message.attributes);
                self.ballots.entry((id, ballot)).or_insert(voted);
                let slow_path = Cause::SlowPath { votes: Vec::new(), timed_out: false };
                let cause =
                    if ballot.is_initial() { slow_path } else { Cause::Accept { from: sender } };
                let record = (Phase::Accepted, ballot, message.attributes);
                self.record(sender, id, record, &message.payload, cause)
            }
            Message::AcceptReply(message) => {
                let (id, ballot) = (message.instance, message.ballot);
                let Some((payload, attributes)) = self.ballots.get(&(id, ballot)).cloned() else {
                    return Vec::new();
                };
                let cause = Cause::Accept { from: ballot.replica };
                self.record(sender, id, (Phase::Accepted, ballot, attributes), &payload, cause)
            }
            Message::Commit(message) => self.decides(sender, message),
            Message::Recover(message) => self.join(sender, message.instance, message.ballot, true),
            Message::RecoverReply(message) => {
                self.join(sender, message.instance, message.ballot, false)
            }
            Message::ValidateReply(message) => {
                self.join(sender, message.instance, message.ballot, false)
            }
            Message::Nack(message) => self.join(sender, message.instance, message.ballot, false),
            Message::Validate(_)
            | Message::Waiting(_)
            | Message::Executed(_)
            | Message::Fetch(_)
            | Message::Gone(_) => Vec::new(),
        }
    }

    /// That somebody answers in a lower ballot than it has answered the same one before. On the way from
    /// one to another nothing overtakes anything, so it has gone back.
    fn goes_back(&mut self, envelope: &Envelope) -> Option<Event> {
        let (Message::PreAcceptReply(_)
        | Message::AcceptReply(_)
        | Message::RecoverReply(_)
        | Message::ValidateReply(_)) = &envelope.message
        else {
            return None;
        };
        let (instance, ballot) = (envelope.message.instance(), envelope.message.ballot()?);
        let stream = (envelope.id.sender, envelope.to, instance);
        let highest = self.answered.entry(stream).or_insert(ballot);
        if ballot < *highest {
            return Some(Event::Joined { instance, ballot });
        }
        *highest = ballot;
        None
    }

    /// Somebody asks others for what they know of an instance that it leads.
    fn leads(&mut self, sender: ReplicaId, message: &PreAccept) -> Vec<Event> {
        let (id, proposed) = (message.instance, message.attributes);
        self.proposals.entry(id).or_insert((message.payload.clone(), proposed));
        let mut events = Vec::new();
        if !self.known.contains_key(&(sender, id))
            && let Payload::Commands(commands) = &message.payload
            // Of what nobody has asked for nobody can be the leader.
            && commands.iter().all(|command| self.asked.contains(&command.operation))
        {
            let first = *self.led.entry(commands.clone()).or_insert(id);
            events.push(Event::Proposed {
                instance: id,
                commands: commands.clone(),
                attributes: proposed,
                instead_of: (first != id).then_some(first),
            });
        }
        let record = (Phase::PreAccepted, message.ballot, proposed);
        events.extend(self.record(sender, id, record, &message.payload, Cause::Proposed));
        events
    }

    /// Somebody says that an instance is decided.
    fn decides(&mut self, sender: ReplicaId, message: &Commit) -> Vec<Event> {
        let id = message.instance;
        let known = self.known.get(&(sender, id));
        let ballot = known.map_or(Ballot::initial(id.replica), |known| known.ballot);
        let quorum = |phase| {
            let voters = self.voters.get(&(id, ballot, phase)).into_iter().flatten();
            voters.copied().chain([sender]).collect::<ReplicaSet>()
        };
        let cause = match message.path {
            Path::Fast => Cause::FastQuorum { equal: quorum(Phase::PreAccepted) },
            Path::Slow => Cause::SlowQuorum { accepted: quorum(Phase::Accepted) },
            Path::Recovery => Cause::RecoveryQuorum { accepted: quorum(Phase::Accepted) },
        };
        let record = (Phase::Committed, ballot, message.attributes);
        self.record(sender, id, record, &message.payload, cause)
    }

    /// A message has been handed to its receiver.
    pub fn delivered(&mut self, envelope: &Envelope) {
        let (id, ballot, phase) = match &envelope.message {
            Message::PreAcceptReply(message) => {
                let proposed = self.proposals.get(&message.instance);
                if proposed.is_none_or(|(_, attributes)| *attributes != message.attributes) {
                    return;
                }
                (message.instance, message.ballot, Phase::PreAccepted)
            }
            Message::AcceptReply(message) => (message.instance, message.ballot, Phase::Accepted),
            _ => return,
        };
        self.voters.entry((id, ballot, phase)).or_default().push(envelope.id.sender);
    }

    /// A replica has an instance like this now. Nothing is told twice; but what contradicts what was
    /// said before is.
    fn record(
        &mut self,
        sender: ReplicaId,
        id: InstanceId,
        (phase, ballot, attributes): (Phase, Ballot, Attributes),
        payload: &Payload,
        cause: Cause,
    ) -> Vec<Event> {
        let known = self.known.get(&(sender, id));
        let (from, before) = known.map_or((Phase::Initial, Attributes::default()), |known| {
            (known.phase, known.attributes)
        });
        let nothing_new = known.is_some_and(|known| {
            // An answer may have been on its way when its sender had gone on. What comes of different
            // ways may come in any order.
            let gone_on = known.ballot > ballot || known.phase > phase && known.ballot == ballot;
            let is_same = known.attributes == attributes && known.payload.as_ref() == Some(payload);
            match known.phase {
                Phase::Committed | Phase::Executed => {
                    is_same || phase < Phase::Committed && gone_on
                }
                before => gone_on || is_same && (before, known.ballot) == (phase, ballot),
            }
        });
        if nothing_new {
            return Vec::new();
        }
        let payload_known = Some(payload.clone());
        self.known
            .insert((sender, id), Known { phase, ballot, attributes, payload: payload_known });
        vec![Event::Status(StatusChange {
            instance: id,
            from,
            to: phase,
            ballot,
            payload: payload.clone(),
            before,
            after: attributes,
            cause,
        })]
    }

    /// A replica has joined a ballot of an instance.
    fn join(
        &mut self,
        sender: ReplicaId,
        instance: InstanceId,
        ballot: Ballot,
        drives: bool,
    ) -> Vec<Event> {
        let first = Known {
            phase: Phase::Initial,
            ballot: Ballot::initial(instance.replica),
            attributes: Attributes::default(),
            payload: None,
        };
        let known = self.known.entry((sender, instance)).or_insert(first);
        if known.ballot >= ballot || known.phase.is_committed() {
            return Vec::new();
        }
        known.ballot = ballot;
        vec![if drives {
            Event::Recovering { instance, ballot }
        } else {
            Event::Joined { instance, ballot }
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::command::RequestId;
    use crate::epaxos::id::MessageId;
    use crate::epaxos::message::{PreAcceptReply, RecoverReply};

    const R: [ReplicaId; 3] = [ReplicaId(0), ReplicaId(1), ReplicaId(2)];
    const ID: InstanceId = InstanceId { replica: R[0], slot: 0 };
    const RECOVERY: Ballot = Ballot { round: 1, replica: R[2] };

    fn says(hearsay: &mut Hearsay, from: ReplicaId, to: ReplicaId, message: Message) -> Vec<Event> {
        let id = MessageId { sender: from, number: 0, copy: 0 };
        hearsay.events(&Envelope { id, to, message })
    }

    fn payload(value: &str) -> Payload {
        let operation = Operation::put("x", value);
        Payload::one(Command { request: RequestId::named("ann", 0), operation })
    }

    fn pre_accept() -> Message {
        let (ballot, attributes) = (Ballot::initial(R[0]), Attributes::FIRST);
        Message::PreAccept(PreAccept { instance: ID, ballot, payload: payload("1"), attributes })
    }

    fn pre_accepted() -> Message {
        let (ballot, attributes) = (Ballot::initial(R[0]), Attributes::FIRST);
        Message::PreAcceptReply(PreAcceptReply { instance: ID, ballot, attributes })
    }

    fn joined() -> Message {
        Message::RecoverReply(Box::new(RecoverReply {
            instance: ID,
            ballot: RECOVERY,
            phase: Phase::Initial,
            accepted_ballot: Ballot::initial(R[0]),
            payload: None,
            attributes: Attributes::default(),
            initial: None,
        }))
    }

    fn committed(value: &str) -> Message {
        let (payload, attributes) = (payload(value), Attributes::FIRST);
        Message::Commit(Commit { instance: ID, payload, attributes, path: Path::Fast })
    }

    #[test]
    fn whoever_answers_the_same_one_in_a_lower_ballot_has_gone_back() {
        let mut hearsay = Hearsay::default();
        says(&mut hearsay, R[0], R[1], pre_accept());
        let first = says(&mut hearsay, R[1], R[2], joined());
        assert_eq!(first, [Event::Joined { instance: ID, ballot: RECOVERY }]);
        // What it says to another one may have been on its way before.
        assert_eq!(says(&mut hearsay, R[1], R[0], pre_accepted()), []);
        let back = says(&mut hearsay, R[1], R[2], pre_accepted());
        assert_eq!(back, [Event::Joined { instance: ID, ballot: Ballot::initial(R[0]) }]);
    }

    #[test]
    fn what_nobody_asked_for_is_led_by_nobody() {
        let mut hearsay = Hearsay::default();
        let led = |events: &[Event]| events.iter().any(|it| matches!(it, Event::Proposed { .. }));
        assert!(!led(&says(&mut hearsay, R[0], R[1], pre_accept())));
        let mut hearsay = Hearsay::default();
        hearsay.asked(&Operation::put("x", "1"));
        assert!(led(&says(&mut hearsay, R[0], R[1], pre_accept())));
        assert!(!led(&says(&mut hearsay, R[0], R[2], pre_accept())));
    }

    #[test]
    fn a_decision_is_told_once_and_another_one_again() {
        let mut hearsay = Hearsay::default();
        says(&mut hearsay, R[0], R[1], pre_accept());
        assert_eq!(says(&mut hearsay, R[0], R[1], committed("1")).len(), 1);
        assert_eq!(says(&mut hearsay, R[0], R[2], committed("1")), []);
        assert_eq!(says(&mut hearsay, R[0], R[2], committed("2")).len(), 1);
    }
}
