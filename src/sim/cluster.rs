//! N replicas in one thread, joined by nothing but the messages on their way.

mod follow;

use std::time::Duration;

use crate::epaxos::command::{Command, Operation, RequestId};
use crate::epaxos::event::Event;
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::message::Envelope;
use crate::epaxos::replica::Replica;
use crate::epaxos::seat::{Seat, Unfit};
use crate::epaxos::time::Time;
use crate::kv::Store;
use crate::observe::notice::{Decision, Effect, GateState, Held, HeldBy, Notice, Shape, Step};
use crate::observe::view::View;
use crate::script::stepwise::{Delays, Stepwise};
use crate::script::world::{Answer, Next, Proposer, World};
use crate::sim::replicas::Replicas;

/// A simulated cluster. A message that no rule holds is taken to stand at its receiver's gate: the
/// cluster delivers it when it is told to settle or to let time pass, and not before.
#[derive(Clone, Debug)]
pub struct Cluster {
    replicas: Replicas,
    /// The one clock, which every replica goes by until its own is set forward.
    now: Time,
    view: View,
    /// When each delayed message goes on.
    delays: Delays,
    answers: Vec<Answer>,
    /// The requests that wait for an answer, and of whom.
    open: Vec<(ReplicaId, RequestId)>,
    proposer: Proposer,
    /// What was said and not yet taken, where somebody listens.
    notices: Option<Vec<Notice>>,
}

impl Cluster {
    /// A cluster in which nothing has happened.
    pub fn new(shape: Shape) -> Self {
        Self {
            replicas: Replicas::new(&shape),
            now: Time::default(),
            view: View::new(shape),
            delays: Delays::default(),
            answers: Vec::new(),
            open: Vec::new(),
            proposer: Proposer::default(),
            notices: None,
        }
    }

    /// Keeps what the cluster says, from now on, to be taken.
    pub fn listen(&mut self) {
        self.notices.get_or_insert_default();
    }

    /// What the cluster has said since it was last asked. Nothing unless somebody listens.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.notices.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn say(&mut self, notice: Notice) {
        if let Some(notices) = &mut self.notices {
            notices.push(notice.clone());
        }
        self.view.apply(notice);
    }

    /// Lets a message be given up by its sender, as a link does that is down or has too much to carry.
    pub fn lose(&mut self, id: MessageId) {
        self.delays.forget(id);
        self.say(Notice::Lost(id));
    }

    /// One replica's place, to look at.
    pub fn seat(&self, id: ReplicaId) -> &Seat<Store> {
        self.replicas.seat(id)
    }

    /// The replicas, to be copied.
    pub fn replicas(&self) -> &Replicas {
        &self.replicas
    }

    /// What numbers its proposals.
    pub fn proposer(&self) -> &Proposer {
        &self.proposer
    }

    /// Panics with a sentence where a replica contradicts itself.
    pub fn check_invariants(&self) {
        self.replicas.seats().filter_map(Seat::replica).for_each(Replica::check_invariants);
    }

    /// Takes one decision now.
    fn decide(&mut self, id: ReplicaId, decision: Decision) {
        self.decide_at(id, decision, self.now);
    }

    /// Takes one decision: the only way in which anything happens.
    fn decide_at(&mut self, id: ReplicaId, decision: Decision, now: Time) {
        if let Decision::Deliver(envelope) | Decision::Drop(envelope) = &decision {
            self.delays.forget(envelope.id);
        }
        let step = self.replicas.decide(id, decision, now);
        let effects = step.effects.clone();
        self.say(Notice::Step(step));
        for effect in effects {
            match effect {
                Effect::Send(envelope) => self.arrive(&envelope),
                Effect::Reply(reply) => {
                    self.open.retain(|(_, request)| *request != reply.command.request);
                    self.answers
                        .push(Answer { request: reply.command.request, result: Ok(reply.outcome) });
                }
                // Whoever waits for an answer is told that there will be none.
                Effect::Event(Event::LeftBehind { .. }) => {
                    let lost = self.open.extract_if(.., |(at, _)| *at == id);
                    let told = Unfit::LeftBehind(id).to_string();
                    let lost =
                        lost.map(|(_, request)| Answer { request, result: Err(told.clone()) });
                    self.answers.extend(lost);
                }
                Effect::Event(_) => {}
            }
        }
    }

    /// A message reaches its receiver's gate, at once.
    fn arrive(&mut self, envelope: &Envelope) {
        let due = self.delays.due(&self.view.gate, envelope, self.now);
        let held = self.view.gate.holds_back(envelope, due, self.now);
        // What nothing keeps waits to be delivered, as if everything were paused.
        let why = held.unwrap_or(HeldBy::Pause);
        self.say(Notice::Held(Held { id: envelope.id, why }));
    }

    /// Whoever waits for an answer of a replica is told that there will be none.
    fn let_open_go(&mut self, replica: ReplicaId) {
        let lost = self.open.extract_if(.., |(at, _)| *at == replica);
        let lost =
            lost.map(|(at, request)| Answer { request, result: Err(format!("{at} is down")) });
        self.answers.extend(lost);
    }

    fn envelope(&self, id: MessageId) -> Result<Envelope, String> {
        Ok(self.view.in_flight.named(id)?.envelope.clone())
    }
}

impl Stepwise for Cluster {
    fn now(&self) -> Time {
        self.now
    }

    fn set_now(&mut self, time: Time) -> Result<(), String> {
        self.now = self.now.max(time);
        Ok(())
    }

    fn next_delayed(&self) -> Option<(Time, MessageId)> {
        self.delays.next(&self.view.in_flight)
    }
}

impl World for Cluster {
    fn view(&self) -> &View {
        &self.view
    }

    fn name(&mut self, operations: Vec<Operation>) -> Vec<Command> {
        self.proposer.commands(operations)
    }

    fn propose_commands(&mut self, at: ReplicaId, commands: Vec<Command>) -> Result<(), String> {
        self.seat(at).check_leads()?;
        self.open.extend(commands.iter().map(|command| (at, command.request.clone())));
        self.decide(at, Decision::Propose(commands));
        Ok(())
    }

    fn arm(&mut self) {
        self.say(Notice::Armed);
    }

    fn deliver(&mut self, id: MessageId) -> Result<(), String> {
        let envelope = self.envelope(id)?;
        // Whoever is down receives nothing.
        let up = self.seat(envelope.to).is_up();
        let decision = if up { Decision::Deliver } else { Decision::Drop };
        self.decide(envelope.to, decision(envelope));
        Ok(())
    }

    fn drop(&mut self, id: MessageId) -> Result<(), String> {
        let envelope = self.envelope(id)?;
        self.decide(envelope.to, Decision::Drop(envelope));
        Ok(())
    }

    fn duplicate(&mut self, id: MessageId) -> Result<(), String> {
        let envelope = self.envelope(id)?;
        let copy = self.view.in_flight.copy_of(id);
        self.decide(envelope.to, Decision::Duplicate(envelope.clone(), copy));
        self.arrive(&Envelope { id: copy, ..envelope });
        Ok(())
    }

    fn wake(&mut self, replica: ReplicaId) -> Result<(), String> {
        self.seat(replica).due()?;
        self.decide(replica, Decision::Wake);
        Ok(())
    }

    fn set_clock(&mut self, replica: ReplicaId, time: Time) -> Result<(), String> {
        self.replicas.set_clock(replica, time);
        Ok(())
    }

    fn preview(&mut self, next: Next) -> Result<Step, String> {
        let (id, decision) = match next {
            Next::Deliver(id) => {
                let envelope = self.envelope(id)?;
                (envelope.to, Decision::Deliver(envelope))
            }
            Next::Wake(replica) => {
                self.seat(replica).due()?;
                (replica, Decision::Wake)
            }
        };
        self.seat(id).check_up()?;
        Ok(self.replicas.preview(id, decision, self.now))
    }

    fn crash(&mut self, replica: ReplicaId) -> Result<(), String> {
        self.seat(replica).check_up()?;
        self.decide(replica, Decision::Crash);
        self.let_open_go(replica);
        Ok(())
    }

    fn recover(&mut self, replica: ReplicaId) -> Result<(), String> {
        self.seat(replica).check_down()?;
        self.decide(replica, Decision::Restart);
        Ok(())
    }

    fn set_gate(&mut self, gate: GateState) -> Result<(), String> {
        self.say(Notice::Gate(gate));
        let flights: Vec<_> =
            self.view.in_flight.iter().map(|flight| flight.envelope.clone()).collect();
        for envelope in &flights {
            self.arrive(envelope);
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), String> {
        if self.view.gate.paused {
            return Ok(());
        }
        self.deliver_everything()
    }

    fn sleep(&mut self, duration: Duration) -> Result<(), String> {
        self.pass_time(duration)
    }

    fn take_answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }
}
