//! What a frame costs, on every screen at 120x40, after little has happened and after very much: it must
//! not grow with what has happened (`docs/testing.md`).
//!
//! `cargo bench --bench frame` prints for each screen the time of a frame after some hundred instances and
//! after 110,000 and more than a million steps, and the time that taking note of one more thing takes.

use std::hint::black_box;

use criterion::Criterion;
use epaxos_tui::observe::notice::{Notice, Shape};
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::request::Report;
use epaxos_tui::script::session::Session;
use epaxos_tui::sim::cluster::Cluster;
use epaxos_tui::tui::app::{Action, App};
use epaxos_tui::tui::deed::{Deed, Screen};
use epaxos_tui::tui::panel;
use epaxos_tui::tui::theme::Theme;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// A screen on which a cluster is seen, and the cluster.
struct Watched {
    app: App,
    cluster: Cluster,
    session: Session,
}

impl Watched {
    /// A cluster of five to which this many writes have been given, a thousand at a time, so many in a
    /// hundred of them to one key.
    fn after(instances: u32, conflict: u32) -> Self {
        let mut cluster = Cluster::new(Shape::new(5));
        cluster.listen();
        let app = App::new(Shape::new(5), Theme::Dark, false, true);
        let mut watched = Self { app, cluster, session: Session::default() };
        watched.app.update(Action::Resize(120, 40));
        let mut left = instances;
        while left > 0 {
            let count = left.min(1_000);
            watched.give(&format!("burst {count} keys=1000 conflict={conflict}"));
            watched.give("settle");
            left -= count;
        }
        watched
    }

    fn give(&mut self, line: &str) {
        let command = Command::parse(line).expect("a command").expect("a command");
        self.session.perform(&mut self.cluster, &command).expect("nothing can fail here");
        let reports: Vec<Report> =
            self.cluster.take_notices().into_iter().map(Report::Notice).collect();
        for chunk in reports.chunks(2_048) {
            self.app.update(Action::Reports(chunk.to_vec()));
        }
    }
}

fn frames(criterion: &mut Criterion, name: &str, watched: &mut Watched) {
    let mut group = criterion.benchmark_group(format!("frame/{name}"));
    group.sample_size(30);
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).expect("a terminal");
    for screen in Screen::ALL {
        watched.app.update(Action::Do(Deed::Show(screen)));
        group.bench_function(screen.name(), |bencher| {
            bencher.iter(|| {
                terminal
                    .draw(|frame| panel::render(frame, black_box(&watched.app)))
                    .expect("a frame");
            });
        });
    }
    watched.app.update(Action::Do(Deed::Show(Screen::SpaceTime)));
    (0..4).for_each(|_| drop(watched.app.update(Action::Do(Deed::ZoomOut))));
    group.bench_function("Space-time, overview", |bencher| {
        bencher.iter(|| {
            terminal.draw(|frame| panel::render(frame, black_box(&watched.app))).expect("a frame");
        });
    });
    watched.app.update(Action::Do(Deed::Show(Screen::Graph)));
    for (name, deed) in [
        ("Graph, matrix", Deed::Matrix),
        ("Graph, waiting", Deed::Waiting),
        ("Graph, walk", Deed::Walk),
    ] {
        watched.app.update(Action::Do(deed));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                terminal
                    .draw(|frame| panel::render(frame, black_box(&watched.app)))
                    .expect("a frame");
            });
        });
    }
    group.finish();
}

/// What comes between two frames: taking note of what the world says, with everything that is kept up
/// to date for the screen on show.
fn updates(criterion: &mut Criterion, name: &str, watched: &mut Watched) {
    let mut group = criterion.benchmark_group(format!("update/{name}"));
    group.sample_size(30);
    for screen in Screen::ALL {
        watched.app.update(Action::Do(Deed::Show(screen)));
        group.bench_function(screen.name(), |bencher| {
            bencher.iter(|| {
                let notice = Notice::Gate(watched.app.view.gate.clone());
                watched.app.update(Action::Reports(vec![Report::Notice(black_box(notice))]))
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    // Little, much, and all on one key: components of hundreds.
    for (instances, conflict) in [(500, 5), (110_000, 5), (20_000, 100)] {
        let mut watched = Watched::after(instances, conflict);
        let view = &watched.app.view;
        eprintln!(
            "{instances} instances: {} steps, {} kept in {} MB, {} lines of the trace",
            view.log.len(),
            view.log.iter().len(),
            view.log.bytes() / 1_000_000,
            view.traced
        );
        let name = format!("{instances} instances, {conflict}% conflict");
        frames(&mut criterion, &name, &mut watched);
        updates(&mut criterion, &name, &mut watched);
    }
    criterion.final_summary();
}
