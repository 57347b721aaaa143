//! Patience under load.
//!
//! Where thousands of instances are under way, answers take longer than the timers of one instance expect,
//! though nothing is lost. Were all of these requests repeated, and all of these instances recovered, there
//! would be more messages than answers, and it would take longer still. So a loaded replica postpones both
//! a few times, as long as it has lately received anything from the replicas concerned: they are up, and
//! what they were asked is on its way. From a replica that is down nothing is received, and all is as ever.

use std::time::Duration;

use crate::epaxos::command::StateMachine;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::replica::{Attempt, Replica, Stage};
use crate::epaxos::time::Time;

impl<M: StateMachine> Replica<M> {
    /// Whether so many instances are undecided here that answers may take long.
    fn is_loaded(&self) -> bool {
        self.attempts.len() + self.watches.len() >= LOADED
    }

    /// Takes note that something was received. Only a loaded replica has a use for it.
    pub(super) fn note_received(&mut self, now: Time, from: ReplicaId) {
        if self.is_loaded() {
            let replicas = self.options.quorums.replicas();
            self.received.resize(replicas, Time::default());
            self.received[from.index()] = now;
        }
    }

    /// Whether the replica is loaded, and has received something from another one in the time before `now`.
    fn is_slow(&self, now: Time, other: ReplicaId, within: Duration) -> bool {
        let received = self.received.get(other.index()).copied().unwrap_or_default();
        self.is_loaded() && received != Time::default() && now.since(received) <= within
    }

    /// Whether a request that has been repeated or postponed `resends` times can be postponed: all those whose
    /// answers are missing are up.
    pub(super) fn postpones_resend(&self, now: Time, id: InstanceId, resends: u32) -> bool {
        if resends > POSTPONED_MAX || !self.is_loaded() {
            return false;
        }
        let within = self.options.timeouts.resend_max;
        match self.attempts.get(&id) {
            Some(Attempt { stage: Stage::PreAccepting(tally), .. }) => {
                tally.silent().iter().all(|peer| self.is_slow(now, peer, within))
            }
            Some(Attempt { stage: Stage::Accepting { .. }, .. }) => {
                self.peers().all(|peer| self.is_slow(now, peer, within))
            }
            _ => false,
        }
    }

    /// Whether the recovery of an instance that was postponed `times` times can be postponed: its leader is up.
    pub(super) fn postpones_recovery(&self, now: Time, id: InstanceId, times: u32) -> bool {
        let within = self.options.timeouts.resend_max;
        times <= POSTPONED_MAX && self.is_slow(now, id.replica, within)
    }
}

/// From how many undecided instances on a replica is loaded.
const LOADED: usize = 1_024;

/// How often a request or a recovery is postponed.
const POSTPONED_MAX: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::attributes::{Attributes, Dependencies};
    use crate::epaxos::command::{Command, Operation, Payload, RequestId};
    use crate::epaxos::id::Ballot;
    use crate::epaxos::message::{Executed, Message, PreAccept};
    use crate::epaxos::replica::{Input, Options, Output};
    use crate::kv::Store;

    const SECOND: Duration = Duration::from_secs(1);

    fn command(number: u64) -> Command {
        let operation = Operation::put(&format!("key-{number}"), "1");
        Command { request: RequestId::named("ann", number), operation }
    }

    fn replica() -> Replica<Store> {
        Replica::new(Options::new(ReplicaId(0), 3), Store::default())
    }

    /// Takes a step, and returns the instances that others are asked about with it.
    fn step(replica: &mut Replica<Store>, now: Time, input: Input) -> Vec<InstanceId> {
        let mut out = Vec::new();
        replica.step(now, input, &mut out);
        let asked = out.into_iter().filter_map(|output| match output {
            Output::Send { message: Message::PreAccept(message), .. } => Some(message.instance),
            Output::Send { message: Message::Recover(message), .. } => Some(message.instance),
            _ => None,
        });
        asked.collect()
    }

    /// Lets the replica receive something that changes nothing.
    fn receive(replica: &mut Replica<Store>, now: Time, from: ReplicaId) {
        let (instance, executed) = (InstanceId::new(from, 0), Dependencies::NONE);
        let message = Message::Executed(Executed { instance, executed });
        step(replica, now, Input::Receive { from, message });
    }

    /// How many requests are repeated when so many are under way, some of the peers being up.
    fn repeated(count: usize, up: &[u8]) -> usize {
        let mut replica = replica();
        for number in 0..count as u64 {
            step(&mut replica, Time(1), Input::Propose(vec![command(number)]));
        }
        for peer in up {
            receive(&mut replica, Time(2), ReplicaId(*peer));
        }
        let due = Time(1) + replica.options.timeouts.resend;
        step(&mut replica, due, Input::Wake).len()
    }

    #[test]
    fn a_loaded_leader_repeats_nothing_while_those_that_it_asked_are_up() {
        assert_eq!(repeated(LOADED, &[1, 2]), 0);
        assert!(repeated(LOADED, &[]) >= LOADED, "nothing was received: they may be down");
        assert!(repeated(LOADED - 1, &[1, 2]) >= LOADED - 1, "few requests are repeated in time");
    }

    /// When a loaded replica recovers the first of so many instances of R1, in seconds, if ever; R1 being up or
    /// not.
    fn recovered(count: usize, up: bool) -> Option<u64> {
        let mut replica = replica();
        let leader = ReplicaId(1);
        for slot in 0..count as u64 {
            let message = Message::PreAccept(PreAccept {
                instance: InstanceId::new(leader, slot),
                ballot: Ballot::initial(leader),
                payload: Payload::one(command(slot)),
                attributes: Attributes::FIRST,
            });
            step(&mut replica, Time(1), Input::Receive { from: leader, message });
        }
        (1..200).find(|second| {
            let now = Time(1) + SECOND * u32::try_from(*second).expect("it is small");
            if up {
                receive(&mut replica, now, leader);
            }
            !step(&mut replica, now, Input::Wake).is_empty()
        })
    }

    #[test]
    fn a_loaded_replica_recovers_what_a_leader_that_is_up_has_not_decided_for_long() {
        let soon = 3..=6;
        assert!(recovered(LOADED, false).is_some_and(|second| soon.contains(&second)));
        assert!(recovered(LOADED - 1, true).is_some_and(|second| soon.contains(&second)));
        // Postponed three times, each time for twice as long, and not for ever.
        assert!(recovered(LOADED, true).is_some_and(|second| (20..100).contains(&second)));
    }
}
