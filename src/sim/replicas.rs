//! The replicas of a simulated cluster, each with what its host keeps for it. What becomes of the
//! messages that they send is the business of who holds them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::epaxos::id::ReplicaId;
use crate::epaxos::replica::Options;
use crate::epaxos::seat::Seat;
use crate::epaxos::time::Time;
use crate::kv::Store;
use crate::observe::notice::{Decision, Effect, Shape, Step};

/// N replicas in one place.
#[derive(Clone, Debug)]
pub struct Replicas {
    /// Shared between copies until one of them takes a decision.
    nodes: Vec<Arc<Node>>,
}

/// A replica with what its host keeps for it.
#[derive(Clone, Debug)]
struct Node {
    seat: Seat<Store>,
    /// Messages sent so far: the number of the next one.
    sent: u64,
    /// How far the replica's clock is ahead, having been set forward to fire a timer by hand.
    now: Time,
}

impl Replicas {
    /// Replicas to which nothing has happened.
    pub fn new(shape: &Shape) -> Self {
        let node = |id| Node {
            seat: Seat::new(Options { id, ..shape.options.clone() }),
            sent: 0,
            now: Time::default(),
        };
        Self { nodes: ReplicaId::all(shape.replicas()).map(node).map(Arc::new).collect() }
    }

    /// One replica's place, to look at.
    pub fn seat(&self, id: ReplicaId) -> &Seat<Store> {
        &self.nodes[id.index()].seat
    }

    /// All places, in order.
    pub fn seats(&self) -> impl DoubleEndedIterator<Item = &Seat<Store>> + Clone {
        self.nodes.iter().map(|node| &node.seat)
    }

    /// What a replica's clock says.
    pub fn clock(&self, id: ReplicaId) -> Time {
        self.nodes[id.index()].now
    }

    /// Sets a replica's clock forward. It is never set back.
    pub fn set_clock(&mut self, id: ReplicaId, time: Time) {
        let node = Arc::make_mut(&mut self.nodes[id.index()]);
        node.now = node.now.max(time);
    }

    /// What would come of a decision now. Nothing does.
    pub fn preview(&self, id: ReplicaId, decision: Decision, now: Time) -> Step {
        Node::clone(&self.nodes[id.index()]).decide(id, decision, now)
    }

    /// Takes one decision: the only way in which anything happens. `now` is the time that every
    /// clock shows which is not ahead. The decision must be possible: whoever is down takes nothing
    /// but a restart, and whoever is up no restart.
    pub fn decide(&mut self, id: ReplicaId, decision: Decision, now: Time) -> Step {
        Arc::make_mut(&mut self.nodes[id.index()]).decide(id, decision, now)
    }

    /// Takes a decision at which a replica's program failed: what it had changed by then stays, and
    /// nothing of what it was about to say is heard.
    pub fn fail(&mut self, id: ReplicaId, decision: Decision, now: Time) -> Step {
        Arc::make_mut(&mut self.nodes[id.index()]).fail(id, decision, now)
    }
}

impl Node {
    fn decide(&mut self, id: ReplicaId, decision: Decision, now: Time) -> Step {
        self.now = self.now.max(now);
        if let (Decision::Wake, Some((due, _))) = (&decision, self.seat.next_timer()) {
            self.now = self.now.max(due);
        }
        let mut out = Vec::new();
        if let Some(input) = decision.input() {
            self.seat.step(self.now, input, &mut out);
        }
        match decision {
            Decision::Crash => assert!(self.seat.crash(), "{id} is down already"),
            Decision::Panic(_) => drop(self.seat.crash()),
            Decision::Restart => assert!(self.seat.restart(self.now, &mut out), "{id} is up"),
            _ => {}
        }
        let effects = out.into_iter().map(|output| Effect::of(output, id, &mut self.sent));
        let effects = effects.collect();
        Step { replica: id, now: self.now, decision, effects, timer: self.seat.next_timer() }
    }

    fn fail(&mut self, id: ReplicaId, decision: Decision, now: Time) -> Step {
        self.now = self.now.max(now);
        if let Some(input) = decision.input() {
            let step = || self.seat.step(self.now, input, &mut Vec::new());
            // It may fail again; that it did is told by the next decision.
            catch_unwind(AssertUnwindSafe(step)).ok();
        }
        let effects = Vec::new();
        Step { replica: id, now: self.now, decision, effects, timer: self.seat.next_timer() }
    }
}
