//! A cluster without a world: the same replicas, a network that is a list, and a clock that is a
//! number. Nothing in it happens but by a call.
//!
//! There are two hosts. [`cluster`] is one for people: it does what a script says and folds everything
//! that can be seen. [`simulation`] is one for machines: it draws what happens from a seed, a million
//! times, and checks every step; what it finds becomes a script for the other.

pub mod cluster;
pub mod coverage;
pub mod plan;
pub mod replicas;
pub mod schedule;
pub mod shrink;
pub mod simulation;
