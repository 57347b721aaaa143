//! Rows that can be executed in turn: each instance after all that it depends on.

use smallvec::SmallVec;

use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::execution::graph::{Graph, Vertex, VertexId};
use crate::epaxos::execution::row::{Cell, Pending};
use crate::epaxos::id::{InstanceId, REPLICAS_MAX, ReplicaId};
use crate::epaxos::keys::Touch;

/// The order of execution of `candidates`, which are all that is committed and not executed, where it can
/// be told without a look at any edge: going along all rows at once, each instance comes after all that it
/// depends on, and has a higher `seq` than all that interferes with it and came before.
///
/// All that an instance may have an edge to came before it then. So there are no cycles, and each is a
/// component of its own. And each such edge leads to a lower `seq`: of all that is left, the lowest can
/// always go first, and the order is that of `(seq, replica, slot)`.
///
/// So it is with what few clients ask for at once, however much of it there is: as with the whole log of
/// a replica that comes back.
pub fn order(graph: &Graph, candidates: &[VertexId]) -> Option<Vec<InstanceId>> {
    let rows = ReplicaId::all(graph.replicas());
    let keys = candidates.iter().map(|vertex| graph.vertex(*vertex).touches.as_slice().len());
    let mut highest = Highest { seqs: Vec::new(), most: KEYS_MOST * keys.sum::<usize>() };
    let mut places = Vec::with_capacity(candidates.len());
    let mut taken: SmallVec<[u64; REPLICAS_MAX]> =
        rows.clone().map(|row| graph.executed(row)).collect();
    while places.len() < candidates.len() {
        let before = places.len();
        for row in rows.clone() {
            while let Some(cell) = graph.cell(InstanceId::new(row, taken[row.index()])) {
                if let Cell::Pending(Pending { vertex, .. }) = cell {
                    let Vertex { instance, attributes, touches } = graph.vertex(vertex);
                    if !are_taken(&attributes.deps, &taken) {
                        break;
                    }
                    let mut touches = touches.as_slice().iter();
                    let rises = touches.all(|touch| highest.rises(*touch, attributes.seq));
                    if !rises || attributes.seq > Attributes::SEQ_MAX {
                        return None;
                    }
                    places.push(Place::new(attributes.seq, *instance));
                }
                taken[row.index()] += 1;
            }
        }
        if places.len() == before {
            return None;
        }
    }
    places.sort_unstable();
    Some(places.into_iter().map(Place::instance).collect())
}

/// Whether all that is depended on lies among the first slots of each row that are taken.
fn are_taken(deps: &Dependencies, taken: &[u64]) -> bool {
    let mut rows = taken.iter().enumerate();
    rows.all(|(row, taken)| deps.prefix(ReplicaId::from_index(row)) <= *taken)
}

/// The highest `seq` of what touches each key, so far.
struct Highest {
    /// By key.
    seqs: Vec<Seqs>,
    /// So large may it become.
    most: usize,
}

#[derive(Clone, Copy, Default)]
struct Seqs {
    /// Of writes.
    write: u64,
    /// Of reads and writes.
    any: u64,
}

impl Highest {
    /// Adds one that touches a key. Whether its `seq` is higher than those of all that interfere with it;
    /// not, too, where the key has so high a number that a table is not worth it.
    fn rises(&mut self, touch: Touch, seq: u64) -> bool {
        let key = touch.key.index();
        if key >= self.seqs.len() {
            if key >= self.most {
                return false;
            }
            self.seqs.resize(key + 1, Seqs::default());
        }
        let Seqs { write, any } = &mut self.seqs[key];
        let interfering = if touch.write { *any } else { *write };
        *any = seq.max(*any);
        if touch.write {
            *write = seq.max(*write);
        }
        seq > interfering
    }
}

/// By what instances are ordered, as one number: `seq`, replica, slot. There may be very many to sort.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u128);

impl Place {
    /// The place of an instance whose `seq` is at most [`Attributes::SEQ_MAX`].
    fn new(seq: u64, instance: InstanceId) -> Self {
        let high = seq << u8::BITS | u64::from(instance.replica.0);
        Self(u128::from(high) << u64::BITS | u128::from(instance.slot))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the rest is what else is in the number")]
    fn instance(self) -> InstanceId {
        InstanceId::new(ReplicaId((self.0 >> u64::BITS) as u8), self.0 as u64)
    }
}

/// How many keys a table of keys may have for each touch of one.
const KEYS_MOST: usize = 8;
