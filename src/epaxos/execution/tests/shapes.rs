//! Every shape of a log that can be put together from a few parts, in two sizes: the work for a log of
//! twice the size is about twice as much, whatever depends on whom, and in whatever order it is learned.

use std::fmt;

use super::{Attributes, Decision, Dependencies, InstanceId, Numbered, ReplicaId};
use super::{operation, payload};

/// What the instances depend on, in terms of their places in one sequence in which the rows take turns.
#[derive(Clone, Copy, Debug)]
enum Dependence {
    /// The one before, and the first one on the last: a cycle.
    Previous,
    /// The one after, and the last one on the first: a cycle against the order of commitment.
    Next,
    /// All before, in each row.
    AllBefore,
    /// All after it, so that the prefixes go to the end of each row but its own.
    OtherRows,
    /// As many in each row as it has before it in its own, but none of its own.
    Beside,
    /// All of the next row.
    NextRow,
    /// One third from the start, one third from the end, in turns.
    Thirds,
    /// Whatever random numbers say.
    Any,
    /// All of its own row, later ones included, and the next one of another.
    OwnRow,
}

const DEPENDENCES: [Dependence; 9] = [
    Dependence::Previous,
    Dependence::Next,
    Dependence::AllBefore,
    Dependence::OtherRows,
    Dependence::Beside,
    Dependence::NextRow,
    Dependence::Thirds,
    Dependence::Any,
    Dependence::OwnRow,
];

/// What the instances do.
#[derive(Clone, Copy, Debug)]
enum Content {
    Writes,
    Reads,
    /// One row writes, the others read.
    OneWrites,
    /// Reads, and a write now and then.
    FewWrites,
    Mixed,
    /// Three keys, reads and writes.
    Keys,
    /// Batches of two of three keys.
    Batches,
    /// Writes, and no-ops among them.
    Noops,
}

const CONTENTS: [Content; 8] = [
    Content::Writes,
    Content::Reads,
    Content::OneWrites,
    Content::FewWrites,
    Content::Mixed,
    Content::Keys,
    Content::Batches,
    Content::Noops,
];

#[derive(Clone, Copy, Debug)]
enum Seq {
    Equal,
    Rising,
    Falling,
}

/// In what order the instances are learned.
#[derive(Clone, Copy, Debug)]
enum Learned {
    Forward,
    Backward,
    Shuffled,
    RowByRow,
    /// All at once, but one in seven comes last.
    GapsLast,
}

const LEARNED: [Learned; 5] =
    [Learned::Forward, Learned::Backward, Learned::Shuffled, Learned::RowByRow, Learned::GapsLast];

/// A log to be made.
#[derive(Clone, Copy)]
struct Shape {
    rows: u64,
    dependence: Dependence,
    content: Content,
    seq: Seq,
    learned: Learned,
    /// How many are learned before what is ready is executed.
    at_once: usize,
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, dependence, content, seq, learned, at_once } = self;
        write!(
            f,
            "{rows} rows, {dependence:?}, {content:?}, {seq:?}, {learned:?}, {at_once} at once"
        )
    }
}

/// A number that looks random, the same one for the same place.
fn hash(number: u64, salt: u64) -> u64 {
    let mixed = (number ^ salt.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 17
}

impl Shape {
    fn instance(&self, place: u64) -> InstanceId {
        let row = usize::try_from(place % self.rows).unwrap();
        InstanceId::new(ReplicaId::from_index(row), place / self.rows)
    }

    fn deps(&self, place: u64, count: u64) -> Dependencies {
        let rows = self.rows;
        let all = |places: &mut dyn Iterator<Item = u64>| {
            places.map(|place| self.instance(place)).collect::<Dependencies>()
        };
        let own = place % rows;
        let up_to = |end: u64, without: Option<u64>| {
            all(&mut (end.saturating_sub(rows)..end).filter(|place| Some(place % rows) != without))
        };
        match self.dependence {
            Dependence::Previous => all(&mut [(place + count - 1) % count].into_iter()),
            Dependence::Next => all(&mut [(place + 1) % count].into_iter()),
            Dependence::AllBefore => up_to(place, None),
            Dependence::OtherRows => up_to(count, Some(own)),
            Dependence::Beside => up_to(place, Some(own)),
            Dependence::NextRow => {
                all(&mut (count - rows..count).filter(|last| last % rows == (own + 1) % rows))
            }
            Dependence::Thirds if place.is_multiple_of(2) => up_to(count / 3, None),
            Dependence::Thirds => up_to(count - count / 3, Some(own)),
            Dependence::Any => {
                all(&mut (0..rows).map(|row| hash(place, row) % (count / rows) * rows + row))
            }
            Dependence::OwnRow => {
                let last = count - rows + own;
                all(&mut [last, (place + 1) % count].into_iter())
            }
        }
    }

    fn operations(&self, place: u64) -> Vec<String> {
        let verb = |write: bool| if write { "put" } else { "get" };
        let random = hash(place, 99);
        match self.content {
            Content::Noops if random.is_multiple_of(5) => vec![],
            Content::Writes | Content::Noops => vec!["put x".to_owned()],
            Content::Reads => vec!["get x".to_owned()],
            Content::OneWrites => vec![format!("{} x", verb(place.is_multiple_of(self.rows)))],
            Content::FewWrites => vec![format!("{} x", verb(random.is_multiple_of(50)))],
            Content::Mixed => vec![format!("{} x", verb(random.is_multiple_of(2)))],
            Content::Keys => vec![format!("{} k{}", verb(random & 8 > 0), random % 3)],
            Content::Batches => (0..2)
                .map(|number| format!("{} k{}", verb(random & 8 > 0), (random + number) % 3))
                .collect(),
        }
    }

    fn log(&self, count: u64) -> Vec<Decision> {
        let decision = |place| {
            let operations = self.operations(place);
            let seq = match self.seq {
                Seq::Equal => 1,
                Seq::Rising => place + 1,
                Seq::Falling => count - place,
            };
            Decision {
                instance: self.instance(place),
                attributes: Attributes { seq, deps: self.deps(place, count) },
                payload: payload(operations.iter().map(|text| operation(text))),
            }
        };
        let mut log: Vec<_> = (0..count).map(decision).collect();
        match self.learned {
            Learned::Forward => {}
            Learned::Backward => log.reverse(),
            Learned::Shuffled => {
                log.sort_by_key(|it| hash(it.instance.slot, u64::from(it.instance.replica.0)));
            }
            Learned::RowByRow => log.sort_by_key(|decision| decision.instance),
            Learned::GapsLast => {
                log.sort_by_key(|it| hash(it.instance.slot, 5).is_multiple_of(7));
            }
        }
        log
    }

    /// What it takes to execute a log of `count` instances: candidates, edges followed, edges told.
    fn work(&self, count: u64) -> u64 {
        let count = count / self.rows * self.rows;
        let log = self.log(count);
        let mut execution = Numbered::new(usize::try_from(self.rows).unwrap());
        let (mut work, mut executed) = (0, 0);
        for piece in log.chunks(self.at_once) {
            for decision in piece {
                execution.commit(decision);
            }
            let pass = execution.advance();
            work += pass.work();
            executed += pass.components.iter().map(<[_]>::len).sum::<usize>();
        }
        assert_eq!((executed, execution.pending()), (log.len(), 0), "{self:?}");
        work
    }
}

/// All shapes that are learned in pieces of so many.
fn shapes(at_once: usize, seqs: &[Seq]) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for rows in [2, 5] {
        for dependence in DEPENDENCES {
            for content in CONTENTS {
                for seq in seqs.iter().copied() {
                    for learned in LEARNED {
                        shapes.push(Shape { rows, dependence, content, seq, learned, at_once });
                    }
                }
            }
        }
    }
    shapes
}

/// Those shapes for which an instance takes very much, or much and the more, the more instances there are.
fn not_linear(shapes: &[Shape], count: u64) -> Vec<String> {
    let mut found = Vec::new();
    for shape in shapes {
        let (once, twice) = (shape.work(count), shape.work(2 * count));
        let grows = twice > once * 5 / 2 && twice > MUCH * 2 * count;
        if grows || twice > VERY_MUCH * 2 * count {
            found.push(format!("{shape:?}: {once} for {count}, {twice} for {}", 2 * count));
        }
    }
    found
}

/// How many candidates, edges told and edges followed are much for one instance, and very much. Were each to
/// be compared with all others, it would be hundreds.
const MUCH: u64 = 80;
const VERY_MUCH: u64 = 150;

#[test]
fn no_shape_learned_at_once_takes_more_than_its_share() {
    let shapes = shapes(usize::MAX, &[Seq::Equal, Seq::Rising, Seq::Falling]);
    let found = not_linear(&shapes, 300);
    assert!(found.is_empty(), "{} of {}:\n{}", found.len(), shapes.len(), found.join("\n"));
}

#[test]
fn no_shape_learned_bit_by_bit_takes_more_than_its_share() {
    let mut all = shapes(1, &[Seq::Equal, Seq::Rising]);
    all.extend(shapes(50, &[Seq::Equal]));
    let found = not_linear(&all, 300);
    assert!(found.is_empty(), "{} of {}:\n{}", found.len(), all.len(), found.join("\n"));
}
