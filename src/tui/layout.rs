//! What lies where. A function of the size and of what is shown, so that drawing, paging and the
//! mouse agree on it.

use ratatui::layout::{Position, Rect};

use crate::tui::deed::Screen;

/// A part of the screen that can have the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pane {
    /// The replicas.
    Replicas,
    /// The grid of instances.
    Instances,
    /// What can be delivered.
    #[default]
    Messages,
    /// The trace.
    Trace,
    /// The selected instance.
    Detail,
    /// The events, a row each, with a lane for each replica.
    SpaceTime,
    /// The selected event.
    Event,
    /// The instances around the selected one, and who depends on whom.
    Graph,
    /// What was executed, and what waits to be, in order.
    Execution,
    /// The answer to a question.
    Why,
    /// The numbers.
    Metrics,
    /// The stores.
    Store,
    /// The log.
    Log,
    /// The links and the replicas, with what is wrong with them.
    Faults,
    /// What must be true, and whether it is.
    Checks,
    /// A lesson, or those that there are.
    Lesson,
}

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// All panes side by side, with frames around everything.
    Large,
    /// As many panes as fit in 80 by 24.
    Compact,
    /// One pane.
    Small,
    /// Not enough for anything.
    None,
}

/// What is to be laid out.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The screen.
    pub screen: Screen,
    /// The pane of the screen that has the focus.
    pub focus: Pane,
    /// Whether it has the screen to itself.
    pub zoomed: bool,
    /// How many replicas there are.
    pub replicas: u16,
    /// Whether there is to be room for a sentence that is read from afar.
    pub presenting: bool,
}

/// Where things are. What has no place has an empty one.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How much room there is.
    pub room: Room,
    /// The line that says where the world stands.
    pub header: Rect,
    /// The line of screens.
    pub tabs: Rect,
    /// The panes to be seen.
    pub panes: Vec<(Pane, Rect)>,
    /// The panes in the order in which the focus visits them, hidden ones included.
    pub order: &'static [Pane],
    /// The last entries of the log.
    pub timeline: Rect,
    /// What was said last.
    pub message: Rect,
    /// Where commands are typed.
    pub prompt: Rect,
    /// The keys.
    pub hints: Rect,
}

impl Layout {
    /// Lays out `area`.
    pub fn of(area: Rect, wanted: Wanted) -> Self {
        let room = match (area.width, area.height) {
            (110.., 34..) => Room::Large,
            (78.., 22..) => Room::Compact,
            (LEAST_WIDTH.., LEAST_HEIGHT..) => Room::Small,
            _ => Room::None,
        };
        let mut rest = area;
        let header = take_top(&mut rest, 1);
        let tabs = take_top(&mut rest, 1);
        let hints = take_bottom(&mut rest, 1);
        let framed = room == Room::Large;
        let prompt = take_bottom(&mut rest, if framed { 3 } else { 1 });
        let message = match (wanted.presenting, room) {
            (true, Room::Large) => take_bottom(&mut rest, 5),
            (true, _) => take_bottom(&mut rest, 4),
            (false, _) => take_bottom(&mut rest, 1),
        };
        let cockpit = wanted.screen == Screen::Cockpit;
        let timeline = match room {
            Room::Large if cockpit => take_bottom(&mut rest, 3),
            Room::Compact if cockpit => take_bottom(&mut rest, 1),
            _ => Rect::ZERO,
        };
        let (order, panes) = match wanted.screen {
            Screen::Cockpit => cockpit_panes(rest, room, wanted),
            Screen::SpaceTime => space_time_panes(rest, room, wanted),
            Screen::Graph => graph_panes(rest, room, wanted),
            Screen::Metrics => (&[Pane::Metrics][..], vec![(Pane::Metrics, rest)]),
            Screen::Store => (&[Pane::Store][..], vec![(Pane::Store, rest)]),
            Screen::Log => (&[Pane::Log][..], vec![(Pane::Log, rest)]),
            Screen::Faults => (&[Pane::Faults][..], vec![(Pane::Faults, rest)]),
            Screen::Checks => (&[Pane::Checks][..], vec![(Pane::Checks, rest)]),
            Screen::Lesson => lesson_panes(rest, room, wanted),
        };
        Self { room, header, tabs, panes, order, timeline, message, prompt, hints }
    }

    /// Where a pane is, if it is to be seen.
    pub fn pane(&self, pane: Pane) -> Option<Rect> {
        self.panes.iter().find(|(other, _)| *other == pane).map(|(_, area)| *area)
    }

    /// Where the rows of a pane's list are: within the frame, below the headings.
    pub fn rows(&self, pane: Pane) -> Rect {
        let mut inner = inner(self.pane(pane).unwrap_or_default());
        match pane {
            Pane::Replicas
            | Pane::Instances
            | Pane::Store
            | Pane::Faults
            | Pane::SpaceTime
            | Pane::Execution => {
                take_top(&mut inner, 1);
            }
            Pane::Messages if self.room == Room::Large => drop(take_top(&mut inner, 1)),
            Pane::Messages
            | Pane::Trace
            | Pane::Detail
            | Pane::Event
            | Pane::Graph
            | Pane::Why
            | Pane::Metrics
            | Pane::Log
            | Pane::Lesson
            | Pane::Checks => {}
        }
        inner
    }

    /// How many rows of a pane's list are seen.
    pub fn height(&self, pane: Pane) -> usize {
        usize::from(self.rows(pane).height)
    }

    /// The pane at a place.
    pub fn pane_at(&self, place: Position) -> Option<Pane> {
        self.panes.iter().find(|(_, area)| area.contains(place)).map(|(pane, _)| *pane)
    }
}

fn cockpit_panes(area: Rect, room: Room, wanted: Wanted) -> (&'static [Pane], Vec<(Pane, Rect)>) {
    const ALL: &[Pane] =
        &[Pane::Replicas, Pane::Instances, Pane::Messages, Pane::Trace, Pane::Detail];
    // Where there is less room, the grid tells of the replicas too.
    const FEWER: &[Pane] = &[Pane::Instances, Pane::Messages, Pane::Trace, Pane::Detail];
    let order = if room == Room::Large { ALL } else { FEWER };
    let focus = if order.contains(&wanted.focus) { wanted.focus } else { Pane::Instances };
    if wanted.zoomed || matches!(room, Room::Small | Room::None) {
        return (order, vec![(focus, area)]);
    }
    let list = wanted.replicas.saturating_add(3);
    let mut rest = area;
    if room == Room::Large {
        let (mut left, mut right) = split(rest, area.width.saturating_sub(56).max(area.width / 2));
        let lists = list.min(area.height * 2 / 5);
        let replicas = take_top(&mut left, lists);
        let instances = take_top(&mut left, lists);
        // What is to be said of an instance is longer than most lists of messages.
        let messages = take_top(&mut right, area.height * 3 / 10);
        let areas = [replicas, instances, messages, left, right];
        return (order, order.iter().copied().zip(areas).collect());
    }
    let top = take_top(&mut rest, list.min(area.height / 2));
    let (instances, messages) = split(top, area.width * 37 / 80);
    // The two share one place: whichever was looked at last.
    let below = if focus == Pane::Detail { Pane::Detail } else { Pane::Trace };
    (order, vec![(Pane::Instances, instances), (Pane::Messages, messages), (below, rest)])
}

fn space_time_panes(
    area: Rect,
    room: Room,
    wanted: Wanted,
) -> (&'static [Pane], Vec<(Pane, Rect)>) {
    const ORDER: &[Pane] = &[Pane::SpaceTime, Pane::Event, Pane::Why];
    let focus = if ORDER.contains(&wanted.focus) { wanted.focus } else { Pane::SpaceTime };
    if wanted.zoomed || matches!(room, Room::Small | Room::None) {
        return (ORDER, vec![(focus, area)]);
    }
    let mut rest = area;
    if room == Room::Large {
        let (left, mut right) = split(rest, area.width.saturating_sub(42));
        let event = take_top(&mut right, area.height * 11 / 20);
        return (ORDER, ORDER.iter().copied().zip([left, event, right]).collect());
    }
    // The two share one place: whichever was looked at last.
    let below = if focus == Pane::Why { Pane::Why } else { Pane::Event };
    let told = take_bottom(&mut rest, 6);
    (ORDER, vec![(Pane::SpaceTime, rest), (below, told)])
}

fn graph_panes(area: Rect, room: Room, wanted: Wanted) -> (&'static [Pane], Vec<(Pane, Rect)>) {
    const ORDER: &[Pane] = &[Pane::Execution, Pane::Graph, Pane::Detail, Pane::Why];
    let focus = if ORDER.contains(&wanted.focus) { wanted.focus } else { Pane::Execution };
    if wanted.zoomed || matches!(room, Room::Small | Room::None) {
        return (ORDER, vec![(focus, area)]);
    }
    let mut rest = area;
    if room == Room::Large {
        let (mut left, mut right) = split(rest, area.width.saturating_sub(46));
        let graph = take_top(&mut left, area.height / 2);
        let detail = take_top(&mut right, area.height / 2);
        return (ORDER, ORDER.iter().copied().zip([left, graph, detail, right]).collect());
    }
    // The three share one place: whichever was looked at last.
    let below = if focus == Pane::Execution { Pane::Detail } else { focus };
    let list = take_top(&mut rest, area.height / 2);
    (ORDER, vec![(Pane::Execution, list), (below, rest)])
}

fn lesson_panes(area: Rect, room: Room, wanted: Wanted) -> (&'static [Pane], Vec<(Pane, Rect)>) {
    const ORDER: &[Pane] = &[Pane::Lesson, Pane::Instances, Pane::Messages, Pane::Trace];
    let focus = if ORDER.contains(&wanted.focus) { wanted.focus } else { Pane::Lesson };
    if wanted.zoomed || matches!(room, Room::Small | Room::None) {
        return (ORDER, vec![(focus, area)]);
    }
    let list = wanted.replicas.saturating_add(3);
    let mut rest = area;
    if room == Room::Large {
        let (left, mut right) = split(rest, area.width / 2 + 4);
        let instances = take_top(&mut right, list.min(area.height * 2 / 5));
        let messages = take_top(&mut right, area.height * 3 / 10);
        return (ORDER, ORDER.iter().copied().zip([left, instances, messages, right]).collect());
    }
    // The three share one place: whichever was looked at last.
    let (below, height) = match focus {
        Pane::Lesson | Pane::Trace => (Pane::Trace, 5),
        other => (other, list.min(area.height / 2)),
    };
    let below_area = take_bottom(&mut rest, height);
    (ORDER, vec![(Pane::Lesson, rest), (below, below_area)])
}

/// What is within a frame around `area`.
pub fn inner(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(1).min(area.right()),
        y: area.y.saturating_add(1).min(area.bottom()),
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

/// Cuts `height` rows, or as many as there are, off the top.
pub fn take_top(area: &mut Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    let top = Rect { height, ..*area };
    area.y += height;
    area.height -= height;
    top
}

/// Cuts `height` rows, or as many as there are, off the bottom.
pub fn take_bottom(area: &mut Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    area.height -= height;
    Rect { y: area.y + area.height, height, ..*area }
}

/// Divides into `width` columns, or as many as there are, and the rest.
pub fn split(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    let right = Rect { x: area.x + width, width: area.width - width, ..area };
    (Rect { width, ..area }, right)
}

/// The smallest terminal on which anything can be drawn, in columns and rows.
pub const LEAST: (u16, u16) = (LEAST_WIDTH, LEAST_HEIGHT);

const LEAST_WIDTH: u16 = 60;

const LEAST_HEIGHT: u16 = 16;
