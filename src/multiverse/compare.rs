//! Two runs side by side, by what they mean: where they part, and what became of each instance.

use std::collections::{BTreeMap, BTreeSet};

use crate::epaxos::command::Outcome;
use crate::epaxos::event::Event;
use crate::epaxos::id::InstanceId;
use crate::explain::sentence;
use crate::observe::log::EntryId;
use crate::observe::notice::Effect;
use crate::observe::trace::Line;
use crate::observe::view::{InstanceView, View};

/// How two runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The first entry that is not the same; none where one run is the beginning of the other.
    pub parted: Option<EntryId>,
    /// What happened there in each, as a sentence; nothing where a run was over.
    pub there: [Option<String>; 2],
    /// What is compared, in order: of the whole run first, then of each instance.
    pub rows: Vec<Row>,
    /// The entries from where they part on, each in a line of its trace; nothing where a run was over.
    pub entries: Vec<[Option<String>; 2]>,
    /// How many more there are than are listed.
    pub more: u64,
}

/// One thing that is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The instance; none where it is of the whole run.
    pub instance: Option<InstanceId>,
    /// What.
    pub what: &'static str,
    /// What it is in each of the runs.
    pub values: [String; 2],
}

impl Row {
    /// Whether it is not the same in both.
    pub fn differs(&self) -> bool {
        self.values[0] != self.values[1]
    }
}

/// Compares two runs of one kind of cluster, as far as their logs are kept.
pub fn compare(runs: [&View; 2]) -> Comparison {
    let parted = parted(runs);
    let there = runs.map(|view| Some(sentence(view, view.log.get(parted?)?)));
    let mut rows = whole(runs);
    let known = runs.into_iter().flat_map(|view| &view.replicas);
    let ids: BTreeSet<InstanceId> =
        known.flat_map(|replica| replica.instances.iter().map(|(id, _)| id)).collect();
    let of_logs = runs.map(Told::of);
    for id in ids {
        rows.extend(instance(runs, &of_logs, id));
    }
    let end = runs.map(|view| view.log.len()).into_iter().max().unwrap_or(0);
    let first = parted.unwrap_or(end);
    let last = end.min(first.saturating_add(ENTRIES_MOST));
    let entries = (first..last).map(|id| runs.map(|view| told(view, id))).collect();
    Comparison { parted, there, rows, entries, more: end - last }
}

/// The first line of the trace that tells an entry.
fn told(view: &View, id: EntryId) -> Option<String> {
    let entry = view.log.get(id)?;
    // Of a timer at which nothing comes due there is nothing to tell.
    let line = Line::of(entry, 0).first().map(ToString::to_string);
    Some(line.unwrap_or_else(|| format!("{} {}", entry.step.replica, entry.step.decision.name())))
}

/// The first entry that is not the same.
fn parted(runs: [&View; 2]) -> Option<EntryId> {
    let [one, other] = runs.map(|view| &view.log);
    let first = one.forgotten().max(other.forgotten());
    let last = one.len().max(other.len());
    (first..last).find(|id| {
        let [one, other] = [one, other].map(|log| log.get(*id).map(|entry| &entry.step));
        one != other
    })
}

fn row(
    instance: Option<InstanceId>,
    what: &'static str,
    runs: [&View; 2],
    value: impl Fn(&View) -> String,
) -> Row {
    Row { instance, what, values: runs.map(value) }
}

fn whole(runs: [&View; 2]) -> Vec<Row> {
    let count = |what, pick: fn(&View) -> u64| row(None, what, runs, |view| pick(view).to_string());
    vec![
        count("entries", |view| view.log.len()),
        count("fast path", |view| view.total().fasts),
        count("slow path", |view| view.total().slows),
        count("no-ops", |view| view.total().noops),
        count("messages sent", |view| view.total().sends.iter().sum()),
        count("thrown away", |view| view.total().dropped + view.total().lost),
        count("timers", |view| view.total().timers),
        row(None, "different stores", runs, |view| {
            let digests = view.replicas.iter().map(|replica| replica.store.digest());
            digests.collect::<BTreeSet<_>>().len().to_string()
        }),
    ]
}

/// What a log says of each instance.
struct Told {
    messages: BTreeMap<InstanceId, u64>,
    /// The kinds of request that were sent for it: each is a round trip.
    rounds: BTreeMap<InstanceId, BTreeSet<&'static str>>,
    results: BTreeMap<InstanceId, Vec<String>>,
}

impl Told {
    fn of(view: &View) -> Self {
        let (mut messages, mut rounds) = (BTreeMap::new(), BTreeMap::new());
        let mut results = BTreeMap::new();
        for effect in view.log.iter().flat_map(|entry| &entry.step.effects) {
            match effect {
                Effect::Send(envelope) => {
                    let id = envelope.message.instance();
                    *messages.entry(id).or_default() += 1;
                    let name = envelope.message.kind().name();
                    if ["PreAccept", "Accept", "Recover", "Validate"].contains(&name) {
                        rounds.entry(id).or_insert_with(BTreeSet::new).insert(name);
                    }
                }
                Effect::Event(Event::Executed { instance, results: own, .. }) => {
                    let outcome = |outcome: &Outcome| outcome.to_string();
                    let own = own.iter().map(|applied| outcome(&applied.outcome)).collect();
                    results.entry(*instance).or_insert(own);
                }
                Effect::Reply(_) | Effect::Event(_) => {}
            }
        }
        Self { messages, rounds, results }
    }
}

/// An instance as whoever has come furthest with it has it.
fn best(view: &View, id: InstanceId) -> Option<&InstanceView> {
    let known = view.replicas.iter().filter_map(|replica| replica.instances.get(id));
    known.max_by_key(|own| own.phase)
}

fn instance(runs: [&View; 2], told: &[Told; 2], id: InstanceId) -> Vec<Row> {
    let of = |what, value: &dyn Fn(&InstanceView) -> String| {
        row(Some(id), what, runs, |view| best(view, id).map_or_else(|| "–".to_owned(), value))
    };
    let from_log = |what, value: &dyn Fn(&Told) -> Option<String>| Row {
        instance: Some(id),
        what,
        values: [0, 1].map(|run| value(&told[run]).unwrap_or_else(|| "–".to_owned())),
    };
    vec![
        of("command", &|own| own.payload.to_string()),
        of("phase", &|own| own.phase.to_string()),
        of("path", &|own| own.path.map_or_else(|| "–".to_owned(), |path| path.name().to_owned())),
        of("seq", &|own| own.attributes.seq.to_string()),
        of("dependencies", &|own| own.attributes.deps.to_string()),
        of("place in the order", &|own| {
            own.order.map_or_else(|| "–".to_owned(), |it| it.to_string())
        }),
        from_log("messages", &|told| told.messages.get(&id).map(ToString::to_string)),
        from_log("round trips", &|told| told.rounds.get(&id).map(|kinds| kinds.len().to_string())),
        from_log("result", &|told| told.results.get(&id).map(|results| results.join(", "))),
    ]
}

/// How many entries are listed side by side.
const ENTRIES_MOST: u64 = 1000;
