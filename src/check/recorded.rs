//! Reading back what a trace of JSON lines tells (`docs/trace.md`), as far as it is checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::check::Checker;
use crate::check::fact::{Fact, Record};
use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::{Client, Command, Operation, Outcome, Payload, RequestId};
use crate::epaxos::event::Applied;
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::{Path, Phase};
use crate::epaxos::quorum::{CLUSTER_SIZES, Quorums, ReplicaSet};
use crate::epaxos::replica::ReplyOn;

/// Reads a trace, and checks it as it goes.
#[derive(Debug, Default)]
pub struct Recording {
    /// Known once a line has told how many replicas there are.
    checker: Option<Checker>,
    replicas: usize,
    /// What was asked for in each request.
    commands: BTreeMap<String, Command>,
    /// What each instance was made of.
    led: BTreeMap<InstanceId, Payload>,
    /// What each replica has recorded for each instance: what it asks others for is that.
    recorded: BTreeMap<(ReplicaId, InstanceId), Payload>,
    events: u64,
    next: u64,
}

/// A line that is not one of a trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotATrace(String);

/// The fields that are looked at; a line has those of its event.
#[derive(Debug, Deserialize)]
struct Line {
    event: String,
    n: Option<u64>,
    replica: Option<String>,
    instance: Option<String>,
    ballot: Option<String>,
    seq: Option<u64>,
    deps: Option<Vec<i64>>,
    phase: Option<String>,
    path: Option<String>,
    message: Option<String>,
    command: Option<String>,
    requests: Option<Vec<String>>,
    instead_of: Option<String>,
    values: Option<Vec<String>>,
    repeated: Option<Vec<bool>>,
    component: Option<Vec<String>>,
    request: Option<String>,
    value: Option<String>,
    commit_us: Option<u64>,
    execute_us: Option<u64>,
    let_go: Option<Vec<i64>>,
    without: Option<Vec<String>>,
}

impl Recording {
    /// Takes note of one line. What commands print between the events is passed over.
    pub fn line(&mut self, text: &str) -> Result<(), NotATrace> {
        let line: Line =
            serde_json::from_str(text).map_err(|error| NotATrace(error.to_string()))?;
        if line.event == "output" {
            return Ok(());
        }
        let n = required(line.n, "n")?;
        if n != self.next {
            let sentence =
                format!("event {n} stands where event {} should: some are missing", self.next);
            return Err(NotATrace(sentence));
        }
        self.next += 1;
        self.events += 1;
        if let Some(deps) = &line.deps {
            self.size(deps.len())?;
        }
        let replica: ReplicaId = parse(line.replica.as_deref(), "replica")?;
        if self.replicas > 0 && replica.index() >= self.replicas {
            return Err(NotATrace(format!(
                "there is no {replica} among {} replicas",
                self.replicas
            )));
        }
        self.tell(n, replica, &line)
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The checker, which has seen it all; none where the trace tells of no instance.
    pub fn finish(mut self) -> Option<Checker> {
        if let Some(checker) = &mut self.checker {
            checker.finish();
        }
        self.checker
    }

    /// The length of dependency vectors is the number of replicas.
    fn size(&mut self, replicas: usize) -> Result<(), NotATrace> {
        if !CLUSTER_SIZES.contains(&replicas) || (self.replicas > 0 && self.replicas != replicas) {
            let sentence = format!("a vector of {replicas} dependencies fits no cluster here");
            return Err(NotATrace(sentence));
        }
        self.replicas = replicas;
        self.checker.get_or_insert_with(|| Checker::new(Quorums::new(replicas), ReplyOn::Execute));
        Ok(())
    }

    fn tell(&mut self, n: u64, replica: ReplicaId, line: &Line) -> Result<(), NotATrace> {
        let instance = || self.instance(line);
        match line.event.as_str() {
            "crash" => self.fact(n, replica, &Fact::Crashed),
            "recover" => self.fact(n, replica, &Fact::Restarted),
            "show" => self.checker.iter_mut().for_each(|checker| checker.miss(n)),
            "propose" if line.instance.is_some() => {
                let instance = instance()?;
                let commands = self.commands(line)?;
                self.led.insert(instance, Payload::Commands(commands.clone()));
                let again = line.instead_of.is_some();
                self.fact(n, replica, &Fact::Led { instance, commands: &commands, again });
            }
            "join" | "recovering" => {
                let ballot = ballot(line)?;
                self.fact(n, replica, &Fact::Joined { instance: instance()?, ballot });
            }
            "status" => {
                let instance = instance()?;
                let phase: Phase = named(&Phase::ALL, Phase::name, line.phase.as_deref(), "phase")?;
                let path = match &line.path {
                    Some(path) => Some(named(&Path::ALL, Path::name, Some(path), "path")?),
                    None => None,
                };
                let payload = self.payload(instance, line)?;
                let attributes = attributes(line)?;
                let record = Record {
                    instance,
                    phase,
                    ballot: ballot(line)?,
                    payload: &payload,
                    attributes,
                    path,
                };
                self.fact(n, replica, &Fact::Recorded(record));
                self.recorded.insert((replica, instance), payload);
            }
            "send" => self.tell_send(n, replica, line)?,
            "let-go" => {
                let upto = prefixes(required(line.let_go.as_ref(), "let_go")?)?;
                let names = required(line.without.as_ref(), "without")?;
                let without: Result<ReplicaSet, NotATrace> =
                    names.iter().map(|name| parse(Some(name), "without")).collect();
                self.fact(n, replica, &Fact::LetGo { upto: &upto, without: without? });
            }
            "execute" => self.tell_execution(n, replica, line)?,
            "reply" => {
                let request = required(line.request.as_deref(), "request")?;
                let command = self.commands.get(request).cloned();
                let command = command
                    .ok_or_else(|| NotATrace(format!("{request} is answered and not asked for")))?;
                if line.commit_us.is_some()
                    && line.execute_us.is_none()
                    && let Some(checker) = &mut self.checker
                {
                    checker.expect_early_answers();
                }
                let text = required(line.value.as_deref(), "value")?;
                let outcome = outcome(&command.operation, text)?;
                self.fact(n, replica, &Fact::Replied { command: &command, outcome: &outcome });
            }
            _ => {}
        }
        Ok(())
    }

    fn tell_send(&mut self, n: u64, replica: ReplicaId, line: &Line) -> Result<(), NotATrace> {
        let instance = self.instance(line)?;
        let attributes = || attributes(line);
        let Some(payload) = self.recorded.get(&(replica, instance)).cloned() else { return Ok(()) };
        let payload = &payload;
        match line.message.as_deref() {
            Some("PreAccept") => {
                let attributes = attributes()?;
                self.fact(n, replica, &Fact::AskedToPreAccept { instance, payload, attributes });
            }
            Some("Accept") => {
                let (ballot, attributes) = (ballot(line)?, attributes()?);
                let fact = Fact::AskedToAccept { instance, ballot, payload, attributes };
                self.fact(n, replica, &fact);
            }
            _ => {}
        }
        Ok(())
    }

    fn tell_execution(&mut self, n: u64, replica: ReplicaId, line: &Line) -> Result<(), NotATrace> {
        let instance = self.instance(line)?;
        let payload = self.payload(instance, line)?;
        let values = required(line.values.as_ref(), "values")?;
        let repeated = required(line.repeated.as_ref(), "repeated")?;
        let commands = payload.commands();
        if values.len() != commands.len() || repeated.len() != commands.len() {
            let sentence =
                format!("{instance} has {} commands, and as many values", commands.len());
            return Err(NotATrace(sentence));
        }
        let results: Result<Vec<_>, NotATrace> = commands
            .iter()
            .zip(values)
            .zip(repeated)
            .map(|((command, value), repeated)| {
                let outcome = outcome(&command.operation, value)?;
                Ok(Applied { outcome, repeated: *repeated, latency: None })
            })
            .collect();
        let component = required(line.component.as_ref(), "component")?;
        let component: Result<Vec<_>, NotATrace> =
            component.iter().map(|name| self.known(parse(Some(name), "component")?)).collect();
        let (results, component) = (&results?[..], &component?[..]);
        let payload = &payload;
        self.fact(n, replica, &Fact::Executed { instance, payload, results, component });
        Ok(())
    }

    fn fact(&mut self, n: u64, replica: ReplicaId, fact: &Fact<'_>) {
        if let Some(checker) = &mut self.checker {
            checker.line(n, replica, fact);
        }
    }

    fn instance(&self, line: &Line) -> Result<InstanceId, NotATrace> {
        self.known(parse(line.instance.as_deref(), "instance")?)
    }

    fn known(&self, instance: InstanceId) -> Result<InstanceId, NotATrace> {
        if self.replicas > 0 && instance.replica.index() >= self.replicas {
            return Err(NotATrace(format!(
                "there is no {instance} among {} replicas",
                self.replicas
            )));
        }
        Ok(instance)
    }

    /// The commands of a proposal, each with its request.
    fn commands(&mut self, line: &Line) -> Result<Arc<[Command]>, NotATrace> {
        let operations = operations(required(line.command.as_deref(), "command")?)?;
        let requests = required(line.requests.as_ref(), "requests")?;
        if requests.len() != operations.len() {
            return Err(NotATrace("there are not as many requests as commands".to_owned()));
        }
        let commands: Result<Vec<_>, NotATrace> = requests
            .iter()
            .zip(operations)
            .map(|(text, operation)| {
                let command = Command { request: request(text)?, operation };
                self.commands.insert(text.clone(), command.clone());
                Ok(command)
            })
            .collect();
        Ok(commands?.into())
    }

    /// What an instance carries: what it was made of, where the text is the same.
    fn payload(&self, instance: InstanceId, line: &Line) -> Result<Payload, NotATrace> {
        let text = required(line.command.as_deref(), "command")?;
        match self.led.get(&instance) {
            _ if text == Payload::Noop.to_string() => Ok(Payload::Noop),
            Some(led) if led.to_string() == text => Ok(led.clone()),
            _ => {
                let request = RequestId::anonymous(instance.replica, u64::MAX);
                let command = |operation| Command { request: request.clone(), operation };
                Ok(Payload::Commands(operations(text)?.into_iter().map(command).collect()))
            }
        }
    }
}

fn required<T>(field: Option<T>, name: &str) -> Result<T, NotATrace> {
    field.ok_or_else(|| NotATrace(format!("the field \"{name}\" is missing")))
}

fn parse<T: std::str::FromStr>(field: Option<&str>, name: &str) -> Result<T, NotATrace>
where
    T::Err: std::fmt::Display,
{
    let text = required(field, name)?;
    text.parse().map_err(|error: T::Err| NotATrace(error.to_string()))
}

/// The one of `all` that is called so.
fn named<T: Copy>(
    all: &[T],
    name: fn(T) -> &'static str,
    field: Option<&str>,
    what: &str,
) -> Result<T, NotATrace> {
    let text = required(field, what)?;
    let found = all.iter().copied().find(|one| name(*one) == text);
    found.ok_or_else(|| NotATrace(format!("\"{text}\" is no {what}")))
}

fn ballot(line: &Line) -> Result<Ballot, NotATrace> {
    parse(line.ballot.as_deref(), "ballot")
}

fn attributes(line: &Line) -> Result<Attributes, NotATrace> {
    let deps = required(line.deps.as_ref(), "deps")?;
    Ok(Attributes { seq: required(line.seq, "seq")?, deps: prefixes(deps)? })
}

fn prefixes(vector: &[i64]) -> Result<Dependencies, NotATrace> {
    Dependencies::from_vector(vector)
        .ok_or_else(|| NotATrace(format!("{vector:?} are no dependencies")))
}

/// `alice#7`, or `~R2#7` for a client without a name.
fn request(text: &str) -> Result<RequestId, NotATrace> {
    let wrong = || NotATrace(format!("\"{text}\" is no request, such as alice#7"));
    let (client, number) = text.rsplit_once('#').ok_or_else(wrong)?;
    let number = number.parse().map_err(|_| wrong())?;
    let client = match client.strip_prefix('~').map(str::parse) {
        Some(Ok(replica)) => Client::Anonymous(replica),
        _ => Client::Named(client.into()),
    };
    Ok(RequestId { client, number })
}

/// What a text says that an operation came to.
fn outcome(operation: &Operation, text: &str) -> Result<Outcome, NotATrace> {
    match (operation.is_write(), text) {
        (true, "ok") => Ok(Outcome::Written),
        (true, "unknown") => Ok(Outcome::Unknown),
        (true, _) => Err(NotATrace(format!("\"{text}\" is not what a write comes to"))),
        (false, "not found") => Ok(Outcome::NotFound),
        (false, text) => match &words(text)?[..] {
            [words] if words.len() == 1 => Ok(Outcome::Found(words[0].as_bytes().into())),
            // Bytes that are no text are told by their number.
            _ => Ok(Outcome::Found(text.as_bytes().into())),
        },
    }
}

/// `put x 1; get "a key"`.
fn operations(text: &str) -> Result<Vec<Operation>, NotATrace> {
    let mut operations = Vec::new();
    for part in words(text)? {
        operations.push(match part.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["put", key, value] => Operation::put(key, value),
            ["put", key, ref bytes @ ..] if !bytes.is_empty() => {
                Operation::put(key, &bytes.join(" "))
            }
            ["get", key] => Operation::get(key),
            ["del", key] => Operation::delete(key),
            _ => return Err(NotATrace(format!("\"{text}\" is no command"))),
        });
    }
    Ok(operations)
}

/// Words as [`Operation`] writes them, plain or quoted as Rust quotes: those of each operation, which
/// semicolons part.
fn words(text: &str) -> Result<Vec<Vec<String>>, NotATrace> {
    let wrong = || NotATrace(format!("the quotation in {text} does not end"));
    let mut parts = vec![Vec::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let words = parts.last_mut().expect("there is always a last one");
        match c {
            ' ' => {}
            ';' => parts.push(Vec::new()),
            '"' => {
                let mut word = String::new();
                loop {
                    match chars.next().ok_or_else(wrong)? {
                        '"' => break,
                        '\\' => word.push(escaped(&mut chars).ok_or_else(wrong)?),
                        c => word.push(c),
                    }
                }
                words.push(word);
            }
            c => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| *c != ' ' && *c != ';') {
                    word.push(c);
                }
                words.push(word);
            }
        }
    }
    Ok(parts)
}

/// The character that stands behind a backslash.
fn escaped(chars: &mut impl Iterator<Item = char>) -> Option<char> {
    match chars.next()? {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '0' => Some('\0'),
        'u' => {
            let digits: String = chars.skip(1).take_while(|c| *c != '}').collect();
            char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
        }
        c => Some(c),
    }
}
