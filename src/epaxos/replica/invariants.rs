//! What must hold of one replica after every step. Checked by tests, the simulator and the model
//! checker; properties across replicas are the checkers' business.

use crate::epaxos::amount::Amount;
use crate::epaxos::command::{Operation, Payload, StateMachine};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::{Instance, Phase};
use crate::epaxos::replica::{Replica, Stage};

impl<M: StateMachine> Replica<M> {
    /// Panics with a sentence where the replica contradicts itself. Reads the whole log.
    pub fn check_invariants(&self) {
        for (id, instance) in self.durable.instances.iter() {
            self.check_instance(id, instance);
        }
        let validating = self.attempts.iter().filter(|(_, attempt)| attempt.stage.is_validation());
        assert!(validating.map(|(id, _)| id).eq(&self.validating), "a validation goes unnoticed");
        for (id, attempt) in &self.attempts {
            let instance = self.durable.instances.get(*id).expect("a driven instance is recorded");
            let expected = match attempt.stage {
                Stage::PreAccepting(_) => instance.phase == Phase::PreAccepted,
                Stage::Accepting { .. } => instance.phase == Phase::Accepted,
                Stage::Recovering(_) | Stage::Validating(_) | Stage::Waiting(_) => {
                    !instance.phase.is_committed() && !instance.ballot.is_initial()
                }
            };
            assert!(expected, "{id} is driven in another phase than recorded");
            assert_eq!(
                instance.ballot, attempt.ballot,
                "{id} is driven in a ballot that is not joined"
            );
            assert!(self.timers.contains(&attempt.timer), "{id} waits without a timer");
        }
        let watched = self.watches.values().filter(|watch| watch.timer.is_some()).count();
        let expected = self.attempts.len() + watched;
        assert_eq!(self.timers.len(), expected, "every timer belongs to one attempt or watch");
        let let_go = &self.durable.let_go;
        assert!(self.executed_prefixes().covers(let_go), "what is not executed was let go");
        for row in ReplicaId::all(self.options.quorums.replicas()) {
            let first = self.durable.instances.row(row).next();
            let kept = first.is_none_or(|(slot, _)| slot >= let_go.prefix(row));
            assert!(kept, "something is kept of {row} that was let go");
            let instances = self.durable.instances.row(row).map(|(_, instance)| instance);
            let executed = instances.filter(|instance| instance.phase == Phase::Executed);
            let amount: Amount = executed.map(Amount::of).sum();
            assert_eq!(self.kept[row.index()], amount, "what is kept of {row} is miscounted");
        }
        let instances = self.durable.instances.iter().map(|(_, instance)| instance);
        let pending = instances.filter(|instance| instance.phase != Phase::Executed);
        let pending: Vec<_> = pending.map(Instance::bytes).collect();
        let counts = (pending.len() as u64, pending.iter().sum());
        let counted = (self.unexecuted(), self.pending_bytes);
        assert_eq!(counted, counts, "what is not executed is miscounted");
        let own_slots = self.durable.instances.row(self.options.id).next_back();
        let used = own_slots.map_or(0, |(slot, _)| slot + 1);
        assert!(used <= self.durable.next_slot, "slot {used} could be handed out twice");
    }

    fn check_instance(&self, id: InstanceId, instance: &Instance) {
        assert!(instance.accepted_ballot <= instance.ballot, "{id} voted above the joined ballot");
        assert!(!instance.attributes.deps.contains(id), "{id} depends on itself");
        let bytes = instance.payload.as_ref().map_or(0, Payload::bytes);
        assert_eq!(instance.bytes(), bytes, "the bytes of {id} are miscounted");
        if instance.phase == Phase::PreAccepted {
            let initial = instance.initial.as_ref().expect("a pre-accepted proposal is known");
            let mut grown = initial.attributes;
            grown.merge(&instance.attributes);
            assert_eq!(grown, instance.attributes, "{id} lost attributes that its leader proposed");
            assert!(instance.accepted_ballot.is_initial(), "{id} is pre-accepted after a vote");
        }
        if instance.phase.is_committed() {
            let executed = self.execution.is_executed(id);
            assert_eq!(
                instance.phase == Phase::Executed,
                executed,
                "{id} is executed only by halves"
            );
            let blocked = self.execution.blocker(id);
            assert!(executed || blocked.is_some(), "{id} waits for nothing and is not executed");
        }
        // A decided no-op interferes with nothing; any other payload must be found by its keys.
        if instance.payload == Some(Payload::Noop) {
            let undecided = self.undecided_noops.contains(&id);
            assert!(
                instance.phase.is_committed() != undecided,
                "{id} is an undecided no-op or not"
            );
        }
        if let Some(payload @ Payload::Commands(_)) = &instance.payload {
            let found = self.index.interfering(self.keys.known(payload).as_slice(), None);
            let write = payload.operations().any(Operation::is_write);
            assert!(!write || found.deps.contains(id), "{id} is missing from the conflict index");
        }
    }
}
