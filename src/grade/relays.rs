//! What stands between the replicas: to each of them it looks like the others.

mod introductions;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config::Endpoint;
use crate::epaxos::id::ReplicaId;
use crate::epaxos::message::Envelope;
use crate::grade::relays::introductions::{Introductions, Proxy};
use crate::net::bounds::{Bounds, Limits};
use crate::net::convert::Dialect;
use crate::net::link::{Link, Losses};
use crate::net::liveness::Distance;
use crate::net::server::{Incoming, Service, serve};

/// A relay for each replica: it listens in its place, and speaks to it in the place of the others.
#[derive(Debug)]
pub struct Relays {
    runtime: Handle,
    /// Where each of them listens.
    pub endpoints: Vec<Endpoint>,
    /// Where the replicas listen.
    replicas: Vec<Endpoint>,
    /// By receiver, what passes on what the others say to it; nothing where it is down.
    links: Vec<Vec<Option<Speaker>>>,
    introductions: Arc<Introductions>,
    cancel: CancellationToken,
    refused: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
}

/// A link in the place of one replica to another, which ends with this.
#[derive(Debug)]
struct Speaker {
    link: Link,
    _ends: DropGuard,
}

/// What the replica `of` is told of where the replicas listen: at its own endpoint itself, and at the
/// relays all others.
pub fn configuration(of: usize, replicas: &[Endpoint], relays: &[Endpoint]) -> Vec<Endpoint> {
    let place = |index: usize| if index == of { &replicas[of] } else { &relays[index] };
    (0..replicas.len()).map(place).cloned().collect()
}

impl Relays {
    /// Listens in the place of all replicas. What they say to each other goes to `heard`.
    pub fn start(
        runtime: &Handle,
        replicas: &[Endpoint],
        heard: impl Fn(Vec<Envelope>) + Clone + Send + 'static,
    ) -> Result<Self, String> {
        let cancel = CancellationToken::new();
        let refused = Arc::new(AtomicU64::new(0));
        let (mut endpoints, mut listeners) = (Vec::new(), Vec::new());
        for me in ReplicaId::all(replicas.len()) {
            let failed = |error| format!("cannot listen in the place of {me}: {error}");
            let listener = runtime.block_on(listen(replicas)).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            endpoints.push(Endpoint { host: address.ip().to_string(), port: address.port() });
            listeners.push(listener);
        }
        let introductions = Arc::new(Introductions::new(replicas, &endpoints));
        for (me, listener) in ReplicaId::all(replicas.len()).zip(listeners) {
            let (queue, mut incoming) = mpsc::channel::<Incoming<()>>(QUEUE);
            let dialect = Dialect { me, replicas: replicas.len() };
            let (refused, cancel) = (refused.clone(), cancel.clone());
            let handshake = Arc::new(Proxy::new(me, introductions.clone()));
            let bounds = Bounds::new(Limits::default());
            let service = Service { dialect, queue, handshake, refused, bounds, cancel };
            runtime.spawn(serve(listener, service));
            let heard = heard.clone();
            runtime.spawn(async move {
                while let Some(incoming) = incoming.recv().await {
                    // Whoever asks it for something is told that it is gone.
                    if let Incoming::Peer(envelopes, _charge) = incoming {
                        heard(envelopes);
                    }
                }
            });
        }
        Ok(Self {
            runtime: runtime.clone(),
            endpoints,
            replicas: replicas.to_vec(),
            links: replicas.iter().map(|_| Vec::new()).collect(),
            introductions,
            cancel,
            refused,
            lost: Arc::default(),
        })
    }

    /// Speaks to a replica that has begun to listen.
    pub fn speak_to(&mut self, to: ReplicaId) -> Result<(), String> {
        let from = ReplicaId::all(self.replicas.len());
        let speakers = from.map(|from| (from != to).then(|| self.speaker(from, to)).transpose());
        self.links[to.index()] = speakers.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Prepares for a replica that is about to be started again: the others are introduced to it
    /// anew, since it may have lost what made it the one that they know.
    pub fn expect_again(&mut self, from: ReplicaId) -> Result<(), String> {
        self.introductions.forget(from);
        for to in ReplicaId::all(self.replicas.len()) {
            if self.links[to.index()].get(from.index()).is_some_and(Option::is_some) {
                let speaker = self.speaker(from, to)?;
                self.links[to.index()][from.index()] = Some(speaker);
            }
        }
        Ok(())
    }

    fn speaker(&self, me: ReplicaId, to: ReplicaId) -> Result<Speaker, String> {
        let _runtime = self.runtime.enter();
        let (address, replicas) = (self.replicas[to.index()].to_string(), self.replicas.len());
        let lost = self.lost.clone();
        let losses = Losses::new(move |_| {
            lost.fetch_add(1, Ordering::Relaxed);
        });
        let handshake = Arc::new(Proxy::new(me, self.introductions.clone()));
        let at = (address.as_str(), Distance::Network);
        let link = Link::new(Dialect { me, replicas }, to, at, handshake, losses);
        let (link, writer) = link.ok_or_else(|| format!("\"{address}\" is no address"))?;
        let ends = self.cancel.child_token();
        // What somebody else's replica can read is what all of them must be able to.
        self.runtime.spawn(writer.spelling_out().run(ends.clone()));
        Ok(Speaker { link, _ends: ends.drop_guard() })
    }

    /// Says nothing more to a replica that is down.
    pub fn fall_silent(&mut self, to: ReplicaId) {
        self.links[to.index()].clear();
    }

    /// Passes on what was said to a replica.
    pub fn pass_on(&self, envelope: Envelope) {
        let links = &self.links[envelope.to.index()];
        if let Some(Some(speaker)) = links.get(envelope.id.sender.index()) {
            speaker.link.send(envelope);
        }
    }

    /// How many messages could not be passed on to a replica that was up.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// How many messages were refused for what they said.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Relays {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Listens at a port at which none of the replicas will, once it is started.
async fn listen(replicas: &[Endpoint]) -> io::Result<TcpListener> {
    // Kept for so long, or they would be given again.
    let mut taken = Vec::new();
    loop {
        let listener = TcpListener::bind(LOOPBACK).await?;
        let port = listener.local_addr()?.port();
        if replicas.iter().all(|replica| replica.port != port) {
            return Ok(listener);
        }
        taken.push(listener);
    }
}

/// Any free port.
const LOOPBACK: &str = "127.0.0.1:0";

/// How much may wait to be looked at.
const QUEUE: usize = 1024;
