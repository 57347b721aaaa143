//! Why one instance is executed before another.

use std::collections::{BTreeMap, VecDeque};

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::explain::answer::{Link, Telling};
use crate::explain::facts::Facts;
use crate::explain::phrase::{many, named, names, no_tie, tie};
use crate::observe::view::InstanceView;

/// Tells it, and returns the question.
pub(super) fn tell(telling: &mut Telling<'_>, one: InstanceId, other: InstanceId) -> String {
    let facts = telling.facts;
    let names = (named(facts, one), named(facts, other));
    if one == other {
        telling.say("It is one and the same.".to_owned(), Link::Instance(one, None));
        return format!("Why is {} before itself?", names.0);
    }
    let place = |at: ReplicaId, id| facts.instance(at, id).and_then(|known| known.order);
    let both = |at: &ReplicaId| place(*at, one).is_some() && place(*at, other).is_some();
    let at = telling.wanted().unwrap_or_else(|| {
        let eyes = telling.eyes(one);
        if both(&eyes) { eyes } else { facts.replicas().find(both).unwrap_or(eyes) }
    });
    let (Some(mine), Some(theirs)) = (place(at, one), place(at, other)) else {
        not_both(telling, at, one, other);
        return format!("Is {} executed before {}?", names.0, names.1);
    };
    let (first, second) = if mine < theirs { (one, other) } else { (other, one) };
    if first == other {
        let text = format!("It is the other way round: {at} executed {first} before {second}.");
        telling.say(text, Link::Instance(first, Some(at)));
    }
    why(telling, at, first, second);
    format!("Why is {} executed before {}?", names.0, names.1)
}

/// Not both are executed.
fn not_both(telling: &mut Telling<'_>, at: ReplicaId, one: InstanceId, other: InstanceId) {
    let facts = telling.facts;
    for (id, than) in [(one, other), (other, one)] {
        if facts.is_executed(at, id) {
            let text = format!("{at} has executed {id} and not {than}, so {id} comes first there.");
            return telling.say(text, Link::Instance(id, Some(at)));
        }
    }
    let text = format!("{at} has executed neither {one} nor {other} yet.");
    telling.say(text, Link::Instance(one, Some(at)));
    let known = |id| facts.instance(at, id).filter(|known| known.phase.is_committed());
    let (Some(mine), Some(theirs)) = (known(one), known(other)) else {
        let missing: Vec<_> = [one, other].into_iter().filter(|id| known(*id).is_none()).collect();
        let text = format!(
            "The order follows from what is decided, and {at} does not know yet what that is for {}.",
            names(missing)
        );
        return telling.say(text, Link::Instance(one, Some(at)));
    };
    let text = match (depends(mine, theirs, other), depends(theirs, mine, one)) {
        (true, true) => {
            let (first, why) = lower((one, mine), (other, theirs));
            format!("They depend on each other, and {first} will go first: {why}.")
        }
        (true, false) => format!("{one} depends on {other}."),
        (false, true) => format!("{other} depends on {one}."),
        (false, false) => "Neither depends on the other directly.".to_owned(),
    };
    telling.say(text, Link::Instance(one, Some(at)));
}

/// Why a replica executed one before another, having executed both.
fn why(telling: &mut Telling<'_>, at: ReplicaId, first: InstanceId, second: InstanceId) {
    let facts = telling.facts;
    let (Some(one), Some(other)) = (facts.instance(at, first), facts.instance(at, second)) else {
        return;
    };
    let component = one.component.as_deref().unwrap_or_default();
    if component.contains(&second) {
        let direct = depends(one, other, second) && depends(other, one, first);
        let how = if direct { "on each other" } else { "on each other, through others" };
        let text = format!(
            "{first} and {second} depend {how}, so they form one component, of {}, which is executed \
             together.",
            many(component.len(), "instance")
        );
        telling.say(text, Link::Instance(first, Some(at)));
        let (_, why) = lower((first, one), (second, other));
        telling.say(format!("Inside it {why}."), Link::Entry(one.since));
        return;
    }
    if let Some(path) = route(facts, at, second, first) {
        let tie = tie(&one.payload, &other.payload);
        let text = match (path.as_slice(), tie) {
            ([], Some(tie)) => format!("{second} depends on {first}, since {tie}"),
            ([], None) => format!("{second} depends on {first}"),
            (path, _) => format!("{second} depends on {first} through {}", names(path)),
        };
        let text = format!("{text}; what an instance depends on is executed before it.");
        return telling.say(text, Link::Instance(second, Some(at)));
    }
    if let Some(tie) = tie(&one.payload, &other.payload) {
        let text =
            format!("They interfere, since {tie}, and the way from one to the other is long.");
        return telling.say(text, Link::Instance(second, Some(at)));
    }
    let why = no_tie(&one.payload, &other.payload);
    let text = format!("Their order cannot be seen, since {why}: either is right.");
    telling.say(text, Link::Instance(second, Some(at)));
    if other.attributes.deps.contains(first) {
        let text = format!("But {second} names {first}, and had to wait until that was decided.");
        telling.say(text, Link::Instance(second, Some(at)));
    }
    let text = if one.since == other.since {
        format!("{at} could execute both at #{}, and took the lower by seq and name.", one.since)
    } else {
        format!(
            "{at} could execute {first} at #{}, and {second} only at #{}.",
            one.since, other.since
        )
    };
    telling.say(text, Link::Entry(one.since));
}

/// Whether an instance has an edge to another one, as execution sees it.
fn depends(one: &InstanceView, other: &InstanceView, on: InstanceId) -> bool {
    one.attributes.deps.contains(on) && one.payload.interferes_with(&other.payload)
}

/// Which of two goes first in a component, and why.
fn lower(
    one: (InstanceId, &InstanceView),
    other: (InstanceId, &InstanceView),
) -> (InstanceId, String) {
    let key =
        |(id, known): (InstanceId, &InstanceView)| (known.attributes.seq, id.replica, id.slot);
    let (first, second) = if key(one) < key(other) { (one, other) } else { (other, one) };
    let (a, b) = (first.0, second.0);
    let (mine, theirs) = (first.1.attributes.seq, second.1.attributes.seq);
    let why = if mine != theirs {
        format!("the smaller seq goes first: {mine} of {a}, {theirs} of {b}")
    } else if a.replica != b.replica {
        format!(
            "the smaller seq goes first, and both have {mine}; then the lower replica does: {} before {}",
            a.replica, b.replica
        )
    } else {
        format!(
            "the smaller seq goes first, and both have {mine}; then the lower replica, and both are of \
             {}; then the lower slot does: {} before {}",
            a.replica, a.slot, b.slot
        )
    };
    (a, why)
}

/// The shortest way from one instance to another along dependencies between what a replica has committed:
/// the instances in between. `None` where there is none, or none within sight.
pub(super) fn route(
    facts: Facts<'_>,
    at: ReplicaId,
    from: InstanceId,
    to: InstanceId,
) -> Option<Vec<InstanceId>> {
    let mut came: BTreeMap<InstanceId, InstanceId> = BTreeMap::new();
    let mut front = VecDeque::from([from]);
    let mut looked = 0;
    while let Some(id) = front.pop_front() {
        let known = facts.instance(at, id)?;
        let target = facts.instance(at, to).filter(|target| target.phase.is_committed());
        let ties = target.is_none_or(|target| known.payload.interferes_with(&target.payload));
        if known.attributes.deps.contains(to) && ties {
            let back = std::iter::successors(Some(id), |id| came.get(id).copied());
            let mut path: Vec<_> = back.take_while(|id| *id != from).collect();
            path.reverse();
            return Some(path);
        }
        for last in known.attributes.deps.iter() {
            let slots = (0..=last.slot).rev().take(SIGHT);
            for next in slots.map(|slot| InstanceId::new(last.replica, slot)) {
                looked += 1;
                if looked > SIGHT * SIGHT {
                    return None;
                }
                if next == from || came.contains_key(&next) {
                    continue;
                }
                let edge = facts.instance(at, next).filter(|next| {
                    next.phase >= Phase::Committed && known.payload.interferes_with(&next.payload)
                });
                if edge.is_some() {
                    came.insert(next, id);
                    front.push_back(next);
                }
            }
        }
    }
    None
}

/// How far back in a row a way along dependencies is looked for.
const SIGHT: usize = 32;
