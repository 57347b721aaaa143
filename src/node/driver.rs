//! The event loop of one replica: one thing at a time, from one queue.

mod clients;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::epaxos::command::{Command, Key};
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::message::Envelope;
use crate::epaxos::replica::{Input, Options, Output, Replica};
use crate::epaxos::seat::Seat;
use crate::epaxos::space::Row;
use crate::epaxos::time::Time;
use crate::kv::Store;
use crate::net::convert;
use crate::net::link::Link;
use crate::net::server::{Incoming, Proposal, Waiter};
use crate::node::clock::Clock;
use crate::node::gate::Gate;
use crate::node::gathered::Gathered;
use crate::node::tally::Tally;
use crate::node::trap::{mentions, sentence};
use crate::node::watch::{Watch, Watcher};
use crate::observe::notice::{Decision, Effect, GateState, Notice, Sight, Step};
use crate::script::world::Next;

/// What a person or a script does to a replica.
#[derive(Debug)]
pub struct Control {
    /// What is to be done.
    pub act: Act,
    /// Told when it is done, after all notices of it, or why it cannot be.
    pub done: oneshot::Sender<Result<(), String>>,
}

/// What can be done to a replica and its gate.
#[derive(Clone, Debug)]
pub enum Act {
    /// Let a held message through.
    Deliver(MessageId),
    /// Throw a held message away.
    Drop(MessageId),
    /// Make a twin of a held message, under this name.
    Duplicate(MessageId, MessageId),
    /// Fire the next timer, setting the clock forward to it.
    Wake,
    /// Hold something else back from now on.
    SetGate(GateState),
    /// Lose everything but what is durable, and be down.
    Crash,
    /// Come back with what is durable.
    Restart,
    /// Set the clock forward.
    SetClock(Time),
    /// Take no part, for this reason, or take part again.
    Stand(Option<Arc<str>>),
    /// Tell what has been counted.
    Tally(mpsc::UnboundedSender<Tally>),
    /// Tell what the replica is now, as a number.
    Fingerprint(mpsc::UnboundedSender<u64>),
    /// Tell what would come of something now, and let it not happen.
    Preview(Next, mpsc::UnboundedSender<Step>),
}

/// What a driver is told once.
#[derive(Debug)]
pub struct Parts {
    /// The replica's options. Whether it is observed is decided by `watcher`.
    pub options: Options,
    /// Whether proposals that wait together become one instance.
    pub batch: bool,
    /// The one queue.
    pub queue: mpsc::Receiver<Incoming<Control>>,
    /// A link to each replica, by index; none to itself.
    pub links: Vec<Option<Link>>,
    /// What the gate holds back at first.
    pub gate: GateState,
    /// The replica's clock.
    pub clock: Clock,
    /// The number of the first request of a client without a name.
    pub first_number: u64,
    /// Who watches, if anybody does.
    pub watcher: Option<Watcher>,
    /// A key on which the replica panics, once: so that it can be seen what comes of a panic.
    pub trap: Option<Key>,
}

/// One replica with all that makes it live.
#[derive(Debug)]
pub struct Driver {
    seat: Seat<Store>,
    batch: bool,
    queue: mpsc::Receiver<Incoming<Control>>,
    /// Proposals that wait together, where there is batching.
    gathered: Gathered<Proposal>,
    links: Vec<Option<Link>>,
    gate: Gate,
    clock: Clock,
    watch: Watch,
    /// Who waits for the answers to named requests.
    waiters: BTreeMap<Command, Vec<Waiter>>,
    /// Who waits for those to requests without a name, by number.
    nameless: Row<Waiter>,
    /// Messages sent so far: the number of the next one.
    sent: u64,
    tally: Tally,
    /// The number of the next request of a client without a name.
    anonymous: u64,
    /// Why the replica takes no part, where the others refuse it.
    refused: Option<Arc<str>>,
    /// What the replica last wanted done: kept for its room.
    out: Vec<Output>,
    /// What it is at: what a panic interrupts.
    under_way: Option<(Time, Decision)>,
    /// Whether it is down since it panicked, so that what it has stored may not be sound.
    panicked: bool,
    trap: Option<Key>,
    /// How many twins were made by hand of each message that any were made of.
    copies: BTreeMap<(ReplicaId, u64), u32>,
}

impl Driver {
    /// A replica that nothing has reached.
    pub fn new(parts: Parts) -> Self {
        let options = Options { observed: parts.watcher.is_some(), ..parts.options };
        Self {
            seat: Seat::new(options),
            batch: parts.batch,
            queue: parts.queue,
            gathered: Gathered::default(),
            links: parts.links,
            gate: Gate::new(parts.gate),
            clock: parts.clock,
            watch: Watch::new(parts.watcher),
            waiters: BTreeMap::new(),
            nameless: Row::beginning_at(parts.first_number),
            sent: 0,
            tally: Tally::default(),
            anonymous: parts.first_number,
            refused: None,
            out: Vec::new(),
            under_way: None,
            panicked: false,
            trap: parts.trap,
            copies: BTreeMap::new(),
        }
    }

    /// Runs until it is cancelled. Nothing in here waits for anything but the next input.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut cancelled = pin!(cancel.cancelled());
        let mut alarm = pin!(sleep(Duration::ZERO));
        let mut read = Vec::with_capacity(READ_AT_ONCE);
        loop {
            let due =
                self.next_due().map(Instant::from_std).into_iter().chain(self.watch.next()).min();
            // Timers mostly move later. An alarm that rings early finds nothing due, and costs less
            // than one that is set again with every input.
            if let Some(due) = due.filter(|due| alarm.is_elapsed() || *due < alarm.deadline()) {
                alarm.as_mut().reset(due);
            }
            tokio::select! {
                biased;
                () = &mut cancelled => return,
                () = &mut alarm, if due.is_some() => drop(self.guarded(Self::on_alarm)),
                count = self.queue.recv_many(&mut read, READ_AT_ONCE) => {
                    if count == 0 {
                        return;
                    }
                    read.drain(..).for_each(|incoming| self.on_incoming(incoming));
                    if !self.gathered.is_empty() {
                        self.gather_more().await;
                        self.propose_gathered();
                    }
                }
            }
        }
    }

    /// Lets whoever else is ready go first, who may have proposals too, as long as more come. Where
    /// nobody is, nothing waits.
    async fn gather_more(&mut self) {
        for _ in 0..TURNS_GIVEN {
            let gathered = self.gathered.len();
            tokio::task::yield_now().await;
            for _ in 0..READ_AT_ONCE {
                match self.queue.try_recv() {
                    Ok(incoming) => self.on_incoming(incoming),
                    Err(_) => break,
                }
            }
            if self.gathered.len() <= gathered || gathered >= convert::BATCH_MAX {
                break;
            }
        }
    }

    fn on_incoming(&mut self, incoming: Incoming<Control>) {
        // What comes of a panic is reported by whoever guards against it.
        match incoming {
            // What is charged for them is held until all of them are done with.
            Incoming::Peer(envelopes, _charge) => {
                for envelope in envelopes {
                    self.guarded(|it| it.on_envelope(envelope)).ok();
                }
            }
            Incoming::Client(proposals) if self.batch => self.gathered.add_whole(proposals),
            Incoming::Clients(proposals) if self.batch => self.gathered.add_each(proposals),
            Incoming::Client(proposals) => self.propose(proposals.len(), proposals.into_iter()),
            Incoming::Clients(proposals) => {
                for proposal in proposals {
                    self.propose(1, std::iter::once(proposal));
                }
            }
            Incoming::Control(Control { act, done }) => {
                self.propose_gathered();
                let acted = self.guarded(|it| it.on_act(act));
                let failed = |sentence| Err(format!("{} has failed: {sentence}", self.id()));
                let acted = acted.unwrap_or_else(failed);
                // Whoever asked may have left.
                done.send(acted).ok();
            }
        }
    }

    /// Does something at which the replica may panic: that is a crash of this replica, and nobody
    /// else's concern. The error is what the panic said.
    fn guarded<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> Result<T, String> {
        catch_unwind(AssertUnwindSafe(|| act(self))).map_err(|panic| {
            let sentence = sentence(&*panic);
            error!("{} has failed: {sentence}", self.id());
            if let Some((now, decision)) = self.under_way.take() {
                self.report_step(now, decision, Vec::new());
            }
            self.seat.crash();
            self.panicked = true;
            self.let_waiters_go();
            self.tell(Decision::Panic(sentence.clone()));
            sentence
        })
    }

    /// When time alone will bring something about.
    fn next_due(&self) -> Option<std::time::Instant> {
        let timer = self.seat.next_timer().map(|(time, _)| time);
        self.clock.instant_of(timer.into_iter().chain(self.gate.next_due()).min()?)
    }

    fn on_alarm(&mut self) {
        let now = self.clock.now();
        while let Some(envelope) = self.gate.take_due(now) {
            self.pass(envelope);
        }
        if self.seat.next_timer().is_some_and(|(due, _)| due <= now) {
            self.wake();
        }
        self.look_again();
    }

    fn on_envelope(&mut self, envelope: Envelope) {
        match self.gate.admit(envelope, self.clock.now()) {
            Ok(envelope) => self.pass(envelope),
            Err(held) if self.gate.is_over_full() => {
                let envelope = self.gate.take(held.id).expect("it has just begun to wait");
                self.tell(Decision::Drop(envelope));
            }
            Err(held) => self.watch.tell(Notice::Held(held)),
        }
    }

    fn on_act(&mut self, act: Act) -> Result<(), String> {
        match act {
            Act::Deliver(id) => {
                let envelope = self.gate.take(id).ok_or_else(|| not_held(id))?;
                self.deliver(envelope);
            }
            Act::Drop(id) => {
                let envelope = self.gate.take(id).ok_or_else(|| not_held(id))?;
                self.tell(Decision::Drop(envelope));
            }
            Act::Duplicate(id, copy) => {
                if copy.copy <= self.copies_of(id) {
                    return Err(format!("{copy} was made just now; look, and try again"));
                }
                let now = self.clock.now();
                let twin = self.gate.duplicate(id, copy, now);
                let (envelope, held) = twin.ok_or_else(|| not_held(id))?;
                self.copies.insert((id.sender, id.number), copy.copy);
                self.tell(Decision::Duplicate(envelope, copy));
                self.watch.tell(Notice::Held(held));
            }
            Act::Wake => {
                let due = self.seat.due()?;
                self.clock.set_forward(due);
                self.wake();
            }
            Act::Crash => {
                self.seat.check_up()?;
                self.let_waiters_go();
                self.seat.crash();
                self.tell(Decision::Crash);
            }
            Act::Restart => {
                self.seat.check_down()?;
                self.come_back()?;
            }
            Act::SetGate(state) => self.set_gate(state),
            Act::SetClock(time) => self.clock.set_forward(time),
            Act::Stand(refused) => {
                self.refused = refused;
                self.refuse_waiters();
            }
            Act::Tally(told) => {
                self.tally.settle();
                self.tally.messages = self.sent;
                self.tally.led = self.seat.durable().next_slot;
                // Whoever asked may have left.
                told.send(self.tally.clone()).ok();
            }
            // Whoever asked may have left.
            Act::Fingerprint(told) => drop(told.send(self.seat.fingerprint())),
            Act::Preview(next, told) => {
                let step = self.preview(next)?;
                // Whoever asked may have left.
                told.send(step).ok();
            }
        }
        Ok(())
    }

    /// What would come of something now, found out on a copy of the replica.
    fn preview(&self, next: Next) -> Result<Step, String> {
        self.seat.check_up()?;
        let mut now = self.clock.now();
        let decision = match next {
            Next::Deliver(id) => {
                Decision::Deliver(self.gate.get(id).ok_or_else(|| not_held(id))?.clone())
            }
            Next::Wake(_) => {
                now = now.max(self.seat.due()?);
                Decision::Wake
            }
        };
        let mut seat = self.seat.clone();
        let mut out = Vec::new();
        let input = decision.input().expect("both are inputs");
        seat.step(now, input, &mut out);
        let (replica, mut number) = (seat.id(), self.sent);
        let effects = out.into_iter().map(|output| Effect::of(output, replica, &mut number));
        let effects = effects.collect();
        Ok(Step { replica, now, decision, effects, timer: seat.next_timer() })
    }

    fn set_gate(&mut self, state: GateState) {
        if state.paused {
            self.clock.freeze();
        } else {
            self.clock.thaw();
        }
        let (released, held) = self.gate.set(state, self.clock.now());
        for held in held {
            self.watch.tell(Notice::Held(held));
        }
        for envelope in released {
            self.pass(envelope);
        }
    }

    /// The replica comes back with what is durable, where that is sound: a panic may have left it in
    /// the middle of something, and be met again.
    fn come_back(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        let mut out = Vec::new();
        let restarted = catch_unwind(AssertUnwindSafe(|| {
            self.seat.restart(now, &mut out);
            if self.panicked {
                self.seat.replica().into_iter().for_each(Replica::check_invariants);
            }
        }));
        if let Err(panic) = restarted {
            self.seat.crash();
            let sentence = sentence(&*panic);
            return Err(format!(
                "{} cannot come back with what it has stored: {sentence}",
                self.id()
            ));
        }
        self.panicked = false;
        self.carry_out(now, self.watch.is_on().then_some(Decision::Restart), &mut out);
        Ok(())
    }

    /// Lets a message go on that nothing holds, or lets happen to it what links do to messages.
    fn pass(&mut self, envelope: Envelope) {
        if self.gate.loses(&envelope) {
            return self.tell(Decision::Drop(envelope));
        }
        if !self.gate.doubles(&envelope) {
            return self.deliver(envelope);
        }
        let copy = MessageId { copy: self.copies_of(envelope.id) + 1, ..envelope.id };
        let twin = Envelope { id: copy, ..envelope.clone() };
        self.tell(Decision::Duplicate(envelope.clone(), copy));
        self.deliver(envelope);
        // It has a delay of its own, and may be lost.
        self.on_envelope(twin);
    }

    /// How many twins were made of a message by hand. A rule makes one of a message, and then it is
    /// gone from the gate.
    fn copies_of(&self, id: MessageId) -> u32 {
        self.copies.get(&(id.sender, id.number)).copied().unwrap_or(0)
    }

    fn deliver(&mut self, envelope: Envelope) {
        if !self.seat.is_up() || self.refused.is_some() {
            // Whoever is down receives nothing, nor does who is refused: it might vote.
            return self.tell(Decision::Drop(envelope));
        }
        let decision = self.watch.is_on().then(|| Decision::Deliver(envelope.clone()));
        let Envelope { id, message, .. } = envelope;
        self.step(decision, Input::Receive { from: id.sender, message });
    }

    fn wake(&mut self) {
        self.step(self.watch.is_on().then_some(Decision::Wake), Input::Wake);
    }

    /// The one place where something happens to the replica. What happened is reported before any
    /// of it goes out, so that nobody hears of an effect before its cause.
    fn step(&mut self, decision: Option<Decision>, input: Input) {
        let now = self.clock.now();
        let mut out = std::mem::take(&mut self.out);
        self.under_way = decision.map(|decision| (now, decision));
        let trapped = self.trap.take_if(|key| mentions(&input, key));
        self.seat.step(now, input, &mut out);
        if let Some(key) = trapped {
            panic!("it was told to panic where {key} is named");
        }
        let decision = self.under_way.take().map(|(_, decision)| decision);
        self.carry_out(now, decision, &mut out);
        self.out = out;
        self.refuse_waiters();
    }

    fn carry_out(&mut self, now: Time, decision: Option<Decision>, out: &mut Vec<Output>) {
        let id = self.seat.id();
        let Some(decision) = decision else {
            // Nobody watches.
            self.watch.miss();
            for output in out.drain(..) {
                let effect = Effect::of(output, id, &mut self.sent);
                self.carry_out_one(effect);
            }
            return;
        };
        let effects = out.drain(..).map(|output| Effect::of(output, id, &mut self.sent));
        let effects: Vec<_> = effects.collect();
        // Most of what is told goes nowhere else.
        let goes_out = |effect: &&Effect| !matches!(effect, Effect::Event(_));
        let out: Vec<_> = effects.iter().filter(goes_out).cloned().collect();
        self.report_step(now, decision, effects);
        for effect in out {
            self.carry_out_one(effect);
        }
    }

    fn carry_out_one(&mut self, effect: Effect) {
        match effect {
            Effect::Send(envelope) => self.send(envelope),
            Effect::Reply(reply) => self.answer(reply),
            Effect::Event(_) => {}
        }
    }

    fn send(&self, envelope: Envelope) {
        let link = self.links[envelope.to.index()].as_ref();
        let link = link.expect("a replica sends itself nothing");
        match self.refused {
            Some(_) => link.lose(&envelope),
            None => link.send(envelope),
        }
    }

    /// Reports what was done to a message without the replica hearing of it.
    fn tell(&mut self, decision: Decision) {
        self.report_step(self.clock.now(), decision, Vec::new());
    }

    fn report_step(&mut self, now: Time, decision: Decision, effects: Vec<Effect>) {
        let (replica, timer) = (self.seat.id(), self.seat.next_timer());
        if self.watch.step(Step { replica, now, decision, effects, timer }) {
            self.seat.observe(false);
            self.watch.look_away(replica);
        }
    }

    /// Shows the replica, if it has been left alone and there is time to look at it.
    fn look_again(&mut self) {
        if let Some(unseen) = self.watch.is_due(self.id(), Instant::now()) {
            self.seat.observe(true);
            let sight = Sight { unseen, seat: self.seat.clone(), held: self.gate.held() };
            self.tell(Decision::Show(Arc::new(sight)));
        }
    }

    /// Which replica it drives.
    pub fn id(&self) -> ReplicaId {
        self.seat.id()
    }
}

/// How often others go first before what has gathered is proposed.
const TURNS_GIVEN: usize = 8;

/// How much is read from the queue before anything else is looked at.
const READ_AT_ONCE: usize = 256;

fn not_held(id: MessageId) -> String {
    format!("{id} is not held")
}
