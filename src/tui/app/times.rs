//! Looking back, and trying out what could have been. The world goes on meanwhile, or stays held as it
//! was: what is looked at is made again, and whoever acts there acts on that.

use std::collections::BTreeMap;

use crate::epaxos::event::Event;
use crate::epaxos::id::InstanceId;
use crate::multiverse::tree::{Branch, BranchId, Multiverse};
use crate::multiverse::what_if::Change;
use crate::observe::log::Entry;
use crate::observe::notice::{Notice, Shape};
use crate::observe::turn::Choice;
use crate::observe::view::{Broke, View};
use crate::script::session::{Session, next_to_deliver};
use crate::script::stepwise::Stepwise;
use crate::script::world::World;
use crate::sim::cluster::Cluster;
use crate::tui::app::working::Then;
use crate::tui::app::{App, Checks, Deliverables, Effect, Mode, SpaceTime, Tone, TraceList};
use crate::tui::deed::Deed;
use crate::tui::layout::Pane;
use crate::tui::times::{Destination, TimeWish};

/// All places in time, and which of them is looked at.
pub struct Times {
    /// The run and all that branches off from it.
    pub multiverse: Multiverse,
    /// What is looked at, where that is not what is going on now.
    pub past: Option<Box<Past>>,
    /// Places to be found again.
    pub bookmarks: BTreeMap<String, (BranchId, u64)>,
    /// How often the view was another one.
    swaps: u64,
}

/// A place that is looked at.
pub struct Past {
    /// The branch.
    pub branch: BranchId,
    /// How many of its turns were taken.
    pub at: u64,
    pub(super) cluster: Cluster,
    pub(super) session: Session,
    /// What is going on now; nothing where a recording is looked at.
    present: Option<Present>,
}

/// What is going on now, while something else is looked at, and what of it was to be seen.
struct Present {
    view: View,
    checks: Checks,
    selected: Option<InstanceId>,
    follow: bool,
    trace: TraceList,
    space_time: SpaceTime,
    deliverables: Deliverables,
    /// What had met a breakpoint when something else began to be looked at.
    broke: Option<Broke>,
}

impl Past {
    /// What is going on now, where something is.
    pub(super) fn live(&self) -> Option<(&View, &Checks)> {
        self.present.as_ref().map(|present| (&present.view, &present.checks))
    }

    /// Whether anything may move by itself.
    pub(super) fn can_move(&self) -> bool {
        let paused = self.cluster.view().gate.paused;
        let delayed = !paused && self.cluster.next_delayed().is_some();
        delayed || next_to_deliver(&self.cluster).is_some()
    }
}

impl Times {
    /// A run in which nothing has happened.
    pub(super) fn new(shape: Shape) -> Self {
        let (multiverse, bookmarks) = (Multiverse::new(shape), BTreeMap::new());
        Self { multiverse, past: None, bookmarks, swaps: 0 }
    }

    /// The place that is looked at.
    pub fn place(&self) -> (BranchId, u64) {
        let now = || (BranchId::MAIN, self.multiverse.main().len());
        self.past.as_ref().map_or_else(now, |past| (past.branch, past.at))
    }

    /// The branch that is looked at.
    pub fn branch(&self) -> &Branch {
        self.multiverse.get(self.place().0).expect("it is not deleted while it is looked at")
    }

    /// Whether something goes on of its own beside what is looked at.
    pub fn is_live(&self) -> bool {
        self.past.as_ref().is_none_or(|past| past.present.is_some())
    }

    /// Whether there is no later turn in the branch that is looked at.
    pub fn is_at_end(&self) -> bool {
        self.place().1 >= self.branch().len()
    }
}

impl App {
    /// A screen on a run that is over, which is looked at from its end.
    #[must_use]
    pub fn replaying(mut self, multiverse: Multiverse) -> Self {
        self.times.multiverse = multiverse;
        if let Err(sentence) = self.jump(BranchId::MAIN, u64::MAX) {
            self.say(sentence, Tone::Bad);
        }
        if let Some(past) = &mut self.times.past {
            past.present = None;
        }
        self
    }

    /// Takes note of what the world says, which is looked at or not.
    pub(super) fn hear(&mut self, notice: Notice) {
        let multiverse = &mut self.times.multiverse;
        multiverse.note(BranchId::MAIN, &notice);
        let (view, checks) = match &mut self.times.past {
            Some(past) => match &mut past.present {
                Some(present) => (&mut present.view, &mut present.checks),
                None => return,
            },
            None => (&mut self.view, &mut self.checks),
        };
        if let Notice::Step(step) = &notice {
            checks.step(step);
        }
        view.apply(notice);
        multiverse.grow(BranchId::MAIN, &view.log);
    }

    /// Looks at a place: after `at` turns of a branch.
    pub(super) fn go_to(&mut self, branch: BranchId, at: u64) -> Result<(), String> {
        let len = self.times.multiverse.get(branch).map_or(0, Branch::len);
        let at = at.min(len);
        if branch == BranchId::MAIN
            && at == len
            && self.times.is_live()
            && self.is_known_to_the_end()
        {
            self.go_to_now();
            return Ok(());
        }
        let next =
            self.times.past.as_ref().is_some_and(|it| it.branch == branch && it.at + 1 == at);
        if next {
            self.go_forth_one()
        } else if self.is_far(branch, at) {
            self.set_out(branch, at, Then::Look);
            Ok(())
        } else {
            self.jump(branch, at)
        }
    }

    /// Whether the place where the run's turns end is what is going on now.
    fn is_known_to_the_end(&self) -> bool {
        self.times.multiverse.main().ended.is_none()
    }

    fn jump(&mut self, branch: BranchId, at: u64) -> Result<(), String> {
        let at = at.min(self.times.multiverse.get(branch).map_or(0, Branch::len));
        let there = self.times.multiverse.at(branch, at);
        let mut cluster = there.map_err(|astray| astray.to_string())?;
        // What was answered then is no news.
        cluster.take_answers();
        cluster.listen();
        self.show_there(branch, at, cluster);
        Ok(())
    }

    /// Shows a cluster as it was at a place.
    pub(super) fn show_there(&mut self, branch: BranchId, at: u64, cluster: Cluster) {
        self.stop_working();
        let mut checks = Checks::new(&cluster.view().shape);
        checks.look_again(cluster.view(), &self.checks);
        let view = std::mem::replace(&mut self.view, cluster.view().clone());
        let checks = std::mem::replace(&mut self.checks, checks);
        let session = Session::default();
        let present = match self.times.past.take() {
            Some(past) => past.present,
            None => Some(Present {
                broke: view.broke.clone(),
                view,
                checks,
                selected: self.selected,
                follow: self.follow,
                trace: self.trace.clone(),
                space_time: self.space_time.clone(),
                deliverables: self.deliverables.clone(),
            }),
        };
        self.times.past = Some(Box::new(Past { branch, at, cluster, session, present }));
        self.look_elsewhere();
    }

    /// Lets the cluster that is looked at take the turn that comes next.
    fn go_forth_one(&mut self) -> Result<(), String> {
        let Some(past) = &mut self.times.past else { return Ok(()) };
        let went = self.times.multiverse.go_on(past.branch, past.at, &mut past.cluster);
        went.map_err(|astray| astray.to_string())?;
        past.at += 1;
        // Also what was set there before anything else happened, as whoever jumps there sees it.
        self.times.multiverse.set_by_hand(past.branch, past.at, &mut past.cluster);
        past.cluster.take_answers();
        for notice in past.cluster.take_notices() {
            if let Notice::Step(step) = &notice {
                self.checks.step(step);
            }
            self.note(&notice);
            self.view.apply(notice);
        }
        self.mark = self.view.log.len().checked_sub(1);
        Ok(())
    }

    /// Looks at what is going on now.
    pub(super) fn go_to_now(&mut self) {
        self.stop_working();
        let Some(past) = self.times.past.take() else { return };
        match past.present {
            Some(present) => {
                (self.view, self.checks) = (present.view, present.checks);
                (self.trace, self.space_time) = (present.trace, present.space_time);
                self.deliverables = present.deliverables;
                self.look_elsewhere();
                (self.selected, self.follow) = (present.selected, present.follow);
                self.mark = None;
                // What is known is over: what goes on now is not to be driven by that.
                self.play.on = false;
                // What was met meanwhile is news.
                if self.view.broke != present.broke {
                    self.tell_break();
                }
            }
            None => self.times.past = Some(past),
        }
    }

    /// What is seen is of another place now: nothing that was made of the view before holds.
    fn look_elsewhere(&mut self) {
        self.times.swaps += 1;
        self.view.version = self.times.swaps << SWAP_SHIFT;
        self.trace.look_again();
        self.space_time.look_again();
        self.execution.look_again();
        self.digests.look_again();
        self.preview.forget_all();
        self.stopped = None;
        self.mark = self.view.log.len().checked_sub(1);
        let known = |id: &_| self.view.replicas.iter().any(|it| it.instances.get(*id).is_some());
        if self.follow || !self.selected.as_ref().is_some_and(known) {
            self.selected = self.view.log.iter().rev().find_map(|entry| proposed(entry));
            self.follow = true;
        }
        self.revision += 1;
    }

    /// The turn before, or after.
    pub(super) fn go_by(&mut self, forth: bool) {
        let (branch, at) = self.times.place();
        // What came after is not known: the past begins where that began.
        if let Some(ended) =
            self.times.multiverse.main().ended.filter(|_| self.times.past.is_none())
        {
            let went = self.go_to(branch, at);
            self.tell_place(went);
            return self.say(format!("nothing can be had again after #{at}: {ended}"), Tone::Plain);
        }
        let went = match at.checked_sub(1) {
            _ if forth => self.go_to(branch, at + 1),
            Some(before) => self.go_to(branch, before),
            None => Err("this is the beginning".to_owned()),
        };
        self.tell_place(went);
    }

    /// Looks at a place, and says what happened there.
    pub(super) fn go_to_place(&mut self, branch: BranchId, at: u64) {
        let went = self.go_to(branch, at);
        self.tell_place(went);
    }

    /// Whether what is looked at has turns that are known and not taken yet.
    pub fn can_go_forth(&self) -> bool {
        self.times.past.is_some() && !self.times.is_at_end()
    }

    /// The place before or after this one at which something else than a delivery was decided.
    pub(super) fn go_to_decision(&mut self, forth: bool) {
        let (branch, at) = self.times.place();
        let multiverse = &self.times.multiverse;
        let decides = |at: &u64| {
            let turn = multiverse.turn(branch, at - 1);
            turn.is_some_and(|turn| !matches!(turn.choice, Choice::Deliver(_)))
        };
        let goal = if forth {
            (at + 1..=self.times.branch().len()).find(decides)
        } else {
            (1..at).rev().find(decides).or((at > 0).then_some(0))
        };
        let went = match goal {
            Some(goal) => self.go_to(branch, goal),
            None if forth => self.go_to(branch, u64::MAX),
            None => Err("this is the beginning".to_owned()),
        };
        self.tell_place(went);
    }

    /// The place before or after this one at which branches part.
    pub(super) fn go_to_fork(&mut self, forth: bool) {
        let (branch, at) = self.times.place();
        let forks = self.times.multiverse.forks(branch);
        let goal = if forth {
            forks.into_iter().find(|fork| *fork > at)
        } else {
            forks.into_iter().rev().find(|fork| *fork < at)
        };
        let none = || "nothing branches off there".to_owned();
        let went = goal.ok_or_else(none).and_then(|goal| self.go_to(branch, goal));
        self.tell_place(went);
    }

    /// Says what is looked at, or why it cannot be.
    pub(super) fn tell_place(&mut self, went: Result<(), String>) {
        if let Err(sentence) = went {
            return self.say(sentence, Tone::Bad);
        }
        // Who is still on the way is told that.
        if self.is_working() {
            return;
        }
        if self.times.past.is_none() {
            self.say("this is what is going on now", Tone::Plain);
            return;
        }
        let (_, at) = self.times.place();
        let told = at.checked_sub(1).and_then(|last| self.view.log.get(last));
        let told = told.map(|entry| crate::explain::sentence(&self.view, entry));
        self.say(told.unwrap_or_else(|| "nothing had happened yet".to_owned()), Tone::Plain);
        // What happened there last is at the end of every list.
        self.trace.follow = true;
        self.space_time.follow = true;
    }

    /// Does what was wished about time, and says what is to happen outside.
    pub(super) fn fulfil_in_time(&mut self, wish: TimeWish) -> Result<Vec<Effect>, String> {
        match wish {
            TimeWish::Find(goal) => self.find(goal),
            TimeWish::Until(words) => self.run_until(&words),
            TimeWish::Token => {
                self.message = None;
                Ok(vec![Effect::CopyToken])
            }
            TimeWish::RunLive => {
                let name = self.times.branch().name.clone();
                self.say(format!("{name} is run on a fresh cluster"), Tone::Plain);
                Ok(vec![Effect::RunLive])
            }
            wish => self.fulfil_here(wish).map(|()| Vec::new()),
        }
    }

    fn fulfil_here(&mut self, wish: TimeWish) -> Result<(), String> {
        let (branch, at) = self.times.place();
        match wish {
            TimeWish::GoTo(goal) => {
                let (branch, at) = self.place_of(&goal)?;
                if goal == Destination::Now && self.times.is_live() {
                    self.go_to_now();
                    self.tell_place(Ok(()));
                    return Ok(());
                }
                let went = self.go_to(branch, at);
                went.map(|()| self.tell_place(Ok(())))
            }
            TimeWish::Branch(name) => self.begin_branch(name.as_deref()),
            TimeWish::Branches => {
                self.list_branches();
                Ok(())
            }
            TimeWish::Switch(name) => {
                let branch = self.times.multiverse.named(&name)?;
                self.go_to(branch, u64::MAX)?;
                self.tell_place(Ok(()));
                Ok(())
            }
            TimeWish::Delete(name) => {
                let doomed = self.times.multiverse.named(&name)?;
                if let Some(hunt) = self.hunt.as_ref().filter(|hunt| hunt.begins_in(doomed)) {
                    return Err(format!(
                        "{} is being looked for from there; cancel ends that",
                        hunt.goal
                    ));
                }
                if doomed == branch && doomed != BranchId::MAIN {
                    let fork = self.times.branch().fork;
                    let (from, at) = fork.unwrap_or((BranchId::MAIN, at));
                    if self.is_fetched(from, at, &TimeWish::Delete(name.clone())) {
                        return Ok(());
                    }
                    self.go_to(from, at)?;
                }
                self.times.multiverse.delete(doomed)?;
                self.times.bookmarks.retain(|_, (of, _)| *of != doomed);
                self.say(format!("{name} is deleted"), Tone::Plain);
                Ok(())
            }
            TimeWish::Rename(old, new) => {
                let id = old.map_or(Ok(branch), |old| self.times.multiverse.named(&old))?;
                self.times.multiverse.rename(id, &new)
            }
            TimeWish::WhatIf(entry, change, name) => self.what_if(entry, &change, name.as_deref()),
            TimeWish::Bookmark(name) => {
                self.bookmark(name);
                Ok(())
            }
            TimeWish::Compare(one, other) => self.compare(one.as_deref(), other.as_deref()),
            TimeWish::Cancel => self.cancel(),
            // These have effects outside.
            TimeWish::RunLive | TimeWish::Token | TimeWish::Find(_) | TimeWish::Until(_) => Ok(()),
        }
    }

    fn place_of(&self, goal: &Destination) -> Result<(BranchId, u64), String> {
        let (branch, _) = self.times.place();
        Ok(match goal {
            Destination::Start => (branch, 0),
            Destination::End => (branch, u64::MAX),
            Destination::Now => (BranchId::MAIN, u64::MAX),
            Destination::Entry(entry) if *entry < self.times.branch().len() => (branch, entry + 1),
            Destination::Entry(entry) => {
                let len = self.times.branch().len();
                return Err(format!("there is no #{entry}; there are {len} entries"));
            }
            Destination::Bookmark(name) => {
                let none = || format!("there is no bookmark \"{name}\"");
                *self.times.bookmarks.get(name).ok_or_else(none)?
            }
        })
    }

    /// Begins a branch at the place that is looked at, and looks at it.
    pub(super) fn begin_branch(&mut self, name: Option<&str>) -> Result<(), String> {
        let (from, at) = self.times.place();
        let gate = self.view.gate.clone();
        let multiverse = &mut self.times.multiverse;
        if let Some(ended) = multiverse.get(from).and_then(|it| it.ended) {
            let len = multiverse.get(from).map_or(0, Branch::len);
            if self.times.past.is_none() {
                return Err(format!("nothing can branch off after #{len}: {ended}"));
            }
        }
        if self.times.past.is_none()
            && self.is_fetched(from, at, &TimeWish::Branch(name.map(str::to_owned)))
        {
            return Ok(());
        }
        let id = self.times.multiverse.branch(from, at, &gate, name)?;
        // What is looked at is that place.
        match self.times.past.as_ref().map(|past| past.cluster.clone()) {
            Some(mut cluster) => {
                cluster.take_answers();
                self.show_there(id, at, cluster);
            }
            None => self.jump(id, at)?,
        }
        let name = self.times.branch().name.clone();
        self.say(format!("this is {name} now, in the simulator"), Tone::Good);
        Ok(())
    }

    fn list_branches(&mut self) {
        let (here, _) = self.times.place();
        let lines = self.times.multiverse.iter().map(|(id, branch)| {
            let mark = if id == here { "►" } else { " " };
            let from = branch.fork.map(|(from, at)| {
                let from = self.times.multiverse.get(from).map_or("", |it| it.name.as_str());
                format!(", leaves {from} after {at}")
            });
            let ended = branch.ended.map(|ended| format!(", not known further: {ended}"));
            let (name, len) = (&branch.name, branch.len());
            format!(
                "{mark} {name}: {len} entries{}{}",
                from.unwrap_or_default(),
                ended.unwrap_or_default()
            )
        });
        let lines: Vec<_> = lines.collect();
        self.tell("branches".to_owned(), Ok(lines));
    }

    fn bookmark(&mut self, name: Option<String>) {
        let count = self.times.bookmarks.len();
        let taken = |name: &String| self.times.bookmarks.contains_key(name);
        let free = || (1..=count + 1).map(|n| format!("m{n}")).find(|name| !taken(name));
        let name = name.or_else(free).unwrap_or_default();
        let place = self.times.place();
        self.times.bookmarks.insert(name.clone(), place);
        self.say(format!("goto {name} leads back here"), Tone::Good);
    }

    /// The selected entry, where entries are listed.
    fn entry_at_hand(&self) -> Option<u64> {
        match self.pane() {
            Pane::Trace => Some(self.trace.selected(&self.view)?.entry.id),
            Pane::SpaceTime | Pane::Event => Some(self.space_time.entry(&self.view)?.id),
            _ => None,
        }
    }

    /// Goes elsewhere in time, or lets something be otherwise there.
    pub(super) fn travel(&mut self, deed: Deed) {
        match deed {
            Deed::StepBack => self.go_by(false),
            Deed::PreviousDecision => self.go_to_decision(false),
            Deed::NextDecision => self.go_to_decision(true),
            Deed::PreviousFork => self.go_to_fork(false),
            Deed::NextFork => self.go_to_fork(true),
            Deed::Start | Deed::Now => {
                let goal = if deed == Deed::Start { Destination::Start } else { Destination::Now };
                if let Err(sentence) = self.fulfil_in_time(TimeWish::GoTo(goal)) {
                    self.say(sentence, Tone::Bad);
                }
            }
            Deed::Bookmark => self.bookmark(None),
            Deed::Compare => {
                if let Err(sentence) = self.compare(None, None) {
                    self.say(sentence, Tone::Bad);
                }
            }
            Deed::Branch => {
                if let Err(sentence) = self.begin_branch(None) {
                    self.say(sentence, Tone::Bad);
                }
            }
            Deed::WhatIf => {
                let (_, here) = self.times.place();
                if let Some(at) = self.entry_at_hand().or(here.checked_sub(1)) {
                    self.mode = Mode::Prompt;
                    self.prompt.set(&format!("what-if #{at} "));
                }
            }
            _ => {}
        }
    }

    /// Changes an entry, the one at hand where none is named, and looks at what comes of it.
    fn what_if(
        &mut self,
        at: Option<u64>,
        change: &Change,
        name: Option<&str>,
    ) -> Result<(), String> {
        let (of, here) = self.times.place();
        let at_hand = || self.entry_at_hand().or(here.checked_sub(1));
        let at = at.or_else(at_hand).ok_or("nothing has happened yet that could be otherwise")?;
        let wish = TimeWish::WhatIf(Some(at), change.clone(), name.map(str::to_owned));
        if self.is_fetched(of, at, &wish) {
            return Ok(());
        }
        let rewriting = self.times.multiverse.rewrite(of, at, change, name)?;
        self.rewrite_on(Box::new(rewriting))
    }
}

/// The instance that an entry proposes.
fn proposed(entry: &Entry) -> Option<InstanceId> {
    entry.events().find_map(|event| match event {
        Event::Proposed { instance, .. } => Some(*instance),
        _ => None,
    })
}

/// Versions of different views are so many bits apart.
const SWAP_SHIFT: u32 = 40;
