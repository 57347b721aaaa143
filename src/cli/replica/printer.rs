//! What a replica prints of the messages that it sends, with `--debug`.

use std::fmt::Write;

use crate::cli::outlet::Outlet;
use crate::epaxos::message::Envelope;
use crate::observe::notice::{Effect, Step};

/// Prints a line for each message.
#[derive(Debug)]
pub struct Printer {
    out: Outlet,
    /// 0 for nothing, 1 for kind and destination, 2 for the instance and its attributes, too.
    debug: u8,
    /// The length of dependency vectors.
    replicas: usize,
}

impl Printer {
    /// A printer onto `out`, for a cluster of `replicas`.
    pub fn new(out: Outlet, debug: u8, replicas: usize) -> Self {
        Self { out, debug, replicas }
    }

    /// Prints what was sent in a step.
    pub fn print(&mut self, step: &Step) {
        if self.debug == 0 {
            return;
        }
        let (mut text, mut lines) = (String::new(), 0);
        for effect in &step.effects {
            if let Effect::Send(envelope) = effect {
                self.write(&mut text, envelope);
                lines += 1;
            }
        }
        self.out.print(text, lines);
    }

    fn write(&self, text: &mut String, envelope: &Envelope) {
        let Envelope { id, to, message } = envelope;
        let written = if self.debug == 1 {
            writeln!(text, "{} → {to} {}", id.sender, message.kind())
        } else {
            let attributes = message.attributes().map_or(String::new(), |attributes| {
                let deps = attributes.deps.vector(self.replicas);
                let deps: Vec<_> = deps.iter().map(ToString::to_string).collect();
                format!(" seq={} deps=[{}]", attributes.seq, deps.join(" "))
            });
            let (kind, instance) = (message.kind(), message.instance());
            writeln!(text, "{} → {to} {kind} {instance}{attributes}", id.sender)
        };
        written.expect("a string grows");
    }
}
