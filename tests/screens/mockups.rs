//! The situations that the screens were designed for, brought about on a live cluster by scripts, with
//! pictures of what is seen: `mockups/*.script`, and beside each its screens.
//!
//! The replicas are real and so is what lies between them. They go in lockstep, so that a picture is the
//! same every time; ports are not shown, since they are free ones.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use epaxos_tui::node::cluster::Options;
use epaxos_tui::node::live::{LiveWorld, Serving, spawn};
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::script::file::Script;
use epaxos_tui::script::request::{Report, Request};
use epaxos_tui::tui::app::{Action, App, Deliverable, Effect};
use epaxos_tui::tui::layout::Pane;
use epaxos_tui::tui::panel;
use epaxos_tui::tui::theme::Theme;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::{drive, picture};

/// A monitor of a live cluster, without a terminal.
struct Monitor {
    app: App,
    requests: UnboundedSender<Request>,
    reports: UnboundedReceiver<Report>,
    world: std::thread::JoinHandle<usize>,
}

impl Monitor {
    fn start() -> Self {
        let options = Options { thrifty: false, ..Options::new(5) };
        let world = LiveWorld::start(&options, true).expect("free ports");
        let endpoints = (0..5).map(|index| format!("127.0.0.1:{}", 50_051 + index)).collect();
        let shape = Shape { endpoints, ..world.cluster().shape().clone() };
        let Serving { requests, reports, thread: world } = spawn(world).expect("a thread");
        let app = App::new(shape, Theme::Dark, false, true);
        Self { app, requests, reports, world }
    }

    /// Does something, and listens until the world has said all that it has to say of it.
    fn act(&mut self, action: Action) {
        let mut actions = VecDeque::from([action]);
        while let Some(action) = actions.pop_front() {
            for effect in self.app.update(action) {
                let Effect::Request(request) = effect else { continue };
                let id = request.id;
                self.requests.send(request).expect("a world");
                loop {
                    let report = self.reports.blocking_recv().expect("a world that answers");
                    let said = matches!(&report, Report::Said { request, .. } if *request == id);
                    actions.push_back(Action::Reports(vec![report]));
                    if said {
                        break;
                    }
                }
            }
        }
    }

    fn press(&mut self, keys: &str) {
        keys.split(' ').for_each(|name| self.act(Action::Key(drive::key(name))));
    }

    fn run(&mut self, script: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens/mockups").join(script);
        let script = Script::parse(&std::fs::read_to_string(path).expect("a script"));
        for (_, command) in script.expect("a script").commands {
            self.press("i");
            self.act(Action::Paste(command.to_string()));
            self.press("Enter Esc");
        }
        // Answers to clients come when they come; what was said last is not what is to be seen.
        std::thread::sleep(Duration::from_millis(200));
        while let Ok(report) = self.reports.try_recv() {
            self.act(Action::Reports(vec![report]));
        }
        self.app.message = None;
    }

    fn picture(&mut self, width: u16, height: u16) -> String {
        self.act(Action::Resize(width, height));
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| panel::render(frame, &self.app)).expect("a frame");
        picture::with_styles(terminal.backend().buffer())
    }

    fn stop(self) {
        let Self { requests, reports, world, .. } = self;
        drop((requests, reports));
        world.join().expect("a world that ends");
    }
}

/// Compares a screen with what it is known to look like.
fn look(monitor: &mut Monitor, name: &str, (width, height): (u16, u16)) {
    let picture = monitor.picture(width, height);
    insta::with_settings!({ snapshot_path => "mockups", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), picture);
    });
}

const LARGE: (u16, u16) = (120, 40);

const SMALL: (u16, u16) = (80, 24);

#[test]
fn cockpit() {
    for size in [LARGE, SMALL] {
        let mut monitor = Monitor::start();
        monitor.act(Action::Resize(size.0, size.1));
        monitor.run("cockpit.script");
        // R0's write is looked at. The cursor is on R1's answer to R4: what would come of it is told.
        while monitor.app.pane() != Pane::Instances {
            monitor.press("Tab");
        }
        monitor.press("k k k k");
        while monitor.app.pane() != Pane::Messages {
            monitor.press("Tab");
        }
        monitor.press("g");
        let row =
            monitor.app.deliverables.rows().iter().position(
                |row| matches!(row, Deliverable::Message(id) if id.to_string() == "R1-1"),
            );
        (0..row.expect("it is held")).for_each(|_| monitor.press("j"));
        look(&mut monitor, "cockpit", size);
        monitor.stop();
    }
}

#[test]
fn space_time() {
    for size in [LARGE, SMALL] {
        let mut monitor = Monitor::start();
        monitor.act(Action::Resize(size.0, size.1));
        monitor.run("space_time.script");
        monitor.press("2");
        monitor.app.ascii = size == SMALL;
        look(&mut monitor, "space_time", size);
        monitor.stop();
    }
}

#[test]
fn graph() {
    for size in [LARGE, SMALL] {
        let mut monitor = Monitor::start();
        monitor.act(Action::Resize(size.0, size.1));
        monitor.run("graph.script");
        monitor.press("3 g");
        while monitor.app.selected.map(|id| id.to_string()).as_deref() != Some("R4.0") {
            monitor.press("j");
        }
        look(&mut monitor, "graph", size);
        monitor.stop();
    }
}
