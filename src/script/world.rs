//! What a script can do to a cluster, whatever kind of cluster it is.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::epaxos::command::{Client, Command, Operation, Outcome, RequestId};
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::time::Time;
use crate::observe::in_flight::InFlight;
use crate::observe::notice::{GateState, Step};
use crate::observe::view::View;

/// A cluster that a script can act on: live on real gRPC, or simulated.
///
/// Every call returns when all that it directly brings about has happened and can be seen in
/// [`World::view`]; what follows later from messages that move by themselves, it does not wait for.
/// Errors are sentences for the person at the prompt.
pub trait World {
    /// Everything that can be seen now.
    fn view(&self) -> &View;

    /// Messages on their way now.
    fn in_flight(&self) -> &InFlight {
        &self.view().in_flight
    }

    /// Makes commands of operations, under the name and the next numbers that this world proposes with.
    fn name(&mut self, operations: Vec<Operation>) -> Vec<Command>;

    /// Asks a replica for commands, several of them as one instance. The answers come through
    /// [`World::take_answers`].
    fn propose_commands(&mut self, at: ReplicaId, commands: Vec<Command>) -> Result<(), String>;

    /// Asks a replica for operations, several of them as one instance. Returns the requests, in the
    /// order of the operations.
    fn propose(
        &mut self,
        at: ReplicaId,
        operations: Vec<Operation>,
    ) -> Result<Vec<RequestId>, String> {
        let commands = self.name(operations);
        let requests = requests(&commands);
        self.propose_commands(at, commands)?;
        Ok(requests)
    }

    /// Asks for many operations, an instance each. Where messages move by themselves, the operations
    /// are under way at the same time.
    fn propose_all(
        &mut self,
        proposals: Vec<(ReplicaId, Operation)>,
    ) -> Result<Vec<RequestId>, String> {
        let mut requests = Vec::with_capacity(proposals.len());
        for (at, operation) in proposals {
            requests.extend(self.propose(at, vec![operation])?);
        }
        Ok(requests)
    }

    /// Takes note that somebody goes on: the next that meets a breakpoint counts.
    fn arm(&mut self);

    /// Lets a held message through.
    fn deliver(&mut self, id: MessageId) -> Result<(), String>;

    /// Throws a held message away.
    fn drop(&mut self, id: MessageId) -> Result<(), String>;

    /// Makes a twin of a held message, held like it.
    fn duplicate(&mut self, id: MessageId) -> Result<(), String>;

    /// Fires a replica's next timer, setting its clock forward to it.
    fn wake(&mut self, replica: ReplicaId) -> Result<(), String>;

    /// Sets a replica's clock forward, unless it shows as much already. No timer fires by that.
    fn set_clock(&mut self, replica: ReplicaId, time: Time) -> Result<(), String>;

    /// What would come of this now. Nothing does.
    fn preview(&mut self, next: Next) -> Result<Step, String>;

    /// Stops a replica, which keeps what must be durable and loses the rest. What reaches it is lost.
    fn crash(&mut self, replica: ReplicaId) -> Result<(), String>;

    /// Lets a crashed replica come back with what was durable.
    fn recover(&mut self, replica: ReplicaId) -> Result<(), String>;

    /// Sets what the gates hold back.
    fn set_gate(&mut self, gate: GateState) -> Result<(), String>;

    /// Waits until nothing moves any more: every message on its way is held, nothing that was
    /// proposed waits to be looked at, and all that can execute has.
    fn settle(&mut self) -> Result<(), String>;

    /// Lets time pass.
    fn sleep(&mut self, duration: Duration) -> Result<(), String>;

    /// The answers that have come since the last call, in the order in which they came.
    fn take_answers(&mut self) -> Vec<Answer>;
}

/// Something that can be let happen by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A message is delivered.
    Deliver(MessageId),
    /// A replica's next timer fires.
    Wake(ReplicaId),
}

impl FromStr for Next {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let replica = text.parse().map(Self::Wake).ok();
        let next = replica.or_else(|| text.parse().map(Self::Deliver).ok());
        next.ok_or_else(|| {
            format!("{text:?} is neither a message, such as R0-5, nor a replica with a timer")
        })
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver(id) => id.fmt(f),
            Self::Wake(replica) => replica.fmt(f),
        }
    }
}

/// The commands that scripts propose, numbered under one name. The same in every world, so that
/// what is printed is.
#[derive(Clone, Debug)]
pub struct Proposer {
    name: Arc<str>,
    proposals: u64,
}

impl Default for Proposer {
    fn default() -> Self {
        Self::called(PROPOSER)
    }
}

impl Proposer {
    /// Proposals under another name, for a cluster that may have had some under the usual one.
    pub fn called(name: &str) -> Self {
        Self { name: name.into(), proposals: 0 }
    }

    /// Makes commands of operations.
    pub fn commands(&mut self, operations: Vec<Operation>) -> Vec<Command> {
        let command = |operation| {
            self.proposals += 1;
            let client = Client::Named(self.name.clone());
            Command { request: RequestId { client, number: self.proposals }, operation }
        };
        operations.into_iter().map(command).collect()
    }

    /// Whether it makes commands under this request's name.
    pub fn is_of(&self, request: &RequestId) -> bool {
        request.client == Client::Named(self.name.clone())
    }

    /// How many commands there have been.
    pub fn proposals(&self) -> u64 {
        self.proposals
    }

    /// Takes note of commands that were proposed elsewhere, so that no number is used twice.
    pub fn note(&mut self, commands: &[Command]) {
        let ours = |it: &&Command| self.is_of(&it.request);
        let last = commands.iter().filter(ours).map(|command| command.request.number).max();
        self.proposals = self.proposals.max(last.unwrap_or(0));
    }
}

/// The requests that commands answer to.
pub fn requests(commands: &[Command]) -> Vec<RequestId> {
    commands.iter().map(|command| command.request.clone()).collect()
}

/// The name under which scripts propose.
const PROPOSER: &str = "script";

/// The answer to a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was asked.
    pub request: RequestId,
    /// What it came to, or why there is no telling.
    pub result: Result<Outcome, String>,
}
