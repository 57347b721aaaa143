//! What was seen of a run, as text that other programs read.
//!
//! ```text
//!                        ┌─► shiviz    who knew of what, for ShiViz
//!   View, its log ──────►├─► mermaid   who told whom, for Mermaid
//!                        │
//!   View, its replicas ─►├─► graph ──► dot, svg   who depends on whom
//!                        └─► csv       how often
//! ```
//!
//! Pure: the same view gives the same text. What the view has let go of, and what is too much for whoever
//! reads the text, is missing in it, and each format says how much that is.

mod components;
mod csv;
mod dot;
mod graph;
mod mermaid;
mod shiviz;
mod svg;
mod text;

use std::fmt;
use std::str::FromStr;

use crate::observe::view::View;

/// What a run can be written down as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The entries of the log with their vector clocks.
    Shiviz,
    /// The entries of the log as a sequence diagram.
    Mermaid,
    /// The dependency graph, to be laid out.
    Dot,
    /// The dependency graph, drawn.
    Svg,
    /// The counters.
    Csv,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 5] = [Self::Shiviz, Self::Mermaid, Self::Dot, Self::Svg, Self::Csv];

    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shiviz => "shiviz",
            Self::Mermaid => "mermaid",
            Self::Dot => "dot",
            Self::Svg => "svg",
            Self::Csv => "csv",
        }
    }

    /// What the names of such files end in.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Shiviz => "log",
            Self::Mermaid => "mmd",
            Self::Dot => "dot",
            Self::Svg => "svg",
            Self::Csv => "csv",
        }
    }

    /// What it is, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Shiviz => "the events with their vector clocks, for ShiViz",
            Self::Mermaid => "a sequence diagram, for Mermaid",
            Self::Dot => "the dependency graph, for Graphviz",
            Self::Svg => "the dependency graph, as a picture",
            Self::Csv => "the counters, as a table",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No format has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat(String);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Format::ALL.map(Format::name).join(", ");
        write!(f, "there is no format \"{}\"; there are {names}", self.0)
    }
}

impl std::error::Error for UnknownFormat {}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|format| format.name() == text);
        named.ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

/// Writes down what was seen.
pub fn export(format: Format, view: &View) -> String {
    match format {
        Format::Shiviz => shiviz::text(view),
        Format::Mermaid => mermaid::text(view),
        Format::Dot => dot::text(view),
        Format::Svg => svg::text(view),
        Format::Csv => csv::text(view),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::notice::Shape;

    #[test]
    fn formats_read_back_as_written() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        let unknown = "png".parse::<Format>().unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "there is no format \"png\"; there are shiviz, mermaid, dot, svg, csv"
        );
    }

    #[test]
    fn where_nothing_has_happened_there_is_something_to_read() {
        let view = View::new(Shape::new(3));
        for format in Format::ALL {
            assert!(export(format, &view).ends_with('\n'), "{format}");
        }
    }
}
