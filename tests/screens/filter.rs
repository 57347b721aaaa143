//! What a filter leaves of the trace.

use epaxos_tui::observe::facets::Facets;
use epaxos_tui::observe::query::Query;

use crate::stage::Stage;

fn shown(stage: &Stage, filter: &str) -> Vec<String> {
    let query = Query::parse(filter);
    let lines =
        stage.view().trace.iter().filter(|line| {
            query.matches(&Facets::of_line(line, stage.view()), || line.to_string())
        });
    lines.map(ToString::to_string).collect()
}

#[test]
fn each_term_narrows() {
    let stage = Stage::conflict();
    let all = shown(&stage, "").len();
    for (term, word) in [
        ("kind:accept", "Accept"),
        ("replica:R3", "R3"),
        ("instance:R0.0", "R0.0"),
        ("event:status", "("),
        ("path:slow", "R"),
        ("committed", "committed"),
    ] {
        let lines = shown(&stage, term);
        assert!(!lines.is_empty() && lines.len() < all, "{term}: {} of {all}", lines.len());
        assert!(lines.iter().all(|line| line.contains(word)), "{term}: {lines:#?}");
    }
}

#[test]
fn an_exclamation_mark_turns_a_term_round() {
    let stage = Stage::conflict();
    let (with, without) = (shown(&stage, "kind:accept"), shown(&stage, "!kind:accept"));
    assert_eq!(with.len() + without.len(), shown(&stage, "").len());
    assert_eq!(shown(&stage, "!"), shown(&stage, ""));
}

#[test]
fn replies_count_as_touching_the_key_of_their_instance() {
    let stage = Stage::conflict();
    assert!(shown(&stage, "key:x kind:PreAcceptReply").len() > 2);
    assert!(shown(&stage, "key:nothing").is_empty());
}

#[test]
fn terms_without_a_meaning_are_looked_for_as_text() {
    let stage = Stage::conflict();
    assert_eq!(shown(&stage, "replica:nobody"), Vec::<String>::new());
    assert!(!shown(&stage, "SLOW path:").is_empty());
}
