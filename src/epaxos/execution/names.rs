//! Numbers for keys.

use crate::epaxos::command::Key;

/// Gives each key a number, in order of appearance.
///
/// A hash table, as every instance is looked up here, and an ordered map compares its way through
/// strings all over memory. Its hash has no secret, so that equal histories make equal tables. A
/// client may make its own keys collide, and thereby this slow, never wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Names {
    /// The keys by number, each with its hash.
    keys: Vec<(u64, Key)>,
    /// A power of two of places, at least half of them empty. A key's number, plus one, is in the
    /// first place that was free from where its hash points to.
    places: Vec<u32>,
}

impl Names {
    /// The number of a key.
    pub fn number(&mut self, key: &Key) -> usize {
        if self.places.len() < 2 * (self.keys.len() + 1) {
            self.grow();
        }
        let hash = hash(key);
        let mut place = self.place(hash);
        while let Some(number) = (self.places[place] as usize).checked_sub(1) {
            let (other, name) = &self.keys[number];
            if *other == hash && name == key {
                return number;
            }
            place = self.after(place);
        }
        self.keys.push((hash, key.clone()));
        self.places[place] = count(&self.keys);
        self.keys.len() - 1
    }

    fn grow(&mut self) {
        self.places = vec![0; (2 * self.places.len()).max(PLACES_MIN)];
        for (number, (hash, _)) in (1..).zip(&self.keys) {
            let mut place = self.place(*hash);
            while self.places[place] != 0 {
                place = self.after(place);
            }
            self.places[place] = number;
        }
    }

    fn place(&self, hash: u64) -> usize {
        // The high bits are the better mixed ones.
        let folded = hash ^ (hash >> 32);
        usize::try_from(folded & (self.places.len() as u64 - 1)).expect("a place fits in memory")
    }

    fn after(&self, place: usize) -> usize {
        (place + 1) % self.places.len()
    }
}

fn count(keys: &[(u64, Key)]) -> u32 {
    u32::try_from(keys.len()).expect("there are fewer than four billion keys")
}

/// FNV-1a.
fn hash(key: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    key.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

const PLACES_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_numbers() {
        let mut names = Names::default();
        for _ in 0..2 {
            for number in 0..1000 {
                assert_eq!(names.number(&format!("key {number}").into()), number);
            }
        }
    }
}
