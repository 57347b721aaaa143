//! Where a replica is told to panic, so that it can be seen what comes of it; and what a panic says.

use std::any::Any;

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

/// What a panic said, in one line.
pub(super) fn sentence(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    let words = said.unwrap_or("it did not say why").split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}
