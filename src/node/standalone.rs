//! One replica in a process of its own; the others are elsewhere.
//!
//! What it knows is in memory. A replica that was stopped has forgotten its votes and must not join
//! its cluster again under the same name, unless it never took part. Those that have met it refuse it
//! then ([`handshake`](crate::net::handshake)), and it takes no part and serves no client.

use std::sync::atomic::Ordering;

use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::epaxos::id::ReplicaId;
use crate::net::bounds::Usage;
use crate::net::handshake::admission::{Standing, Tell};
use crate::net::liveness::Distance;
use crate::node::cluster::{Options, StartError, listen};
use crate::node::member::{Common, Member, Tasks};
use crate::node::watch::Watcher;
use crate::observe::notice::Shape;

/// A running replica.
#[derive(Debug)]
pub struct Standalone {
    shape: Shape,
    member: Member,
    tasks: Tasks,
}

impl Standalone {
    /// Starts the replica `id` of the cluster that `options` describe, where each replica's endpoint
    /// must be given. What happens at it is reported to `watcher`, if anybody watches.
    pub fn start(
        options: &Options,
        id: ReplicaId,
        watcher: Option<Watcher>,
        runtime: &Handle,
    ) -> Result<Standalone, StartError> {
        Self::start_telling(options, id, watcher, Tell::default(), runtime)
    }

    /// The same, where `tell` is told of refusals.
    pub fn start_telling(
        options: &Options,
        id: ReplicaId,
        watcher: Option<Watcher>,
        tell: Tell,
        runtime: &Handle,
    ) -> Result<Standalone, StartError> {
        let _runtime = runtime.enter();
        let endpoints = options.endpoints.clone().unwrap_or_default();
        let common = Common::new(options, endpoints, watcher)?;
        let common = Common { distance: Distance::Network, tell, ..common };
        let Some(endpoint) = common.shape.endpoints.get(id.index()) else {
            return Err(StartError::Replica(id, options.replicas));
        };
        let listener = listen(id, endpoint)?;
        let member = Member::start(&common, id, listener)?;
        let Common { shape, tasks, .. } = common;
        Ok(Standalone { shape, member, tasks })
    }

    /// What the cluster is that the replica is one of.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How the other replicas receive it.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.member.admission.standing()
    }

    /// How many messages and requests it has refused for what they said.
    pub fn refused(&self) -> u64 {
        self.member.refused.load(Ordering::Relaxed)
    }

    /// How often its clients met its limits.
    pub fn usage(&self) -> Usage {
        self.member.bounds.usage()
    }

    /// How many of its messages were given up before they reached anybody.
    pub fn lost(&self) -> u64 {
        self.member.lost.load(Ordering::Relaxed)
    }

    /// Stops it, and waits until it has.
    pub async fn shutdown(&self) {
        self.tasks.shutdown().await;
    }
}
