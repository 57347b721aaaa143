//! A live world behind a screen: requests in, reports out.

use std::io;
use std::thread;
use std::thread::JoinHandle;

use tokio::sync::mpsc;
use tracing::warn;

use crate::node::live::LiveWorld;
use crate::observe::notice::{GateState, Notice};
use crate::script::request::{Report, Request};
use crate::script::session::{Session, stop_where_broken};

/// A world that serves on a thread of its own, from outside.
#[derive(Debug)]
pub struct Serving {
    /// Where to ask. Once this is dropped, the world ends.
    pub requests: mpsc::UnboundedSender<Request>,
    /// What it reports.
    pub reports: mpsc::UnboundedReceiver<Report>,
    /// Its thread, which returns how much was said by then that was not heard.
    pub thread: JoinHandle<usize>,
}

/// Lets a world [`serve`] on a thread of its own.
pub fn spawn(world: LiveWorld) -> io::Result<Serving> {
    let (requests, asked) = mpsc::unbounded_channel();
    let (reporting, reports) = mpsc::unbounded_channel();
    let thread = thread::Builder::new().name("world".to_owned());
    let thread = thread.spawn(move || serve(world, asked, &reporting))?;
    Ok(Serving { requests, reports, thread })
}

/// What a world that serves has to deal with next.
enum Next {
    Heard(Option<Report>),
    Asked(Option<Request>),
}

/// Carries out requests one after another, and reports all that happens as soon as it is heard,
/// until nobody can ask for anything any more. Blocks: the world's own thread runs it. Takes a
/// world in which nothing has happened; a screen that starts from an empty view of the same shape
/// sees what this world does. Returns how much was said by then that was not heard.
pub fn serve(
    mut world: LiveWorld,
    mut requests: mpsc::UnboundedReceiver<Request>,
    reports: &mpsc::UnboundedSender<Report>,
) -> usize {
    world.audience.reports = Some(reports.clone());
    if world.view.gate != GateState::default() {
        reports.send(Report::Notice(Notice::Gate(world.view.gate.clone()))).ok();
    }
    let mut session = Session::default();
    let mut broke = None;
    loop {
        let LiveWorld { runtime, inbox, .. } = &mut world;
        let next = runtime.block_on(async {
            tokio::select! {
                biased;
                // A person comes first: a busy cluster always has something to say.
                asked = requests.recv() => Next::Asked(asked),
                heard = inbox.recv() => Next::Heard(heard),
            }
        });
        match next {
            Next::Heard(Some(report)) => {
                world.hear(report);
                for _ in 0..HEARD_AT_ONCE {
                    match world.inbox.try_recv() {
                        Ok(report) => world.hear(report),
                        Err(_) => break,
                    }
                }
            }
            Next::Asked(Some(Request { id, at, command })) => {
                session.at = at;
                let said = session.perform(&mut world, &command);
                world.catch_up();
                reports.send(Report::Said { request: id, said }).ok();
            }
            Next::Heard(None) | Next::Asked(None) => break,
        }
        // While nobody asks for anything, something may meet a breakpoint. The screen sees by itself
        // which.
        if world.view.broke != broke {
            if let Err(sentence) = stop_where_broken(&mut world, broke.as_ref()) {
                warn!("what met a breakpoint could not be stopped: {sentence}");
            }
            broke.clone_from(&world.view.broke);
        }
    }
    let unheard = world.inbox.len();
    world.shutdown();
    unheard
}

/// How much is heard in between looks at the requests.
const HEARD_AT_ONCE: usize = 1_024;
