//! `epaxos-tui bench`.

use std::io::{self, IsTerminal};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::runtime::Runtime;

use crate::bench::due::Pace;
use crate::bench::load::{Call, Limit, Load};
use crate::bench::report::Report;
use crate::bench::workload::Workload;
use crate::bench::{Plan, Stage, Target};
use crate::cli::arguments::bench::{BenchArguments, CallArgument};
use crate::cli::resources::cluster_files;
use crate::cli::watched::Watched;
use crate::cli::{Usage, cluster_options, print, read_config, resources};
use crate::net::convert::VALUE_MAX;
use crate::node::cluster::{Cluster, Options};
use crate::tui::unseen::Unseen;

/// Loads a cluster, and says how it bears it.
pub fn run(arguments: &BenchArguments) -> anyhow::Result<()> {
    let plan = plan(arguments)?;
    let replicas = arguments.replicas.unwrap_or(REPLICAS_DEFAULT);
    let options = cluster_options(replicas, &arguments.behaviour);
    let clusters = 1 + u64::from(arguments.compare_transport) + u64::from(arguments.watch);
    let files = clusters * (cluster_files(replicas) + 2 * plan.load.clients as u64);
    let runtime = resources::runtime(files)?;
    // A watched cluster has threads of its own, apart from its clients': so has what it is held against.
    let apart = arguments.watch.then(|| resources::runtime(files)).transpose()?;
    let (target, cluster) = target(arguments, &options, apart.as_ref().unwrap_or(&runtime))?;
    let watched = arguments.watch.then(|| Watched::start(&options)).transpose()?;
    let bar = Bar::new();
    let rounds = runtime.block_on(async {
        let shown = tokio::spawn(bar.clone().keep_showing(plan.load.limit));
        let watched = watched.as_ref().map(|watched| &watched.target);
        let rounds = plan.run(&target, watched, |stage| bar.enter(stage)).await;
        shown.abort();
        if let Target::Embedded(cluster) = &target {
            cluster.shutdown().await;
        }
        rounds
    });
    bar.0.1.finish_and_clear();
    let seen = watched.map(Watched::end).transpose()?;
    let rounds = rounds?;
    let report = Report { plan: &plan, cluster, rounds: &rounds, screen: seen.map(words) };
    let text = if arguments.json { format!("{}\n", report.to_json()) } else { report.table() };
    Ok(print(&text)?)
}

/// What a screen has shown, in words.
fn words(Unseen { frames, behind }: Unseen) -> String {
    format!("the screen drew {frames} frames, and at the end had {behind} reports still to look at")
}

/// What is loaded, and that in words.
fn target(
    arguments: &BenchArguments,
    options: &Options,
    runtime: &Runtime,
) -> anyhow::Result<(Target, String)> {
    if let Some(path) = &arguments.config {
        let addresses = read_config(path)?.addresses();
        let words = format!("{} replicas of {}", addresses.len(), path.display());
        return Ok((Target::Running(addresses), words));
    }
    let words = format!(
        "{} replicas in this process, {}, {}, answers on {}",
        options.replicas,
        if options.thrifty { "thrifty" } else { "not thrifty" },
        if options.batch { "batched" } else { "not batched" },
        arguments.behaviour.reply_on.name(),
    );
    let cluster = Cluster::start(options, None, runtime.handle())?;
    Ok((Target::Embedded(cluster), words))
}

fn plan(arguments: &BenchArguments) -> Result<Plan, Usage> {
    let pace = match (arguments.rate, arguments.in_flight) {
        (Some(rate), _) => Pace::Rate(rate),
        (None, most) => Pace::InFlight { most: most as u64, think: arguments.think },
    };
    let clients = arguments.clients.unwrap_or(match pace {
        Pace::InFlight { .. } => arguments.in_flight.min(CLIENTS_DEFAULT),
        Pace::Rate(_) => CLIENTS_DEFAULT,
    });
    if arguments.rate.is_none() && arguments.in_flight < clients {
        return Err(Usage(format!("{clients} clients have at least as many in flight")));
    }
    if arguments.value_size > VALUE_MAX {
        let size = arguments.value_size;
        return Err(Usage(format!("a value has {size} bytes, more than {VALUE_MAX}")));
    }
    let compared = arguments.compare_transport || arguments.watch;
    let rounds = if compared { ROUNDS_COMPARED } else { 1 };
    Ok(Plan {
        load: Load {
            clients,
            call: match arguments.call {
                CallArgument::Unary => Call::Unary,
                CallArgument::Stream => Call::Stream,
            },
            pace,
            bare: false,
            workload: Workload {
                value_size: arguments.value_size,
                keys: arguments.keys,
                conflict: arguments.conflict,
                zipf: arguments.zipf,
                reads: arguments.reads,
                seed: arguments.behaviour.seed,
            },
            warm_up: arguments.warm_up,
            limit: match arguments.count {
                Some(count) => Limit::Count(count),
                None => Limit::Time(arguments.duration),
            },
        },
        compare: arguments.compare_transport,
        rounds: arguments.rounds.unwrap_or(rounds),
    })
}

/// Shows on a terminal how far a measurement is.
#[derive(Clone)]
struct Bar(std::sync::Arc<(Mutex<Option<Stage>>, ProgressBar)>);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::no_length();
        if !io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{bar:30} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(std::sync::Arc::new((Mutex::new(None), bar)))
    }

    fn enter(&self, stage: Stage) {
        self.0.1.reset();
        *self.0.0.lock().expect("nobody panics holding it") = Some(stage);
    }

    async fn keep_showing(self, limit: Limit) {
        let length = match limit {
            Limit::Time(time) => time.as_millis().try_into().unwrap_or(u64::MAX),
            Limit::Count(count) => count,
        };
        self.0.1.set_length(length);
        let mut last = 0;
        loop {
            tokio::time::sleep(TICK).await;
            let Some(stage) = self.0.0.lock().expect("nobody panics holding it").clone() else {
                continue;
            };
            let answered = stage.progress.answered();
            match limit {
                Limit::Count(_) => self.0.1.set_position(answered),
                // While it warms up, nothing is answered that counts.
                Limit::Time(_) if answered > 0 => {
                    self.0.1.inc(TICK.as_millis().try_into().unwrap_or(0));
                }
                Limit::Time(_) => {}
            }
            let rate = answered.saturating_sub(last) * TICKS_A_SECOND;
            last = answered;
            self.0.1.set_message(format!("round {}, {}: {rate}/s", stage.round, stage.what));
        }
    }
}

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(1000 / TICKS_A_SECOND);
const TICKS_A_SECOND: u64 = 10;

/// How many replicas are loaded where nobody says.
const REPLICAS_DEFAULT: usize = 3;

/// How many clients there are where nobody says.
const CLIENTS_DEFAULT: usize = 6;

/// How often all is measured where the transport is, too.
const ROUNDS_COMPARED: usize = 5;
