//! Taking the terminal over, and giving it back exactly as it was, whatever happens.

use std::io;
use std::io::{Stdout, Write};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::thread::ThreadId;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};

use ratatui::layout::{Position, Rect};

use crate::tui::app::App;
use crate::tui::panel;

/// The terminal while it is the monitor's. Dropped, it is given back.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    mouse: bool,
    forgotten: bool,
}

/// Which thread has taken the terminal over, if any has: there is one terminal, and it must be given
/// back once.
static OWNER: Mutex<Option<ThreadId>> = Mutex::new(None);

static HOOK: Once = Once::new();

impl Screen {
    /// Takes the terminal over.
    pub fn enter(mouse: bool) -> io::Result<Self> {
        HOOK.call_once(restore_on_panic);
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let mut screen = Self { terminal, mouse, forgotten: true };
        screen.take()?;
        Ok(screen)
    }

    fn take(&mut self) -> io::Result<()> {
        *OWNER.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        self.capture_mouse(self.mouse)?;
        self.forget();
        Ok(())
    }

    /// Gives the terminal back for a while; [`Screen::resume`] takes it over again.
    pub fn release(&mut self) {
        give_back();
    }

    /// Takes the terminal over again.
    pub fn resume(&mut self) -> io::Result<()> {
        self.take()
    }

    /// Whether the terminal sends what the mouse does.
    pub fn capture_mouse(&mut self, capture: bool) -> io::Result<()> {
        self.mouse = capture;
        if capture {
            execute!(io::stdout(), EnableMouseCapture)
        } else {
            execute!(io::stdout(), DisableMouseCapture)
        }
    }

    /// Sends something to the terminal that draws nothing.
    pub fn send(&mut self, sequence: &str) -> io::Result<()> {
        let mut stdout = io::stdout();
        stdout.write_all(sequence.as_bytes())?;
        stdout.flush()
    }

    /// Forgets what is on the terminal, so that the next frame draws all of it.
    pub fn forget(&mut self) {
        self.forgotten = true;
    }

    /// How many columns and rows there are.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Draws one frame, which the terminal shows at once or not at all.
    pub fn draw(&mut self, app: &App) -> io::Result<()> {
        execute!(io::stdout(), BeginSynchronizedUpdate)?;
        if std::mem::take(&mut self.forgotten) {
            self.clear()?;
        }
        let drawn = self.terminal.draw(|frame| panel::render(frame, app)).map(|_| ());
        execute!(io::stdout(), EndSynchronizedUpdate)?;
        drawn
    }

    /// `Terminal::clear` would first ask the terminal where its cursor is, and the answer would have
    /// to get past whoever reads the keys.
    fn clear(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, if it has been taken over and not yet been given back. A terminal that
/// is gone cannot be given back, which is nobody's concern any more.
fn give_back() {
    let owned = OWNER.lock().unwrap_or_else(PoisonError::into_inner).take();
    if owned.is_none() {
        return;
    }
    let mut stdout = io::stdout();
    let _gone = execute!(
        stdout,
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    let _gone = disable_raw_mode();
    let _gone = stdout.flush();
}

/// Makes a panic of the thread that draws give the terminal back before it is told. A panic of any
/// other thread is told in the log: the monitor lives on, and must not be written over.
fn restore_on_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let owner = *OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        match owner {
            Some(owner) if owner != thread::current().id() => {
                tracing::error!("{info}");
            }
            _ => {
                give_back();
                usual(info);
            }
        }
    }));
}
