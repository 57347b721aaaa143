//! Live clusters over gRPC on the loopback, as clients and scripts see them.

mod ports;

mod wire {
    #![allow(missing_docs, clippy::all, clippy::pedantic)]
    // What any client in any language would generate from the same files.
    tonic::include_proto!("epaxos.v1");
}

use std::time::Duration;

use epaxos_tui::epaxos::command::{Command as Asked, Operation, Outcome, RequestId};
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::message::{Envelope, MessageKind};
use epaxos_tui::node::client::Client;
use epaxos_tui::node::cluster::{Cluster, Options, StartError};
use epaxos_tui::node::driver::Act;
use epaxos_tui::node::live::{LiveWorld, serve};
use epaxos_tui::node::standalone::Standalone;
use epaxos_tui::observe::notice::{Decision, Effect, Shape, Step};
use epaxos_tui::observe::view::View;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::request::{Report, Request};
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim;
use ports::Ports;
use proptest::prelude::*;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tonic::Code;
use tonic::transport::Channel;
use wire::kv_client::KvClient;
use wire::replica_client::ReplicaClient;

fn start(options: &Options) -> Cluster {
    Cluster::start(options, None, &Handle::current()).expect("the loopback has free ports")
}

async fn kv(cluster: &Cluster, replica: u8) -> KvClient<Channel> {
    let endpoint = format!("http://{}", cluster.endpoint(ReplicaId(replica)));
    KvClient::connect(endpoint).await.expect("the replica listens")
}

fn put(key: &str, value: &str) -> wire::PutRequest {
    wire::PutRequest { key: key.into(), value: value.into(), ..Default::default() }
}

fn get(key: &str) -> wire::GetRequest {
    wire::GetRequest { key: key.into(), ..Default::default() }
}

/// A script's dealings with a live world, and what it prints.
struct Script<W> {
    world: W,
    session: Session,
    printed: Vec<String>,
}

impl<W: World> Script<W> {
    fn new(world: W) -> Self {
        Self { world, session: Session::default(), printed: Vec::new() }
    }

    /// Carries out commands, one a line. What is refused is printed as well.
    fn run(&mut self, script: &str) -> &mut Self {
        for line in script.lines() {
            let Some(command) = Command::parse(line).expect("the line is a command") else {
                continue;
            };
            match self.session.perform(&mut self.world, &command) {
                Ok(lines) => self.printed.extend(lines),
                Err(error) => self.printed.push(format!("Error: {error}")),
            }
        }
        self
    }

    fn printed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.printed)
    }

    fn trace(&self) -> Vec<String> {
        self.world.view().trace.iter().map(ToString::to_string).collect()
    }
}

fn live(replicas: usize) -> Script<LiveWorld> {
    Script::new(LiveWorld::start(&Options::new(replicas), false).expect("free ports"))
}

#[tokio::test(flavor = "multi_thread")]
async fn any_client_writes_anywhere_and_reads_anywhere() {
    let cluster = start(&Options::new(5));
    for writer in 0..5 {
        let key = format!("k{writer}");
        kv(&cluster, writer).await.put(put(&key, "v")).await.unwrap();
        for reader in 0..5 {
            let read = kv(&cluster, reader).await.get(get(&key)).await.unwrap();
            assert_eq!(read.into_inner().value, b"v");
        }
    }
    let delete = wire::DeleteRequest { key: "k0".into(), ..Default::default() };
    kv(&cluster, 1).await.delete(delete).await.unwrap();
    let missing = kv(&cluster, 2).await.get(get("k0")).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(missing.message(), "the key \"k0\" has no value");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_request_is_refused_in_words_and_counted() {
    let cluster = start(&Options::new(3));
    let mut client = kv(&cluster, 0).await;
    let refused = client.put(put("", "v")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "a key has at least one byte");
    let refused = client.get(get(&"k".repeat(5000))).await.unwrap_err();
    assert_eq!(refused.message(), "a key has 5000 bytes, more than 4096");
    assert_eq!(cluster.refused(ReplicaId(0)), 2);
    client.put(put("x", &"v".repeat(1 << 20))).await.unwrap();
    assert_eq!(
        kv(&cluster, 2).await.get(get("x")).await.unwrap().into_inner().value.len(),
        1 << 20
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_takes_effect_once_wherever_it_is_repeated() {
    let cluster = start(&Options::new(3));
    let named = |key: &str, value: &str, number| wire::PutRequest {
        identity: "ann".into(),
        number: Some(number),
        ..put(key, value)
    };
    kv(&cluster, 0).await.put(named("x", "first", 0)).await.unwrap();
    kv(&cluster, 0).await.put(put("x", "second")).await.unwrap();
    for replica in 0..3 {
        kv(&cluster, replica).await.put(named("x", "first", 0)).await.unwrap();
        let read = kv(&cluster, replica).await.get(get("x")).await.unwrap();
        assert_eq!(read.into_inner().value, b"second", "repeated at R{replica}");
    }
    // The answer is the first one's, though the question has another by now.
    let ask =
        |number| wire::GetRequest { identity: "ann".into(), number: Some(number), ..get("x") };
    let first = kv(&cluster, 1).await.get(ask(1)).await.unwrap().into_inner().value;
    kv(&cluster, 0).await.put(put("x", "third")).await.unwrap();
    let again = kv(&cluster, 2).await.get(ask(1)).await.unwrap().into_inner().value;
    assert_eq!((first.as_slice(), again.as_slice()), (&b"second"[..], &b"second"[..]));
}

#[test]
fn concurrent_clients_get_their_own_answers_and_all_stores_agree() {
    let mut script = live(5);
    let endpoints = script.world.view().shape.endpoints.clone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = |index: usize| {
            let endpoint = endpoints[index % endpoints.len()].clone();
            async move {
                let client = Client::connect(&endpoint, &format!("c{index}")).unwrap();
                let mine = format!("mine{index}");
                for round in 0..8 {
                    let value = format!("{index}.{round}");
                    client.propose(Operation::put("hot", &value)).await.unwrap();
                    client.propose(Operation::put(&mine, &value)).await.unwrap();
                    let read = client.propose(Operation::get(&mine)).await.unwrap();
                    assert_eq!(read, Outcome::Found(value.as_bytes().into()));
                }
            }
        };
        futures::future::join_all((0..64).map(client)).await;
    });
    script.run("settle");
    assert_eq!(script.printed(), [""; 0]);
    let view = script.world.view();
    for replica in &view.replicas {
        assert_eq!(replica.store, view.replicas[0].store);
        assert_eq!(replica.store.len(), 65);
    }
    assert!(view.in_flight.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_proposals_answers_each_of_them() {
    let cluster = start(&Options { batch: true, ..Options::new(3) });
    let endpoint = format!("http://{}", cluster.endpoint(ReplicaId(0)));
    let mut client = ReplicaClient::connect(endpoint).await.unwrap();
    let request = |number: u64| wire::ProposeRequest {
        identity: "stream".into(),
        number: Some(number),
        operation: Some(wire::Operation {
            kind: Some(match number % 2 {
                0 => wire::operation::Kind::Put(wire::Put {
                    key: format!("k{}", number / 2),
                    value: number.to_le_bytes().to_vec(),
                }),
                _ => wire::operation::Kind::Get(wire::Get { key: format!("k{}", number / 2) }),
            }),
        }),
    };
    let requests = futures::stream::iter((0..2000).map(request));
    let mut answers = client.propose_stream(requests).await.unwrap().into_inner();
    let mut answered = std::collections::BTreeSet::new();
    while let Some(answer) = answers.message().await.unwrap() {
        let number = answer.number.unwrap();
        assert!(answered.insert(number), "{number} is answered once");
        if number % 2 == 1 {
            use wire::propose_response::Outcome;
            // The put went ahead on the same stream.
            assert_eq!(answer.outcome, Some(Outcome::Found((number - 1).to_le_bytes().to_vec())));
        }
    }
    assert_eq!(answered.len(), 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_replica_that_goes_down_is_told_however_it_asked() {
    let cluster = start(&Options { paused: true, ..Options::new(3) });
    let endpoint = format!("http://{}", cluster.endpoint(ReplicaId(1)));
    let mut client = ReplicaClient::connect(endpoint).await.unwrap();
    let put = || wire::operation::Kind::Put(wire::Put { key: "x".into(), value: b"1".to_vec() });
    let request = |number| wire::ProposeRequest {
        identity: "ann".into(),
        number: Some(number),
        operation: Some(wire::Operation { kind: Some(put()) }),
    };
    // The client goes on asking: it does not end the stream.
    let (sender, requests) = mpsc::channel(4);
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    let mut answers = client.propose_stream(requests).await.unwrap().into_inner();
    sender.send(request(0)).await.unwrap();
    let batch = wire::ProposeBatchRequest { proposals: vec![request(1), request(2)] };
    let mut other = client.clone();
    let batch = tokio::spawn(async move { other.propose_batch(batch).await });
    let mut other = client.clone();
    let third = request(3);
    let call = tokio::spawn(async move { other.propose(third).await });
    // None of them is answered while everything is paused; they must be open before the crash.
    tokio::time::sleep(Duration::from_millis(200)).await;
    cluster.act(ReplicaId(1), Act::Crash).await.unwrap();
    let ends = [
        answers.message().await.unwrap_err(),
        batch.await.unwrap().unwrap_err(),
        call.await.unwrap().unwrap_err(),
    ];
    for end in ends {
        assert_eq!((end.code(), end.message()), (Code::Unavailable, "R1 is down"));
    }
    // And who asks a replica that is down.
    let mut answers =
        client.propose_stream(futures::stream::iter([request(4)])).await.unwrap().into_inner();
    let end = answers.message().await.unwrap_err();
    assert_eq!((end.code(), end.message()), (Code::Unavailable, "R1 is down"));
}

#[test]
fn a_batch_is_one_instance() {
    let mut script = live(3);
    script.run("batch 'put x 1' 'put y 2' 'get x'\nsettle");
    assert_eq!(script.printed(), ["put x 1 = ok", "put y 2 = ok", "get x = 1"]);
    assert_eq!(script.world.view().replicas[0].instances.len(), 1);
}

#[test]
fn what_is_held_waits_until_it_is_delivered_or_dropped_and_can_be_doubled() {
    // Nobody gets tired of waiting for what is held.
    let options = Options { recover_after: None, ..Options::new(3) };
    let mut script = Script::new(LiveWorld::start(&options, false).expect("free ports"));
    script.run("hold kind=Commit\nput x 1 @R0\nsettle");
    assert_eq!(script.printed(), ["put x 1 = ok"], "the leader needs no Commit");
    let held = |script: &Script<LiveWorld>| {
        let held = script.world.in_flight().held();
        held.map(|flight| flight.envelope.to_string()).collect::<Vec<_>>()
    };
    let commits = held(&script);
    assert_eq!(commits.len(), 2, "{commits:?}");
    let store = |script: &Script<LiveWorld>, replica: usize| {
        script.world.view().replicas[replica].store.len()
    };
    assert_eq!([store(&script, 0), store(&script, 1), store(&script, 2)], [1, 0, 0]);
    script.run("dup kind=Commit to=R1\ndeliver kind=Commit to=R1\ndrop kind=Commit to=R2\nsettle");
    assert_eq!(script.printed(), [""; 0]);
    assert_eq!([store(&script, 0), store(&script, 1), store(&script, 2)], [1, 1, 0]);
    assert!(script.world.in_flight().is_empty());
    let trace = script.trace();
    let ignored = trace.iter().filter(|line| line.contains("ignored Commit")).count();
    assert_eq!(ignored, 1, "the twin comes too late: {trace:#?}");
    // What R2 missed, it learns with the next command that depends on it, or never; a rule taken
    // back lets later ones through.
    script.run("release\nput y 1 @R2\nsettle");
    assert_eq!(script.printed(), ["put y 1 = ok"]);
    script.run("deliver R0-0");
    assert_eq!(script.printed(), ["Error: no message R0-0 is on its way"]);
}

#[test]
fn a_pause_holds_everything_and_stops_the_clocks() {
    let mut script = live(3);
    script.run("pause\nput x 1 @R1");
    let view = script.world.view();
    let held: Vec<_> = view.in_flight.held().map(|flight| flight.envelope.to_string()).collect();
    assert_eq!(held, ["R1-0 R1→R2 PreAccept R1.0 seq=1 deps={}"]);
    // Longer than the time after which R1 would ask again.
    script.run("sleep 500ms\nsettle");
    assert_eq!(script.printed(), ["put x 1 is open"]);
    assert_eq!(script.world.in_flight().len(), 1);
    script.run("wake R1");
    let view = script.world.view();
    assert_eq!(view.replicas[1].now.0, 300_000 + view.log.get(0).unwrap().step.now.0);
    assert_eq!(view.in_flight.len(), 3, "asked again, and both of them");
    script.run("step all\nsettle");
    assert_eq!(script.printed(), ["put x 1 = ok"]);
    script.run("put x 2 @R0\nrun\nsettle");
    assert_eq!(script.printed(), ["put x 2 = ok"]);
    assert!(script.world.in_flight().is_empty());
}

#[test]
fn a_delayed_commit_arrives_later() {
    let options = Options { commit_delay: Some(Duration::from_millis(50)), ..Options::new(3) };
    let mut script = Script::new(LiveWorld::start(&options, false).unwrap());
    script.run("put x 1 @R0\nsettle");
    assert_eq!(script.printed(), ["put x 1 = ok"]);
    let view = script.world.view();
    let is_commit = |it: &Envelope| it.message.kind() == MessageKind::Commit;
    let mut steps = view.log.iter().map(|entry| &entry.step);
    let mut time =
        |is: &dyn Fn(&Step) -> bool| steps.find(|step| is(step)).expect("it happens").now;
    let led = time(&|step| {
        let sends = |effect: &Effect| matches!(effect, Effect::Send(it) if is_commit(it));
        step.effects.iter().any(sends)
    });
    let learned = time(&|step| {
        step.replica == ReplicaId(1)
            && matches!(&step.decision, Decision::Deliver(it) if is_commit(it))
    });
    assert!(learned.since(led) >= Duration::from_millis(49), "{led} {learned}");
    assert_eq!(view.replicas[1].store.len(), 1);
}

#[test]
fn in_lockstep_a_live_cluster_does_what_the_simulator_does() {
    let scripts = [
        "put x 1 @R0\nput x 2 @R4\nput y 3 @R2\nsettle\nget x @R1\nsettle\nstatus\norder",
        "burst 40 keys=3 conflict=50\nsettle\nstatus\norder",
        "hold kind=Commit to=R2\nput x 1\nput x 2 @R2\nsettle\nsleep 1s\nrelease\nsettle\norder",
        "pause\nput x 1\nput x 2 @R3\nstep 3\ndup kind=PreAccept\ndrop kind=PreAcceptReply to=R0\n\
         wake R0\nstep all\nrun\nsleep 6s\nsettle\nstatus\norder",
        "hold from=R1\nbatch 'put x 1' 'get x' @R0\nput x 5 @R1\nsettle\nsleep 400ms\nsettle\n\
         release from=R1\nsleep 6s\nsettle\nstatus\norder",
    ];
    for script in scripts {
        check_lockstep(5, script);
    }
}

fn check_lockstep(replicas: usize, script: &str) {
    let mut simulated = Script::new(sim::cluster::Cluster::new(Shape::new(replicas)));
    let mut lockstep = Script::new(LiveWorld::start(&Options::new(replicas), true).unwrap());
    simulated.run(script);
    lockstep.run(script);
    assert_eq!(lockstep.printed(), simulated.printed(), "{script}");
    let times = |view: &View| -> Vec<_> { view.log.iter().map(|entry| entry.step.now).collect() };
    assert_eq!(lockstep.trace(), simulated.trace(), "{script}");
    assert_eq!(times(lockstep.world.view()), times(simulated.world.view()), "{script}");
}

/// Commands that make a script go somewhere, refused ones included.
fn line() -> impl Strategy<Value = String> {
    let replica = || (0..4_u8).prop_map(|id| format!("R{id}"));
    let kind = || prop::sample::select(MessageKind::ALL.to_vec());
    prop_oneof![
        6 => (0..3_u8, 0..9_u8, 0..3_u8).prop_map(|(key, value, at)| format!("put k{key} {value} @R{at}")),
        2 => (0..3_u8, 0..3_u8).prop_map(|(key, at)| format!("get k{key} @R{at}")),
        1 => (0..3_u8, 0..3_u8).prop_map(|(key, at)| format!("del k{key} @R{at}")),
        1 => (0..3_u8).prop_map(|at| format!("batch 'put k0 7' 'get k1' @R{at}")),
        2 => Just("pause".to_owned()),
        3 => Just("run".to_owned()),
        4 => (1..6_u8).prop_map(|count| format!("step {count}")),
        2 => (kind(), replica()).prop_map(|(kind, to)| format!("hold kind={kind} to={to}")),
        1 => replica().prop_map(|from| format!("hold from={from}")),
        2 => Just("release".to_owned()),
        2 => (kind(), replica()).prop_map(|(kind, to)| format!("drop kind={kind} to={to}")),
        1 => (kind(), replica()).prop_map(|(kind, to)| format!("deliver kind={kind} to={to}")),
        1 => kind().prop_map(|kind| format!("dup kind={kind}")),
        2 => replica().prop_map(|replica| format!("wake {replica}")),
        3 => Just("settle".to_owned()),
        2 => (0..900_u32).prop_map(|millis| format!("sleep {millis}ms")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn in_lockstep_any_script_does_what_it_does_in_the_simulator(
        lines in prop::collection::vec(line(), 1..30),
    ) {
        let script = lines.join("\n") + "\nrelease\nrun\nsleep 20s\nsettle\nstatus\norder";
        check_lockstep(3, &script);
    }
}

#[test]
fn a_served_world_reports_all_and_says_when_it_is_done() {
    let world = LiveWorld::start(&Options::new(3), false).unwrap();
    let (ask, requests) = mpsc::unbounded_channel();
    let (reports, mut heard) = mpsc::unbounded_channel();
    let serving = std::thread::spawn(move || serve(world, requests, &reports));
    for (id, line) in ["put x 1", "nonsense @R7", "settle"].into_iter().enumerate() {
        let command =
            Command::parse(line).ok().flatten().unwrap_or(Command::Wake { replica: ReplicaId(7) });
        ask.send(Request { id: id as u64, at: ReplicaId(1), command }).unwrap();
    }
    let (mut steps, mut answers) = (0, 0);
    loop {
        match heard.blocking_recv().expect("the world serves") {
            Report::Notice(_) => steps += 1,
            Report::Answer(answer) => {
                assert_eq!(answer.result, Ok(Outcome::Written));
                answers += 1;
            }
            Report::Said { request: 0, said } => assert_eq!(said, Ok(vec![])),
            Report::Said { request: 1, said } => {
                let error = "there is no R7; the replicas are R0 to R2".to_owned();
                assert_eq!(said, Err(error));
            }
            Report::Said { request, said } => {
                assert_eq!((request, said), (2, Ok(vec!["put x 1 = ok".to_owned()])));
                break;
            }
        }
    }
    assert!(steps >= 5 && answers == 1, "{steps} steps, {answers} answers");
    drop(ask);
    serving.join().unwrap();
}

#[test]
fn a_served_world_ends_with_its_screen_whatever_it_is_doing() {
    let world = LiveWorld::start(&Options::new(3), false).unwrap();
    let (ask, requests) = mpsc::unbounded_channel();
    let (reports, heard) = mpsc::unbounded_channel();
    let serving = std::thread::spawn(move || serve(world, requests, &reports));
    let command = Command::Sleep { duration: Duration::from_hours(1) };
    ask.send(Request { id: 0, at: ReplicaId(0), command }).unwrap();
    drop((ask, heard));
    serving.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_said_to_be() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = taken.local_addr().unwrap().to_string();
    let mut endpoints = vec!["127.0.0.1:0".to_owned(); 3];
    endpoints[1] = endpoint.clone();
    let options = Options { endpoints: Some(endpoints), ..Options::new(3) };
    let error = Cluster::start(&options, None, &Handle::current()).unwrap_err();
    assert!(matches!(error, StartError::PortInUse { .. }));
    let sentence = "the port is in use, perhaps by another cluster";
    assert_eq!(error.to_string(), format!("R1 cannot listen at {endpoint}: {sentence}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_make_no_cluster_are_refused() {
    let error = |options: Options| {
        Cluster::start(&options, None, &Handle::current()).unwrap_err().to_string()
    };
    assert_eq!(error(Options::new(4)), "a cluster has 3, 5, 7 or 9 replicas, not 4");
    let endpoints = |endpoints: &[&str]| Options {
        endpoints: Some(endpoints.iter().map(ToString::to_string).collect()),
        ..Options::new(3)
    };
    let message = error(endpoints(&["nowhere"]));
    assert_eq!(message, "\"nowhere\" is no address such as localhost:7000");
    let message = error(endpoints(&["127.0.0.1:0"]));
    assert_eq!(message, "3 replicas need 3 endpoints, and there are 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_a_peer_ends_its_stream_and_nothing_else() {
    let cluster = start(&Options::new(3));
    let endpoint = format!("http://{}", cluster.endpoint(ReplicaId(0)));
    let mut peer = ReplicaClient::connect(endpoint).await.unwrap();
    let id = |sender| Some(wire::MessageId { sender, number: 0, copy: 0 });
    let garbage = [
        (wire::Envelope::default(), "the message's name is missing"),
        (
            wire::Envelope { id: id(7), ..Default::default() },
            "the sender is replica 7, and there are only 3",
        ),
        (
            wire::Envelope { id: id(1), to: 2, message: None },
            "the envelope is addressed to replica 2, and this is R0",
        ),
        (wire::Envelope { id: id(1), to: 0, message: None }, "the message is missing"),
    ];
    for (count, (envelope, sentence)) in (1..).zip(garbage) {
        let mut request = tonic::Request::new(futures::stream::iter([envelope]));
        cluster.hello(ReplicaId(1)).write(request.metadata_mut());
        let mut silence = peer.dispatch(request).await.unwrap().into_inner();
        let end = silence.message().await.unwrap_err();
        assert_eq!((end.code(), end.message()), (Code::InvalidArgument, sentence));
        assert_eq!(cluster.refused(ReplicaId(0)), count);
    }
    kv(&cluster, 0).await.put(put("x", "1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_describes_itself_and_says_that_it_serves() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let cluster = start(&Options::new(3));
    let endpoint = format!("http://{}", cluster.endpoint(ReplicaId(2)));
    let channel = Channel::from_shared(endpoint).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    for service in ["", "epaxos.v1.Kv", "epaxos.v1.Replica"] {
        let request = HealthCheckRequest { service: service.into() };
        let status = health.check(request).await.unwrap().into_inner().status();
        assert_eq!(status.as_str_name(), "SERVING", "{service}");
    }
    let mut reflection = ServerReflectionClient::new(channel);
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = reflection.server_reflection_info(futures::stream::iter([list])).await;
    let answer = answers.unwrap().into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("the services are listed: {answer:?}");
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for service in ["epaxos.v1.Kv", "epaxos.v1.Replica", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|name| name == service), "{service} is in {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_alone_is_found_again_when_it_comes_back() {
    let ports = Ports::keep(3);
    let options = Options { endpoints: Some(ports.endpoints()), ..Options::new(3) };
    let start = |id| Standalone::start(&options, ReplicaId(id), None, &Handle::current()).unwrap();
    // R2 asks R0 first, which is not there yet.
    let (one, two) = (start(1), start(2));
    let at = |replica: usize| options.endpoints.as_ref().unwrap()[replica].clone();
    let client = Client::connect(&at(2), "ann").unwrap();
    assert_eq!(client.propose(Operation::put("x", "1")).await, Ok(Outcome::Written));
    // Once R0 was dialled again in vain, what was sent to it is lost.
    let lost = async {
        while two.lost() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), lost).await.expect("R0 is dialled again");
    let zero = start(0);
    // R0 leads something that depends on what it missed: the others must find it for that.
    let client = Client::connect(&at(0), "bob").unwrap();
    assert_eq!(client.propose(Operation::put("y", "2")).await, Ok(Outcome::Written));
    // And again, after it was gone.
    one.shutdown().await;
    assert_eq!(client.propose(Operation::put("y", "3")).await, Ok(Outcome::Written));
    let again = Asked { request: RequestId::named("bob", 2), operation: Operation::put("y", "3") };
    assert_eq!(client.propose_as(&again).await, Ok(Outcome::Written));
    drop((zero, two));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_stops_promptly_though_clients_wait() {
    let options = Options { paused: true, ..Options::new(3) };
    let cluster = start(&options);
    let mut client = kv(&cluster, 0).await;
    let waiting = tokio::spawn(async move { client.put(put("x", "1")).await });
    let mut other = kv(&cluster, 1).await;
    let open = tokio::spawn(async move { other.get(get("x")).await });
    tokio::time::timeout(Duration::from_secs(5), cluster.shutdown()).await.expect("it stops");
    assert!(waiting.await.unwrap().is_err() && open.await.unwrap().is_err());
}
