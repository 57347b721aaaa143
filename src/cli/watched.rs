//! A cluster that is watched as by the monitor, by nobody: what watching costs.

use std::thread;
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use tokio::runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::bench::Target;
use crate::node::cluster::Options;
use crate::node::live::{self, LiveWorld, Serving};
use crate::script::request::Request;
use crate::script::world::World;
use crate::tui::unseen::{self, Unseen};

/// A cluster in this process, with all that runs beside it where somebody looks.
pub struct Watched {
    /// Where it is reached.
    pub target: Target,
    requests: mpsc::UnboundedSender<Request>,
    world: JoinHandle<usize>,
    screen: JoinHandle<Unseen>,
    ended: CancellationToken,
}

impl Watched {
    /// Starts a cluster, and whoever watches it.
    pub fn start(options: &Options) -> anyhow::Result<Self> {
        let world = LiveWorld::start(options, false)?;
        let (shape, backlog) = (world.view().shape.clone(), world.backlog());
        let target = Target::Running(shape.endpoints.clone());
        let Serving { requests, reports, thread: world } =
            live::spawn(world).context("cannot start a thread")?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start a runtime")?;
        let ended = CancellationToken::new();
        let end = ended.clone();
        let watch = move || {
            runtime.block_on(unseen::watch(shape, SCREEN, reports, &backlog, end.cancelled_owned()))
        };
        let screen = thread::Builder::new().name("screen".to_owned()).spawn(watch);
        let screen = screen.context("cannot start a thread")?;
        Ok(Self { target, requests, world, screen, ended })
    }

    /// Ends it all, and says what was drawn by then, and how much was not.
    pub fn end(self) -> anyhow::Result<Unseen> {
        self.ended.cancel();
        let seen = self.screen.join().map_err(|_| anyhow!("the screen's thread panicked"))?;
        drop(self.requests);
        let world = self.world.join();
        let unheard = world.map_err(|_| anyhow!("the cluster's thread panicked"))?;
        Ok(Unseen { behind: seen.behind + unheard, ..seen })
    }
}

/// The columns and rows of the screen.
const SCREEN: (u16, u16) = (120, 40);
