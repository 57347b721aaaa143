//! Where a replica is told to panic, so that it can be seen what comes of it.

use crate::epaxos::command::Key;
use crate::epaxos::replica::Input;

/// Whether an input is about a key.
pub(super) fn mentions(input: &Input, key: &Key) -> bool {
    match input {
        Input::Propose(commands) => commands.iter().any(|command| command.operation.key() == key),
        Input::Receive { message, .. } => message
            .payload()
            .is_some_and(|payload| payload.operations().any(|operation| operation.key() == key)),
        Input::Wake => false,
    }
}
