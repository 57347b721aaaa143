//! The script language: what a person types at the prompt, `run` reads from a file, and scenarios
//! and lessons are written in.
//!
//! [`grammar`] makes commands of text, [`words`] of their parts, [`why`] of questions, and [`mod@file`] reads many; [`world`] is what a command can do to a cluster; [`session`]
//! does it, and [`stepwise`] keeps its order; [`request`] is how a screen asks for it. Pure: the world brings the clock and the network.

pub mod backlog;
pub mod file;
pub mod gates;
pub mod grammar;
pub mod request;
pub mod session;
pub mod stepwise;
pub mod why;
pub mod words;
pub mod world;

mod faults;
