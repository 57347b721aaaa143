//! Keys: finding something for each of them in constant time, and calling them by number.

#![expect(clippy::disallowed_types, reason = "wrapped so that nothing can see its order")]

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::num::NonZeroU32;

use rustc_hash::FxHasher;

use crate::epaxos::command::{Key, Operation, Payload};

/// A hash map from keys that cannot be gone through, so that its order, which is no function of its
/// contents, is never seen. Its hash has no secret, so a client can make its own keys collide, and
/// thereby look-ups slow, never wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMap<V> {
    map: HashMap<Key, V, BuildHasherDefault<FxHasher>>,
}

impl<V> Default for KeyMap<V> {
    fn default() -> Self {
        Self { map: HashMap::default() }
    }
}

/// Adds up what the entries hash to, so that their order does not matter.
impl<V: Hash> Hash for KeyMap<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let one = |entry: (&Key, &V)| BuildHasherDefault::<FxHasher>::default().hash_one(entry);
        let sum = self.map.iter().map(one).fold(0u64, u64::wrapping_add);
        (self.map.len(), sum).hash(state);
    }
}

impl<V> KeyMap<V> {
    /// What is held for `key`.
    pub fn get(&self, key: &str) -> Option<&V> {
        self.map.get(key)
    }

    /// What is held for `key`, made by `new`, which is told how many keys there are, where nothing is.
    pub fn get_or_insert_with(&mut self, key: &Key, new: impl FnOnce(usize) -> V) -> &mut V {
        let keys = self.map.len();
        // Cloning the key for an `entry` costs more than looking twice at those that are new.
        if !self.map.contains_key(key) {
            self.map.insert(key.clone(), new(keys));
        }
        self.map.get_mut(key).expect("it is there or was just inserted")
    }

    /// What is held for `key`, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.map.get_mut(key)
    }

    /// Holds `value` for `key`, in place of what was held before.
    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        self.map.insert(key, value)
    }

    /// Holds nothing any more for the keys of which `keep` says so, asked in no order.
    fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.map.retain(|_, value| keep(value));
    }

    /// Holds nothing for `key` any more.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        self.map.remove(key)
    }

    /// For how many keys something is held.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

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
        let Self { numbers, free, .. } = self;
        let number = |operation: &Operation| {
            if let Some(known) = numbers.get(operation.key()) {
                return Some(*known);
            }
            // Where none is free, the numbers given are those from 0 on.
            let new = free.pop().unwrap_or_else(|| KeyId::from_index(numbers.len()));
            numbers.insert(operation.key().clone(), new);
            Some(new)
        };
        touches(payload, number)
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
        touches(payload, |operation| self.numbers.get(operation.key()).copied())
    }
}

fn touches(payload: &Payload, mut number: impl FnMut(&Operation) -> Option<KeyId>) -> Touches {
    let mut touch = |operation| {
        number(operation).map(|key| Touch { key, write: Operation::is_write(operation) })
    };
    if let [command] = payload.commands() {
        return touch(&command.operation).map_or_else(Touches::default, Touches::One);
    }
    let mut touches: Vec<_> = payload.operations().filter_map(touch).collect();
    // Writes first, so that one of a key stays where there is one.
    touches.sort_unstable_by_key(|touch| (touch.key, !touch.write));
    touches.dedup_by_key(|touch| touch.key);
    Touches::Many(touches.into())
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
