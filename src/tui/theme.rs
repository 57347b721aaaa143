//! What things look like: roles mapped to the terminal's own colours.
//!
//! Only the sixteen named colours and the terminal's default are used, so that whatever palette a
//! person chose for the terminal is kept. The background is never painted: a selection is reversed
//! and marked. Nothing is told by colour alone; [`Theme::Mono`] has none.

use ratatui::style::{Color, Modifier, Style};

use crate::epaxos::instance::{Path, Phase};

/// Which colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// For light text on a dark background.
    #[default]
    Dark,
    /// For dark text on a light background.
    Light,
    /// Bold, dim and reversed only.
    Mono,
}

impl Theme {
    /// All themes.
    pub const ALL: [Theme; 3] = [Self::Dark, Self::Light, Self::Mono];

    /// What suits the terminal: none where `NO_COLOR` is set, otherwise by its background.
    pub fn detect() -> Self {
        use terminal_colorsaurus::{QueryOptions, ThemeMode, theme_mode};
        if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return Self::Mono;
        }
        match theme_mode(QueryOptions::default()) {
            Ok(ThemeMode::Light) => Self::Light,
            Ok(ThemeMode::Dark) | Err(_) => Self::Dark,
        }
    }

    fn color(self, dark: Color, light: Color) -> Style {
        match self {
            Self::Dark => Style::new().fg(dark),
            Self::Light => Style::new().fg(light),
            Self::Mono => Style::new(),
        }
    }

    /// Ordinary text.
    pub fn text(self) -> Style {
        Style::new()
    }

    /// What matters less.
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What matters more.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Headings of columns.
    pub fn heading(self) -> Style {
        self.dim()
    }

    /// The frame of a pane.
    pub fn border(self, focused: bool) -> Style {
        if focused { self.accent() } else { self.dim() }
    }

    /// The title of a pane.
    pub fn title(self, focused: bool) -> Style {
        if focused { self.accent().add_modifier(Modifier::BOLD) } else { self.strong() }
    }

    /// Keys, and whatever leads somewhere.
    pub fn accent(self) -> Style {
        match self {
            Self::Mono => self.strong(),
            _ => self.color(Color::Cyan, Color::Blue),
        }
    }

    /// The selected row or cell.
    pub fn selection(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Something that the last step has changed.
    pub fn changed(self, style: Style) -> Style {
        style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// What went well.
    pub fn good(self) -> Style {
        self.color(Color::Green, Color::Green)
    }

    /// What deserves a look.
    pub fn notable(self) -> Style {
        match self {
            Self::Mono => self.strong(),
            _ => self.color(Color::Yellow, Color::Magenta),
        }
    }

    /// What went wrong.
    pub fn bad(self) -> Style {
        self.color(Color::LightRed, Color::Red).add_modifier(Modifier::BOLD)
    }

    /// An instance's phase.
    pub fn phase(self, phase: Phase) -> Style {
        match (self, phase) {
            (_, Phase::Initial) => self.dim(),
            (Self::Mono, Phase::Executed) => self.strong(),
            (Self::Mono, _) => self.text(),
            (_, Phase::PreAccepted) => self.color(Color::Yellow, Color::Blue),
            (_, Phase::Accepted) => self.color(Color::Magenta, Color::Magenta),
            (_, Phase::Committed) => self.color(Color::Cyan, Color::Cyan),
            (_, Phase::Executed) => self.good(),
        }
    }

    /// The way in which an instance was committed.
    pub fn path(self, path: Path) -> Style {
        match path {
            Path::Fast => self.good(),
            Path::Slow | Path::Recovery => self.notable(),
        }
    }
}
