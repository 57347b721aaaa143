//! Asking for operations, many at a time, and noting how long each took.
//!
//! In a *closed* loop a client asks for the next operation when one is answered: what it measures is
//! how much can be done. A server that stands still for a second is then asked for nothing in that
//! second, and its latencies look better than a user's would be. In an *open* loop operations are due
//! at fixed times, whether or not earlier ones are answered, and the latency of each counts from when
//! it was due.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::OptionFuture;
use futures::stream::BoxStream;
use futures::task::AtomicWaker;
use futures::{FutureExt, Stream, StreamExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::bench::due::{Due, Pace};
use crate::bench::sample::Sample;
use crate::bench::workload::{Operations, Workload};
use crate::epaxos::command::{Command, Operation, RequestId};
use crate::epaxos::id::ReplicaId;
use crate::net::bare::BareConnection;
use crate::net::client::{CallError, Connection};

/// How a client calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// One call for each operation.
    Unary,
    /// One stream, on which all operations go.
    Stream,
}

/// When a load is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// After this time.
    Time(Duration),
    /// After this many operations, over all clients.
    Count(u64),
}

/// What to ask for, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// How many clients there are, each with a connection of its own, the first to the first server.
    pub clients: usize,
    /// How they call.
    pub call: Call,
    /// When they ask.
    pub pace: Pace,
    /// Whether what they ask is a server with nothing behind it.
    pub bare: bool,
    /// What they ask for.
    pub workload: Workload,
    /// How long they ask before anything counts.
    pub warm_up: Duration,
    /// When it is over, counted from then.
    pub limit: Limit,
}

/// How many operations have been answered, for whoever waits.
#[derive(Debug, Default)]
pub struct Progress {
    answered: AtomicU64,
    /// All answers, those during the warm-up included.
    heard: AtomicU64,
}

impl Progress {
    /// How many operations that count have been answered.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Load {
    /// Puts the load on the servers at `endpoints`, and says what came of it. `begun` is called when
    /// the warm-up is over.
    pub async fn run(
        &self,
        endpoints: &[String],
        progress: &Arc<Progress>,
        begun: impl Future<Output = ()>,
    ) -> Result<Sample, CallError> {
        let mut begun = pin!(begun);
        if self.warm_up.is_zero() {
            // Everything counts, the first operation included.
            begun.as_mut().await;
        }
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for index in 0..self.clients {
            let endpoint = &endpoints[index % endpoints.len()];
            let connection = if self.bare {
                BareConnection::new(endpoint).map(Server::Bare)
            } else {
                Connection::new(endpoint).map(Server::Replica)
            };
            let connection = connection
                .ok_or_else(|| CallError::Unreachable("there is no such address".to_owned()))?;
            let client = Client {
                start,
                from: self.warm_up,
                limit: self.limit_of(index),
                operations: self.workload.operations(index, self.clients),
                progress: progress.clone(),
            };
            match self.call {
                Call::Unary => drop(clients.spawn(client.call(connection, self.pace_of(index)))),
                Call::Stream => drop(clients.spawn(client.stream(connection, self.pace_of(index)))),
            }
        }
        if !self.warm_up.is_zero() {
            sleep_until(start + self.warm_up).await;
            begun.await;
        }
        let mut sample = Sample::default();
        let mut heard = progress.heard.load(Ordering::Relaxed);
        while !clients.is_empty() {
            match tokio::time::timeout(PATIENCE, clients.join_next()).await {
                Ok(client) => {
                    let client = client.into_iter().next().expect("there are some left");
                    sample.add(&client.expect("a client does not panic")?);
                }
                Err(_) if progress.heard.load(Ordering::Relaxed) == heard => {
                    let patience = humantime::format_duration(PATIENCE);
                    let sentence = format!("nothing has been answered for {patience}");
                    return Err(CallError::Unreachable(sentence));
                }
                Err(_) => heard = progress.heard.load(Ordering::Relaxed),
            }
        }
        if let Limit::Time(time) = self.limit {
            sample.time = time;
        }
        Ok(sample)
    }

    /// One client's share of what all have under way, or of the rate.
    fn pace_of(&self, client: usize) -> Pace {
        match self.pace {
            Pace::InFlight { most, think } => {
                Pace::InFlight { most: share(most, client, self.clients), think }
            }
            #[expect(clippy::cast_precision_loss, reason = "there are few clients")]
            Pace::Rate(all) => Pace::Rate(all / self.clients as f64),
        }
    }

    fn limit_of(&self, client: usize) -> Limit {
        match self.limit {
            Limit::Count(all) => Limit::Count(share(all, client, self.clients)),
            limit @ Limit::Time(_) => limit,
        }
    }
}

/// The share of `all` that one of `clients` has.
fn share(all: u64, client: usize, clients: usize) -> u64 {
    let (client, clients) = (client as u64, clients as u64);
    all / clients + u64::from(client < all % clients)
}

/// What is asked.
#[derive(Clone, Debug)]
enum Server {
    Replica(Connection),
    Bare(BareConnection),
}

impl Server {
    async fn propose(self, operation: Operation) -> Result<(), CallError> {
        match self {
            Self::Replica(connection) => {
                // It is written without its name.
                let request = RequestId::anonymous(ReplicaId(0), 0);
                connection.propose(&Command { request, operation }).await.map(drop)
            }
            Self::Bare(connection) => connection.propose(&operation).await,
        }
    }

    /// Asks for operations on a stream. What comes back are the numbers of those that are answered.
    async fn pipeline(
        self,
        flow: Flow,
    ) -> Result<BoxStream<'static, Result<u64, CallError>>, CallError> {
        Ok(match self {
            Self::Replica(connection) => {
                let answers = connection.pipeline(flow).await?;
                answers.map(|answer| answer.map(|(number, _)| number)).boxed()
            }
            Self::Bare(connection) => connection.pipeline(flow).await?,
        })
    }
}

/// One client.
struct Client {
    start: Instant,
    /// From when on answers count.
    from: Duration,
    limit: Limit,
    operations: Operations,
    progress: Arc<Progress>,
}

impl Client {
    /// Asks for every operation with a call of its own.
    async fn call(mut self, server: Server, pace: Pace) -> Result<Sample, CallError> {
        let mut tally = Tally::new(self.start, self.from, self.limit, self.progress.clone());
        // What is due later than that is not waited for.
        let mut end = pin!(OptionFuture::from(tally.end().map(sleep_until)));
        let mut calls = futures::stream::FuturesUnordered::new();
        let mut due = Due::new(self.start, pace);
        let call = |asked: Duration, operation: Operation| {
            let server = server.clone();
            // In a task, so that the calls of one client do not wait for each other's turn.
            tokio::spawn(async move { (asked, server.propose(operation).await) })
        };
        loop {
            while !tally.is_over()
                && let Some(asked) = due.take(calls.len() as u64)
            {
                calls.push(call(asked, self.operations.draw()));
            }
            tokio::select! {
                Some(answered) = calls.next(), if !calls.is_empty() => {
                    let (asked, answer) = answered.expect("a call does not panic");
                    answer?;
                    tally.note(asked);
                    while let Some(Some(answered)) = calls.next().now_or_never() {
                        let (asked, answer) = answered.expect("a call does not panic");
                        answer?;
                        tally.note(asked);
                    }
                    tally.tell();
                }
                () = due.next(), if !tally.is_over() => {}
                Some(()) = &mut end, if !tally.is_over() => {}
                else => return Ok(tally.finish()),
            }
            if tally.is_over() && calls.is_empty() {
                return Ok(tally.finish());
            }
        }
    }

    /// Asks for all operations on one stream. An operation's number is the time at which it was due,
    /// in nanoseconds, so that nothing need be remembered of it.
    async fn stream(self, server: Server, pace: Pace) -> Result<Sample, CallError> {
        let mut tally = Tally::new(self.start, self.from, self.limit, self.progress);
        let mut end = pin!(OptionFuture::from(tally.end().map(sleep_until)));
        let link = Arc::new(Link::default());
        let flow = Flow {
            link: link.clone(),
            operations: self.operations,
            asked: 0,
            due: Due::new(self.start, pace),
        };
        let answers = server.pipeline(flow).await?;
        let mut answers = answers.ready_chunks(ANSWERS_AT_ONCE);
        loop {
            tokio::select! {
                chunk = answers.next() => {
                    let Some(chunk) = chunk else { return Ok(tally.finish()) };
                    let count = chunk.len() as u64;
                    for answer in chunk {
                        tally.note(Duration::from_nanos(answer?));
                    }
                    tally.tell();
                    link.answered.fetch_add(count, Ordering::Release);
                }
                Some(()) = &mut end, if !link.over.load(Ordering::Acquire) => {}
            }
            if tally.is_over() {
                link.over.store(true, Ordering::Release);
            }
            link.waker.wake();
        }
    }
}

/// What the two ends of a stream have in common.
#[derive(Debug, Default)]
struct Link {
    answered: AtomicU64,
    over: AtomicBool,
    /// Of the end that asks, while it waits.
    waker: AtomicWaker,
}

/// The operations of one stream, as the transport has room for them and they are due.
struct Flow {
    link: Arc<Link>,
    operations: Operations,
    asked: u64,
    due: Due,
}

impl Stream for Flow {
    type Item = (u64, Operation);

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        // Before looking, or what is answered in between would wake nobody.
        this.link.waker.register(context.waker());
        if this.link.over.load(Ordering::Acquire) {
            return Poll::Ready(None);
        }
        let open = this.asked - this.link.answered.load(Ordering::Acquire);
        loop {
            if let Some(due) = this.due.take(open) {
                this.asked += 1;
                let number = u64::try_from(due.as_nanos()).expect("a load takes no centuries");
                return Poll::Ready(Some((number, this.operations.draw())));
            }
            if this.due.poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// What one client has measured so far.
struct Tally {
    start: Instant,
    from: Duration,
    limit: Limit,
    sample: Sample,
    /// How many answers are not in the progress yet, and how many of the sample.
    untold: (u64, u64),
    progress: Arc<Progress>,
    over: bool,
}

impl Tally {
    fn new(start: Instant, from: Duration, limit: Limit, progress: Arc<Progress>) -> Self {
        Self {
            start,
            from,
            limit,
            sample: Sample::default(),
            untold: (0, 0),
            progress,
            over: false,
        }
    }

    /// Notes an answer to what was due at `asked`.
    fn note(&mut self, asked: Duration) {
        let now = self.start.elapsed();
        self.untold.0 += 1;
        if self.over {
            return;
        }
        let Some(since) = now.checked_sub(self.from) else { return };
        if let Limit::Time(time) = self.limit
            && since >= time
        {
            self.over = true;
            return;
        }
        self.sample.note(now.saturating_sub(asked));
        self.sample.time = since;
        self.untold.1 += 1;
        if let Limit::Count(count) = self.limit {
            self.over = self.sample.answered() >= count;
        }
    }

    /// Tells whoever waits.
    fn tell(&mut self) {
        let (heard, answered) = std::mem::take(&mut self.untold);
        self.progress.heard.fetch_add(heard, Ordering::Relaxed);
        self.progress.answered.fetch_add(answered, Ordering::Relaxed);
    }

    /// Whether no more need be asked for. A client that has no answers for so long is over, too.
    fn is_over(&self) -> bool {
        self.over || self.end().is_some_and(|end| Instant::now() >= end)
    }

    /// When no more is asked for, where that is said by the clock.
    fn end(&self) -> Option<Instant> {
        match self.limit {
            Limit::Time(time) => Some(self.start + self.from + time),
            Limit::Count(_) => None,
        }
    }

    fn finish(self) -> Sample {
        self.sample
    }
}

/// How many answers of a stream are taken before the other end hears of them.
const ANSWERS_AT_ONCE: usize = 64;

/// For how long nothing need be answered until a load is given up.
const PATIENCE: Duration = Duration::from_secs(10);
