//! `epaxos-tui order`.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use crate::cli::print;
use crate::files::{Kind, read_text};
use crate::tools::order;

/// Prints the order of execution of the log in `file`, and on standard error what cannot execute.
pub fn run(file: &Path, json: bool) -> anyhow::Result<()> {
    let text = read_text(file, Kind::Log)?;
    let log = order::parse(&text).with_context(|| format!("{} is not a log", file.display()))?;
    let order = order::order(&log);
    // What cannot execute is told beside the order, not in it.
    write!(io::stderr(), "{}", order::blocked_text(&order)).ok();
    if json {
        print(&format!("{}\n", order::to_json(&order)))?;
    } else {
        print(&order::to_text(&log, &order))?;
    }
    Ok(())
}
