//! See `--help`.

fn main() {}
