//! What is answered: clauses, each with what proves it.

use crate::epaxos::id::{InstanceId, MessageId, ReplicaId};
use crate::explain::best_eyes;
use crate::explain::facts::Facts;
use crate::explain::phrase::line;
use crate::observe::log::EntryId;

/// The answer to a question: one short paragraph, when the clauses are joined with spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The question in words.
    pub question: String,
    /// The answer, piece by piece.
    pub clauses: Vec<Clause>,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// What it says, on one line.
    pub text: String,
    /// What it is about or what proves it, where there is one such thing to look at.
    pub link: Option<Link>,
}

/// Something that can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// An entry of the log, which keeps it.
    Entry(EntryId),
    /// An instance, and through whose eyes, where that matters.
    Instance(InstanceId, Option<ReplicaId>),
    /// A message on its way.
    Message(MessageId),
    /// A replica.
    Replica(ReplicaId),
}

impl Answer {
    /// The answer as one paragraph.
    pub fn paragraph(&self) -> String {
        let texts: Vec<_> = self.clauses.iter().map(|clause| clause.text.as_str()).collect();
        texts.join(" ")
    }
}

/// An answer in the making.
pub(super) struct Telling<'a> {
    pub(super) facts: Facts<'a>,
    /// With whose eyes the question is asked, where that was said.
    at: Option<ReplicaId>,
    clauses: Vec<Clause>,
}

impl<'a> Telling<'a> {
    pub(super) fn new(facts: Facts<'a>, at: Option<ReplicaId>) -> Self {
        Self { facts, at, clauses: Vec::new() }
    }

    /// Adds a piece. What cannot be looked at any more is no proof: an entry that the log has let go of, a
    /// message that has arrived.
    pub(super) fn say(&mut self, text: String, link: impl Into<Option<Link>>) {
        let kept = |link: &Link| match link {
            Link::Entry(entry) => self.facts.0.log.get(*entry).is_some(),
            Link::Message(id) => self.facts.0.in_flight.get(*id).is_some(),
            Link::Instance(..) | Link::Replica(_) => true,
        };
        let link = link.into().filter(kept);
        self.clauses.push(Clause { text: line(text), link });
    }

    /// With whose eyes an instance is looked at.
    pub(super) fn eyes(&self, id: InstanceId) -> ReplicaId {
        self.at.unwrap_or_else(|| best_eyes(self.facts, id))
    }

    /// With whose eyes it was asked to be looked at.
    pub(super) fn wanted(&self) -> Option<ReplicaId> {
        self.at
    }

    pub(super) fn answer(self, question: String) -> Answer {
        Answer { question: line(question), clauses: self.clauses }
    }
}
