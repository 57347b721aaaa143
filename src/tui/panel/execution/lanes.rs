//! Lanes from what is depended on to what depends on it, within the rows that are seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::observe::edges::{Reach, dependencies};
use crate::observe::view::View;

/// The lanes of some rows, drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    rows: Vec<String>,
    width: usize,
}

/// A lane: from the row of an instance to the rows of those that depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lane {
    from: usize,
    to: BTreeSet<usize>,
}

impl Lane {
    fn last(&self) -> usize {
        self.to.last().copied().unwrap_or(self.from)
    }
}

impl Lanes {
    /// The lanes among instances that are executed in this order, as `observer` has them, at most so
    /// many side by side. Edges that
    /// others imply are left out, and so are those within a component, which has a bracket.
    pub fn of(view: &View, observer: ReplicaId, seen: &[InstanceId], most: usize) -> Self {
        let row: BTreeMap<InstanceId, usize> =
            seen.iter().enumerate().map(|(row, id)| (*id, row)).collect();
        let instances = &view.replica(observer).instances;
        let component = |id: &InstanceId| instances.get(*id).and_then(|own| own.component.clone());
        let mut before: Vec<BTreeSet<usize>> = Vec::new();
        for (at, id) in seen.iter().enumerate() {
            let own = component(id);
            let together = |other: &InstanceId| own.as_ref().is_some_and(|own| own.contains(other));
            let depends = dependencies(view, observer, *id, Reach::NEAR);
            let rows = depends.iter().filter(|other| !together(other));
            before.push(rows.filter_map(|id| row.get(id).copied()).filter(|r| *r < at).collect());
        }
        Self::among(&before, most.min(LANES_MOST))
    }

    /// The lanes among rows, each of which depends on some before it.
    fn among(before: &[BTreeSet<usize>], most: usize) -> Self {
        // All rows that each row comes after, by whatever way.
        let mut past: Vec<BTreeSet<usize>> = Vec::new();
        for direct in before {
            let mut all = direct.clone();
            for row in direct {
                all.extend(past[*row].iter().copied());
            }
            past.push(all);
        }
        let mut lanes: BTreeMap<usize, Lane> = BTreeMap::new();
        for (at, direct) in before.iter().enumerate() {
            let needed = direct
                .iter()
                .filter(|row| !direct.iter().any(|via| via != *row && past[*via].contains(row)));
            for from in needed {
                let lane = Lane { from: *from, to: BTreeSet::new() };
                lanes.entry(*from).or_insert(lane).to.insert(at);
            }
        }
        Self::draw(before.len(), lanes.values(), most)
    }

    fn draw<'a>(rows: usize, lanes: impl Iterator<Item = &'a Lane>, most: usize) -> Self {
        // The row from which on each column is free.
        let mut free: Vec<usize> = Vec::new();
        let mut placed: Vec<(usize, &Lane)> = Vec::new();
        let mut folded = vec![0usize; rows];
        for lane in lanes {
            let column = free.iter().position(|until| *until <= lane.from);
            let column = column.unwrap_or(free.len());
            if column >= most {
                folded[lane.from] += lane.to.len();
                continue;
            }
            if column == free.len() {
                free.push(0);
            }
            free[column] = lane.last();
            placed.push((column, lane));
        }
        let more = folded.iter().any(|count| *count > 0);
        let columns = free.len();
        let row = |row: usize| {
            let line = Self::draw_row(row, columns, &placed);
            match folded[row] {
                0 => line,
                count => format!("{line}+{count}"),
            }
        };
        let width = 1 + columns + if more { 2 } else { 0 };
        Self { rows: (0..rows).map(row).collect(), width }
    }

    fn draw_row(row: usize, columns: usize, placed: &[(usize, &Lane)]) -> String {
        let mut cells = vec![' '; columns];
        // How far right something leads to or from the instance of the row.
        let mut reach = 0;
        for (column, lane) in placed {
            let ends = lane.to.contains(&row);
            let here = match (lane.from == row, ends, lane.last() == row) {
                (true, ..) => '╮',
                (_, true, true) => '╯',
                (_, true, false) => '┤',
                _ if lane.from < row && row < lane.last() => '│',
                _ => continue,
            };
            // One lane may end in the row in which another begins.
            cells[*column] = match (cells[*column], here) {
                ('╯', '╮') | ('╮', '╯') => '┤',
                _ => here,
            };
            if lane.from == row || ends {
                reach = reach.max(*column);
            }
        }
        let arrives = placed.iter().any(|(_, lane)| lane.to.contains(&row));
        let joined = arrives || placed.iter().any(|(_, lane)| lane.from == row);
        if joined {
            for cell in cells.iter_mut().take(reach) {
                *cell = match *cell {
                    ' ' => '─',
                    '│' => '┼',
                    '╮' => '┬',
                    '╯' => '┴',
                    other => other,
                };
            }
        }
        let node = if arrives { '◄' } else { '●' };
        std::iter::once(node).chain(cells).collect()
    }

    /// The lanes of a row.
    pub fn row(&self, row: usize) -> &str {
        self.rows.get(row).map_or("", String::as_str)
    }

    /// How many columns the lanes take.
    pub fn width(&self) -> usize {
        self.width.max(1)
    }
}

/// How many lanes there are side by side; what is more is counted.
const LANES_MOST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawn(before: &[&[usize]]) -> Vec<String> {
        let before: Vec<BTreeSet<usize>> =
            before.iter().map(|rows| rows.iter().copied().collect()).collect();
        Lanes::among(&before, LANES_MOST).rows
    }

    #[test]
    fn a_lane_leads_from_what_is_depended_on_to_what_depends_on_it() {
        assert_eq!(drawn(&[&[], &[]]), ["●", "●"]);
        assert_eq!(drawn(&[&[], &[0]]), ["●╮", "◄╯"]);
        assert_eq!(drawn(&[&[], &[], &[0]]), ["●╮", "●│", "◄╯"]);
        assert_eq!(drawn(&[&[], &[0], &[0]]), ["●╮", "◄┤", "◄╯"]);
    }

    #[test]
    fn what_is_implied_is_left_out_and_lanes_that_end_give_way() {
        assert_eq!(drawn(&[&[], &[0], &[0, 1]]), ["●╮", "◄┤", "◄╯"]);
        assert_eq!(drawn(&[&[], &[], &[0, 1]]), ["●╮ ", "●┼╮", "◄┴╯"]);
    }

    proptest! {
        #[test]
        fn rows_are_as_wide_as_is_said(
            edges in proptest::collection::vec(proptest::collection::btree_set(0usize..40, 0..6), 0..40)
        ) {
            let before: Vec<BTreeSet<usize>> = edges
                .iter()
                .enumerate()
                .map(|(at, rows)| rows.iter().copied().filter(|row| *row < at).collect())
                .collect();
            let lanes = Lanes::among(&before, LANES_MOST);
            for row in 0..before.len() {
                let width = lanes.row(row).chars().count();
                // What is folded is counted behind the lanes.
                prop_assert!(width <= lanes.width() + 1, "{} in {}", width, lanes.width());
            }
        }
    }
}
