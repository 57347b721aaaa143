//! How much of a replica's memory and time its clients can take.
//!
//! Anybody who can connect can ask for more than there is: more connections, more calls, larger
//! requests, more answers than it reads. Each has a [limit](Limits) that honest clients do not meet.
//! What would exceed a limit *waits* where HTTP/2 can make a client wait (calls of a connection,
//! bytes), and is refused with a reason where it cannot (connections, calls of all connections).
//! Every time is counted ([`Usage`]).
//!
//! * [`accept`] admits connections, and ends those that nobody uses;
//! * [`calls`] admits calls, and charges what they send and receive;
//! * [`budget`] is what they are charged to.
//!
//! Requests of clients and messages of replicas have budgets of their own: a request waits until other
//! replicas answer, so their messages must never wait for requests.

pub mod accept;
pub mod budget;
pub mod calls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::time::Instant;

use crate::net::bounds::budget::{Account, Budget};
use crate::net::throttle::Throttle;

/// What one replica's server grants. Bytes are those of keys and values as they arrive, and an
/// allowance for what goes with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time. Where the process may open fewer files, some are left for its own.
    pub connections: usize,
    /// Calls that one connection may have open. A client's transport keeps further ones back.
    pub calls_per_connection: u32,
    /// Calls of all connections. Further ones are refused.
    pub calls: usize,
    /// Streams of proposals that one connection may have open.
    pub streams_per_connection: usize,
    /// Streams of messages from replicas that one connection may have open.
    pub dispatches_per_connection: usize,
    /// Calls of the services beside the replica's own, health and reflection, of all connections.
    pub side_calls: usize,
    /// Bytes that one connection may send before the server has taken any. All that is not charged to a
    /// budget yet is among them.
    pub window_bytes: u32,
    /// Bytes of a call's metadata.
    pub header_bytes: u32,
    /// Bytes of one kind that one connection may have waiting: partly received, received and not
    /// answered, or answered and not read.
    pub bytes_per_connection: usize,
    /// Bytes of partly received messages, of all connections.
    pub arriving_bytes: usize,
    /// Bytes of requests that wait for their answers, of all connections.
    pub request_bytes: usize,
    /// Bytes of answers that clients have not read, of all connections.
    pub answer_bytes: usize,
    /// How long a connection may take to speak HTTP/2.
    pub handshake: Duration,
    /// How long a connection without a call is kept.
    pub idle: Duration,
    /// How long a connection may neither send the rest of a message nor read an answer, while bytes
    /// are scarce.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            calls_per_connection: 16 << 10,
            calls: 64 << 10,
            streams_per_connection: 256,
            dispatches_per_connection: 4,
            side_calls: 1024,
            window_bytes: 2 << 20,
            header_bytes: 8 << 10,
            bytes_per_connection: 32 << 20,
            arriving_bytes: 64 << 20,
            request_bytes: 128 << 20,
            answer_bytes: 128 << 20,
            handshake: Duration::from_secs(10),
            idle: Duration::from_mins(5),
            stall: Duration::from_mins(1),
        }
    }
}

impl Limits {
    /// The same, with no more connections than a process that may open `files` files has room for.
    fn within(self, files: Option<u64>) -> Self {
        let Some(files) = files.and_then(|files| usize::try_from(files).ok()) else { return self };
        let left = files.saturating_sub(OWN_FILES).max(files / 2).max(1);
        Self { connections: self.connections.min(left), ..self }
    }

    /// How often a connection is looked after.
    fn tick(&self) -> Duration {
        let shortest = self.handshake.min(self.idle).min(self.stall);
        (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}

/// How often a limit was met, and how near the others came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Connections admitted.
    pub connections: u64,
    /// Connections that are open now.
    pub connections_open: u64,
    /// Connections refused since there were too many.
    pub connections_refused: u64,
    /// Connections ended since nobody used them.
    pub connections_idle: u64,
    /// Connections ended since they kept bytes that others needed.
    pub connections_stalled: u64,
    /// How often no connection could be accepted, mostly for want of files.
    pub accept_failures: u64,
    /// Calls refused since there were too many.
    pub calls_refused: u64,
    /// How often bytes had to wait for room.
    pub waits: u64,
    /// The most connections at a time.
    pub connections_most: u64,
    /// The most calls at a time.
    pub calls_most: u64,
    /// The most bytes that waited at a time, each kind by itself, added up.
    pub bytes_most: u64,
}

impl Usage {
    /// The counters, with the names under which they are printed.
    pub fn named(&self) -> [(&'static str, u64); 11] {
        [
            ("connections", self.connections),
            ("connections_open", self.connections_open),
            ("connections_refused", self.connections_refused),
            ("connections_idle", self.connections_idle),
            ("connections_stalled", self.connections_stalled),
            ("accept_failures", self.accept_failures),
            ("calls_refused", self.calls_refused),
            ("waits", self.waits),
            ("connections_most", self.connections_most),
            ("calls_most", self.calls_most),
            ("bytes_most", self.bytes_most),
        ]
    }
}

/// A count with a limit, which remembers the most that it was.
#[derive(Debug, Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    /// One more, unless that exceeds the limit.
    fn try_raise(&self, limit: usize) -> bool {
        let raised = self.now.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
            (now < limit).then_some(now + 1)
        });
        if let Ok(before) = raised {
            self.most.fetch_max(before + 1, Ordering::Relaxed);
        }
        raised.is_ok()
    }

    fn lower(&self) {
        self.now.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a line of the log is about: one kind of line must not keep back another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Connections that cannot be accepted, or are refused.
    Connections,
    /// Connections that are ended.
    Stalled,
    /// Calls that are refused since there are too many.
    Calls,
    /// Requests and messages that are refused for what they say.
    Refused,
}

/// What all connections of one server share.
#[derive(Debug)]
pub struct Bounds {
    limits: Limits,
    /// When it began: times are counted from here.
    start: Instant,
    connections: Gauge,
    calls: Gauge,
    side_calls: Gauge,
    /// Of clients: partly received, and received.
    clients: [Arc<Budget>; 2],
    /// The same of replicas.
    peers: [Arc<Budget>; 2],
    answers: Arc<Budget>,
    waits: Arc<AtomicU64>,
    connections_admitted: AtomicU64,
    connections_refused: AtomicU64,
    connections_idle: AtomicU64,
    connections_stalled: AtomicU64,
    accept_failures: AtomicU64,
    calls_refused: AtomicU64,
    /// By [`Topic`].
    throttles: [Throttle; 4],
}

impl Bounds {
    /// Bounds within these limits, and within what the process may open.
    pub fn new(limits: Limits) -> Arc<Self> {
        let limits = limits.within(getrlimit(Resource::Nofile).current);
        let budgets = || [limits.arriving_bytes, limits.request_bytes].map(Budget::new);
        Arc::new(Self {
            start: Instant::now(),
            connections: Gauge::default(),
            calls: Gauge::default(),
            side_calls: Gauge::default(),
            clients: budgets(),
            peers: budgets(),
            answers: Budget::new(limits.answer_bytes),
            waits: Arc::default(),
            connections_admitted: AtomicU64::new(0),
            connections_refused: AtomicU64::new(0),
            connections_idle: AtomicU64::new(0),
            connections_stalled: AtomicU64::new(0),
            accept_failures: AtomicU64::new(0),
            calls_refused: AtomicU64::new(0),
            throttles: Default::default(),
            limits,
        })
    }

    /// How often the limits were met until now.
    pub fn usage(&self) -> Usage {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let most = |gauge: &Gauge| gauge.most.load(Ordering::Relaxed) as u64;
        let budgets = self.clients.iter().chain(&self.peers).chain([&self.answers]);
        Usage {
            connections: count(&self.connections_admitted),
            connections_open: self.connections.now.load(Ordering::Relaxed) as u64,
            connections_refused: count(&self.connections_refused),
            connections_idle: count(&self.connections_idle),
            connections_stalled: count(&self.connections_stalled),
            accept_failures: count(&self.accept_failures),
            calls_refused: count(&self.calls_refused),
            waits: count(&self.waits),
            connections_most: most(&self.connections),
            calls_most: most(&self.calls),
            bytes_most: budgets.map(|budget| budget.most() as u64).sum(),
        }
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Logs something that clients can bring about as often as they like.
    pub fn log(&self, topic: Topic, log: impl FnOnce(&str)) {
        self.throttles[topic as usize].log(log);
    }

    /// Milliseconds since the beginning.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A connection, unless there are too many. It is counted as long as its place is kept.
    fn connect(self: &Arc<Self>) -> Option<(Client, Place)> {
        if !self.connections.try_raise(self.limits.connections) {
            return None;
        }
        self.connections_admitted.fetch_add(1, Ordering::Relaxed);
        Some((self.client(), Place(self.clone())))
    }

    /// What everything that serves a connection needs.
    pub(super) fn client(self: &Arc<Self>) -> Client {
        let account = |total: &Arc<Budget>| {
            Account::new(self.limits.bytes_per_connection, total.clone(), self.waits.clone())
        };
        let traffic = |[arriving, waiting]: &[Arc<Budget>; 2]| Traffic {
            arriving: account(arriving),
            waiting: account(waiting),
        };
        let now = self.now();
        Client(Arc::new(Connection {
            clients: traffic(&self.clients),
            peers: traffic(&self.peers),
            answers: account(&self.answers),
            calls: AtomicUsize::new(0),
            streams: Gauge::default(),
            dispatches: Gauge::default(),
            greeted: AtomicBool::new(false),
            unused_since: AtomicU64::new(now),
            moved: AtomicU64::new(now),
            bounds: self.clone(),
        }))
    }
}

/// One of the connections that there may be. A request may outlive its connection, and must not take
/// the place of another one.
#[derive(Debug)]
struct Place(Arc<Bounds>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.lower();
    }
}

/// What is charged for one kind of traffic.
#[derive(Debug)]
pub struct Traffic {
    /// Messages of which a part is received.
    pub arriving: Account,
    /// Those that are received, until they are done with.
    pub waiting: Account,
}

/// One connection, for everything that serves it.
#[derive(Clone, Debug)]
pub struct Client(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    bounds: Arc<Bounds>,
    clients: Traffic,
    peers: Traffic,
    answers: Account,
    calls: AtomicUsize,
    streams: Gauge,
    dispatches: Gauge,
    /// Whether it has spoken HTTP/2.
    greeted: AtomicBool,
    /// When its last call ended, in milliseconds.
    unused_since: AtomicU64,
    /// When it last sent a part of a message or read a part of an answer, in milliseconds.
    moved: AtomicU64,
}

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overstay {
    Idle,
    Stalled,
}

impl Client {
    /// What is charged for requests of clients.
    pub fn requests(&self) -> &Account {
        &self.0.clients.waiting
    }

    /// What is charged for messages of replicas.
    pub fn messages(&self) -> &Account {
        &self.0.peers.waiting
    }

    /// What is charged for answers that are written and not read.
    pub fn answers(&self) -> &Account {
        &self.0.answers
    }

    /// Notes that the client has sent or read something.
    fn note_progress(&self) {
        self.0.moved.store(self.0.bounds.now(), Ordering::Relaxed);
    }

    /// Whether the connection is to be ended, and why.
    fn overstays(&self) -> Option<Overstay> {
        let Connection { bounds, calls, greeted, unused_since, moved, .. } = &*self.0;
        let (limits, now) = (&bounds.limits, bounds.now());
        let since = |time: &AtomicU64| {
            Duration::from_millis(now.saturating_sub(time.load(Ordering::Relaxed)))
        };
        if calls.load(Ordering::Acquire) == 0 {
            let greeted = greeted.load(Ordering::Relaxed);
            let limit = if greeted { limits.idle } else { limits.handshake };
            return (since(unused_since) >= limit).then_some(Overstay::Idle);
        }
        let keeps = |account: &Account| account.taken() > 0 && account.is_scarce();
        let kept = [&self.0.clients.arriving, &self.0.peers.arriving, &self.0.answers];
        let stalls = since(moved) >= limits.stall && kept.into_iter().any(keeps);
        stalls.then_some(Overstay::Stalled)
    }
}

/// How many files a process keeps for others than those that connect to it: its own links, its
/// terminal, what it writes.
const OWN_FILES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_keeps_files_for_itself() {
        let within = |files| Limits::default().within(files).connections;
        assert_eq!(within(None), 2048);
        assert_eq!(within(Some(1 << 20)), 2048);
        assert_eq!(within(Some(1024)), 960);
        assert_eq!(within(Some(100)), 50);
        assert_eq!(within(Some(0)), 1);
    }

    #[tokio::test]
    async fn a_connection_that_has_ended_gives_up_its_place_though_requests_of_it_are_open() {
        let bounds = Bounds::new(Limits { connections: 2, ..Limits::default() });
        let (client, place) = bounds.connect().unwrap();
        let second = bounds.connect();
        assert!(second.is_some() && bounds.connect().is_none());
        let request = client.requests().try_take(100);
        drop(place);
        assert!(request.is_some() && bounds.connect().is_some());
        let Usage { connections_most, connections, .. } = bounds.usage();
        assert_eq!((connections_most, connections), (2, 3));
    }
}
