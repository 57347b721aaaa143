//! What the executed commands of named clients came to, for as long as they may be repeated.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::epaxos::command::{Client, Command, Outcome};
use crate::epaxos::keys::KeyMap;
use crate::epaxos::replica::requests::writes::{Past, Writes};

/// The outcomes of commands of named clients.
///
/// A repeated write must have no effect at any replica, and the same answer at all of them: see
/// [`Writes`]. Reads have no order among each other, and no effect. So each replica remembers the latest
/// ones by itself, and one that is repeated later reads again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Remembered {
    writes: KeyMap<Writes>,
    reads: Reads,
}

/// The latest reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Reads {
    outcomes: BTreeMap<Arc<Command>, Outcome>,
    /// The oldest first.
    recent: VecDeque<Arc<Command>>,
    /// How many bytes of keys and values there are.
    bytes: usize,
}

impl Remembered {
    /// What a command came to, or that this is unknown; `None` for a new one.
    pub(super) fn get(&self, command: &Command) -> Option<Outcome> {
        let Command { request, operation } = command;
        let Client::Named(client) = &request.client else { return None };
        if !operation.is_write() {
            return self.reads.outcomes.get(command).cloned();
        }
        let writes = self.writes.get(operation.key())?;
        match writes.past(client, request.number, operation) {
            Past::New => None,
            Past::Written => Some(Outcome::Written),
            Past::Unknown => Some(Outcome::Unknown),
        }
    }

    /// Remembers what a new command came to.
    pub(super) fn insert(&mut self, command: &Command, outcome: &Outcome) {
        let Command { request, operation } = command;
        let Client::Named(client) = &request.client else { return };
        if operation.is_write() {
            let writes = self.writes.get_or_insert_with(operation.key(), |_| Writes::default());
            writes.insert(client, request.number, operation);
        } else {
            self.reads.insert(command, outcome.clone());
        }
    }
}

impl Reads {
    fn insert(&mut self, command: &Command, outcome: Outcome) {
        let command = Arc::new(command.clone());
        self.bytes += size(&command, &outcome);
        self.recent.push_back(Arc::clone(&command));
        self.outcomes.insert(command, outcome);
        while self.recent.len() > READS_MAX || self.bytes > READ_BYTES_MAX {
            let Some(oldest) = self.recent.pop_front() else { return };
            if let Some(outcome) = self.outcomes.remove(&oldest) {
                self.bytes -= size(&oldest, &outcome);
            }
        }
    }
}

/// What a read takes, in bytes.
fn size(command: &Command, outcome: &Outcome) -> usize {
    let value = match outcome {
        Outcome::Found(value) => value.len(),
        Outcome::NotFound | Outcome::Written | Outcome::Unknown => 0,
    };
    command.operation.size() + value
}

/// How many reads are remembered, at most.
const READS_MAX: usize = 1000;

/// How many bytes of keys and values of reads are remembered, at most.
const READ_BYTES_MAX: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::command::{Operation, RequestId};
    use crate::epaxos::replica::REPEATABLE;

    fn write(key: &str, number: usize) -> Command {
        let request = RequestId::named("ann", number as u64);
        Command { request, operation: Operation::put(key, "1") }
    }

    fn read(key: &str, number: usize) -> Command {
        Command { operation: Operation::get(key), ..write(key, number) }
    }

    #[test]
    fn only_later_writes_of_its_key_make_a_write_unknown() {
        let mut remembered = Remembered::default();
        remembered.insert(&write("x", 0), &Outcome::Written);
        for number in 1..=3 * REPEATABLE {
            remembered.insert(&write("y", number), &Outcome::Written);
            remembered.insert(&read("x", number), &Outcome::NotFound);
        }
        for number in 1..REPEATABLE {
            remembered.insert(&write("x", number), &Outcome::Written);
        }
        assert_eq!(remembered.get(&write("x", 0)), Some(Outcome::Written));
        remembered.insert(&write("x", REPEATABLE), &Outcome::Written);
        assert_eq!(remembered.get(&write("x", 0)), Some(Outcome::Unknown));
        assert_eq!(remembered.get(&write("x", 1)), Some(Outcome::Written));
        assert_eq!(remembered.get(&write("x", REPEATABLE + 1)), None);
    }

    #[test]
    fn the_latest_reads_are_remembered() {
        let mut remembered = Remembered::default();
        for number in 0..=READS_MAX {
            remembered.insert(&read("x", number), &Outcome::NotFound);
        }
        assert_eq!(remembered.get(&read("x", 0)), None);
        assert_eq!(remembered.get(&read("x", 1)), Some(Outcome::NotFound));
        assert_eq!(remembered.reads.outcomes.len(), READS_MAX);
    }

    #[test]
    fn reads_of_large_values_are_bounded_in_bytes() {
        let mut remembered = Remembered::default();
        let value = Outcome::Found(vec![b'v'; READ_BYTES_MAX / 4].into());
        for number in 0..10 {
            remembered.insert(&read("x", number), &value);
            assert!(remembered.reads.bytes <= READ_BYTES_MAX);
        }
        assert_eq!(remembered.get(&read("x", 9)), Some(value));
        assert_eq!(remembered.get(&read("x", 6)), None);
        assert_eq!(remembered.reads.outcomes.len(), 3);
        let bytes: usize =
            remembered.reads.outcomes.iter().map(|(command, outcome)| size(command, outcome)).sum();
        assert_eq!(remembered.reads.bytes, bytes);
    }
}
