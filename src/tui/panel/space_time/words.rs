//! What is written along arrows, and beside what came of them.

use crate::epaxos::event::{Cause, Event, StatusChange};
use crate::epaxos::instance::{Path, Phase};
use crate::epaxos::message::{Envelope, Message, MessageKind};
use crate::observe::log::Entry;
use crate::tui::panel::text;

/// What can be written along a message's arrow, the longest first.
pub fn labels(envelope: &Envelope) -> Vec<String> {
    let message = &envelope.message;
    let (kind, instance) = (message.kind(), message.instance());
    let attributes = text::short_message(message);
    let short = short_kind(kind);
    let with = |parts: &[&str]| {
        let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    };
    let (id, instance) = (envelope.id.to_string(), instance.to_string());
    let mut labels = vec![
        with(&[&id, kind.name(), &instance, &attributes]),
        with(&[kind.name(), &instance, &attributes]),
    ];
    // What an answer says is worth more than what it is called in full.
    if is_answer(message) {
        labels.push(with(&[short, &instance, &attributes]));
        labels.push(with(&[short, &attributes]));
    }
    labels.extend([
        with(&[kind.name(), &instance]),
        with(&[short, &instance]),
        short.to_owned(),
        kind.name().chars().take(1).collect(),
    ]);
    labels
}

fn is_answer(message: &Message) -> bool {
    matches!(
        message.kind(),
        MessageKind::PreAcceptReply
            | MessageKind::AcceptReply
            | MessageKind::RecoverReply
            | MessageKind::ValidateReply
    )
}

/// The kind of a message where there is little room.
fn short_kind(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::PreAccept => "PreAcc",
        MessageKind::Accept => "Acc",
        MessageKind::PreAcceptReply | MessageKind::AcceptReply => "OK",
        MessageKind::RecoverReply => "RecOK",
        MessageKind::ValidateReply => "ValOK",
        MessageKind::Recover => "Recov",
        MessageKind::Validate => "Valid",
        MessageKind::Waiting => "Wait",
        MessageKind::Executed => "Exec",
        MessageKind::Commit | MessageKind::Nack | MessageKind::Fetch | MessageKind::Gone => {
            kind.name()
        }
    }
}

/// The first of several texts that fits into so many columns.
pub fn fitting(texts: &[String], columns: usize) -> String {
    texts.iter().find(|text| text::width(text) <= columns).cloned().unwrap_or_default()
}

/// What came of an entry, in as few words as can be, with the phase that it ended in.
pub fn outcome(entry: &Entry) -> (String, Option<Phase>) {
    let mut parts: Vec<String> = Vec::new();
    let mut phase = None;
    let mut committed = None;
    let mut executed = 0;
    for event in entry.events() {
        // One commit can let thousands execute.
        if parts.len() >= PARTS_MOST {
            executed += usize::from(matches!(event, Event::Executed { .. }));
            continue;
        }
        match event {
            Event::Status(change) => {
                parts.push(change_in_short(change));
                phase = Some(change.to);
                committed = change.to.is_committed().then_some(change.instance);
            }
            // What is committed and executed at once is told at once.
            Event::Executed { instance, .. } => {
                phase = Some(Phase::Executed);
                match parts.last_mut() {
                    Some(last) if committed == Some(*instance) => last.push_str(" X"),
                    _ => parts.push(format!("{instance} X")),
                }
                committed = None;
            }
            Event::Blocked { instance, on, .. } => {
                parts.push(format!("{instance} waits for {on}"));
            }
            Event::Ignored { reason, .. } => parts.push(format!("ignored: {reason}")),
            Event::Recovering { instance, ballot } => {
                parts.push(format!("recovers {instance} {ballot}"));
            }
            Event::Joined { ballot, .. } => parts.push(format!("joins {ballot}")),
            Event::Ruled { rule, .. } => parts.push(format!("rule {}", rule.name())),
            Event::LetGo { upto, .. } => parts.push(format!("lets go of {upto}")),
            Event::LeftBehind { .. } => parts.push("left behind".to_owned()),
            Event::CaughtUp => parts.push("caught up".to_owned()),
            Event::Repeated { request } => parts.push(format!("{request} again")),
            Event::Proposed { .. } | Event::Searched { .. } | Event::TimerFired(_) => {}
        }
    }
    if executed > 0 {
        phase = Some(Phase::Executed);
        parts.push(format!("{executed} more X"));
    }
    (parts.join(", "), phase)
}

fn change_in_short(change: &StatusChange) -> String {
    let path = match (&change.cause, change.path()) {
        (Cause::SlowPath { .. }, _) => " SLOW",
        (Cause::Committed { .. }, _) => "",
        (_, Some(Path::Fast)) => " FAST",
        (_, Some(Path::Recovery)) => " RECOVERED",
        _ => "",
    };
    let attributes = if change.before == change.after && change.from != Phase::Initial {
        String::new()
    } else {
        format!(" {}", text::short(&change.after))
    };
    format!("{} {}{path}{attributes}", change.instance, change.to.letter())
}

/// How much is told of what came of one entry; there is no room for more.
const PARTS_MOST: usize = 4;
