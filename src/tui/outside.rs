//! What takes its time outside, and must not keep the screen: tools, and files. Each has a thread of its
//! own, and says what came of it.

use std::env;
use std::fs::File;
use std::io;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use tokio::sync::mpsc;

use crate::export::{Format, export};
use crate::multiverse::search::{Found, Search};
use crate::multiverse::tree::{BranchId, Multiverse};
use crate::multiverse::written::{Form, token};
use crate::observe::view::View;
use crate::tui::Rerun;
use crate::tui::app::{Export, Save, Tone};
use crate::tui::clipboard::{create_numbered, hand_over, osc52};
use crate::tui::picture;
use crate::tui::theme::Theme;

/// What came of something.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What is to be said of it.
    pub said: String,
    /// How that is meant.
    pub tone: Tone,
    /// What is to be sent to the terminal, which only the screen may write to.
    pub sequence: Option<String>,
    /// What a search came to, by which nobody may want to know any more, or why it came to nothing.
    pub found: Option<(Arc<AtomicBool>, Result<Found, String>)>,
}

impl Outcome {
    fn of(result: Result<String, String>) -> Self {
        let (said, tone) = match result {
            Ok(said) => (said, Tone::Good),
            Err(sentence) => (sentence, Tone::Bad),
        };
        Self { said, tone, sequence: None, found: None }
    }
}

/// Where outcomes come from.
pub(super) struct Outside {
    outcomes: mpsc::UnboundedSender<Outcome>,
    heard: mpsc::UnboundedReceiver<Outcome>,
}

impl Outside {
    pub fn new() -> Self {
        let (outcomes, heard) = mpsc::unbounded_channel();
        Self { outcomes, heard }
    }

    /// The next outcome, whenever there is one.
    pub async fn next(&mut self) -> Outcome {
        match self.heard.recv().await {
            Some(outcome) => outcome,
            None => std::future::pending().await,
        }
    }

    fn start(&self, act: impl FnOnce() -> Outcome + Send + 'static) {
        let outcomes = self.outcomes.clone();
        let begun = thread::Builder::new().name("outside".to_owned()).spawn(move || {
            // The screen may be gone by then.
            outcomes.send(act()).ok();
        });
        if let Err(error) = begun {
            let failed = Outcome::of(Err(format!("cannot start a thread: {error}")));
            self.outcomes.send(failed).ok();
        }
    }

    /// Copies text to where it can be pasted from.
    pub fn copy(&self, text: String) {
        self.start(move || copy(&text));
    }

    /// Writes down what was seen, for another program.
    pub fn export(&self, what: Export, format: Format, view: View) {
        self.start(move || Outcome::of(write_to(&what, &export(format, &view))));
    }

    /// Writes down a run, as what it is to be had again from.
    pub fn write_down(&self, what: Export, form: Form, run: Multiverse) {
        self.start(move || {
            let text = form.write(&run, BranchId::MAIN);
            Outcome::of(text.and_then(|text| write_to(&what, &text)))
        });
    }

    /// Copies a run as a token.
    pub fn copy_token(&self, run: Multiverse) {
        self.start(move || match token(&run, BranchId::MAIN) {
            Ok(token) => copy(&token),
            Err(sentence) => Outcome::of(Err(sentence)),
        });
    }

    /// Looks through schedules, and says now and then how far it is.
    pub fn find(&self, mut search: Search, cancelled: Arc<AtomicBool>) {
        let progress = self.outcomes.clone();
        self.start(move || {
            let mut told = Instant::now();
            let found = loop {
                if cancelled.load(Ordering::Relaxed) {
                    // Nobody is told: that it is not looked for any more was said already.
                    break Ok(Found::Nothing);
                }
                // A protocol that is broken on purpose may contradict itself.
                let went = catch_unwind(AssertUnwindSafe(|| search.go_on(SEARCHED_AT_ONCE)));
                match went {
                    Ok(None) => {}
                    Ok(Some(found)) => break Ok(found),
                    Err(_) => {
                        let goal = search.goal();
                        break Err(format!(
                            "a replica failed while {goal} was looked for; see the log"
                        ));
                    }
                }
                if told.elapsed() > PROGRESS_EVERY {
                    told = Instant::now();
                    let said = format!(
                        "looking for {}: {}; cancel ends it",
                        search.goal(),
                        search.progress()
                    );
                    // The screen may be gone by then.
                    progress.send(Outcome { tone: Tone::Plain, ..Outcome::of(Ok(said)) }).ok();
                }
            };
            Outcome { found: Some((cancelled, found)), ..Outcome::of(Ok(String::new())) }
        });
    }

    /// Lets a run happen once more on a fresh cluster.
    pub fn rerun(&self, rerun: Rerun, run: Multiverse) {
        self.start(move || Outcome::of(rerun(&run)));
    }

    /// Saves a picture of the screen.
    pub fn save(&self, what: Save, screen: Buffer, theme: Theme) {
        self.start(move || Outcome::of(save(&what, &screen, theme)));
    }
}

/// With a tool, where one takes it; otherwise by way of the terminal, which never says whether it did;
/// or into a file, where that is too much for a terminal.
fn copy(text: &str) -> Outcome {
    let lines = text.lines().count().max(1);
    let copied = format!("copied {lines} {}", if lines == 1 { "line" } else { "lines" });
    if let Some(tool) = hand_over(text) {
        return Outcome::of(Ok(format!("{copied} with {tool}")));
    }
    if let Some(sequence) = osc52(text) {
        let outcome = Outcome::of(Ok(format!("{copied} with OSC 52")));
        return Outcome { sequence: Some(sequence), ..outcome };
    }
    let into = |folder: &Path| create_numbered(folder, "epaxos-copy", "txt", text);
    let file = into(Path::new(".")).or_else(|_| into(&env::temp_dir()));
    Outcome::of(match file {
        Ok(file) => Ok(format!("{copied} to {file}, too much for a terminal to take")),
        Err(error) => Err(format!("cannot copy: no file can be written: {error}")),
    })
}

fn write_to(what: &Export, text: &str) -> Result<String, String> {
    let Export { format, .. } = *what;
    let Some(file) = &what.file else {
        let file = create_numbered(Path::new("."), "epaxos", format.extension(), text);
        let file = file.map_err(|error| format!("cannot write a file here: {error}"))?;
        return Ok(format!("wrote {}, to {file}", format.about()));
    };
    write(file, what.replace, text)
        .map_err(|error| refusal(&error, file, &format!("export! {format}")))?;
    Ok(format!("wrote {}, to {file}", format.about()))
}

fn save(what: &Save, screen: &Buffer, theme: Theme) -> Result<String, String> {
    let Some(file) = &what.file else {
        let drawing = picture::svg(screen, theme);
        let file = create_numbered(Path::new("."), "epaxos", "svg", &drawing);
        let file = file.map_err(|error| format!("cannot write a picture here: {error}"))?;
        return Ok(format!("saved the screen to {file}"));
    };
    let is_text = file.to_lowercase().ends_with(".txt");
    let picture = if is_text { picture::text(screen) } else { picture::svg(screen, theme) };
    write(file, what.replace, &picture).map_err(|error| refusal(&error, file, "save!"))?;
    Ok(format!("saved the screen to {file}"))
}

/// Why a file was not written, and what would write over it where it is there.
fn refusal(error: &io::Error, file: &str, over: &str) -> String {
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("there is a file {file} already; {over} {file} writes over it")
        }
        _ => format!("cannot write {file}: {error}"),
    }
}

fn write(file: &str, replace: bool, text: &str) -> io::Result<()> {
    // No shell has read the name.
    let home = env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let path = match (file.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(file),
    };
    let mut file = if replace { File::create(path)? } else { File::create_new(path)? };
    file.write_all(text.as_bytes())
}

/// How many states are looked at between looks at whether anybody still wants to know.
const SEARCHED_AT_ONCE: u64 = 50;

/// How often it is said how far a search is.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::notice::Shape;
    use crate::tui::app::Written;

    #[test]
    fn what_was_seen_is_written_where_it_is_said_and_over_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("graph.dot").display().to_string();
        let view = View::new(Shape::new(3));
        let mut what =
            Export { format: Written::Seen(Format::Dot), file: Some(file.clone()), replace: false };
        let wrote = format!("wrote the dependency graph, for Graphviz, to {file}");
        assert_eq!(write_to(&what, &export(Format::Dot, &view)), Ok(wrote.clone()));
        let refused = format!("there is a file {file} already; export! dot {file} writes over it");
        assert_eq!(write_to(&what, &export(Format::Dot, &view)), Err(refused));
        what.replace = true;
        assert_eq!(write_to(&what, &export(Format::Dot, &view)), Ok(wrote));
        let text = std::fs::read_to_string(&file).expect("it was written");
        assert_eq!(text, export(Format::Dot, &view));
    }
}
