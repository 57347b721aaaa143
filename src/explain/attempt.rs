//! How far an attempt to decide an instance has come: who has answered its driver, whose answers were lost on
//! the way, and whom the driver can reach at all.

use std::collections::BTreeMap;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::event::Event;
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::message::{Envelope, MessageKind};
use crate::explain::answer::{Link, Telling};
use crate::explain::facts::{Facts, Failed};
use crate::explain::phrase::{many, names};
use crate::observe::links::LinkId;
use crate::observe::notice::Decision;

/// What is asked in a stage of an attempt, and how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) ask: MessageKind,
    pub(super) reply: MessageKind,
    /// What an answer is called.
    thing: &'static str,
}

pub(super) const PROPOSING: Stage =
    Stage { ask: MessageKind::PreAccept, reply: MessageKind::PreAcceptReply, thing: "answer" };
pub(super) const JOINING: Stage =
    Stage { ask: MessageKind::Recover, reply: MessageKind::RecoverReply, thing: "answer" };
pub(super) const VALIDATING: Stage =
    Stage { ask: MessageKind::Validate, reply: MessageKind::ValidateReply, thing: "answer" };
pub(super) const VOTING: Stage =
    Stage { ask: MessageKind::Accept, reply: MessageKind::AcceptReply, thing: "vote" };

impl Stage {
    pub(super) fn contains(self, kind: MessageKind) -> bool {
        kind == self.ask
            || kind == self.reply
            || (kind == MessageKind::Nack && self.ask != MessageKind::PreAccept)
    }
}

/// A stage of an attempt to decide an instance.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    pub(super) id: InstanceId,
    pub(super) ballot: Ballot,
    pub(super) stage: Stage,
}

/// What passed between a driver and another replica.
#[derive(Clone, Copy, Default)]
struct Peer<'a> {
    /// The answer that reached the driver.
    heard: Option<&'a Envelope>,
    /// What was lost since anything arrived.
    failed: Option<(&'a Envelope, Failed)>,
}

/// What passed between a driver and the others.
#[derive(Default)]
pub(super) struct Heard<'a> {
    peers: BTreeMap<ReplicaId, Peer<'a>>,
    /// Whether the driver has been down since, so that what it had counted is gone.
    pub(super) restarted: bool,
}

impl Attempt {
    fn driver(self) -> ReplicaId {
        self.ballot.replica
    }

    /// What passed between the driver and the others; nothing where that is too long ago to be told.
    pub(super) fn heard(self, facts: Facts<'_>) -> Option<Heard<'_>> {
        let driver = self.driver();
        if facts.has_forgotten(driver, self.id) {
            return None;
        }
        let began = facts.events(driver, self.id).find(|said| match said.what {
            Event::Proposed { .. } => self.ballot.is_initial(),
            Event::Recovering { ballot, .. } => *ballot == self.ballot,
            _ => false,
        });
        let mut heard = Heard::default();
        for entry in facts.after(began?.id())? {
            match &entry.step.decision {
                Decision::Restart if entry.step.replica == driver => {
                    heard.restarted = true;
                    heard.peers.values_mut().for_each(|peer| peer.heard = None);
                }
                Decision::Deliver(envelope) if self.peer(envelope).is_some() => {
                    let peer = heard.peers.entry(self.peer(envelope)?).or_default();
                    peer.failed = None;
                    if envelope.message.kind() == self.stage.reply {
                        peer.heard = peer.heard.or(Some(envelope));
                    }
                }
                Decision::Drop(envelope) if self.peer(envelope).is_some() => {
                    let peer = heard.peers.entry(self.peer(envelope)?).or_default();
                    peer.failed = Some((envelope, Failed::Dropped(entry.id)));
                }
                Decision::Lose(envelope) if self.peer(envelope).is_some() => {
                    let peer = heard.peers.entry(self.peer(envelope)?).or_default();
                    peer.failed = Some((envelope, Failed::Lost(entry.id)));
                }
                _ => {}
            }
        }
        Some(heard)
    }

    /// With whom a message of this stage is exchanged; nothing where it is of another one.
    fn peer(self, envelope: &Envelope) -> Option<ReplicaId> {
        let Envelope { id, to, message } = envelope;
        let (driver, kind) = (self.driver(), message.kind());
        if message.instance() != self.id || message.ballot() != Some(self.ballot) {
            return None;
        }
        match kind {
            _ if kind == self.stage.ask && id.sender == driver => Some(*to),
            _ if kind == self.stage.reply && *to == driver => Some(id.sender),
            _ => None,
        }
    }

    /// Whether a message between the driver and another replica is on its way.
    fn is_on_its_way(self, facts: Facts<'_>, peer: ReplicaId) -> bool {
        let mut flights = facts.flights(self.id);
        flights.any(|flight| self.peer(&flight.envelope) == Some(peer))
    }

    /// Whether the answers of all these are on their way, and no other has come.
    pub(super) fn is_coming(
        self,
        facts: Facts<'_>,
        heard: &Heard<'_>,
        peers: &[ReplicaId],
    ) -> bool {
        let mut peers = peers.iter();
        heard.from().next().is_none() && peers.all(|peer| self.is_on_its_way(facts, *peer))
    }

    /// Tells which messages were lost, of those that nothing has come after.
    pub(super) fn tell_lost(self, telling: &mut Telling<'_>, heard: &Heard<'_>) {
        let (facts, driver) = (telling.facts, self.driver());
        let reach = Reach::of(facts, driver);
        let lost = heard.peers.iter().filter_map(|(peer, what)| {
            let (envelope, failed) = what.failed.filter(|_| what.heard.is_none())?;
            // Why nothing gets there has been said.
            let is_said = !reach.is_enough(facts) && !reach.up.contains(peer);
            (!is_said && !self.is_on_its_way(facts, *peer)).then_some((*peer, envelope, failed))
        });
        let lost: Vec<_> = lost.collect();
        for (peer, envelope, failed) in lost.iter().take(SOME) {
            let what = if envelope.message.kind() == self.stage.reply {
                format!("{peer}'s {}", self.stage.thing)
            } else {
                format!("The {} to {peer}", self.stage.ask)
            };
            let how = failed.how(facts, envelope);
            let text = format!("{what}, {}, {how}.", envelope.id);
            telling.say(text, Link::Entry(failed.entry()));
        }
        if lost.len() > SOME {
            let more = many(lost.len() - SOME, "more message");
            telling.say(format!("So it went with {more}."), None);
        }
    }
}

impl Heard<'_> {
    /// Whose answers have reached the driver.
    pub(super) fn from(&self) -> impl Iterator<Item = ReplicaId> {
        self.peers.iter().filter(|(_, peer)| peer.heard.is_some()).map(|(at, _)| *at)
    }

    pub(super) fn has(&self, peer: ReplicaId) -> bool {
        self.from().any(|at| at == peer)
    }

    /// Who of those answered something else than was proposed.
    pub(super) fn differ(&self, proposal: &Attributes) -> Vec<ReplicaId> {
        let differs = |peer: &Peer<'_>| {
            let answer = peer.heard.and_then(|heard| heard.message.attributes());
            answer.is_some_and(|answer| answer != proposal)
        };
        self.peers.iter().filter(|(_, peer)| differs(peer)).map(|(at, _)| *at).collect()
    }

    /// What the driver has counted, as the rest of a sentence: `its own answer and R1's`.
    pub(super) fn counted(&self, stage: Stage) -> String {
        let thing = stage.thing;
        let from: Vec<_> = self.from().collect();
        match from.as_slice() {
            [] => format!("only its own {thing}"),
            [only] => format!("its own {thing} and {only}'s"),
            several => format!("its own {thing} and those of {}", names(several)),
        }
    }
}

/// Whom a replica can exchange messages with now.
pub(super) struct Reach {
    at: ReplicaId,
    /// The others that are up and to which and from which no link is cut.
    up: Vec<ReplicaId>,
    down: Vec<ReplicaId>,
    /// Those whose links are cut: both of them, the one to them, the one from them.
    cut: [Vec<ReplicaId>; 3],
}

impl Reach {
    pub(super) fn of(facts: Facts<'_>, at: ReplicaId) -> Self {
        let mut reach = Self { at, up: Vec::new(), down: Vec::new(), cut: Default::default() };
        for peer in facts.replicas().filter(|peer| *peer != at) {
            let link = LinkId { from: at, to: peer };
            let is_cut = |link| facts.0.gate.cuts.contains(&link);
            match (is_cut(link), is_cut(link.back())) {
                _ if !facts.replica(peer).up => reach.down.push(peer),
                (true, true) => reach.cut[0].push(peer),
                (true, false) => reach.cut[1].push(peer),
                (false, true) => reach.cut[2].push(peer),
                (false, false) => reach.up.push(peer),
            }
        }
        reach
    }

    /// Whether that is a quorum, with the replica itself.
    pub(super) fn is_enough(&self, facts: Facts<'_>) -> bool {
        self.up.len() + 1 >= facts.0.shape.options.quorums.slow()
    }

    /// Why it is not, as a clause: `R1 is down, and R4's link to R0 is cut`.
    pub(super) fn why_not(&self) -> String {
        let at = self.at;
        let mut parts = Vec::new();
        if !self.down.is_empty() {
            let are = if self.down.len() == 1 { "is" } else { "are" };
            parts.push(format!("{} {are} down", names(&self.down)));
        }
        for (way, peers) in ["to and from", "to", "from"].into_iter().zip(&self.cut) {
            let (links, are) = match (way, peers.len()) {
                (_, 0) => continue,
                ("to" | "from", 1) => ("link", "is"),
                _ => ("links", "are"),
            };
            parts.push(format!("{at}'s {links} {way} {} {are} cut", names(peers)));
        }
        parts.join(", and ")
    }

    /// Tells that the replica reaches too few, where that is so. Returns whether it is.
    pub(super) fn tell(&self, telling: &mut Telling<'_>) -> bool {
        let facts = telling.facts;
        if self.is_enough(facts) {
            return false;
        }
        let at = self.at;
        let reaches = match self.up.as_slice() {
            [] => "reaches nobody else".to_owned(),
            up => format!("reaches only {}", names(up)),
        };
        let text = format!(
            "Nothing is decided without {} replicas, and {at} {reaches}: {}.",
            facts.0.shape.options.quorums.slow(),
            self.why_not()
        );
        telling.say(text, Link::Replica(at));
        true
    }
}

/// How many messages are named.
const SOME: usize = 3;
