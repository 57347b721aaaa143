//! Which replica processes take part in a cluster: one that lost its memory is refused, and so is one
//! of another configuration.

mod ports;
mod processes;

mod wire {
    #![allow(missing_docs, clippy::all, clippy::pedantic)]
    tonic::include_proto!("epaxos.v1");
}

use std::path::PathBuf;
use std::time::Duration;

use ports::Ports;
use processes::{Process, config, wait_for};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic::{Code, Status};
use wire::kv_client::KvClient;
use wire::{GetRequest, PutRequest};

/// Endpoints for a cluster, and its configuration.
struct Site {
    ports: Ports,
    folder: TempDir,
    config: PathBuf,
    runtime: Runtime,
}

impl Site {
    fn new(replicas: usize) -> Self {
        let (ports, folder) = (Ports::keep(replicas), TempDir::new().expect("a folder"));
        let config = config(folder.path(), "config.json", &ports.endpoints());
        Self { ports, folder, config, runtime: Runtime::new().expect("a runtime") }
    }

    fn start(&self, replicas: impl IntoIterator<Item = usize>) -> Vec<Process> {
        replicas.into_iter().map(|id| Process::listening(id, &self.config)).collect()
    }

    fn client(&self, replica: usize) -> Result<KvClient<tonic::transport::Channel>, Status> {
        let endpoint = format!("http://{}", self.ports.endpoints()[replica]);
        let connected = self.runtime.block_on(KvClient::connect(endpoint));
        connected.map_err(|error| Status::unavailable(error.to_string()))
    }

    /// One attempt to write, with a deadline.
    fn put(&self, replica: usize, key: &str, value: &str) -> Result<(), Status> {
        let mut client = self.client(replica)?;
        let (key, value) = (key.to_owned(), value.into());
        let put = client.put(PutRequest { key, value, ..PutRequest::default() });
        let put = async { tokio::time::timeout(Duration::from_secs(5), put).await };
        match self.runtime.block_on(put) {
            Ok(answer) => answer.map(drop),
            Err(_) => Err(Status::deadline_exceeded("no answer")),
        }
    }

    /// Writes, if need be more than once.
    fn put_surely(&self, replica: usize, key: &str, value: &str) {
        wait_for("a put", || self.put(replica, key, value).ok());
    }

    fn get(&self, replica: usize, key: &str) -> Option<Vec<u8>> {
        let mut client = self.client(replica).expect("it listens");
        let get = client.get(GetRequest { key: key.to_owned(), ..GetRequest::default() });
        match self.runtime.block_on(get) {
            Ok(answer) => Some(answer.into_inner().value),
            Err(status) if status.code() == Code::NotFound => None,
            Err(status) => panic!("{status:?}"),
        }
    }
}

/// What is told of R2 when it comes back.
const AMNESIA: &str = "R2 came back without its data; it could contradict its own votes. Restart the \
                       whole cluster.";

/// R2 of a cluster is killed and started again, which must end it and harm nobody else.
fn killed_and_started_again(replicas: usize) {
    let site = Site::new(replicas);
    let mut all = site.start(0..replicas);
    site.put_surely(2, "x", "1");
    all[2].kill();
    all[2] = site.start([2]).remove(0);
    // It serves nobody, and says why.
    let status = wait_for("a refusal", || {
        let status = site.put(2, "x", "2").err()?;
        (status.message() == AMNESIA).then_some(status)
    });
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(all[2].wait_for_end().code(), Some(1));
    all[2].wait_for_line(&format!("epaxos-tui: {AMNESIA}"));
    // Both sides have said it, once.
    let refusing: Vec<_> = (0..replicas).filter(|id| *id != 2).collect();
    let told: Vec<_> = refusing.iter().map(|id| format!("R{id} refuses R2: {AMNESIA}\n")).collect();
    let errors = all[2].errors();
    assert!(told.iter().filter(|line| errors.contains(*line)).count() > replicas / 2, "{errors}");
    for (id, line) in refusing.iter().zip(&told) {
        all[*id].wait_for_line(line);
        assert_eq!(all[*id].errors().matches(AMNESIA).count(), 1, "{}", all[*id].errors());
    }
    // The others go on without it.
    for id in refusing {
        site.put_surely(id, "y", "3");
        assert_eq!(site.get(id, "x").as_deref(), Some(&b"1"[..]), "nothing is lost");
    }
}

#[test]
fn one_of_five_that_lost_its_memory_is_refused() {
    killed_and_started_again(5);
}

#[test]
fn one_of_three_that_lost_its_memory_is_refused() {
    killed_and_started_again(3);
}

#[test]
fn a_cluster_is_restarted_as_a_whole() {
    let site = Site::new(3);
    let mut all = site.start(0..3);
    site.put_surely(1, "x", "1");
    all.iter_mut().for_each(Process::kill);
    let mut all = site.start(0..3);
    for id in 0..3 {
        site.put_surely(id, "y", "2");
        assert_eq!(site.get(id, "x"), None, "they have all forgotten it");
    }
    assert!(all.iter_mut().all(Process::is_running));
    assert!(all.iter().all(|process| !process.errors().contains("refuses")));
}

#[test]
fn a_restart_of_the_whole_cluster_heals_though_old_processes_are_late_to_end() {
    let site = Site::new(5);
    let mut old = site.start(0..5);
    site.put_surely(0, "x", "1");
    old[..3].iter_mut().for_each(Process::kill);
    let mut new = site.start([0]);
    new[0].wait_for_line("R3 refuses R0: R0 came back without its data");
    new[0].wait_for_line("R4 refuses R0: R0 came back without its data");
    assert!(site.put(0, "x", "2").is_err());
    old[3..].iter_mut().for_each(Process::kill);
    new.extend(site.start(1..5));
    new[0].wait_for_line("R3 accepts R0");
    for id in 0..5 {
        site.put_surely(id, "y", "3");
    }
    assert!(new.iter_mut().all(Process::is_running));
}

#[test]
fn a_replica_may_be_started_late_for_the_first_time() {
    let site = Site::new(3);
    let mut all = site.start(0..2);
    site.put_surely(0, "x", "1");
    all.extend(site.start([2]));
    site.put_surely(2, "y", "2");
    assert_eq!(site.get(2, "x").as_deref(), Some(&b"1"[..]));
    assert!(all.iter().all(|process| !process.errors().contains("refuses")));
}

#[test]
fn a_replica_of_five_is_refused_by_three() {
    let site = Site::new(5);
    let endpoints = site.ports.endpoints();
    let three = config(site.folder.path(), "three.json", &endpoints[..3]);
    let all = [0, 1].map(|id| Process::listening(id, &three));
    let mut five = Process::listening(2, &site.config);
    let sentence = |us: usize| {
        format!(
            "R{us} refuses R2: the configuration of R2 lists 5 replicas, and that of R{us} lists 3; \
             start all replicas with the same configuration"
        )
    };
    assert_eq!(five.wait_for_end().code(), Some(1));
    for (us, replica) in all.iter().enumerate() {
        five.wait_for_line(&sentence(us));
        replica.wait_for_line(&sentence(us));
    }
    site.put_surely(0, "x", "1");
}

#[test]
fn other_endpoints_are_named_and_end_the_one_that_has_them() {
    let site = Site::new(5);
    let mut endpoints = site.ports.endpoints();
    let unused = Ports::keep(1);
    let elsewhere = unused.endpoints().remove(0);
    let right = std::mem::replace(&mut endpoints[1], elsewhere.clone());
    let wrong = config(site.folder.path(), "wrong.json", &endpoints);
    let all = site.start([0, 1, 3, 4]);
    let mut other = Process::listening(2, &wrong);
    assert_eq!(other.wait_for_end().code(), Some(1));
    let sentence = format!(
        "R0 refuses R2: the configuration of R2 has R1 at {elsewhere}, and that of R0 has it at \
         {right}; start all replicas with the same configuration"
    );
    other.wait_for_line(&sentence);
    all[0].wait_for_line(&sentence);
    site.put_surely(0, "x", "1");
}

/// As above, where those that refuse it are too few for it to end: it serves nobody.
#[test]
fn who_is_accepted_by_too_few_serves_nobody() {
    let site = Site::new(3);
    let mut endpoints = site.ports.endpoints();
    let unused = Ports::keep(1);
    endpoints[1] = unused.endpoints().remove(0);
    let wrong = config(site.folder.path(), "wrong.json", &endpoints);
    let all = site.start([0, 1]);
    let mut other = Process::listening(2, &wrong);
    let status = wait_for("a refusal", || {
        let status = site.put(2, "x", "2").err()?;
        status.message().contains("the configuration of R2 has R1 at").then_some(status)
    });
    assert_eq!(status.code(), Code::Unavailable);
    assert!(other.is_running());
    site.put_surely(0, "x", "1");
    drop(all);
}

#[test]
fn a_second_process_of_one_replica_is_refused() {
    let site = Site::new(3);
    let mut all = site.start(0..3);
    site.put_surely(0, "x", "1");
    // On one machine its port is taken.
    let mut second = Process::start(&[], 0, &site.config);
    assert_eq!(second.wait_for_end().code(), Some(1));
    second.wait_for_line("the port is in use");
    // Elsewhere it may have one of its own, and then has another configuration.
    let mut endpoints = site.ports.endpoints();
    let own = Ports::keep(1);
    endpoints[0] = own.endpoints().remove(0);
    let elsewhere = config(site.folder.path(), "elsewhere.json", &endpoints);
    let mut second = Process::listening(0, &elsewhere);
    assert_eq!(second.wait_for_end().code(), Some(1));
    all[1].wait_for_line("R1 refuses R0: the configuration of R0 has R0 at ");
    second.wait_for_line("R1 refuses R0: the configuration of R0 has R0 at ");
    site.put_surely(0, "x", "2");
    assert!(all.iter_mut().all(Process::is_running));
}

/// R0 is restarted, and everything else too: the new R0 numbers the requests of clients without a
/// name, and none of them is taken for one of the old R0 of which the others may still hear.
#[test]
fn requests_without_a_name_are_numbered_by_incarnation() {
    use epaxos_tui::epaxos::id::ReplicaId;
    use epaxos_tui::node::cluster::Options;
    use epaxos_tui::node::standalone::Standalone;
    use epaxos_tui::observe::notice::{Decision, Notice};
    use epaxos_tui::script::request::Report;

    let site = Site::new(3);
    let options = Options { endpoints: Some(site.ports.endpoints()), ..Options::new(3) };
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let (reports, mut told) = tokio::sync::mpsc::unbounded_channel();
        let handle = site.runtime.handle();
        let start =
            |id, watcher| Standalone::start(&options, ReplicaId(id), watcher, handle).unwrap();
        let all = [start(0, Some(reports.into())), start(1, None), start(2, None)];
        site.put_surely(0, "x", "1");
        site.put_surely(0, "x", "2");
        let mut own = Vec::new();
        while let Ok(report) = told.try_recv() {
            if let Report::Notice(Notice::Step(step)) = report
                && let Decision::Propose(commands) = step.decision
            {
                own.extend(commands.iter().map(|command| command.request.number));
            }
        }
        assert!(own.len() >= 2 && own.is_sorted_by(|one, next| *one + 1 == *next), "{own:?}");
        numbers.push(own);
        for replica in &all {
            site.runtime.block_on(replica.shutdown());
        }
    }
    assert!(numbers[1].iter().all(|number| !numbers[0].contains(number)), "{numbers:?}");
    assert!(numbers.iter().flatten().all(|number| *number > 1000), "{numbers:?}");
}
