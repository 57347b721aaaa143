//! Coming back after a crash, with what was durable and nothing else.

use crate::epaxos::amount::Amount;
use crate::epaxos::attributes::Dependencies;
use crate::epaxos::command::StateMachine;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::epaxos::quorum::{PreAcceptTally, ReplicaSet};
use crate::epaxos::replica::mutated::forget;
use crate::epaxos::replica::{Durable, Kept, Options, Output, Replica, Stage};
use crate::epaxos::time::Time;

impl<M: StateMachine> Replica<M> {
    /// What is left of the replica when it crashes. The store is left only where something was let go
    /// that it cannot be made of again.
    pub fn crash(self) -> (Durable, Option<Kept<M>>) {
        let Self { durable, machine, mut requests, executed, .. } = self;
        requests.close_all();
        let kept = Kept { machine, requests, executed };
        let kept = (durable.let_go != Dependencies::NONE).then_some(kept);
        (durable, kept)
    }

    /// A replica that had stored `durable` when it crashed, with an empty `machine`, unless it has
    /// kept its own.
    ///
    /// Votes and promises are as they were. What follows from the log is made again: the conflict
    /// index, and the store, by executing anew what is committed: all of it, or, where the store was
    /// kept, what had not been executed. What only memory held is gone: the
    /// counts of replies, which are taken up again for the instances that this replica still leads in
    /// its own first ballot, and the clients, whose requests are answered by nobody here.
    pub fn restart(
        options: Options,
        (durable, kept): (Durable, Option<Kept<M>>),
        machine: M,
        now: Time,
        out: &mut Vec<Output>,
    ) -> Self {
        let mut replica = Self { durable, ..Self::new(options, machine) };
        let has_kept = kept.is_some();
        if let Some(Kept { machine, requests, executed }) = kept {
            replica = Self { machine, requests, executed, ..replica };
        }
        for row in ReplicaId::all(replica.options.quorums.replicas()) {
            replica.execution.begin_at(row, replica.durable.let_go.prefix(row));
        }
        let ids: Vec<_> = replica.durable.instances.iter().map(|(id, _)| id).collect();
        for id in &ids {
            replica.take_in(*id, has_kept);
        }
        replica.execute(now, out);
        for id in replica.undecided().collect::<Vec<_>>() {
            replica.take_up(now, id);
        }
        replica
    }

    /// Enters an instance of the log in all that is derived from it.
    fn take_in(&mut self, id: InstanceId, has_kept: bool) {
        let instance = self.durable.instances.get_mut(id).expect("it was just listed");
        forget(&self.options, id, instance);
        let Some(payload) = &instance.payload else { return };
        let touches = self.keys.touches(payload);
        self.index.record(id, touches.as_slice(), instance.attributes.seq);
        if instance.phase == Phase::Executed && has_kept {
            self.kept[id.replica.index()] += Amount::of(instance);
            return self.execution.restore(id);
        }
        self.pending_bytes += instance.bytes();
        if instance.phase.is_committed() {
            // Executed or not when the replica crashed, it is not now: the store is empty.
            instance.phase = Phase::Committed;
            self.execution.commit(id, instance.attributes, touches);
            return;
        }
        if payload.commands().is_empty() {
            self.undecided_noops.insert(id);
        }
        self.touches.insert(id, touches);
    }

    /// Goes on with an undecided instance: as its leader, or by watching it.
    pub(super) fn take_up(&mut self, now: Time, id: InstanceId) {
        let instance = self.durable.instances.get(id).expect("it was just listed");
        let (leader, ballot) = (self.options.id, instance.ballot);
        let stage = match instance.phase {
            Phase::Committed | Phase::Executed => return,
            _ if id.replica != leader || !ballot.is_initial() => return self.watch(now, id),
            // The replies that came before the crash come again: an acceptor repeats its answer.
            Phase::PreAccepted => {
                Stage::PreAccepting(PreAcceptTally::new(leader, instance.attributes))
            }
            Phase::Accepted => Stage::Accepting { voters: ReplicaSet::from_iter([leader]) },
            Phase::Initial => unreachable!("a leader records its instance before anything else"),
        };
        self.begin_attempt(now, id, ballot, stage);
    }
}
