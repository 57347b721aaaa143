//! The instrument: loads a cluster through its own front door, over real gRPC, and says how much it
//! does, how long that takes and what it costs; and what the bare transport does on the same machine
//! in the same minute, since a figure means little without one to hold it against.
//!
//! [`workload`] is what is asked for, [`load`] is who asks and [`due`] is when, [`sample`] is what comes of it,
//! and [`report`] says it.

pub mod due;
pub mod load;
pub mod report;
pub mod sample;
pub mod workload;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bench::load::{Call, Load, Progress};
use crate::bench::sample::Sample;
use crate::net::bare;
use crate::node::cluster::Cluster;
use crate::node::tally::Tally;

/// What is loaded.
#[derive(Debug)]
pub enum Target {
    /// A cluster in this process.
    Embedded(Cluster),
    /// A cluster that runs elsewhere, by the addresses of its replicas.
    Running(Vec<String>),
}

/// What one load came to.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// What the clients saw.
    pub sample: Sample,
    /// What this process computed in that time, on all cores: clients included, and the cluster where
    /// it is in this process.
    pub cpu: Duration,
    /// What the replicas counted in that time, where they are in this process.
    pub tally: Option<Tally>,
}

/// What one round came to: the cluster, and beside it the bare transport, where that was asked for.
#[derive(Clone, Debug)]
pub struct Round {
    /// The cluster.
    pub cluster: Measurement,
    /// The cluster that is watched, where there was one.
    pub watched: Option<Measurement>,
    /// The bare transport, with unary calls and on streams.
    pub echo: Option<[Measurement; 2]>,
}

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The load.
    pub load: Load,
    /// Whether the bare transport is to be measured, too, in turn with the cluster.
    pub compare: bool,
    /// How often to measure it all.
    pub rounds: usize,
}

/// What is under way.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Which round, from 1.
    pub round: usize,
    /// What is loaded.
    pub what: &'static str,
    /// How far that is.
    pub progress: Arc<Progress>,
}

impl Target {
    fn endpoints(&self) -> Vec<String> {
        match self {
            Self::Embedded(cluster) => cluster.shape().endpoints.clone(),
            Self::Running(endpoints) => endpoints.clone(),
        }
    }

    async fn tally(&self) -> Option<Tally> {
        match self {
            Self::Embedded(cluster) => Some(cluster.tally().await),
            Self::Running(_) => None,
        }
    }
}

impl Plan {
    /// Measures it all, in turn, and tells at what it is: `target`, and the same cluster again where
    /// one is `watched`.
    pub async fn run(
        &self,
        target: &Target,
        watched: Option<&Target>,
        mut tell: impl FnMut(Stage),
    ) -> anyhow::Result<Vec<Round>> {
        let echo = if self.compare { Some(Echo::start().await?) } else { None };
        let mut rounds = Vec::with_capacity(self.rounds);
        for round in 1..=self.rounds {
            let mut stage = |what| {
                let progress = Arc::new(Progress::default());
                tell(Stage { round, what, progress: progress.clone() });
                progress
            };
            let echoed = match &echo {
                None => None,
                Some(echo) => Some([
                    self.measure_echo(echo, Call::Unary, &stage("bare unary calls")).await?,
                    self.measure_echo(echo, Call::Stream, &stage("bare streams")).await?,
                ]),
            };
            let progress = stage("the cluster");
            let endpoints = target.endpoints();
            let cluster = measure(&self.load, &endpoints, &progress, || target.tally());
            let cluster = cluster.await.context("the cluster was loaded")?;
            let watched = match watched {
                None => None,
                Some(watched) => {
                    let (progress, endpoints) = (stage("the watched cluster"), watched.endpoints());
                    let load = measure(&self.load, &endpoints, &progress, || watched.tally());
                    Some(load.await.context("the watched cluster was loaded")?)
                }
            };
            rounds.push(Round { cluster, watched, echo: echoed });
        }
        Ok(rounds)
    }

    async fn measure_echo(
        &self,
        echo: &Echo,
        call: Call,
        progress: &Arc<Progress>,
    ) -> anyhow::Result<Measurement> {
        let load = Load { call, bare: true, ..self.load.clone() };
        let endpoints = std::slice::from_ref(&echo.endpoint);
        let measured = measure(&load, endpoints, progress, async || None).await;
        measured.context("the bare transport was loaded")
    }
}

/// Puts a load on some servers, and sees what it costs.
async fn measure(
    load: &Load,
    endpoints: &[String],
    progress: &Arc<Progress>,
    tally: impl AsyncFn() -> Option<Tally>,
) -> anyhow::Result<Measurement> {
    let (mut before, mut cpu) = (None, Duration::ZERO);
    let begun = async {
        before = tally().await;
        cpu = computed();
    };
    let sample = load.run(endpoints, progress, begun).await?;
    let cpu = computed().saturating_sub(cpu);
    let after = tally().await;
    let tally = after.zip(before).map(|(after, before)| after.since(&before));
    Ok(Measurement { sample, cpu, tally })
}

/// A server with nothing behind it.
struct Echo {
    endpoint: String,
    /// Ends it.
    _running: DropGuard,
}

impl Echo {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
        let endpoint = listener.local_addr().context("cannot listen")?.to_string();
        let cancel = CancellationToken::new();
        tokio::spawn(bare::serve(listener, cancel.clone()));
        Ok(Self { endpoint, _running: cancel.drop_guard() })
    }
}

/// What this process has computed so far, on all cores.
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.try_into().unwrap_or_default()
}
