//! What can be seen of a cluster, as plain data.
//!
//! A world, live, simulated or recorded, says what happens in it ([`notice`]); everything shown is
//! folded from that: the decision log ([`log`]), the trace ([`trace`]), messages on their way
//! ([`in_flight`]), counters ([`counters`]), and the state of every replica ([`view`]). Pure, like
//! the core: whoever folds the same notices sees the same.

pub mod causality;
pub mod counters;
pub mod edges;
pub mod facets;
pub mod filter;
pub mod in_flight;
pub mod links;
pub mod log;
pub mod notice;
pub mod query;
pub mod trace;
pub mod turn;
pub mod view;
pub mod walk;
