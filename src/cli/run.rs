//! `epaxos-tui run`.

use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context;

use crate::cli::arguments::ClusterArguments;
use crate::cli::files::Files;
use crate::cli::{OutputError, embedded_options, resources};
use crate::files::{Kind, read_text};
use crate::node::live::LiveWorld;
use crate::script::file::Script;
use crate::script::world::World;
use crate::tools::run;
use crate::tools::run::{Printer, RunError};

/// Runs a script on a cluster of its own, and prints the trace and what commands say.
pub fn run(file: &Path, json: bool, arguments: &ClusterArguments) -> anyhow::Result<()> {
    // All of it is understood before anything is started.
    let script = Script::parse(&read_text(file, Kind::Script)?)
        .with_context(|| file.display().to_string())?;
    let options = embedded_options(arguments)?;
    resources::require(resources::cluster_files(options.replicas), resources::processors())?;
    let mut files = Files::create(arguments, options.replicas)?;

    let mut world = LiveWorld::start(&options, false)?;
    files.record(&mut world);
    let out = BufWriter::new(io::stdout());
    let printer = Arc::new(Mutex::new(Printer::new(out, json, options.replicas)));
    let (shown, mut trace) = (printer.clone(), files.tracer());
    world.on_lines(move |lines| {
        if let Ok(mut printer) = shown.lock() {
            printer.trace(lines);
        }
        trace(lines);
    });
    let result = run::run(&mut world, &script, &printer);
    let finished = files.finish(world.view());
    world.shutdown();
    match result {
        Err(RunError::Output(error)) => Err(OutputError(error).into()),
        result => {
            result.with_context(|| file.display().to_string())?;
            finished
        }
    }
}
