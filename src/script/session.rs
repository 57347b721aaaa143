//! Carries out commands on a world, one after another.

use std::collections::BTreeMap;

use crate::epaxos::command::{self as epaxos, Operation, RequestId, text};
use crate::epaxos::id::{InstanceId, MessageId, ReplicaId};
use crate::epaxos::instance::Phase;
use crate::epaxos::time::Time;
use crate::explain::question::Question;
use crate::explain::{explain, is_known, sentence};
use crate::observe::filter::Filter;
use crate::observe::in_flight::Flight;
use crate::observe::log::Log;
use crate::observe::notice::{GateState, HeldBy};
use crate::observe::trace::Line;
use crate::observe::view::{Broke, View};
use crate::script::faults;
use crate::script::grammar::Command;
use crate::script::words::{BurstOption, Count, Doubling, Looked, Part, Proposal, Term, To, Which};
use crate::script::world::{Next, World};

/// A person's or a script's dealings with one world.
#[derive(Debug, Default)]
pub struct Session {
    /// Whom proposals go to that do not say.
    pub at: ReplicaId,
    /// Proposals without an answer yet.
    open: BTreeMap<RequestId, Operation>,
    /// How many writes bursts have made, so that their values differ.
    bursts: u64,
}

/// What a command has to say beside its effect on the world: lines to print, or one sentence on why
/// it could not be carried out.
pub type Said = Result<Vec<String>, String>;

impl Session {
    /// Carries out one command. Where something happens meanwhile that meets a breakpoint, everything
    /// is paused.
    pub fn perform(&mut self, world: &mut impl World, command: &Command) -> Said {
        self.check(world.view(), command)?;
        // Whoever only looks does not go on.
        if !command.only_looks() && !world.view().gate.breaks.is_empty() {
            world.arm();
        }
        let broke = world.view().broke.clone();
        let mut said = self.act(world, command)?;
        said.extend(stop_where_broken(world, broke.as_ref())?);
        Ok(said)
    }

    fn act(&mut self, world: &mut impl World, command: &Command) -> Said {
        match command {
            Command::Put { .. } | Command::Get { .. } | Command::Del { .. } => {
                let (proposal, at) = command.proposal().expect("these three propose");
                self.propose(world, at.unwrap_or(self.at), vec![proposal])
            }
            Command::Batch { parts } => self.batch(world, parts),
            Command::Burst { count, options } => self.burst(world, *count, options),
            Command::Pause => Self::change_gate(world, |gate| gate.paused = true),
            Command::Run => Self::change_gate(world, |gate| gate.paused = false),
            Command::Step { count } => Self::step(world, *count),
            Command::Round => Self::round(world),
            Command::Preview { next } => preview(world, *next),
            Command::Break { terms } => Self::set_break(world, terms),
            Command::Unbreak { terms } => Self::take_break_back(world, terms),
            Command::Deliver { which } => for_each(world, which, World::deliver),
            Command::Drop { which } => for_each(world, which, World::drop),
            Command::Dup { first, rest } => match Doubling::from_words(*first, rest)? {
                Doubling::Messages(which) => act_on(world, which, World::duplicate),
                Doubling::Share(..) => Self::change_links(world, command),
            },
            Command::Hold { which } => {
                let filter = filter(which)?;
                Self::change_gate(world, |gate| {
                    if !gate.holds.contains(&filter) {
                        gate.holds.push(filter);
                    }
                })
            }
            Command::Release { which } => Self::release(world, filter(which)?),
            Command::Wake { replica } => world.wake(*replica).map(|()| vec![]),
            Command::Clock { replica, time } => {
                world.set_clock(*replica, Time::default() + *time).map(|()| vec![])
            }
            Command::Partition { .. }
            | Command::Cut { .. }
            | Command::Uncut { .. }
            | Command::Heal { .. }
            | Command::Loss { .. }
            | Command::Delay { .. }
            | Command::Seed { .. } => Self::change_links(world, command),
            Command::Crash { replica } => world.crash(*replica).map(|()| vec![]),
            Command::Recover { replica } => world.recover(*replica).map(|()| vec![]),
            Command::Settle => {
                world.settle()?;
                Ok(self.answers(world))
            }
            Command::Sleep { duration } => world.sleep(*duration).map(|()| vec![]),
            Command::Status { instance } => Ok(status(world.view(), *instance)),
            Command::Order => Ok(order(world.view())),
            Command::Why(asked) => why(world.view(), &asked.question()?),
            Command::Help { command } => help(command.as_deref()),
        }
    }

    /// Refuses what names a replica that the cluster does not have.
    fn check(&self, view: &View, command: &Command) -> Result<(), String> {
        let named = match command {
            Command::Put { to, .. } | Command::Get { to, .. } | Command::Del { to, .. } => {
                vec![to.iter().find_map(To::replica).unwrap_or(self.at)]
            }
            Command::Batch { parts } => {
                let at = parts.iter().find_map(|part| match part {
                    Part::At(at) => Some(at.0),
                    Part::Operation(_) => None,
                });
                vec![at.unwrap_or(self.at)]
            }
            Command::Wake { replica }
            | Command::Clock { replica, .. }
            | Command::Crash { replica }
            | Command::Recover { replica }
            | Command::Preview { next: Next::Wake(replica) } => vec![*replica],
            Command::Status { instance } => {
                instance.iter().map(|instance| instance.replica).collect()
            }
            Command::Why(asked) => asked.question()?.replicas(),
            other => faults::named(other),
        };
        named.into_iter().try_for_each(|replica| exists(view, replica))
    }

    fn propose(&mut self, world: &mut impl World, at: ReplicaId, proposals: Vec<Proposal>) -> Said {
        let mut command = |Proposal { operation, request }: Proposal| match request {
            Some(request) => vec![epaxos::Command { request, operation }],
            None => world.name(vec![operation]),
        };
        let commands: Vec<_> = proposals.into_iter().flat_map(&mut command).collect();
        world.propose_commands(at, commands.clone())?;
        self.open.extend(commands.into_iter().map(|it| (it.request, it.operation)));
        Ok(vec![])
    }

    fn batch(&mut self, world: &mut impl World, parts: &[Part]) -> Said {
        let mut proposals = Vec::new();
        let mut at = self.at;
        for part in parts {
            match part {
                Part::Operation(proposal) => proposals.push(proposal.clone()),
                Part::At(replica) => at = replica.0,
            }
        }
        self.propose(world, at, proposals)
    }

    /// Proposes many writes, round and round the replicas. Not random: the same burst is the same
    /// every time, and conflicts are spread evenly.
    fn burst(&mut self, world: &mut impl World, count: u32, options: &[BurstOption]) -> Said {
        let (mut keys, mut percent) = (10, 0);
        for option in options {
            match option {
                BurstOption::Keys(given) => keys = *given,
                BurstOption::Conflict(given) => percent = *given,
            }
        }
        let replicas = world.view().shape.replicas();
        let mut proposals = Vec::new();
        let mut turns = [0u32; 2];
        for index in 0..count {
            let shared = (u64::from(index) + 1) * u64::from(percent) / 100
                > u64::from(index) * u64::from(percent) / 100;
            // Each kind has its own turns: else the shared key might always meet the same replica.
            let turn = &mut turns[usize::from(shared)];
            let key = if shared { "hot".to_owned() } else { format!("k{}", *turn % keys) };
            let at = ReplicaId::from_index(*turn as usize % replicas);
            *turn += 1;
            proposals.push((at, Operation::put(&key, &self.bursts.to_string())));
            self.bursts += 1;
        }
        let operations: Vec<_> = proposals.iter().map(|(_, operation)| operation.clone()).collect();
        let requests = world.propose_all(proposals)?;
        self.open.extend(requests.into_iter().zip(operations));
        Ok(vec![])
    }

    fn change_links(world: &mut impl World, command: &Command) -> Said {
        let View { gate, shape, .. } = world.view();
        let gate = faults::changed(command, gate, shape.replicas())?;
        world.set_gate(gate).map(|()| vec![])
    }

    fn change_gate(world: &mut impl World, change: impl FnOnce(&mut GateState)) -> Said {
        let mut gate = world.view().gate.clone();
        change(&mut gate);
        world.set_gate(gate).map(|()| vec![])
    }

    fn release(world: &mut impl World, rule: Filter) -> Said {
        let holds = &world.view().gate.holds;
        if !rule.is_any() && !holds.contains(&rule) {
            return Err(format!("there is no rule \"{rule}\" to take back"));
        }
        Self::change_gate(world, |gate| {
            gate.holds.retain(|hold| !rule.is_any() && *hold != rule);
        })
    }

    /// Delivers the oldest messages that no rule holds, one at a time, so that what each brings
    /// about is done before the next moves.
    fn step(world: &mut impl World, count: Count) -> Said {
        let mut left = match count {
            Count::Some(count) => u64::from(count),
            Count::All => u64::MAX,
        };
        let mut delivered = 0;
        let broke = world.view().broke.clone();
        while left > 0
            && world.view().broke == broke
            && let Some(id) = next_to_deliver(world)
        {
            pass(world, id)?;
            delivered += 1;
            left -= 1;
        }
        match (delivered, count) {
            (0, Count::Some(1..)) => Err(nothing_to_deliver(world)),
            _ => Ok(vec![]),
        }
    }

    /// Delivers what is held now, once, and nothing that comes of it.
    fn round(world: &mut impl World) -> Said {
        let held = |flight: &&Flight| flight.held == Some(HeldBy::Pause);
        let ids: Vec<_> =
            world.in_flight().held().filter(held).map(|flight| flight.envelope.id).collect();
        if ids.is_empty() {
            return Err(nothing_to_deliver(world));
        }
        let broke = world.view().broke.clone();
        for id in ids {
            if world.view().broke == broke {
                pass(world, id)?;
            }
        }
        Ok(vec![])
    }

    /// Adds a breakpoint, or lists those that there are.
    fn set_break(world: &mut impl World, terms: &[Looked]) -> Said {
        let wanted = Looked::together(terms);
        let breaks = &world.view().gate.breaks;
        if wanted.is_empty() {
            let none = || vec!["there is no breakpoint".to_owned()];
            let listed: Vec<_> = breaks.iter().map(|at| format!("break {at}")).collect();
            return Ok(if listed.is_empty() { none() } else { listed });
        }
        if breaks.contains(&wanted) {
            return Ok(vec![]);
        }
        Self::change_gate(world, |gate| gate.breaks.push(wanted))
    }

    /// Takes a breakpoint back, or all.
    fn take_break_back(world: &mut impl World, terms: &[Looked]) -> Said {
        let meant = Looked::together(terms);
        if !meant.is_empty() && !world.view().gate.breaks.contains(&meant) {
            return Err(format!("there is no breakpoint \"{meant}\" to take back"));
        }
        Self::change_gate(world, |gate| {
            gate.breaks.retain(|at| !meant.is_empty() && *at != meant);
        })
    }

    /// The answers that have come, and the proposals that still wait for one.
    fn answers(&mut self, world: &mut impl World) -> Vec<String> {
        let mut lines = Vec::new();
        for answer in world.take_answers() {
            let Some(operation) = self.open.remove(&answer.request) else { continue };
            lines.push(match answer.result {
                Ok(outcome) => format!("{operation} = {outcome}"),
                Err(error) => format!("{operation} failed: {error}"),
            });
        }
        lines.extend(self.open.values().map(|operation| format!("{operation} is open")));
        lines
    }
}

/// Pauses everything where something has met a breakpoint since `before`, and says what.
pub fn stop_where_broken(world: &mut impl World, before: Option<&Broke>) -> Said {
    let broke = world.view().broke.clone();
    match broke.filter(|broke| Some(broke) != before) {
        None => Ok(vec![]),
        Some(broke) => {
            if !world.view().gate.paused {
                Session::change_gate(world, |gate| gate.paused = true)?;
            }
            Ok(vec![broke.to_string()])
        }
    }
}

/// What would come of something, line by line.
fn preview(world: &mut impl World, next: Next) -> Said {
    let named = match next {
        Next::Deliver(id) => world.in_flight().named(id)?.envelope.to,
        Next::Wake(replica) => replica,
    };
    let kept = world.view().replica(named).instances.len();
    if kept > PREVIEW_MOST {
        return Err(format!("{named} knows {kept} instances: too many to try it out on a copy"));
    }
    let step = world.preview(next)?;
    let mut log = Log::new(1);
    let entry = log.append(step);
    let lines = Line::of(&entry, 0);
    let told = std::iter::once(sentence(world.view(), &entry));
    Ok(told.chain(lines.iter().map(ToString::to_string)).collect())
}

/// With more instances than this a copy of a replica takes longer than a person waits.
const PREVIEW_MOST: usize = 50_000;

/// The oldest message at a gate that only the pause keeps there.
pub fn next_to_deliver(world: &impl World) -> Option<MessageId> {
    let held = world.in_flight().held().find(|flight| flight.held == Some(HeldBy::Pause));
    held.map(|flight| flight.envelope.id)
}

/// Lets a message go on that nothing holds: it is delivered, perhaps doubled before, or lost, as its
/// link has it.
pub fn pass(world: &mut impl World, id: MessageId) -> Result<(), String> {
    let (gate, envelope) = (&world.view().gate, &world.in_flight().named(id)?.envelope);
    if gate.loses(envelope) {
        return world.drop(id);
    }
    if gate.doubles(envelope) {
        world.duplicate(id)?;
    }
    world.deliver(id)
}

fn nothing_to_deliver(world: &impl World) -> String {
    if world.in_flight().held().next().is_some() {
        "every held message is held by a rule; deliver it by name, or release the rule".to_owned()
    } else {
        "no message is held; pause first, then propose".to_owned()
    }
}

/// Does something to each held message that is meant, oldest first.
fn for_each<W: World>(
    world: &mut W,
    which: &[Term],
    act: impl FnMut(&mut W, MessageId) -> Result<(), String>,
) -> Said {
    act_on(world, Which::from_terms(which)?, act)
}

fn act_on<W: World>(
    world: &mut W,
    which: Which,
    mut act: impl FnMut(&mut W, MessageId) -> Result<(), String>,
) -> Said {
    let ids = match which {
        Which::Id(id) => vec![id],
        Which::Filter(filter) => {
            let ids: Vec<_> =
                world.in_flight().matching(filter).map(|flight| flight.envelope.id).collect();
            if ids.is_empty() {
                return Err(format!("no held message meets \"{filter}\""));
            }
            ids
        }
    };
    for id in ids {
        if world.in_flight().named(id)?.held.is_none() {
            return Err(format!("{id} is not held; pause or hold first"));
        }
        act(world, id)?;
    }
    Ok(vec![])
}

fn filter(which: &[Term]) -> Result<Filter, String> {
    match Which::from_terms(which)? {
        Which::Filter(filter) => Ok(filter),
        Which::Id(id) => Err(format!("{id} is one message, not a rule")),
    }
}

fn exists(view: &View, replica: ReplicaId) -> Result<(), String> {
    let replicas = view.shape.replicas();
    if replica.index() < replicas {
        return Ok(());
    }
    let last = ReplicaId::from_index(replicas - 1);
    Err(format!("there is no {replica}; the replicas are R0 to {last}"))
}

/// Where every replica stands, or one instance on each.
fn status(view: &View, instance: Option<InstanceId>) -> Vec<String> {
    let replicas = ReplicaId::all(view.shape.replicas());
    let Some(id) = instance else {
        return replicas.map(|id| replica_status(view, id)).collect();
    };
    let known = replicas.zip(view.instance(id)).map(|(replica, instance)| match instance {
        None if view.replica(replica).let_go.contains(id) => {
            format!("{replica} {id} let go, after it was executed")
        }
        None => format!("{replica} {id} unknown"),
        Some(instance) => {
            let path = instance.path.map(|path| format!(" {path}")).unwrap_or_default();
            let blocked = view
                .replica(replica)
                .waits_for(id)
                .map(|on| format!(" waits for {on}"))
                .unwrap_or_default();
            let (phase, attributes) = (instance.phase, instance.attributes);
            format!("{replica} {id} {phase} {attributes}{path} {}{blocked}", instance.payload)
        }
    });
    known.collect()
}

fn replica_status(view: &View, id: ReplicaId) -> String {
    let replica = view.replica(id);
    let phases = [Phase::PreAccepted, Phase::Accepted, Phase::Committed, Phase::Executed];
    let phases = phases.map(|phase| format!("{phase}={}", replica.in_phase(phase))).join(" ");
    let store = replica.store.iter();
    let store: Vec<_> = store.map(|(key, value)| format!("{key}={}", text(value))).collect();
    let let_go = match replica.instances_let_go() {
        0 => String::new(),
        count => format!(" let-go={count}"),
    };
    let behind = replica.left_behind.map(|(by, _)| {
        format!(" left behind by {by}: it takes no part any more; restart the whole cluster")
    });
    let behind = behind.unwrap_or_default();
    format!("{id} {phases}{let_go} store={{{}}}{behind}", store.join(" "))
}

/// In which order each replica executed.
fn order(view: &View) -> Vec<String> {
    let line = |id: ReplicaId| {
        let instances = view.replica(id).instances.iter();
        let mut executed: Vec<_> =
            instances.filter_map(|(id, instance)| Some((instance.order?, id, instance))).collect();
        executed.sort_by_key(|(order, ..)| *order);
        let names = executed.into_iter().map(|(_, id, instance)| {
            let component = instance.component.as_deref().unwrap_or_default();
            let open = if component.len() > 1 && component.first() == Some(&id) { "(" } else { "" };
            let close = if component.len() > 1 && component.last() == Some(&id) { ")" } else { "" };
            format!(" {open}{id}{close}")
        });
        format!("{id}:{}", names.collect::<String>())
    };
    ReplicaId::all(view.shape.replicas()).map(line).collect()
}

/// The question in words, and the answer.
fn why(view: &View, question: &Question) -> Said {
    if let Some(id) = question.instances().into_iter().find(|id| !is_known(view, *id)) {
        return Err(format!("no replica has heard of {id}"));
    }
    let answer = explain(view, question);
    Ok(vec![answer.question.clone(), answer.paragraph()])
}

/// Lists the commands, or explains one.
pub fn help(command: Option<&str>) -> Said {
    match command {
        None => Ok(Command::list()
            .into_iter()
            .map(|(name, about)| format!("{name:8} {about}"))
            .collect()),
        Some(name) => Command::explain(name).ok_or_else(|| format!("there is no command '{name}'")),
    }
}
