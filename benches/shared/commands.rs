//! The commands that are measured: small writes, of clients without a name.

use epaxos_tui::epaxos::command::{Command, Operation, RequestId};
use epaxos_tui::epaxos::draw::draw;
use epaxos_tui::epaxos::id::ReplicaId;

/// Writes of 16 bytes to keys drawn from so many, always the same ones.
#[derive(Clone, Debug)]
pub struct Commands {
    keys: u64,
    made: u64,
}

impl Commands {
    /// Commands that write to `keys` keys.
    pub fn new(keys: u64) -> Self {
        Self { keys, made: 0 }
    }

    /// The next command, as it comes in at a replica: nothing of it is shared with another one.
    pub fn next(&mut self, at: ReplicaId) -> Command {
        let number = self.made;
        self.made += 1;
        let key = format!("key-{}", draw(0, [number]) % self.keys);
        let operation = Operation::put(&key, "a value of bytes");
        Command { request: RequestId::anonymous(at, number), operation }
    }

    /// The next so many commands.
    pub fn batch(&mut self, at: ReplicaId, length: usize) -> Vec<Command> {
        (0..length).map(|_| self.next(at)).collect()
    }
}
