//! Asking for operations, many at a time, and noting how long each took.
//!
//! In a *closed* loop a client asks for the next operation when one is answered: what it measures is
//! how much can be done. A server that stands still for a second is then asked for nothing in that
//! second, and its latencies look better than a user's would be. In an *open* loop operations are due
//! at fixed times, whether or not earlier ones are answered, and the latency of each counts from when
//! it was due.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::AtomicWaker;
use futures::{FutureExt, Stream, StreamExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::bench::sample::Sample;
use crate::bench::workload::{Operations, Workload};
use crate::epaxos::command::{Command, Operation, RequestId};
use crate::epaxos::id::ReplicaId;
use crate::net::client::{CallError, Connection};

/// How a client calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// One call for each operation.
    Unary,
    /// One stream, on which all operations go.
    Stream,
}

/// When the next operation is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// When one of so many, over all clients, is answered.
    InFlight(u64),
    /// So many a second, over all clients.
    Rate(f64),
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
    /// What they ask for.
    pub workload: Workload,
    /// How long they ask before anything counts.
    pub warm_up: Duration,
    /// When it is over, counted from then.
    pub limit: Limit,
}

/// How many operations have been answered, for whoever waits; and whether they may go on.
#[derive(Debug, Default)]
pub struct Progress {
    answered: AtomicU64,
    over: AtomicBool,
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
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for index in 0..self.clients {
            let connection = Connection::new(&endpoints[index % endpoints.len()]);
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
        tokio::time::sleep_until(start + self.warm_up).await;
        begun.await;
        let mut sample = Sample::default();
        while let Some(client) = clients.join_next().await {
            sample.add(&client.expect("a client does not panic")?);
        }
        progress.over.store(true, Ordering::Relaxed);
        if let Limit::Time(time) = self.limit {
            sample.time = time;
        }
        Ok(sample)
    }

    /// One client's share of what all have under way, or of the rate.
    fn pace_of(&self, client: usize) -> Pace {
        match self.pace {
            Pace::InFlight(all) => Pace::InFlight(share(all, client, self.clients)),
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
    async fn call(mut self, connection: Connection, pace: Pace) -> Result<Sample, CallError> {
        let mut tally = Tally::new(self.start, self.from, self.limit, self.progress.clone());
        let mut calls = futures::stream::FuturesUnordered::new();
        let mut due = Due::new(self.start, pace);
        let call = |asked: Duration, operation: Operation| {
            let (connection, request) = (connection.clone(), RequestId::anonymous(ReplicaId(0), 0));
            let command = Command { request, operation };
            // In a task, so that the calls of one client do not wait for each other's turn.
            tokio::spawn(async move { (asked, connection.propose(&command).await) })
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
                }
                () = due.next(), if !tally.is_over() => {}
                else => return Ok(tally.finish()),
            }
            if tally.is_over() && calls.is_empty() {
                return Ok(tally.finish());
            }
        }
    }

    /// Asks for all operations on one stream. An operation's number is the time at which it was due,
    /// in nanoseconds, so that nothing need be remembered of it.
    async fn stream(self, connection: Connection, pace: Pace) -> Result<Sample, CallError> {
        let mut tally = Tally::new(self.start, self.from, self.limit, self.progress);
        let link = Arc::new(Link::default());
        let flow = Flow {
            link: link.clone(),
            operations: self.operations,
            asked: 0,
            due: Due::new(self.start, pace),
        };
        let answers = connection.pipeline(flow).await?;
        let mut answers = answers.ready_chunks(ANSWERS_AT_ONCE);
        while let Some(chunk) = answers.next().await {
            let count = chunk.len() as u64;
            for answer in chunk {
                let (number, _) = answer?;
                tally.note(Duration::from_nanos(number));
            }
            link.answered.fetch_add(count, Ordering::Release);
            if tally.is_over() {
                link.over.store(true, Ordering::Release);
            }
            link.waker.wake();
        }
        Ok(tally.finish())
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

/// When the next operation of a client is due.
struct Due {
    start: Instant,
    pace: Pace,
    /// In an open loop, how many have been due.
    count: u64,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Due {
    fn new(start: Instant, pace: Pace) -> Self {
        Self { start, pace, count: 0, alarm: None }
    }

    /// The time at which the next operation was due, since the start; `None` where it is not yet.
    fn take(&mut self, open: u64) -> Option<Duration> {
        let now = self.start.elapsed();
        match self.pace {
            Pace::InFlight(most) => (open < most).then_some(now),
            Pace::Rate(_) => {
                let due = self.scheduled();
                (due <= now).then(|| {
                    self.count += 1;
                    due
                })
            }
        }
    }

    /// The time of the next operation of an open loop. On the whole millisecond, which is as finely as
    /// timers ring: otherwise their coarseness would be taken for latency.
    fn scheduled(&self) -> Duration {
        let Pace::Rate(rate) = self.pace else { return Duration::MAX };
        #[expect(clippy::cast_precision_loss, reason = "a load is not that long")]
        let seconds = self.count as f64 / rate;
        let due = Duration::from_secs_f64(seconds);
        Duration::from_millis(u64::try_from(due.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }

    /// Ends when something is due by the clock: never, in a closed loop.
    async fn next(&mut self) {
        std::future::poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Pace::Rate(_) = self.pace else { return Poll::Pending };
        let at = self.start + self.scheduled();
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if alarm.deadline() != at {
            alarm.as_mut().reset(at);
        }
        alarm.as_mut().poll(context)
    }
}

/// What one client has measured so far.
struct Tally {
    start: Instant,
    from: Duration,
    limit: Limit,
    sample: Sample,
    /// How many of the sample are not in the progress yet.
    untold: u64,
    progress: Arc<Progress>,
    over: bool,
}

impl Tally {
    fn new(start: Instant, from: Duration, limit: Limit, progress: Arc<Progress>) -> Self {
        Self { start, from, limit, sample: Sample::default(), untold: 0, progress, over: false }
    }

    /// Notes an answer to what was due at `asked`.
    fn note(&mut self, asked: Duration) {
        let now = self.start.elapsed();
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
        self.untold += 1;
        if self.untold == TOLD_AT_ONCE {
            self.progress.answered.fetch_add(std::mem::take(&mut self.untold), Ordering::Relaxed);
        }
        if let Limit::Count(count) = self.limit {
            self.over = self.sample.answered() >= count;
        }
    }

    /// Whether no more need be asked for. A client that has no answers for so long is over, too.
    fn is_over(&self) -> bool {
        let time = match self.limit {
            Limit::Time(time) => time,
            Limit::Count(_) => return self.over,
        };
        self.over || self.start.elapsed() >= self.from + time
    }

    fn finish(self) -> Sample {
        self.sample
    }
}

/// How many answers of a stream are taken before the other end hears of them.
const ANSWERS_AT_ONCE: usize = 64;

/// How many answers there are between two reports of progress.
const TOLD_AT_ONCE: u64 = 256;
