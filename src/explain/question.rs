//! What can be asked, and what suggests itself.

use std::fmt;

use crate::epaxos::command::Payload;
use crate::epaxos::id::{InstanceId, MessageId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::explain::facts::Facts;
use crate::observe::log::EntryId;
use crate::observe::view::View;

/// A question, written as it is typed after `why`: `R0.0 dep=R4.0 @R1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// What is asked.
    pub about: About,
    /// With whose eyes; those of whoever knows most where it is left out.
    pub at: Option<ReplicaId>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Whatever is most worth asking of an instance now.
    Instance(InstanceId),
    /// Why an instance was decided as it was: fast, slow, or by recovery. Or why it is not.
    Path(InstanceId),
    /// Why the first depends on the second, or why it does not.
    Dependency(InstanceId, InstanceId),
    /// Why it has the `seq` that it has.
    Seq(InstanceId),
    /// Why it is not executed, or when it was.
    Executed(InstanceId),
    /// Why the first is executed before the second, or after it.
    Before(InstanceId, InstanceId),
    /// Why it is in the ballot in which it is.
    Ballot(InstanceId),
    /// Why it is a no-op.
    Noop(InstanceId),
    /// What became of a message.
    Message(MessageId),
    /// What happened in an entry of the log.
    Entry(EntryId),
}

impl Question {
    /// A question with the eyes of whoever knows most.
    pub fn new(about: About) -> Self {
        Self { about, at: None }
    }

    /// The question that suggests itself for an instance: why it is not executed where it should be; why
    /// it is a no-op; or why it was decided as it was.
    pub fn suggested(view: &View, id: InstanceId, at: Option<ReplicaId>) -> Self {
        let facts = Facts(view);
        let about = |about| Self { about, at };
        let Some((_, decided)) = facts.decision(id) else {
            return about(if at.is_none() { About::Path(id) } else { About::Executed(id) });
        };
        let committed =
            |at| facts.instance(at, id).is_some_and(|known| known.phase == Phase::Committed);
        let missing = match at {
            Some(at) => !facts.is_executed(at, id),
            // Who is down, or has not been told yet, has nothing to wonder about.
            None => facts.replicas().any(|at| facts.replica(at).up && committed(at)),
        };
        about(match decided.payload {
            _ if missing => About::Executed(id),
            Payload::Noop => About::Noop(id),
            Payload::Commands(_) => About::Path(id),
        })
    }

    /// Every question that has something to it for an instance, the one that suggests itself first.
    pub fn all(view: &View, id: InstanceId, at: Option<ReplicaId>) -> Vec<Self> {
        let facts = Facts(view);
        let mut abouts = vec![Self::suggested(view, id, at).about, About::Path(id), About::Seq(id)];
        let eyes = at.unwrap_or_else(|| super::best_eyes(facts, id));
        if let Some(known) = facts.instance(eyes, id) {
            abouts.extend(known.attributes.deps.iter().map(|on| About::Dependency(id, on)));
        }
        abouts.push(About::Executed(id));
        if facts.ballot(eyes, id).is_some_and(|(ballot, _)| !ballot.is_initial()) {
            abouts.push(About::Ballot(id));
        }
        let mut questions: Vec<Self> = Vec::new();
        for question in abouts.into_iter().map(|about| Self { about, at }) {
            if !questions.contains(&question) {
                questions.push(question);
            }
        }
        questions
    }

    /// The same question, or the one that it comes to.
    pub(super) fn settled(self, view: &View) -> Self {
        match self.about {
            About::Instance(id) if Facts(view).exists(id.replica) => {
                Self::suggested(view, id, self.at)
            }
            _ => self,
        }
    }

    /// The instances that are named.
    pub fn instances(&self) -> Vec<InstanceId> {
        match self.about {
            About::Instance(id)
            | About::Path(id)
            | About::Seq(id)
            | About::Executed(id)
            | About::Ballot(id)
            | About::Noop(id) => vec![id],
            About::Dependency(id, other) | About::Before(id, other) => vec![id, other],
            About::Message(_) | About::Entry(_) => vec![],
        }
    }

    /// The replicas that are named, in whatever name.
    pub fn replicas(&self) -> Vec<ReplicaId> {
        let rows = self.instances().into_iter().map(|id| id.replica);
        let sender = match self.about {
            About::Message(id) => Some(id.sender),
            _ => None,
        };
        rows.chain(sender).chain(self.at).collect()
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.about {
            About::Instance(id) => write!(f, "{id}"),
            About::Path(id) => write!(f, "{id} path"),
            About::Dependency(id, on) => write!(f, "{id} dep={on}"),
            About::Seq(id) => write!(f, "{id} seq"),
            About::Executed(id) => write!(f, "{id} executed"),
            About::Before(id, other) => write!(f, "{id} before={other}"),
            About::Ballot(id) => write!(f, "{id} ballot"),
            About::Noop(id) => write!(f, "{id} noop"),
            About::Message(id) => write!(f, "{id}"),
            About::Entry(id) => write!(f, "entry={id}"),
        }?;
        self.at.map_or(Ok(()), |at| write!(f, " @{at}"))
    }
}
