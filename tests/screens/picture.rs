//! A screen as text that can be compared: its characters, then its styles, run by run.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Style};

/// The characters, a line for each row, trailing spaces cut off.
pub fn text(buffer: &Buffer) -> String {
    let rows = (0..buffer.area.height).map(|row| {
        let mut line = String::new();
        let mut hidden = 0;
        for column in 0..buffer.area.width {
            let symbol = buffer[(column, row)].symbol();
            // A wide character covers the cell after it, which is empty.
            if hidden == 0 {
                line.push_str(symbol);
            }
            let width = unicode_width::UnicodeWidthStr::width(symbol);
            hidden = if hidden > 0 { hidden - 1 } else { width.saturating_sub(1) };
        }
        line.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// The characters, and below them for each row that is not plain throughout its runs of style, such
/// as `3: 2-5 Cyan bold`.
pub fn with_styles(buffer: &Buffer) -> String {
    let mut lines = vec![text(buffer), "--- styles ---".to_owned()];
    for row in 0..buffer.area.height {
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for column in 0..buffer.area.width {
            let name = name(buffer[(column, row)].style());
            match runs.last_mut() {
                Some((_, end, last)) if *last == name => *end = column,
                _ => runs.push((column, column, name)),
            }
        }
        let runs: Vec<String> = runs
            .into_iter()
            .filter(|(.., name)| !name.is_empty())
            .map(|(start, end, name)| format!("{start}-{end} {name}"))
            .collect();
        if !runs.is_empty() {
            lines.push(format!("{row}: {}", runs.join(", ")));
        }
    }
    lines.join("\n")
}

fn name(style: Style) -> String {
    let mut words = Vec::new();
    let color = |color: Option<Color>| color.filter(|color| *color != Color::Reset);
    words.extend(color(style.fg).map(|color| color.to_string()));
    words.extend(color(style.bg).map(|color| format!("on {color}")));
    if !style.add_modifier.is_empty() {
        words.push(format!("{:?}", style.add_modifier).to_lowercase().replace(" | ", " "));
    }
    words.join(" ")
}
