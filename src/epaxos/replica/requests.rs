//! Clients: who waits for an answer, and what the requests of named clients came to.

mod numbers;
mod remembered;
mod writes;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::epaxos::command::{Client, Command, Operation, Outcome, StateMachine};
use crate::epaxos::event::{Event, Reply};
use crate::epaxos::id::ReplicaId;
use crate::epaxos::instance::Path;
use crate::epaxos::replica::{Output, Replica};
use crate::epaxos::space::Row;
use crate::epaxos::time::Time;

use self::remembered::Remembered;

pub use self::writes::REPEATABLE;

/// What is known of requests.
///
/// A request is repeated where its name *and* its operation are the same. A client that uses one
/// number for two operations has made two requests: were the second one dropped for its name, then,
/// nothing ordering the two, some replicas would drop the one and some the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Requests {
    me: ReplicaId,
    /// What the executed commands of named clients came to. Of writes the same is known at every
    /// replica that has executed the same commands, so that a repeated one has no effect anywhere.
    remembered: Remembered,
    /// The commands of named clients that were proposed here and have not been executed. Lost in a
    /// crash, like the next, with the clients' connections.
    named: BTreeMap<Command, Open>,
    /// Those of clients without a name, by their number.
    anonymous: Row<(Operation, Open)>,
}

/// A command proposed here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Open {
    proposed: Time,
    committed: Option<(Time, Path)>,
    /// The answer, where it was given before execution.
    answered: Option<Outcome>,
}

impl Open {
    /// The answer to it.
    fn reply(&self, command: &Command, outcome: Outcome, executed: Option<Time>) -> Reply {
        let latency = |time: Time| time.since(self.proposed);
        Reply {
            command: command.clone(),
            outcome,
            commit_latency: self.committed.map(|(time, _)| latency(time)),
            execute_latency: executed.map(latency),
            path: self.committed.map(|(_, path)| path),
        }
    }
}

impl Requests {
    /// Nothing known to the replica `me`.
    pub(super) fn new(me: ReplicaId) -> Self {
        let remembered = Remembered::default();
        Self { me, remembered, named: BTreeMap::new(), anonymous: Row::default() }
    }

    fn open(&mut self, command: &Command, now: Time) {
        let open = Open { proposed: now, committed: None, answered: None };
        match command.request.client {
            Client::Named(_) => drop(self.named.insert(command.clone(), open)),
            Client::Anonymous(_) => {
                let Command { request, operation } = command;
                self.anonymous.begin_at(request.number);
                self.anonymous.insert(request.number, (operation.clone(), open));
            }
        }
    }

    fn get(&self, command: &Command) -> Option<&Open> {
        match command.request.client {
            Client::Named(_) => self.named.get(command),
            Client::Anonymous(at) if at != self.me => None,
            Client::Anonymous(_) => {
                let (operation, open) = self.anonymous.get(command.request.number)?;
                (*operation == command.operation).then_some(open)
            }
        }
    }

    fn get_mut(&mut self, command: &Command) -> Option<&mut Open> {
        match command.request.client {
            Client::Named(_) => self.named.get_mut(command),
            Client::Anonymous(at) if at != self.me => None,
            Client::Anonymous(_) => {
                let (operation, open) = self.anonymous.get_mut(command.request.number)?;
                (*operation == command.operation).then_some(open)
            }
        }
    }

    fn close(&mut self, command: &Command) -> Option<Open> {
        match command.request.client {
            Client::Named(_) => self.named.remove(command),
            Client::Anonymous(_) => {
                self.get(command)?;
                self.anonymous.remove(command.request.number).map(|(_, open)| open)
            }
        }
    }

    /// Nobody here is answered any more.
    pub(super) fn close_all(&mut self) {
        self.named.clear();
        self.anonymous = Row::default();
    }

    /// Notes that a command is committed, where it was proposed here.
    pub(super) fn committed(&mut self, command: &Command, path: Path, now: Time) {
        if let Some(open) = self.get_mut(command) {
            open.committed.get_or_insert((now, path));
        }
    }

    /// Whether a command was proposed here and has not been executed.
    pub(super) fn is_open(&self, command: &Command) -> bool {
        self.get(command).is_some()
    }

    /// How long ago a command was proposed, where it was proposed here and is open.
    pub(super) fn age(&self, command: &Command, now: Time) -> Option<Duration> {
        self.get(command).map(|open| now.since(open.proposed))
    }

    /// What a command of a named client came to that has been executed, or that this is unknown;
    /// `None` for one that has not taken effect. Once a write is unknown, it is so for ever, here and
    /// at every other replica that executes as many writes of its key.
    pub(super) fn outcome(&self, command: &Command) -> Option<Outcome> {
        self.remembered.get(command)
    }

    /// Remembers what a command came to, where it could be repeated.
    pub(super) fn remember(&mut self, command: &Command, outcome: &Outcome) {
        self.remembered.insert(command, outcome);
    }
}

impl<M: StateMachine> Replica<M> {
    /// Clients ask for commands. What is new becomes one instance; what was asked before is
    /// answered as before, now or when the first one is.
    pub(super) fn on_propose(&mut self, now: Time, commands: Vec<Command>, out: &mut Vec<Output>) {
        if self.missing.is_some() {
            // Hosts ask first, and tell the clients.
            return;
        }
        let mut commands = commands;
        commands.retain(|command| {
            let new = self.is_new(command, out);
            if new {
                self.requests.open(command, now);
            }
            new
        });
        if !commands.is_empty() {
            self.lead(now, commands.into(), None, out);
        }
    }

    /// Whether a command was never asked for here before. Where it was, and has an answer, gives
    /// that; where it may have been, too long ago, says that its outcome is unknown.
    fn is_new(&self, command: &Command, out: &mut Vec<Output>) -> bool {
        let open = self.requests.get(command);
        let outcome = match open {
            Some(open) => open.answered.clone(),
            None => self.requests.outcome(command),
        };
        if outcome.is_none() && open.is_none() {
            return true;
        }
        self.tell(out, || Event::Repeated { request: command.request.clone() });
        if let Some(outcome) = outcome {
            out.push(Output::Reply(Reply {
                command: command.clone(),
                outcome,
                commit_latency: None,
                execute_latency: None,
                path: None,
            }));
        }
        false
    }

    /// Answers a client of ours, whose command is executed, unless it has been answered. Nothing is open
    /// any more then.
    pub(super) fn answer(
        &mut self,
        now: Time,
        command: &Command,
        outcome: Outcome,
        out: &mut Vec<Output>,
    ) {
        if let Some(open) = self.requests.close(command)
            && open.answered.is_none()
        {
            out.push(Output::Reply(open.reply(command, outcome, Some(now))));
        }
    }

    /// Answers a client of ours, whose command is committed and not executed.
    pub(super) fn answer_early(
        &mut self,
        command: &Command,
        outcome: Outcome,
        out: &mut Vec<Output>,
    ) {
        if let Some(open) = self.requests.get_mut(command)
            && open.answered.is_none()
        {
            open.answered = Some(outcome.clone());
            out.push(Output::Reply(open.reply(command, outcome, None)));
        }
    }
}
