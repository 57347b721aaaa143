//! What the executed commands of named clients came to, for as long as they may be repeated.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::epaxos::command::{Command, Outcome};
use crate::epaxos::keys::KeyMap;

/// The outcomes of the latest commands of each key.
///
/// A repeated write must have no effect at any replica, or have one at all of them. So when one is
/// forgotten may depend only on what is in the same order everywhere, and that is the writes of one
/// key: a write is remembered until [`REPEATABLE`] later ones of its key have been executed. Reads
/// have no order among each other, and no effect; as many of them are remembered, and one that is
/// repeated later reads again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Remembered {
    outcomes: BTreeMap<Arc<Command>, Outcome>,
    recent: KeyMap<Recent>,
}

/// The commands of one key that are remembered, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Recent {
    writes: VecDeque<Arc<Command>>,
    reads: VecDeque<Arc<Command>>,
}

impl Remembered {
    /// What a command came to.
    pub(super) fn get(&self, command: &Command) -> Option<&Outcome> {
        self.outcomes.get(command)
    }

    /// Remembers what a command came to that was not remembered, and forgets one that is too old.
    pub(super) fn insert(&mut self, command: &Command, outcome: Outcome) {
        let operation = &command.operation;
        let recent = self.recent.get_or_insert_with(operation.key(), |_| Recent::default());
        let recent = if operation.is_write() { &mut recent.writes } else { &mut recent.reads };
        let command = Arc::new(command.clone());
        if recent.len() == REPEATABLE
            && let Some(oldest) = recent.pop_front()
        {
            self.outcomes.remove(&oldest);
        }
        recent.push_back(Arc::clone(&command));
        self.outcomes.insert(command, outcome);
    }
}

/// For how many later writes of its key, by named clients, a write can be repeated without having a
/// second effect; and how many reads of a key are remembered.
pub const REPEATABLE: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::command::{Operation, RequestId};

    fn write(key: &str, number: usize) -> Command {
        let request = RequestId::named("ann", number as u64);
        Command { request, operation: Operation::put(key, "1") }
    }

    fn read(key: &str, number: usize) -> Command {
        Command { operation: Operation::get(key), ..write(key, number) }
    }

    #[test]
    fn only_later_writes_of_its_key_make_a_write_forgotten() {
        let mut remembered = Remembered::default();
        remembered.insert(&write("x", 0), Outcome::Written);
        for number in 1..=3 * REPEATABLE {
            remembered.insert(&write("y", number), Outcome::Written);
            remembered.insert(&read("x", number), Outcome::NotFound);
        }
        for number in 1..REPEATABLE {
            remembered.insert(&write("x", number), Outcome::Written);
        }
        assert_eq!(remembered.get(&write("x", 0)), Some(&Outcome::Written));
        remembered.insert(&write("x", REPEATABLE), Outcome::Written);
        assert_eq!(remembered.get(&write("x", 0)), None);
        assert_eq!(remembered.get(&write("x", 1)), Some(&Outcome::Written));
    }

    #[test]
    fn what_is_kept_is_bounded_for_each_key() {
        let mut remembered = Remembered::default();
        for number in 0..10 * REPEATABLE {
            remembered.insert(&write("x", number), Outcome::Written);
            remembered.insert(&read("x", number), Outcome::NotFound);
        }
        assert_eq!(remembered.outcomes.len(), 2 * REPEATABLE);
    }
}
