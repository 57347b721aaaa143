//! Searching for runs that go wrong, on all cores, and saying what was found.

use std::fmt::Write;
use std::ops::Range;
use std::panic;
use std::sync::Mutex;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::{Map, Value, json};

use crate::epaxos::event::Rule;
use crate::multiverse::recorder::Recorder;
use crate::observe::view::View;
use crate::script::file;
use crate::script::session::Session;
use crate::sim::cluster::Cluster;
use crate::sim::coverage::Coverage;
use crate::sim::plan::Plan;
use crate::sim::schedule::{Script, flags};
use crate::sim::shrink::shrink;
use crate::sim::simulation::{Finding, Run, draw, play};

/// What to search.
#[derive(Clone, Debug)]
pub struct Search {
    /// The seeds, each of which is one run.
    pub seeds: Range<u64>,
    /// How many replicas; drawn from the seed where nothing is said.
    pub replicas: Option<usize>,
    /// How the protocol is broken on purpose.
    #[cfg(feature = "mutations")]
    pub mutation: Option<crate::epaxos::mutation::Mutation>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Searched {
    /// What came up. After a failure, that of the runs which were over by then.
    pub coverage: Coverage,
    /// The run with the lowest seed that went wrong.
    pub failure: Option<Failure>,
}

/// A run that went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its circumstances.
    pub plan: Plan,
    /// How many acts it had.
    pub drawn: usize,
    /// What is wrong with it.
    pub finding: Finding,
    /// What is left of it, written down.
    pub shrunken: Run,
}

impl Search {
    /// The runs of these seeds.
    pub fn new(seeds: Range<u64>, replicas: Option<usize>) -> Self {
        Self {
            seeds,
            replicas,
            #[cfg(feature = "mutations")]
            mutation: None,
        }
    }

    /// The circumstances of one run.
    pub fn plan(&self, seed: u64) -> Plan {
        #[cfg_attr(not(feature = "mutations"), expect(unused_mut, reason = "for the feature"))]
        let mut plan = Plan::draw(seed, self.replicas);
        #[cfg(feature = "mutations")]
        {
            plan.shape.options.mutation = self.mutation;
        }
        plan
    }

    /// One run as a recording, to be looked at in the monitor, whether anything is wrong with it or not.
    pub fn recording(&self, seed: u64) -> Result<String, String> {
        let plan = self.plan(seed);
        let drawn = draw(&plan);
        let script = play(&plan, &drawn.acts, true).script.unwrap_or_default().to_string();
        let script = file::Script::parse(&script).map_err(|error| error.to_string())?;
        let mut cluster = Cluster::new(plan.shape.clone());
        cluster.listen();
        let (mut recorder, first) = Recorder::new(&plan.shape);
        let mut text = format!("{first}\n");
        let (mut session, mut view) = (Session::default(), View::new(plan.shape.clone()));
        for (line, command) in &script.commands {
            let said = session.perform(&mut cluster, command);
            said.map_err(|reason| format!("line {line} of the run: {reason}"))?;
            for notice in cluster.take_notices() {
                recorder.note(&notice);
                view.apply(notice);
                for record in recorder.lines(&view.log) {
                    writeln!(text, "{record}").expect("a string takes all");
                }
            }
        }
        writeln!(text, "{}", recorder.end()).expect("a string takes all");
        Ok(text)
    }

    /// Plays all runs, or until one goes wrong. `progress` is told now and then how many more are
    /// over.
    pub fn run(&self, progress: impl Fn(u64) + Sync) -> Searched {
        quieten_simulations();
        let next = AtomicU64::new(self.seeds.start);
        // No seed from here on matters any more.
        let end = AtomicU64::new(self.seeds.end);
        let found: Mutex<(Coverage, Option<(u64, Run)>)> = Mutex::default();
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let work = || {
            let mut coverage = Coverage::default();
            loop {
                let first = next.fetch_add(CHUNK, Ordering::Relaxed);
                if first >= end.load(Ordering::Relaxed) {
                    break;
                }
                for seed in first..first.saturating_add(CHUNK) {
                    if seed >= end.load(Ordering::Relaxed) {
                        break;
                    }
                    let run = draw(&self.plan(seed));
                    coverage.add(&run.coverage);
                    if run.finding.is_some() {
                        end.fetch_min(seed, Ordering::Relaxed);
                        let mut found = found.lock().expect("no worker panics holding it");
                        if found.1.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                            found.1 = Some((seed, run));
                        }
                        break;
                    }
                }
                progress(CHUNK);
            }
            found.lock().expect("no worker panics holding it").0.add(&coverage);
        };
        thread::scope(|scope| {
            for _ in 0..workers {
                let named = thread::Builder::new().name(WORKER.to_owned());
                named.spawn_scoped(scope, work).expect("threads can be started");
            }
        });
        let (coverage, failed) = found.into_inner().expect("no worker panics holding it");
        let failure = failed.map(|(seed, run)| self.failure(seed, run));
        Searched { coverage, failure }
    }

    fn failure(&self, seed: u64, run: Run) -> Failure {
        let plan = self.plan(seed);
        let finding = run.finding.expect("only runs that went wrong are kept");
        let shrink = || shrink(&plan, &run.acts, &finding);
        let shrunken = thread::scope(|scope| {
            let named = thread::Builder::new().name(WORKER.to_owned());
            let worker = named.spawn_scoped(scope, shrink).expect("threads can be started");
            worker.join().expect("a simulation catches its panics")
        });
        Failure { drawn: run.acts.len(), finding, shrunken, plan }
    }
}

/// A replica of a simulation that contradicts itself panics, which is caught and told with the run.
/// Nobody wants to read it a thousand times before that, while a run is being shrunken.
fn quieten_simulations() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().name() != Some(WORKER) {
                before(info);
            }
        }));
    });
}

const WORKER: &str = "simulation";

/// How many seeds a worker takes at a time.
const CHUNK: u64 = 64;

impl Failure {
    /// What is wrong, how to see it again, and the run as a script: lines that are no commands are
    /// remarks, so that the whole is a script too.
    pub fn script(&self) -> String {
        let shape = &self.plan.shape;
        let acts = self.shrunken.acts.len();
        let finding = self.shrunken.finding.as_ref().unwrap_or(&self.finding);
        let mut head = Script::new();
        head.remark(&format!("{}: {}", finding.property, finding.sentence));
        head.remark(&format!("{acts} acts of the {} that were drawn are enough.", self.drawn));
        head.remark(&format!("Again: {}", self.command()));
        head.remark(&format!("This run: epaxos-tui run FILE {}", flags(shape)));
        let body = self.shrunken.script.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{head}\n{body}")
    }

    /// The command that finds it again.
    pub fn command(&self) -> String {
        let Plan { seed, shape, .. } = &self.plan;
        #[allow(unused_mut, reason = "for the feature")]
        let mut command = format!("epaxos-tui sim --replicas {} --seed {seed}", shape.replicas());
        #[cfg(feature = "mutations")]
        if let Some(mutation) = shape.options.mutation {
            write!(command, " --mutation {mutation}").expect("a string takes all");
        }
        command
    }

    /// The failure as JSON.
    fn to_json(&self) -> Value {
        let finding = self.shrunken.finding.as_ref().unwrap_or(&self.finding);
        json!({
            "seed": self.plan.seed,
            "replicas": self.plan.shape.replicas(),
            "property": finding.property,
            "sentence": finding.sentence,
            "acts": self.shrunken.acts.len(),
            "drawn": self.drawn,
            "again": self.command(),
            "script": self.script().lines().collect::<Vec<_>>(),
        })
    }
}

impl Searched {
    /// The summary for people: what came up in how many runs.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for (name, count) in rows(&self.coverage) {
            writeln!(text, "{name:<24}{count:>14}").expect("a string takes all");
        }
        let missing: Vec<_> = self.coverage.missing().map(Rule::name).collect();
        if !missing.is_empty() {
            writeln!(text, "never came up: {}", missing.join(", ")).expect("a string takes all");
        }
        text
    }

    /// The summary as one JSON object.
    pub fn to_json(&self) -> Value {
        let coverage = &self.coverage;
        let mut json: Map<_, _> = rows(coverage)
            .into_iter()
            .filter(|(name, _)| !name.starts_with("rule "))
            .map(|(name, count)| (name.replace([' ', '-'], "_"), json!(count)))
            .collect();
        let rules: Map<_, _> = Rule::ALL
            .into_iter()
            .map(|rule| (rule.name().to_owned(), json!(coverage.rules[rule as usize])))
            .collect();
        json.insert("rules".to_owned(), rules.into());
        let failure = self.failure.as_ref().map_or(Value::Null, Failure::to_json);
        json.insert("failure".to_owned(), failure);
        json.into()
    }
}

/// What is counted, with its name.
fn rows(coverage: &Coverage) -> Vec<(String, u64)> {
    let mut rows = vec![
        ("schedules".to_owned(), coverage.schedules),
        ("steps".to_owned(), coverage.steps),
        ("fast commits".to_owned(), coverage.fasts),
        ("slow commits".to_owned(), coverage.slows),
        ("recoveries".to_owned(), coverage.recoveries),
        ("recovered commits".to_owned(), coverage.recovered),
    ];
    rows.extend(
        Rule::ALL
            .into_iter()
            .map(|rule| (format!("rule {}", rule.name()), coverage.rules[rule as usize])),
    );
    let others = [
        ("no-ops executed", coverage.noops),
        ("led again", coverage.led_again),
        ("components over 1", coverage.components),
        ("largest component", coverage.largest_component),
        ("blips", coverage.blips),
        ("messages lost", coverage.dropped),
        ("messages doubled", coverage.duplicated),
        ("crashes", coverage.crashes),
        ("restarts", coverage.restarts),
        ("timers", coverage.timers),
        ("let go", coverage.let_go),
        ("let go without some", coverage.let_go_without),
        ("left behind", coverage.left_behind),
        ("caught up", coverage.caught_up),
        ("longest settling, ms", coverage.longest_settling_us / 1000),
    ];
    rows.extend(others.map(|(name, count)| (name.to_owned(), count)));
    rows
}
