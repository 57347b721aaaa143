//! A branch as text with which it can be had again: a recording, a script, a test, a token of one line.

use std::borrow::Cow;
use std::fmt::Write;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::epaxos::command::{Client, Command, Operation};
use crate::epaxos::id::ReplicaId;
use crate::epaxos::time::Time;
use crate::multiverse::recorder::Recorder;
use crate::multiverse::tree::{BranchId, Multiverse};
use crate::observe::notice::{Decision, Effect, Notice, Step};
use crate::observe::turn::{Choice, Turn};
use crate::observe::view::View;
use crate::script::grammar;
use crate::script::session::Session;
use crate::script::world::{Proposer, World};
use crate::sim::cluster::Cluster;
use crate::sim::schedule::flags;

/// As what a branch is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A recording, as `--record` writes it.
    Recording,
    /// A script for `run`, which does the same at the same times.
    Script,
    /// A test in Rust, which has the run again and holds what came of it.
    Rust,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Recording, Self::Script, Self::Rust];

    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Script => "script",
            Self::Rust => "rust",
        }
    }

    /// What the names of such files end in.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Recording => "jsonl",
            Self::Script => "script",
            Self::Rust => "rs",
        }
    }

    /// What it is, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Recording => "the branch as a recording, for replay",
            Self::Script => "the branch as a script, for run",
            Self::Rust => "the branch as a test in Rust",
        }
    }

    /// Writes a branch down.
    pub fn write(self, multiverse: &Multiverse, branch: BranchId) -> Result<String, String> {
        match self {
            Self::Recording => recording(multiverse, branch),
            Self::Script => script(multiverse, branch),
            Self::Rust => rust(multiverse, branch),
        }
    }
}

impl FromStr for Form {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|form| form.name() == text).ok_or(())
    }
}

/// A branch as a recording.
pub fn recording(multiverse: &Multiverse, branch: BranchId) -> Result<String, String> {
    let mut cluster = multiverse.start();
    cluster.listen();
    let shape = multiverse.shape();
    let (mut recorder, mut text) = Recorder::new(shape);
    text.push('\n');
    let mut view = View::new(shape.clone());
    for at in 0..multiverse.get(branch).map_or(0, crate::multiverse::tree::Branch::len) {
        multiverse.go_on(branch, at, &mut cluster).map_err(|astray| astray.to_string())?;
        for notice in cluster.take_notices() {
            // Where a message is held is no part of what was decided.
            if matches!(notice, Notice::Held(_)) {
                continue;
            }
            recorder.note(&notice);
            view.apply(notice);
            for line in recorder.lines(&view.log) {
                writeln!(text, "{line}").expect("strings take any text");
            }
        }
    }
    writeln!(text, "{}", recorder.end()).expect("strings take any text");
    Ok(text)
}

/// A branch as a script that plays it message by message, at the same times. It is played as it is
/// written: what does not come to the same cannot be had from a script.
fn script(multiverse: &Multiverse, branch: BranchId) -> Result<String, String> {
    let flags = flags(multiverse.shape());
    let mut lines = vec![
        "# What was decided in a run, one after another, by the clocks that there were.".to_owned(),
        format!("# epaxos-tui run FILE {flags}"),
        "pause".to_owned(),
    ];
    let (mut was, mut played) = (multiverse.start(), multiverse.start());
    let mut session = Session::default();
    session.perform(&mut played, &grammar::Command::Pause)?;
    for (at, turn) in (0..).zip(multiverse.turns(branch, 0)) {
        let odd = |reason: String| format!("#{at} cannot be typed: {reason}");
        for line in typed(turn, &played).map_err(odd)? {
            let command = grammar::Command::parse(&line).map_err(|error| odd(error.to_string()))?;
            let command = command.ok_or_else(|| odd("it says nothing".to_owned()))?;
            session.perform(&mut played, &command).map_err(odd)?;
            lines.push(line);
        }
        multiverse.go_on(branch, at, &mut was).map_err(|astray| astray.to_string())?;
        let step = |cluster: &Cluster| cluster.view().log.iter().next_back().cloned();
        let (is, should) = (step(&played), step(&was));
        let same = is.zip(should).is_some_and(|(is, should)| is_alike(&is.step, &should.step));
        if !same {
            return Err(odd("a script comes to something else there".to_owned()));
        }
    }
    lines.push("status".to_owned());
    Ok(lines.join("\n") + "\n")
}

/// Whether the same came of two steps, but for what requests are called; and for what senders give up,
/// which a script can only throw away at the receiver.
fn is_alike(is: &Step, should: &Step) -> bool {
    if let Decision::Lose(envelope) = &should.decision {
        return matches!(&is.decision, Decision::Drop(other) if other.id == envelope.id);
    }
    let sent = |step: &Step| -> Vec<_> {
        let sent = step.effects.iter().filter_map(|effect| match effect {
            Effect::Send(it) => Some((it.id, it.to, it.message.kind(), it.message.instance())),
            Effect::Event(_) | Effect::Reply(_) => None,
        });
        sent.collect()
    };
    (is.replica, is.now, is.decision.name(), sent(is), is.timer)
        == (should.replica, should.now, should.decision.name(), sent(should), should.timer)
}

/// The commands that do what a turn did in a cluster that is played, after the turns before it.
fn typed(turn: &Turn, played: &Cluster) -> Result<Vec<String>, String> {
    let replica = turn.replica;
    let line = match &turn.choice {
        Choice::Propose(commands) => proposal(replica, commands)?,
        Choice::Deliver(id) => format!("deliver {id}"),
        Choice::Drop(id) => format!("drop {id}"),
        // What becomes of it is heard of at another replica, whose clock that is not.
        Choice::Lose(id) => return Ok(vec![format!("drop {id}")]),
        Choice::Duplicate(id, _) => format!("dup {id}"),
        Choice::Wake => format!("wake {replica}"),
        Choice::Crash => format!("crash {replica}"),
        Choice::Restart => format!("recover {replica}"),
        Choice::Panic(_) | Choice::Failed(_) => return Err("a program failed there".to_owned()),
    };
    let due = played.seat(replica).next_timer().map(|(due, _)| due);
    let shows = match turn.choice {
        // It sets the clock forward by itself.
        Choice::Wake => due.into_iter().chain([played.replicas().clock(replica)]).max(),
        _ => Some(played.replicas().clock(replica)),
    };
    let mut lines = Vec::new();
    if shows.is_none_or(|shows| shows < turn.now) {
        let time = turn.now.since(Time::default());
        lines.push(grammar::Command::Clock { replica, time }.to_string());
    }
    lines.push(line);
    Ok(lines)
}

fn proposal(at: ReplicaId, commands: &[Command]) -> Result<String, String> {
    let typed: Vec<String> = commands.iter().map(one_command).collect::<Result<_, _>>()?;
    let quoted = |text: &String| shlex::try_quote(text).map(Cow::into_owned);
    let line = match typed.as_slice() {
        [operation] => format!("{operation} @{at}"),
        several => {
            let quoted: Result<Vec<_>, _> = several.iter().map(quoted).collect();
            format!("batch {} @{at}", quoted.map_err(|error| error.to_string())?.join(" "))
        }
    };
    // What cannot be read back as it is would be another run.
    let read = grammar::Command::parse(&line).map_err(|error| error.to_string())?;
    let one = read.as_ref().and_then(grammar::Command::proposal);
    let same = match (commands, one) {
        ([command], Some((proposal, _))) => proposal.operation == command.operation,
        (_, None) => !line.contains('\n'),
        _ => false,
    };
    if same { Ok(line) } else { Err("a line of a script cannot hold such text".to_owned()) }
}

/// Quotes a word where it needs that.
fn word(text: &str) -> Result<String, String> {
    let fits = !text.contains(['\n', '\r', '\0']);
    let quoted = fits.then(|| shlex::try_quote(text).ok()).flatten();
    quoted.map(Cow::into_owned).ok_or_else(|| format!("{text:?} is no line"))
}

fn one_command(command: &Command) -> Result<String, String> {
    let Command { request, operation: asked } = command;
    let typed = operation(asked)?;
    match request.client {
        // The script names the others by itself.
        Client::Named(_) if !Proposer::default().is_of(request) => {
            Ok(format!("{typed} {}", word(&format!("as={request}"))?))
        }
        _ => Ok(typed),
    }
}

fn operation(operation: &Operation) -> Result<String, String> {
    Ok(match operation {
        Operation::Put(key, value) => {
            let value = std::str::from_utf8(value).map_err(|_| "a value is no text".to_owned())?;
            format!("put {} {}", word(key)?, word(value)?)
        }
        Operation::Get(key) => format!("get {}", word(key)?),
        Operation::Delete(key) => format!("del {}", word(key)?),
    })
}

/// A branch as a test: it has the run again, turn by turn with the digest of each, and holds what each
/// replica has of each instance at the end.
fn rust(multiverse: &Multiverse, branch: BranchId) -> Result<String, String> {
    let recording = recording(multiverse, branch)?;
    let end = multiverse.clone().at(branch, u64::MAX).map_err(|astray| astray.to_string())?;
    let known = known(end.view());
    let mut ended = String::new();
    for line in &known {
        writeln!(ended, "    {line:?},").expect("strings take any text");
    }
    let fence = "#".repeat(longest_run_of_hashes(&recording) + 1);
    let count = known.len().to_string();
    let parts =
        [("count", &count), ("ended", &ended), ("fence", &fence), ("recording", &recording)];
    let fill =
        |text: String, (name, value): (&str, &String)| text.replace(&format!("{{{name}}}"), value);
    // The recording comes last: what is in it is no place for anything.
    Ok(parts.into_iter().fold(TEST.to_owned(), fill))
}

/// The test, with places for what is of one run.
const TEST: &str = include_str!("../../assets/exported_test.rs.txt");

fn longest_run_of_hashes(text: &str) -> usize {
    text.split(|c| c != '#').map(str::len).max().unwrap_or(0)
}

/// What each replica has of each instance, a line each, and its store.
pub fn known(view: &View) -> Vec<String> {
    let mut lines = Vec::new();
    for id in ReplicaId::all(view.shape.replicas()) {
        let replica = view.replica(id);
        for (instance, own) in replica.instances.iter() {
            let (phase, attributes, payload) = (own.phase, own.attributes, &own.payload);
            lines.push(format!("{id} {instance} {phase} {attributes} {payload}"));
        }
        for (key, value) in replica.store.iter() {
            lines.push(format!("{id} {key} = {}", crate::epaxos::command::text(value)));
        }
    }
    lines
}

/// A short branch as one line that can be pasted anywhere.
pub fn token(multiverse: &Multiverse, branch: BranchId) -> Result<String, String> {
    let len = multiverse.get(branch).map_or(0, crate::multiverse::tree::Branch::len);
    if len > TOKEN_TURNS {
        return Err(format!(
            "{len} entries are too many for a token, which holds {TOKEN_TURNS}; export recording FILE holds any"
        ));
    }
    let recording = recording(multiverse, branch)?;
    let packed = miniz_oxide::deflate::compress_to_vec(recording.as_bytes(), PACKING);
    Ok(format!("{TOKEN}{}", URL_SAFE_NO_PAD.encode(packed)))
}

/// Whether a text is meant to be a token.
pub fn is_token(text: &str) -> bool {
    text.trim_start().starts_with(TOKEN)
}

/// The recording that a token holds.
pub fn of_token(token: &str) -> Result<String, String> {
    let odd = || "the token is damaged: it must be copied whole, as one line".to_owned();
    let packed = token.trim().strip_prefix(TOKEN).ok_or_else(odd)?;
    let packed = URL_SAFE_NO_PAD.decode(packed).map_err(|_| odd())?;
    let text = miniz_oxide::inflate::decompress_to_vec_with_limit(&packed, TOKEN_BYTES);
    String::from_utf8(text.map_err(|_| odd())?).map_err(|_| odd())
}

/// What a token begins with: its version is that of what it holds.
const TOKEN: &str = "epaxos:";

/// How many turns a token may hold: some ten kilobytes.
const TOKEN_TURNS: u64 = 300;

/// How large what it holds may be, so that nobody is sent a bomb.
const TOKEN_BYTES: usize = 4_000_000;

/// How hard it is packed, of 10.
const PACKING: u8 = 9;
