//! The monitor: a cluster in this process, and the screen on it.

use std::io::{self, IsTerminal};
use std::mem::ManuallyDrop;

use anyhow::{Context, anyhow};
use tokio::runtime;
use tokio::runtime::Runtime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::arguments::{ClusterArguments, ScreenArguments, ThemeArgument};
use crate::cli::files::Files;
use crate::cli::rerun::rerun;
use crate::cli::{Usage, embedded_options, print, resources};
use crate::files::{Kind, read_text};
use crate::node::live::{self, LiveWorld, Serving};
use crate::observe::notice::Shape;
use crate::script::world::World;
use crate::tui;
use crate::tui::app::App;
use crate::tui::keys::{FileError, Keys};
use crate::tui::layout::LEAST;
use crate::tui::theme::Theme;

/// Opens the monitor on a cluster of its own, until the person quits.
pub fn run(cluster: &ClusterArguments, screen: &ScreenArguments) -> anyhow::Result<()> {
    let options = embedded_options(cluster)?;
    let Some(screen) = prepare(screen)? else { return Ok(()) };
    resources::require(resources::cluster_files(options.replicas), MONITOR_THREADS)?;
    let mut files = Files::create(cluster, options.replicas)?;

    let mut world = LiveWorld::start(&options, false)?;
    world.on_lines(files.tracer());
    files.record(&mut world);
    let (shape, backlog) = (world.view().shape.clone(), world.backlog());
    let Serving { requests, reports, thread: world } =
        live::spawn(world).context("cannot start a thread")?;

    let runtime = runtime()?;
    let seen = {
        let _runtime = runtime.enter();
        tui::run(screen, shape, requests, reports, backlog)
    };
    // The screen is gone, and with it the only one who could ask the world for anything: it ends.
    world.join().map_err(|_| anyhow!("the cluster's thread ended in a panic"))?;
    // The program ends here: to free bit by bit all that was seen would keep the shell waiting.
    let seen = ManuallyDrop::new(seen.context("the screen failed")?);
    files.finish(&seen)
}

/// Opens the monitor on something that is no cluster of its own, until the person quits. `first` makes
/// the screen what it is to be at first.
pub(super) fn look_at(
    screen: &ScreenArguments,
    shape: Shape,
    first: impl FnOnce(App) -> App,
) -> anyhow::Result<()> {
    let Some(options) = prepare(screen)? else { return Ok(()) };
    let runtime = runtime()?;
    let _runtime = runtime.enter();
    let seen = tui::look_at(options, shape, first).context("the screen failed")?;
    // The program ends here: to free bit by bit all that was seen would keep the shell waiting.
    let _seen = ManuallyDrop::new(seen);
    Ok(())
}

/// How the monitor is to look and behave, once it is known that it can. Nothing where only its keys were
/// asked for, which are printed.
fn prepare(arguments: &ScreenArguments) -> anyhow::Result<Option<tui::Options>> {
    let keys = keys(arguments)?;
    if arguments.print_keys {
        print(&keys.to_string())?;
        return Ok(None);
    }
    check_terminal()?;
    tracing_subscriber::registry().with(tui::log_layer()).try_init().ok();
    let (ascii, mouse) = (arguments.ascii, !arguments.no_mouse);
    Ok(Some(tui::Options { ascii, theme: theme(arguments), mouse, keys, rerun }))
}

/// What the screen runs on.
fn runtime() -> anyhow::Result<Runtime> {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.context("cannot start a runtime")
}

/// Whether there is a terminal, and enough of it.
fn check_terminal() -> anyhow::Result<()> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let advice = "'epaxos-tui run' works without one";
        return Err(Usage(format!("the monitor needs a terminal; {advice}")).into());
    }
    let (width, height) =
        crossterm::terminal::size().context("cannot ask for the terminal's size")?;
    let (least_width, least_height) = LEAST;
    if width < least_width || height < least_height {
        let needed = format!("the monitor needs {least_width}x{least_height}");
        return Err(anyhow!("the terminal has {width}x{height} cells; {needed}"));
    }
    Ok(())
}

fn theme(arguments: &ScreenArguments) -> Option<Theme> {
    if arguments.light {
        return Some(Theme::Light);
    }
    arguments.theme.map(|theme| match theme {
        ThemeArgument::Dark => Theme::Dark,
        ThemeArgument::Light => Theme::Light,
        ThemeArgument::Mono => Theme::Mono,
        ThemeArgument::Contrast => Theme::Contrast,
    })
}

/// The keys, as a file changes them where one is named.
fn keys(arguments: &ScreenArguments) -> anyhow::Result<Keys> {
    let Some(file) = &arguments.keys else { return Ok(Keys::default()) };
    let text = read_text(file, Kind::Keys)?;
    let name = file.display();
    text.parse().map_err(|error: FileError| Usage(format!("{name}, {error}")).into())
}

/// How many threads the monitor has, with those of its cluster on a small machine.
const MONITOR_THREADS: usize = 8;
