//! A place in a list that is longer than the screen.

/// Which row is selected, and which is the first to be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The selected row.
    pub selected: usize,
    /// The first row to be seen.
    pub offset: usize,
    /// The first row that was seen when the person last moved: what is seen goes back to it, should
    /// the list have become shorter or the screen smaller for a while.
    wanted: usize,
}

impl Place {
    /// A place with this row selected, seen from that one on.
    pub fn new(selected: usize, offset: usize) -> Self {
        Self { selected, offset, wanted: offset }
    }

    /// Moves the selection.
    pub fn go(&mut self, by: isize, length: usize) {
        self.selected = self.selected.saturating_add_signed(by).min(length.saturating_sub(1));
        self.wanted = self.offset;
    }

    /// Moves what is seen, where nothing is selected.
    pub fn scroll(&mut self, by: isize) {
        self.offset = self.offset.saturating_add_signed(by);
        self.wanted = self.offset;
    }

    /// Keeps the selection in the list and in sight.
    pub fn settle(&mut self, length: usize, height: usize) {
        self.selected = self.selected.min(length.saturating_sub(1));
        let least = (self.selected + 1).saturating_sub(height);
        self.offset = self.wanted.clamp(least, self.selected.max(least));
        self.settle_offset(length, height);
    }

    /// Keeps what is seen in the list.
    pub fn settle_offset(&mut self, length: usize, height: usize) {
        self.offset = self.offset.min(length.saturating_sub(height));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_stays_in_sight() {
        let mut place = Place::default();
        place.go(15, 100);
        place.settle(100, 10);
        assert_eq!((place.selected, place.offset), (15, 6));
        place.go(-2, 100);
        place.settle(100, 10);
        assert_eq!((place.selected, place.offset), (13, 6));
        place.go(isize::MAX, 100);
        place.settle(100, 10);
        assert_eq!((place.selected, place.offset), (99, 90));
        place.go(isize::MIN, 100);
        place.settle(100, 10);
        assert_eq!((place.selected, place.offset), (0, 0));
        place.settle(0, 0);
        assert_eq!((place.selected, place.offset), (0, 0));
    }

    #[test]
    fn a_list_that_shrinks_leaves_no_gap() {
        let mut place = Place::new(99, 90);
        place.settle(20, 10);
        assert_eq!((place.selected, place.offset), (19, 10));
    }
}
