//! Carrying out commands on what is looked at, where that is not what goes on now.

use crate::epaxos::id::ReplicaId;
use crate::multiverse::tree::BranchId;
use crate::observe::notice::Notice;
use crate::script::grammar::Command;
use crate::script::session::Session;
use crate::script::stepwise::Stepwise;
use crate::script::words::Count;
use crate::script::world::World;
use crate::sim::cluster::Cluster;
use crate::tui::app::working::Moving;
use crate::tui::app::{App, Effect, Tone, Work};

impl App {
    /// Carries a command out on what is looked at, which is not what goes on now. Where the turns that
    /// come next are known, or this is the run itself or that of a lesson, a branch begins, if anything
    /// comes of the command.
    pub(super) fn act_aside(&mut self, command: &Command) -> Vec<Effect> {
        let (branch, at) = self.times.place();
        if let Command::Step { count } = command {
            // What comes next is known: to go on is to look at that.
            if self.can_go_forth() {
                let by = if let Count::Some(count) = count { u64::from(*count) } else { u64::MAX };
                self.go_to_place(branch, at.saturating_add(by));
                self.arrived = self.times.past.is_none().then_some(true);
                return Vec::new();
            }
            if branch == BranchId::MAIN {
                self.play.on = false;
                self.say(self.end_of_what_is_known(), Tone::Plain);
                return Vec::new();
            }
        }
        if let Some(sentence) = self.too_much(command) {
            self.say(sentence, Tone::Bad);
            return Vec::new();
        }
        let elsewhere = self.is_kept(branch) || !self.times.is_at_end();
        if elsewhere && !command.only_looks() {
            match self.try_out(command) {
                Ok(None) => {}
                Ok(Some(said)) => {
                    self.tell(command.to_string(), Ok(said));
                    return Vec::new();
                }
                Err(sentence) => {
                    self.say(sentence, Tone::Bad);
                    return Vec::new();
                }
            }
            if let Err(sentence) = self.begin_branch(None) {
                self.say(sentence, Tone::Bad);
                return Vec::new();
            }
        }
        match self.perform_aside(command) {
            Ok(Some(moving)) => self.move_on(moving),
            Ok(None) => {}
            Err(sentence) => self.say(sentence, Tone::Bad),
        }
        Vec::new()
    }

    /// Whether a branch is left as it is: the run itself, and what a lesson tells.
    pub(super) fn is_kept(&self, branch: BranchId) -> bool {
        branch == BranchId::MAIN || self.is_of_lesson(branch)
    }

    /// Why a command would take longer than anybody waits.
    fn too_much(&self, command: &Command) -> Option<String> {
        if let (Some(Work::Moving(moving)), false) = (&self.work, command.only_looks()) {
            return Some(format!("{} has not come to rest yet; Esc ends it", moving.title));
        }
        match command {
            Command::Burst { count, .. } if *count > BURST_MOST => {
                Some(format!("a branch takes a burst of {BURST_MOST} at most"))
            }
            _ => None,
        }
    }

    fn end_of_what_is_known(&self) -> &'static str {
        if self.times.is_live() {
            "this is the end of what is known; goto now leads to what is going on"
        } else {
            "this is the end of what was recorded; branch lets it go on from here"
        }
    }

    /// Whether something would come of a command here: nothing is returned, or what it says if that is
    /// all. A breakpoint is remembered for whatever branches off here; nothing goes on that it stops.
    fn try_out(&mut self, command: &Command) -> Result<Option<Vec<String>>, String> {
        let Some(past) = &mut self.times.past else { return Ok(None) };
        let mut session = Session::default();
        session.at = self.at;
        if let Command::Break { .. } | Command::Unbreak { .. } = command {
            let mut said = session.perform(&mut past.cluster, command)?;
            for notice in past.cluster.take_notices() {
                self.view.apply(notice);
            }
            if said.is_empty() {
                said.push("that counts for what branches off here".to_owned());
            }
            return Ok(Some(said));
        }
        // That may take long, and is not done twice.
        if let Command::Step { count: Count::All } = command {
            return Ok((!past.can_move()).then(Vec::new));
        }
        let mut cluster = past.cluster.clone();
        let said = session.perform(&mut cluster, command)?;
        let state = |cluster: &Cluster| {
            let replicas = ReplicaId::all(cluster.view().shape.replicas());
            let clocks: Vec<_> = replicas.map(|id| cluster.replicas().clock(id)).collect();
            (cluster.view().log.len(), cluster.now(), clocks)
        };
        let same = state(&cluster) == state(&past.cluster)
            && cluster.view().gate == past.cluster.view().gate;
        Ok(same.then_some(said))
    }

    /// Carries out a command on what is looked at. Where nothing is paused, everything moves then: that
    /// is returned.
    fn perform_aside(&mut self, command: &Command) -> Result<Option<Moving>, String> {
        let Some(past) = &mut self.times.past else { return Ok(None) };
        past.session.at = self.at;
        let all = matches!(command, Command::Step { count: Count::All });
        let said = if all {
            past.cluster.arm();
            Ok(Vec::new())
        } else {
            past.session.perform(&mut past.cluster, command)
        };
        let stays = matches!(command, Command::Break { .. } | Command::Unbreak { .. });
        let paused = past.cluster.view().gate.paused;
        self.hear_aside();
        let said = said?;
        let title = command.to_string();
        if all || !(command.only_looks() || stays || paused) {
            return Ok(Some(Moving { title, said, goal: None, delayed: true }));
        }
        self.tell(title, Ok(said));
        Ok(None)
    }

    /// Takes note of what a branch that is looked at has to say.
    pub(super) fn hear_aside(&mut self) {
        let Some(past) = &mut self.times.past else { return };
        let branch = past.branch;
        let (notices, answers) = (past.cluster.take_notices(), past.cluster.take_answers());
        for notice in notices {
            self.times.multiverse.note(branch, &notice);
            if let Notice::Step(step) = &notice {
                self.checks.step(step);
            }
            self.note(&notice);
            let broke = self.view.broke.clone();
            self.view.apply(notice);
            self.times.multiverse.grow(branch, &self.view.log);
            if self.view.broke != broke {
                self.tell_break();
            }
        }
        if let Some(past) = &mut self.times.past {
            past.at = past.cluster.view().log.len();
        }
        self.tell_violation();
        for answer in &answers {
            self.on_answer(answer);
        }
    }
}

/// How much can be asked for at once in a branch, where all of it is done here.
const BURST_MOST: u32 = 10_000;
