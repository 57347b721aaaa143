//! The trace and the metrics against `docs/trace.md`: the tables and the examples of the document
//! are read from it, so that it cannot go stale.

mod document;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use epaxos_tui::epaxos::attributes::{Attributes, Dependencies};
use epaxos_tui::epaxos::command::{Command, Operation, Payload, RequestId};
use epaxos_tui::epaxos::id::{Ballot, InstanceId, MessageId, ReplicaId};
use epaxos_tui::epaxos::instance::Path;
use epaxos_tui::epaxos::message::{Commit, Envelope, Executed, Gone, Message, PreAcceptReply};
use epaxos_tui::epaxos::replica::{Input, Options, Output, Replica};
use epaxos_tui::epaxos::seat::Seat;
use epaxos_tui::epaxos::time::Time;
use epaxos_tui::kv::Store;
use epaxos_tui::observe::notice::{Decision, Effect, Notice, Shape, Sight, Step};
use epaxos_tui::observe::trace::Line;
use epaxos_tui::observe::view::View;
use epaxos_tui::script::file::Script;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;
use epaxos_tui::tools::{metrics, order, run};
use serde_json::{Map, Value, json};

const REPLICAS: usize = 5;

/// The document's own script, played.
fn played() -> Cluster {
    let document = document::read("trace.md");
    let mut cluster = Cluster::new(Shape::new(REPLICAS));
    let mut session = Session::default();
    for (line, command) in Script::parse(document::blocks(&document, "script")[0]).unwrap().commands
    {
        session.perform(&mut cluster, &command).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    cluster
}

/// A client that repeats itself, at R0 and at R2, as R0 of three sees it.
fn repeated() -> View {
    let request = RequestId::named("alice", 1);
    let command = Command { request, operation: Operation::put("x", "1") };
    let attributes = Attributes::FIRST;
    let reply = PreAcceptReply {
        instance: InstanceId::new(ReplicaId(0), 0),
        ballot: Ballot::initial(ReplicaId(0)),
        attributes,
    };
    let commit = Commit {
        instance: InstanceId::new(ReplicaId(2), 0),
        payload: Payload::one(command.clone()),
        attributes,
        path: Path::Fast,
    };
    let mut replica = Replica::new(Options::new(ReplicaId(0), 3), Store::default());
    let mut view = View::new(Shape::new(3));
    for input in [
        Input::Propose(vec![command.clone()]),
        Input::Propose(vec![command]),
        Input::Receive { from: ReplicaId(1), message: Message::PreAcceptReply(reply) },
        Input::Receive { from: ReplicaId(2), message: Message::Commit(commit) },
    ] {
        let mut out = Vec::new();
        replica.step(Time(0), input, &mut out);
        let effects = out.into_iter().filter_map(|output| match output {
            Output::Observe(event) => Some(Effect::Event(*event)),
            Output::Reply(reply) => Some(Effect::Reply(reply)),
            Output::Send { .. } => None,
        });
        // Only what came of it is of interest here, and `Wake` is told by nothing else.
        let (decision, effects) = (Decision::Wake, effects.collect());
        let (replica, now) = (ReplicaId(0), Time(0));
        view.apply(Notice::Step(Step { replica, now, decision, effects, timer: None }));
    }
    view
}

/// A replica whose program fails. No script can make one.
fn panicked() -> View {
    let mut view = View::new(Shape::new(3));
    let sentence = "index out of bounds: the len is 3 but the index is 3".to_owned();
    let (replica, now, effects) = (ReplicaId(1), Time(0), Vec::new());
    let decision = Decision::Panic(sentence);
    view.apply(Notice::Step(Step { replica, now, decision, effects, timer: None }));
    view
}

/// A message that its sender gave up, which a simulated link never does.
fn given_up() -> View {
    let mut view = View::new(Shape::new(5));
    let id = MessageId { sender: ReplicaId(0), number: 3, copy: 0 };
    let commit = Commit {
        instance: InstanceId::new(ReplicaId(0), 0),
        payload: Payload::one(Command {
            request: RequestId::named("alice", 1),
            operation: Operation::put("x", "1"),
        }),
        attributes: Attributes::FIRST,
        path: Path::Slow,
    };
    let sent = Effect::Send(Envelope { id, to: ReplicaId(2), message: Message::Commit(commit) });
    let (replica, now, decision) = (ReplicaId(0), Time(1_000), Decision::Wake);
    view.apply(Notice::Step(Step { replica, now, decision, effects: vec![sent], timer: None }));
    let told = view.apply(Notice::Lost(id));
    assert_eq!(told.len(), 1, "what is lost is told");
    assert!(view.apply(Notice::Lost(id)).is_empty(), "and told once");
    assert_eq!((view.log.len(), view.total().lost), (2, 1));
    view
}

/// A replica of five that is told that it was left behind, hears what it missed all the same, and lets go
/// of it when everybody says to have executed it.
fn let_go() -> View {
    let options = Options { gossip_every: 1, keep: 0, ..Options::new(ReplicaId(0), REPLICAS) };
    let mut replica = Replica::new(options, Store::default());
    let mut view = View::new(Shape::new(REPLICAS));
    let instance = InstanceId::new(ReplicaId(1), 0);
    let all: Dependencies = [instance].into_iter().collect();
    let commit = Commit {
        instance,
        payload: Payload::one(Command {
            request: RequestId::named("alice", 1),
            operation: Operation::put("x", "1"),
        }),
        attributes: Attributes::FIRST,
        path: Path::Fast,
    };
    let mut messages = vec![
        (ReplicaId(4), Message::Gone(Gone { instance, let_go: all })),
        (ReplicaId(1), Message::Commit(commit)),
    ];
    messages
        .extend((1..5).map(|peer| {
            (ReplicaId(peer), Message::Executed(Executed { instance, executed: all }))
        }));
    let mut sent = 0;
    for (from, message) in messages {
        let mut out = Vec::new();
        replica.step(Time(0), Input::Receive { from, message }, &mut out);
        let effects = out.into_iter().map(|output| Effect::of(output, ReplicaId(0), &mut sent));
        let (decision, effects) = (Decision::Wake, effects.collect());
        let (replica, now) = (ReplicaId(0), Time(0));
        view.apply(Notice::Step(Step { replica, now, decision, effects, timer: None }));
    }
    assert_eq!(view.replicas[0].instances.len(), 0, "all is over");
    assert_eq!(view.replicas[0].instances_let_go(), 1);
    assert_eq!(view.total().let_go, 1);
    view
}

/// What is seen of a replica that was too fast to be looked at.
fn too_fast() -> View {
    let shape = Shape::new(REPLICAS);
    let seat = Seat::new(shape.options.clone());
    let sight = Sight { unseen: 48_123, seat, held: Vec::new() };
    let mut view = View::new(shape);
    view.apply(Notice::Step(Step {
        replica: ReplicaId(0),
        now: Time(8_123_456),
        decision: Decision::Show(Arc::new(sight)),
        effects: Vec::new(),
        timer: None,
    }));
    assert_eq!(view.total().unseen, 48_123);
    view
}

/// Every line of all of them.
fn lines() -> Vec<Line> {
    let (played, repeated, panicked, given_up) = (played(), repeated(), panicked(), given_up());
    let let_go = let_go();
    let too_fast = too_fast();
    let others = [&repeated, &panicked, &given_up, &let_go, &too_fast];
    let lines = others.into_iter().flat_map(|view| &view.trace);
    played.view().trace.iter().chain(lines).cloned().collect()
}

fn parsed(line: &Line) -> Map<String, Value> {
    let text = line.to_json(REPLICAS).to_string();
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => object,
        other => panic!("{text} is no object but {other:?}"),
    }
}

/// A field of a table: its name, type, and when it is present.
type Field = (String, String, String);

fn fields(text: &str) -> Vec<Field> {
    let field = |row: Vec<String>| (row[0].clone(), row[1].clone(), row[2].clone());
    document::rows(text).into_iter().map(field).collect()
}

/// The document's events with their fields, those that all events have included.
fn documented() -> BTreeMap<String, Vec<Field>> {
    let document = document::read("trace.md");
    let common = document::section(&document, "## The trace as JSON");
    let events = document::section(&document, "## Events");
    let names = events.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let event = |name: &str| {
        let own = document::section(events, &format!("### `{name}`"));
        (name.to_owned(), [fields(common), fields(own)].concat())
    };
    names.map(event).collect()
}

/// Whether a condition of the document holds of a line.
fn is_present(condition: &str, line: &Map<String, Value>) -> bool {
    let is = |condition: &str| {
        let (name, value) = condition.split_once(" is ").unwrap_or_else(|| panic!("{condition}"));
        value.split(" or ").any(|value| line[name] == value)
    };
    match condition.split_once(' ') {
        None if condition == "always" => true,
        Some(("if", condition)) => is(condition),
        Some(("unless", condition)) => !is(condition),
        _ => panic!("\"{condition}\" is no condition"),
    }
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    let all = |kind| value.as_array().is_some_and(|all| all.iter().all(|v| is_of_type(v, kind)));
    match kind {
        "number" => value.is_i64() || value.is_u64(),
        "number or null" => value.is_null() || is_of_type(value, "number"),
        "name or null" => value.is_null() || is_of_type(value, "name"),
        "text" => value.is_string(),
        "name" => value.as_str().is_some_and(|name| name.contains(char::is_numeric)),
        "boolean" => value.is_boolean(),
        "array of numbers" => all("number"),
        "array of names" => all("name"),
        "array of texts" => all("text"),
        "array of booleans" => all("boolean"),
        _ => panic!("\"{kind}\" is no type"),
    }
}

#[test]
fn every_line_has_the_documented_fields() {
    let documented = documented();
    let mut seen = BTreeSet::new();
    let mut conditions = BTreeSet::new();
    for line in lines() {
        let object = parsed(&line);
        let name = object["event"].as_str().unwrap();
        let fields = documented.get(name).unwrap_or_else(|| panic!("{name} is not documented"));
        let present: Vec<_> =
            fields.iter().filter(|(.., condition)| is_present(condition, &object)).collect();
        let expected: Vec<_> = present.iter().map(|(field, ..)| field).collect();
        assert_eq!(object.keys().collect::<Vec<_>>(), expected, "the fields of {name}");
        for (field, kind, _) in present {
            assert!(is_of_type(&object[field], kind), "{name}: {field} is no {kind}");
        }
        for (field, _, condition) in fields.iter().filter(|(.., when)| when != "always") {
            conditions.insert((name.to_owned(), field.clone(), is_present(condition, &object)));
        }
        seen.insert(name.to_owned());
    }
    assert!(documented.keys().eq(seen.iter()), "seen: {seen:?}");
    for message in ["send", "deliver"] {
        for (field, present) in [("ballot", true), ("ballot", false), ("seq", false)] {
            let case = (message.to_owned(), field.to_owned(), present);
            assert!(conditions.contains(&case), "{case:?} never came up");
        }
    }
}

#[test]
fn lines_are_numbered_without_gaps() {
    let cluster = played();
    let numbers = cluster.view().trace.iter().map(|line| line.n);
    assert!(numbers.eq(0..cluster.view().traced));
}

#[test]
fn every_example_of_the_document_is_true() {
    let document = document::read("trace.md");
    let events = document::section(&document, "## Events");
    let lines = lines();
    let text: BTreeSet<_> = lines.iter().map(ToString::to_string).collect();
    let json: BTreeSet<_> = lines.iter().map(|line| line.to_json(REPLICAS).to_string()).collect();
    for (language, lines) in [("text", text), ("json", json)] {
        for example in document::blocks(events, language).iter().flat_map(|block| block.lines()) {
            assert!(lines.contains(example), "no run prints {example}");
        }
    }
}

#[test]
fn a_send_reads_as_agreed() {
    let send = played().view().trace[2].clone();
    assert_eq!(send.to_string(), "R0 → R1 PreAccept R0.0 seq=1 deps={} [R0-0]");
    let json = r#"{"n":2,"t_us":1000,"replica":"R0","event":"send","id":"R0-0","message":"PreAccept","to":"R1","instance":"R0.0","ballot":"b0.R0","seq":1,"deps":[-1,-1,-1,-1,-1]}"#;
    assert_eq!(send.to_json(REPLICAS).to_string(), json);
    assert_eq!(send.to_json(3)["deps"], json!([-1, -1, -1]), "a vector is as long as the cluster");
}

#[test]
fn a_command_without_effect_is_marked_as_such() {
    let view = repeated();
    let executed: Vec<_> = view.trace.iter().filter(|line| line.event() == "execute").collect();
    let marks: Vec<_> = executed.iter().map(|line| line.to_json(3)["repeated"].clone()).collect();
    assert_eq!(marks, [json!([false]), json!([true])]);
    assert_eq!(executed[1].to_string(), "R0 R2.0 executed put x 1 = ok (repeated, no effect)");
}

#[test]
fn output_lines_have_the_documented_fields() {
    let document = document::read("trace.md");
    let script = Script::parse(document::blocks(&document, "script")[0]).unwrap();
    let mut out = Vec::new();
    let printer = Mutex::new(run::Printer::new(&mut out, true, REPLICAS));
    run::run(&mut Cluster::new(Shape::new(REPLICAS)), &script, &printer).unwrap();
    drop(printer);
    let out = String::from_utf8(out).unwrap();
    let example = document::blocks(&document, "output")[0];
    assert!(out.lines().any(|line| line == example), "{out}");

    let fields = fields(document::section(&document, "### Output of commands"));
    for line in out.lines() {
        let line: Map<String, Value> = serde_json::from_str(line).unwrap();
        assert!(line.keys().eq(fields.iter().map(|(field, ..)| field)));
    }
}

/// Compares an object with a table of the document, and its parts with the tables of theirs.
fn check_metrics(document: &str, object: &Value, heading: &str, skip: Option<&str>) {
    let rows = document::rows(document::section(document, heading));
    let expected = rows.iter().filter(|row| Some(row[0].as_str()) != skip);
    let keys = object.as_object().unwrap().keys();
    assert!(keys.eq(expected.clone().map(|row| &row[0])), "{heading}: {object}");
    for row in expected {
        let value = &object[&row[0]];
        match row[1].as_str() {
            "by kind" => check_metrics(document, value, "### By kind", None),
            "by reason" => check_metrics(document, value, "### Reasons", None),
            "by rule" => check_metrics(document, value, "### By rule", None),
            "histogram" => check_metrics(document, value, "### Histogram", None),
            kind => assert!(is_of_type(value, kind), "{heading}: {} is {value}", row[0]),
        }
    }
}

#[test]
fn metrics_have_the_documented_fields() {
    let document = document::read("trace.md");
    let cluster = played();
    let json = metrics::to_json(cluster.view());
    let whole = document::section(&document, "## Metrics");
    let (top, _) = whole.split_once("\n### ").unwrap();
    let rows = document::rows(top);
    let names = |prefix: &str| {
        let names = rows.iter().filter_map(|row| row[0].strip_prefix(prefix));
        names.map(|name| name.split('.').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut expected = names("");
    expected.dedup();
    assert!(json.as_object().unwrap().keys().eq(&expected), "{expected:?}");
    assert!(json["cluster"].as_object().unwrap().keys().eq(&names("cluster.")));
    for row in rows.iter().filter(|row| row[0].starts_with("cluster.")) {
        let pointer = format!("/{}", row[0].replace('.', "/"));
        assert!(is_of_type(json.pointer(&pointer).unwrap(), &row[1]), "{pointer}");
    }

    check_metrics(&document, &json["total"], "### Counters", Some("replica"));
    for replica in json["replicas"].as_array().unwrap() {
        check_metrics(&document, replica, "### Counters", None);
    }
    assert_eq!(
        json["replicas"][1],
        metrics::one_to_json(ReplicaId(1), &cluster.view().replica(ReplicaId(1)).counters)
    );
    // One fast write, one slow one, a batch of two that needed a timer, and a write that another
    // replica finished when its timer fired.
    let total = &json["total"];
    let counts = ["proposals", "aggregated", "fasts", "slows", "timers", "dropped", "duplicated"];
    assert_eq!(counts.map(|name| total[name].as_u64()), [5, 1, 3, 1, 2, 9, 1].map(Some));
}

#[test]
fn the_log_of_the_document_is_ordered_as_it_says() {
    let document = document::read("trace.md");
    let block = |language| document::blocks(&document, language)[0];
    let log = order::parse(block("log")).unwrap();
    let order = order::order(&log);
    assert_eq!(order::to_text(&log, &order).trim_end(), block("order"));
    assert_eq!(order::blocked_text(&order).trim_end(), block("blocked"));
    assert!(document.contains(&format!("`{}`", order::to_json(&order))));
}
