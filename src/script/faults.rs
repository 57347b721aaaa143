//! What the commands that break and mend links change about the gates.

use std::collections::{BTreeMap, BTreeSet};

use crate::epaxos::id::ReplicaId;
use crate::observe::links::{Delay, LinkId};
use crate::observe::notice::GateState;
use crate::script::grammar::Command;
use crate::script::words::{Doubling, Scope, Side, link};

/// The gates of a cluster of `replicas` as a command leaves them, or why it cannot be carried out.
/// What has nothing to do with links changes nothing.
pub(super) fn changed(
    command: &Command,
    gate: &GateState,
    replicas: usize,
) -> Result<GateState, String> {
    let mut gate = gate.clone();
    match command {
        Command::Partition { groups } => gate.cuts = partition(groups, replicas)?,
        Command::Cut { from, to } => gate.cuts.extend(link(Some(*from), Some(*to))?),
        Command::Uncut { from, to } => uncut(&mut gate, LinkId { from: *from, to: *to })?,
        Command::Heal { from, to } => heal(&mut gate, link(*from, *to)?),
        Command::Loss { percent, from, to } => gate.loss.set(link(*from, *to)?, *percent),
        Command::Dup { first, rest } => {
            if let Doubling::Share(percent, link) = Doubling::from_words(*first, rest)? {
                gate.duplicates.set(link, percent);
            }
        }
        Command::Delay { delay, on } => set_delay(&mut gate, Scope::from_words(on)?, *delay)?,
        Command::Seed { seed } => gate.seed = *seed,
        _ => {}
    }
    Ok(gate)
}

/// The replicas that a command about links names.
pub(super) fn named(command: &Command) -> Vec<ReplicaId> {
    let of_scope = |scope| match scope {
        Ok(Scope::Link(Some(LinkId { from, to }))) => vec![from, to],
        Ok(Scope::Messages(filter)) => [filter.from, filter.to].into_iter().flatten().collect(),
        Ok(Scope::Link(None)) | Err(_) => vec![],
    };
    match command {
        Command::Partition { groups } => {
            let replica = |side: &Side| match side {
                Side::Replica(replica) => Some(*replica),
                Side::Other => None,
            };
            groups.iter().filter_map(replica).collect()
        }
        Command::Cut { from, to } | Command::Uncut { from, to } => vec![*from, *to],
        Command::Heal { from, to } | Command::Loss { from, to, .. } => {
            [*from, *to].into_iter().flatten().collect()
        }
        Command::Dup { first, rest } => match Doubling::from_words(*first, rest) {
            Ok(Doubling::Share(_, Some(LinkId { from, to }))) => vec![from, to],
            _ => vec![],
        },
        Command::Delay { on, .. } => of_scope(Scope::from_words(on)),
        _ => vec![],
    }
}

fn uncut(gate: &mut GateState, link: LinkId) -> Result<(), String> {
    if gate.cuts.remove(&link) { Ok(()) } else { Err(format!("{link} is not cut")) }
}

/// Takes everything away that is wrong with one link, or with all of them. What messages are held or
/// delayed for that are described otherwise is no fault of a link, and stays.
fn heal(gate: &mut GateState, link: Option<LinkId>) {
    match link {
        Some(link) => drop(gate.cuts.remove(&link)),
        None => gate.cuts.clear(),
    }
    gate.loss.set(link, 0);
    gate.duplicates.set(link, 0);
    gate.lateness.set(link, Delay::default());
}

/// Makes a delay, or takes it back where it is nought. No delay at all is left where nothing says
/// which.
fn set_delay(gate: &mut GateState, scope: Scope, delay: Delay) -> Result<(), String> {
    match scope {
        Scope::Link(link) => {
            gate.lateness.set(link, delay);
            if link.is_none() && delay.is_none() {
                gate.delays.clear();
            }
        }
        Scope::Messages(filter) => {
            let place = gate.delays.iter().position(|(other, _)| *other == filter);
            match (place, delay.is_none()) {
                (Some(place), true) => drop(gate.delays.remove(place)),
                (Some(place), false) => gate.delays[place].1 = delay,
                (None, true) => {
                    return Err(format!("there is no delay of \"{filter}\" to take back"));
                }
                (None, false) => gate.delays.push((filter, delay)),
            }
        }
    }
    Ok(())
}

/// The links between replicas of different groups, in both directions.
fn partition(groups: &[Side], replicas: usize) -> Result<BTreeSet<LinkId>, String> {
    let mut group = 0;
    let mut groups_of = BTreeMap::new();
    for side in groups {
        match side {
            Side::Other => group += 1,
            Side::Replica(replica) => {
                if groups_of.insert(*replica, group).is_some() {
                    return Err(format!("{replica} can be on one side only"));
                }
            }
        }
    }
    // Who is not named is on a side of their own, with all others that are not.
    let side = |replica: ReplicaId| groups_of.get(&replica).copied().unwrap_or(group + 1);
    Ok(LinkId::all(replicas).filter(|link| side(link.from) != side(link.to)).collect())
}
