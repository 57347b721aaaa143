//! A replica's place in a cluster, whether the replica is up or has crashed.

use std::hash::{BuildHasher, BuildHasherDefault, Hash};

use rustc_hash::FxHasher;

use crate::epaxos::command::StateMachine;
use crate::epaxos::event::Timer;
use crate::epaxos::id::ReplicaId;
use crate::epaxos::replica::{Durable, Input, Kept, Options, Output, Replica};
use crate::epaxos::time::Time;

/// A running replica, or what a crashed one left. Hosts hold one of these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seat<M> {
    options: Options,
    state: State<M>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State<M> {
    Up(Box<Replica<M>>),
    Down(Box<(Durable, Option<Kept<M>>)>),
}

/// Why something cannot be done to a replica as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is down.
    #[error("{0} is down")]
    Down(ReplicaId),
    /// It is up.
    #[error("{0} is not down")]
    Up(ReplicaId),
    /// It lacks what the others no longer have.
    #[error(
        "{0} lacks commands that the others no longer keep, and takes no part any more; restart the \
         whole cluster (--keep-most and --keep-most-bytes say how much it may lack)"
    )]
    LeftBehind(ReplicaId),
    /// Its undecided commands take as much memory as they may.
    #[error(
        "{0} has no room for more commands until the undecided ones are decided; check that a majority \
         is up and connected, then try again"
    )]
    Full(ReplicaId),
    /// It waits for no timer.
    #[error("{0} waits for no timer")]
    NoTimer(ReplicaId),
}

/// Hosts tell people, in sentences.
impl From<Unfit> for String {
    fn from(unfit: Unfit) -> Self {
        unfit.to_string()
    }
}

impl<M: StateMachine + Default + Clone> Seat<M> {
    /// A new replica.
    pub fn new(options: Options) -> Self {
        let replica = Replica::new(options.clone(), M::default());
        Self { options, state: State::Up(Box::new(replica)) }
    }

    /// All that the replica is, as a number: equal for equal replicas in one program.
    pub fn fingerprint(&self) -> u64
    where
        M: Hash,
    {
        BuildHasherDefault::<FxHasher>::default().hash_one(self)
    }

    /// Which replica it is.
    pub fn id(&self) -> ReplicaId {
        self.options.id
    }

    /// The replica, while it is up.
    pub fn replica(&self) -> Option<&Replica<M>> {
        match &self.state {
            State::Up(replica) => Some(replica),
            State::Down(_) => None,
        }
    }

    /// Whether somebody looks at events from now on.
    pub fn observe(&mut self, observed: bool) {
        self.options.observed = observed;
        if let State::Up(replica) = &mut self.state {
            replica.observe(observed);
        }
    }

    /// Whether the replica is up.
    pub fn is_up(&self) -> bool {
        self.replica().is_some()
    }

    /// Refuses where the replica is down.
    pub fn check_up(&self) -> Result<(), Unfit> {
        if self.is_up() { Ok(()) } else { Err(Unfit::Down(self.id())) }
    }

    /// Refuses where the replica leads and answers nothing.
    pub fn check_serves(&self) -> Result<(), Unfit> {
        self.check_up()?;
        let missing = self.replica().and_then(Replica::missing);
        if missing.is_some() { Err(Unfit::LeftBehind(self.id())) } else { Ok(()) }
    }

    /// Refuses where the replica leads no new command: it is down or left behind, or has no room.
    pub fn check_leads(&self) -> Result<(), Unfit> {
        self.check_serves()?;
        let full = self.replica().is_some_and(|replica| !replica.has_room());
        if full { Err(Unfit::Full(self.id())) } else { Ok(()) }
    }

    /// Refuses where the replica is up.
    pub fn check_down(&self) -> Result<(), Unfit> {
        if self.is_up() { Err(Unfit::Up(self.id())) } else { Ok(()) }
    }

    /// The time of the replica's next timer, to be fired by hand.
    pub fn due(&self) -> Result<Time, Unfit> {
        self.check_up()?;
        self.next_timer().map(|(due, _)| due).ok_or(Unfit::NoTimer(self.id()))
    }

    /// What survives a crash, or has.
    pub fn durable(&self) -> &Durable {
        match &self.state {
            State::Up(replica) => replica.durable(),
            State::Down(left) => &left.0,
        }
    }

    /// Hands an input to the replica, which must be up.
    pub fn step(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        match &mut self.state {
            State::Up(replica) => replica.step(now, input, out),
            State::Down(_) => panic!("{} is down and takes no input", self.options.id),
        }
    }

    /// The replica's next timer; none while it is down.
    pub fn next_timer(&self) -> Option<(Time, Timer)> {
        self.replica().and_then(Replica::next_timer)
    }

    /// Takes everything from the replica but what is durable, and its store where that could not be
    /// made again. `false` where it was down already.
    pub fn crash(&mut self) -> bool {
        let nothing = State::Down(Box::new((Durable::new(0), None)));
        match std::mem::replace(&mut self.state, nothing) {
            State::Up(replica) => {
                self.state = State::Down(Box::new(replica.crash()));
                true
            }
            down @ State::Down(_) => {
                self.state = down;
                false
            }
        }
    }

    /// Starts the replica anew from what is durable. `false` where it was up.
    pub fn restart(&mut self, now: Time, out: &mut Vec<Output>) -> bool {
        match &self.state {
            State::Up(_) => false,
            State::Down(left) => {
                let options = self.options.clone();
                let replica = Replica::restart(options, (**left).clone(), M::default(), now, out);
                self.state = State::Up(Box::new(replica));
                true
            }
        }
    }
}
