//! Going on until something is true: in a branch, and on the cluster itself.

use crate::multiverse::goal::Goal;
use crate::observe::notice::HeldBy;
use crate::observe::view::{Broke, View};
use crate::script::grammar::{Command, ParseError};
use crate::script::request::Request;
use crate::script::session::Said;
use crate::script::words::Count;
use crate::tui::app::working::Moving;
use crate::tui::app::{App, Checks, Effect, Tone, already_so};

/// What the cluster itself goes on to.
#[derive(Clone, Debug)]
pub struct Until {
    goal: Goal,
    /// What takes the breakpoint back that was set for it.
    unbreak: Option<Command>,
    /// What had met a breakpoint before.
    broke: Option<Broke>,
    /// How many entries were looked at, and how much was wrong then.
    seen: u64,
    wrong: usize,
    /// The request that is waited for, where everything is paused and stepped.
    step: Option<u64>,
    /// How many entries there were when nothing moved, as time was told last.
    still: Option<u64>,
}

impl App {
    /// Goes on until something is true.
    pub(super) fn run_until(&mut self, words: &str) -> Result<Vec<Effect>, String> {
        let goal = Goal::parse(words)?;
        if let Some(id) = goal.replicas().find(|id| id.index() >= self.view.shape.replicas()) {
            return Err(format!("there is no {id}"));
        }
        if let Some(at) = self.already(&goal) {
            self.say(already_so(&goal, at, self.view.log.len()), Tone::Plain);
            return Ok(Vec::new());
        }
        if self.times.past.is_some() {
            let title = format!("until {goal}");
            let (said, delayed) = (Vec::new(), true);
            self.move_on(Moving { title, said, goal: Some(goal), delayed });
            return Ok(Vec::new());
        }
        self.begin_until(goal, words)
    }

    /// Lets the cluster go on, with a breakpoint where one says the same; otherwise everything is looked
    /// at here.
    fn begin_until(&mut self, goal: Goal, words: &str) -> Result<Vec<Effect>, String> {
        let mut effects = self.end_until();
        let sentence = |error: ParseError| error.to_string();
        let (mut unbreak, mut breakpoint) = (None, None);
        if goal.is_breakpoint() {
            breakpoint = Command::parse(&format!("break {words}")).map_err(sentence)?;
            if let Some(Command::Break { terms }) = &breakpoint {
                let wanted = crate::script::words::Looked::together(terms);
                let own = !self.view.gate.breaks.contains(&wanted);
                unbreak = own.then(|| Command::Unbreak { terms: terms.clone() });
            }
        }
        effects.extend(breakpoint.map(|it| self.ask_world(it)));
        self.say(format!("going on until {goal}"), Tone::Plain);
        self.note_change(&Command::Step { count: Count::All });
        let step = self.view.gate.paused.then_some(self.requests);
        if step.is_some() {
            // A breakpoint stops it at the very entry; otherwise each step is looked at.
            let count = if goal.is_breakpoint() { Count::All } else { Count::Some(1) };
            effects.push(self.ask_world(Command::Step { count }));
        }
        self.until = Some(Until {
            goal,
            unbreak,
            broke: self.view.broke.clone(),
            seen: self.view.log.len(),
            wrong: self.checks.violations().len(),
            step,
            still: None,
        });
        Ok(effects)
    }

    /// Asks the cluster itself for something, whatever is looked at.
    pub(super) fn ask_world(&mut self, command: Command) -> Effect {
        let id = self.requests;
        self.requests += 1;
        self.pending.insert(id, command.to_string());
        // What waits longest has surely been answered or never will be.
        if self.pending.len() > PENDING_MAX {
            self.pending.pop_first();
        }
        Effect::Request(Request { id, at: self.at, command })
    }

    /// Forgets what the cluster goes on to, and takes the breakpoint back.
    pub(super) fn end_until(&mut self) -> Vec<Effect> {
        let unbreak = self.until.take().and_then(|until| until.unbreak);
        unbreak.map(|unbreak| self.ask_world(unbreak)).into_iter().collect()
    }

    /// What a command that is about to be sent makes of what the cluster goes on to.
    pub(super) fn override_until(&mut self, command: &Command) -> Vec<Effect> {
        match command {
            Command::Run => self.end_until(),
            // It takes the breakpoint back by itself.
            Command::Unbreak { .. } => {
                self.until = None;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// What goes on now, whatever is looked at.
    fn live(&self) -> Option<(&View, &Checks)> {
        match &self.times.past {
            None => Some((&self.view, &self.checks)),
            Some(past) => past.live(),
        }
    }

    /// Looks at what the cluster has come to since it was looked at last.
    pub(super) fn look_for_until(&mut self) -> Vec<Effect> {
        let Some(until) = self.until.clone() else { return Vec::new() };
        let Some((view, checks)) = self.live() else { return Vec::new() };
        if view.broke != until.broke {
            return self.end_until();
        }
        let (len, wrong, paused) = (view.log.len(), checks.violations().len(), view.gate.paused);
        if len == until.seen || until.goal.is_breakpoint() {
            return Vec::new();
        }
        let met = if until.goal.is_violation() {
            let new = checks.violations().get(until.wrong);
            new.map(|violation| violation.at.saturating_sub(1))
        } else if until.goal.violation && wrong <= until.wrong {
            None
        } else {
            until.goal.already(view).filter(|at| *at >= until.seen)
        };
        if let Some(now) = &mut self.until {
            now.seen = len;
        }
        let Some(at) = met else { return Vec::new() };
        let mut effects = self.end_until();
        if !paused {
            effects.push(self.ask_world(Command::Pause));
        }
        // Said after the answers that came with it.
        self.last_word = Some(format!("{} at #{at}", until.goal));
        effects
    }

    /// Takes note of what came of a step towards something. Says whether it was one.
    pub(super) fn take_step_to(&mut self, request: u64, said: &Said) -> bool {
        let Some(until) = self.until.as_mut().filter(|until| until.step == Some(request)) else {
            return false;
        };
        until.step = None;
        let (goal, stepped) = (until.goal.clone(), !until.goal.is_breakpoint() && said.is_ok());
        let effects = self.look_for_until();
        self.outbox.extend(effects);
        if self.until.is_none() {
            return false;
        }
        if stepped {
            let step = self.requests;
            let effect = self.ask_world(Command::Step { count: Count::Some(1) });
            self.outbox.push(effect);
            if let Some(until) = &mut self.until {
                until.step = Some(step);
            }
        } else {
            let effects = self.end_until();
            self.outbox.extend(effects);
            self.say(format!("nothing moves any more, and nothing was {goal}"), Tone::Bad);
        }
        true
    }

    /// Says when everything has come to rest without it: nothing may move, nothing is waited for, and so
    /// it was when time was told last.
    pub(super) fn look_for_rest(&mut self) -> Vec<Effect> {
        let Some(until) = &self.until else { return Vec::new() };
        let Some((view, _)) = self.live() else { return Vec::new() };
        let ruled = |why: Option<HeldBy>| why == Some(HeldBy::Rule);
        let moves = view.in_flight.iter().any(|flight| !ruled(flight.held))
            || view.replicas.iter().any(|replica| replica.up && replica.timer.is_some());
        let rests = !view.gate.paused && !moves && self.pending.is_empty();
        let still = rests.then(|| view.log.len());
        let goal = (still.is_some() && until.still == still).then(|| until.goal.to_string());
        if let Some(until) = &mut self.until {
            until.still = still;
        }
        let Some(goal) = goal else { return Vec::new() };
        let effects = self.end_until();
        self.say(format!("everything has come to rest, and nothing was {goal}"), Tone::Bad);
        effects
    }
}

/// How many commands may wait for a word.
const PENDING_MAX: usize = 10_000;
