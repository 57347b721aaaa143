//! Whether a client can receive the answers to a batch, found out before anything is proposed.
//!
//! gRPC clients refuse messages above a limit of their own, which a server cannot see; it is 4 MiB
//! unless the client changes it. The answers to a batch are one message, and what a get will find is
//! not known beforehand. Were the batch proposed, its writes would take effect, and its client would
//! be told of nothing but its own limit.

use tonic::metadata::MetadataMap;

use crate::net::convert::VALUE_MAX;
use crate::net::wire;

/// Metadata key: how many bytes of one message the client receives, where these are not
/// [`DEFAULT`].
pub const KEY: &str = "epaxos-answer-max";

/// How many bytes of one message a client of gRPC receives, unless it was told otherwise.
pub const DEFAULT: usize = 4 << 20;

/// What an answer takes beside its identity and its value: tags, lengths and a number.
pub const FRAME: usize = 32;

/// Why a batch is not proposed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// Its answers may be more than the client receives.
    #[error(
        "the answers to a batch with {gets} gets may take {bytes} bytes, and the client receives {limit} \
         at most; read fewer keys at once, or raise the limit of the client and name it in the \
         metadata, as {KEY}"
    )]
    Answers {
        /// How many values may be found.
        gets: usize,
        /// The most that the answers can take.
        bytes: usize,
        /// The most that the client receives.
        limit: usize,
    },
    /// The client names no limit.
    #[error("{KEY} is {0:?}, not a number of bytes")]
    Limit(String),
}

/// Refuses a batch whose answers may be larger than its client receives.
pub fn check(metadata: &MetadataMap, proposals: &[wire::ProposeRequest]) -> Result<(), TooLarge> {
    let limit = match metadata.get(KEY) {
        None => DEFAULT,
        Some(value) => {
            let number = value.to_str().ok().and_then(|text| text.parse().ok());
            number.ok_or_else(|| {
                let text = String::from_utf8_lossy(value.as_encoded_bytes());
                TooLarge::Limit(text.chars().take(64).collect())
            })?
        }
    };
    let is_get = |request: &&wire::ProposeRequest| {
        let kind = request.operation.as_ref().and_then(|operation| operation.kind.as_ref());
        kind.is_some_and(|operation| !operation.is_write())
    };
    let gets = proposals.iter().filter(is_get).count();
    let own: usize = proposals.iter().map(|request| FRAME + request.identity.len()).sum();
    let bytes = own + gets * VALUE_MAX;
    if bytes > limit { Err(TooLarge::Answers { gets, bytes, limit }) } else { Ok(()) }
}
