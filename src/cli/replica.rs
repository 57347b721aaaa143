//! `epaxos-tui replica`.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use crate::cli::arguments::Behaviour;
use crate::cli::{check_listed, cluster_options, interrupted, read_config};
use crate::epaxos::id::ReplicaId;
use crate::epaxos::message::Envelope;
use crate::net::handshake::admission::{Standing, Tell};
use crate::node::standalone::Standalone;
use crate::observe::counters::Counters;
use crate::observe::notice::{Effect, Notice};
use crate::script::request::Report;
use crate::tools::metrics;

/// Runs one replica until the process is told to end, and prints its counters.
pub fn run(id: u8, config: &Path, debug: u8, behaviour: &Behaviour) -> anyhow::Result<()> {
    let config = read_config(config)?;
    check_listed(&config, id)?;
    let replicas = config.endpoints.len();
    let id = ReplicaId(id);
    let mut options = cluster_options(replicas, behaviour);
    options.endpoints = Some(config.addresses());

    let runtime = Runtime::new().context("cannot start a runtime")?;
    let (reports, mut heard) = mpsc::unbounded_channel();
    let tell = Tell::new(|sentence| drop(writeln!(io::stderr(), "{sentence}")));
    let handle = runtime.handle();
    let replica = Standalone::start_telling(&options, id, Some(reports.into()), tell, handle)?;
    writeln!(io::stderr(), "{id} listens at {}", config.endpoints[id.index()]).ok();
    let mut counters = Counters::default();
    let listened = runtime.block_on(async {
        let mut interrupted = std::pin::pin!(interrupted());
        let mut out = std::pin::pin!(refused_for_good(replica.standing()));
        loop {
            tokio::select! {
                () = &mut interrupted => return Ok(()),
                why = &mut out => return Err(io::Error::other(&*why)),
                report = heard.recv() => match report {
                    Some(report) => hear(&report, &mut counters, debug, replicas)?,
                    // Nobody has told it to end.
                    None => return Err(io::Error::other(format!("{id} has failed"))),
                },
            }
        }
    });
    runtime.block_on(replica.shutdown());
    let printed = writeln!(io::stdout(), "{}", metrics::one_to_json(id, &counters));
    let result: io::Result<()> = listened.and(printed);
    Ok(result?)
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
fn hear(report: &Report, counters: &mut Counters, debug: u8, replicas: usize) -> io::Result<()> {
    match report {
        Report::Notice(Notice::Step(step)) => {
            counters.count(step);
            let mut out = io::stdout().lock();
            for effect in &step.effects {
                if let Effect::Send(envelope) = effect {
                    print_sent(&mut out, envelope, debug, replicas)?;
                }
            }
        }
        Report::Notice(Notice::Lost(_)) => counters.lost += 1,
        Report::Notice(Notice::Held(_) | Notice::Gate(_) | Notice::Armed | Notice::Away { .. })
        | Report::Said { .. }
        | Report::Answer(_) => {}
    }
    Ok(())
}

/// One line for a message: kind and destination at 1, the instance and its attributes too at 2.
fn print_sent(
    out: &mut impl Write,
    envelope: &Envelope,
    debug: u8,
    replicas: usize,
) -> io::Result<()> {
    let Envelope { id, to, message } = envelope;
    match debug {
        0 => Ok(()),
        1 => writeln!(out, "{} → {to} {}", id.sender, message.kind()),
        _ => {
            write!(out, "{} → {to} {} {}", id.sender, message.kind(), message.instance())?;
            if let Some(attributes) = message.attributes() {
                let deps = attributes.deps.vector(replicas);
                let deps: Vec<_> = deps.iter().map(ToString::to_string).collect();
                write!(out, " seq={} deps=[{}]", attributes.seq, deps.join(" "))?;
            }
            writeln!(out)
        }
    }
}
