//! Egalitarian Paxos.

pub mod attributes;
pub mod command;
pub mod event;
pub mod execution;
pub mod id;
pub mod index;
pub mod instance;
pub mod message;
pub mod quorum;
pub mod replica;
pub mod space;
pub mod time;
