//! The whole program in a terminal of its own, worked as a person works it.

#![expect(clippy::disallowed_methods, reason = "a person waits, but not for ever")]

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// A terminal in which a shell runs, and in that the monitor.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    input: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    shell: Box<dyn Child + Send + Sync>,
}

impl Terminal {
    fn open(columns: u16, rows: u16) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut shell = CommandBuilder::new("/bin/sh");
        // Interactive, so that it has job control: Ctrl-Z needs somebody to return to.
        shell.arg("-i");
        shell.env("PS1", "ready> ");
        shell.env("TERM", "xterm-256color");
        shell.env("LANG", "C.UTF-8");
        shell.env_remove("NO_COLOR");
        let shell = pair.slave.spawn_command(shell).expect("a shell");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let mut output = pair.master.try_clone_reader().expect("the terminal's output");
        let seen = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                seen.lock().expect("nobody panics with the screen").process(&bytes[..count]);
            }
        });
        let input = pair.master.take_writer().expect("the terminal's input");
        let mut terminal = Self { master: pair.master, input, screen, shell };
        terminal.wait_for_shell();
        terminal
    }

    /// A terminal in which the monitor has been started.
    fn with_monitor(columns: u16, rows: u16, arguments: &str) -> Self {
        let mut terminal = Self::open(columns, rows);
        let program = env!("CARGO_BIN_EXE_epaxos-tui");
        terminal.keys(&format!("{program} --theme dark {arguments}\r"));
        terminal.wait("Cockpit");
        terminal
    }

    fn keys(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.input.flush().expect("the terminal takes keys");
    }

    /// A terminal in a folder of its own, in which the monitor has been started with these variables.
    fn in_folder(folder: &std::path::Path, variables: &str) -> Self {
        let mut terminal = Self::open(120, 40);
        let program = env!("CARGO_BIN_EXE_epaxos-tui");
        terminal.keys(&format!("cd {}\r", folder.display()));
        terminal.keys(&format!(
            "env -u WAYLAND_DISPLAY -u DISPLAY {variables} {program} --theme dark --replicas 3\r"
        ));
        terminal.wait("Cockpit");
        terminal
    }

    /// Types a command at the monitor's prompt.
    fn command(&mut self, command: &str) {
        self.keys(&format!(":{command}\r\x1b"));
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.screen.lock().expect("a screen").screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(size).expect("the terminal can be resized");
    }

    fn contents(&self) -> String {
        self.screen.lock().expect("a screen").screen().contents()
    }

    /// Waits until the screen meets a condition, and fails with what it shows where it never does.
    fn wait_until(&mut self, what: &str, met: impl Fn(&vt100::Screen) -> bool) {
        let begun = Instant::now();
        while !met(self.screen.lock().expect("a screen").screen()) {
            assert!(begun.elapsed() < PATIENCE, "never came: {what}\n{}", self.contents());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn wait(&mut self, text: &str) {
        self.wait_until(text, |screen| screen.contents().contains(text));
    }

    fn wait_gone(&mut self, text: &str) {
        self.wait_until(&format!("no {text}"), |screen| !screen.contents().contains(text));
    }

    /// Waits until the shell asks for a line. What is typed before that is typed to whoever is about to
    /// leave.
    fn wait_for_shell(&mut self) {
        let asks = |screen: &vt100::Screen| screen.contents().trim_end().ends_with("ready>");
        self.wait_until("the shell's prompt", asks);
    }

    /// Checks that the shell has the terminal back as it was: lines are edited and echoed, the main
    /// screen shows, and the cursor with it.
    fn check_restored(&mut self) {
        self.wait_until("the main screen", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        });
        self.wait_for_shell();
        self.keys("clear; stty -a; echo done-$((40+2))\r");
        self.wait("done-42");
        let settings = self.contents();
        for flag in ["icanon", "echo", "isig", "icrnl", "opost"] {
            let on = settings.split([' ', ';', '\n']).any(|word| word == flag);
            assert!(on, "{flag} is off after the monitor has left:\n{settings}");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.shell.kill().ok();
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a terminal has cells")
}

/// Long, for machines that do much else at the same time; nothing waits so long that goes well.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn a_session() {
    let mut terminal = Terminal::with_monitor(120, 40, "--replicas 5");

    // A proposal is typed, committed and executed everywhere.
    terminal.command("put x 1");
    terminal.wait("put x 1 = ok");
    terminal.wait("XXXXX");

    // Paused, the next one does not move but by hand.
    terminal.keys(" ");
    terminal.wait("PAUSED");
    terminal.command("put y 2 @R3");
    terminal.wait("PreAccept");
    terminal.wait("2 in flight");
    terminal.keys("n");
    terminal.wait("PreAcceptReply");
    terminal.command("deliver kind=PreAccept");
    terminal.command("drop kind=PreAcceptReply from=R4");
    terminal.wait("1 in flight");

    // Small and large again, with everything in place.
    terminal.resize(80, 24);
    terminal.wait("R3");
    terminal.resize(20, 5);
    terminal.wait_gone("Cockpit");
    terminal.resize(120, 40);
    terminal.wait("PAUSED");
    terminal.wait("1 in flight");

    // Suspended, the shell has the terminal; back again, nothing is lost.
    terminal.keys("\x1a");
    terminal.wait("Stopped");
    terminal.check_restored();
    terminal.keys("fg\r");
    terminal.wait("PAUSED");
    terminal.wait("1 in flight");

    // The lost reply is asked for again when its timer is fired, and all goes on.
    terminal.command("wake R3");
    terminal.keys(" ");
    terminal.wait("RUN");
    terminal.wait("put y 2 = ok");

    terminal.keys("q");
    terminal.check_restored();
}

#[test]
fn every_screen_opens_and_help_runs_what_it_lists() {
    let mut terminal = Terminal::with_monitor(100, 30, "--replicas 3 --ascii");
    terminal.command("burst 20 keys=3 conflict=50");
    terminal.wait("fast");
    terminal.keys("4");
    terminal.wait("PreAcceptReply");
    terminal.keys("5");
    terminal.wait("hot");
    terminal.keys("6");
    terminal.wait("INFO");
    terminal.keys("1");
    terminal.wait("Replicas");
    // The list of what can be done is searched, and Enter does it.
    terminal.keys("?pause");
    terminal.wait("pause");
    terminal.keys("\r");
    terminal.wait("PAUSED");
    terminal.keys("\x03");
    terminal.check_restored();
}

#[test]
fn what_is_typed_wrong_is_said_and_kept() {
    let mut terminal = Terminal::with_monitor(120, 40, "--replicas 3 --no-mouse");
    terminal.keys(":putt x 1\r");
    terminal.wait("there is no command 'putt'");
    // The line is still there to be mended; any text can be typed, wide and combined.
    terminal.keys("\x15put schlüssel '日本 e\u{301}'\r");
    terminal.wait("put schlüssel");
    terminal.wait("= ok");
    terminal.keys("\x1bq");
    terminal.check_restored();
}

#[test]
fn being_told_to_end_gives_the_terminal_back_and_writes_the_files() {
    let files = tempfile::tempdir().expect("a folder");
    let metrics = files.path().join("metrics.json");
    let mut terminal = Terminal::open(100, 30);
    let program = env!("CARGO_BIN_EXE_epaxos-tui");
    let monitor = format!("{program} --theme dark --replicas 3 --metrics {}", metrics.display());
    let (folder, told) = (files.path().display(), files.path().join("told"));
    // The shell's own number becomes the monitor's.
    let wait = format!("while [ -d {folder} -a ! -e {} ]; do sleep 0.05; done", told.display());
    terminal.keys(&format!("sh -c '({wait}; kill -TERM $$) & exec {monitor}'\r"));
    terminal.wait("Cockpit");
    terminal.command("put x 1");
    terminal.wait("put x 1 = ok");
    std::fs::write(told, "").expect("a file");
    terminal.wait_gone("Cockpit");
    terminal.check_restored();
    let counters = std::fs::read_to_string(metrics).expect("the counters were written");
    assert!(counters.contains("\"proposals\": 1"), "{counters}");
}

#[test]
fn a_world_that_is_busy_is_said_to_be() {
    let mut terminal = Terminal::with_monitor(120, 40, "--replicas 3");
    terminal.command("sleep 8s");
    terminal.wait("busy: sleep 8s");
    terminal.command("put x 1");
    terminal.wait("1 waiting");
    terminal.wait("put x 1 = ok");
    terminal.wait_gone("busy");
    terminal.keys("q");
    terminal.check_restored();
}

#[test]
fn what_cannot_be_started_is_said_in_a_sentence() {
    let mut terminal = Terminal::open(50, 12);
    let program = env!("CARGO_BIN_EXE_epaxos-tui");
    terminal.keys(&format!("{program}; echo status $?\r"));
    terminal.wait("the terminal has 50x12 cells");
    terminal.wait("status 1");
}

#[test]
fn a_link_is_cut_with_a_key_and_mended() {
    let mut terminal = Terminal::with_monitor(80, 24, "--replicas 3");
    terminal.keys("7");
    terminal.wait("links from row to column");
    terminal.wait("R0→R1: nothing is wrong with it.");
    terminal.keys("x");
    terminal.wait("R0→R1: cut.");
    terminal.wait("1 link faulty");
    // R0 asks R1 in vain, and then R2.
    terminal.command("put x 1 @R0");
    terminal.wait("put x 1 = ok");
    terminal.wait("R0→R1 cut");
    terminal.keys("7H");
    terminal.wait("all is well");
    terminal.wait_gone("R0→R1 cut");
    // With the arrows to another link, and a step of loss there.
    terminal.keys("\x1b[B\x1b[CL");
    terminal.wait("R1→R2: loses 10%.");
    terminal.keys("q");
    terminal.check_restored();
}

#[test]
fn a_replica_that_panics_is_shown_and_comes_back() {
    // High enough for all of the trace: those who wait for an answer of R2 soon ask others.
    let mut terminal = Terminal::with_monitor(120, 80, "--replicas 5 --panic-at R2=boom");
    terminal.command("put x 1");
    terminal.wait("put x 1 = ok");
    terminal.command("put boom 1");
    terminal.wait("R2 fails: it was told to panic where boom is named");
    terminal.wait("R2 DOWN");
    // The screen is whole, and the others go on.
    terminal.command("put y 2 @R3");
    terminal.wait("put y 2 = ok");
    terminal.keys("7jj");
    terminal.wait("DOWN, it failed");
    terminal.wait("R2 is down, its program failed: it was told to panic where boom is named");
    terminal.keys("c");
    terminal.wait_gone("DOWN");
    terminal.keys("6");
    terminal.wait("R2 has failed");
    terminal.keys("q");
    terminal.check_restored();
}

/// The rows of the tour in the README: what is done, and what is to be seen then.
fn tour() -> Vec<(Vec<String>, Vec<String>)> {
    let readme = include_str!("../README.md");
    let (_, tour) = readme.split_once("## A tour in eight minutes").expect("a tour");
    let (tour, _) = tour.split_once("\n## ").expect("what comes after it");
    let between = |text: &str, open: &str, close: &str| {
        let (_, rest) = text.split_once(open)?;
        Some(rest.split_once(close)?.0.to_owned())
    };
    let is_step = |line: &&str| line.starts_with("| ") && !line.starts_with("| do ");
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = tour.lines().filter(is_step).map(cells);
    let steps = rows.map(|row| {
        // Keys and typed lines in the order in which they stand.
        let mut done = Vec::new();
        let mut rest = row[0].as_str();
        while let Some(at) = rest.find(['<', '`']) {
            let (open, close) =
                if rest[at..].starts_with('<') { ("<kbd>", "</kbd>") } else { ("`", "`") };
            let part = between(&rest[at..], open, close).expect("a key or a line");
            let end = at + open.len() + part.len() + close.len();
            done.push(if open == "`" { format!("`{part}") } else { part });
            rest = &rest[end..];
        }
        let text = row[1].as_str();
        let seen = text.split("**").skip(1).step_by(2).map(str::to_owned).collect();
        (done, seen)
    });
    steps.collect()
}

/// The README's own words, done in order by somebody who has just installed the program.
#[test]
fn the_tour_of_the_readme_shows_what_it_says() {
    let mut terminal = Terminal::open(120, 40);
    let steps = tour();
    assert!(steps.len() > 25, "{} steps", steps.len());
    for (index, (done, seen)) in steps.iter().enumerate() {
        assert!(!done.is_empty() && !seen.is_empty(), "step {index}: {done:?} {seen:?}");
        for part in done {
            let keys = match part.as_str() {
                "Space" => " ".to_owned(),
                "Enter" => "\r".to_owned(),
                "Esc" => "\x1b".to_owned(),
                line if line.starts_with("`cargo run --release -- ") => {
                    let arguments = line.trim_start_matches("`cargo run --release -- ");
                    format!("{} {arguments} --theme dark\r", env!("CARGO_BIN_EXE_epaxos-tui"))
                }
                line if line.starts_with('`') => format!("{}\r", &line[1..]),
                key => {
                    assert_eq!(key.chars().count(), 1, "{key} is no key");
                    key.to_owned()
                }
            };
            if keys == "[" {
                // What follows at once would be taken for the beginning of an arrow.
                terminal.wait("and type a command");
            }
            terminal.keys(&keys);
            // Esc and what follows at once would be one key.
            if keys == "\x1b" {
                thread::sleep(Duration::from_millis(60));
            }
        }
        for text in seen {
            // The shell of this test has a prompt of its own.
            if text == "$" {
                terminal.wait_for_shell();
                continue;
            }
            terminal.wait_until(&format!("step {index}, {done:?}: {text}"), |screen| {
                screen.contents().contains(text)
            });
        }
    }
    terminal.check_restored();
}

#[test]
fn what_is_selected_goes_to_the_tool_of_the_system_or_through_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let tool = folder.path().join("xclip");
    std::fs::write(&tool, "#!/bin/sh\ncat > copied.txt\n").expect("a tool");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&tool, executable).expect("a tool");
    let variables = format!("DISPLAY=:7 PATH={}:$PATH", folder.path().display());
    let mut terminal = Terminal::in_folder(folder.path(), &variables);
    terminal.command("put x 1 @R1");
    terminal.wait("put x 1 = ok");
    terminal.wait("XXX");
    terminal.keys("5y");
    terminal.wait("copied 4 lines with xclip");
    let copied = std::fs::read_to_string(folder.path().join("copied.txt")).expect("a copy");
    assert_eq!(copied, "x\n  R0 1\n  R1 1\n  R2 1");
    // A tool that hangs keeps nobody, and is given up in the end.
    std::fs::write(&tool, "#!/bin/sh\nexec sleep 600\n").expect("a tool");
    terminal.keys("y1");
    terminal.wait("Replicas");
    terminal.wait("copied 4 lines with OSC 52");
    terminal.keys("q");
    terminal.check_restored();
}

#[test]
fn pictures_are_saved_and_none_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::in_folder(folder.path(), "");
    terminal.keys("\x13");
    terminal.wait("saved the screen to epaxos-1.svg");
    terminal.keys("4\x13");
    terminal.wait("saved the screen to epaxos-2.svg");
    terminal.keys("1:save mine.txt\r");
    terminal.wait("saved the screen to mine.txt");
    let file = folder.path().join("mine.txt");
    let text = std::fs::read_to_string(&file).expect("a picture");
    assert!(text.contains("Replicas") && text.contains("R0>"), "{text}");
    std::fs::write(&file, "precious").expect("a file");
    terminal.keys(":save mine.txt\r");
    terminal.wait("there is a file mine.txt already; save! mine.txt writes over it");
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), "precious");
    terminal.keys(":save! mine.txt\r");
    terminal.wait("saved the screen to mine.txt");
    assert_ne!(std::fs::read_to_string(&file).expect("a file"), "precious");
    terminal.keys(":save nowhere/mine.svg\r");
    terminal.wait("cannot write nowhere/mine.svg: No such file");
    terminal.keys("\x1bq");
    terminal.check_restored();
}

#[test]
fn keys_of_a_file_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys.txt");
    std::fs::write(&keys, "normal P pause-or-run\nnormal none mouse\n").expect("a file");
    let arguments = format!("--replicas 3 --keys {}", keys.display());
    let mut terminal = Terminal::with_monitor(100, 30, &arguments);
    terminal.wait("P pause/run");
    terminal.keys("P");
    terminal.wait("PAUSED");
    terminal.keys("q");
    terminal.check_restored();
}

#[test]
fn a_lesson_is_taken_to_its_end_with_a_step_back() {
    let mut terminal = Terminal::open(80, 24);
    let program = env!("CARGO_BIN_EXE_epaxos-tui");
    terminal.keys(&format!("{program} learn 1 --theme dark\r"));
    terminal.wait("step 1 of 7, score 0 of 4");
    terminal.keys("\r");
    terminal.wait("step 2 of 7");
    // Whoever does not answer is asked to, once.
    terminal.keys("n");
    terminal.wait("answer with a, b or c, or go on without an answer");
    terminal.keys("a");
    terminal.wait("Not quite.");
    terminal.keys("n");
    terminal.wait("step 3 of 7");
    terminal.keys("a");
    terminal.wait("score 1 of 4");
    // Back, where the answer still is, and forth again.
    terminal.keys("p");
    terminal.wait("step 2 of 7");
    terminal.keys("G");
    terminal.wait("Not quite.");
    terminal.keys("n");
    terminal.wait("step 3 of 7, score 1 of 4");
    // The other screens show the run of the lesson; what is tried there is no part of it.
    terminal.keys("2");
    terminal.wait("Space-time]");
    terminal.command("put x 7 @R4");
    terminal.wait("R4.0");
    terminal.keys("9");
    terminal.wait("step 3 of 7, score 1 of 4");
    terminal.keys("n");
    terminal.wait("step 4 of 7");
    terminal.keys("cn");
    terminal.wait("step 5 of 7");
    terminal.keys("bn");
    terminal.wait("step 6 of 7");
    terminal.keys("n");
    terminal.wait("step 7 of 7");
    terminal.keys("n");
    terminal.wait("Your score: 3 of 4");
    terminal.keys("l");
    terminal.wait("3 of 4");
    terminal.keys("q");
    terminal.check_restored();
}

#[test]
fn what_could_have_been_is_looked_for_and_made_and_run_on_grpc() {
    let mut terminal = Terminal::with_monitor(120, 40, "--replicas 3");
    terminal.keys(" ");
    terminal.wait("PAUSED");
    terminal.command("put x 1 @R0");
    terminal.command("put x 2 @R2");
    terminal.wait("2 in flight");
    // The prompt stays open, and what is typed next is no key.
    terminal.keys(":find path=slow\r");
    terminal.wait("path=slow: found in");
    terminal.wait("BRANCH b1");
    terminal.keys("run-live\r");
    terminal.wait("entries came to the same on gRPC");
    terminal.keys("goto now\r");
    terminal.wait("PAUSED");
    terminal.keys("what-if #0 drop\r");
    terminal.wait("#0 delivers no message");
    terminal.keys("\x15what-if #0 change 'put x 7' as other\r");
    terminal.wait("other is what would have come of it");
    terminal.keys("\x1b");
    thread::sleep(Duration::from_millis(60));
    terminal.keys("=");
    terminal.wait("compare main other");
    terminal.keys("\x1b");
    thread::sleep(Duration::from_millis(60));
    terminal.keys("$");
    terminal.wait("2 in flight");
    terminal.keys("q");
    terminal.check_restored();
}

#[test]
fn a_damaged_recording_is_opened_as_far_as_it_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (script, file) = (folder.path().join("run.script"), folder.path().join("run.jsonl"));
    std::fs::write(&script, "put x 1\nsettle\nput y 2 @R1\nsettle\n").expect("a file");
    let program = env!("CARGO_BIN_EXE_epaxos-tui");
    let recorded = std::process::Command::new(program)
        .args(["run", &script.display().to_string(), "--replicas", "3", "--record"])
        .arg(&file)
        .output()
        .expect("it runs");
    assert!(recorded.status.success(), "{recorded:?}");
    let mut bytes = std::fs::read(&file).expect("the recording");
    let fifth = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(4);
    let place = fifth.expect("lines").0 + 3;
    bytes[place] = 0xff;
    std::fs::write(&file, bytes).expect("a file");
    let mut terminal = Terminal::open(120, 40);
    terminal.keys(&format!(
        "cd {}; {program} replay run.jsonl --theme dark\r",
        folder.path().display()
    ));
    terminal.wait("RECORDED 4 of 4");
    terminal.wait("4 entries; p and n go back and forth; line 6: the line is no text");
    terminal.keys("p");
    terminal.wait("RECORDED 3 of 4");
    terminal.keys("nn");
    terminal.wait("this is the end of what was recorded");
    terminal.keys("q");
    terminal.check_restored();
}
