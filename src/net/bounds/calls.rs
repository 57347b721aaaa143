//! Admitting calls, and charging what they send and receive.
//!
//! A message is charged when its length is known and before the rest of it is read, so that nothing
//! has to be given up half-way. An answer is handed to the transport in pieces, as the client has
//! room for them: what the transport holds of it is then no more than a piece.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures::FutureExt;
use futures::future::{BoxFuture, Either, Join, Map, Ready, join, ready as at_once};
use http_body::{Body as HttpBody, Frame, SizeHint};
use prost::bytes::Bytes;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};
use tracing::warn;

use crate::net::bounds::budget::{Account, Charge};
use crate::net::bounds::{Bounds, Client, Connection, Topic};

/// What kind of call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One message, and one answer.
    Unary,
    /// Many messages of a client.
    Stream,
    /// Many messages of a replica.
    Dispatch,
    /// A call of a service beside the replica's own.
    Side,
}

impl Kind {
    fn of(path: &str) -> Self {
        match path {
            "/epaxos.v1.Replica/ProposeStream" => Self::Stream,
            "/epaxos.v1.Replica/Dispatch" => Self::Dispatch,
            path if path.starts_with("/grpc.") => Self::Side,
            _ => Self::Unary,
        }
    }
}

/// A call that was admitted. It is open until everything that serves it has dropped this.
#[derive(Clone, Debug)]
pub struct Call(Arc<Open>);

#[derive(Debug)]
struct Open {
    kind: Kind,
    client: Client,
    /// For the message that has arrived, until it is settled.
    arrived: Mutex<Option<Charge>>,
    /// For the answer of a unary call.
    answer: Mutex<Option<Charge>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let Connection { bounds, calls, streams, dispatches, unused_since, .. } = &*self.client.0;
        bounds.calls.lower();
        match self.kind {
            Kind::Unary => {}
            Kind::Stream => streams.lower(),
            Kind::Dispatch => dispatches.lower(),
            Kind::Side => bounds.side_calls.lower(),
        }
        unused_since.store(bounds.now(), Ordering::Relaxed);
        calls.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Call {
    /// A call of a client, unless there are too many. The error says of what.
    fn open(client: &Client, kind: Kind) -> Result<Self, String> {
        let Connection { bounds, calls, streams, dispatches, .. } = &*client.0;
        let limits = &bounds.limits;
        if !bounds.calls.try_raise(limits.calls) {
            return Err(format!("{} calls are open", limits.calls));
        }
        let (admitted, why) = match kind {
            Kind::Unary => (true, String::new()),
            Kind::Stream => {
                let limit = limits.streams_per_connection;
                let why = format!("{limit} streams of proposals are open on this connection");
                (streams.try_raise(limit), why)
            }
            Kind::Dispatch => {
                let limit = limits.dispatches_per_connection;
                let why = format!("{limit} streams of messages are open on this connection");
                (dispatches.try_raise(limit), why)
            }
            Kind::Side => {
                let limit = limits.side_calls;
                let why = format!("{limit} calls for health and reflection are open");
                (bounds.side_calls.try_raise(limit), why)
            }
        };
        if !admitted {
            bounds.calls.lower();
            return Err(why);
        }
        calls.fetch_add(1, Ordering::AcqRel);
        let (arrived, answer) = (Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Open { kind, client: client.clone(), arrived, answer })))
    }

    /// Whose call it is.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// Takes what has arrived to be charged elsewhere, from now on.
    pub fn settle(&self) {
        drop(put(&self.0.arrived, None));
    }

    /// Charges the answer of a unary call, before it is written and until it is read.
    pub async fn answer(&self, bytes: usize) {
        if bytes > SMALL {
            let charge = self.client().answers().take(bytes).await;
            drop(put(&self.0.answer, Some(charge)));
        }
    }

    fn arriving(&self) -> &Account {
        let Connection { clients, peers, .. } = &*self.client().0;
        if self.0.kind == Kind::Dispatch { &peers.arriving } else { &clients.arriving }
    }
}

/// Puts a charge in a place. The one that was there is to be dropped outside of the lock.
fn put(place: &Mutex<Option<Charge>>, charge: Option<Charge>) -> Option<Charge> {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut place, charge)
}

/// Admits the calls of a server. The call is an extension of its request.
#[derive(Clone, Debug)]
pub struct Admission {
    name: Arc<str>,
}

impl Admission {
    /// For the server of this name, which says so where it refuses a call.
    pub fn new(name: &str) -> Self {
        Self { name: name.into() }
    }
}

impl<S> Layer<S> for Admission {
    type Service = Admitting<S>;

    fn layer(&self, inner: S) -> Admitting<S> {
        Admitting { inner, name: self.name.clone() }
    }
}

/// A service whose calls are admitted.
#[derive(Clone, Debug)]
pub struct Admitting<S> {
    inner: S,
    name: Arc<str>,
}

impl<S> Admitting<S> {
    fn refuse(&self, bounds: &Bounds, why: &str) -> Status {
        bounds.calls_refused.fetch_add(1, Ordering::Relaxed);
        let name = &self.name;
        bounds.log(Topic::Calls, |more| warn!("{name} refused a call: {why}{more}"));
        Status::resource_exhausted(format!("{name} admits no further call: {why}; try again later"))
    }
}

type Admitted<F, E> =
    Map<Join<F, Ready<Call>>, fn((Result<Response<Body>, E>, Call)) -> Result<Response<Body>, E>>;

impl<S> Service<Request<Body>> for Admitting<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<Body>, S::Error>>, Admitted<S::Future, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let client = request.extensions_mut().remove::<Client>();
        let client = client.expect("every connection comes through a door that names its client");
        let call = match Call::open(&client, Kind::of(request.uri().path())) {
            Ok(call) => call,
            Err(why) => {
                let refused = self.refuse(&client.0.bounds, &why).into_http();
                return Either::Left(at_once(Ok(refused)));
            }
        };
        request.extensions_mut().insert(call.clone());
        let request = request.map(|body| Body::new(Arriving::new(body, call.clone())));
        let answered: fn((Result<_, _>, Call)) -> _ = |(answered, call)| {
            let answering = |body| Body::new(Answering { body, rest: Bytes::new(), call });
            answered.map(|response: Response<Body>| response.map(answering))
        };
        Either::Right(join(self.inner.call(request), at_once(call)).map(answered))
    }
}

/// Where in its messages a body is, as gRPC frames them: a flag, a length, and so many bytes.
#[derive(Debug, Default)]
struct Framing {
    head: [u8; HEAD],
    /// How much of the next head has come.
    has: usize,
    /// How much of the message that has begun is still to come.
    left: usize,
    /// How long that message is.
    len: usize,
}

impl Framing {
    /// Goes past bytes of the body. The length of the longest message that ends in them.
    fn read(&mut self, mut bytes: &[u8]) -> usize {
        let mut longest = 0;
        while !bytes.is_empty() {
            if self.left == 0 {
                let (taken, rest) = bytes.split_at((HEAD - self.has).min(bytes.len()));
                self.head[self.has..][..taken.len()].copy_from_slice(taken);
                (self.has, bytes) = (self.has + taken.len(), rest);
                if self.has == HEAD {
                    let [_, len @ ..] = self.head;
                    self.len = u32::from_be_bytes(len) as usize;
                    (self.has, self.left) = (0, self.len);
                }
            } else {
                let taken = self.left.min(bytes.len());
                bytes = &bytes[taken..];
                self.left -= taken;
                if self.left == 0 {
                    longest = longest.max(self.len);
                }
            }
        }
        longest
    }
}

/// The body of a request, whose messages are charged before they are read.
struct Arriving {
    body: Body,
    call: Call,
    framing: Framing,
    /// For the message of which a part has come.
    current: Option<Charge>,
    /// A frame that is passed on when its message is charged.
    waiting: Option<(BoxFuture<'static, Charge>, Slot, Frame<Bytes>)>,
}

/// What a charge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// The message of which a part has come.
    Current,
    /// One that has come, and that the call keeps.
    Arrived,
}

impl Arriving {
    fn new(body: Body, call: Call) -> Self {
        let (framing, current, waiting) = (Framing::default(), None, None);
        Self { body, call, framing, current, waiting }
    }

    /// Goes past bytes of the body. What must be charged before they are passed on.
    fn due(&mut self, bytes: &[u8]) -> Option<(usize, Slot)> {
        let before = self.framing.left;
        let ended = self.framing.read(bytes);
        if before > bytes.len() {
            // Still the same message.
            return None;
        }
        let is_unary = matches!(self.call.0.kind, Kind::Unary | Kind::Side);
        let current = self.current.take();
        let was_charged = current.is_some();
        if was_charged {
            drop(put(&self.call.0.arrived, current));
        }
        if self.framing.left > 0 && self.framing.len > SMALL {
            if is_unary {
                // A unary call has one message. A further one must not wait for room while this is
                // kept.
                drop(put(&self.call.0.arrived, None));
            }
            return Some((self.framing.len, Slot::Current));
        }
        // What comes at once is read at once, unless it has to wait for its call.
        (is_unary && !was_charged && ended > SMALL).then_some((ended, Slot::Arrived))
    }

    fn charge(&mut self, charge: Charge, slot: Slot) {
        match slot {
            Slot::Current => self.current = Some(charge),
            Slot::Arrived => drop(put(&self.call.0.arrived, Some(charge))),
        }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.waiting.is_none() {
            let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(context)) else {
                return Poll::Ready(None);
            };
            let frame = frame?;
            let Some(bytes) = frame.data_ref() else { return Poll::Ready(Some(Ok(frame))) };
            this.call.client().note_progress();
            let Some((due, slot)) = this.due(bytes) else { return Poll::Ready(Some(Ok(frame))) };
            let account = this.call.arriving().clone();
            if let Some(charge) = account.try_take(due) {
                this.charge(charge, slot);
                return Poll::Ready(Some(Ok(frame)));
            }
            this.waiting = Some((async move { account.take(due).await }.boxed(), slot, frame));
        }
        let (taking, _, _) = this.waiting.as_mut().expect("it was put there");
        let charge = ready!(taking.poll_unpin(context));
        let (_, slot, frame) = this.waiting.take().expect("it is there");
        this.charge(charge, slot);
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.waiting.is_none() { self.body.size_hint() } else { SizeHint::default() }
    }
}

/// The body of an answer, which the transport gets in pieces.
struct Answering {
    body: Body,
    /// What is left of a frame.
    rest: Bytes,
    call: Call,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(context)) else {
                return Poll::Ready(None);
            };
            match frame?.into_data() {
                Ok(bytes) if bytes.len() > PIECE => this.rest = bytes,
                Ok(bytes) => {
                    this.call.client().note_progress();
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        this.call.client().note_progress();
        let piece = this.rest.split_to(PIECE.min(this.rest.len()));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() { self.body.size_hint() } else { SizeHint::default() }
    }
}

/// The bytes before each message.
const HEAD: usize = 5;

/// What need not be charged, in bytes: as much as goes with any call.
pub const SMALL: usize = 1 << 10;

/// The most of an answer that the transport gets at a time, in bytes.
const PIECE: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of messages as they are framed.
    fn framed(lens: &[u32]) -> Vec<u8> {
        let message = |len: &u32| {
            let mut bytes = vec![0];
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.resize(HEAD + *len as usize, 7);
            bytes
        };
        lens.iter().flat_map(message).collect()
    }

    #[test]
    fn messages_are_told_apart_wherever_they_are_cut() {
        let lens = [0, 3, 1000, 0, 7];
        let bytes = framed(&lens);
        for size in 1..bytes.len() {
            let mut framing = Framing::default();
            let longest = bytes.chunks(size).map(|chunk| framing.read(chunk)).max();
            assert_eq!((longest, framing.left, framing.has), (Some(1000), 0, 0), "{size}");
        }
    }

    fn arriving(kind: Kind) -> (Arriving, Client) {
        let bounds = Bounds::new(crate::net::bounds::Limits::default());
        let client = bounds.client();
        let call = Call::open(&client, kind).unwrap();
        (Arriving::new(Body::empty(), call), client)
    }

    #[tokio::test]
    async fn a_message_is_charged_once_and_before_the_rest_of_it_comes() {
        let bytes = framed(&[5000, 100, 6000]);
        for kind in [Kind::Stream, Kind::Dispatch, Kind::Unary] {
            let (mut body, client) = arriving(kind);
            let mut all = Vec::new();
            for chunk in bytes.chunks(1000) {
                if let Some((due, slot)) = body.due(chunk) {
                    all.push((due, slot));
                    let charge = client.requests().try_take(due).unwrap();
                    body.charge(charge, slot);
                }
            }
            assert_eq!(all, [(5000, Slot::Current), (6000, Slot::Current)], "{kind:?}");
            assert_eq!(client.requests().taken(), 6000, "the last message, until it is settled");
            body.call.settle();
            assert_eq!(client.requests().taken(), 0);
        }
    }

    #[tokio::test]
    async fn a_whole_message_is_charged_where_it_is_kept() {
        let bytes = framed(&[5000]);
        assert_eq!(arriving(Kind::Unary).0.due(&bytes), Some((5000, Slot::Arrived)));
        assert_eq!(arriving(Kind::Stream).0.due(&bytes), None);
        assert_eq!(arriving(Kind::Unary).0.due(&framed(&[100])), None);
    }
}
