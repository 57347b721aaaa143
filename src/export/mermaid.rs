//! A sequence diagram for Mermaid: who told whom, what was lost, what is still on its way.
//!
//! Mermaid refuses more than 50000 characters. Where there is more to tell, the beginning is left out.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

use crate::epaxos::event::{Cause, Event, Reply, StatusChange};
use crate::epaxos::id::ReplicaId;
use crate::epaxos::message::Envelope;
use crate::export::text;
use crate::observe::in_flight::Flight;
use crate::observe::log::Entry;
use crate::observe::notice::{Decision, Effect};
use crate::observe::trace::Line;
use crate::observe::view::View;

/// Writes down the entries that are kept, the latest of them where there are too many, and what is on
/// its way.
pub fn text(view: &View) -> String {
    let replicas = view.shape.replicas();
    let mut head = format!("sequenceDiagram\n    participant {CLIENTS}\n");
    for replica in ReplicaId::all(replicas) {
        writeln!(head, "    participant {replica}").expect("strings take any text");
    }
    let everybody = format!("R0,R{}", replicas - 1);
    let flights = flights(view, &everybody);
    let (blocks, left_out) = latest(view, ROOM - head.len() - flights.len());
    let more = (left_out > 0).then(|| {
        format!("{left_out} entries before these are left out, a diagram has room for no more")
    });
    for missing in text::let_go(view).into_iter().chain(text::unseen(view)).chain(more) {
        note(&mut head, &everybody, &missing);
    }
    head.extend(blocks);
    head + &flights
}

/// The latest entries for which there is room, and how many are left out.
fn latest(view: &View, mut room: usize) -> (VecDeque<String>, usize) {
    let mut blocks = VecDeque::new();
    for entry in view.log.iter().rev() {
        let block = block(entry);
        let Some(left) = room.checked_sub(block.len()) else { break };
        room = left;
        blocks.push_front(block);
    }
    let left_out = view.log.iter().len() - blocks.len();
    (blocks, left_out)
}

/// What an entry tells: what happened, and what of it clients or everybody have a part in.
fn block(entry: &Arc<Entry>) -> String {
    let mut block = String::new();
    decision(&mut block, entry);
    for event in entry.events() {
        if let Event::Status(change) = event
            && is_decision(change)
        {
            let StatusChange { instance, after, cause, .. } = change;
            note(
                &mut block,
                &entry.step.replica.to_string(),
                &format!("{instance} decided, {after} ({cause})"),
            );
        }
    }
    replies(&mut block, entry);
    block
}

fn decision(block: &mut String, entry: &Arc<Entry>) {
    let at = entry.step.replica.to_string();
    match &entry.step.decision {
        Decision::Propose(commands) => {
            let first = commands.first().map(ToString::to_string).unwrap_or_default();
            let first = text::one_line(&first, CHARACTERS_MOST);
            let more = match commands.len() {
                0 | 1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            arrow(block, CLIENTS, "->>", &at, &format!("{first}{more}"));
        }
        Decision::Deliver(envelope) => message(block, "->>", envelope, ""),
        Decision::Drop(envelope) => message(block, "-x", envelope, ", dropped"),
        Decision::Lose(envelope) => message(block, "-x", envelope, ", given up"),
        Decision::Duplicate(envelope, copy) => {
            let told = format!("{}, doubled as [{copy}]", words(envelope));
            note(block, &between(envelope), &told);
        }
        Decision::Wake => note(block, &at, &timer(entry)),
        Decision::Crash | Decision::Restart | Decision::Panic(_) | Decision::Show(_) => {
            let told = Line::of(entry, 0).first().map(ToString::to_string).unwrap_or_default();
            note(block, &at, &told);
        }
    }
}

/// Which timers a replica acted upon as it woke.
fn timer(entry: &Entry) -> String {
    let fired = entry.events().filter_map(|event| match event {
        Event::TimerFired(timer) => Some(format!("timer {timer}")),
        _ => None,
    });
    let fired: Vec<_> = fired.take(TIMERS_MOST).collect();
    if fired.is_empty() { "wakes, and finds nothing to do".to_owned() } else { fired.join(", ") }
}

/// Whether a replica decided here, and was not told that another one had.
fn is_decision(change: &StatusChange) -> bool {
    change.path().is_some() && !matches!(change.cause, Cause::Committed { .. })
}

fn replies(block: &mut String, entry: &Entry) {
    let replies = entry.step.effects.iter().filter_map(|effect| match effect {
        Effect::Reply(reply) => Some(reply),
        Effect::Send(_) | Effect::Event(_) => None,
    });
    let replies: Vec<&Reply> = replies.collect();
    let at = entry.step.replica.to_string();
    for reply in replies.iter().take(REPLIES_MOST) {
        let told = format!("{}: {}", reply.command.operation, reply.outcome);
        arrow(block, &at, "-->>", CLIENTS, &told);
    }
    if let Some(more) = replies.len().checked_sub(REPLIES_MOST).filter(|more| *more > 0) {
        arrow(block, &at, "-->>", CLIENTS, &format!("and {more} more answers"));
    }
}

/// The messages on their way, oldest first.
fn flights(view: &View, everybody: &str) -> String {
    let mut flights = String::new();
    let count = view.in_flight.len();
    if count > 0 {
        note(&mut flights, everybody, &format!("now, {count} on their way"));
    }
    for Flight { envelope, held, .. } in view.in_flight.iter().take(FLIGHTS_MOST) {
        let where_it_is = if held.is_some() { ", held at the gate" } else { ", on its way" };
        message(&mut flights, "--)", envelope, where_it_is);
    }
    if let Some(more) = count.checked_sub(FLIGHTS_MOST).filter(|more| *more > 0) {
        note(&mut flights, everybody, &format!("and {more} more on their way"));
    }
    flights
}

fn message(block: &mut String, line: &str, envelope: &Envelope, what_of_it: &str) {
    let told = format!("{}{what_of_it}", words(envelope));
    arrow(block, &envelope.id.sender.to_string(), line, &envelope.to.to_string(), &told);
}

fn words(envelope: &Envelope) -> String {
    let message = text::one_line(&envelope.message.to_string(), CHARACTERS_MOST);
    format!("{message} [{}]", envelope.id)
}

/// Sender and receiver, as a note wants them.
fn between(envelope: &Envelope) -> String {
    format!("{},{}", envelope.id.sender, envelope.to)
}

fn arrow(block: &mut String, from: &str, line: &str, to: &str, told: &str) {
    writeln!(block, "    {from}{line}{to}: {}", escape(told)).expect("strings take any text");
}

fn note(block: &mut String, over: &str, told: &str) {
    writeln!(block, "    Note over {over}: {}", escape(told)).expect("strings take any text");
}

/// The text as Mermaid reads it: whatever could end it, or mean something, by its number. That a colon
/// is among it keeps "style" and "classDef" from being taken for words of Mermaid's.
fn escape(told: &str) -> String {
    let mut escaped = String::new();
    for c in text::one_line(told, 2 * CHARACTERS_MOST).chars() {
        if c.is_alphanumeric() || PLAIN.contains(c) {
            escaped.push(c);
        } else {
            write!(escaped, "#{};", u32::from(c)).expect("strings take any text");
        }
    }
    escaped
}

/// What means nothing to Mermaid beside letters and digits.
const PLAIN: &str = " .,-_=/()[]{}+*!?@~…→";

/// Who proposes.
const CLIENTS: &str = "clients";

/// How much Mermaid takes in all, but for the notes on what is left out.
const ROOM: usize = 49_000;

/// How much is said of one message or command.
const CHARACTERS_MOST: usize = 80;

/// How many answers of one step are shown.
const REPLIES_MOST: usize = 4;

/// How many timers of one step are named.
const TIMERS_MOST: usize = 4;

/// How many messages on their way are shown.
const FLIGHTS_MOST: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_is_written_by_number() {
        assert_eq!(escape("put style:#1 \"a;b\"\nend"), "put style#58;#35;1 #34;a#59;b#34; end");
        assert_eq!(escape("ключ → --> %%"), "ключ → --#62; #37;#37;");
    }
}
