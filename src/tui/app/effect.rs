//! What the screen wants from outside.

use crate::script::request::Request;
use crate::tui::app::{Export, Save};

/// Something that is to happen outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The world is asked for something.
    Request(Request),
    /// Whether the terminal is to send what the mouse does.
    CaptureMouse(bool),
    /// This text is to be copied, so that it can be pasted elsewhere.
    Copy(String),
    /// A picture of the screen is to be saved.
    Save(Save),
    /// What was seen is to be written down for another program.
    Export(Export),
    /// The branch that is looked at is to happen once more on a fresh cluster.
    RunLive,
    /// The branch that is looked at is to be copied as a token.
    CopyToken,
    /// Schedules are to be looked through, as [`App::search`](crate::tui::app::App::search) says.
    Find,
    /// Everything is to be drawn anew.
    Redraw,
    /// The person wants the shell for a while.
    Suspend,
    /// The person is done.
    Quit,
}
