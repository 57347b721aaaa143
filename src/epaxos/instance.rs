//! One instance as one replica knows it. The only place where a phase changes.

use std::fmt;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::Payload;
use crate::epaxos::id::{Ballot, InstanceId};

/// How far an instance has come at one replica. Never goes back within a ballot; from `Committed`
/// on, never at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The replica has joined a ballot and knows nothing else yet.
    Initial,
    /// The leader's proposal and what the replica knew to interfere are recorded.
    PreAccepted,
    /// The replica has voted for these attributes in `accepted_ballot`.
    Accepted,
    /// Decided.
    Committed,
    /// Decided, and applied to this replica's store.
    Executed,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Phase; 5] =
        [Self::Initial, Self::PreAccepted, Self::Accepted, Self::Committed, Self::Executed];

    /// The phase's name, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::PreAccepted => "pre-accepted",
            Self::Accepted => "accepted",
            Self::Committed => "committed",
            Self::Executed => "executed",
        }
    }

    /// The phase as one letter, for grids: `.` `P` `A` `C` `X`.
    pub fn letter(self) -> char {
        match self {
            Self::Initial => '.',
            Self::PreAccepted => 'P',
            Self::Accepted => 'A',
            Self::Committed => 'C',
            Self::Executed => 'X',
        }
    }

    /// Whether payload and attributes are final.
    pub fn is_committed(self) -> bool {
        self >= Self::Committed
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// By which way an instance was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// One round trip: a fast quorum held the leader's own proposal.
    Fast,
    /// Two round trips: the union of what a quorum knew was voted on.
    Slow,
    /// Another replica than the command leader finished it.
    Recovery,
}

impl Path {
    /// All paths.
    pub const ALL: [Path; 3] = [Self::Fast, Self::Slow, Self::Recovery];

    /// The path's name, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Recovery => "recovery",
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the command leader sent in its PreAccept, as far as it is known here. Recovery compares a
/// replica's attributes with it, to tell who could have been part of a fast quorum.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proposal {
    /// The client commands.
    pub payload: Payload,
    /// The leader's attributes.
    pub attributes: Attributes,
}

/// One cell of a replica's log. All of it must survive a crash.
///
/// There are two ballots, since having promised and having voted are two things: a replica that
/// reports an old vote under a newer ballot it merely joined makes recovery choose wrongly
/// (Sutra, "On the correctness of Egalitarian Paxos", 2019).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Instance {
    /// The highest ballot joined: lower ones are refused.
    pub ballot: Ballot,
    /// The ballot in which this replica last voted, the initial one before any vote.
    pub accepted_ballot: Ballot,
    /// How far it has come here.
    pub phase: Phase,
    /// The commands, once known. Changed by [`Instance::set_payload`] only.
    pub payload: Option<Payload>,
    /// How many bytes the keys and values of the commands have.
    bytes: u64,
    /// Where they stand relative to others, once known.
    pub attributes: Attributes,
    /// What the command leader first proposed, once known. Not touched by Accept.
    pub initial: Option<Proposal>,
    /// How it was decided, once it was: for those who watch, never acted upon.
    pub path: Option<Path>,
}

impl Instance {
    /// An instance of which nothing is known but its name.
    pub fn new(id: InstanceId) -> Self {
        let ballot = Ballot::initial(id.replica);
        Self {
            ballot,
            accepted_ballot: ballot,
            phase: Phase::Initial,
            payload: None,
            bytes: 0,
            attributes: Attributes::default(),
            initial: None,
            path: None,
        }
    }

    /// Records the leader's proposal, and the attributes with which this replica answers it.
    pub fn pre_accept(&mut self, proposal: Proposal, attributes: Attributes) {
        assert_eq!(self.phase, Phase::Initial, "only an unknown instance is pre-accepted");
        assert!(self.ballot.is_initial(), "after joining a recovery, nothing is pre-accepted");
        self.set_payload(proposal.payload.clone());
        self.attributes = attributes;
        self.initial = Some(proposal);
        self.phase = Phase::PreAccepted;
    }

    /// Promises to act on no ballot below this one.
    pub fn join(&mut self, ballot: Ballot) {
        assert!(!self.phase.is_committed(), "a decided instance joins nothing any more");
        assert!(ballot >= self.ballot, "a promise is not taken back");
        self.ballot = ballot;
    }

    /// Takes note of the leader's proposal while a recovery validates it. Phase, attributes and vote
    /// stay as they are: nothing has been voted on.
    ///
    /// Only before a vote: a Validate that is repeated late must not put the proposal in the place of
    /// what was voted for since.
    pub fn validate(&mut self, proposal: Proposal) {
        assert!(self.phase <= Phase::PreAccepted, "what was voted for is not validated any more");
        self.set_payload(proposal.payload.clone());
        self.initial = Some(proposal);
    }

    /// Votes in `ballot`.
    pub fn accept(&mut self, ballot: Ballot, payload: Payload, attributes: Attributes) {
        assert!(!self.phase.is_committed(), "a decided instance takes no more votes");
        assert!(ballot >= self.ballot, "no vote below the joined ballot");
        self.ballot = ballot;
        self.accepted_ballot = ballot;
        self.set_payload(payload);
        self.attributes = attributes;
        self.phase = Phase::Accepted;
    }

    /// Takes the decision, whatever ballot was joined.
    pub fn commit(&mut self, payload: Payload, attributes: Attributes, path: Path) {
        assert!(!self.phase.is_committed(), "a decision is taken once");
        self.set_payload(payload);
        self.attributes = attributes;
        self.path = Some(path);
        self.phase = Phase::Committed;
    }

    /// Records the commands, and counts their bytes unless they are the same ones as before.
    pub fn set_payload(&mut self, payload: Payload) {
        if !self.payload.as_ref().is_some_and(|known| known.is_same_place(&payload)) {
            self.bytes = payload.bytes();
        }
        self.payload = Some(payload);
    }

    /// How many bytes the keys and values of its commands have, 0 while these are unknown.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many commands it is counted as; see [`Payload::weight`].
    pub fn weight(&self) -> u64 {
        self.payload.as_ref().map_or(1, Payload::weight)
    }

    /// Notes that the decided commands have been applied.
    pub fn execute(&mut self) {
        assert_eq!(self.phase, Phase::Committed, "only what is decided and new is executed");
        self.phase = Phase::Executed;
    }
}
