//! The replicated state: a store of keys and values. Knows nothing of replication.

use std::collections::BTreeSet;

use crate::epaxos::command::{Key, Operation, Outcome, StateMachine, Value};
use crate::epaxos::fnv::{OFFSET, fnv};
use crate::epaxos::keys::KeyMap;

/// A store of keys and values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Store {
    values: KeyMap<Value>,
    /// The keys that have a value. Most writes are to one of them, and leave this alone.
    order: BTreeSet<Key>,
}

impl Store {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// All keys that have a value, in order, with their values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        let value = |key| self.values.get(key).expect("each of these keys has a value");
        self.order.iter().map(move |key| (key, value(key)))
    }

    /// How many keys have a value.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no key has a value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The contents as one number, the same everywhere and always. Replicas that have executed the
    /// same commands have equal digests; unequal contents have unequal ones but for bad luck.
    pub fn digest(&self) -> u64 {
        let mut hash = OFFSET;
        for (key, value) in self.iter() {
            for part in [key.as_bytes(), value] {
                // The length goes first, or "ab" = "c" would pass for "a" = "bc".
                hash = fnv(hash, &(part.len() as u64).to_le_bytes());
                hash = fnv(hash, part);
            }
        }
        hash
    }
}

impl StateMachine for Store {
    fn apply(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Put(key, value) => {
                if let Some(known) = self.values.get_mut(key) {
                    *known = value.clone();
                } else {
                    self.values.insert(key.clone(), value.clone());
                    self.order.insert(key.clone());
                }
                Outcome::Written
            }
            Operation::Get(key) => {
                self.get(key).map_or(Outcome::NotFound, |value| Outcome::Found(value.clone()))
            }
            // What matters to the one who asks is that the key has no value now.
            Operation::Delete(key) => {
                if self.values.remove(key).is_some() {
                    self.order.remove(key);
                }
                Outcome::Written
            }
        }
    }

    /// All keys are looked for at once: see [`KeyMap::find_all`].
    fn apply_all<'a>(
        &mut self,
        operations: impl ExactSizeIterator<Item = &'a Operation> + Clone,
        outcomes: &mut Vec<Outcome>,
    ) {
        let sought = self.values.find_all(operations.clone().map(Operation::key));
        // Once something is deleted, it is no longer where it was found, and something else may be.
        let mut deleted = false;
        for (operation, sought) in operations.zip(&sought) {
            deleted |= matches!(operation, Operation::Delete(_));
            outcomes.push(match (operation, sought.found.filter(|_| !deleted)) {
                (Operation::Put(_, value), Some(found)) => {
                    *self.values.at_mut(found) = value.clone();
                    Outcome::Written
                }
                (Operation::Get(_), Some(found)) => Outcome::Found(self.values.at(found).clone()),
                // One that was not found may have been put since.
                _ => self.apply(operation),
            });
        }
        self.values.give_back(sought);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn store(operations: &[Operation]) -> Store {
        let mut store = Store::default();
        for operation in operations {
            store.apply(operation);
        }
        store
    }

    #[test]
    fn operations_come_to_what_they_say() {
        let mut store = Store::default();
        assert_eq!(store.apply(&Operation::get("x")), Outcome::NotFound);
        assert_eq!(store.apply(&Operation::put("x", "1")), Outcome::Written);
        assert_eq!(store.apply(&Operation::put("x", "2")), Outcome::Written);
        assert_eq!(store.apply(&Operation::get("x")), Outcome::Found(b"2"[..].into()));
        assert_eq!(store.len(), 1);
        assert_eq!(store.apply(&Operation::delete("x")), Outcome::Written);
        assert_eq!(store.apply(&Operation::delete("x")), Outcome::Written);
        assert_eq!(store.apply(&Operation::get("x")), Outcome::NotFound);
        assert!(store.is_empty());
    }

    proptest! {
        #[test]
        fn many_operations_come_to_what_one_after_the_other_does(
            before in proptest::collection::vec((0..6_u8, 0..3_u8), 0..9),
            many in proptest::collection::vec((0..6_u8, 0..3_u8), 0..9),
        ) {
            let number = std::cell::Cell::new(0);
            let operation = |(key, kind): (u8, u8)| {
                let key = format!("key-{key}");
                number.set(number.get() + 1);
                match kind {
                    0 => Operation::put(&key, &number.get().to_string()),
                    1 => Operation::get(&key),
                    _ => Operation::delete(&key),
                }
            };
            let before: Vec<_> = before.into_iter().map(operation).collect();
            let many: Vec<_> = many.into_iter().map(operation).collect();
            let (mut one_by_one, mut at_once) = (store(&before), store(&before));
            let expected: Vec<_> = many.iter().map(|operation| one_by_one.apply(operation)).collect();
            let mut outcomes = Vec::new();
            at_once.apply_all(many.iter(), &mut outcomes);
            prop_assert_eq!(outcomes, expected);
            prop_assert_eq!(at_once.digest(), one_by_one.digest());
            prop_assert_eq!(at_once, one_by_one);
        }
    }

    #[test]
    fn contents_come_in_key_order() {
        let store = store(&[Operation::put("b", "2"), Operation::put("a", "1")]);
        let keys: Vec<_> = store.iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(keys, ["a", "b"]);
    }

    #[test]
    fn equal_contents_have_equal_digests_whatever_led_there() {
        let direct = store(&[Operation::put("a", "1"), Operation::put("b", "2")]);
        let detour = store(&[
            Operation::put("b", "2"),
            Operation::put("c", "3"),
            Operation::put("a", "1"),
            Operation::delete("c"),
        ]);
        assert_eq!(direct, detour);
        assert_eq!(direct.digest(), detour.digest());
        assert_eq!(Store::default().digest(), OFFSET);
    }

    #[test]
    fn digests_tell_contents_apart() {
        let contents = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")];
        let digests = contents.map(|(key, value)| store(&[Operation::put(key, value)]).digest());
        let distinct: std::collections::BTreeSet<_> = digests.into_iter().collect();
        assert_eq!(distinct.len(), contents.len());
    }
}
