//! A log for ShiViz: each entry with its vector clock, two lines each.
//!
//! The first line of the file is the regular expression that reads it, the second would separate several
//! runs. ShiViz wants that the clock of each host counts its own events from 1, one by one, and knows
//! none that are not there: where the log has let go of entries, clocks are counted from what is left.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::epaxos::id::{REPLICAS_MAX, ReplicaId};
use crate::export::text;
use crate::observe::causality::Clock;
use crate::observe::log::Entry;
use crate::observe::view::View;

/// Writes down the entries that are kept.
pub fn text(view: &View) -> String {
    let mut text = format!("{PATTERN}\n\n");
    let mut clocks = Clocks::new(view);
    // ShiViz refuses a file without an event.
    let nothing = view.log.is_empty().then(|| "nothing has happened".to_owned());
    let missing = nothing.into_iter().chain(text::let_go(view)).chain(text::unseen(view));
    for missing in missing {
        event(&mut text, &missing, NETWORK, clocks.network(&Clock::default()));
    }
    for entry in view.log.iter() {
        let told = text::entry(entry, CHARACTERS_MOST);
        match entry.moment.at {
            Some(replica) => {
                let clock = clocks.shown(&entry.moment.clock);
                event(&mut text, &told, &replica.to_string(), clock);
            }
            None => event(&mut text, &told, NETWORK, clocks.network(&entry.moment.clock)),
        }
    }
    text
}

fn event(text: &mut String, told: &str, host: &str, clock: Map<String, Value>) {
    let clock = Value::Object(clock);
    writeln!(text, "{told}\n{host} {clock}").expect("strings take any text");
}

/// Clocks as ShiViz wants them.
struct Clocks {
    replicas: usize,
    /// How many steps of each replica are not written down.
    missing: [u32; REPLICAS_MAX],
    /// How much has happened to messages on their way, and what was in the past of that.
    events: u64,
    past: Clock,
}

impl Clocks {
    fn new(view: &View) -> Self {
        // Of whom nothing is written down, nothing is known.
        let mut missing = [u32::MAX; REPLICAS_MAX];
        let own = |entry: &Arc<Entry>| {
            entry.moment.at.map(|replica| (replica, entry.moment.clock.of(replica) - 1))
        };
        for (replica, before) in view.log.iter().rev().filter_map(own) {
            missing[replica.index()] = before;
        }
        let replicas = view.shape.replicas();
        Self { replicas, missing, events: 0, past: Clock::default() }
    }

    /// A clock, without what is not written down.
    fn shown(&self, clock: &Clock) -> Map<String, Value> {
        let counts = ReplicaId::all(self.replicas).map(|replica| {
            (replica, clock.of(replica).saturating_sub(self.missing[replica.index()]))
        });
        let known = counts.filter(|(_, count)| *count > 0);
        known.map(|(replica, count)| (replica.to_string(), json!(count))).collect()
    }

    /// The clock of what happens to a message on its way. A host's events come one after another, so
    /// that each of these knows of those before it; nobody ever knows of them.
    fn network(&mut self, sent: &Clock) -> Map<String, Value> {
        self.events += 1;
        self.past.join(sent);
        let mut clock = self.shown(&self.past);
        clock.insert(NETWORK.to_owned(), json!(self.events));
        clock
    }
}

/// What ShiViz reads a file with where nobody says otherwise.
const PATTERN: &str = r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})";

/// Where messages are lost and doubled.
const NETWORK: &str = "network";

/// How much is said of an entry.
const CHARACTERS_MOST: usize = 400;
