//! What one replica has to say to one other: a bounded queue, and one task that writes it to the
//! stream which the replica opened at the other.
//!
//! A link never blocks the event loop, and promises nothing: what does not fit, what waits while
//! the other side cannot be reached, and what is on its way when a stream breaks, is lost. The
//! protocol asks again.
//!
//! A stream begins with a handshake ([`handshake`](crate::net::handshake)): no message goes out
//! before the other side has said who it is.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use futures::task::AtomicWaker;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Streaming};
use tracing::{debug, info, warn};

use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::message::Envelope;
use crate::net::convert::Dialect;
use crate::net::convert::earlier::Said;
use crate::net::handshake::Handshake;
use crate::net::liveness::{Dialer, Distance};
use crate::net::spellings::Spellings;
use crate::net::wire;
use crate::net::wire::replica_client::ReplicaClient;

/// The near end of a link.
#[derive(Clone, Debug)]
pub struct Link {
    queue: mpsc::Sender<Queued>,
    /// How many bytes the messages in the queue take.
    waiting: Arc<AtomicU64>,
    losses: Losses,
}

/// A message in a queue. When it leaves, however it does, its bytes are no longer counted.
#[derive(Debug)]
struct Queued {
    envelope: Option<Envelope>,
    bytes: u64,
    waiting: Arc<AtomicU64>,
}

impl Queued {
    fn take(mut self) -> Envelope {
        self.envelope.take().expect("it is taken once")
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Who is told of each message that is given up.
#[derive(Clone)]
pub struct Losses(Arc<dyn Fn(MessageId) + Send + Sync>);

impl Losses {
    /// Calls `tell` for each message that is given up.
    pub fn new(tell: impl Fn(MessageId) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl fmt::Debug for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Losses")
    }
}

impl Link {
    /// A link to the replica `to` at `address`, as `host:port`, and the task that must run for it
    /// to work. `None` where that is no address.
    pub fn new(
        dialect: Dialect,
        to: ReplicaId,
        (address, distance): (&str, Distance),
        handshake: Arc<dyn Handshake>,
        losses: Losses,
    ) -> Option<(Link, Writer)> {
        let dialer = Dialer::new(address, distance)?;
        let (queue, queued) = mpsc::channel(QUEUE);
        let link = Link { queue, waiting: Arc::default(), losses: losses.clone() };
        let queued = Arc::new(Mutex::new(queued));
        let (spelling_out, spellings) = (false, Spellings::default());
        let writer =
            Writer { dialect, to, dialer, handshake, queued, losses, spelling_out, spellings };
        Some((link, writer))
    }

    /// Sends a message, or loses it where the queue is full: it holds 64 Ki messages, and no more than
    /// 32 MiB, except that one message always fits.
    pub fn send(&self, envelope: Envelope) {
        let bytes = envelope.message.bytes();
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let queued = Queued { envelope: Some(envelope), bytes, waiting: self.waiting.clone() };
        let refused = if before > 0 && before + bytes > QUEUE_BYTES {
            Some(queued)
        } else {
            self.queue.try_send(queued).err().map(TrySendError::into_inner)
        };
        if let Some(queued) = refused {
            self.lose(&queued.take());
        }
    }

    /// Gives a message up.
    pub fn lose(&self, envelope: &Envelope) {
        (self.losses.0)(envelope.id);
    }
}

/// The one task that writes to a peer.
#[derive(Debug)]
pub struct Writer {
    dialect: Dialect,
    to: ReplicaId,
    dialer: Dialer,
    handshake: Arc<dyn Handshake>,
    /// Shared with the stream that is open, which is the transport's.
    queued: Arc<Mutex<mpsc::Receiver<Queued>>>,
    losses: Losses,
    /// Whether commands are spelled out each time.
    spelling_out: bool,
    spellings: Spellings,
}

/// What goes out on one stream: the transport takes from the queue what it has room for.
struct Outgoing {
    dialect: Dialect,
    /// What has gone out on it.
    said: Said,
    queued: Arc<Mutex<mpsc::Receiver<Queued>>>,
    valve: Arc<Valve>,
}

/// Whether messages go out on one stream.
#[derive(Debug)]
struct Valve {
    state: AtomicU8,
    /// The transport, which waits for it to open.
    waker: AtomicWaker,
}

/// The other side has not said who it is.
const SHUT: u8 = 0;

/// Messages go out.
const OPEN: u8 = 1;

/// The stream is known to have ended: the transport may not have noticed yet.
const OVER: u8 = 2;

impl Valve {
    fn new(state: u8) -> Arc<Self> {
        Arc::new(Self { state: AtomicU8::new(state), waker: AtomicWaker::new() })
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Release);
        self.waker.wake();
    }

    fn get(&self) -> u8 {
        self.state.load(Ordering::Acquire)
    }
}

impl Stream for Outgoing {
    type Item = wire::Envelope;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<wire::Envelope>> {
        if self.valve.get() == SHUT {
            self.valve.waker.register(context.waker());
        }
        match self.valve.get() {
            SHUT => return Poll::Pending,
            OVER => return Poll::Ready(None),
            _ => {}
        }
        let envelope = ready!(lock(&self.queued).poll_recv(context)).map(Queued::take);
        let Self { dialect, said, .. } = &mut *self;
        Poll::Ready(envelope.map(|envelope| dialect.write(envelope, said)))
    }
}

fn lock(queued: &Mutex<mpsc::Receiver<Queued>>) -> MutexGuard<'_, mpsc::Receiver<Queued>> {
    queued.lock().expect("nobody panics holding it")
}

impl Writer {
    /// The same, for a receiver of which nothing is known but that it speaks `epaxos.v1`: no message
    /// calls by name what an earlier one has spelled out.
    #[must_use]
    pub fn spelling_out(self) -> Self {
        Self { spelling_out: true, ..self }
    }

    /// The same, one of those that tell several peers the same.
    #[must_use]
    pub fn sharing(self, spellings: Spellings) -> Self {
        Self { spellings, ..self }
    }

    /// Writes until it is cancelled, dialling again whenever it has to.
    pub async fn run(mut self, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.keep_writing()).await;
    }

    async fn keep_writing(&mut self) {
        let (from, to) = (self.dialect.me, self.to);
        let mut backoff = BACKOFF_MIN;
        // Whether the log says that the peer cannot be reached.
        let mut is_lost = false;
        while !self.is_over() {
            let dialled = Instant::now();
            let valve = Valve::new(if self.handshake.waits_for_answer() { SHUT } else { OPEN });
            match self.open(&valve).await {
                Ok(mut silence) => {
                    if std::mem::take(&mut is_lost) {
                        info!("the link from {from} to {to} is up again");
                    } else {
                        debug!("the link from {from} to {to} is up");
                    }
                    let up = Instant::now();
                    let why = match silence.message().await {
                        Ok(_) => "the stream has ended".to_owned(),
                        Err(status) => {
                            self.handshake.ended(to, &status);
                            status.message().to_owned()
                        }
                    };
                    warn!("the link from {from} to {to} is down: {why}");
                    is_lost = true;
                    if up.elapsed() > BACKOFF_MAX {
                        backoff = BACKOFF_MIN;
                    }
                }
                Err(_) if is_lost => {}
                Err(error) => {
                    warn!("{from} cannot reach {to}: {error}");
                    is_lost = true;
                }
            }
            valve.set(OVER);
            // What is old by the time the peer is back would only be in the way.
            loop {
                let queued = lock(&self.queued).try_recv();
                let Ok(envelope) = queued else { break };
                (self.losses.0)(envelope.take().id);
            }
            // What dialling took counts, so that a peer that can be reached again is found soon.
            let next = (dialled + backoff).max(Instant::now() + BACKOFF_MIN);
            tokio::time::sleep_until(next).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Whether nobody writes any more, and all is written.
    fn is_over(&self) -> bool {
        let queued = lock(&self.queued);
        queued.is_closed() && queued.is_empty()
    }

    /// Opens a stream at the peer. What comes back on it says nothing until it ends.
    async fn open(&self, valve: &Arc<Valve>) -> Result<Streaming<wire::DispatchResponse>, String> {
        let channel = self.dialer.connect().await.map_err(|error| root(&error))?;
        let (dialect, queued, valve) = (self.dialect, self.queued.clone(), valve.clone());
        let said = Said::new(self.spellings.clone(), self.spelling_out);
        let mut request = Request::new(Outgoing { dialect, said, queued, valve: valve.clone() });
        *request.metadata_mut() = self.handshake.introduce(self.to).await;
        let answer = ReplicaClient::new(channel).dispatch(request).await.map_err(|status| {
            self.handshake.ended(self.to, &status);
            status.message().to_owned()
        })?;
        self.handshake.check_answer(self.to, answer.metadata())?;
        valve.set(OPEN);
        Ok(answer.into_inner())
    }
}

/// The innermost cause, which is the one that says what happened.
pub(super) fn root(error: &dyn std::error::Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

/// How many messages may wait for one peer.
const QUEUE: usize = 64 << 10;

/// How many bytes the messages may take that wait for one peer: four of the largest batches. A process
/// with five replicas has twenty such queues.
const QUEUE_BYTES: u64 = 32 << 20;

/// How long to wait before dialling again, the first time.
const BACKOFF_MIN: Duration = Duration::from_millis(10);

/// The longest time from one attempt to the next, unless an attempt takes longer itself.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

    use super::*;
    use crate::epaxos::attributes::Attributes;
    use crate::epaxos::command::{Command, Operation, Payload, RequestId};
    use crate::epaxos::id::{Ballot, InstanceId};
    use crate::epaxos::instance::Path;
    use crate::epaxos::message::{AcceptReply, Commit, Message};
    use crate::net::bounds::{Bounds, Limits};
    use crate::net::handshake::admission::{Admission, Tell};
    use crate::net::handshake::{Hello, Incarnation};
    use crate::net::server::{Incoming, Service, serve};

    const FROM: Dialect = Dialect { me: ReplicaId(1), replicas: 3 };
    const TO: Dialect = Dialect { me: ReplicaId(0), replicas: 3 };

    fn envelope(number: u64) -> Envelope {
        let instance = InstanceId::new(TO.me, number);
        let reply = AcceptReply { instance, ballot: Ballot::initial(TO.me) };
        let id = MessageId { sender: FROM.me, number, copy: 0 };
        Envelope { id, to: TO.me, message: Message::AcceptReply(reply) }
    }

    fn handshake(me: Dialect) -> Arc<dyn Handshake> {
        let endpoints = ["a:1", "b:2", "c:3"].map(str::to_owned).into();
        let me = Hello { replica: me.me, endpoints, incarnation: Incarnation(1) };
        Arc::new(Admission::new(me, Tell::default()))
    }

    fn connect(address: &str, losses: Losses) -> (Link, Writer) {
        Link::new(FROM, TO.me, (address, Distance::Network), handshake(FROM), losses).unwrap()
    }

    /// A replica's services, and its queue.
    async fn replica(
        cancel: &CancellationToken,
    ) -> (SocketAddr, mpsc::Receiver<Incoming<()>>, Service<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (queue, incoming) = mpsc::channel(1000);
        let cancel = cancel.clone();
        let (refused, handshake) = (Arc::default(), handshake(TO));
        let bounds = Bounds::new(Limits::default());
        let service = Service { dialect: TO, queue, handshake, refused, bounds, cancel };
        tokio::spawn(serve(listener, service.clone()));
        (address, incoming, service)
    }

    /// Passes bytes between whoever dials it and `behind`. The streams in the list can be cut.
    fn proxy(behind: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<TcpStream>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let open = streams.clone();
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (near, far) = (near.unwrap(), TcpStream::connect(behind).unwrap());
                for (mut from, mut to) in [
                    (near.try_clone().unwrap(), far.try_clone().unwrap()),
                    (far.try_clone().unwrap(), near.try_clone().unwrap()),
                ] {
                    std::thread::spawn(move || std::io::copy(&mut from, &mut to).ok());
                }
                open.lock().unwrap().extend([near, far]);
            }
        });
        (address, streams)
    }

    /// What has come, message by message.
    struct Arrivals {
        incoming: mpsc::Receiver<Incoming<()>>,
        read: VecDeque<u64>,
    }

    impl Arrivals {
        async fn number(&mut self) -> Option<u64> {
            if self.read.is_empty() {
                let next = tokio::time::timeout(Duration::from_secs(10), self.incoming.recv());
                if let Some(Incoming::Peer(envelopes, _)) = next.await.expect("a message arrives") {
                    self.read.extend(envelopes.iter().map(|envelope| envelope.id.number));
                }
            }
            self.read.pop_front()
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_link_that_is_cut_dials_again() {
        let cancel = CancellationToken::new();
        let (behind, incoming, service) = replica(&cancel).await;
        let mut arrivals = Arrivals { incoming, read: VecDeque::new() };
        let (address, streams) = proxy(behind);
        let losses = Losses::new(|_| {});
        let (link, writer) = connect(&address.to_string(), losses);
        let writer = tokio::spawn(writer.run(cancel.clone()));
        let mut next = 0;
        for _cut in 0..3 {
            link.send(envelope(next));
            // What was sent just before a cut may be lost, and what is sent until it is noticed.
            let first = loop {
                let wait = tokio::time::timeout(Duration::from_millis(5), arrivals.number());
                if let Ok(number) = wait.await {
                    break number.unwrap();
                }
                next += 1;
                link.send(envelope(next));
            };
            let mut last = first;
            while last < next {
                let number = arrivals.number().await.unwrap();
                assert_eq!(number, last + 1, "nothing is lost or out of order on a whole stream");
                last = number;
            }
            next += 1;
            for stream in streams.lock().unwrap().drain(..) {
                stream.shutdown(Shutdown::Both).ok();
            }
        }
        assert_eq!(service.refused.load(std::sync::atomic::Ordering::Relaxed), 0);
        cancel.cancel();
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn a_queue_is_bounded_by_the_bytes_of_its_messages() {
        let (tell, mut lost) = mpsc::unbounded_channel();
        let losses = Losses::new(move |id| tell.send(id.number).unwrap_or_default());
        let (link, writer) =
            Link::new(FROM, TO.me, ("127.0.0.1:1", Distance::Network), handshake(FROM), losses)
                .unwrap();
        let large = |number| {
            let operation = Operation::Put("x".into(), vec![b'v'; 1 << 20].into());
            let payload = Payload::one(Command { request: RequestId::named("a", 1), operation });
            let instance = InstanceId::new(FROM.me, number);
            let (attributes, path) = (Attributes::FIRST, Path::Fast);
            let commit = Commit { instance, payload, attributes, path };
            Envelope { message: Message::Commit(commit), ..envelope(number) }
        };
        (0..100).for_each(|number| link.send(large(number)));
        assert!(link.waiting.load(Ordering::Relaxed) <= QUEUE_BYTES);
        // 31 fit, with what each takes beside its value.
        assert_eq!(lost.try_recv(), Ok(31));
        assert_eq!(std::iter::from_fn(|| lost.try_recv().ok()).count(), 68);
        // What is small fits beside them, and what has left makes room.
        link.send(envelope(100));
        assert!(lost.try_recv().is_err());
        while lock(&writer.queued).try_recv().is_ok() {}
        assert_eq!(link.waiting.load(Ordering::Relaxed), 0);
        link.send(large(101));
        assert!(lost.try_recv().is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_nobody_takes_is_lost_and_counted_and_blocks_nobody() {
        let cancel = CancellationToken::new();
        // Kept, so that nobody else is given it, and dialled in vain.
        let unused = tokio::net::TcpSocket::new_v4().unwrap();
        unused.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = unused.local_addr().unwrap().to_string();
        let (tell, mut lost) = mpsc::unbounded_channel();
        let losses = Losses::new(move |id| tell.send(id.number).unwrap_or_default());
        let (link, writer) = connect(&address, losses);
        let many = QUEUE as u64 + 10;
        (0..many).for_each(|number| link.send(envelope(number)));
        for number in many - 10..many {
            assert_eq!(lost.recv().await, Some(number), "there was no room for it");
        }
        tokio::spawn(writer.run(cancel.clone()));
        for number in 0..many - 10 {
            assert_eq!(lost.recv().await, Some(number), "nobody was there to take it");
        }
        cancel.cancel();
    }
}
