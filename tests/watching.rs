//! A cluster that does more than those who watch it can look at.

use std::sync::Arc;
use std::time::Duration;

use epaxos_tui::bench::due::Pace;
use epaxos_tui::bench::load::{Call, Limit, Load, Progress};
use epaxos_tui::bench::workload::Workload;
use epaxos_tui::check::Checker;
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::instance::Phase;
use epaxos_tui::node::cluster::{Cluster, Options};
use epaxos_tui::node::driver::Act;
use epaxos_tui::node::watch::Watcher;
use epaxos_tui::observe::notice::{Decision, GateState, Notice};
use epaxos_tui::observe::view::View;
use epaxos_tui::script::backlog::Backlog;
use epaxos_tui::script::request::Report;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Somebody who looks at what is reported, when told to.
struct Screen {
    view: View,
    checker: Checker,
    reports: mpsc::UnboundedReceiver<Report>,
    backlog: Arc<Backlog>,
    shown: u64,
    away: u64,
}

impl Screen {
    fn look(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            let Report::Notice(notice) = report else { continue };
            self.backlog.hear(notice.weight());
            self.away += u64::from(matches!(notice, Notice::Away { .. }));
            if let Notice::Step(step) = &notice {
                self.shown += u64::from(matches!(step.decision, Decision::Show(_)));
                self.checker.step(step);
            }
            self.view.apply(notice);
        }
    }

    fn is_away(&self) -> bool {
        self.view.replicas.iter().any(|replica| replica.away.is_some())
    }

    /// Looks until all replicas are seen again.
    async fn catch_up(&mut self) {
        self.look_until(|screen| !screen.is_away()).await;
    }

    /// Looks again and again until something is seen.
    async fn look_until(&mut self, seen: impl Fn(&Self) -> bool) {
        let looking = async {
            while {
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.look();
                !seen(self)
            } {}
        };
        tokio::time::timeout(Duration::from_secs(30), looking).await.expect("it comes in the end");
    }
}

fn load(count: u64) -> Load {
    Load {
        clients: 3,
        call: Call::Stream,
        pace: Pace::InFlight { most: 30, think: Duration::ZERO },
        bare: false,
        workload: Workload { keys: 50, conflict: 10.0, ..Workload::default() },
        warm_up: Duration::ZERO,
        limit: Limit::Count(count),
    }
}

async fn put_on(cluster: &Cluster, count: u64) {
    let progress = Arc::new(Progress::default());
    let loaded = load(count).run(&cluster.shape().endpoints, &progress, async {}).await;
    loaded.expect("nothing is in the way");
}

fn watched(patience: u64) -> (Cluster, Screen) {
    let (reports, heard) = mpsc::unbounded_channel();
    let watcher = Watcher::from(reports);
    let backlog = watcher.backlog.clone();
    backlog.mind(patience);
    let options = Options { gossip_every: 500, keep: 100, ..Options::new(3) };
    let cluster = Cluster::start(&options, Some(watcher), &Handle::current()).expect("free ports");
    let shape = cluster.shape().clone();
    let checker = Checker::new(shape.options.quorums, shape.reply_on());
    let view = View::new(shape);
    (cluster, Screen { view, checker, reports: heard, backlog, shown: 0, away: 0 })
}

/// Nobody looks while it is loaded: what is told ends, and once somebody has looked, what is seen is
/// what is.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_time_for_is_not_told_and_shown_later() {
    let (cluster, mut screen) = watched(2_000);
    put_on(&cluster, 3_000).await;
    assert!(screen.backlog.len() < 4_000, "{} is told at once", screen.backlog.len());
    screen.catch_up().await;
    assert!((1..=3).contains(&screen.shown), "{}", screen.shown);
    assert!(screen.away >= screen.shown);
    let blind_since = screen.checker.blind_since().expect("something went unseen");
    assert!(blind_since < screen.view.log.len());
    assert_eq!(screen.checker.violations(), []);

    // What comes then is told as ever, from where the replicas are now; and some time later no more in
    // glimpses.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    put_on(&cluster, 20).await;
    screen
        .look_until(|screen| {
            let mut replicas = screen.view.replicas.iter();
            screen.view.in_flight.is_empty()
                && replicas.all(|it| it.open.is_empty() && it.executed_ever() >= 3_020)
        })
        .await;
    assert!(!screen.is_away());
    let view = &screen.view;
    let store = &view.replicas[0].store;
    assert!(store.len() > 50);
    for replica in &view.replicas {
        assert_eq!(&replica.store, store, "what everybody has executed makes one store");
        assert!(replica.counters.unseen > 1_000, "{}", replica.counters.unseen);
        assert!(replica.open.is_empty());
        assert_eq!(
            replica.executed_ever(),
            replica.in_phase(Phase::Executed) + replica.instances_let_go()
        );
        assert!(replica.executed_ever() >= 3_020);
    }
    assert_eq!(view.in_flight.len(), 0);
    cluster.shutdown().await;
}

/// Paused while nobody looks, a cluster shows every message that is held.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_when_it_is_seen_again_can_be_let_through() {
    let (cluster, mut screen) = watched(500);
    put_on(&cluster, 500).await;
    for replica in ReplicaId::all(3) {
        let gate = GateState { paused: true, ..GateState::default() };
        cluster.act(replica, Act::SetGate(gate)).await.expect("it is up");
    }
    let endpoints = cluster.shape().endpoints.clone();
    let stuck = tokio::spawn(async move {
        load(3).run(&endpoints, &Arc::new(Progress::default()), async {}).await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    screen.look_until(|screen| screen.view.in_flight.held().count() >= 3).await;
    assert!(screen.shown > 0 && !screen.is_away());
    let held: Vec<_> = screen.view.in_flight.held().map(|it| it.envelope.clone()).collect();
    for envelope in held {
        cluster.act(envelope.to, Act::Deliver(envelope.id)).await.expect("it is held");
    }
    for replica in ReplicaId::all(3) {
        cluster.act(replica, Act::SetGate(GateState::default())).await.expect("it is up");
    }
    stuck.await.expect("it ends").expect("all is answered");
    cluster.shutdown().await;
}

/// Somebody who does not say what was looked at is told everything.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_screen_everything_is_told() {
    let (cluster, mut screen) = watched(500);
    cluster.shutdown().await;
    let (reports, heard) = mpsc::unbounded_channel();
    let options = Options::new(3);
    let cluster =
        Cluster::start(&options, Some(reports.into()), &Handle::current()).expect("ports");
    screen.reports = heard;
    screen.view = View::new(cluster.shape().clone());
    put_on(&cluster, 1_000).await;
    screen.look_until(|screen| screen.view.in_flight.is_empty()).await;
    assert_eq!((screen.away, screen.shown), (0, 0));
    let proposals: u64 = screen.view.replicas.iter().map(|it| it.counters.proposals).sum();
    assert!((1_000..1_030).contains(&proposals), "{proposals}");
    cluster.shutdown().await;
}
