//! The documents against the program: what they show is what happens, and what they point to is
//! there.

mod document;

use std::fs;
use std::path::Path;

use epaxos_tui::observe::notice::Shape;
use epaxos_tui::script::file::Script;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::session::Session;
use epaxos_tui::sim::cluster::Cluster;

/// Types the commands of an example into a new cluster, and writes down what is answered.
fn replayed(example: &str) -> String {
    let mut cluster = Cluster::new(Shape::new(5));
    let mut session = Session::default();
    let mut text = Vec::new();
    for line in example.lines().filter_map(|line| line.strip_prefix("> ")) {
        text.push(format!("> {line}"));
        let said = match Command::parse(line) {
            Ok(command) => session.perform(&mut cluster, &command.expect("a command")),
            Err(error) => Err(error.to_string()),
        };
        text.extend(said.unwrap_or_else(|error| vec![format!("error: {error}")]));
    }
    text.join("\n")
}

#[test]
fn every_command_has_a_section_with_an_example_of_it() {
    let document = document::read("script.md");
    for (name, _) in Command::list() {
        let section = document::section(&document, &format!("### `{name}`"));
        let examples = document::blocks(section, "session");
        let mut typed = examples.iter().flat_map(|example| example.lines());
        assert!(typed.any(|line| line.split(' ').take(2).eq([">", &name])), "no example of {name}");
    }
}

#[test]
fn examples_of_commands_are_true() {
    for example in document::blocks(&document::read("script.md"), "session") {
        assert_eq!(replayed(example), example);
    }
}

#[test]
fn a_misspelt_line_is_refused_as_shown() {
    let error = Script::parse("put x 1\n# then\nsettel\n").unwrap_err();
    assert_eq!(document::blocks(&document::read("script.md"), "refused"), [error.to_string()]);
}

/// The transcripts that a document quotes stand in the scenarios, line for line.
#[test]
fn quoted_transcripts_are_those_of_the_scenarios() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut scenarios = String::new();
    for folder in fs::read_dir(root).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            scenarios.push_str(&fs::read_to_string(file.unwrap().path()).unwrap());
        }
    }
    for name in ["protocol.md", "testing.md"] {
        let document = document::read(name);
        let quoted = document::blocks(&document, "transcript");
        assert!(!quoted.is_empty());
        for transcript in quoted {
            assert!(scenarios.contains(transcript), "no scenario has\n{transcript}");
        }
    }
}

/// The commands of a scenario, without what is expected to come of them.
fn commands_of_scenario(text: &str) -> Vec<Command> {
    let blocks = text.split("\n\n").map(|block| block.split("---").next().unwrap_or_default());
    let lines = blocks.flat_map(str::lines).map(|line| line.trim_matches(['(', ')']));
    let commands = lines.filter(|line| !line.starts_with("cluster"));
    commands.filter_map(|line| Command::parse(line).expect(line)).collect()
}

/// What is played before an audience is played by the tests.
#[test]
fn the_demonstration_is_a_scenario() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let demonstration = Script::parse(&read("assets/leader_dies.script")).unwrap().commands;
    let scenario = commands_of_scenario(&read("tests/scenarios/crashes/the_leader_half_way"));
    assert!(demonstration.iter().map(|(_, command)| command).eq(&scenario));
}

/// Every link between files leads to one that is there, and to a heading that it has.
#[test]
fn links_lead_somewhere() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for entry in fs::read_dir(&docs).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (link, _) in links.filter(|(link, _)| !link.starts_with("http")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { docs.join(file) };
            assert!(target.exists(), "{}: {link} is not there", path.display());
            assert!(
                heading.is_empty() || anchors(&target).any(|anchor| anchor == heading),
                "{}: {link} has no such heading",
                path.display(),
            );
        }
    }
}

/// What the headings of a file are called in links.
fn anchors(path: &Path) -> impl Iterator<Item = String> + use<> {
    let text = fs::read_to_string(path).unwrap();
    let headings: Vec<_> = text.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
    headings.into_iter()
}

fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The film that the README begins with was made of the list beside it, and is a picture that anybody
/// can draw. `cargo run --release --example film` makes it anew.
#[test]
fn the_film_shows_what_its_list_says() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let list = fs::read_to_string(assets.join("film.txt")).unwrap();
    let film = fs::read_to_string(assets.join("film.svg")).unwrap();
    let drawn = roxmltree::Document::parse(&film).expect("a well-formed picture");
    let is_frame = |node: &roxmltree::Node| node.attribute("class") == Some("frame");
    let frames = drawn.descendants().filter(is_frame).count();
    assert_eq!(frames, list.lines().filter(|line| line.starts_with("show ")).count());
    let text: String = drawn.descendants().filter_map(|node| node.text()).collect();
    let seen = list.lines().filter_map(|line| line.strip_prefix("wait "));
    for word in seen.flat_map(|line| line.split(' ')) {
        assert!(text.contains(word), "{word} is not in the film");
    }
}
