//! `epaxos-tui check`.

use std::path::Path;

use anyhow::Context;

use crate::cli::print;
use crate::files::{Kind, open_lines};
use crate::tools::check;

/// Checks the trace in `file`, and prints what holds and what does not.
pub fn run(file: &Path, json: bool) -> anyhow::Result<()> {
    let checked = check::check(open_lines(file, Kind::Trace)?)
        .with_context(|| format!("{} is not a whole trace of JSON lines", file.display()))?;
    let text = if json { format!("{}\n", checked.to_json()) } else { checked.to_text() };
    let printed = print(&text);
    match checked.violations.len() {
        0 => Ok(printed?),
        1 => Err(anyhow::anyhow!("there is a violation")),
        count => Err(anyhow::anyhow!("there are {count} violations")),
    }
}
