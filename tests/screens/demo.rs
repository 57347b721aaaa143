//! A small cluster to show: real replicas, driven one step at a time by the script language. Nothing
//! in it is left to chance, so a screen that shows it is always the same.

use std::time::Duration;

use crate::epaxos::command::Command as Proposal;
use crate::epaxos::command::{Operation, RequestId};
use crate::epaxos::event::Reply;
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::message::Envelope;
use crate::epaxos::replica::{Input, Options, Output, Replica};
use crate::epaxos::time::Time;
use crate::kv::Store;
use crate::observe::notice::{Decision, Effect, GateState, Held, HeldBy, Notice, Shape, Step};
use crate::observe::view::View;
use crate::script::grammar::Command;
use crate::script::request::{Report, Request};
use crate::script::session::Session;
use crate::script::world::{Answer, World};

/// The cluster, and a person's dealings with it.
pub struct Demo {
    pub view: View,
    /// What has been said since it was last asked.
    pub reports: Vec<Report>,
    replicas: Vec<Replica<Store>>,
    sent: Vec<u64>,
    now: u64,
    proposed: u64,
    answers: Vec<Answer>,
    session: Session,
}

impl Demo {
    pub fn new(replicas: usize) -> Self {
        let ports = |index| format!("127.0.0.1:{}", 50_051 + index);
        let endpoints = (0..replicas).map(ports).collect();
        let shape = Shape { endpoints, ..Shape::new(replicas) };
        let replica = |id| Replica::new(Options::new(id, replicas), Store::default());
        Self {
            view: View::new(shape),
            reports: Vec::new(),
            replicas: ReplicaId::all(replicas).map(replica).collect(),
            sent: vec![0; replicas],
            now: 0,
            proposed: 0,
            answers: Vec::new(),
            session: Session::default(),
        }
    }

    /// Five replicas to which these commands have been given.
    pub fn of(lines: &[&str]) -> Self {
        let mut demo = Self::new(5);
        for line in lines {
            demo.run(line);
        }
        demo
    }

    /// Two writes to one key that met: each on the slow path, in one component.
    pub fn conflict() -> Self {
        Self::of(&[
            "pause",
            "put x 1 @R0",
            "put x 2 @R4",
            "put y 9 @R1",
            "deliver R4-1",
            "deliver R0-0",
            "step all",
            "run",
        ])
    }

    /// The same before the first reply has arrived.
    pub fn held() -> Self {
        Self::of(&[
            "pause",
            "put x 1 @R0",
            "put x 2 @R4",
            "hold kind=Commit",
            "deliver R4-1",
            "deliver R0-0",
            "deliver R4-0",
            "deliver R0-1",
            "deliver R1-0",
        ])
    }

    /// Gives it a command, which must not be refused.
    pub fn run(&mut self, line: &str) {
        let command = Command::parse(line).expect(line).expect(line);
        self.perform(&command).expect(line);
    }

    fn perform(&mut self, command: &Command) -> Result<Vec<String>, String> {
        let mut session = std::mem::take(&mut self.session);
        let said = session.perform(self, command);
        self.session = session;
        said
    }

    /// Carries out a request, and returns all that is to be said of it.
    pub fn serve(&mut self, request: &Request) -> Vec<Report> {
        self.session.at = request.at;
        let said = self.perform(&request.command);
        // What nothing holds moves on by itself.
        self.settle().expect("nothing can fail here");
        let mut reports = std::mem::take(&mut self.reports);
        reports.push(Report::Said { request: request.id, said });
        reports.extend(self.answers.drain(..).map(Report::Answer));
        reports
    }

    fn tell(&mut self, notice: Notice) {
        self.view.apply(notice.clone());
        self.reports.push(Report::Notice(notice));
    }

    /// Takes a step of a replica, or of its gate where there is no input.
    fn step(&mut self, replica: ReplicaId, decision: Decision, input: Option<Input>) {
        self.now += 250;
        let mut outputs = Vec::new();
        let now = Time(self.now);
        let stepping = &mut self.replicas[replica.index()];
        if let Some(input) = input {
            stepping.step(now, input, &mut outputs);
        }
        let timer = stepping.next_timer();
        let effects = outputs.into_iter().map(|output| self.effect(replica, output)).collect();
        self.tell(Notice::Step(Step { replica, now, decision, effects, timer }));
        self.hold_arrived();
    }

    fn effect(&mut self, replica: ReplicaId, output: Output) -> Effect {
        match output {
            Output::Send { to, message } => {
                let sent = &mut self.sent[replica.index()];
                let id = MessageId { sender: replica, number: *sent, copy: 0 };
                *sent += 1;
                Effect::Send(Envelope { id, to, message })
            }
            Output::Reply(reply) => {
                let Reply { command, outcome, .. } = reply.clone();
                let request = command.request;
                self.answers.push(Answer { request, result: Ok(outcome) });
                Effect::Reply(reply)
            }
            Output::Observe(event) => Effect::Event(event),
        }
    }

    /// Messages cross at once, and are held at the other side where they are to be.
    fn hold_arrived(&mut self) {
        let held: Vec<Held> = self
            .view
            .in_flight
            .iter()
            .filter_map(|flight| {
                let rule = self.view.gate.holds.iter().any(|rule| rule.matches(&flight.envelope));
                let why = match (rule, self.view.gate.paused) {
                    (true, _) => Some(HeldBy::Rule),
                    (false, true) => Some(HeldBy::Pause),
                    (false, false) => None,
                };
                why.filter(|_| flight.held.is_none())
                    .map(|why| Held { id: flight.envelope.id, why })
            })
            .collect();
        for held in held {
            self.tell(Notice::Held(held));
        }
    }

    /// The oldest message that nothing holds.
    fn free(&self) -> Option<MessageId> {
        let gate = &self.view.gate;
        let free = self.view.in_flight.iter().find(|flight| {
            !gate.paused && !gate.holds.iter().any(|rule| rule.matches(&flight.envelope))
        });
        free.map(|flight| flight.envelope.id)
    }
}

impl World for Demo {
    fn view(&self) -> &View {
        &self.view
    }

    fn propose(
        &mut self,
        at: ReplicaId,
        operations: Vec<Operation>,
    ) -> Result<Vec<RequestId>, String> {
        let number = |operation| {
            self.proposed += 1;
            Proposal { request: RequestId::anonymous(at, self.proposed), operation }
        };
        let commands: Vec<_> = operations.into_iter().map(number).collect();
        let requests = commands.iter().map(|command| command.request.clone()).collect();
        self.step(at, Decision::Propose(commands.clone()), Some(Input::Propose(commands)));
        Ok(requests)
    }

    fn deliver(&mut self, id: MessageId) -> Result<(), String> {
        let envelope = self.view.in_flight.get(id).expect("it is on its way").envelope.clone();
        let input = Input::Receive { from: id.sender, message: envelope.message.clone() };
        self.step(envelope.to, Decision::Deliver(envelope), Some(input));
        Ok(())
    }

    fn drop(&mut self, id: MessageId) -> Result<(), String> {
        let envelope = self.view.in_flight.get(id).expect("it is on its way").envelope.clone();
        self.step(envelope.to, Decision::Drop(envelope), None);
        Ok(())
    }

    fn duplicate(&mut self, id: MessageId) -> Result<(), String> {
        let envelope = self.view.in_flight.get(id).expect("it is on its way").envelope.clone();
        let copy = self.view.in_flight.copy_of(id);
        self.step(envelope.to, Decision::Duplicate(envelope, copy), None);
        Ok(())
    }

    fn wake(&mut self, replica: ReplicaId) -> Result<(), String> {
        let due = self.replicas[replica.index()].next_wake();
        self.now = self.now.max(due.ok_or_else(|| format!("{replica} waits for no timer"))?.0);
        self.step(replica, Decision::Wake, Some(Input::Wake));
        Ok(())
    }

    fn set_gate(&mut self, gate: GateState) -> Result<(), String> {
        self.tell(Notice::Gate(gate));
        self.hold_arrived();
        self.settle()
    }

    fn settle(&mut self) -> Result<(), String> {
        while let Some(id) = self.free() {
            self.deliver(id)?;
        }
        Ok(())
    }

    fn sleep(&mut self, duration: Duration) -> Result<(), String> {
        self.now += u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.settle()
    }

    fn take_answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }
}
