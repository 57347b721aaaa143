//! Ways to break the protocol on purpose, to see that the tests notice.
//!
//! Each takes away one thing that the protocol needs, most of them things that some published
//! implementation lacks. The switch exists only with the feature `mutations`, which only tests turn
//! on; without it [`Replica`](crate::epaxos::replica::Replica) is compiled as if nothing of this were
//! there.

use std::fmt;
use std::str::FromStr;

/// One way to break the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutation {
    /// One ballot variable for promise and vote: a vote is reported in the ballot joined since.
    SingleBallot,
    /// What R4 finds is voted for without Validate.
    SkipValidate,
    /// R4 asks for `f` holders, whatever the quorum's size.
    HoldersThreshold,
    /// Replies that are equal to each other count for the fast path, not only those equal to the
    /// proposal.
    EqualToEachOther,
    /// `seq` is not compared for the fast path; the largest is committed.
    SeqNotCompared,
    /// A Validate that comes late is taken in after a vote in the same ballot.
    ValidateAfterVote,
    /// A PreAccept is taken in after a recovery was joined.
    PreAcceptAfterJoin,
    /// Recover is answered without a promise.
    NoPromise,
    /// A recoverer uses the next round of the ballot it knows, under its driver's name.
    SharedBallots,
    /// The command leader's own answer does not settle a recovery.
    DropR3,
    /// A conflict whose leader is outside the quorum does not settle a validation.
    DropV3,
    /// A dependency means the one instance it names, not all before it.
    LatestOnly,
    /// What is executed together begins with a replica's own instances.
    OwnFirst,
    /// A crash takes the promises along: only votes are durable.
    ForgetPromises,
    /// A crash takes along what was pre-accepted for others: only votes are durable.
    ForgetPreAccepts,
    /// A no-op is not followed by a new instance for its commands: the clients are told that they are
    /// done.
    AnswerNoops,
    /// A replica lets go of what it has executed itself, whether others have or not.
    LetGoEarly,
}

impl Mutation {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Mutation; 17] = [
        Self::SingleBallot,
        Self::SkipValidate,
        Self::HoldersThreshold,
        Self::EqualToEachOther,
        Self::SeqNotCompared,
        Self::ValidateAfterVote,
        Self::PreAcceptAfterJoin,
        Self::NoPromise,
        Self::SharedBallots,
        Self::DropR3,
        Self::DropV3,
        Self::LatestOnly,
        Self::OwnFirst,
        Self::ForgetPromises,
        Self::ForgetPreAccepts,
        Self::AnswerNoops,
        Self::LetGoEarly,
    ];

    /// The mutation's name, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleBallot => "single-ballot",
            Self::SkipValidate => "skip-validate",
            Self::HoldersThreshold => "holders-threshold",
            Self::EqualToEachOther => "equal-to-each-other",
            Self::SeqNotCompared => "seq-not-compared",
            Self::ValidateAfterVote => "validate-after-vote",
            Self::PreAcceptAfterJoin => "pre-accept-after-join",
            Self::NoPromise => "no-promise",
            Self::SharedBallots => "shared-ballots",
            Self::DropR3 => "drop-r3",
            Self::DropV3 => "drop-v3",
            Self::LatestOnly => "latest-only",
            Self::OwnFirst => "own-first",
            Self::ForgetPromises => "forget-promises",
            Self::ForgetPreAccepts => "forget-pre-accepts",
            Self::AnswerNoops => "answer-noops",
            Self::LetGoEarly => "let-go-early",
        }
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mutation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|mutation| mutation.name() == text);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|mutation| mutation.name()).collect();
            format!("there is no mutation {text}; there are {}", names.join(", "))
        })
    }
}
