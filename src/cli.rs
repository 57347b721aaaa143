//! The command line: reads the arguments, wires the parts together, and says how it ended.

mod arguments;
mod bench;
mod check;
mod files;
mod grade;
mod learn;
mod logging;
mod monitor;
mod order;
mod outlet;
mod propose;
mod replay;
mod replica;
mod rerun;
mod resources;
mod run;
mod simulate;
mod watched;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::arguments::{
    Arguments, Behaviour, ClusterArguments, Command, Patience, SimArguments,
};
use crate::cli::propose::Whom;
use crate::config::Config;
use crate::grade::tether;
use crate::node::cluster;
use crate::tools::simulate::Search;

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody can be told, there is still the exit status.
            writeln!(io::stderr(), "epaxos-tui: {}", sentence(&error)).ok();
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

/// The command line asks for what cannot be: no use in trying again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Some(Command::Run { file, json, cluster }) => run::run(&file, json, &cluster),
        Some(Command::Replica { id, config, debug, verbose, behaviour }) => {
            replica::run(id, &config, debug, verbose, &behaviour)
        }
        Some(Command::Propose { config, at, round_robin, count, operation }) => {
            let whom = if round_robin { Whom::RoundRobin } else { Whom::One(at.unwrap_or(0)) };
            propose::run(&config, whom, count, &operation)
        }
        Some(Command::Order { file, json }) => order::run(&file, json),
        Some(Command::Replay { recording, check: true, .. }) => replay::check(&recording),
        Some(Command::Replay { recording, live: true, .. }) => replay::rerun(&recording),
        Some(Command::Replay { recording, screen, .. }) => replay::open(&recording, &screen),
        Some(Command::Learn(arguments)) => learn::run(&arguments),
        Some(Command::Grade(arguments)) => grade::run(&arguments),
        Some(Command::Check { trace, json }) => check::run(&trace, json),
        Some(Command::Sim(arguments)) => match (&arguments.record, arguments.seed) {
            (Some(file), Some(seed)) => simulate::record(&search(&arguments), seed, file),
            _ => simulate::run(&search(&arguments), arguments.json),
        },
        Some(Command::Bench(arguments)) => bench::run(&arguments),
        Some(Command::Tether { command }) => tether::run(&command),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "epaxos-tui", &mut script);
            Ok(print(&String::from_utf8_lossy(&script))?)
        }
        None => monitor::run(&arguments.cluster, &arguments.screen),
    }
}

/// The configuration in a file that the command line names.
fn read_config(path: &Path) -> Result<Config, Usage> {
    Config::read(path).map_err(|error| Usage(error.to_string()))
}

/// Refuses a replica that the configuration does not list.
fn check_listed(config: &Config, id: u8) -> Result<(), Usage> {
    let replicas = config.endpoints.len();
    if usize::from(id) < replicas {
        return Ok(());
    }
    let last = replicas - 1;
    Err(Usage(format!("there is no replica {id}; the configuration lists 0 to {last}")))
}

/// The cluster that the arguments describe, in this process.
fn embedded_options(arguments: &ClusterArguments) -> anyhow::Result<cluster::Options> {
    let config = arguments.config.as_deref().map(read_config).transpose()?;
    let listed = config.as_ref().map(|config| config.endpoints.len());
    let replicas = match (arguments.replicas, listed) {
        (Some(asked), Some(listed)) if asked != listed => {
            let sentence =
                format!("--replicas asks for {asked}, and the configuration lists {listed}");
            return Err(Usage(sentence).into());
        }
        (asked, listed) => asked.or(listed).unwrap_or(REPLICAS_DEFAULT),
    };
    Ok(cluster::Options {
        endpoints: config.map(|config| config.addresses()),
        paused: arguments.paused,
        ..cluster_options(replicas, &arguments.behaviour)
    })
}

/// The cluster that the arguments describe, at endpoints still to be given.
fn cluster_options(replicas: usize, behaviour: &Behaviour) -> cluster::Options {
    cluster::Options {
        thrifty: !behaviour.no_thrifty,
        batch: behaviour.batch,
        reply_on: behaviour.reply_on.into(),
        commit_delay: behaviour.commit_delay,
        recover_after: match behaviour.recover_after {
            Patience::For(time) => Some(time),
            Patience::Endless => None,
        },
        seed: behaviour.seed,
        gossip_every: behaviour.gossip_every,
        keep: behaviour.keep,
        keep_most: behaviour.keep_most,
        gossip_bytes: behaviour.gossip_bytes.0,
        keep_bytes: behaviour.keep_bytes.0,
        keep_most_bytes: behaviour.keep_most_bytes.0,
        #[cfg(feature = "mutations")]
        mutation: behaviour.mutation,
        panic_at: behaviour.panic_at.clone(),
        ..cluster::Options::new(replicas)
    }
}

/// The search that the arguments ask for.
fn search(arguments: &SimArguments) -> Search {
    let seeds = match (arguments.seed, &arguments.seeds) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, seeds) => seeds.0.clone(),
    };
    Search {
        #[cfg(feature = "mutations")]
        mutation: arguments.mutation,
        ..Search::new(seeds, arguments.replicas)
    }
}

/// Waits until the process is told to end, and returns the number of the signal that says so. Each of
/// them ends everything that the process has started.
async fn interrupted() -> i32 {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::quit(),
    ];
    let signals = kinds.into_iter().filter_map(|kind| {
        // Where a signal cannot be waited for, it ends the process at once, as usual.
        let mut signals = signal(kind).ok()?;
        Some(Box::pin(async move {
            signals.recv().await;
            kind.as_raw_value()
        }))
    });
    let signals: Vec<_> = signals.collect();
    if signals.is_empty() {
        return std::future::pending().await;
    }
    futures::future::select_all(signals).await.0
}

/// Standard output does not take what is printed.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
struct OutputError(#[source] io::Error);

/// Prints on standard output. A command that judges something must not let a failure to print stand
/// for its verdict.
fn print(text: &str) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(OutputError)
}

/// An error with its causes, each said once: some say their cause themselves.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

/// Whether all that went wrong is that the reader of standard output has left: it has what it wanted.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<OutputError>());
    causes.any(|OutputError(error)| error.kind() == io::ErrorKind::BrokenPipe)
}

/// How many replicas a cluster has where nobody says.
const REPLICAS_DEFAULT: usize = 5;
