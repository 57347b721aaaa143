//! `epaxos-tui`: Egalitarian Paxos that can be watched, held still and stepped.
//!
//! Three kinds of code, in reading order:
//!
//! * what **decides** is pure: [`epaxos`] is the protocol, [`kv`] the store it replicates;
//! * what **carries** moves bytes and time: `net` and `node` are the live world, gRPC on tokio;
//!   [`sim`] is the simulated one;
//! * what **shows** cannot tell these apart: [`observe`] folds what a world says into what can be
//!   seen, [`check`] says whether it may be so, [`explain`] why it is so, [`export`] writes it down for other programs, [`script`] is the language in
//!   which people act on a world, [`lesson`] tells runs in it and asks about them, [`grade`] leads other people's replicas through
//!   them, [`tui`] is the screen, [`bench`](mod@bench) says how fast it is, and
//!   [`tools`] are the commands without one.
//!
//! `docs/ARCHITECTURE.md` follows one command through all of it.

pub mod bench;
pub mod check;
pub mod cli;
pub mod config;
pub mod epaxos;
pub mod explain;
pub mod export;
pub mod files;
pub mod grade;
pub mod kv;
pub mod lesson;
pub mod multiverse;
pub mod net;
pub mod node;
pub mod observe;
pub mod script;
pub mod sim;
pub mod tools;
pub mod tui;
