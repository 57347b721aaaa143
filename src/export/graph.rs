//! The dependency graph as far as anybody knows it.
//!
//! Each instance is seen with the eyes of whoever knows most of it: a replica that has committed it, if
//! any has. Dependencies are prefixes; the edges are those members that interfere, and, where nobody
//! knows the last member of a row, that one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::epaxos::attributes::Dependencies;
use crate::epaxos::command::Key;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::export::components::{Edges, components};
use crate::export::text;
use crate::observe::view::{InstanceView, ReplicaView, View};

/// What is known of the graph.
pub struct Graph<'a> {
    /// The instances with what is known of them; nothing, where another one names it and nobody knows.
    pub nodes: BTreeMap<InstanceId, Option<&'a InstanceView>>,
    /// What each depends on.
    pub edges: Edges,
    /// The components, in order of execution as far as that goes.
    pub components: Vec<Vec<InstanceId>>,
    /// Whose order of execution is told.
    pub observer: ReplicaId,
    /// The place of each in that order, from 1.
    pub order: BTreeMap<InstanceId, u64>,
    /// What is missing, each a sentence.
    pub missing: Vec<String>,
}

impl<'a> Graph<'a> {
    /// The graph of the latest instances, so many at most.
    pub fn of(view: &'a View, most: usize) -> Self {
        let observer = furthest(view);
        let known = known(view);
        let left_out = known.len().saturating_sub(most);
        let kept = latest(known, most);
        let edges = edges(view, &kept);
        let mut nodes: BTreeMap<_, _> = kept.into_iter().map(|(id, own)| (id, Some(own))).collect();
        for unknown in edges.keys() {
            nodes.entry(*unknown).or_insert(None);
        }
        let order = order(view, observer, &nodes);
        let mut components = components(&edges);
        // What does not depend on each other may come in any order: in the one in which it came. What
        // was executed comes before what was not, which depends on nothing of that.
        components.sort_by_key(|members| {
            let last = members.iter().map(|id| order.get(id).copied());
            last.map(|place| place.unwrap_or(u64::MAX)).max()
        });
        let missing = missing(view, left_out);
        Self { nodes, edges, components, observer, order, missing }
    }

    /// The edges that others do not imply: what reaches what is the same without the rest. Between two
    /// components one edge is enough, and in a large one so many that all its members reach each other;
    /// in a small one, each counts.
    pub fn reduced(&self) -> Edges {
        // Each after all that it depends on.
        let components = components(&self.edges);
        let mut part = BTreeMap::new();
        for (index, members) in components.iter().enumerate() {
            part.extend(members.iter().map(|id| (*id, index)));
        }
        let mut reach: Vec<BTreeSet<usize>> = Vec::new();
        let mut reduced: Edges = self.edges.keys().map(|id| (*id, BTreeSet::new())).collect();
        for (index, members) in components.iter().enumerate() {
            let mut out = BTreeMap::new();
            for (from, to) in members.iter().flat_map(|id| self.edges_of(*id)) {
                if part[&to] != index {
                    out.entry(part[&to]).or_insert((from, to));
                }
            }
            let is_implied = |to: &usize| out.keys().any(|via| reach[*via].contains(to));
            let between = out.iter().filter(|(to, _)| !is_implied(to)).map(|(_, edge)| *edge);
            for (from, to) in between.chain(self.within(members)) {
                reduced.entry(from).or_default().insert(to);
            }
            let further = out.keys().flat_map(|to| reach[*to].iter()).copied();
            let all = further.chain(out.keys().copied()).collect();
            reach.push(all);
        }
        reduced
    }

    fn edges_of(&self, id: InstanceId) -> impl Iterator<Item = (InstanceId, InstanceId)> {
        self.edges.get(&id).into_iter().flatten().map(move |to| (id, *to))
    }

    /// Edges within a component, along which all its members reach each other.
    fn within(&self, members: &[InstanceId]) -> Vec<(InstanceId, InstanceId)> {
        let all = members.iter().flat_map(|id| self.edges_of(*id));
        let all: Vec<_> = all.filter(|(_, to)| members.contains(to)).collect();
        if members.len() <= MEMBERS_FEW {
            return all;
        }
        let back: Vec<_> = all.iter().map(|(from, to)| (*to, *from)).collect();
        let back = spanning(members[0], &back).into_iter().map(|(to, from)| (from, to));
        let kept: BTreeSet<_> = spanning(members[0], &all).into_iter().chain(back).collect();
        kept.into_iter().collect()
    }

    /// What is told of an instance, a line each.
    pub fn words(&self, id: InstanceId, most: usize) -> Vec<String> {
        let Some(own) = self.nodes.get(&id).copied().flatten() else {
            return vec![id.to_string(), "not known to anybody".to_owned()];
        };
        let path = own.path.map(|path| format!("{path} path"));
        let place = self.order.get(&id).map(|place| format!("#{place}"));
        let how: Vec<String> = path.into_iter().chain(place).collect();
        vec![
            format!("{id} {}", text::payload(&own.payload, most)),
            format!("seq {}, {}", own.attributes.seq, own.phase),
            how.join(", "),
        ]
    }

    /// What is told of a component of several.
    pub fn caption(&self, members: &[InstanceId]) -> String {
        let places: Vec<u64> =
            members.iter().filter_map(|id| self.order.get(id).copied()).collect();
        let count = members.len();
        match (places.iter().min(), places.iter().max()) {
            (Some(first), Some(last)) if places.len() == count => {
                format!("component of {count}, executed #{first} to #{last}")
            }
            _ => format!("component of {count}, not executed"),
        }
    }

    /// What the graph is, and what is missing of it, a sentence each.
    pub fn about(&self) -> Vec<String> {
        let mut about = vec![format!(
            "an arrow leads to what is depended on; #1 was executed first at {}",
            self.observer
        )];
        about.extend(self.missing.iter().cloned());
        about
    }
}

/// Edges along which all that is reached from an instance is reached, one to each.
fn spanning(root: InstanceId, edges: &[(InstanceId, InstanceId)]) -> Vec<(InstanceId, InstanceId)> {
    let mut seen = BTreeSet::from([root]);
    let mut tree = Vec::new();
    let mut front = VecDeque::from([root]);
    while let Some(id) = front.pop_front() {
        for (from, to) in edges.iter().filter(|(from, _)| *from == id) {
            if seen.insert(*to) {
                tree.push((*from, *to));
                front.push_back(*to);
            }
        }
    }
    tree
}

/// The replica that has executed most.
fn furthest(view: &View) -> ReplicaId {
    let replicas = ReplicaId::all(view.shape.replicas()).rev();
    replicas.max_by_key(|id| view.replica(*id).executed_ever()).unwrap_or_default()
}

/// Every instance that anybody knows, with the eyes of whoever knows most of it, its leader before
/// others.
fn known(view: &View) -> BTreeMap<InstanceId, &InstanceView> {
    let mut known: BTreeMap<InstanceId, &InstanceView> = BTreeMap::new();
    for (index, replica) in view.replicas.iter().enumerate() {
        for (id, own) in replica.instances.iter() {
            let is_leader = id.replica.index() == index;
            known
                .entry(id)
                .and_modify(|best| {
                    if own.phase > best.phase || (own.phase == best.phase && is_leader) {
                        *best = own;
                    }
                })
                .or_insert(own);
        }
    }
    known
}

/// Those that changed last.
fn latest(
    known: BTreeMap<InstanceId, &InstanceView>,
    most: usize,
) -> BTreeMap<InstanceId, &InstanceView> {
    if known.len() <= most {
        return known;
    }
    let mut known: Vec<_> = known.into_iter().collect();
    known.sort_by_key(|(id, own)| (own.since, *id));
    known.split_off(known.len() - most).into_iter().collect()
}

fn edges(view: &View, kept: &BTreeMap<InstanceId, &InstanceView>) -> Edges {
    let mut gone = Dependencies::NONE;
    view.replicas.iter().for_each(|replica| gone.merge(&replica.let_go));
    let touched: BTreeMap<_, _> = kept.iter().map(|(id, own)| (*id, touches(own))).collect();
    let known_to_any =
        |id: InstanceId| view.replicas.iter().any(|replica| replica.instances.get(id).is_some());
    let mut edges: Edges = kept.keys().map(|id| (*id, BTreeSet::new())).collect();
    for (id, own) in kept {
        let mut found = BTreeSet::new();
        for last in own.attributes.deps.iter() {
            let first = InstanceId::new(last.replica, 0);
            let members = touched.range(first..=last).filter(|(other, _)| *other != id);
            let met = members.filter(|(_, theirs)| interfere(&touched[id], theirs));
            found.extend(met.map(|(other, _)| *other));
            let is_there = last.replica.index() < view.shape.replicas();
            if last != *id && is_there && !known_to_any(last) && !gone.contains(last) {
                found.insert(last);
                edges.entry(last).or_default();
            }
        }
        edges.insert(*id, found);
    }
    edges
}

/// The keys of an instance, and whether it may change each.
fn touches(own: &InstanceView) -> BTreeMap<&Key, bool> {
    let mut touches = BTreeMap::new();
    for operation in own.payload.operations() {
        *touches.entry(operation.key()).or_insert(false) |= operation.is_write();
    }
    touches
}

/// Whether two instances interfere: the same as [`Payload::interferes_with`], and fast where both
/// carry many commands.
///
/// [`Payload::interferes_with`]: crate::epaxos::command::Payload::interferes_with
fn interfere(mine: &BTreeMap<&Key, bool>, theirs: &BTreeMap<&Key, bool>) -> bool {
    let (few, many) = if mine.len() < theirs.len() { (mine, theirs) } else { (theirs, mine) };
    few.iter().any(|(key, write)| many.get(key).is_some_and(|other| *write || *other))
}

fn order(
    view: &View,
    observer: ReplicaId,
    nodes: &BTreeMap<InstanceId, Option<&InstanceView>>,
) -> BTreeMap<InstanceId, u64> {
    let instances = &view.replica(observer).instances;
    let place = |id: &InstanceId| Some((*id, instances.get(*id)?.order? + 1));
    nodes.keys().filter_map(place).collect()
}

fn missing(view: &View, left_out: usize) -> Vec<String> {
    let gone = view.replicas.iter().map(ReplicaView::instances_let_go).max().unwrap_or(0);
    let gone = (gone > 0).then(|| {
        format!(
            "{gone} instances that were executed everywhere are no longer kept, nor edges to them"
        )
    });
    let left_out = (left_out > 0).then(|| {
        format!("{left_out} instances that came before these are left out, and their edges")
    });
    let log = text::let_go(view).map(|told| format!("of the log, {told}"));
    log.into_iter().chain(text::unseen(view)).chain(gone).chain(left_out).collect()
}

/// Up to so many members, each edge of a component counts.
const MEMBERS_FEW: usize = 4;
