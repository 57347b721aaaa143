//! Letting go: saying now and then what is executed here, hearing the same of others, and keeping no
//! more of what everybody has executed than the last of each row.
//!
//! That is safe. Whatever is still undecided is executed after it by everybody, whether it depends on it
//! or not; and nothing that is decided can wait for it any more.

use crate::epaxos::amount::Amount;
use crate::epaxos::attributes::Dependencies;
use crate::epaxos::command::StateMachine;
use crate::epaxos::event::Event;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::epaxos::message::{Executed, Message};
use crate::epaxos::mutation::Mutation;
use crate::epaxos::quorum::ReplicaSet;
use crate::epaxos::replica::{Output, Replica, send};

impl<M: StateMachine> Replica<M> {
    /// For each row, up to where all is executed here.
    pub(super) fn executed_prefixes(&self) -> Dependencies {
        let replicas = self.options.quorums.replicas();
        Dependencies::from_prefixes(|row| self.execution.executed(row), replicas)
    }

    /// Whether an instance was executed and is no longer kept.
    pub(super) fn is_let_go(&self, id: InstanceId) -> bool {
        self.durable.let_go.contains(id)
    }

    /// Tells the others how far this replica is, each time that so many more commands are executed, or
    /// so many more bytes of them; `last` is the instance that came last.
    pub(super) fn gossip(&mut self, last: InstanceId, out: &mut Vec<Output>) {
        let every = self.options.gossip_every.max(1);
        if self.untold.commands >= every || self.untold.bytes >= self.options.gossip_bytes.max(1) {
            // Where large commands have brought it about, small ones count from here on.
            self.untold = Amount { commands: self.untold.commands % every, bytes: 0 };
            self.tell_executed(last, out);
            self.let_go(out);
        }
    }

    /// Tells the others how far this replica is.
    pub(super) fn tell_executed(&self, last: InstanceId, out: &mut Vec<Output>) {
        let executed = self.executed_prefixes();
        let message = Message::Executed(Executed { instance: last, executed });
        send(self.peers(), &message, out);
    }

    /// Another replica says how far it is.
    pub(super) fn on_executed(
        &mut self,
        from: ReplicaId,
        message: &Executed,
        out: &mut Vec<Output>,
    ) {
        let heard = &mut self.durable.heard[from.index()];
        heard.merge(&message.executed);
        let heard = *heard;
        if self.is_behind(from) {
            self.tell_gone(from, out);
        }
        self.let_go(out);
        self.fetch_missed(from, &heard, out);
    }

    /// Lets go of what is over, if there is enough of it.
    ///
    /// Not while a recovery of this replica looks at what became of others: one that is gone could
    /// have been a no-op or a command.
    pub(super) fn let_go(&mut self, out: &mut Vec<Output>) {
        if !self.validating.is_empty() {
            return;
        }
        let own = self.executed_prefixes();
        let mut by_all = own;
        if !self.options.mutated(Mutation::LetGoEarly) {
            self.peers().for_each(|peer| by_all = by_all.common(&self.durable.heard[peer.index()]));
        }
        let by_all = self.without_kept(&by_all);
        if self.is_worth(&by_all) {
            self.let_go_upto(&by_all, out);
        }
        self.leave_behind(&own, out);
    }

    /// The beginnings of `executed` that leave as much of each row as is to be kept: `keep` commands, or
    /// fewer where these have more than `keep_bytes`.
    pub(super) fn without_kept(&self, executed: &Dependencies) -> Dependencies {
        let replicas = self.options.quorums.replicas();
        let let_go = &self.durable.let_go;
        let last = |row: ReplicaId| {
            let end = executed.prefix(row).max(let_go.prefix(row));
            let Amount { commands, bytes } = self.kept[row.index()];
            let mut commands = commands.saturating_sub(self.options.keep);
            let mut bytes = bytes.saturating_sub(self.options.keep_bytes);
            let over = self.durable.instances.row(row).take_while(|(slot, instance)| {
                let fits = *slot < end && (instance.weight() <= commands || bytes > 0);
                commands = commands.saturating_sub(instance.weight());
                bytes = bytes.saturating_sub(instance.bytes());
                fits
            });
            over.last().map_or(let_go.prefix(row), |(slot, _)| slot + 1)
        };
        Dependencies::from_prefixes(last, replicas)
    }

    /// Whether so much would go that it is worth the while.
    pub(super) fn is_worth(&self, upto: &Dependencies) -> bool {
        let stride = (self.options.keep / 4).clamp(1, STRIDE_MAX);
        let let_go = &self.durable.let_go;
        if upto.beyond(let_go) >= stride {
            return true;
        }
        // A few instances, so there is little to read.
        let rows = ReplicaId::all(self.options.quorums.replicas());
        let over = rows.flat_map(|row| {
            let kept = self.durable.instances.row_from(row, let_go.prefix(row));
            kept.take_while(move |(slot, _)| *slot < upto.prefix(row))
        });
        let bytes: u64 = over.map(|(_, instance)| instance.bytes()).sum();
        bytes > self.options.keep_bytes / 4
    }

    /// Lets go of the beginning of each row.
    pub(super) fn let_go_upto(&mut self, upto: &Dependencies, out: &mut Vec<Output>) {
        let before = self.durable.let_go;
        self.durable.let_go.merge(upto);
        let after = self.durable.let_go;
        for row in ReplicaId::all(self.options.quorums.replicas()) {
            for slot in before.prefix(row)..after.prefix(row) {
                let instance = self.durable.instances.remove(InstanceId::new(row, slot));
                let instance = instance.expect("what is executed and not let go is kept");
                debug_assert_eq!(instance.phase, Phase::Executed, "only what is over is let go");
                self.kept[row.index()] -= Amount::of(&instance);
            }
        }
        self.forget_keys();
        let early = self.options.mutated(Mutation::LetGoEarly);
        let without: ReplicaSet =
            self.peers().filter(|peer| !early && self.is_behind(*peer)).collect();
        self.tell(out, || Event::LetGo { upto: after, without });
    }

    /// Forgets the keys that nothing touches any more but what is let go, if there may be many. To ask
    /// for each command that goes would cost a look-up of its key.
    fn forget_keys(&mut self) {
        let Self { keys, index, execution, durable, .. } = self;
        if keys.are_many(self.options.keep) {
            let freed = keys.free_unused(|key| !index.forget(key, &durable.let_go));
            for key in freed {
                execution.forget(*key);
            }
        }
    }
}

/// What is over is let go of in strides of at most so many instances.
const STRIDE_MAX: u64 = 16;
