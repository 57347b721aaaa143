//! Which writes of a key, by named clients, have taken effect.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::epaxos::command::Operation;
use crate::epaxos::fnv::{OFFSET, fnv};
use crate::epaxos::replica::requests::numbers::Numbers;

/// What is known of a write by a named client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// It has not taken effect.
    New,
    /// It has taken effect.
    Written,
    /// It may have taken effect.
    Unknown,
}

/// The writes of one key by named clients, as far as they are remembered.
///
/// All replicas execute the writes of a key in the same order, and in no other order do they agree. So
/// what is remembered of a key is a function of its writes: any two replicas that have executed the
/// same ones remember the same, and give the same answer to the next one.
///
/// The latest [`REPEATABLE`] are remembered one by one. Of an older one the number remains, in a set of
/// numbers for each client. Where that would take too many ranges, the client's lowest two become one, so
/// that a number between them may have been used. Where there would be too many clients, the one whose
/// set grew longest ago goes, and from then on any client without a set may have used any number up to
/// its highest. So what took effect is never taken for new; what did not is, unless its number
/// is lower than another one by so much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Writes {
    /// The latest, in order.
    recent: VecDeque<Write>,
    older: Option<Box<Older>>,
}

/// One write of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Write {
    client: Arc<str>,
    number: u64,
    /// Of the operation. One client's number may stand for two operations, which are two requests.
    digest: u64,
}

/// The writes of a key that are not remembered one by one any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Older {
    clients: BTreeMap<Arc<str>, Used>,
    /// The clients, by `Used::since`.
    by_age: BTreeMap<u64, Arc<str>>,
    /// How many writes there have been.
    count: u64,
    /// How many ranges of numbers there are.
    ranges: usize,
    /// The highest number of a client that is not remembered any more.
    floor: Option<u64>,
}

/// The numbers that one client has used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Used {
    numbers: Numbers,
    /// The count of writes when the last of them was added.
    since: u64,
}

impl Writes {
    /// What is known of a write of the key.
    pub(super) fn past(&self, client: &str, number: u64, operation: &Operation) -> Past {
        let mut same = self.recent.iter().filter(|it| it.number == number && *it.client == *client);
        if let Some(first) = same.next() {
            let digest = digest(operation);
            if first.digest == digest || same.any(|it| it.digest == digest) {
                return Past::Written;
            }
        }
        match &self.older {
            Some(older) if older.may_contain(client, number) => Past::Unknown,
            _ => Past::New,
        }
    }

    /// Notes that a write of the key takes effect.
    pub(super) fn insert(&mut self, client: &Arc<str>, number: u64, operation: &Operation) {
        if self.recent.len() == REPEATABLE
            && let Some(Write { client, number, .. }) = self.recent.pop_front()
        {
            self.older.get_or_insert_default().insert(client, number);
        }
        let digest = digest(operation);
        self.recent.push_back(Write { client: client.clone(), number, digest });
    }
}

impl Older {
    fn may_contain(&self, client: &str, number: u64) -> bool {
        match self.clients.get(client) {
            Some(used) => used.numbers.contains(number),
            None => self.floor.is_some_and(|floor| number <= floor),
        }
    }

    fn insert(&mut self, client: Arc<str>, number: u64) {
        self.count += 1;
        // A client that comes back may have used what it used before.
        let floor = self.floor;
        let numbers = || floor.map_or_else(Numbers::default, Numbers::up_to);
        let new = || Used { numbers: numbers(), since: 0 };
        let used = self.clients.entry(client.clone()).or_insert_with(new);
        if used.since == 0 {
            self.ranges += used.numbers.ranges();
        } else {
            self.by_age.remove(&used.since);
        }
        used.since = self.count;
        self.by_age.insert(self.count, client);
        let before = used.numbers.ranges();
        used.numbers.insert(number);
        if self.ranges - before + used.numbers.ranges() > RANGES_MAX {
            used.numbers.close_lowest_gap();
        }
        self.ranges = self.ranges - before + used.numbers.ranges();
        if self.clients.len() > CLIENTS_MAX {
            self.forget_a_client();
        }
    }

    fn forget_a_client(&mut self) {
        let Some((_, client)) = self.by_age.pop_first() else { return };
        if let Some(used) = self.clients.remove(&client) {
            self.ranges -= used.numbers.ranges();
            self.floor = self.floor.max(used.numbers.highest());
        }
    }
}

/// What tells two operations on one key apart.
fn digest(operation: &Operation) -> u64 {
    match operation {
        Operation::Put(_, value) => fnv(fnv(OFFSET, b"p"), value),
        Operation::Get(_) => fnv(OFFSET, b"g"),
        Operation::Delete(_) => fnv(OFFSET, b"d"),
    }
}

/// For how many later writes of its key, by named clients, it is known whether a write took effect.
pub const REPEATABLE: usize = 100;

/// Of how many clients it is remembered for each key which numbers they have used, at most.
const CLIENTS_MAX: usize = 1000;

/// How many ranges these numbers make for each key, at most. Each client may have one beyond that.
const RANGES_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Executes a write where it is new.
    fn execute(writes: &mut Writes, client: &str, number: u64) -> Past {
        let operation = Operation::put("x", "1");
        let past = writes.past(client, number, &operation);
        if past == Past::New {
            writes.insert(&client.into(), number, &operation);
        }
        past
    }

    /// A client of its own for each of so many writes.
    fn execute_others(writes: &mut Writes, count: usize, number: u64) {
        for index in 0..count {
            assert_eq!(execute(writes, &format!("other-{number}-{index}"), number), Past::New);
        }
    }

    #[test]
    fn a_write_is_never_new_again() {
        let mut writes = Writes::default();
        assert_eq!(execute(&mut writes, "alice", 7), Past::New);
        for round in 0..30 {
            let expected = if round == 0 { Past::Written } else { Past::Unknown };
            assert_eq!(execute(&mut writes, "alice", 7), expected, "in round {round}");
            execute_others(&mut writes, REPEATABLE, 1_000 + round);
        }
    }

    /// Alice is forgotten, comes back with a higher number, and repeats what she asked for before.
    #[test]
    fn a_client_that_was_forgotten_and_comes_back_repeats_nothing() {
        let mut writes = Writes::default();
        assert_eq!(execute(&mut writes, "alice", 7), Past::New);
        execute_others(&mut writes, REPEATABLE + CLIENTS_MAX, 5);
        assert!(writes.older.as_ref().is_some_and(|older| !older.clients.contains_key("alice")));
        assert_eq!(execute(&mut writes, "alice", 7), Past::Unknown);
        assert_eq!(execute(&mut writes, "alice", 8), Past::New);
        execute_others(&mut writes, REPEATABLE, 9);
        assert!(writes.older.as_ref().is_some_and(|older| older.clients.contains_key("alice")));
        assert_eq!(execute(&mut writes, "alice", 7), Past::Unknown);
        assert_eq!(execute(&mut writes, "alice", 9), Past::New);
    }

    /// Another replica may take long over its half of what one client asks for.
    #[test]
    fn numbers_that_come_late_are_new() {
        let mut writes = Writes::default();
        for number in (0..1_000).filter(|number| number % 2 == 0) {
            assert_eq!(execute(&mut writes, "alice", number), Past::New);
        }
        for number in (0..1_000).filter(|number| number % 2 == 1) {
            assert_eq!(execute(&mut writes, "alice", number), Past::New, "number {number}");
        }
        for number in 0..1_000 {
            assert_ne!(execute(&mut writes, "alice", number), Past::New, "number {number}");
        }
    }

    #[test]
    fn numbers_that_come_far_too_late_are_unknown() {
        let mut writes = Writes::default();
        let count = (RANGES_MAX + REPEATABLE) as u64;
        for number in 0..=count {
            assert_eq!(execute(&mut writes, "alice", 10 * number + 5), Past::New);
        }
        assert_eq!(execute(&mut writes, "alice", 10), Past::Unknown, "the lowest gap was closed");
        assert_eq!(execute(&mut writes, "alice", 20), Past::New);
        assert_eq!(execute(&mut writes, "alice", 1), Past::New, "below all that was used");
    }

    #[test]
    fn one_number_for_two_operations_is_two_requests_as_long_as_it_is_known() {
        let mut writes = Writes::default();
        assert_eq!(execute(&mut writes, "alice", 7), Past::New);
        let delete = Operation::delete("x");
        assert_eq!(writes.past("alice", 7, &delete), Past::New);
        writes.insert(&"alice".into(), 7, &delete);
        assert_eq!(writes.past("alice", 7, &delete), Past::Written);
        assert_eq!(execute(&mut writes, "alice", 7), Past::Written);
        execute_others(&mut writes, REPEATABLE, 1);
        assert_eq!(writes.past("alice", 7, &Operation::put("x", "2")), Past::Unknown);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut writes = Writes::default();
        for index in 0..5_000_u64 {
            // Many clients, and one with gaps in its numbers.
            execute(&mut writes, &format!("client-{index}"), index);
            execute(&mut writes, "alice", 2 * index);
        }
        let older = writes.older.expect("more were written than are remembered one by one");
        assert_eq!(writes.recent.len(), REPEATABLE);
        assert_eq!(older.clients.len(), CLIENTS_MAX);
        assert_eq!(older.by_age.len(), CLIENTS_MAX);
        let ranges: usize = older.clients.values().map(|used| used.numbers.ranges()).sum();
        assert_eq!(older.ranges, ranges);
        assert!(ranges <= RANGES_MAX + CLIENTS_MAX, "{ranges} ranges");
    }
}
