//! The wire with nothing behind it: a server that answers every proposal at once, without a replica.
//! What calls on it cost is what the transport costs, and so the measure of what replicas add.

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::net::wire::propose_response::Outcome;
use crate::net::wire::replica_server::{Replica, ReplicaServer};
use crate::net::{MESSAGE_MAX, WINDOW, wire};

/// Answers proposals at `listener` until it is cancelled.
pub async fn serve(listener: TcpListener, cancel: CancellationToken) -> Result<(), String> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(u32::MAX)
        .add_service(ReplicaServer::new(Echo).max_decoding_message_size(MESSAGE_MAX))
        .serve_with_incoming_shutdown(incoming, cancel.cancelled())
        .await
        .map_err(|error| super::link::root(&error))
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
