//! What stands between the replicas: to each of them it looks like the others.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Endpoint;
use crate::epaxos::id::ReplicaId;
use crate::epaxos::message::Envelope;
use crate::net::convert::Dialect;
use crate::net::link::{Link, Losses};
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
    links: Vec<Vec<Option<Link>>>,
    cancel: CancellationToken,
    /// Ends what speaks to a replica, by replica.
    speaking: Vec<CancellationToken>,
    refused: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
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
        let mut endpoints = Vec::new();
        for me in ReplicaId::all(replicas.len()) {
            let failed = |error| format!("cannot listen in the place of {me}: {error}");
            let listener = runtime.block_on(listen(replicas)).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            endpoints.push(Endpoint { host: address.ip().to_string(), port: address.port() });
            let (queue, mut incoming) = mpsc::channel::<Incoming<()>>(QUEUE);
            let dialect = Dialect { me, replicas: replicas.len() };
            let (refused, cancel) = (refused.clone(), cancel.clone());
            runtime.spawn(serve(listener, Service { dialect, queue, refused, cancel }));
            let heard = heard.clone();
            runtime.spawn(async move {
                while let Some(incoming) = incoming.recv().await {
                    // Whoever asks it for something is told that it is gone.
                    if let Incoming::Peer(envelopes) = incoming {
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
            speaking: replicas.iter().map(|_| cancel.child_token()).collect(),
            cancel,
            refused,
            lost: Arc::default(),
        })
    }

    /// Speaks to a replica that has begun to listen.
    pub fn speak_to(&mut self, to: ReplicaId) -> Result<(), String> {
        self.fall_silent(to);
        let _runtime = self.runtime.enter();
        let (address, replicas) = (self.replicas[to.index()].to_string(), self.replicas.len());
        let mut links = Vec::new();
        for me in ReplicaId::all(replicas) {
            if me == to {
                links.push(None);
                continue;
            }
            let lost = self.lost.clone();
            let losses = Losses::new(move |_| {
                lost.fetch_add(1, Ordering::Relaxed);
            });
            let link = Link::new(Dialect { me, replicas }, to, &address, losses);
            let (link, writer) = link.ok_or_else(|| format!("\"{address}\" is no address"))?;
            // What somebody else's replica can read is what all of them must be able to.
            self.runtime.spawn(writer.spelling_out().run(self.speaking[to.index()].clone()));
            links.push(Some(link));
        }
        self.links[to.index()] = links;
        Ok(())
    }

    /// Says nothing more to a replica that is down.
    pub fn fall_silent(&mut self, to: ReplicaId) {
        self.links[to.index()].clear();
        self.speaking[to.index()].cancel();
        self.speaking[to.index()] = self.cancel.child_token();
    }

    /// Passes on what was said to a replica.
    pub fn pass_on(&self, envelope: Envelope) {
        let links = &self.links[envelope.to.index()];
        if let Some(Some(link)) = links.get(envelope.id.sender.index()) {
            link.send(envelope);
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
