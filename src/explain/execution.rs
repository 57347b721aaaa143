//! Why an instance is not executed, or when it was.

use crate::epaxos::event::Event;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::explain::answer::{Link, Telling};
use crate::explain::order::route;
use crate::explain::phrase::{many, named, names};
use crate::explain::progress;
use crate::observe::notice::Decision;
use crate::observe::view::InstanceView;

/// Tells it, and returns the question.
pub(super) fn tell(telling: &mut Telling<'_>, id: InstanceId) -> String {
    let facts = telling.facts;
    let at = telling.wanted().unwrap_or_else(|| missing(telling, id));
    let named = named(facts, id);
    if let Some(known) = facts.instance(at, id).filter(|_| facts.is_executed(at, id)) {
        executed(telling, at, id, known);
        return format!("When did {at} execute {named}?");
    }
    if !facts.replica(at).up {
        telling.say(format!("{at} is down, and executes nothing."), Link::Replica(at));
    }
    match facts.instance(at, id) {
        None => {
            let text = format!("{at} has never heard what {id} carries.");
            telling.say(text, Link::Replica(at));
            progress::not_committed(telling, at, id);
        }
        Some(known) if !known.phase.is_committed() => {
            let phase = known.phase;
            let text = format!("{at} has {id} {phase}, and does not know it to be decided.");
            telling.say(text, Link::Instance(id, Some(at)));
            progress::not_committed(telling, at, id);
        }
        Some(known) => blocked(telling, at, id, known),
    }
    format!("Why has {at} not executed {named}?")
}

/// Where an instance is not executed that should be: those who have it decided come first, and those who
/// are down last.
fn missing(telling: &Telling<'_>, id: InstanceId) -> ReplicaId {
    let facts = telling.facts;
    let eyes = telling.eyes(id);
    let misses = facts.replicas().filter(|at| !facts.is_executed(*at, id));
    let rank = |at: &ReplicaId| {
        let phase = facts.instance(*at, id).map(|known| known.phase);
        (facts.replica(*at).up, phase, *at == id.replica, std::cmp::Reverse(*at))
    };
    misses.max_by_key(rank).unwrap_or(eyes)
}

fn executed(telling: &mut Telling<'_>, at: ReplicaId, id: InstanceId, known: &InstanceView) {
    let facts = telling.facts;
    let place = match known.order.unwrap_or_default() {
        0 => "first of all".to_owned(),
        before => format!("after {}", many(usize::try_from(before).unwrap_or(usize::MAX), "other")),
    };
    telling
        .say(format!("{at} executed {id} at #{}, {place}.", known.since), Link::Entry(known.since));
    let component = known.component.as_deref().unwrap_or_default();
    if component.len() > 1 {
        let others = component.iter().filter(|other| **other != id);
        let text = format!(
            "It was executed together with {}, since they depend on each other.",
            names(others)
        );
        telling.say(text, Link::Instance(id, Some(at)));
    }
    let Some(entry) = facts.0.log.get(known.since) else {
        return telling.say("The log has let go of that entry.".to_owned(), None);
    };
    let committed = |event: &Event| match event {
        Event::Status(change) if change.to == Phase::Committed => Some(change.instance),
        _ => None,
    };
    let decided = entry.events().find_map(committed);
    let commit = facts.change(at, id, |change| change.to == Phase::Committed);
    let text = match (decided, commit) {
        _ if entry.step.decision == Decision::Restart => {
            "That was when it came back, and executed its log anew.".to_owned()
        }
        (Some(decided), _) if decided == id => {
            "That was in the step in which it committed it.".to_owned()
        }
        (Some(decided), Some(commit)) => format!(
            "It had committed it at #{}, and had to wait until {decided} was committed too.",
            commit.id()
        ),
        (Some(decided), None) => format!("It had to wait until {decided} was committed."),
        (None, _) => return,
    };
    telling.say(text, commit.map(|commit| Link::Entry(commit.id())));
}

fn blocked(telling: &mut Telling<'_>, at: ReplicaId, id: InstanceId, known: &InstanceView) {
    let facts = telling.facts;
    telling.say(format!("{at} has {id} committed."), Link::Entry(known.since));
    let Some(on) = facts.replica(at).waits_for(id) else {
        if facts.replica(at).up {
            let text = "It has not been said what it waits for.".to_owned();
            telling.say(text, Link::Instance(id, Some(at)));
        }
        return;
    };
    let named = named(facts, on);
    let last = known.attributes.deps.last(on.replica);
    let how = match route(facts, at, id, on) {
        Some(path) if !path.is_empty() => {
            format!("It depends, through {}, on {named}", names(path))
        }
        Some(_) if last != Some(on.slot) => format!(
            "It depends on {}'s row up to {}, {named} included",
            on.replica,
            InstanceId::new(on.replica, last.unwrap_or_default())
        ),
        Some(_) => format!("It depends on {named}"),
        None => format!("It depends, through others, on {named}"),
    };
    telling.say(
        format!("{how}, which {at} does not know to be decided."),
        Link::Instance(on, Some(at)),
    );
    let prefix = last.is_some_and(|last| on.slot < last);
    if prefix
        && let Some(carried) = telling.facts.decision(on).map(|(_, known)| &known.payload)
        && !carried.interferes_with(&known.payload)
    {
        let text = format!("Only then can {at} know that the two do not interfere.");
        telling.say(text, Link::Instance(on, None));
    }
    progress::not_committed(telling, at, on);
}
