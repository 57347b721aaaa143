//! The decision, and everything that becomes executable with it.

use std::sync::Arc;

use crate::epaxos::amount::Amount;
use crate::epaxos::command::{Client, Command, Outcome, Payload, StateMachine};
use crate::epaxos::event::{Applied, Cause, Event, Reason, Rule};
use crate::epaxos::execution::Blocked;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Path;
use crate::epaxos::message::{Commit, Message};
use crate::epaxos::mutation::Mutation;
use crate::epaxos::replica::{Attempt, Output, Replica, ReplyOn, Stage, send};
use crate::epaxos::time::Time;

impl<M: StateMachine> Replica<M> {
    /// Commits what this replica's own count has decided, and tells everybody.
    pub(super) fn decide(
        &mut self,
        now: Time,
        id: InstanceId,
        cause: Cause,
        path: Path,
        out: &mut Vec<Output>,
    ) {
        let instance = self.durable.instances.get(id).expect("a driven instance is recorded");
        let payload = instance.payload.clone().expect("what is decided is known");
        let attributes = instance.attributes;
        let message = Commit { instance: id, payload, attributes, path };
        self.record_decision(message.clone(), cause, out);
        // Out before anything is executed: others need not wait for our store.
        send(self.peers(), &Message::Commit(message.clone()), out);
        self.act_on_decision(now, id, path, &message.payload, out);
    }

    /// Somebody says that an instance is decided.
    pub(super) fn on_commit(
        &mut self,
        now: Time,
        from: ReplicaId,
        message: Commit,
        out: &mut Vec<Output>,
    ) {
        let instance = self.durable.instances.get(message.instance);
        if instance.is_some_and(|instance| instance.phase.is_committed()) {
            return self.ignore(from, &Message::Commit(message), Reason::AlreadyCommitted, out);
        }
        let cause = Cause::Committed { from, path: message.path };
        let (id, path, payload) = (message.instance, message.path, message.payload.clone());
        if let Some(Attempt { stage: Stage::Recovering(_), .. }) = self.attempts.get(&id) {
            self.rule(id, Rule::R1, out);
        }
        self.record_decision(message, cause, out);
        self.fetch_on(id, out);
        self.act_on_decision(now, id, path, &payload, out);
    }

    /// Makes a decision part of the log, and ends this replica's own attempt at one.
    fn record_decision(&mut self, message: Commit, cause: Cause, out: &mut Vec<Output>) {
        let Commit { instance: id, payload, attributes, path } = message;
        // What was pre-accepted is kept, and what came with the decision let go, where they are equal.
        let known = self.durable.instances.get(id).and_then(|known| known.payload.clone());
        let payload = known.filter(|known| *known == payload).unwrap_or(payload);
        self.update(id, cause, |instance| instance.commit(payload, attributes, path), out);
        let touches = self.touches.remove(id).expect("they were just recorded");
        self.execution.commit(id, attributes, touches);
        self.end_attempt(id);
        self.unwatch(id);
        self.waiting.remove(&id);
    }

    /// Answers the clients that wait for no more than the decision, executes what has become ready
    /// with it, and goes on with what waited for it.
    fn act_on_decision(
        &mut self,
        now: Time,
        id: InstanceId,
        path: Path,
        payload: &Payload,
        out: &mut Vec<Output>,
    ) {
        for command in payload.commands() {
            self.requests.committed(command, path, now);
            if self.options.reply_on == ReplyOn::Commit && command.operation.is_write() {
                // It may turn out only when the command is executed.
                let outcome = self.requests.outcome(command).unwrap_or(Outcome::Written);
                self.answer_early(command, outcome, out);
            }
        }
        if *payload == Payload::Noop && id.replica == self.options.id && self.missing.is_none() {
            self.propose_again(now, id, out);
        }
        self.execute(now, out);
        self.check_all_waiting(now, out);
    }

    /// Our instance was decided to be a no-op: its clients' commands become a new one. This happens
    /// once, since an instance is decided once; and only for a no-op, since otherwise the commands
    /// were decided with it.
    fn propose_again(&mut self, now: Time, id: InstanceId, out: &mut Vec<Output>) {
        let instance = self.durable.instances.get(id).expect("what is decided is recorded");
        let initial = instance.initial.as_ref().map(|initial| initial.payload.clone());
        let commands = initial.iter().flat_map(|payload| payload.commands().iter());
        let open: Vec<_> =
            commands.filter(|command| self.requests.is_open(command)).cloned().collect();
        if self.options.mutated(Mutation::AnswerNoops) {
            for command in &open {
                self.answer(now, command, Outcome::Written, out);
            }
            return;
        }
        if !open.is_empty() {
            self.lead(now, open.into(), Some(id), out);
        }
    }

    /// Sends a decision to one replica that showed that it does not know it.
    pub(super) fn tell_decision(&self, to: ReplicaId, id: InstanceId, out: &mut Vec<Output>) {
        let instance = self.durable.instances.get(id).expect("only a known decision is told");
        let message = Message::Commit(Commit {
            instance: id,
            payload: instance.payload.clone().expect("a committed payload is known"),
            attributes: instance.attributes,
            path: instance.path.expect("a committed instance has a path"),
        });
        out.push(Output::Send { to, message });
    }

    /// Executes whatever the decisions so far allow, in order.
    pub(super) fn execute(&mut self, now: Time, out: &mut Vec<Output>) {
        let pass = self.execution.advance();
        self.tell(out, || Event::Searched { candidates: pass.candidates, edges: pass.edges });
        for component in pass.components.iter() {
            self.execute_component(now, component, out);
        }
        self.tell_blocked(now, &pass.blocked, out);
        if let Some(last) = pass.components.last() {
            self.catch_up(now, last, out);
            self.gossip(last, out);
        }
    }

    /// Tells what waits, and sees to it that what it waits for is decided some time. Of what has
    /// waited before, and now waits for something else, one is told: under contention every decision
    /// finds all the others in that state.
    fn tell_blocked(&mut self, now: Time, blocked: &[Blocked], out: &mut Vec<Output>) {
        let mut told = false;
        for Blocked { instance, on, again } in blocked.iter().copied() {
            self.watch_missed(now, instance, on, out);
            if again && told {
                continue;
            }
            told |= again;
            let known = self.durable.instances.get(on);
            let unseen = known.is_none_or(|instance| instance.payload.is_none());
            self.tell(out, || Event::Blocked { instance, on, unseen, again });
        }
    }

    /// Watches what a decision waits for, and where this replica has never heard of that, whatever
    /// else it has missed of the same row. It may have been down while a thousand decisions went by:
    /// were they asked for one after the other, each when it is next in the way, it would take a
    /// thousand times the patience of a recovery to catch up.
    fn watch_missed(
        &mut self,
        now: Time,
        instance: InstanceId,
        on: InstanceId,
        out: &mut Vec<Output>,
    ) {
        let known = |id| self.durable.instances.get(id);
        let (mut missed, mut unheard) = (Vec::new(), None);
        if known(on).is_none() && !self.watches.contains_key(&on) {
            let blocked = known(instance).expect("what is decided is recorded");
            let end = blocked.attributes.deps.prefix(on.replica);
            unheard = Some(end);
            let end = end.min(on.slot.saturating_add(MISSED_AT_ONCE));
            let after = (on.slot + 1..end).map(|slot| InstanceId::new(on.replica, slot));
            missed.extend(after.filter(|id| known(*id).is_none()));
        }
        self.watch(now, on);
        for id in missed {
            self.watch(now, id);
        }
        if let Some(end) = unheard {
            self.fetch_unheard(on, end, out);
        }
    }

    fn execute_component(&mut self, now: Time, component: &[InstanceId], out: &mut Vec<Output>) {
        let mut reordered;
        let mut order = component;
        if self.options.mutated(Mutation::OwnFirst) {
            reordered = component.to_vec();
            reordered.sort_by_key(|id| id.replica != self.options.id);
            order = &reordered;
        }
        let members: Option<Arc<[InstanceId]>> = self.options.observed.then(|| component.into());
        for id in order {
            let instance = self.durable.instances.get_mut(*id).expect("what executes is recorded");
            instance.execute();
            let payload = instance.payload.clone().expect("a committed payload is known");
            let amount = Amount::of(instance);
            self.untold += amount;
            self.pending_bytes -= amount.bytes;
            self.kept[id.replica.index()] += amount;
            let Some(members) = &members else {
                self.execute_unwatched(now, payload.commands(), out);
                self.executed += 1;
                continue;
            };
            let result = |command: &Command| {
                let latency = self.requests.age(command, now);
                let (outcome, repeated) = self.apply(command);
                Applied { outcome, repeated, latency }
            };
            let results: Vec<_> = payload.commands().iter().map(result).collect();
            let order = self.executed;
            self.executed += 1;
            self.tell(out, || Event::Executed {
                instance: *id,
                payload: payload.clone(),
                results: results.clone(),
                order,
                component: members.clone(),
            });
            for (command, result) in payload.commands().iter().zip(results) {
                self.answer(now, command, result.outcome, out);
            }
        }
    }

    /// Applies commands, and answers clients, where nobody else looks.
    fn execute_unwatched(&mut self, now: Time, commands: &[Command], out: &mut Vec<Output>) {
        let is_anonymous =
            |command: &Command| matches!(command.request.client, Client::Anonymous(_));
        if commands.len() == 1 || !commands.iter().all(is_anonymous) {
            for command in commands {
                let (outcome, _) = self.apply(command);
                self.answer(now, command, outcome, out);
            }
            return;
        }
        // None of these can have taken effect before, so the machine may have them all at once.
        let mut outcomes = std::mem::take(&mut self.outcomes);
        let operations = commands.iter().map(|command| &command.operation);
        self.machine.apply_all(operations, &mut outcomes);
        for (command, outcome) in commands.iter().zip(outcomes.drain(..)) {
            self.answer(now, command, outcome, out);
        }
        self.outcomes = outcomes;
    }

    /// Applies a command, unless its request took effect before, or may have. Says what it came to,
    /// and whether it was not applied.
    fn apply(&mut self, command: &Command) -> (Outcome, bool) {
        if let Some(outcome) = self.requests.outcome(command) {
            return (outcome, true);
        }
        let outcome = self.machine.apply(&command.operation);
        self.requests.remember(command, &outcome);
        (outcome, false)
    }
}

/// How many missed instances of a row are asked for at a time.
const MISSED_AT_ONCE: u64 = 256;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::epaxos::attributes::Attributes;
    use crate::epaxos::command::{Operation, RequestId};
    use crate::epaxos::replica::{Input, Options};
    use crate::kv::Store;

    #[test]
    fn whoever_has_missed_many_decisions_asks_for_them_at_once() {
        let options = Options::new(ReplicaId(2), 3);
        let patience = options.timeouts.recover.expect("the usual options recover");
        let mut replica = Replica::new(options, Store::default());
        let (leader, slot) = (ReplicaId(0), 100);
        let request = RequestId::named("ann", slot);
        let command = Command { request, operation: Operation::put("x", "1") };
        let message = Message::Commit(Commit {
            instance: InstanceId::new(leader, slot),
            payload: Payload::one(command),
            attributes: Attributes {
                seq: slot + 1,
                deps: [InstanceId::new(leader, slot - 1)].into_iter().collect(),
            },
            path: Path::Fast,
        });
        let mut out = Vec::new();
        replica.step(Time(0), Input::Receive { from: leader, message }, &mut out);
        // Each waits between once and twice as long as the others' patience.
        let mut asked = BTreeSet::new();
        replica.step(Time(0) + patience * 2 + Duration::from_millis(1), Input::Wake, &mut out);
        for output in out {
            if let Output::Send { message: Message::Recover(message), .. } = output {
                asked.insert(message.instance.slot);
            }
        }
        assert_eq!(asked, (0..slot).collect());
        replica.check_invariants();
    }
}
