//! Finding something for each key in constant time.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use crate::epaxos::command::Key;

/// A hash map from keys that cannot be gone through, so that its order, which is no function of its
/// contents, is never seen. Its hash has no secret, so a client can make its own keys collide, and
/// thereby look-ups slow, never wrong.
///
/// Many keys are found at once faster than one after the other ([`KeyMap::find_all`]).
#[derive(Clone, Debug)]
pub struct KeyMap<V> {
    entries: HashTable<Entry<V>>,
    /// Room to look for many keys in; empty but while that is done.
    sought: Vec<Sought>,
}

/// A key and what is held for it. Aligned so that a number beside its key is on one line of the cache: of
/// many keys none is there, and each line is waited for.
#[derive(Clone, Debug)]
#[repr(align(32))]
struct Entry<V> {
    key: Key,
    value: V,
    hash: u32,
}

/// A key that is looked for among many.
#[derive(Clone, Copy, Debug)]
pub struct Sought {
    hash: u32,
    /// Where it is.
    pub found: Option<Found>,
}

/// Where a key was found. It stays there until one is removed, or one added that was not among those
/// looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found(u32);

impl Found {
    fn new(bucket: usize) -> Self {
        Self(u32::try_from(bucket).expect("there are fewer than four billion keys"))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

impl<V> Default for KeyMap<V> {
    fn default() -> Self {
        Self { entries: HashTable::new(), sought: Vec::new() }
    }
}

impl<V: PartialEq> PartialEq for KeyMap<V> {
    fn eq(&self, other: &Self) -> bool {
        let same = |entry: &Entry<V>| other.get(&entry.key) == Some(&entry.value);
        self.len() == other.len() && self.entries.iter().all(same)
    }
}

impl<V: Eq> Eq for KeyMap<V> {}

/// Adds up what the entries hash to, so that their order does not matter.
impl<V: Hash> Hash for KeyMap<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let one = |Entry { key, value, .. }: &Entry<V>| {
            BuildHasherDefault::<FxHasher>::default().hash_one((key, value))
        };
        let sum = self.entries.iter().map(one).fold(0u64, u64::wrapping_add);
        (self.entries.len(), sum).hash(state);
    }
}

impl<V> KeyMap<V> {
    /// What is held for `key`.
    pub fn get(&self, key: &str) -> Option<&V> {
        let hash = hash(key);
        Some(&self.entries.find(spread(hash), |entry| entry.is(hash, key))?.value)
    }

    /// What is held for `key`, made by `new`, which is told how many keys there are, where nothing is.
    pub fn get_or_insert_with(&mut self, key: &Key, new: impl FnOnce(usize) -> V) -> &mut V {
        let (hash, keys) = (hash(key), self.len());
        let is = |entry: &Entry<V>| entry.is(hash, key);
        let entry = self.entries.entry(spread(hash), is, Entry::spread);
        &mut entry
            .or_insert_with(|| Entry { key: key.clone(), value: new(keys), hash })
            .into_mut()
            .value
    }

    /// What is held for `key`, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        let hash = hash(key);
        Some(&mut self.entries.find_mut(spread(hash), |entry| entry.is(hash, key))?.value)
    }

    /// Holds `value` for `key`, in place of what was held before.
    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        if let Some(held) = self.get_mut(&key) {
            return Some(std::mem::replace(held, value));
        }
        let hash = hash(&key);
        self.entries.insert_unique(spread(hash), Entry { key, value, hash }, Entry::spread);
        None
    }

    /// Where each of these keys is, which stays so while those of them are added that are nowhere. The
    /// answer may be given back when it is done with ([`KeyMap::give_back`]), for its room.
    ///
    /// A key of many is in no cache. So this goes over all of them several times, and each time does so
    /// little for each that the processor has begun with the next ones while it waits for memory: for
    /// their hashes; for the first place where they may be, by the few bits of hashes that the table keeps
    /// together; for whether they may still be there, by the whole hash; and for whether they are.
    ///
    /// That adding moves nothing that was found is more than the table promises: it is so since there is
    /// room, and nothing moves without need (hashbrown 0.17; the test below would see it).
    pub fn find_all<'a>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'a Key> + Clone,
    ) -> Vec<Sought> {
        self.entries.reserve(keys.len(), Entry::spread);
        let mut sought = std::mem::take(&mut self.sought);
        sought.extend(keys.clone().map(|key| Sought { hash: hash(key), found: None }));
        for Sought { hash, found } in &mut sought {
            *found = self.entries.find_bucket_index(spread(*hash), |_| true).map(Found::new);
        }
        for Sought { hash, found } in &mut sought {
            if found.is_some_and(|at| self.entry(at).hash != *hash) {
                let is = |entry: &Entry<V>| entry.hash == *hash;
                *found = self.entries.find_bucket_index(spread(*hash), is).map(Found::new);
            }
        }
        for (Sought { hash, found }, key) in sought.iter_mut().zip(keys) {
            if found.is_some_and(|at| self.entry(at).key != *key) {
                // Another one with the same hash.
                let is = |entry: &Entry<V>| entry.is(*hash, key);
                *found = self.entries.find_bucket_index(spread(*hash), is).map(Found::new);
            }
        }
        sought
    }

    /// Takes back what was sought, so that the next time needs no memory of its own.
    pub fn give_back(&mut self, mut sought: Vec<Sought>) {
        sought.clear();
        self.sought = sought;
    }

    /// What is held where a key was found, and still is.
    pub fn at(&self, found: Found) -> &V {
        &self.entry(found).value
    }

    /// The same, to change it.
    pub fn at_mut(&mut self, found: Found) -> &mut V {
        let entry = self.entries.get_bucket_mut(found.index());
        &mut entry.expect("a key is where it was found").value
    }

    /// Holds nothing any more for the keys of which `keep` says no, asked in no order.
    pub fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.entries.retain(|entry| keep(&entry.value));
    }

    /// Holds nothing for `key` any more.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        let hash = hash(key);
        let entry = self.entries.find_entry(spread(hash), |entry| entry.is(hash, key)).ok()?;
        Some(entry.remove().0.value)
    }

    /// For how many keys something is held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn entry(&self, found: Found) -> &Entry<V> {
        self.entries.get_bucket(found.index()).expect("a key is where it was found")
    }
}

impl<V> Entry<V> {
    /// Whether it is that of `key`, which has this hash.
    fn is(&self, hash: u32, key: &str) -> bool {
        self.hash == hash && self.key == key
    }

    fn spread(&self) -> u64 {
        spread(self.hash)
    }
}

/// The hash of a key. Half of what the hasher makes is enough to tell keys apart, and to be kept.
fn hash(key: &str) -> u32 {
    let whole = BuildHasherDefault::<FxHasher>::default().hash_one(key);
    u32::try_from((whole ^ whole >> 32) & u64::from(u32::MAX)).expect("these are 32 bits")
}

/// The hash as the table wants it: it looks at the lowest bits and at the highest ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash) | u64::from(hash) << 32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Deed {
        Insert(u8, u32),
        Remove(u8),
        Retain(u32),
        FindAll(Vec<u8>),
    }

    fn deed() -> impl Strategy<Value = Deed> {
        prop_oneof![
            4 => (0..40_u8, 0..100_u32).prop_map(|(key, value)| Deed::Insert(key, value)),
            2 => (0..40_u8).prop_map(Deed::Remove),
            1 => (0..100_u32).prop_map(Deed::Retain),
            1 => proptest::collection::vec(0..40_u8, 0..9).prop_map(Deed::FindAll),
        ]
    }

    fn key(number: u8) -> Key {
        Key::from(format!("key-{number}"))
    }

    /// What is held for each of these keys, found all at once.
    fn found<'a>(
        map: &mut KeyMap<u32>,
        keys: impl ExactSizeIterator<Item = &'a Key> + Clone,
    ) -> Vec<Option<u32>> {
        let sought = map.find_all(keys);
        let found = sought.iter().map(|one| one.found.map(|at| *map.at(at))).collect();
        map.give_back(sought);
        found
    }

    proptest! {
        #[test]
        fn it_is_as_a_map_that_is_known_to_work(
            deeds in proptest::collection::vec(deed(), 0..200),
        ) {
            let (mut map, mut known) = (KeyMap::default(), BTreeMap::new());
            for deed in deeds {
                match deed {
                    Deed::Insert(number, value) => {
                        let held = known.insert(key(number), value);
                        prop_assert_eq!(map.insert(key(number), value), held);
                    }
                    Deed::Remove(number) => {
                        prop_assert_eq!(map.remove(&key(number)), known.remove(&key(number)));
                    }
                    Deed::Retain(least) => {
                        map.retain(|value| *value >= least);
                        known.retain(|_, value| *value >= least);
                    }
                    Deed::FindAll(numbers) => {
                        let keys: Vec<_> = numbers.into_iter().map(key).collect();
                        let expected: Vec<_> = keys.iter().map(|key| known.get(key).copied()).collect();
                        let sought = map.find_all(keys.iter());
                        // What is nowhere may be added, and the rest stays where it was found.
                        for (key, _) in keys.iter().zip(&sought).filter(|(_, one)| one.found.is_none()) {
                            prop_assert_eq!(map.insert(key.clone(), 0), known.insert(key.clone(), 0));
                        }
                        let found: Vec<_> =
                            sought.iter().map(|one| one.found.map(|at| *map.at(at))).collect();
                        map.give_back(sought);
                        prop_assert_eq!(found, expected);
                    }
                }
                prop_assert_eq!(map.len(), known.len());
            }
            let mut other = KeyMap::default();
            for (key, value) in known.iter().rev() {
                prop_assert_eq!(map.get(key), Some(value));
                other.insert(key.clone(), *value);
            }
            // Whatever led there.
            let hash = |map: &KeyMap<u32>| BuildHasherDefault::<FxHasher>::default().hash_one(map);
            prop_assert_eq!(hash(&map), hash(&other));
            prop_assert_eq!(map, other);
        }
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        // By counting up until two keys have the same 32 bits: some 80,000 are enough.
        let mut seen = std::collections::BTreeMap::new();
        let (one, other) = (0..u32::MAX)
            .find_map(|number| {
                let key = Key::from(format!("key-{number}"));
                let before = seen.insert(hash(&key), key.clone())?;
                Some((before, key))
            })
            .unwrap();
        let mut map = KeyMap::default();
        map.insert(one.clone(), 1);
        let both = [&other, &one];
        assert_eq!(found(&mut map, both.into_iter()), [None, Some(1)]);
        map.insert(other.clone(), 2);
        assert_eq!(found(&mut map, both.into_iter()), [Some(2), Some(1)]);
        assert_eq!((map.remove(&one), map.get(&other), map.get(&one)), (Some(1), Some(&2), None));
        map.insert(one.clone(), 3);
        assert_eq!((map.remove(&one), map.get(&other), map.get(&one)), (Some(3), Some(&2), None));
    }
}
