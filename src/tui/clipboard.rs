//! Ways to where people paste from: a tool of the system, the terminal itself, or a file.

use std::env;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A program that takes text from its input, with its arguments.
type Tool = &'static [&'static str];

/// Hands text to the first tool that takes it, and returns its name. Takes its time.
pub fn hand_over(text: &str) -> Option<&'static str> {
    let has = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    tools(has, env::consts::OS).into_iter().find(|tool| run(tool, text)).map(|tool| tool[0])
}

/// The tools that there may be, the likeliest first.
fn tools(has: impl Fn(&str) -> bool, system: &str) -> Vec<Tool> {
    let mut tools: Vec<Tool> = Vec::new();
    if system == "macos" {
        tools.push(&["pbcopy"]);
    }
    if has("WSL_DISTRO_NAME") || has("WSL_INTEROP") {
        tools.push(&["clip.exe"]);
    }
    if has("WAYLAND_DISPLAY") {
        tools.push(&["wl-copy"]);
    }
    if has("DISPLAY") {
        tools.push(&["xclip", "-selection", "clipboard"]);
        tools.push(&["xsel", "--clipboard", "--input"]);
    }
    tools
}

/// Runs a tool; whether it went well, and soon enough.
fn run(tool: Tool, text: &str) -> bool {
    let mut command = Command::new(tool[0]);
    command.args(&tool[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Some stay to serve what they were given: whatever ends the monitor must not end them.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let Ok(mut child) = command.spawn() else { return false };
    // A tool that does not read must not keep us.
    let (input, text) = (child.stdin.take(), text.to_owned());
    thread::spawn(move || input.map(|mut input| input.write_all(text.as_bytes())));
    ends_well(&mut child)
}

fn ends_well(child: &mut Child) -> bool {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if begun.elapsed() < PATIENCE => thread::sleep(LOOK_EVERY),
            Ok(None) | Err(_) => {
                child.kill().ok();
                child.wait().ok();
                return false;
            }
        }
    }
}

/// What makes a terminal take text to be pasted, if it is not more than terminals take. Sent through
/// tmux or screen as it is: they have ways of their own to let it pass.
pub fn osc52(text: &str) -> Option<String> {
    let encoded = STANDARD.encode(text);
    (encoded.len() <= OSC52_MAX).then(|| format!("\x1b]52;c;{encoded}\x07"))
}

/// Puts contents into a new file with a number in its name, the first that is free.
pub fn create_numbered(
    folder: &Path,
    stem: &str,
    ending: &str,
    contents: &str,
) -> std::io::Result<String> {
    let mut number = 1;
    loop {
        let path = folder.join(format!("{stem}-{number}.{ending}"));
        match std::fs::File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(contents.as_bytes())?;
                let shown = path.strip_prefix(".").unwrap_or(&path);
                return Ok(shown.display().to_string());
            }
            Err(error)
                if error.kind() == std::io::ErrorKind::AlreadyExists && number < FILES_MAX =>
            {
                number += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// How long a tool may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long what is sent to a terminal may be: xterm and others take no more.
const OSC52_MAX: usize = 74_994;

/// How many files with numbers there may be.
const FILES_MAX: u32 = 9_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_suit_the_system() {
        let names = |set: &[&str], system| {
            let tools = tools(|name| set.contains(&name), system);
            tools.into_iter().map(|tool| tool[0]).collect::<Vec<_>>()
        };
        assert_eq!(names(&[], "linux"), Vec::<&str>::new());
        assert_eq!(names(&["DISPLAY"], "linux"), ["xclip", "xsel"]);
        assert_eq!(names(&["DISPLAY", "WAYLAND_DISPLAY"], "linux"), ["wl-copy", "xclip", "xsel"]);
        assert_eq!(names(&["WSL_INTEROP"], "linux"), ["clip.exe"]);
        assert_eq!(names(&[], "macos"), ["pbcopy"]);
    }

    #[test]
    fn a_terminal_is_sent_no_more_than_it_takes() {
        assert_eq!(osc52("put x 1").as_deref(), Some("\x1b]52;c;cHV0IHggMQ==\x07"));
        assert!(osc52(&"x".repeat(56_244)).is_some());
        assert!(osc52(&"x".repeat(56_250)).is_none());
    }

    #[test]
    fn a_tool_that_fails_or_is_not_there_is_not_taken() {
        assert!(run(&["cat"], "text"));
        assert!(!run(&["false"], "text"));
        assert!(!run(&["no-such-tool"], "text"));
    }

    #[test]
    fn files_are_numbered_and_never_lost() {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..4 {
            let name =
                create_numbered(folder.path(), "epaxos", "svg", &number.to_string()).unwrap();
            assert!(name.ends_with(&format!("epaxos-{number}.svg")), "{name}");
        }
        let first = std::fs::read_to_string(folder.path().join("epaxos-1.svg")).unwrap();
        assert_eq!(first, "1");
    }
}
