//! The selected instance: what each replica has of it, how that came about, and what it waits for.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::epaxos::attributes::Attributes;
use crate::epaxos::event::{Cause, Event};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::explain::explain;
use crate::explain::question::Question;
use crate::observe::view::InstanceView;
use crate::tui::app::App;
use crate::tui::deed::Screen;
use crate::tui::layout::Pane;
use crate::tui::neighbourhood::observer;
use crate::tui::panel::faults::words;
use crate::tui::panel::text::cell;
use crate::tui::panel::{draw_lines, framed, text};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let title = match app.selected {
        Some(selected) => format!("Instance {selected}"),
        None => "Instance".to_owned(),
    };
    let width = usize::from(area.width).saturating_sub(2);
    let lines = lines(app, width);
    let height = usize::from(area.height).saturating_sub(2);
    let offset = app.detail.offset.min(lines.len().saturating_sub(height));
    let below = lines.len().saturating_sub(offset + height);
    let remark = match below {
        0 if app.follow => "the latest".to_owned(),
        0 => String::new(),
        below => format!("{below} more below"),
    };
    let rows = framed(frame, area, app, Pane::Detail, &title, &remark);
    draw_lines(frame, rows, lines.into_iter().skip(offset).take(height).collect());
}

/// All there is to say, in lines of at most `columns`.
pub fn lines(app: &App, width: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let Some(id) = app.selected else {
        return vec![Line::styled("Select an instance, or propose one.", theme.dim())];
    };
    let known = app.view.instance(id);
    let Some(best) = observer(&app.view, id, None)
        .and_then(|replica| known.get(replica.index()).copied().flatten())
    else {
        return vec![Line::styled(format!("No replica knows {id} yet."), theme.dim())];
    };
    let mut lines = summary(app, id, best, width);
    // Rows that are too long cannot be followed with the eye.
    let columns = width.min(TABLE_MOST);
    // The screen of the graph has a place for each of these.
    let alone = app.screen != Screen::Graph;
    if alone || app.layout().pane(Pane::Why).is_none() {
        lines.extend(why(app, id, columns));
    }
    lines.push(table_heading(app, columns));
    for (replica, instance) in ReplicaId::all(known.len()).zip(&known) {
        lines.push(table_row(app, replica, *instance, columns));
    }
    for down in ReplicaId::all(known.len()).filter(|id| !app.view.replica(*id).up) {
        let told = text::wrap(&words::down(app, down), columns);
        lines.extend(told.into_iter().map(|line| Line::styled(line, theme.bad())));
    }
    lines.extend(agreement(app, &known));
    if alone {
        lines.extend(picture(app, id, width, PICTURE_ROWS));
    }
    lines
}

/// What it carries, its path, and its times, the latter in a line of their own where they must be.
fn summary(app: &App, id: InstanceId, best: &InstanceView, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let path = best.path.map(|path| Span::styled(format!("  {path} path"), theme.path(path)));
    let room = columns.saturating_sub(path.as_ref().map_or(0, Span::width));
    let payload = text::cut(&best.payload.to_string(), room);
    let mut first = Line::from(Span::styled(payload, theme.strong()));
    first.extend(path);
    let leader = app.view.replica(id.replica).instances.get(id);
    let committed = leader.and_then(|leader| leader.committed_after);
    let executed = leader.and_then(|leader| leader.executed_after);
    let committed = committed.map(|time| format!("  commit {}", text::duration(time)));
    let executed = executed.map(|time| format!("  exec {}", text::duration(time)));
    let times: String = committed.into_iter().chain(executed).collect();
    if times.is_empty() {
        return vec![first];
    }
    let times = Span::styled(times, theme.dim());
    if first.width() + times.width() > columns {
        return vec![first, Line::from(times)];
    }
    first.push_span(times);
    vec![first]
}

fn table_heading(app: &App, columns: usize) -> Line<'static> {
    let deps = text::left("deps", columns.saturating_sub(32));
    Line::styled(
        format!("    {:<13} {:>4} {deps} {:>8}", "phase", "seq", "since"),
        app.theme.heading(),
    )
}

fn table_row(
    app: &App,
    replica: ReplicaId,
    known: Option<&InstanceView>,
    columns: usize,
) -> Line<'static> {
    let theme = app.theme;
    let name = if app.observer == Some(replica) { theme.accent() } else { theme.text() };
    let mut spans = vec![cell(&replica.to_string(), 4, name)];
    let Some(known) = known else {
        spans.push(Span::styled("unknown", theme.dim()));
        return Line::from(spans);
    };
    let phase = format!("{} {}", known.phase.letter(), known.phase);
    spans.push(cell(&phase, 14, theme.phase(known.phase)));
    spans.push(text::number(&known.attributes.seq.to_string(), 4, theme.text()));
    spans.push(Span::raw(" "));
    let deps = known.attributes.deps.to_string();
    spans.push(cell(&deps, columns.saturating_sub(32), theme.text()));
    let changed = app.is_changed(known.since);
    let style = if changed { theme.changed(theme.text()) } else { theme.dim() };
    let mark = if changed { "*" } else { "" };
    let since = format!("{mark}#{}", known.since);
    spans.push(Span::raw(" ".repeat(9usize.saturating_sub(text::width(&since)))));
    spans.push(Span::styled(since, style));
    if !known.ballot.is_initial() {
        spans.push(Span::styled(format!(" {}", known.ballot), theme.notable()));
    }
    Line::from(spans)
}

/// Whether those that know the decision know the same one.
fn agreement(app: &App, known: &[Option<&InstanceView>]) -> Option<Line<'static>> {
    let theme = app.theme;
    let decided: Vec<_> =
        known.iter().flatten().filter(|known| known.phase.is_committed()).collect();
    let first = decided.first()?;
    let same = decided
        .iter()
        .all(|other| other.attributes == first.attributes && other.payload == first.payload);
    Some(if same {
        Line::styled(
            format!("committed alike at {} of {}", decided.len(), known.len()),
            theme.dim(),
        )
    } else {
        Line::styled("COMMITTED DIFFERENTLY: this must never happen", theme.bad())
    })
}

/// In words, why the instance is where it is.
pub fn why(app: &App, id: InstanceId, columns: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let Some(replica) = observer(&app.view, id, app.observer) else { return Vec::new() };
    let Some(instance) = app.view.replica(replica).instances.get(id) else {
        let gone = app.view.replica(replica).let_go.contains(id);
        let sentence =
            if gone { "has executed it, and let go of it." } else { "has not heard of it." };
        return vec![Line::styled(format!("{replica} {sentence}"), theme.dim())];
    };
    let mut lines = Vec::new();
    let say = |lines: &mut Vec<Line<'static>>, sentence: &str, style: Style| {
        lines.extend(
            text::wrap(sentence, columns).into_iter().map(|line| Line::styled(line, style)),
        );
    };
    // The votes of a slow path say more at a glance than any sentence.
    if let Some(votes) = slow_votes(app, id) {
        let phase =
            if instance.phase == Phase::Executed { Phase::Committed } else { instance.phase };
        let what = format!("{phase} at {replica}: {}", since(instance));
        say(&mut lines, &what, theme.strong());
        lines.extend(vote_lines(app, id, &votes, columns));
    } else {
        let question = Question::suggested(&app.view, id, app.observer);
        let answer = explain(&app.view, &question);
        say(&mut lines, &answer.question, theme.strong());
        say(&mut lines, &answer.paragraph(), theme.text());
    }
    if let Some(on) = instance.blocked_on {
        let sentence = format!("{replica} cannot execute it before {on} is committed there.");
        say(&mut lines, &sentence, theme.notable());
    }
    if let Some(order) = instance.order {
        say(&mut lines, &executed(replica, order, instance), theme.text());
    }
    lines
}

/// The same in one sentence, for where there is no room for more.
pub fn why_in_short(app: &App) -> Option<String> {
    let id = app.selected?;
    let replica = observer(&app.view, id, app.observer)?;
    let instance = app.view.replica(replica).instances.get(id)?;
    let phase = instance.change.as_ref().map_or(instance.phase, |change| change.to);
    Some(format!("{phase} at {replica}: {}", since(instance)))
}

/// How an instance came to where it is, as a sentence.
fn since(instance: &InstanceView) -> String {
    match &instance.change {
        Some(change) => sentence(&change.cause),
        None => "more happened than could be looked at, so nobody saw why.".to_owned(),
    }
}

/// A cause as a sentence.
fn sentence(cause: &Cause) -> String {
    match cause {
        Cause::Proposed => "it leads the instance and recorded its own proposal.".to_owned(),
        Cause::PreAccept { from, .. } => format!("the leader {from} asked."),
        Cause::FastQuorum { equal } => {
            format!("fast path, since {equal} hold exactly what the leader proposed.")
        }
        Cause::SlowPath { timed_out: false, .. } => {
            "slow path, since the replies differ from the proposal.".to_owned()
        }
        Cause::SlowPath { timed_out: true, .. } => {
            "slow path, since no fast quorum came together in time.".to_owned()
        }
        Cause::Accept { from } => format!("{from} asked for a vote."),
        Cause::SlowQuorum { accepted } => format!("slow path, since {accepted} accepted."),
        Cause::Recovery(rule) => format!("it recovers the instance; rule {rule}."),
        Cause::RecoveryQuorum { accepted } => format!("recovered, since {accepted} accepted."),
        Cause::Committed { from, path } => format!("{from} said so, {path} path."),
    }
}

/// The votes that led to the slow path, from the log: the instance itself remembers only what came
/// last.
fn slow_votes(app: &App, id: InstanceId) -> Option<Vec<(ReplicaId, Attributes)>> {
    let leader = app.view.replica(id.replica).instances.get(id)?;
    let cause = leader.change.as_ref().map(|change| &change.cause);
    if let Some(Cause::SlowPath { votes, .. }) = cause {
        return Some(votes.clone());
    }
    let history = app.view.replica(id.replica).history.get(id)?;
    let entries = history.iter().rev().filter_map(|entry| app.view.log.get(*entry));
    entries.flat_map(|entry| entry.events()).find_map(|event| match event {
        Event::Status(change) if change.instance == id => match &change.cause {
            Cause::SlowPath { votes, .. } => Some(votes.clone()),
            _ => None,
        },
        _ => None,
    })
}

fn vote_lines(
    app: &App,
    id: InstanceId,
    votes: &[(ReplicaId, Attributes)],
    columns: usize,
) -> Vec<Line<'static>> {
    let theme = app.theme;
    let proposal = votes.iter().find(|(replica, _)| *replica == id.replica);
    let proposal = proposal.map(|(_, attributes)| *attributes).unwrap_or_default();
    let mut union = proposal;
    let mut lines = Vec::new();
    for (replica, attributes) in votes {
        union.merge(attributes);
        let (role, verdict, style) = match (*replica == id.replica, *attributes == proposal) {
            (true, _) => ("proposed", "", theme.dim()),
            (false, true) => ("replied", "same", theme.good()),
            (false, false) => ("replied", "DIFFERENT", theme.notable()),
        };
        let attributes = text::left(&text::short(attributes), columns.saturating_sub(26));
        lines.push(Line::from(vec![
            Span::raw(format!("  {replica} {role:<9} {attributes} ")),
            Span::styled(verdict, style.patch(theme.strong())),
        ]));
    }
    let union = format!("  all   together  {}", text::short(&union));
    lines.push(Line::styled(text::cut(&union, columns), theme.dim()));
    lines
}

fn executed(replica: ReplicaId, order: u64, instance: &InstanceView) -> String {
    let component = instance.component.as_deref().unwrap_or_default();
    match component.len() {
        0 | 1 => format!("{replica} executed it as number {order}, alone."),
        members => {
            let shown: Vec<String> = component.iter().take(6).map(ToString::to_string).collect();
            let more = if members > 6 { ", and so on" } else { "" };
            format!(
                "{replica} executed it as number {order}, in a component of {members}: {}{more}; \
                 by seq, then by replica.",
                shown.join(" ")
            )
        }
    }
}

/// The instances around one, as a picture where that fits into so many columns and rows, otherwise in
/// words: a picture of which a part is seen says nothing.
pub fn picture(app: &App, id: InstanceId, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let theme = app.theme;
    let picture = &app.neighbourhood;
    let Some(observer) = picture.observer().filter(|_| !picture.lines.is_empty()) else {
        return Vec::new();
    };
    let cut = if picture.is_cut() { ", not all" } else { "" };
    let title = format!("Dependencies at {observer}{cut} (a → b: a depends on b)");
    let mut lines = vec![Line::styled(text::cut(&title, columns), theme.heading())];
    let name = format!("[{id} ");
    let wide = picture.lines.iter().any(|line| text::width(line) > columns);
    if wide || picture.lines.len() > rows {
        let told = picture.told().into_iter().flat_map(|line| text::wrap(&line, columns));
        lines.extend(told.map(|line| picture_line(app, &line, &name)));
        return lines;
    }
    lines.extend(picture.lines.iter().map(|line| picture_line(app, line, &name)));
    lines
}

/// A line of the picture, the selected instance reversed.
fn picture_line(app: &App, line: &str, name: &str) -> Line<'static> {
    let theme = app.theme;
    let selected = line.find(name).and_then(|start| {
        let end = line[start..].find(']')? + start + 1;
        Some((start, end))
    });
    match selected {
        None => Line::raw(line.to_owned()),
        Some((start, end)) => Line::from(vec![
            Span::raw(line[..start].to_owned()),
            Span::styled(line[start..end].to_owned(), theme.selection()),
            Span::raw(line[end..].to_owned()),
        ]),
    }
}

/// How wide tables are at most.
const TABLE_MOST: usize = 80;

/// How high a picture may be where there is more to be said than it shows.
const PICTURE_ROWS: usize = 24;
