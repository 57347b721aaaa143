//! The palette: a list of all that can be done now, narrowed by typing, from which it is done.

use ratatui::crossterm::event::KeyEvent;

use crate::script::grammar::Command;
use crate::tui::app::App;
use crate::tui::deed::Deed;
use crate::tui::keys::{Context, TABLE};
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
    /// The keys, or the command's name.
    pub keys: String,
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
    /// The prompt opens with this command.
    Command(String),
}

impl Palette {
    /// All that can be done now. Keys of the pane come first.
    pub fn new(app: &App) -> Self {
        let contexts: Vec<Context> =
            app.contexts_of(app.mode).into_iter().chain([Context::Always]).collect();
        let mut entries: Vec<Entry> = Vec::new();
        for context in contexts {
            let bindings = TABLE.iter().filter(|binding| binding.context == context);
            for binding in bindings.filter(|binding| app.can(binding.deed)) {
                let choice = Choice::Deed(binding.deed);
                let known = entries.iter().any(|entry| entry.choice == choice);
                if binding.deed == Deed::OpenPalette || known {
                    continue;
                }
                let keys: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
                let about = binding.about.to_owned();
                entries.push(Entry { keys: keys.join(" "), about, choice });
            }
        }
        entries.extend(Command::list().into_iter().map(|(name, about)| Entry {
            keys: format!(":{name}"),
            about,
            choice: Choice::Command(name),
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

    fn narrow(&mut self) {
        let query = self.query.text().to_lowercase();
        let meets = |entry: &Entry| {
            let text = format!("{} {}", entry.keys, entry.about).to_lowercase();
            query.split_whitespace().all(|word| text.contains(word))
        };
        let entries = self.entries.iter().enumerate();
        self.shown = entries.filter(|(_, entry)| meets(entry)).map(|(index, _)| index).collect();
        self.place = Place::default();
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
