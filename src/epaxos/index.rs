//! The conflict index: which instances interfere with an operation, without looking through the
//! log.

use crate::epaxos::attributes::Dependencies;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::keys::{KeyId, Touch};

/// For each key, the last instance of each row that reads or writes it. As much work for a long log
/// as for a short one.
///
/// Every instance whose payload is known counts, whatever its phase: one that is executed here may
/// still be unknown elsewhere. A look-up may report more than is left (a higher `seq` than a later
/// decision kept, say), never less. No-ops have no keys and are not found; while one is undecided it
/// would have to count as interfering with everything, but only recovery makes any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConflictIndex {
    replicas: usize,
    /// By key, and for each by row: in one table, since one key's rows are asked for together.
    touched: Vec<Touched>,
}

/// Who of one row touched a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Touched {
    /// By any operation: what a write must follow.
    all: Last,
    /// By writes: what a read must follow.
    writes: Last,
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
    fn record(&mut self, slot: u64, seq: u64) {
        self.prefix = self.prefix.max(slot.saturating_add(1));
        self.seq = self.seq.max(seq);
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
        Self { replicas, touched: Vec::new() }
    }

    /// Notes that `instance` touches these keys with `seq`. May be called again as `seq` changes.
    pub fn record(&mut self, instance: InstanceId, touches: &[Touch], seq: u64) {
        for touch in touches {
            let place = touch.key.index() * self.replicas + instance.replica.index();
            if place >= self.touched.len() {
                let keys = touch.key.index() + 1;
                self.touched.resize_with(keys * self.replicas, Touched::default);
            }
            let Touched { all, writes } = &mut self.touched[place];
            all.record(instance.slot, seq);
            if touch.write {
                writes.record(instance.slot, seq);
            }
        }
    }

    /// Everything recorded that interferes with what touches these keys. The row `skip` is left out.
    pub fn interfering(&self, touches: &[Touch], skip: Option<ReplicaId>) -> Interference {
        let mut found = Interference::default();
        for touch in touches {
            for (row, Touched { all, writes }) in self.rows(touch.key).iter().enumerate() {
                let row = ReplicaId::from_index(row);
                let Last { prefix, seq } = if touch.write { *all } else { *writes };
                if prefix > 0 && Some(row) != skip {
                    found.deps.add(InstanceId::new(row, prefix - 1));
                    found.seq = found.seq.max(seq);
                }
            }
        }
        found
    }

    /// Forgets a key, where nothing is recorded of it but what lies in `gone`. Says whether it did.
    pub fn forget(&mut self, key: KeyId, gone: &Dependencies) -> bool {
        let start = key.index() * self.replicas;
        let Some(rows) = self.touched.get_mut(start..start + self.replicas) else { return true };
        let rows_gone = rows
            .iter()
            .enumerate()
            .all(|(row, touched)| touched.all.prefix <= gone.prefix(ReplicaId::from_index(row)));
        if rows_gone {
            rows.fill(Touched::default());
        }
        rows_gone
    }

    /// Who touched a key, by row; nobody where nothing is recorded of it.
    fn rows(&self, key: KeyId) -> &[Touched] {
        let start = key.index() * self.replicas;
        self.touched.get(start..start + self.replicas).unwrap_or_default()
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
