//! The wire with nothing behind it: a server that answers every proposal at once, without a replica,
//! and a client of it. What calls on it cost is what the transport costs, and so the measure of what
//! replicas add.
//!
//! Both ends are what anybody gets from the files in `proto/`, with the codec that comes with tonic: a
//! measure must not change with what is measured.

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};

use self::wire::operation::Kind;
use self::wire::propose_response::Outcome;
use self::wire::replica_client::ReplicaClient;
use self::wire::replica_server::{Replica, ReplicaServer};
use crate::epaxos::command::Operation;
use crate::net::WINDOW;
use crate::net::client::CallError;
use crate::net::liveness::{Dialer, Distance};

/// What the generator makes of `proto/`.
mod wire {
    #![allow(dead_code, missing_docs, clippy::all, clippy::pedantic)]

    tonic::include_proto!("epaxos.v1");
}

/// Answers proposals at `listener` until it is cancelled.
pub async fn serve(listener: TcpListener, cancel: CancellationToken) -> Result<(), String> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(u32::MAX)
        .add_service(ReplicaServer::new(Echo))
        .serve_with_incoming_shutdown(incoming, cancel.cancelled())
        .await
        .map_err(|error| super::link::root(&error))
}

/// A connection to a server with nothing behind it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BareConnection {
    stub: ReplicaClient<Channel>,
}

impl BareConnection {
    /// A connection to the server at `address`, as `host:port`; `None` where that is no address.
    /// Called on a runtime.
    pub fn new(address: &str) -> Option<Self> {
        Some(Self {
            stub: ReplicaClient::new(Dialer::new(address, Distance::Network)?.connect_lazy()),
        })
    }

    /// Asks for an operation, and gets nothing done.
    pub async fn propose(&self, operation: &Operation) -> Result<(), CallError> {
        self.stub.clone().propose(write(None, operation)).await?;
        Ok(())
    }

    /// Asks for many operations on one stream. Answers carry the number of what they answer.
    pub async fn pipeline(
        &self,
        operations: impl Stream<Item = (u64, Operation)> + Send + 'static,
    ) -> Result<BoxStream<'static, Result<u64, CallError>>, CallError> {
        let requests = operations.map(|(number, operation)| write(Some(number), &operation));
        let answers = self.stub.clone().propose_stream(requests).await?.into_inner();
        Ok(answers.map(|answer| answer?.number.ok_or(CallError::Nonsense)).boxed())
    }
}

fn write(number: Option<u64>, operation: &Operation) -> wire::ProposeRequest {
    let key = operation.key().to_string();
    let kind = match operation {
        Operation::Put(_, value) => Kind::Put(wire::Put { key, value: value.to_vec() }),
        Operation::Get(_) => Kind::Get(wire::Get { key }),
        Operation::Delete(_) => Kind::Delete(wire::Delete { key }),
    };
    let operation = Some(wire::Operation { kind: Some(kind) });
    wire::ProposeRequest { identity: String::new(), number, operation }
}

/// Answers what is proposed, and nothing else.
#[derive(Clone, Copy, Debug)]
struct Echo;

/// A proposal is answered as if a write had taken effect.
fn answer(request: wire::ProposeRequest) -> wire::ProposeResponse {
    let wire::ProposeRequest { identity, number, .. } = request;
    wire::ProposeResponse { identity, number, outcome: Some(Outcome::Written(wire::Written {})) }
}

fn no_replica<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("there is no replica here"))
}

#[tonic::async_trait]
impl Replica for Echo {
    async fn propose(
        &self,
        request: Request<wire::ProposeRequest>,
    ) -> Result<Response<wire::ProposeResponse>, Status> {
        Ok(Response::new(answer(request.into_inner())))
    }

    async fn propose_batch(
        &self,
        _: Request<wire::ProposeBatchRequest>,
    ) -> Result<Response<wire::ProposeBatchResponse>, Status> {
        no_replica()
    }

    type ProposeStreamStream = BoxStream<'static, Result<wire::ProposeResponse, Status>>;

    async fn propose_stream(
        &self,
        request: Request<Streaming<wire::ProposeRequest>>,
    ) -> Result<Response<Self::ProposeStreamStream>, Status> {
        let answers = request.into_inner().map(|request| request.map(answer));
        Ok(Response::new(answers.boxed()))
    }

    type DispatchStream = BoxStream<'static, Result<wire::DispatchResponse, Status>>;

    async fn dispatch(
        &self,
        _: Request<Streaming<wire::Envelope>>,
    ) -> Result<Response<Self::DispatchStream>, Status> {
        no_replica()
    }
}
