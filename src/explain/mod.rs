//! Why: questions about what can be seen, answered from the evidence that the log keeps.
//!
//! Every event says what brought it about ([`crate::epaxos::event`]); here that is followed back, and
//! told in one short paragraph, whose every clause points to what proves it. Nothing is guessed: where the
//! log has let go of an entry, the answer says so.
//!
//! [`question`] is what can be asked, [`answer`] what is answered, `facts.rs` how evidence is found and
//! `attempt.rs` whose answers a driver has; then one file a kind of question. [`sentence()`] tells one entry
//! of the log. Pure. An answer about an instance costs what is said of the instances involved, and a look
//! through a few thousand entries at most, however long the log is, so that a screen may ask for it whenever
//! it draws.

pub mod answer;
pub mod question;

mod attempt;
mod ballot;
mod dependency;
mod execution;
mod facts;
mod knowledge;
mod message;
mod noop;
mod order;
mod path;
mod phrase;
mod progress;
mod sentence;
mod seq;

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::explain::answer::{Answer, Telling};
use crate::explain::facts::Facts;
use crate::explain::question::{About, Question};
use crate::observe::view::View;

pub use crate::explain::sentence::sentence;

/// Answers a question from what can be seen. There always is an answer; it may be that nobody knows.
pub fn explain(view: &View, question: &Question) -> Answer {
    let question = question.settled(view);
    let facts = Facts(view);
    let mut telling = Telling::new(facts, question.at);
    if let Some(replica) = question.replicas().into_iter().find(|id| !facts.exists(*id)) {
        telling.say(format!("There is no {replica}."), None);
        return telling.answer(format!("What about {replica}?"));
    }
    let gone = |id: &InstanceId| facts.exists(id.replica) && facts.let_go(*id).next().is_some();
    if let Some(id) = question.instances().into_iter().find(gone) {
        let who: Vec<_> = facts.let_go(id).map(|at| at.to_string()).collect();
        telling.say(
            format!(
                "{id} is over: every replica that was not left behind has executed it. {} let go \
                 of it, and nothing more is known.",
                match who.as_slice() {
                    [only] => format!("{only} has"),
                    [others @ .., last] => format!("{} and {last} have", others.join(", ")),
                    [] => String::new(),
                }
            ),
            None,
        );
        return telling.answer(format!("What about {id}?"));
    }
    if let Some(id) = question.instances().into_iter().find(|id| !facts.is_known(*id)) {
        telling.say(format!("No replica has heard of {id}."), None);
        return telling.answer(format!("What about {id}?"));
    }
    let asked = match question.about {
        About::Instance(id) | About::Path(id) => path::tell(&mut telling, id),
        About::Dependency(id, on) => dependency::tell(&mut telling, id, on),
        About::Seq(id) => seq::tell(&mut telling, id),
        About::Executed(id) => execution::tell(&mut telling, id),
        About::Before(id, other) => order::tell(&mut telling, id, other),
        About::Ballot(id) => ballot::tell(&mut telling, id),
        About::Noop(id) => noop::tell(&mut telling, id),
        About::Message(id) => message::tell(&mut telling, id),
        About::Entry(id) => sentence::tell(&mut telling, id),
    };
    telling.answer(asked)
}

/// Whether anything has been said of an instance anywhere, so that questions about it have answers.
pub fn is_known(view: &View, instance: InstanceId) -> bool {
    let facts = Facts(view);
    facts.is_known(instance)
        || (facts.exists(instance.replica) && facts.let_go(instance).next().is_some())
}

/// Who is best asked about an instance where nobody in particular is: who knows most of it, the command
/// leader before others.
fn best_eyes(facts: Facts<'_>, id: InstanceId) -> ReplicaId {
    let known = facts.replicas().filter_map(|at| Some((facts.instance(at, id)?.phase, at)));
    let best = known.max_by_key(|(phase, at)| (*phase, *at == id.replica, std::cmp::Reverse(*at)));
    best.map_or(id.replica, |(_, at)| at)
}
