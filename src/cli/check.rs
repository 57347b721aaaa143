//! `epaxos-tui check`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::Context;

use crate::cli::print;
use crate::tools::check;

/// Checks the trace in `file`, and prints what holds and what does not.
pub fn run(file: &Path, json: bool) -> anyhow::Result<()> {
    let trace: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
        Box::new(BufReader::new(opened))
    };
    let checked = check::check(trace)
        .with_context(|| format!("{} is not a whole trace of JSON lines", file.display()))?;
    if json {
        print(&format!("{}\n", checked.to_json()))?;
    } else {
        print(&checked.to_text())?;
    }
    match checked.violations.len() {
        0 => Ok(()),
        1 => Err(anyhow::anyhow!("there is a violation")),
        count => Err(anyhow::anyhow!("there are {count} violations")),
    }
}
