//! Looking through schedules from the place that is looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::multiverse::goal::Goal;
use crate::multiverse::search::{Found, Search};
use crate::multiverse::tree::BranchId;
use crate::script::grammar::Command;
use crate::script::words::Count;
use crate::script::world::World;
use crate::tui::app::{App, Effect, Tone};

/// A search that goes on outside.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// What is looked for.
    pub goal: Goal,
    /// From which place on.
    from: (BranchId, u64),
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
        if let (None, Some(ended)) = (&self.times.past, self.times.multiverse.main().ended) {
            return Err(format!("nothing can be looked for from here: {ended}"));
        }
        self.say(format!("looking for {goal}"), Tone::Plain);
        self.hunt = Some(Hunt { goal, from, cancelled: Arc::default() });
        Ok(vec![Effect::Find])
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
        let hunt = self.hunt.take().ok_or("nothing is being looked for")?;
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

    /// Takes what was found, and opens it as a branch.
    pub fn found(&mut self, found: Found) {
        let Some(Hunt { goal, from: (from, at), .. }) = self.hunt.take() else { return };
        let Found::Run { turns, shortest, wrong } = found else {
            return self.say(format!("no way was found to {goal}"), Tone::Bad);
        };
        let gate = match self.times.multiverse.at(from, at) {
            Ok(cluster) => cluster.view().gate.clone(),
            Err(astray) => return self.say(astray.to_string(), Tone::Bad),
        };
        let count = turns.len();
        let multiverse = &mut self.times.multiverse;
        let opened = multiverse.branch(from, at, &gate, None).and_then(|branch| {
            for turn in turns {
                self.times.multiverse.add_turn(branch, turn);
            }
            self.go_to(branch, u64::MAX)
        });
        if let Err(sentence) = opened {
            return self.say(sentence, Tone::Bad);
        }
        let name = self.times.branch().name.clone();
        let how = if shortest { ", and none is shorter" } else { "" };
        let wrong = wrong.map(|wrong| format!("; {wrong}")).unwrap_or_default();
        self.say(format!("{goal}: found in {count} steps{how}; this is {name}{wrong}"), Tone::Good);
    }

    /// Goes on until something is true.
    pub(super) fn run_until(&mut self, words: &str) -> Result<Vec<Effect>, String> {
        let goal = Goal::parse(words)?;
        if self.times.past.is_none() {
            // A world of its own is stopped by what stops it anyway.
            let sentence = |error: crate::script::grammar::ParseError| {
                format!("{error}; in a branch, until takes violation and phase(R0.0)=noop, too")
            };
            let stop = Command::parse(&format!("break {words}")).map_err(sentence)?;
            let mut effects = self.send(stop.ok_or("something must be looked for")?);
            let go = if self.view.gate.paused {
                Command::Step { count: Count::All }
            } else {
                Command::Settle
            };
            effects.extend(self.send(go));
            return Ok(effects);
        }
        for _ in 0..STEPS_MOST {
            let before = self.view.log.len();
            let violations = self.checks.violations().len();
            if self.can_go_forth() {
                self.go_by(true);
            } else {
                self.act_aside(&Command::Step { count: Count::Some(1) });
            }
            let Some(past) = &self.times.past else { return Ok(Vec::new()) };
            let new = (before..self.view.log.len()).filter_map(|id| self.view.log.get(id));
            let wrong = !goal.violation || self.checks.violations().len() > violations;
            let met = |entry| goal.is_met(entry, past.cluster.replicas(), &self.view);
            let met = wrong && new.into_iter().any(met);
            if met {
                let at = self.view.log.len() - 1;
                self.say(format!("{goal} at #{at}"), Tone::Good);
                return Ok(Vec::new());
            }
            if self.view.log.len() == before {
                return Err(format!("nothing moves any more, and nothing was {goal}"));
            }
        }
        Err(format!("{STEPS_MOST} steps, and nothing was {goal}"))
    }
}

/// How many steps are taken at once.
const STEPS_MOST: u32 = 5_000;
