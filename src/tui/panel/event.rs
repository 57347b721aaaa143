//! The selected event: which message, how long it took, what it changed, and what of the run it could
//! have known.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::epaxos::event::{Event, StatusChange};
use crate::epaxos::instance::Phase;
use crate::epaxos::message::Envelope;
use crate::observe::causality::Order;
use crate::observe::in_flight::Flight;
use crate::observe::log::{Entry, EntryId};
use crate::observe::notice::{Decision, Effect, HeldBy};
use crate::script::world::Next;
use crate::tui::app::App;
use crate::tui::layout::Pane;
use crate::tui::panel::{draw_lines, framed, text};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let title = match (app.space_time.flight(&app.view), app.space_time.entry(&app.view)) {
        (Some(flight), _) => format!("In flight {}", flight.envelope.id),
        (None, Some(entry)) => format!("Event #{}", entry.id),
        (None, None) => "Event".to_owned(),
    };
    let width = usize::from(area.width).saturating_sub(2);
    let lines = lines(app, width);
    let height = usize::from(area.height).saturating_sub(2);
    let offset = app.event.offset.min(lines.len().saturating_sub(height));
    let below = lines.len().saturating_sub(offset + height);
    let remark = if below > 0 { format!("{below} more below") } else { String::new() };
    let rows = framed(frame, area, app, Pane::Event, &title, &remark);
    draw_lines(frame, rows, lines.into_iter().skip(offset).take(height).collect());
}

/// All there is to say, in lines of at most `columns`.
pub fn lines(app: &App, columns: usize) -> Vec<Line<'static>> {
    if let Some(flight) = app.space_time.flight(&app.view) {
        return of_flight(app, flight, columns);
    }
    match app.space_time.entry(&app.view) {
        Some(entry) => of_entry(app, entry, columns),
        None => vec![Line::styled("Nothing has happened yet.", app.theme.dim())],
    }
}

/// Facts one after another, as many in a line as fit.
fn flow(facts: &[String], columns: usize, style: Style) -> Vec<Line<'static>> {
    let mut lines: Vec<String> = Vec::new();
    for fact in facts.iter().filter(|fact| !fact.is_empty()) {
        match lines.last_mut() {
            Some(last) if text::width(last) + text::width(fact) + 2 <= columns => {
                last.push_str("  ");
                last.push_str(fact);
            }
            _ => lines.extend(text::wrap(fact, columns)),
        }
    }
    lines.into_iter().map(|line| Line::styled(line, style)).collect()
}

fn of_message(envelope: &Envelope) -> Vec<String> {
    let message = &envelope.message;
    let ballot = message.ballot().filter(|ballot| !ballot.is_initial());
    vec![
        format!("{} → {}", envelope.id.sender, envelope.to),
        message.kind().name().to_owned(),
        message.instance().to_string(),
        text::short_message(message),
        ballot.map(|ballot| format!("ballot {ballot}")).unwrap_or_default(),
        format!("[{}]", envelope.id),
    ]
}

fn of_flight(app: &App, flight: &Flight, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = flow(&of_message(&flight.envelope), columns, theme.strong());
    let age = app.view.log.len().saturating_sub(flight.entry + 1);
    let held = match flight.held {
        Some(HeldBy::Pause) => "held by the pause",
        Some(HeldBy::Rule) => "held by a rule",
        Some(HeldBy::Delay(_)) => "delayed",
        None => "on its way",
    };
    let facts = [
        format!("sent #{}", flight.entry),
        format!("{} ago", text::counted(age, "step")),
        held.to_owned(),
    ];
    lines.extend(flow(&facts, columns, theme.text()));
    let next = Next::Deliver(flight.envelope.id);
    if let Some(foretold) = app.preview.of(next) {
        lines.push(Line::styled("If it is delivered now:", theme.heading()));
        // The line that says that it is delivered says nothing new.
        let told = foretold.iter().enumerate().filter(|(index, _)| *index != 1);
        for (index, line) in told {
            let style = if index == 0 { theme.notable() } else { theme.text() };
            lines.extend(
                text::wrap(line, columns).into_iter().map(|line| Line::styled(line, style)),
            );
        }
    }
    lines
}

fn of_entry(app: &App, entry: &Entry, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut lines = flow(&headline(entry), columns, theme.strong());
    lines.extend(flow(&times(app, entry), columns, theme.text()));
    let replica = entry.step.replica;
    // One commit can let thousands execute.
    let count = entry.events().count();
    if count > EVENTS_MOST {
        let told = format!("{count} things happened, of which these are the first");
        lines.extend(flow(&[told], columns, theme.notable()));
    }
    for event in entry.events().take(EVENTS_MOST) {
        match event {
            Event::Status(change) => lines.extend(changed(app, change, columns)),
            Event::Searched { .. } => {}
            other => lines.extend(flow(&[told(other)], columns, theme.text())),
        }
    }
    let sent = entry.step.effects.iter().filter_map(|effect| match effect {
        Effect::Send(envelope) => {
            Some(format!("{} {}", envelope.id, envelope.message.kind().name()))
        }
        _ => None,
    });
    let sent: Vec<String> = sent.take(EVENTS_MOST).collect();
    if !sent.is_empty() {
        let facts: Vec<String> = std::iter::once(format!("{replica} sends")).chain(sent).collect();
        lines.extend(flow(&facts, columns, theme.dim()));
    }
    lines.extend(flow(&[surroundings(app, entry)], columns, theme.dim()));
    lines
}

fn headline(entry: &Entry) -> Vec<String> {
    let replica = entry.step.replica;
    match &entry.step.decision {
        Decision::Propose(commands) => {
            let commands: Vec<String> = commands.iter().map(ToString::to_string).collect();
            vec![format!("client → {replica}"), commands.join("; ")]
        }
        Decision::Deliver(envelope) => of_message(envelope),
        Decision::Drop(envelope) => with("thrown away", envelope),
        Decision::Lose(envelope) => with("given up by its sender", envelope),
        Decision::Duplicate(envelope, copy) => with(&format!("doubled as {copy}"), envelope),
        Decision::Wake => vec![format!("{replica}"), "a timer was due".to_owned()],
        Decision::Crash => vec![format!("{replica} crashes, and keeps what is durable")],
        Decision::Restart => vec![format!("{replica} comes back with what was durable")],
        Decision::Panic(sentence) => vec![format!("{replica} fails: {sentence}")],
        Decision::Show(sight) => vec![
            format!("{replica} is seen again"),
            format!("{} steps went unseen: more happened than could be looked at", sight.unseen),
        ],
    }
}

fn with(fate: &str, envelope: &Envelope) -> Vec<String> {
    std::iter::once(fate.to_owned()).chain(of_message(envelope)).collect()
}

fn times(app: &App, entry: &Entry) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(cause) = entry.cause {
        facts.push(format!("sent #{cause}"));
        facts.push(format!("here #{}", entry.id));
        let steps = entry.id - cause - 1;
        facts.push(format!("{} under way", text::counted(steps, "step")));
        let sent = app.view.log.get(cause).map(|sent| sent.step.now);
        let took = sent.map(|sent| entry.step.now.since(sent));
        facts.extend(took.filter(|took| !took.is_zero()).map(text::duration));
    }
    let replicas = app.view.shape.replicas();
    facts.push(format!("clock {}", entry.moment.clock.text(replicas)));
    facts
}

/// What a change of phase changed, a line for each thing.
fn changed(app: &App, change: &StatusChange, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let mut facts = vec![format!("{} {} → {}", change.instance, change.from, change.to)];
    if change.from == Phase::Initial {
        facts.push(text::short(&change.after));
    } else {
        let (before, after) = (&change.before, &change.after);
        if before.seq != after.seq {
            facts.push(format!("seq {} → {}", before.seq, after.seq));
        }
        if before.deps != after.deps {
            facts.push(format!("deps {} → {}", before.deps, after.deps));
        }
    }
    let mut lines = flow(&facts, columns, theme.phase(change.to));
    lines.extend(flow(&[format!("  since {}", change.cause)], columns, theme.dim()));
    lines
}

fn told(event: &Event) -> String {
    match event {
        Event::Proposed { instance, attributes, .. } => {
            format!("becomes {instance}, {}", text::short(attributes))
        }
        Event::Repeated { request } => {
            format!("{request} came before, and has no effect of its own")
        }
        Event::Executed { instance, payload, order, component, .. } => {
            let members = match component.len() {
                0 | 1 => String::new(),
                members => format!(", in a component of {members}"),
            };
            format!("executes {instance} {payload} as number {order}{members}")
        }
        Event::Blocked { instance, on, .. } => format!("{instance} must wait for {on}"),
        Event::Recovering { instance, ballot } => format!("recovers {instance} in ballot {ballot}"),
        Event::Joined { instance, ballot } => format!("joins ballot {ballot} of {instance}"),
        Event::Ruled { instance, rule } => format!("{instance}: rule {rule}"),
        Event::LetGo { upto, without } if without.is_empty() => format!("lets go of {upto}"),
        Event::LetGo { upto, without } => format!("lets go of {upto}, without {without}"),
        Event::LeftBehind { by, instance } => {
            format!("left behind: {by} no longer has {instance}. Restart the whole cluster")
        }
        Event::CaughtUp => "has caught up".to_owned(),
        Event::TimerFired(timer) => format!("timer {timer}"),
        Event::Ignored { kind, instance, reason, .. } => {
            format!("ignores {kind} {instance}: {reason}")
        }
        Event::Status(_) | Event::Searched { .. } => String::new(),
    }
}

/// Which of the entries around could have brought it about, and which it knows nothing of.
fn surroundings(app: &App, entry: &Entry) -> String {
    let first = entry.id.saturating_sub(AROUND).max(app.view.log.forgotten());
    let last = entry.id.saturating_add(AROUND).min(app.view.log.len());
    let (mut before, mut concurrent) = (Vec::new(), Vec::new());
    for other in (first..last).filter_map(|id| app.view.log.get(id)) {
        match other.moment.order(&entry.moment) {
            Order::Before => before.push(other.id),
            Order::Concurrent => concurrent.push(other.id),
            Order::Same | Order::After => {}
        }
    }
    let told = |name: &str, ids: &[EntryId]| match ids {
        [] => format!("{name} nothing"),
        ids => format!("{name} {}", ranges(ids)),
    };
    format!("{}; {}", told("after", &before), told("concurrent with", &concurrent))
}

/// Numbers with those that follow on each other drawn together: `#1-#5 #9`.
fn ranges(ids: &[EntryId]) -> String {
    let mut parts: Vec<(EntryId, EntryId)> = Vec::new();
    for id in ids {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *id => *last = *id,
            _ => parts.push((*id, *id)),
        }
    }
    let hidden = parts.len().saturating_sub(RANGES_MOST);
    let shown = parts.iter().skip(hidden).map(|(first, last)| match last - first {
        0 => format!("#{first}"),
        _ => format!("#{first}-#{last}"),
    });
    let shown: Vec<String> = shown.collect();
    if hidden > 0 { format!("… {}", shown.join(" ")) } else { shown.join(" ") }
}

/// How many entries on either side are looked at.
const AROUND: u64 = 500;

/// How much of what came of an entry is told.
const EVENTS_MOST: usize = 40;

/// How many ranges of numbers are shown.
const RANGES_MOST: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_on_each_other_are_drawn_together() {
        assert_eq!(ranges(&[1, 2, 3, 5, 8, 9]), "#1-#3 #5 #8-#9");
    }
}
