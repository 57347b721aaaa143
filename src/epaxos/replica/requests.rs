//! Clients: who waits for an answer, and what the requests of named clients came to.

use std::collections::BTreeMap;

use crate::epaxos::command::{Client, Command, Outcome, RequestId, StateMachine};
use crate::epaxos::event::{Event, Reply};
use crate::epaxos::replica::{Output, Replica};
use crate::epaxos::time::Time;

/// What is known of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Requests {
    /// What the executed requests of named clients came to. The same at every replica that has
    /// executed the same commands, so that a repeated request has no effect anywhere.
    outcomes: BTreeMap<RequestId, Outcome>,
    /// The requests proposed here that have not been executed. Lost in a crash, with the clients'
    /// connections.
    open: BTreeMap<RequestId, Open>,
}

/// A request proposed here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Open {
    proposed: Time,
    committed: Option<Time>,
    /// The answer, where it was given before execution.
    answered: Option<Outcome>,
}

impl Requests {
    /// Notes that a request's command is committed, where the request was made here.
    pub(super) fn committed(&mut self, request: &RequestId, now: Time) {
        if let Some(open) = self.open.get_mut(request) {
            open.committed.get_or_insert(now);
        }
    }

    /// What a request of a named client came to, once it has been executed.
    pub(super) fn outcome(&self, request: &RequestId) -> Option<&Outcome> {
        match request.client {
            Client::Named(_) => self.outcomes.get(request),
            Client::Anonymous(_) => None,
        }
    }

    /// Remembers what a request came to, where it could be repeated.
    pub(super) fn remember(&mut self, request: &RequestId, outcome: &Outcome) {
        if let Client::Named(_) = request.client {
            self.outcomes.insert(request.clone(), outcome.clone());
        }
    }
}

impl<M: StateMachine> Replica<M> {
    /// Clients ask for commands. What is new becomes one instance; what was asked before is
    /// answered as before, now or when the first one is.
    pub(super) fn on_propose(&mut self, now: Time, commands: Vec<Command>, out: &mut Vec<Output>) {
        let mut fresh = Vec::with_capacity(commands.len());
        for command in commands {
            if self.is_new(&command.request, out) {
                let open = Open { proposed: now, committed: None, answered: None };
                self.requests.open.insert(command.request.clone(), open);
                fresh.push(command);
            }
        }
        if !fresh.is_empty() {
            self.lead(now, fresh.into(), out);
        }
    }

    /// Whether a request was never made here before. Where it was, and has an answer, gives that.
    fn is_new(&self, request: &RequestId, out: &mut Vec<Output>) -> bool {
        let executed = self.requests.outcome(request);
        let open = self.requests.open.get(request);
        if executed.is_none() && open.is_none() {
            return true;
        }
        self.tell(out, || Event::Repeated { request: request.clone() });
        if let Some(outcome) = executed.or(open.and_then(|open| open.answered.as_ref())) {
            out.push(Output::Reply(Reply {
                request: request.clone(),
                outcome: outcome.clone(),
                commit_latency: None,
                execute_latency: None,
            }));
        }
        false
    }

    /// Answers a client of ours, unless it has been; after execution nothing is open any more.
    pub(super) fn answer(
        &mut self,
        now: Time,
        request: &RequestId,
        outcome: &Outcome,
        executed: bool,
        out: &mut Vec<Output>,
    ) {
        let Some(open) = self.requests.open.get_mut(request) else { return };
        let latency = |time: Time| time.since(open.proposed);
        let reply = Reply {
            request: request.clone(),
            outcome: outcome.clone(),
            commit_latency: open.committed.map(latency),
            execute_latency: executed.then(|| latency(now)),
        };
        if open.answered.replace(outcome.clone()).is_none() {
            out.push(Output::Reply(reply));
        }
        if executed {
            self.requests.open.remove(request);
        }
    }
}
