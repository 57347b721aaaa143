//! Text that fits into columns.

use std::time::Duration;

use ratatui::style::Style;
use ratatui::text::Span;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::epaxos::attributes::Attributes;
use crate::epaxos::message::Message;
use crate::tui::glyphs;

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text without control characters, cut so that it takes at most `columns`.
pub fn cut(text: &str, columns: usize) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if text.width() <= columns {
        return text;
    }
    let mut kept = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let width = grapheme.width();
        if used + width + 1 > columns {
            break;
        }
        used += width;
        kept.push_str(grapheme);
    }
    if columns > 0 {
        kept.push(glyphs::CUT);
    }
    kept
}

/// The text in exactly `columns`, to the left.
pub fn left(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let space = columns.saturating_sub(text.width());
    text + &" ".repeat(space)
}

/// The text in exactly `columns`, to the right.
pub fn right(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    " ".repeat(columns.saturating_sub(text.width())) + &text
}

/// A span of exactly `columns`, to the left.
pub fn cell(text: &str, columns: usize, style: Style) -> Span<'static> {
    Span::styled(left(text, columns), style)
}

/// A span of exactly `columns`, to the right.
pub fn number(text: &str, columns: usize, style: Style) -> Span<'static> {
    Span::styled(right(text, columns), style)
}

/// Attributes as they are written in tables: `s2 {R4.1}`.
pub fn short(attributes: &Attributes) -> String {
    format!("s{} {}", attributes.seq, attributes.deps)
}

/// What a message says of its instance, in short.
pub fn short_message(message: &Message) -> String {
    message.attributes().map(short).unwrap_or_default()
}

/// A number of microseconds as people read it.
pub fn micros(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros}µs"),
        1_000..1_000_000 => format!("{}.{}ms", micros / 1_000, micros / 100 % 10),
        _ => format!("{}.{}s", micros / 1_000_000, micros / 100_000 % 10),
    }
}

/// A duration in microseconds or more, as people read it.
pub fn duration(duration: Duration) -> String {
    micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

/// A line of the trace in at most `columns`: as it is if it fits, otherwise with what can be seen
/// elsewhere left out, and at last cut, but never the reason in parentheses at its end.
pub fn trace(line: &str, columns: usize) -> String {
    let mut line = line.to_owned();
    for replacements in SHORTER {
        if width(&line) <= columns {
            return line;
        }
        for (long, short) in *replacements {
            line = line.replacen(long, short, 1);
        }
    }
    let reason = line.rfind(" (").filter(|at| 3 * width(&line[*at..]) <= 2 * columns);
    match reason {
        Some(at) if width(&line) > columns => {
            let (told, reason) = line.split_at(at);
            cut(told, columns - width(reason)) + reason
        }
        _ => cut(&line, columns),
    }
}

/// What lines of the trace can be shortened by, one after another.
const SHORTER: &[&[(&str, &str)]] = &[
    &[("(in a component of ", "(component of ")],
    &[(" seq=", " s"), (" deps={", " {")],
    &[
        ("(slow path: ", "(slow: "),
        ("(fast path: ", "(fast: "),
        (" slow path)", " slow)"),
        (" fast path)", " fast)"),
        (" hold the proposal)", " alike)"),
    ],
];

/// A number of things: `1 step`, `2 steps`.
pub fn counted(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Breaks text into lines of at most `columns`, between words where that can be.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let needed = line.width() + usize::from(!line.is_empty()) + word.width();
        if !line.is_empty() && needed > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.into_iter().map(|line| cut(&line, columns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_cut_by_what_is_seen() {
        assert_eq!(left("漢字", 3), "漢…");
        assert_eq!(left("e\u{301}tude", 4), "e\u{301}tu…");
        assert_eq!(right("12", 4), "  12");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
    }

    #[test]
    fn a_line_of_the_trace_keeps_its_reason() {
        let line = "R4 R4.0 accepted seq=2 deps={R0.0} (slow path: attributes differ)";
        assert_eq!(trace(line, 66), line);
        assert_eq!(trace(line, 55), "R4 R4.0 accepted s2 {R0.0} (slow: attributes differ)");
        let line = "R1 R1.30 executed put hot aaaaaaaaaaaaaaaaaaaa = ok (in a component of 43)";
        assert_eq!(
            trace(line, 55),
            "R1 R1.30 executed put hot aaaaaaaaaaaa… (component of 43)".replacen(
                "aaaaaaaaaaaa",
                "aaaaaaaaaa",
                1
            )
        );
        assert_eq!(trace("R1 ← R0 PreAccept", 7), "R1 ← R…");
    }

    #[test]
    fn times_are_short() {
        assert_eq!([micros(7), micros(1_234), micros(21_000_000)], ["7µs", "1.2ms", "21.0s"]);
    }

    proptest! {
        #[test]
        fn a_cell_is_as_wide_as_it_should_be(text in "\\PC{0,12}", columns in 0usize..9) {
            prop_assert_eq!(width(&left(&text, columns)), columns);
            prop_assert_eq!(width(&right(&text, columns)), columns);
        }
    }
}
