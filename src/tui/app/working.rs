//! What takes long, and is done bit by bit, so that the screen and its keys go on meanwhile.

use crate::multiverse::goal::Goal;
use crate::multiverse::tree::{Branch, BranchId, Walk};
use crate::multiverse::what_if::Rewriting;
use crate::script::stepwise::Stepwise;
use crate::script::world::World;
use crate::tui::app::{App, Effect, Tone};
use crate::tui::times::TimeWish;

/// Something that takes long.
#[derive(Debug)]
pub enum Work {
    /// A place is gone to that is far from all that are known.
    Walk(Box<Walk>, Then),
    /// A branch is made like another one but for a change.
    Rewriting(Box<Rewriting>),
    /// What may move does, until nothing does or something is true.
    Moving(Moving),
}

/// What is done at a place that was far away.
#[derive(Clone, Debug)]
pub enum Then {
    /// It is looked at.
    Look,
    /// What was wished is done: it is near now.
    Wish(TimeWish),
}

/// What moves in what is looked at.
#[derive(Clone, Debug)]
pub struct Moving {
    /// What was asked for.
    pub title: String,
    /// What is said at the end.
    pub said: Vec<String>,
    /// What it goes on to.
    pub goal: Option<Goal>,
    /// Whether what is delayed moves, too.
    pub delayed: bool,
}

/// What came of moving for a while.
enum Moved {
    /// Nothing moves any more.
    Rest,
    /// There is more to move.
    More,
    /// This entry is what was looked for.
    Met(u64),
    /// A breakpoint was met, which was said.
    Stopped,
}

impl App {
    /// Whether something takes long, and is to be gone on with by [`Action::Work`].
    ///
    /// [`Action::Work`]: crate::tui::app::Action::Work
    pub fn is_working(&self) -> bool {
        self.work.is_some()
    }

    /// Whether a place is too far away to be looked at before the next key is.
    pub(super) fn is_far(&self, branch: BranchId, at: u64) -> bool {
        self.times.multiverse.distance(branch, at) > FAR
    }

    /// Sets out for a place that is far away.
    pub(super) fn set_out(&mut self, branch: BranchId, at: u64, then: Then) {
        self.stop_working();
        let walk = self.times.multiverse.set_out(branch, at);
        self.work = Some(Work::Walk(Box::new(walk), then));
        self.tell_work();
    }

    /// Sets out for a place at which something is wished, where that is far away. Says whether it is.
    pub(super) fn is_fetched(&mut self, branch: BranchId, at: u64, wish: &TimeWish) -> bool {
        let far = self.is_far(branch, at);
        if far {
            self.set_out(branch, at, Then::Wish(wish.clone()));
        }
        far
    }

    /// Goes on with what takes long, for so long that nobody notices.
    pub(super) fn work_on(&mut self) -> Vec<Effect> {
        match self.work.take() {
            None => Vec::new(),
            Some(Work::Walk(walk, then)) => self.walk_on(walk, then),
            Some(Work::Rewriting(rewriting)) => {
                if let Err(sentence) = self.rewrite_on(rewriting) {
                    self.say(sentence, Tone::Bad);
                }
                Vec::new()
            }
            Some(Work::Moving(moving)) => {
                self.move_on(moving);
                Vec::new()
            }
        }
    }

    fn walk_on(&mut self, mut walk: Box<Walk>, then: Then) -> Vec<Effect> {
        match self.times.multiverse.walk_on(&mut walk, AT_ONCE) {
            Err(astray) => {
                self.say(astray.to_string(), Tone::Bad);
                return Vec::new();
            }
            Ok(false) => {
                self.work = Some(Work::Walk(walk, then));
                self.tell_work();
                return Vec::new();
            }
            Ok(true) => {}
        }
        self.message = None;
        match then {
            Then::Look => {
                let (branch, at) = (walk.branch(), walk.at());
                let went = self.go_to(branch, at);
                self.tell_place(went);
                Vec::new()
            }
            Then::Wish(wish) => self.fulfil_in_time(wish).unwrap_or_else(|sentence| {
                self.say(sentence, Tone::Bad);
                Vec::new()
            }),
        }
    }

    /// Begins to make a branch, or goes on with that.
    pub(super) fn rewrite_on(&mut self, mut rewriting: Box<Rewriting>) -> Result<(), String> {
        if !self.times.multiverse.rewrite_on(&mut rewriting, AT_ONCE)? {
            self.work = Some(Work::Rewriting(rewriting));
            self.tell_work();
            return Ok(());
        }
        let branch = rewriting.branch();
        let mut cluster = rewriting.into_cluster();
        cluster.take_answers();
        cluster.listen();
        let len = self.times.multiverse.get(branch).map_or(0, Branch::len);
        self.show_there(branch, len, cluster);
        let name = self.times.branch().name.clone();
        let told = format!("{name} is what would have come of it; compare shows how it differs");
        self.say(told, Tone::Good);
        Ok(())
    }

    /// Lets what may move move for a while, and says what came of it at the end.
    pub(super) fn move_on(&mut self, moving: Moving) {
        let said = match self.move_some(&moving) {
            Ok(Moved::More) => {
                self.work = Some(Work::Moving(moving));
                return self.tell_work();
            }
            Ok(Moved::Stopped) => return,
            Ok(Moved::Rest) => match &moving.goal {
                Some(goal) if self.times.past.is_none() => {
                    Err(format!("nothing was {goal} up to now"))
                }
                Some(goal) => Err(format!("nothing moves any more, and nothing was {goal}")),
                None => Ok(moving.said),
            },
            Ok(Moved::Met(at)) => {
                let goal = moving.goal.map(|goal| goal.to_string()).unwrap_or_default();
                return self.say(format!("{goal} at #{at}"), Tone::Good);
            }
            Err(sentence) => Err(sentence),
        };
        self.tell(moving.title, said);
    }

    fn move_some(&mut self, moving: &Moving) -> Result<Moved, String> {
        for _ in 0..AT_ONCE {
            let (before, broke) = (self.view.log.len(), self.view.broke.clone());
            let wrong = self.checks.violations().len();
            if !self.move_one(moving)? {
                return Ok(Moved::Rest);
            }
            if let Some(goal) = &moving.goal
                && let Some(at) = self.met_since(goal, before, wrong)
            {
                self.stand_still();
                return Ok(Moved::Met(at));
            }
            if self.view.broke != broke {
                self.stand_still();
                return Ok(Moved::Stopped);
            }
        }
        Ok(Moved::More)
    }

    /// Goes one entry on: what is known comes first, then what may move.
    fn move_one(&mut self, moving: &Moving) -> Result<bool, String> {
        let (branch, at) = self.times.place();
        if self.can_go_forth() {
            return self.go_to(branch, at + 1).map(|()| true);
        }
        if self.is_kept(branch) && self.times.past.as_ref().is_some_and(|past| past.can_move()) {
            self.begin_branch(None)?;
        }
        let Some(past) = &mut self.times.past else { return Ok(false) };
        let moved = past.cluster.move_one(moving.delayed && !past.cluster.view().gate.paused)?;
        self.hear_aside();
        Ok(moved)
    }

    /// The first entry since `before` that is what is looked for, where one is.
    fn met_since(&self, goal: &Goal, before: u64, wrong: usize) -> Option<u64> {
        if goal.violation && self.checks.violations().len() <= wrong {
            return None;
        }
        let mut new = (before..self.view.log.len()).filter_map(|id| self.view.log.get(id));
        new.find(|entry| goal.is_seen(entry, &self.view)).map(|entry| entry.id)
    }

    /// Pauses a branch in which something has been come to, as a breakpoint does.
    fn stand_still(&mut self) {
        let (branch, _) = self.times.place();
        if self.is_kept(branch) || !self.times.is_at_end() {
            return;
        }
        let Some(past) = &mut self.times.past else { return };
        let mut gate = past.cluster.view().gate.clone();
        if !gate.paused {
            gate.paused = true;
            past.cluster.set_gate(gate).expect("a simulated gate is always set");
            self.hear_aside();
        }
    }

    /// Ends what takes long where it is. Says what that was.
    pub(super) fn stop_working(&mut self) -> Option<String> {
        let what = self.work.as_ref().map(|work| self.work_in_words(work))?;
        match self.work.take() {
            Some(Work::Rewriting(rewriting)) => {
                self.times.multiverse.delete(rewriting.branch()).ok();
            }
            // What has not come to rest would go on at the next command.
            Some(Work::Moving(_)) => self.stand_still(),
            Some(Work::Walk(..)) | None => {}
        }
        Some(what)
    }

    fn tell_work(&mut self) {
        let Some(work) = &self.work else { return };
        let what = self.work_in_words(work);
        self.say(format!("{what}; Esc ends it"), Tone::Plain);
    }

    fn work_in_words(&self, work: &Work) -> String {
        match work {
            Work::Walk(walk, _) => {
                let last = walk.at().saturating_sub(1);
                format!("on the way to #{last}, {}% of it done", walk.percent())
            }
            Work::Rewriting(rewriting) => {
                format!("making it otherwise, #{} comes next", rewriting.next())
            }
            Work::Moving(moving) => {
                format!("{}: {} entries so far", moving.title, self.view.log.len())
            }
        }
    }
}

/// How many turns are taken, or messages let move, in between looks at the keys.
const AT_ONCE: u64 = 1_000;

/// How many turns can be taken before anybody notices.
const FAR: u64 = 3_000;
