//! The monitor's screen.
//!
//! ```text
//!   keys, mouse, paste, size ──┐                     ┌─► requests to the world
//!                              ├─► Action ─► App ────┤
//!   reports of the world ──────┘     update, pure    └─► Effect: copy, save, export, suspend, redraw, quit
//!                                        │
//!                                        ▼
//!                        panel::render(frame, &App), pure
//! ```
//!
//! [`app::App`] is all the state there is. [`keys::Keys`] says which key does what; the footer and
//! the palette are made from it. The screens are drawn by [`panel`], into what [`layout`] divides:
//!
//! ```text
//!   ┌ header ────────────────────────────────────┐   where the world stands
//!   │ tabs                                       │   1 Cockpit 2 Space-time 3 Graph 4 Metrics …
//!   │ ┌ Replicas ──────────┐ ┌ Deliverable ────┐ │
//!   │ └────────────────────┘ │                 │ │   what is held, to be let through by hand
//!   │ ┌ Instances ─────────┐ │                 │ │
//!   │ └────────────────────┘ └─────────────────┘ │
//!   │ ┌ Trace ─────────────┐ ┌ Instance R0.1 ──┐ │   what happened, and why
//!   │ └────────────────────┘ └─────────────────┘ │
//!   │ ┌ Timeline ────────────────────────────────│   the last decisions
//!   │ message                                    │   what was said last
//!   │ ┌ Command ─────────────────────────────────│
//!   └ hints ─────────────────────────────────────┘   the keys that mean something now
//! ```
//!
//! A frame is drawn when something has changed and not otherwise, at most sixty times a second,
//! however much is reported meanwhile. Lists of any length cost what is seen of them.

#![expect(clippy::disallowed_methods, reason = "a screen shows how fast things go")]

pub mod app;
pub mod clipboard;
pub mod command;
pub mod completion;
pub mod deed;
pub mod glyphs;
pub mod keys;
pub mod layout;
pub mod list;
pub mod neighbourhood;
pub mod palette;
pub mod panel;
pub mod picture;
pub mod prompt;
pub mod terminal;
pub mod theme;
pub mod times;
pub mod unseen;

mod outside;
mod suspend;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{Event, EventStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use crate::multiverse::tree::Multiverse;
use crate::observe::notice::Shape;
use crate::observe::view::View;
use crate::script::backlog::Backlog;
use crate::script::request::{Report, Request};
use crate::tui::app::{Action, App, Effect, Mode, Written};
use crate::tui::keys::Keys;
use crate::tui::outside::{Outcome, Outside};
use crate::tui::suspend::{Asked, Signals};
use crate::tui::terminal::Screen;
use crate::tui::theme::Theme;

/// How the monitor is to look and behave.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether to draw with ASCII only.
    pub ascii: bool,
    /// The colours; whatever suits the terminal where none are chosen.
    pub theme: Option<Theme>,
    /// Whether the monitor has the mouse from the start.
    pub mouse: bool,
    /// The keys.
    pub keys: Keys,
    /// What lets a run happen once more on a fresh cluster, and says what came of that.
    pub rerun: Rerun,
}

/// What lets a run happen once more on a real cluster: a sentence, or what is wrong.
pub type Rerun = fn(&Multiverse) -> Result<String, String>;

impl Default for Options {
    fn default() -> Self {
        let rerun: Rerun = |_| Err("there is no other cluster to run it on".to_owned());
        Self { ascii: false, theme: None, mouse: true, keys: Keys::default(), rerun }
    }
}

/// Runs the monitor until the person quits, and returns all that was seen. Gives the terminal back
/// whatever happens. Says in `backlog` how much of the reports it has looked at.
///
/// Must be called within a tokio runtime, on a thread that may block on it.
pub fn run(
    options: Options,
    shape: Shape,
    requests: UnboundedSender<Request>,
    reports: UnboundedReceiver<Report>,
    backlog: Arc<Backlog>,
) -> io::Result<View> {
    show(options, shape, |app| app, requests, reports, backlog)
}

/// Runs the monitor on something that is no cluster: `first` makes the screen what it is to be at first.
///
/// Must be called within a tokio runtime, on a thread that may block on it.
pub fn look_at(options: Options, shape: Shape, first: impl FnOnce(App) -> App) -> io::Result<View> {
    let (requests, _nobody) = unbounded_channel();
    // Nothing is ever reported, and the channel stays open.
    let (_silent, reports) = unbounded_channel();
    show(options, shape, first, requests, reports, Arc::default())
}

fn show(
    options: Options,
    shape: Shape,
    first: impl FnOnce(App) -> App,
    requests: UnboundedSender<Request>,
    reports: UnboundedReceiver<Report>,
    backlog: Arc<Backlog>,
) -> io::Result<View> {
    let runtime = tokio::runtime::Handle::current();
    // Asked before the terminal is taken over: the answer comes as input.
    let theme = options.theme.unwrap_or_else(Theme::detect);
    let mut app = App::new(shape, theme, options.ascii, options.mouse);
    app.keys = options.keys;
    let app = first(app);
    let (signals, screen) = {
        let _entered = runtime.enter();
        (Signals::new()?, Screen::enter(options.mouse)?)
    };
    let outside = Outside::new();
    backlog.mind(PATIENCE);
    let begun = Instant::now();
    let rerun = options.rerun;
    let monitor = Monitor { app, screen, requests, backlog, signals, outside, begun, rerun };
    runtime.block_on(monitor.run(reports))
}

/// A layer for `tracing` that keeps what the log screen shows: all that the monitor has to say for
/// itself but traces, and of its libraries only what matters to people.
pub fn log_layer<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    // It can be set up once only; a second call changes nothing.
    let _again = tui_logger::init_logger(tui_logger::LevelFilter::Debug);
    let shown = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target(env!("CARGO_CRATE_NAME"), LevelFilter::DEBUG);
    tui_logger::TuiTracingSubscriberLayer.with_filter(shown)
}

struct Monitor {
    app: App,
    screen: Screen,
    requests: UnboundedSender<Request>,
    backlog: Arc<Backlog>,
    signals: Signals,
    outside: Outside,
    begun: Instant,
    rerun: Rerun,
}

impl Monitor {
    /// Comes back as soon as the person has had enough: what has been said by then and not been
    /// seen may be much, and is freed aside.
    async fn run(mut self, mut reports: UnboundedReceiver<Report>) -> io::Result<View> {
        let ended = self.watch(&mut reports).await;
        self.screen.release();
        reports.close();
        std::thread::spawn(move || drop(reports));
        ended.map(|()| self.app.view)
    }

    /// Shows what is reported and does what the person asks for, until the person quits.
    async fn watch(&mut self, reports: &mut UnboundedReceiver<Report>) -> io::Result<()> {
        let (width, height) = self.screen.size()?;
        self.app.update(Action::Resize(width, height));
        let mut input = EventStream::new();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut drawn = None;
        let mut next_frame = tokio::time::Instant::now();
        let mut next_beat = next_frame;
        let mut open = true;
        loop {
            let stale = drawn != Some((self.app.revision, self.app.view.version));
            let action = tokio::select! {
                biased;
                event = input.next() => match event {
                    Some(event) => of_event(event?),
                    // The terminal is gone, and the person with it.
                    None => return Ok(()),
                },
                asked = self.signals.next() => {
                    if asked == Asked::End {
                        return Ok(());
                    }
                    self.suspend(asked).await?;
                    drawn = None;
                    None
                }
                outcome = self.outside.next() => {
                    self.tell(outcome)?;
                    drawn = None;
                    None
                }
                () = tokio::time::sleep_until(next_frame), if stale => {
                    self.screen.draw(&self.app)?;
                    drawn = Some((self.app.revision, self.app.view.version));
                    next_frame = tokio::time::Instant::now() + FRAME;
                    None
                }
                report = reports.recv(), if open => if let Some(report) = report { Some(Action::Reports(drain(report, reports))) } else {
                    open = false;
                    None
                },
                _ = ticks.tick() => Some(Action::Tick(self.begun.elapsed())),
                // While it plays, the clock beats as fast as that.
                () = tokio::time::sleep_until(next_beat), if self.app.pace().is_some() => {
                    let beat = self.app.pace().unwrap_or(TICK);
                    next_beat = tokio::time::Instant::now() + beat;
                    Some(Action::Tick(self.begun.elapsed()))
                }
                // What takes long waits for everything else.
                () = std::future::ready(()), if self.app.is_working() => Some(Action::Work),
            };
            let Some(action) = action else { continue };
            // A terminal that was made smaller and larger again at once has lost what it showed,
            // though its size is what it was.
            if let Action::Resize(..) = action {
                self.screen.forget();
            }
            let told = weight(&action);
            let effects = self.app.update(action);
            self.backlog.hear(told);
            for effect in effects {
                match effect {
                    Effect::Quit => return Ok(()),
                    Effect::Redraw => {
                        self.screen.forget();
                        drawn = None;
                    }
                    effect => self.carry_out(effect)?,
                }
            }
        }
    }

    /// Does what the watch over everything need not wait for.
    fn carry_out(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            // Stops the whole job, this process by way of the signal.
            Effect::Suspend => suspend::stop_job(),
            Effect::CaptureMouse(capture) => self.screen.capture_mouse(capture)?,
            Effect::Request(request) => self.send(request),
            Effect::Copy(text) => self.outside.copy(text),
            Effect::Save(what) => {
                let picture = self.picture();
                self.outside.save(what, picture, self.app.theme);
            }
            Effect::Export(what) => match what.format {
                Written::Seen(format) => {
                    self.outside.export(what, format, self.app.view.clone());
                }
                Written::Branch(form) => self.outside.write_down(what, form, self.branch()),
            },
            Effect::CopyToken => self.outside.copy_token(self.branch()),
            Effect::Find => match self.app.search() {
                Ok((search, cancelled)) => self.outside.find(search, cancelled),
                Err(sentence) => self.app.say(sentence, app::Tone::Bad),
            },
            Effect::RunLive => self.outside.rerun(self.rerun, self.branch()),
            Effect::Quit | Effect::Redraw => {}
        }
        Ok(())
    }

    /// What the screen shows, but for a prompt at which nothing is typed.
    fn picture(&mut self) -> Buffer {
        let mode = self.app.mode;
        if mode == Mode::Prompt && self.app.prompt.text().is_empty() {
            self.app.mode = Mode::Normal;
        }
        let picture = picture::of(&self.app);
        self.app.mode = mode;
        picture
    }

    /// The branch that is looked at, as a run of its own.
    fn branch(&self) -> Multiverse {
        let times = &self.app.times;
        times.multiverse.alone(times.place().0)
    }

    /// Says what came of something outside.
    fn tell(&mut self, outcome: Outcome) -> io::Result<()> {
        if let Some(sequence) = &outcome.sequence {
            self.screen.send(sequence)?;
        }
        if let Some((of, found)) = outcome.found {
            self.app.take_found(&of, found);
            self.app.update(Action::Tick(self.begun.elapsed()));
            return Ok(());
        }
        self.app.say(outcome.said, outcome.tone);
        Ok(())
    }

    fn send(&mut self, request: Request) {
        if self.requests.send(request).is_err() {
            self.app.say("there is no cluster any more", app::Tone::Bad);
        }
    }

    /// Gives the terminal back, stops, and goes on where it left off. After a stop without warning,
    /// whatever was done to the terminal meanwhile is put right.
    async fn suspend(&mut self, asked: Asked) -> io::Result<()> {
        self.screen.release();
        if asked == Asked::Stop {
            self.signals.stop().await;
        }
        self.screen.resume()?;
        let (width, height) = self.screen.size()?;
        self.app.update(Action::Resize(width, height));
        Ok(())
    }
}

/// What a terminal event means, if anything.
fn of_event(event: Event) -> Option<Action> {
    match event {
        Event::Key(key) => Some(Action::Key(key)),
        // What only moves would be drawn for nothing.
        Event::Mouse(mouse) if mouse.kind == ratatui::crossterm::event::MouseEventKind::Moved => {
            None
        }
        Event::Mouse(mouse) => Some(Action::Mouse(mouse)),
        Event::Paste(text) => Some(Action::Paste(text)),
        Event::Resize(width, height) => Some(Action::Resize(width, height)),
        Event::FocusGained | Event::FocusLost => None,
    }
}

/// How much reports tell of what replicas do.
fn weight(action: &Action) -> u64 {
    let Action::Reports(reports) = action else { return 0 };
    let told =
        |report: &Report| if let Report::Notice(notice) = report { notice.weight() } else { 0 };
    reports.iter().map(told).sum()
}

/// All that has been reported by now, but not more than leaves a frame its time.
fn drain(first: Report, reports: &mut UnboundedReceiver<Report>) -> Vec<Report> {
    let mut drained = vec![first];
    while drained.len() < REPORTS_AT_ONCE
        && let Ok(report) = reports.try_recv()
    {
        drained.push(report);
    }
    drained
}

/// The least time between two frames.
const FRAME: Duration = Duration::from_micros(16_667);

/// How much may have been told and not been looked at: some hundred megabytes, or what a burst of
/// twenty thousand commands brings about.
const PATIENCE: u64 = 1_000_000;

/// How often time is told.
const TICK: Duration = Duration::from_millis(500);

/// How many reports are taken in between looks at the keyboard.
const REPORTS_AT_ONCE: usize = 2_048;
