//! The leader of an instance is killed in a phase of it that is known, on live clusters under load,
//! 200 times: nothing that a client was told is lost, every request has one answer or one error that
//! may be repeated, and the replicas come to the same.

#[path = "leader_kills/watched.rs"]
mod watched;
#[path = "leader_kills/writers.rs"]
mod writers;

mod wire {
    #![allow(missing_docs, clippy::all, clippy::pedantic)]
    tonic::include_proto!("epaxos.v1");
}

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::message::MessageKind;
use epaxos_tui::node::cluster::{Cluster, Options};
use epaxos_tui::node::driver::Act;
use epaxos_tui::observe::filter::Filter;
use epaxos_tui::observe::links::LinkId;
use epaxos_tui::observe::notice::GateState;
use futures::future::join_all;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use watched::{Phase, Watched};
use writers::{Asked, Reader, Told};

const REPLICAS: usize = 5;
const KILLS: u64 = 200;

/// How many clusters share the kills: most of the time of each is waiting for a recovery.
const CLUSTERS: u64 = 8;

/// How long anything may take that must happen. Generous: nothing here is about speed.
const PATIENCE: Duration = Duration::from_mins(1);

/// One kill, drawn from its number.
#[derive(Debug)]
struct Kill {
    number: u64,
    leader: ReplicaId,
    phase: Phase,
    /// Whether what the leader sends in that phase is held at the others, rather than their answers
    /// at the leader.
    unheard: bool,
    /// Whether what is held when the leader dies is lost with it, or arrives late.
    lost: bool,
    /// Whether the leader is back before others can have recovered the instance.
    hasty: bool,
}

impl Kill {
    fn draw(number: u64) -> Self {
        let mut lot = fastrand::Rng::with_seed(number);
        Self {
            number,
            leader: ReplicaId(lot.u8(..5)),
            phase: lot.choice(Phase::ALL).expect("there are phases"),
            unheard: lot.bool(),
            lost: lot.bool(),
            hasty: lot.u8(..4) == 0,
        }
    }

    /// The replica so many places after the leader.
    fn after_leader(&self, places: u8) -> ReplicaId {
        ReplicaId((self.leader.0 + places) % 5)
    }

    /// What must be held for the instance to stay in the phase.
    fn holds(&self) -> Vec<Filter> {
        let any = Filter::default();
        let sent = |kind| Filter { kind: Some(kind), from: Some(self.leader), ..any };
        let received = |kind| Filter { kind: Some(kind), to: Some(self.leader), ..any };
        match self.phase {
            Phase::Recorded if self.unheard => vec![sent(MessageKind::PreAccept)],
            Phase::Recorded => vec![received(MessageKind::PreAcceptReply)],
            // The first that is asked is heard, and nobody else.
            Phase::Replied => (2..5)
                .map(|places| Filter {
                    from: Some(self.after_leader(places)),
                    ..received(MessageKind::PreAcceptReply)
                })
                .collect(),
            Phase::Voted => vec![
                received(MessageKind::Commit),
                if self.unheard {
                    sent(MessageKind::Accept)
                } else {
                    received(MessageKind::AcceptReply)
                },
            ],
            Phase::Committed => vec![received(MessageKind::Commit), sent(MessageKind::Commit)],
            Phase::Executed if self.unheard => vec![sent(MessageKind::Commit)],
            Phase::Executed => vec![],
        }
    }

    /// Who must lead something that interferes first. For the slow path: one that the leader asks
    /// and that does not ask the leader, so that it knows of more. For a commit that cannot be
    /// executed: one that asks the leader, which never hears of the decision.
    fn forerunner(&self) -> Option<ReplicaId> {
        match self.phase {
            Phase::Voted => Some(self.after_leader(1)),
            Phase::Committed => Some(self.after_leader(4)),
            Phase::Recorded | Phase::Replied | Phase::Executed => None,
        }
    }
}

/// What came of the kills.
#[derive(Debug, Default)]
struct Tally {
    /// How many leaders died in each phase.
    phases: BTreeMap<Phase, u64>,
    /// How many in another than was meant.
    missed: u64,
    told: Told,
}

/// A cluster of which everything is watched, and its clients.
struct Scene {
    cluster: Arc<Cluster>,
    watched: Watched,
    told: Told,
}

impl Scene {
    async fn set_gates(&self, gate: &GateState) {
        let acts = ReplicaId::all(REPLICAS)
            .map(|replica| self.cluster.act(replica, Act::SetGate(gate.clone())));
        join_all(acts).await.into_iter().collect::<Result<(), _>>().expect("all run");
    }

    /// Carries out one kill, and returns in which phase it happened.
    async fn kill(&mut self, kill: &Kill) -> Option<Phase> {
        let key = match kill.forerunner() {
            Some(_) => format!("tied-{}", kill.number),
            None => format!("alone-{}", kill.number),
        };
        let gate = GateState { holds: kill.holds(), ..GateState::default() };
        self.set_gates(&gate).await;
        if let Some(forerunner) = kill.forerunner() {
            let asked = Asked::put(&format!("forerunner-{}", kill.number), 0, &key, "before");
            writers::insist(&self.cluster, forerunner, &asked, &mut self.told).await;
        }

        let asked = Asked::put(&format!("target-{}", kill.number), 0, &key, "after");
        self.watched.aim(kill.leader, &asked.request);
        let (endpoint, asking) = (self.cluster.endpoint(kill.leader).to_owned(), asked.clone());
        let call = tokio::spawn(async move { writers::ask(&endpoint, &asking).await });
        let wanted = kill.phase;
        // Where others were quicker to decide, its leader does not come that far any more.
        let reached = |watched: &Watched| {
            watched.phase().is_some_and(|phase| phase >= wanted) || watched.is_decided_by_others()
        };
        self.watched.listen_until(reached).await;
        self.cluster.act(kill.leader, Act::Crash).await.expect("it is up");
        self.watched.listen_until(Watched::is_killed).await;
        let phase = self.watched.phase();

        // The call is over: with the answer, where the leader could give one, or with an error.
        let answer = call.await.expect("no client panics");
        match &answer {
            Ok(()) => assert_eq!(phase, Some(Phase::Executed), "answered too early: {kill:?}"),
            Err(status) => {
                writers::check_down(status);
                assert_eq!(status.message(), format!("{} is down", kill.leader), "{kill:?}");
            }
        }
        self.told.count(&answer);

        if kill.lost {
            // What is released meets links that are cut.
            let away = |link: &LinkId| link.from == kill.leader;
            let cuts = LinkId::all(REPLICAS).filter(away).collect();
            self.set_gates(&GateState { cuts, ..GateState::default() }).await;
        }
        self.set_gates(&GateState::default()).await;
        if !kill.hasty {
            self.watched.listen_until(Watched::is_finished_by_others).await;
        }
        self.cluster.act(kill.leader, Act::Restart).await.expect("it is down");
        // The client asks again elsewhere, under the same name.
        if answer.is_err() {
            writers::insist(&self.cluster, kill.after_leader(2), &asked, &mut self.told).await;
        } else {
            self.told.acknowledge(&asked);
        }
        phase
    }

    /// Everything that was acknowledged is there, at every replica, and nobody has seen anything
    /// else.
    async fn check(mut self) -> Told {
        let reads = ReplicaId::all(REPLICAS).map(async |replica| {
            let mut reader = Reader::connect(&self.cluster, replica).await;
            for (key, value) in &self.told.values {
                let read = reader.read(key).await;
                assert_eq!(read.as_deref(), Some(value.as_str()), "{key} at {replica}");
            }
            reader
        });
        let readers = join_all(reads).await;
        // Each read comes after all writes to its key. What was said before is still to be heard:
        // at some moment in it, too, all stores were equal.
        let heard_out = |watched: &Watched| {
            let last = |reader: &Reader| watched.has_executed(reader.replica, &reader.last());
            readers.iter().all(last)
        };
        self.watched.listen_until(heard_out).await;
        let count = self.told.acknowledged.len();
        self.watched.listen_until(Watched::stores_are_equal).await;
        for request in &self.told.acknowledged {
            for replica in ReplicaId::all(REPLICAS) {
                let executed = self.watched.has_executed(replica, request);
                assert!(executed, "{replica} has never executed {request}, one of {count}");
            }
        }
        self.cluster.shutdown().await;
        self.watched.finish();
        self.told
    }
}

/// Carries out some of the kills on a cluster of their own.
async fn play(kills: Vec<Kill>) -> Tally {
    let (reports, heard) = mpsc::unbounded_channel();
    let seed = kills.first().map_or(0, |kill| kill.number);
    // As early as may be: see `Timeouts::patient`.
    let recover_after = Some(Duration::from_millis(600));
    let options = Options { recover_after, seed, ..Options::new(REPLICAS) };
    let cluster =
        Cluster::start(&options, Some(reports.into()), &Handle::current()).expect("free ports");
    let cluster = Arc::new(cluster);
    let watched = Watched::new(cluster.shape().clone(), heard);
    let mut scene = Scene { cluster: cluster.clone(), watched, told: Told::default() };

    let (end, ended) = watch::channel(false);
    let mut clients = JoinSet::new();
    for writer in 0..2 {
        clients.spawn(writers::call(cluster.clone(), writer, ended.clone()));
    }
    clients.spawn(writers::stream(cluster.clone(), ended.clone()));

    let mut tally = Tally::default();
    for kill in &kills {
        match scene.kill(kill).await {
            Some(phase) if phase == kill.phase => *tally.phases.entry(phase).or_default() += 1,
            _ => tally.missed += 1,
        }
    }
    end.send(true).expect("somebody writes");
    while let Some(told) = clients.join_next().await {
        scene.told.merge(told.expect("no client panics"));
    }
    tally.told = scene.check().await;
    tally
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_are_killed_in_every_phase_and_nothing_acknowledged_is_lost() {
    let mut clusters = JoinSet::new();
    for cluster in 0..CLUSTERS {
        let numbers = (0..KILLS).filter(|number| number % CLUSTERS == cluster);
        clusters.spawn(play(numbers.map(Kill::draw).collect()));
    }
    let mut total = Tally::default();
    while let Some(tally) = clusters.join_next().await {
        let tally = tally.expect("no cluster goes wrong");
        for (phase, count) in tally.phases {
            *total.phases.entry(phase).or_default() += count;
        }
        total.missed += tally.missed;
        total.told.merge(tally.told);
    }
    let Tally { phases, missed, told } = total;
    println!(
        "{phases:?}, {missed} in another phase; {} requests acknowledged, {} errors",
        told.acknowledged.len(),
        told.errors
    );
    assert_eq!(phases.values().sum::<u64>() + missed, KILLS);
    for phase in Phase::ALL {
        let count = phases.get(&phase).copied().unwrap_or(0);
        assert!(count >= KILLS / 10, "{count} leaders died in the phase {phase:?}: {phases:?}");
    }
    assert!(told.errors >= KILLS / 2, "clients hear of it: {}", told.errors);
}
