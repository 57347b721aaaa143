//! The faults screen: what keys do to the selected link. Each comes to a command that could as well
//! be typed.

use std::time::Duration;

use crate::epaxos::id::ReplicaId;
use crate::observe::links::{Delay, LinkId};
use crate::script::grammar::Command;
use crate::script::words::{Doubled, On};
use crate::tui::app::{App, Effect, Mode, Tone};
use crate::tui::deed::{Deed, Move};

impl App {
    /// The selected link, unless a replica is selected.
    pub fn selected_link(&self) -> Option<LinkId> {
        Some(self.crossing).filter(|crossing| crossing.from != crossing.to)
    }

    /// Whether anything is wrong with a link.
    pub fn is_broken(&self, link: LinkId) -> bool {
        let gate = &self.view.gate;
        gate.cuts.contains(&link)
            || gate.loss.of(link) > 0
            || gate.duplicates.of(link) > 0
            || !gate.lateness.of(link).is_none()
    }

    /// Whether anything is wrong with any link.
    pub fn any_link_is_broken(&self) -> bool {
        LinkId::all(self.view.shape.replicas()).any(|link| self.is_broken(link))
    }

    /// Does to the selected link what a key means.
    pub(super) fn change_link(&mut self, deed: Deed) -> Vec<Effect> {
        let Some(link) = self.selected_link() else {
            self.say(format!("{} has no link to itself", self.crossing.from), Tone::Bad);
            return Vec::new();
        };
        let LinkId { from, to } = link;
        let gate = &self.view.gate;
        let on = vec![On::Replica(from), On::Replica(to)];
        let ends = (Some(from), Some(to));
        let command = match deed {
            Deed::Cut => cut(link, !gate.cuts.contains(&link)),
            Deed::CutBothWays => return self.cut_both_ways(link),
            Deed::LoseMore => {
                let percent = more(gate.loss.of(link), &SHARES);
                Command::Loss { percent, from: ends.0, to: ends.1 }
            }
            Deed::DoubleMore => {
                let percent = more(gate.duplicates.of(link), &SHARES);
                Command::Dup { first: Doubled::Percent(percent), rest: on }
            }
            Deed::DelayMore => {
                let now = gate.lateness.of(link);
                let longer = DELAYS.iter().find(|delay| delay.most > now.most);
                Command::Delay { delay: longer.copied().unwrap_or_default(), on }
            }
            _ => Command::Heal { from: ends.0, to: ends.1 },
        };
        self.send(command)
    }

    fn cut_both_ways(&mut self, link: LinkId) -> Vec<Effect> {
        let cuts = &self.view.gate.cuts;
        let links = [link, link.back()];
        let uncut: Vec<_> = links.into_iter().filter(|link| !cuts.contains(link)).collect();
        let (changed, cuts) =
            if uncut.is_empty() { (links.to_vec(), false) } else { (uncut, true) };
        changed.into_iter().flat_map(|link| self.send(cut(link, cuts))).collect()
    }

    /// Opens the prompt with a command about what is selected: one that repeats what is wrong with a
    /// link already, if anything is, to be changed.
    pub(super) fn type_about_crossing(&mut self) {
        self.mode = Mode::Prompt;
        let Some(link) = self.selected_link() else {
            let replica = self.crossing.from;
            let verb = if self.view.replica(replica).up { "crash" } else { "recover" };
            return self.prompt.set(&format!("{verb} {replica}"));
        };
        let LinkId { from, to } = link;
        let gate = &self.view.gate;
        let on = vec![On::Replica(from), On::Replica(to)];
        let (lost, doubled, delay) =
            (gate.loss.of(link), gate.duplicates.of(link), gate.lateness.of(link));
        let command = if lost == 0 && !delay.is_none() {
            Command::Delay { delay, on }
        } else if lost == 0 && doubled > 0 {
            Command::Dup { first: Doubled::Percent(doubled), rest: on }
        } else {
            let percent = if lost == 0 { SHARES[0] } else { lost };
            Command::Loss { percent, from: Some(from), to: Some(to) }
        };
        self.prompt.set(&command.to_string());
    }

    /// Moves among the links and replicas.
    pub(super) fn go_among_links(&mut self, to: Move) {
        let last = self.view.shape.replicas().saturating_sub(1);
        let by = |id: ReplicaId, by: isize| {
            ReplicaId::from_index(id.index().saturating_add_signed(by).min(last))
        };
        let (LinkId { from, to: column }, step) = (self.crossing, to.by(last + 1));
        self.crossing = match to {
            Move::Left | Move::Right => LinkId { from, to: by(column, step) },
            _ => LinkId { from: by(from, step), to: column },
        };
    }
}

fn cut(LinkId { from, to }: LinkId, cuts: bool) -> Command {
    if cuts { Command::Cut { from, to } } else { Command::Uncut { from, to } }
}

/// The next step after `now`, or none at all after the last one.
fn more(now: u32, steps: &[u32]) -> u32 {
    steps.iter().copied().find(|step| *step > now).unwrap_or(0)
}

/// The steps of loss and of duplicates, in percent.
const SHARES: [u32; 4] = [10, 25, 50, 100];

/// The steps of delays: within the time for a fast path, beyond it, and so long that it is watched.
const DELAYS: [Delay; 3] = [
    Delay { least: Duration::from_millis(5), most: Duration::from_millis(40) },
    Delay { least: Duration::from_millis(50), most: Duration::from_millis(400) },
    Delay { least: Duration::from_secs(2), most: Duration::from_secs(2) },
];
