//! A client's connection to one replica.

use std::error::Error;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::epaxos::command::{Client, Command, Operation, Outcome, RequestId};
use crate::net::answer_size;
use crate::net::batch::Proposals;
use crate::net::convert::{BATCH_MAX, IDENTITY_MAX, VALUE_MAX};
use crate::net::liveness::{Dialer, Distance};
use crate::net::wire;
use crate::net::wire::replica_client::ReplicaClient;

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The replica could not be reached, or went away before it answered. The request may or may
    /// not take effect.
    #[error("{0}")]
    Unreachable(String),
    /// The replica will not have it.
    #[error("refused: {0}")]
    Refused(String),
    /// The answer does not fit the request.
    #[error("the answer makes no sense")]
    Nonsense,
}

/// A connection, made when it is first needed and again when it breaks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connection {
    stub: ReplicaClient<Channel>,
}

/// Answers, each with the number of what it answers, in any order.
pub type Answers = BoxStream<'static, Result<(u64, Outcome), CallError>>;

impl Connection {
    /// A connection to the replica at `address`, as `host:port`; `None` where that is no address.
    /// Called on a runtime.
    pub fn new(address: &str) -> Option<Self> {
        Self::over(address, Distance::Network)
    }

    /// The same, to a replica at this distance.
    pub fn over(address: &str, distance: Distance) -> Option<Self> {
        let channel = Dialer::new(address, distance)?.connect_lazy();
        Some(Self { stub: ReplicaClient::new(channel).max_decoding_message_size(ANSWER_MAX) })
    }

    /// Proposes one command.
    pub async fn propose(&self, command: &Command) -> Result<Outcome, CallError> {
        let answer = self.stub.clone().propose(write(command)).await?.into_inner();
        answer.outcome.map(Into::into).ok_or(CallError::Nonsense)
    }

    /// Proposes several commands as one instance.
    pub async fn propose_batch(&self, commands: &[Command]) -> Result<Vec<Outcome>, CallError> {
        let proposals = commands.iter().map(write).collect();
        let mut request = Request::new(Proposals { proposals });
        request.metadata_mut().insert(answer_size::KEY, MetadataValue::from(ANSWER_MAX));
        let answers = self.stub.clone().propose_batch(request).await?.into_inner().answers;
        let outcomes: Option<Vec<_>> =
            answers.into_iter().map(|answer| answer.outcome.map(Into::into)).collect();
        outcomes.filter(|outcomes| outcomes.len() == commands.len()).ok_or(CallError::Nonsense)
    }

    /// Proposes commands as one instance, and says of each what came of it, or why nothing did.
    pub async fn propose_together(
        &self,
        commands: Vec<Command>,
    ) -> impl Iterator<Item = (RequestId, Result<Outcome, String>)> + use<> {
        let answers = match &commands[..] {
            [command] => self.propose(command).await.map(|outcome| vec![outcome]),
            commands => self.propose_batch(commands).await,
        };
        commands.into_iter().enumerate().map(move |(index, Command { request, .. })| {
            let result = answers.as_ref().map(|outcomes| outcomes[index].clone());
            (request, result.map_err(ToString::to_string))
        })
    }

    /// Proposes a stream of operations, many of which may be under way. The client has no name: the
    /// numbers only tell which answer is whose, and none can be repeated.
    pub async fn pipeline(
        &self,
        operations: impl Stream<Item = (u64, Operation)> + Send + 'static,
    ) -> Result<Answers, CallError> {
        let requests = operations.map(|(number, operation)| wire::ProposeRequest {
            identity: String::new(),
            number: Some(number),
            operation: Some((&operation).into()),
        });
        let answers = self.stub.clone().propose_stream(requests).await?.into_inner();
        let answers = answers.map(|answer| {
            let wire::ProposeResponse { number, outcome, .. } = answer?;
            let number = number.ok_or(CallError::Nonsense)?;
            Ok((number, outcome.ok_or(CallError::Nonsense)?.into()))
        });
        Ok(answers.boxed())
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::InvalidArgument | Code::OutOfRange | Code::ResourceExhausted => {
                Self::Refused(status.message().to_owned())
            }
            _ => Self::Unreachable(match status.source() {
                Some(cause) => super::link::root(cause),
                None => status.message().to_owned(),
            }),
        }
    }
}

/// A request of a client that numbers its own. One without a name is numbered by the replica.
fn write(command: &Command) -> wire::ProposeRequest {
    let Command { request, operation } = command;
    let operation: &Operation = operation;
    let (identity, number) = match &request.client {
        Client::Named(name) => (name.to_string(), Some(request.number)),
        Client::Anonymous(_) => (String::new(), None),
    };
    wire::ProposeRequest { identity, number, operation: Some(operation.into()) }
}

/// The largest answer that is received, in bytes: a batch in which every get finds the longest value.
const ANSWER_MAX: usize = BATCH_MAX * (VALUE_MAX + IDENTITY_MAX + answer_size::FRAME);
