//! Reads a log for ShiViz by the rules of ShiViz.

use std::collections::BTreeMap;

use epaxos_tui::export::{Format, export};
use epaxos_tui::observe::notice::Decision;
use epaxos_tui::observe::view::View;

type Clock = BTreeMap<String, u64>;

/// One event as it is read.
struct Event {
    told: String,
    host: String,
    clock: Clock,
}

impl Event {
    fn own(&self) -> u64 {
        self.clock[&self.host]
    }
}

/// Reads the file as its first line says.
fn read(name: &str, text: &str) -> Vec<Event> {
    let head = "(?<event>.*)\\n(?<host>\\S*) (?<clock>{.*})\n\n";
    let body = text.strip_prefix(head).unwrap_or_else(|| panic!("{name}: another head"));
    // Where a script of the web ends a line.
    assert!(!text.contains(['\r', '\u{2028}', '\u{2029}']), "{name}: lines end elsewhere");
    let lines: Vec<&str> = body.lines().collect();
    let event = |pair: &[&str]| {
        let [told, at] = pair else { panic!("{name}: half an event") };
        let (host, clock) = at.split_once(' ').unwrap_or_else(|| panic!("{name}: {at}"));
        assert!(!host.is_empty() && clock.starts_with('{') && clock.ends_with('}'), "{name}: {at}");
        let clock = serde_json::from_str(clock).unwrap_or_else(|_| panic!("{name}: {at}"));
        assert!(!told.trim().is_empty(), "{name}: an event without a word");
        Event { told: (*told).to_owned(), host: host.to_owned(), clock }
    };
    lines.chunks(2).map(event).collect()
}

/// What ShiViz refuses, and what it would believe without a reason.
fn check_clocks(name: &str, events: &[Event]) {
    let mut at: BTreeMap<(&str, u64), &Event> = BTreeMap::new();
    let mut last: BTreeMap<&str, &Event> = BTreeMap::new();
    for event in events {
        let before = last.insert(&event.host, event);
        assert_eq!(event.own(), before.map_or(0, Event::own) + 1, "{name}: {}", event.told);
        assert!(before.is_none_or(|before| covers(&event.clock, &before.clock)), "{name}");
        for (host, count) in event.clock.iter().filter(|(host, _)| **host != event.host) {
            // An effect never stands before its cause, so that its past has been read.
            let known = at.get(&(host.as_str(), *count));
            let known = known.unwrap_or_else(|| panic!("{name}: nobody is {host}:{count}"));
            assert!(covers(&event.clock, &known.clock), "{name}: {} forgets", event.told);
        }
        at.insert((&event.host, event.own()), event);
    }
}

fn covers(later: &Clock, earlier: &Clock) -> bool {
    earlier.iter().all(|(host, count)| later.get(host).is_some_and(|own| own >= count))
}

/// Holds the file against the view.
pub fn check(name: &str, view: &View) {
    let events = read(name, &export(Format::Shiviz, view));
    check_clocks(name, &events);
    let notes = usize::from(view.log.is_empty())
        + usize::from(view.log.forgotten() > 0)
        + usize::from(view.total().unseen > 0);
    assert_eq!(events.len(), notes + view.log.iter().len(), "{name}");
    let first = view.log.forgotten();
    let event = |id: u64| &events[notes + usize::try_from(id - first).unwrap()];
    for entry in view.log.iter() {
        let own = event(entry.id);
        let host = match entry.step.decision {
            Decision::Drop(_) | Decision::Lose(_) | Decision::Duplicate(..) => "network".to_owned(),
            _ => entry.step.replica.to_string(),
        };
        assert_eq!(own.host, host, "{name}: {}", own.told);
        if let Some(message) = entry.step.decision.message() {
            assert!(own.told.contains(&format!("[{}]", message.id)), "{name}: {}", own.told);
        }
        let said = match entry.step.decision {
            Decision::Drop(_) => "dropped",
            Decision::Lose(_) => "given up",
            Decision::Duplicate(..) => "duplicated",
            Decision::Crash => "crashes",
            Decision::Restart => "comes back",
            _ => "",
        };
        assert!(own.told.contains(said), "{name}: {}", own.told);
        // Whoever receives knows all that the sender knew.
        if let Some(cause) = entry.cause.filter(|cause| *cause >= first) {
            assert!(covers(&own.clock, &event(cause).clock), "{name}: {}", own.told);
        }
    }
}
