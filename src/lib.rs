//! An interactive monitor for Egalitarian Paxos.

pub mod config;
pub mod epaxos;
pub mod kv;
pub mod observe;
pub mod script;
pub mod sim;
pub mod tools;
