//! The names of things, and how they are written: `R0` a replica, `R0.1` an instance, `b3.R2` a
//! ballot. Logs, screens, traces, scripts and panics all print these, so a line seen in one place
//! can be searched for in every other.

use std::fmt;
use std::str::FromStr;

/// The largest cluster: dependency vectors are arrays of this length, so that they are copied
/// rather than allocated.
pub const REPLICAS_MAX: usize = 9;

/// One replica, numbered from 0. Written `R0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(pub u8);

impl ReplicaId {
    /// The replica's place in an array indexed by replica.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// All replicas of a cluster of `count`, in order.
    pub fn all(count: usize) -> impl DoubleEndedIterator<Item = ReplicaId> + Clone {
        debug_assert!(count <= REPLICAS_MAX, "a cluster has at most {REPLICAS_MAX} replicas");
        (0..count).map(ReplicaId::from_index)
    }

    /// The other replicas of a cluster of `count`, in ring order from the one after this: replica
    /// 3 of 5 yields 4, 0, 1, 2. A thrifty leader asks a prefix of this list.
    pub fn next(self, count: usize) -> impl Iterator<Item = ReplicaId> + Clone {
        (1..count).map(move |offset| ReplicaId::from_index((self.index() + offset) % count))
    }

    /// The replica at a place of an array indexed by replica.
    pub fn from_index(index: usize) -> ReplicaId {
        ReplicaId(u8::try_from(index).expect("replica indexes fit in a byte"))
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{}", self.0)
    }
}

/// One cell of the two-dimensional log: the `slot`-th command that `replica` leads. Written
/// `R0.1`. A replica hands out its slots in order from 0 and never reuses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId {
    /// The command leader, whose row of the log this is.
    pub replica: ReplicaId,
    /// The place in the row, from 0.
    pub slot: u64,
}

impl InstanceId {
    /// The instance at `slot` of `replica`'s row.
    pub fn new(replica: ReplicaId, slot: u64) -> Self {
        Self { replica, slot }
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.replica, self.slot)
    }
}

/// A ballot of one instance, ordered by round, then by the replica that drives it, so that no two
/// replicas ever drive the same one. Written `b3.R2`.
///
/// Round 0 belongs to the command leader alone: PreAccept and its own slow path use it. Recovery
/// uses rounds from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// 0 for the command leader's first attempt, higher for recoveries.
    pub round: u32,
    /// Who drives the ballot.
    pub replica: ReplicaId,
}

impl Ballot {
    /// The highest round. No honest run gets there; one message may say so all the same, and must
    /// not make others say what nobody accepts.
    pub const ROUND_MAX: u32 = (1 << 31) - 1;

    /// The ballot that the command leader `replica` owns without asking anybody.
    pub fn initial(replica: ReplicaId) -> Self {
        Self { round: 0, replica }
    }

    /// Whether this is the command leader's own first ballot.
    pub fn is_initial(self) -> bool {
        self.round == 0
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}.{}", self.round, self.replica)
    }
}

/// One message, named by its sender and a counter of that sender, so that two equal messages are
/// never confused. Written `R0-5`; the n-th duplicate made of it on the way is `R0-5/n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Who sent it.
    pub sender: ReplicaId,
    /// How many messages the sender had sent before it.
    pub number: u64,
    /// 0 for the message as sent, n for the n-th duplicate the network made of it.
    pub copy: u32,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.sender, self.number)?;
        if self.copy > 0 {
            write!(f, "/{}", self.copy)?;
        }
        Ok(())
    }
}

/// What was written is not a name of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseIdError {
    /// What should have been written, with an example.
    expected: &'static str,
    /// What was.
    found: String,
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not {}", self.found, self.expected)
    }
}

impl std::error::Error for ParseIdError {}

/// Parses `text` with `parse`, and says what was expected where that fails.
fn parse_as<T>(
    text: &str,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, ParseIdError> {
    parse(text).ok_or_else(|| ParseIdError { expected, found: text.to_owned() })
}

/// A number written in plain digits: no sign, no leading zero but in `0` itself.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok()).flatten()
}

impl FromStr for ReplicaId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_as(text, "a replica, such as R0", |text| {
            let text = text.strip_prefix(['R', 'r']).unwrap_or(text);
            digits(text).filter(|id| usize::from(*id) < REPLICAS_MAX).map(ReplicaId)
        })
    }
}

impl FromStr for InstanceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_as(text, "an instance, such as R0.1", |text| {
            let (replica, slot) = text.split_once('.')?;
            Some(Self { replica: replica.parse().ok()?, slot: digits(slot)? })
        })
    }
}

impl FromStr for Ballot {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_as(text, "a ballot, such as b3.R2", |text| {
            let (round, replica) = text.strip_prefix('b')?.split_once('.')?;
            Some(Self { round: digits(round)?, replica: replica.parse().ok()? })
        })
    }
}

impl FromStr for MessageId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_as(text, "a message, such as R0-5", |text| {
            let (sender, rest) = text.split_once('-')?;
            let (number, copy) = rest.split_once('/').unwrap_or((rest, "0"));
            Some(Self {
                sender: sender.parse().ok()?,
                number: digits(number)?,
                copy: digits(copy)?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_written() {
        for text in ["R0", "R8"] {
            assert_eq!(text.parse::<ReplicaId>().unwrap().to_string(), text);
        }
        for text in ["R0.0", "R4.18446744073709551615"] {
            assert_eq!(text.parse::<InstanceId>().unwrap().to_string(), text);
        }
        for text in ["R0-5", "R3-0/2"] {
            assert_eq!(text.parse::<MessageId>().unwrap().to_string(), text);
        }
        for text in ["b0.R0", "b3.R2"] {
            assert_eq!(text.parse::<Ballot>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_name_is_refused_in_words() {
        for text in ["", "R", "R9", "R-1", "R01", "x", "R256", "R+1"] {
            assert!(text.parse::<ReplicaId>().is_err(), "{text:?}");
        }
        let error = "R0-1".parse::<InstanceId>().unwrap_err();
        assert_eq!(error.to_string(), "\"R0-1\" is not an instance, such as R0.1");
    }

    #[test]
    fn ring_order_starts_after_the_replica() {
        let next: Vec<_> = ReplicaId(3).next(5).map(|replica| replica.0).collect();
        assert_eq!(next, [4, 0, 1, 2]);
    }

    #[test]
    fn ballots_order_by_round_then_replica() {
        let ballot = |round, replica| Ballot { round, replica: ReplicaId(replica) };
        assert!(ballot(0, 4) < ballot(1, 0));
        assert!(ballot(1, 0) < ballot(1, 1));
    }
}
