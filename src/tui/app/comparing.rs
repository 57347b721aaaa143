//! Two branches side by side.

use crate::multiverse::compare::{Comparison, Row, compare};
use crate::multiverse::tree::BranchId;
use crate::tui::app::App;
use crate::tui::panel::text;
use crate::tui::times::TimeWish;

impl App {
    /// Shows how two branches differ: the one that is looked at, or the second one that is named, and
    /// another; where none is named, the one that it leaves.
    pub(super) fn compare(&mut self, one: Option<&str>, other: Option<&str>) -> Result<(), String> {
        let (here, _) = self.times.place();
        let multiverse = &mut self.times.multiverse;
        let fork = multiverse.get(here).and_then(|branch| branch.fork).map(|(from, _)| from);
        let none = "main leaves no other branch; name one to compare it with".to_owned();
        let one = one.map_or(fork.ok_or(none), |name| multiverse.named(name))?;
        let other = other.map_or(Ok(here), |name| multiverse.named(name))?;
        if one == other {
            return Err("a branch differs from itself in nothing; name another one".to_owned());
        }
        let mut ends = Vec::new();
        let name = |id: BranchId| self.times.multiverse.get(id).map(|branch| branch.name.clone());
        let wish = TimeWish::Compare(name(one), name(other));
        if self.is_fetched(one, u64::MAX, &wish) || self.is_fetched(other, u64::MAX, &wish) {
            return Ok(());
        }
        let multiverse = &mut self.times.multiverse;
        for branch in [one, other] {
            ends.push(multiverse.at(branch, u64::MAX).map_err(|astray| astray.to_string())?);
        }
        let views = [0, 1].map(|run| crate::script::world::World::view(&ends[run]));
        let comparison = compare(views);
        let names = [one, other].map(|id: BranchId| {
            multiverse.get(id).map_or_else(String::new, |branch| branch.name.clone())
        });
        let title = format!("compare {} {}", names[0], names[1]);
        let width = usize::from(crate::tui::panel::popup::inner_area(self.area()).width);
        self.tell(title, Ok(lines(&comparison, &names, width)));
        Ok(())
    }
}

/// The comparison in two columns, what differs marked.
fn lines(comparison: &Comparison, names: &[String; 2], width: usize) -> Vec<String> {
    let mut lines = match comparison.parted {
        None => vec!["They are the same.".to_owned()],
        Some(at) => {
            let there = comparison
                .there
                .clone()
                .map(|told| told.unwrap_or_else(|| "it is over.".to_owned()));
            let first = match at {
                0 => "Nothing is the same.".to_owned(),
                1 => "The first entry is the same.".to_owned(),
                at => format!("The first {at} entries are the same."),
            };
            vec![
                format!("{first} At #{at}"),
                format!("  {}: {}", names[0], there[0]),
                format!("  {}: {}", names[1], there[1]),
            ]
        }
    };
    let label = 21;
    let column = width.saturating_sub(label + 4) / 2;
    let fit = |words: &str| text::left(&text::cut(words, column), column);
    let line = |mark: &str, what: &str, values: [&str; 2]| {
        format!("{mark} {} {} {}", text::left(what, label), fit(values[0]), fit(values[1]))
            .trim_end()
            .to_owned()
    };
    lines.push(String::new());
    lines.push(line(" ", "≠ marks what differs", [&names[0], &names[1]]));
    let mut instance = None;
    for row in &comparison.rows {
        let Row { what, values, .. } = row;
        if row.instance != instance {
            instance = row.instance;
            let all = comparison.rows.iter().filter(|other| other.instance == instance);
            let differs = all.filter(|other| other.differs()).count();
            lines.push(String::new());
            let same = if differs == 0 { ": the same in both" } else { "" };
            lines.push(format!("{}{same}", instance.map(|id| id.to_string()).unwrap_or_default()));
        }
        let all = comparison.rows.iter().filter(|other| other.instance == row.instance);
        // Of what became the same in both, its name is enough.
        if row.instance.is_none() || all.clone().any(Row::differs) {
            let mark = if row.differs() { "≠" } else { " " };
            lines.push(line(mark, what, [&values[0], &values[1]]));
        }
    }
    lines.extend(entries(comparison, names, width));
    lines
}

/// What happened in each, entry by entry, from where they part on.
fn entries(comparison: &Comparison, names: &[String; 2], width: usize) -> Vec<String> {
    let Some(at) = comparison.parted else { return Vec::new() };
    let label = 7;
    let column = width.saturating_sub(label + 2) / 2;
    let fit = |words: &str| text::left(&text::cut(words, column), column);
    let line = |what: &str, values: [&str; 2]| {
        let line = format!("{} {} {}", text::left(what, label), fit(values[0]), fit(values[1]));
        line.trim_end().to_owned()
    };
    let mut lines = vec![String::new(), line("entries", [&names[0], &names[1]])];
    for (id, told) in (at..).zip(&comparison.entries) {
        let [one, other] = told.each_ref().map(|told| told.as_deref().unwrap_or("–"));
        lines.push(line(&format!("#{id}"), [one, other]));
    }
    if comparison.more > 0 {
        lines.push(format!("and {} more", comparison.more));
    }
    lines
}
