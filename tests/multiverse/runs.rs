//! Random runs with faults.

use epaxos_tui::epaxos::id::ReplicaId;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;
use proptest::prelude::*;

/// Something that is done to a cluster, if it can be.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// A put of a key at a replica.
    Put(u8, u8),
    /// A get of a key at a replica.
    Get(u8, u8),
    /// Two operations in one instance.
    Batch(u8, u8),
    /// The n-th message on its way is delivered, thrown away or doubled.
    Deliver(u16),
    Drop(u16),
    Duplicate(u16),
    /// It is given up by its sender.
    Lose(u16),
    /// A replica's timer fires.
    Wake(u8),
    Crash(u8),
    Recover(u8),
    /// A share of messages is lost, doubled or delayed from now on, or none.
    Loss(u8),
    Doubling(u8),
    Delay(u8),
    Cut(u8, u8),
    Heal,
    Hold,
    Release,
    Pause,
    Run,
    Sleep(u16),
    Settle,
}

/// Random ones, at most so many.
pub fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (0..5u8, 0..3u8).prop_map(|(at, key)| Act::Put(at, key)),
        2 => (0..5u8, 0..3u8).prop_map(|(at, key)| Act::Get(at, key)),
        1 => (0..5u8, 0..3u8).prop_map(|(at, key)| Act::Batch(at, key)),
        30 => any::<u16>().prop_map(Act::Deliver),
        4 => any::<u16>().prop_map(Act::Drop),
        3 => any::<u16>().prop_map(Act::Duplicate),
        2 => any::<u16>().prop_map(Act::Lose),
        4 => (0..5u8).prop_map(Act::Wake),
        1 => (0..5u8).prop_map(Act::Crash),
        2 => (0..5u8).prop_map(Act::Recover),
        1 => (0..60u8).prop_map(Act::Loss),
        1 => (0..60u8).prop_map(Act::Doubling),
        1 => (0..60u8).prop_map(Act::Delay),
        1 => (0..5u8, 0..5u8).prop_map(|(from, to)| Act::Cut(from, to)),
        1 => Just(Act::Heal),
        1 => Just(Act::Hold),
        1 => Just(Act::Release),
        1 => Just(Act::Pause),
        1 => Just(Act::Run),
        2 => (1..4_000u16).prop_map(Act::Sleep),
        1 => Just(Act::Settle),
    ];
    prop::collection::vec(act, 1..most)
}

/// Does something to a cluster, if it can be done.
pub fn perform(cluster: &mut Cluster, session: &mut Session, act: Act) {
    let replicas = cluster.view().shape.replicas();
    let replica = |id: u8| ReplicaId(id % u8::try_from(replicas).expect("few"));
    let key = |key: u8| ["x", "y", "z"][usize::from(key)];
    let message = |nth: u16| {
        let flights = cluster.in_flight();
        let nth = usize::from(nth).checked_rem(flights.len())?;
        flights.iter().nth(nth).map(|flight| flight.envelope.id)
    };
    let line = match act {
        Act::Put(at, on) => format!("put {} {at} @{}", key(on), replica(at)),
        Act::Get(at, on) => format!("get {} @{}", key(on), replica(at)),
        Act::Batch(at, on) => format!("batch \"put {} b\" \"get z\" @{}", key(on), replica(at)),
        Act::Deliver(nth) => message(nth).map_or_else(String::new, |id| format!("deliver {id}")),
        Act::Drop(nth) => message(nth).map_or_else(String::new, |id| format!("drop {id}")),
        Act::Duplicate(nth) => message(nth).map_or_else(String::new, |id| format!("dup {id}")),
        Act::Lose(nth) => {
            if let Some(id) = message(nth) {
                cluster.lose(id);
            }
            String::new()
        }
        Act::Wake(at) => format!("wake {}", replica(at)),
        Act::Crash(at) => format!("crash {}", replica(at)),
        Act::Recover(at) => format!("recover {}", replica(at)),
        Act::Loss(percent) => format!("loss {percent}"),
        Act::Doubling(percent) => format!("dup {percent}"),
        Act::Delay(millis) => format!("delay 0ms..{millis}ms"),
        Act::Cut(from, to) => format!("cut {} {}", replica(from), replica(to)),
        Act::Heal => "heal".to_owned(),
        Act::Hold => "hold kind=Commit".to_owned(),
        Act::Release => "release".to_owned(),
        Act::Pause => "pause".to_owned(),
        Act::Run => "run".to_owned(),
        Act::Sleep(millis) => format!("sleep {millis}ms"),
        Act::Settle => "settle".to_owned(),
    };
    // What cannot be done is not.
    if let Ok(Some(command)) = Command::parse(&line) {
        session.perform(cluster, &command).ok();
    }
}
