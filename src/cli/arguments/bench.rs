//! What can be typed after `epaxos-tui bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::arguments::{Behaviour, cluster_size};

/// What to measure.
#[derive(Clone, Debug, Args)]
pub struct BenchArguments {
    /// How many replicas to start: 3, 5, 7 or 9 [default: 3]
    #[arg(long, value_name = "N", value_parser = cluster_size, conflicts_with = "config")]
    pub replicas: Option<usize>,
    /// Load a running cluster, whose replicas listen where this file says
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How many clients, each with a connection of its own [default: 6, or as many as are in flight]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub clients: Option<usize>,
    /// How many commands are in flight, over all clients
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = positive)]
    pub in_flight: usize,
    /// How long a client waits after each answer before it asks for another command
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "0s")]
    pub think: Duration,
    /// Ask for so many commands a second, whether or not earlier ones are answered; each one's latency
    /// counts from when it was due
    #[arg(long, value_name = "N", conflicts_with_all = ["in_flight", "think"], value_parser = rate)]
    pub rate: Option<f64>,
    /// How clients call
    #[arg(long, value_enum, default_value_t = CallArgument::Stream)]
    pub call: CallArgument,
    /// The size of a value, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16)]
    pub value_size: usize,
    /// How many keys
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = positive)]
    pub keys: usize,
    /// How many commands in a hundred go to the one key that all clients share
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub conflict: f64,
    /// Choose keys unevenly, the k-th with a share of 1/k to this power, and let clients share them
    #[arg(long, value_name = "POWER", default_value_t = 0.0, value_parser = power)]
    pub zipf: f64,
    /// How many commands in a hundred are reads
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub reads: f64,
    /// How long to measure
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "3s")]
    pub duration: Duration,
    /// Measure until so many commands are answered instead
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// How long to load before anything counts
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1s")]
    pub warm_up: Duration,
    /// Measure the bare transport in turn with the cluster, and print the ratios
    #[arg(long)]
    pub compare_transport: bool,
    /// Measure in turn the cluster and another one that is watched as by the monitor
    #[arg(long, conflicts_with = "config")]
    pub watch: bool,
    /// How often to measure; what is printed is the median [default: 5 with --compare-transport or
    /// --watch, otherwise 1]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub rounds: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// How every replica behaves.
    #[command(flatten)]
    pub behaviour: Behaviour,
}

/// How clients call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CallArgument {
    /// One call for each command
    Unary,
    /// One stream for all commands of a client
    Stream,
}

fn positive(text: &str) -> Result<usize, String> {
    text.replace('_', "")
        .parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| "expected a number from 1".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    within(text, 0.0..=100.0).ok_or_else(|| "expected a number from 0 to 100".to_owned())
}

fn power(text: &str) -> Result<f64, String> {
    within(text, 0.0..=10.0).ok_or_else(|| "expected a number from 0 to 10".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    within(text, 0.1..=1e8).ok_or_else(|| "expected a number above 0".to_owned())
}

fn within(text: &str, bounds: std::ops::RangeInclusive<f64>) -> Option<f64> {
    text.replace('_', "").parse().ok().filter(|number| bounds.contains(number))
}

/// Examples.
pub const EXAMPLES: &str = "\
Examples:
  epaxos-tui bench                           three replicas, 100 commands in flight
  epaxos-tui bench --replicas 5 --batch --in-flight 5000 --compare-transport
  epaxos-tui bench --in-flight 1 --call unary
  epaxos-tui bench --rate 20000 --conflict 100
  epaxos-tui bench --config config.json --json

Exit status: 0 if all was measured, 1 if something failed, 2 if the command line is wrong.";
