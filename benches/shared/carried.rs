//! Replicas in one thread whose messages are carried by hand: no clock, no network, no codec.

use std::collections::VecDeque;

use epaxos_tui::epaxos::command::Command;
use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::epaxos::message::Message;
use epaxos_tui::epaxos::replica::{Input, Options, Output, Replica};
use epaxos_tui::epaxos::time::Time;
use epaxos_tui::kv::Store;

/// A cluster, and what has been sent in it and not yet arrived, in the order in which it was sent.
#[derive(Clone, Debug)]
pub struct Carried {
    replicas: Vec<Replica<Store>>,
    waiting: VecDeque<(ReplicaId, Input)>,
    /// Room for what steps say, used again and again.
    out: Vec<Output>,
    replies: u64,
}

/// What a command's way consists of, where nothing interferes that its leader does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// At the leader: commands become an instance, and others are asked about it.
    Propose,
    /// At the first acceptor: the leader's question is answered.
    PreAccept,
    /// At the leader: the answers of a fast quorum are counted, and what is decided is executed and
    /// answered.
    Decide,
    /// At the first acceptor: a decision is taken note of, and executed.
    Commit,
}

impl Carried {
    /// So many replicas, with options that differ in nothing but the name.
    pub fn new(replicas: usize, options: impl Fn(Options) -> Options) -> Self {
        // What is counted is the way of a command, without what is told now and then.
        let quiet = |id| Options { gossip_every: u64::MAX, ..Options::new(id, replicas) };
        let replica = |id| Replica::new(options(quiet(id)), Store::default());
        Self {
            replicas: ReplicaId::all(replicas).map(replica).collect(),
            waiting: VecDeque::new(),
            out: Vec::new(),
            replies: 0,
        }
    }

    /// Lets commands become one instance of a replica, once it is their turn.
    pub fn propose(&mut self, at: ReplicaId, commands: Vec<Command>) {
        self.waiting.push_back((at, Input::Propose(commands)));
    }

    /// How many clients have been answered.
    #[allow(dead_code, reason = "where only time is measured, nobody asks")]
    pub fn replies(&self) -> u64 {
        self.replies
    }

    /// Lets everything arrive, first what was sent first, and shows each message as it is sent.
    #[allow(dead_code, reason = "where parts are measured, everything is led")]
    pub fn settle(&mut self, mut show: impl FnMut(ReplicaId, ReplicaId, &Message)) {
        while let Some((at, input)) = self.waiting.pop_front() {
            self.replicas[at.index()].step(Time::default(), input, &mut self.out);
            self.send(at, &mut show);
        }
    }

    /// Leads commands from the proposal to the execution at all replicas, part by part: what one
    /// replica does in a part is handed as one call to `measure`, and the others' share of it is not.
    #[allow(dead_code, reason = "where the whole is counted, everything settles")]
    pub fn lead(
        &mut self,
        leader: ReplicaId,
        batches: Vec<Vec<Command>>,
        mut measure: impl FnMut(Part, &mut dyn FnMut()),
    ) {
        let peers: Vec<_> = leader.next(self.replicas.len()).collect();
        for batch in batches {
            self.propose(leader, batch);
        }
        self.arrive(leader, |step| measure(Part::Propose, step));
        self.arrive(peers[0], |step| measure(Part::PreAccept, step));
        for peer in &peers[1..] {
            self.arrive(*peer, |step| step());
        }
        self.arrive(leader, |step| measure(Part::Decide, step));
        self.arrive(peers[0], |step| measure(Part::Commit, step));
        for peer in &peers[1..] {
            self.arrive(*peer, |step| step());
        }
        assert!(self.waiting.is_empty(), "what nothing interferes with takes one round trip");
    }

    /// Lets all arrive at one replica that waits for it, in one call to `around`.
    fn arrive(&mut self, at: ReplicaId, around: impl FnOnce(&mut dyn FnMut())) {
        let (mine, others) = self.waiting.drain(..).partition(|(to, _)| *to == at);
        self.waiting = others;
        let mut mine: VecDeque<_> = mine;
        self.out.reserve(OUTPUTS_MAX * mine.len());
        around(&mut || {
            while let Some((_, input)) = mine.pop_front() {
                self.replicas[at.index()].step(Time::default(), input, &mut self.out);
            }
        });
        self.send(at, &mut |_, _, _| {});
    }

    /// Puts what a replica has sent behind all that waits.
    fn send(&mut self, from: ReplicaId, show: &mut impl FnMut(ReplicaId, ReplicaId, &Message)) {
        for output in self.out.drain(..) {
            match output {
                Output::Send { to, message } => {
                    show(from, to, &message);
                    self.waiting.push_back((to, Input::Receive { from, message }));
                }
                Output::Reply(_) => self.replies += 1,
                Output::Observe(_) => {}
            }
        }
    }
}

/// The room that is made for what one step says, so that none has to be made while it is measured.
const OUTPUTS_MAX: usize = 128;
