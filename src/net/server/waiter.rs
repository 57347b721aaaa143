//! Who waits for an answer.

use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tonic::Status;

use super::{down, value_len};
use crate::epaxos::command::Outcome;
use crate::epaxos::id::ReplicaId;
use crate::net::bounds::Client;
use crate::net::bounds::budget::Charge;
use crate::net::bounds::calls::SMALL;
use crate::net::convert::Wish;

/// A client's wish, with whoever waits for it.
#[derive(Debug)]
pub struct Proposal {
    /// What is asked.
    pub wish: Wish,
    /// Who waits for the answer.
    pub waiter: Waiter,
}

/// Somebody who waits for an answer. May be gone by the time it comes. Who is let go without one is
/// told that the replica is down.
pub struct Waiter {
    replica: ReplicaId,
    /// Whose connection it is, and what is charged for the request, with others that came with it.
    client: Client,
    charge: Arc<Charge>,
    /// `None` once it is answered.
    waiting: Option<Waiting>,
}

pub(super) enum Waiting {
    /// A call of its own.
    Call(oneshot::Sender<Result<Charged<Outcome>, Status>>),
    /// One of many proposals on a stream, which has room for its answer.
    Stream { answers: mpsc::UnboundedSender<Answered>, identity: String, number: Option<u64> },
}

/// An answer on its way to a stream. A value in it is the store's own until it is written: a client
/// that does not read would have the replica keep a copy for each of its questions.
pub(super) type Answered = Result<(String, Option<u64>, Charged<Outcome>), Status>;

/// Something with what is charged for it, while it waits for the client.
#[derive(Debug)]
pub(super) struct Charged<T> {
    pub it: T,
    /// For the request that it answers.
    _request: Arc<Charge>,
    /// For the value that it keeps alive.
    _value: Option<Charge>,
}

impl Waiter {
    /// Somebody who waits, at a replica and on a connection, for the answer to a request that is charged.
    pub(super) fn new(
        replica: ReplicaId,
        client: Client,
        charge: Arc<Charge>,
        waiting: Waiting,
    ) -> Self {
        Self { replica, client, charge, waiting: Some(waiting) }
    }

    /// Whether nobody waits any more.
    pub fn is_gone(&self) -> bool {
        match &self.waiting {
            Some(Waiting::Call(call)) => call.is_closed(),
            Some(Waiting::Stream { answers, .. }) => answers.is_closed(),
            None => true,
        }
    }

    /// Answers, if anybody still waits.
    pub fn answer(mut self, outcome: Outcome) {
        let bytes = value_len(&outcome);
        // The value is there, with room for it or without.
        let value = (bytes > SMALL).then(|| self.client.requests().force(bytes));
        let outcome = Charged { it: outcome, _request: self.charge.clone(), _value: value };
        match self.waiting.take() {
            // An error says that the client has left, which is its own affair.
            Some(Waiting::Call(call)) => drop(call.send(Ok(outcome))),
            Some(Waiting::Stream { answers, identity, number }) => {
                drop(answers.send(Ok((identity, number, outcome))));
            }
            None => {}
        }
    }

    /// Says that there will be no answer, and why.
    pub fn refuse(&mut self, why: &str) {
        let status = Status::unavailable(why);
        match self.waiting.take() {
            Some(Waiting::Call(call)) => drop(call.send(Err(status))),
            Some(Waiting::Stream { answers, .. }) => drop(answers.send(Err(status))),
            None => {}
        }
    }
}

impl Drop for Waiter {
    /// A call of its own ends with its waiter. A stream would go on, and its client wait for this
    /// answer for ever.
    fn drop(&mut self) {
        if let Some(Waiting::Stream { answers, .. }) = self.waiting.take() {
            answers.send(Err(down(self.replica))).ok();
        }
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").field("gone", &self.is_gone()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::bounds::{Bounds, Limits};

    #[tokio::test]
    async fn a_waiter_on_a_stream_that_has_ended_is_gone() {
        let (answers, stream) = mpsc::unbounded_channel();
        let waiting = Waiting::Stream { answers, identity: String::new(), number: None };
        let client = Bounds::new(Limits::default()).client();
        let charge = Arc::new(client.requests().force(1));
        let waiter = Waiter::new(ReplicaId(0), client, charge, waiting);
        assert!(!waiter.is_gone());
        drop(stream);
        assert!(waiter.is_gone());
    }
}
