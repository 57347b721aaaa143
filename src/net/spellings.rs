//! What several peers are told is spelled out once.
//!
//! A leader tells all its peers the same commands, some in a PreAccept and some in a Commit a little later.
//! The first link that comes to write them keeps their bytes for the others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use prost::bytes::Bytes;

use crate::epaxos::command::Command;
use crate::net::batch::{Batch, spell, spelled_len};
use crate::net::wire;

/// The bytes of the last batches that any link of a replica has written. A copy is the same: all links of
/// a replica have one.
#[derive(Clone, Debug, Default)]
pub struct Spellings(Arc<Mutex<Recent>>);

/// The last batches, the oldest first.
#[derive(Debug, Default)]
struct Recent {
    spellings: VecDeque<Arc<Spelling>>,
    len: usize,
}

/// A batch.
#[derive(Debug)]
struct Spelling {
    /// As long as they are kept, nothing else is in their place.
    commands: Arc<[Command]>,
    /// How many bytes it has.
    len: usize,
    /// Made by whoever is first to ask.
    bytes: OnceLock<Bytes>,
}

impl Recent {
    /// The spelling of commands, new where there is none.
    fn of(&mut self, commands: &Arc<[Command]>) -> Arc<Spelling> {
        let is = |spelling: &&Arc<Spelling>| Arc::ptr_eq(&spelling.commands, commands);
        if let Some(spelling) = self.spellings.iter().rev().find(is) {
            return Arc::clone(spelling);
        }
        let (commands, len) = (Arc::clone(commands), spelled_len(commands));
        let spelling = Arc::new(Spelling { commands, len, bytes: OnceLock::new() });
        self.len += len;
        self.spellings.push_back(Arc::clone(&spelling));
        while self.spellings.len() > KEPT || self.len > KEPT_BYTES && self.spellings.len() > 1 {
            let gone = self.spellings.pop_front().expect("there is more than one");
            self.len -= gone.len;
        }
        spelling
    }
}

impl Spellings {
    /// Some commands, to be written.
    pub(super) fn payload(&self, commands: &Arc<[Command]>) -> wire::Payload {
        let batch = if commands.len() < WORTH {
            Batch::said(commands)
        } else {
            // Whoever writes the same at the same time waits for as long as it would take to write it.
            let spelling = self.0.lock().expect("nobody panics holding it").of(commands);
            Batch::Said(spelling.bytes.get_or_init(|| spell(commands, spelling.len)).clone())
        };
        wire::Payload { kind: Some(wire::payload::Kind::Batch(batch)) }
    }
}

/// How many batches are kept at most: as many as a leader has under way.
const KEPT: usize = 8;

/// How many bytes they may have together. The last one is kept whatever it has.
const KEPT_BYTES: usize = 1 << 20;

/// How many commands there must be for it to be worth it.
const WORTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::command::{Operation, RequestId};
    use crate::epaxos::id::ReplicaId;
    use crate::net::wire::payload::Kind;

    fn commands(count: u64, size: usize) -> Arc<[Command]> {
        let operation = Operation::Put("k".into(), vec![0; size].into());
        let command = |number| {
            let request = RequestId::anonymous(ReplicaId(0), number);
            Command { request, operation: operation.clone() }
        };
        (0..count).map(command).collect()
    }

    fn bytes(spellings: &Spellings, commands: &Arc<[Command]>) -> Bytes {
        match spellings.payload(commands).kind {
            Some(Kind::Batch(Batch::Said(bytes))) => bytes,
            other => panic!("commands are a batch, not {other:?}"),
        }
    }

    #[test]
    fn what_all_are_told_is_spelled_out_once_and_what_else_is_as_it_is() {
        let (mine, other) = (Spellings::default(), Spellings::default());
        let batch = commands(WORTH as u64, 1);
        let first = bytes(&mine, &batch);
        assert_eq!(first, spell(&batch, spelled_len(&batch)));
        let place = |bytes: &Bytes| bytes.as_ptr();
        assert_eq!(place(&first), place(&bytes(&mine.clone(), &batch)));
        // Equal ones elsewhere are no concern of it, nor is one that is not worth it.
        assert_ne!(place(&first), place(&bytes(&other, &batch)));
        assert_ne!(place(&first), place(&bytes(&mine, &commands(WORTH as u64, 1))));
        let one = commands(1, 1);
        let (one, again) = (bytes(&mine, &one), bytes(&mine, &one));
        assert!(place(&one) != place(&again) && one == again);
    }

    #[test]
    fn no_more_is_kept_than_is_said_to_be() {
        let spellings = Spellings::default();
        let kept = || {
            let recent = spellings.0.lock().unwrap();
            assert_eq!(recent.len, recent.spellings.iter().map(|it| it.len).sum::<usize>());
            (recent.spellings.len(), recent.len)
        };
        for _ in 0..3 * KEPT {
            bytes(&spellings, &commands(WORTH as u64, 1));
        }
        assert_eq!(kept().0, KEPT);
        for _ in 0..3 * KEPT {
            bytes(&spellings, &commands(WORTH as u64, KEPT_BYTES / WORTH / 4));
        }
        assert!(kept().0 > 1 && kept().1 <= KEPT_BYTES);
        bytes(&spellings, &commands(WORTH as u64, KEPT_BYTES));
        assert_eq!(kept().0, 1);
    }
}
