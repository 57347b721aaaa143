//! The monitor without a terminal: everything is heard and drawn as ever, and shown to nobody. To see
//! what watching costs.

use std::time::Instant;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::observe::notice::Shape;
use crate::script::backlog::Backlog;
use crate::script::request::Report;
use crate::tui::app::{Action, App};
use crate::tui::theme::Theme;
use crate::tui::{FRAME, PATIENCE, TICK, drain, panel, weight};

/// What was drawn for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// How many frames.
    pub frames: u64,
    /// How many reports had come by then that were not looked at yet.
    pub behind: usize,
}

/// Hears what is reported, and draws it on a screen of `size`, columns and rows, until nothing more can
/// be reported or `ended` says so.
///
/// Must be called within a tokio runtime that has a clock.
pub async fn watch(
    shape: Shape,
    (width, height): (u16, u16),
    mut reports: UnboundedReceiver<Report>,
    backlog: &Backlog,
    ended: impl Future<Output = ()>,
) -> Unseen {
    let mut ended = std::pin::pin!(ended);
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let mut app = App::new(shape, Theme::Dark, false, false);
    app.update(Action::Resize(width, height));
    backlog.mind(PATIENCE);
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut frames, mut drawn) = (0, None);
    let mut next_frame = tokio::time::Instant::now();
    loop {
        let current = (app.revision, app.view.version);
        let action = tokio::select! {
            biased;
            () = &mut ended => break,
            () = tokio::time::sleep_until(next_frame), if drawn != Some(current) => {
                let Ok(_) = terminal.draw(|frame| panel::render(frame, &app));
                (frames, drawn) = (frames + 1, Some(current));
                next_frame = tokio::time::Instant::now() + FRAME;
                continue;
            }
            report = reports.recv() => match report {
                Some(report) => Action::Reports(drain(report, &mut reports)),
                None => break,
            },
            _ = ticks.tick() => Action::Tick(begun.elapsed()),
        };
        // Whatever it wants done is for a person who is not there.
        let told = weight(&action);
        app.update(action);
        backlog.hear(told);
    }
    Unseen { frames, behind: reports.len() }
}
