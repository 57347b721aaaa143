//! What was measured, as a table and as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::due::Pace;
use crate::bench::load::{Call, Limit, Load};
use crate::bench::sample::median;
use crate::bench::{Measurement, Plan, Round};
use crate::epaxos::instance::Path;
use crate::node::tally::Tally;

/// The measured rounds of a plan. Each figure is the median of those of all rounds.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// What was measured.
    pub plan: &'a Plan,
    /// What the cluster is, in words.
    pub cluster: String,
    /// What came of it.
    pub rounds: &'a [Round],
    /// What the screen showed of a watched cluster, in words.
    pub screen: Option<String>,
}

/// The latencies that are shown, in percent of all answers.
const PERCENTILES: [(f64, &str); 5] =
    [(50.0, "p50"), (90.0, "p90"), (99.0, "p99"), (99.9, "p99.9"), (100.0, "max")];

/// One of the things that a round measures.
type Part = fn(&Round) -> Option<&Measurement>;

const CLUSTER: Part = |round| Some(&round.cluster);
const WATCHED: Part = |round| round.watched.as_ref();
const UNARY: Part = |round| round.echo.as_ref().map(|echo| &echo[0]);
const STREAM: Part = |round| round.echo.as_ref().map(|echo| &echo[1]);

impl Report<'_> {
    /// The median over the rounds of a figure of one part; `None` where it was not measured.
    fn figure(&self, part: Part, figure: impl Fn(&Measurement) -> Option<f64>) -> Option<f64> {
        let figures: Option<Vec<_>> =
            self.rounds.iter().map(|round| part(round).and_then(&figure)).collect();
        figures.filter(|figures| !figures.is_empty()).map(median)
    }

    /// The median over the rounds of the ratio of two parts' throughput.
    fn throughput_ratio(&self, of: Part, to: Part) -> Option<f64> {
        let ratio = |round| {
            let (mine, theirs) = (of(round)?, to(round)?);
            Some(mine.sample.throughput() / theirs.sample.throughput())
        };
        self.rounds.iter().map(ratio).collect::<Option<Vec<_>>>().map(median)
    }

    /// The median over the rounds of the median latency, as a multiple of that of one bare unary call
    /// and one bare stream message and answer together.
    fn latency_ratio(&self) -> Option<f64> {
        let p50 = |measured: &Measurement| seconds(measured.sample.percentile(50.0));
        let ratio = |round: &Round| {
            let [unary, stream] = round.echo.as_ref()?;
            Some(p50(&round.cluster) / (p50(unary) + p50(stream)))
        };
        self.rounds.iter().map(ratio).collect::<Option<Vec<_>>>().map(median)
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{}", self.cluster);
        let _ = writeln!(out, "{}\n", describe(&self.plan.load));
        let _ = write!(out, "{:<16}{:>13}", "", "throughput");
        for (_, name) in PERCENTILES {
            let _ = write!(out, "{name:>10}");
        }
        let _ = writeln!(out, "{:>12}", "CPU/command");
        for (name, part) in [
            ("bare unary", UNARY),
            ("bare stream", STREAM),
            ("the cluster", CLUSTER),
            ("watched", WATCHED),
        ] {
            let Some(throughput) = self.figure(part, |it| Some(it.sample.throughput())) else {
                continue;
            };
            let _ = write!(out, "{name:<16}{:>13}", format!("{}/s", grouped(throughput)));
            for (percent, _) in PERCENTILES {
                let latency = self.figure(part, |it| Some(seconds(it.sample.percentile(percent))));
                let _ = write!(out, "{:>10}", time(latency));
            }
            let _ = writeln!(out, "{:>12}", time(self.figure(part, cpu_per_command)));
        }
        self.write_ratios(&mut out);
        self.write_counts(&mut out);
        out
    }

    fn write_ratios(&self, out: &mut String) {
        if let Some(watched) = self.throughput_ratio(WATCHED, CLUSTER) {
            let _ = writeln!(out, "\nwatched: {watched:.2} of the throughput of when nobody looks");
            let _ = writeln!(out, "{}", self.screen.as_deref().unwrap_or_default());
        }
        let (Some(unary), Some(stream)) =
            (self.throughput_ratio(CLUSTER, UNARY), self.throughput_ratio(CLUSTER, STREAM))
        else {
            return;
        };
        let _ = writeln!(
            out,
            "\nthroughput: {unary:.2} of bare unary calls, {stream:.2} of bare streams"
        );
        if let Some(latency) = self.latency_ratio() {
            let _ = writeln!(
                out,
                "median latency: {latency:.2} times that of a bare call and a bare stream's answer together"
            );
        }
    }

    fn write_counts(&self, out: &mut String) {
        if self.figure(CLUSTER, |it| it.tally.as_ref().map(|_| 0.0)).is_none() {
            let _ = writeln!(out, "\nA cluster that runs elsewhere does not say what it counts.");
            return;
        }
        let _ = writeln!(out);
        for (name, histogram) in [("commit", COMMIT), ("execute", EXECUTE)] {
            let _ = write!(out, "{:<16}{:>13}", format!("to {name}"), "");
            for (percent, _) in PERCENTILES {
                let latency =
                    self.counted(|tally| micros(histogram(tally).value_at_percentile(percent)));
                let _ = write!(out, "{:>10}", time(latency));
            }
            let _ = writeln!(out);
        }
        let share = |count: f64| format!("{:.1} %", 100.0 * count);
        let [fast, slow, recovery] =
            Path::ALL.map(|path| self.counted(|tally| path_share(tally, path)));
        let _ = writeln!(
            out,
            "\nfast {}, slow {}, recovery {}; {:.1} commands an instance, {:.2} messages a command",
            share(fast.unwrap_or(0.0)),
            share(slow.unwrap_or(0.0)),
            share(recovery.unwrap_or(0.0)),
            self.counted(batch).unwrap_or(0.0),
            self.counted(messages).unwrap_or(0.0),
        );
    }

    /// The median over the rounds of something that the replicas count.
    fn counted(&self, figure: impl Fn(&Tally) -> f64) -> Option<f64> {
        self.figure(CLUSTER, |it| it.tally.as_ref().map(&figure))
    }

    /// For programs. Times are in microseconds.
    pub fn to_json(&self) -> Value {
        let part = |part: Part| {
            self.figure(part, |it| Some(it.sample.throughput())).map(|throughput| {
                let latency = |percent| {
                    self.figure(part, |it| Some(seconds(it.sample.percentile(percent)) * 1e6))
                };
                let latencies =
                    PERCENTILES.map(|(percent, name)| (name.to_owned(), json!(latency(percent))));
                json!({
                    "throughput": throughput,
                    "latency": Value::Object(latencies.into_iter().collect()),
                    "cpu_per_command": self.figure(part, cpu_per_command).map(|cpu| cpu * 1e6),
                })
            })
        };
        let histogram = |histogram: Counted| {
            let latency = |percent| {
                self.counted(|tally| micros(histogram(tally).value_at_percentile(percent)) * 1e6)
            };
            PERCENTILES.map(|(percent, name)| (name.to_owned(), json!(latency(percent))))
        };
        json!({
            "cluster": self.cluster,
            "load": describe(&self.plan.load),
            "rounds": self.rounds.len(),
            "bare_unary": part(UNARY),
            "bare_stream": part(STREAM),
            "measured": part(CLUSTER),
            "watched": part(WATCHED),
            "screen": self.screen,
            "ratio_of_watched": self.throughput_ratio(WATCHED, CLUSTER),
            "ratio_to_bare_unary": self.throughput_ratio(CLUSTER, UNARY),
            "ratio_to_bare_stream": self.throughput_ratio(CLUSTER, STREAM),
            "latency_ratio": self.latency_ratio(),
            "commit_latency": Value::Object(histogram(COMMIT).into_iter().collect()),
            "execute_latency": Value::Object(histogram(EXECUTE).into_iter().collect()),
            "fast": self.counted(|tally| path_share(tally, Path::Fast)),
            "slow": self.counted(|tally| path_share(tally, Path::Slow)),
            "recovery": self.counted(|tally| path_share(tally, Path::Recovery)),
            "commands_per_instance": self.counted(batch),
            "messages_per_command": self.counted(messages),
        })
    }
}

type Counted = fn(&Tally) -> &hdrhistogram::Histogram<u64>;

const COMMIT: Counted = |tally| &tally.commit;
const EXECUTE: Counted = |tally| &tally.execute;

/// A load in one line.
fn describe(load: &Load) -> String {
    let Load { clients, call, pace, workload, warm_up, limit, .. } = load;
    let call = match call {
        Call::Unary => "with unary calls",
        Call::Stream => "on streams",
    };
    let pace = match pace {
        Pace::InFlight { most, think: Duration::ZERO } => format!("{most} in flight"),
        Pace::InFlight { most, think } => {
            format!("{most} in flight, {} after an answer,", humantime::format_duration(*think))
        }
        Pace::Rate(rate) => {
            format!("{} a second, whether or not they are answered,", grouped(*rate))
        }
    };
    let limit = match limit {
        Limit::Time(time) => format!("for {}", humantime::format_duration(*time)),
        Limit::Count(count) => format!("{count} of them"),
    };
    let keys = if workload.zipf > 0.0 {
        format!("{} keys, zipf {}", workload.keys, workload.zipf)
    } else {
        format!("{} keys", workload.keys)
    };
    format!(
        "{clients} clients, {pace} {call}, {limit} after {}: {} bytes, {keys}, {} % to one key, {} % reads",
        humantime::format_duration(*warm_up),
        workload.value_size,
        workload.conflict,
        workload.reads,
    )
}

fn path_share(tally: &Tally, path: Path) -> f64 {
    ratio(tally.answered[path as usize], tally.commands())
}

fn batch(tally: &Tally) -> f64 {
    ratio(tally.commands(), tally.led)
}

fn messages(tally: &Tally) -> f64 {
    ratio(tally.messages, tally.commands())
}

#[expect(clippy::cast_precision_loss, reason = "counts are not that large")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// What one command takes of all cores, in seconds.
fn cpu_per_command(measured: &Measurement) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "counts are not that large")]
    let answered = measured.sample.answered() as f64;
    (answered > 0.0).then(|| measured.cpu.as_secs_f64() / answered)
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn micros(count: u64) -> f64 {
    seconds(Duration::from_micros(count))
}

/// A time in three digits with its unit.
fn time(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else { return "–".to_owned() };
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let digits = match value {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// A whole number with its thousands apart.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_at_a_glance() {
        assert_eq!(grouped(1_234_567.4), "1,234,567");
        assert_eq!(grouped(12.0), "12");
        assert_eq!(time(Some(0.000_012_3)), "12.3 µs");
        assert_eq!(time(Some(0.001_5)), "1.50 ms");
        assert_eq!(time(Some(2.0)), "2.00 s");
        assert_eq!(time(None), "–");
    }
}
