//! What a load asks for: operations drawn from a seed, so that two runs ask for the same.

use fastrand::Rng;

use crate::epaxos::command::{Key, Operation, Value};

/// What kinds of operations are asked for, of which keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// The size of a value that is put, in bytes.
    pub value_size: usize,
    /// How many keys there are besides the one that all clients share.
    pub keys: usize,
    /// How many operations in a hundred go to the key that all clients share.
    pub conflict: f64,
    /// How unevenly keys are chosen: the k-th has a share of 1/k to this power. At 0 every client has
    /// keys of its own; above it, all clients share all keys.
    pub zipf: f64,
    /// How many operations in a hundred are reads.
    pub reads: f64,
    /// From what the operations are drawn.
    pub seed: u64,
}

impl Default for Workload {
    /// Small writes, and no two clients to one key.
    fn default() -> Self {
        Self { value_size: 16, keys: 100_000, conflict: 0.0, zipf: 0.0, reads: 0.0, seed: 0 }
    }
}

/// The operations of one client, one after another.
#[derive(Clone, Debug)]
pub struct Operations {
    shared: Key,
    keys: Vec<Key>,
    /// The share of all keys up to each, the last being 1; empty where all have the same.
    shares: Vec<f64>,
    value: Value,
    conflict: f64,
    reads: f64,
    rng: Rng,
}

impl Workload {
    /// The operations of client number `client` among `clients`.
    pub fn operations(&self, client: usize, clients: usize) -> Operations {
        let skewed = self.zipf > 0.0;
        let all = 0..self.keys.max(1);
        let own = |key: &usize| skewed || self.keys < clients || key % clients == client;
        let keys: Vec<Key> =
            all.filter(own).map(|key| format!("key-{key:08}").as_str().into()).collect();
        let mut shares = Vec::new();
        if skewed {
            let mut sum = 0.0;
            for rank in 0..keys.len() {
                #[expect(clippy::cast_precision_loss, reason = "there are not that many keys")]
                let rank = (rank + 1) as f64;
                sum += rank.powf(-self.zipf);
                shares.push(sum);
            }
            for share in &mut shares {
                *share /= sum;
            }
        }
        Operations {
            shared: "key-of-all".into(),
            keys,
            shares,
            value: vec![b'v'; self.value_size].into(),
            conflict: self.conflict / 100.0,
            reads: self.reads / 100.0,
            rng: Rng::with_seed(self.seed ^ (client as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        }
    }
}

impl Operations {
    /// The next one.
    pub fn draw(&mut self) -> Operation {
        let key = if self.conflict > 0.0 && self.rng.f64() < self.conflict {
            self.shared.clone()
        } else {
            let chosen = self.choose();
            self.keys[chosen].clone()
        };
        if self.reads > 0.0 && self.rng.f64() < self.reads {
            Operation::Get(key)
        } else {
            Operation::Put(key, self.value.clone())
        }
    }

    fn choose(&mut self) -> usize {
        if self.shares.is_empty() {
            return self.rng.usize(..self.keys.len());
        }
        let drawn = self.rng.f64();
        self.shares.partition_point(|share| *share < drawn).min(self.keys.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn keys(workload: &Workload, client: usize, count: usize) -> Vec<Key> {
        let mut operations = workload.operations(client, 3);
        (0..count).map(|_| operations.draw().key().clone()).collect()
    }

    #[test]
    fn without_conflict_no_two_clients_meet() {
        let workload = Workload { keys: 100, ..Workload::default() };
        let sets: Vec<BTreeSet<_>> =
            (0..3).map(|client| keys(&workload, client, 1000).into_iter().collect()).collect();
        assert!(sets.iter().all(|set| set.len() > 30));
        assert!(sets[0].is_disjoint(&sets[1]) && sets[1].is_disjoint(&sets[2]));
    }

    #[test]
    fn conflict_and_reads_are_shares_of_a_hundred() {
        let workload = Workload { conflict: 25.0, reads: 10.0, ..Workload::default() };
        let mut operations = workload.operations(0, 3);
        let drawn: Vec<_> = (0..10_000).map(|_| operations.draw()).collect();
        let shared = drawn.iter().filter(|it| &**it.key() == "key-of-all").count();
        let reads = drawn.iter().filter(|it| !it.is_write()).count();
        assert!((2_300..2_700).contains(&shared), "{shared}");
        assert!((850..1_150).contains(&reads), "{reads}");
        let all = Workload { conflict: 100.0, ..workload };
        assert!(keys(&all, 1, 100).iter().all(|key| &**key == "key-of-all"));
    }

    #[test]
    fn the_first_key_of_a_skewed_choice_has_its_share() {
        let workload = Workload { keys: 100, zipf: 1.0, ..Workload::default() };
        let first =
            keys(&workload, 0, 10_000).iter().filter(|key| &***key == "key-00000000").count();
        // 1 / (1 + 1/2 + … + 1/100) = 0.193
        assert!((1_750..2_100).contains(&first), "{first}");
    }

    #[test]
    fn the_same_seed_asks_for_the_same() {
        let workload = Workload { reads: 50.0, conflict: 10.0, ..Workload::default() };
        assert_eq!(keys(&workload, 2, 100), keys(&workload, 2, 100));
        assert_ne!(keys(&workload, 2, 100), keys(&Workload { seed: 1, ..workload }, 2, 100));
    }
}
