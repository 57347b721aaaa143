//! What a search looks for.

use std::fmt;
use std::sync::Arc;

use crate::epaxos::command::Payload;
use crate::epaxos::event::{Event, StatusChange};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::observe::facets::Facets;
use crate::observe::log::{Entry, EntryId};
use crate::observe::query;
use crate::observe::query::Query;
use crate::observe::trace::Line;
use crate::observe::view::View;
use crate::sim::replicas::Replicas;

/// What is to become true: everything at once, at some entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// What the entry must be.
    query: Query,
    /// Whether it must commit a no-op.
    noop: bool,
    phases: Vec<(InstanceId, Wanted)>,
    /// Whether something must be wrong with the run.
    pub violation: bool,
    /// What is looked for in the lines of the trace, since it is nothing else.
    pub words: Vec<String>,
    text: String,
}

/// What an instance is to have become at some replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// As far as this, or further.
    Phase(Phase),
    /// It is decided that nothing is done there.
    Noop,
}

impl Wanted {
    fn is(self, phase: Phase, payload: Option<&Payload>) -> bool {
        match self {
            Self::Phase(wanted) => phase >= wanted,
            Self::Noop => phase.is_committed() && matches!(payload, Some(Payload::Noop)),
        }
    }
}

impl Goal {
    /// Reads what is typed: the terms of filters, `phase(R0.0)=noop` or another phase, `noop`, and
    /// `violation`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut goal = Self {
            query: Query::default(),
            noop: false,
            phases: Vec::new(),
            violation: false,
            words: Vec::new(),
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        for word in text.split_whitespace() {
            if word == "violation" {
                goal.violation = true;
            } else if ["noop", "no-op"].contains(&word) {
                goal.noop = true;
            } else if let Some(rest) = word.strip_prefix("phase(") {
                goal.phases.push(phase(rest).ok_or_else(|| odd(word))?);
            } else {
                if !word.contains([':', '=', '>', '<']) {
                    check_spelling(word)?;
                    goal.words.push(word.to_owned());
                }
                goal.query = goal.query.and(Query::term(word)?);
            }
        }
        if goal.text.is_empty() {
            return Err("something must be looked for, such as path=slow".to_owned());
        }
        Ok(goal)
    }

    /// Whether an entry, after which the replicas are as they are, is what is looked for, but for what
    /// is wrong with the run. `view` is of a cluster of the same size; it need not know anything.
    pub fn is_met(&self, entry: &Arc<Entry>, replicas: &Replicas, view: &View) -> bool {
        let holds = |(id, wanted): &(InstanceId, Wanted)| {
            let mut known = replicas.seats().filter_map(|seat| seat.durable().instances.get(*id));
            known.any(|instance| wanted.is(instance.phase, instance.payload.as_ref()))
        };
        let about = |(id, _): &(InstanceId, Wanted)| id.replica.index() < view.shape.replicas();
        self.phases.iter().all(|wanted| about(wanted) && holds(wanted)) && self.is(entry, view)
    }

    /// The same of an entry after which the view is as it is.
    pub fn is_seen(&self, entry: &Arc<Entry>, view: &View) -> bool {
        self.is_so(view) && self.is(entry, view)
    }

    /// The entry at which it became true that is true in a view: the last one that is what is looked
    /// for, or at which the instances had come as far; but for what is wrong with the run.
    pub fn already(&self, view: &View) -> Option<EntryId> {
        if !self.is_so(view) {
            return None;
        }
        if self.noop || !self.query.is_empty() {
            let mut entries = view.log.iter().rev().take(ENTRIES_MOST);
            return entries.find(|entry| self.is(entry, view)).map(|entry| entry.id);
        }
        let became = |(id, wanted): &(InstanceId, Wanted)| {
            let becomes = |change: &StatusChange| {
                change.instance == *id && wanted.is(change.to, Some(&change.payload))
            };
            let mut entries = view.log.iter();
            let first = entries.find(|entry| {
                entry.events().any(|event| match event {
                    Event::Status(change) => becomes(change),
                    Event::Executed { instance, .. } => instance == id,
                    _ => false,
                })
            });
            first.map_or_else(|| view.log.len().saturating_sub(1), |entry| entry.id)
        };
        self.phases.iter().map(became).max()
    }

    /// Whether the instances have come as far as they are to.
    fn is_so(&self, view: &View) -> bool {
        self.phases.iter().all(|(id, wanted)| {
            let mut known = view.replicas.iter().filter_map(|it| it.instances.get(*id));
            known.any(|instance| wanted.is(instance.phase, Some(&instance.payload)))
        })
    }

    /// Whether an entry is what is looked for.
    fn is(&self, entry: &Arc<Entry>, view: &View) -> bool {
        let text = || {
            let lines: Vec<String> = Line::of(entry, 0).iter().map(ToString::to_string).collect();
            lines.join("\n")
        };
        (!self.noop || entry.events().any(commits_noop))
            && (self.query.is_empty() || self.query.matches(&Facets::of_entry(entry, view), text))
    }

    /// Whether nothing is looked for but that something is wrong.
    pub fn is_violation(&self) -> bool {
        self.violation && !self.noop && self.phases.is_empty() && self.query.is_empty()
    }

    /// Whether a breakpoint says the same.
    pub fn is_breakpoint(&self) -> bool {
        self.phases.is_empty() && !self.noop && !self.violation
    }

    /// The replicas that it names.
    pub fn replicas(&self) -> impl Iterator<Item = ReplicaId> {
        self.phases.iter().map(|(id, _)| id.replica)
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn commits_noop(event: &Event) -> bool {
    let Event::Status(change) = event else { return false };
    let commits = change.to.is_committed() && !change.from.is_committed();
    commits && matches!(change.payload, Payload::Noop)
}

fn phase(rest: &str) -> Option<(InstanceId, Wanted)> {
    let (instance, wanted) = rest.split_once(")=")?;
    let wanted = match wanted.to_lowercase().as_str() {
        "noop" | "no-op" => Wanted::Noop,
        name => {
            let mut phases = Phase::ALL.into_iter();
            Wanted::Phase(phases.find(|phase| phase.name().to_lowercase() == name)?)
        }
    };
    Some((instance.parse().ok()?, wanted))
}

fn odd(word: &str) -> String {
    let names: Vec<String> = Phase::ALL.iter().map(|phase| phase.name().to_lowercase()).collect();
    format!("{word:?} is not such as phase(R0.0)=noop; there are noop, {}", names.join(", "))
}

/// Refuses what is nearly a word that means something: as text it would be looked for in vain.
fn check_spelling(word: &str) -> Result<(), String> {
    let lower = word.to_lowercase();
    let forms = ["violation", "noop", "no-op"].map(str::to_owned);
    // What a known word begins, or is begun by, may well be text: R1 crashes.
    let (forms, words): (Vec<_>, Vec<_>) = (forms.into(), query::words());
    if forms.contains(&lower) || words.iter().any(|known| known.contains(&lower)) {
        return Ok(());
    }
    let other = words.into_iter().filter(|known| !lower.starts_with(known.as_str()));
    let near = forms.into_iter().chain(other).map(|known| (distance(&lower, &known), known));
    match near.min() {
        Some((far, known)) if far <= MISSPELT && 2 * far < lower.chars().count() => Err(format!(
            "\"{word}\" is not known; is {known} meant? (what is like no known word is looked for as text)"
        )),
        _ => Ok(()),
    }
}

/// How many letters have to be put in, left out or changed to make one word of another.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, mine) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (place, theirs) in other.iter().enumerate() {
            let changed = diagonal + usize::from(mine != *theirs);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

/// By how many letters a word may be misspelt.
const MISSPELT: usize = 2;

/// How many entries are looked at for whether something was so already.
const ENTRIES_MOST: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_far_apart_as_letters_differ() {
        for (one, other, far) in
            [("", "abc", 3), ("abc", "abc", 0), ("violations", "violation", 1), ("slwo", "slow", 2)]
        {
            assert_eq!((distance(one, other), distance(other, one)), (far, far), "{one} {other}");
        }
    }

    #[test]
    fn what_is_misspelt_is_said_and_text_is_text() {
        for (word, meant) in [
            ("violations", "violation"),
            ("Violaton", "violation"),
            ("nop", "noop"),
            ("PreAcept", "preaccept"),
            ("comitted", "committed"),
            ("recvery", "recovery"),
        ] {
            let refused = Goal::parse(word).expect_err(word);
            assert!(refused.contains(&format!("is {meant} meant?")), "{refused}");
        }
        for word in ["color", "crashes", "commits", "R0.1", "wake", "x", "hot", "durable", "pre"] {
            let goal = Goal::parse(word).expect(word);
            assert_eq!(goal.words, [word]);
        }
        assert!(Goal::parse("noop violation path=slow phase(R0.0)=noop").unwrap().words.is_empty());
    }
}
