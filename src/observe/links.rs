//! The links between replicas, and what can be wrong with one of them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::epaxos::draw;
use crate::epaxos::id::{MessageId, ReplicaId};
use crate::epaxos::message::Envelope;

/// One link in one direction, written `R0→R3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId {
    /// Whose messages it carries.
    pub from: ReplicaId,
    /// To whom.
    pub to: ReplicaId,
}

impl LinkId {
    /// The link on which a message is.
    pub fn of(envelope: &Envelope) -> Self {
        Self { from: envelope.id.sender, to: envelope.to }
    }

    /// The link in the other direction.
    #[must_use]
    pub fn back(self) -> Self {
        Self { from: self.to, to: self.from }
    }

    /// All links of a cluster of `replicas`, those of R0 first.
    pub fn all(replicas: usize) -> impl Iterator<Item = Self> {
        let pairs = ReplicaId::all(replicas)
            .flat_map(move |from| ReplicaId::all(replicas).map(move |to| Self { from, to }));
        pairs.filter(|link| link.from != link.to)
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}→{}", self.from, self.to)
    }
}

/// Something that every link has: one value for all of them, but for those that have their own. What
/// was said last of a link counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerLink<T> {
    all: T,
    own: BTreeMap<LinkId, T>,
}

impl<T: Copy + Default + PartialEq> PerLink<T> {
    /// What a link has.
    pub fn of(&self, link: LinkId) -> T {
        self.own.get(&link).copied().unwrap_or(self.all)
    }

    /// What links have that have nothing of their own.
    pub fn all(&self) -> T {
        self.all
    }

    /// The links that differ from the others, with what they have.
    pub fn own(&self) -> impl Iterator<Item = (LinkId, T)> + '_ {
        self.own.iter().map(|(link, value)| (*link, *value))
    }

    /// Gives one link a value, or all of them where none is named.
    pub fn set(&mut self, link: Option<LinkId>, value: T) {
        match link {
            None => *self = Self { all: value, own: BTreeMap::new() },
            Some(link) if value == self.all => drop(self.own.remove(&link)),
            Some(link) => drop(self.own.insert(link, value)),
        }
    }

    /// Whether no link has anything but what it has at first.
    pub fn is_plain(&self) -> bool {
        self.all == T::default() && self.own.is_empty()
    }
}

/// How much longer messages take: something from `least` to `most`, drawn for each. Nought is no
/// delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl Delay {
    /// The same for every message.
    pub fn fixed(time: Duration) -> Self {
        Self { least: time, most: time }
    }

    /// Whether nothing is delayed.
    pub fn is_none(self) -> bool {
        self.most.is_zero()
    }

    /// How long a message with this draw is delayed, to the microsecond.
    pub fn drawn(self, draw: u64) -> Duration {
        let width = self.most.saturating_sub(self.least).as_micros();
        let micros = (u128::from(draw).saturating_mul(width + 1)) >> u64::BITS;
        self.least + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

/// What is drawn for a message. Draws for different things have nothing to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lot {
    /// Whether it is lost.
    Loss,
    /// Whether it is doubled.
    Duplicate,
    /// How long it is delayed.
    Delay,
}

/// What a message draws: any number, with equal chances. A function of the seed and of the
/// message's name, so that a run repeats.
pub fn draw(seed: u64, lot: Lot, id: MessageId) -> u64 {
    // The nought keeps a seed and the lot, which is small, from cancelling each other.
    let parts = [0, lot as u64, u64::from(id.sender.0), id.number, u64::from(id.copy)];
    draw::draw(seed, parts)
}

/// Whether something that happens to `percent` in a hundred happens to whoever drew this.
pub fn happens(percent: u32, draw: u64) -> bool {
    (u128::from(draw) * 100) >> u64::BITS < u128::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOTS: [Lot; 3] = [Lot::Loss, Lot::Duplicate, Lot::Delay];

    fn id(sender: u8, number: u64, copy: u32) -> MessageId {
        MessageId { sender: ReplicaId(sender), number, copy }
    }

    /// How many of the first thousand messages of a replica something happens to.
    fn hits(seed: u64, lot: Lot, sender: u8, percent: u32) -> usize {
        let drawn = (0..1_000).map(|number| draw(seed, lot, id(sender, number, 0)));
        drawn.filter(|draw| happens(percent, *draw)).count()
    }

    #[test]
    fn a_share_is_what_it_says_whoever_sends() {
        for sender in 0..9 {
            for lot in LOTS {
                for percent in [1, 10, 20, 50, 90] {
                    let expected = percent as usize * 10;
                    let hits = hits(7, lot, sender, percent);
                    // Four standard deviations of a thousand independent draws.
                    let width = (expected * (1_000 - expected) / 1_000).isqrt() * 4 + 4;
                    assert!(hits.abs_diff(expected) <= width, "{hits} of 1000 at {percent}%");
                }
                assert_eq!([hits(7, lot, sender, 0), hits(7, lot, sender, 100)], [0, 1_000]);
            }
        }
    }

    /// Two rows of draws agree in as many places as chance has it: neighbours, other senders, other
    /// copies, other lots and other seeds tell nothing.
    #[test]
    fn draws_tell_nothing_of_each_other() {
        let half = |draw: u64| happens(50, draw);
        let base = |number| half(draw(0, Lot::Loss, id(0, number, 0)));
        let others: [&dyn Fn(u64) -> bool; 6] = [
            &|number| half(draw(0, Lot::Loss, id(0, number + 1, 0))),
            &|number| half(draw(0, Lot::Loss, id(1, number, 0))),
            &|number| half(draw(0, Lot::Loss, id(0, number, 1))),
            &|number| half(draw(0, Lot::Duplicate, id(0, number, 0))),
            &|number| half(draw(1, Lot::Loss, id(0, number, 0))),
            &|number| half(draw(0, Lot::Loss, id(0, number << 32, 0))),
        ];
        for (index, other) in others.iter().enumerate() {
            let alike = (0..2_000).filter(|number| base(*number) == other(*number)).count();
            assert!(alike.abs_diff(1_000) < 120, "{index}: {alike} of 2000 alike");
        }
    }

    #[test]
    fn a_delay_is_within_its_range_and_reaches_all_of_it() {
        let delay = Delay { least: Duration::from_millis(5), most: Duration::from_millis(40) };
        let drawn: Vec<_> =
            (0..2_000).map(|number| delay.drawn(draw(0, Lot::Delay, id(2, number, 0)))).collect();
        assert!(drawn.iter().all(|time| (delay.least..=delay.most).contains(time)));
        assert!(drawn.iter().min() < Some(&Duration::from_micros(5_200)));
        assert!(drawn.iter().max() > Some(&Duration::from_micros(39_800)));
        assert_eq!([delay.drawn(0), delay.drawn(u64::MAX)], [delay.least, delay.most]);
        assert_eq!(Delay::fixed(delay.least).drawn(u64::MAX), delay.least);
    }

    #[test]
    fn what_was_said_last_of_a_link_counts() {
        let link = |from, to| LinkId { from: ReplicaId(from), to: ReplicaId(to) };
        let mut loss = PerLink::default();
        loss.set(Some(link(0, 1)), 50);
        assert_eq!([loss.of(link(0, 1)), loss.of(link(1, 0))], [50, 0]);
        loss.set(None, 20);
        assert_eq!([loss.of(link(0, 1)), loss.of(link(1, 0))], [20, 20]);
        loss.set(Some(link(0, 1)), 0);
        assert_eq!(loss.own().collect::<Vec<_>>(), [(link(0, 1), 0)]);
        loss.set(Some(link(0, 1)), 20);
        assert_eq!(loss.own().count(), 0);
        loss.set(None, 0);
        assert!(loss.is_plain());
    }
}
