//! What is wrong with links and replicas, in words.

use std::collections::BTreeSet;

use crate::epaxos::id::ReplicaId;
use crate::observe::filter::Filter;
use crate::observe::links::{Delay, LinkId};
use crate::script::words::delay_word;
use crate::tui::app::App;
use crate::tui::deed::Deed;
use crate::tui::keys::Context;
use crate::tui::panel::replicas::inbox;

/// How much is wrong, in a few words.
pub fn in_short(app: &App) -> String {
    let replicas = app.view.shape.replicas();
    let links = LinkId::all(replicas).filter(|link| app.is_broken(*link)).count();
    let down = app.view.replicas.iter().filter(|replica| !replica.up).count();
    match (links, down) {
        (0, 0) => "all is well".to_owned(),
        (links, 0) => format!("{} faulty", counted(links, "link")),
        (0, down) => format!("{} down", counted(down, "replica")),
        (links, down) => {
            format!("{} faulty, {} down", counted(links, "link"), counted(down, "replica"))
        }
    }
}

/// What is selected, and how it stands.
pub fn selected(app: &App) -> String {
    match app.selected_link() {
        None => replica(app, app.crossing.from),
        Some(link) => {
            let waiting = app.deliverables.on_links.get(&link).copied().unwrap_or(0);
            let verb = if waiting == 1 { "waits" } else { "wait" };
            let waiting =
                (waiting > 0).then(|| format!("{waiting} {} {verb}", noun(waiting, "message")));
            let down = [link.from, link.to].into_iter().filter(|id| !app.view.replica(*id).up);
            let down = down.map(|id| format!("{id} is down"));
            let told = std::iter::once(of_link(app, link)).chain(waiting).chain(down);
            format!("{link}: {}.", told.collect::<Vec<_>>().join("; "))
        }
    }
}

fn of_link(app: &App, link: LinkId) -> String {
    let gate = &app.view.gate;
    let cut = gate.cuts.contains(&link).then(|| "cut".to_owned());
    let lost = Some(gate.loss.of(link)).filter(|lost| *lost > 0);
    let doubled = Some(gate.duplicates.of(link)).filter(|doubled| *doubled > 0);
    let late = Some(gate.lateness.of(link)).filter(|late| !late.is_none());
    let told = [
        cut,
        lost.map(|lost| format!("loses {lost}%")),
        late.map(|late| format!("takes {}", longer(late))),
        doubled.map(|doubled| format!("doubles {doubled}%")),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    if told.is_empty() { "nothing is wrong with it".to_owned() } else { told.join(", ") }
}

fn replica(app: &App, id: ReplicaId) -> String {
    let replica = app.view.replica(id);
    if !replica.up {
        let key = app.keys.key(Context::Faults, Deed::CrashOrRecover);
        return format!("{}; {key} lets it come back.", down(app, id));
    }
    let timer = match replica.timer {
        Some((_, timer)) => {
            let key = app.keys.key(Context::Normal, Deed::Wake);
            format!("waits for its timer {timer}; {key} fires it")
        }
        None => "waits for no timer".to_owned(),
    };
    let inbox = inbox(app, id);
    let held = match inbox {
        0 => String::new(),
        inbox => format!(", and {inbox} {} held on the way to it", noun(inbox, "message")),
    };
    format!("{id} is up, {timer}{held}.")
}

/// Why a replica is down.
pub fn down(app: &App, id: ReplicaId) -> String {
    match &app.view.replica(id).panic {
        Some(sentence) => format!("{id} is down, its program failed: {sentence}"),
        None => format!("{id} is down, it has crashed"),
    }
}

/// All that is in force, each with whether it stops something altogether.
pub fn in_force(app: &App) -> Vec<(String, bool)> {
    let gate = &app.view.gate;
    let all = ReplicaId::all(app.view.shape.replicas());
    let down = all.filter(|id| !app.view.replica(*id).up).map(|id| (down(app, id), true));
    let mut rules: Vec<(String, bool)> = down.collect();
    if let Some(sides) = sides(&gate.cuts, app.view.shape.replicas()) {
        rules.push((format!("partitioned: {sides}"), true));
    } else if !gate.cuts.is_empty() {
        let cuts: Vec<_> = gate.cuts.iter().map(ToString::to_string).collect();
        rules.push((format!("cut: {}", cuts.join(" ")), true));
    }
    for (shares, what) in [(&gate.loss, "lost"), (&gate.duplicates, "doubled")] {
        let usual = Some(shares.all()).filter(|all| *all > 0);
        let usual = usual.map(|all| format!("{all}% of all messages"));
        let own = shares.own().map(|(link, percent)| format!("{percent}% on {link}"));
        rules.extend(with_exceptions(what, usual, &own.collect::<Vec<_>>()));
    }
    let shown = |late: Delay| if late.is_none() { "nothing".to_owned() } else { range(late) };
    let usual = Some(gate.lateness.all()).filter(|all| !all.is_none());
    let usual = usual.map(|all| format!("all messages by {}", range(all)));
    let own = gate.lateness.own().map(|(link, late)| format!("{} on {link}", shown(late)));
    rules.extend(with_exceptions("late", usual, &own.collect::<Vec<_>>()));
    for (filter, late) in &gate.delays {
        rules.push((format!("{} take {}", messages(*filter), longer(*late)), false));
    }
    rules.extend(gate.holds.iter().map(|hold| (format!("{} are held", messages(*hold)), false)));
    if gate.seed != 0 && !rules.is_empty() {
        rules.push((format!("chosen by seed {}", gate.seed), false));
    }
    rules
}

/// The sides of a partition, where the cuts are those between several sides and no others.
fn sides(cuts: &BTreeSet<LinkId>, replicas: usize) -> Option<String> {
    let mut sides: Vec<Vec<ReplicaId>> = Vec::new();
    for id in ReplicaId::all(replicas) {
        let reached = |side: &&mut Vec<ReplicaId>| {
            side.iter().all(|other| !cuts.contains(&LinkId { from: *other, to: id }))
        };
        match sides.iter_mut().find(reached) {
            Some(side) => side.push(id),
            None => sides.push(vec![id]),
        }
    }
    let side_of = |id: ReplicaId| sides.iter().position(|side| side.contains(&id));
    let between = LinkId::all(replicas).filter(|link| side_of(link.from) != side_of(link.to));
    if cuts.is_empty() || !between.eq(cuts.iter().copied()) {
        return None;
    }
    let named =
        |side: &Vec<ReplicaId>| side.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    Some(sides.iter().map(named).collect::<Vec<_>>().join(" / "))
}

fn messages(filter: Filter) -> String {
    if filter.is_any() { "all messages".to_owned() } else { format!("messages of {filter}") }
}

/// What holds for all links, with those that differ, or for some links alone.
fn with_exceptions(what: &str, usual: Option<String>, own: &[String]) -> Option<(String, bool)> {
    let own = own.join(", ");
    let told = match usual {
        None if own.is_empty() => return None,
        None => own,
        Some(usual) if own.is_empty() => usual,
        Some(usual) => format!("{usual}, but {own}"),
    };
    Some((format!("{what}: {told}"), false))
}

fn longer(late: Delay) -> String {
    format!("{} longer", range(late))
}

fn range(late: Delay) -> String {
    delay_word(late).replace("..", " to ")
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {}", noun(count as u64, what))
}

fn noun(count: u64, what: &str) -> String {
    if count == 1 { what.to_owned() } else { format!("{what}s") }
}
