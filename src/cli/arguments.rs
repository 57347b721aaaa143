//! What can be typed after `epaxos-tui`.

pub mod bench;
pub mod size;

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::arguments::bench::BenchArguments;
use crate::cli::arguments::size::Size;
use crate::epaxos::command::{Key, Operation};
use crate::epaxos::id::{ParseIdError, ReplicaId};
use crate::epaxos::quorum::CLUSTER_SIZES;
use crate::epaxos::replica::{
    GOSSIP_BYTES, GOSSIP_EVERY, KEEP, KEEP_BYTES, KEEP_MOST, KEEP_MOST_BYTES, ReplyOn,
};
use crate::export::{Format, UnknownFormat};
use crate::multiverse::written::Form;

/// Watch Egalitarian Paxos at work, hold it still, and step it
///
/// Without a command, starts a cluster of replicas in this process, which talk over gRPC on the
/// loopback, and opens the monitor on it.
#[derive(Debug, Parser)]
#[command(name = "epaxos-tui", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// What to do instead of opening the monitor.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The monitor's cluster.
    #[command(flatten)]
    pub cluster: ClusterArguments,
    /// The monitor's screen.
    #[command(flatten)]
    pub screen: ScreenArguments,
}

/// What the program can do besides opening the monitor.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script on a cluster without a screen, and print the trace
    #[command(after_help = RUN_EXAMPLES)]
    Run {
        /// The script; - for standard input
        file: PathBuf,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        /// The cluster.
        #[command(flatten)]
        cluster: ClusterArguments,
    },
    /// Run one replica of a cluster whose replicas run in processes of their own
    ///
    /// What it knows is in memory only. A replica that was stopped has forgotten its votes, and must
    /// not join its cluster again: stop and start all of them together.
    Replica {
        /// Which replica, from 0
        #[arg(long)]
        id: u8,
        /// Where all replicas listen
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print what is sent: 1 for kind and destination, 2 for seq and deps too
        #[arg(short = 'd', long = "debug", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
        debug: u8,
        /// Log more on standard error: -v for all that happens to connections, -vv for everything;
        /// RUST_LOG says it in detail
        #[arg(short = 'v', long = "verbose", action = clap::ArgAction::Count)]
        verbose: u8,
        /// How the replica behaves.
        #[command(flatten)]
        behaviour: Behaviour,
    },
    /// Ask a running cluster for an operation
    #[command(after_help = PROPOSE_EXAMPLES)]
    Propose {
        /// Where the replicas listen
        #[arg(long, value_name = "FILE", default_value = "config.json")]
        config: PathBuf,
        /// The replica to ask, from 0
        #[arg(long, value_name = "ID", conflicts_with = "round_robin")]
        at: Option<u8>,
        /// Ask every replica in turn
        #[arg(long)]
        round_robin: bool,
        /// How often to ask
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
        /// What to ask for.
        #[command(subcommand)]
        operation: OperationArguments,
    },
    /// Print in which order a committed log is executed
    Order {
        /// The log, a JSON array; - for standard input
        file: PathBuf,
        /// Print an array of arrays of instance names
        #[arg(long)]
        json: bool,
    },
    /// Check a recorded trace for everything that must be true of a run
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// The trace, one JSON object a line; - for standard input
        trace: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Open a recording in the monitor, to look at any place of it and try out what could have been
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay {
        /// The recording, as --record writes it, or a token; - for standard input with --check
        recording: PathBuf,
        /// Play all of it in the simulator, say whether the same comes of it, and open nothing
        #[arg(long)]
        check: bool,
        /// Play it on a fresh cluster over real gRPC, and compare every step and every state
        #[arg(long, conflicts_with = "check")]
        live: bool,
        /// How the monitor looks.
        #[command(flatten)]
        screen: ScreenArguments,
    },
    /// Take a lesson: a run that is told, with questions about what comes next
    ///
    /// Without a lesson, all of them are listed to be chosen from.
    #[command(after_help = LEARN_EXAMPLES)]
    Learn(LearnArguments),
    /// Lead somebody else's replicas through scenarios, and say which expectations held
    ///
    /// The replicas speak epaxos.v1. With --start they are started here, afresh for each scenario, and
    /// all that they say to each other passes through this; without it they run already, and only what
    /// clients see can be judged.
    #[command(after_help = GRADE_EXAMPLES)]
    Grade(GradeArguments),
    /// Play random runs in the simulator, with all kinds of faults, and check every step
    #[command(after_help = SIM_EXAMPLES)]
    Sim(SimArguments),
    /// Load a cluster, and print how much it does, how fast and at what cost
    #[command(after_help = bench::EXAMPLES)]
    Bench(BenchArguments),
    /// Run a command that ends, with all that it has started, when standard input ends
    ///
    /// A process that starts this keeps the other end of a pipe: however it ends, the command does, too.
    #[command(hide = true)]
    Tether {
        /// The command, and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<std::ffi::OsString>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Which lesson to take.
#[derive(Clone, Debug, Args)]
pub struct LearnArguments {
    /// The lesson: its number, its name, or a file
    pub lesson: Option<String>,
    /// Print what lessons there are, and open nothing
    #[arg(long, conflicts_with_all = ["lesson", "check"])]
    pub list: bool,
    /// Play lessons without a screen, and say whether all that they claim is so
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "lesson")]
    pub check: Vec<String>,
    /// How the monitor looks.
    #[command(flatten)]
    pub screen: ScreenArguments,
}

/// Whom to grade, and in what.
#[derive(Clone, Debug, Args)]
pub struct GradeArguments {
    /// The scenarios: files such as lessons are, or lessons by name or number
    #[arg(required = true)]
    pub scenario: Vec<String>,
    /// Where the replicas listen
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// What starts a replica: {id} stands for its number, {config} for the configuration it is to read,
    /// {folder} for an empty folder of its own
    #[arg(long, value_name = "COMMAND")]
    pub start: Option<String>,
    /// Keep what the replicas print in files of this folder
    #[arg(long, value_name = "FOLDER", requires = "start")]
    pub logs: Option<PathBuf>,
    /// For how long nothing must be heard before everything is taken to be at rest
    #[arg(long, value_name = "TIME", default_value = "250ms", value_parser = humantime::parse_duration)]
    pub quiet: Duration,
    /// Print what was heard in each step, too
    #[arg(long, conflicts_with = "json")]
    pub trace: bool,
    /// Print one JSON object for each scenario
    #[arg(long)]
    pub json: bool,
}

/// Which runs to play.
#[derive(Clone, Debug, Args)]
pub struct SimArguments {
    /// The seeds to play, each of which is one run
    #[arg(long, value_name = "A..B", value_parser = seeds, default_value = "0..10000")]
    pub seeds: Seeds,
    /// One seed only
    #[arg(long, value_name = "S", conflicts_with = "seeds")]
    pub seed: Option<u64>,
    /// How many replicas: 3, 5, 7 or 9 [default: drawn from the seed]
    #[arg(long, value_name = "N", value_parser = cluster_size)]
    pub replicas: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Write the run of the one seed to a file, for 'epaxos-tui replay', and search nothing
    #[arg(long, value_name = "FILE", requires = "seed", conflicts_with = "json")]
    pub record: Option<PathBuf>,
    /// Break the protocol on purpose
    #[cfg(feature = "mutations")]
    #[arg(long, value_name = "NAME")]
    pub mutation: Option<crate::epaxos::mutation::Mutation>,
}

/// A range of seeds.
#[derive(Clone, Debug)]
pub struct Seeds(pub Range<u64>);

fn seeds(text: &str) -> Result<Seeds, String> {
    let expected = || "expected two numbers, the first one smaller, such as 0..10000".to_owned();
    let (start, end) = text.split_once("..").ok_or_else(expected)?;
    let number = |text: &str| text.replace('_', "").parse().map_err(|_| expected());
    let (start, end) = (number(start)?, number(end)?);
    if start < end { Ok(Seeds(start..end)) } else { Err(expected()) }
}

/// An operation on the key-value store.
#[derive(Debug, Subcommand)]
pub enum OperationArguments {
    /// Give a key a value
    Put {
        /// The key
        key: String,
        /// The value
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Read a key
    Get {
        /// The key
        key: String,
    },
    /// Remove a key
    Del {
        /// The key
        key: String,
    },
}

impl OperationArguments {
    /// The operation that is meant.
    pub fn operation(&self) -> Operation {
        match self {
            Self::Put { key, value } => Operation::put(key, value),
            Self::Get { key } => Operation::get(key),
            Self::Del { key } => Operation::delete(key),
        }
    }
}

/// Which cluster to start, and how it behaves.
#[derive(Clone, Debug, Args)]
pub struct ClusterArguments {
    /// How many replicas: 3, 5, 7 or 9 [default: 5, or as many as the configuration lists]
    #[arg(long, value_name = "N", value_parser = cluster_size)]
    pub replicas: Option<usize>,
    /// Listen where this file says [default: free ports of the loopback]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How every replica behaves.
    #[command(flatten)]
    pub behaviour: Behaviour,
    /// Start with everything held
    #[arg(long)]
    pub paused: bool,
    /// Write the counters to a file at the end, as JSON
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Write the trace to a file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Record the run in a new file as it happens, for 'epaxos-tui replay'
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Write what was seen to a file at the end, for another program: as shiviz, mermaid, dot, svg or
    /// csv; can be given several times
    #[arg(long, value_name = "FORMAT=FILE", value_parser = exported)]
    pub export: Vec<Exported>,
}

/// What is to be written down for another program, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// As what.
    pub format: Format,
    /// Where.
    pub file: PathBuf,
}

fn exported(text: &str) -> Result<Exported, String> {
    let expected = "expected a format and a file, such as mermaid=run.mmd";
    let (format, file) = text.split_once('=').ok_or(expected)?;
    if format.parse::<Form>().is_ok() {
        return Err(format!(
            "{format} is of one branch, and written at the prompt: export {format} FILE; \
             --record FILE records the run"
        ));
    }
    let format = format.parse().map_err(|error: UnknownFormat| error.to_string())?;
    if file.is_empty() {
        return Err(expected.to_owned());
    }
    Ok(Exported { format, file: file.into() })
}

/// How a replica behaves.
#[derive(Clone, Debug, Args)]
pub struct Behaviour {
    /// Ask all replicas at once, not just as many as a quorum needs
    #[arg(long)]
    pub no_thrifty: bool,
    /// Make one instance of proposals that wait together
    #[arg(long)]
    pub batch: bool,
    /// When clients are answered
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = ReplyOnArgument::Execute)]
    pub reply_on: ReplyOnArgument,
    /// Hold back every Commit for this long, such as 10s, so that conflicts can be made at leisure
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub commit_delay: Option<Duration>,
    /// Finish another replica's instance that is undecided for this long, 600ms at least; or never
    #[arg(long, value_name = "TIME|never", value_parser = recover_after, default_value = "3s")]
    pub recover_after: Patience,
    /// From what waiting times are drawn that should differ between replicas, and what links lose
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Keep the last instances of each row that every replica has executed, of so many commands
    #[arg(long, value_name = "COUNT", default_value_t = KEEP)]
    pub keep: u64,
    /// Keep so many commands for a replica that has not executed them, and then go on without it
    #[arg(long, value_name = "COUNT", default_value_t = KEEP_MOST)]
    pub keep_most: u64,
    /// Keep at most this many bytes of executed keys and values per row, such as 4MiB
    #[arg(long, value_name = "SIZE", default_value_t = Size(KEEP_BYTES))]
    pub keep_bytes: Size,
    /// Keep at most this many bytes for a replica that has not executed them, and then go on without it
    #[arg(long, value_name = "SIZE", default_value_t = Size(KEEP_MOST_BYTES))]
    pub keep_most_bytes: Size,
    /// Tell the others what is executed each time that so many more commands are
    #[arg(long, value_name = "COUNT", default_value_t = GOSSIP_EVERY, value_parser = clap::value_parser!(u64).range(1..))]
    pub gossip_every: u64,
    /// Tell the others what is executed after this many bytes of commands, too
    #[arg(long, value_name = "SIZE", default_value_t = Size(GOSSIP_BYTES))]
    pub gossip_bytes: Size,
    /// Break the protocol on purpose
    #[cfg(feature = "mutations")]
    #[arg(long, value_name = "NAME")]
    pub mutation: Option<crate::epaxos::mutation::Mutation>,
    /// Let a replica panic once, where a key is named, such as R2=boom: to see what comes of it
    #[arg(long, value_name = "R=KEY", value_parser = panic_at, hide = true)]
    pub panic_at: Option<(ReplicaId, Key)>,
}

fn panic_at(text: &str) -> Result<(ReplicaId, Key), String> {
    let (replica, key) = text.split_once('=').ok_or("expected such as R2=boom")?;
    let replica = replica.parse().map_err(|error: ParseIdError| error.to_string())?;
    Ok((replica, key.into()))
}

/// How long a replica waits before it does another one's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// So long.
    For(Duration),
    /// It never does.
    Endless,
}

/// When clients are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReplyOnArgument {
    /// Once the command has been executed
    Execute,
    /// A write once it is committed; gives up linearizability under conflicts
    Commit,
}

impl ReplyOnArgument {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Commit => "commit",
        }
    }
}

impl From<ReplyOnArgument> for ReplyOn {
    fn from(argument: ReplyOnArgument) -> Self {
        match argument {
            ReplyOnArgument::Execute => Self::Execute,
            ReplyOnArgument::Commit => Self::Commit,
        }
    }
}

/// How the monitor looks.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct ScreenArguments {
    /// Draw with ASCII characters only
    #[arg(long)]
    pub ascii: bool,
    /// Colours [default: as the terminal's background suggests]
    #[arg(long, value_enum)]
    pub theme: Option<ThemeArgument>,
    /// For a light terminal: the same as --theme light
    #[arg(long, conflicts_with = "theme")]
    pub light: bool,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub no_mouse: bool,
    /// Use the keys of this file; what it does not mention stays as it is
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Print all keys in the format of such a file, and nothing else
    #[arg(long)]
    pub print_keys: bool,
}

/// A set of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThemeArgument {
    /// For dark backgrounds
    Dark,
    /// For light backgrounds
    Light,
    /// No colours
    Mono,
    /// Bright colours on a dark background, and nothing dimmed
    Contrast,
}

fn recover_after(text: &str) -> Result<Patience, String> {
    match text {
        "never" => Ok(Patience::Endless),
        text => humantime::parse_duration(text)
            .map(Patience::For)
            .map_err(|error| format!("{error}, expected such as 3s, or never")),
    }
}

fn cluster_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if CLUSTER_SIZES.contains(&size) => Ok(size),
        _ => Err("a cluster has 3, 5, 7 or 9 replicas".to_owned()),
    }
}

const EXAMPLES: &str = "\
Examples:
  epaxos-tui                                 watch five replicas
  epaxos-tui --replicas 3 --paused           step three of them by hand from the start
  epaxos-tui --commit-delay 10s              make conflicts at leisure
  epaxos-tui --print-keys > keys.txt         all keys, to be changed and read with --keys keys.txt
  epaxos-tui run script.txt --json           run a script and print the trace
  epaxos-tui sim --replicas 5                look for runs that go wrong
  epaxos-tui replica --id 0 --config config.json
  epaxos-tui propose --config config.json put x 1

Exit status: 0 if all went well, 1 if something failed, 2 if the command line is wrong.";

const RUN_EXAMPLES: &str = "\
Examples:
  printf 'put x 1\\nsettle\\nget x @R3\\nsettle\\n' | epaxos-tui run -
  epaxos-tui run script.txt --replicas 3 --metrics metrics.json
  epaxos-tui run script.txt --export mermaid=run.mmd --export svg=graph.svg

A script has one command a line; 'help' lists them. All lines are read before anything runs.
Exit status: 0 if every command was carried out, 1 with the line and the reason otherwise.";

const CHECK_EXAMPLES: &str = "\
Examples:
  epaxos-tui --trace trace.jsonl             watch five replicas, and write the trace down
  epaxos-tui check trace.jsonl               check it
  epaxos-tui run script.txt --json | epaxos-tui check -

Exit status: 0 if everything holds, 1 if something does not or the trace cannot be read.";

const REPLAY_EXAMPLES: &str = "\
Examples:
  epaxos-tui --record run.jsonl              watch five replicas, and record what happens
  epaxos-tui replay run.jsonl                look at it again: p and n go back and forth
  epaxos-tui replay run.jsonl --check        play it again, and compare what comes of each step
  epaxos-tui replay run.jsonl --live         the same, on a fresh cluster over gRPC

Exit status: 0 if all of it is as it was, 1 if it is damaged or something else comes of it.";

const LEARN_EXAMPLES: &str = "\
Examples:
  epaxos-tui learn                           choose a lesson
  epaxos-tui learn 1                         take the first one
  epaxos-tui learn mine.lesson               take one of your own
  epaxos-tui learn --check mine.lesson       play it, and see whether it is true

Exit status: 0 if it could be shown, or all that was checked holds; 1 if not.";

const GRADE_EXAMPLES: &str = "\
Examples:
  epaxos-tui grade mine.lesson --config config.json
  epaxos-tui grade fast-path conflict --config config.json \\
      --start './replica -id {id} -config {config}'

Exit status: 0 if all held, 1 if something did not, 2 if a scenario and the configuration do not go
together.";

const SIM_EXAMPLES: &str = "\
Examples:
  epaxos-tui sim --replicas 5                ten thousand runs of five replicas
  epaxos-tui sim --seeds 0..1000000          a million, of all sizes
  epaxos-tui sim --seed 7 --record FILE      one, to be opened with replay
  epaxos-tui sim --replicas 5 --seed 42      one of them again

A run that goes wrong is cut down to what is needed, and printed as a script for 'epaxos-tui run'.
Exit status: 0 if no run went wrong, 1 otherwise.";

const PROPOSE_EXAMPLES: &str = "\
Examples:
  epaxos-tui propose --config config.json --at 2 put x 1
  epaxos-tui propose --config config.json --round-robin --count 10 get x";
