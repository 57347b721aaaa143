//! Rules of the sources that no compiler keeps: which module may name which, what the core may not
//! touch, how long a file may be.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and the modules it may name besides itself. The core comes first and names nothing;
/// the two worlds, `sim` and `node`, never meet; `tui` cannot tell them apart.
const LAYERS: &[(&str, &[&str])] = &[
    ("epaxos", &[]),
    ("kv", &["epaxos"]),
    ("observe", &["epaxos", "kv"]),
    ("check", &["epaxos", "kv", "observe"]),
    ("explain", &["epaxos", "kv", "observe"]),
    ("export", &["epaxos", "kv", "observe"]),
    ("script", &["epaxos", "kv", "observe", "explain"]),
    ("sim", &["epaxos", "kv", "observe", "check", "explain", "script"]),
    ("multiverse", &["epaxos", "kv", "observe", "check", "explain", "script", "sim"]),
    ("lesson", &["epaxos", "kv", "observe", "check", "explain", "script", "sim", "multiverse"]),
    ("files", &[]),
    ("config", &["epaxos", "files"]),
    ("net", &["epaxos", "config"]),
    ("node", &["epaxos", "kv", "observe", "explain", "script", "config", "net"]),
    ("bench", &["epaxos", "net", "node"]),
    (
        "grade",
        &[
            "epaxos",
            "kv",
            "observe",
            "check",
            "explain",
            "script",
            "sim",
            "multiverse",
            "lesson",
            "config",
            "net",
            "node",
        ],
    ),
    (
        "tui",
        &[
            "epaxos",
            "kv",
            "observe",
            "check",
            "explain",
            "export",
            "script",
            "sim",
            "multiverse",
            "lesson",
        ],
    ),
    (
        "tools",
        &["epaxos", "kv", "observe", "check", "explain", "script", "sim", "multiverse", "config"],
    ),
    (
        "cli",
        &[
            "epaxos",
            "kv",
            "observe",
            "check",
            "explain",
            "export",
            "script",
            "sim",
            "multiverse",
            "lesson",
            "files",
            "config",
            "net",
            "node",
            "bench",
            "grade",
            "tui",
            "tools",
        ],
    ),
];

/// Modules whose every output is a function of their inputs, with the crates they may use.
const PURE: &[(&str, &[&str])] = &[
    ("epaxos", &["hashbrown", "hipstr", "rustc_hash", "smallvec", "smol_str"]),
    ("kv", &[]),
    ("observe", &["hdrhistogram", "serde_json"]),
    ("check", &["serde", "serde_json", "thiserror"]),
    ("explain", &[]),
    ("export", &["ascii_dag", "serde_json", "unicode_width"]),
    ("script", &["clap", "humantime", "shlex", "thiserror"]),
    ("sim", &["fastrand"]),
    (
        "multiverse",
        &["base64", "fastrand", "miniz_oxide", "serde", "serde_json", "shlex", "thiserror"],
    ),
    ("lesson", &["thiserror"]),
];

/// What no pure module may name.
const WORLDLY: &[&str] = &[
    "std::time::Instant",
    "std::time::SystemTime",
    "std::net",
    "std::fs",
    "std::thread",
    "std::env",
    "std::process",
    "std::io",
    "thread_rng",
    "RandomState",
];

const FILE_LINES_MAX: usize = 600;

/// Every Rust source below `folder`, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                files.push((path.strip_prefix(root).expect("below the root").to_owned(), text));
            }
        }
    }
    files.sort();
    files
}

/// The top-level module that a file of `src` belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix("src").expect("a file of src");
    let first = inside.components().next().expect("a file has a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The code of a file: no comments, and nothing from its tests on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().zip(1..).map(|(line, number)| (number, line.trim()));
    lines
        .take_while(|(_, line)| !line.starts_with("mod tests {"))
        .filter(|(_, line)| !line.starts_with("//"))
}

#[test]
fn modules_name_only_those_below_them() {
    for (path, text) in sources("src") {
        let module = module(&path);
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let (_, allowed) = LAYERS
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{} belongs to no layer", path.display()));
        for (number, line) in code(&text) {
            assert!(
                !line.contains("crate::{"),
                "{}:{number} groups crate paths: one module path a line",
                path.display(),
            );
            for named in line.split("crate::").skip(1) {
                let named: String =
                    named.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let known = LAYERS.iter().any(|(name, _)| *name == named);
                assert!(
                    !known || named == module || allowed.contains(&named.as_str()),
                    "{}:{number} {module} names {named}",
                    path.display(),
                );
            }
        }
    }
}

#[test]
fn pure_modules_touch_no_world() {
    for (path, text) in sources("src") {
        let module = module(&path);
        let Some((_, crates)) = PURE.iter().find(|(name, _)| *name == module) else { continue };
        if path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        for (number, line) in code(&text) {
            for worldly in WORLDLY {
                assert!(!line.contains(worldly), "{}:{number} names {worldly}", path.display());
            }
            if let Some(used) = line.strip_prefix("use ").or_else(|| line.strip_prefix("pub use "))
            {
                let first = used.split("::").next().expect("a path has a first part");
                let own = ["crate", "std", "super", "self"].contains(&first);
                assert!(own || crates.contains(&first), "{}:{number} uses {first}", path.display());
            }
        }
    }
}

#[test]
fn files_are_short() {
    for folder in ["src", "tests"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines", path.display());
        }
    }
}
