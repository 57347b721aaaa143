//! What happened in one entry of the log, in one sentence that a class can read aloud.

use crate::epaxos::attributes::Attributes;
use crate::epaxos::command::{Outcome, Payload};
use crate::epaxos::event::{Applied, Cause, Event, Rule, StatusChange, Timer, TimerKind};
use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::epaxos::message::{Envelope, Message, MessageKind, RecoverReply, ValidateReply};
use crate::explain::answer::{Link, Telling};
use crate::explain::facts::{Facts, sent};
use crate::explain::message::why_ignored;
use crate::explain::phrase::{line, many, names, short};
use crate::observe::log::{Entry, EntryId};
use crate::observe::notice::{Decision, Effect};
use crate::observe::view::View;

/// One sentence on what happened in an entry of the log.
pub fn sentence(view: &View, entry: &Entry) -> String {
    line(match &entry.step.decision {
        Decision::Drop(envelope) if !was_up(view, entry) => {
            format!("{} is lost, since {} is down.", thing(envelope), envelope.to)
        }
        Decision::Drop(envelope) => format!("{} is dropped.", thing(envelope)),
        Decision::Lose(envelope) => {
            format!("{} is given up by {}.", thing(envelope), entry.step.replica)
        }
        Decision::Duplicate(envelope, copy) => {
            format!("{} is doubled; the copy is called {copy}.", thing(envelope))
        }
        Decision::Crash => {
            format!("{} crashes: it keeps what is durable and loses the rest.", entry.step.replica)
        }
        Decision::Panic(why) => format!(
            "The program of {} fails, and {} is down: {}.",
            entry.step.replica,
            entry.step.replica,
            why.trim_end_matches('.')
        ),
        Decision::Show(sight) => format!(
            "{} is seen again: {} steps of it went unseen, since more happened than could be looked at.",
            entry.step.replica, sight.unseen
        ),
        Decision::Propose(_) | Decision::Deliver(_) | Decision::Wake | Decision::Restart => {
            Sentence::of(Facts(view), entry).text()
        }
    })
}

/// Tells an entry, and returns the question.
pub(super) fn tell(telling: &mut Telling<'_>, id: EntryId) -> String {
    let view = telling.facts.0;
    let question = format!("What happened at #{id}?");
    let Some(entry) = view.log.get(id) else {
        let text = if id >= view.log.len() {
            match view.log.len() {
                1 => "Nothing yet: there has been 1 entry so far.".to_owned(),
                entries => format!("Nothing yet: there have been {entries} entries so far."),
            }
        } else {
            "The log has let go of it.".to_owned()
        };
        telling.say(text, None);
        return question;
    };
    telling.say(sentence(view, entry), Link::Entry(id));
    if let Some(cause) = entry.cause {
        telling.say(format!("The message was sent at #{cause}."), Link::Entry(cause));
    }
    question
}

/// Whether the replica of an entry was up when it came to pass.
fn was_up(view: &View, entry: &Entry) -> bool {
    super::ballot::crashed(Facts(view), entry.step.replica, entry.id).is_none()
}

/// A message as the subject of a sentence.
fn thing(envelope: &Envelope) -> String {
    let Envelope { id, to, message } = envelope;
    let (kind, about) = (message.kind(), message.instance());
    format!("{id}, the {kind} of {about} from {} to {to},", id.sender)
}

/// A sentence in the making: what the replica does, one thing after the other.
struct Sentence<'a> {
    facts: Facts<'a>,
    entry: &'a Entry,
    parts: Vec<String>,
}

impl<'a> Sentence<'a> {
    fn of(facts: Facts<'a>, entry: &'a Entry) -> Self {
        let mut sentence = Self { facts, entry, parts: Vec::new() };
        let ignored = entry.events().any(|event| matches!(event, Event::Ignored { .. }));
        match &entry.step.decision {
            Decision::Deliver(envelope) if !ignored => sentence.hear(envelope),
            Decision::Restart => sentence.say("comes back with what was durable".to_owned()),
            _ => {}
        }
        for event in entry.events() {
            sentence.tell(event);
        }
        sentence.reply();
        if sentence.parts.len() == 1
            && let Decision::Deliver(envelope) = &entry.step.decision
            && !ignored
            && answers(envelope.message.kind())
        {
            sentence.say("waits for more".to_owned());
        }
        sentence
    }

    fn say(&mut self, part: String) {
        self.parts.push(part);
    }

    fn text(mut self) -> String {
        let at = self.entry.step.replica;
        // Several timers of one step, or a search that set many free, are not all told.
        if self.parts.len() > PARTS {
            let more = self.parts.len() - PARTS;
            self.parts.truncate(PARTS);
            self.say(format!("does {}", many(more, "more thing")));
        }
        match self.parts.as_slice() {
            [] => match self.entry.step.decision {
                Decision::Propose(_) => format!("{at} is asked for nothing new."),
                Decision::Wake => format!("{at} wakes, and no timer is due."),
                _ => format!("{at} takes note."),
            },
            [only] => format!("{at} {only}."),
            [first, second] if ![",", " that "].iter().any(|it| first.contains(it)) => {
                format!("{at} {first} and {second}.")
            }
            [firsts @ .., last] => format!("{at} {}, and {last}.", firsts.join(", ")),
        }
    }

    /// What a message says, where no event does.
    fn hear(&mut self, envelope: &Envelope) {
        let from = envelope.id.sender;
        let id = envelope.message.instance();
        let part = match &envelope.message {
            Message::PreAccept(_) | Message::Accept(_) | Message::Commit(_) => return,
            Message::Recover(recover) => {
                let joins = self.entry.events().any(|event| matches!(event, Event::Joined { .. }));
                if !joins {
                    self.say(format!("is already in {}", recover.ballot));
                }
                return;
            }
            Message::PreAcceptReply(reply) => {
                let proposal = self.facts.proposal(id).map(|proposed| *proposed.what);
                let how = match proposal {
                    Some(proposal) if proposal == reply.attributes => {
                        "which is exactly what it proposed".to_owned()
                    }
                    Some(proposal) => differs(&proposal, &reply.attributes),
                    None => format!("{}", reply.attributes),
                };
                format!("counts {from}'s answer about {id}, {how}")
            }
            Message::AcceptReply(_) => format!("counts {from}'s vote for {id}"),
            Message::RecoverReply(reply) => {
                format!("hears from {from} that it {}", has(reply, id))
            }
            Message::Validate(_) => {
                self.say(format!("takes note of what {} proposed as {id}", id.replica));
                let reply = sent(self.entry).find_map(|envelope| match &envelope.message {
                    Message::ValidateReply(reply) => Some(reply),
                    _ => None,
                });
                let Some(reply) = reply else { return };
                format!("tells {from} that {} against a fast commit", speaks(reply))
            }
            Message::ValidateReply(reply) => {
                format!("hears from {from} that {} against a fast commit of {id}", speaks(reply))
            }
            Message::Waiting(waiting) => format!(
                "hears from {from} that its recovery of {id} waits, with {}",
                many(waiting.holders, "holder")
            ),
            Message::Executed(message) => {
                format!("hears from {from} that it has executed all of {}", message.executed)
            }
            Message::Fetch(message) => {
                format!(
                    "is asked by {from} for what was decided from {id} to slot {}",
                    message.until
                )
            }
            Message::Gone(_) => format!("hears from {from} that it no longer has {id}"),
            Message::Nack(nack) => {
                format!("hears from {from} of ballot {}, higher than its own for {id}", nack.ballot)
            }
        };
        self.say(part);
    }

    fn tell(&mut self, event: &Event) {
        match event {
            Event::Proposed { instance, commands, attributes, instead_of } => {
                let payload = short(&Payload::Commands(commands.clone()));
                let again = match instead_of {
                    Some(noop) => {
                        format!("proposes {payload} again, as {instance} instead of {noop}")
                    }
                    None => format!("proposes {payload} as {instance}"),
                };
                self.say(format!("{again}, {}", after(attributes)));
                self.ask(*instance, MessageKind::PreAccept, "to pre-accept it");
            }
            Event::Repeated { request } => {
                self.say(format!("has had the request {request} before, and proposes nothing"));
            }
            Event::Status(change) => self.change(change),
            Event::Blocked { instance, on, unseen, .. } => {
                let unseen = if *unseen { ", of which it has never heard" } else { "" };
                self.say(format!(
                    "cannot execute {instance} before it knows the decision on {on}{unseen}"
                ));
            }
            Event::Recovering { instance, ballot } => {
                self.say(format!(
                    "asks all others to join {ballot}, in which it recovers {instance}"
                ));
            }
            Event::Joined { instance, ballot } => {
                self.say(format!(
                    "joins {ballot}, in which {} recovers {instance}",
                    ballot.replica
                ));
                let reply = sent(self.entry).find_map(|envelope| match &envelope.message {
                    Message::RecoverReply(reply) => Some((envelope.to, reply)),
                    _ => None,
                });
                if let Some((to, reply)) = reply {
                    self.say(format!("tells {to} that it {}", has(reply, *instance)));
                }
            }
            Event::Ruled { instance, rule } => {
                self.say(format!("finds by rule {} that {}", rule.name(), finding(*rule)));
                match rule {
                    Rule::R4 => {
                        self.ask(
                            *instance,
                            MessageKind::Validate,
                            "what speaks against a fast commit",
                        );
                    }
                    Rule::V4 => self.say("waits for what becomes of those".to_owned()),
                    _ => {}
                }
            }
            Event::LetGo { .. } | Event::LeftBehind { .. } | Event::CaughtUp => {
                self.tell_what_is_over(event);
            }
            Event::TimerFired(timer) => self.fire(*timer),
            Event::Ignored { from, kind, instance, reason } => {
                let why = why_ignored(self.facts, self.entry, *reason);
                self.say(format!("ignores {from}'s {kind} of {instance}: {why}"));
            }
            Event::Executed { instance, .. } => self.execute(*instance),
            Event::Searched { .. } => {}
        }
    }

    fn tell_what_is_over(&mut self, event: &Event) {
        match event {
            Event::LetGo { upto, without } => {
                let who = if without.is_empty() {
                    "everybody has".to_owned()
                } else {
                    format!("a majority has, and goes on without {without}")
                };
                self.say(format!("lets go of {upto} and all before, as far as {who} executed it"));
            }
            Event::LeftBehind { by, instance } => self.say(format!(
                "has missed {instance}, which {by} no longer has: it takes no part any more until the \
                 whole cluster is restarted"
            )),
            Event::CaughtUp => self.say("has executed after all what it had missed".to_owned()),
            _ => {}
        }
    }

    fn change(&mut self, change: &StatusChange) {
        let id = change.instance;
        let what = format!("{id} ({})", short(&change.payload));
        match &change.cause {
            Cause::Proposed => {}
            Cause::PreAccept { from, proposal } => {
                self.say(format!("pre-accepts {what}"));
                let answer = if *proposal == change.after {
                    format!("answers {from} exactly what it proposed")
                } else {
                    let more = change.after.deps.iter();
                    let more = more.filter(|other| !proposal.deps.contains(*other));
                    answer(*from, &more.collect::<Vec<_>>(), proposal, &change.after)
                };
                self.say(answer);
            }
            Cause::FastQuorum { equal } => {
                self.say(format!(
                    "commits {what} on the fast path, since {} hold what it proposed",
                    names(equal.iter())
                ));
            }
            Cause::SlowPath { timed_out, .. } => {
                if !timed_out {
                    self.say("finds that no fast quorum can hold its proposal".to_owned());
                }
                let what = format!("to accept {}, all that was answered", change.after);
                self.ask(id, MessageKind::Accept, &what);
            }
            Cause::Accept { from } if change.payload == Payload::Noop => {
                self.say(format!("votes for {id} to be a no-op, as {from} asks"));
            }
            Cause::Accept { from } => {
                self.say(format!("votes for {what} with {}, as {from} asks", change.after));
            }
            Cause::SlowQuorum { accepted } => {
                let voters = names(accepted.iter());
                self.say(format!("commits {what} on the slow path, with the votes of {voters}"));
            }
            Cause::Recovery(_) if change.payload == Payload::Noop => {
                self.ask(id, MessageKind::Accept, &format!("to accept a no-op for {id}"));
            }
            Cause::Recovery(_) => {
                self.ask(
                    id,
                    MessageKind::Accept,
                    &format!("to accept {what} with {}", change.after),
                );
            }
            Cause::RecoveryQuorum { accepted } => {
                let voters = names(accepted.iter());
                self.say(format!("commits {what}, which it recovered, with the votes of {voters}"));
            }
            Cause::Committed { from, path } => {
                self.say(format!(
                    "learns from {from} that {what} is committed, by the {path} path"
                ));
            }
        }
    }

    fn fire(&mut self, timer: Timer) {
        let id = timer.instance;
        match timer.kind {
            TimerKind::FastPath => self.say(format!("waits no longer for a fast quorum for {id}")),
            TimerKind::Resend => {
                self.say(format!("has waited too long for answers about {id}"));
                let again = sent(self.entry).filter(|it| it.message.instance() == id);
                let again: Vec<_> = again.map(|envelope| envelope.to).collect();
                let mut events = self.entry.events();
                // Where it begins anew, that is what it asks for.
                let anew = events.any(
                    |event| matches!(event, Event::Recovering { instance, .. } if *instance == id),
                );
                if !again.is_empty() && !anew {
                    self.say(format!("asks {} again", names(again)));
                }
            }
            TimerKind::Recover => self.say(format!("has waited too long for a decision on {id}")),
        }
    }

    /// Says whom the entry asks for something.
    fn ask(&mut self, id: InstanceId, kind: MessageKind, what: &str) {
        let asked = sent(self.entry).filter(|envelope| {
            envelope.message.kind() == kind && envelope.message.instance() == id
        });
        let asked: Vec<_> = asked.map(|envelope| envelope.to).collect();
        if !asked.is_empty() {
            self.say(format!("asks {} {what}", names(asked)));
        }
    }

    /// Says what the step executes, all of it where the first one is told.
    fn execute(&mut self, id: InstanceId) {
        // All are told with the first. One commit can let thousands execute.
        let first = self.entry.events().find_map(|event| match event {
            Event::Executed { instance, .. } => Some(*instance),
            _ => None,
        });
        if first != Some(id) {
            return;
        }
        let executed = self.entry.events().filter_map(|event| match event {
            Event::Executed { instance, payload, results, component, .. } => {
                Some((*instance, payload, results, component))
            }
            _ => None,
        });
        let executed: Vec<_> = executed.collect();
        let part = match executed.as_slice() {
            [] => return,
            [(id, payload, results, _)] => {
                format!("executes {id} ({}){}", short(payload), came(results))
            }
            [(.., component), ..] if component.len() == executed.len() => format!(
                "executes {}, which depend on each other, in this order",
                names(executed.iter().map(|(id, ..)| id))
            ),
            many => format!("executes {}", names(many.iter().map(|(id, ..)| id))),
        };
        self.say(part);
    }

    fn reply(&mut self) {
        let replies = self.entry.step.effects.iter();
        match replies.filter(|effect| matches!(effect, Effect::Reply(_))).count() {
            0 => {}
            1 => self.say("answers the client".to_owned()),
            count => self.say(format!("answers {}", many(count, "client"))),
        }
    }
}

/// What a rule found, where the sentence has not said of what.
fn finding(rule: Rule) -> &'static str {
    match rule {
        Rule::W1 => "an instance that spoke against it was committed without it",
        Rule::W2 => "all that spoke against it was committed to come after it, or as a no-op",
        Rule::W3 => "an instance that speaks against it has too many holders",
        Rule::W4 => "a late answer makes it plain",
        other => other.finding(),
    }
}

/// Whether a message answers something, of which there may be more to come.
fn answers(kind: MessageKind) -> bool {
    matches!(
        kind,
        MessageKind::PreAcceptReply
            | MessageKind::AcceptReply
            | MessageKind::RecoverReply
            | MessageKind::ValidateReply
    )
}

/// An answer to a PreAccept that is more than was proposed.
fn answer(
    to: ReplicaId,
    more: &[InstanceId],
    proposal: &Attributes,
    answer: &Attributes,
) -> String {
    match more {
        [] => format!(
            "answers {to} that its seq is {}, not {}, after what it saw",
            answer.seq, proposal.seq
        ),
        more => format!("answers {to} that it also depends on {}, which it saw first", names(more)),
    }
}

/// How an answer differs from a proposal.
fn differs(proposal: &Attributes, answer: &Attributes) -> String {
    let more: Vec<_> = answer.deps.iter().filter(|other| !proposal.deps.contains(*other)).collect();
    match more.as_slice() {
        [] => format!("which has seq={} where it proposed {}", answer.seq, proposal.seq),
        more => format!("which also names {}", names(more)),
    }
}

fn after(attributes: &Attributes) -> String {
    let deps: Vec<_> = attributes.deps.iter().collect();
    match deps.as_slice() {
        [] => "knowing nothing that interferes".to_owned(),
        deps => format!("to come after {}", names(deps)),
    }
}

/// What a replica that joined a recovery has, as the rest of a sentence about it.
fn has(reply: &RecoverReply, id: InstanceId) -> String {
    let unchanged =
        reply.initial.as_ref().is_some_and(|initial| initial.attributes == reply.attributes);
    match (reply.phase, &reply.payload) {
        (Phase::Accepted, Some(Payload::Noop)) => {
            format!("voted for {id} to be a no-op in {}", reply.accepted_ballot)
        }
        (Phase::Accepted, _) => {
            format!("voted for {} of {id} in {}", reply.attributes, reply.accepted_ballot)
        }
        (Phase::PreAccepted, _) if unchanged => format!("holds {id} exactly as it was proposed"),
        (Phase::PreAccepted, _) => format!("holds {id} with more than was proposed"),
        _ => format!("has never pre-accepted {id}"),
    }
}

fn speaks(reply: &ValidateReply) -> String {
    let conflicts: Vec<_> = reply.conflicts.iter().map(|conflict| conflict.instance).collect();
    match conflicts.as_slice() {
        [] => "nothing speaks".to_owned(),
        [only] => format!("{only} speaks"),
        several => format!("{} speak", names(several)),
    }
}

/// What the commands of an instance came to.
fn came(results: &[Applied]) -> String {
    let outcomes = results.iter().map(|result| match result {
        Applied { outcome: Outcome::Unknown, .. } => {
            "no effect, since it may have had one too long ago to be remembered".to_owned()
        }
        Applied { outcome, repeated: true, .. } => format!("{outcome}, as it did before"),
        Applied { outcome, .. } => outcome.to_string(),
    });
    let plain = |result: &Applied| result.outcome == Outcome::Written && !result.repeated;
    match results {
        // That a write is done goes without saying.
        results if results.iter().all(plain) => String::new(),
        _ => format!(", which gives {}", names(outcomes)),
    }
}

/// How many things a replica does in one sentence.
const PARTS: usize = 6;
