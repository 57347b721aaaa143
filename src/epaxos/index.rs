//! The conflict index: which instances interfere with an operation, without looking through the
//! log.

use crate::epaxos::attributes::Dependencies;
use crate::epaxos::id::{InstanceId, REPLICAS_MAX, ReplicaId};
use crate::epaxos::keys::{ByKey, KeyId, Touch};

/// For each key, the last instance of each row that reads or writes it. As much work for a long log
/// as for a short one.
///
/// Every instance whose payload is known counts, whatever its phase: one that is executed here may
/// still be unknown elsewhere. A look-up may report more than is left (a higher `seq` than a later
/// decision kept, say), never less. No-ops have no keys and are not found; while one is undecided it
/// would have to count as interfering with everything, but only recovery makes any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConflictIndex {
    /// What a read must follow.
    writes: ByKey<Last>,
    /// What a write must follow besides. Apart: keys that are only written to take no room here, and
    /// what is looked at of them lies closer together.
    reads: ByKey<Last>,
}

/// The last instance of a row that did something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Last {
    /// Its slot plus one, 0 for none.
    prefix: u64,
    /// The largest `seq` of any that did.
    seq: u64,
}

impl Last {
    fn merge(&mut self, other: Last) {
        self.prefix = self.prefix.max(other.prefix);
        self.seq = self.seq.max(other.seq);
    }
}

/// Adds all that is recorded of a key to what was found so far, by row.
///
/// There is no case in it: of many keys none is in the cache, and what is as simple as that is begun for
/// the next ones while this one is waited for.
fn add(found: &mut [Last; REPLICAS_MAX], recorded: &[Last]) {
    for (found, last) in found.iter_mut().zip(recorded) {
        found.merge(*last);
    }
}

/// What interferes with a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interference {
    /// The interfering instances.
    pub deps: Dependencies,
    /// Their largest `seq`, 0 where there are none.
    pub seq: u64,
}

impl ConflictIndex {
    /// An index of a cluster of `replicas`, of which nothing is known.
    pub fn new(replicas: usize) -> Self {
        Self { writes: ByKey::new(replicas), reads: ByKey::new(replicas) }
    }

    /// Notes that `instance` touches these keys with `seq`. May be called again as `seq` changes.
    pub fn record(&mut self, instance: InstanceId, touches: &[Touch], seq: u64) {
        for touch in touches {
            let lasts = if touch.write { &mut self.writes } else { &mut self.reads };
            let last = Last { prefix: instance.slot.saturating_add(1), seq };
            lasts.row_mut(touch.key, instance.replica).merge(last);
        }
    }

    /// Everything recorded that interferes with what touches these keys. The row `skip` is left out.
    pub fn interfering(&self, touches: &[Touch], skip: Option<ReplicaId>) -> Interference {
        let mut found = [Last::default(); REPLICAS_MAX];
        for touch in touches {
            add(&mut found, self.writes.rows(touch.key));
            if touch.write {
                add(&mut found, self.reads.rows(touch.key));
            }
        }
        if let Some(skip) = skip {
            found[skip.index()] = Last::default();
        }
        Interference {
            deps: Dependencies::from_prefixes(|row| found[row.index()].prefix, REPLICAS_MAX),
            seq: found.iter().map(|last| last.seq).max().unwrap_or(0),
        }
    }

    /// Forgets a key, where nothing is recorded of it but what lies in `gone`. Says whether it did.
    pub fn forget(&mut self, key: KeyId, gone: &Dependencies) -> bool {
        let is_gone =
            |(row, last): (usize, &Last)| last.prefix <= gone.prefix(ReplicaId::from_index(row));
        let both = [&mut self.writes, &mut self.reads];
        let are_gone = both.iter().all(|lasts| lasts.rows(key).iter().enumerate().all(is_gone));
        if are_gone {
            for lasts in both {
                lasts.forget(key);
            }
        }
        are_gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::command::{Command, Operation, Payload, RequestId};
    use crate::epaxos::keys::Keys;
    use proptest::prelude::*;

    /// The same question, answered by reading the whole log.
    fn by_scan(
        log: &[(InstanceId, Payload, u64)],
        payload: &Payload,
        skip: Option<ReplicaId>,
    ) -> Interference {
        let interfering = log.iter().filter(|(instance, other, _)| {
            Some(instance.replica) != skip && payload.interferes_with(other)
        });
        Interference {
            deps: interfering.clone().map(|(instance, ..)| *instance).collect(),
            seq: interfering.map(|(.., seq)| *seq).max().unwrap_or(0),
        }
    }

    fn payload() -> impl Strategy<Value = Payload> {
        let operation = (0..3u8, 0..3u8).prop_map(|(key, kind)| {
            let key = ["x", "y", "z"][usize::from(key)];
            match kind {
                0 => Operation::put(key, "1"),
                1 => Operation::get(key),
                _ => Operation::delete(key),
            }
        });
        proptest::collection::vec(operation, 0..4).prop_map(|operations| {
            let request = RequestId::named("test", 0);
            let commands = operations
                .into_iter()
                .map(|operation| Command { request: request.clone(), operation });
            match commands.collect::<Vec<_>>() {
                commands if commands.is_empty() => Payload::Noop,
                commands => Payload::Commands(commands.into()),
            }
        })
    }

    #[test]
    fn a_key_is_forgotten_once_all_that_touches_it_is_gone() {
        let mut keys = Keys::default();
        let request = RequestId::named("test", 0);
        let command = |operation| Payload::one(Command { request: request.clone(), operation });
        let (put, get) = (command(Operation::put("x", "1")), command(Operation::get("x")));
        let mut index = ConflictIndex::new(3);
        let (write, read) = (InstanceId::new(ReplicaId(0), 4), InstanceId::new(ReplicaId(2), 1));
        index.record(write, keys.touches(&put).as_slice(), 1);
        index.record(read, keys.touches(&get).as_slice(), 2);
        let touches = keys.touches(&put);
        let key = touches.as_slice()[0].key;
        // A read counts: a write has to come after it.
        assert!(!index.forget(key, &[write].into_iter().collect()));
        assert_eq!(index.interfering(touches.as_slice(), None).deps.iter().count(), 2);
        assert!(index.forget(key, &[write, read].into_iter().collect()));
        assert_eq!(index.interfering(touches.as_slice(), None), Interference::default());
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan_of_the_log(
            log in proptest::collection::vec((0u8..5, payload(), 1u64..9), 0..20),
            asked in payload(),
            skip in proptest::option::of((0u8..5).prop_map(ReplicaId)),
        ) {
            let mut next = [0; 5];
            let (mut keys, mut index) = (Keys::default(), ConflictIndex::new(5));
            let log: Vec<_> = log.into_iter().map(|(row, payload, seq)| {
                let slot = &mut next[usize::from(row)];
                *slot += 1;
                (InstanceId::new(ReplicaId(row), *slot - 1), payload, seq)
            }).collect();
            for (instance, payload, seq) in &log {
                index.record(*instance, keys.touches(payload).as_slice(), *seq);
            }
            let found = index.interfering(keys.touches(&asked).as_slice(), skip);
            prop_assert_eq!(found, by_scan(&log, &asked, skip));
        }
    }
}
