//! The dependency graph for Graphviz, every edge of it. `tred` takes away what others imply.

use std::fmt::Write;

use crate::epaxos::id::InstanceId;
use crate::epaxos::instance::Phase;
use crate::export::graph::Graph;
use crate::observe::view::View;

/// Writes down the graph.
pub fn text(view: &View) -> String {
    let graph = Graph::of(view, INSTANCES_MOST);
    let mut text = String::new();
    write(&mut text, &graph).expect("strings take any text");
    text
}

fn write(text: &mut String, graph: &Graph) -> std::fmt::Result {
    let about = graph.about();
    writeln!(text, "digraph dependencies {{")?;
    writeln!(text, "  graph [label={}, labelloc=\"t\", rankdir=\"BT\"];", quoted(&about))?;
    writeln!(text, "  node [shape=\"box\", style=\"filled\", fontname=\"monospace\"];")?;
    for (index, members) in graph.components.iter().enumerate() {
        if let [id] = members.as_slice() {
            node(text, "  ", graph, *id)?;
            continue;
        }
        writeln!(text, "  subgraph \"cluster_{index}\" {{")?;
        writeln!(text, "    graph [label={}];", quoted(&[graph.caption(members)]))?;
        for id in members {
            node(text, "    ", graph, *id)?;
        }
        writeln!(text, "  }}")?;
    }
    for (from, all) in &graph.edges {
        for to in all {
            writeln!(text, "  \"{from}\" -> \"{to}\";")?;
        }
    }
    writeln!(text, "}}")
}

fn node(text: &mut String, indent: &str, graph: &Graph, id: InstanceId) -> std::fmt::Result {
    let label = quoted(&graph.words(id, CHARACTERS_MOST));
    let phase = graph.nodes.get(&id).copied().flatten().map(|own| own.phase);
    let colour = match phase {
        None | Some(Phase::Initial) => "white",
        Some(Phase::PreAccepted) => "lightyellow",
        Some(Phase::Accepted) => "moccasin",
        Some(Phase::Committed) => "lightblue",
        Some(Phase::Executed) => "palegreen",
    };
    writeln!(text, "{indent}\"{id}\" [label={label}, fillcolor=\"{colour}\"];")
}

/// Lines as a string of DOT, in which nothing means anything.
fn quoted(lines: &[String]) -> String {
    let lines: Vec<_> =
        lines.iter().map(|line| line.replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}

/// How many instances are shown. On one key, each depends on all before it: as many edges as that
/// squared and halved.
const INSTANCES_MOST: usize = 500;

/// How much is said of a command.
const CHARACTERS_MOST: usize = 60;
