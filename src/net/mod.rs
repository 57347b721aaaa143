//! The wire: gRPC between replicas and from clients. Bytes become messages here, and back; the
//! generated types never leave this module.
//!
//! Every replica dials every other one and sends only on the stream that it opened ([`link`]).
//! What comes in on the streams that others opened, and from clients, goes into the replica's one
//! queue ([`server`]); nothing is decided here.

pub mod bare;
mod batch;
pub mod bytes;
pub mod client;
mod codec;
pub mod convert;
pub mod link;
mod operation;
pub mod server;
pub mod spellings;

/// What `build.rs` made of `proto/`.
mod wire {
    // Of operations and batches there is more in the files than what stands in for it beside this.
    #![allow(dead_code, missing_docs, clippy::all, clippy::pedantic)]

    include!(concat!(env!("OUT_DIR"), "/own/epaxos.v1.rs"));

    /// The same files, for whoever asks the server what it serves.
    pub const FILES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/epaxos.v1.bin"));
}

use std::time::Duration;

use tonic::transport::Endpoint;

/// How to reach the replica at `host:port`. `None` where that cannot be an address.
fn endpoint(address: &str) -> Option<Endpoint> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).ok()?;
    Some(
        endpoint
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .tcp_keepalive(Some(KEEP_ALIVE)),
    )
}

/// How long to wait for a connection. Nobody waits along: a link loses what comes meanwhile.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may be silent before its system is asked whether it is there. Its system and not
/// its process: a process that a person has stopped for a while is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Bytes that may be on their way before the receiver has taken any: several of the largest
/// messages, so that one of them does not stop the others.
const WINDOW: u32 = 8 << 20;

/// The largest message that is read, in bytes: a full batch and what goes with it.
const MESSAGE_MAX: usize = 2 * convert::BATCH_BYTES_MAX;
