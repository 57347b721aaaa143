//! What is derived from the stores: their keys, and a few digits for each, which differ where the
//! stores do. Reading a large store takes longer than a frame may, so that is done at times only.

use std::time::Duration;

use crate::epaxos::command::Key;
use crate::epaxos::id::ReplicaId;
use crate::observe::facets::Facets;
use crate::observe::query::Query;
use crate::observe::view::View;

/// The keys and the digests. Made again when something was executed.
#[derive(Clone, Debug, Default)]
pub struct Digests {
    keys: Vec<Key>,
    /// Those of them that meet the query.
    listed: Vec<Key>,
    query: Query,
    /// How many instances had been executed when the keys were read.
    keys_at: u64,
    /// Of how many executed instances each digest tells, and the digest.
    known: Vec<(u64, u64)>,
    /// When large stores were read last.
    read: Option<Duration>,
}

impl Digests {
    /// The stores are others.
    pub fn look_again(&mut self) {
        self.keys_at = u64::MAX;
        self.known.clear();
    }

    /// Takes note of what was executed in small stores.
    pub fn settle(&mut self, view: &View) {
        self.refresh(view, KEYS_MAX);
        if view.replicas.iter().all(|replica| replica.store.len() <= KEYS_MAX) {
            self.read_keys(view);
        }
    }

    /// Takes note of what was executed in any store; says whether anything has changed.
    pub fn tick(&mut self, view: &View, now: Duration) -> bool {
        if self.read.is_some_and(|read| now.saturating_sub(read) < READ_EVERY) {
            return false;
        }
        self.read = Some(now);
        self.read_keys(view);
        self.refresh(view, usize::MAX)
    }

    fn read_keys(&mut self, view: &View) {
        let executed = view.replicas.iter().map(|replica| replica.counters.executed).sum();
        if self.keys_at == executed {
            return;
        }
        self.keys_at = executed;
        self.keys.clear();
        for replica in &view.replicas {
            self.keys.extend(replica.store.iter().map(|(key, _)| key.clone()));
        }
        self.keys.sort_unstable();
        self.keys.dedup();
        self.narrow();
    }

    /// Lists the keys that meet `query` from now on.
    pub fn set_query(&mut self, query: Query) {
        self.query = query;
        self.narrow();
    }

    fn narrow(&mut self) {
        let meets = |key: &&Key| self.query.matches(&Facets::default(), || key.to_string());
        self.listed = self.keys.iter().filter(meets).cloned().collect();
    }

    /// Every key that any store has and that meets the query, in order.
    pub fn listed(&self) -> &[Key] {
        &self.listed
    }

    fn refresh(&mut self, view: &View, keys_max: usize) -> bool {
        self.known.resize(view.replicas.len(), (0, EMPTY));
        let mut changed = false;
        for (known, replica) in self.known.iter_mut().zip(&view.replicas) {
            let executed = replica.counters.executed;
            if known.0 != executed && replica.store.len() <= keys_max {
                let digest = replica.store.digest();
                changed |= known.1 != digest;
                *known = (executed, digest);
            }
        }
        changed
    }

    /// A replica's digest; none of an empty store.
    pub fn of(&self, replica: ReplicaId) -> Option<String> {
        let (_, digest) = self.known.get(replica.index())?;
        (*digest != EMPTY).then(|| format!("{:05x}", digest & 0x000f_ffff))
    }

    /// Whether all stores are the same.
    pub fn alike(&self) -> bool {
        self.known.windows(2).all(|pair| pair[0].1 == pair[1].1)
    }
}

/// Stands for a store in which nothing has happened.
const EMPTY: u64 = 0;

/// The largest store that is read whenever something was executed.
const KEYS_MAX: usize = 1_000;

/// How often larger ones are read.
const READ_EVERY: Duration = Duration::from_secs(1);
