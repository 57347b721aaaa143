//! Admitting connections, and ending those that nobody uses.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep};
use tonic::transport::server::{Connected, TcpIncoming};
use tracing::{debug, warn};

use crate::net::bounds::{Bounds, Client, Overstay, Place, Topic};

/// Where connections come from.
trait Accept {
    /// Waits for the next one.
    fn accept(&mut self) -> impl Future<Output = io::Result<TcpStream>> + Send;
}

impl Accept for TcpIncoming {
    async fn accept(&mut self) -> io::Result<TcpStream> {
        self.next().await.expect("a listener has no end")
    }
}

/// The connections that `listener` accepts and the bounds admit. `name` is the listener's, for the
/// log.
pub fn incoming(
    listener: TcpListener,
    bounds: Arc<Bounds>,
    name: String,
) -> impl Stream<Item = io::Result<Guarded>> {
    let listener = TcpIncoming::from(listener).with_nodelay(Some(true));
    let door = Door { listener, bounds, name, refusing: Arc::new(Semaphore::new(REFUSING)) };
    futures::stream::unfold(door, async move |mut door| {
        let guarded = door.next().await;
        Some((Ok(guarded), door))
    })
}

struct Door<L> {
    listener: L,
    bounds: Arc<Bounds>,
    name: String,
    /// For how many more connections there is a task that refuses them in words.
    refusing: Arc<Semaphore>,
}

impl<L: Accept> Door<L> {
    /// The next connection that is admitted.
    async fn next(&mut self) -> Guarded {
        let mut backoff = BACKOFF_MIN;
        loop {
            match self.listener.accept().await {
                Ok(stream) => {
                    backoff = BACKOFF_MIN;
                    match self.bounds.connect() {
                        Some((client, place)) => return Guarded::new(stream, client, place),
                        None => self.refuse(stream),
                    }
                }
                // The client gave up before it was accepted. Others may wait.
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    self.bounds.accept_failures.fetch_add(1, Ordering::Relaxed);
                    self.bounds.log(Topic::Connections, |more| {
                        warn!("{} cannot accept connections: {error}{more}", self.name);
                    });
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    /// Tells a client that there are too many connections, and ends this one.
    fn refuse(&self, stream: TcpStream) {
        self.bounds.connections_refused.fetch_add(1, Ordering::Relaxed);
        let limit = self.bounds.limits.connections;
        self.bounds.log(Topic::Connections, |more| {
            let from = stream.peer_addr().map_or("a client".to_owned(), |it| it.to_string());
            let why = format!("{limit} are open, and no more are allowed");
            warn!("{} refused a connection from {from}: {why}{more}", self.name);
        });
        // Where many are refused at once, the others end without a word.
        if let Ok(turn) = self.refusing.clone().try_acquire_owned() {
            let reason = format!("{} has {limit} connections open; try again later", self.name);
            tokio::spawn(async move {
                tokio::time::timeout(REFUSAL_LIMIT, say_goodbye(stream, &reason)).await.ok();
                drop(turn);
            });
        }
    }
}

/// Whether an error concerns one connection and not the listener.
fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Ends a connection as HTTP/2 does it: the server's settings, and a GOAWAY with a reason.
async fn say_goodbye(mut stream: TcpStream, reason: &str) -> io::Result<()> {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: u8 = 7;
    const ENHANCE_YOUR_CALM: u32 = 0xb;
    let len = u32::try_from(8 + reason.len()).expect("a reason is short").to_be_bytes();
    let mut frames = SETTINGS.to_vec();
    frames.extend_from_slice(&len[1..]);
    // No flags, of the connection, and no stream of it was served.
    frames.extend_from_slice(&[GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    frames.extend_from_slice(&ENHANCE_YOUR_CALM.to_be_bytes());
    frames.extend_from_slice(reason.as_bytes());
    stream.write_all(&frames).await?;
    stream.shutdown().await?;
    // Closed with something unread, the connection would be reset, and the reason be lost.
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// A connection that ends when it has been of no use for too long.
#[derive(Debug)]
pub struct Guarded {
    stream: TcpStream,
    client: Client,
    /// Bytes of the client until it has said more than HTTP/2 begins with.
    greeting: usize,
    tick: Pin<Box<Sleep>>,
    ended: Option<Overstay>,
    _place: Place,
}

impl Guarded {
    fn new(stream: TcpStream, client: Client, place: Place) -> Self {
        let tick = Box::pin(sleep(client.0.bounds.limits.tick()));
        Self { stream, client, greeting: 0, tick, ended: None, _place: place }
    }

    /// Looks after the connection from time to time, while it waits for the client.
    fn is_ended(&mut self, context: &mut Context<'_>) -> Option<Overstay> {
        while self.ended.is_none() && self.tick.as_mut().poll(context).is_ready() {
            let bounds = &self.client.0.bounds;
            self.ended = self.client.overstays();
            match self.ended {
                None => self.tick.as_mut().reset(Instant::now() + bounds.limits.tick()),
                Some(Overstay::Idle) => {
                    bounds.connections_idle.fetch_add(1, Ordering::Relaxed);
                    debug!("a connection without calls is closed");
                }
                Some(Overstay::Stalled) => {
                    bounds.connections_stalled.fetch_add(1, Ordering::Relaxed);
                    bounds.log(Topic::Stalled, |more| {
                        let what = "keeps bytes that others need, and neither sends nor reads";
                        warn!("a connection is closed that {what}{more}");
                    });
                }
            }
        }
        self.ended
    }

    fn note_greeting(&mut self, bytes: usize) {
        if self.greeting < GREETING {
            self.greeting += bytes;
            if self.greeting >= GREETING {
                self.client.0.greeted.store(true, Ordering::Relaxed);
            }
        }
    }

    /// What a write comes to that the transport is not ready for.
    fn blocked<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        match self.is_ended(context) {
            None => Poll::Pending,
            Some(_) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl Connected for Guarded {
    type ConnectInfo = Client;

    fn connect_info(&self) -> Client {
        self.client.clone()
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                self.note_greeting(buffer.filled().len() - before);
                Poll::Ready(read)
            }
            Poll::Pending => match self.is_ended(context) {
                None => Poll::Pending,
                // As if the client had left.
                Some(Overstay::Idle) => Poll::Ready(Ok(())),
                Some(Overstay::Stalled) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            },
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => self.blocked(context),
            written @ Poll::Ready(_) => written,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(context, pieces) {
            Poll::Pending => self.blocked(context),
            written @ Poll::Ready(_) => written,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The bytes with which a client begins: the preface of HTTP/2, and a frame of settings.
const GREETING: usize = 24 + 9;

/// How many connections are refused in words at a time.
const REFUSING: usize = 8;

/// How long a client that is refused may take to leave.
const REFUSAL_LIMIT: Duration = Duration::from_secs(1);

/// How long to wait after a failure to accept, the first time.
const BACKOFF_MIN: Duration = Duration::from_millis(10);

/// The longest wait.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::net::bounds::Limits;

    /// Fails until the end of time, as at the limit of open files.
    struct Full(AtomicUsize);

    impl Accept for Full {
        async fn accept(&mut self) -> io::Result<TcpStream> {
            self.0.fetch_add(1, Ordering::Relaxed);
            // "Too many open files".
            Err(io::Error::from_raw_os_error(24))
        }
    }

    #[tokio::test]
    async fn a_listener_that_cannot_accept_waits_longer_and_longer() {
        let bounds = Bounds::new(Limits::default());
        let refusing = Arc::new(Semaphore::new(REFUSING));
        let listener = Full(AtomicUsize::new(0));
        let mut door = Door { listener, bounds: bounds.clone(), name: "R0".to_owned(), refusing };
        let waited = Duration::from_millis(500);
        assert!(tokio::time::timeout(waited, door.next()).await.is_err());
        // 10, 20, 40, 80, 160 and 320 ms: a machine that stands still makes them fewer.
        let failures = door.listener.0.load(Ordering::Relaxed);
        assert!((1..=7).contains(&failures), "{failures} attempts in {waited:?}");
        assert_eq!(bounds.usage().accept_failures, failures as u64);
    }
}
