//! The handshake of proxies: each introduces itself as the replica in whose place it stands, with
//! the incarnation that the replica gives, and as one of the cluster that the other replica's
//! configuration describes. A replica that gives none need not know of handshakes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::config::Endpoint;
use crate::epaxos::id::ReplicaId;
use crate::grade::relays::configuration;
use crate::net::handshake::{Admitted, Handshake, Hello, Incarnation, REFUSAL, is_absent};

/// What the replicas have said of themselves.
#[derive(Debug)]
pub(super) struct Introductions {
    /// By replica, where it was told that the replicas listen.
    configurations: Vec<Arc<[String]>>,
    known: watch::Sender<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    incarnations: Vec<Option<Incarnation>>,
    /// Whether a replica gave none.
    some_give_none: bool,
    /// Which replica is refused by which, and how.
    refusals: BTreeMap<(ReplicaId, ReplicaId), Status>,
}

impl Introductions {
    /// Nothing is known of the replicas at these endpoints, between which these proxies stand.
    pub fn new(replicas: &[Endpoint], proxies: &[Endpoint]) -> Self {
        let configured = |of| {
            let endpoints = configuration(of, replicas, proxies);
            endpoints.iter().map(Endpoint::to_string).collect()
        };
        let (known, _) = watch::channel(Known {
            incarnations: vec![None; replicas.len()],
            some_give_none: false,
            refusals: BTreeMap::new(),
        });
        Self { configurations: (0..replicas.len()).map(configured).collect(), known }
    }

    /// Forgets what a replica has said of itself, and who refuses it or is refused by it.
    pub fn forget(&self, replica: ReplicaId) {
        self.known.send_modify(|known| {
            known.incarnations[replica.index()] = None;
            known.refusals.retain(|(from, to), _| *from != replica && *to != replica);
        });
    }

    /// The incarnation of a replica, where it gives one before long.
    async fn incarnation(
        &self,
        replica: ReplicaId,
        until: impl Fn(&Known) -> bool,
    ) -> Option<Incarnation> {
        let mut known = self.known.subscribe();
        let is_known =
            |known: &Known| known.incarnations[replica.index()].is_some() || until(known);
        timeout(PATIENCE, known.wait_for(is_known)).await.ok();
        self.known.borrow().incarnations[replica.index()]
    }
}

/// The handshakes in the place of one replica.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    me: ReplicaId,
    introductions: Arc<Introductions>,
}

impl Proxy {
    /// Those in the place of `me`.
    pub fn new(me: ReplicaId, introductions: Arc<Introductions>) -> Self {
        Self { me, introductions }
    }

    /// What the replica says of itself to `other`.
    fn hello(&self, other: ReplicaId, incarnation: Incarnation) -> Hello {
        let endpoints = self.introductions.configurations[other.index()].clone();
        Hello { replica: self.me, endpoints, incarnation }
    }

    fn admitted(
        &self,
        from: Option<ReplicaId>,
        hello: Option<&Hello>,
        mut known: watch::Receiver<Known>,
    ) -> Admitted {
        let mut answer = MetadataMap::new();
        if let Some(hello) = hello {
            hello.write(&mut answer);
        }
        let me = self.me;
        let ends = async move {
            let Some(from) = from else { return std::future::pending().await };
            let refused = known.wait_for(|known| known.refusals.contains_key(&(from, me))).await;
            refused.map_or(Ok(()), |known| Err(known.refusals[&(from, me)].clone()))
        };
        Admitted { from, answer, ends: Box::pin(ends), open: Box::new(()) }
    }
}

#[tonic::async_trait]
impl Handshake for Proxy {
    async fn admit(&self, metadata: &MetadataMap) -> Result<Admitted, Status> {
        let Introductions { configurations, known } = &*self.introductions;
        if is_absent(metadata) {
            known.send_if_modified(|known| !std::mem::replace(&mut known.some_give_none, true));
            return Ok(self.admitted(None, None, known.subscribe()));
        }
        let garbled =
            |garbled: crate::net::handshake::Garbled| Status::invalid_argument(garbled.to_string());
        let them = Hello::parse(metadata).map_err(garbled)?;
        let from = them.replica;
        if from.index() < configurations.len() {
            let checked = self.hello(from, NO_INCARNATION).check(&them, None);
            checked.map_err(|refusal| Status::failed_precondition(refusal.to_string()))?;
        }
        known.send_if_modified(|known| {
            let incarnation = &mut known.incarnations[from.index()];
            incarnation.replace(them.incarnation) != Some(them.incarnation)
        });
        if let Some(refused) = known.borrow().refusals.get(&(from, self.me)) {
            return Err(refused.clone());
        }
        let known = known.subscribe();
        let incarnation = self.introductions.incarnation(self.me, |_| false).await;
        let some_give_none = known.borrow().some_give_none;
        let Some(incarnation) = incarnation.or(some_give_none.then_some(NO_INCARNATION)) else {
            return Err(Status::unavailable(format!("{} has not started", self.me)));
        };
        Ok(self.admitted(Some(from), Some(&self.hello(from, incarnation)), known))
    }

    async fn introduce(&self, to: ReplicaId) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        let known = self.introductions.incarnation(self.me, |known| known.some_give_none).await;
        if let Some(incarnation) = known {
            self.hello(to, incarnation).write(&mut metadata);
        }
        metadata
    }

    /// A replica that knows of no handshakes may not answer before it has something to say.
    fn waits_for_answer(&self) -> bool {
        false
    }

    fn check_answer(&self, to: ReplicaId, _answer: &MetadataMap) -> Result<(), String> {
        let known = &self.introductions.known;
        known.send_if_modified(|known| known.refusals.remove(&(self.me, to)).is_some());
        Ok(())
    }

    fn ended(&self, to: ReplicaId, status: &Status) {
        if status.code() == Code::FailedPrecondition && status.metadata().contains_key(REFUSAL) {
            let known = &self.introductions.known;
            known.send_modify(|known| drop(known.refusals.insert((self.me, to), status.clone())));
        }
    }

    fn refusal(&self) -> Option<Arc<str>> {
        None
    }
}

/// In the place of the incarnation of a replica that gives none.
const NO_INCARNATION: Incarnation = Incarnation(0);

/// How long a replica may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(3);
