//! Arrows between lanes.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use crate::tui::panel::space_time::lanes::{End, Lanes};
use crate::tui::panel::space_time::words::fitting;
use crate::tui::panel::text;

/// What became of what an arrow stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Arrived,
    /// It was thrown away where it arrived.
    Dropped,
    /// It never arrived.
    Lost,
    /// It was doubled where it arrived.
    Doubled,
    /// It is on its way.
    InFlight,
    /// It arrived by way of a lane that is hidden.
    Through,
}

/// How an arrow is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// What became of it.
    pub fate: Fate,
    /// The line.
    pub line: Style,
    /// What is written along it.
    pub label: Style,
}

impl Fate {
    fn is_dotted(self) -> bool {
        matches!(self, Self::InFlight | Self::Through | Self::Doubled)
    }

    fn head(self, rightwards: bool) -> &'static str {
        match (self, rightwards) {
            (Self::Dropped | Self::Lost, _) => "x",
            (Self::Doubled, _) => "2",
            (Self::InFlight, true) => "▷",
            (Self::InFlight, false) => "◁",
            (_, true) => "►",
            (_, false) => "◄",
        }
    }
}

/// Draws an arrow in a line of the screen, with the first of `labels` for which there is room. The
/// mark at its end is whoever's who calls.
pub fn draw(
    buffer: &mut Buffer,
    lanes: &Lanes,
    y: u16,
    ends: (End, End),
    labels: &[String],
    look: Look,
) {
    let (Some(from), Some(to)) = (column(lanes, ends.0), column(lanes, ends.1)) else { return };
    if from == to {
        return;
    }
    let rightwards = from < to;
    let (low, high) = (from.min(to), from.max(to));
    // What never arrived ends half-way.
    let (low, high) = match (look.fate, rightwards) {
        (Fate::Lost, true) => (low, low + (high - low).div_ceil(2)),
        (Fate::Lost, false) => (high - (high - low).div_ceil(2), high),
        _ => (low, high),
    };
    let dash = if look.fate.is_dotted() { "┄" } else { "─" };
    for x in low + 1..high {
        let crossing = lanes.seen.iter().any(|(_, lane)| *lane == x) && !look.fate.is_dotted();
        put(buffer, lanes, x, y, if crossing { "┼" } else { dash }, look.line);
    }
    let room = usize::from(high - low).saturating_sub(4);
    let label = fitting(labels, room);
    let start = if rightwards { low + 2 } else { low + 3 };
    write(buffer, lanes, start, y, &label, look.label);
    let (tail, tail_at) = if rightwards { ("├", from) } else { ("┤", from) };
    // What is on its way has left its sender's lane as it was.
    if look.fate != Fate::InFlight && matches!(ends.0, End::At(_)) {
        put(buffer, lanes, tail_at, y, tail, look.line);
    }
    let head_at = match (look.fate, rightwards) {
        (Fate::Lost, true) => high,
        (Fate::Lost, false) => low,
        (_, true) => high.saturating_sub(1),
        (_, false) => low + 1,
    };
    put(buffer, lanes, head_at, y, look.fate.head(rightwards), look.label);
}

/// Whether both ends are off the screen on the same side, so that there is no arrow to be seen.
pub fn is_off(ends: (End, End)) -> bool {
    matches!(ends, (End::Left, End::Left) | (End::Right, End::Right))
}

/// Tells of something that is off the screen at the edge beyond which it is.
pub fn aside(buffer: &mut Buffer, lanes: &Lanes, y: u16, end: End, told: &str, style: Style) {
    let start = lanes.client + 2;
    let room = usize::from(lanes.area.right().saturating_sub(start));
    match end {
        End::Right => {
            let told = text::cut(&format!("{told} ►"), room);
            let width = u16::try_from(text::width(&told)).unwrap_or(0);
            write(buffer, lanes, lanes.area.right().saturating_sub(width), y, &told, style);
        }
        _ => write(buffer, lanes, start, y, &format!("◄ {told}"), style),
    }
}

/// The column of an end; the edge where it is off the screen.
fn column(lanes: &Lanes, end: End) -> Option<u16> {
    match end {
        End::At(column) => Some(column),
        End::Left => Some(lanes.client + 2),
        End::Right => Some(lanes.area.right().saturating_sub(1)),
        End::Hidden => None,
    }
}

/// Draws one cell.
pub fn put(buffer: &mut Buffer, lanes: &Lanes, x: u16, y: u16, symbol: &str, style: Style) {
    if lanes.contains(buffer, x, y) {
        // What was there before shows in no way.
        buffer[(x, y)].set_style(Style::reset()).set_symbol(symbol).set_style(style);
    }
}

/// Writes a text, as much of it as there is room for.
pub fn write(buffer: &mut Buffer, lanes: &Lanes, x: u16, y: u16, text: &str, style: Style) {
    if !lanes.contains(buffer, x, y) {
        return;
    }
    let room = usize::from(lanes.area.right().saturating_sub(x));
    buffer.set_stringn(x, y, text::cut(text, room), room, Style::reset().patch(style));
}
