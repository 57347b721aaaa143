//! A simulated cluster behind a screen, worked by the script language. Nothing in it is left to
//! chance, so a screen that shows it is always the same.

use std::time::Duration;

use epaxos_tui::epaxos::mutation::Mutation;
use epaxos_tui::observe::filter::Filter;
use epaxos_tui::observe::links::Delay;
use epaxos_tui::observe::notice::{GateState, Shape};
use epaxos_tui::observe::view::View;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::request::{Report, Request};
use epaxos_tui::script::session::{Session, stop_where_broken};
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;

/// The cluster, and a person's dealings with it.
pub struct Stage {
    cluster: Cluster,
    session: Session,
}

impl Stage {
    pub fn new(replicas: usize) -> Self {
        Self::shaped(Shape::new(replicas))
    }

    /// Five replicas of a protocol that is broken.
    pub fn mutated(mutation: Mutation) -> Self {
        let mut shape = Shape::new(5);
        shape.options.mutation = Some(mutation);
        Self::shaped(shape)
    }

    pub fn shaped(shape: Shape) -> Self {
        let ports = |index| format!("127.0.0.1:{}", 50_051 + index);
        let endpoints = (0..shape.replicas()).map(ports).collect();
        let mut cluster = Cluster::new(Shape { endpoints, ..shape });
        cluster.listen();
        Self { cluster, session: Session::default() }
    }

    /// Five replicas to which these commands have been given.
    pub fn of(lines: &[&str]) -> Self {
        let mut stage = Self::new(5);
        stage.run(lines);
        stage
    }

    /// Five replicas to which every message takes this long.
    pub fn slow(delay: Duration) -> Self {
        let mut stage = Self::new(5);
        let delays = vec![(Filter::default(), Delay::fixed(delay))];
        stage.cluster.set_gate(GateState { delays, ..GateState::default() }).expect("a gate");
        stage
    }

    /// Two writes to one key that met: each on the slow path, in one component.
    pub fn conflict() -> Self {
        Self::of(&[
            "pause",
            "put x 1 @R0",
            "put x 2 @R4",
            "put y 9 @R1",
            "deliver R4-1",
            "deliver R0-0",
            "step all",
            "run",
        ])
    }

    /// The same before the first reply has arrived.
    pub fn held() -> Self {
        Self::of(&[
            "pause",
            "put x 1 @R0",
            "put x 2 @R4",
            "hold kind=Commit",
            "deliver R4-1",
            "deliver R0-0",
            "deliver R4-0",
            "deliver R0-1",
            "deliver R1-0",
        ])
    }

    /// Lets a message be given up by its sender, as a link that is down does.
    pub fn lose(&mut self, id: &str) {
        self.cluster.lose(id.parse().expect("a message"));
    }

    /// Gives it a command, which may be refused.
    pub fn perform(&mut self, command: &Command) {
        let _said = self.session.perform(&mut self.cluster, command);
    }

    /// Gives it commands, none of which may be refused.
    pub fn run(&mut self, lines: &[&str]) {
        for line in lines {
            let command = Command::parse(line).expect(line).expect(line);
            self.session.perform(&mut self.cluster, &command).expect(line);
        }
    }

    pub fn view(&self) -> &View {
        self.cluster.view()
    }

    /// Carries out a request, and returns all that is to be said of it.
    pub fn serve(&mut self, request: &Request) -> Vec<Report> {
        self.session.at = request.at;
        let broke = self.cluster.view().broke.clone();
        let said = self.session.perform(&mut self.cluster, &request.command);
        // What nothing holds moves on by itself, until it meets a breakpoint.
        self.cluster.settle().expect("nothing can fail here");
        stop_where_broken(&mut self.cluster, broke.as_ref()).expect("nothing can fail here");
        let mut reports = self.take_reports();
        reports.push(Report::Said { request: request.id, said });
        reports.extend(self.cluster.take_answers().into_iter().map(Report::Answer));
        reports
    }

    /// What has happened since this was last asked.
    pub fn take_reports(&mut self) -> Vec<Report> {
        self.cluster.take_notices().into_iter().map(Report::Notice).collect()
    }
}
