//! `epaxos-tui grade`.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::cli::arguments::GradeArguments;
use crate::cli::{Usage, interrupted, learn, read_config, resources};
use crate::config::Config;
use crate::grade::outside::{Options, Outside};
use crate::grade::{grade, kill_all};
use crate::lesson::Lesson;
use crate::observe::notice::Shape;

/// Leads the replicas of a configuration through scenarios, and prints what was found in each.
pub fn run(arguments: &GradeArguments) -> anyhow::Result<()> {
    let config = read_config(&arguments.config)?;
    // All of them are understood before anything is started.
    let scenarios = arguments.scenario.iter().map(|word| read(word, &config));
    let scenarios: Vec<_> = scenarios.collect::<anyhow::Result<_>>()?;
    let options = Options {
        endpoints: config.endpoints.clone(),
        start: arguments.start.clone(),
        logs: arguments.logs.clone(),
        quiet: arguments.quiet,
    };
    let replicas = config.endpoints.len();
    resources::require(resources::cluster_files(replicas), replicas)?;
    end_when_told()?;
    let mut failed = 0;
    // Whether all held does not depend on whether that can be printed.
    let mut printed = Ok(());
    let mut print = |text: String| {
        if printed.is_ok() {
            printed = super::print(&text);
        }
    };
    for (name, scenario) in &scenarios {
        let endpoints = config.addresses();
        let shape = Shape { endpoints, ..scenario.shape.clone() };
        let own =
            Options { logs: options.logs.as_ref().map(|it| logs(it, name)), ..options.clone() };
        let mut world = Outside::start(&own, shape).map_err(|error| anyhow!("{name}: {error}"))?;
        let report = grade(scenario, &mut world);
        failed += usize::from(!report.is_passed());
        if arguments.trace {
            for (heading, lines) in &report.trace {
                print(format!("  {heading}\n"));
                for line in lines {
                    print(format!("    {line}\n"));
                }
            }
        }
        if arguments.json {
            print(format!("{}\n", report.to_json(name)));
        } else {
            print(format!("{name}: {}\n{report}\n", report.title));
        }
    }
    match (failed, scenarios.len()) {
        (0, _) => Ok(printed?),
        (_, 1) => Err(anyhow!("the scenario has failed")),
        (failed, all) => Err(anyhow!("{failed} of {all} scenarios have failed")),
    }
}

/// Leaves no replica running where this is told to end in the middle.
fn end_when_told() -> anyhow::Result<()> {
    let runtime = resources::runtime_here(0)?;
    let thread = std::thread::Builder::new().spawn(move || {
        let signal = runtime.block_on(interrupted());
        kill_all();
        std::process::exit(INTERRUPTED + signal);
    });
    thread.map(drop).context("cannot start a thread")
}

/// The exit status of a process that a signal ends, less the number of the signal, as shells have it.
const INTERRUPTED: i32 = 128;

/// A scenario that a cluster of this configuration can be led through.
fn read(word: &str, config: &Config) -> anyhow::Result<(String, Lesson)> {
    let scenario = learn::read(word)?;
    let (meant, listed) = (scenario.shape.replicas(), config.endpoints.len());
    if meant != listed {
        let sentence =
            format!("{word} is played by {meant} replicas, and the configuration lists {listed}");
        return Err(Usage(sentence).into());
    }
    Ok((word.to_owned(), scenario))
}

/// Where what replicas print in a scenario goes.
fn logs(folder: &Path, scenario: &str) -> PathBuf {
    folder.join(Path::new(scenario).file_stem().unwrap_or_default())
}
