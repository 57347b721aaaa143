//! The decision, and everything that becomes executable with it.

use std::sync::Arc;

use crate::epaxos::command::{Command, Outcome, Payload, StateMachine};
use crate::epaxos::event::{Applied, Cause, Event, Reason};
use crate::epaxos::execution::{Blocked, Component};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Path;
use crate::epaxos::message::{Commit, Message};
use crate::epaxos::replica::{Output, Replica, ReplyOn, send};
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
        self.act_on_decision(now, &message.payload, out);
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
        let payload = message.payload.clone();
        self.record_decision(message, cause, out);
        self.act_on_decision(now, &payload, out);
    }

    /// Makes a decision part of the log, and ends this replica's own attempt at one.
    fn record_decision(&mut self, message: Commit, cause: Cause, out: &mut Vec<Output>) {
        let Commit { instance: id, payload, attributes, path } = message;
        self.execution.commit(id, attributes, &payload);
        self.update(id, cause, |instance| instance.commit(payload, attributes, path), out);
        self.end_attempt(id);
    }

    /// Answers the clients that wait for no more than the decision, and executes what has become
    /// ready with it.
    fn act_on_decision(&mut self, now: Time, payload: &Payload, out: &mut Vec<Output>) {
        for command in payload.commands() {
            self.requests.committed(command, now);
            if self.options.reply_on == ReplyOn::Commit && command.operation.is_write() {
                self.answer(now, command, &Outcome::Written, false, out);
            }
        }
        self.execute(now, out);
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
    fn execute(&mut self, now: Time, out: &mut Vec<Output>) {
        let pass = self.execution.advance();
        self.tell(out, || Event::Searched { candidates: pass.candidates, edges: pass.edges });
        for component in pass.components {
            self.execute_component(now, &component, out);
        }
        for Blocked { instance, on, again } in pass.blocked {
            let unseen = self.durable.instances.get(on).is_none();
            self.tell(out, || Event::Blocked { instance, on, unseen, again });
        }
    }

    fn execute_component(&mut self, now: Time, component: &Component, out: &mut Vec<Output>) {
        let members: Arc<[InstanceId]> = component.members.as_slice().into();
        for id in component.members.iter().copied() {
            let instance = self.durable.instances.get_mut(id).expect("what executes is recorded");
            instance.execute();
            let payload = instance.payload.clone().expect("a committed payload is known");
            let results: Vec<_> =
                payload.commands().iter().map(|command| self.apply(now, command)).collect();
            let order = self.executed;
            self.executed += 1;
            self.tell(out, || Event::Executed {
                instance: id,
                payload: payload.clone(),
                results: results.clone(),
                order,
                component: members.clone(),
            });
            for (command, result) in payload.commands().iter().zip(&results) {
                self.answer(now, command, &result.outcome, true, out);
            }
        }
    }

    /// Applies a command, unless its request took effect before.
    fn apply(&mut self, now: Time, command: &Command) -> Applied {
        let latency = self.requests.age(command, now);
        if let Some(outcome) = self.requests.outcome(command) {
            return Applied { outcome: outcome.clone(), repeated: true, latency };
        }
        let outcome = self.machine.apply(&command.operation);
        self.requests.remember(command, &outcome);
        Applied { outcome, repeated: false, latency }
    }
}
