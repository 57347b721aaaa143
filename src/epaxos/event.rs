//! What an observer may learn of a step beyond the messages it sent: enough to explain it without
//! asking the replica anything. Nothing in the protocol depends on an event.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::{Command, Outcome, Payload, RequestId};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::{Path, Phase};
use crate::epaxos::message::MessageKind;
use crate::epaxos::quorum::ReplicaSet;

/// One thing that happened inside a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Client commands became a new instance, led by this replica.
    Proposed {
        /// The new instance.
        instance: InstanceId,
        /// The commands it carries, several where proposals were batched.
        commands: Arc<[Command]>,
        /// What the leader proposes for it.
        attributes: Attributes,
        /// The instance of this replica that was decided to be a no-op and whose commands these are.
        instead_of: Option<InstanceId>,
    },
    /// A request came again, or may have: it gets the first one's answer, or is told that this is
    /// unknown, and has no effect of its own.
    Repeated {
        /// The request.
        request: RequestId,
    },
    /// An instance changed its phase, or its attributes within one.
    Status(StatusChange),
    /// A committed instance was applied to the store.
    Executed {
        /// The instance.
        instance: InstanceId,
        /// What it carried.
        payload: Payload,
        /// What each of its commands came to.
        results: Vec<Applied>,
        /// How many instances this replica had executed before it.
        order: u64,
        /// The strongly connected component it belongs to, in execution order.
        component: Arc<[InstanceId]>,
    },
    /// A committed instance cannot execute before another one is committed here.
    Blocked {
        /// The committed instance.
        instance: InstanceId,
        /// The first uncommitted instance in its way.
        on: InstanceId,
        /// Whether this replica had never heard of `on` but as a dependency.
        unseen: bool,
        /// Whether the instance has waited for another one before.
        again: bool,
    },
    /// The execution graph was searched for what is ready.
    Searched {
        /// Committed instances from which the search started.
        candidates: u64,
        /// Edges followed.
        edges: u64,
    },
    /// This replica sets out to finish an instance in a higher ballot.
    Recovering {
        /// The instance.
        instance: InstanceId,
        /// The ballot.
        ballot: Ballot,
    },
    /// This replica joined another one's ballot.
    Joined {
        /// The instance.
        instance: InstanceId,
        /// The ballot.
        ballot: Ballot,
    },
    /// A rule of recovery decided how this replica goes on with an instance.
    Ruled {
        /// The instance.
        instance: InstanceId,
        /// The rule.
        rule: Rule,
    },
    /// What is over was let go: this replica no longer has it.
    LetGo {
        /// For each row, all that is gone by now.
        upto: Dependencies,
        /// Who has not executed all of it: left behind, they will never hear of it from here.
        without: ReplicaSet,
    },
    /// Somebody no longer has what this replica has not executed yet. It leads and answers nothing
    /// any more, unless another one can still tell it what it lacks.
    LeftBehind {
        /// Who said so.
        by: ReplicaId,
        /// The first instance that is gone.
        instance: InstanceId,
    },
    /// This replica, which had been left behind, has executed after all what it lacked.
    CaughtUp,
    /// A timer was due and acted upon.
    TimerFired(Timer),
    /// A message was not acted upon.
    Ignored {
        /// Who sent it.
        from: ReplicaId,
        /// What it was.
        kind: MessageKind,
        /// The instance it was about.
        instance: InstanceId,
        /// Why.
        reason: Reason,
    },
}

impl Event {
    /// The name under which the trace tells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Proposed { .. } => "propose",
            Self::Repeated { .. } => "repeat",
            Self::Status(_) => "status",
            Self::Executed { .. } => "execute",
            Self::Blocked { .. } => "blocked",
            Self::Searched { .. } => "search",
            Self::Recovering { .. } => "recovering",
            Self::Joined { .. } => "join",
            Self::Ruled { .. } => "rule",
            Self::LetGo { .. } => "let-go",
            Self::LeftBehind { .. } => "left-behind",
            Self::CaughtUp => "caught-up",
            Self::TimerFired(_) => "timer",
            Self::Ignored { .. } => "ignored",
        }
    }

    /// The instance it is about, where it is about one.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::Status(change) => Some(change.instance),
            Self::TimerFired(timer) => Some(timer.instance),
            Self::Proposed { instance, .. }
            | Self::Executed { instance, .. }
            | Self::Blocked { instance, .. }
            | Self::Recovering { instance, .. }
            | Self::Joined { instance, .. }
            | Self::Ruled { instance, .. }
            | Self::LeftBehind { instance, .. }
            | Self::Ignored { instance, .. } => Some(*instance),
            Self::Repeated { .. } | Self::Searched { .. } | Self::LetGo { .. } | Self::CaughtUp => {
                None
            }
        }
    }
}

/// What one executed command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What it came to.
    pub outcome: Outcome,
    /// Whether its request had taken effect before, or may have, so that it had none itself.
    pub repeated: bool,
    /// From the proposal to the execution, where the command was proposed at this replica.
    pub latency: Option<Duration>,
}

/// An instance's change at one replica, with the cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// The instance.
    pub instance: InstanceId,
    /// The phase before.
    pub from: Phase,
    /// The phase after.
    pub to: Phase,
    /// The ballot joined, after.
    pub ballot: Ballot,
    /// What it carries, after.
    pub payload: Payload,
    /// The attributes before.
    pub before: Attributes,
    /// The attributes after.
    pub after: Attributes,
    /// What brought the change about.
    pub cause: Cause,
}

impl StatusChange {
    /// How the instance was committed, where this change commits it.
    pub fn path(&self) -> Option<Path> {
        match self.cause {
            Cause::FastQuorum { .. } => Some(Path::Fast),
            Cause::SlowQuorum { .. } => Some(Path::Slow),
            Cause::Committed { path, .. } => Some(path),
            Cause::RecoveryQuorum { .. } => Some(Path::Recovery),
            Cause::Proposed
            | Cause::PreAccept { .. }
            | Cause::SlowPath { .. }
            | Cause::Accept { .. }
            | Cause::Recovery(_) => None,
        }
    }
}

/// Which rule of the protocol changed an instance, and on what evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// This replica leads it and recorded its own proposal.
    Proposed,
    /// The command leader asked.
    PreAccept {
        /// The leader.
        from: ReplicaId,
        /// What the leader proposed; the attributes after hold what was known here in addition.
        proposal: Attributes,
    },
    /// A fast quorum holds exactly the leader's proposal.
    FastQuorum {
        /// Who does, the leader included.
        equal: ReplicaSet,
    },
    /// No fast quorum came together.
    SlowPath {
        /// All votes in order of arrival, the leader's own first.
        votes: Vec<(ReplicaId, Attributes)>,
        /// Whether a fast quorum was still possible when the leader stopped waiting for it.
        timed_out: bool,
    },
    /// The driver of a ballot asked for a vote.
    Accept {
        /// The driver.
        from: ReplicaId,
    },
    /// A slow quorum voted.
    SlowQuorum {
        /// Who did, the leader included.
        accepted: ReplicaSet,
    },
    /// This replica recovers it, and a rule said what to vote for.
    Recovery(Rule),
    /// A slow quorum voted for what the recoverer proposed.
    RecoveryQuorum {
        /// Who did, the recoverer included.
        accepted: ReplicaSet,
    },
    /// Somebody said that it is decided.
    Committed {
        /// Who.
        from: ReplicaId,
        /// How it was decided.
        path: Path,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proposed => f.write_str("proposed"),
            Self::PreAccept { from, .. } => write!(f, "PreAccept from {from}"),
            Self::FastQuorum { equal } => write!(f, "fast path: {equal} hold the proposal"),
            Self::SlowPath { timed_out: false, .. } => f.write_str("slow path: attributes differ"),
            Self::SlowPath { timed_out: true, .. } => {
                f.write_str("slow path: no fast quorum in time")
            }
            Self::Accept { from } => write!(f, "Accept from {from}"),
            Self::SlowQuorum { accepted } => write!(f, "slow path: {accepted} accepted"),
            Self::Recovery(rule) => write!(f, "recovery: {rule}"),
            Self::RecoveryQuorum { accepted } => write!(f, "recovery: {accepted} accepted"),
            Self::Committed { from, path } => write!(f, "Commit from {from}, {path} path"),
        }
    }
}

/// How a recovery goes on: which rule applied first.
///
/// In what follows Q is the recovery quorum, the N−f replicas whose answers are used; the *holders*
/// are those of Q that have the instance pre-accepted exactly as its leader proposed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Somebody knows it to be committed: so be it.
    R1,
    /// Somebody voted, and nobody in a higher ballot: that may have been chosen, so it is voted for.
    R2,
    /// The command leader is in Q and has not committed: it never will, so there was no fast commit.
    R3,
    /// There are enough holders for a fast commit to have happened: the proposal is validated.
    R4,
    /// There are too few holders for that: a no-op.
    R5,
    /// Nothing speaks against a fast commit: the proposal is voted for.
    V1,
    /// A committed instance speaks against it: a no-op.
    V2,
    /// A fast commit would need all outside Q to hold the proposal, but the leader of a conflicting
    /// instance is outside Q and cannot: a no-op.
    V3,
    /// Undecided instances speak against it: wait for what becomes of them.
    V4,
    /// One of them was committed without a dependency on this one: a no-op.
    W1,
    /// All of them were committed as no-ops or with a dependency on this one: the proposal.
    W2,
    /// The recovery of one of them waits too, with so many holders that this one cannot have been
    /// committed fast: a no-op.
    W3,
    /// A replica outside Q answered that makes it plain: it voted, or it is the command leader.
    W4,
}

impl Rule {
    /// All rules, in order.
    pub const ALL: [Rule; 13] = [
        Self::R1,
        Self::R2,
        Self::R3,
        Self::R4,
        Self::R5,
        Self::V1,
        Self::V2,
        Self::V3,
        Self::V4,
        Self::W1,
        Self::W2,
        Self::W3,
        Self::W4,
    ];

    /// The rule's name, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::R1 => "R1",
            Self::R2 => "R2",
            Self::R3 => "R3",
            Self::R4 => "R4",
            Self::R5 => "R5",
            Self::V1 => "V1",
            Self::V2 => "V2",
            Self::V3 => "V3",
            Self::V4 => "V4",
            Self::W1 => "W1",
            Self::W2 => "W2",
            Self::W3 => "W3",
            Self::W4 => "W4",
        }
    }

    /// What the rule found, in a few words.
    pub fn finding(self) -> &'static str {
        match self {
            Self::R1 => "somebody knows the decision",
            Self::R2 => "somebody voted",
            Self::R3 => "the command leader has not committed",
            Self::R4 => "enough hold the proposal",
            Self::R5 => "too few hold the proposal",
            Self::V1 => "nothing speaks against the proposal",
            Self::V2 => "a committed instance speaks against it",
            Self::V3 => "the leader of a conflicting instance is missing",
            Self::V4 => "undecided instances speak against it",
            Self::W1 => "one of them was committed without it",
            Self::W2 => "all of them were committed after it",
            Self::W3 => "one of them had too many holders",
            Self::W4 => "a late answer made it plain",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.name(), self.finding())
    }
}

/// What a replica wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// The instance it is about.
    pub instance: InstanceId,
    /// What is to be done.
    pub kind: TimerKind,
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.instance)
    }
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKind {
    /// A slow quorum has answered the PreAccept: stop hoping for a fast one.
    FastPath,
    /// Too few have answered: ask everybody who has not.
    Resend,
    /// An instance of another replica is still undecided: finish it.
    Recover,
}

impl TimerKind {
    /// The timer's name, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::FastPath => "fast-path",
            Self::Resend => "resend",
            Self::Recover => "recover",
        }
    }
}

impl fmt::Display for TimerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a message was not acted upon. Ordinary: networks repeat, reorder and delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its ballot is below the one joined or, of a reply, not the one that is being driven.
    StaleBallot,
    /// It was acted upon before; the answer, if it has one, is sent again.
    Repeated,
    /// The instance is committed here; the sender is told so, unless it just said so.
    AlreadyCommitted,
    /// The replica has voted since; a PreAccept comes too late.
    AlreadyAccepted,
    /// Nothing waits for it: the count it belongs to is over.
    NotWaiting,
    /// Only the driver of its ballot may send it, the command leader for a PreAccept, and the sender
    /// is another replica.
    NotTheLeader,
    /// It asks a member of a recovery quorum that this replica never was.
    NotJoined,
    /// It is about an instance of this replica that this replica never led: somebody is mistaken, or
    /// this replica has been here before and has forgotten it.
    NeverLed,
    /// All that there was to do about its instance is done, and this replica no longer has it.
    LetGo,
    /// The sender lacks what this replica no longer has, and is told so.
    LeftBehind,
    /// It names slots further beyond this replica's log than an honest sender can, or slots of this
    /// replica that it never led.
    TooFarAhead,
    /// The instances that are not executed here take as much room as they may.
    NoRoom,
    /// This replica was left behind, and records nothing that it cannot execute.
    Lagging,
}

impl Reason {
    /// All reasons, in the order in which counters list them.
    pub const ALL: [Reason; 13] = [
        Self::StaleBallot,
        Self::Repeated,
        Self::AlreadyCommitted,
        Self::AlreadyAccepted,
        Self::NotWaiting,
        Self::NotTheLeader,
        Self::NotJoined,
        Self::NeverLed,
        Self::LetGo,
        Self::LeftBehind,
        Self::TooFarAhead,
        Self::NoRoom,
        Self::Lagging,
    ];

    /// The reason's name, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::StaleBallot => "stale-ballot",
            Self::Repeated => "repeated",
            Self::AlreadyCommitted => "already-committed",
            Self::AlreadyAccepted => "already-accepted",
            Self::NotWaiting => "not-waiting",
            Self::NotTheLeader => "not-the-leader",
            Self::NotJoined => "not-joined",
            Self::NeverLed => "never-led",
            Self::LetGo => "let-go",
            Self::LeftBehind => "left-behind",
            Self::TooFarAhead => "too-far-ahead",
            Self::NoRoom => "no-room",
            Self::Lagging => "lagging",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The answer to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The command that it answers, with the client's name for the request.
    pub command: Command,
    /// What the request came to.
    pub outcome: Outcome,
    /// From the proposal to the commit, at this replica; unknown where an earlier answer is
    /// repeated.
    pub commit_latency: Option<Duration>,
    /// From the proposal to the execution, at this replica; unknown where the answer was given
    /// before that.
    pub execute_latency: Option<Duration>,
    /// How the command was committed; unknown where an earlier answer is repeated.
    pub path: Option<Path>,
}
