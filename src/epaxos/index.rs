//! The conflict index: which instances interfere with an operation, without looking through the
//! log.

use crate::epaxos::attributes::Dependencies;
use crate::epaxos::command::{Operation, Payload};
use crate::epaxos::id::{InstanceId, REPLICAS_MAX, ReplicaId};
use crate::epaxos::keys::KeyMap;

/// For each key, the last instance of each row that reads or writes it. One hash look-up per
/// operation, however long the log.
///
/// Every instance whose payload is known counts, whatever its phase: one that is executed here may
/// still be unknown elsewhere. A look-up may report more than is left (a higher `seq` than a later
/// decision kept, say), never less. No-ops have no keys and are not found; while one is undecided it
/// would have to count as interfering with everything, but only recovery makes any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConflictIndex {
    keys: KeyMap<Footprint>,
}

/// Who touched a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Footprint {
    /// By writes: what a read must follow.
    writes: Touched,
    /// By any operation: what a write must follow.
    all: Touched,
}

/// The last slot and the largest `seq` of each row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Touched {
    deps: Dependencies,
    seq: [u64; REPLICAS_MAX],
}

impl Touched {
    fn record(&mut self, instance: InstanceId, seq: u64) {
        let largest = &mut self.seq[instance.replica.index()];
        *largest = (*largest).max(seq);
        self.deps.add(instance);
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
    /// Notes that `instance` carries `payload` with `seq`. May be called again as `seq` changes.
    pub fn record(&mut self, instance: InstanceId, payload: &Payload, seq: u64) {
        for operation in payload.operations() {
            let footprint = self.keys.get_or_insert_with(operation.key(), |_| Footprint::default());
            footprint.all.record(instance, seq);
            if operation.is_write() {
                footprint.writes.record(instance, seq);
            }
        }
    }

    /// Everything recorded that interferes with `payload`, over all keys of its batch. Rows for
    /// which `skip` says so are left out.
    pub fn interfering(&self, payload: &Payload, skip: Option<ReplicaId>) -> Interference {
        let mut found = Interference::default();
        for operation in payload.operations() {
            if let Some(touched) = self.touched(operation) {
                let rows = ReplicaId::all(REPLICAS_MAX).filter(|row| Some(*row) != skip);
                for row in rows {
                    if let Some(slot) = touched.deps.last(row) {
                        found.deps.add(InstanceId::new(row, slot));
                        found.seq = found.seq.max(touched.seq[row.index()]);
                    }
                }
            }
        }
        found
    }

    fn touched(&self, operation: &Operation) -> Option<&Touched> {
        let footprint = self.keys.get(operation.key())?;
        Some(if operation.is_write() { &footprint.all } else { &footprint.writes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::command::{Command, RequestId};
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

    proptest! {
        #[test]
        fn agrees_with_a_scan_of_the_log(
            log in proptest::collection::vec((0u8..5, payload(), 1u64..9), 0..20),
            asked in payload(),
            skip in proptest::option::of((0u8..5).prop_map(ReplicaId)),
        ) {
            let mut next = [0; 5];
            let mut index = ConflictIndex::default();
            let log: Vec<_> = log.into_iter().map(|(row, payload, seq)| {
                let slot = &mut next[usize::from(row)];
                *slot += 1;
                (InstanceId::new(ReplicaId(row), *slot - 1), payload, seq)
            }).collect();
            for (instance, payload, seq) in &log {
                index.record(*instance, payload, *seq);
            }
            prop_assert_eq!(index.interfering(&asked, skip), by_scan(&log, &asked, skip));
        }
    }
}
