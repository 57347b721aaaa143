//! What the program does besides running a cluster: commands that read and print.

pub mod order;
