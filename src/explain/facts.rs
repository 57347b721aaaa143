//! How evidence is found: the entries that speak of an instance, and what became of a message.

use std::sync::Arc;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::event::{Cause, Event, StatusChange};
use crate::epaxos::id::{Ballot, InstanceId, MessageId, ReplicaId};
use crate::epaxos::instance::{Path, Phase};
use crate::epaxos::message::Envelope;
use crate::explain::ballot::crashed;
use crate::observe::in_flight::Flight;
use crate::observe::links::LinkId;
use crate::observe::log::{Entry, EntryId};
use crate::observe::notice::{Decision, Effect};
use crate::observe::view::{InstanceView, ReplicaView, View};

/// A view, as a witness.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a>(pub(super) &'a View);

/// Something that an entry of the log says.
pub(super) struct Said<'a, T> {
    pub(super) entry: &'a Arc<Entry>,
    pub(super) what: &'a T,
}

// Derived, these would ask the same of what is said.
impl<T> Clone for Said<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Said<'_, T> {}

impl<T> Said<'_, T> {
    pub(super) fn at(&self) -> ReplicaId {
        self.entry.step.replica
    }

    pub(super) fn id(&self) -> EntryId {
        self.entry.id
    }
}

/// A change of an instance, with the entry that says so.
pub(super) type Changed<'a> = Said<'a, StatusChange>;

/// How a message ended that was not delivered.
#[derive(Clone, Copy)]
pub(super) enum Failed {
    /// It was thrown away at its receiver.
    Dropped(EntryId),
    /// Its sender gave it up.
    Lost(EntryId),
}

impl Failed {
    pub(super) fn entry(self) -> EntryId {
        let (Self::Dropped(entry) | Self::Lost(entry)) = self;
        entry
    }

    /// How, and as far as it can be told why, as the rest of a sentence about the message.
    pub(super) fn how(self, facts: Facts<'_>, envelope: &Envelope) -> String {
        match self {
            Self::Lost(entry) => format!("was given up by its sender at #{entry}"),
            Self::Dropped(entry) => why_lost(facts, envelope, entry)
                .unwrap_or_else(|| format!("was dropped at #{entry}")),
        }
    }
}

impl<'a> Facts<'a> {
    pub(super) fn replicas(self) -> impl Iterator<Item = ReplicaId> + Clone {
        ReplicaId::all(self.0.shape.replicas())
    }

    pub(super) fn exists(self, replica: ReplicaId) -> bool {
        replica.index() < self.0.shape.replicas()
    }

    pub(super) fn replica(self, id: ReplicaId) -> &'a ReplicaView {
        self.0.replica(id)
    }

    /// An instance as a replica has it.
    pub(super) fn instance(self, at: ReplicaId, id: InstanceId) -> Option<&'a InstanceView> {
        self.0.replica(at).instances.get(id)
    }

    /// Whether any replica has anything to say of an instance.
    pub(super) fn is_known(self, id: InstanceId) -> bool {
        self.exists(id.replica)
            && self.replicas().any(|at| self.replica(at).history.get(id).is_some())
    }

    /// Who has executed an instance and let go of it.
    pub(super) fn let_go(self, id: InstanceId) -> impl Iterator<Item = ReplicaId> + 'a {
        self.replicas().filter(move |at| self.replica(*at).let_go.contains(id))
    }

    /// The entries in which a replica says something of an instance, those that are kept, oldest first.
    pub(super) fn entries(
        self,
        at: ReplicaId,
        id: InstanceId,
    ) -> impl DoubleEndedIterator<Item = &'a Arc<Entry>> {
        let history = self.replica(at).history.get(id).into_iter().flatten();
        history.filter_map(move |entry| self.0.log.get(*entry))
    }

    /// Whether the log has let go of some of them.
    pub(super) fn has_forgotten(self, at: ReplicaId, id: InstanceId) -> bool {
        let first = self.replica(at).history.get(id).and_then(|entries| entries.first());
        first.is_some_and(|first| *first < self.0.log.forgotten())
    }

    /// What a replica says of an instance, oldest first.
    pub(super) fn events(
        self,
        at: ReplicaId,
        id: InstanceId,
    ) -> impl Iterator<Item = Said<'a, Event>> {
        let said = |entry: &'a Arc<Entry>| entry.events().map(move |what| Said { entry, what });
        self.entries(at, id).flat_map(said).filter(move |said| said.what.instance() == Some(id))
    }

    /// The changes of an instance at a replica, oldest first.
    pub(super) fn changes(
        self,
        at: ReplicaId,
        id: InstanceId,
    ) -> impl Iterator<Item = Changed<'a>> {
        self.events(at, id).filter_map(|said| match said.what {
            Event::Status(change) => Some(Said { entry: said.entry, what: change }),
            _ => None,
        })
    }

    /// The last change of an instance at a replica of which something is true.
    pub(super) fn change(
        self,
        at: ReplicaId,
        id: InstanceId,
        wanted: impl Fn(&StatusChange) -> bool,
    ) -> Option<Changed<'a>> {
        self.changes(at, id).filter(|changed| wanted(changed.what)).last()
    }

    /// The first replica that has such a change, the command leader before others.
    pub(super) fn change_anywhere(
        self,
        id: InstanceId,
        wanted: impl Fn(&StatusChange) -> bool,
    ) -> Option<Changed<'a>> {
        let others = self.replicas().filter(|at| *at != id.replica);
        std::iter::once(id.replica).chain(others).find_map(|at| self.change(at, id, &wanted))
    }

    /// The path on which an instance was decided, once it was anywhere.
    pub(super) fn path(self, id: InstanceId) -> Option<Path> {
        self.decision(id).and_then(|(_, known)| known.path)
    }

    /// Who has an instance committed, the command leader before others.
    pub(super) fn decision(self, id: InstanceId) -> Option<(ReplicaId, &'a InstanceView)> {
        let others = self.replicas().filter(|at| *at != id.replica);
        std::iter::once(id.replica).chain(others).find_map(|at| {
            self.instance(at, id)
                .filter(|known| known.phase.is_committed())
                .map(|known| (at, known))
        })
    }

    /// What the command leader first proposed: as it says, or as somebody heard it.
    pub(super) fn proposal(self, id: InstanceId) -> Option<Said<'a, Attributes>> {
        let wanted = |change: &StatusChange| {
            matches!(change.cause, Cause::Proposed | Cause::PreAccept { .. })
        };
        self.change_anywhere(id, wanted).map(|changed| Said {
            entry: changed.entry,
            what: match &changed.what.cause {
                Cause::PreAccept { proposal, .. } => proposal,
                _ => &changed.what.after,
            },
        })
    }

    /// The change with which the command leader gave up the fast path.
    pub(super) fn slow(self, id: InstanceId) -> Option<Changed<'a>> {
        self.change(id.replica, id, |change| matches!(change.cause, Cause::SlowPath { .. }))
    }

    /// The decision of the replica that counted the votes.
    pub(super) fn count(self, id: InstanceId) -> Option<Changed<'a>> {
        self.change_anywhere(id, |change| {
            matches!(
                change.cause,
                Cause::FastQuorum { .. } | Cause::SlowQuorum { .. } | Cause::RecoveryQuorum { .. }
            )
        })
    }

    /// The highest ballot that a replica is known to be in, and the entry that says so.
    pub(super) fn ballot(self, at: ReplicaId, id: InstanceId) -> Option<(Ballot, Option<EntryId>)> {
        let said = self.events(at, id).filter_map(|said| match said.what {
            Event::Status(change) => Some((change.ballot, Some(said.id()))),
            Event::Recovering { ballot, .. } | Event::Joined { ballot, .. } => {
                Some((*ballot, Some(said.id())))
            }
            _ => None,
        });
        let known = self.instance(at, id).map(|known| (known.ballot, None));
        // The first entry that speaks of the highest ballot.
        let first = |best: (Ballot, Option<EntryId>), next: (Ballot, Option<EntryId>)| {
            if next.0 > best.0 || (next.0 == best.0 && best.1.is_none()) { next } else { best }
        };
        known.into_iter().chain(said).reduce(first)
    }

    /// How a message failed that an entry sent. Nothing where it did not, or the log has let go of it, or
    /// it was long after.
    pub(super) fn failed(self, id: MessageId, sent: EntryId) -> Option<Failed> {
        (sent + 1..self.0.log.len()).take(SEARCHED).find_map(|entry| {
            let entry = self.0.log.get(entry)?;
            match &entry.step.decision {
                Decision::Drop(envelope) if envelope.id == id => Some(Failed::Dropped(entry.id)),
                Decision::Lose(envelope) if envelope.id == id => Some(Failed::Lost(entry.id)),
                _ => None,
            }
        })
    }

    /// The entry that delivered a message that another one sent, or a copy of it. Nothing where none did, or
    /// the log has let go of it, or it was long after.
    pub(super) fn delivered(self, sent: &Envelope, by: EntryId) -> Option<&'a Arc<Entry>> {
        let of = |id: MessageId| (id.sender, id.number);
        (by + 1..self.0.log.len()).take(SEARCHED).find_map(|entry| {
            let entry = self.0.log.get(entry)?;
            match &entry.step.decision {
                Decision::Deliver(envelope) if of(envelope.id) == of(sent.id) => Some(entry),
                _ => None,
            }
        })
    }

    /// The entries after one, oldest first. Nothing where they are too many to be looked through.
    pub(super) fn after(self, entry: EntryId) -> Option<impl Iterator<Item = &'a Arc<Entry>>> {
        let entries = entry + 1..self.0.log.len();
        let few = self.0.log.len().saturating_sub(entry) <= LOOKED;
        few.then(|| entries.filter_map(move |entry| self.0.log.get(entry)))
    }

    /// The messages about an instance that are on their way, of those that are looked through.
    pub(super) fn flights(self, id: InstanceId) -> impl Iterator<Item = &'a Flight> {
        let flights = self.0.in_flight.iter().take(FLIGHTS);
        flights.filter(move |flight| flight.envelope.message.instance() == id)
    }

    /// The entries before one, the last first, as far as anybody looks back.
    pub(super) fn before(self, entry: EntryId) -> impl Iterator<Item = &'a Arc<Entry>> {
        let first = entry.saturating_sub(SEARCHED as u64);
        (first..entry).rev().map_while(move |entry| self.0.log.get(entry))
    }

    /// Whether a replica has executed an instance.
    pub(super) fn is_executed(self, at: ReplicaId, id: InstanceId) -> bool {
        self.instance(at, id).is_some_and(|known| known.phase == Phase::Executed)
    }
}

/// How and why a message was thrown away at its receiver, as the rest of a sentence about it; nothing where
/// it cannot be told why. What gates did then is not known, only what they do now.
pub(super) fn why_lost(facts: Facts<'_>, envelope: &Envelope, entry: EntryId) -> Option<String> {
    let (to, link) = (envelope.to, LinkId::of(envelope));
    let gate = &facts.0.gate;
    if let Some(crash) = crashed(facts, to, entry) {
        return Some(format!("was lost at #{entry}, since {to} was down since #{crash}"));
    }
    if gate.cuts.contains(&link) {
        return Some(format!("was dropped at #{entry}: its link is cut"));
    }
    let percent = gate.loss.of(link);
    let text = || format!("was dropped at #{entry}: its link loses {percent}% of its messages");
    gate.loses(envelope).then(text)
}

/// The messages that an entry sent.
pub(super) fn sent(entry: &Entry) -> impl Iterator<Item = &Envelope> {
    entry.step.effects.iter().filter_map(|effect| match effect {
        Effect::Send(envelope) => Some(envelope),
        Effect::Reply(_) | Effect::Event(_) => None,
    })
}

/// How many entries are searched at most for what no index leads to.
const SEARCHED: usize = 2_000;

/// How many entries are looked through at most for what passed between replicas.
const LOOKED: u64 = 5_000;

/// How many messages on their way are looked through.
pub(super) const FLIGHTS: usize = 10_000;
