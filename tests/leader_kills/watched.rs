//! What is seen of a cluster in which leaders are killed.

use std::collections::BTreeSet;

use epaxos_tui::check::Checker;
use epaxos_tui::epaxos::command::RequestId;
use epaxos_tui::epaxos::event::{Cause, Event};
use epaxos_tui::epaxos::id::{InstanceId, ReplicaId};
use epaxos_tui::epaxos::instance;
use epaxos_tui::epaxos::message::MessageKind;
use epaxos_tui::observe::notice::{Decision, Effect, Notice, Shape, Step};
use epaxos_tui::observe::view::View;
use epaxos_tui::script::request::Report;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How far its leader has come with an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It has recorded its PreAccept, and nobody has answered.
    Recorded,
    /// Some have answered, and too few.
    Replied,
    /// It has voted, on the slow path, and its Accepts are out.
    Voted,
    /// It has committed, and can neither execute nor has anybody heard of it.
    Committed,
    /// It has executed.
    Executed,
}

impl Phase {
    pub const ALL: [Phase; 5] =
        [Self::Recorded, Self::Replied, Self::Voted, Self::Committed, Self::Executed];
}

/// The instance whose leader is to be killed.
#[derive(Debug)]
struct Target {
    leader: ReplicaId,
    request: RequestId,
    instance: Option<InstanceId>,
    phase: Option<Phase>,
    killed: bool,
    /// The others that have recorded it.
    known: BTreeSet<ReplicaId>,
    /// The others that have it committed.
    decided: BTreeSet<ReplicaId>,
}

/// All that is folded from what a cluster says.
#[derive(Debug)]
pub struct Watched {
    heard: mpsc::UnboundedReceiver<Report>,
    view: View,
    checker: Checker,
    executed: Vec<BTreeSet<RequestId>>,
    target: Option<Target>,
}

impl Watched {
    pub fn new(shape: Shape, heard: mpsc::UnboundedReceiver<Report>) -> Self {
        Self {
            heard,
            checker: Checker::new(shape.options.quorums, shape.reply_on()),
            executed: vec![BTreeSet::new(); shape.replicas()],
            view: View::with_capacity(shape, 16, 16),
            target: None,
        }
    }

    /// From now on, the instance that `leader` makes of this request is looked at.
    pub fn aim(&mut self, leader: ReplicaId, request: &RequestId) {
        self.target = Some(Target {
            leader,
            request: request.clone(),
            instance: None,
            phase: None,
            killed: false,
            known: BTreeSet::new(),
            decided: BTreeSet::new(),
        });
    }

    /// Listens until something is so.
    pub async fn listen_until(&mut self, done: impl Fn(&Self) -> bool) {
        let patience = Instant::now() + super::PATIENCE;
        while !done(self) {
            let heard = tokio::time::timeout_at(patience, self.heard.recv()).await;
            let Ok(heard) = heard else {
                panic!("what is waited for never comes: {:?}", self.target);
            };
            self.hear(heard.expect("the cluster runs"));
        }
    }

    fn hear(&mut self, report: Report) {
        let Report::Notice(notice) = report else { return };
        if let Notice::Step(step) = &notice {
            assert!(!matches!(step.decision, Decision::Panic(_)), "{step:?}");
            self.checker.step(step);
            for effect in &step.effects {
                if let Effect::Event(Event::Executed { payload, .. }) = effect {
                    let requests = payload.commands().iter().map(|it| it.request.clone());
                    self.executed[step.replica.index()].extend(requests);
                }
            }
            if let Some(target) = &mut self.target {
                target.see(step);
            }
        }
        self.view.apply(notice);
    }

    /// How far the leader had come with the instance when it was killed, or has.
    pub fn phase(&self) -> Option<Phase> {
        let target = self.target.as_ref()?;
        target.phase
    }

    /// Whether any of the others has the instance committed.
    pub fn is_decided_by_others(&self) -> bool {
        self.target.as_ref().is_some_and(|target| !target.decided.is_empty())
    }

    pub fn is_killed(&self) -> bool {
        self.target.as_ref().is_some_and(|target| target.killed)
    }

    /// Whether the others have decided what any of them knows of the instance, the leader being
    /// gone. Nothing need be done where it has taken the only knowledge of it with it.
    pub fn is_finished_by_others(&self) -> bool {
        let target = self.target.as_ref().expect("there is a target");
        target.known.is_subset(&target.decided)
    }

    pub fn stores_are_equal(&self) -> bool {
        let replicas = &self.view.replicas;
        replicas.iter().all(|replica| replica.up && replica.store == replicas[0].store)
    }

    pub fn has_executed(&self, replica: ReplicaId, request: &RequestId) -> bool {
        self.executed[replica.index()].contains(request)
    }

    /// Hears the cluster out, and checks the whole run.
    pub fn finish(mut self) {
        while let Ok(report) = self.heard.try_recv() {
            self.hear(report);
        }
        self.checker.finish();
        assert_eq!(self.checker.violations(), []);
    }
}

impl Target {
    fn see(&mut self, step: &Step) {
        for effect in &step.effects {
            match effect {
                Effect::Event(Event::Proposed { instance, commands, instead_of: None, .. })
                    if step.replica == self.leader
                        && commands.iter().any(|it| it.request == self.request) =>
                {
                    self.instance.get_or_insert(*instance);
                    self.reach(Phase::Recorded);
                }
                Effect::Event(event) => self.see_event(step.replica, event),
                Effect::Send(_) | Effect::Reply(_) => {}
            }
        }
        if step.replica != self.leader {
            return;
        }
        match &step.decision {
            Decision::Deliver(envelope)
                if envelope.message.kind() == MessageKind::PreAcceptReply
                    && Some(envelope.message.instance()) == self.instance =>
            {
                self.reach(Phase::Replied);
            }
            Decision::Crash => self.killed = true,
            _ => {}
        }
    }

    fn see_event(&mut self, replica: ReplicaId, event: &Event) {
        match event {
            Event::Status(change) if Some(change.instance) == self.instance => {
                if replica != self.leader {
                    self.known.insert(replica);
                    if change.to.is_committed() {
                        self.decided.insert(replica);
                    }
                } else if change.to == instance::Phase::Committed {
                    // Who has heard of it before has no part in this phase.
                    if self.decided.is_empty() {
                        self.reach(Phase::Committed);
                    }
                } else if matches!(change.cause, Cause::SlowPath { .. }) {
                    self.reach(Phase::Voted);
                }
            }
            Event::Executed { instance, .. }
                if Some(*instance) == self.instance && replica == self.leader =>
            {
                self.reach(Phase::Executed);
            }
            _ => {}
        }
    }

    /// What comes after the leader's end, when it is back, is another story.
    fn reach(&mut self, phase: Phase) {
        if !self.killed {
            self.phase = self.phase.max(Some(phase));
        }
    }
}
