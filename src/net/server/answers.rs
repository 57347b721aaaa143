//! The answers of a stream of proposals.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use futures::{FutureExt, Stream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tonic::Status;

use super::waiter::Answered;
use super::{response, value_len};
use crate::net::bounds::Client;
use crate::net::bounds::budget::Charge;
use crate::net::bounds::calls::SMALL;
use crate::net::wire;

/// The answers of a stream, written when the transport has room for them.
pub struct Answers {
    stream: mpsc::UnboundedReceiver<Answered>,
    /// For how many more there is room.
    room: Arc<Semaphore>,
    client: Client,
    /// A large answer, while there is no room to write it.
    next: Option<(BoxFuture<'static, Charge>, Answered)>,
    /// What is charged for the answer that was written last, which the transport has now.
    charge: Option<Charge>,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("room", &self.room).finish_non_exhaustive()
    }
}

impl Stream for Answers {
    type Item = Result<wire::ProposeResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        // The transport asks for the next answer once it has handed on the last one.
        this.charge = None;
        if this.next.is_none() {
            let answered = ready!(this.stream.poll_recv(context));
            let Some(answered) = answered else { return Poll::Ready(None) };
            let bytes = match &answered {
                Ok((_, _, outcome)) => value_len(&outcome.it),
                Err(_) => 0,
            };
            if bytes <= SMALL {
                return Poll::Ready(Some(this.write(answered)));
            }
            let account = this.client.answers().clone();
            this.next = Some((async move { account.take(bytes).await }.boxed(), answered));
        }
        let (taking, _) = this.next.as_mut().expect("it was put there");
        this.charge = Some(ready!(taking.poll_unpin(context)));
        let next = this.next.take();
        Poll::Ready(next.map(|(_, answered)| this.write(answered)))
    }
}

impl Answers {
    /// What comes on `stream`, each of which gives a place of `room` back.
    pub(super) fn new(
        stream: mpsc::UnboundedReceiver<Answered>,
        room: Arc<Semaphore>,
        client: Client,
    ) -> Self {
        Self { stream, room, client, next: None, charge: None }
    }

    fn write(&self, answered: Answered) -> Result<wire::ProposeResponse, Status> {
        self.room.add_permits(1);
        answered.map(|(identity, number, outcome)| response(identity, number, outcome.it))
    }
}

impl Drop for Answers {
    /// Whoever waits for room need wait no longer.
    fn drop(&mut self) {
        self.room.close();
    }
}
