//! The log of a program without a screen, on standard error.

use std::env;
use std::io;

use anyhow::Context;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::Usage;
use crate::cli::outlet::Outlet;

/// Begins the log. Without `verbose`, it has what an operator must know: replicas that cannot be
/// reached and that are reached again, what is refused, and what fails. The variable `RUST_LOG` says
/// otherwise where it is set.
pub fn start(verbose: u8) -> anyhow::Result<Outlet> {
    let outlet = Outlet::start("log", io::stderr()).context("cannot start a thread")?;
    let filter = match env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(&directives)
            .map_err(|error| Usage(format!("RUST_LOG is not a log filter: {error}")))?,
        _ => EnvFilter::new(level(verbose)),
    };
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(outlet.clone());
    tracing_subscriber::registry().with(filter).with(layer).try_init().ok();
    Ok(outlet)
}

/// What is logged at a level of verbosity.
fn level(verbose: u8) -> &'static str {
    match verbose {
        0 => "warn,epaxos_tui::net=info",
        1 => "warn,epaxos_tui=debug",
        2 => "info,epaxos_tui=trace",
        _ => "trace",
    }
}
