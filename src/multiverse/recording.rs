//! A run as a file: one JSON object a line. The first says what the cluster is, each of the others is a
//! turn with the digest of what came of it, and the last, where the run was ended and not cut off, says
//! how many there were. `docs/recording.md` lists the fields.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::epaxos::command::{Client, Command, Key, Operation, RequestId};
use crate::epaxos::id::{ParseIdError, ReplicaId};
use crate::epaxos::replica::{Options, ReplyOn, Timeouts};
use crate::observe::notice::Shape;

/// The version of the format. What is of another one is refused.
pub const VERSION: u64 = 1;

/// What the cluster is: the first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// The version; what makes the file a recording.
    pub epaxos_recording: u64,
    replicas: usize,
    thrifty: bool,
    batch: bool,
    reply_on: When,
    seed: u64,
    fast_path_us: u64,
    resend_us: u64,
    resend_max_us: u64,
    recover_us: Option<u64>,
    gossip_every: u64,
    keep: u64,
    keep_most: u64,
    gossip_bytes: u64,
    keep_bytes: u64,
    keep_most_bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mutation: Option<String>,
}

/// When clients are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum When {
    Execute,
    Commit,
}

/// One turn: all lines but the first and the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub n: u64,
    pub t_us: u64,
    pub replica: String,
    pub event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<Vec<Asked>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// Whether nothing was said to come of it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub silent: bool,
    /// What the gates were told to hold back before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<String>>,
    pub digest: String,
}

/// The end of a run: the last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// How many turns there were.
    pub end: u64,
    /// Why no more of the run was recorded, where there was more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A command that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The client's name; or the replica that numbered the request of a client without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    via: Option<String>,
    number: u64,
    op: Verb,
    key: String,
    /// The value of a put, where it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// The value of a put in Base64, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Put,
    Get,
    Del,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_false(it: &bool) -> bool {
    !it
}

impl Header {
    pub(super) fn of(shape: &Shape) -> Self {
        let Options { thrifty, seed, gossip_every, keep, keep_most, .. } = shape.options;
        let Options { gossip_bytes, keep_bytes, keep_most_bytes, .. } = shape.options;
        let Timeouts { fast_path, resend, resend_max, recover } = shape.options.timeouts;
        let micros =
            |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            epaxos_recording: VERSION,
            replicas: shape.replicas(),
            thrifty,
            batch: shape.batch,
            reply_on: match shape.reply_on() {
                ReplyOn::Execute => When::Execute,
                ReplyOn::Commit => When::Commit,
            },
            seed,
            fast_path_us: micros(fast_path),
            resend_us: micros(resend),
            resend_max_us: micros(resend_max),
            recover_us: recover.map(micros),
            gossip_every,
            keep,
            keep_most,
            gossip_bytes,
            keep_bytes,
            keep_most_bytes,
            #[cfg(feature = "mutations")]
            mutation: shape.options.mutation.map(|mutation| mutation.to_string()),
            #[cfg(not(feature = "mutations"))]
            mutation: None,
        }
    }

    /// The cluster, or why there is none of that kind.
    pub(super) fn shape(&self) -> Result<Shape, String> {
        use crate::epaxos::quorum::CLUSTER_SIZES;
        use std::time::Duration;
        if !CLUSTER_SIZES.contains(&self.replicas) {
            return Err(format!("a cluster has 3, 5, 7 or 9 replicas, not {}", self.replicas));
        }
        if [self.fast_path_us, self.resend_us, self.resend_max_us].contains(&0)
            || self.recover_us == Some(0)
        {
            return Err("replicas that wait for no time at all never come to rest".to_owned());
        }
        let mut shape = Shape { batch: self.batch, ..Shape::new(self.replicas) };
        shape.options = Options {
            thrifty: self.thrifty,
            reply_on: match self.reply_on {
                When::Execute => ReplyOn::Execute,
                When::Commit => ReplyOn::Commit,
            },
            timeouts: Timeouts {
                fast_path: Duration::from_micros(self.fast_path_us),
                resend: Duration::from_micros(self.resend_us),
                resend_max: Duration::from_micros(self.resend_max_us),
                recover: self.recover_us.map(Duration::from_micros),
            },
            seed: self.seed,
            gossip_every: self.gossip_every.max(1),
            keep: self.keep,
            keep_most: self.keep_most,
            gossip_bytes: self.gossip_bytes.max(1),
            keep_bytes: self.keep_bytes,
            keep_most_bytes: self.keep_most_bytes,
            ..shape.options
        };
        match &self.mutation {
            None => {}
            #[cfg(feature = "mutations")]
            Some(name) => shape.options.mutation = Some(name.parse()?),
            #[cfg(not(feature = "mutations"))]
            Some(name) => {
                return Err(format!(
                    "the protocol was broken on purpose ({name}), and here it is not"
                ));
            }
        }
        Ok(shape)
    }
}

impl Asked {
    pub(super) fn of(command: &Command) -> Self {
        let (client, via) = match &command.request.client {
            Client::Named(name) => (Some(name.to_string()), None),
            Client::Anonymous(replica) => (None, Some(replica.to_string())),
        };
        let (op, value) = match &command.operation {
            Operation::Put(_, value) => (Verb::Put, Some(value)),
            Operation::Get(_) => (Verb::Get, None),
            Operation::Delete(_) => (Verb::Del, None),
        };
        let text = value.map(|value| std::str::from_utf8(value));
        Self {
            client,
            via,
            number: command.request.number,
            op,
            key: command.operation.key().to_string(),
            value: text.and_then(Result::ok).map(str::to_owned),
            bytes: text.and_then(Result::err).and(value).map(|value| STANDARD.encode(value)),
        }
    }

    pub(super) fn command(&self, replicas: usize) -> Result<Command, String> {
        let client = match (&self.client, &self.via) {
            (Some(name), None) => Client::Named(name.as_str().into()),
            (None, Some(via)) => Client::Anonymous(replica(via, replicas)?),
            _ => {
                return Err("a command has either a client or a replica that it came by".to_owned());
            }
        };
        if self.number > u64::MAX / 2 {
            return Err(format!("{} is no number of a request", self.number));
        }
        let key = Key::from(self.key.as_str());
        let operation = match (self.op, &self.value, &self.bytes) {
            (Verb::Put, Some(value), None) => Operation::Put(key, value.as_bytes().into()),
            (Verb::Put, None, Some(bytes)) => {
                let odd = |error| format!("\"{bytes}\" is not Base64: {error}");
                Operation::Put(key, STANDARD.decode(bytes).map_err(odd)?.into())
            }
            (Verb::Get, None, None) => Operation::Get(key),
            (Verb::Del, None, None) => Operation::Delete(key),
            _ => return Err("a put has one value, and nothing else has any".to_owned()),
        };
        Ok(Command { request: RequestId { client, number: self.number }, operation })
    }
}

/// A replica of a cluster of so many.
pub(super) fn replica(name: &str, replicas: usize) -> Result<ReplicaId, String> {
    let id: ReplicaId = name.parse().map_err(|error: ParseIdError| error.to_string())?;
    if id.index() < replicas { Ok(id) } else { Err(format!("there is no {id}")) }
}
