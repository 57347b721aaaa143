//! Egalitarian Paxos as a state machine.
//!
//! # THE PROBLEM
//!
//! Several replicas hold copies of a store, and clients send their commands to whichever they like.
//! All copies must go through the same states although replicas stop, and messages are lost,
//! repeated, delayed and overtaken. Paxos and Raft elect a leader that puts all commands into one
//! sequence. Egalitarian Paxos (Moraru, Andersen, Kaminsky, SOSP 2013) has no such leader: every
//! replica leads the commands that its own clients send. It can do so because most commands do not
//! *interfere*: their order cannot be seen (different keys, or reads only). Only interfering commands
//! need an order among themselves, and for those the replicas agree, one command at a time, on which
//! others each depends on. The order follows from the dependencies, at each replica by itself.
//!
//! What is gained: one round trip to a majority in the common case, wherever the client is; load
//! spread evenly; no pause for an election. What it costs: a graph where others have a list.
//!
//! # THE LOG
//!
//! The log has two dimensions: one row for each replica, in which that replica alone hands out slots.
//! `R0.1` is the second command that R0 led: an [`instance`]. For each instance the replicas agree on
//! a triple: the [`command`]s it carries (a batch, or a no-op), its dependencies, and `seq`, a number
//! larger than that of everything it depends on as far as its leader could know. The latter two are
//! its [`attributes`], written `seq=2 deps={R4.1}`.
//!
//! Dependencies are one slot a row and have *prefix meaning*: `{R4.1}` stands for every interfering
//! instance of R4's row up to R4.1.
//!
//! # THE LIFE OF AN INSTANCE
//!
//! ```text
//!            PreAccept         a fast quorum holds
//!             to a fast          the proposal                     all it depends on
//!              quorum                                               is committed
//!  propose ─────────────► pre-accepted ─────────────► committed ─────────────────► executed
//!                              │                          ▲
//!            attributes differ │                          │ a slow quorum votes
//!                              └──────► accepted ─────────┘
//!                                Accept to a slow quorum
//! ```
//!
//! **Propose.** The command leader looks up everything it knows to interfere ([`index`]), makes that
//! the command's attributes, records the instance as pre-accepted, and sends a PreAccept.
//!
//! **PreAccept.** An acceptor adds what *it* knows to interfere, records that, and answers with the
//! result. From then on its own proposals and its answers to others will name this instance: two
//! interfering commands whose quorums share a replica cannot both be ignorant of each other.
//!
//! **Fast path.** If a fast quorum, the leader included, holds *exactly what the leader proposed*, the
//! command is committed: one round trip. Commit is sent to everybody.
//!
//! **Slow path.** Otherwise the leader takes the union of the answers and has a majority vote on it, as
//! in ordinary Paxos: Accept, AcceptReply, and then Commit: two round trips.
//!
//! **Execution.** A committed instance is executed after everything it depends on, cycles being broken
//! by `seq` and then by name: see [`execution`]. Only then is the client answered, unless the replicas
//! are told to answer early.
//!
//! # QUORUMS
//!
//! With N = 2f+1 replicas, a slow quorum has N−f = f+1 members, and a fast quorum N−e with
//! e = ⌈(f+1)/2⌉: 2, 3, 5, 6 for N = 3, 5, 7, 9. The leader counts in both. A *thrifty* leader asks
//! just as many replicas as it needs, the next ones in ring order, and everybody else only if those do
//! not answer. That changes who is asked and nothing else. See [`quorum`].
//!
//! # BALLOTS
//!
//! Should the leader stop halfway, another replica may finish its instance, and so each attempt at an
//! instance has a ballot: the leader's own first attempt has round 0, later ones count upwards, and
//! the driver's name makes each unique. An acceptor promises not to act on ballots lower than the one
//! it joined. A replica keeps *two*: the ballot it joined, and the one in which it last voted.
//!
//! # RECOVERY
//!
//! A replica that has waited too long for the decision of another one's instance finishes it. It has a
//! majority join a ballot of its own, and asks what they have. A decision or a vote settles it. Otherwise
//! the leader may have committed fast, which leaves no trace but replicas that hold its proposal
//! unchanged. If there are too few of those, or the leader itself says that it did not, a no-op is voted
//! for. If there are enough, the majority is asked what speaks against a fast commit: instances that
//! interfere, and that neither the proposal depends on nor depend on it. Where nothing does, the proposal
//! is voted for; where something committed does, a no-op; and where what does is undecided itself, its
//! decision is waited for. Each of these rules has a name ([`event::Rule`]) and a scenario.
//!
//! # HOW A REPLICA IS DRIVEN
//!
//! [`replica::Replica::step`] takes one input (commands of clients, a message, or "time has passed")
//! and appends what the host must now do. The host brings the clock, the network and the clients; with
//! the same inputs at the same times, the outputs are the same. One core therefore serves the live
//! cluster, the simulator, and the replay of either.
//!
//! ```
//! use epaxos_tui::epaxos::command::{Command, Operation, RequestId};
//! use epaxos_tui::epaxos::id::ReplicaId;
//! use epaxos_tui::epaxos::replica::{Input, Options, Output, Replica};
//! use epaxos_tui::epaxos::time::Time;
//! use epaxos_tui::kv::Store;
//!
//! let mut replica = Replica::new(Options::new(ReplicaId(0), 5), Store::default());
//! let request = RequestId::named("alice", 1);
//! let command = Command { request, operation: Operation::put("x", "1") };
//! let mut out = Vec::new();
//! replica.step(Time(0), Input::Propose(vec![command]), &mut out);
//!
//! // A thrifty leader of five asks two others.
//! let sent: Vec<_> = out
//!     .iter()
//!     .filter_map(|output| match output {
//!         Output::Send { to, message } => Some(format!("{to} {message}")),
//!         _ => None,
//!     })
//!     .collect();
//! assert_eq!(sent, ["R1 PreAccept R0.0 seq=1 deps={}", "R2 PreAccept R0.0 seq=1 deps={}"]);
//! ```
//!
//! Where to read on: [`message`] for what is said, [`replica`] for what is kept, then its files in the
//! order of an instance's life: `requests`, `pre_accept`, `accept`, `commit`, `timers`; and what others do
//! about it when its leader is gone, `recovery` and `validation`.
//!
//! # WHERE THIS DEPARTS FROM THE 2013 PAPER
//!
//! The variant is EPaxos* (Ryabinin, Gotsman, Sutra, OPODIS 2025), whose recovery has a proof.
//!
//! * **Equal to the proposal.** A reply counts for the fast path only if it equals what the leader
//!   proposed. In the paper replies need only equal each other, and then, where more replicas are
//!   asked than needed, two different values can gather a fast quorum.
//!   Equality is over dependencies *and* `seq`: comparing dependencies alone and committing the
//!   largest `seq` diverges.
//! * **No condition on the dependencies.** The paper's optimized fast path also wants each dependency
//!   known to be committed by some member of the quorum, so that `seq` survives a recovery. Where
//!   clients are answered on execution, nothing rests on that.
//! * **Two ballots.** With one for both purposes, a replica that joined a ballot without voting in it
//!   reports an older vote as if cast there, and recovery may choose wrongly (Sutra, "On the
//!   correctness of Egalitarian Paxos", 2019).
//! * **The leader's proposal is kept.** Every acceptor remembers what the leader first sent beside its
//!   own attributes; recovery needs to compare them.
//! * **Commits are final.** Whoever knows a decision answers any question about it with the decision.
//! * **Every Accept and Commit carries the commands**, unlike in the authors' code, so that an acceptor
//!   that missed the PreAccept can execute what it voted for.
//! * **Answers on execution.** Answering writes on commit, as the paper does, is a choice; what it
//!   gives up is said at [`replica::ReplyOn`].
//!
//! # WHAT IS LEFT OUT
//!
//! * **Storing**: [`replica::Durable`] says what must survive a crash, and a simulated crash keeps it; but
//!   nothing writes it to a disk.
//! * **Forgetting**: the log, the conflict index, and the answers to named clients grow.
//! * **Changing the set of replicas**, leases, and reads that do not go through the log.
//! * **Choosing the nearest acceptors**: on one machine all are near.

pub mod amount;
pub mod attributes;
pub mod command;
pub mod draw;
pub mod event;
pub mod execution;
pub mod fnv;
pub mod id;
pub mod index;
pub mod instance;
pub mod keys;
pub mod message;
pub mod mutation;
pub mod quorum;
pub mod replica;
pub mod seat;
pub mod space;
pub mod time;
