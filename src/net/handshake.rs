//! The handshake of two replicas: each says who it is before any message passes between them.
//!
//! The caller of `Dispatch` sends a [`Hello`] as request metadata, and the called replica answers
//! with its own as response metadata. Both check the other's with [`Hello::check`]. Everything here
//! is a function of its arguments; [`Admission`](admission::Admission) keeps what one process has
//! learned, and [`Handshake`] is what links and servers ask.

pub mod admission;

use std::any::Any;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use futures::future::BoxFuture;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

use crate::epaxos::id::ReplicaId;

/// Metadata key: the replica that speaks, as `R2`.
pub const REPLICA: &str = "epaxos-replica";

/// Metadata key: N, the number of replicas in its configuration.
pub const REPLICAS: &str = "epaxos-replicas";

/// Metadata key: the endpoints of all replicas in its configuration, as `host:port`, R0 first,
/// separated by one space.
pub const ENDPOINTS: &str = "epaxos-endpoints";

/// Metadata key: its incarnation, as 32 hexadecimal digits.
pub const INCARNATION: &str = "epaxos-incarnation";

/// Metadata key of a request: the incarnation under which the caller knows the called replica.
/// Absent where the caller has not met it.
pub const KNOWN_AS: &str = "epaxos-known-as";

/// Metadata key of a status that refuses a replica: `restarted`, `second` or `configuration`.
pub const REFUSAL: &str = "epaxos-refusal";

/// The longest list of endpoints, in bytes: nine of the longest host names that DNS allows.
pub const ENDPOINTS_MAX: usize = 4 << 10;

/// One life of a replica: from the time at which its log was empty to the time at which the log is
/// lost. A process that keeps its log in memory draws one at random when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(pub u128);

impl Incarnation {
    /// The number of the first request without a name that a replica of this incarnation numbers.
    /// Such numbers must differ between two incarnations of one replica, or an answer to the one
    /// would be taken for an answer to the other. They count up from here, so that two incarnations
    /// that number a billion requests each share one with a probability of 1 in 36 million.
    pub fn first_number(self) -> u64 {
        let number = u64::try_from(self.0 >> (u128::BITS - NUMBER_BITS));
        number.expect("so many bits fit")
    }
}

/// How many bits of an incarnation go into the numbers of requests: as many as eight bytes hold on
/// the wire.
const NUMBER_BITS: u32 = 56;

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Incarnation {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parsed = is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        parsed.map(Self).ok_or(())
    }
}

/// What a replica says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Which replica it is.
    pub replica: ReplicaId,
    /// Where the replicas of its cluster listen, as `host:port`, R0 first.
    pub endpoints: Arc<[String]>,
    /// Its incarnation.
    pub incarnation: Incarnation,
}

/// Why metadata is no [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Garbled {
    /// A key is absent.
    #[error(
        "the metadata has no {0}; a replica says who it is when it calls Dispatch \
         (see dispatch.proto)"
    )]
    Missing(&'static str),
    /// A key comes more than once.
    #[error("the metadata has {0} twice")]
    Twice(&'static str),
    /// A value is not what the key asks for.
    #[error("{key} is {value}, not {expected}")]
    Malformed {
        /// The key.
        key: &'static str,
        /// The value, quoted and shortened.
        value: String,
        /// What the value should be.
        expected: &'static str,
    },
    /// The list of endpoints is too long.
    #[error("{ENDPOINTS} has {0} bytes, more than {ENDPOINTS_MAX}")]
    TooLong(usize),
    /// The number of endpoints is not the number of replicas.
    #[error("{ENDPOINTS} lists {endpoints} endpoints, and {REPLICAS} is {replicas}")]
    Count {
        /// How many endpoints there are.
        endpoints: usize,
        /// N.
        replicas: usize,
    },
    /// The replica is none of its own cluster.
    #[error("{REPLICA} is {replica}, and {REPLICAS} is {replicas}")]
    NoSuchReplica {
        /// The replica.
        replica: ReplicaId,
        /// N.
        replicas: usize,
    },
}

/// Why two replicas cannot take part in one cluster. The sentences name the replicas, so that they
/// are true on both sides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// They disagree about N.
    #[error(
        "the configuration of {them} lists {theirs} replicas, and that of {us} lists {ours}; \
         start all replicas with the same configuration"
    )]
    Replicas {
        /// The replica that is refused.
        them: ReplicaId,
        /// Its N.
        theirs: usize,
        /// The replica that refuses.
        us: ReplicaId,
        /// Its N.
        ours: usize,
    },
    /// They disagree about an endpoint.
    #[error(
        "the configuration of {them} has {replica} at {theirs}, and that of {us} has it at {ours}; \
         start all replicas with the same configuration"
    )]
    Endpoint {
        /// The replica that is refused.
        them: ReplicaId,
        /// Whose endpoint it is.
        replica: ReplicaId,
        /// Where the replica that is refused has it.
        theirs: String,
        /// The replica that refuses.
        us: ReplicaId,
        /// Where it has it.
        ours: String,
    },
    /// Both are the same replica.
    #[error("two processes run as {0}; stop one, or give it another --id")]
    SameReplica(ReplicaId),
    /// Another replica than the one that was dialled has answered.
    #[error("{found} answers where {expected} should; check the endpoints")]
    Misdirected {
        /// The replica that was dialled.
        expected: ReplicaId,
        /// The one that answered.
        found: ReplicaId,
    },
    /// An earlier incarnation of it was met.
    #[error(
        "{0} came back without its data; it could contradict its own votes. \
         Restart the whole cluster."
    )]
    Restarted(ReplicaId),
    /// Another incarnation of it is connected.
    #[error("another process runs as {0} already; stop one, or give it another --id")]
    Second(ReplicaId),
}

impl Refusal {
    /// The kind of refusal, as [`REFUSAL`] says it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Restarted(_) => RESTARTED,
            Self::Second(_) => SECOND,
            _ => "configuration",
        }
    }
}

/// The kind of [`Refusal::Restarted`].
const RESTARTED: &str = "restarted";

/// The kind of [`Refusal::Second`].
const SECOND: &str = "second";

/// What is known of a replica that was met before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// The incarnation that was met first.
    pub incarnation: Incarnation,
    /// Whether a stream from that incarnation is open.
    pub connected: bool,
}

impl Hello {
    /// Writes it as metadata.
    pub fn write(&self, metadata: &mut MetadataMap) {
        insert(metadata, REPLICA, &self.replica.to_string());
        insert(metadata, REPLICAS, &self.endpoints.len().to_string());
        insert(metadata, ENDPOINTS, &self.endpoints.join(" "));
        insert(metadata, INCARNATION, &self.incarnation.to_string());
    }

    /// Reads it from metadata.
    pub fn parse(metadata: &MetadataMap) -> Result<Self, Garbled> {
        let replica = one(metadata, REPLICA, "a replica such as R2", |text| text.parse().ok())?;
        let replicas = one(metadata, REPLICAS, "a number", |text| text.parse().ok())?;
        let list = one(metadata, ENDPOINTS, "text", |text| Some(text.to_owned()))?;
        if list.len() > ENDPOINTS_MAX {
            return Err(Garbled::TooLong(list.len()));
        }
        let endpoints: Arc<[String]> = list.split(' ').map(str::to_owned).collect();
        if endpoints.len() != replicas {
            return Err(Garbled::Count { endpoints: endpoints.len(), replicas });
        }
        let replica: ReplicaId = replica;
        if replica.index() >= replicas {
            return Err(Garbled::NoSuchReplica { replica, replicas });
        }
        let incarnation = one(metadata, INCARNATION, HEX, |text| text.parse().ok())?;
        Ok(Self { replica, endpoints, incarnation })
    }

    /// Whether `them` may take part in the cluster of this replica, which knows of them what `met`
    /// says.
    pub fn check(&self, them: &Hello, met: Option<Met>) -> Result<(), Refusal> {
        let (us, ours, theirs) = (self.replica, &self.endpoints, &them.endpoints);
        let refused = them.replica;
        if ours.len() != theirs.len() {
            let (ours, theirs) = (ours.len(), theirs.len());
            return Err(Refusal::Replicas { them: refused, theirs, us, ours });
        }
        let mut pairs = ours.iter().zip(theirs.iter());
        if let Some(index) = pairs.position(|(ours, theirs)| ours != theirs) {
            let replica = ReplicaId::from_index(index);
            let (theirs, ours) = (theirs[index].clone(), ours[index].clone());
            return Err(Refusal::Endpoint { them: refused, replica, theirs, us, ours });
        }
        if refused == us {
            return Err(Refusal::SameReplica(us));
        }
        match met {
            Some(Met { incarnation, .. }) if incarnation == them.incarnation => Ok(()),
            Some(Met { connected: true, .. }) => Err(Refusal::Second(refused)),
            Some(_) => Err(Refusal::Restarted(refused)),
            None => Ok(()),
        }
    }
}

/// The incarnation under which a caller knows the replica that it calls, if it has met one.
pub fn known_as(metadata: &MetadataMap) -> Result<Option<Incarnation>, Garbled> {
    match one(metadata, KNOWN_AS, HEX, |text| text.parse().ok()) {
        Err(Garbled::Missing(_)) => Ok(None),
        read => read.map(Some),
    }
}

/// Whether metadata has nothing of a handshake: its sender may be a replica that knows none.
pub fn is_absent(metadata: &MetadataMap) -> bool {
    [REPLICA, REPLICAS, ENDPOINTS, INCARNATION].iter().all(|key| !metadata.contains_key(*key))
}

const HEX: &str = "32 hexadecimal digits";

fn insert(metadata: &mut MetadataMap, key: &'static str, value: &str) {
    // An endpoint that is no ASCII is no URI either, and was refused before.
    if let Ok(value) = value.parse::<MetadataValue<Ascii>>() {
        metadata.insert(key, value);
    }
}

/// The one value of a key.
fn one<T>(
    metadata: &MetadataMap,
    key: &'static str,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Garbled> {
    let mut values = metadata.get_all(key).iter();
    let value = values.next().ok_or(Garbled::Missing(key))?;
    if values.next().is_some() {
        return Err(Garbled::Twice(key));
    }
    let malformed = || {
        let text = String::from_utf8_lossy(value.as_encoded_bytes());
        let value = format!("{:?}", text.chars().take(QUOTED_MAX).collect::<String>());
        Garbled::Malformed { key, value, expected }
    };
    value.to_str().ok().and_then(parse).ok_or_else(malformed)
}

/// How many characters of a malformed value are quoted.
const QUOTED_MAX: usize = 64;

/// A caller that is let in.
pub struct Admitted {
    /// The replica that every message of the stream must come from; `None` where the caller did not
    /// say who it is and need not.
    pub from: Option<ReplicaId>,
    /// What the called replica says of itself.
    pub answer: MetadataMap,
    /// Ends the stream, well or with a status.
    pub ends: BoxFuture<'static, Result<(), Status>>,
    /// Held for as long as the stream is open.
    pub open: Box<dyn Any + Send>,
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted").field("from", &self.from).finish_non_exhaustive()
    }
}

/// How a replica, or a proxy in its place, introduces itself and whom it lets in. Shared between its
/// server and its links.
#[tonic::async_trait]
pub trait Handshake: fmt::Debug + Send + Sync {
    /// A caller of `Dispatch` has sent this metadata.
    async fn admit(&self, metadata: &MetadataMap) -> Result<Admitted, Status>;

    /// The metadata with which to call `to`.
    async fn introduce(&self, to: ReplicaId) -> MetadataMap;

    /// Whether messages wait until the answer of the called replica was checked.
    fn waits_for_answer(&self) -> bool {
        true
    }

    /// `to` has answered with this metadata. The error says why no message may be sent to it.
    fn check_answer(&self, to: ReplicaId, answer: &MetadataMap) -> Result<(), String>;

    /// The call to `to` has ended with this status.
    fn ended(&self, to: ReplicaId, status: &Status);

    /// Why this replica takes no part at present, as a sentence.
    fn refusal(&self) -> Option<Arc<str>>;
}

#[cfg(test)]
mod tests;
