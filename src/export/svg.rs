//! The dependency graph as a picture that stands for itself: the latest instances, and of their edges
//! those that others do not imply.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write;

use ascii_dag::{Direction, EdgePath, Graph as Layout, LayoutConfig, LayoutIR};
use unicode_width::UnicodeWidthStr;

use crate::epaxos::id::InstanceId;
use crate::epaxos::instance::Phase;
use crate::export::components::Edges;
use crate::export::graph::Graph;
use crate::export::text::one_line;
use crate::observe::view::View;

/// Draws the graph.
pub fn text(view: &View) -> String {
    let graph = Graph::of(view, INSTANCES_MOST);
    let edges = graph.reduced();
    let words = graph.nodes.keys().map(|id| (*id, graph.words(*id, CHARACTERS_MOST)));
    let picture = Picture { graph: &graph, edges, words: words.collect() };
    let mut text = String::new();
    picture.draw(&mut text).expect("strings take any text");
    text
}

/// What is drawn.
struct Picture<'a> {
    graph: &'a Graph<'a>,
    edges: Edges,
    words: BTreeMap<InstanceId, Vec<String>>,
}

impl Picture<'_> {
    fn draw(&self, out: &mut String) -> fmt::Result {
        let ids: Vec<InstanceId> = self.words.keys().copied().collect();
        // The layout counts in characters, and knows of a label only how many it has.
        let widths: Vec<String> =
            self.words.values().map(|lines| "x".repeat(width(lines))).collect();
        let mut layout = Layout::new();
        for (number, label) in widths.iter().enumerate() {
            layout.add_node(number, label);
        }
        let number = |id: &InstanceId| ids.binary_search(id).expect("every end is an instance");
        for (from, all) in &self.edges {
            for to in all {
                layout.add_edge(number(from), number(to), None);
            }
        }
        let mut config = LayoutConfig::standard();
        config.direction = Direction::BottomUp;
        config.node_spacing = SPACING;
        let layout = layout.compute_layout_with_config(&config);
        let about: Vec<String> = self.about();
        let sheet = Sheet::new(&layout, about.len());
        let least = about.iter().map(|line| line.width()).max().unwrap_or(0) * CELL;
        let across = (left(layout.width()) + MARGIN).max(least + 2 * MARGIN);
        head(out, across, sheet.height + MARGIN, &about)?;
        self.draw_components(out, &layout, &sheet, &ids)?;
        for edge in layout.edges() {
            let (from, to) = (ids[edge.from_id], ids[edge.to_id]);
            let path = sheet.path(edge, &layout);
            writeln!(
                out,
                r#"<path class="edge" d="{path}"><title>{from} depends on {to}</title></path>"#
            )?;
        }
        for node in layout.nodes() {
            let Some(id) = ids.get(node.id) else { continue };
            self.draw_node(out, *id, (left(node.x), sheet.top(node.y), node.width * CELL))?;
        }
        writeln!(out, "</svg>")
    }

    fn about(&self) -> Vec<String> {
        let shown: usize = self.edges.values().map(BTreeSet::len).sum();
        let all: usize = self.graph.edges.values().map(BTreeSet::len).sum();
        let mut about = self.graph.about();
        if shown < all {
            about.push(format!("{} arrows that others imply are left out", all - shown));
        }
        about
    }

    fn draw_node(
        &self,
        out: &mut String,
        id: InstanceId,
        (x, y, wide): (usize, usize, usize),
    ) -> fmt::Result {
        let phase = self.graph.nodes.get(&id).copied().flatten().map(|own| own.phase);
        let fill = match phase {
            None | Some(Phase::Initial) => "#ffffff",
            Some(Phase::PreAccepted) => "#fffbdd",
            Some(Phase::Accepted) => "#ffe2b8",
            Some(Phase::Committed) => "#d6eaff",
            Some(Phase::Executed) => "#d8f5d8",
        };
        writeln!(out, r#"<g id="{id}">"#)?;
        writeln!(
            out,
            r#"<rect class="node" x="{x}" y="{y}" width="{wide}" height="{BOX}" rx="4" fill="{fill}"/>"#
        )?;
        for (line, words) in self.words[&id].iter().enumerate() {
            let (middle, base) = (x + wide / 2, y + 16 + 16 * line);
            let words = escape(words);
            writeln!(out, r#"<text class="word" x="{middle}" y="{base}">{words}</text>"#)?;
        }
        writeln!(out, "</g>")
    }

    /// A frame in one colour around each member of a component: wherever they were put, they can be
    /// told to belong together.
    fn draw_components(
        &self,
        out: &mut String,
        layout: &LayoutIR,
        sheet: &Sheet,
        ids: &[InstanceId],
    ) -> fmt::Result {
        let several = self.graph.components.iter().filter(|members| members.len() > 1);
        for (index, members) in several.enumerate() {
            let colour = FRAMES[index % FRAMES.len()];
            let caption = escape(&self.graph.caption(members));
            writeln!(out, r#"<g class="component"><title>{caption}</title>"#)?;
            for node in layout.nodes() {
                if !ids.get(node.id).is_some_and(|id| members.contains(id)) {
                    continue;
                }
                let (x, y) = (left(node.x) - FRAME, sheet.top(node.y) - FRAME);
                let (wide, high) = (node.width * CELL + 2 * FRAME, BOX + 2 * FRAME);
                writeln!(
                    out,
                    r#"<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="7" fill="{colour}"/>"#
                )?;
            }
            writeln!(out, "</g>")?;
        }
        Ok(())
    }
}

/// Where rows and columns of characters lie on the sheet. Rows with boxes are as high as these, and what
/// is between them as high as arrows need.
struct Sheet {
    /// The upper end of each row.
    tops: Vec<usize>,
    height: usize,
}

impl Sheet {
    fn new(layout: &LayoutIR, lines: usize) -> Self {
        let mut heights = vec![0; layout.height() + 1];
        let boxes: BTreeSet<usize> = layout.nodes().iter().map(|node| node.y).collect();
        let rows: Vec<usize> = boxes.iter().copied().collect();
        // However many rows the layout has between two of boxes, arrows need so much there.
        for (row, next) in rows.iter().zip(rows.iter().skip(1)) {
            let between = &mut heights[row + 1..*next];
            let each = GAP / between.len().max(1);
            between.fill(each);
        }
        for row in &rows {
            heights[*row] = BOX;
        }
        let mut height = MARGIN + TITLE + lines * LINE;
        let mut tops = Vec::with_capacity(heights.len());
        for high in heights {
            tops.push(height);
            height += high;
        }
        Self { tops, height }
    }

    fn top(&self, row: usize) -> usize {
        self.tops.get(row).copied().unwrap_or(self.height)
    }

    /// From box to box over where the layout leads an edge.
    fn path(&self, edge: &ascii_dag::LayoutEdge, layout: &LayoutIR) -> String {
        let end = |id: usize| {
            let node = layout.node_by_id(id).expect("an edge has two ends");
            (left(node.x) + node.width * CELL / 2, self.top(node.y), node.y)
        };
        let (from, to) = (end(edge.from_id), end(edge.to_id));
        // Where edges go back to what comes later, they leave at the other side.
        let up = to.2 < from.2;
        let (start, stop) = if up { (from.1, to.1 + BOX) } else { (from.1 + BOX, to.1) };
        let mut points = vec![(from.0, start)];
        if let EdgePath::MultiSegment { waypoints, .. } = &edge.path {
            let mut via: Vec<_> =
                waypoints.iter().map(|(x, y)| (left(*x), self.top(*y) + BOX / 2)).collect();
            via.sort_by_key(|(_, y)| if up { usize::MAX - y } else { *y });
            points.extend(via);
        }
        points.push((to.0, stop));
        curve(&points)
    }
}

/// The left end of a column.
fn left(column: usize) -> usize {
    MARGIN + column * CELL
}

/// A line through the points that is level at none of them.
fn curve(points: &[(usize, usize)]) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 {
            write!(path, "M{x} {y}").expect("strings take any text");
            continue;
        }
        let (before, above) = points[index - 1];
        let middle = usize::midpoint(above, *y);
        write!(path, " C{before} {middle} {x} {middle} {x} {y}").expect("strings take any text");
    }
    path
}

fn head(out: &mut String, width: usize, height: usize, about: &[String]) -> fmt::Result {
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">"#
    )?;
    writeln!(out, "<title>{NAME}</title>")?;
    writeln!(out, "<desc>{}</desc>", escape(&about.join("\n")))?;
    out.push_str(STYLE);
    writeln!(out, r#"<rect width="{width}" height="{height}" fill="white"/>"#)?;
    let x = MARGIN;
    writeln!(out, r#"<text class="title" x="{x}" y="{}">{NAME}</text>"#, MARGIN + 12)?;
    for (line, words) in about.iter().enumerate() {
        let (y, words) = (MARGIN + TITLE + LINE * line, escape(words));
        writeln!(out, r#"<text class="about" x="{x}" y="{y}">{words}</text>"#)?;
    }
    Ok(())
}

/// How many columns the words of a box take.
fn width(lines: &[String]) -> usize {
    lines.iter().map(|line| line.width()).max().unwrap_or(0)
}

/// The text as XML reads it.
fn escape(words: &str) -> String {
    let words = one_line(words, usize::MAX);
    // No XML may contain these two, however they are written.
    let words = words.replace(['\u{fffe}', '\u{ffff}'], " ");
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = r##"<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="#555555"/></marker></defs>
<style>
text { font-family: monospace; font-size: 12px; fill: #222222; }
.title { font-size: 16px; font-weight: bold; }
.word { text-anchor: middle; white-space: pre; }
.node { stroke: #555555; }
.edge { fill: none; stroke: #555555; marker-end: url(#arrow); }
</style>
"##;

/// What the picture is called.
const NAME: &str = "Dependencies";

/// The colours of components.
const FRAMES: [&str; 6] = ["#b07aa1", "#4e79a7", "#e15759", "#76b7b2", "#edc948", "#9c755f"];

/// How many instances are drawn. More cannot be told apart.
const INSTANCES_MOST: usize = 60;

/// How much is said of a command.
const CHARACTERS_MOST: usize = 18;

/// What a character takes, in units of the picture; and a box, the space between rows of boxes, the
/// frame of a component, a line of text, what is above all that, and what is around it.
const CELL: usize = 8;
const BOX: usize = 56;
const GAP: usize = 64;
const FRAME: usize = 4;
const LINE: usize = 18;
const TITLE: usize = 34;
const MARGIN: usize = 16;

/// How many columns are between boxes.
const SPACING: usize = 4;
