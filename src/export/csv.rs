//! The counters as comma-separated values: a row each, a column for each replica and one for all.
//!
//! The names are those of the metrics file, with a dot where that has an object in an object.

use std::fmt::Write;

use serde_json::Value;

use crate::epaxos::id::ReplicaId;
use crate::observe::view::View;

/// Writes down the counters of every replica and of all of them. They count everything, whatever the
/// log has let go of since; how much that is stands in the last rows.
pub fn text(view: &View) -> String {
    let total = rows(&view.total().to_json());
    let replicas: Vec<_> =
        view.replicas.iter().map(|replica| rows(&replica.counters.to_json())).collect();
    let names = ReplicaId::all(view.shape.replicas()).map(|id| id.to_string());
    let names: Vec<_> = names.collect();
    let mut text = format!("counter,{},total\n", names.join(","));
    for (index, (name, sum)) in total.iter().enumerate() {
        let own: Vec<_> = replicas.iter().map(|rows| rows[index].1.to_string()).collect();
        line(&mut text, name, &own, &sum.to_string());
    }
    let steps: Vec<_> = view.replicas.iter().map(|replica| replica.steps.to_string()).collect();
    line(&mut text, "log.entries", &steps, &view.log.len().to_string());
    // The log is one: what it has let go of is not counted by replica.
    let none = vec![String::new(); names.len()];
    line(&mut text, "log.entries_no_longer_kept", &none, &view.log.forgotten().to_string());
    text
}

fn line(text: &mut String, name: &str, replicas: &[String], total: &str) {
    writeln!(text, "{name},{},{total}", replicas.join(",")).expect("strings take any text");
}

/// The numbers of an object with their names, those of the objects in it included.
fn rows(counters: &Value) -> Vec<(String, u64)> {
    let mut rows = Vec::new();
    collect("", counters, &mut rows);
    rows
}

fn collect(name: &str, value: &Value, rows: &mut Vec<(String, u64)>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                collect(&name, value, rows);
            }
        }
        value => rows.push((name.to_owned(), value.as_u64().expect("counters are whole numbers"))),
    }
}
