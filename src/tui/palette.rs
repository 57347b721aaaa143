//! The palette: a list of all that can be done now, narrowed by typing, from which it is done.

use std::fmt;

use ratatui::crossterm::event::KeyEvent;

use crate::script::grammar::Command;
use crate::tui::app::App;
use crate::tui::command::forms;
use crate::tui::deed::Deed;
use crate::tui::keys::Context;
use crate::tui::list::Place;
use crate::tui::prompt::Prompt;

/// The palette while it is open.
#[derive(Clone, Debug)]
pub struct Palette {
    /// What is typed.
    pub query: Prompt,
    entries: Vec<Entry>,
    /// The entries that meet the query.
    shown: Vec<usize>,
    /// The place among them.
    pub place: Place,
}

/// A line of the palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The keys that do it.
    pub keys: String,
    /// The command that does it: one of the script language, or one of the screen.
    pub command: String,
    /// What can follow its name.
    pub words: &'static str,
    /// What it does.
    pub about: String,
    /// What is done when it is chosen.
    pub choice: Choice,
}

/// What choosing a line does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The same as a key.
    Deed(Deed),
    /// This command is carried out; the prompt opens with one that needs more words.
    Command(String),
}

impl fmt::Display for Entry {
    /// All of it as one text, in which is looked for what is typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.keys, self.name(), self.about)
    }
}

impl Entry {
    /// The command as it is typed.
    pub fn name(&self) -> String {
        format!(":{} {}", self.command, self.words).trim_end().to_owned()
    }
}

impl Palette {
    /// All that can be done now. Keys of the pane come first.
    pub fn new(app: &App) -> Self {
        let contexts = app.contexts_of(app.mode).into_iter().chain([Context::Always]);
        let mut commands = Command::list();
        let mut entries: Vec<Entry> = Vec::new();
        let bindings = contexts.flat_map(|context| app.keys.of(context));
        for binding in bindings.filter(|binding| app.can(binding.deed)) {
            let choice = Choice::Deed(binding.deed);
            let known = entries.iter().any(|entry| entry.choice == choice);
            if binding.deed == Deed::OpenPalette || known {
                continue;
            }
            let keys: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
            // What a key and a command do alike is listed once.
            let alike = app.command_of(binding.deed);
            let alike = alike.and_then(|name| commands.iter().position(|(other, _)| other == name));
            let (command, mut about) = (alike.map(|index| commands.remove(index)), binding.about);
            if let (Some((_, precisely)), Deed::PauseOrRun) = (&command, binding.deed) {
                about = precisely;
            }
            let about = about.to_owned();
            let command = command.map_or_else(|| binding.deed.name().to_owned(), |(name, _)| name);
            entries.push(Entry { keys: keys.join(" "), command, words: "", about, choice });
        }
        let commands = commands.into_iter().filter(|(name, _)| app.can_command(name));
        entries.extend(commands.map(|(name, about)| Entry {
            keys: String::new(),
            command: name.clone(),
            words: "",
            about,
            choice: Choice::Command(name),
        }));
        entries.extend(forms().map(|form| Entry {
            keys: String::new(),
            command: form.name.to_owned(),
            words: form.words,
            about: form.about.to_owned(),
            choice: Choice::Command(form.name.to_owned()),
        }));
        // Whoever looks for help knows how to move; the commands are more worth a look.
        entries.sort_by_key(|entry| matches!(entry.choice, Choice::Deed(Deed::Go(_))));
        let shown = (0..entries.len()).collect();
        Self { query: Prompt::default(), entries, shown, place: Place::default() }
    }

    /// Takes a key that edits the query.
    pub fn edit(&mut self, key: KeyEvent) {
        self.query.edit(key);
        self.narrow();
    }

    /// Inserts pasted text into the query.
    pub fn insert(&mut self, text: &str) {
        self.query.insert(text);
        self.narrow();
    }

    /// A command that is called what is typed comes before all that speaks of it.
    fn narrow(&mut self) {
        let query = self.query.text().to_lowercase();
        let query = query.trim();
        let name = query.trim_start_matches(':');
        let entries = self.entries.iter().enumerate();
        let meeting = entries.filter(|(_, entry)| {
            let text = entry.to_string().to_lowercase();
            query.split_whitespace().all(|word| text.contains(word))
        });
        let mut meeting: Vec<(usize, &Entry)> = meeting.collect();
        let rank = |entry: &Entry| match &entry.command {
            _ if name.is_empty() => 0,
            own if own == name => 0,
            own if own.starts_with(name) => 1,
            _ => 2,
        };
        meeting.sort_by_key(|(_, entry)| rank(entry));
        self.shown = meeting.into_iter().map(|(index, _)| index).collect();
        self.place = Place::default();
    }

    /// How many columns the names take, whatever is typed.
    pub fn name_width(&self) -> usize {
        self.entries.iter().map(|entry| entry.name().len()).max().unwrap_or(0)
    }

    /// How many lines meet the query.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// Whether no line meets the query.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// A line that meets the query.
    pub fn entry(&self, index: usize) -> Option<&Entry> {
        self.shown.get(index).and_then(|index| self.entries.get(*index))
    }

    /// What the selected line does.
    pub fn selected(&self) -> Option<&Choice> {
        self.entry(self.place.selected).map(|entry| &entry.choice)
    }

    /// Moves the selection.
    pub fn go(&mut self, by: isize) {
        self.place.go(by, self.shown.len());
    }

    /// Selects the line in a row on the screen, if there is one.
    pub fn select_row(&mut self, row: usize) -> bool {
        let index = self.place.offset.saturating_add(row);
        if index < self.shown.len() {
            self.place.selected = index;
        }
        index < self.shown.len()
    }

    /// Keeps the selection in sight.
    pub fn settle(&mut self, height: usize) {
        self.place.settle(self.shown.len(), height);
    }
}
