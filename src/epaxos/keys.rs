//! Something for each key, found in constant time.

#![expect(clippy::disallowed_types, reason = "wrapped so that nothing can see its order")]

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};

use crate::epaxos::command::Key;

/// A hash map from keys that cannot be gone through, so that its order, which is no function of its
/// contents, is never seen. Its hash has no secret, so a client can make its own keys collide, and
/// thereby look-ups slow, never wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMap<V> {
    map: HashMap<Key, V, BuildHasherDefault<DefaultHasher>>,
}

impl<V> Default for KeyMap<V> {
    fn default() -> Self {
        Self { map: HashMap::default() }
    }
}

/// Adds up what the entries hash to, so that their order does not matter.
impl<V: Hash> Hash for KeyMap<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let one =
            |entry: (&Key, &V)| BuildHasherDefault::<DefaultHasher>::default().hash_one(entry);
        let sum = self.map.iter().map(one).fold(0u64, u64::wrapping_add);
        (self.map.len(), sum).hash(state);
    }
}

impl<V> KeyMap<V> {
    /// What is held for `key`.
    pub fn get(&self, key: &Key) -> Option<&V> {
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
}
