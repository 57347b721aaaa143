//! Keys: finding something for each of them in constant time, and calling them by number.

mod by_key;
mod map;

use std::num::NonZeroU32;

use crate::epaxos::command::{Key, Operation, Payload};

pub use self::by_key::ByKey;
pub use self::map::{Found, KeyMap, Sought};

/// A key, by number. Counted from 1, so that one that may be missing takes no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(NonZeroU32);

impl KeyId {
    /// The key's place in a table of all keys.
    pub fn index(self) -> usize {
        self.0.get() as usize - 1
    }

    /// The key at a place in a table of all keys.
    fn from_index(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("there are fewer than four billion keys"))
    }
}

/// That an instance touches a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Touch {
    /// Which key.
    pub key: KeyId,
    /// Whether any of the instance's operations on the key is a write. Two instances interfere
    /// where both touch a key and this holds for at least one of them.
    pub write: bool,
}

/// The keys that an instance touches, each once. One key is by far the most common number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Touches {
    /// An instance of one key.
    One(Touch),
    /// A no-op, or a batch over several keys.
    Many(Box<[Touch]>),
}

impl Touches {
    /// Those of a batch, in which keys may be repeated.
    fn of(mut touches: Vec<Touch>) -> Self {
        // Writes first, so that one of a key stays where there is one. As one number, since there are many.
        touches.sort_unstable_by_key(|Touch { key, write }| {
            u64::from(key.0.get()) << 1 | u64::from(!write)
        });
        touches.dedup_by_key(|touch| touch.key);
        Self::Many(touches.into())
    }

    /// The touches as a slice.
    pub fn as_slice(&self) -> &[Touch] {
        match self {
            Self::One(touch) => std::slice::from_ref(touch),
            Self::Many(touches) => touches,
        }
    }
}

impl Default for Touches {
    fn default() -> Self {
        Self::Many(Box::default())
    }
}

/// The numbers of keys, in order of appearance: a payload's keys are looked up once, however often
/// the replica then has to do with them. A number that is free again is given to another key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Keys {
    numbers: KeyMap<KeyId>,
    free: Vec<KeyId>,
    /// How many keys were left when it was last asked which of them are still in use.
    left: usize,
}

impl Keys {
    /// The keys that a payload touches. Those that are new get a number.
    pub fn touches(&mut self, payload: &Payload) -> Touches {
        if let [command] = payload.commands() {
            let key = self.number(command.operation.key());
            return Touches::One(Touch { key, write: command.operation.is_write() });
        }
        let keys = payload.commands().iter().map(|command| command.operation.key());
        let sought = self.numbers.find_all(keys);
        let touch = |(operation, sought): (&Operation, &Sought)| {
            let known = sought.found.map(|found| *self.numbers.at(found));
            let key = known.unwrap_or_else(|| self.number(operation.key()));
            Touch { key, write: operation.is_write() }
        };
        let touches = payload.operations().zip(&sought).map(touch).collect();
        self.numbers.give_back(sought);
        Touches::of(touches)
    }

    /// The number of a key.
    fn number(&mut self, key: &Key) -> KeyId {
        let free = &mut self.free;
        // Where none is free, the numbers given are those from 0 on.
        let new = |keys| free.pop().unwrap_or_else(|| KeyId::from_index(keys));
        *self.numbers.get_or_insert_with(key, new)
    }

    /// Whether there are so many keys that it is worth asking which are still in use: more than
    /// `spare` beside twice those that were when it was asked last, so that asking costs no more than
    /// the new keys have.
    pub fn are_many(&self, spare: u64) -> bool {
        self.len() as u64 > spare.saturating_add(2 * self.left as u64)
    }

    /// Takes the numbers of those keys away by which nothing goes any more, and gives them back.
    pub fn free_unused(&mut self, mut is_used: impl FnMut(KeyId) -> bool) -> &[KeyId] {
        let first = self.free.len();
        self.numbers.retain(|number| {
            let used = is_used(*number);
            if !used {
                self.free.push(*number);
            }
            used
        });
        self.left = self.numbers.len();
        let freed = &mut self.free[first..];
        freed.sort_unstable();
        freed
    }

    /// How many keys have a number.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether no key has a number.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The keys that a payload touches, those left out that have no number.
    pub fn known(&self, payload: &Payload) -> Touches {
        let touch = |operation: &Operation| {
            let key = *self.numbers.get(operation.key())?;
            Some(Touch { key, write: operation.is_write() })
        };
        match payload.commands() {
            [command] => touch(&command.operation).map_or_else(Touches::default, Touches::One),
            _ => Touches::of(payload.operations().filter_map(touch).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::command::{Command, RequestId};

    #[test]
    fn a_key_is_touched_once_and_by_a_write_where_there_is_one() {
        let request = RequestId::named("ann", 0);
        let operations = [
            Operation::get("x"),
            Operation::put("y", "1"),
            Operation::delete("x"),
            Operation::get("z"),
        ];
        let commands = operations.map(|operation| Command { request: request.clone(), operation });
        let payload = Payload::Commands(commands.into());
        let mut keys = Keys::default();
        assert_eq!(keys.known(&payload), Touches::default());
        let touches = keys.touches(&payload);
        let found: Vec<_> =
            touches.as_slice().iter().map(|touch| (touch.key.index(), touch.write)).collect();
        assert_eq!(found, [(0, true), (1, true), (2, false)]);
        assert_eq!(keys.known(&payload), touches);
        assert_eq!(keys.touches(&Payload::Noop), Touches::default());
    }

    #[test]
    fn a_free_number_is_given_again_and_no_other_twice() {
        let mut keys = Keys::default();
        let number = |keys: &mut Keys, key: &str| {
            let request = RequestId::named("ann", 0);
            let payload = Payload::one(Command { request, operation: Operation::get(key) });
            keys.touches(&payload).as_slice()[0].key.index()
        };
        let first: Vec<_> = ["x", "y", "z"].map(|key| number(&mut keys, key)).into();
        assert_eq!(first, [0, 1, 2]);
        assert!(keys.are_many(2) && !keys.are_many(3));
        assert_eq!(keys.free_unused(|key| key.index() == 1), [0, 2].map(KeyId::from_index));
        assert_eq!((keys.len(), keys.are_many(2)), (1, false));
        let then: Vec<_> = ["v", "w", "x", "y"].map(|key| number(&mut keys, key)).into();
        assert_eq!(then, [2, 0, 3, 1]);
        assert!(keys.are_many(1) && !keys.are_many(2));
    }
}
