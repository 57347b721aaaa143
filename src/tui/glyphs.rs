//! Twins of everything drawn that is not ASCII, for terminals and fonts without Unicode.
//!
//! Screens are drawn in Unicode; with `--ascii` the finished buffer is mapped, so that nothing can
//! be forgotten: borders, arrows in trace lines, pictures, and what people typed.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

/// Marks the selected row.
pub const SELECTED: &str = "►";
/// Stands for text that was cut off.
pub const CUT: char = '…';
/// From one replica to another.
pub const TO: &str = "→";
/// The world is paused.
pub const PAUSED: &str = "‖";
/// The world runs.
pub const RUNNING: &str = "▶";
/// The past is looked at.
pub const BACK: &str = "◄";
/// A decision on the timeline.
pub const DECISION: &str = "●";
/// Levels of a small bar chart, lowest first.
pub const BARS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Replaces whatever is not ASCII.
pub fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol().is_ascii() {
            continue;
        }
        let width = cell.symbol().width();
        // A wide character is one cell and an empty one after it; the twin is as wide.
        if width > 1 {
            cell.set_symbol("??");
        } else {
            let first = cell.symbol().chars().next().unwrap_or(' ');
            cell.set_char(twin(first));
        }
    }
}

/// The ASCII character that stands for `c`, of the same width.
pub fn twin(c: char) -> char {
    match c {
        c if c.is_ascii() => c,
        '─' | '━' | '═' | '╌' | '╶' | '╴' | '–' | '⇥' | '▂' | '▃' => '-',
        '│' | '┃' | '║' | '┊' | '┆' | '╎' | '‖' => '|',
        '→' | '►' | '▶' | '▷' | '⇢' | '»' | '⇉' => '>',
        '←' | '◄' | '◀' | '◁' | '⇠' | '«' => '<',
        '↑' | '▲' | '⇡' => '^',
        '↓' | '▼' | '⇣' => 'v',
        '●' | '◍' | '◆' | '•' => '*',
        '○' => 'o',
        'µ' => 'u',
        '≠' => '!',
        '·' | '▁' | '┄' => '.',
        '…' => '~',
        '▄' | '▅' => '=',
        '▆' | '▇' | '█' | '▒' | '▓' | '░' => '#',
        '✓' => 'y',
        '×' | '✗' => 'x',
        '▏' => '_',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '╔' | '╗' | '╚' | '╝' | '╠' | '╣'
        | '╦' | '╩' | '╬' | '╪' | '╫' | '╭' | '╮' | '╰' | '╯' | '╞' | '╡' | '╤' | '╧' | '╟'
        | '╢' | '╥' | '╨' => '+',
        _ => '?',
    }
}
