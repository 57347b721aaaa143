//! A cluster without a world: the same replicas, a network that is a list, and a clock that is a
//! number. Nothing in it happens but by a call.

pub mod cluster;
