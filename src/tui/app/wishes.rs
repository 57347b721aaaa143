//! What was typed for the screen itself: a key's deed by its name, or a command that takes a word more.

use crate::epaxos::id::ReplicaId;
use crate::script::grammar::Command;
use crate::script::session;
use crate::tui::app::filters::is_list;
use crate::tui::app::{App, Effect, Mode, Output, Over, Tone};
use crate::tui::command;
use crate::tui::command::{Line, Wish};
use crate::tui::deed::Deed;
use crate::tui::list::Place;

impl App {
    /// Does what was typed, as a key does that is pressed outside of the prompt; or says why not. The
    /// prompt stays open whatever it was, so that what is typed next is no key, until somebody leaves
    /// it or what was asked for takes keys itself.
    pub(super) fn fulfil(&mut self, wish: Wish) -> Result<Vec<Effect>, String> {
        match wish {
            Wish::Deed(deed) => self.perform_by_name(deed),
            Wish::Observe(observer) => {
                self.check_observer(observer)?;
                self.accept_line();
                self.observer = observer;
                Ok(Vec::new())
            }
            Wish::Theme(theme) => {
                self.accept_line();
                self.theme = theme;
                Ok(Vec::new())
            }
            Wish::Filter(text) => {
                let pane = self.pane();
                if !is_list(pane) {
                    return Err("the pane that has the focus is no list".to_owned());
                }
                self.accept_line();
                self.set_filter(pane, &text);
                Ok(Vec::new())
            }
            Wish::Speed(rate) => {
                self.set_rate(&rate)?;
                self.accept_line();
                self.tell_rate();
                Ok(Vec::new())
            }
            Wish::Time(wish) => {
                let effects = self.fulfil_in_time(wish)?;
                self.prompt.accept();
                Ok(effects)
            }
            Wish::Export(export) => {
                self.accept_line();
                Ok(vec![Effect::Export(export)])
            }
            Wish::Save(save) => {
                self.accept_line();
                Ok(vec![Effect::Save(save)])
            }
        }
    }

    fn perform_by_name(&mut self, deed: Deed) -> Result<Vec<Effect>, String> {
        if self.can(deed) {
            self.accept_line();
            return Ok(self.perform_typed(deed));
        }
        // The script language may have a use for the word, and can say what is missing.
        Err(match Command::parse(deed.name()) {
            Err(error) if Command::explain(deed.name()).is_some() => error.to_string(),
            _ => format!("there is nothing here for {} now", deed.name()),
        })
    }

    /// Does a deed as if its key were pressed outside of the prompt, and returns to that unless keys
    /// go elsewhere now.
    fn perform_typed(&mut self, deed: Deed) -> Vec<Effect> {
        let mode = std::mem::take(&mut self.mode);
        let effects = self.perform(deed);
        let lesson = matches!(
            deed,
            Deed::Lesson
                | Deed::Lessons
                | Deed::NextPart
                | Deed::PreviousPart
                | Deed::Answer(_)
                | Deed::FollowLink
        );
        if self.mode == Mode::Normal && !lesson {
            self.mode = mode;
        }
        effects
    }

    fn accept_line(&mut self) {
        self.prompt.accept();
        self.message = None;
    }

    fn check_observer(&self, observer: Option<ReplicaId>) -> Result<(), String> {
        let replicas = self.view.shape.replicas();
        match observer {
            Some(id) if id.index() >= replicas => {
                let last = replicas.saturating_sub(1);
                Err(format!("there is no \"{id}\"; the replicas are R0 to R{last}"))
            }
            _ => Ok(()),
        }
    }

    /// Lists the commands, those of the screen too, or explains one.
    pub(super) fn help(&mut self, name: Option<&str>) {
        let told = match name {
            None => session::help(None).map(|mut lines| {
                lines.extend([
                    String::new(),
                    "On this screen, what keys do can be typed too:".to_owned(),
                ]);
                lines.extend(command::help(&self.keys));
                lines
            }),
            Some(name) => match command::explain(name, &self.keys) {
                Some(mut lines) => {
                    lines.splice(0..0, Command::explain(name).unwrap_or_default());
                    Ok(lines)
                }
                None => session::help(Some(name)),
            },
        };
        let title = name.map_or_else(|| "help".to_owned(), |name| format!("help {name}"));
        self.tell(title, told);
    }

    /// Shows what a command had to say.
    pub(super) fn tell(&mut self, title: String, said: session::Said) {
        match said {
            Err(sentence) => self.say(sentence, Tone::Bad),
            Ok(lines) => match lines.as_slice() {
                [] => {}
                [line] => self.say(line.clone(), Tone::Plain),
                _ => {
                    let place = Place::default();
                    self.over = Some(Over::Output(Output { title, lines, place }));
                }
            },
        }
    }

    /// What the lines of a paste come to, in order. The error has the number of the line that is wrong.
    pub(super) fn read_lines(lines: &[String]) -> Result<Vec<Line>, (usize, String)> {
        let read = |(index, line): (usize, &String)| {
            command::parse(line).map_err(|sentence| (index, sentence)).transpose()
        };
        lines.iter().enumerate().filter_map(read).collect()
    }
}
