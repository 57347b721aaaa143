//! A live cluster that is to be left as it was, whatever it is sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::net::bounds::{Limits, Usage};
use epaxos_tui::net::handshake::Hello;
use epaxos_tui::node::cluster::{Cluster, Options};
use epaxos_tui::observe::notice::{Decision, Notice};
use epaxos_tui::script::request::Report;
use tokio::runtime::Handle;
use tokio::sync::{Mutex as Turn, MutexGuard, mpsc};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;

use super::wire::kv_client::KvClient;
use super::wire::{GetRequest, PutRequest};

pub const REPLICAS: usize = 3;

/// How long anything may take that must happen.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// One at a time: they all look at the memory of the one process.
static TURN: Turn<()> = Turn::const_new(());

pub struct Scene {
    pub cluster: Arc<Cluster>,
    panics: Arc<Mutex<Vec<String>>>,
    checks: u64,
    _turn: MutexGuard<'static, ()>,
}

impl Scene {
    /// A cluster, when it is this test's turn.
    pub async fn start(recover_after: Option<Duration>) -> Self {
        Self::with(Options { recover_after, ..Options::new(REPLICAS) }).await
    }

    /// A cluster whose clients have these limits, when it is this test's turn.
    pub async fn within(limits: Limits) -> Self {
        Self::with(Options { recover_after: None, limits, ..Options::new(REPLICAS) }).await
    }

    async fn with(options: Options) -> Self {
        let turn = TURN.lock().await;
        let (reports, mut heard) = mpsc::unbounded_channel();
        let cluster = Cluster::start(&options, Some(reports.into()), &Handle::current());
        let panics = Arc::new(Mutex::new(Vec::new()));
        let seen = panics.clone();
        tokio::spawn(async move {
            while let Some(report) = heard.recv().await {
                if let Report::Notice(Notice::Step(step)) = report
                    && let Decision::Panic(sentence) = step.decision
                {
                    seen.lock().unwrap().push(format!("{}: {sentence}", step.replica));
                }
            }
        });
        let cluster = Arc::new(cluster.expect("free ports"));
        Self { cluster, panics, checks: 0, _turn: turn }
    }

    pub fn address(&self, replica: u8) -> String {
        self.cluster.endpoint(ReplicaId(replica)).to_owned()
    }

    pub async fn channel(&self, replica: u8) -> Channel {
        connect(&self.address(replica)).await.expect("the replica listens")
    }

    /// What a replica says of itself.
    pub fn hello(&self, replica: u8) -> Hello {
        self.cluster.hello(ReplicaId(replica)).clone()
    }

    /// How often clients of R0 met its limits.
    pub fn usage(&self) -> Usage {
        self.cluster.usage(ReplicaId(0))
    }

    /// Waits until R0 has counted something.
    pub async fn wait_for(&self, what: &str, counted: impl Fn(&Usage) -> bool) -> Usage {
        let waiting = async {
            loop {
                let usage = self.usage();
                if counted(&usage) {
                    return usage;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("{what}: {:?}", self.usage()))
    }

    /// How much all replicas have refused.
    pub fn refused(&self) -> u64 {
        ReplicaId::all(REPLICAS).map(|replica| self.cluster.refused(replica)).sum()
    }

    /// Every replica is up and serves: what is put at one is there at all.
    pub async fn check(&mut self) {
        self.checks += 1;
        for writer in 0..3 {
            let key = format!("well-{writer}-{}", self.checks);
            let request =
                PutRequest { key: key.clone(), value: b"v".to_vec(), ..PutRequest::default() };
            let mut client = KvClient::new(self.channel(writer).await);
            let put = tokio::time::timeout(PATIENCE, client.put(request)).await;
            put.expect("an answer comes").expect("it is written");
            for reader in 0..3 {
                let request = GetRequest { key: key.clone(), ..GetRequest::default() };
                let mut client = KvClient::new(self.channel(reader).await);
                let got = tokio::time::timeout(PATIENCE, client.get(request)).await;
                let got = got.expect("an answer comes").expect("it is there").into_inner();
                assert_eq!(got.value, b"v", "{key} at R{reader}");
            }
        }
        assert_eq!(*self.panics.lock().unwrap(), [""; 0]);
    }
}

pub async fn connect(address: &str) -> Result<Channel, tonic::transport::Error> {
    Channel::from_shared(format!("http://{address}")).expect("an address").connect().await
}

/// A codec that leaves bytes as they are, so that they can be anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, bytes: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        use prost::bytes::BufMut;
        use tonic::codegen::Bytes;
        buffer.put(Bytes::from(bytes));
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        use prost::bytes::Buf;
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

/// Calls a method as the replica that says `hello`, with one message of any bytes, and reads all
/// answers. Returns how it ends.
pub async fn call(
    channel: &Channel,
    hello: &Hello,
    method: &'static str,
    bytes: Vec<u8>,
) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.expect("the connection is there");
    let path = PathAndQuery::from_static(method);
    let mut request = tonic::Request::new(futures::stream::iter([bytes]));
    hello.write(request.metadata_mut());
    let calling = async {
        let mut answers = client.streaming(request, path, Raw).await?.into_inner();
        while answers.message().await?.is_some() {}
        Ok(())
    };
    tokio::time::timeout(PATIENCE, calling).await.expect("every call has an end")
}

/// The memory in use, in MiB.
pub fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it says so");
    let kib: i64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib / 1024
}

/// The most memory that was in use since the last call, in MiB.
pub fn peak() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("it says so");
    let kib: i64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    // Resets it.
    std::fs::write("/proc/self/clear_refs", "5").expect("it is this process");
    kib / 1024
}

/// How a proxy passes on what a client says.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// So many bytes, and then both sides are cut off.
    Cut(usize),
    /// One byte at a time.
    Drip,
}

/// Stands between one client and a replica.
pub fn proxy(behind: &str, manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    let behind = behind.to_owned();
    std::thread::spawn(move || {
        let (mut near, _) = listener.accept().expect("a client");
        let mut far = TcpStream::connect(behind).expect("a replica");
        far.set_nodelay(true).expect("it is a socket");
        let (mut from, mut to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut to).ok());
        let mut left = if let Manner::Cut(bytes) = manner { bytes } else { usize::MAX };
        let mut byte = [0];
        while left > 0 && near.read_exact(&mut byte).is_ok() && far.write_all(&byte).is_ok() {
            left -= 1;
            if let Manner::Drip = manner {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        far.shutdown(Shutdown::Both).ok();
        near.shutdown(Shutdown::Both).ok();
    });
    address
}
