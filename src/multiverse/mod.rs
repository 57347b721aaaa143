//! The tree of runs: what happened, what could have happened, and any place in either.
//!
//! All that is not determined by what was before is a [`Turn`](crate::observe::turn::Turn), so a run
//! is a list of turns, and to go back is to take the first of them again, in the simulator: whatever
//! the run was, live, simulated or recorded, looking back at it disturbs nothing. Acting in the past
//! begins a [`Branch`](tree::Branch), which shares its turns with the run that it leaves.
//!
//! [`tree`] keeps branches and finds places; [`checkpoints`] make that quick; [`digest`] says in one
//! number what came of the turns; [`what_if`] makes a branch by changing one turn; [`recording`] is a
//! run as a file, which [`recorder`] writes and [`reader`] reads; [`search`] looks for a run in which a
//! [`goal`] is met.

pub mod checkpoints;
pub mod compare;
pub mod digest;
pub mod goal;
pub mod reader;
pub mod recorder;
pub mod recording;
pub mod search;
pub mod tree;
pub mod what_if;
