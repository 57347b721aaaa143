//! Which messages are meant: what rules, scripts and lists go by.

use std::fmt;

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::message::{Envelope, MessageKind};

/// A description that messages meet or do not. What is left open meets everything. Written as it is
/// typed: `kind=Commit from=R0 to=R3 instance=R0.1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Only this kind.
    pub kind: Option<MessageKind>,
    /// Only from this replica.
    pub from: Option<ReplicaId>,
    /// Only to this replica.
    pub to: Option<ReplicaId>,
    /// Only about this instance.
    pub instance: Option<InstanceId>,
}

impl Filter {
    /// Whether the message meets the description.
    pub fn matches(&self, envelope: &Envelope) -> bool {
        let message = &envelope.message;
        self.kind.is_none_or(|kind| kind == message.kind())
            && self.from.is_none_or(|from| from == envelope.id.sender)
            && self.to.is_none_or(|to| to == envelope.to)
            && self.instance.is_none_or(|instance| instance == message.instance())
    }

    /// Whether nothing is described, so that every message is meant.
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut term = |name: &str, value: Option<String>| match value {
            Some(value) => {
                let result = write!(f, "{separator}{name}={value}");
                separator = " ";
                result
            }
            None => Ok(()),
        };
        term("kind", self.kind.map(|kind| kind.to_string()))?;
        term("from", self.from.map(|from| from.to_string()))?;
        term("to", self.to.map(|to| to.to_string()))?;
        term("instance", self.instance.map(|instance| instance.to_string()))
    }
}
