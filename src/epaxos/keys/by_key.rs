//! A table of what is held for each key and row.

use crate::epaxos::id::ReplicaId;
use crate::epaxos::keys::KeyId;

/// Something for each key and each row of the log; what is not there yet is the default. The rows of one
/// key lie together, since they are asked for together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ByKey<T> {
    rows: usize,
    /// By key, and for each by row.
    held: Vec<T>,
}

impl<T: Copy + Default> ByKey<T> {
    /// Nothing is held, for a log of so many rows.
    pub fn new(rows: usize) -> Self {
        Self { rows, held: Vec::new() }
    }

    /// What is held for a key, by row. There are no rows where the table does not reach that far.
    pub fn rows(&self, key: KeyId) -> &[T] {
        let start = key.index() * self.rows;
        self.held.get(start..start + self.rows).unwrap_or_default()
    }

    /// What is held for a key and a row, to change it.
    pub fn row_mut(&mut self, key: KeyId, row: ReplicaId) -> &mut T {
        let place = key.index() * self.rows + row.index();
        if place >= self.held.len() {
            self.held.resize((key.index() + 1) * self.rows, T::default());
        }
        &mut self.held[place]
    }

    /// Holds nothing for a key any more.
    pub fn forget(&mut self, key: KeyId) {
        let start = key.index() * self.rows;
        if let Some(rows) = self.held.get_mut(start..start + self.rows) {
            rows.fill(T::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_rows_of_its_own() {
        let [first, second, third] = [0, 1, 2].map(KeyId::from_index);
        let mut table = ByKey::<u64>::new(3);
        assert_eq!(table.rows(first), [0; 0]);
        *table.row_mut(second, ReplicaId(0)) = 4;
        *table.row_mut(second, ReplicaId(2)) = 5;
        *table.row_mut(first, ReplicaId(2)) = 6;
        assert_eq!((table.rows(first), table.rows(second)), (&[0, 0, 6][..], &[4, 0, 5][..]));
        table.forget(second);
        table.forget(third);
        assert_eq!((table.rows(first), table.rows(second)), (&[0, 0, 6][..], &[0; 3][..]));
        assert_eq!(table.rows(third), [0; 0]);
    }
}
