//! One replica: the door through which everything enters, and what it holds.

mod accept;
mod ahead;
mod commit;
mod fetching;
mod invariants;
mod left_behind;
mod letting_go;
mod load;
mod mutated;
mod pre_accept;
mod recovery;
mod requests;
mod restart;
mod timers;
mod validation;

pub use self::ahead::{AHEAD_MAX, BACKLOG_BYTES_MAX, LAGGING_BYTES_MAX};
pub use self::requests::REPEATABLE;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::epaxos::amount::Amount;
use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::{Command, Outcome, Payload, StateMachine};
use crate::epaxos::event::{Cause, Event, Reason, Reply, StatusChange, Timer};
use crate::epaxos::execution::Execution;
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::index::ConflictIndex;
use crate::epaxos::instance::Instance;
use crate::epaxos::keys::{Keys, Touches};
use crate::epaxos::message::{Message, MessageKind, RecoverReply};
#[cfg(feature = "mutations")]
use crate::epaxos::mutation::Mutation;
use crate::epaxos::quorum::{PreAcceptTally, Quorums, ReplicaSet};
use crate::epaxos::replica::fetching::Fetching;
use crate::epaxos::replica::left_behind::Fenced;
use crate::epaxos::replica::recovery::Watch;
use crate::epaxos::replica::requests::Requests;
use crate::epaxos::replica::validation::Validation;
use crate::epaxos::space::Rows;
use crate::epaxos::time::Time;

/// Something that happens to a replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Clients ask for these commands. Those that are new become one instance together.
    Propose(Vec<Command>),
    /// A message from another replica arrives.
    Receive {
        /// Who sent it.
        from: ReplicaId,
        /// What it says.
        message: Message,
    },
    /// Time has passed. Due timers are acted upon; where none is due, nothing happens.
    Wake,
}

/// Something that the host must now do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message to another replica. It may be lost, delayed, repeated or reordered.
    Send {
        /// Who is to receive it.
        to: ReplicaId,
        /// What it says.
        message: Message,
    },
    /// Answer a client, if it is one of the host's and still there.
    Reply(Reply),
    /// Show this to whoever watches.
    Observe(Box<Event>),
}

/// When a client is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReplyOn {
    /// Once its command has been executed. Linearizable.
    #[default]
    Execute,
    /// A write once it is committed, a read once it has been executed. Sooner under conflicts, but
    /// two writes that do not overlap in time may then be executed in either order where a third
    /// one ties them into one component. And a write is answered before it is known whether it takes
    /// effect: one that is executed after so many later ones of its key that its outcome is
    /// [`Outcome::Unknown`] may have been answered as written.
    Commit,
}

/// How long to wait before asking again. On loopback an answer takes well under a millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// From a slow quorum of PreAccept replies until a fast one is no longer hoped for.
    pub fast_path: Duration,
    /// From a request to the first repetition of it; doubled with each further one.
    pub resend: Duration,
    /// The longest time between two repetitions.
    pub resend_max: Duration,
    /// From hearing of another replica's instance until it is recovered, where it is not decided by
    /// then; drawn between this and twice as long, and doubled with each further try. `None` to leave
    /// instances to their leaders. See [`Timeouts::patient`].
    pub recover: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            fast_path: Duration::from_millis(50),
            resend: Duration::from_millis(300),
            resend_max: Duration::from_secs(5),
            recover: Some(Duration::from_secs(3)),
        }
    }
}

impl Timeouts {
    /// The same, with patience enough for a leader whose first quorum has lost a member: it asks the
    /// others when it repeats its request. Were it overtaken before that, its command would become a
    /// no-op, and so would the one in its place, for ever.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { recover: self.recover.map(|recover| recover.max(2 * self.resend)), ..self }
    }
}

/// What a replica is told once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// Which replica it is.
    pub id: ReplicaId,
    /// The quorum sizes, and with them the number of replicas.
    pub quorums: Quorums,
    /// Whether to ask only as many replicas as a quorum needs, the next ones in ring order, and the
    /// others only when those do not answer.
    pub thrifty: bool,
    /// When clients are answered.
    pub reply_on: ReplyOn,
    /// How long to wait before asking again.
    pub timeouts: Timeouts,
    /// From what waiting times are drawn that should differ between replicas.
    pub seed: u64,
    /// How many commands are executed from one time that the others are told so to the next.
    pub gossip_every: u64,
    /// How many commands of each row are kept, at most, that everybody has executed. Counted in
    /// commands, like the next one, since an instance may hold one or a thousand of them.
    pub keep: u64,
    /// How many commands are kept for a replica that has not executed them, before the others go on
    /// without it, if they are a majority.
    pub keep_most: u64,
    /// How many bytes of keys and values are executed between two messages that tell the others so.
    /// The next message goes out at whichever limit is reached first, this one or `gossip_every`.
    pub gossip_bytes: u64,
    /// How many bytes of keys and values each row keeps, at most, that all replicas have executed.
    /// A row keeps no more than this limit and `keep` both allow.
    pub keep_bytes: u64,
    /// How many bytes of keys and values are kept for a replica that has not executed them, before
    /// the others go on without it. They do so at whichever limit is reached first, this one or
    /// `keep_most`.
    pub keep_most_bytes: u64,
    /// Whether anybody looks at events. Where nobody does, none are made.
    pub observed: bool,
    /// How the protocol is broken on purpose.
    #[cfg(feature = "mutations")]
    pub mutation: Option<Mutation>,
}

impl Options {
    /// The usual options of replica `id` in a cluster of `replicas`.
    pub fn new(id: ReplicaId, replicas: usize) -> Self {
        Self {
            id,
            quorums: Quorums::new(replicas),
            thrifty: true,
            reply_on: ReplyOn::default(),
            timeouts: Timeouts::default(),
            seed: 0,
            gossip_every: GOSSIP_EVERY,
            keep: KEEP,
            keep_most: KEEP_MOST,
            gossip_bytes: GOSSIP_BYTES,
            keep_bytes: KEEP_BYTES,
            keep_most_bytes: KEEP_MOST_BYTES,
            observed: true,
            #[cfg(feature = "mutations")]
            mutation: None,
        }
    }
}

/// How often the others are told, in commands, where nobody says: seldom enough to cost nothing even
/// where an instance holds a thousand, and not at all in runs that somebody follows step by step.
pub const GOSSIP_EVERY: u64 = 10_000;

/// How many commands are kept of each row, where nobody says. Nobody needs them: they are there to be
/// looked at and asked about, and as long as what the monitor's log tells of them.
pub const KEEP: u64 = 1024;

/// How many commands are kept for one that is behind, where nobody says: a few hundred megabytes, or a minute at ten
/// thousand commands a second.
pub const KEEP_MOST: u64 = 500_000;

/// The usual [`Options::gossip_bytes`]: four megabytes. Commands of more than 400 bytes reach it before
/// [`GOSSIP_EVERY`].
pub const GOSSIP_BYTES: u64 = 4 << 20;

/// The usual [`Options::keep_bytes`]: four megabytes a row.
pub const KEEP_BYTES: u64 = 4 << 20;

/// The usual [`Options::keep_most_bytes`]: 128 megabytes. A laptop that runs five replicas has room for
/// four such logs.
pub const KEEP_MOST_BYTES: u64 = 128 << 20;

/// What must survive a crash: a replica that forgets any of this may contradict a vote it cast, and
/// must not come back under its name. A step changes it before the messages that depend on it are
/// in the step's output, so a host that keeps outputs back until it has stored this is safe.
///
/// The store and the answers to clients are no part of it: they follow from the log, and a replica
/// that comes back executes again what the log has as executed. Unless it has let go of some of it:
/// see [`Kept`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Durable {
    /// The log.
    pub instances: Rows<Instance>,
    /// The slot for the next command led here. Never handed out twice.
    pub next_slot: u64,
    /// For each row, what was executed and is not in the log any more.
    pub let_go: Dependencies,
    /// What everything led or pre-accepted here depends on, since somebody may not have executed it
    /// and cannot be told any more.
    pub fence: Dependencies,
    /// What each replica has said to have executed, by replica.
    pub heard: Vec<Dependencies>,
}

/// What survives a crash beside [`Durable`], where something was let go: what is not in the log any
/// more cannot be executed again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kept<M> {
    machine: M,
    requests: Requests,
    executed: u64,
}

impl Durable {
    /// What a replica starts with, in a cluster of `replicas`.
    pub fn new(replicas: usize) -> Self {
        let none = Dependencies::NONE;
        Self {
            instances: Rows::new(replicas),
            next_slot: 0,
            let_go: none,
            fence: none,
            heard: vec![none; replicas],
        }
    }
}

/// One EPaxos replica as a state machine: no clock, no randomness, no I/O.
///
/// The host calls [`Replica::step`] with everything that happens, one thing at a time, and carries
/// out what it answers. It calls it with [`Input::Wake`] at [`Replica::next_wake`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica<M> {
    options: Options,
    durable: Durable,
    /// The numbers of keys, which the index and the execution go by. Derived from the log, like the
    /// next three.
    keys: Keys,
    index: ConflictIndex,
    /// The keys that each undecided instance touches, where its commands are known.
    touches: Rows<Touches>,
    execution: Execution,
    machine: M,
    requests: Requests,
    /// The instances this replica is driving to a decision.
    attempts: BTreeMap<InstanceId, Attempt>,
    /// The undecided instances of others that it will recover if nobody else decides them.
    watches: BTreeMap<InstanceId, Watch>,
    /// Those of its own that are recoveries which validate a proposal, or wait for what speaks against it.
    validating: BTreeSet<InstanceId>,
    /// The recoveries of others that were said to wait, with the most holders said.
    waiting: BTreeMap<InstanceId, usize>,
    /// The instances in which it voted for a no-op that is not decided. Each counts as interfering
    /// with everything: the no-op may yet lose.
    undecided_noops: BTreeSet<InstanceId>,
    timers: BTreeSet<(Time, Timer)>,
    /// When something was last received from each replica, as far as this one was loaded then.
    received: Vec<Time>,
    /// What is about to be let go without everybody having executed it.
    fenced: Option<Fenced>,
    /// The decisions that were asked for, by row.
    fetching: BTreeMap<ReplicaId, Fetching>,
    /// What others no longer have, while it is not executed here.
    missing: Option<Dependencies>,
    /// How many instances have been executed.
    executed: u64,
    /// How much has been executed since the others were told how far this replica is.
    untold: Amount,
    /// How many bytes of keys and values the instances have that are not executed.
    pending_bytes: u64,
    /// How much is executed and kept, by row.
    kept: Vec<Amount>,
    /// Room for what a batch comes to; empty but while one is executed.
    outcomes: Vec<Outcome>,
}

/// A decision that this replica is driving. Lost in a crash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Attempt {
    ballot: Ballot,
    stage: Stage,
    /// How often the current stage's request has been repeated.
    resends: u32,
    /// The one timer that is set for the attempt.
    timer: (Time, Timer),
}

/// What an attempt waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Replies to PreAccept.
    PreAccepting(PreAcceptTally),
    /// Votes for what was sent in Accept.
    Accepting {
        /// Who has voted, this replica included.
        voters: ReplicaSet,
    },
    /// Replicas that join, each with what it has, this replica included.
    Recovering(BTreeMap<ReplicaId, RecoverReply>),
    /// Word of what speaks against a fast commit.
    Validating(Validation),
    /// The decision of what does.
    Waiting(Validation),
}

impl Stage {
    /// Whether it looks at what became of other instances.
    fn is_validation(&self) -> bool {
        matches!(self, Self::Validating(_) | Self::Waiting(_))
    }
}

impl<M: StateMachine> Replica<M> {
    /// A new replica that applies its commands to `machine`.
    pub fn new(options: Options, machine: M) -> Self {
        let replicas = options.quorums.replicas();
        assert!(options.id.index() < replicas, "{} is not one of {replicas} replicas", options.id);
        Self {
            durable: Durable::new(replicas),
            keys: Keys::default(),
            index: ConflictIndex::new(replicas),
            touches: Rows::new(replicas),
            execution: mutated::execution(&options),
            machine,
            requests: Requests::new(options.id),
            attempts: BTreeMap::new(),
            watches: BTreeMap::new(),
            received: Vec::new(),
            validating: BTreeSet::new(),
            waiting: BTreeMap::new(),
            undecided_noops: BTreeSet::new(),
            timers: BTreeSet::new(),
            fenced: None,
            fetching: BTreeMap::new(),
            missing: None,
            executed: 0,
            untold: Amount::NONE,
            pending_bytes: 0,
            kept: vec![Amount::NONE; replicas],
            outcomes: Vec::new(),
            options,
        }
    }

    /// Advances the replica by one input, appending to `out` what the host must now do.
    ///
    /// The order of `out` is part of the contract: an output is carried out after every output
    /// before it. No input fails; what the replica will not act on becomes [`Event::Ignored`].
    /// `now` must not go back from one call to the next.
    pub fn step(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Propose(commands) => self.on_propose(now, commands, out),
            Input::Receive { from, message } => {
                self.note_received(now, from);
                self.on_message(now, from, message, out);
            }
            Input::Wake => self.on_wake(now, out),
        }
    }

    /// The time by which the replica wants an [`Input::Wake`], or `None` while it waits for nothing.
    /// A wake that comes early, late or twice does no harm.
    pub fn next_wake(&self) -> Option<Time> {
        self.next_timer().map(|(time, _)| time)
    }

    /// What the next wake is wanted for.
    pub fn next_timer(&self) -> Option<(Time, Timer)> {
        self.timers.first().copied()
    }

    /// Which replica this is.
    pub fn id(&self) -> ReplicaId {
        self.options.id
    }

    /// What must survive a crash.
    pub fn durable(&self) -> &Durable {
        &self.durable
    }

    /// The state that executed commands were applied to.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// How many instances it has executed since it came up with an empty store.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// How much the replica has executed and still keeps.
    pub fn kept(&self) -> Amount {
        self.kept.iter().copied().sum()
    }

    /// Whether somebody looks at events from now on.
    pub fn observe(&mut self, observed: bool) {
        self.options.observed = observed;
    }

    /// What others no longer have, where this replica has not executed it: it leads and answers
    /// nothing any more.
    pub fn missing(&self) -> Option<&Dependencies> {
        self.missing.as_ref()
    }

    fn on_message(&mut self, now: Time, from: ReplicaId, message: Message, out: &mut Vec<Output>) {
        debug_assert!(from != self.options.id, "a replica sends itself nothing");
        let about = message.instance();
        if about.replica == self.options.id && about.slot >= self.durable.next_slot {
            // Taken in, it would stand in the place of a command that is still to be led.
            return self.ignore(from, &message, Reason::NeverLed, out);
        }
        let tells = matches!(message, Message::Executed(_) | Message::Gone(_));
        if self.is_behind(from) && !tells && message.kind() != MessageKind::Commit {
            self.tell_gone(from, out);
            return self.ignore(from, &message, Reason::LeftBehind, out);
        }
        if self.is_let_go(about) && !tells {
            return self.ignore(from, &message, Reason::LetGo, out);
        }
        if let Some(reason) = self.refusal(&message) {
            self.catch_up_to(now, from, &message, out);
            return self.ignore(from, &message, reason, out);
        }
        match message {
            Message::PreAccept(message) => self.on_pre_accept(now, from, message, out),
            Message::PreAcceptReply(message) => self.on_pre_accept_reply(now, from, &message, out),
            Message::Accept(message) => self.on_accept(now, from, message, out),
            Message::AcceptReply(message) => self.on_accept_reply(now, from, &message, out),
            Message::Commit(message) => self.on_commit(now, from, message, out),
            Message::Recover(message) => self.on_recover(now, from, &message, out),
            Message::RecoverReply(message) => self.on_recover_reply(now, from, *message, out),
            Message::Validate(message) => self.on_validate(from, message, out),
            Message::ValidateReply(message) => self.on_validate_reply(now, from, &message, out),
            Message::Waiting(message) => self.on_waiting(now, &message, out),
            Message::Nack(message) => self.on_nack(now, from, &message, out),
            Message::Executed(message) => self.on_executed(from, &message, out),
            Message::Fetch(message) => self.on_fetch(from, &message, out),
            Message::Gone(message) => self.on_gone(from, message, out),
        }
    }

    /// The replicas to ask first so that, with this one, `quorum` of them are asked: just enough
    /// where the replica is thrifty, otherwise all. Those left behind come last: they are not heard.
    fn peers_for(&self, quorum: usize) -> impl Iterator<Item = ReplicaId> + use<M> {
        let replicas = self.options.quorums.replicas();
        let count = if self.options.thrifty { quorum - 1 } else { replicas - 1 };
        let behind: ReplicaSet = self.peers().filter(|peer| self.is_behind(*peer)).collect();
        let heard = self.peers().filter(move |peer| !behind.contains(*peer));
        heard.chain(self.peers().filter(move |peer| behind.contains(*peer))).take(count)
    }

    /// All other replicas, in ring order.
    fn peers(&self) -> impl Iterator<Item = ReplicaId> + use<M> {
        self.options.id.next(self.options.quorums.replicas())
    }

    /// Shows an event, if anybody looks.
    fn tell(&self, out: &mut Vec<Output>, event: impl FnOnce() -> Event) {
        if self.options.observed {
            out.push(Output::Observe(Box::new(event())));
        }
    }

    /// Says that a message was not acted upon, and why.
    fn ignore(&self, from: ReplicaId, message: &Message, reason: Reason, out: &mut Vec<Output>) {
        self.tell(out, || Event::Ignored {
            from,
            kind: message.kind(),
            instance: message.instance(),
            reason,
        });
    }

    /// Changes an instance, made where it is unknown; enters it in the conflict index in the same
    /// step, so that the next proposal and the next PreAccept see it; and tells what changed.
    fn update(
        &mut self,
        id: InstanceId,
        cause: Cause,
        change: impl FnOnce(&mut Instance),
        out: &mut Vec<Output>,
    ) {
        let instance = self.durable.instances.get_or_insert_with(id, || Instance::new(id));
        let (from, before) = (instance.phase, instance.attributes);
        let (known, bytes) = (instance.payload.clone(), instance.bytes());
        change(instance);
        self.pending_bytes = self.pending_bytes - bytes + instance.bytes();
        let payload =
            instance.payload.as_ref().expect("every change that is told sets the payload");
        let touches = self.touches.get_or_insert_with(id, || self.keys.touches(payload));
        let same = known.as_ref() == Some(payload);
        if known.is_some() && !same {
            *touches = self.keys.touches(payload);
        }
        // What is decided as it was pre-accepted is in the index as it is.
        if !same || before.seq != instance.attributes.seq {
            self.index.record(id, touches.as_slice(), instance.attributes.seq);
        }
        if *payload == Payload::Noop && !instance.phase.is_committed() {
            self.undecided_noops.insert(id);
        } else {
            self.undecided_noops.remove(&id);
        }
        if self.options.observed {
            out.push(Output::Observe(Box::new(Event::Status(StatusChange {
                instance: id,
                from,
                to: instance.phase,
                ballot: instance.ballot,
                payload: payload.clone(),
                before,
                after: instance.attributes,
                cause,
            }))));
        }
    }

    /// What this replica knows to interfere with what touches some keys, merged into `attributes`.
    fn add_interfering(
        &self,
        touches: &Touches,
        skip: Option<ReplicaId>,
        attributes: &mut Attributes,
    ) {
        let found = self.index.interfering(touches.as_slice(), skip);
        // At the limit `seq` no longer grows: the rest of the order decides.
        let seq = (found.seq + 1).min(Attributes::SEQ_MAX);
        attributes.merge(&Attributes { seq, deps: found.deps });
        // Of each row, the last one: a dependency means all before it.
        let rows = ReplicaId::all(self.options.quorums.replicas());
        for row in rows.filter(|row| Some(*row) != skip && !self.undecided_noops.is_empty()) {
            let (first, last) = (InstanceId::new(row, 0), InstanceId::new(row, u64::MAX));
            if let Some(noop) = self.undecided_noops.range(first..=last).next_back() {
                attributes.deps.add(*noop);
            }
        }
        attributes.deps.merge(&self.durable.fence);
    }
}

/// Sends one message to each of `replicas`.
fn send(replicas: impl Iterator<Item = ReplicaId>, message: &Message, out: &mut Vec<Output>) {
    out.extend(replicas.map(|to| Output::Send { to, message: message.clone() }));
}
