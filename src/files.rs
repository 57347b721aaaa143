//! Reading the files that a person names, none of which may take all memory: a device or a pipe can
//! go on for ever.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// What a file is read as, which says how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Where replicas listen.
    Configuration,
    /// Keys of the monitor.
    Keys,
    /// A script, for `run`.
    Script,
    /// A lesson, for `learn` and `grade`.
    Lesson,
    /// A committed log, for `order`.
    Log,
    /// A recording, for `replay`.
    Recording,
    /// A trace, for `check`. It is read line by line.
    Trace,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Configuration,
        Self::Keys,
        Self::Script,
        Self::Lesson,
        Self::Log,
        Self::Recording,
        Self::Trace,
    ];

    /// The most bytes that such a file may have.
    pub fn limit(self) -> u64 {
        match self {
            Self::Configuration | Self::Keys => 1 << 20,
            Self::Script | Self::Lesson => 16 << 20,
            Self::Log | Self::Recording => 256 << 20,
            Self::Trace => 4 << 30,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "configuration",
            Self::Keys => "key file",
            Self::Script => "script",
            Self::Lesson => "lesson",
            Self::Log => "log",
            Self::Recording => "recording",
            Self::Trace => "trace",
        })
    }
}

/// The most bytes that a line of a trace may have.
pub const TRACE_LINE_MAX: u64 = 16 << 20;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system does not let it be read.
    #[error("cannot read {name}: {source}")]
    Unreadable {
        /// The file.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It has no end, or a far one.
    #[error("cannot read {name}: it has more than {}, the most that a {kind} may have", size(kind.limit()))]
    TooLarge {
        /// The file.
        name: String,
        /// What it was read as.
        kind: Kind,
    },
    /// It is not UTF-8.
    #[error("cannot read {name}: it is no text")]
    NotText {
        /// The file.
        name: String,
    },
}

impl ReadError {
    fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::Unreadable { name: name(path), source }
    }
}

/// A file's name, for people.
fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 30 => format!("{} GiB", bytes >> 30),
        bytes => format!("{} MiB", bytes >> 20),
    }
}

fn open(path: &Path) -> Result<Box<dyn Read>, ReadError> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|source| ReadError::unreadable(path, source))?;
    Ok(Box::new(file))
}

/// All of a file, or of standard input where it is called `-`.
pub fn read_bytes(path: &Path, kind: Kind) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    // One byte more shows that there is more.
    let read = open(path)?.take(kind.limit() + 1).read_to_end(&mut bytes);
    read.map_err(|source| ReadError::unreadable(path, source))?;
    if bytes.len() as u64 > kind.limit() {
        return Err(ReadError::TooLarge { name: name(path), kind });
    }
    Ok(bytes)
}

/// The same, of a file that is text.
pub fn read_text(path: &Path, kind: Kind) -> Result<String, ReadError> {
    let text = String::from_utf8(read_bytes(path, kind)?);
    text.map_err(|_| ReadError::NotText { name: name(path) })
}

/// A file to be read line by line, whose lines and whose whole are bounded. Where a bound is exceeded,
/// reading fails with a sentence that says so.
pub fn open_lines(path: &Path, kind: Kind) -> Result<impl BufRead, ReadError> {
    let (limit, line_limit) = (kind.limit(), TRACE_LINE_MAX);
    Ok(BufReader::new(Lines { from: open(path)?, read: 0, line: 0, limit, line_limit, kind }))
}

/// Passes bytes on, and counts them.
struct Lines<R> {
    from: R,
    read: u64,
    /// How long the line is that is being read.
    line: u64,
    limit: u64,
    line_limit: u64,
    kind: Kind,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.read += count as u64;
        let mut lines = buffer[..count].split(|byte| *byte == b'\n');
        // What comes first goes on with the line before.
        let mut longest = self.line + lines.next().map_or(0, <[u8]>::len) as u64;
        self.line = longest;
        for line in lines {
            self.line = line.len() as u64;
            longest = longest.max(self.line);
        }
        let kind = self.kind;
        let too_large = |what: &str, limit| {
            let sentence =
                format!("{what} has more than {}, the most that it may have", size(limit));
            Err(io::Error::new(io::ErrorKind::FileTooLarge, sentence))
        };
        if longest > self.line_limit {
            return too_large("a line", self.line_limit);
        }
        if self.read > self.limit {
            return too_large(&format!("the {kind}"), self.limit);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_refused_whatever_it_is_read_as() {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.limit() <= 16 << 20) {
            let error = read_bytes(Path::new("/dev/zero"), kind).unwrap_err().to_string();
            let limit = kind.limit() >> 20;
            assert_eq!(
                error,
                format!(
                    "cannot read /dev/zero: it has more than {limit} MiB, the most that a {kind} may have"
                )
            );
        }
    }

    #[test]
    fn a_file_of_the_largest_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        let limit = Kind::Keys.limit();
        std::fs::write(&file, vec![b'k'; usize::try_from(limit).unwrap()]).unwrap();
        assert_eq!(read_text(&file, Kind::Keys).unwrap().len() as u64, limit);
        std::fs::write(&file, vec![b'k'; usize::try_from(limit + 1).unwrap()]).unwrap();
        assert!(matches!(read_text(&file, Kind::Keys), Err(ReadError::TooLarge { .. })));
        std::fs::write(&file, [0xff]).unwrap();
        assert!(matches!(read_text(&file, Kind::Keys), Err(ReadError::NotText { .. })));
    }

    fn lines(text: &str) -> Result<Vec<String>, String> {
        let from = text.as_bytes();
        let lines = Lines { from, read: 0, line: 0, limit: 40, line_limit: 8, kind: Kind::Trace };
        // So that lines are cut anywhere.
        let lines = BufReader::with_capacity(3, lines);
        lines.lines().collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_without_end_and_lines_without_end_are_refused() {
        assert_eq!(lines("12345678\n1\n12345678").unwrap(), ["12345678", "1", "12345678"]);
        assert!(lines("1\n123456789\n").unwrap_err().starts_with("a line has more than "));
        assert!(lines(&"1234\n".repeat(9)).unwrap_err().starts_with("the trace has more than "));
        assert_eq!(lines(&"1234\n".repeat(8)).unwrap().len(), 8);
    }
}
