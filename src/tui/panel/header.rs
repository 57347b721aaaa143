//! The two lines at the top: where the world stands, and the screens.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::multiverse::tree::BranchId;
use crate::observe::filter::Filter;
use crate::observe::links::{Delay, PerLink};
use crate::observe::view::ReplicaView;
use crate::script::words::delay_word;
use crate::tui::app::App;
use crate::tui::deed::Screen;
use crate::tui::glyphs;
use crate::tui::panel::text;

/// Draws where the world stands.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let theme = app.theme;
    let wide = area.width >= 100;
    let mut spans = vec![Span::styled(" epaxos-tui", theme.strong())];
    let quorums = app.view.shape.options.quorums;
    let size = if wide {
        format!(
            "  N={} F={} fastQ={} slowQ={} ",
            quorums.replicas(),
            quorums.failures(),
            quorums.fast(),
            quorums.slow()
        )
    } else {
        format!(" N{} F{}", quorums.replicas(), quorums.failures())
    };
    spans.push(Span::styled(size, theme.dim()));
    let (state, style) = if let Some(place) = place(app, wide) {
        (format!("  {} {place}", glyphs::BACK), theme.accent())
    } else if app.play.on {
        (format!("  {} PLAY {}", glyphs::RUNNING, app.play.rate()), theme.notable())
    } else if app.view.gate.paused {
        (format!("  {} PAUSED", glyphs::PAUSED), theme.notable())
    } else {
        (format!("  {} RUN", glyphs::RUNNING), theme.good())
    };
    spans.push(Span::styled(state, style.patch(theme.strong())));
    let mut left = usize::from(area.width).saturating_sub(Line::from(spans.clone()).width());
    for (part, style) in facts(app, wide) {
        let part = format!("  {part}");
        if text::width(&part) > left {
            continue;
        }
        left -= text::width(&part);
        spans.push(Span::styled(part, style));
    }
    frame.render_widget(Line::from(spans), area);
}

/// Where in time that is which is looked at, where it is not what is going on now.
fn place(app: &App, wide: bool) -> Option<String> {
    app.times.past.as_ref()?;
    let (branch, at) = app.times.place();
    let (name, len) = (&app.times.branch().name, app.times.branch().len());
    let playing = if app.play.on { " PLAY" } else { "" };
    Some(match (branch == BranchId::MAIN, wide) {
        // Nothing is recorded where lessons are chosen from.
        (true, _) if app.learning.is_some() && len == 0 => "LESSONS".to_owned(),
        (true, true) if app.times.is_live() => format!("LOOKING BACK {at} of {len}{playing}"),
        (true, true) => format!("RECORDED {at} of {len}{playing}"),
        (true, false) => format!("BACK {at}/{len}{playing}"),
        (false, true) => format!("BRANCH {name} {at} of {len}{playing}"),
        (false, false) => format!("{name} {at}/{len}{playing}"),
    })
}

/// What is worth a word, the most important first.
fn facts(app: &App, wide: bool) -> Vec<(String, Style)> {
    let theme = app.theme;
    let view = &app.view;
    let mut facts = Vec::new();
    if let Some((command, waiting)) = app.busy_with() {
        let others = if waiting > 0 { format!(", {waiting} waiting") } else { String::new() };
        facts.push((format!("busy: {command}{others}"), theme.notable()));
    }
    facts.push((format!("step {}", view.log.len()), theme.text()));
    let flights = view.in_flight.len();
    facts.push((format!("{flights} in flight"), theme.text()));
    if let Some(violation) = app.checks.violations().first() {
        facts.push((format!("{} BROKEN", violation.property), theme.bad()));
    }
    if let Some(stopped) = app.stopped.as_ref().filter(|_| view.gate.paused) {
        // A live cluster takes some more steps until it stands still.
        let later = view.log.len().saturating_sub(stopped.entry + 1);
        let later = match later {
            0 => String::new(),
            1 => ", 1 step ago".to_owned(),
            later => format!(", {later} steps ago"),
        };
        facts.push((format!("{stopped}{later}"), theme.bad()));
    }
    let holds: Vec<String> = view.gate.holds.iter().map(name).collect();
    if !holds.is_empty() {
        let shown = format!("holding {}", holds.join(", "));
        let most = if wide { 40 } else { 22 };
        let brief = format!("{} rules", holds.len());
        let shown = if text::width(&shown) > most { brief } else { shown };
        facts.push((shown, theme.notable()));
    }
    if let Some(observer) = app.observer {
        facts.push((format!("seen by {observer}"), theme.accent()));
    }
    facts.extend(faults(app));
    let away = view.replicas.iter().filter_map(|replica| replica.away);
    if let Some(unseen) = away.reduce(|sum, unseen| sum + unseen) {
        let shown = format!("TOO FAST to be shown: {unseen} steps unseen");
        let shown = if wide { shown } else { "TOO FAST".to_owned() };
        facts.push((shown, theme.notable()));
    }
    if app.checks.violations().is_empty() {
        facts.push(match app.checks.checked() {
            None => ("checks ok".to_owned(), theme.good()),
            // So many cannot be checked anew at each place that is looked at.
            Some(0) if app.times.past.is_some() => {
                ("too many steps to be checked here".to_owned(), theme.notable())
            }
            Some(step) => (format!("checked up to step {step}"), theme.notable()),
        });
    }
    let count = |pick: fn(&crate::observe::counters::Counters) -> u64| -> u64 {
        view.replicas.iter().map(|replica| pick(&replica.counters)).sum()
    };
    let fast = format!("fast {} slow {}", count(|c| c.fasts), count(|c| c.slows));
    facts.push((fast, theme.text()));
    let let_go = view.replicas.iter().map(ReplicaView::instances_let_go).max().unwrap_or(0);
    if let_go > 0 {
        facts.push((format!("{let_go} instances let go"), theme.dim()));
    }
    let forgotten = view.log.forgotten();
    if forgotten > 0 {
        facts.push((format!("{forgotten} steps let go"), theme.dim()));
    }
    facts
}

/// What is broken, in few words.
fn faults(app: &App) -> Vec<(String, Style)> {
    let theme = app.theme;
    let gate = &app.view.gate;
    let mut faults = Vec::new();
    let left = app.view.replicas.iter().enumerate().filter(|(_, it)| it.left_behind.is_some());
    for (id, _) in left {
        faults.push((format!("R{id} LEFT BEHIND: start the cluster anew"), theme.bad()));
    }
    let down: Vec<_> = app.view.replicas.iter().enumerate().filter(|(_, r)| !r.up).collect();
    match down.as_slice() {
        [] => {}
        [(id, _)] => faults.push((format!("R{id} DOWN"), theme.bad())),
        several => faults.push((format!("{} DOWN", several.len()), theme.bad())),
    }
    match gate.cuts.first() {
        None => {}
        Some(link) if gate.cuts.len() == 1 => faults.push((format!("{link} cut"), theme.bad())),
        Some(_) => faults.push((format!("{} links cut", gate.cuts.len()), theme.bad())),
    }
    faults.extend(share(&gate.loss, "lost").map(|share| (share, theme.bad())));
    faults.extend(share(&gate.duplicates, "doubled").map(|share| (share, theme.notable())));
    let late =
        |(rule, delay): &(Filter, Delay)| format!("{} {} late", name(rule), delay_word(*delay));
    let delays: Vec<String> = gate.delays.iter().map(late).collect();
    if !delays.is_empty() {
        faults.push((delays.join(", "), theme.notable()));
    }
    let late = match (gate.lateness.all(), gate.lateness.own().count()) {
        (all, 0) if all.is_none() => None,
        (all, own) if all.is_none() => Some(format!("{} late", links(own))),
        (all, _) => Some(format!("{} late", delay_word(all))),
    };
    faults.extend(late.map(|late| (late, theme.notable())));
    faults
}

/// A share of messages to which something happens, if it does on any link.
fn share(shares: &PerLink<u32>, what: &str) -> Option<String> {
    match (shares.all(), shares.own().count()) {
        (0, 0) => None,
        (0, own) => {
            let most = shares.own().map(|(_, percent)| percent).max().unwrap_or(0);
            Some(format!("{most}% {what} on {}", links(own)))
        }
        (all, _) => Some(format!("{all}% {what}")),
    }
}

fn links(count: usize) -> String {
    if count == 1 { "1 link".to_owned() } else { format!("{count} links") }
}

/// A description of messages in few words.
fn name(rule: &Filter) -> String {
    let kind = rule.kind.map_or_else(|| "all".to_owned(), |kind| kind.to_string());
    let instance = rule.instance.map(|instance| format!(" of {instance}"));
    let from = rule.from.map(|from| format!(" from {from}"));
    let to = rule.to.map(|to| format!(" to {to}"));
    [instance, from, to].into_iter().flatten().fold(kind, |name, more| name + &more)
}

/// Draws the names of the screens.
pub fn render_tabs(frame: &mut Frame, area: Rect, app: &App) {
    let theme = app.theme;
    let mut spans = vec![Span::raw(" ")];
    for (screen, tab) in tabs(app, area) {
        let selected = screen == app.screen;
        let style = if selected { theme.accent().patch(theme.strong()) } else { theme.dim() };
        spans.push(Span::styled(tab, style));
        spans.push(Span::raw(" "));
    }
    let used = Line::from(spans.clone()).width();
    let room = usize::from(area.width).saturating_sub(used);
    let helps = ["? keys   : command   q quit ", "? keys  : command ", "? keys "];
    if let Some(help) = helps.into_iter().find(|help| room > text::width(help)) {
        spans.push(Span::styled(text::right(help, room), theme.dim()));
    }
    frame.render_widget(Line::from(spans), area);
}

/// The names of the screens as they are shown, closer together where there is less room.
fn tabs(app: &App, area: Rect) -> Vec<(Screen, String)> {
    let space = if area.width >= 100 { " " } else { "" };
    let tab = |(number, screen): (usize, Screen)| {
        let name = format!("{number} {}", screen.name());
        let selected = screen == app.screen;
        let tab = if selected { format!("[{name}]") } else { format!("{space}{name}{space}") };
        (screen, tab)
    };
    let mut tabs: Vec<_> = (1..).zip(Screen::ALL).map(tab).collect();
    if app.learning.is_none() {
        return tabs;
    }
    tabs.push(tab((9, Screen::Lesson)));
    // Where not all names fit, those of screens that are looked at least are left out.
    for number in (4..=8).rev() {
        let width: usize = tabs.iter().map(|(_, tab)| text::width(tab) + 1).sum();
        let (screen, name) = &mut tabs[number - 1];
        if width + 1 > usize::from(area.width) && *screen != app.screen {
            *name = number.to_string();
        }
    }
    tabs
}

/// The screen whose name is at a column.
pub fn tab_at(app: &App, x: u16, area: Rect) -> Option<Screen> {
    let mut start = usize::from(area.x) + 1;
    for (screen, tab) in tabs(app, area) {
        let end = start + text::width(&tab);
        if (start..end).contains(&usize::from(x)) {
            return Some(screen);
        }
        start = end + 1;
    }
    None
}
