//! What passes between a screen and the world that it shows: requests one way, reports the other.

use crate::epaxos::id::ReplicaId;
use crate::observe::notice::Notice;
use crate::script::grammar::Command;
use crate::script::session::Said;
use crate::script::world::Answer;

/// A command for a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// A number under which the sender will know what is said of it.
    pub id: u64,
    /// Whom a proposal goes to that does not say.
    pub at: ReplicaId,
    /// The command.
    pub command: Command,
}

/// What a world has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Something happened.
    Notice(Notice),
    /// A command has been carried out or refused. What it brought about was reported before this.
    Said {
        /// The request's number.
        request: u64,
        /// Lines to show, or why it was refused.
        said: Said,
    },
    /// A proposal was answered, or its client gave up.
    Answer(Answer),
}
