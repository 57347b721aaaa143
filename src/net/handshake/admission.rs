//! What one process has learned in handshakes: which incarnation of each replica it met first, and
//! which replicas refuse it.
//!
//! A replica whose log was lost may vote against its own earlier votes. A replica that has met
//! another incarnation therefore refuses it, and the refused one stops to take part and to serve as
//! soon as one replica refuses its incarnation. A refusal for its configuration alone stops nothing,
//! since the other may be the one that is wrong: what counts is whether enough others accept it.
//!
//! The refused replica dials on, and an acceptance takes a refusal back. So a cluster of which all
//! replicas are restarted heals, though an old process may still be up for a moment. Where
//! a majority of the cluster's replicas keeps refusing it, the cluster goes on without it, and it is
//! [out](Standing::Out): the process should end.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tracing::warn;

use crate::epaxos::id::{REPLICAS_MAX, ReplicaId};
use crate::net::handshake::{
    Admitted, Handshake, Hello, Incarnation, KNOWN_AS, Met, REFUSAL, REPLICAS, RESTARTED, Refusal,
    SECOND, insert, known_as,
};

/// How the other replicas receive this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It takes part.
    Member,
    /// It does not take part, for this reason, and dials on.
    Refused(Arc<str>),
    /// A majority keeps refusing it, for this reason.
    Out(Arc<str>),
}

/// Is told of refusals, in sentences.
#[derive(Clone)]
pub struct Tell(Arc<dyn Fn(&str) + Send + Sync>);

impl Tell {
    /// Calls `tell` with each sentence. One that stays true is not repeated.
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl Default for Tell {
    fn default() -> Self {
        Self::new(|sentence| warn!("{sentence}"))
    }
}

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell")
    }
}

/// The handshakes of one replica. Cheap to clone; clones share what they learn.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    me: Hello,
    tell: Tell,
    peers: Mutex<Vec<Peer>>,
    standing: watch::Sender<Standing>,
}

/// What is known of one other replica.
#[derive(Clone, Debug, Default)]
struct Peer {
    /// The incarnation that was met first.
    incarnation: Option<Incarnation>,
    /// How many streams from it are open.
    open: usize,
    /// What was last told of its refusal by this replica, and of this one's by it.
    told: [Option<String>; 2],
    /// Whether it has accepted this replica, and not refused it since.
    accepted: bool,
    /// Its refusal of this replica, until it accepts.
    refused: Option<Refused>,
}

/// A refusal of this replica by another.
#[derive(Clone, Debug)]
struct Refused {
    sentence: Arc<str>,
    /// Whether it is for this replica's incarnation, rather than its configuration.
    incarnation: bool,
    /// N in the configuration of the one that refuses, where it said so.
    replicas: usize,
    first: Instant,
    last: Instant,
}

impl Peer {
    fn met(&self) -> Option<Met> {
        let connected = self.open > 0;
        self.incarnation.map(|incarnation| Met { incarnation, connected })
    }
}

/// A stream from another replica, which is open as long as this exists.
struct Open(Admission, ReplicaId);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.peers()[self.1.index()].open -= 1;
    }
}

impl Admission {
    /// The handshakes of the replica that introduces itself as `me`.
    pub fn new(me: Hello, tell: Tell) -> Self {
        // Some more than there are replicas: one with another configuration may call itself R8.
        let peers = Mutex::new(vec![Peer::default(); REPLICAS_MAX]);
        let (standing, _) = watch::channel(Standing::Member);
        Self(Arc::new(Shared { me, tell, peers, standing }))
    }

    /// What the replica says of itself.
    pub fn me(&self) -> &Hello {
        &self.0.me
    }

    /// How the other replicas receive this one, and every change of it.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.0.standing.subscribe()
    }

    fn peers(&self) -> MutexGuard<'_, Vec<Peer>> {
        self.0.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that `by` refuses `whom`, unless that was told last.
    fn tell(&self, peer: &mut Peer, by: ReplicaId, whom: ReplicaId, why: &dyn fmt::Display) {
        let sentence = format!("{by} refuses {whom}: {why}");
        let told = &mut peer.told[usize::from(whom == self.me().replica)];
        if told.as_ref() != Some(&sentence) {
            (self.0.tell.0)(&sentence);
            *told = Some(sentence);
        }
    }

    /// This replica refuses `them`.
    fn refuse(&self, peer: &mut Peer, them: ReplicaId, refusal: &Refusal) -> Status {
        self.tell(peer, self.me().replica, them, refusal);
        let mut status = Status::failed_precondition(refusal.to_string());
        insert(status.metadata_mut(), REFUSAL, refusal.kind());
        insert(status.metadata_mut(), REPLICAS, &self.me().endpoints.len().to_string());
        status
    }

    /// The replica `by` refuses this one.
    fn refused(&self, by: ReplicaId, sentence: &str, incarnation: bool, replicas: usize) {
        let mut peers = self.peers();
        let peer = &mut peers[by.index()];
        self.tell(peer, by, self.me().replica, &sentence);
        let (sentence, last) = (Arc::from(sentence), Instant::now());
        let first = peer.refused.as_ref().map_or(last, |refused| refused.first);
        peer.accepted = false;
        peer.refused = Some(Refused { sentence, incarnation, replicas, first, last });
        self.stand(&peers);
    }

    /// Finds out anew how the others receive this replica.
    fn stand(&self, peers: &[Peer]) {
        let standing = judge(peers, self.me().endpoints.len());
        self.0.standing.send_if_modified(|before| {
            let changed = *before != standing && !matches!(before, Standing::Out(_));
            if changed {
                *before = standing;
            }
            changed
        });
    }
}

/// How a replica of a cluster of `replicas` stands with its peers.
fn judge(peers: &[Peer], replicas: usize) -> Standing {
    let refused: Vec<_> = peers.iter().filter_map(|peer| peer.refused.as_ref()).collect();
    let Some(first) = refused.iter().max_by_key(|refused| refused.incarnation) else {
        return Standing::Member;
    };
    let sentence = first.sentence.clone();
    // Where they disagree about N, a majority of the smaller cluster can decide.
    let smallest = refused.iter().map(|refused| refused.replicas).min();
    let majority = smallest.unwrap_or(replicas).min(replicas) / 2 + 1;
    let accepted = peers.iter().filter(|peer| peer.accepted).count();
    let lasting = refused.iter().filter(|refused| refused.last - refused.first >= LASTING);
    if lasting.count() >= majority {
        Standing::Out(sentence)
    } else if first.incarnation || accepted + 1 < replicas / 2 + 1 {
        Standing::Refused(sentence)
    } else {
        Standing::Member
    }
}

#[tonic::async_trait]
impl Handshake for Admission {
    async fn admit(&self, metadata: &MetadataMap) -> Result<Admitted, Status> {
        let garbled = |garbled: super::Garbled| Status::invalid_argument(garbled.to_string());
        let them = Hello::parse(metadata).map_err(garbled)?;
        let known_as = known_as(metadata).map_err(garbled)?;
        let mut peers = self.peers();
        let peer = &mut peers[them.replica.index()];
        if let Err(refusal) = self.me().check(&them, peer.met()) {
            return Err(self.refuse(peer, them.replica, &refusal));
        }
        let mut answer = MetadataMap::new();
        self.me().write(&mut answer);
        if known_as.is_some_and(|known_as| known_as != self.me().incarnation) {
            // The caller will refuse this replica when it has read the answer. It is not met: it
            // may be left over from before the whole cluster was restarted.
            let ends = Box::pin(std::future::ready(Ok(())));
            return Ok(Admitted { from: Some(them.replica), answer, ends, open: Box::new(()) });
        }
        let peer = &mut peers[them.replica.index()];
        peer.incarnation = Some(them.incarnation);
        peer.open += 1;
        let open = Box::new(Open(self.clone(), them.replica));
        let ends = Box::pin(std::future::pending());
        Ok(Admitted { from: Some(them.replica), answer, ends, open })
    }

    async fn introduce(&self, to: ReplicaId) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        self.me().write(&mut metadata);
        if let Some(incarnation) = self.peers()[to.index()].incarnation {
            insert(&mut metadata, KNOWN_AS, &incarnation.to_string());
        }
        metadata
    }

    fn check_answer(&self, to: ReplicaId, answer: &MetadataMap) -> Result<(), String> {
        let them = Hello::parse(answer).map_err(|garbled| garbled.to_string())?;
        let mut peers = self.peers();
        let peer = &mut peers[to.index()];
        let checked = match self.me().check(&them, peer.met()) {
            Ok(()) if them.replica != to => {
                Err(Refusal::Misdirected { expected: to, found: them.replica })
            }
            checked => checked,
        };
        if let Err(refusal) = checked {
            self.refuse(peer, them.replica, &refusal);
            return Err(refusal.to_string());
        }
        peer.incarnation = Some(them.incarnation);
        peer.told = [None, None];
        let before = std::mem::replace(&mut peer.accepted, true);
        if peer.refused.take().is_some() {
            let (me, tell) = (self.me().replica, &self.0.tell.0);
            tell(&format!("{to} accepts {me}"));
        }
        if !before {
            self.stand(&peers);
        }
        Ok(())
    }

    fn ended(&self, to: ReplicaId, status: &Status) {
        let kind = status.metadata().get(REFUSAL).and_then(|kind| kind.to_str().ok());
        let (Code::FailedPrecondition, Some(kind)) = (status.code(), kind) else { return };
        let incarnation = [RESTARTED, SECOND].contains(&kind);
        let replicas =
            status.metadata().get(REPLICAS).and_then(|it| it.to_str().ok()?.parse().ok());
        self.refused(to, status.message(), incarnation, replicas.unwrap_or(usize::MAX));
    }

    fn refusal(&self) -> Option<Arc<str>> {
        match &*self.0.standing.borrow() {
            Standing::Member => None,
            Standing::Refused(sentence) | Standing::Out(sentence) => Some(sentence.clone()),
        }
    }
}

/// How long a replica must keep refusing this one before its refusal counts for good: long enough
/// for the last of the old processes to end where a whole cluster is restarted.
const LASTING: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
