//! Words for people, fit for one line of a file.

use std::sync::Arc;

use crate::epaxos::command::Payload;
use crate::observe::log::Entry;
use crate::observe::trace::Line;
use crate::observe::view::View;

/// The text on one line, and not more of it than anybody reads.
pub fn one_line(text: &str, most: usize) -> String {
    let plain = |c: char| {
        // Whoever reads lines takes the last two for ends of them.
        if c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c) { ' ' } else { c }
    };
    let mut line: String = text.chars().map(plain).take(most).collect();
    if text.chars().nth(most).is_some() {
        line.pop();
        line.push('…');
    }
    line
}

/// All that the trace says of an entry, on one line.
pub fn entry(entry: &Arc<Entry>, most: usize) -> String {
    let mut told = String::new();
    for line in Line::of(entry, 0) {
        if told.len() > most * BYTES_A_CHARACTER {
            break;
        }
        if !told.is_empty() {
            told.push_str("; ");
        }
        told.push_str(&line.to_string());
    }
    if told.is_empty() {
        told = format!("{} {}", entry.step.replica, entry.step.decision.name());
    }
    one_line(&told, most)
}

/// What an instance carries: a batch by its first operation.
pub fn payload(payload: &Payload, most: usize) -> String {
    let mut operations = payload.operations();
    let Some(first) = operations.next() else { return payload.to_string() };
    let first = one_line(&first.to_string(), most);
    match operations.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// What the log no longer has, where it has let go of anything.
pub fn let_go(view: &View) -> Option<String> {
    match view.log.forgotten() {
        0 => None,
        1 => Some("1 entry before these is no longer kept".to_owned()),
        gone => Some(format!("{gone} entries before these are no longer kept")),
    }
}

/// How many steps nobody saw, where there are any.
pub fn unseen(view: &View) -> Option<String> {
    match view.total().unseen {
        0 => None,
        unseen => Some(format!("{unseen} steps went unseen")),
    }
}

/// No character takes more.
const BYTES_A_CHARACTER: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_not_too_long() {
        assert_eq!(one_line("a\nb\r\u{2028}c\u{85}", 20), "a b  c ");
        assert_eq!(one_line("ключ", 4), "ключ");
        assert_eq!(one_line("ключи", 4), "клю…");
    }
}
