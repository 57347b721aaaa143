//! What goes out to the world, and what comes back.

use crate::epaxos::command::Outcome;
use crate::epaxos::event::Event;
use crate::observe::notice::Decision;
use crate::observe::notice::Effect as StepEffect;
use crate::observe::notice::Notice;
use crate::script::grammar::Command;
use crate::script::request::Report;
use crate::script::session::Said;
use crate::script::why::Asked;
use crate::script::world::Answer;
use crate::tui::app::{App, Effect, Mode, Over, Tone, instance_of};
use crate::tui::command;
use crate::tui::command::Line;
use crate::tui::deed::Screen;
use crate::tui::prompt::pasted_lines;

impl App {
    /// Asks the world to carry out a command.
    pub(super) fn send(&mut self, command: Command) -> Vec<Effect> {
        // The screen has commands of its own that the world knows nothing of.
        if let Command::Help { command } = &command {
            self.help(command.as_deref());
            return Vec::new();
        }
        self.note_change(&command);
        if self.times.past.is_some() {
            return self.act_aside(&command);
        }
        let mut effects = self.override_until(&command);
        effects.push(self.ask_world(command));
        effects
    }

    /// Carries out the line at the prompt, or keeps it and says why not.
    pub(super) fn submit(&mut self) -> Vec<Effect> {
        let line = self.prompt.text().trim().to_owned();
        if let Some(replica) = line.strip_prefix('@') {
            return self.turn_to(replica);
        }
        let done = command::parse(&line).and_then(|line| match line {
            Some(Line::World(Command::Why(asked))) => {
                self.ask_at_prompt(&asked);
                Ok(Vec::new())
            }
            Some(Line::Screen(wish)) => self.fulfil(wish),
            line => {
                self.prompt.accept();
                self.message = None;
                Ok(match line {
                    Some(Line::World(command)) => {
                        // Whoever proposes something wants to see what becomes of it.
                        self.follow |= command.proposal().is_some();
                        self.send(command)
                    }
                    _ => Vec::new(),
                })
            }
        });
        done.unwrap_or_else(|sentence| {
            self.prompt.refuse(sentence);
            Vec::new()
        })
    }

    /// A question is answered here: its answer can be followed to what proves it.
    fn ask_at_prompt(&mut self, asked: &Asked) {
        match asked.question() {
            Ok(question) => {
                self.prompt.accept();
                self.message = None;
                self.ask(question);
            }
            Err(sentence) => self.prompt.refuse(sentence),
        }
    }

    /// From now on, proposals go to another replica.
    fn turn_to(&mut self, replica: &str) -> Vec<Effect> {
        let replicas = self.view.shape.replicas();
        match replica.parse::<crate::epaxos::id::ReplicaId>() {
            Ok(replica) if replica.index() < replicas => {
                self.prompt.accept();
                self.at = replica;
                self.say(format!("proposals go to {replica} now"), Tone::Plain);
            }
            Ok(replica) => self.prompt.refuse(format!(
                "there is no \"{replica}\"; the replicas are R0 to R{}",
                replicas.saturating_sub(1)
            )),
            Err(error) => self.prompt.refuse(error.to_string()),
        }
        Vec::new()
    }

    /// One line is inserted where text is typed. Several lines are commands: all of them are
    /// carried out, or, where one is none, it is shown and not one of them is.
    pub(super) fn on_paste(&mut self, text: &str) -> Vec<Effect> {
        let lines = pasted_lines(text);
        if let Some(over) = &mut self.over {
            if let (Over::Palette(palette), Some(line)) = (over, lines.first()) {
                palette.insert(line);
            }
            return Vec::new();
        }
        match (lines.as_slice(), self.mode) {
            ([], _) => Vec::new(),
            ([line, ..], Mode::Filter) => {
                self.filters.line_mut().insert(line);
                self.refilter();
                Vec::new()
            }
            ([line], _) => {
                self.mode = Mode::Prompt;
                self.prompt.insert(line);
                Vec::new()
            }
            (lines, _) => self.paste_commands(lines),
        }
    }

    fn paste_commands(&mut self, lines: &[String]) -> Vec<Effect> {
        let read = match Self::read_lines(lines) {
            Ok(read) => read,
            Err((index, sentence)) => {
                let draft = self.prompt.accept();
                self.prompt.remember(&draft);
                self.mode = Mode::Prompt;
                self.prompt.set(&lines[index]);
                let (number, count) = (index + 1, lines.len());
                self.prompt.refuse(format!(
                    "{sentence} (line {number} of {count} pasted; none was carried out)"
                ));
                return Vec::new();
            }
        };
        for line in lines {
            self.prompt.remember(line);
        }
        self.say(format!("{} pasted commands", read.len()), Tone::Plain);
        let mut effects = Vec::new();
        for line in read {
            match line {
                Line::World(command) => effects.extend(self.send(command)),
                Line::Screen(wish) => match self.fulfil(wish) {
                    Ok(done) => effects.extend(done),
                    Err(sentence) => self.say(sentence, Tone::Bad),
                },
            }
        }
        effects
    }

    pub(super) fn on_report(&mut self, report: Report) {
        match report {
            Report::Notice(notice) if self.times.past.is_some() => self.hear(notice),
            Report::Notice(notice) => {
                self.note(&notice);
                let broke = self.view.broke.clone();
                self.hear(notice);
                self.tell_violation();
                if self.view.broke != broke {
                    self.tell_break();
                }
            }
            Report::Said { request, said } if self.preview.take(request, &said) => {}
            Report::Said { request, said } => self.on_said(request, said),
            Report::Answer(answer) => self.on_answer(&answer),
        }
    }

    /// Says what is wrong, where something new is; and of the first such thing shows all there is.
    pub(super) fn tell_violation(&mut self) {
        let Some((index, violation)) = self.checks.news() else { return };
        self.say(format!("step {}: {violation}", violation.at), Tone::Bad);
        if index == 0 {
            self.screen = Screen::Checks;
            self.checks.select(violation.property);
        }
        self.revision += 1;
    }

    /// Says which breakpoint was met, and goes to what met it.
    pub(super) fn tell_break(&mut self) {
        let Some(broke) = self.view.broke.clone() else { return };
        self.play.on = false;
        self.say(broke.to_string(), Tone::Bad);
        self.stopped = Some(broke.clone());
        if let Some(entry) = self.view.log.get(broke.entry) {
            self.selected = instance_of(entry).or(self.selected);
            self.follow = false;
        }
        self.trace.select_entry(&self.view, broke.entry);
        self.space_time.settle_rows(&self.view);
        self.space_time.select_entry(broke.entry);
    }

    /// Remembers what was proposed, and selects it where the selection follows.
    pub(super) fn note(&mut self, notice: &Notice) {
        let Notice::Step(step) = notice else { return };
        if let Decision::Panic(sentence) = &step.decision {
            self.say(format!("{} has failed: {sentence}", step.replica), Tone::Bad);
        }
        let Decision::Propose(_) = step.decision else { return };
        for effect in &step.effects {
            let StepEffect::Event(Event::Proposed { instance, commands, .. }) = effect else {
                continue;
            };
            if self.follow || self.selected.is_none() {
                self.selected = Some(*instance);
            }
            for command in commands.iter().take(ASKED_MAX) {
                self.asked.push_back((command.request.clone(), command.to_string()));
            }
            while self.asked.len() > ASKED_MAX {
                self.asked.pop_front();
            }
        }
    }

    fn on_said(&mut self, request: u64, said: Said) {
        let command = self.pending.remove(&request);
        if self.take_step_to(request, &said) {
            return;
        }
        self.tell(command.unwrap_or_default(), said);
    }

    /// What was asked for in what is looked at.
    fn asked_here(&self, answer: &Answer) -> Option<String> {
        let mut entries = self.view.log.iter().rev().take(ASKED_FOR_LATELY);
        entries.find_map(|entry| match &entry.step.decision {
            Decision::Propose(commands) => {
                let mut commands = commands.iter();
                commands.find(|it| it.request == answer.request).map(ToString::to_string)
            }
            _ => None,
        })
    }

    pub(super) fn on_answer(&mut self, answer: &Answer) {
        let named = self.asked.iter().rev().find(|(request, _)| *request == answer.request);
        let named = named.map(|(_, command)| command.clone());
        // In a branch a request may be another one than that of its name in what goes on.
        let named =
            if self.times.past.is_some() { self.asked_here(answer).or(named) } else { named };
        let name = named.unwrap_or_else(|| answer.request.to_string());
        match &answer.result {
            Ok(outcome @ Outcome::Unknown) => {
                self.say(format!("{name} = {outcome}: had no effect now"), Tone::Bad);
            }
            Ok(outcome) => self.say(format!("{name} = {outcome}"), Tone::Good),
            Err(error) => self.say(format!("{name} failed: {error}"), Tone::Bad),
        }
    }
}

/// How many entries are looked through for what an answer is to.
const ASKED_FOR_LATELY: usize = 2_000;

/// How many proposals are remembered until they are answered.
const ASKED_MAX: usize = 512;
