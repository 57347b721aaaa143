//! What a replica serves. The services only parse and push into the replica's one queue, and wait
//! for its one event loop to answer; they know nothing of the protocol.

mod answers;
mod chunk;
mod waiter;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::Streaming;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::transport::Server;
use tower::util::MapResponseLayer;
use tracing::{debug, info, warn};

pub use self::answers::Answers;
use self::chunk::{Chunk, Unread, next_chunk};
use self::waiter::{Answered, Charged, Waiting};
pub use self::waiter::{Proposal, Waiter};
use crate::epaxos::command::{Operation, Outcome, Payload};
use crate::epaxos::id::ReplicaId;
use crate::epaxos::message::Envelope;
use crate::net::batch::Proposals;
use crate::net::bounds::budget::Charge;
use crate::net::bounds::calls::{Admission, Call};
use crate::net::bounds::{Bounds, Client, Limits, Topic, accept};
use crate::net::convert;
use crate::net::convert::earlier::{COMMAND_WEIGHT, Heard};
use crate::net::convert::{Dialect, Refusal, Wish, check_bytes, check_count};
use crate::net::deadline::Deadlines;
use crate::net::handshake::{Admitted, Handshake};
use crate::net::wire::kv_server::{Kv, KvServer};
use crate::net::wire::replica_server::{Replica, ReplicaServer};
use crate::net::{MESSAGE_MAX, answer_size, wire};

/// What reaches a replica through its one queue. `C` is whatever else its host puts there.
#[derive(Debug)]
pub enum Incoming<C> {
    /// Messages from another replica, in the order in which they came, and what is charged for them
    /// until they are done with.
    Peer(Vec<Envelope>, Option<Charge>),
    /// Proposals of clients, to become one instance.
    Client(Vec<Proposal>),
    /// Proposals that came together and have nothing to do with each other.
    Clients(Vec<Proposal>),
    /// What the host adds.
    Control(C),
}

/// What a client is told whose request is open when the replica goes down, or that asks one which is
/// down: the request may or may not take effect, and may be repeated under its name, anywhere.
fn down(replica: ReplicaId) -> Status {
    Status::unavailable(format!("{replica} is down"))
}

/// One replica's services.
#[derive(Debug)]
pub struct Service<C> {
    /// Whose they are, and of how many.
    pub dialect: Dialect,
    /// The replica's one queue.
    pub queue: mpsc::Sender<Incoming<C>>,
    /// Whom it lets in, and whether the others let it in.
    pub handshake: Arc<dyn Handshake>,
    /// How many messages and requests were refused for what they said.
    pub refused: Arc<AtomicU64>,
    /// How much clients may take.
    pub bounds: Arc<Bounds>,
    /// Ends all that is under way.
    pub cancel: CancellationToken,
}

impl<C> Clone for Service<C> {
    fn clone(&self) -> Self {
        Self {
            dialect: self.dialect,
            queue: self.queue.clone(),
            handshake: self.handshake.clone(),
            refused: self.refused.clone(),
            bounds: self.bounds.clone(),
            cancel: self.cancel.clone(),
        }
    }
}

/// Serves one replica, and reflection and health beside it, until it is cancelled.
pub async fn serve<C: Send + 'static>(listener: TcpListener, service: Service<C>) {
    let (me, cancel) = (service.dialect.me, service.cancel.clone());
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<KvServer<Service<C>>>().await;
    health.set_serving::<ReplicaServer<Service<C>>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(wire::FILES)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let compiled = "the descriptors were compiled with the crate";
    let restating = service.clone();
    let (bounds, name) = (service.bounds.clone(), me.to_string());
    let Limits { calls_per_connection, window_bytes, header_bytes, .. } = *bounds.limits();
    // A client may give up all its calls at once, and that more than once.
    let resets = Some(calls_per_connection as usize);
    let server = Server::builder()
        .initial_stream_window_size(window_bytes)
        .initial_connection_window_size(window_bytes)
        // Every open call is a stream of its own.
        .max_concurrent_streams(calls_per_connection)
        .http2_max_header_list_size(header_bytes)
        .http2_max_pending_accept_reset_streams(resets)
        .http2_max_local_error_reset_streams(resets)
        .layer(Admission::new(&name))
        .layer(MapResponseLayer::new(move |response| restating.restate(response)))
        .layer(Deadlines)
        .add_service(health_service)
        .add_service(reflection().build_v1().expect(compiled))
        .add_service(reflection().build_v1alpha().expect(compiled))
        .add_service(KvServer::new(service.clone()))
        .add_service(ReplicaServer::new(service).max_decoding_message_size(MESSAGE_MAX));
    let incoming = accept::incoming(listener, bounds, name);
    let serving = server.serve_with_incoming_shutdown(incoming, cancel.cancelled());
    let patience = async {
        cancel.cancelled().await;
        tokio::time::sleep(SHUTDOWN_PATIENCE).await;
    };
    tokio::select! {
        result = serving => match result {
            Ok(()) => debug!("{me} serves no more"),
            Err(error) => warn!("{me} cannot serve: {error}"),
        },
        () = patience => debug!("{me} serves no more, though clients hold on"),
    }
}

impl<C: Send + 'static> Service<C> {
    /// Says why something is refused, and counts it.
    fn refuse(&self, what: &str, refusal: &dyn fmt::Display) -> Status {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let me = self.dialect.me;
        self.bounds.log(Topic::Refused, |more| info!("{me} refused a {what}: {refusal}{more}"));
        Status::invalid_argument(refusal.to_string())
    }

    /// Refuses clients while the other replicas refuse this one.
    fn check_takes_part(&self) -> Result<(), Status> {
        self.handshake.refusal().map_or(Ok(()), |why| Err(Status::unavailable(&*why)))
    }

    fn stopped(&self) -> Status {
        down(self.dialect.me)
    }

    fn waiter(&self, client: &Client, charge: &Arc<Charge>, waiting: Waiting) -> Waiter {
        Waiter::new(self.dialect.me, client.clone(), charge.clone(), waiting)
    }

    /// Asks the replica for one instance of all that is wished, and waits for what it comes to.
    async fn ask(&self, call: &Call, wishes: Vec<Wish>) -> Result<Vec<Charged<Outcome>>, Status> {
        self.check_takes_part()?;
        let charge = Arc::new(call.client().requests().take(weigh_all(&wishes)).await);
        call.settle();
        let (proposals, answers): (Vec<_>, Vec<_>) = wishes
            .into_iter()
            .map(|wish| {
                let (waiter, answer) = oneshot::channel();
                let waiter = self.waiter(call.client(), &charge, Waiting::Call(waiter));
                (Proposal { wish, waiter }, answer)
            })
            .unzip();
        drop(charge);
        let pushed = self.queue.send(Incoming::Client(proposals)).await;
        pushed.map_err(|_| self.stopped())?;
        let mut outcomes = Vec::with_capacity(answers.len());
        for answer in answers {
            outcomes.push(answer.await.map_err(|_| self.stopped())??);
        }
        call.answer(outcomes.iter().map(|outcome| value_len(&outcome.it)).sum()).await;
        Ok(outcomes)
    }

    /// Asks for one operation, already read.
    async fn ask_one(&self, call: &Call, wish: Result<Wish, Refusal>) -> Result<Outcome, Status> {
        let wish = wish.map_err(|refusal| self.refuse("request", &refusal))?;
        let outcomes = self.ask(call, vec![wish]).await?;
        Ok(outcomes.into_iter().next().expect("one wish has one outcome").it)
    }

    /// Passes on all that a peer says, until it has no more to say. Where the handshake has named
    /// the peer, nothing else may come `from` there.
    async fn listen(
        self,
        call: Call,
        from: Option<ReplicaId>,
        mut envelopes: Streaming<wire::Envelope>,
    ) -> Result<(), Status> {
        let mut heard = Heard::default();
        let mut read = |envelope| {
            let read = self.dialect.read(envelope, &mut heard);
            let read = read.map_err(|refusal| self.refuse("message", &refusal))?;
            self.check_sender(from, &read)?;
            let weight = WEIGHT + read.message.payload().map_or(0, weigh_payload);
            Ok((read, weight))
        };
        while let Some(Chunk { read, weight, end }) = next_chunk(&mut envelopes, &mut read).await {
            // A replica that is refused votes for nothing.
            if !read.is_empty() && self.handshake.refusal().is_none() {
                let charge = call.client().messages().take(weight).await;
                call.settle();
                let pushed = self.queue.send(Incoming::Peer(read, Some(charge))).await;
                pushed.map_err(|_| self.stopped())?;
            }
            match end {
                None => {}
                // What cannot be decoded is refused like what makes no sense.
                Some(Unread::Broken(status)) if is_nonsense(&status) => {
                    return Err(self.refuse("message", &status.message()));
                }
                Some(Unread::Broken(_)) => return Ok(()),
                Some(Unread::Refused(status)) => return Err(status),
            }
        }
        // The peer has ended the stream.
        Ok(())
    }

    /// Refuses a message that another replica than the one of its stream has sent.
    fn check_sender(&self, from: Option<ReplicaId>, envelope: &Envelope) -> Result<(), Status> {
        match from {
            Some(from) if from != envelope.id.sender => {
                let sender = envelope.id.sender;
                let sentence = format!("the message is from {sender}, and the stream from {from}");
                Err(self.refuse("message", &sentence))
            }
            _ => Ok(()),
        }
    }

    /// Passes on all that a client proposes on a stream. When there is no room for another answer, the
    /// client is not read any further.
    async fn take(
        &self,
        call: &Call,
        mut requests: Streaming<wire::ProposeRequest>,
        answers: &mpsc::UnboundedSender<Answered>,
        room: &Semaphore,
    ) -> Result<(), Status> {
        let read_one = |request: wire::ProposeRequest| {
            let (identity, number) = (request.identity.clone(), request.number);
            let wish = read(request).map_err(|refusal| self.refuse("request", &refusal))?;
            let weight = weigh(&wish);
            Ok(((wish, identity, number), weight))
        };
        while let Some(Chunk { read, weight, end }) = next_chunk(&mut requests, read_one).await {
            self.check_takes_part()?;
            let count = u32::try_from(read.len()).expect("a chunk is small");
            match room.acquire_many(count).await {
                // Each place is given back when its answer is written.
                Ok(places) => places.forget(),
                // The client has left.
                Err(_) => return Ok(()),
            }
            let charge = Arc::new(call.client().requests().take(weight).await);
            call.settle();
            let propose = |(wish, identity, number)| {
                let answers = answers.clone();
                let waiting = Waiting::Stream { answers, identity, number };
                Proposal { wish, waiter: self.waiter(call.client(), &charge, waiting) }
            };
            let proposals = read.into_iter().map(propose).collect();
            drop(charge);
            let pushed = self.queue.send(Incoming::Clients(proposals)).await;
            pushed.map_err(|_| self.stopped())?;
            match end {
                None => {}
                Some(Unread::Broken(status)) if is_nonsense(&status) => {
                    return Err(self.refuse("request", &status.message()));
                }
                Some(Unread::Broken(_)) => return Ok(()),
                Some(Unread::Refused(status)) => return Err(status),
            }
        }
        // The client has no more to ask.
        Ok(())
    }

    /// A request that could not be decoded never got as far as here. It is the client's mistake and
    /// not ours, and counted as one.
    fn restate(&self, response: http::Response<Body>) -> http::Response<Body> {
        match Status::from_header_map(response.headers()) {
            Some(status) if is_nonsense(&status) => {
                self.refuse("request", &status.message()).into_http()
            }
            _ => response,
        }
    }
}

/// Whether a status says that something could not be decoded, or was too large. Nothing here says
/// the like of itself.
fn is_nonsense(status: &Status) -> bool {
    matches!(status.code(), Code::Internal | Code::OutOfRange)
}

#[tonic::async_trait]
impl<C: Send + 'static> Kv for Service<C> {
    async fn put(
        &self,
        request: Request<wire::PutRequest>,
    ) -> Result<Response<wire::PutResponse>, Status> {
        let call = call_of(&request);
        let wire::PutRequest { key, value, identity, number } = request.into_inner();
        let put = Operation::Put(key.into(), value.into());
        let wish = Wish::read(identity, number, Some((&put).into()));
        let outcome = self.ask_one(&call, wish).await?;
        check_known(&outcome, put.key())?;
        Ok(Response::new(wire::PutResponse {}))
    }

    async fn get(
        &self,
        request: Request<wire::GetRequest>,
    ) -> Result<Response<wire::GetResponse>, Status> {
        let call = call_of(&request);
        let wire::GetRequest { key, identity, number } = request.into_inner();
        let get = Operation::Get(key.into());
        match self.ask_one(&call, Wish::read(identity, number, Some((&get).into()))).await? {
            Outcome::Found(value) => Ok(Response::new(wire::GetResponse { value: value.to_vec() })),
            Outcome::NotFound | Outcome::Written | Outcome::Unknown => {
                Err(Status::not_found(format!("the key {} has no value", quoted(get.key()))))
            }
        }
    }

    async fn delete(
        &self,
        request: Request<wire::DeleteRequest>,
    ) -> Result<Response<wire::DeleteResponse>, Status> {
        let call = call_of(&request);
        let wire::DeleteRequest { key, identity, number } = request.into_inner();
        let delete = Operation::Delete(key.into());
        let wish = Wish::read(identity, number, Some((&delete).into()));
        let outcome = self.ask_one(&call, wish).await?;
        check_known(&outcome, delete.key())?;
        Ok(Response::new(wire::DeleteResponse {}))
    }
}

#[tonic::async_trait]
impl<C: Send + 'static> Replica for Service<C> {
    async fn propose(
        &self,
        request: Request<wire::ProposeRequest>,
    ) -> Result<Response<wire::ProposeResponse>, Status> {
        let call = call_of(&request);
        let request = request.into_inner();
        let (identity, number) = (request.identity.clone(), request.number);
        let outcome = self.ask_one(&call, read(request)).await?;
        Ok(Response::new(response(identity, number, outcome)))
    }

    async fn propose_batch(
        &self,
        request: Request<Proposals>,
    ) -> Result<Response<wire::ProposeBatchResponse>, Status> {
        let call = call_of(&request);
        let (metadata, _, request) = request.into_parts();
        let proposals = request.proposals;
        answer_size::check(&metadata, &proposals)
            .map_err(|too_large| self.refuse("batch", &too_large))?;
        let named = proposals.iter().map(|request| (request.identity.clone(), request.number));
        let named: Vec<_> = named.collect();
        let wishes = read_batch(proposals).map_err(|refusal| self.refuse("batch", &refusal))?;
        let outcomes = self.ask(&call, wishes).await?;
        let answers = named.into_iter().zip(outcomes);
        let answers =
            answers.map(|((identity, number), outcome)| response(identity, number, outcome.it));
        Ok(Response::new(wire::ProposeBatchResponse { answers: answers.collect() }))
    }

    type ProposeStreamStream = Answers;

    async fn propose_stream(
        &self,
        request: Request<Streaming<wire::ProposeRequest>>,
    ) -> Result<Response<Self::ProposeStreamStream>, Status> {
        let (answers, stream) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(STREAM_DEPTH as usize));
        let call = call_of(&request);
        let client = call.client().clone();
        let answered = Answers::new(stream, room.clone(), client);
        let service = self.clone();
        tokio::spawn(async move {
            let taking = service.take(&call, request.into_inner(), &answers, &room);
            let taken = service.cancel.run_until_cancelled(taking).await;
            if let Err(status) = taken.unwrap_or_else(|| Err(service.stopped())) {
                // An error ends the stream: what was proposed before it is answered first. Where the
                // client has left, there is nobody to tell.
                let all = room.acquire_many(STREAM_DEPTH).await;
                drop(all);
                answers.send(Err(status)).ok();
            }
        });
        Ok(Response::new(answered))
    }

    type DispatchStream =
        Pin<Box<dyn Stream<Item = Result<wire::DispatchResponse, Status>> + Send>>;

    async fn dispatch(
        &self,
        request: Request<Streaming<wire::Envelope>>,
    ) -> Result<Response<Self::DispatchStream>, Status> {
        let call = call_of(&request);
        let (metadata, _, envelopes) = request.into_parts();
        let admitted = self.handshake.admit(&metadata).await;
        let admitted = admitted.inspect_err(|status| match status.code() {
            // The handshake prints this itself, once for each process that it refuses.
            Code::FailedPrecondition => drop(self.refused.fetch_add(1, Ordering::Relaxed)),
            _ => drop(self.refuse("peer", &status.message())),
        })?;
        let Admitted { from, answer, ends, open } = admitted;
        let service = self.clone();
        // The answer to a peer is a stream that says nothing. Whoever waits for it does the
        // reading, so that the two end together.
        let silence = async move {
            let _open = open;
            let cancel = service.cancel.clone();
            let listening = async {
                tokio::select! {
                    biased;
                    end = ends => end,
                    end = service.listen(call, from, envelopes) => end,
                }
            };
            cancel.run_until_cancelled(listening).await
        };
        let silence = futures::stream::once(silence);
        let silence = silence.filter_map(async |end| end.and_then(Result::err).map(Err));
        let silence: Self::DispatchStream = Box::pin(silence);
        let mut response = Response::new(silence);
        *response.metadata_mut() = answer;
        Ok(response)
    }
}

/// The call that a request belongs to.
fn call_of<T>(request: &Request<T>) -> Call {
    let call = request.extensions().get::<Call>();
    call.expect("every call of this server was admitted").clone()
}

/// What is charged for a wish.
fn weigh(wish: &Wish) -> usize {
    WEIGHT + convert::size(&wish.operation)
}

fn weigh_all(wishes: &[Wish]) -> usize {
    wishes.iter().map(weigh).sum()
}

/// What is charged for what a message carries.
fn weigh_payload(payload: &Payload) -> usize {
    match payload {
        Payload::Noop => 0,
        Payload::Commands(commands) => {
            commands.iter().map(|command| COMMAND_WEIGHT + convert::size(&command.operation)).sum()
        }
    }
}

/// How long the value is that an outcome carries.
fn value_len(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Found(value) => value.len(),
        Outcome::NotFound | Outcome::Written | Outcome::Unknown => 0,
    }
}

fn read(request: wire::ProposeRequest) -> Result<Wish, Refusal> {
    Wish::read(request.identity, request.number, request.operation)
}

fn read_batch(proposals: Vec<wire::ProposeRequest>) -> Result<Vec<Wish>, Refusal> {
    check_count(proposals.len())?;
    let wishes: Vec<_> = proposals.into_iter().map(read).collect::<Result<_, _>>()?;
    check_bytes(wishes.iter().map(|wish| &wish.operation))?;
    Ok(wishes)
}

/// Refuses where it is unknown whether a write took effect. To make the same call again does not help.
fn check_known(outcome: &Outcome, key: &str) -> Result<(), Status> {
    match outcome {
        Outcome::Unknown => Err(Status::failed_precondition(format!(
            "this call had no effect, and whether an earlier one with its identity and number had one \
             is no longer known; read {key:?}, and send what remains to be written under a higher \
             number"
        ))),
        Outcome::Written | Outcome::Found(_) | Outcome::NotFound => Ok(()),
    }
}

fn response(identity: String, number: Option<u64>, outcome: Outcome) -> wire::ProposeResponse {
    wire::ProposeResponse { identity, number, outcome: Some(outcome.into()) }
}

/// A key as it is named in a status. The whole of a long one would make the status larger than
/// clients receive, and they would be told that instead.
fn quoted(key: &str) -> String {
    match key.char_indices().nth(QUOTED_MAX) {
        None => format!("{key:?}"),
        Some((end, _)) => format!("{:?}...", &key[..end]),
    }
}

/// How many characters of a key are quoted.
const QUOTED_MAX: usize = 64;

/// How many proposals of one stream may be under way.
const STREAM_DEPTH: u32 = 16 << 10;

/// What is charged for a request or a message beside its keys and values, in bytes.
const WEIGHT: usize = 256;

/// How long clients may take to notice that a replica shuts down.
const SHUTDOWN_PATIENCE: Duration = Duration::from_millis(500);
