//! What is written for other programs, read back: each format by a strict reader, and held against the
//! view that it was made of. The runs are the scenarios, and some that are made to be hard to write.

#[path = "export/mermaid.rs"]
mod mermaid;
#[path = "export/pictures.rs"]
mod pictures;
#[path = "export/runs.rs"]
mod runs;
#[allow(dead_code, reason = "what only the scenarios' own test needs")]
mod scenario;
#[path = "export/shiviz.rs"]
mod shiviz;
#[path = "export/table.rs"]
mod table;

use epaxos_tui::export::{Format, export};
use epaxos_tui::observe::view::View;

/// Holds all that is written of a run against the run.
fn check(name: &str, view: &View) {
    shiviz::check(name, view);
    mermaid::check(name, view);
    pictures::check(name, view);
    table::check(name, view);
    for format in Format::ALL {
        assert_eq!(export(format, view), export(format, view), "{name}: {format} differs");
    }
    keep(name, view);
}

/// Leaves what was written where the readers that others have made can be tried on it, if anybody asks.
fn keep(name: &str, view: &View) {
    let Some(folder) = std::env::var_os("KEEP_EXPORTS") else { return };
    for format in Format::ALL {
        let file = format!("{}.{}", name.replace('/', "-"), format.extension());
        let path = std::path::Path::new(&folder).join(file);
        std::fs::write(path, export(format, view)).expect("the folder can be written to");
    }
}

#[test]
fn every_scenario_reads_back() {
    let scenarios = runs::scenarios();
    assert!(scenarios.len() > 70, "there are only {} scenarios", scenarios.len());
    for (name, view) in &scenarios {
        check(name, view);
    }
    // What all of this is for came up.
    let any = |seen: fn(&View) -> bool| scenarios.iter().any(|(_, view)| seen(view));
    assert!(any(|view| view.total().dropped > 0), "nothing was dropped");
    assert!(any(|view| view.total().duplicated > 0), "nothing was doubled");
    assert!(any(|view| !view.in_flight.is_empty()), "nothing is on its way");
    assert!(any(|view| view.replicas.iter().any(|replica| !replica.up)), "nobody is down");
    assert!(any(|view| view.replicas.iter().any(|own| own.instances_let_go() > 0)), "all is kept");
    assert!(any(|view| pictures::largest_component(view) > 1), "there is no cycle");
}

#[test]
fn hostile_keys_and_values_read_back() {
    let runs = runs::hostile();
    for (index, view) in runs.iter().enumerate() {
        check(&format!("hostile-{index}"), view);
        // Or the word would not be in it.
        assert!(!export(Format::Mermaid, view).contains("left out"), "hostile-{index}");
        assert!(view.total().executed >= 20, "hostile-{index}");
        assert!(pictures::largest_component(view) > 1, "hostile-{index}");
    }
}

#[test]
fn lost_messages_read_back() {
    let view = runs::lossy();
    check("lossy", &view);
    assert!(view.total().lost > 0 && view.total().dropped > 0);
}

#[test]
fn what_the_log_has_let_go_of_is_said_to_be_missing() {
    let view = runs::forgetful();
    check("forgetful", &view);
    let gone = view.log.forgotten();
    assert!(gone > 100);
    for format in [Format::Shiviz, Format::Mermaid, Format::Dot, Format::Svg] {
        let said = format!("{gone} entries before these are no longer kept");
        assert!(export(format, &view).contains(&said), "{format} does not say \"{said}\"");
    }
    let said = format!("log.entries_no_longer_kept,,,,,,{gone}\n");
    assert!(export(Format::Csv, &view).ends_with(&said));
}

#[test]
fn what_is_too_much_is_said_to_be_left_out() {
    let view = runs::long();
    check("long", &view);
    assert_eq!(view.log.forgotten(), 0);
    assert!(export(Format::Mermaid, &view).chars().count() <= 50_000);
    assert!(export(Format::Mermaid, &view).contains("entries before these are left out"));
    for format in [Format::Dot, Format::Svg] {
        let said = "instances that came before these are left out, and their edges";
        assert!(export(format, &view).contains(said), "{format}");
    }
}
