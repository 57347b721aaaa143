//! What is checked: the part of what happens that the properties speak of.

use std::sync::Arc;

use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::{Command, Outcome, Payload};
use crate::epaxos::event::{Applied, Event};
use crate::epaxos::id::{Ballot, InstanceId};
use crate::epaxos::instance::{Path, Phase, Proposal};
use crate::epaxos::message::Message;
use crate::epaxos::quorum::ReplicaSet;
use crate::observe::notice::{Decision, Effect, Step};

/// One thing that a replica did or that was done to it, as a step tells it or a line of a trace.
#[derive(Clone, Copy, Debug)]
pub enum Fact<'a> {
    /// It lost all but what is durable.
    Crashed,
    /// It came back.
    Restarted,
    /// It made an instance of client commands.
    Led {
        /// The instance.
        instance: InstanceId,
        /// What its clients asked for.
        commands: &'a Arc<[Command]>,
        /// Whether this takes the place of an instance that became a no-op.
        again: bool,
    },
    /// It joined a ballot, its own or another one's.
    Joined {
        /// The instance.
        instance: InstanceId,
        /// The ballot.
        ballot: Ballot,
    },
    /// It recorded something for an instance.
    Recorded(Record<'a>),
    /// It asked others to record its proposal.
    AskedToPreAccept {
        /// The instance.
        instance: InstanceId,
        /// The commands.
        payload: &'a Payload,
        /// The leader's attributes.
        attributes: Attributes,
    },
    /// It told others what the leader first proposed: in answer to a recoverer, or as one.
    Quoted {
        /// The instance.
        instance: InstanceId,
        /// The leader's proposal.
        proposal: &'a Proposal,
    },
    /// It asked others for their vote.
    AskedToAccept {
        /// The instance.
        instance: InstanceId,
        /// The ballot.
        ballot: Ballot,
        /// What to vote for.
        payload: &'a Payload,
        /// What to vote for.
        attributes: Attributes,
    },
    /// It executed an instance.
    Executed {
        /// The instance.
        instance: InstanceId,
        /// What it carried.
        payload: &'a Payload,
        /// What each of its commands came to.
        results: &'a [Applied],
        /// The component it was executed in.
        component: &'a [InstanceId],
    },
    /// It let go of the beginning of each row.
    LetGo {
        /// Up to where.
        upto: &'a Dependencies,
        /// Who has not executed all of it.
        without: ReplicaSet,
    },
    /// It answered a client.
    Replied {
        /// What was asked.
        command: &'a Command,
        /// The answer.
        outcome: &'a Outcome,
    },
}

/// An instance as a replica has it from now on.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The instance.
    pub instance: InstanceId,
    /// How far it has come there.
    pub phase: Phase,
    /// The ballot joined.
    pub ballot: Ballot,
    /// What it carries.
    pub payload: &'a Payload,
    /// Where it stands relative to others.
    pub attributes: Attributes,
    /// How it was decided, where it was.
    pub path: Option<Path>,
}

impl<'a> Fact<'a> {
    /// The instance that is being decided, where it is about that.
    pub fn deciding(&self) -> Option<InstanceId> {
        match self {
            Fact::Led { instance, .. }
            | Fact::Joined { instance, .. }
            | Fact::AskedToPreAccept { instance, .. }
            | Fact::Quoted { instance, .. }
            | Fact::AskedToAccept { instance, .. } => Some(*instance),
            Fact::Recorded(record) => Some(record.instance),
            Fact::Crashed
            | Fact::Restarted
            | Fact::Executed { .. }
            | Fact::LetGo { .. }
            | Fact::Replied { .. } => None,
        }
    }

    /// What a step tells, in order.
    pub fn of(step: &'a Step) -> impl Iterator<Item = Fact<'a>> {
        let decision = match step.decision {
            Decision::Crash | Decision::Panic(_) => Some(Fact::Crashed),
            Decision::Restart => Some(Fact::Restarted),
            _ => None,
        };
        decision.into_iter().chain(step.effects.iter().filter_map(Fact::of_effect))
    }

    fn of_effect(effect: &'a Effect) -> Option<Fact<'a>> {
        match effect {
            Effect::Send(envelope) => Fact::of_message(&envelope.message),
            Effect::Reply(reply) => {
                Some(Fact::Replied { command: &reply.command, outcome: &reply.outcome })
            }
            Effect::Event(event) => Fact::of_event(event),
        }
    }

    fn of_message(message: &'a Message) -> Option<Fact<'a>> {
        match message {
            Message::PreAccept(message) => Some(Fact::AskedToPreAccept {
                instance: message.instance,
                payload: &message.payload,
                attributes: message.attributes,
            }),
            Message::Accept(message) => Some(Fact::AskedToAccept {
                instance: message.instance,
                ballot: message.ballot,
                payload: &message.payload,
                attributes: message.attributes,
            }),
            Message::Validate(message) => {
                Some(Fact::Quoted { instance: message.instance, proposal: &message.proposal })
            }
            Message::RecoverReply(message) => {
                let instance = message.instance;
                message.initial.as_ref().map(|proposal| Fact::Quoted { instance, proposal })
            }
            _ => None,
        }
    }

    fn of_event(event: &'a Event) -> Option<Fact<'a>> {
        match event {
            Event::Status(change) => Some(Fact::Recorded(Record {
                instance: change.instance,
                phase: change.to,
                ballot: change.ballot,
                payload: &change.payload,
                attributes: change.after,
                path: change.path(),
            })),
            Event::Executed { instance, payload, results, component, .. } => {
                Some(Fact::Executed { instance: *instance, payload, results, component })
            }
            Event::Proposed { instance, commands, instead_of, .. } => {
                Some(Fact::Led { instance: *instance, commands, again: instead_of.is_some() })
            }
            Event::LetGo { upto, without } => Some(Fact::LetGo { upto, without: *without }),
            Event::Recovering { instance, ballot } | Event::Joined { instance, ballot } => {
                Some(Fact::Joined { instance: *instance, ballot: *ballot })
            }
            _ => None,
        }
    }
}
