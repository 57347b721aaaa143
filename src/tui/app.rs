//! The state of the screen, and how it changes. Pure: no terminal, no clock, no channel. What the
//! world outside must do comes back as [`Effect`]s.

mod aside;
mod asking;
mod checks;
mod comparing;
mod copying;
mod deeds;
mod deliverables;
mod digests;
mod effect;
mod events;
mod execution;
mod exporting;
mod faults;
mod filters;
mod finding;
mod graph;
mod learning;
mod mouse;
mod preview;
mod rate;
mod requests;
mod saving;
mod settling;
mod space_time;
mod stepping;
mod times;
mod trace_list;
mod until;
mod wishes;
mod working;

pub use asking::{Asking, Stand};
pub use checks::{Checks, Standing};
pub use deliverables::{Deliverable, Deliverables};
pub use digests::Digests;
pub use effect::Effect;
pub use events::instance_of;
pub use execution::Execution;
pub use exporting::{Export, Written};
pub use filters::Filters;
pub use finding::Hunt;
pub use graph::{Graph, GraphView};
pub use learning::{Course, Learning, Shelved};
pub use preview::Preview;
pub use rate::Rate;
pub use saving::Save;
pub use space_time::{Chosen, OVERVIEW_EVENTS, Row, SpaceTime, Zoom};
pub use stepping::{Play, rates};
pub use times::{Past, Times};
pub use trace_list::TraceList;
pub use until::Until;
pub use working::Work;

use finding::already_so;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEvent};
use ratatui::layout::Rect;
use tui_logger::TuiWidgetState;

use crate::epaxos::command::RequestId;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::observe::links::LinkId;
use crate::observe::log::EntryId;
use crate::observe::notice::Shape;
use crate::observe::view::{Broke, View};
use crate::script::request::Report;
use crate::tui::deed::{Deed, Screen};
use crate::tui::keys::{Context, Key, Keys};
use crate::tui::layout::{Layout, Pane, Wanted};
use crate::tui::list::Place;
use crate::tui::neighbourhood::Neighbourhood;
use crate::tui::palette::Palette;
use crate::tui::prompt::Prompt;
use crate::tui::theme::Theme;

/// Something that happened to the screen.
#[derive(Clone, Debug)]
pub enum Action {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was used.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// The world had something to say.
    Reports(Vec<Report>),
    /// Time has passed: this long since the start.
    Tick(Duration),
    /// Something is to be done, whatever asked for it.
    Do(Deed),
    /// There is time for what takes long.
    Work,
}

/// Where keys go while nothing lies over the panes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are commands.
    #[default]
    Normal,
    /// They are typed at the prompt.
    Prompt,
    /// They are typed into the filter.
    Filter,
}

/// What lies over the panes.
#[derive(Clone, Debug)]
pub enum Over {
    /// All that can be done.
    Palette(Box<Palette>),
    /// What a command had to say.
    Output(Output),
    /// The answer to a question.
    Why,
}

/// Several lines that a command had to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The command.
    pub title: String,
    /// What it said.
    pub lines: Vec<String>,
    /// Which part of it is seen.
    pub place: Place,
}

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// For information.
    Plain,
    /// Something worked.
    Good,
    /// Something did not.
    Bad,
}

/// The state of the screen.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct App {
    /// Everything known of the cluster, at the place in time that is looked at.
    pub view: View,
    /// All places in time.
    pub times: Times,
    /// What is being looked for.
    pub hunt: Option<Hunt>,
    /// What the cluster goes on to.
    until: Option<Until>,
    /// What is to be said once all that came with it was.
    last_word: Option<String>,
    /// What takes long.
    work: Option<Work>,
    /// What is to happen outside, until somebody is told.
    outbox: Vec<Effect>,
    /// The lessons, where any are taken.
    pub learning: Option<Learning>,
    /// The colours.
    pub theme: Theme,
    /// The keys.
    pub keys: Keys,
    /// Whether only ASCII is drawn.
    pub ascii: bool,
    /// Whether the terminal sends what the mouse does.
    pub mouse: bool,
    /// The screen on show.
    pub screen: Screen,
    /// The pane of each screen that has the focus, where a person chose one.
    focuses: BTreeMap<Screen, Pane>,
    /// Whether it has the screen to itself.
    pub zoomed: bool,
    /// Where keys go.
    pub mode: Mode,
    /// What lies over the panes.
    pub over: Option<Over>,
    /// With whose eyes instances are seen; everybody's where there is none.
    pub observer: Option<ReplicaId>,
    /// Whom proposals go to that do not say.
    pub at: ReplicaId,
    /// The selected instance.
    pub selected: Option<InstanceId>,
    /// Whether the latest proposed instance becomes the selected one.
    pub follow: bool,
    /// The first slot of the grid to be seen.
    pub first_slot: u64,
    /// The place among the replicas.
    pub replica: Place,
    /// What can be delivered.
    pub deliverables: Deliverables,
    /// The selected crossing of the faults screen: a link, or a replica where both are the same.
    pub crossing: LinkId,
    /// The place in the trace.
    pub trace: TraceList,
    /// The place in the space-time diagram.
    pub space_time: SpaceTime,
    /// The place in the list of what was executed.
    pub execution: Execution,
    /// The place in the description of the selected instance, in the numbers, in the stores.
    pub detail: Place,
    /// See `detail`: the selected event, the picture of dependencies, the answer.
    pub event: Place,
    /// What of the dependency graph is looked at.
    pub graph: Graph,
    /// The place among questions and answers.
    pub asking: Asking,
    /// From where links were followed, and not gone back to yet.
    trail: Vec<Stand>,
    /// See `detail`.
    pub metrics: Place,
    /// See `detail`.
    pub store: Place,
    /// The instances around the selected one.
    pub neighbourhood: Neighbourhood,
    /// The line for commands.
    pub prompt: Prompt,
    /// Going on by itself.
    pub play: Play,
    /// Whether a class is watching.
    pub presenting: bool,
    /// What would come of what is under the cursor.
    pub preview: Preview,
    /// The first entry of the last step, where the world is paused.
    mark: Option<EntryId>,
    /// What met a breakpoint, until the person goes on.
    pub stopped: Option<Broke>,
    /// The filters of the lists.
    pub filters: Filters,
    /// What was said last.
    pub message: Option<(String, Tone)>,
    /// What was executed in each second.
    pub rate: Rate,
    /// The digests of the stores.
    pub digests: Digests,
    /// Whether all that was seen may be so.
    pub checks: Checks,
    /// The state of the log widget.
    pub log: TuiWidgetState,
    /// Grows with every change that can be seen but those of the view.
    pub revision: u64,
    size: (u16, u16),
    requests: u64,
    /// Commands that nothing has been said of yet.
    pending: BTreeMap<u64, String>,
    /// The oldest of those when time was told last. If it still is one the next time, the world is
    /// busy with it, and all others wait.
    oldest_pending: Option<u64>,
    /// Whether that is so.
    busy: bool,
    /// What was asked for lately, to be named with its answer.
    asked: VecDeque<(RequestId, String)>,
    clicked: Option<(Pane, usize)>,
    /// Whether stepping has just led to what is going on now, and whether a step was asked for since
    /// time was told last: a key that is held down is not meant for the cluster.
    arrived: Option<bool>,
}

impl App {
    /// A screen on which nothing is seen yet.
    pub fn new(shape: Shape, theme: Theme, ascii: bool, mouse: bool) -> Self {
        Self {
            checks: Checks::new(&shape),
            times: Times::new(shape.clone()),
            hunt: None,
            until: None,
            last_word: None,
            work: None,
            outbox: Vec::new(),
            view: View::new(shape),
            learning: None,
            theme,
            keys: Keys::default(),
            ascii,
            mouse,
            screen: Screen::default(),
            focuses: BTreeMap::new(),
            zoomed: false,
            mode: Mode::default(),
            over: None,
            observer: None,
            at: ReplicaId(0),
            selected: None,
            follow: true,
            first_slot: 0,
            replica: Place::default(),
            deliverables: Deliverables::default(),
            crossing: LinkId { from: ReplicaId(0), to: ReplicaId(1) },
            trace: TraceList::default(),
            space_time: SpaceTime::default(),
            execution: Execution::default(),
            detail: Place::default(),
            event: Place::default(),
            graph: Graph::default(),
            asking: Asking::default(),
            trail: Vec::new(),
            metrics: Place::default(),
            store: Place::default(),
            neighbourhood: Neighbourhood::default(),
            prompt: Prompt::default(),
            play: Play::default(),
            presenting: false,
            preview: Preview::default(),
            mark: None,
            stopped: None,
            filters: Filters::default(),
            message: None,
            rate: Rate::default(),
            digests: Digests::default(),
            log: TuiWidgetState::new(),
            revision: 0,
            size: (0, 0),
            requests: 0,
            pending: BTreeMap::new(),
            oldest_pending: None,
            busy: false,
            asked: VecDeque::new(),
            clicked: None,
            arrived: None,
        }
    }

    /// Takes note of what happened, and says what is to happen outside.
    pub fn update(&mut self, action: Action) -> Vec<Effect> {
        let mut effects = match action {
            Action::Tick(now) => {
                self.tick(now);
                let mut effects = self.look_for_rest();
                effects.extend(self.play_on(now));
                effects.extend(self.ask_for_preview());
                return effects;
            }
            Action::Key(key) => self.on_key(key),
            Action::Mouse(mouse) => self.on_mouse(mouse),
            Action::Paste(text) => self.on_paste(&text),
            Action::Resize(width, height) => {
                self.size = (width, height);
                Vec::new()
            }
            Action::Reports(reports) => {
                for report in reports {
                    self.on_report(report);
                }
                let effects = self.look_for_until();
                if let Some(word) = self.last_word.take() {
                    self.say(word, Tone::Good);
                }
                effects
            }
            Action::Do(deed) => self.perform(deed),
            Action::Work => self.work_on(),
        };
        effects.append(&mut self.outbox);
        self.revision += 1;
        self.settle();
        effects.extend(self.ask_for_preview());
        effects
    }

    fn tick(&mut self, now: Duration) {
        let executed = self.view.replicas.iter().map(|replica| replica.counters.executed).max();
        let over = self.rate.tick(now, executed.unwrap_or(0));
        let digests = self.digests.tick(&self.view, now);
        let looked = self.checks.tick(now);
        // The log widget keeps its own lines, of which nobody is told.
        let shown = match self.screen {
            Screen::Metrics => over && self.rate.seconds().rev().take(2).any(|rate| rate > 0),
            Screen::Log => true,
            Screen::Cockpit | Screen::Store => digests,
            Screen::SpaceTime | Screen::Graph | Screen::Faults | Screen::Lesson => false,
            Screen::Checks => looked,
        };
        self.tell_violation();
        // The key was let go.
        self.arrived = self.arrived.filter(|pressed| *pressed).map(|_| false);
        if !self.view.gate.paused {
            self.preview.forget();
        }
        let was_busy = self.busy;
        self.busy = self.is_busy();
        self.oldest_pending = self.pending.keys().next().copied();
        self.revision += u64::from(shown || was_busy != self.busy);
    }

    /// Whether the world has carried out all that was asked of it.
    fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    fn is_busy(&self) -> bool {
        self.oldest_pending.is_some_and(|oldest| self.pending.contains_key(&oldest))
    }

    /// The command that the world has been busy with for a while, and the number of those that wait
    /// for it to be done.
    pub fn busy_with(&self) -> Option<(&str, usize)> {
        let (_, command) =
            self.pending.first_key_value().filter(|_| self.busy && self.is_busy())?;
        Some((command, self.pending.len() - 1))
    }

    fn on_key(&mut self, event: KeyEvent) -> Vec<Effect> {
        if event.kind == KeyEventKind::Release {
            return Vec::new();
        }
        self.clicked = None;
        if event.modifiers == KeyModifiers::ALT {
            return self.on_alt(event);
        }
        let bound = Key::pressed(&event).and_then(|key| self.keys.deed(key, &self.contexts()));
        if !matches!(bound, Some(Deed::Step | Deed::Quiet)) {
            self.arrived = None;
        }
        match (bound, &mut self.over, self.mode) {
            (Some(deed), _, _) => return self.perform(deed),
            (None, Some(Over::Palette(palette)), _) => palette.edit(event),
            (None, Some(Over::Output(_) | Over::Why), _) | (None, None, Mode::Normal) => {}
            (None, None, Mode::Prompt) => self.type_at_prompt(event),
            (None, None, Mode::Filter) => {
                self.filters.line_mut().edit(event);
                self.refilter();
            }
        }
        Vec::new()
    }

    /// What opens the prompt opens an empty one that is open already: no command begins with it.
    fn type_at_prompt(&mut self, event: KeyEvent) {
        if event.code != KeyCode::Char(':') || !self.prompt.text().is_empty() {
            self.prompt.edit(event);
        }
    }

    /// A terminal sends Alt with a key as Esc before it, so Esc and a key that come at once, from a
    /// script or a slow line, look like that. They are taken for the two keys that they are, but
    /// for those that move by words where text is typed.
    fn on_alt(&mut self, event: KeyEvent) -> Vec<Effect> {
        let typing = matches!(self.over, Some(Over::Palette(_))) || self.mode != Mode::Normal;
        let by_words = match event.code {
            KeyCode::Char('b') => Some(KeyCode::Left),
            KeyCode::Char('f') => Some(KeyCode::Right),
            KeyCode::Char('d') => Some(KeyCode::Delete),
            _ => None,
        };
        match by_words {
            Some(code) if typing => self.on_key(KeyEvent::new(code, KeyModifiers::CONTROL)),
            _ => {
                let escape = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
                let key = KeyEvent::new(event.code, KeyModifiers::NONE);
                let mut effects = self.on_key(escape);
                effects.extend(self.on_key(key));
                effects
            }
        }
    }

    /// The contexts that hold now, the narrowest first.
    pub fn contexts(&self) -> Vec<Context> {
        let here = match (&self.over, self.mode) {
            (Some(Over::Palette(_)), _) => vec![Context::Palette],
            (Some(Over::Output(_)), _) => vec![Context::Output],
            (Some(Over::Why), _) => vec![Context::Why],
            (None, mode) => self.contexts_of(mode),
        };
        std::iter::once(Context::Always).chain(here).collect()
    }

    /// The contexts that hold where nothing lies over the panes.
    pub fn contexts_of(&self, mode: Mode) -> Vec<Context> {
        let pane = match self.pane() {
            Pane::Replicas => Some(Context::Replicas),
            Pane::Instances => Some(Context::Instances),
            Pane::Messages => Some(Context::Messages),
            Pane::Trace => Some(Context::Trace),
            Pane::Log => Some(Context::Log),
            Pane::Faults => Some(Context::Faults),
            Pane::Checks => Some(Context::Checks),
            Pane::Execution => Some(Context::Execution),
            Pane::Why => Some(Context::Why),
            Pane::Lesson => Some(Context::Lesson),
            Pane::Detail
            | Pane::SpaceTime
            | Pane::Event
            | Pane::Graph
            | Pane::Metrics
            | Pane::Store => None,
        };
        match mode {
            Mode::Normal => {
                let screen = match self.screen {
                    Screen::SpaceTime => Some(Context::SpaceTime),
                    Screen::Graph => Some(Context::Graph),
                    _ => None,
                };
                pane.into_iter().chain(screen).chain([Context::Normal]).collect()
            }
            Mode::Prompt => vec![Context::Prompt],
            Mode::Filter => vec![Context::Filter],
        }
    }

    /// The pane that has the focus.
    pub fn pane(&self) -> Pane {
        let layout = self.layout();
        let chosen = self.focus();
        match layout.order {
            order if order.contains(&chosen) => chosen,
            [first, ..] => *first,
            [] => Pane::default(),
        }
    }

    /// The pane that a person chose on this screen, or the one that has the focus at first. It may
    /// have no place at this size.
    fn focus(&self) -> Pane {
        self.focuses.get(&self.screen).copied().unwrap_or_default()
    }

    /// Gives the focus of the screen on show to a pane.
    fn focus_on(&mut self, pane: Pane) {
        self.focuses.insert(self.screen, pane);
    }

    /// Where things are.
    pub fn layout(&self) -> Layout {
        self.layout_of(Rect::new(0, 0, self.size.0, self.size.1))
    }

    /// Where things are in an area of another size.
    pub fn layout_of(&self, area: Rect) -> Layout {
        Layout::of(
            area,
            Wanted {
                screen: self.screen,
                focus: self.focus(),
                zoomed: self.zoomed,
                replicas: u16::try_from(self.view.shape.replicas()).unwrap_or(u16::MAX),
                presenting: self.presenting,
            },
        )
    }

    /// The whole screen.
    pub fn area(&self) -> Rect {
        Rect::new(0, 0, self.size.0, self.size.1)
    }

    /// Says something in the line above the prompt, until something else is said.
    pub fn say(&mut self, text: impl Into<String>, tone: Tone) {
        self.message = Some((text.into(), tone));
    }
}
