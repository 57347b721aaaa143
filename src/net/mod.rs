//! The wire: gRPC between replicas and from clients. Bytes become messages here, and back; the
//! generated types never leave this module.
//!
//! Every replica dials every other one and sends only on the stream that it opened ([`link`]).
//! What comes in on the streams that others opened, and from clients, goes into the replica's one
//! queue ([`server`]); nothing is decided here.

pub mod answer_size;
pub mod bare;
mod batch;
pub mod bounds;
pub mod bytes;
pub mod client;
mod codec;
pub mod convert;
mod deadline;
pub mod handshake;
pub mod link;
pub mod liveness;
mod operation;
pub mod server;
pub mod spellings;
mod throttle;

/// What `build.rs` made of `proto/`.
mod wire {
    // Of operations and batches there is more in the files than what stands in for it beside this.
    #![allow(dead_code, missing_docs, clippy::all, clippy::pedantic)]

    include!(concat!(env!("OUT_DIR"), "/own/epaxos.v1.rs"));

    /// The same files, for whoever asks the server what it serves.
    pub const FILES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/epaxos.v1.bin"));
}

/// Bytes that may be on their way before the receiver has taken any: several of the largest
/// messages, so that one of them does not stop the others.
const WINDOW: u32 = 8 << 20;

/// The largest message that is read, in bytes: a full batch and what goes with it.
const MESSAGE_MAX: usize = 2 * convert::BATCH_BYTES_MAX;
