//! Where the lanes are.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::epaxos::id::ReplicaId;
use crate::tui::app::App;

/// The columns in which things stand, for one size of the pane.
#[derive(Clone, Debug)]
pub struct Lanes {
    /// The whole pane within its frame.
    pub area: Rect,
    /// The lane of the clients.
    pub client: u16,
    /// The lanes that are seen, with their columns.
    pub seen: Vec<(ReplicaId, u16)>,
    /// The lanes that are left of those.
    pub left: Vec<ReplicaId>,
    /// The lanes that are right of those.
    pub right: Vec<ReplicaId>,
}

/// Where one end of an arrow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In a column.
    At(u16),
    /// Left of what is seen.
    Left,
    /// Right of what is seen.
    Right,
    /// In a lane that is hidden.
    Hidden,
}

impl Lanes {
    /// The lanes in an area; the one that is pointed at is among those that are seen.
    pub fn of(app: &App, area: Rect) -> Self {
        let lanes = app.space_time.lanes(app.view.shape.replicas());
        let client = area.x + gutter(app) + 1;
        let room = area.right().saturating_sub(client + MARGIN);
        let count = u16::try_from(lanes.len()).unwrap_or(u16::MAX).max(1);
        let fitting = (room / SPACING_LEAST).clamp(1, count);
        let spacing = (room / fitting).clamp(1, SPACING_MOST);
        let pointed = app.space_time.lane.min(lanes.len().saturating_sub(1));
        let first = (pointed + 1).saturating_sub(usize::from(fitting));
        let seen = lanes.iter().skip(first).take(usize::from(fitting));
        let seen: Vec<_> =
            (1..).zip(seen).map(|(place, id)| (*id, client + place * spacing)).collect();
        let right = lanes.iter().skip(first + seen.len()).copied().collect();
        Self { area, client, left: lanes[..first].to_vec(), seen, right }
    }

    /// Where a replica's lane is.
    pub fn end(&self, replica: ReplicaId) -> End {
        match self.seen.iter().find(|(id, _)| *id == replica) {
            Some((_, column)) => End::At(*column),
            None if self.left.contains(&replica) => End::Left,
            None if self.right.contains(&replica) => End::Right,
            None => End::Hidden,
        }
    }

    /// Whether a cell may be drawn on.
    pub fn contains(&self, buffer: &Buffer, x: u16, y: u16) -> bool {
        self.area.contains((x, y).into()) && buffer.area.contains((x, y).into())
    }
}

/// How wide the numbers of the events are, with the mark of the selected one.
pub fn gutter(app: &App) -> u16 {
    let digits = app.view.log.len().max(100).ilog10() + 1;
    u16::try_from(digits).unwrap_or(u16::MAX).saturating_add(3)
}

/// The least that a lane needs so that the shortest label fits.
pub const SPACING_LEAST: u16 = 10;

/// More than this and arrows cannot be followed with the eye.
const SPACING_MOST: u16 = 24;

/// What is left free on the right.
const MARGIN: u16 = 4;
