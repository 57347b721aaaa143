//! What came of a run so far, as one number for each replica.

use std::fmt::{self, Write};

use crate::epaxos::fnv::{OFFSET, fnv};
use crate::epaxos::id::REPLICAS_MAX;
use crate::observe::notice::Step;

/// The digests of a run: for each replica one number that stands for everything it has been reached by
/// and has answered, in order. Two runs with equal digests at every entry are the same run, but for
/// bad luck. A function of what is printed of steps and of nothing else, so that a file can keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    of: [u64; REPLICAS_MAX],
}

impl Default for Digests {
    fn default() -> Self {
        Self { of: [OFFSET; REPLICAS_MAX] }
    }
}

impl Digests {
    /// Takes note of a step, and says the digest of its replica after it.
    pub fn note(&mut self, step: &Step) -> u64 {
        let digest = &mut self.of[step.replica.index()];
        let mut hash = Fnv(*digest);
        // A hash never fails to be written to.
        write!(hash, "{:?} {:?} {:?} {:?}", step.now, step.decision, step.effects, step.timer).ok();
        *digest = hash.0;
        hash.0
    }
}

/// The FNV-1a hash of what is written to it.
struct Fnv(u64);

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = fnv(self.0, text.as_bytes());
        Ok(())
    }
}
