//! The clients of one replica: what they propose, and who waits for which answer.

use std::sync::Arc;

use crate::epaxos::command::{Client, Command, RequestId};
use crate::epaxos::event::Reply;
use crate::epaxos::replica::Input;
use crate::epaxos::seat::Unfit;
use crate::epaxos::space::Row;
use crate::net::convert;
use crate::net::server::Proposal;
use crate::node::driver::Driver;
use crate::node::gathered::Room;
use crate::observe::notice::Decision;

impl Driver {
    /// Makes instances of all that has waited together, as few as there can be.
    pub(super) fn propose_gathered(&mut self) {
        let room = Room { commands: convert::BATCH_MAX, bytes: convert::BATCH_BYTES_MAX };
        let bytes = |proposal: &Proposal| convert::size(&proposal.wish.operation);
        while let Some(batch) = self.gathered.take(room, bytes) {
            let count = batch.iter().map(Vec::len).sum();
            self.propose(count, batch.into_iter().flatten());
        }
    }

    /// Makes one instance of so many proposals.
    pub(super) fn propose(&mut self, count: usize, proposals: impl Iterator<Item = Proposal>) {
        if let Some(why) = self.why_not_served().or_else(|| self.why_not_led()) {
            for mut proposal in proposals {
                proposal.waiter.refuse(&why);
            }
            return;
        }
        // Where the replica is down, their waiters go with them, which tells the clients.
        if self.seat.is_up() {
            self.guarded(|it| {
                let mut commands = Vec::with_capacity(count);
                commands.extend(proposals.map(|proposal| it.register(proposal)));
                let decision = it.watch.is_on().then(|| Decision::Propose(commands.clone()));
                it.step(decision, Input::Propose(commands));
            })
            .ok();
        }
    }

    /// Names a proposal that has no name, and remembers who waits for its answer.
    fn register(&mut self, Proposal { wish, waiter }: Proposal) -> Command {
        let Some(request) = wish.request else {
            let number = self.anonymous;
            self.anonymous += 1;
            self.nameless.insert(number, waiter);
            let request = RequestId::anonymous(self.seat.id(), number);
            return Command { request, operation: wish.operation };
        };
        let command = Command { request, operation: wish.operation };
        let waiters = self.waiters.entry(command.clone()).or_default();
        // A client that asks again and again gives up in between.
        waiters.retain(|waiter| !waiter.is_gone());
        waiters.push(waiter);
        command
    }

    /// Why the replica answers no client at present, though it is up.
    fn why_not_served(&self) -> Option<Arc<str>> {
        let is_behind = |unfit: &Unfit| matches!(unfit, Unfit::LeftBehind(_));
        let left_behind = || self.seat.check_serves().err().filter(is_behind);
        self.refused.clone().or_else(|| left_behind().map(|unfit| unfit.to_string().into()))
    }

    /// Why it leads no new command although it answers those that it has, if that is so.
    fn why_not_led(&self) -> Option<Arc<str>> {
        let is_full = |unfit: &Unfit| matches!(unfit, Unfit::Full(_));
        let unfit = self.seat.check_leads().err().filter(is_full)?;
        Some(unfit.to_string().into())
    }

    /// A replica that was left behind or is refused answers nobody any more, and says why.
    pub(super) fn refuse_waiters(&mut self) {
        if self.waiters.is_empty() && self.nameless.is_empty() {
            return;
        }
        if let Some(why) = self.why_not_served() {
            let named = self.waiters.values_mut().flatten();
            named.chain(self.nameless.values_mut()).for_each(|waiter| waiter.refuse(&why));
            self.let_waiters_go();
        }
    }

    pub(super) fn answer(&mut self, reply: Reply) {
        self.tally.answer(&reply);
        if let Client::Anonymous(_) = reply.command.request.client {
            if let Some(waiter) = self.nameless.remove(reply.command.request.number) {
                waiter.answer(reply.outcome);
            }
            return;
        }
        for waiter in self.waiters.remove(&reply.command).into_iter().flatten() {
            waiter.answer(reply.outcome.clone());
        }
    }

    /// Whoever waits for an answer is told that there will be none.
    pub(super) fn let_waiters_go(&mut self) {
        self.waiters.clear();
        self.nameless = Row::beginning_at(self.anonymous);
    }
}
