//! The instances around the selected one, as a picture of who depends on whom.
//!
//! A whole dependency graph cannot be drawn in a terminal so that it can be read: lines merge. A few
//! instances can. The picture is made again only when something it shows has changed.

use std::collections::{BTreeMap, BTreeSet};

use ascii_dag::{Direction, Graph, LayoutConfig, RenderOptions};

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::observe::edges::{Reach, dependencies, dependents};
use crate::observe::view::{InstanceView, View};

/// The picture, and what it shows.
#[derive(Clone, Debug, Default)]
pub struct Neighbourhood {
    of: Option<(u64, InstanceId, Option<ReplicaId>, usize)>,
    shown: Shown,
    /// How far around the selected instance is drawn, in edges, beyond what usually is.
    further: usize,
    /// The lines of the picture.
    pub lines: Vec<String>,
}

/// What a picture shows: each instance's label and what it depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shown {
    labels: BTreeMap<InstanceId, String>,
    edges: BTreeSet<(InstanceId, InstanceId)>,
    /// Whose view of the dependencies is drawn.
    observer: Option<ReplicaId>,
    /// Whether there would have been more.
    cut: bool,
}

impl Neighbourhood {
    /// Draws the picture again if something has changed.
    pub fn settle(
        &mut self,
        view: &View,
        selected: Option<InstanceId>,
        observer: Option<ReplicaId>,
    ) {
        let depth = DEPTH + self.further;
        let of = selected.map(|selected| (view.version, selected, observer, depth));
        if self.of == of {
            return;
        }
        self.of = of;
        let shown = selected.map(|selected| Shown::around(view, selected, observer, depth));
        let shown = shown.unwrap_or_default();
        if shown != self.shown {
            self.lines = shown.draw();
            self.shown = shown;
        }
    }

    /// Draws more around the selected instance, or less.
    pub fn go_further(&mut self, further: bool) {
        self.further = if further {
            (self.further + 1).min(FURTHER_MOST)
        } else {
            self.further.saturating_sub(1)
        };
    }

    /// How far around the selected instance is drawn, in edges.
    pub fn depth(&self) -> usize {
        DEPTH + self.further
    }

    /// The same in words, for where the picture does not fit: the components, and what each instance
    /// depends on, the selected one first.
    pub fn told(&self) -> Vec<String> {
        let names =
            |ids: &[InstanceId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let components = self.shown.components();
        let mut lines: Vec<String> =
            components.iter().map(|members| format!("component: {}", names(members))).collect();
        let selected = self.of.map(|(_, selected, ..)| selected);
        let mut ids: Vec<InstanceId> = self.shown.labels.keys().copied().collect();
        ids.sort_by_key(|id| (Some(*id) != selected, *id));
        for id in ids {
            let edges = self.shown.edges.range((id, FIRST)..).take_while(|(from, _)| *from == id);
            let to: Vec<InstanceId> = edges.map(|(_, to)| *to).collect();
            let label = self.shown.labels.get(&id).cloned().unwrap_or_default();
            let depends = if to.is_empty() { "nothing here".to_owned() } else { names(&to) };
            lines.push(format!("[{label}] depends on {depends}"));
        }
        lines
    }

    /// Whose view of the dependencies is drawn.
    pub fn observer(&self) -> Option<ReplicaId> {
        self.shown.observer
    }

    /// Whether there are more instances around than are drawn.
    pub fn is_cut(&self) -> bool {
        self.shown.cut
    }
}

/// Through whose eyes an instance is best seen: the one asked for, otherwise whoever knows most of
/// it, the command leader before others.
pub fn observer(view: &View, instance: InstanceId, wanted: Option<ReplicaId>) -> Option<ReplicaId> {
    if wanted.is_some() {
        return wanted;
    }
    let known = view.instance(instance);
    let phase = |replica: ReplicaId| known.get(replica.index())?.map(|known| known.phase);
    ReplicaId::all(known.len())
        .filter(|replica| phase(*replica).is_some())
        .max_by_key(|replica| (phase(*replica), *replica == instance.replica))
}

impl Shown {
    fn around(
        view: &View,
        selected: InstanceId,
        wanted: Option<ReplicaId>,
        depth_most: usize,
    ) -> Self {
        let Some(observer) = observer(view, selected, wanted) else { return Self::default() };
        let mut shown = Self { observer: Some(observer), ..Self::default() };
        let instances = &view.replica(observer).instances;
        let mut front = vec![selected];
        let mut seen = BTreeSet::from([selected]);
        for depth in 0..=depth_most {
            for id in std::mem::take(&mut front) {
                shown.labels.insert(id, label(id, instances.get(id)));
                if depth == depth_most {
                    continue;
                }
                let around = dependencies(view, observer, id, Reach::NEAR)
                    .into_iter()
                    .chain(if depth == 0 { dependents(view, observer, id) } else { Vec::new() });
                for next in around {
                    if seen.contains(&next) {
                        continue;
                    }
                    if seen.len() == NODES_MAX {
                        shown.cut = true;
                        continue;
                    }
                    seen.insert(next);
                    front.push(next);
                }
            }
        }
        for id in &seen {
            let targets = dependencies(view, observer, *id, Reach::NEAR);
            let targets = targets.into_iter().filter(|target| seen.contains(target));
            shown.edges.extend(targets.map(|target| (*id, target)));
        }
        shown.reduce();
        shown
    }

    /// Takes away edges that others imply, but for those within a component, where each counts.
    fn reduce(&mut self) {
        let reach = self.reach();
        let reaches = |from: InstanceId, to: InstanceId| reach.contains(&(from, to));
        let all = self.edges.clone();
        self.edges.retain(|(from, to)| {
            let within = reaches(*to, *from);
            let implied = self.labels.keys().any(|via| {
                let outside = !reaches(*via, *from) && !reaches(*to, *via);
                via != from
                    && via != to
                    && outside
                    && all.contains(&(*from, *via))
                    && reaches(*via, *to)
            });
            within || !implied
        });
    }

    /// Who reaches whom along edges.
    fn reach(&self) -> BTreeSet<(InstanceId, InstanceId)> {
        let mut reach = self.edges.clone();
        for via in self.labels.keys() {
            let to: Vec<_> = reach
                .range((*via, FIRST)..)
                .take_while(|(from, _)| from == via)
                .map(|(_, to)| *to)
                .collect();
            let from: Vec<_> =
                reach.iter().filter(|(_, to)| to == via).map(|(from, _)| *from).collect();
            for from in from {
                reach.extend(to.iter().map(|to| (from, *to)));
            }
        }
        reach
    }

    /// The components of several instances.
    fn components(&self) -> Vec<Vec<InstanceId>> {
        let reach = self.reach();
        let mut left: BTreeSet<InstanceId> = self.labels.keys().copied().collect();
        let mut components = Vec::new();
        while let Some(id) = left.pop_first() {
            let mutual =
                |other: &InstanceId| reach.contains(&(id, *other)) && reach.contains(&(*other, id));
            let others: Vec<InstanceId> = left.iter().copied().filter(mutual).collect();
            left.retain(|other| !others.contains(other));
            if !others.is_empty() {
                components.push(std::iter::once(id).chain(others).collect());
            }
        }
        components
    }

    fn draw(&self) -> Vec<String> {
        if self.labels.len() < 2 {
            return Vec::new();
        }
        let number = |id: &InstanceId| self.labels.range(..id).count();
        let mut graph = Graph::new();
        for (id, label) in &self.labels {
            graph.add_node(number(id), label.as_str());
        }
        for (from, to) in &self.edges {
            graph.add_edge(number(from), number(to), None);
        }
        for component in self.components() {
            let cluster = graph.add_subgraph("component");
            let members: Vec<usize> = component.iter().map(number).collect();
            // A node is put into one cluster only, so this cannot be refused.
            let _placed = graph.put_nodes(&members).inside(cluster);
        }
        let mut config = LayoutConfig::standard();
        config.direction = Direction::LeftRight;
        config.level_spacing = 1;
        let picture = graph.compute_layout_with_config(&config);
        let picture = picture.render_string(&RenderOptions::plain());
        picture
            .lines()
            .map(str::trim_end)
            // Nor do rows say anything in which there is nothing but frames.
            .filter(|line| !line.chars().all(|c| c == ' ' || c == '║'))
            .map(str::to_owned)
            .collect()
    }
}

fn label(id: InstanceId, known: Option<&InstanceView>) -> String {
    match known {
        Some(known) => format!("{id} {}", known.phase.letter()),
        None => format!("{id} ?"),
    }
}

/// How far around the selected instance is drawn.
const DEPTH: usize = 2;

/// How much further can be asked for.
const FURTHER_MOST: usize = 4;

/// How many instances are drawn at most.
const NODES_MAX: usize = 25;

/// The least instance there is.
const FIRST: InstanceId = InstanceId { replica: ReplicaId(0), slot: 0 };
