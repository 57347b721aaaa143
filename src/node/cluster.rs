//! A whole cluster in one process, over real gRPC on the loopback.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::epaxos::command::Key;
use crate::epaxos::id::ReplicaId;
use crate::epaxos::message::MessageKind;
use crate::epaxos::quorum::CLUSTER_SIZES;
use crate::epaxos::replica::{
    GOSSIP_BYTES, GOSSIP_EVERY, KEEP, KEEP_BYTES, KEEP_MOST, KEEP_MOST_BYTES,
    Options as ReplicaOptions, ReplyOn, Timeouts,
};
use crate::net::bounds::{Limits, Usage};
use crate::net::handshake::{Hello, Incarnation};
use crate::node::driver::Act;
use crate::node::member::{Common, Member, Tasks};
use crate::node::tally::Tally;
use crate::node::watch::Watcher;
use crate::observe::filter::Filter;
use crate::observe::links::Delay;
use crate::observe::notice::{GateState, Shape};

/// What a cluster is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many replicas, one of [`CLUSTER_SIZES`].
    pub replicas: usize,
    /// Where each listens, as `host:port`; free ports of the loopback where nothing is said.
    pub endpoints: Option<Vec<String>>,
    /// Whether a replica asks only as many others as it needs.
    pub thrifty: bool,
    /// Whether proposals that wait together become one instance.
    pub batch: bool,
    /// When clients are answered.
    pub reply_on: ReplyOn,
    /// How long every Commit waits at its receiver, where it does.
    pub commit_delay: Option<Duration>,
    /// How long a replica waits for the decision of another one's instance before it recovers it;
    /// for ever where nothing is said. Long enough, in any case, for delayed Commits to arrive.
    pub recover_after: Option<Duration>,
    /// From what waiting times are drawn that should differ between replicas, and what becomes of
    /// messages on links that lose, double or delay some.
    pub seed: u64,
    /// How many commands are executed from one time that the other replicas are told so to the next.
    pub gossip_every: u64,
    /// How many commands of each row are kept, at most, that every replica has executed.
    pub keep: u64,
    /// How many commands are kept for a replica that has not executed them.
    pub keep_most: u64,
    /// How many bytes of keys and values are executed between two messages that tell the others so.
    pub gossip_bytes: u64,
    /// How many bytes of keys and values each row keeps, at most, that all replicas have executed.
    pub keep_bytes: u64,
    /// How many bytes of keys and values are kept for a replica that has not executed them.
    pub keep_most_bytes: u64,
    /// How the protocol is broken on purpose.
    #[cfg(feature = "mutations")]
    pub mutation: Option<crate::epaxos::mutation::Mutation>,
    /// Whether to begin with everything paused.
    pub paused: bool,
    /// What its replicas are incarnations of, where that is known from before; otherwise a new
    /// one is drawn at random.
    pub incarnation: Option<Incarnation>,
    /// How much of each replica clients can take.
    pub limits: Limits,
    /// A replica that is to panic, once, and the key at which it does: to see what comes of it.
    pub panic_at: Option<(ReplicaId, Key)>,
}

impl Options {
    /// The usual cluster of `replicas`.
    pub fn new(replicas: usize) -> Self {
        Self {
            replicas,
            endpoints: None,
            thrifty: true,
            batch: false,
            reply_on: ReplyOn::default(),
            commit_delay: None,
            recover_after: Timeouts::default().recover,
            seed: 0,
            gossip_every: GOSSIP_EVERY,
            keep: KEEP,
            keep_most: KEEP_MOST,
            gossip_bytes: GOSSIP_BYTES,
            keep_bytes: KEEP_BYTES,
            keep_most_bytes: KEEP_MOST_BYTES,
            #[cfg(feature = "mutations")]
            mutation: None,
            paused: false,
            incarnation: None,
            limits: Limits::default(),
            panic_at: None,
        }
    }

    /// What the gates hold back at first.
    pub fn gate(&self) -> GateState {
        let commits = Filter { kind: Some(MessageKind::Commit), ..Filter::default() };
        let delay = self.commit_delay.map(|delay| (commits, Delay::fixed(delay)));
        let delays = delay.into_iter().collect();
        GateState { paused: self.paused, delays, seed: self.seed, ..GateState::default() }
    }

    /// What the cluster is, listening at `endpoints`.
    pub(super) fn shape(&self, endpoints: Vec<String>) -> Result<Shape, StartError> {
        if !CLUSTER_SIZES.contains(&self.replicas) {
            return Err(StartError::Size(self.replicas));
        }
        let (expected, found) = (self.replicas, endpoints.len());
        if expected != found {
            return Err(StartError::EndpointCount { expected, found });
        }
        let delayed = self.commit_delay.unwrap_or_default().saturating_mul(2);
        let recover = self.recover_after.map(|after| after.max(delayed));
        let options = ReplicaOptions {
            timeouts: Timeouts { recover, ..Timeouts::default() }.patient(),
            thrifty: self.thrifty,
            reply_on: self.reply_on,
            seed: self.seed,
            gossip_every: self.gossip_every,
            keep: self.keep,
            keep_most: self.keep_most,
            gossip_bytes: self.gossip_bytes,
            keep_bytes: self.keep_bytes,
            keep_most_bytes: self.keep_most_bytes,
            #[cfg(feature = "mutations")]
            mutation: self.mutation,
            ..ReplicaOptions::new(ReplicaId(0), self.replicas)
        };
        Ok(Shape { options, batch: self.batch, endpoints })
    }
}

/// Why a cluster, or one replica, could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no cluster of this size.
    #[error("a cluster has 3, 5, 7 or 9 replicas, not {0}")]
    Size(usize),
    /// There is not one endpoint for each replica.
    #[error("{expected} replicas need {expected} endpoints, and there are {found}")]
    EndpointCount {
        /// How many replicas there are to be.
        expected: usize,
        /// How many endpoints there are.
        found: usize,
    },
    /// The replica to start is none of the cluster's.
    #[error("there is no {0} among {1} replicas")]
    Replica(ReplicaId, usize),
    /// An endpoint is not `host:port`.
    #[error("\"{endpoint}\" is no address such as localhost:7000")]
    Endpoint {
        /// What was given.
        endpoint: String,
    },
    /// Somebody else listens there.
    #[error(
        "{replica} cannot listen at {endpoint}: the port is in use, perhaps by another cluster"
    )]
    PortInUse {
        /// Which replica.
        replica: ReplicaId,
        /// Where.
        endpoint: String,
    },
    /// Listening fails for another reason.
    #[error("{replica} cannot listen at {endpoint}: {source}")]
    Listen {
        /// Which replica.
        replica: ReplicaId,
        /// Where.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// No incarnation could be drawn.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// No runtime could be made.
    #[error("cannot start a runtime: {0}")]
    Runtime(io::Error),
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    shape: Shape,
    members: Vec<Member>,
    tasks: Tasks,
}

impl Cluster {
    /// Starts a cluster on a runtime. All that happens in it is reported to `watcher`, if anybody
    /// watches; where nobody does, no reports are made.
    pub fn start(
        options: &Options,
        watcher: Option<Watcher>,
        runtime: &Handle,
    ) -> Result<Cluster, StartError> {
        let _runtime = runtime.enter();
        // All ports first: where one is taken, nothing has been started.
        let endpoints = match &options.endpoints {
            Some(endpoints) => endpoints.clone(),
            None => vec![LOOPBACK.to_owned(); options.replicas],
        };
        let listeners = endpoints.iter().enumerate();
        let listeners = listeners.map(|(id, at)| listen(ReplicaId::from_index(id), at));
        let listeners: Vec<_> = listeners.collect::<Result<_, _>>()?;
        let endpoints = match &options.endpoints {
            Some(endpoints) => endpoints.clone(),
            None => listeners.iter().map(local).collect::<Result<_, _>>()?,
        };
        let common = Common::new(options, endpoints, watcher)?;
        let members = ReplicaId::all(options.replicas).zip(listeners);
        let members = members.map(|(id, listener)| Member::start(&common, id, listener));
        let members = members.collect::<Result<_, _>>()?;
        let Common { shape, tasks, .. } = common;
        Ok(Cluster { shape, members, tasks })
    }

    /// What the cluster is.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Where a replica listens, as `host:port`.
    pub fn endpoint(&self, replica: ReplicaId) -> &str {
        &self.shape.endpoints[replica.index()]
    }

    /// What a replica says of itself to the others.
    pub fn hello(&self, replica: ReplicaId) -> &Hello {
        self.members[replica.index()].admission.me()
    }

    /// How many messages and requests a replica has refused for what they said.
    pub fn refused(&self, replica: ReplicaId) -> u64 {
        self.members[replica.index()].refused.load(Ordering::Relaxed)
    }

    /// How often the clients of a replica met its limits.
    pub fn usage(&self, replica: ReplicaId) -> Usage {
        self.members[replica.index()].bounds.usage()
    }

    /// How many messages of a replica were given up before they reached anybody.
    pub fn lost(&self, replica: ReplicaId) -> u64 {
        self.members[replica.index()].lost.load(Ordering::Relaxed)
    }

    /// Does something to a replica or its gate. All notices of it have been given when this ends.
    pub async fn act(&self, replica: ReplicaId, act: Act) -> Result<(), String> {
        self.members[replica.index()].act(act).await
    }

    /// What the replicas have counted of themselves, added up. One that has failed counts nothing.
    pub async fn tally(&self) -> Tally {
        let (told, mut telling) = mpsc::unbounded_channel();
        for replica in ReplicaId::all(self.members.len()) {
            self.act(replica, Act::Tally(told.clone())).await.ok();
        }
        let mut all = Tally::default();
        while let Ok(tally) = telling.try_recv() {
            all.add(&tally);
        }
        all
    }

    /// Stops everything, and waits until it has.
    pub async fn shutdown(&self) {
        self.tasks.shutdown().await;
    }
}

/// Listens for a replica.
pub(super) fn listen(replica: ReplicaId, endpoint: &str) -> Result<TcpListener, StartError> {
    let named = || endpoint.to_owned();
    match endpoint.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {}
        _ => return Err(StartError::Endpoint { endpoint: named() }),
    }
    TcpListener::bind(endpoint).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse { replica, endpoint: named() },
        _ => StartError::Listen { replica, endpoint: named(), source },
    })
}

fn local(listener: &TcpListener) -> Result<String, StartError> {
    match listener.local_addr() {
        Ok(address) => Ok(address.to_string()),
        Err(source) => {
            let endpoint = LOOPBACK.to_owned();
            Err(StartError::Listen { replica: ReplicaId(0), endpoint, source })
        }
    }
}

/// Any free port.
const LOOPBACK: &str = "127.0.0.1:0";
