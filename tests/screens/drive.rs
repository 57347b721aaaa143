//! A person at the screen of a small cluster: presses keys, and sees what comes of it.

use std::collections::VecDeque;
use std::time::Duration;

use epaxos_tui::tui::app::{Action, App, Effect};
use epaxos_tui::tui::panel;
use epaxos_tui::tui::theme::Theme;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use crate::picture;
use crate::stage::Stage;

pub struct Drive {
    pub app: App,
    pub stage: Stage,
    /// What was asked of the outside beside requests.
    pub effects: Vec<Effect>,
    size: (u16, u16),
    /// Whether what takes long is done at once.
    pub works: bool,
}

impl Drive {
    pub fn new(size: (u16, u16)) -> Self {
        Self::with(Stage::new(5), size)
    }

    pub fn conflict(size: (u16, u16)) -> Self {
        Self::with(Stage::conflict(), size)
    }

    pub fn held(size: (u16, u16)) -> Self {
        Self::with(Stage::held(), size)
    }

    pub fn with(mut stage: Stage, size: (u16, u16)) -> Self {
        let app = App::new(stage.view().shape.clone(), Theme::Dark, false, true);
        let reports = stage.take_reports();
        let mut drive = Self { app, stage, effects: Vec::new(), size, works: true };
        drive.act(Action::Resize(size.0, size.1));
        drive.act(Action::Reports(reports));
        drive
    }

    pub fn act(&mut self, action: Action) {
        let mut actions = VecDeque::from([action]);
        while let Some(action) = actions.pop_front() {
            for effect in self.app.update(action) {
                match effect {
                    Effect::Request(request) => {
                        actions.push_back(Action::Reports(self.stage.serve(&request)));
                    }
                    effect => self.effects.push(effect),
                }
            }
            // What takes long is done in between.
            if actions.is_empty() && self.works && self.app.is_working() {
                actions.push_back(Action::Work);
            }
        }
    }

    /// Presses keys, named with spaces between them.
    pub fn press(&mut self, keys: &str) {
        for name in keys.split(' ') {
            self.act(Action::Key(key(name)));
        }
    }

    pub fn type_in(&mut self, text: &str) {
        for c in text.chars() {
            self.act(Action::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
    }

    pub fn click(&mut self, column: u16, row: u16) {
        let kind = MouseEventKind::Down(MouseButton::Left);
        let modifiers = KeyModifiers::NONE;
        self.act(Action::Mouse(MouseEvent { kind, column, row, modifiers }));
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
        self.act(Action::Resize(width, height));
    }

    pub fn tick(&mut self, seconds: u64) {
        self.act(Action::Tick(Duration::from_secs(seconds)));
    }

    pub fn buffer(&self) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).unwrap();
        terminal.draw(|frame| panel::render(frame, &self.app)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The screen as text.
    pub fn text(&self) -> String {
        picture::text(&self.buffer())
    }

    /// The screen as text, with its styles.
    pub fn picture(&self) -> String {
        picture::with_styles(&self.buffer())
    }

    /// Where a text is on the screen.
    pub fn find(&self, text: &str) -> Option<(u16, u16)> {
        let screen = self.text();
        screen.lines().enumerate().find_map(|(row, line)| {
            let column = line[..line.find(text)?].chars().count();
            Some((u16::try_from(column).unwrap(), u16::try_from(row).unwrap()))
        })
    }
}

pub fn key(name: &str) -> KeyEvent {
    let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
    match name {
        "Enter" => plain(KeyCode::Enter),
        "Esc" => plain(KeyCode::Esc),
        "Tab" => plain(KeyCode::Tab),
        "BackTab" => KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT),
        "Up" => plain(KeyCode::Up),
        "Down" => plain(KeyCode::Down),
        "Left" => plain(KeyCode::Left),
        "Right" => plain(KeyCode::Right),
        "PgUp" => plain(KeyCode::PageUp),
        "PgDn" => plain(KeyCode::PageDown),
        "Space" => plain(KeyCode::Char(' ')),
        "F1" => plain(KeyCode::F(1)),
        name if name.starts_with("C-") => {
            let c = name.chars().next_back().unwrap();
            KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)
        }
        name if name.starts_with("A-") => {
            let c = name.chars().next_back().unwrap();
            KeyEvent::new(KeyCode::Char(c), KeyModifiers::ALT)
        }
        name => plain(KeyCode::Char(name.chars().next().unwrap())),
    }
}
