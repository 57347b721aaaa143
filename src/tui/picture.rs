//! The screen as something to keep: as text, and as a drawing in SVG that looks like a terminal.
//!
//! The same buffer gives the same picture, byte for byte. [`svg`] is a whole file; [`frame`] is one
//! picture of several that lie over each other, for whoever wants to show them one after another.

use std::fmt::Write;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use crate::tui::app::App;
use crate::tui::panel;
use crate::tui::theme::Theme;

/// What the screen shows now.
pub fn of(app: &App) -> Buffer {
    let area = app.area();
    let backend = TestBackend::new(area.width, area.height);
    let mut terminal = Terminal::new(backend).expect("a buffer never fails");
    terminal.draw(|frame| panel::render(frame, app)).expect("a buffer never fails");
    terminal.backend().buffer().clone()
}

/// The characters, a line for each row, without spaces at the ends of lines.
pub fn text(buffer: &Buffer) -> String {
    let lines = (0..buffer.area.height).map(|row| {
        let line: String = cells(buffer, row).map(|(_, cell)| cell.symbol()).collect();
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

/// A drawing of the buffer, as a file of its own.
pub fn svg(buffer: &Buffer, theme: Theme) -> String {
    let (width, height) = size(buffer);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n{}</svg>\n",
        frame(buffer, theme)
    )
}

/// A drawing of the buffer without the file around it: one group, which covers what lies below. It
/// takes as much room as [`size`] says.
pub fn frame(buffer: &Buffer, theme: Theme) -> String {
    let paper = Paper::of(theme);
    let (width, height) = size(buffer);
    let mut drawing = format!(
        "<g font-family=\"{FONTS}\" font-size=\"{FONT_SIZE}\" fill=\"{}\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n",
        paper.text, paper.background
    );
    for row in 0..buffer.area.height {
        for run in runs(buffer, row, &paper) {
            run.draw(&mut drawing, row, &paper);
        }
    }
    drawing.push_str("</g>\n");
    drawing
}

/// How wide and how high a drawing is.
pub fn size(buffer: &Buffer) -> (u32, u32) {
    (u32::from(buffer.area.width) * CELL.0, u32::from(buffer.area.height) * CELL.1)
}

/// The cells of a row with their columns. A wide character covers the cell after it, which is left
/// out.
fn cells(buffer: &Buffer, row: u16) -> impl Iterator<Item = (u16, &Cell)> {
    let mut free = 0;
    let area = buffer.area;
    (0..area.width).filter_map(move |column| {
        let cell = &buffer[(area.x + column, area.y + row)];
        if column < free {
            return None;
        }
        free = column + columns(cell.symbol());
        Some((column, cell))
    })
}

/// How many columns a symbol takes; one that takes none has a cell to itself all the same.
fn columns(symbol: &str) -> u16 {
    u16::try_from(symbol.width()).unwrap_or(1).max(1)
}

/// How a cell looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    ink: &'static str,
    ground: Option<&'static str>,
    bold: bool,
    dim: bool,
    underlined: bool,
}

impl Look {
    fn of(cell: &Cell, paper: &Paper) -> Self {
        let has = |modifier| cell.modifier.contains(modifier);
        let ink = paper.ink(cell.fg);
        let ground = paper.ink(cell.bg);
        let (ink, ground) = if has(Modifier::REVERSED) {
            (ground.unwrap_or(paper.background), Some(ink.unwrap_or(paper.text)))
        } else {
            (ink.unwrap_or(paper.text), ground)
        };
        Self {
            ink,
            ground,
            bold: has(Modifier::BOLD),
            dim: has(Modifier::DIM),
            underlined: has(Modifier::UNDERLINED),
        }
    }

    /// Whether even a space can be seen.
    fn shows_spaces(self) -> bool {
        self.ground.is_some() || self.underlined
    }
}

/// What of a row can be drawn as one text. Fonts do not agree on how wide a line, an arrow or a
/// Chinese character is, so these are not drawn together with letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Letters,
    Signs,
    /// Each by itself.
    Wide(u16),
}

/// Neighbours that look alike.
struct Run {
    column: u16,
    columns: u16,
    look: Look,
    script: Script,
    text: String,
}

fn runs(buffer: &Buffer, row: u16, paper: &Paper) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (column, cell) in cells(buffer, row) {
        let symbol = cell.symbol();
        let (look, width) = (Look::of(cell, paper), columns(symbol));
        let script = match width {
            1 if symbol.is_ascii() => Script::Letters,
            1 => Script::Signs,
            _ => Script::Wide(column),
        };
        match runs.last_mut() {
            Some(last) if (last.look, last.script) == (look, script) => {
                last.columns += width;
                last.text.push_str(symbol);
            }
            _ => runs.push(Run { column, columns: width, look, script, text: symbol.to_owned() }),
        }
    }
    runs.into_iter().filter_map(Run::trimmed).collect()
}

impl Run {
    /// The run without spaces that nobody sees; nothing where that is all there is.
    fn trimmed(mut self) -> Option<Self> {
        if self.look.shows_spaces() {
            return Some(self);
        }
        let cut = |text: &str| u16::try_from(self.text.len() - text.len()).unwrap_or(0);
        let (before, after) =
            (cut(self.text.trim_start_matches(' ')), cut(self.text.trim_end_matches(' ')));
        if before == self.columns {
            return None;
        }
        self.column += before;
        self.columns -= before + after;
        self.text = self.text.trim_matches(' ').into();
        Some(self)
    }

    fn has_spaces_to_keep(&self) -> bool {
        self.text.starts_with(' ') || self.text.ends_with(' ') || self.text.contains("  ")
    }

    fn draw(&self, drawing: &mut String, row: u16, paper: &Paper) {
        let Look { ink, ground, bold, dim, underlined } = self.look;
        let (x, y) = (u32::from(self.column) * CELL.0, u32::from(row) * CELL.1);
        let width = u32::from(self.columns) * CELL.0;
        if let Some(ground) = ground {
            let height = CELL.1;
            put(
                drawing,
                format_args!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{ground}\"/>\n"
                ),
            );
        }
        if self.text.trim().is_empty() && !underlined {
            return;
        }
        put(drawing, format_args!("<text x=\"{x}\" y=\"{}\" textLength=\"{width}\"", y + BASELINE));
        // Letters of a font that is a little wider are moved together; lines must also meet.
        if self.script == Script::Signs && self.columns > 1 {
            drawing.push_str(" lengthAdjust=\"spacingAndGlyphs\"");
        }
        if ink != paper.text {
            put(drawing, format_args!(" fill=\"{ink}\""));
        }
        for (set, attribute) in [
            (bold, " font-weight=\"bold\""),
            (dim, " fill-opacity=\"0.6\""),
            (underlined, " text-decoration=\"underline\""),
            // Not all that draw SVG inherit it, so each text has its own, if it needs any.
            (self.has_spaces_to_keep(), " xml:space=\"preserve\""),
        ] {
            drawing.push_str(if set { attribute } else { "" });
        }
        drawing.push('>');
        self.text.chars().for_each(|c| escape(drawing, c));
        drawing.push_str("</text>\n");
    }
}

fn put(drawing: &mut String, text: std::fmt::Arguments) {
    drawing.write_fmt(text).expect("a string takes everything");
}

/// A character as XML has it. What XML cannot have at all is shown as what cannot be shown.
fn escape(drawing: &mut String, c: char) {
    match c {
        '&' => drawing.push_str("&amp;"),
        '<' => drawing.push_str("&lt;"),
        '>' => drawing.push_str("&gt;"),
        '"' => drawing.push_str("&quot;"),
        c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => drawing.push('\u{fffd}'),
        c => drawing.push(c),
    }
}

/// What is drawn on, and the sixteen colours on it.
struct Paper {
    background: &'static str,
    text: &'static str,
    /// Black, red, green, yellow, blue, magenta, cyan, white; then their bright twins.
    colours: [&'static str; 16],
}

impl Paper {
    fn of(theme: Theme) -> Self {
        match theme {
            Theme::Dark | Theme::Mono => Self {
                background: "#0d1117",
                text: "#e6edf3",
                colours: [
                    "#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf",
                    "#b1bac4", "#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff",
                    "#56d4dd", "#ffffff",
                ],
            },
            Theme::Light => Self {
                background: "#ffffff",
                text: "#1f2328",
                colours: [
                    "#24292f", "#cf222e", "#116329", "#4d2d00", "#0969da", "#8250df", "#1b7c83",
                    "#6e7781", "#57606a", "#a40e26", "#1a7f37", "#633c01", "#218bff", "#a475f9",
                    "#3192aa", "#8c959f",
                ],
            },
            Theme::Contrast => Self {
                background: "#000000",
                text: "#ffffff",
                colours: [
                    "#000000", "#ff5f5f", "#00d75f", "#ffd75f", "#5fafff", "#ff87ff", "#5fffff",
                    "#dadada", "#8a8a8a", "#ff8787", "#5fff87", "#ffff5f", "#87d7ff", "#ffafff",
                    "#87ffff", "#ffffff",
                ],
            },
        }
    }

    /// A named colour; none for the paper's own. Others are not used.
    fn ink(&self, color: Color) -> Option<&'static str> {
        let index = match color {
            Color::Black => 0,
            Color::Red => 1,
            Color::Green => 2,
            Color::Yellow => 3,
            Color::Blue => 4,
            Color::Magenta => 5,
            Color::Cyan => 6,
            Color::Gray => 7,
            Color::DarkGray => 8,
            Color::LightRed => 9,
            Color::LightGreen => 10,
            Color::LightYellow => 11,
            Color::LightBlue => 12,
            Color::LightMagenta => 13,
            Color::LightCyan => 14,
            Color::White => 15,
            Color::Indexed(index) => usize::from(index),
            Color::Reset | Color::Rgb(..) => return None,
        };
        self.colours.get(index).copied()
    }
}

/// How wide and how high a cell is.
const CELL: (u32, u32) = (9, 18);

/// How high letters are. Those of most fonts are six tenths as wide, and so fill a cell.
const FONT_SIZE: u32 = 15;

/// How far below the top of a cell its letters stand.
const BASELINE: u32 = 14;

/// The first has all lines and arrows, and is known to those who draw pictures without a browser.
const FONTS: &str = "DejaVu Sans Mono, Menlo, Consolas, Liberation Mono, monospace";

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn buffer(lines: &[(&str, Style)]) -> Buffer {
        let rows = u16::try_from(lines.len()).unwrap();
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, rows));
        for ((line, style), row) in lines.iter().zip(0..) {
            buffer.set_string(0, row, line, *style);
        }
        buffer
    }

    /// The texts of a drawing, each with its column and row.
    fn texts(drawing: &str) -> Vec<(u32, u32, String)> {
        let document = roxmltree::Document::parse(drawing).expect("XML");
        let texts = document.descendants().filter(|node| node.has_tag_name("text"));
        let number = |node: &roxmltree::Node, name| node.attribute(name).unwrap().parse().unwrap();
        let place = |node: roxmltree::Node| {
            let (x, y): (u32, u32) = (number(&node, "x"), number(&node, "y"));
            (x / CELL.0, y / CELL.1, node.text().unwrap().to_owned())
        };
        texts.map(place).collect()
    }

    #[test]
    fn what_xml_keeps_for_itself_is_escaped() {
        let buffer = buffer(&[("<a & \"b\"> ]>", Style::new())]);
        let drawing = svg(&buffer, Theme::Dark);
        assert!(drawing.contains("&lt;a &amp; &quot;b&quot;&gt; ]&gt;"));
        assert_eq!(texts(&drawing), [(0, 0, "<a & \"b\"> ]>".to_owned())]);
    }

    #[test]
    fn wide_characters_take_two_columns_and_signs_are_drawn_apart() {
        let buffer = buffer(&[("a漢字b→ c  d", Style::new())]);
        assert_eq!(text(&buffer), "a漢字b→ c  d\n");
        let drawn = texts(&svg(&buffer, Theme::Light));
        let drawn: Vec<(u32, &str)> = drawn.iter().map(|(x, _, text)| (*x, &**text)).collect();
        assert_eq!(drawn, [(0, "a"), (1, "漢"), (3, "字"), (5, "b"), (6, "→"), (8, "c  d")]);
    }

    #[test]
    fn looks_are_drawn() {
        let style = Style::new().fg(Color::Red);
        let buffer = buffer(&[
            ("bold", style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED)),
            ("dim", Style::new().add_modifier(Modifier::DIM)),
            ("on  red", style.add_modifier(Modifier::REVERSED)),
        ]);
        let drawing = frame(&buffer, Theme::Dark);
        for part in [
            " fill=\"#ff7b72\" font-weight=\"bold\" text-decoration=\"underline\">bold<",
            " fill-opacity=\"0.6\">dim<",
            "<rect x=\"0\" y=\"36\" width=\"63\" height=\"18\" fill=\"#ff7b72\"/>",
            " fill=\"#0d1117\" xml:space=\"preserve\">on  red<",
        ] {
            assert!(drawing.contains(part), "{part}: {drawing}");
        }
        assert!(drawing.starts_with("<g ") && drawing.ends_with("</g>\n"));
        assert_eq!(drawing, frame(&buffer, Theme::Dark));
    }
}
