//! The messages about what is over: who has executed it, who asks for it, who no longer has it.

use super::{Dialect, Refusal, SLOT_LIMIT, within};
use crate::epaxos::message::{Executed, Fetch, Gone};
use crate::net::wire;

impl Dialect {
    pub(super) fn executed(self, message: &wire::Executed) -> Result<Executed, Refusal> {
        Ok(Executed {
            instance: self.instance(message.instance)?,
            executed: self.prefixes(&message.executed)?,
        })
    }

    pub(super) fn fetch(self, message: wire::Fetch) -> Result<Fetch, Refusal> {
        Ok(Fetch {
            instance: self.instance(message.instance)?,
            until: within("slot", message.until, SLOT_LIMIT)?,
        })
    }

    pub(super) fn gone(self, message: &wire::Gone) -> Result<Gone, Refusal> {
        Ok(Gone {
            instance: self.instance(message.instance)?,
            let_go: self.prefixes(&message.let_go)?,
        })
    }

    pub(super) fn write_executed(self, message: &Executed) -> wire::Executed {
        let instance = Some(message.instance.into());
        wire::Executed { instance, executed: message.executed.vector(self.replicas) }
    }

    pub(super) fn write_gone(self, message: &Gone) -> wire::Gone {
        let instance = Some(message.instance.into());
        wire::Gone { instance, let_go: message.let_go.vector(self.replicas) }
    }
}

impl From<Fetch> for wire::Fetch {
    fn from(message: Fetch) -> Self {
        Self { instance: Some(message.instance.into()), until: message.until }
    }
}
