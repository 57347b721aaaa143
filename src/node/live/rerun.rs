//! A run once more, on a fresh cluster over real gRPC: whether the same comes of the same.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::epaxos::command::Command;
use crate::epaxos::id::ReplicaId;
use crate::node::cluster::Options;
use crate::node::driver::Act;
use crate::node::live::LiveWorld;
use crate::observe::notice::{Decision, Shape, Step};
use crate::observe::turn::Expected;
use crate::script::world::requests;

/// What came of a run on a fresh cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rerun {
    /// How many entries were the same, from the first on.
    pub same: u64,
    /// Why it was not gone on with, where there was more.
    pub ended: Option<Unlike>,
}

/// Why a run was not gone on with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unlike {
    /// Something else came of the same. What is determined is not all that the cluster goes by.
    #[error("NOT DETERMINISTIC: #{at} came to something else on gRPC: {what}")]
    Difference {
        /// Which entry.
        at: u64,
        /// What is different, as a sentence.
        what: String,
    },
    /// It could not be done.
    #[error("#{at} could not be done on gRPC: {reason}")]
    Impossible {
        /// Which entry.
        at: u64,
        /// Why not, as a sentence.
        reason: String,
    },
    /// A program failed there, which is not done on purpose.
    #[error("#{at} was a failure of a program, which is not repeated")]
    Failure {
        /// Which entry.
        at: u64,
    },
}

impl LiveWorld {
    /// Starts a cluster of this shape, lets it take the same decisions at the same times, and compares
    /// what comes of each, and what its replica is then, with what is expected. `told` hears how many
    /// are done.
    pub fn rerun(
        shape: &Shape,
        expected: &[Expected],
        mut told: impl FnMut(u64),
    ) -> Result<Rerun, String> {
        let options = options(shape);
        let mut world = Self::start(&options, true).map_err(|error| error.to_string())?;
        let own =
            crate::epaxos::replica::Options { observed: true, ..world.view.shape.options.clone() };
        if own != (crate::epaxos::replica::Options { observed: true, ..shape.options.clone() }) {
            world.shutdown();
            return Err("no cluster can be started with the same waiting times".to_owned());
        }
        let mut ended = None;
        let mut same = 0;
        for (at, expected) in (0..).zip(expected) {
            match world.take_again(at, expected) {
                Ok(()) => same += 1,
                Err(unlike) => {
                    ended = Some(unlike);
                    break;
                }
            }
            told(same);
        }
        world.shutdown();
        Ok(Rerun { same, ended })
    }

    fn take_again(&mut self, at: u64, expected: &Expected) -> Result<(), Unlike> {
        let Expected { step, state } = expected;
        let before = self.view.log.len();
        let done = self.decide_again(at, step)?;
        if !done {
            return Ok(());
        }
        let differs = |what: String| Unlike::Difference { at, what };
        let new: Vec<_> =
            (before..self.view.log.len()).filter_map(|id| self.view.log.get(id)).collect();
        let [entry] = new.as_slice() else {
            return Err(differs(format!("it brought about {} steps, not one", new.len())));
        };
        if let Some(what) = difference(step, &entry.step) {
            return Err(differs(what));
        }
        let impossible = |reason| Unlike::Impossible { at, reason };
        let own = self.fingerprint(step.replica).map_err(impossible)?;
        if own != *state {
            return Err(differs(format!(
                "{} is in another state, though it said the same",
                step.replica
            )));
        }
        Ok(())
    }

    /// Takes a decision. Says whether it is one that a replica took note of.
    fn decide_again(&mut self, at: u64, step: &Step) -> Result<bool, Unlike> {
        let replica = step.replica;
        let impossible = |reason| Unlike::Impossible { at, reason };
        self.act(replica, Act::SetClock(step.now)).map_err(impossible)?;
        let done = match &step.decision {
            Decision::Propose(commands) => self.ask_again(replica, commands),
            Decision::Deliver(envelope) => self.act(replica, Act::Deliver(envelope.id)),
            Decision::Drop(envelope) => self.act(replica, Act::Drop(envelope.id)),
            Decision::Duplicate(envelope, copy) => {
                self.act(replica, Act::Duplicate(envelope.id, *copy))
            }
            // A link that loses it cannot be asked for; that it never arrives can.
            Decision::Lose(envelope) => {
                return self
                    .act(envelope.to, Act::Drop(envelope.id))
                    .map_err(impossible)
                    .map(|()| false);
            }
            Decision::Wake => self.act(replica, Act::Wake),
            Decision::Crash => self.act(replica, Act::Crash),
            Decision::Restart => self.act(replica, Act::Restart),
            Decision::Panic(_) | Decision::Show(_) => return Err(Unlike::Failure { at }),
        };
        done.map_err(impossible).map(|()| true)
    }

    /// Asks for commands under the names that they had.
    fn ask_again(&mut self, at: ReplicaId, commands: &[Command]) -> Result<(), String> {
        let requests = requests(commands);
        self.ledger.ask(at, requests.iter());
        self.send_proposals(at, commands.to_vec());
        if !self.listen_until(PATIENCE, |world| world.ledger.has_seen(&requests)) {
            return Err(format!("{at} has not taken up the proposal"));
        }
        if let Some(error) = self.take_failure(&requests) {
            return Err(error);
        }
        self.come_to_rest()
    }

    fn fingerprint(&mut self, replica: ReplicaId) -> Result<u64, String> {
        let (told, mut telling) = mpsc::unbounded_channel();
        self.act(replica, Act::Fingerprint(told))?;
        telling.try_recv().map_err(|_| format!("{replica} does not say what it is"))
    }
}

/// What is different between two steps, as a sentence.
fn difference(expected: &Step, own: &Step) -> Option<String> {
    let replica = expected.replica;
    if own.replica != replica || own.decision != expected.decision {
        return Some(format!("{} did something else", own.replica));
    }
    if own.now != expected.now {
        return Some(format!("{replica}'s clock said {}, not {}", own.now, expected.now));
    }
    let pairs = expected.effects.iter().zip(&own.effects);
    if let Some(index) = pairs.clone().position(|(expected, own)| expected != own) {
        return Some(format!("{replica}'s effect {index} is another"));
    }
    if expected.effects.len() != own.effects.len() {
        let (expected, own) = (expected.effects.len(), own.effects.len());
        return Some(format!("{replica} had {own} effects, not {expected}"));
    }
    (expected.timer != own.timer).then(|| format!("{replica} waits for another timer"))
}

/// How such a cluster is started.
fn options(shape: &Shape) -> Options {
    let own = &shape.options;
    Options {
        thrifty: own.thrifty,
        // Each proposal comes alone, with all that was one instance.
        batch: false,
        reply_on: own.reply_on,
        recover_after: own.timeouts.recover,
        seed: own.seed,
        gossip_every: own.gossip_every,
        keep: own.keep,
        keep_most: own.keep_most,
        gossip_bytes: own.gossip_bytes,
        keep_bytes: own.keep_bytes,
        keep_most_bytes: own.keep_most_bytes,
        #[cfg(feature = "mutations")]
        mutation: own.mutation,
        paused: true,
        ..Options::new(shape.replicas())
    }
}

/// How long a proposal may take to be taken up.
const PATIENCE: Duration = Duration::from_secs(10);
