//! Egalitarian Paxos.

pub mod attributes;
pub mod command;
pub mod execution;
pub mod id;
pub mod instance;
pub mod message;
pub mod quorum;
pub mod time;
