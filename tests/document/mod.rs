//! Reads the documents, so that tests can hold them to what they say.

use std::fs;
use std::path::Path;

/// The text of a document.
pub fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of a document below a heading, up to the next heading of that level or above.
#[allow(dead_code, reason = "not every test that reads documents looks at one part")]
pub fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let start = document
        .find(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("there is no \"{heading}\""));
    let body = &document[start + heading.len() + 2..];
    let level = heading.bytes().take_while(|byte| *byte == b'#').count();
    let ends = (1..=level).filter_map(|level| body.find(&format!("\n{} ", "#".repeat(level))));
    &body[..ends.min().unwrap_or(body.len())]
}

/// The fenced blocks of one language.
pub fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("\n```{language}\n");
    let body = |part: &'a str| part.split("\n```").next().expect("a split has a first part");
    text.split(open.as_str()).skip(1).map(body).collect()
}

/// The rows of the tables, without the headings, as cells without their backticks.
#[allow(dead_code, reason = "not every test that reads documents reads tables")]
pub fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
    let is_heading = |index: usize| lines.get(index + 1).is_some_and(|next| next.starts_with("|-"));
    let bodies = lines
        .iter()
        .enumerate()
        .filter(|(index, line)| !line.starts_with("|-") && !is_heading(*index));
    bodies.map(|(_, line)| cells(line)).collect()
}
