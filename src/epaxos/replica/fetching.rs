//! Catching up: a replica that has missed many decisions of a row has them told by one that knows them,
//! a few hundred at a time. What is lost is asked for again when the next one says how far it is; and
//! recovery goes on beside it, with more patience.

use crate::epaxos::attributes::Dependencies;
use crate::epaxos::command::StateMachine;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Instance;
use crate::epaxos::message::{Fetch, Message};
use crate::epaxos::replica::{Output, Replica};

/// Decisions of one row that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fetching {
    /// Who was asked.
    from: ReplicaId,
    /// The slot after the last that was asked for.
    asked: u64,
    /// The slot after the last that is to be asked for.
    end: u64,
    /// Up to where the row was decided here when it was looked at last.
    mark: u64,
    /// How many bytes of keys and values have come of what was asked for.
    bytes: u64,
}

impl<M: StateMachine> Replica<M> {
    /// Asks a replica for what it knows and this one has missed, row by row, where that is much of all
    /// rows together.
    pub(super) fn fetch_missed(
        &mut self,
        from: ReplicaId,
        known: &Dependencies,
        out: &mut Vec<Output>,
    ) {
        let replicas = self.options.quorums.replicas();
        let decided = Dependencies::from_prefixes(|row| self.execution.committed(row), replicas);
        // All rows together: of large commands, fewer than that of each row are all that others keep.
        if known.beyond(&decided) < MISSED_MIN {
            return;
        }
        for row in ReplicaId::all(replicas) {
            let (decided, end) = (decided.prefix(row), known.prefix(row));
            if end <= decided {
                continue;
            }
            match self.fetching.get_mut(&row) {
                // It is coming.
                Some(fetching) if fetching.mark < decided => fetching.mark = decided,
                _ => self.fetch(row, from, end, out),
            }
        }
    }

    /// Asks for the first part of what is missing of a row before the slot `end`.
    pub(super) fn fetch(
        &mut self,
        row: ReplicaId,
        from: ReplicaId,
        end: u64,
        out: &mut Vec<Output>,
    ) {
        let mark = self.execution.committed(row);
        let asked = end.min(mark.saturating_add(FETCHED_AT_ONCE));
        self.fetching.insert(row, Fetching { from, asked, end, mark, bytes: 0 });
        let fetch = Fetch { instance: InstanceId::new(row, mark), until: asked - 1 };
        out.push(Output::Send { to: from, message: Message::Fetch(fetch) });
    }

    /// Asks for the next part, where a decision completes the last one: all that was asked for has come,
    /// or so many bytes that the sender has stopped there.
    pub(super) fn fetch_on(&mut self, decision: InstanceId, out: &mut Vec<Output>) {
        let row = decision.replica;
        let decided = self.execution.committed(row);
        let Some(fetching) = self.fetching.get_mut(&row) else { return };
        if decision.slot < fetching.asked {
            fetching.bytes += self.durable.instances.get(decision).map_or(0, Instance::bytes);
        }
        if decided < fetching.asked && fetching.bytes <= FETCHED_BYTES_MAX {
            return;
        }
        let (from, end) = (fetching.from, fetching.end);
        let end = end.max(self.heard_of(from, row));
        self.fetching.remove(&row);
        if decided < end {
            self.fetch(row, from, end, out);
        }
    }

    fn heard_of(&self, replica: ReplicaId, row: ReplicaId) -> u64 {
        self.durable.heard[replica.index()].prefix(row)
    }

    /// Asks for what was never heard of and is in the way, where that is much: whoever leads the row
    /// knows it best.
    pub(super) fn fetch_unheard(&mut self, on: InstanceId, end: u64, out: &mut Vec<Output>) {
        let row = on.replica;
        if end >= on.slot.saturating_add(MISSED_MIN) && !self.fetching.contains_key(&row) {
            let from = if row == self.options.id { self.peers().next() } else { Some(row) };
            self.fetch(row, from.expect("there are others"), end, out);
        }
    }

    /// Somebody has missed some decisions: tells those that are known here.
    pub(super) fn on_fetch(&self, from: ReplicaId, message: &Fetch, out: &mut Vec<Output>) {
        let Fetch { instance: InstanceId { replica: row, slot: first }, until } = *message;
        let last = until.min(first.saturating_add(FETCHED_AT_ONCE - 1));
        let mut bytes = 0;
        for (slot, instance) in self.durable.instances.row_from(row, first) {
            if slot > last || bytes > FETCHED_BYTES_MAX {
                break;
            }
            if instance.phase.is_committed() {
                bytes += instance.bytes();
                self.tell_decision(from, InstanceId::new(row, slot), out);
            }
        }
    }
}

/// So many decisions are missing at least where they are asked for: of fewer, most are on their way.
const MISSED_MIN: u64 = 64;

/// How many decisions of a row are asked for at a time.
const FETCHED_AT_ONCE: u64 = 256;

/// How many bytes of keys and values are told at a time, give or take one instance.
const FETCHED_BYTES_MAX: u64 = 1 << 20;
