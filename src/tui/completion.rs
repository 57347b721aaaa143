//! What a word at the prompt could become.

use crate::epaxos::instance::Path;
use crate::epaxos::message::MessageKind;
use crate::observe::view::View;
use crate::script::grammar::Command;
use crate::tui::app::Written;
use crate::tui::app::rates;
use crate::tui::command;
use crate::tui::deed::Screen;
use crate::tui::theme::Theme;

/// Names that exist in the cluster on show.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// How many replicas there are.
    pub replicas: usize,
    /// Keys that have a value, or are being given one.
    pub keys: Vec<String>,
    /// Instances, the latest first.
    pub instances: Vec<String>,
    /// Held messages, the oldest first.
    pub messages: Vec<String>,
    /// The rules that hold messages.
    pub rules: Vec<String>,
}

impl Known {
    /// The names to be seen, not more of each than anybody would look through.
    pub fn of(view: &View) -> Self {
        let latest = |row: crate::epaxos::id::ReplicaId| {
            let replica = view.replica(row);
            replica.instances.row(row).rev().take(SOME).map(move |(slot, instance)| {
                (crate::epaxos::id::InstanceId::new(row, slot), instance)
            })
        };
        let rows = crate::epaxos::id::ReplicaId::all(view.shape.replicas());
        let latest: Vec<_> = rows.flat_map(latest).collect();
        let mut keys: Vec<String> = latest
            .iter()
            .flat_map(|(_, instance)| instance.payload.operations())
            .map(|operation| operation.key().to_string())
            .collect();
        let stores = view.replicas.iter().flat_map(|replica| replica.store.iter().take(SOME));
        keys.extend(stores.map(|(key, _)| key.to_string()));
        keys.sort();
        keys.dedup();
        let held = view.in_flight.held().take(4 * SOME);
        Self {
            replicas: view.shape.replicas(),
            keys,
            instances: latest.iter().map(|(id, _)| id.to_string()).collect(),
            messages: held.map(|flight| flight.envelope.id.to_string()).collect(),
            rules: view.gate.holds.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Where the last word of `line` starts, and what it could become.
pub fn candidates(line: &str, known: &Known) -> (usize, Vec<String>) {
    let start = line
        .rfind(char::is_whitespace)
        .map_or(0, |space| space + line[space..].chars().next().map_or(0, char::len_utf8));
    let word = &line[start..];
    let before: Vec<&str> = line[..start].split_whitespace().collect();
    let mut candidates = match before.as_slice() {
        [] => verbs(),
        [verb, given @ ..] => words(verb, given, word, known),
    };
    candidates.retain(|candidate| candidate.starts_with(word) && candidate != word);
    candidates.truncate(SOME);
    (start, candidates)
}

/// The script language first, then the screen's own commands; a name that is both is offered once.
fn verbs() -> Vec<String> {
    let mut verbs: Vec<String> = Command::list().into_iter().map(|(name, _)| name).collect();
    for name in command::names() {
        if !verbs.iter().any(|verb| verb == name) {
            verbs.push(name.to_owned());
        }
    }
    verbs
}

/// What can follow `verb` and the words `given` after it.
fn words(verb: &str, given: &[&str], word: &str, known: &Known) -> Vec<String> {
    let place = given.len();
    let by_description = given.iter().any(|word| word.contains('='));
    let by_share = given.first().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let replicas = |prefix: &str| {
        (0..known.replicas).map(|index| format!("{prefix}R{index}")).collect::<Vec<_>>()
    };
    match (verb, place) {
        ("put" | "get" | "del", _) if word.starts_with('@') => replicas("@"),
        ("put" | "get" | "del", 0) => known.keys.clone(),
        ("put", 2) | ("get" | "del", 1) => replicas("@"),
        ("burst", 1..) => vec!["keys=".to_owned(), "conflict=".to_owned()],
        ("step", 0) => vec!["all".to_owned()],
        ("sleep", 0) => vec!["100ms".to_owned(), "1s".to_owned()],
        ("wake" | "clock" | "crash" | "recover", 0)
        | ("cut" | "uncut" | "heal", 0 | 1)
        | ("loss", 1 | 2)
        | ("partition", _) => replicas(""),
        ("loss", 0) => vec!["10".to_owned(), "50".to_owned(), "0".to_owned()],
        ("delay", 0) => vec!["20ms".to_owned(), "5ms..40ms".to_owned(), "0ms".to_owned()],
        ("delay", 1) if !word.contains('=') => {
            replicas("").into_iter().chain(conditions(word, known)).collect()
        }
        ("delay", _) if !word.contains('=') && !by_description => replicas(""),
        ("dup", 1 | 2) if by_share => replicas(""),
        ("status", 0) => known.instances.clone(),
        ("why", 0) => {
            let entry = "entry=".to_owned();
            known.instances.iter().chain(&known.messages).cloned().chain([entry]).collect()
        }
        ("why", _) if given[0].contains('.') => aspects(word, known),
        ("preview", 0) => known.messages.iter().cloned().chain(replicas("")).collect(),
        ("break" | "unbreak", _) => looked(word, known),
        ("find" | "until", _) => {
            let others = ["violation", "noop", "phase(R0.0)=noop"].map(str::to_owned);
            looked(word, known).into_iter().chain(others).collect()
        }
        ("goto", 0) => ["start", "end", "now"].map(str::to_owned).to_vec(),
        ("what-if", _) => ["drop", "duplicate", "delay", "swap", "crash", "change", "add"]
            .map(str::to_owned)
            .to_vec(),
        ("screen" | "show", 0) => Screen::ALL.map(|screen| screen.name().to_lowercase()).to_vec(),
        ("observer", 0) => replicas("").into_iter().chain(["all".to_owned()]).collect(),
        ("export" | "export!", 0) => Written::names(),
        ("theme", 0) => Theme::ALL.map(|theme| theme.name().to_owned()).to_vec(),
        ("speed", 0) => {
            ["faster", "slower"].into_iter().chain(rates()).map(str::to_owned).collect()
        }
        ("filter", _) => ["key:", "leader:", "kind:", "path:", "replica:", "instance:", "event:"]
            .map(str::to_owned)
            .to_vec(),
        ("help", 0) => verbs(),
        ("deliver" | "drop" | "dup", 0) if !word.contains('=') => {
            conditions(word, known).into_iter().chain(known.messages.iter().cloned()).collect()
        }
        ("release", 0) if !word.contains('=') && !known.rules.is_empty() => known.rules.clone(),
        ("deliver" | "drop" | "dup" | "hold" | "release" | "delay", _) => conditions(word, known),
        _ => Vec::new(),
    }
}

/// What can be asked of an instance.
fn aspects(word: &str, known: &Known) -> Vec<String> {
    let of = |name: &str| known.instances.iter().map(|id| format!("{name}={id}")).collect();
    match word.split_once('=') {
        Some((name @ ("dep" | "before"), _)) => of(name),
        Some(_) => Vec::new(),
        None if word.starts_with('@') => {
            (0..known.replicas).map(|index| format!("@R{index}")).collect()
        }
        None => ["path", "seq", "executed", "ballot", "noop", "dep=", "before="]
            .map(str::to_owned)
            .to_vec(),
    }
}

/// What can be looked for to stop at.
fn looked(word: &str, known: &Known) -> Vec<String> {
    match word.split_once('=') {
        None => ["path=", "kind=", "key=", "instance=", "component>", "seq>"]
            .map(str::to_owned)
            .to_vec(),
        Some(("path", _)) => Path::ALL.map(|path| format!("path={path}")).to_vec(),
        Some(("key", _)) => known.keys.iter().map(|key| format!("key={key}")).collect(),
        Some(_) => conditions(word, known),
    }
}

/// The conditions that describe messages.
fn conditions(word: &str, known: &Known) -> Vec<String> {
    let values: Vec<String> = match word.split_once('=') {
        None => {
            return ["kind=", "from=", "to=", "instance="].map(str::to_owned).to_vec();
        }
        Some(("kind", _)) => MessageKind::ALL.map(|kind| kind.to_string()).to_vec(),
        Some(("from" | "to", _)) => (0..known.replicas).map(|index| format!("R{index}")).collect(),
        Some(("instance", _)) => known.instances.clone(),
        Some(_) => Vec::new(),
    };
    let name = word.split_once('=').map_or("", |(name, _)| name);
    values.into_iter().map(|value| format!("{name}={value}")).collect()
}

/// What all of them begin with.
pub fn common_prefix(candidates: &[String]) -> String {
    let Some(first) = candidates.first() else { return String::new() };
    let mut common = first.as_str();
    for candidate in candidates {
        let shared = common.char_indices().zip(candidate.chars());
        let differs = shared.clone().find(|((_, mine), theirs)| mine != theirs);
        let end = match differs {
            Some(((byte, _), _)) => byte,
            None => common.len().min(candidate.len()),
        };
        common = &common[..end];
    }
    common.to_owned()
}

/// How many names of one kind are offered.
const SOME: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let known = Known {
            replicas: 3,
            keys: vec!["x".to_owned(), "xylophone".to_owned(), "ключ".to_owned()],
            instances: vec!["R0.1".to_owned(), "R0.0".to_owned()],
            messages: vec!["R0-5".to_owned()],
            rules: vec!["kind=Commit to=R1".to_owned()],
        };
        candidates(line, &known).1
    }

    #[test]
    fn each_place_offers_what_fits_there() {
        assert_eq!(offered("st"), ["step", "status", "step-back", "start"]);
        assert_eq!(offered("get x"), ["xylophone"]);
        assert_eq!(offered("get кл"), ["ключ"]);
        assert_eq!(offered("put x 1 "), ["@R0", "@R1", "@R2"]);
        assert_eq!(offered("put x 1 @R2"), Vec::<String>::new());
        assert_eq!(offered("deliver R"), ["R0-5"]);
        assert_eq!(offered("drop kind=C"), ["kind=Commit"]);
        assert_eq!(offered("hold to=R1 ins"), ["instance="]);
        assert_eq!(offered("release "), ["kind=Commit to=R1"]);
        assert_eq!(offered("wake "), ["R0", "R1", "R2"]);
        assert_eq!(offered("status "), ["R0.1", "R0.0"]);
        assert_eq!(offered("loss "), ["10", "50", "0"]);
        assert_eq!(offered("loss 5 R0 "), ["R0", "R1", "R2"]);
        assert_eq!(offered("dup 5 "), ["R0", "R1", "R2"]);
        assert_eq!(offered("dup R0-5 "), ["kind=", "from=", "to=", "instance="]);
        assert_eq!(offered("delay 20ms R0 "), ["R0", "R1", "R2"]);
        assert_eq!(offered("delay 20ms f"), ["from="]);
        assert_eq!(offered("delay 20ms to=R1 ins"), ["instance="]);
        assert_eq!(offered("heal "), ["R0", "R1", "R2"]);
        assert_eq!(offered("wal"), ["walk", "walk-on", "walk-back"]);
        assert_eq!(offered("why "), ["R0.1", "R0.0", "R0-5", "entry="]);
        assert_eq!(offered("why R0.1 be"), ["before="]);
        assert_eq!(offered("why R0.1 dep="), ["dep=R0.1", "dep=R0.0"]);
        assert_eq!(offered("why R0.1 @"), ["@R0", "@R1", "@R2"]);
        assert_eq!(offered("why R0-5 "), Vec::<String>::new());
        assert_eq!(offered("preview R0"), ["R0-5"]);
        assert_eq!(offered("break pa"), ["path="]);
        assert_eq!(offered("break path=s"), ["path=slow"]);
        assert_eq!(offered("break seq>3 key="), ["key=x", "key=xylophone", "key=ключ"]);
        assert_eq!(offered("observer "), ["R0", "R1", "R2", "all"]);
        assert_eq!(offered("export s"), ["shiviz", "svg", "script"]);
        assert_eq!(offered("theme c"), ["contrast"]);
        assert_eq!(offered("screen s"), ["space-time", "store"]);
        assert_eq!(offered("nonsense "), Vec::<String>::new());
    }

    #[test]
    fn what_is_common_is_cut_between_characters() {
        let common = |words: [&str; 2]| common_prefix(&words.map(str::to_owned));
        assert_eq!(common(["ключ", "клад"]), "кл");
        assert_eq!(common(["step", "step"]), "step");
        assert_eq!(common(["é", "e"]), "");
    }
}
