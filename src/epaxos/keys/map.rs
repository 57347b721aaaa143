//! Finding something for each key in constant time.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use crate::epaxos::command::Key;

/// A hash map from keys that cannot be gone through, so that its order, which is no function of its
/// contents, is never seen. Its hash has no secret, so a client can make its own keys collide, and
/// thereby look-ups slow, never wrong.
///
/// Entries lie close together, apart from the table that says where. That table is small enough to stay
/// at hand, and many keys are found at once faster than one after the other ([`KeyMap::find_all`]).
#[derive(Clone, Debug)]
pub struct KeyMap<V> {
    places: HashTable<Place>,
    entries: Vec<(Key, V)>,
    /// Room to look for many keys in; empty but while that is done.
    sought: Vec<Sought>,
}

/// A key that is looked for among many.
#[derive(Clone, Copy, Debug)]
pub struct Sought {
    hash: u32,
    /// Where it is.
    pub found: Option<Found>,
}

/// Where the entry of a key is.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    entry: Found,
}

/// Where the entry of a key was found. It stays there until one is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found(u32);

impl Found {
    fn new(entry: usize) -> Self {
        Self(u32::try_from(entry).expect("there are fewer than four billion keys"))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

impl<V> Default for KeyMap<V> {
    fn default() -> Self {
        Self { places: HashTable::new(), entries: Vec::new(), sought: Vec::new() }
    }
}

impl<V: PartialEq> PartialEq for KeyMap<V> {
    fn eq(&self, other: &Self) -> bool {
        let same = |(key, value): &(Key, V)| other.get(key) == Some(value);
        self.len() == other.len() && self.entries.iter().all(same)
    }
}

impl<V: Eq> Eq for KeyMap<V> {}

/// Adds up what the entries hash to, so that their order does not matter.
impl<V: Hash> Hash for KeyMap<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let one = |entry: &(Key, V)| BuildHasherDefault::<FxHasher>::default().hash_one(entry);
        let sum = self.entries.iter().map(one).fold(0u64, u64::wrapping_add);
        (self.entries.len(), sum).hash(state);
    }
}

impl<V> KeyMap<V> {
    /// What is held for `key`.
    pub fn get(&self, key: &str) -> Option<&V> {
        self.find(key).map(|found| self.at(found))
    }

    /// What is held for `key`, made by `new`, which is told how many keys there are, where nothing is.
    pub fn get_or_insert_with(&mut self, key: &Key, new: impl FnOnce(usize) -> V) -> &mut V {
        let found = self.find(key).unwrap_or_else(|| {
            let value = new(self.entries.len());
            self.add(key.clone(), value)
        });
        self.at_mut(found)
    }

    /// What is held for `key`, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.find(key).map(|found| self.at_mut(found))
    }

    /// Holds `value` for `key`, in place of what was held before.
    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        if let Some(held) = self.get_mut(&key) {
            return Some(std::mem::replace(held, value));
        }
        self.add(key, value);
        None
    }

    /// Where `key` is.
    pub fn find(&self, key: &str) -> Option<Found> {
        let hash = hash(key);
        let is = |place: &Place| place.hash == hash && self.entries[place.entry.index()].0 == key;
        Some(self.places.find(spread(hash), is)?.entry)
    }

    /// Where each of these keys is. The answer may be given back when it is done with
    /// ([`KeyMap::give_back`]), for its room.
    ///
    /// A key of many is in no cache. So this goes over all of them three times, and each time does so
    /// little for each that the processor has begun with the next ones while it waits for memory: for
    /// their hashes, for where they may be, and for whether they are there.
    pub fn find_all<'a>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'a Key> + Clone,
    ) -> Vec<Sought> {
        let mut sought = std::mem::take(&mut self.sought);
        sought.extend(keys.clone().map(|key| Sought { hash: hash(key), found: None }));
        for one in &mut sought {
            let place = self.places.find(spread(one.hash), |place| place.hash == one.hash);
            one.found = place.map(|place| place.entry);
        }
        for (one, key) in sought.iter_mut().zip(keys) {
            if let Some(entry) = one.found
                && self.entries[entry.index()].0 != *key
            {
                // Another one with the same hash.
                one.found = self.find(key);
            }
        }
        sought
    }

    /// Takes back what was sought, so that the next time needs no memory of its own.
    pub fn give_back(&mut self, mut sought: Vec<Sought>) {
        sought.clear();
        self.sought = sought;
    }

    /// What is held where a key was found, none being removed since.
    pub fn at(&self, found: Found) -> &V {
        &self.entries[found.index()].1
    }

    /// The same, to change it.
    pub fn at_mut(&mut self, found: Found) -> &mut V {
        &mut self.entries[found.index()].1
    }

    /// Holds nothing any more for the keys of which `keep` says so, asked in no order.
    pub fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.entries.retain(|(_, value)| keep(value));
        self.places.clear();
        for (entry, (key, _)) in self.entries.iter().enumerate() {
            let place = Place { hash: hash(key), entry: Found::new(entry) };
            self.places.insert_unique(spread(place.hash), place, |place| spread(place.hash));
        }
    }

    /// Holds nothing for `key` any more.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        let found = self.find(key)?;
        let last = Found::new(self.entries.len() - 1);
        if found != last {
            // The last one takes its place.
            let moved = hash(&self.entries[last.index()].0);
            let place = self.places.find_mut(spread(moved), |place| place.entry == last);
            place.expect("each entry has a place").entry = found;
        }
        let hash = hash(key);
        let is = |place: &Place| place.hash == hash && place.entry == found;
        // Two have that place for a moment, if their hashes are the same: which goes is all one.
        let place = self.places.find_entry(spread(hash), is);
        place.expect("it was found").remove();
        Some(self.entries.swap_remove(found.index()).1)
    }

    /// For how many keys something is held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a key that is not there.
    fn add(&mut self, key: Key, value: V) -> Found {
        let place = Place { hash: hash(&key), entry: Found::new(self.entries.len()) };
        self.places.insert_unique(spread(place.hash), place, |place| spread(place.hash));
        self.entries.push((key, value));
        place.entry
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

    fn found<'a, V>(
        map: &mut KeyMap<V>,
        keys: impl ExactSizeIterator<Item = &'a Key> + Clone,
    ) -> Vec<Option<Found>> {
        let sought = map.find_all(keys);
        let found = sought.iter().map(|one| one.found).collect();
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
                        let found = found(&mut map, keys.iter()).into_iter();
                        let found: Vec<_> = found.map(|found| found.map(|at| *map.at(at))).collect();
                        let expected: Vec<_> = keys.iter().map(|key| known.get(key).copied()).collect();
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
        assert_eq!(found(&mut map, [&other, &one].into_iter()), [None, Some(Found(0))]);
        map.insert(other.clone(), 2);
        let both = found(&mut map, [&other, &one].into_iter());
        assert_eq!(both, [Some(Found(1)), Some(Found(0))]);
        assert_eq!((map.remove(&one), map.get(&other), map.get(&one)), (Some(1), Some(&2), None));
        map.insert(one.clone(), 3);
        assert_eq!((map.remove(&one), map.get(&other), map.get(&one)), (Some(3), Some(&2), None));
    }
}
