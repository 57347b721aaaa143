//! What must be true of every run, checked while it happens.
//!
//! A [`Checker`] is told, step by step, what the replicas of one cluster do, and compares it with
//! what EPaxos promises. It knows no replica and no network: a simulation, a live cluster and a
//! recorded trace are all the same to it. What one replica must hold by itself is checked in the
//! core (`Replica::check_invariants`); everything here is about what several of them have done, or
//! one of them at different times.
//!
//! | file | properties |
//! |---|---|
//! | `consensus.rs` | what is decided, and the ballots in which it is |
//! | `execution.rs` | in which order it is executed, and what comes of that |
//! | `history.rs` | whether the clients could tell the cluster from a single store |
//! | `recorded.rs` | reading all this back from a trace |

mod consensus;
mod execution;
pub mod fact;
pub mod history;
pub mod recorded;

use std::fmt;

use crate::check::consensus::Consensus;
use crate::check::execution::Executions;
use crate::check::fact::Fact;
use crate::check::history::History;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::quorum::Quorums;
use crate::epaxos::replica::ReplyOn;
use crate::observe::notice::{Decision, Step};

/// Something that must be true of every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// What is decided is what a client asked the command leader for, or a no-op.
    Nontriviality,
    /// No two replicas decide differently.
    Agreement,
    /// What a replica has decided stays as it is there.
    Stability,
    /// Of two decided instances that interfere one depends on the other, and none on itself.
    Visibility,
    /// A replica never goes back to a lower ballot, and votes only for what was proposed in its ballot.
    Ballots,
    /// All who propose in one ballot of an instance propose the same.
    Proposals,
    /// An acceptor records at least what the leader knew.
    Growth,
    /// What a quorum has chosen is what every later ballot proposes.
    Choice,
    /// An instance is executed after all that it depends on, or together with it.
    Closure,
    /// An instance is executed once, and a client's write takes effect once.
    Once,
    /// Interfering commands are executed in the same order everywhere.
    Order,
    /// What was answered before another one was asked for is executed before it.
    RealTime,
    /// A read returns what the store holds, and a client is told what execution came to.
    Answers,
    /// Replicas that have executed the same have the same store.
    Convergence,
    /// What is decided and not executed waits for something undecided.
    Progress,
    /// What is let go was executed by all but those who are left behind, and these are no majority.
    LettingGo,
    /// The clients cannot tell the cluster from a single store.
    Linearizability,
}

impl Property {
    /// All properties, in the order in which they are listed.
    pub const ALL: [Property; 17] = [
        Self::Nontriviality,
        Self::Agreement,
        Self::Stability,
        Self::Visibility,
        Self::Ballots,
        Self::Proposals,
        Self::Growth,
        Self::Choice,
        Self::Closure,
        Self::Once,
        Self::Order,
        Self::RealTime,
        Self::Answers,
        Self::Convergence,
        Self::Progress,
        Self::LettingGo,
        Self::Linearizability,
    ];

    /// The property's name, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nontriviality => "nontriviality",
            Self::Agreement => "agreement",
            Self::Stability => "stability",
            Self::Visibility => "visibility",
            Self::Ballots => "ballots",
            Self::Proposals => "one-proposal",
            Self::Growth => "growth",
            Self::Choice => "choice",
            Self::Closure => "closure",
            Self::Once => "once",
            Self::Order => "order",
            Self::RealTime => "real-time",
            Self::Answers => "answers",
            Self::Convergence => "convergence",
            Self::Progress => "progress",
            Self::LettingGo => "letting-go",
            Self::Linearizability => "linearizability",
        }
    }

    /// What the property says, at more length.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Nontriviality => {
                "Every decided command is one that a client asked the command leader for. Anything \
                 else that may be decided is a no-op."
            }
            Self::Agreement => {
                "Two replicas that have decided an instance have the same commands, the same seq and \
                 the same dependencies for it."
            }
            Self::Stability => {
                "What a replica has decided it never changes, whatever arrives after that, and \
                 whatever it went through."
            }
            Self::Visibility => {
                "Of two decided instances that interfere at least one depends on the other, or \
                 replicas could execute them in either order. None depends on itself."
            }
            Self::Ballots => {
                "A replica that has joined a ballot acts on no lower one, not even after a crash; and \
                 it votes only for what the ballot's driver has proposed."
            }
            Self::Proposals => {
                "All PreAccepts of an instance carry the same, as do all who say later what its leader \
                 proposed; all Accepts of one ballot do; and a slot is led once."
            }
            Self::Growth => {
                "An acceptor records the leader's attributes and whatever it knows in addition: never \
                 less."
            }
            Self::Choice => {
                "Once a fast quorum or a majority has chosen, every Accept in a higher ballot carries \
                 what was chosen. This is what recovery has to keep."
            }
            Self::Closure => {
                "When an instance is executed, all that it depends on is decided, and what interferes \
                 is executed before it or in its component."
            }
            Self::Once => {
                "A replica executes an instance once (again only after a crash, with an empty store), \
                 and a request takes effect in one instance only."
            }
            Self::Order => {
                "All replicas execute the writes of a key in the same order, and each read between the \
                 same two writes."
            }
            Self::RealTime => {
                "If a command was answered before another one that interferes was asked for, every \
                 replica executes it first."
            }
            Self::Answers => {
                "A read returns what the commands executed before it have left, and the client is told \
                 just that."
            }
            Self::Convergence => {
                "Two replicas that have executed the same instances have the same store."
            }
            Self::Progress => {
                "A decided instance that is not executed waits for one that is not decided; it is never \
                 just forgotten."
            }
            Self::LettingGo => {
                "A replica lets go only of what all others have executed; or all but those it says to \
                 leave behind, who are never so many that the others are no majority."
            }
            Self::Linearizability => {
                "There is an order of all operations on a key, true to what was over before what, in \
                 which a single store would have given the same answers."
            }
        }
    }

    /// What the property says, in one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Nontriviality => "what is decided was asked for by a client, or is a no-op",
            Self::Agreement => "no two replicas decide differently",
            Self::Stability => "a decision never changes",
            Self::Visibility => "of two interfering decisions one depends on the other",
            Self::Ballots => "ballots never go back, and votes are for what was proposed",
            Self::Proposals => "one ballot of an instance has one proposal",
            Self::Growth => "an acceptor records at least what the leader knew",
            Self::Choice => "what a quorum chose is what later ballots propose",
            Self::Closure => "an instance is executed after all that it depends on",
            Self::Once => "what is asked for takes effect once",
            Self::Order => "interfering commands have one order everywhere",
            Self::RealTime => "what was answered first is executed first",
            Self::Answers => "clients are told what the store holds",
            Self::Convergence => "the same commands make the same store",
            Self::Progress => "what is not executed waits for something undecided",
            Self::LettingGo => "what is let go was executed",
            Self::Linearizability => "clients see a single store",
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A property that a run has not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub property: Property,
    /// How many steps had been told, the one that shows it included; in a trace, the number of the
    /// line. What shows only at the end has the number of the last one.
    pub at: u64,
    /// Where it showed.
    pub replica: Option<ReplicaId>,
    /// The instance that shows it.
    pub instance: Option<InstanceId>,
    /// What is wrong.
    pub sentence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.sentence)
    }
}

/// Watches a run, and says what is wrong with it.
#[derive(Clone, Debug)]
pub struct Checker {
    consensus: Consensus,
    executions: Executions,
    history: History,
    /// Whether clients are answered only after execution: otherwise nothing is promised about what
    /// they see of each other.
    linearizable: bool,
    /// The step before which something went unseen. Nothing can be told of what comes after it.
    blind_since: Option<u64>,
    report: Report,
}

/// Where violations are noted.
#[derive(Clone, Debug, Default)]
struct Report {
    at: u64,
    violations: Vec<Violation>,
}

impl Report {
    /// Notes a violation. One mistake may show in a thousand places: of each property the first few
    /// are kept.
    fn violation(
        &mut self,
        property: Property,
        replica: impl Into<Option<ReplicaId>>,
        instance: impl Into<Option<InstanceId>>,
        sentence: String,
    ) {
        let mut same = self.violations.iter().filter(|violation| violation.property == property);
        // What shows only at the end shows at every end.
        let known = same.clone().any(|violation| violation.sentence == sentence);
        if !known && same.by_ref().count() < KEPT_EACH {
            self.violations.push(Violation {
                property,
                at: self.at,
                replica: replica.into(),
                instance: instance.into(),
                sentence,
            });
        }
    }
}

impl Checker {
    /// A checker of a run that is about to begin.
    pub fn new(quorums: Quorums, reply_on: ReplyOn) -> Self {
        Self {
            consensus: Consensus::new(quorums),
            executions: Executions::new(quorums.replicas()),
            history: History::default(),
            linearizable: reply_on == ReplyOn::Execute,
            blind_since: None,
            report: Report::default(),
        }
    }

    /// Takes note of a step.
    pub fn step(&mut self, step: &Step) {
        self.report.at += 1;
        if let Decision::Show(_) = step.decision {
            self.miss(self.report.at);
        }
        for fact in Fact::of(step) {
            self.fact(step.replica, &fact);
        }
    }

    /// Takes note of one thing that a line of a trace tells.
    pub fn line(&mut self, n: u64, replica: ReplicaId, fact: &Fact<'_>) {
        self.report.at = n;
        self.fact(replica, fact);
    }

    /// Takes note that something went unseen before what is told as this step or line.
    pub fn miss(&mut self, at: u64) {
        self.blind_since.get_or_insert(at);
    }

    fn fact(&mut self, replica: ReplicaId, fact: &Fact<'_>) {
        if self.blind_since.is_some() {
            return;
        }
        let Self { consensus, executions, history, linearizable, report, .. } = self;
        consensus.see(replica, fact, executions, report);
        executions.see(replica, fact, consensus, *linearizable, report);
        history.see(fact);
        if let Fact::LetGo { upto, without } = fact {
            // Who is left behind may still show that it goes astray, for a while.
            let lag = if without.is_empty() { 0 } else { LEFT_BEHIND_KEPT };
            let too_long = history.shorten();
            consensus.forget(&upto.without_last(lag), |id, payload| {
                executions.forget(id, payload, too_long);
            });
        }
    }

    /// Checks what can only be told when nothing more is going to happen. May be called again later:
    /// a run can go on after it.
    pub fn finish(&mut self) {
        if self.blind_since.is_some() {
            return;
        }
        self.executions.finish(&self.consensus, &mut self.report);
        if self.linearizable {
            self.history.finish(&self.executions, &mut self.report);
        }
    }

    /// For traces: clients are answered before execution, so that nothing is promised about what they
    /// see of each other.
    pub fn expect_early_answers(&mut self) {
        self.linearizable = false;
    }

    /// Whether the run promises a property: where clients are answered before execution, nothing is
    /// promised about what they see of each other.
    pub fn promises(&self, property: Property) -> bool {
        self.linearizable || !matches!(property, Property::RealTime | Property::Linearizability)
    }

    /// What was found, in the order in which it showed; of each property the first few.
    pub fn violations(&self) -> &[Violation] {
        &self.report.violations
    }

    /// The step before which something went unseen, if anything did: nothing is checked from there on.
    pub fn blind_since(&self) -> Option<u64> {
        self.blind_since
    }

    /// How many steps have been told.
    pub fn steps(&self) -> u64 {
        self.report.at
    }

    /// How many requests clients have made.
    pub fn requests(&self) -> usize {
        self.history.len()
    }

    /// How many instances are decided, as far as anybody has shown.
    pub fn decided(&self) -> u64 {
        self.consensus.decided()
    }
}

/// How much of each row is kept that was let go without somebody.
const LEFT_BEHIND_KEPT: u64 = 10_000;

/// How many violations of one property are kept.
const KEPT_EACH: usize = 8;
