//! What one stream has spelled out before need not be spelled out again.
//!
//! A leader tells most of its peers the same commands twice: in a PreAccept or an Accept, and in the
//! Commit. Both go the same way, on one stream, which loses nothing and changes no order. So the second
//! message names the first one instead, by how many batches have been spelled out since. Nothing of this
//! is known outside of `net`: what comes out at the other end is the whole message.
//!
//! Both ends remember the same batches, without a word about it: the last [`BATCHES`] spelled out in
//! PreAccepts, Accepts and Commits, and of those no more than weigh [`WEIGHT`] together. With a new
//! stream both begin with nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Dialect, Refusal, present};
use crate::epaxos::command::{Command, Payload};
use crate::epaxos::id::InstanceId;
use crate::net::spellings::Spellings;
use crate::net::wire;
use crate::net::wire::payload::Kind;

/// How many batches are remembered at most.
pub const BATCHES: usize = 4096;

/// How much those that are remembered may weigh together: each the bytes of its keys and values, and
/// [`COMMAND_WEIGHT`] for each command. The last one is remembered whatever it weighs.
pub const WEIGHT: usize = 1 << 20;

/// What a command weighs beside its key and its value.
pub const COMMAND_WEIGHT: usize = 64;

/// The last batches that were spelled out, the oldest first.
#[derive(Debug, Default)]
struct Memory {
    batches: VecDeque<(InstanceId, Arc<[Command]>, usize)>,
    weight: usize,
}

impl Memory {
    /// The batch after which so many were spelled out, where it was that of the instance.
    fn batch(&self, instance: InstanceId, since: u32) -> Option<&Arc<[Command]>> {
        let place = self.batches.len().checked_sub(1)?.checked_sub(since as usize)?;
        let (of, batch, _) = &self.batches[place];
        (*of == instance).then_some(batch)
    }

    /// Remembers a batch, and calls `forgotten` with the instance of each that is not remembered any
    /// more.
    fn push(
        &mut self,
        instance: InstanceId,
        batch: Arc<[Command]>,
        mut forgotten: impl FnMut(InstanceId),
    ) {
        let weigh = |command: &Command| COMMAND_WEIGHT + command.operation.size();
        let weight = batch.iter().map(weigh).sum();
        self.batches.push_back((instance, batch, weight));
        self.weight += weight;
        while self.batches.len() > BATCHES || self.weight > WEIGHT && self.batches.len() > 1 {
            let (instance, _, weight) = self.batches.pop_front().expect("there is more than one");
            self.weight -= weight;
            forgotten(instance);
        }
    }
}

/// What a stream has spelled out, at the end that writes it.
#[derive(Debug, Default)]
pub(in crate::net) struct Said {
    memory: Memory,
    /// For each instance whose commands are remembered, which batch they were, counted from the first
    /// of the stream: the last one where there were several.
    places: BTreeMap<InstanceId, u64>,
    /// How many batches have been spelled out.
    count: u64,
    /// Whether all are.
    always: bool,
    /// What others are told as well.
    spellings: Spellings,
}

impl Said {
    /// Of a stream to one of those who share these spellings. Where `always` is said, nothing is called
    /// by name on it, for whoever may not remember.
    pub(in crate::net) fn new(spellings: Spellings, always: bool) -> Self {
        Self { always, spellings, ..Self::default() }
    }

    /// Writes what an instance carries: by name, where that was spelled out before.
    pub(super) fn payload(&mut self, instance: InstanceId, payload: &Payload) -> wire::Payload {
        let Payload::Commands(commands) = payload else { return payload.into() };
        if self.always {
            return self.spellings.payload(commands);
        }
        if let Some(earlier) = self.find(instance, commands) {
            return wire::Payload { kind: Some(Kind::Earlier(earlier)) };
        }
        let Self { memory, places, count, .. } = self;
        let mut oldest = *count - memory.batches.len() as u64;
        places.insert(instance, *count);
        *count += 1;
        memory.push(instance, Arc::clone(commands), |gone| {
            // It may have been spelled out again since.
            if places.get(&gone) == Some(&oldest) {
                places.remove(&gone);
            }
            oldest += 1;
        });
        self.spellings.payload(commands)
    }

    fn find(&self, instance: InstanceId, commands: &Arc<[Command]>) -> Option<u32> {
        let place = *self.places.get(&instance)?;
        let since = u32::try_from(self.count - 1 - place).ok()?;
        let said = self.memory.batch(instance, since)?;
        (Arc::ptr_eq(said, commands) || said == commands).then_some(since)
    }
}

/// What a stream has spelled out, at the end that reads it.
#[derive(Debug, Default)]
pub(in crate::net) struct Heard(Memory);

impl Heard {
    /// Reads what an instance carries.
    pub(super) fn payload(
        &mut self,
        dialect: Dialect,
        instance: InstanceId,
        payload: Option<wire::Payload>,
    ) -> Result<Payload, Refusal> {
        let payload = present(payload, "payload")?;
        if let Some(Kind::Earlier(since)) = payload.kind {
            let heard = self.0.batch(instance, since).ok_or(Refusal::Unheard(instance))?;
            return Ok(Payload::Commands(Arc::clone(heard)));
        }
        let payload = dialect.payload(Some(payload))?;
        if let Payload::Commands(commands) = &payload {
            self.0.push(instance, Arc::clone(commands), |_| {});
        }
        Ok(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::attributes::Attributes;
    use crate::epaxos::command::{Operation, RequestId};
    use crate::epaxos::id::{Ballot, MessageId, ReplicaId};
    use crate::epaxos::instance::Path;
    use crate::epaxos::message::{Commit, Envelope, Message, PreAccept};
    use crate::net::bytes::{Ear, Garbled, Mouth};
    use proptest::prelude::*;
    use prost::Message as _;

    const WRITER: Dialect = Dialect { me: ReplicaId(0), replicas: 3 };
    const READER: Dialect = Dialect { me: ReplicaId(1), replicas: 3 };

    fn commands(number: u64, size: usize) -> Arc<[Command]> {
        let operation = Operation::Put("k".into(), vec![0; size].into());
        [Command { request: RequestId::anonymous(WRITER.me, number), operation }].into()
    }

    fn envelope(message: Message) -> Envelope {
        let id = MessageId { sender: WRITER.me, number: 0, copy: 0 };
        Envelope { id, to: READER.me, message }
    }

    fn pre_accept(slot: u64, commands: &Arc<[Command]>) -> Envelope {
        envelope(Message::PreAccept(PreAccept {
            instance: InstanceId::new(WRITER.me, slot),
            ballot: Ballot::initial(WRITER.me),
            payload: Payload::Commands(Arc::clone(commands)),
            attributes: Attributes::default(),
        }))
    }

    fn commit(slot: u64, commands: &Arc<[Command]>) -> Envelope {
        envelope(Message::Commit(Commit {
            instance: InstanceId::new(WRITER.me, slot),
            payload: Payload::Commands(Arc::clone(commands)),
            attributes: Attributes::default(),
            path: Path::Fast,
        }))
    }

    #[test]
    fn commands_are_spelled_out_once_on_a_stream_and_shared_where_they_are_read() {
        let (mut mouth, mut ear) = (Mouth::new(WRITER), Ear::new(READER));
        let batch = commands(0, 1000);
        let first = mouth.encode(pre_accept(0, &batch));
        let second = mouth.encode(commit(0, &batch));
        assert!(first.len() > 1000 && second.len() < 40, "{} and {}", first.len(), second.len());
        let read = [&first, &second].map(|bytes| ear.decode(bytes).unwrap().message);
        let [Some(Payload::Commands(first)), Some(Payload::Commands(second))] =
            [&read[0], &read[1]].map(Message::payload)
        else {
            panic!("both carry commands: {read:?}")
        };
        assert_eq!(*first, batch);
        assert!(Arc::ptr_eq(first, second));
        // Whoever was not there for the first does not guess.
        let bytes = mouth.encode(commit(0, &batch));
        let refusal = Refusal::Unheard(InstanceId::new(WRITER.me, 0));
        assert_eq!(
            refusal.to_string(),
            "the commands of R0.0 were not spelled out before on this stream"
        );
        assert_eq!(Ear::new(READER).decode(&bytes), Err(Garbled::Refused(refusal)));
    }

    #[test]
    fn whoever_may_not_remember_is_told_all_of_it_again() {
        let mut said = Said::new(Spellings::default(), true);
        let payload = Payload::Commands(commands(0, 1));
        for _ in 0..2 {
            let written = said.payload(InstanceId::new(WRITER.me, 0), &payload);
            assert!(matches!(written.kind, Some(Kind::Batch(_))));
        }
    }

    #[test]
    fn what_is_another_instance_is_not_taken_for_this_one() {
        let mut heard = Heard::default();
        let (one, other) = (InstanceId::new(WRITER.me, 0), InstanceId::new(WRITER.me, 1));
        let spelled_out = Payload::Commands(commands(0, 1));
        let bytes = wire::Payload::from(&spelled_out).encode_to_vec();
        let written = wire::Payload::decode(&bytes[..]).unwrap();
        heard.payload(READER, one, Some(written)).unwrap();
        let earlier = |since| Some(wire::Payload { kind: Some(Kind::Earlier(since)) });
        assert_eq!(heard.payload(READER, one, earlier(0)), Ok(spelled_out));
        for (instance, since) in [(other, 0), (one, 1), (one, u32::MAX)] {
            let refused = heard.payload(READER, instance, earlier(since));
            assert_eq!(refused, Err(Refusal::Unheard(instance)));
        }
    }

    #[test]
    fn no_more_is_remembered_than_is_said_to_be() {
        let mut said = Said::default();
        let spell = |said: &mut Said, slot, batch: &Arc<[Command]>| {
            let payload = Payload::Commands(Arc::clone(batch));
            let written = said.payload(InstanceId::new(WRITER.me, slot), &payload);
            !matches!(written.kind, Some(Kind::Earlier(_)))
        };
        let large = commands(0, WEIGHT / 4);
        assert!((0..4).all(|slot| spell(&mut said, slot, &large)));
        // Each weighs a little more than a fourth.
        assert!(!spell(&mut said, 3, &large));
        assert!(spell(&mut said, 0, &large));
        let small = commands(0, 1);
        let last = 10 + BATCHES as u64;
        assert!((10..last).all(|slot| spell(&mut said, slot, &small)));
        assert!(!spell(&mut said, 10, &small));
        assert!(spell(&mut said, last, &small));
        assert!(spell(&mut said, 10, &small));
        assert_eq!((said.places.len(), said.memory.batches.len()), (BATCHES, BATCHES));
        // One that is too large for it all is remembered until the next.
        let huge = commands(0, 2 * WEIGHT);
        assert!(spell(&mut said, 0, &huge) && !spell(&mut said, 0, &huge));
        assert_eq!(said.places.len(), 1);
    }

    proptest! {
        /// Whatever is said, in whatever order, comes out as it went in.
        #[test]
        fn a_stream_says_what_it_was_given(
            said in proptest::collection::vec((0..8u64, 0..3usize, any::<bool>()), 0..200),
        ) {
            let batches = [1, WEIGHT / 3, WEIGHT / 2].map(|size| commands(size as u64, size));
            let (mut mouth, mut ear) = (Mouth::new(WRITER), Ear::new(READER));
            for (slot, batch, decided) in said {
                let make = if decided { commit } else { pre_accept };
                let envelope = make(slot, &batches[batch]);
                let bytes = mouth.encode(envelope.clone());
                prop_assert_eq!(ear.decode(&bytes).unwrap(), envelope);
            }
        }
    }
}
