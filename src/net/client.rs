//! A client's connection to one replica.

use std::error::Error;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::Status;
use tonic::transport::Channel;

use crate::epaxos::command::{Client, Command, Operation, Outcome, RequestId};
use crate::net::MESSAGE_MAX;
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

/// A stream of proposals, and the stream of their answers, which come in any order.
pub type Pipeline = (PipelineSender, BoxStream<'static, Result<(RequestId, Outcome), CallError>>);

/// The near end of a stream of proposals.
#[derive(Clone, Debug)]
pub struct PipelineSender(mpsc::Sender<wire::ProposeRequest>);

impl Connection {
    /// A connection to the replica at `address`, as `host:port`; `None` where that is no address.
    /// Called on a runtime.
    pub fn new(address: &str) -> Option<Self> {
        let channel = super::endpoint(address)?.connect_lazy();
        Some(Self { stub: ReplicaClient::new(channel).max_decoding_message_size(MESSAGE_MAX) })
    }

    /// Proposes one command.
    pub async fn propose(&self, command: &Command) -> Result<Outcome, CallError> {
        let answer = self.stub.clone().propose(write(command)).await?.into_inner();
        answer.outcome.map(Into::into).ok_or(CallError::Nonsense)
    }

    /// Proposes several commands as one instance.
    pub async fn propose_batch(&self, commands: &[Command]) -> Result<Vec<Outcome>, CallError> {
        let proposals = commands.iter().map(write).collect();
        let request = wire::ProposeBatchRequest { proposals };
        let answers = self.stub.clone().propose_batch(request).await?.into_inner().answers;
        let outcomes: Option<Vec<_>> =
            answers.into_iter().map(|answer| answer.outcome.map(Into::into)).collect();
        outcomes.filter(|outcomes| outcomes.len() == commands.len()).ok_or(CallError::Nonsense)
    }

    /// Opens a stream on which many proposals may be under way.
    pub async fn pipeline(&self) -> Result<Pipeline, CallError> {
        let (sender, requests) = mpsc::channel(PIPELINE_QUEUE);
        let call = self.stub.clone().propose_stream(ReceiverStream::new(requests)).await?;
        let answers = call.into_inner().map(|answer| {
            let wire::ProposeResponse { identity, number, outcome } = answer?;
            let number = number.ok_or(CallError::Nonsense)?;
            let outcome = outcome.ok_or(CallError::Nonsense)?;
            Ok((RequestId::named(&identity, number), outcome.into()))
        });
        Ok((PipelineSender(sender), answers.boxed()))
    }
}

impl PipelineSender {
    /// Proposes a command of a named client. `false` where the stream has ended.
    pub async fn propose(&self, command: &Command) -> bool {
        self.0.send(write(command)).await.is_ok()
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

/// How many proposals may wait for the transport.
const PIPELINE_QUEUE: usize = 256;
