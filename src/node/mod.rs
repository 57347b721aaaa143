//! The live world: replicas on a runtime, joined by real gRPC.
//!
//! ```text
//!   clients ──Propose──┐                         ┌──► link ──Dispatch──► R1
//!                      ├─► queue ─► event loop ──┼──► link ──Dispatch──► R2
//!   peers ──Dispatch───┘     gate ┘ step         └──► ...
//! ```
//!
//! Whatever reaches a replica comes through one queue into one event loop ([`driver`]), which alone
//! touches the protocol, the clock and the gate: there are no locks. What the replica says goes out
//! through one queue and one writer for each peer. Read [`driver`] first, then [`cluster`] and
//! [`live`].

pub mod client;
pub mod clock;
pub mod cluster;
pub mod driver;
pub mod gate;
mod gathered;
pub mod live;
mod member;
pub mod standalone;
pub mod tally;
mod trap;
pub mod watch;
