//! Plays a scenario on any world and writes down what is seen.

use std::error::Error;
use std::fmt::Write;

use epaxos_tui::check::Checker;
use epaxos_tui::epaxos::replica::ReplyOn;
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;
use goldenscript::{Argument, Context};

/// Panics with a sentence where a replica contradicts itself, or anything that must be true of every
/// run is not.
#[allow(dead_code, reason = "a live cluster has no replicas to look at")]
pub fn check(cluster: &Cluster) {
    cluster.check_invariants();
    let options = &cluster.view().shape.options;
    let mut checker = Checker::new(options.quorums, options.reply_on);
    for entry in cluster.view().log.iter() {
        checker.step(&entry.step);
    }
    checker.finish();
    if let Some(violation) = checker.violations().first() {
        panic!("{violation}");
    }
}

/// A scenario in progress: `cluster` makes a world, every other word is a command of the script
/// language.
pub struct Scenario<W, Make> {
    make: Make,
    /// What must hold after every command.
    check: fn(&W),
    world: Option<W>,
    session: Session,
    /// How many lines of the trace have been written down.
    told: u64,
}

impl<W: World, Make: FnMut(Shape) -> Result<W, String>> Scenario<W, Make> {
    /// A scenario without a cluster yet, which `make` will make.
    pub fn new(make: Make, check: fn(&W)) -> Self {
        Self { make, check, world: None, session: Session::default(), told: 0 }
    }

    /// The world as the scenario leaves it.
    #[allow(dead_code, reason = "not every test looks at it")]
    pub fn world(&self) -> Option<&W> {
        self.world.as_ref()
    }

    fn cluster(&mut self, command: &goldenscript::Command) -> Result<String, Box<dyn Error>> {
        let mut arguments = command.consume_args();
        let replicas = arguments.take_key("n").map_or(Ok(5), str::parse)?;
        let mut shape = Shape::new(replicas);
        shape.options.thrifty = arguments.take_key("thrifty").map_or(Ok(true), str::parse)?;
        if arguments.take_key("reply-on") == Some("commit") {
            shape.options.reply_on = ReplyOn::Commit;
        }
        let options = &mut shape.options;
        for (name, option) in [
            ("gossip", &mut options.gossip_every),
            ("keep", &mut options.keep),
            ("keep-most", &mut options.keep_most),
            ("gossip-bytes", &mut options.gossip_bytes),
            ("keep-bytes", &mut options.keep_bytes),
            ("keep-most-bytes", &mut options.keep_most_bytes),
        ] {
            *option = arguments.take_key(name).map_or(Ok(*option), str::parse)?;
        }
        arguments.reject_next()?;
        let quorums = shape.options.quorums;
        self.world = Some((self.make)(shape)?);
        self.session = Session::default();
        self.told = 0;
        Ok(format!(
            "R0..R{} fast-quorum={} slow-quorum={}",
            quorums.replicas() - 1,
            quorums.fast(),
            quorums.slow(),
        ))
    }
}

impl<W: World, Make: FnMut(Shape) -> Result<W, String>> goldenscript::Runner for Scenario<W, Make> {
    type Command = goldenscript::Command;

    fn run(&mut self, command: &Self::Command, _: &Context) -> Result<String, Box<dyn Error>> {
        if command.name == "cluster" {
            return self.cluster(command);
        }
        let words = command.args.iter().map(|argument| match argument {
            Argument::KeyValue(key, value) => format!("{key}={value}"),
            Argument::Positional(value) => value.clone(),
            other => unreachable!("a kind of argument that no script has: {other:?}"),
        });
        let command = Command::from_words(std::iter::once(command.name.clone()).chain(words))?;
        let world = self.world.as_mut().ok_or("a scenario begins with a cluster")?;
        let said = self.session.perform(world, &command);
        (self.check)(world);

        let mut output = String::new();
        for line in world.view().trace.iter().filter(|line| line.n >= self.told) {
            writeln!(output, "{line}")?;
        }
        self.told = world.view().traced;
        for line in said? {
            writeln!(output, "{line}")?;
        }
        Ok(output)
    }
}
