//! How far those who watch are behind what is said to them.

use std::sync::atomic::{AtomicU64, Ordering};

/// How much was said of a cluster, and how much of it was heard by whoever is last to hear. It is what
/// is told that counts ([`Notice::weight`]), since one report may tell of one event or of a thousand.
///
/// [`Notice::weight`]: crate::observe::notice::Notice::weight
#[derive(Debug, Default)]
pub struct Backlog {
    said: AtomicU64,
    heard: AtomicU64,
    /// How much there may be; 0 where nobody says what was heard.
    patience: AtomicU64,
    /// How often it was too much.
    overflows: AtomicU64,
}

impl Backlog {
    /// From now on somebody says how much was heard, and wants to be so much behind at most.
    pub fn mind(&self, patience: u64) {
        self.patience.store(patience.max(1), Ordering::Relaxed);
    }

    /// How much there may be; `None` where nobody minds.
    pub fn patience(&self) -> Option<u64> {
        Some(self.patience.load(Ordering::Relaxed)).filter(|patience| *patience > 0)
    }

    /// So much is being said.
    pub fn say(&self, weight: u64) {
        self.said.fetch_add(weight, Ordering::Relaxed);
    }

    /// So much has been heard.
    pub fn hear(&self, weight: u64) {
        self.heard.fetch_add(weight, Ordering::Relaxed);
    }

    /// How much has been said and not been heard.
    pub fn len(&self) -> u64 {
        let heard = self.heard.load(Ordering::Relaxed);
        self.said.load(Ordering::Relaxed).saturating_sub(heard)
    }

    /// Whether all has been heard.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// It is too much: whoever else says something is to stop, too.
    pub fn overflow(&self) {
        self.overflows.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was too much so far.
    pub fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }
}
