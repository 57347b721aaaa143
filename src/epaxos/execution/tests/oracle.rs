//! Random small logs, sensible and not, against an executor that follows the definition literally.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use proptest::prelude::*;

use super::Numbered;
use super::{Decision, execution, operation, payload};
use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::execution::{Blocked, Execution};
use crate::epaxos::id::{InstanceId, ReplicaId};

type Log = BTreeMap<InstanceId, Decision>;

/// All that the decision must find committed.
fn prefix(decision: &Decision) -> impl Iterator<Item = InstanceId> + '_ {
    let rows = decision.attributes.deps.iter();
    rows.flat_map(|last| (0..=last.slot).map(move |slot| InstanceId::new(last.replica, slot)))
        .filter(|instance| *instance != decision.instance)
}

/// The edges of a decision, none left out.
fn edges(log: &Log, decision: &Decision) -> Vec<InstanceId> {
    let interferes = |id: &InstanceId| {
        log.get(id).is_some_and(|other| other.payload.interferes_with(&decision.payload))
    };
    prefix(decision).filter(interferes).collect()
}

/// All that an instance reaches, itself included.
fn reached(log: &Log, from: InstanceId) -> BTreeSet<InstanceId> {
    let mut reached = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(id) = next.pop() {
        next.extend(edges(log, &log[&id]).into_iter().filter(|other| reached.insert(*other)));
    }
    reached
}

/// The uncommitted instances that an instance waits for.
fn in_the_way(log: &Log, instance: InstanceId) -> BTreeSet<InstanceId> {
    let prefixes = reached(log, instance).into_iter().flat_map(|id| prefix(&log[&id]));
    prefixes.filter(|id| !log.contains_key(id)).collect()
}

/// Those that reach each other, by definition.
fn components(log: &Log) -> BTreeSet<BTreeSet<InstanceId>> {
    let reached: BTreeMap<_, _> = log.keys().map(|id| (*id, reached(log, *id))).collect();
    let both_ways =
        |a: InstanceId| reached[&a].iter().copied().filter(|b| reached[b].contains(&a)).collect();
    log.keys().map(|id| both_ways(*id)).collect()
}

/// The order of execution, by definition.
fn reference(log: &Log) -> Vec<Vec<InstanceId>> {
    let key = |id: &InstanceId| (log[id].attributes.seq, *id);
    let mut left: Vec<Vec<InstanceId>> = Vec::new();
    for component in components(log) {
        if component.iter().all(|id| in_the_way(log, *id).is_empty()) {
            let mut members: Vec<_> = component.into_iter().collect();
            members.sort_by_key(key);
            left.push(members);
        }
    }
    left.sort_by_key(|members| key(&members[0]));
    let mut done = BTreeSet::new();
    let mut order = Vec::new();
    while !left.is_empty() {
        let is_ready = |members: &Vec<InstanceId>| {
            let mut needs = members.iter().flat_map(|id| reached(log, *id));
            needs.all(|id| done.contains(&id) || members.contains(&id))
        };
        let next = left.remove(left.iter().position(is_ready).unwrap());
        done.extend(next.iter().copied());
        order.push(next);
    }
    order
}

fn executed(decisions: &[Decision]) -> Vec<Vec<InstanceId>> {
    let pass = execution(decisions).advance();
    pass.components.iter().map(<[_]>::to_vec).collect()
}

fn log_of(decisions: &[Decision]) -> Log {
    decisions.iter().map(|decision| (decision.instance, decision.clone())).collect()
}

const OPERATIONS: [&str; 6] = ["put x", "get x", "del x", "put y", "get y", "put z"];

/// Decisions with any dependencies whatever: on themselves, on later slots, on nothing, or, where
/// `gaps`, on what is not there.
fn decisions(rows: usize, slots: u64, gaps: bool) -> impl Strategy<Value = Vec<Decision>> {
    let cells = ReplicaId::all(rows)
        .flat_map(|row| (0..slots).map(move |slot| InstanceId::new(row, slot)))
        .collect::<Vec<_>>();
    let lowest = if gaps { 1 } else { cells.len() };
    let one = (
        0..4_u64,
        proptest::collection::vec(-1..i64::try_from(slots).unwrap(), rows),
        proptest::collection::vec(proptest::sample::select(&OPERATIONS[..]), 0..3),
    );
    let all = proptest::collection::vec(one, cells.len());
    let chosen = proptest::sample::subsequence(cells.clone(), lowest..=cells.len()).prop_shuffle();
    (chosen, all).prop_map(|(chosen, all)| {
        let decisions = chosen.into_iter().zip(all);
        let decision = |(instance, (seq, deps, operations)): (_, (_, Vec<i64>, Vec<&str>))| {
            let deps = Dependencies::from_vector(&deps).unwrap();
            let payload = payload(operations.into_iter().map(operation));
            Decision { instance, attributes: Attributes { seq, deps }, payload }
        };
        decisions.map(decision).collect()
    })
}

/// Logs as the protocol makes them: of two decisions that interfere, one depends on the other.
fn agreed() -> impl Strategy<Value = Vec<Decision>> {
    let any = prop_oneof![decisions(3, 2, false), decisions(2, 5, false), decisions(4, 3, false)];
    any.prop_map(|mut decisions| {
        for later in 1..decisions.len() {
            for earlier in 0..later {
                let (a, b) = (&decisions[earlier], &decisions[later]);
                let related = a.attributes.deps.contains(b.instance)
                    || b.attributes.deps.contains(a.instance);
                if a.payload.interferes_with(&b.payload) && !related {
                    let dependency = a.instance;
                    decisions[later].attributes.deps.add(dependency);
                }
            }
        }
        decisions
    })
}

/// Logs as they are committed where nothing goes wrong, rows in turns, almost: each decision depends on
/// all before it that touches its key, and now and then on more, or on less.
fn in_turn() -> impl Strategy<Value = Vec<Decision>> {
    let one = (
        0..3_usize,
        proptest::sample::select(&["put x", "put x", "put x", "get x", "put y"][..]),
        proptest::option::weighted(0.4, [-1..4_i64, -1..4_i64, -1..4_i64])
            .prop_map(Option::unwrap_or_default),
        0..3_u64,
    );
    proptest::collection::vec(one, 1..12).prop_map(|all| {
        let mut ends = [0_i64; 3];
        for (row, ..) in &all {
            ends[*row] += 1;
        }
        let (mut next, mut last) = ([0_i64; 3], BTreeMap::new());
        let decision =
            |(number, (row, text, change, more)): (u64, (usize, &str, [i64; 3], u64))| {
                let known =
                    last.entry(text.split_once(' ').unwrap().1.to_owned()).or_insert([-1; 3]);
                let mut deps = *known;
                for (row, by) in change.into_iter().enumerate() {
                    deps[row] = i64::clamp(deps[row] + by, -1, ends[row] - 1);
                }
                let instance =
                    InstanceId::new(ReplicaId::from_index(row), next[row].try_into().unwrap());
                known[row] = next[row];
                next[row] += 1;
                let attributes = Attributes {
                    seq: number + more,
                    deps: Dependencies::from_vector(&deps).unwrap(),
                };
                Decision { instance, attributes, payload: payload([operation(text)].into_iter()) }
            };
        (1..).zip(all).map(decision).collect()
    })
}

fn any_log() -> impl Strategy<Value = Vec<Decision>> {
    prop_oneof![
        decisions(3, 2, false),
        decisions(3, 2, true),
        decisions(1, 6, true),
        decisions(2, 5, false),
        decisions(4, 3, true),
        agreed(),
        in_turn(),
        in_turn(),
    ]
}

/// What must hold of the whole between two commits.
fn check_books(execution: &Execution, log: &Log) {
    let mut pending = 0;
    let mut blockers = BTreeSet::new();
    for id in log.keys() {
        let in_the_way = in_the_way(log, *id);
        assert_eq!(execution.is_executed(*id), in_the_way.is_empty(), "{id}");
        let blocker = execution.blocker(*id);
        assert_eq!(blocker.is_some(), !in_the_way.is_empty(), "{id}");
        pending += usize::from(blocker.is_some());
        if let Some(blocker) = blocker {
            assert!(in_the_way.contains(&blocker), "{id} does not wait for {blocker}");
            blockers.insert(blocker);
        }
    }
    assert_eq!(execution.pending(), pending);
    assert!(execution.blockers().eq(blockers));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn components_are_what_reaches_each_other(decisions in decisions(3, 2, false)) {
        let found = executed(&decisions);
        let found: BTreeSet<BTreeSet<_>> =
            found.into_iter().map(|members| members.into_iter().collect()).collect();
        prop_assert_eq!(found, components(&log_of(&decisions)));
    }

    #[test]
    fn components_are_those_of_petgraph(decisions in decisions(3, 4, false)) {
        let log = log_of(&decisions);
        let mut graph = DiGraph::<InstanceId, ()>::new();
        let nodes: BTreeMap<_, _> = log.keys().map(|id| (*id, graph.add_node(*id))).collect();
        for decision in log.values() {
            for target in edges(&log, decision) {
                graph.add_edge(nodes[&decision.instance], nodes[&target], ());
            }
        }
        let theirs: BTreeSet<BTreeSet<_>> = tarjan_scc(&graph)
            .into_iter()
            .map(|members| members.into_iter().map(|node| graph[node]).collect())
            .collect();
        let ours: BTreeSet<BTreeSet<_>> =
            executed(&decisions).into_iter().map(|members| members.into_iter().collect()).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn the_order_is_that_of_the_definition(decisions in any_log()) {
        prop_assert_eq!(executed(&decisions), reference(&log_of(&decisions)));
    }

    #[test]
    fn what_is_blocked_waits_for_something_in_its_way(decisions in any_log()) {
        let mut execution = execution(&decisions);
        let pass = execution.advance();
        let log = log_of(&decisions);
        check_books(&execution, &log);
        prop_assert_eq!(pass.blocked.len(), execution.pending());
        for Blocked { instance, on: blocker, .. } in pass.blocked {
            prop_assert_eq!(execution.blocker(instance), Some(blocker));
        }
    }

    #[test]
    fn learning_in_pieces_gives_the_same_order(decisions in any_log(), is_agreed in agreed()) {
        for decisions in [decisions, is_agreed] {
            check_in_pieces(&decisions, 1);
            check_in_pieces(&decisions, 3);
        }
    }
}

/// Commits so many at a time in the given order: the books are right after each time, each component
/// executed is one of the final graph, and interfering instances come in the order of one batch.
fn check_in_pieces(decisions: &[Decision], size: usize) {
    let mut execution = Numbered::new(5);
    let mut log = Log::new();
    let mut order = Vec::new();
    for piece in decisions.chunks(size) {
        for decision in piece {
            execution.commit(decision);
            log.insert(decision.instance, decision.clone());
        }
        let pass = execution.advance();
        order.extend(pass.components.iter().map(<[_]>::to_vec));
        check_books(&execution, &log);
    }
    let at_once = executed(decisions);
    let as_sets = |order: &[Vec<InstanceId>]| order.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(as_sets(&order), as_sets(&at_once));

    let place = |order: &[Vec<InstanceId>], id| order.iter().flatten().position(|x| *x == id);
    for a in log.values() {
        let reached = reached(&log, a.instance);
        for b in reached.iter().filter(|b| **b != a.instance) {
            let is_after =
                |order: &[Vec<InstanceId>]| Some(place(order, a.instance)? > place(order, *b)?);
            assert_eq!(is_after(&order), is_after(&at_once), "{} and {b}", a.instance);
        }
    }
}
