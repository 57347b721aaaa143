//! What the program does besides running a cluster: commands that read and print.

pub mod metrics;
pub mod order;
pub mod run;
