//! `epaxos-tui sim`.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::files::create_new;
use crate::cli::{print, resources};
use crate::tools::simulate::Search;

/// Plays the runs of a search, shows how far it is, and prints what was found.
pub fn run(search: &Search, json: bool) -> anyhow::Result<()> {
    resources::require(0, resources::processors())?;
    let count = search.seeds.end.saturating_sub(search.seeds.start);
    let bar = ProgressBar::new(count);
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) =
        ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} runs, {eta} left")
    {
        bar.set_style(style);
    }
    let searched = search.run(|more| bar.inc(more));
    bar.finish_and_clear();
    let printed = if json {
        print(&format!("{}\n", searched.to_json()))
    } else if let Some(failure) = &searched.failure {
        write!(io::stderr(), "{}", searched.summary()).ok();
        print(&failure.script())
    } else {
        print(&searched.summary())
    };
    match searched.failure {
        Some(failure) => Err(anyhow!(
            "a run went wrong: {}, {}",
            failure.finding.property,
            failure.finding.sentence
        )),
        None => Ok(printed?),
    }
}

/// Writes the run of a seed down.
pub fn record(search: &Search, seed: u64, file: &Path) -> anyhow::Result<()> {
    let recording = search.recording(seed).map_err(|reason| anyhow!("seed {seed}: {reason}"))?;
    let mut out = create_new(file)?;
    out.write_all(recording.as_bytes()).with_context(|| format!("cannot write {}", file.display()))
}
