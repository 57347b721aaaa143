//! Reads the dependency graph, as Graphviz is given it and as a picture, and holds both against the
//! dependencies in the view.

use std::collections::{BTreeMap, BTreeSet};

use epaxos_tui::epaxos::id::InstanceId;
use epaxos_tui::export::{Format, export};
use epaxos_tui::observe::view::{InstanceView, View};
use layout::gv::DotParser;
use layout::gv::parser::ast;
use petgraph::algo::tarjan_scc;
use petgraph::prelude::DiGraphMap;

type Edges = BTreeSet<(InstanceId, InstanceId)>;

/// What a file of DOT says.
#[derive(Default)]
struct Dot {
    labels: BTreeMap<InstanceId, String>,
    edges: Edges,
    clusters: Vec<(String, BTreeSet<InstanceId>)>,
    label: String,
}

fn id(name: &str) -> InstanceId {
    name.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn read(name: &str, text: &str) -> Dot {
    let graph = DotParser::new(text).process();
    let graph = graph.unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut dot = Dot::default();
    statements(&graph, None, &mut dot);
    dot
}

fn statements(graph: &ast::Graph, cluster: Option<usize>, dot: &mut Dot) {
    let find = |list: &ast::AttributeList, wanted: &str| {
        let found = list.iter().find(|(key, _)| key == wanted);
        found.map(|(_, value)| value.clone())
    };
    for statement in &graph.list.list {
        match statement {
            ast::Stmt::Node(node) => {
                let label = find(&node.list, "label").expect("every node has a label");
                let own = id(&node.id.name);
                assert!(dot.labels.insert(own, label).is_none(), "{own} twice");
                if let Some(cluster) = cluster {
                    dot.clusters[cluster].1.insert(own);
                }
            }
            ast::Stmt::Edge(edge) => {
                for (to, arrow) in &edge.to {
                    assert!(matches!(arrow, ast::ArrowKind::Arrow));
                    let edge = (id(&edge.from.name), id(&to.name));
                    assert!(dot.edges.insert(edge), "{edge:?} twice");
                }
            }
            ast::Stmt::Attribute(attribute) => {
                let label = find(&attribute.list, "label");
                match (cluster, label) {
                    (Some(cluster), Some(label)) => dot.clusters[cluster].0 = label,
                    (None, Some(label)) => dot.label = label,
                    (_, None) => {}
                }
            }
            ast::Stmt::SubGraph(inner) => {
                assert!(inner.name.starts_with("cluster_"), "{}", inner.name);
                dot.clusters.push((String::new(), BTreeSet::new()));
                statements(inner, Some(dot.clusters.len() - 1), dot);
            }
        }
    }
}

/// Each instance as whoever has come furthest with it has it, and of those its leader.
fn known(view: &View) -> BTreeMap<InstanceId, &InstanceView> {
    let all = view.replicas.iter().flat_map(|replica| replica.instances.iter().map(|(id, _)| id));
    let ids: BTreeSet<InstanceId> = all.collect();
    let best = |id: InstanceId| {
        let phase = view.instance(id).into_iter().flatten().map(|own| own.phase).max();
        let leader = view.instance(id)[id.replica.index()].filter(|own| Some(own.phase) == phase);
        let mut all = view.instance(id).into_iter().flatten();
        leader.or_else(|| all.find(|own| Some(own.phase) == phase)).expect("somebody knows it")
    };
    ids.into_iter().map(|id| (id, best(id))).collect()
}

/// Who depends on whom, of all that is known.
fn dependencies(view: &View) -> Edges {
    let known = known(view);
    let mut edges = Edges::new();
    for (id, own) in &known {
        for (other, theirs) in &known {
            let depends = own.attributes.deps.contains(*other);
            if id != other && depends && own.payload.interferes_with(&theirs.payload) {
                edges.insert((*id, *other));
            }
        }
        let gone = |last: InstanceId| view.replicas.iter().any(|own| own.let_go.contains(last));
        let unknown = own.attributes.deps.iter();
        let unknown = unknown.filter(|last| !known.contains_key(last) && !gone(*last));
        edges.extend(unknown.map(|last| (*id, last)));
    }
    edges
}

fn components(edges: &Edges) -> BTreeSet<BTreeSet<InstanceId>> {
    let graph: DiGraphMap<_, ()> = edges.iter().map(|(from, to)| (key(*from), key(*to))).collect();
    let several = tarjan_scc(&graph).into_iter().filter(|members| members.len() > 1);
    let named =
        several.map(|members| members.into_iter().map(|(row, slot)| named(row, slot)).collect());
    named.collect()
}

fn key(id: InstanceId) -> (u8, u64) {
    (id.replica.0, id.slot)
}

fn named(row: u8, slot: u64) -> InstanceId {
    InstanceId::new(epaxos_tui::epaxos::id::ReplicaId(row), slot)
}

/// How many instances the largest component has.
pub fn largest_component(view: &View) -> usize {
    components(&dependencies(view)).iter().map(BTreeSet::len).max().unwrap_or(0)
}

/// Who reaches whom.
fn closure(edges: &Edges) -> Edges {
    let mut out: BTreeMap<InstanceId, Vec<InstanceId>> = BTreeMap::new();
    for (from, to) in edges {
        out.entry(*from).or_default().push(*to);
    }
    let mut closure = Edges::new();
    for from in out.keys() {
        let mut front = vec![*from];
        while let Some(id) = front.pop() {
            for to in out.get(&id).into_iter().flatten() {
                if closure.insert((*from, *to)) {
                    front.push(*to);
                }
            }
        }
    }
    closure
}

/// Holds the graph and the picture against the view.
pub fn check(name: &str, view: &View) {
    let dot = read(name, &export(Format::Dot, view));
    let all = dependencies(view);
    let known = known(view);
    let is_shown = |(from, to): &&(InstanceId, InstanceId)| {
        dot.labels.contains_key(from) && dot.labels.contains_key(to)
    };
    let expected: Edges = all.iter().filter(is_shown).copied().collect();
    assert_eq!(dot.edges, expected, "{name}");
    assert_eq!(known.len() <= 500, !dot.label.contains("left out"), "{name}");
    if known.len() <= 500 {
        assert_eq!(dot.edges, all, "{name}");
        assert!(known.keys().all(|id| dot.labels.contains_key(id)), "{name}");
    }
    for (id, label) in &dot.labels {
        assert!(label.starts_with(&id.to_string()), "{name}: {label}");
        if let Some(own) = known.get(id) {
            let said = format!("seq {}, {}", own.attributes.seq, own.phase);
            assert!(label.contains(&said), "{name}: \"{label}\" does not say \"{said}\"");
            let path = own.path.is_none_or(|path| label.contains(&format!("{path} path")));
            assert!(path, "{name}: {label}");
        }
    }
    let clusters = dot.clusters.iter().map(|(_, members)| members.clone()).collect();
    assert_eq!(components(&dot.edges), clusters, "{name}");
    for (label, members) in &dot.clusters {
        assert!(label.contains(&format!("component of {}", members.len())), "{name}: {label}");
    }
    check_picture(name, view, &dot);
}

fn check_picture(name: &str, view: &View, dot: &Dot) {
    let text = export(Format::Svg, view);
    let picture =
        roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let with = |class: &'static str| {
        picture.descendants().filter(move |node| node.attribute("class") == Some(class))
    };
    let groups = picture.descendants().filter(|node| node.has_tag_name("g"));
    let boxes: BTreeMap<InstanceId, _> =
        groups.filter_map(|group| Some((id(group.attribute("id")?), group))).collect();
    let is_whole = dot.labels.len() <= 60;
    if is_whole {
        assert!(boxes.keys().eq(dot.labels.keys()), "{name}");
    }
    assert_eq!(with("node").count(), boxes.len(), "{name}");
    let mut edges = Edges::new();
    for edge in with("edge") {
        let title = edge.children().find_map(|child| child.text()).expect("a title");
        let (from, to) = title.split_once(" depends on ").expect("two ends");
        edges.insert((id(from), id(to)));
        assert!(edge.attribute("d").expect("a path").starts_with('M'), "{name}");
    }
    let among: Edges = dot
        .edges
        .iter()
        .filter(|(from, to)| boxes.contains_key(from) && boxes.contains_key(to))
        .copied()
        .collect();
    assert!(edges.is_subset(&among), "{name}: an edge that is none");
    assert_eq!(closure(&edges), closure(&among), "{name}: other instances are reached");
    assert!(text.contains("marker-end: url(#arrow)") && text.contains(r#"<marker id="arrow""#));
    check_places(name, &picture);
    let frames =
        with("component").map(|frame| frame.children().filter(|it| it.has_tag_name("rect")));
    let count: usize = frames.map(Iterator::count).sum();
    assert_eq!(
        count,
        components(&among).iter().map(BTreeSet::len).sum::<usize>(),
        "{name}: frames"
    );
}

/// No box lies on another one or off the sheet.
fn check_places(name: &str, picture: &roxmltree::Document) {
    let number = |node: &roxmltree::Node, name: &str| -> usize {
        node.attribute(name).and_then(|text| text.parse().ok()).expect("a number")
    };
    let sheet = picture.root_element();
    let (width, height) = (number(&sheet, "width"), number(&sheet, "height"));
    let boxes = picture.descendants().filter(|node| node.attribute("class") == Some("node"));
    let place = |node: roxmltree::Node| {
        let (x, y) = (number(&node, "x"), number(&node, "y"));
        (x, y, x + number(&node, "width"), y + number(&node, "height"))
    };
    let places: Vec<_> = boxes.map(place).collect();
    for (index, own) in places.iter().enumerate() {
        assert!(own.2 <= width && own.3 <= height, "{name}: a box is off the sheet");
        for other in &places[..index] {
            let apart =
                own.0 >= other.2 || other.0 >= own.2 || own.1 >= other.3 || other.1 >= own.3;
            assert!(apart, "{name}: two boxes lie on each other");
        }
    }
}
