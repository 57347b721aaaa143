//! What a world, live or simulated, says of itself. All that is ever shown is folded from these.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::epaxos::command::Command;
use crate::epaxos::event::{Event, Reply, Timer};
use crate::epaxos::id::{InstanceId, MessageId, ReplicaId};
use crate::epaxos::message::Envelope;
use crate::epaxos::replica::{Input, Options, Output, ReplyOn};
use crate::epaxos::seat::Seat;
use crate::epaxos::time::Time;
use crate::kv::Store;
use crate::observe::filter::Filter;
use crate::observe::links::{Delay, LinkId, Lot, PerLink, draw, happens};
use crate::observe::query::Query;

/// What a cluster is, before anything happens in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The options that every replica started with; their `id` is to be ignored.
    pub options: Options,
    /// Whether proposals that wait together become one instance.
    pub batch: bool,
    /// Where each replica listens, as `host:port`; empty in a simulation.
    pub endpoints: Vec<String>,
}

impl Shape {
    /// A simulated cluster of `replicas` with the usual options.
    pub fn new(replicas: usize) -> Self {
        Self { options: Options::new(ReplicaId(0), replicas), batch: false, endpoints: Vec::new() }
    }

    /// N, the number of replicas.
    pub fn replicas(&self) -> usize {
        self.options.quorums.replicas()
    }

    /// When clients are answered.
    pub fn reply_on(&self) -> ReplyOn {
        self.options.reply_on
    }
}

/// One thing that a world says. The order is that in which a watcher hears them: never an effect
/// before its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A decision was taken, and this is what came of it.
    Step(Step),
    /// A message has crossed the network and is held at its receiver.
    Held(Held),
    /// What the gates hold back from now on.
    Gate(GateState),
    /// Somebody goes on, knowing what has met a breakpoint so far: the next that meets one counts.
    Armed,
    /// A message was given up by its sender without ever reaching the receiver's gate, since the
    /// link was down or its queue full.
    Lost(MessageId),
    /// More happens than can be looked at: nothing else is said of this replica until it shows itself,
    /// by [`Decision::Show`].
    Away {
        /// Which one.
        replica: ReplicaId,
        /// How many steps it has taken since then.
        unseen: u64,
    },
}

impl Notice {
    /// How much it tells of what replicas do, which is about what it takes to look at it.
    pub fn weight(&self) -> u64 {
        let Step { decision, effects, .. } = match self {
            Self::Step(step) => step,
            Self::Held(_) | Self::Lost(_) | Self::Away { .. } => return 1,
            Self::Gate(_) | Self::Armed => return 0,
        };
        let asked = if let Decision::Propose(commands) = decision { commands.len() } else { 0 };
        let told = |effect: &Effect| match effect {
            Effect::Event(Event::Executed { results, .. }) => results.len(),
            Effect::Send(_) | Effect::Reply(_) | Effect::Event(_) => 1,
        };
        1 + (asked + effects.iter().map(told).sum::<usize>()) as u64
    }
}

/// A replica as it is, after steps that nobody saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// How many steps those were.
    pub unseen: u64,
    /// The replica.
    pub seat: Seat<Store>,
    /// What is held at its gate, in order of arrival.
    pub held: Vec<(Envelope, HeldBy)>,
}

/// A message at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which one.
    pub id: MessageId,
    /// What keeps it there.
    pub why: HeldBy,
}

/// What keeps a message at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// Everything is paused; it goes on with the rest.
    Pause,
    /// A rule; it goes on when the rule is released.
    Rule,
    /// It is delayed, and goes on by itself after this long (while nothing is paused).
    Delay(Duration),
}

/// What gates let through, and what befalls it on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateState {
    /// Whether everything is held and the replicas' clocks stand still.
    pub paused: bool,
    /// Messages that meet one of these are held.
    pub holds: Vec<Filter>,
    /// Messages that meet one of these are kept for a while, whatever their link.
    pub delays: Vec<(Filter, Delay)>,
    /// Links that are cut, each in one direction.
    pub cuts: BTreeSet<LinkId>,
    /// How many messages in a hundred are lost on a link.
    pub loss: PerLink<u32>,
    /// How many messages in a hundred are doubled on a link.
    pub duplicates: PerLink<u32>,
    /// How much longer messages take on a link.
    pub lateness: PerLink<Delay>,
    /// Everything stops when something happens that meets one of these.
    pub breaks: Vec<Query>,
    /// What the draws for loss, duplicates and delays depend on, beside the messages' names.
    pub seed: u64,
}

impl GateState {
    /// Whether nothing at all happens to any message.
    pub fn is_open(&self) -> bool {
        !self.paused
            && self.holds.is_empty()
            && self.cuts.is_empty()
            && self.loss.is_plain()
            && self.duplicates.is_plain()
            && !self.delays_any()
    }

    /// Whether there are messages that are delayed.
    pub fn delays_any(&self) -> bool {
        !self.delays.is_empty() || !self.lateness.is_plain()
    }

    /// How long a message is kept for, where it meets a delay: that of the first description that it
    /// meets, otherwise that of its link.
    pub fn delay_of(&self, envelope: &Envelope) -> Option<Duration> {
        let met = self.delays.iter().find(|(filter, _)| filter.matches(envelope));
        let delay = met.map_or_else(|| self.lateness.of(LinkId::of(envelope)), |(_, delay)| *delay);
        (!delay.is_none()).then(|| delay.drawn(draw(self.seed, Lot::Delay, envelope.id)))
    }

    /// What keeps a message whose delay, where it met one, is over at `due`. A rule is named before
    /// a delay and a delay before the pause: it is what would still keep the message without the
    /// others.
    pub fn holds_back(&self, envelope: &Envelope, due: Option<Time>, now: Time) -> Option<HeldBy> {
        if self.holds.iter().any(|filter| filter.matches(envelope)) {
            return Some(HeldBy::Rule);
        }
        match due {
            Some(due) if due > now => Some(HeldBy::Delay(due.since(now))),
            _ if self.paused => Some(HeldBy::Pause),
            _ => None,
        }
    }

    /// Whether a message that nothing holds is lost. A function of its name: the same every time.
    pub fn loses(&self, envelope: &Envelope) -> bool {
        let link = LinkId::of(envelope);
        let lost = || happens(self.loss.of(link), draw(self.seed, Lot::Loss, envelope.id));
        self.cuts.contains(&link) || lost()
    }

    /// Whether a message that nothing holds, and that is not lost, is doubled. A function of its
    /// name. What is a twin already is not doubled again.
    pub fn doubles(&self, envelope: &Envelope) -> bool {
        let drawn = || draw(self.seed, Lot::Duplicate, envelope.id);
        envelope.id.copy == 0 && happens(self.duplicates.of(LinkId::of(envelope)), drawn())
    }
}

/// One entry of the decision log as a world reports it: what reached a replica, and all that came
/// of it. Replaying the decisions of a replica in order, each at its `now`, gives the same effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The replica that was reached, or whose message was.
    pub replica: ReplicaId,
    /// What its clock said.
    pub now: Time,
    /// What happened.
    pub decision: Decision,
    /// What came of it, in order.
    pub effects: Vec<Effect>,
    /// The timer that the replica waits for now, if any.
    pub timer: Option<(Time, Timer)>,
}

/// Everything that is not determined by what happened before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Clients asked for these, together.
    Propose(Vec<Command>),
    /// This message was let through.
    Deliver(Envelope),
    /// The replica's clock reached a timer.
    Wake,
    /// This message was thrown away at the gate.
    Drop(Envelope),
    /// This message was doubled at the gate; the twin has this name.
    Duplicate(Envelope, MessageId),
    /// This message never reached its receiver's gate: the sender, whose step this is, gave it up.
    /// No world says so as a step; a [`Notice::Lost`] becomes one in the log.
    Lose(Envelope),
    /// The replica lost everything but what is durable, and is down.
    Crash,
    /// The replica came back with what is durable.
    Restart,
    /// The replica's program failed with this sentence: it lost everything but what is durable, and
    /// is down. What it was at was lost with it.
    Panic(String),
    /// The replica showed itself: steps of it went unseen, since more happened than could be looked at.
    Show(Arc<Sight>),
}

/// What came of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A message went out.
    Send(Envelope),
    /// A client was answered.
    Reply(Reply),
    /// The replica showed this.
    Event(Event),
}

impl Decision {
    /// The name under which the trace tells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Propose(_) => "propose",
            Self::Deliver(_) => "deliver",
            Self::Wake => "timer",
            Self::Drop(_) => "drop",
            Self::Duplicate(..) => "duplicate",
            Self::Lose(_) => "lose",
            Self::Crash => "crash",
            Self::Restart => "recover",
            Self::Panic(_) => "panic",
            Self::Show(_) => "show",
        }
    }

    /// The message that it is about, where it is about one.
    pub fn message(&self) -> Option<&Envelope> {
        match self {
            Self::Deliver(envelope)
            | Self::Drop(envelope)
            | Self::Duplicate(envelope, _)
            | Self::Lose(envelope) => Some(envelope),
            Self::Propose(_)
            | Self::Wake
            | Self::Crash
            | Self::Restart
            | Self::Panic(_)
            | Self::Show(_) => None,
        }
    }

    /// The instance that the message is about.
    pub fn instance(&self) -> Option<InstanceId> {
        self.message().map(|envelope| envelope.message.instance())
    }

    /// What reached the replica; nothing where only a message was touched, or the replica came or went.
    pub fn input(&self) -> Option<Input> {
        match self {
            Self::Propose(commands) => Some(Input::Propose(commands.clone())),
            Self::Deliver(envelope) => {
                Some(Input::Receive { from: envelope.id.sender, message: envelope.message.clone() })
            }
            Self::Wake => Some(Input::Wake),
            Self::Drop(_)
            | Self::Duplicate(..)
            | Self::Lose(_)
            | Self::Crash
            | Self::Restart
            | Self::Panic(_)
            | Self::Show(_) => None,
        }
    }
}

impl Effect {
    /// An output as others see it: a message gets its name, from its sender and how many messages
    /// that has sent, which grows with it.
    pub fn of(output: Output, sender: ReplicaId, sent: &mut u64) -> Self {
        match output {
            Output::Send { to, message } => {
                let id = MessageId { sender, number: *sent, copy: 0 };
                *sent += 1;
                Self::Send(Envelope { id, to, message })
            }
            Output::Reply(reply) => Self::Reply(reply),
            Output::Observe(event) => Self::Event(*event),
        }
    }
}
