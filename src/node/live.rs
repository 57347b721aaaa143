//! A live cluster as a world that scripts can act on.
//!
//! Synchronous, since scripts are; the cluster runs on a runtime of its own beside it. All that the
//! cluster says, and the answers to what was proposed here, arrive on one channel in an order that
//! never has an effect before its cause, and are folded into the view from nowhere else.

mod ledger;
mod lockstep;
mod rerun;
mod serve;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::epaxos::command::{Command, Operation, RequestId};
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::time::Time;
use crate::net::client::Connection;
use crate::net::liveness::Distance;
use crate::node::cluster::{Cluster, Options, StartError};
use crate::node::driver::Act;
use crate::node::live::ledger::Ledger;
use crate::node::live::lockstep::Lockstep;
use crate::node::watch::Watcher;
use crate::observe::notice::{GateState, Notice, Step};
use crate::observe::trace::Line;
use crate::observe::view::View;
use crate::script::backlog::Backlog;
use crate::script::request::Report;
use crate::script::stepwise::Stepwise;
use crate::script::world::{Answer, Next, Proposer, World, requests};

pub use crate::node::live::rerun::{Rerun, Unlike};
pub use crate::node::live::serve::{Serving, serve, spawn};

/// A cluster of replicas in this process, over real gRPC. Not to be used, or dropped, on a runtime.
#[derive(Debug)]
pub struct LiveWorld {
    runtime: Runtime,
    cluster: Cluster,
    connections: Vec<Connection>,
    inbox: mpsc::UnboundedReceiver<Report>,
    /// Where the answers to our proposals go, between the notices.
    answering: mpsc::UnboundedSender<Report>,
    backlog: Arc<Backlog>,
    view: View,
    ledger: Ledger,
    /// Each with its place among all answers.
    answers: Vec<(u64, Answer)>,
    proposer: Proposer,
    lockstep: Option<Lockstep>,
    audience: Audience,
}

/// Who hears of everything besides the view.
#[derive(Default)]
struct Audience {
    reports: Option<mpsc::UnboundedSender<Report>>,
    lines: Option<Box<dyn ShowLines>>,
    notices: Option<Box<dyn ShowNotice>>,
}

/// What can be called with lines.
trait ShowLines: FnMut(&[Line]) + Send {}

impl<F: FnMut(&[Line]) + Send> ShowLines for F {}

/// What can be called with what is said and what has been seen by then.
trait ShowNotice: FnMut(&Notice, &View) + Send {}

impl<F: FnMut(&Notice, &View) + Send> ShowNotice for F {}

impl Audience {
    /// Ends when a screen that there was is gone: nothing need be waited for any more.
    async fn has_left(&self) {
        match &self.reports {
            Some(reports) => reports.closed().await,
            None => std::future::pending().await,
        }
    }

    /// Whether a screen that there was is gone: what it does not see need not be heard.
    fn is_gone(&self) -> bool {
        self.reports.as_ref().is_some_and(mpsc::UnboundedSender::is_closed)
    }
}

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audience").finish_non_exhaustive()
    }
}

impl LiveWorld {
    /// Starts a cluster.
    ///
    /// In lockstep its gates never open: messages are delivered one at a time in the order of their
    /// sending, and time passes only when the world is told to sleep, so that a script prints the
    /// same, event for event, every time and as in the simulator.
    pub fn start(options: &Options, lockstep: bool) -> Result<LiveWorld, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(StartError::Runtime)?;
        let (answering, inbox) = mpsc::unbounded_channel();
        let paused = options.paused || lockstep;
        let started = Options { paused, ..options.clone() };
        let watcher = Watcher::from(answering.clone());
        let backlog = watcher.backlog.clone();
        let cluster = Cluster::start(&started, Some(watcher), runtime.handle())?;
        let connections = {
            let _runtime = runtime.enter();
            let connect = |endpoint: &String| {
                let endpoint = endpoint.clone();
                Connection::over(&endpoint, Distance::None).ok_or(StartError::Endpoint { endpoint })
            };
            cluster.shape().endpoints.iter().map(connect).collect::<Result<_, _>>()?
        };
        let mut world = LiveWorld {
            view: View::new(cluster.shape().clone()),
            runtime,
            cluster,
            connections,
            inbox,
            answering,
            backlog,
            ledger: Ledger::default(),
            answers: Vec::new(),
            proposer: Proposer::default(),
            lockstep: lockstep.then(Lockstep::default),
            audience: Audience::default(),
        };
        world.hear(Report::Notice(Notice::Gate(options.gate())));
        Ok(world)
    }

    /// How far whoever listens is behind what is said. A screen that says how much it has heard
    /// ([`Backlog::mind`]) is told no more than it can look at.
    pub fn backlog(&self) -> Arc<Backlog> {
        self.backlog.clone()
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Shows each line of the trace as it is heard.
    pub fn on_lines(&mut self, show: impl FnMut(&[Line]) + Send + 'static) {
        self.audience.lines = Some(Box::new(show));
    }

    /// Shows each notice as it is heard, with the view of what was heard by then, it included. The
    /// gates that the world starts with are the first of them.
    pub fn on_notices(&mut self, mut show: impl FnMut(&Notice, &View) + Send + 'static) {
        show(&Notice::Gate(self.view.gate.clone()), &self.view);
        self.audience.notices = Some(Box::new(show));
    }

    /// Stops the cluster, and waits until it has.
    pub fn shutdown(self) {
        self.runtime.block_on(self.cluster.shutdown());
        self.runtime.shutdown_timeout(SHUTDOWN_PATIENCE);
    }

    /// Takes note of one thing that the cluster says.
    fn hear(&mut self, report: Report) {
        if let Some(reports) = &self.audience.reports {
            // Where the screen is gone, the channel of its requests closes next.
            reports.send(report.clone()).ok();
        }
        match report {
            Report::Notice(notice) => {
                self.ledger.note(&notice);
                let heard = self.audience.notices.is_some().then(|| notice.clone());
                let lines = self.view.apply(notice);
                if let (Some(show), Some(notice)) = (&mut self.audience.notices, heard) {
                    show(&notice, &self.view);
                }
                if let Some(show) = &mut self.audience.lines
                    && !lines.is_empty()
                {
                    show(&lines);
                }
            }
            Report::Answer(answer) => {
                self.answers.push((self.ledger.note_answer(&answer), answer));
            }
            Report::Said { .. } => {}
        }
    }

    /// Takes note of all that the cluster has said. Not of what it says meanwhile: a busy one might
    /// never be done.
    fn catch_up(&mut self) {
        for _ in 0..self.inbox.len() {
            if self.audience.is_gone() {
                return;
            }
            if let Ok(report) = self.inbox.try_recv() {
                self.hear(report);
            }
        }
    }

    /// Listens until something is so, for as long as `limit` and no longer than the screen is there.
    /// Returns whether it is so.
    fn listen_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            self.catch_up();
            if done(self) {
                return true;
            }
            let LiveWorld { runtime, inbox, audience, .. } = self;
            let heard = runtime.block_on(async {
                tokio::select! {
                    heard = tokio::time::timeout_at(deadline, inbox.recv()) => heard.ok().flatten(),
                    () = audience.has_left() => None,
                }
            });
            match heard {
                Some(report) => self.hear(report),
                None => return false,
            }
        }
    }

    /// Does something to a replica, and listens until all that it directly brings about is seen.
    fn act(&mut self, replica: ReplicaId, act: Act) -> Result<(), String> {
        let done = self.runtime.block_on(self.cluster.act(replica, act));
        self.catch_up();
        done?;
        self.come_to_rest()
    }

    /// While everything is paused, waits until every message on its way is at a gate.
    fn come_to_rest(&mut self) -> Result<(), String> {
        if !self.gates().paused || self.listen_until(PATIENCE, |world| world.ledger.at_gates()) {
            return Ok(());
        }
        Err(self.still_moving(PATIENCE))
    }

    fn still_moving(&self, after: Duration) -> String {
        let moving = self.ledger.describe(&self.view.in_flight);
        format!("after {} there is still {moving}", humantime::format_duration(after))
    }

    /// What the gates really hold back.
    fn gates(&self) -> GateState {
        let gate = self.view.gate.clone();
        GateState { paused: gate.paused || self.lockstep.is_some(), ..gate }
    }

    /// The replica at which a message is.
    fn receiver(&self, id: MessageId) -> Result<ReplicaId, String> {
        Ok(self.view.in_flight.named(id)?.envelope.to)
    }

    /// Asks a replica for operations, and waits for nothing.
    fn ask(&mut self, at: ReplicaId, commands: Vec<Command>) -> Vec<RequestId> {
        let requests = requests(&commands);
        self.ledger.ask(at, requests.iter());
        self.send_proposals(at, commands);
        requests
    }

    /// Sends proposals over gRPC; the answers come to the inbox.
    fn send_proposals(&self, at: ReplicaId, commands: Vec<Command>) {
        let (connection, inbox) = (self.connections[at.index()].clone(), self.answering.clone());
        self.runtime.spawn(async move {
            // No time limit: a person may take all day over a paused cluster.
            for (request, result) in connection.propose_together(commands).await {
                inbox.send(Report::Answer(Answer { request, result })).ok();
            }
        });
    }

    /// Why these proposals were not taken up, where they were not. They are not reported again. What
    /// failed after that is an answer like any other.
    fn take_failure(&mut self, requests: &[RequestId]) -> Option<String> {
        let requests: Vec<_> =
            requests.iter().filter(|request| self.ledger.take_refused(request)).collect();
        let failed = |(_, answer): &(u64, Answer)| {
            requests.contains(&&answer.request) && answer.result.is_err()
        };
        let error = self.answers.iter().find(|answer| failed(answer))?.1.result.clone().err();
        self.answers.retain(|answer| !failed(answer));
        error
    }

    /// Waits until nothing moves by itself.
    fn quieten(&mut self) -> Result<(), String> {
        let paused = self.gates().paused;
        let deadline = Instant::now() + SETTLE_LIMIT;
        let broke = self.view.broke.clone();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let done = |world: &Self| world.ledger.is_quiet(paused) || world.view.broke != broke;
            if !self.listen_until(left, done) {
                return Err(self.still_moving(SETTLE_LIMIT));
            }
            if self.view.broke != broke {
                return Ok(());
            }
            // Other clients may be about to ask for something.
            let version = self.view.version;
            if paused || !self.listen_until(QUIET, |world| world.view.version != version) {
                return Ok(());
            }
        }
    }
}

impl World for LiveWorld {
    fn view(&self) -> &View {
        &self.view
    }

    fn name(&mut self, operations: Vec<Operation>) -> Vec<Command> {
        self.proposer.commands(operations)
    }

    fn propose_commands(&mut self, at: ReplicaId, commands: Vec<Command>) -> Result<(), String> {
        let requests = self.ask(at, commands);
        if self.view.shape.batch && !self.gates().paused {
            // Only proposals that nobody waits for can come together in a batch.
            self.catch_up();
            return Ok(());
        }
        if !self.listen_until(PATIENCE, |world| world.ledger.has_seen(&requests)) {
            return Err(format!("{at} has not taken up the proposal"));
        }
        if let Some(error) = self.take_failure(&requests) {
            return Err(error);
        }
        self.come_to_rest()
    }

    fn propose_all(
        &mut self,
        proposals: Vec<(ReplicaId, Operation)>,
    ) -> Result<Vec<RequestId>, String> {
        let mut requests = Vec::with_capacity(proposals.len());
        for (at, operation) in proposals {
            if self.gates().paused {
                requests.extend(self.propose(at, vec![operation])?);
            } else {
                let commands = self.name(vec![operation]);
                requests.extend(self.ask(at, commands));
                self.catch_up();
            }
        }
        Ok(requests)
    }

    fn arm(&mut self) {
        self.hear(Report::Notice(Notice::Armed));
    }

    fn deliver(&mut self, id: MessageId) -> Result<(), String> {
        self.act(self.receiver(id)?, Act::Deliver(id))
    }

    fn drop(&mut self, id: MessageId) -> Result<(), String> {
        self.act(self.receiver(id)?, Act::Drop(id))
    }

    fn duplicate(&mut self, id: MessageId) -> Result<(), String> {
        let copy = self.view.in_flight.copy_of(id);
        self.act(self.receiver(id)?, Act::Duplicate(id, copy))
    }

    fn wake(&mut self, replica: ReplicaId) -> Result<(), String> {
        self.act(replica, Act::Wake)
    }

    fn set_clock(&mut self, replica: ReplicaId, time: Time) -> Result<(), String> {
        self.act(replica, Act::SetClock(time))
    }

    fn preview(&mut self, next: Next) -> Result<Step, String> {
        let replica = match next {
            Next::Deliver(id) => self.receiver(id)?,
            Next::Wake(replica) => replica,
        };
        let (told, mut telling) = mpsc::unbounded_channel();
        self.act(replica, Act::Preview(next, told))?;
        telling.try_recv().map_err(|_| format!("{replica} does not say what it would do"))
    }

    fn crash(&mut self, replica: ReplicaId) -> Result<(), String> {
        self.act(replica, Act::Crash)
    }

    fn recover(&mut self, replica: ReplicaId) -> Result<(), String> {
        self.act(replica, Act::Restart)
    }

    fn set_gate(&mut self, gate: GateState) -> Result<(), String> {
        self.catch_up();
        self.hear(Report::Notice(Notice::Gate(gate)));
        let gates = self.gates();
        let replicas = ReplicaId::all(self.view.shape.replicas());
        let acts = replicas.map(|id| self.cluster.act(id, Act::SetGate(gates.clone())));
        // All at once, so that nothing gets far between the first gate and the last.
        let done = self.runtime.block_on(futures::future::join_all(acts));
        self.catch_up();
        done.into_iter().collect::<Result<(), _>>()?;
        self.come_to_rest()?;
        self.note_delays();
        Ok(())
    }

    fn settle(&mut self) -> Result<(), String> {
        if self.lockstep.is_some() && !self.view.gate.paused {
            self.deliver_everything()?;
        }
        self.quieten()
    }

    fn sleep(&mut self, duration: Duration) -> Result<(), String> {
        if self.lockstep.is_some() {
            return self.pass_time(duration);
        }
        self.listen_until(duration, |_| false);
        Ok(())
    }

    fn take_answers(&mut self) -> Vec<Answer> {
        self.catch_up();
        let mut answers = std::mem::take(&mut self.answers);
        answers.sort_by_key(|(place, _)| *place);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

/// How long anything may take that is only a matter of crossing the loopback.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a cluster may take to settle.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);

/// How long nothing must have been heard before a cluster that other clients may use is quiet.
const QUIET: Duration = Duration::from_millis(3);

/// How long tasks may take to end.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(1);
