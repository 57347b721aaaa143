//! Branches, and every place in them.

use std::collections::BTreeMap;
use std::fmt;

use crate::epaxos::id::ReplicaId;
use crate::multiverse::checkpoints::Checkpoints;
use crate::observe::log::Log;
use crate::observe::notice::{GateState, Notice, Shape, Step};
use crate::observe::turn::{Choice, Expected, Turn};
use crate::script::world::World;
use crate::sim::cluster::Cluster;

/// A branch, for as long as the tree is there: none gets the name of one that was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchId(u32);

impl BranchId {
    /// The run itself, which every other branch has left somewhere.
    pub const MAIN: Self = Self(0);
}

/// One run from the beginning, or from where it leaves another on.
#[derive(Clone, Debug)]
pub struct Branch {
    /// What people call it.
    pub name: String,
    /// The branch that it leaves, and after how many turns.
    pub fork: Option<(BranchId, u64)>,
    /// The turns that it does not share.
    turns: Vec<Turn>,
    /// What was set by hand, by how many turns had been taken.
    sets: BTreeMap<u64, Set>,
    /// Why its later turns are not known, where they are not.
    pub ended: Option<Ended>,
    /// The last turn of each replica, where nothing was said to come of it.
    silent: BTreeMap<ReplicaId, usize>,
}

/// What was set by hand between two turns.
#[derive(Clone, Debug, Default)]
struct Set {
    gate: Option<GateState>,
    armed: bool,
}

/// Why a branch does not go on though the run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// More happened than could be looked at.
    Unseen,
    /// There were too many to keep them all.
    Full,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unseen => "more happened then than could be looked at",
            Self::Full => "there were too many to keep them all",
        })
    }
}

/// A turn that could not be taken again: what came before it was not what it seemed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("#{at} cannot be had again: {reason}")]
pub struct Astray {
    /// Which one, from 0.
    pub at: u64,
    /// Why, as a sentence.
    pub reason: String,
}

/// A way to a place in a branch, of which a part has been gone.
#[derive(Clone, Debug)]
pub struct Walk {
    id: BranchId,
    /// The branches on the way, each with how far one goes along it.
    line: Vec<(BranchId, u64)>,
    part: usize,
    /// How many turns had been taken where it began, and how many have been.
    begun: u64,
    done: u64,
    cluster: Cluster,
}

impl Walk {
    /// The branch that it leads to.
    pub fn branch(&self) -> BranchId {
        self.id
    }

    /// How many turns were taken at the place that it leads to.
    pub fn at(&self) -> u64 {
        self.line.last().map_or(0, |(_, end)| *end)
    }

    /// How much of it is done, in a hundred.
    pub fn percent(&self) -> u64 {
        let whole = self.at().saturating_sub(self.begun).max(1);
        100 * (self.done - self.begun) / whole
    }
}

/// A run with all that branches off from it.
#[derive(Clone, Debug)]
pub struct Multiverse {
    start: Cluster,
    branches: BTreeMap<BranchId, Branch>,
    next: u32,
    checkpoints: Checkpoints,
}

impl Branch {
    fn new(name: String, fork: Option<(BranchId, u64)>) -> Self {
        let (turns, sets, silent) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Self { name, fork, turns, sets, ended: None, silent }
    }

    /// How many turns it shares with the branch that it leaves.
    pub fn shared(&self) -> u64 {
        self.fork.map_or(0, |(_, at)| at)
    }

    /// How many turns there are from the beginning to its end.
    pub fn len(&self) -> u64 {
        self.shared() + self.turns.len() as u64
    }

    /// Whether nothing has happened in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn note_step(&mut self, step: &Step) {
        let silent = step.effects.is_empty() && step.decision.input().is_some();
        match Turn::of(step) {
            Some(turn) => self.add(turn, silent),
            None => self.ended = Some(Ended::Unseen),
        }
    }

    /// Adds a turn; `silent` says whether a replica was reached, and nothing was said to come of it.
    fn add(&mut self, turn: Turn, silent: bool) {
        if self.turns.len() >= TURNS_MOST {
            self.ended = Some(Ended::Full);
            return;
        }
        // A program that fails says what it was at, and nothing of what came of it.
        if let Choice::Panic(_) = turn.choice
            && let Some(index) = self.silent.get(&turn.replica)
        {
            let choice = &mut self.turns[*index].choice;
            let failed = std::mem::replace(choice, Choice::Wake);
            *choice = Choice::Failed(Box::new(failed));
        }
        self.silent.remove(&turn.replica);
        if silent {
            self.silent.insert(turn.replica, self.turns.len());
        }
        self.turns.push(turn);
    }

    fn set(&mut self) -> &mut Set {
        self.sets.entry(self.len()).or_default()
    }
}

impl Multiverse {
    /// A tree of one run in which nothing has happened.
    pub fn new(shape: Shape) -> Self {
        let mut shape = Shape { endpoints: Vec::new(), ..shape };
        // Somebody looks at events here, whoever does elsewhere.
        shape.options.observed = true;
        let main = Branch::new("main".to_owned(), None);
        Self {
            start: Cluster::new(shape),
            branches: [(BranchId::MAIN, main)].into(),
            next: 1,
            checkpoints: Checkpoints::default(),
        }
    }

    /// All branches, the run itself first, otherwise the oldest.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (BranchId, &Branch)> {
        self.branches.iter().map(|(id, branch)| (*id, branch))
    }

    /// A branch, if it has not been deleted.
    pub fn get(&self, id: BranchId) -> Option<&Branch> {
        self.branches.get(&id)
    }

    /// The run itself.
    pub fn main(&self) -> &Branch {
        &self.branches[&BranchId::MAIN]
    }

    /// The branch of a name.
    pub fn named(&self, name: &str) -> Result<BranchId, String> {
        let found = self.iter().find(|(_, branch)| branch.name == name).map(|(id, _)| id);
        found.ok_or_else(|| {
            let names: Vec<_> = self.iter().map(|(_, branch)| branch.name.as_str()).collect();
            format!("there is no branch \"{name}\"; there are {}", names.join(", "))
        })
    }

    /// Takes note of what a branch's world says that is no step.
    pub fn note(&mut self, id: BranchId, notice: &Notice) {
        let Some(branch) = self.branches.get_mut(&id).filter(|it| it.ended.is_none()) else {
            return;
        };
        match notice {
            Notice::Gate(gate) => branch.set().gate = Some(gate.clone()),
            Notice::Armed => branch.set().armed = true,
            Notice::Away { .. } => branch.ended = Some(Ended::Unseen),
            Notice::Step(_) | Notice::Lost(_) | Notice::Held(_) => {}
        }
    }

    /// Takes note of the steps of a branch's world that are new. The log must have been looked at
    /// before it let go of any of them.
    pub fn grow(&mut self, id: BranchId, log: &Log) {
        let Some(branch) = self.branches.get_mut(&id) else { return };
        while branch.ended.is_none()
            && let Some(entry) = log.get(branch.len())
        {
            branch.note_step(&entry.step);
        }
    }

    /// Takes note of a turn of a branch; `silent` says whether a replica was reached, and nothing was
    /// said to come of it.
    pub(super) fn add(&mut self, id: BranchId, turn: Turn, silent: bool) {
        if let Some(branch) = self.branches.get_mut(&id) {
            branch.add(turn, silent);
        }
    }

    /// Adds a turn at the end of a branch, one that is possible there.
    pub fn add_turn(&mut self, id: BranchId, turn: Turn) {
        self.add(id, turn, false);
    }

    /// Forgets the turns of the run itself after the first `len`.
    pub(super) fn truncate(&mut self, len: u64) {
        if let Some(main) = self.branches.get_mut(&BranchId::MAIN) {
            main.turns.truncate(usize::try_from(len).unwrap_or(usize::MAX));
            main.sets.retain(|at, _| *at <= len);
        }
        self.checkpoints = Checkpoints::default();
    }

    /// A cluster in which nothing has happened.
    pub fn start(&self) -> Cluster {
        self.start.clone()
    }

    /// What the cluster is.
    pub fn shape(&self) -> &Shape {
        &self.start.view().shape
    }

    /// Takes note of what a branch's gates hold back from now on.
    pub(super) fn set_gate(&mut self, id: BranchId, gate: &GateState) {
        self.note(id, &Notice::Gate(gate.clone()));
    }

    /// Forgets a branch that came to nothing.
    pub(super) fn forget(&mut self, id: BranchId) {
        self.branches.remove(&id);
    }

    /// Begins a branch that leaves another one after `at` turns, where gates hold back what `gate`
    /// says. Without a name, it gets one.
    pub fn branch(
        &mut self,
        from: BranchId,
        at: u64,
        gate: &GateState,
        name: Option<&str>,
    ) -> Result<BranchId, String> {
        let from_len = self.get(from).ok_or("the branch is not there any more")?.len();
        if at > from_len {
            return Err(format!("there are only {from_len} steps to branch off from"));
        }
        let name = match name {
            Some(name) => self.fresh(name)?,
            None => self.next_name(),
        };
        let id = BranchId(self.next);
        self.next += 1;
        // What is shared with a branch that was itself not left yet is shared with its own origin.
        let mut fork = (from, at);
        while let Some(origin) = self.get(fork.0).and_then(|it| it.fork).filter(|it| at <= it.1) {
            fork.0 = origin.0;
        }
        let mut branch = Branch::new(name, Some(fork));
        // What is set in the other one at this place from now on is none of its business.
        branch.set().gate = Some(gate.clone());
        self.branches.insert(id, branch);
        Ok(id)
    }

    /// A name that no branch has, as it is.
    fn fresh(&self, name: &str) -> Result<String, String> {
        let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!("\"{name}\" is no name for a branch: letters, digits, - _ ."));
        }
        if ["start", "end", "now"].contains(&name) {
            return Err(format!("\"{name}\" is no name for a branch: goto means a place by it"));
        }
        match self.named(name) {
            Ok(_) => Err(format!("there is a branch \"{name}\" already")),
            Err(_) => Ok(name.to_owned()),
        }
    }

    fn next_name(&self) -> String {
        let names = (self.next..).map(|number| format!("b{number}"));
        let mut free = names.filter(|name| self.named(name).is_err());
        free.next().expect("there are more names than branches")
    }

    /// Gives a branch another name.
    pub fn rename(&mut self, id: BranchId, name: &str) -> Result<(), String> {
        if id == BranchId::MAIN {
            return Err("main is the run itself, and keeps its name".to_owned());
        }
        let name = self.fresh(name)?;
        if let Some(branch) = self.branches.get_mut(&id) {
            branch.name = name;
        }
        Ok(())
    }

    /// Deletes a branch that no other one leaves.
    pub fn delete(&mut self, id: BranchId) -> Result<(), String> {
        let Some(branch) = self.get(id) else { return Ok(()) };
        if id == BranchId::MAIN {
            return Err(format!("{} is the run itself, and stays", branch.name));
        }
        let leaves = |other: &&Branch| other.fork.is_some_and(|(from, _)| from == id);
        if let Some(other) = self.branches.values().find(leaves) {
            return Err(format!(
                "{} branches off from {}: delete that first",
                other.name, branch.name
            ));
        }
        self.branches.remove(&id);
        self.checkpoints.retain(|other| other != id);
        Ok(())
    }

    /// The turn of a branch after `at` others.
    pub fn turn(&self, id: BranchId, at: u64) -> Option<&Turn> {
        let branch = self.get(id)?;
        match (branch.fork, at.checked_sub(branch.shared())) {
            (Some((from, _)), None) => self.turn(from, at),
            (_, Some(own)) => branch.turns.get(usize::try_from(own).ok()?),
            (None, None) => None,
        }
    }

    /// The turns of a branch from `at` on.
    pub fn turns(&self, id: BranchId, at: u64) -> impl Iterator<Item = &Turn> {
        let end = self.get(id).map_or(0, Branch::len);
        (at..end).filter_map(move |at| self.turn(id, at))
    }

    /// The places at which something leaves a branch, or it leaves another, in order.
    pub fn forks(&self, id: BranchId) -> Vec<u64> {
        let mut line = self.line(id);
        line.push((id, u64::MAX));
        let on_line = |(from, at): (BranchId, u64)| {
            line.iter().any(|(branch, end)| *branch == from && at <= *end)
        };
        let mut forks: Vec<u64> = self
            .branches
            .values()
            .filter_map(|it| it.fork)
            .filter(|it| on_line(*it))
            .map(|it| it.1)
            .collect();
        forks.sort_unstable();
        forks.dedup();
        forks
    }

    /// Whether something leaves a branch at a place, or it leaves another there.
    pub fn is_left_at(&self, id: BranchId, at: u64) -> bool {
        self.branches.len() > 1 && self.forks(id).binary_search(&at).is_ok()
    }

    /// The branches that a branch comes from, the run itself first, each with the place at which the
    /// next one leaves it.
    fn line(&self, id: BranchId) -> Vec<(BranchId, u64)> {
        let forks =
            std::iter::successors(self.get(id).and_then(|branch| branch.fork), |(from, _)| {
                self.get(*from).and_then(|branch| branch.fork)
            });
        let mut line: Vec<_> = forks.collect();
        line.reverse();
        line
    }

    /// The cluster as it was in a branch after `at` turns, or at its end where it has fewer.
    pub fn at(&mut self, id: BranchId, at: u64) -> Result<Cluster, Astray> {
        let mut walk = self.set_out(id, at);
        self.walk_on(&mut walk, u64::MAX)?;
        Ok(self.arrive(walk))
    }

    /// Sets out for a place: where a branch was after `at` turns, or its end where it has fewer.
    pub fn set_out(&mut self, id: BranchId, at: u64) -> Walk {
        let line = self.line_to(id, at);
        // Whoever looks at one branch is not looking at the others.
        let whole = self.line(id);
        self.checkpoints.retain(|kept| {
            kept == id || kept == BranchId::MAIN || whole.iter().any(|(branch, _)| *branch == kept)
        });
        let (done, cluster, part) = self.nearest(&line);
        Walk { id, line, part, begun: done, done, cluster }
    }

    /// Goes so many turns on. Says whether the place is reached.
    pub fn walk_on(&mut self, walk: &mut Walk, turns: u64) -> Result<bool, Astray> {
        let mut left = turns;
        let goal = walk.at();
        while let Some((branch, end)) = walk.line.get(walk.part).copied() {
            while walk.done < end {
                if left == 0 {
                    return Ok(false);
                }
                left -= 1;
                self.go_on(branch, walk.done, &mut walk.cluster)?;
                walk.done += 1;
                self.checkpoints.offer(branch, walk.done, &walk.cluster);
                // Who has come a long way will look around there.
                let far = walk.done - walk.begun > LONG;
                if far && [goal, goal.saturating_sub(AROUND)].contains(&walk.done) {
                    self.checkpoints.keep(branch, walk.done, &walk.cluster);
                }
            }
            walk.part += 1;
        }
        Ok(true)
    }

    /// The cluster as it was at the place that a walk has reached.
    pub fn arrive(&self, walk: Walk) -> Cluster {
        let at = walk.at();
        let mut cluster = walk.cluster;
        self.set_by_hand(walk.id, at, &mut cluster);
        cluster
    }

    /// How many turns have to be taken to come to a place.
    pub fn distance(&self, id: BranchId, at: u64) -> u64 {
        let line = self.line_to(id, at);
        let to = line.last().map_or(0, |(_, end)| *end);
        for (part, (branch, end)) in line.iter().enumerate().rev() {
            let least = part.checked_sub(1).map_or(0, |before| line[before].1);
            if let Some((at, _)) = self.checkpoints.before(*branch, least + 1, *end) {
                return to - at;
            }
        }
        to
    }

    /// The branches on the way to a place, each with how far one goes along it.
    fn line_to(&self, id: BranchId, at: u64) -> Vec<(BranchId, u64)> {
        let at = at.min(self.get(id).map_or(0, Branch::len));
        let mut line = self.line(id);
        line.push((id, at));
        // The last part that begins before the place.
        let part = line.iter().position(|(_, end)| *end >= at).unwrap_or(line.len() - 1);
        line.truncate(part + 1);
        line[part].1 = at;
        line
    }

    /// The nearest cluster before the end of a line, with how many turns it has taken and on which part
    /// of the line it stands.
    fn nearest(&self, line: &[(BranchId, u64)]) -> (u64, Cluster, usize) {
        for (part, (branch, end)) in line.iter().enumerate().rev() {
            let least = part.checked_sub(1).map_or(0, |before| line[before].1);
            if let Some((at, cluster)) = self.checkpoints.before(*branch, least + 1, *end) {
                return (at, cluster.clone(), part);
            }
        }
        (0, self.start.clone(), 0)
    }

    /// Lets a cluster that stands in a branch after `at` turns take the next one.
    pub fn go_on(&self, id: BranchId, at: u64, cluster: &mut Cluster) -> Result<(), Astray> {
        self.set_by_hand(id, at, cluster);
        let turn = self.turn(id, at);
        let followed =
            turn.map_or_else(|| Err("there is no more".to_owned()), |it| cluster.follow(it));
        followed.map_err(|reason| Astray { at, reason })
    }

    /// One branch from the beginning on, as a run of its own.
    #[must_use]
    pub fn alone(&self, id: BranchId) -> Self {
        let mut alone = Self::new(self.shape().clone());
        let line = self.line(id).into_iter().chain([(id, u64::MAX)]);
        let main = alone
            .branches
            .entry(BranchId::MAIN)
            .or_insert_with(|| Branch::new(String::new(), None));
        main.turns = self.turns(id, 0).cloned().collect();
        let mut from = 0;
        for (branch, to) in line {
            let sets = self.get(branch).map(|branch| branch.sets.range(from..to));
            main.sets.extend(sets.into_iter().flatten().map(|(at, set)| (*at, set.clone())));
            from = to;
        }
        alone
    }

    /// What comes of each turn of a branch.
    pub fn expected(&self, id: BranchId) -> Result<Vec<Expected>, Astray> {
        let mut cluster = self.start();
        let len = self.get(id).map_or(0, Branch::len);
        let mut expected = Vec::new();
        for at in 0..len {
            self.go_on(id, at, &mut cluster)?;
            let entry = cluster.view().log.get(at).expect("the latest is kept");
            let step = entry.step.clone();
            let state = cluster.seat(step.replica).fingerprint();
            expected.push(Expected { step, state });
        }
        Ok(expected)
    }

    /// Sets what was set by hand in a branch after `at` turns.
    pub fn set_by_hand(&self, id: BranchId, at: u64, cluster: &mut Cluster) {
        let Some(branch) = self.get(id) else { return };
        if let Some((from, _)) = branch.fork.filter(|(_, shared)| at < *shared) {
            return self.set_by_hand(from, at, cluster);
        }
        let Some(set) = branch.sets.get(&at) else { return };
        if let Some(gate) = &set.gate {
            cluster.set_gate(gate.clone()).expect("a simulated gate is always set");
        }
        if set.armed {
            cluster.arm();
        }
    }
}

/// After how many turns a way is a long one.
const LONG: u64 = 256;

/// How far before the end of a long way one can look around without going it again.
const AROUND: u64 = 64;

/// How many turns of its own a branch may have: what they take is some hundred bytes each.
const TURNS_MOST: usize = 1_000_000;
