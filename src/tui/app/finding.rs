//! Looking through schedules from the place that is looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::multiverse::goal::Goal;
use crate::multiverse::search::{Found, Search};
use crate::multiverse::tree::BranchId;
use crate::script::world::World;
use crate::tui::app::{App, Effect, Mode, Tone};
use crate::tui::times::TimeWish;

/// A search that goes on outside.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// What is looked for.
    pub goal: Goal,
    /// From which place on.
    from: (BranchId, u64),
    /// Whether that was what was going on then.
    now: bool,
    /// Whether nobody wants to know any more.
    pub cancelled: Arc<AtomicBool>,
}

impl Hunt {
    /// Whether it begins in a branch.
    pub(super) fn begins_in(&self, branch: BranchId) -> bool {
        self.from.0 == branch
    }
}

impl App {
    /// Begins to look for a schedule that makes something true.
    pub(super) fn find(&mut self, goal: Goal) -> Result<Vec<Effect>, String> {
        let replicas = self.view.shape.replicas();
        if let Some(id) = goal.replicas().find(|id| id.index() >= replicas) {
            return Err(format!("there is no {id}"));
        }
        if let Some(hunt) = &self.hunt {
            return Err(format!("{} is still being looked for; cancel ends that", hunt.goal));
        }
        let from = self.times.place();
        let (branch, at) = from;
        if let (None, Some(ended)) = (&self.times.past, self.times.multiverse.main().ended) {
            return Err(format!("nothing can be looked for from here: {ended}"));
        }
        if let Some(at) = self.already(&goal) {
            self.say(already_so(&goal, at, self.view.log.len()), Tone::Plain);
            return Ok(Vec::new());
        }
        if self.is_fetched(branch, at, &TimeWish::Find(goal.clone())) {
            return Ok(Vec::new());
        }
        let as_text = as_text(&goal);
        self.say(format!("looking for {goal}{as_text}"), Tone::Plain);
        let now = self.times.past.is_none();
        self.hunt = Some(Hunt { goal, from, now, cancelled: Arc::default() });
        Ok(vec![Effect::Find])
    }

    /// The entry at which it became true, where it is already.
    pub(super) fn already(&self, goal: &Goal) -> Option<u64> {
        let wrong = self.checks.violations().first();
        let wrong = wrong.map(|violation| violation.at.saturating_sub(1));
        match (goal.violation, wrong) {
            (true, None) => None,
            (true, wrong) if goal.is_violation() => wrong,
            _ => goal.already(&self.view),
        }
    }

    /// Whether somebody would be taken by surprise by another view: who types, or reads what lies over
    /// the panes, or has gone elsewhere since.
    fn is_elsewhere(&self, hunt: &Hunt) -> bool {
        let typing = self.mode != Mode::Normal && !self.typed().is_empty();
        let moved = self.times.place() != hunt.from || self.times.past.is_none() != hunt.now;
        typing || self.over.is_some() || moved
    }

    /// What is being typed, wherever that is.
    fn typed(&self) -> &str {
        if self.mode == Mode::Filter { self.filters.text(self.pane()) } else { self.prompt.text() }
    }

    /// The search that was asked for, to be gone on with outside.
    pub fn search(&mut self) -> Result<(Search, Arc<AtomicBool>), String> {
        let hunt = self.hunt.clone().ok_or("nothing is looked for")?;
        let (branch, at) = hunt.from;
        let from = self.times.multiverse.at(branch, at).map_err(|astray| astray.to_string())?;
        Ok((Search::new(&from, hunt.goal), hunt.cancelled))
    }

    /// Ends a search.
    pub(super) fn cancel(&mut self) -> Result<(), String> {
        let Some(hunt) = self.hunt.take() else {
            if self.until.is_none() {
                return Err("nothing is being looked for".to_owned());
            }
            let effects = self.end_until();
            self.outbox.extend(effects);
            self.say("what was gone on to is not waited for any more", Tone::Plain);
            return Ok(());
        };
        hunt.cancelled.store(true, Ordering::Relaxed);
        self.say(format!("{} is not looked for any more", hunt.goal), Tone::Plain);
        Ok(())
    }

    /// Takes what was found, unless it was cancelled and nobody wants to know any more.
    pub fn take_found(&mut self, of: &Arc<AtomicBool>, found: Result<Found, String>) {
        if self.hunt.as_ref().is_none_or(|hunt| !Arc::ptr_eq(&hunt.cancelled, of)) {
            return;
        }
        match found {
            Ok(found) => self.found(found),
            Err(sentence) => {
                self.hunt = None;
                self.say(sentence, Tone::Bad);
            }
        }
    }

    /// Takes what was found, and opens it as a branch, unless somebody is busy with something else.
    pub fn found(&mut self, found: Found) {
        let Some(hunt) = self.hunt.take() else { return };
        let elsewhere = self.is_elsewhere(&hunt);
        let Hunt { goal, from: (from, at), .. } = hunt;
        let Found::Run { turns, shortest, wrong } = found else {
            return self.say(format!("no way was found to {goal}"), Tone::Bad);
        };
        let gate = match self.times.multiverse.at(from, at) {
            Ok(cluster) => cluster.view().gate.clone(),
            Err(astray) => return self.say(astray.to_string(), Tone::Bad),
        };
        let count = turns.len();
        let multiverse = &mut self.times.multiverse;
        let branch = match multiverse.branch(from, at, &gate, None) {
            Ok(branch) => branch,
            Err(sentence) => return self.say(sentence, Tone::Bad),
        };
        for turn in turns {
            multiverse.add_turn(branch, turn);
        }
        let name = multiverse.get(branch).map(|it| it.name.clone()).unwrap_or_default();
        if !elsewhere && let Err(sentence) = self.go_to(branch, u64::MAX) {
            return self.say(sentence, Tone::Bad);
        }
        let steps = if count == 1 { "step" } else { "steps" };
        let how = shortest.map_or_else(String::new, |among| format!(", and {among}"));
        let opens =
            if elsewhere { format!("switch {name} opens it") } else { format!("this is {name}") };
        let wrong = wrong.map(|wrong| format!("; {wrong}")).unwrap_or_default();
        self.say(format!("{goal}: found in {count} {steps}{how}; {opens}{wrong}"), Tone::Good);
    }
}

/// What is said of what need not be looked for.
pub(super) fn already_so(goal: &Goal, at: u64, len: u64) -> String {
    // What an instance has become does not come again.
    let again = goal.is_breakpoint();
    let again = again.then(|| format!("; {goal} since=#{len} looks for it from here on"));
    format!("{goal}: already so at #{at}{}", again.unwrap_or_default())
}

/// That words are looked for which mean nothing but themselves.
fn as_text(goal: &Goal) -> String {
    let words: Vec<String> = goal.words.iter().map(|word| format!("\"{word}\"")).collect();
    match words.as_slice() {
        [] => String::new(),
        words => format!(", with {} in the lines of the trace", words.join(" and ")),
    }
}
