//! What things look like: roles mapped to the terminal's own colours.
//!
//! Only the sixteen named colours and the terminal's default are used, so that whatever palette a
//! person chose for the terminal is kept. The background is never painted: a selection is reversed
//! and marked. Nothing is told by colour alone; [`Theme::Mono`] has none, and [`Theme::Contrast`] no
//! text that is dimmed.

use std::time::Duration;

use ratatui::style::{Color, Modifier, Style};

use crate::epaxos::instance::{Path, Phase};

/// How long a terminal has to say what its background is, unless it is far away: one that does not
/// understand the question keeps the first frame waiting.
const ANSWER_WITHIN: Duration = Duration::from_millis(100);

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
    /// Bright, bold and never dim, on a dark background: for eyes or projectors that need it.
    Contrast,
}

impl Theme {
    /// All themes.
    pub const ALL: [Theme; 4] = [Self::Dark, Self::Light, Self::Mono, Self::Contrast];

    /// The theme's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
            Self::Contrast => "contrast",
        }
    }

    /// The theme of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }

    /// The one after it, and after the last the first.
    #[must_use]
    pub fn next(self) -> Self {
        let after = Self::ALL.into_iter().skip_while(|theme| *theme != self).nth(1);
        after.unwrap_or(Self::ALL[0])
    }

    /// What suits the terminal: none where `NO_COLOR` is set, otherwise by its background, and dark
    /// where it does not answer.
    pub fn detect() -> Self {
        use terminal_colorsaurus::{QueryOptions, ThemeMode, theme_mode};
        if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return Self::Mono;
        }
        let mut options = QueryOptions::default();
        if std::env::var_os("SSH_CONNECTION").is_none() {
            options.timeout = ANSWER_WITHIN;
        }
        match theme_mode(options) {
            Ok(ThemeMode::Light) => Self::Light,
            Ok(ThemeMode::Dark) | Err(_) => Self::Dark,
        }
    }

    /// A colour of the dark theme, and of the light one. High contrast is the brighter twin of the
    /// dark one, and bold.
    fn color(self, dark: Color, light: Color) -> Style {
        match self {
            Self::Dark => Style::new().fg(dark),
            Self::Light => Style::new().fg(light),
            Self::Mono => Style::new(),
            Self::Contrast => Style::new().fg(bright(dark)).add_modifier(Modifier::BOLD),
        }
    }

    /// Ordinary text.
    pub fn text(self) -> Style {
        Style::new()
    }

    /// What matters less.
    pub fn dim(self) -> Style {
        match self {
            Self::Contrast => Style::new(),
            _ => Style::new().add_modifier(Modifier::DIM),
        }
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
        let bold = if self == Self::Contrast { Modifier::BOLD } else { Modifier::empty() };
        Style::new().add_modifier(Modifier::REVERSED | bold)
    }

    /// Something that the last step has changed.
    pub fn changed(self, style: Style) -> Style {
        style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// What went well. Green is hard to read on white, so it is another colour there.
    pub fn good(self) -> Style {
        self.color(Color::Green, Color::Blue).patch(self.bold_if_light())
    }

    /// On white, where there are few colours to choose from, weight tells two uses of one apart.
    fn bold_if_light(self) -> Style {
        if self == Self::Light { self.strong() } else { Style::new() }
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
            (_, Phase::PreAccepted) => self.color(Color::Yellow, Color::Magenta),
            (_, Phase::Accepted) => {
                self.color(Color::Magenta, Color::Magenta).patch(self.bold_if_light())
            }
            (_, Phase::Committed) => self.color(Color::Cyan, Color::Blue),
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

fn bright(color: Color) -> Color {
    match color {
        Color::Red => Color::LightRed,
        Color::Green => Color::LightGreen,
        Color::Yellow => Color::LightYellow,
        Color::Blue => Color::LightBlue,
        Color::Magenta => Color::LightMagenta,
        Color::Cyan => Color::LightCyan,
        color => color,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every role, by name.
    fn roles(theme: Theme) -> Vec<(&'static str, Style)> {
        let phases = Phase::ALL.map(|phase| ("phase", theme.phase(phase)));
        let paths = [Path::Fast, Path::Slow, Path::Recovery].map(|path| ("path", theme.path(path)));
        let plain = [
            ("text", theme.text()),
            ("dim", theme.dim()),
            ("strong", theme.strong()),
            ("heading", theme.heading()),
            ("border", theme.border(false)),
            ("focused border", theme.border(true)),
            ("title", theme.title(false)),
            ("focused title", theme.title(true)),
            ("accent", theme.accent()),
            ("selection", theme.selection()),
            ("changed", theme.changed(theme.text())),
            ("good", theme.good()),
            ("notable", theme.notable()),
            ("bad", theme.bad()),
        ];
        plain.into_iter().chain(phases).chain(paths).collect()
    }

    #[test]
    fn what_must_stand_out_does_in_every_theme() {
        for theme in Theme::ALL {
            let must = ["bad", "notable", "selection", "strong", "accent", "changed"];
            for (name, style) in roles(theme) {
                assert!(!must.contains(&name) || style != theme.text(), "{name} in {theme:?}");
            }
            assert_ne!(theme.border(true), theme.border(false), "the focus in {theme:?}");
            assert_ne!(theme.bad(), theme.good(), "{theme:?}");
        }
    }

    #[test]
    fn only_a_selection_is_on_another_background() {
        for theme in Theme::ALL {
            for (name, style) in roles(theme) {
                assert_eq!(style.bg, None, "{name} in {theme:?}");
                let reversed = style.add_modifier.contains(Modifier::REVERSED);
                assert_eq!(reversed, name == "selection", "{name} in {theme:?}");
            }
        }
    }

    #[test]
    fn phases_differ_where_there_are_colours() {
        for theme in [Theme::Dark, Theme::Light, Theme::Contrast] {
            let styles = Phase::ALL.map(|phase| theme.phase(phase));
            for (index, style) in styles.iter().enumerate() {
                assert!(!styles[..index].contains(style), "{:?} in {theme:?}", Phase::ALL[index]);
            }
        }
    }

    #[test]
    fn high_contrast_dims_nothing_and_light_is_readable_on_white() {
        for (name, style) in roles(Theme::Contrast) {
            assert!(!style.add_modifier.contains(Modifier::DIM), "{name}");
        }
        let pale = [Color::Cyan, Color::Green, Color::Yellow, Color::White, Color::Gray];
        for (name, style) in roles(Theme::Light) {
            assert!(style.fg.is_none_or(|color| !pale.contains(&color)), "{name}");
        }
    }

    #[test]
    fn themes_follow_each_other_and_have_names() {
        for theme in Theme::ALL {
            assert_eq!(Theme::parse(theme.name()), Some(theme));
        }
        assert_eq!(Theme::Contrast.next(), Theme::Dark);
        assert_eq!(Theme::Dark.next(), Theme::Light);
    }
}
