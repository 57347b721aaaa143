//! The acts of a simulated run, one by one, so that a run can be repeated, cut short, and written down.

use std::fmt::{self, Write};

use crate::epaxos::command::Operation;
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::message::{Envelope, MessageKind};
use crate::epaxos::replica::{Options, ReplyOn};
use crate::observe::notice::Shape;

/// One thing that is done to the cluster from outside. Where it cannot be done, since an act before it
/// has been left out, nothing happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A client asks a replica for operations, which become one instance.
    Propose(ReplicaId, Vec<Operation>),
    /// A message arrives; at a replica that is down it is lost.
    Deliver(Address),
    /// A message is doubled.
    Duplicate(Address),
    /// A message is lost.
    Drop(Address),
    /// A replica's next timer fires, its clock being set forward to it.
    Wake(ReplicaId),
    /// A replica stops, and keeps what is durable.
    Crash(ReplicaId),
    /// It comes back.
    Restart(ReplicaId),
}

/// A message by what it is, so that leaving out other acts does not change which one is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Who sent it.
    pub from: ReplicaId,
    /// Whom it goes to.
    pub to: ReplicaId,
    /// What it says.
    pub kind: MessageKind,
    /// Of which instance.
    pub instance: InstanceId,
    /// Which of all such messages on their way, the oldest being 0.
    pub nth: usize,
}

impl Address {
    /// The address of the message at `index` of those on their way.
    pub fn of<'a>(flights: impl Iterator<Item = &'a Envelope> + Clone, index: usize) -> Self {
        let envelope = flights.clone().nth(index).expect("the message is on its way");
        let mut address = Self {
            from: envelope.id.sender,
            to: envelope.to,
            kind: envelope.message.kind(),
            instance: envelope.message.instance(),
            nth: 0,
        };
        address.nth = flights.take(index).filter(|other| address.fits(other)).count();
        address
    }

    /// Where the message is among those on their way.
    pub fn find<'a>(&self, flights: impl Iterator<Item = &'a Envelope>) -> Option<usize> {
        let fitting = flights.enumerate().filter(|(_, other)| self.fits(other));
        fitting.map(|(index, _)| index).nth(self.nth)
    }

    fn fits(&self, envelope: &Envelope) -> bool {
        envelope.id.sender == self.from
            && envelope.to == self.to
            && envelope.message.instance() == self.instance
            && envelope.message.kind() == self.kind
    }
}

/// A run written down as a script, which does the same to any world.
#[derive(Clone, Debug, Default)]
pub struct Script {
    lines: Vec<String>,
}

impl Script {
    /// An empty script.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a remark.
    pub fn remark(&mut self, remark: &str) {
        self.lines.extend(remark.lines().map(|line| format!("# {line}")));
    }

    /// Adds a command.
    pub fn command(&mut self, command: impl fmt::Display) {
        self.lines.push(command.to_string());
    }

    /// Adds a proposal.
    pub fn propose(&mut self, at: ReplicaId, operations: &[Operation]) {
        match operations {
            [operation] => self.command(format_args!("{operation} @{at}")),
            operations => {
                let quoted: Vec<_> =
                    operations.iter().map(|operation| format!("\"{operation}\"")).collect();
                self.command(format_args!("batch {} @{at}", quoted.join(" ")));
            }
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The flags that give a cluster of the program this shape.
pub fn flags(shape: &Shape) -> String {
    let mut flags = format!("--replicas {}", shape.replicas());
    if !shape.options.thrifty {
        flags.push_str(" --no-thrifty");
    }
    if shape.options.reply_on == ReplyOn::Commit {
        flags.push_str(" --reply-on commit");
    }
    match shape.options.timeouts.recover {
        None => flags.push_str(" --recover-after never"),
        Some(after) => {
            write!(flags, " --recover-after {}ms", after.as_millis()).expect("a string takes all");
        }
    }
    let usual = Options::new(shape.options.id, shape.replicas());
    for (flag, value, usual) in [
        ("gossip-every", shape.options.gossip_every, usual.gossip_every),
        ("keep", shape.options.keep, usual.keep),
        ("keep-most", shape.options.keep_most, usual.keep_most),
        ("gossip-bytes", shape.options.gossip_bytes, usual.gossip_bytes),
        ("keep-bytes", shape.options.keep_bytes, usual.keep_bytes),
        ("keep-most-bytes", shape.options.keep_most_bytes, usual.keep_most_bytes),
    ] {
        if value != usual {
            write!(flags, " --{flag} {value}").expect("a string takes all");
        }
    }
    write!(flags, " --seed {}", shape.options.seed).expect("a string takes all");
    #[cfg(feature = "mutations")]
    if let Some(mutation) = shape.options.mutation {
        write!(flags, " --mutation {mutation}").expect("a string takes all");
    }
    flags
}
