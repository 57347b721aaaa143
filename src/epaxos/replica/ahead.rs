//! How far beyond a replica's own log a message may reach, and how much room the undecided part of the
//! log may take.
//!
//! The conflict index and the execution trust what a message names: one PreAccept for slot 2^60 would
//! make every later command on its key wait for all the slots before. So a message that reaches further
//! than an honest peer can is ignored, like a lost one. A replica that was down for long may meet an
//! honest one: it asks the sender for what lies in between, and takes the next one in.

use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::StateMachine;
use crate::epaxos::event::Reason;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::message::{Message, ValidateReply};
use crate::epaxos::replica::{Output, Replica};
use crate::epaxos::time::Time;

/// How many slots beyond the committed part of a row a message may name. Twice what is kept for a
/// replica that is down ([`KEEP_MOST`](crate::epaxos::replica::KEEP_MOST)): one that lacks more has been
/// left behind.
pub const AHEAD_MAX: u64 = 1 << 20;

/// How many bytes the instances that are not executed may take. A replica that is at this limit leads
/// no new commands, and takes in only what is next in its row.
pub const BACKLOG_BYTES_MAX: u64 = 256 << 20;

/// The same for a replica that was left behind: enough to catch up where it still can.
pub const LAGGING_BYTES_MAX: u64 = 4 << 20;

/// What an instance takes beside its keys and values, about, in bytes: itself, its keys' numbers, its
/// timer and its place in the graph of execution.
const INSTANCE_BYTES: u64 = 768;

/// How many slots beyond the committed part of a row a replica at its limit takes in. The next slot must
/// be among them, or the replica could not go on.
const NEAR: u64 = 64;

impl<M: StateMachine> Replica<M> {
    /// What the instances that are not executed take, about, in bytes.
    pub fn backlog_bytes(&self) -> u64 {
        let instances = self.unexecuted() + self.waiting.len() as u64;
        self.pending_bytes + instances * INSTANCE_BYTES
    }

    /// How many instances of the log are not executed.
    pub(super) fn unexecuted(&self) -> u64 {
        let kept = self.executed - self.durable.let_go.beyond(&Dependencies::NONE);
        self.durable.instances.len() as u64 - kept
    }

    /// Whether the replica has room for clients' commands.
    pub fn has_room(&self) -> bool {
        self.backlog_bytes() < BACKLOG_BYTES_MAX
    }

    /// Why a message is not taken in: it reaches too far, or there is no room for it.
    pub(super) fn refusal(&self, message: &Message) -> Option<Reason> {
        if self.reaches_too_far(message) {
            return Some(Reason::TooFarAhead);
        }
        let records = matches!(
            message,
            Message::PreAccept(_)
                | Message::Accept(_)
                | Message::Commit(_)
                | Message::Recover(_)
                | Message::Validate(_)
                | Message::Waiting(_)
        );
        if !records || self.takes_in(message) {
            return None;
        }
        let lagging = self.missing.is_some();
        Some(if lagging { Reason::Lagging } else { Reason::NoRoom })
    }

    /// For each row, how many slots a message may name: of its own, as many as the replica has led.
    fn reach(&self) -> Dependencies {
        let slots = |row: ReplicaId| {
            if row == self.options.id {
                self.durable.next_slot
            } else {
                self.execution.committed(row).saturating_add(AHEAD_MAX)
            }
        };
        Dependencies::from_prefixes(slots, self.options.quorums.replicas())
    }

    fn reaches_too_far(&self, message: &Message) -> bool {
        let reach = self.reach();
        // A `seq` exceeds that of another instance by one, so there are no more of them than slots.
        let seq = reach.beyond(&Dependencies::NONE);
        let far = |attributes: &Attributes| attributes.seq > seq || !reach.covers(&attributes.deps);
        let is_far = |instance: InstanceId| !reach.contains(instance);
        match message {
            Message::PreAccept(it) => is_far(it.instance) || far(&it.attributes),
            Message::PreAcceptReply(it) => far(&it.attributes),
            Message::Accept(it) => is_far(it.instance) || far(&it.attributes),
            Message::Commit(it) => is_far(it.instance) || far(&it.attributes),
            Message::Recover(it) => is_far(it.instance),
            Message::RecoverReply(it) => {
                let initial = it.initial.as_ref();
                far(&it.attributes) || initial.is_some_and(|initial| far(&initial.attributes))
            }
            Message::Validate(it) => is_far(it.instance) || far(&it.proposal.attributes),
            Message::ValidateReply(ValidateReply { conflicts, .. }) => {
                conflicts.iter().any(|conflict| is_far(conflict.instance))
            }
            Message::Waiting(it) => is_far(it.instance),
            Message::Executed(it) => !reach.covers(&it.executed),
            // Of other rows, this is how a replica that was down for very long learns that it was.
            Message::Gone(it) => it.let_go.prefix(self.options.id) > self.durable.next_slot,
            // These change only what the replica drives itself, or nothing.
            Message::AcceptReply(_) | Message::Nack(_) | Message::Fetch(_) => false,
        }
    }

    /// Whether there is room for what a message would have the replica record.
    fn takes_in(&self, message: &Message) -> bool {
        let id = message.instance();
        let known = self.durable.instances.get(id);
        if known.is_some_and(|instance| instance.payload.is_some()) {
            return true;
        }
        // What is left behind executes nothing further on, however much of a row it has committed.
        let (next, most) = if self.missing.is_some() {
            (self.execution.executed(id.replica), LAGGING_BYTES_MAX)
        } else {
            (self.execution.committed(id.replica), BACKLOG_BYTES_MAX)
        };
        id.slot < next.saturating_add(NEAR) || self.backlog_bytes() < most
    }

    /// Asks for what lies between the log and a message that reached too far, and sees to it that the
    /// first slot in between is decided some time: nothing beyond it is taken in before.
    pub(super) fn catch_up_to(
        &mut self,
        now: Time,
        from: ReplicaId,
        message: &Message,
        out: &mut Vec<Output>,
    ) {
        if self.missing.is_some() {
            return;
        }
        if let Message::Executed(it) = message {
            let executed = it.executed;
            return self.fetch_missed(from, &executed, out);
        }
        let InstanceId { replica: row, slot } = message.instance();
        let next = InstanceId::new(row, self.execution.committed(row));
        if row == self.options.id || slot <= next.slot {
            return;
        }
        if !self.fetching.contains_key(&row) {
            self.fetch(row, from, slot, out);
        }
        // Its leader drives it to a decision; where another one speaks of the row, that may be gone.
        if from != row {
            self.watch(now, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::command::{Command, Operation, Payload, RequestId, Value};
    use crate::epaxos::event::Event;
    use crate::epaxos::id::Ballot;
    use crate::epaxos::instance::{Path, Proposal};
    use crate::epaxos::message::{
        Accept, Commit, Executed, Fetch, Gone, PreAccept, Recover, Validate, Waiting,
    };
    use crate::epaxos::replica::{Input, Options};
    use crate::kv::Store;

    const LEADER: ReplicaId = ReplicaId(1);

    /// R0 of three, which knows nothing.
    fn replica() -> Replica<Store> {
        Replica::new(Options::new(ReplicaId(0), 3), Store::default())
    }

    fn receive(replica: &mut Replica<Store>, from: ReplicaId, message: Message) -> Vec<Output> {
        let mut out = Vec::new();
        replica.step(Time(0), Input::Receive { from, message }, &mut out);
        out
    }

    /// Why a message was ignored, where it was.
    fn ignored(out: &[Output]) -> Option<Reason> {
        out.iter().find_map(|output| match output {
            Output::Observe(event) => match **event {
                Event::Ignored { reason, .. } => Some(reason),
                _ => None,
            },
            _ => None,
        })
    }

    fn put(number: u64, value: Value) -> Payload {
        let operation = Operation::Put("x".into(), value);
        Payload::one(Command { request: RequestId::named("ann", number), operation })
    }

    fn one() -> Value {
        b"1".as_slice().into()
    }

    fn led(slot: u64) -> InstanceId {
        InstanceId::new(LEADER, slot)
    }

    /// Depends on all before it in its row.
    fn attributes(slot: u64) -> Attributes {
        let before = slot.checked_sub(1).map(led);
        Attributes { seq: slot.min(AHEAD_MAX) + 1, deps: before.into_iter().collect() }
    }

    fn pre_accept(slot: u64, attributes: Attributes) -> Message {
        Message::PreAccept(PreAccept {
            instance: led(slot),
            ballot: Ballot::initial(LEADER),
            payload: put(slot, one()),
            attributes,
        })
    }

    fn commit(slot: u64, value: Value) -> Message {
        Message::Commit(Commit {
            instance: led(slot),
            payload: put(slot, value),
            attributes: attributes(slot),
            path: Path::Fast,
        })
    }

    /// One of each kind that would record something of a slot.
    fn about(slot: u64) -> [Message; 6] {
        let (instance, payload) = (led(slot), put(slot, one()));
        let (ballot, recovery) = (Ballot::initial(LEADER), Ballot { round: 1, replica: LEADER });
        let attributes = Attributes::FIRST;
        let proposal = Proposal { payload: payload.clone(), attributes };
        [
            pre_accept(slot, attributes),
            Message::Accept(Accept { instance, ballot, payload: payload.clone(), attributes }),
            Message::Commit(Commit { instance, payload, attributes, path: Path::Slow }),
            Message::Recover(Recover { instance, ballot: recovery }),
            Message::Validate(Validate { instance, ballot: recovery, proposal }),
            Message::Waiting(Waiting { instance, holders: 1 }),
        ]
    }

    #[test]
    fn messages_for_slots_far_beyond_the_log_are_ignored() {
        let mut replica = replica();
        for slot in [AHEAD_MAX, 1 << 60, u64::MAX - 1, u64::MAX] {
            for message in about(slot) {
                let kind = message.kind();
                let out = receive(&mut replica, LEADER, message);
                assert_eq!(ignored(&out), Some(Reason::TooFarAhead), "{kind} of slot {slot}");
            }
        }
        assert!(replica.durable.instances.is_empty() && replica.waiting.is_empty());
        let touches = replica.keys.known(&put(0, one()));
        let found = replica.index.interfering(touches.as_slice(), None);
        assert_eq!(found.deps, Dependencies::NONE, "no later command waits for such a slot");
        replica.check_invariants();
    }

    #[test]
    fn the_last_slot_within_reach_is_taken_in() {
        let mut replica = replica();
        let message = pre_accept(AHEAD_MAX - 1, Attributes::FIRST);
        assert_eq!(ignored(&receive(&mut replica, LEADER, message)), None);
        assert_eq!(replica.durable.instances.len(), 1);
    }

    #[test]
    fn attributes_that_name_what_cannot_be_are_ignored() {
        let on = |id| Attributes { seq: 1, deps: [id].into_iter().collect() };
        let other = InstanceId::new(ReplicaId(2), AHEAD_MAX);
        let never_led = InstanceId::new(ReplicaId(0), 0);
        let huge = Attributes { seq: Attributes::SEQ_MAX, ..Attributes::FIRST };
        for attributes in [on(other), on(never_led), huge] {
            let mut replica = replica();
            let out = receive(&mut replica, LEADER, pre_accept(0, attributes));
            assert_eq!(ignored(&out), Some(Reason::TooFarAhead), "{attributes}");
            assert!(replica.durable.instances.is_empty());
        }
    }

    #[test]
    fn claims_to_have_executed_what_was_never_led_are_ignored() {
        let mut replica = replica();
        let (instance, own) = (led(0), InstanceId::new(ReplicaId(0), 7));
        let executed = Executed { instance, executed: [own].into_iter().collect() };
        let out = receive(&mut replica, LEADER, Message::Executed(executed));
        assert_eq!(ignored(&out), Some(Reason::TooFarAhead));
        let gone = Gone { instance, let_go: [own].into_iter().collect() };
        let out = receive(&mut replica, LEADER, Message::Gone(gone));
        assert_eq!(ignored(&out), Some(Reason::TooFarAhead));
        assert_eq!(replica.durable.heard, [Dependencies::NONE; 3]);
        assert!(replica.missing.is_none());
    }

    /// The fetches in what a replica sends, by first slot.
    fn fetched(out: &[Output]) -> Vec<u64> {
        let fetches = out.iter().filter_map(|output| match output {
            Output::Send { message: Message::Fetch(Fetch { instance, .. }), .. } => {
                Some(instance.slot)
            }
            _ => None,
        });
        fetches.collect()
    }

    #[test]
    fn a_replica_that_was_down_for_very_long_asks_once_and_goes_on() {
        let mut replica = replica();
        let far = AHEAD_MAX + 100;
        let out = receive(&mut replica, LEADER, pre_accept(far, Attributes::FIRST));
        assert_eq!(fetched(&out), [0]);
        let out = receive(&mut replica, LEADER, pre_accept(far + 1, Attributes::FIRST));
        assert!(fetched(&out).is_empty(), "one request is under way");
        let mut next = Vec::new();
        for slot in 0..256 {
            next.extend(receive(&mut replica, LEADER, commit(slot, one())));
        }
        assert_eq!(fetched(&next), [256]);
        // The row is known that far, so the reach has grown.
        let out = receive(&mut replica, LEADER, pre_accept(far, Attributes::FIRST));
        assert_eq!(ignored(&out), None);
        replica.check_invariants();
    }

    #[test]
    fn what_waits_for_a_missing_decision_takes_bounded_room() {
        let mut replica = replica();
        // One value, which all share: the count is of what each would take by itself.
        let value: Value = vec![b'v'; 1 << 20].into();
        let mut reasons = Vec::new();
        for slot in 1..400 {
            let out = receive(&mut replica, LEADER, commit(slot, value.clone()));
            reasons.extend(ignored(&out));
        }
        assert!(replica.backlog_bytes() <= BACKLOG_BYTES_MAX + (2 << 20));
        assert!(reasons.len() > 100 && reasons.iter().all(|it| *it == Reason::NoRoom));
        assert!(!replica.has_room());
        replica.check_invariants();
        // What comes next in the row is taken in all the same, and makes room.
        let out = receive(&mut replica, LEADER, commit(0, value));
        assert_eq!(ignored(&out), None);
        assert!(replica.has_room() && replica.executed() > 200);
        replica.check_invariants();
    }

    #[test]
    fn a_replica_that_was_left_behind_records_bounded_room() {
        let mut replica = replica();
        let gone = Gone { instance: led(0), let_go: [led(9)].into_iter().collect() };
        receive(&mut replica, LEADER, Message::Gone(gone));
        assert!(replica.missing.is_some());
        let value: Value = vec![b'v'; 1 << 10].into();
        let mut last = None;
        for slot in 10..20_000 {
            last = ignored(&receive(&mut replica, LEADER, commit(slot, value.clone())));
        }
        assert_eq!(last, Some(Reason::Lagging));
        assert!(replica.backlog_bytes() <= LAGGING_BYTES_MAX + (64 << 11));
        let held = replica.durable.instances.len();
        for slot in 20_000..20_100 {
            let out = receive(&mut replica, LEADER, pre_accept(slot, attributes(slot)));
            assert_eq!(ignored(&out), Some(Reason::Lagging));
        }
        assert_eq!(replica.durable.instances.len(), held);
        replica.check_invariants();
        // Where another one still has what it lacks, it catches up.
        for slot in 0..10 {
            receive(&mut replica, ReplicaId(2), commit(slot, one()));
        }
        assert!(replica.missing.is_none());
        replica.check_invariants();
    }
}
