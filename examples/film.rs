//! Makes the film that the README begins with: plays `assets/film.txt` on a live cluster, and writes what
//! the monitor draws to `assets/film.svg`.
//!
//! ```sh
//! cargo run --release --example film
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "a film takes time, and waits for what is to be seen"
)]

use std::collections::VecDeque;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use epaxos_tui::node::cluster::Options;
use epaxos_tui::node::live::{LiveWorld, Serving, spawn};
use epaxos_tui::script::request::{Report, Request};
use epaxos_tui::tui::app::{Action, App, Effect};
use epaxos_tui::tui::picture;
use epaxos_tui::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// The monitor of a live cluster, without a terminal.
struct Monitor {
    app: App,
    requests: UnboundedSender<Request>,
    reports: UnboundedReceiver<Report>,
    begun: Instant,
}

impl Monitor {
    fn act(&mut self, action: Action) {
        let mut actions = VecDeque::from([action]);
        while let Some(action) = actions.pop_front() {
            for effect in self.app.update(action) {
                if let Effect::Request(request) = effect {
                    // A world that is gone has nothing to show; the wait that follows will tell.
                    self.requests.send(request).ok();
                }
            }
            while let Ok(report) = self.reports.try_recv() {
                actions.push_back(Action::Reports(vec![report]));
            }
        }
    }

    fn press(&mut self, name: &str) -> anyhow::Result<()> {
        let code = match name {
            "Enter" => KeyCode::Enter,
            "Esc" => KeyCode::Esc,
            "Tab" => KeyCode::Tab,
            "BackTab" => KeyCode::BackTab,
            "Space" => KeyCode::Char(' '),
            other => match other.chars().collect::<Vec<_>>()[..] {
                [only] => KeyCode::Char(only),
                _ => bail!("{other} is no key"),
            },
        };
        self.act(Action::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        Ok(())
    }

    /// Lets the world say what it has to say.
    fn listen(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
            while let Ok(report) = self.reports.try_recv() {
                self.act(Action::Reports(vec![report]));
            }
        }
        self.act(Action::Tick(self.begun.elapsed()));
    }

    fn play(&mut self, line: &str, frames: &mut Vec<(Duration, Buffer)>) -> anyhow::Result<()> {
        let (verb, rest) = line.split_once(' ').context("a line is a verb and more")?;
        match verb {
            "type" => {
                self.press(":")?;
                self.act(Action::Paste(rest.to_owned()));
                self.press("Enter")?;
                self.press("Esc")?;
                self.listen(Duration::from_millis(150));
            }
            "keys" => {
                for name in rest.split(' ') {
                    self.press(name)?;
                    self.listen(Duration::from_millis(60));
                }
            }
            "wait" => {
                let begun = Instant::now();
                while !picture::text(&picture::of(&self.app)).contains(rest) {
                    ensure!(begun.elapsed() < Duration::from_secs(10), "never came: {rest}");
                    self.listen(Duration::from_millis(20));
                }
            }
            "show" => {
                let seconds = rest.parse().with_context(|| format!("{rest} is no number"))?;
                frames.push((Duration::from_secs_f64(seconds), picture::of(&self.app)));
            }
            _ => bail!("there is no {verb}"),
        }
        Ok(())
    }
}

/// One picture after another, for ever; the last one where nothing is to move.
fn film(frames: &[(Duration, Buffer)], theme: Theme) -> anyhow::Result<String> {
    let (_, first) = frames.first().context("a film has frames")?;
    let (width, height) = picture::size(first);
    let total: f64 = frames.iter().map(|(time, _)| time.as_secs_f64()).sum();
    let mut style = String::from(".frame{visibility:hidden}");
    let mut pictures = String::new();
    let mut start = 0.0;
    for (index, (time, buffer)) in frames.iter().enumerate() {
        let end = start + time.as_secs_f64();
        let (from, to) = (100.0 * start / total, 100.0 * end / total);
        let before = if index == 0 { "visible" } else { "hidden" };
        write!(
            style,
            "@keyframes f{index}{{0%{{visibility:{before}}}{from:.3}%{{visibility:visible}}\
             {to:.3}%{{visibility:hidden}}}}#f{index}{{animation:f{index} {total}s step-end infinite}}"
        )?;
        let picture = picture::frame(buffer, theme);
        writeln!(pictures, "<g id=\"f{index}\" class=\"frame\">{picture}</g>")?;
        start = end;
    }
    let last = frames.len() - 1;
    write!(
        style,
        "@media (prefers-reduced-motion:reduce){{.frame{{animation:none !important}}\
         #f{last}{{visibility:visible}}}}"
    )?;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\">\n<style>{style}</style>\n{pictures}</svg>\n"
    ))
}

fn main() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let script = std::fs::read_to_string(folder.join("film.txt"))?;
    let world = LiveWorld::start(&Options::new(5), false)?;
    let shape = world.cluster().shape().clone();
    let Serving { requests, reports, thread: serving } = spawn(world).expect("a thread");
    let theme = Theme::Dark;
    let app = App::new(shape, theme, false, true);
    let mut monitor = Monitor { app, requests, reports, begun: Instant::now() };
    monitor.act(Action::Resize(120, 36));
    monitor.listen(Duration::from_millis(200));
    let mut frames = Vec::new();
    let lines = (1..).zip(script.lines());
    for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        monitor.play(line, &mut frames).with_context(|| format!("line {number}: {line}"))?;
    }
    drop(monitor);
    serving.join().map_err(|_| anyhow::anyhow!("the cluster failed"))?;
    let film = film(&frames, theme)?;
    let path = folder.join("film.svg");
    std::fs::write(&path, &film)?;
    println!("{} frames, {} kB: {}", frames.len(), film.len() / 1_000, path.display());
    Ok(())
}
