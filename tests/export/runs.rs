//! The runs that are written down.

use std::fs;
use std::path::{Path, PathBuf};

use epaxos_tui::epaxos::command::Operation;
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::observe::view::View;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;

use crate::scenario::Scenario;

/// What every scenario leaves behind, with its name.
pub fn scenarios() -> Vec<(String, View)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let play = |file: PathBuf| {
        let mut scenario = Scenario::new(|shape: Shape| Ok(Cluster::new(shape)), |_| {});
        goldenscript::run(&mut scenario, &file).expect("the scenario runs");
        let name = file.strip_prefix(&root).expect("below the root").display().to_string();
        Some((name, scenario.world()?.view().clone()))
    };
    files.into_iter().filter_map(play).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of scenarios") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

/// Carries out commands of the script language.
fn perform(world: &mut impl World, lines: &[&str]) {
    let mut session = Session::default();
    for line in lines {
        let command = Command::parse(line).expect("a command").expect("it says something");
        session.perform(world, &command).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

/// Words that mean something to one reader or another.
const HOSTILE: [&str; 24] = [
    ";",
    "#",
    "\"",
    "'",
    "\\",
    "\n",
    "a\r\nb",
    "end",
    "-->",
    "->>",
    "%%",
    "%%{init: {}}%%",
    "style:#1;",
    "classDef:x#;",
    "<b>&amp;</b>",
    "]]>",
    "{\"R0\":1}",
    "R0 {\"R0\":1}",
    "ключ",
    "漢字",
    "a\u{2028}b\u{0}c\u{fffe}",
    "wrap:$$x$$",
    "a,b",
    "👩‍👩‍👧 e\u{301}",
];

/// For each of these, a run in which it is key and value, in a cycle and in a batch.
pub fn hostile() -> Vec<View> {
    HOSTILE.iter().map(|word| hostile_run(word)).collect()
}

fn hostile_run(word: &str) -> View {
    let mut cluster = Cluster::new(Shape::new(5));
    perform(&mut cluster, &["pause"]);
    let proposals = [
        vec![Operation::put(word, word)],
        vec![Operation::put(word, &word.repeat(200)), Operation::get(word)],
        vec![Operation::Put(word.into(), [0xff, 0xfe][..].into())],
        vec![Operation::delete(word)],
    ];
    for (at, operations) in ReplicaId::all(5).zip(proposals) {
        cluster.propose(at, operations).expect("the replica is up");
    }
    perform(&mut cluster, &["step all", "run", "settle"]);
    cluster.view().clone()
}

/// Messages that are lost on links, thrown away, doubled and late, and replicas that come and go.
pub fn lossy() -> View {
    let mut cluster = Cluster::new(Shape::new(5));
    perform(&mut cluster, &["put x 0", "settle", "dup 30", "burst 10 conflict=60", "settle"]);
    // A message that its sender gives up, which no link of a simulation does by itself.
    perform(&mut cluster, &["pause", "put x 1 @R2"]);
    let given_up: Vec<_> = cluster.in_flight().iter().map(|flight| flight.envelope.id).collect();
    given_up.iter().take(2).for_each(|id| cluster.lose(*id));
    perform(&mut cluster, &["run", "loss 20", "burst 20 conflict=50", "sleep 5s", "crash R3"]);
    perform(
        &mut cluster,
        &["put x 5 @R0", "put x 6 @R4", "sleep 5s", "recover R3", "put y 2 @R3", "pause"],
    );
    perform(&mut cluster, &["put y 3 @R1", "put y 4 @R4"]);
    cluster.view().clone()
}

/// A run of which the log has kept little.
pub fn forgetful() -> View {
    let shape = Shape::new(5);
    let mut cluster = Cluster::new(shape.clone());
    cluster.listen();
    perform(&mut cluster, &["burst 30 conflict=50", "settle", "loss 10", "burst 10", "sleep 4s"]);
    perform(&mut cluster, &["pause", "put x 1", "put x 2 @R3"]);
    let mut view = View::with_capacity(shape, 60, 100);
    for notice in cluster.take_notices() {
        view.apply(notice);
    }
    view
}

/// A run of which more is known than some readers take.
pub fn long() -> View {
    let mut cluster = Cluster::new(Shape::new(3));
    perform(&mut cluster, &["burst 600 conflict=20", "settle", "put x 1"]);
    cluster.view().clone()
}
