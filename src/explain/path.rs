//! Why an instance was decided as it was.

use crate::epaxos::event::{Cause, Rule};
use crate::epaxos::id::InstanceId;
use crate::epaxos::instance::Path;
use crate::epaxos::quorum::ReplicaSet;
use crate::explain::answer::{Link, Telling};
use crate::explain::facts::Changed;
use crate::explain::knowledge::why_differs;
use crate::explain::phrase::{named, names};
use crate::explain::{ballot, noop, progress};

/// Tells it, and returns the question.
pub(super) fn tell(telling: &mut Telling<'_>, id: InstanceId) -> String {
    let named = named(telling.facts, id);
    match telling.facts.path(id) {
        None => {
            progress::undecided(telling, id);
            format!("Why is {named} not decided yet?")
        }
        Some(Path::Fast) => {
            fast(telling, id);
            format!("Why did {named} take the fast path?")
        }
        Some(Path::Slow) => {
            slow(telling, id);
            format!("Why did {named} take the slow path?")
        }
        Some(Path::Recovery) => {
            recovered(telling, id);
            format!("Why was {named} decided by recovery?")
        }
    }
}

fn fast(telling: &mut Telling<'_>, id: InstanceId) {
    let facts = telling.facts;
    let leader = id.replica;
    let quorum = facts.0.shape.options.quorums.fast();
    let Some((count, equal)) = facts.count(id).and_then(|count| match &count.what.cause {
        Cause::FastQuorum { equal } => Some((count, *equal)),
        _ => None,
    }) else {
        let text = format!("A fast quorum held exactly what {leader} proposed.");
        telling.say(text, Link::Instance(id, None));
        telling.say("The log has let go of who that was.".to_owned(), None);
        return;
    };
    let text = format!(
        "{} held exactly what {leader} proposed, {}, and a fast quorum takes {quorum}.",
        names(equal.iter()),
        count.what.after,
    );
    telling.say(text, Link::Entry(count.id()));
    let others = equal.without(ReplicaSet::from_iter([leader]));
    let text = format!("{} had nothing to add to it.", names(others.iter()));
    let answered = others.iter().find_map(|at| facts.change(at, id, is_pre_accept));
    telling.say(text, answered.map(|answered| Link::Entry(answered.id())));
}

fn is_pre_accept(change: &crate::epaxos::event::StatusChange) -> bool {
    matches!(change.cause, Cause::PreAccept { .. })
}

fn slow(telling: &mut Telling<'_>, id: InstanceId) {
    let facts = telling.facts;
    let leader = id.replica;
    let Some(slow) = facts.slow(id) else {
        let text = format!("{leader} had a majority vote, since no fast quorum held its proposal.");
        telling.say(text, Link::Instance(id, None));
        telling.say("The log has let go of the answers that it had.".to_owned(), None);
        return;
    };
    let differs = gave_up(telling, id, slow);
    if let Some(count) = facts.count(id)
        && let Cause::SlowQuorum { accepted } = &count.what.cause
    {
        let union = if differs { "the union of the answers" } else { "the proposal" };
        let text = format!(
            "So {leader} had {} vote for {union}, {}.",
            names(accepted.iter().filter(|voter| *voter != leader)),
            slow.what.after,
        );
        telling.say(text, Link::Entry(count.id()));
    }
}

/// Tells why the leader gave up the fast path. Returns whether any answer differed from the proposal.
pub(super) fn gave_up(telling: &mut Telling<'_>, id: InstanceId, slow: Changed<'_>) -> bool {
    let Cause::SlowPath { votes, timed_out } = &slow.what.cause else { return false };
    let Some((leader, proposal)) = votes.first() else { return false };
    let facts = telling.facts;
    let proposed = facts.proposal(id).map(|proposed| Link::Entry(proposed.id()));
    telling.say(format!("{leader} proposed {proposal}."), proposed);
    let differ: Vec<_> = votes.iter().filter(|(_, vote)| vote != proposal).collect();
    for (voter, vote) in &differ {
        let (why, link) = why_differs(facts, *voter, id, proposal, vote);
        telling.say(format!("{voter} answered {vote}, since {why}."), link);
    }
    let equal = votes.iter().filter(|(_, vote)| vote == proposal).map(|(voter, _)| *voter);
    let quorum = facts.0.shape.options.quorums.fast();
    let text = if *timed_out {
        format!(
            "When the fast-path timer fired, only {} held the proposal, and a fast quorum takes {quorum}.",
            names(equal)
        )
    } else {
        format!("That left no fast quorum of {quorum} that could hold exactly the proposal.")
    };
    telling.say(text, Link::Entry(slow.id()));
    !differ.is_empty()
}

fn recovered(telling: &mut Telling<'_>, id: InstanceId) {
    let facts = telling.facts;
    let count = facts.count(id).and_then(|count| match &count.what.cause {
        Cause::RecoveryQuorum { accepted } => Some((count, *accepted)),
        _ => None,
    });
    let Some((count, accepted)) = count else {
        let text = "Another replica than its leader finished it.".to_owned();
        telling.say(text, Link::Instance(id, None));
        telling.say("The log has let go of who did, and how.".to_owned(), None);
        return;
    };
    let (recoverer, ballot) = (count.at(), count.what.ballot);
    ballot::set_out(telling, id, ballot);
    noop::found(telling, id, recoverer, ballot);
    let others = accepted.iter().filter(|voter| *voter != recoverer);
    let text = format!("{} voted for that with {recoverer}.", names(others));
    telling.say(text, Link::Entry(count.id()));
}

/// What a rule comes to where a recovery ends with a proposal of the command leader, or a vote.
pub(super) fn upheld(rule: Rule, id: InstanceId) -> String {
    let leader = id.replica;
    let held =
        format!("enough replicas held what {leader} proposed for a fast commit to be possible");
    match rule {
        Rule::R2 => {
            "somebody had voted for it in the highest ballot in which anybody had, so it may have \
                     been decided already"
                .to_owned()
        }
        Rule::V1 => format!("{held}, and nothing known spoke against one"),
        Rule::W2 => format!(
            "{held}, and all that spoke against one was decided in the end as a no-op, or to come after it"
        ),
        Rule::W4 => "a replica that answered late had voted for it".to_owned(),
        other => other.finding().to_owned(),
    }
}
