//! The handles by which the kernel tells the packets of containers apart, as in Mesos.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// The handles that containers get: of one primary, as of a queueing discipline, and a range of
/// secondaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetClasses {
    /// The upper half of every handle.
    pub primary: u16,
    /// The lower halves, of which each container gets one.
    pub secondary: HandleRange,
}

/// A range of lower halves of handles, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleRange {
    first: u16,
    last: u16,
}

impl Default for HandleRange {
    /// All that there are.
    fn default() -> Self {
        let (first, last) = (1, u16::MAX);
        Self { first, last }
    }
}

/// Why a text is no range of handles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no range of handles: two numbers from 0x1 to 0xffff, as in 0x0001,0x0fff")]
pub struct InvalidHandles(String);

impl FromStr for HandleRange {
    type Err = InvalidHandles;

    fn from_str(text: &str) -> Result<Self, InvalidHandles> {
        let invalid = || InvalidHandles(text.to_owned());
        let (first, last) = text.split_once(',').ok_or_else(invalid)?;
        let half = |text: &str| NetClasses::half(text).ok_or_else(invalid);
        let (first, last) = (half(first)?, half(last)?);
        if first > last {
            return Err(invalid());
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for HandleRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{:04x},0x{:04x}", self.first, self.last)
    }
}

impl NetClasses {
    /// Half a handle, in hexadecimal with `0x` or without. 0 is none.
    #[must_use]
    pub fn half(text: &str) -> Option<u16> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let number = u16::from_str_radix(digits, 16).ok()?;
        (number > 0).then_some(number)
    }

    /// The first handle that nobody has.
    pub(crate) fn choose(self, taken: &BTreeSet<u32>) -> Option<u32> {
        let HandleRange { first, last } = self.secondary;
        let whole = |half: u16| u32::from(self.primary) << 16 | u32::from(half);
        (first..=last).map(whole).find(|one| !taken.contains(one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_read_as_mesos_writes_them() {
        let range: HandleRange = "0x0001,0x0fff".parse().unwrap();
        assert_eq!((range.first, range.last), (1, 0xfff));
        assert_eq!(range.to_string().parse(), Ok(range));
        assert_eq!(HandleRange::default().to_string(), "0x0001,0xffff");
        for text in ["", "1", "0x0,0x1", "0x2,0x1", "0x1,0x10000", "a,z"] {
            assert!(text.parse::<HandleRange>().is_err(), "{text}");
        }
        assert_eq!(NetClasses::half("0x12"), Some(0x12));
        assert_eq!(NetClasses::half("0"), None);
    }

    #[test]
    fn each_handle_is_given_once_and_there_is_an_end_to_them() {
        let secondary = "0x5,0x7".parse().unwrap();
        let classes = NetClasses {
            primary: 0x10,
            secondary,
        };
        let mut taken = BTreeSet::new();
        while let Some(handle) = classes.choose(&taken) {
            assert!(taken.insert(handle));
        }
        assert!(taken.iter().copied().eq(0x0010_0005..=0x0010_0007));
        taken.remove(&0x0010_0006);
        assert_eq!(classes.choose(&taken), Some(0x0010_0006));
    }
}
