//! Deeds: what keys, clicks and palette lines come to.

use tui_logger::TuiWidgetEvent;

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::script::grammar::Command;
use crate::script::words::{Count, Doubled, Term};
use crate::tui::app::{App, Deliverable, Effect, GraphView, Mode, Over, Save, Tone};
use crate::tui::deed::{Deed, LogKey, Move, Screen};
use crate::tui::keys::Context;
use crate::tui::layout::Pane;
use crate::tui::list::Place;
use crate::tui::palette::{Choice, Palette};
use crate::tui::panel;

impl App {
    /// Does a deed.
    pub(super) fn perform(&mut self, deed: Deed) -> Vec<Effect> {
        match deed {
            Deed::PauseOrRun if self.view.gate.paused => return self.send(Command::Run),
            Deed::PauseOrRun => return self.send(Command::Pause),
            Deed::Why => self.ask_why(),
            Deed::FollowLink => self.follow_link(),
            Deed::Step
            | Deed::Round
            | Deed::Quiet
            | Deed::Play
            | Deed::Faster
            | Deed::Slower
            | Deed::Present => return self.go_on(deed),
            Deed::Open => return self.open(),
            Deed::Drop => return self.on_message_selected(|id| Command::Drop { which: vec![id] }),
            Deed::Duplicate => {
                return self.on_message_selected(|id| Command::Dup {
                    first: Doubled::Term(id),
                    rest: Vec::new(),
                });
            }
            Deed::Hold => return self.hold(),
            Deed::Release => return self.send(Command::Release { which: Vec::new() }),
            Deed::Wake => {
                let replica = self.replica_at_hand();
                return self.send(Command::Wake { replica });
            }
            Deed::CrashOrRecover => {
                let replica = self.replica_at_hand();
                let up = self.view.replica(replica).up;
                let command =
                    if up { Command::Crash { replica } } else { Command::Recover { replica } };
                return self.send(command);
            }
            Deed::Cut
            | Deed::CutBothWays
            | Deed::LoseMore
            | Deed::DelayMore
            | Deed::DoubleMore
            | Deed::MendLink => return self.change_link(deed),
            Deed::MendAll => return self.send(Command::Heal { from: None, to: None }),
            Deed::Go(to) => self.go(to),
            Deed::FocusNext => self.move_focus(1),
            Deed::FocusBack => self.move_focus(-1),
            Deed::Show(screen) => {
                self.screen = screen;
                self.trail.clear();
            }
            Deed::Observer => self.next_observer(),
            Deed::Zoom => self.zoomed = !self.zoomed,
            Deed::Mouse => return self.hand_mouse_over(),
            Deed::OpenPrompt
            | Deed::Export
            | Deed::OpenFilter
            | Deed::OpenPalette
            | Deed::Complete
            | Deed::CompleteBack
            | Deed::HistoryBack
            | Deed::HistoryForth => self.change_text(deed),
            Deed::Enter => return self.enter(),
            Deed::LogWidget(key) => self.log.transition(log_event(key)),
            Deed::Back => self.back(),
            Deed::Copy => return self.copy(),
            Deed::Save => return vec![Effect::Save(Save::default())],
            Deed::NextTheme => self.next_theme(),
            Deed::Redraw => return vec![Effect::Redraw],
            Deed::Suspend => return vec![Effect::Suspend],
            Deed::Quit => return vec![Effect::Quit],
            _ => self.change_diagram(deed),
        }
        Vec::new()
    }

    /// Opens what text is typed into, or changes that.
    fn change_text(&mut self, deed: Deed) {
        match deed {
            Deed::OpenPrompt => self.mode = Mode::Prompt,
            // As what is still to be said.
            Deed::Export => {
                self.mode = Mode::Prompt;
                self.prompt.set("export ");
            }
            Deed::OpenFilter => self.open_filter(),
            Deed::OpenPalette => self.open_palette(),
            Deed::Complete | Deed::CompleteBack => {
                let known = crate::tui::completion::Known::of(&self.view);
                self.prompt.complete(&known, deed == Deed::Complete);
            }
            Deed::HistoryBack => self.prompt.back(),
            Deed::HistoryForth => self.prompt.forth(),
            _ => {}
        }
    }

    fn hand_mouse_over(&mut self) -> Vec<Effect> {
        self.mouse = !self.mouse;
        let owner = if self.mouse { "monitor" } else { "terminal" };
        self.say(format!("the mouse is the {owner}'s"), Tone::Plain);
        vec![Effect::CaptureMouse(self.mouse)]
    }

    fn next_theme(&mut self) {
        self.theme = self.theme.next();
        self.say(format!("the colours are {} now", self.theme.name()), Tone::Plain);
    }

    /// Lets the world go on, or says how.
    fn go_on(&mut self, deed: Deed) -> Vec<Effect> {
        if let (Deed::Step | Deed::Quiet, Some(pressed)) = (deed, &mut self.arrived) {
            *pressed = true;
            let key = self.keys.key(Context::Normal, deed);
            self.say(
                format!("this is what is going on now; let go of {key} to go on"),
                Tone::Plain,
            );
            return Vec::new();
        }
        match deed {
            Deed::Step => return self.send(Command::Step { count: Count::Some(1) }),
            Deed::Round => return self.send(Command::Round),
            Deed::Quiet => return self.send(Command::Step { count: Count::All }),
            Deed::Play => return self.play_or_stop(),
            Deed::Faster => self.change_rate(true),
            Deed::Slower => self.change_rate(false),
            Deed::Present => self.present(),
            _ => {}
        }
        Vec::new()
    }

    /// Changes what of the space-time diagram or the graph is seen.
    fn change_diagram(&mut self, deed: Deed) {
        // Where the graph has no place beside the list, it takes the other one.
        if let Deed::Matrix | Deed::Waiting | Deed::Walk = deed
            && self.layout().pane(Pane::Graph).is_none()
        {
            self.focus_on(Pane::Graph);
        }
        match deed {
            Deed::Cone => self.space_time.cone = !self.space_time.cone,
            Deed::Fold => self.space_time.fold(),
            Deed::ZoomIn | Deed::ZoomOut if self.screen == Screen::Graph => {
                self.neighbourhood.go_further(deed == Deed::ZoomIn);
            }
            Deed::ZoomIn | Deed::ZoomOut => self.space_time.zoom_by(deed == Deed::ZoomIn),
            Deed::Matrix => self.graph.show(GraphView::Matrix),
            Deed::Waiting => self.graph.show(GraphView::Waiting),
            Deed::Walk => self.graph.show(GraphView::Walk),
            Deed::WalkOn | Deed::WalkBack => self.graph.walk_on(deed == Deed::WalkOn),
            Deed::HideLane => self.space_time.hide(self.view.shape.replicas()),
            Deed::ShowLanes => self.space_time.show_all(),
            _ => self.learn(deed),
        }
    }

    /// Whether a deed would come to anything now. What could not is not offered.
    pub fn can(&self, deed: Deed) -> bool {
        let deliverable = self.deliverables.selected();
        match deed {
            Deed::Open if self.pane() == Pane::Messages => deliverable.is_some(),
            Deed::Open if self.pane() == Pane::Instances => self.selected.is_some(),
            Deed::Open if self.pane() == Pane::Trace => self.trace.selected(&self.view).is_some(),
            Deed::Open if self.pane() == Pane::SpaceTime => !self.space_time.rows().is_empty(),
            Deed::Drop | Deed::Duplicate | Deed::Hold => self.message_at_hand().is_some(),
            Deed::ShowLanes => !self.space_time.hidden().is_empty(),
            Deed::WalkOn | Deed::WalkBack => self.graph.shown == GraphView::Walk,
            Deed::FocusNext | Deed::FocusBack | Deed::Observer | Deed::Zoom => {
                self.layout().order.len() > 1
            }
            Deed::Step if self.can_go_forth() => true,
            Deed::StepBack | Deed::PreviousDecision | Deed::Start => self.times.place().1 > 0,
            Deed::NextDecision | Deed::NextFork => self.can_go_forth(),
            Deed::Now => self.times.past.is_some(),
            Deed::WhatIf => !self.view.log.is_empty(),
            Deed::Step | Deed::Round | Deed::Quiet => {
                self.view.gate.paused && self.deliverables.messages > 0
            }
            Deed::Release => !self.view.gate.holds.is_empty(),
            Deed::Wake => self.view.replica(self.replica_at_hand()).timer.is_some(),
            Deed::Cut | Deed::CutBothWays | Deed::LoseMore | Deed::DelayMore | Deed::DoubleMore => {
                self.selected_link().is_some()
            }
            Deed::MendLink => self.selected_link().is_some_and(|link| self.is_broken(link)),
            Deed::MendAll => self.any_link_is_broken(),
            Deed::Copy => self.selected_text().is_some(),
            Deed::NextPart
            | Deed::PreviousPart
            | Deed::Answer(_)
            | Deed::Lesson
            | Deed::Lessons => self.can_learn(deed),
            _ => true,
        }
    }

    /// The command that does now what a deed does.
    pub fn command_of(&self, deed: Deed) -> Option<&'static str> {
        match deed {
            Deed::PauseOrRun if self.view.gate.paused => Some("run"),
            Deed::PauseOrRun => Some("pause"),
            Deed::Step => Some("step"),
            Deed::Round => Some("round"),
            Deed::Release => Some("release"),
            Deed::MendAll => Some("heal"),
            _ => None,
        }
    }

    /// Whether a command would come to anything now, as far as its name tells.
    pub fn can_command(&self, name: &str) -> bool {
        match name {
            "pause" => !self.view.gate.paused,
            "run" => self.view.gate.paused,
            "step" | "round" => self.can(Deed::Step),
            "unbreak" => !self.view.gate.breaks.is_empty(),
            "preview" => !self.deliverables.rows().is_empty(),
            "release" => self.can(Deed::Release),
            "deliver" | "drop" | "dup" => self.deliverables.messages > 0,
            "uncut" => !self.view.gate.cuts.is_empty(),
            "recover" => self.view.replicas.iter().any(|replica| !replica.up),
            "wake" => self.view.replicas.iter().any(|replica| replica.timer.is_some()),
            _ => true,
        }
    }

    /// The replica that is meant where none is named.
    fn replica_at_hand(&self) -> ReplicaId {
        let of_message = || match self.deliverables.selected()? {
            Deliverable::Message(id) => {
                self.view.in_flight.get(id).map(|flight| flight.envelope.to)
            }
            Deliverable::Timer(replica) => Some(replica),
        };
        let meant = match self.pane() {
            Pane::Replicas => Some(ReplicaId::from_index(self.replica.selected)),
            Pane::Messages => of_message(),
            Pane::Instances | Pane::Detail => self.selected.map(|selected| selected.replica),
            Pane::Trace => {
                self.trace.selected(&self.view).map(crate::observe::trace::Line::replica)
            }
            Pane::Faults => Some(self.crossing.from),
            Pane::SpaceTime | Pane::Event => self.event_replica(),
            Pane::Graph | Pane::Execution => Some(self.execution.observer()),
            Pane::Metrics | Pane::Store | Pane::Log | Pane::Checks | Pane::Why | Pane::Lesson => {
                None
            }
        };
        meant.unwrap_or(self.at)
    }

    /// What Enter does in the panes.
    pub(super) fn open(&mut self) -> Vec<Effect> {
        match self.pane() {
            Pane::Messages => match self.deliverables.selected() {
                Some(Deliverable::Message(id)) => {
                    self.send(Command::Deliver { which: vec![Term::Id(id)] })
                }
                Some(Deliverable::Timer(replica)) => self.send(Command::Wake { replica }),
                None => Vec::new(),
            },
            Pane::Replicas => {
                self.at = ReplicaId::from_index(self.replica.selected);
                self.mode = Mode::Prompt;
                Vec::new()
            }
            Pane::Instances | Pane::Execution => {
                self.focus_on(Pane::Detail);
                Vec::new()
            }
            Pane::Trace => {
                let line = self.trace.selected(&self.view);
                match line.and_then(crate::observe::trace::Line::instance) {
                    Some(instance) => self.select(instance),
                    None => self.say("this line is about no one instance", Tone::Plain),
                }
                Vec::new()
            }
            Pane::Faults => {
                self.type_about_crossing();
                Vec::new()
            }
            Pane::Checks => {
                self.open_violation();
                Vec::new()
            }
            Pane::SpaceTime => self.open_event(),
            Pane::Detail
            | Pane::Event
            | Pane::Graph
            | Pane::Why
            | Pane::Metrics
            | Pane::Store
            | Pane::Log => Vec::new(),
            Pane::Lesson => {
                self.learn(Deed::NextPart);
                Vec::new()
            }
        }
    }

    /// Goes to the instance that shows the first violation of the selected property.
    fn open_violation(&mut self) {
        let first = self.checks.violations_of(self.checks.selected()).next().cloned();
        match first.and_then(|violation| Some((violation.instance?, violation.replica))) {
            Some((instance, replica)) => {
                self.select(instance);
                self.observer = replica;
                self.screen = Screen::Cockpit;
                self.focus_on(Pane::Detail);
            }
            None => self.say("there is nothing wrong to be looked at here", Tone::Plain),
        }
    }

    /// Selects an instance, which stops following the latest one.
    pub(super) fn select(&mut self, instance: InstanceId) {
        if self.selected != Some(instance) {
            self.detail = Place::default();
        }
        self.selected = Some(instance);
        self.follow = false;
    }

    fn on_message_selected(&mut self, command: fn(Term) -> Command) -> Vec<Effect> {
        if let Pane::SpaceTime | Pane::Event = self.pane() {
            let message = self.message_at_hand();
            return message.map_or_else(Vec::new, |id| self.send(command(Term::Id(id))));
        }
        match self.deliverables.selected() {
            Some(Deliverable::Message(id)) => self.send(command(Term::Id(id))),
            Some(Deliverable::Timer(_)) => {
                self.say("a timer can only be fired", Tone::Bad);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn hold(&mut self) -> Vec<Effect> {
        let message = self.message_at_hand();
        let Some(flight) = message.and_then(|id| self.view.in_flight.get(id)) else {
            return Vec::new();
        };
        let kind = flight.envelope.message.kind();
        self.send(Command::Hold { which: vec![Term::Kind(kind)] })
    }

    fn go(&mut self, to: Move) {
        let page = self.layout().height(self.pane());
        let by = to.by(page);
        let popup = usize::from(panel::popup::inner_area(self.area()).height);
        match &mut self.over {
            Some(Over::Palette(palette)) => return palette.go(to.by(popup)),
            Some(Over::Output(output)) => return output.place.scroll(to.by(popup)),
            Some(Over::Why) => return self.go_in_answer(to),
            None => {}
        }
        match self.pane() {
            Pane::Replicas => self.replica.go(by, self.view.shape.replicas()),
            Pane::Instances => self.go_in_grid(to),
            Pane::Messages => self.deliverables.go(by),
            Pane::Trace => self.trace.go(&self.view, by),
            Pane::Detail => self.detail.scroll(by),
            Pane::Metrics => self.metrics.scroll(by),
            Pane::Store => self.store.go(by, self.digests.listed().len()),
            Pane::Faults => self.go_among_links(to),
            Pane::Checks => {
                let listed = self.checks.listed().len();
                self.checks.place.go(by, listed);
            }
            Pane::SpaceTime => self.go_in_space_time(to, by),
            Pane::Execution => self.go_in_execution(by),
            Pane::Event => self.event.scroll(by),
            Pane::Graph => self.graph.place.scroll(by),
            Pane::Why => self.go_in_answer(to),
            Pane::Lesson => self.go_in_lesson(to, page),
            Pane::Log => {}
        }
    }

    fn go_in_grid(&mut self, to: Move) {
        let Some(selected) = self.selected else { return };
        let InstanceId { replica, slot } = selected;
        let replicas = self.view.shape.replicas();
        let last = panel::instances::last_slot(&self.view).unwrap_or(0);
        let row = |by: isize| {
            let index = replica.index().saturating_add_signed(by).min(replicas.saturating_sub(1));
            ReplicaId::from_index(index)
        };
        let layout = self.layout();
        let area = layout.pane(Pane::Instances).unwrap_or_default();
        let page = panel::instances::columns(self, area, layout.room).max(1);
        let half = (page / 2).max(1);
        let (replica, slot) = match to {
            Move::Up => (row(-1), slot),
            Move::Down => (row(1), slot),
            Move::Left => (replica, slot.saturating_sub(1)),
            Move::Right => (replica, slot + 1),
            Move::PageUp => (replica, slot.saturating_sub(page)),
            Move::PageDown => (replica, slot.saturating_add(page)),
            Move::HalfUp => (replica, slot.saturating_sub(half)),
            Move::HalfDown => (replica, slot.saturating_add(half)),
            Move::Top => (replica, 0),
            Move::Bottom => (replica, last),
        };
        self.select(InstanceId::new(replica, slot.min(last)));
        self.follow = to == Move::Bottom;
    }

    fn move_focus(&mut self, by: isize) {
        let layout = self.layout();
        let order = layout.order;
        let here = order.iter().position(|pane| *pane == self.pane()).unwrap_or(0);
        let count = isize::try_from(order.len()).unwrap_or(1).max(1);
        let next = (isize::try_from(here).unwrap_or(0) + by).rem_euclid(count);
        if let Some(pane) = usize::try_from(next).ok().and_then(|next| order.get(next)) {
            self.focus_on(*pane);
        }
    }

    fn next_observer(&mut self) {
        let next = self.observer.map_or(0, |observer| observer.index() + 1);
        let replicas = self.view.shape.replicas();
        self.observer = (next < replicas).then(|| ReplicaId::from_index(next));
    }

    fn open_palette(&mut self) {
        if !matches!(self.over, Some(Over::Palette(_))) {
            self.over = Some(Over::Palette(Box::new(Palette::new(self))));
        }
    }

    fn enter(&mut self) -> Vec<Effect> {
        if let Some(Over::Palette(palette)) = &self.over {
            let choice = palette.selected().cloned();
            self.over = None;
            return match choice {
                Some(Choice::Deed(deed)) => self.perform(deed),
                Some(Choice::Command(name)) => {
                    if let Some(command) = complete(&name) {
                        return self.send(command);
                    }
                    self.mode = Mode::Prompt;
                    self.prompt.set(&format!("{name} "));
                    Vec::new()
                }
                None => Vec::new(),
            };
        }
        match self.mode {
            Mode::Prompt => self.submit(),
            Mode::Filter => {
                self.mode = Mode::Normal;
                Vec::new()
            }
            Mode::Normal => Vec::new(),
        }
    }

    /// One level back, never out of the program.
    fn back(&mut self) {
        if self.over.take().is_some() {
            return;
        }
        if let Some(what) = self.stop_working() {
            return self.say(format!("{what}; it was ended there"), Tone::Plain);
        }
        match self.mode {
            Mode::Prompt => self.mode = Mode::Normal,
            Mode::Filter => {
                self.mode = Mode::Normal;
                self.clear_filter(self.filters.pane);
            }
            Mode::Normal if self.zoomed => self.zoomed = false,
            Mode::Normal if !self.filters.text(self.pane()).is_empty() => {
                self.clear_filter(self.pane());
            }
            Mode::Normal => self.back_among_screens(),
        }
    }

    /// From where a link led back to where it was followed, and from anywhere to the cockpit.
    fn back_among_screens(&mut self) {
        if self.go_back() {
            return;
        }
        match (self.screen, self.pane()) {
            (_, Pane::Why) => self.focus_on(Pane::default()),
            (Screen::Cockpit, Pane::Detail) => self.focus_on(Pane::Instances),
            (Screen::Cockpit, _) => self.message = None,
            (Screen::Lesson, Pane::Lesson) => self.learn(Deed::Lessons),
            (Screen::Lesson, _) => self.focus_on(Pane::Lesson),
            _ => self.screen = Screen::Cockpit,
        }
    }
}

/// The command of a name, where no more words are needed.
fn complete(name: &str) -> Option<Command> {
    Command::parse(name).ok().flatten()
}

fn log_event(key: LogKey) -> TuiWidgetEvent {
    match key {
        LogKey::Up => TuiWidgetEvent::UpKey,
        LogKey::Down => TuiWidgetEvent::DownKey,
        LogKey::Left => TuiWidgetEvent::LeftKey,
        LogKey::Right => TuiWidgetEvent::RightKey,
        LogKey::Minus => TuiWidgetEvent::MinusKey,
        LogKey::Plus => TuiWidgetEvent::PlusKey,
        LogKey::Hide => TuiWidgetEvent::HideKey,
        LogKey::Focus => TuiWidgetEvent::FocusKey,
        LogKey::Off => TuiWidgetEvent::SpaceKey,
        LogKey::PageUp => TuiWidgetEvent::PrevPageKey,
        LogKey::PageDown => TuiWidgetEvent::NextPageKey,
        LogKey::Escape => TuiWidgetEvent::EscapeKey,
    }
}
