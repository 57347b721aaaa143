//! What the program does besides running a cluster: commands that read and print.

pub mod check;
pub mod metrics;
pub mod order;
pub mod run;
pub mod simulate;
