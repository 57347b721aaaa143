//! Reads the table of counters.

use std::collections::BTreeMap;

use epaxos_tui::export::{Format, export};
use epaxos_tui::observe::view::View;
use epaxos_tui::tools::metrics;
use serde_json::Value;

/// Every number of an object of the metrics file, by its name with a dot for each level.
fn flat(name: &str, value: &Value, numbers: &mut BTreeMap<String, u64>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let dot = if name.is_empty() { "" } else { "." };
                flat(&format!("{name}{dot}{field}"), value, numbers);
            }
        }
        // The replica's name.
        Value::String(_) => {}
        value => {
            numbers.insert(name.to_owned(), value.as_u64().expect("a number"));
        }
    }
}

/// Holds the table against the metrics file.
pub fn check(name: &str, view: &View) {
    let text = export(Format::Csv, view);
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    let head: Vec<String> = reader.headers().expect("a head").iter().map(str::to_owned).collect();
    let replicas = view.shape.replicas();
    let expected = (0..replicas).map(|index| format!("R{index}"));
    let expected = std::iter::once("counter".to_owned()).chain(expected);
    assert_eq!(head, expected.chain(["total".to_owned()]).collect::<Vec<_>>(), "{name}");
    let mut columns: Vec<BTreeMap<String, u64>> = vec![BTreeMap::new(); replicas + 1];
    for record in reader.records() {
        let record = record.unwrap_or_else(|error| panic!("{name}: {error}"));
        for (column, cell) in columns.iter_mut().zip(record.iter().skip(1)) {
            if let Ok(number) = cell.parse() {
                assert!(column.insert(record[0].to_owned(), number).is_none(), "{name}: twice");
            }
        }
    }
    let json = metrics::to_json(view);
    let objects = json["replicas"].as_array().expect("an array").iter().chain([&json["total"]]);
    let mut checked = 0;
    for ((column, object), label) in columns.iter_mut().zip(objects).zip(&head[1..]) {
        let mut numbers = BTreeMap::new();
        flat("", object, &mut numbers);
        assert!(numbers.len() > 50, "{name}: only {} counters", numbers.len());
        column.retain(|counter, _| !counter.starts_with("log."));
        assert_eq!(*column, numbers, "{name}: {label}");
        checked += 1;
    }
    assert_eq!(checked, replicas + 1);
}
