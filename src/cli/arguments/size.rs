//! A number of bytes on the command line.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, written plainly or with a unit: `65536`, `64KiB`, `4MiB`, `2GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// The units, the largest first, each with how many bits it shifts.
const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit = UNITS.iter().find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, *bits)));
        let (number, bits) = unit.unwrap_or((text, 0));
        let number: u64 = number
            .trim_end()
            .parse()
            .map_err(|_| "expected a number of bytes, such as 65536 or 4MiB".to_owned())?;
        let bytes = number.checked_mul(1 << bits);
        bytes.map(Self).ok_or_else(|| format!("at most {} bytes can be counted", u64::MAX))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, bits): &&(&str, u32)| self.0 > 0 && self.0.trailing_zeros() >= *bits;
        match UNITS.iter().find(whole) {
            Some((unit, bits)) => write!(f, "{}{unit}", self.0 >> bits),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_back_as_they_are_written() {
        for (text, bytes) in [("0", 0), ("1000", 1000), ("3KiB", 3 << 10), ("128MiB", 128 << 20)] {
            assert_eq!(text.parse(), Ok(Size(bytes)));
            assert_eq!(Size(bytes).to_string(), text);
        }
        assert_eq!("2 GiB".parse(), Ok(Size(2 << 30)));
        assert_eq!(Size(u64::MAX).to_string().parse(), Ok(Size(u64::MAX)));
    }

    #[test]
    fn what_is_no_size_is_refused_with_an_example() {
        for text in ["", "MiB", "-1", "4MB", "1.5MiB", "17179869184GiB"] {
            let refused = text.parse::<Size>().unwrap_err();
            assert!(refused.contains("bytes"), "{text}: {refused}");
        }
    }
}
