//! One replica with everything around it: event loop, services, links.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use crate::epaxos::command::Key;
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::replica::Options;
use crate::net::bounds::{Bounds, Limits};
use crate::net::convert::Dialect;
use crate::net::handshake::admission::{Admission, Tell};
use crate::net::handshake::{Handshake, Hello, Incarnation};
use crate::net::link::{Link, Losses};
use crate::net::liveness::{Distance, give_up_dead};
use crate::net::server::{Incoming, Service, serve};
use crate::net::spellings::Spellings;
use crate::node::clock;
use crate::node::clock::Clock;
use crate::node::cluster;
use crate::node::cluster::StartError;
use crate::node::driver::{Act, Control, Driver, Parts};
use crate::node::watch::Watcher;
use crate::observe::notice::{GateState, Notice, Shape};
use crate::script::request::Report;

/// All that runs for a cluster, or for one replica of it. It ends when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Tasks {
    /// Stops everything, and waits until it has.
    pub async fn shutdown(&self) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// What all members of a cluster have in common.
#[derive(Debug)]
pub(super) struct Common {
    pub shape: Shape,
    pub gate: GateState,
    pub limits: Limits,
    pub panic_at: Option<(ReplicaId, Key)>,
    pub start: Instant,
    pub watcher: Option<Watcher>,
    /// The incarnation of every member.
    pub incarnation: Incarnation,
    /// What lies between the members.
    pub distance: Distance,
    /// Is told of refusals.
    pub tell: Tell,
    pub tasks: Tasks,
}

impl Common {
    /// What the members of the cluster have in common that `options` describe, listening at
    /// `endpoints`; it has begun.
    pub fn new(
        options: &cluster::Options,
        endpoints: Vec<String>,
        watcher: Option<Watcher>,
    ) -> Result<Self, StartError> {
        Ok(Self {
            shape: options.shape(endpoints)?,
            gate: options.gate(),
            limits: options.limits.clone(),
            panic_at: options.panic_at.clone(),
            start: clock::start(),
            watcher,
            incarnation: options.incarnation.map_or_else(draw, Ok)?,
            distance: Distance::None,
            tell: Tell::default(),
            tasks: Tasks::default(),
        })
    }
}

/// An incarnation that no other process has.
fn draw() -> Result<Incarnation, StartError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| StartError::Random(error.to_string()))?;
    Ok(Incarnation(u128::from_le_bytes(bytes)))
}

/// One replica, from outside.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub id: ReplicaId,
    pub queue: mpsc::Sender<Incoming<Control>>,
    pub refused: Arc<AtomicU64>,
    pub bounds: Arc<Bounds>,
    pub lost: Arc<AtomicU64>,
    pub admission: Admission,
}

impl Member {
    /// Starts the replica `id`, which others reach through `listener`. Called on a runtime.
    pub fn start(
        common: &Common,
        id: ReplicaId,
        listener: TcpListener,
    ) -> Result<Member, StartError> {
        let Common { shape, tasks: Tasks { tracker, cancel }, .. } = common;
        let endpoint = &shape.endpoints[id.index()];
        let listening =
            |source| StartError::Listen { replica: id, endpoint: endpoint.clone(), source };
        listener.set_nonblocking(true).map_err(listening)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(listening)?;

        give_up_dead(&listener, common.distance).map_err(listening)?;

        let endpoints = shape.endpoints.clone().into();
        let hello = Hello { replica: id, endpoints, incarnation: common.incarnation };
        let admission = Admission::new(hello, common.tell.clone());
        let (queue, incoming) = mpsc::channel(QUEUE);
        let bounds = Bounds::new(common.limits.clone());
        let (refused, lost) = (Arc::default(), Arc::default());
        let member = Member { id, queue, refused, bounds, lost, admission };
        let dialect = Dialect { me: id, replicas: shape.replicas() };
        let driver = Driver::new(Parts {
            options: Options { id, ..shape.options.clone() },
            batch: shape.batch,
            queue: incoming,
            links: member.links(common, dialect)?,
            gate: common.gate.clone(),
            clock: Clock::new(common.start, common.gate.paused),
            // Within one process replicas come back as they were, and runs are the same every time.
            first_number: match common.distance {
                Distance::Network => common.incarnation.first_number(),
                Distance::None => 0,
            },
            watcher: common.watcher.clone(),
            trap: common.panic_at.as_ref().filter(|(at, _)| *at == id).map(|(_, key)| key.clone()),
        });
        tracker.spawn(watch(driver, cancel.clone()));
        tracker.spawn(cancel.clone().run_until_cancelled_owned(member.clone().follow_standing()));
        let Member { queue, refused, bounds, .. } = member.clone();
        let handshake = Arc::new(member.admission.clone());
        let service =
            Service { dialect, queue, handshake, refused, bounds, cancel: cancel.clone() };
        tracker.spawn(serve(listener, service));
        info!("{id} listens at {endpoint}");
        Ok(member)
    }

    /// A link to each other replica, with its task.
    fn links(&self, common: &Common, dialect: Dialect) -> Result<Vec<Option<Link>>, StartError> {
        let spellings = Spellings::default();
        let link = |(index, endpoint): (usize, &String)| {
            let to = ReplicaId::from_index(index);
            if to == self.id {
                return Ok(None);
            }
            let (at, losses) = ((endpoint.as_str(), common.distance), self.losses(common));
            let handshake = Arc::new(self.admission.clone());
            let (link, writer) = Link::new(dialect, to, at, handshake, losses)
                .ok_or_else(|| StartError::Endpoint { endpoint: endpoint.clone() })?;
            let Tasks { tracker, cancel } = &common.tasks;
            tracker.spawn(writer.sharing(spellings.clone()).run(cancel.clone()));
            Ok(Some(link))
        };
        common.shape.endpoints.iter().enumerate().map(link).collect()
    }

    fn losses(&self, common: &Common) -> Losses {
        let (lost, watcher) = (self.lost.clone(), common.watcher.clone());
        Losses::new(move |id: MessageId| {
            lost.fetch_add(1, Ordering::Relaxed);
            if let Some(Watcher { reports, backlog }) = &watcher {
                backlog.say(1);
                reports.send(Report::Notice(Notice::Lost(id))).ok();
            }
        })
    }

    /// Has the replica take part only while no other one refuses it.
    async fn follow_standing(self) {
        let mut standing = self.admission.standing();
        while standing.changed().await.is_ok() {
            // Where the replica is gone there is nothing to be told.
            self.act(Act::Stand(self.admission.refusal())).await.ok();
        }
    }

    /// Does something to the replica or its gate.
    pub async fn act(&self, act: Act) -> Result<(), String> {
        let (done, doing) = oneshot::channel();
        let stopped = || format!("{} has stopped", self.id);
        let control = Incoming::Control(Control { act, done });
        self.queue.send(control).await.map_err(|_| stopped())?;
        doing.await.map_err(|_| stopped())?
    }
}

/// Runs an event loop in a task of its own, so that one that fails takes nobody with it. What a
/// replica does is guarded by the loop itself: this is for what nobody thought of.
async fn watch(driver: Driver, cancel: CancellationToken) {
    let id = driver.id();
    match tokio::spawn(driver.run(cancel)).await {
        Ok(()) => info!("{id} has stopped"),
        Err(failure) => error!("{id} has failed, and is gone: {failure}"),
    }
}

/// How many inputs may wait for a replica. When it is full, peers and clients wait, and each peer's
/// outbound queue fills up in turn.
const QUEUE: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::attributes::Attributes;
    use crate::epaxos::command::Payload;
    use crate::epaxos::id::{Ballot, InstanceId};
    use crate::epaxos::message::{Envelope, Message, PreAccept};
    use crate::node::clock;

    /// R0 of three without a link to anybody: it fails where it has something to send.
    fn without_links() -> (Member, Driver) {
        let id = ReplicaId(0);
        let (queue, incoming) = mpsc::channel(1);
        let driver = Driver::new(Parts {
            options: Options::new(id, 3),
            batch: false,
            queue: incoming,
            links: vec![None, None, None],
            gate: GateState::default(),
            clock: Clock::new(clock::start(), false),
            first_number: 0,
            watcher: None,
            trap: None,
        });
        let endpoints = ["a:1", "b:2", "c:3"].map(str::to_owned).into();
        let hello = Hello { replica: id, endpoints, incarnation: Incarnation(1) };
        let admission = Admission::new(hello, Tell::default());
        let bounds = Bounds::new(Limits::default());
        let (refused, lost) = (Arc::default(), Arc::default());
        (Member { id, queue, refused, bounds, lost, admission }, driver)
    }

    /// A PreAccept of R1, which R0 answers.
    fn asked(attributes: Attributes) -> Incoming<Control> {
        let leader = ReplicaId(1);
        let message = Message::PreAccept(PreAccept {
            instance: InstanceId::new(leader, 0),
            ballot: Ballot::initial(leader),
            payload: Payload::Noop,
            attributes,
        });
        let id = MessageId { sender: leader, number: 0, copy: 0 };
        Incoming::Peer(vec![Envelope { id, to: ReplicaId(0), message }], None)
    }

    #[tokio::test]
    async fn a_replica_that_fails_takes_nobody_with_it() {
        let (member, driver) = without_links();
        let cancel = CancellationToken::new();
        let watch = tokio::spawn(watch(driver, cancel.clone()));
        member.queue.send(asked(Attributes::FIRST)).await.unwrap();
        assert_eq!(member.act(Act::Wake).await, Err("R0 is down".to_owned()));
        assert_eq!(member.act(Act::Restart).await, Ok(()));
        cancel.cancel();
        watch.await.expect("whoever watches it lives on");
        assert_eq!(member.act(Act::Wake).await, Err("R0 has stopped".to_owned()));
    }

    #[tokio::test]
    async fn a_replica_that_failed_over_what_it_stored_says_so_and_stays_down() {
        let (member, driver) = without_links();
        tokio::spawn(watch(driver, CancellationToken::new()));
        let mut absurd = Attributes::FIRST;
        absurd.deps.add(InstanceId::new(ReplicaId(1), 0));
        member.queue.send(asked(absurd)).await.unwrap();
        let refused = "R0 cannot come back with what it has stored: R1.0 depends on itself";
        for _ in 0..2 {
            assert_eq!(member.act(Act::Restart).await, Err(refused.to_owned()));
        }
        assert_eq!(member.act(Act::Wake).await, Err("R0 is down".to_owned()));
    }
}
