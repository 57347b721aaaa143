//! `epaxos-tui replica`.

mod printer;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};

use self::printer::Printer;
use crate::cli::arguments::Behaviour;
use crate::cli::outlet::Outlet;
use crate::cli::{check_listed, cluster_options, interrupted, logging, read_config, resources};
use crate::epaxos::id::ReplicaId;
use crate::net::handshake::admission::{Standing, Tell};
use crate::node::standalone::Standalone;
use crate::observe::counters::Counters;
use crate::observe::notice::Notice;
use crate::script::request::Report;
use crate::tools::metrics;

/// Runs one replica until the process is told to end, and prints its counters. Nothing that happens to
/// what it prints ends it, or keeps it from ending.
pub fn run(
    id: u8,
    config: &Path,
    debug: u8,
    verbose: u8,
    behaviour: &Behaviour,
) -> anyhow::Result<()> {
    let config = read_config(config)?;
    check_listed(&config, id)?;
    let replicas = config.endpoints.len();
    let id = ReplicaId(id);
    let mut options = cluster_options(replicas, behaviour);
    options.endpoints = Some(config.addresses());

    let runtime = resources::runtime(resources::replica_files(replicas))?;
    let log = logging::start(verbose)?;
    let out = Outlet::start("printer", io::stdout()).context("cannot start a thread")?;
    let (reports, mut heard) = mpsc::unbounded_channel();
    let told = log.clone();
    let tell = Tell::new(move |sentence| told.print(format!("{sentence}\n"), 1));
    let handle = runtime.handle();
    let replica = Standalone::start_telling(&options, id, Some(reports.into()), tell, handle)?;
    log.print(format!("{id} listens at {}\n", config.endpoints[id.index()]), 1);
    let mut counters = Counters::default();
    let mut printer = Printer::new(out.clone(), debug, replicas);
    let listened = runtime.block_on(async {
        let mut interrupted = std::pin::pin!(interrupted());
        let mut refused = std::pin::pin!(refused_for_good(replica.standing()));
        loop {
            tokio::select! {
                biased;
                _ = &mut interrupted => return Ok(()),
                why = &mut refused => return Err(anyhow!("{why}")),
                report = heard.recv() => match report {
                    Some(report) => hear(&report, &mut counters, &mut printer),
                    // Nothing has told it to end.
                    None => return Err(anyhow!("{id} has failed")),
                },
            }
        }
    });
    runtime.block_on(replica.shutdown());
    // What is still on its way to the printer counts as lost if it does not get there.
    out.finish();
    let json = counters_json(id, &counters, &replica, out.lost());
    out.print(format!("{json}\n"), 1);
    if !out.finish() {
        log.print(format!("standard output takes nothing; the counters are {json}\n"), 1);
    }
    log.finish();
    // A thread that waits for a reader must not be waited for.
    io::stderr().flush().ok();
    runtime.shutdown_background();
    listened
}

/// Ends when a majority of the replicas keeps refusing this one. Returns why.
async fn refused_for_good(mut standing: watch::Receiver<Standing>) -> Arc<str> {
    loop {
        if let Standing::Out(why) = &*standing.borrow_and_update() {
            return why.clone();
        }
        if standing.changed().await.is_err() {
            // The replica has failed, which is reported otherwise.
            std::future::pending::<()>().await;
        }
    }
}

/// Counts what happened, and prints what was sent.
fn hear(report: &Report, counters: &mut Counters, printer: &mut Printer) {
    match report {
        Report::Notice(Notice::Step(step)) => {
            counters.count(step);
            printer.print(step);
        }
        Report::Notice(Notice::Lost(_)) => counters.lost += 1,
        Report::Notice(Notice::Held(_) | Notice::Gate(_) | Notice::Armed | Notice::Away { .. })
        | Report::Said { .. }
        | Report::Answer(_) => {}
    }
}

/// The counters of a replica, with those of its server.
fn counters_json(id: ReplicaId, counters: &Counters, replica: &Standalone, lost: u64) -> Value {
    let mut json = metrics::one_to_json(id, counters);
    let usage = replica.usage().named().into_iter();
    let usage: Map<_, _> = usage.map(|(name, count)| (name.to_owned(), json!(count))).collect();
    json["refused"] = json!(replica.refused());
    json["bounds"] = usage.into();
    json["lines_lost"] = json!(lost);
    json
}
