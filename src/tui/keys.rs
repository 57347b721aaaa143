//! The keys: one table, from which keys are dispatched, hints in the footer are taken, and the
//! palette is filled. A key that is not in here does nothing. A file can change which keys do what.

mod file;
mod table;

use std::fmt;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::tui::deed::Deed;
use crate::tui::keys::table::TABLE;

pub use crate::tui::keys::file::FileError;

/// Where a key means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Whatever is on the screen.
    Always,
    /// Wherever no text is typed and nothing lies over the panes.
    Normal,
    /// In the list of replicas.
    Replicas,
    /// In the grid of instances.
    Instances,
    /// In the list of what can be delivered.
    Messages,
    /// In the trace.
    Trace,
    /// On the screen of the space-time diagram.
    SpaceTime,
    /// On the screen of the graph.
    Graph,
    /// Where a question is answered.
    Why,
    /// In the list of what was executed.
    Execution,
    /// On the log screen.
    Log,
    /// Among the links and replicas of the faults screen.
    Faults,
    /// On the checks screen.
    Checks,
    /// Where a lesson is told, or lessons are listed.
    Lesson,
    /// While a command is typed.
    Prompt,
    /// While a filter is typed.
    Filter,
    /// While the palette is open.
    Palette,
    /// While output lies over the panes.
    Output,
}

impl Context {
    /// All contexts.
    pub const ALL: [Context; 18] = [
        Self::Always,
        Self::Normal,
        Self::Replicas,
        Self::Instances,
        Self::Messages,
        Self::Trace,
        Self::SpaceTime,
        Self::Graph,
        Self::Why,
        Self::Execution,
        Self::Log,
        Self::Faults,
        Self::Checks,
        Self::Lesson,
        Self::Prompt,
        Self::Filter,
        Self::Palette,
        Self::Output,
    ];

    /// The name that stands for it in a file of keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Normal => "normal",
            Self::Replicas => "replicas",
            Self::Instances => "instances",
            Self::Messages => "messages",
            Self::Trace => "trace",
            Self::SpaceTime => "space-time",
            Self::Graph => "graph",
            Self::Why => "why",
            Self::Execution => "execution",
            Self::Log => "log",
            Self::Faults => "faults",
            Self::Checks => "checks",
            Self::Lesson => "lesson",
            Self::Prompt => "prompt",
            Self::Filter => "filter",
            Self::Palette => "palette",
            Self::Output => "output",
        }
    }

    /// The context of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|context| context.name() == name)
    }

    /// Whether text may be typed while it holds.
    pub fn is_typed_in(self) -> bool {
        matches!(self, Self::Always | Self::Prompt | Self::Filter | Self::Palette)
    }
}

/// One key, with Ctrl or without. Shift is part of the character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    code: KeyCode,
    ctrl: bool,
}

impl Key {
    /// The key that was pressed, if it is one that the table could hold.
    pub fn pressed(event: &KeyEvent) -> Option<Self> {
        let rest = event.modifiers - KeyModifiers::SHIFT - KeyModifiers::CONTROL;
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let code = match event.code {
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            KeyCode::Char(c) if ctrl => KeyCode::Char(c.to_ascii_lowercase()),
            code => code,
        };
        rest.is_empty().then_some(Self { code, ctrl })
    }

    /// The event that pressing the key makes.
    pub fn event(self) -> KeyEvent {
        let modifiers = if self.ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        KeyEvent::new(self.code, modifiers)
    }

    /// Whether pressing it types something.
    pub fn is_text(self) -> bool {
        matches!(self.code, KeyCode::Char(_)) && !self.ctrl
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("Ctrl-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) if self.ctrl => write!(f, "{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(number) => write!(f, "F{number}"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            code => write!(f, "{code:?}"),
        }
    }
}

/// What some keys do somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Where it holds.
    pub context: Context,
    /// The keys, the one to be shown first; there may be none.
    pub keys: Vec<Key>,
    /// What they do.
    pub deed: Deed,
    /// One or two words for the footer; nothing where it is not to be listed there.
    pub hint: &'static str,
    /// A sentence for the palette.
    pub about: &'static str,
}

impl Binding {
    /// The key to be shown.
    pub fn key(&self) -> String {
        self.keys.first().map(ToString::to_string).unwrap_or_default()
    }
}

/// All keys. The order within a context is that of the footer and the palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    bindings: Vec<Binding>,
}

impl Default for Keys {
    fn default() -> Self {
        let bindings = TABLE.iter().map(|row| Binding {
            context: row.context,
            keys: row.keys.to_vec(),
            deed: row.deed,
            hint: row.hint,
            about: row.about,
        });
        Self { bindings: bindings.collect() }
    }
}

impl Keys {
    /// All that is bound in a context.
    pub fn of(&self, context: Context) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |binding| binding.context == context)
    }

    /// What a key does in the first of `contexts` that binds it.
    pub fn deed(&self, key: Key, contexts: &[Context]) -> Option<Deed> {
        contexts.iter().find_map(|context| {
            let bound = self.of(*context).find(|binding| binding.keys.contains(&key));
            bound.map(|binding| binding.deed)
        })
    }

    /// The key that does a deed in a context, to be shown; nothing where there is none.
    pub fn key(&self, context: Context, deed: Deed) -> String {
        let bound = self.of(context).find(|binding| binding.deed == deed);
        bound.map(Binding::key).unwrap_or_default()
    }

    /// What a deed does, in a sentence. Where it means different things in different places, what it
    /// means wherever nothing else is said.
    pub fn about(&self, deed: Deed) -> &'static str {
        if deed == Deed::Open {
            return "Open, deliver or type about what is selected";
        }
        let bindings = || self.bindings.iter().filter(|binding| binding.deed == deed);
        let normal = bindings().find(|binding| binding.context == Context::Normal);
        normal.or_else(|| bindings().next()).map_or("", |binding| binding.about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keys::table::{BACK_TAB, UP, char, ctrl};

    #[test]
    fn no_key_is_bound_twice_in_a_context() {
        for context in Context::ALL {
            let table = Keys::default();
            let keys: Vec<Key> = table.of(context).flat_map(|own| own.keys.clone()).collect();
            for (index, key) in keys.iter().enumerate() {
                assert!(!keys[..index].contains(key), "{key} is bound twice in {context:?}");
            }
        }
    }

    /// What holds always would be shadowed by any other binding of the key, or shadow it.
    #[test]
    fn keys_that_hold_always_are_bound_nowhere_else() {
        let table = Keys::default().bindings;
        let always = table.iter().filter(|binding| binding.context == Context::Always);
        for key in always.flat_map(|binding| &binding.keys) {
            let other = table
                .iter()
                .find(|other| other.context != Context::Always && other.keys.contains(key));
            assert!(other.is_none(), "{key} is bound again in {:?}", other.map(|o| o.context));
        }
    }

    #[test]
    fn text_keys_are_free_where_text_is_typed() {
        let typed_in = Context::ALL.into_iter().filter(|context| context.is_typed_in());
        for context in typed_in {
            for key in Keys::default().of(context).flat_map(|binding| &binding.keys) {
                assert!(!key.is_text(), "{key} cannot be typed in {context:?}");
            }
        }
    }

    #[test]
    fn every_deed_can_be_reached() {
        for deed in Deed::all() {
            let bound = TABLE.iter().any(|binding| binding.deed == deed);
            assert!(bound, "no key does {deed:?}");
        }
    }

    /// A file names a binding by its context and its deed.
    #[test]
    fn no_deed_is_bound_twice_in_a_context() {
        for (index, row) in TABLE.iter().enumerate() {
            let mut before = TABLE[..index].iter();
            assert!(!before.any(|own| (own.context, own.deed) == (row.context, row.deed)));
        }
    }

    #[test]
    fn keys_are_recognised_as_terminals_send_them() {
        let shifted = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(Key::pressed(&shifted), Some(char('G')));
        let back = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(Key::pressed(&back), Some(BACK_TAB));
        assert_eq!(Key::pressed(&KeyEvent::new(KeyCode::Char('x'), KeyModifiers::ALT)), None);
        assert_eq!([ctrl('u').to_string(), UP.to_string()], ["Ctrl-U", "↑"]);
    }
}
