//! Those who are so far behind that nobody keeps for them what they have missed.
//!
//! Keeping everything for a replica that may be dead would take more and more memory. So where one is
//! too far behind, the others let go without it, as long as they are a majority. From then on they
//! tell it so and act on nothing that it says. What they lead, and what they answer others with, comes
//! after all that it may lack, so that it cannot execute past the hole.
//!
//! Whoever lets go without somebody must not let a recovery miss what speaks against a proposal. So
//! that this cannot be, it first puts up a *fence*: everything that it leads or pre-accepts from then on
//! depends on what is to go. It lets go when all is decided that it had known before; until then, it
//! can still say what speaks against that. Whatever it holds unchanged later depends on what is gone.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::epaxos::amount::Amount;
use crate::epaxos::attributes::Dependencies;
use crate::epaxos::command::StateMachine;
use crate::epaxos::event::{Event, Reason};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::message::{Executed, Gone, Message};
use crate::epaxos::quorum::ReplicaSet;
use crate::epaxos::replica::{Options, Output, Replica, Stage};
use crate::epaxos::time::Time;

/// What is about to be let go without everybody having executed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fenced {
    /// For each row, up to where.
    upto: Dependencies,
    /// What was undecided here when the fence was put up, and must be decided first.
    before: BTreeSet<InstanceId>,
}

impl<M: StateMachine> Replica<M> {
    /// Whether another replica has not executed what is no longer kept here.
    pub fn is_behind(&self, id: ReplicaId) -> bool {
        !self.durable.heard[id.index()].covers(&self.durable.let_go)
    }

    /// Lets go of what a majority has executed, where the others are too far behind; `own` is up to
    /// where all is executed here.
    pub(super) fn leave_behind(&mut self, own: &Dependencies, out: &mut Vec<Output>) {
        let left = self.too_far_behind(own);
        if left.is_empty() {
            self.fenced = None;
            let fence = self.durable.fence;
            if self.peers().all(|peer| self.durable.heard[peer.index()].covers(&fence)) {
                self.durable.fence = Dependencies::NONE;
            }
            return;
        }
        if self.fenced.is_none() {
            let mut upto = *own;
            for peer in self.peers().filter(|peer| !left.contains(*peer)) {
                upto = upto.common(&self.durable.heard[peer.index()]);
            }
            let upto = self.without_kept(&upto);
            if !self.is_worth(&upto) {
                return;
            }
            self.durable.fence.merge(&upto);
            self.fenced = Some(Fenced { upto, before: self.undecided().collect() });
        }
        let recovers = self.attempts.values().any(|attempt| {
            matches!(attempt.stage, Stage::Recovering(_) | Stage::Validating(_) | Stage::Waiting(_))
        });
        let instances = &self.durable.instances;
        let is_open =
            |id: &InstanceId| instances.get(*id).is_some_and(|it| !it.phase.is_committed());
        let fenced = self.fenced.as_mut().expect("there is one by now");
        fenced.before.retain(is_open);
        if fenced.before.is_empty() && !recovers {
            let upto = fenced.upto;
            self.fenced = None;
            if self.is_worth(&upto) {
                self.let_go_upto(&upto, out);
            }
        }
    }

    /// Who is not waited for: those left behind before, then those furthest behind, where that is too
    /// far; and never so many that the others are no majority.
    fn too_far_behind(&self, own: &Dependencies) -> ReplicaSet {
        let far = |peer: ReplicaId| {
            let lag = own.beyond(&self.durable.heard[peer.index()]);
            (self.is_behind(peer), lag, peer)
        };
        let mut left: Vec<_> = self.peers().map(far).collect();
        left.retain(|(behind, _, peer)| *behind || self.is_too_much(*peer, own));
        left.sort_unstable_by_key(|far| Reverse(*far));
        left.truncate(self.options.quorums.failures());
        left.into_iter().map(|(.., peer)| peer).collect()
    }

    /// Whether more is kept for a replica than the options allow. Reads all that is kept for it, but
    /// only where that can be too much: as a rule, all that is kept is less.
    fn is_too_much(&self, peer: ReplicaId, own: &Dependencies) -> bool {
        let Options { keep_most, keep_most_bytes, .. } = self.options;
        let exceeds = |it: Amount| it.commands > keep_most || it.bytes > keep_most_bytes;
        if !exceeds(self.kept.iter().copied().sum()) {
            return false;
        }
        let heard = &self.durable.heard[peer.index()];
        let rows = ReplicaId::all(self.options.quorums.replicas());
        let lacks = rows.flat_map(|row| {
            let kept = self.durable.instances.row_from(row, heard.prefix(row));
            kept.take_while(move |(slot, _)| *slot < own.prefix(row))
        });
        let mut amount = Amount::NONE;
        lacks.map(|(_, instance)| Amount::of(instance)).any(|it| {
            amount += it;
            exceeds(amount)
        })
    }

    /// What is known here, or joined, and not decided.
    pub(super) fn undecided(&self) -> impl Iterator<Item = InstanceId> {
        ReplicaId::all(self.options.quorums.replicas()).flat_map(|row| {
            let open = self.durable.instances.row_from(row, self.execution.executed(row));
            let open = open.filter(|(_, instance)| !instance.phase.is_committed());
            open.map(move |(slot, _)| InstanceId::new(row, slot))
        })
    }

    /// Tells a replica what it has missed for good, as far as this one is concerned.
    pub(super) fn tell_gone(&self, to: ReplicaId, out: &mut Vec<Output>) {
        let let_go = self.durable.let_go;
        let instance = let_go.first_beyond(&self.durable.heard[to.index()]);
        let instance = instance.expect("only one that is behind is told");
        out.push(Output::Send { to, message: Message::Gone(Gone { instance, let_go }) });
    }

    /// Somebody no longer has what this replica has not executed.
    pub(super) fn on_gone(&mut self, from: ReplicaId, message: Gone, out: &mut Vec<Output>) {
        if self.executed_prefixes().covers(&message.let_go) {
            // The sender has not heard so.
            let executed = self.executed_prefixes();
            let instance = message.instance;
            let told = Message::Executed(Executed { instance, executed });
            out.push(Output::Send { to: from, message: told });
            return self.ignore(from, &Message::Gone(message), Reason::NotWaiting, out);
        }
        let Gone { instance, let_go } = message;
        if let Some(missing) = &mut self.missing {
            return missing.merge(&let_go);
        }
        self.missing = Some(let_go);
        self.attempts.clear();
        self.validating.clear();
        self.watches.clear();
        self.timers.clear();
        self.requests.close_all();
        self.tell(out, || Event::LeftBehind { by: from, instance });
    }

    /// Takes part again, where what was said to be gone has been executed after all.
    pub(super) fn catch_up(&mut self, now: Time, last: InstanceId, out: &mut Vec<Output>) {
        let Some(missing) = self.missing else { return };
        if !self.executed_prefixes().covers(&missing) {
            return;
        }
        self.missing = None;
        self.tell(out, || Event::CaughtUp);
        self.tell_executed(last, out);
        for id in self.undecided().collect::<Vec<_>>() {
            self.take_up(now, id);
        }
        for id in self.execution.blockers().collect::<Vec<_>>() {
            self.watch(now, id);
        }
    }
}
