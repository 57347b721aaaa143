//! The space-time diagram: a lane for each replica and one for the clients, a row for each event,
//! and in it an arrow for the message that was delivered, from its sender to its receiver.
//!
//! ```text
//!        cli     R0         R1         R2       the lanes, and how many lie off the screen
//!  #0     ├─put x 1─►P                          a proposal
//!  #1     │       ├─PreAcc R0.0─►P              delivered; P: it is pre-accepted there now
//!  #2     │       ├─PreAcc R0.0────────────x│   dropped
//!  now    │┄┄┄┄┄┄┄│┄┄┄┄┄┄┄┄┄┄│┄┄┄┄┄┄┄┄┄│
//!         │       │◁┄OK s1 {}┄┄│         │      on its way
//! ```

pub mod arrow;
pub mod lanes;
pub mod words;

mod overview;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};

use crate::epaxos::command::Payload;
use crate::epaxos::event::Event;
use crate::epaxos::id::ReplicaId;
use crate::epaxos::instance::Phase;
use crate::observe::causality::Order;
use crate::observe::in_flight::Flight;
use crate::observe::log::{Entry, EntryId};
use crate::observe::notice::{Decision, Effect, HeldBy};
use crate::tui::app::{App, Chosen, Row, Zoom};
use crate::tui::glyphs;
use crate::tui::layout::{Pane, take_top};
use crate::tui::panel::messages::kind_style;
use crate::tui::panel::space_time::arrow::{Fate, Look};
use crate::tui::panel::space_time::lanes::{End, Lanes};
use crate::tui::panel::{framed, text, titled};

/// Draws the pane.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let title = titled(app, Pane::SpaceTime, "Space-time");
    let mut body = framed(frame, area, app, Pane::SpaceTime, &title, &remark(app));
    // The heading stays where it is while rows scroll.
    let heading = take_top(&mut body, 1);
    let lanes = Lanes::of(app, body);
    render_heading(frame, heading, app, &lanes);
    let (height, flights) = app.space_time.division(usize::from(body.height));
    let height = u16::try_from(height).unwrap_or(u16::MAX).min(body.height);
    let events = take_top(&mut body, height);
    if app.space_time.zoom() == Zoom::Overview {
        overview::render(frame, events, app, &lanes);
    } else {
        render_rows(frame.buffer_mut(), events, app, &lanes);
    }
    render_now(frame.buffer_mut(), body, app, &lanes, flights);
}

/// How much is seen, and what is not.
fn remark(app: &App) -> String {
    let list = &app.space_time;
    let count = list.rows().len();
    let of = if list.is_filtered() { format!(" of {}", app.view.log.len()) } else { String::new() };
    let plural = if count == 1 && of.is_empty() { "" } else { "s" };
    let mut parts = vec![format!("{count} event{plural}{of}")];
    let forgotten = app.view.log.forgotten();
    if forgotten > 0 {
        parts.push(format!("{forgotten} let go"));
    }
    if !list.hidden().is_empty() {
        let hidden: Vec<_> = list.hidden().iter().map(ToString::to_string).collect();
        parts.push(format!("without {}", hidden.join(" ")));
    }
    if list.folds() {
        parts.push("folded".to_owned());
    }
    if list.cone {
        parts.push("cone".to_owned());
    }
    let zoom = match list.zoom() {
        Zoom::Overview => "overview",
        Zoom::One => "1:1",
        Zoom::Two => "1:2",
        Zoom::Three => "1:3",
    };
    parts.push(zoom.to_owned());
    parts.push(if list.follow { "following" } else { "G follows" }.to_owned());
    parts.join("  ")
}

fn render_heading(frame: &mut Frame, area: Rect, app: &App, lanes: &Lanes) {
    let theme = app.theme;
    let buffer = frame.buffer_mut();
    let lanes = &Lanes { area, ..lanes.clone() };
    let client = lanes.client.saturating_sub(1);
    arrow::write(buffer, lanes, client, area.y, "cli", theme.heading());
    let pointed = app.space_time.lanes(app.view.shape.replicas());
    let pointed = pointed.get(app.space_time.lane.min(pointed.len().saturating_sub(1)));
    for (id, column) in &lanes.seen {
        let up = app.view.replica(*id).up;
        let name = if up { id.to_string() } else { format!("{id}!") };
        let mut style = if up { theme.strong() } else { theme.bad() };
        if pointed == Some(id) && app.pane() == Pane::SpaceTime {
            style = style.add_modifier(Modifier::UNDERLINED);
        }
        arrow::write(buffer, lanes, column.saturating_sub(1), area.y, &name, style);
    }
    // How many lanes lie off the screen.
    if !lanes.left.is_empty() {
        let count = format!("<{}", lanes.left.len());
        arrow::write(buffer, lanes, lanes.client + 3, area.y, &count, theme.notable());
    }
    if !lanes.right.is_empty() {
        let count = format!("{}>", lanes.right.len());
        let x = area.right().saturating_sub(u16::try_from(count.len()).unwrap_or(0));
        arrow::write(buffer, lanes, x, area.y, &count, theme.notable());
    }
    let above = app.space_time.place().offset;
    if above > 0 {
        let count = text::cut(&format!("^{above}"), usize::from(lanes::gutter(app)));
        arrow::write(buffer, lanes, area.x, area.y, &count, theme.notable());
    }
}

fn render_rows(buffer: &mut Buffer, area: Rect, app: &App, lanes: &Lanes) {
    let each = u16::try_from(app.space_time.zoom().lines()).unwrap_or(1);
    let place = app.space_time.place();
    let mut rest = area;
    for index in place.offset.. {
        if rest.height < each {
            break;
        }
        let area = take_top(&mut rest, each);
        let Some(row) = app.space_time.rows().get(index) else {
            lifelines(buffer, area, app, lanes, |id| !app.view.replica(id).up);
            continue;
        };
        let Some(entry) = app.view.log.get(row.entry) else { continue };
        lifelines(buffer, area, app, lanes, |id| row.down.contains(id));
        let selected = index == place.selected;
        Drawing { app, lanes, y: area.y, row, entry, selected }.draw(buffer, area.height);
    }
    for y in rest.top()..rest.bottom() {
        let line = Rect { y, height: 1, ..rest };
        lifelines(buffer, line, app, lanes, |id| !app.view.replica(id).up);
    }
}

fn lifelines(
    buffer: &mut Buffer,
    area: Rect,
    app: &App,
    lanes: &Lanes,
    is_down: impl Fn(ReplicaId) -> bool,
) {
    let style = app.theme.dim();
    for y in area.top()..area.bottom() {
        arrow::put(buffer, lanes, lanes.client, y, "│", style);
        for (id, column) in &lanes.seen {
            let line = if is_down(*id) { " " } else { "│" };
            arrow::put(buffer, lanes, *column, y, line, style);
        }
    }
}

/// One row being drawn.
struct Drawing<'a> {
    app: &'a App,
    lanes: &'a Lanes,
    y: u16,
    row: &'a Row,
    entry: &'a Entry,
    selected: bool,
}

impl Drawing<'_> {
    fn draw(&self, buffer: &mut Buffer, height: u16) {
        self.number(buffer);
        match self.row.reply.and_then(|index| self.entry.step.effects.get(index)) {
            Some(Effect::Reply(reply)) => {
                let from = self.lanes.end(self.entry.step.replica);
                let text = format!("{} = {}", reply.command, reply.outcome);
                let labels = [text, reply.outcome.to_string()];
                self.arrow(buffer, (from, End::At(self.lanes.client)), &labels, Fate::Arrived);
                let mark = self.style(self.app.theme.strong());
                arrow::put(buffer, self.lanes, self.lanes.client, self.y, "○", mark);
            }
            _ => self.step(buffer),
        }
        if height > 1 && self.row.reply.is_none() {
            self.note(buffer, self.y + 1);
        }
    }

    /// A style as it is in this row: apart from the selected event where that is asked for.
    fn style(&self, style: Style) -> Style {
        if self.selected {
            return style.add_modifier(Modifier::BOLD);
        }
        let apart = self.app.space_time.cone
            && self.app.space_time.entry(&self.app.view).is_some_and(|selected| {
                self.entry.moment.order(&selected.moment) == Order::Concurrent
            });
        if apart { self.app.theme.dim() } else { style }
    }

    fn number(&self, buffer: &mut Buffer) {
        let theme = self.app.theme;
        let (mark, style) = if self.selected {
            let focused = self.app.pane() == Pane::SpaceTime;
            (glyphs::SELECTED, if focused { theme.selection() } else { theme.strong() })
        } else {
            (" ", self.style(theme.dim()))
        };
        let width = usize::from(lanes::gutter(self.app)).saturating_sub(2);
        let number = if self.row.reply.is_some() {
            " ".repeat(width)
        } else {
            text::left(&format!("#{}", self.entry.id), width)
        };
        let x = self.lanes.area.x;
        arrow::put(buffer, self.lanes, x, self.y, mark, theme.accent());
        arrow::write(buffer, self.lanes, x + 1, self.y, &number, style);
    }

    fn arrow(&self, buffer: &mut Buffer, ends: (End, End), labels: &[String], fate: Fate) {
        let theme = self.app.theme;
        let label = match (fate, self.entry.step.decision.message()) {
            _ if self.row.reply.is_some() => theme.strong(),
            (Fate::Dropped | Fate::Lost, _) => theme.bad(),
            (Fate::Doubled, _) => theme.notable(),
            (_, Some(envelope)) => kind_style(self.app, envelope.message.kind()),
            (_, None) => theme.strong(),
        };
        let line = if self.selected { theme.accent() } else { theme.text() };
        let look = Look { fate, line: self.style(line), label: self.style(label) };
        if arrow::is_off(ends) {
            let told = self.entry.step.decision.message().map(ToString::to_string);
            let told = told.unwrap_or_else(|| labels.first().cloned().unwrap_or_default());
            return arrow::aside(buffer, self.lanes, self.y, ends.1, &told, look.label);
        }
        arrow::draw(buffer, self.lanes, self.y, ends, labels, look);
    }

    fn step(&self, buffer: &mut Buffer) {
        let at = self.entry.step.replica;
        match &self.entry.step.decision {
            Decision::Propose(commands) => {
                let payload = Payload::Commands(commands.clone().into()).to_string();
                let labels = [payload, "put".to_owned()];
                let ends = (End::At(self.lanes.client), self.lanes.end(at));
                self.arrow(buffer, ends, &labels, Fate::Arrived);
                self.mark(buffer, at);
            }
            Decision::Deliver(envelope) => self.delivery(buffer, envelope),
            Decision::Drop(envelope) => self.message(buffer, envelope, Fate::Dropped),
            Decision::Duplicate(envelope, _) => self.message(buffer, envelope, Fate::Doubled),
            Decision::Lose(envelope) => self.message(buffer, envelope, Fate::Lost),
            Decision::Wake => {
                let timers = self.entry.events().filter_map(|event| match event {
                    Event::TimerFired(timer) => Some(timer.to_string()),
                    _ => None,
                });
                let timers: Vec<String> = timers.collect();
                self.local(buffer, "t", &format!("timer {}", timers.join(", ")), true);
            }
            Decision::Crash => self.local(buffer, "✗", "crashes", false),
            Decision::Restart => self.local(buffer, "▲", "comes back", true),
            Decision::Show(sight) => {
                self.local(buffer, "◇", &format!("{} steps unseen", sight.unseen), true);
            }
            Decision::Panic(sentence) => {
                self.local(buffer, "✗", &format!("fails: {sentence}"), false);
            }
        }
    }

    fn message(
        &self,
        buffer: &mut Buffer,
        envelope: &crate::epaxos::message::Envelope,
        fate: Fate,
    ) {
        let ends = (self.lanes.end(envelope.id.sender), self.lanes.end(envelope.to));
        self.arrow(buffer, ends, &words::labels(envelope), fate);
    }

    /// A delivery, or several of the same broadcast. What came from a hidden lane is drawn from the
    /// lane on which it depends at last.
    fn delivery(&self, buffer: &mut Buffer, envelope: &crate::epaxos::message::Envelope) {
        let folded: Vec<ReplicaId> = self
            .row
            .also
            .iter()
            .filter_map(|id| Some(self.app.view.log.get(*id)?.step.replica))
            .collect();
        let mut labels = words::labels(envelope);
        if !folded.is_empty() {
            labels = labels.iter().map(|label| format!("{label} x{}", folded.len() + 1)).collect();
        }
        let from = self.lanes.end(envelope.id.sender);
        let (from, fate) = match from {
            End::Hidden => (self.through(self.entry), Fate::Through),
            from => (from, Fate::Arrived),
        };
        if fate == Fate::Through {
            let via = |label: &String| format!("{label} via {}", envelope.id.sender);
            labels = labels.iter().map(via).collect();
        }
        // An answer by way of a hidden lane to what was asked from here.
        if let (Fate::Through, End::At(x)) = (fate, from)
            && from == self.lanes.end(self.entry.step.replica)
        {
            let told = words::fitting(&labels, usize::from(lanes::SPACING_LEAST) * 2);
            self.beside(
                buffer,
                x,
                self.y,
                &format!("◄┄ {told}"),
                self.style(self.app.theme.dim()),
                0,
            );
        }
        let here = std::iter::once(self.entry.step.replica);
        let mut receivers: Vec<ReplicaId> = here.chain(folded).collect();
        // The shortest arrow of each direction is drawn last and has the label, since the marks of
        // the others stand in the longer ones.
        let sender = envelope.id.sender.index();
        receivers.sort_by_key(|receiver| std::cmp::Reverse(receiver.index().abs_diff(sender)));
        for (index, receiver) in receivers.iter().enumerate() {
            let side = receiver.index() > sender;
            let nearer =
                receivers[index + 1..].iter().any(|other| (other.index() > sender) == side);
            let labels = if nearer { &[][..] } else { &labels[..] };
            self.arrow(buffer, (from, self.lanes.end(*receiver)), labels, fate);
        }
        for receiver in receivers {
            self.mark(buffer, receiver);
        }
    }

    /// The lane that is not hidden and from which a hidden one heard what it passed on.
    fn through(&self, entry: &Entry) -> End {
        let mut cause: Option<EntryId> = entry.cause;
        for _ in 0..THROUGH_MOST {
            let Some(sender) = cause.and_then(|cause| self.app.view.log.get(cause)) else { break };
            match self.lanes.end(sender.step.replica) {
                End::Hidden => cause = sender.cause,
                end => return end,
            }
        }
        End::At(self.lanes.client)
    }

    /// The mark in the lane where something happened: what it came to, where that is not told below.
    fn mark(&self, buffer: &mut Buffer, at: ReplicaId) {
        let End::At(x) = self.lanes.end(at) else { return };
        let theme = self.app.theme;
        let (_, phase) = words::outcome(self.entry);
        let (symbol, style) = match phase {
            Some(phase) if self.app.space_time.zoom() == Zoom::One => {
                (phase.letter().to_string(), theme.phase(phase))
            }
            Some(phase) => (glyphs::DECISION.to_owned(), theme.phase(phase)),
            None => (glyphs::DECISION.to_owned(), theme.text()),
        };
        let style = self.style(style).add_modifier(Modifier::BOLD);
        arrow::put(buffer, self.lanes, x, self.y, &symbol, style);
    }

    /// Something that happened to a replica alone.
    fn local(&self, buffer: &mut Buffer, symbol: &str, told: &str, good: bool) {
        let theme = self.app.theme;
        let style = self.style(if good { theme.notable() } else { theme.bad() });
        let replica = self.entry.step.replica;
        match self.lanes.end(replica) {
            End::At(x) => {
                arrow::put(buffer, self.lanes, x, self.y, symbol, style);
                self.beside(buffer, x, self.y, told, style, 1);
            }
            end => {
                let told = format!("{replica} {told}");
                arrow::aside(buffer, self.lanes, self.y, end, &told, style);
            }
        }
    }

    /// A text to the right of a lane, or to its left where there is more room, with a gap between.
    fn beside(&self, buffer: &mut Buffer, x: u16, y: u16, told: &str, style: Style, gap: u16) {
        let area = self.lanes.area;
        let right = usize::from(area.right().saturating_sub(x + 1 + gap));
        let left = usize::from(x.saturating_sub(self.lanes.client + 3));
        let width = text::width(told);
        if width <= right || right >= left {
            arrow::write(buffer, self.lanes, x + 1 + gap, y, told, style);
        } else {
            let told = text::cut(told.trim_end(), left);
            let start = x.saturating_sub(u16::try_from(text::width(&told)).unwrap_or(0));
            let start = start.saturating_sub(gap);
            arrow::write(buffer, self.lanes, start, y, &told, style);
        }
    }

    /// What came of it, in the line below.
    fn note(&self, buffer: &mut Buffer, y: u16) {
        let End::At(x) = self.lanes.end(self.entry.step.replica) else { return };
        let (told, phase) = words::outcome(self.entry);
        let theme = self.app.theme;
        let style = phase.map_or(theme.dim(), |phase: Phase| theme.phase(phase));
        self.beside(buffer, x, y, &told, self.style(style), 0);
    }
}

/// The line that stands for now, and messages on their way below it.
fn render_now(buffer: &mut Buffer, area: Rect, app: &App, lanes: &Lanes, flights: usize) {
    if area.is_empty() {
        return;
    }
    let theme = app.theme;
    let (height, _) = app.space_time.division(usize::from(lanes.area.height));
    let seen = app.space_time.page(height);
    let below = app.space_time.rows().len().saturating_sub(app.space_time.place().offset + seen);
    for x in area.x + lanes::gutter(app)..area.right() {
        arrow::put(buffer, lanes, x, area.y, "┄", theme.dim());
    }
    for (_, x) in &lanes.seen {
        arrow::put(buffer, lanes, *x, area.y, "│", theme.dim());
    }
    arrow::put(buffer, lanes, lanes.client, area.y, "│", theme.dim());
    let now = if below > 0 { format!(" v{below} below ") } else { " now ".to_owned() };
    let style = if below > 0 { theme.notable() } else { theme.strong() };
    arrow::write(buffer, lanes, area.x, area.y, &now, style);
    let first = match app.space_time.chosen() {
        Chosen::Flight(id) => {
            let at = app.space_time.flights().iter().position(|own| *own == id).unwrap_or(0);
            (at + 1).saturating_sub(flights)
        }
        Chosen::Row(_) => 0,
    };
    let shown = app.space_time.flights().iter().skip(first).take(flights);
    for (y, id) in (area.y + 1..area.bottom()).zip(shown) {
        if let Some(flight) = app.view.in_flight.get(*id) {
            render_flight(buffer, area, app, lanes, y, flight);
        }
    }
    let more = app.space_time.in_flight.saturating_sub(flights);
    let last = area.bottom().saturating_sub(1);
    if more > 0 && last > area.y {
        let line = Rect { y: last, height: 1, ..area };
        lifelines(buffer, line, app, lanes, |id| !app.view.replica(id).up);
        let told = format!(" +{more} more in flight ");
        arrow::write(buffer, lanes, area.x, last, &told, theme.dim());
    }
}

fn render_flight(
    buffer: &mut Buffer,
    area: Rect,
    app: &App,
    lanes: &Lanes,
    y: u16,
    flight: &Flight,
) {
    let theme = app.theme;
    let line = Rect { y, height: 1, ..area };
    lifelines(buffer, line, app, lanes, |id| !app.view.replica(id).up);
    let selected = app.space_time.chosen() == Chosen::Flight(flight.envelope.id);
    let envelope = &flight.envelope;
    let style = kind_style(app, envelope.message.kind());
    let style = if selected { style.patch(theme.selection()) } else { style };
    let look = Look { fate: Fate::InFlight, line: theme.dim(), label: style };
    let labels = words::labels(envelope);
    let sender = envelope.id.sender;
    match (lanes.end(sender), lanes.end(envelope.to)) {
        // What comes from a hidden lane comes in from the edge.
        (End::Hidden, to) => {
            let from = if sender.index() < envelope.to.index() { End::Left } else { End::Right };
            let named: Vec<String> =
                labels.iter().map(|label| format!("{sender}: {label}")).collect();
            arrow::draw(buffer, lanes, y, (from, to), &named, look);
        }
        (from, to) if arrow::is_off((from, to)) => {
            arrow::aside(buffer, lanes, y, from, &envelope.to_string(), style);
        }
        ends => arrow::draw(buffer, lanes, y, ends, &labels, look),
    }
    let by = match flight.held {
        Some(HeldBy::Rule) => "rule",
        Some(HeldBy::Delay(_)) => "late",
        Some(HeldBy::Pause) => "held",
        None => "",
    };
    let (mark, by_style) =
        if selected { (glyphs::SELECTED, theme.selection()) } else { (" ", theme.dim()) };
    arrow::put(buffer, lanes, area.x, y, mark, theme.accent());
    let width = usize::from(lanes::gutter(app)).saturating_sub(2);
    arrow::write(buffer, lanes, area.x + 1, y, &text::left(by, width), by_style);
}

/// The place in the list of what is at a place of the screen.
pub fn row_at(app: &App, place: Position) -> Option<usize> {
    let body = app.layout().rows(Pane::SpaceTime);
    let line = usize::from(place.y.checked_sub(body.y)?);
    let (lines, flights) = app.space_time.division(usize::from(body.height));
    let rows = app.space_time.rows().len();
    match line.checked_sub(lines) {
        None => {
            let index = app.space_time.place().offset
                + match app.space_time.zoom() {
                    Zoom::Overview => line * crate::tui::app::OVERVIEW_EVENTS,
                    zoom => line / zoom.lines(),
                };
            (index < rows).then_some(index)
        }
        Some(below) => {
            let among = below.checked_sub(1).filter(|among| *among < flights)?;
            Some(rows + among)
        }
    }
}

/// How many hidden lanes are passed through at most.
const THROUGH_MOST: usize = 64;
