//! A set of numbers, kept as ranges.

/// Numbers, as ranges in ascending order with at least one number between two of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    /// All numbers up to `last`.
    pub(super) fn up_to(last: u64) -> Self {
        Self(vec![(0, last)])
    }

    /// How many ranges there are.
    pub(super) fn ranges(&self) -> usize {
        self.0.len()
    }

    /// The highest number.
    pub(super) fn highest(&self) -> Option<u64> {
        self.0.last().map(|(_, last)| *last)
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.0.get(self.at(number)).is_some_and(|(first, _)| *first <= number)
    }

    pub(super) fn insert(&mut self, number: u64) {
        if self.contains(number) {
            return;
        }
        let at = self.at(number);
        let extends_previous = at > 0 && self.0[at - 1].1 + 1 == number;
        let extends_next = self.0.get(at).is_some_and(|(first, _)| number + 1 == *first);
        match (extends_previous, extends_next) {
            (true, true) => {
                self.0[at - 1].1 = self.0[at].1;
                self.0.remove(at);
            }
            (true, false) => self.0[at - 1].1 = number,
            (false, true) => self.0[at].0 = number,
            (false, false) => self.0.insert(at, (number, number)),
        }
    }

    /// Adds the numbers between the lowest two ranges, where there are two.
    pub(super) fn close_lowest_gap(&mut self) {
        if self.0.len() > 1 {
            let (first, _) = self.0.remove(0);
            self.0[0].0 = first;
        }
    }

    /// The place of the first range that does not end below a number.
    fn at(&self, number: u64) -> usize {
        self.0.partition_point(|(_, last)| *last < number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_hold_what_a_set_holds(inserted in proptest::collection::vec(0..40_u64, 0..60)) {
            let (mut numbers, mut set) = (Numbers::default(), BTreeSet::new());
            for number in inserted {
                numbers.insert(number);
                set.insert(number);
                let starts = |it: &&u64| it.checked_sub(1).is_none_or(|below| !set.contains(&below));
                prop_assert_eq!(numbers.ranges(), set.iter().filter(starts).count());
                prop_assert_eq!(numbers.highest(), set.last().copied());
            }
            for number in 0..45 {
                prop_assert_eq!(numbers.contains(number), set.contains(&number));
            }
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_numbers() {
        let mut numbers = Numbers::up_to(0);
        numbers.insert(u64::MAX);
        numbers.insert(u64::MAX - 1);
        assert!(numbers.contains(0) && !numbers.contains(1) && numbers.contains(u64::MAX));
        assert_eq!(numbers.ranges(), 2);
    }

    #[test]
    fn closing_the_lowest_gap_adds_what_is_in_it() {
        let mut numbers = Numbers::default();
        for number in [3, 7, 9] {
            numbers.insert(number);
        }
        numbers.close_lowest_gap();
        assert!((3..=7).all(|number| numbers.contains(number)));
        assert!(!numbers.contains(2) && !numbers.contains(8));
        numbers.close_lowest_gap();
        numbers.close_lowest_gap();
        assert_eq!(numbers, Numbers(vec![(3, 9)]));
    }
}
