//! Reads a sequence diagram by a grammar that is narrower than Mermaid's: one statement a line, and of
//! text only what cannot mean anything.

use std::collections::BTreeSet;

use epaxos_tui::export::{Format, export};
use epaxos_tui::observe::notice::Decision;
use epaxos_tui::observe::view::View;

/// A statement.
enum Statement {
    Arrow { from: String, line: &'static str, to: String, told: String },
    Note { over: Vec<String>, told: String },
}

const LINES: [&str; 4] = ["-->>", "->>", "--)", "-x"];

/// The text that is meant, or nothing where Mermaid might take it for something else.
fn decode(text: &str) -> Option<String> {
    let mut told = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == '#' {
            let (number, after) = rest.split_once(';')?;
            told.push(char::from_u32(number.parse().ok()?)?);
            rest = after;
        } else if c.is_alphanumeric() || " .,-_=/()[]{}+*!?@~…→".contains(c) {
            told.push(c);
        } else {
            return None;
        }
    }
    (!told.trim().is_empty()).then_some(told)
}

fn statement(line: &str, hosts: &BTreeSet<String>) -> Option<Statement> {
    let line = line.strip_prefix("    ")?;
    let (head, text) = line.split_once(": ")?;
    let told = decode(text)?;
    let host = |name: &str| hosts.get(name).cloned();
    if let Some(over) = head.strip_prefix("Note over ") {
        let over: Option<Vec<_>> = over.split(',').map(host).collect();
        return over.filter(|over| over.len() <= 2).map(|over| Statement::Note { over, told });
    }
    let line = LINES.into_iter().find(|line| head.contains(line))?;
    let (from, to) = head.split_once(line)?;
    Some(Statement::Arrow { from: host(from)?, line, to: host(to)?, told })
}

fn read(name: &str, view: &View) -> Vec<Statement> {
    let text = export(Format::Mermaid, view);
    assert!(text.encode_utf16().count() <= 50_000, "{name}: more than Mermaid takes");
    let mut lines = text.lines().peekable();
    assert_eq!(lines.next(), Some("sequenceDiagram"), "{name}");
    let mut hosts = BTreeSet::new();
    while let Some(host) = lines.next_if(|line| line.starts_with("    participant ")) {
        assert!(hosts.insert(host["    participant ".len()..].to_owned()), "{name}: {host}");
    }
    let replicas = (0..view.shape.replicas()).map(|index| format!("R{index}"));
    assert_eq!(hosts, replicas.chain(["clients".to_owned()]).collect(), "{name}");
    let read = |line: &str| {
        statement(line, &hosts).unwrap_or_else(|| panic!("{name}: what is \"{line}\"?"))
    };
    lines.map(read).collect()
}

/// Holds the diagram against the view.
pub fn check(name: &str, view: &View) {
    let statements = read(name, view);
    let left_out = statements.iter().find_map(|statement| match statement {
        Statement::Note { told, .. } => told.split_once(" entries before these are left out"),
        Statement::Arrow { .. } => None,
    });
    let left_out = left_out.map_or(0, |(count, _)| count.parse().expect("a number"));
    let shown: Vec<_> = view.log.iter().skip(left_out).collect();
    let arrows = |kind: &str, to_clients: bool| {
        let arrows = statements.iter().filter_map(|statement| match statement {
            Statement::Arrow { from, line, to, told } if *line == kind => {
                let clients = from == "clients" || to == "clients";
                (clients == to_clients).then(|| (from.clone(), to.clone(), told.clone()))
            }
            _ => None,
        });
        arrows.collect::<Vec<_>>()
    };
    let told = |wanted: fn(&Decision) -> bool| {
        let entries = shown.iter().filter(|entry| wanted(&entry.step.decision));
        let ends = entries.map(|entry| {
            let message = entry.step.decision.message().expect("it is about a message");
            (message.id.sender.to_string(), message.to.to_string(), format!("[{}]", message.id))
        });
        ends.collect::<Vec<_>>()
    };
    same(name, &arrows("->>", false), &told(|own| matches!(own, Decision::Deliver(_))));
    let gone = |own: &Decision| matches!(own, Decision::Drop(_) | Decision::Lose(_));
    same(name, &arrows("-x", false), &told(gone));
    let flights = view.in_flight.iter().take(50).map(|flight| {
        let message = &flight.envelope;
        (message.id.sender.to_string(), message.to.to_string(), format!("[{}]", message.id))
    });
    same(name, &arrows("--)", false), &flights.collect::<Vec<_>>());
    let proposals = shown.iter().filter(|own| matches!(own.step.decision, Decision::Propose(_)));
    assert_eq!(arrows("->>", true).len(), proposals.count(), "{name}: proposals");
    let count = |wanted: &dyn Fn(&Decision) -> bool| {
        shown.iter().filter(|entry| wanted(&entry.step.decision)).count()
    };
    for (said, expected) in [
        ("doubled as [", count(&|own| matches!(own, Decision::Duplicate(..)))),
        (" crashes, and keeps", count(&|own| matches!(own, Decision::Crash))),
        (" comes back with", count(&|own| matches!(own, Decision::Restart))),
    ] {
        let notes = statements.iter().filter(
            |own| matches!(own, Statement::Note { over, told } if told.contains(said) && !over.is_empty()),
        );
        assert_eq!(notes.count(), expected, "{name}: \"{said}\"");
    }
}

/// The arrows are those of the messages, in their order.
fn same(name: &str, arrows: &[(String, String, String)], told: &[(String, String, String)]) {
    assert_eq!(arrows.len(), told.len(), "{name}");
    for (arrow, message) in arrows.iter().zip(told) {
        assert_eq!((&arrow.0, &arrow.1), (&message.0, &message.1), "{name}: {}", arrow.2);
        assert!(arrow.2.contains(&message.2), "{name}: {} is not {}", arrow.2, message.2);
    }
}
