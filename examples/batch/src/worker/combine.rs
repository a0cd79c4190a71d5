//! Sums up equal keys before they are written, so that less goes over the network.
//!
//! It is no more than that: what it writes are partial sums, and the next stage adds them up.

use std::collections::HashMap;

use super::output::write_count;
use crate::{
    part::PartError,
    record::{self, CountError},
};

/// What an entry takes beside its key: two pointers, the sum, and its share of a table that is half
/// empty after it grew.
const ENTRY_BYTES: usize = 64;

/// Sums by key, within a limit of memory.
#[derive(Debug)]
pub(super) struct Combiner {
    sums: HashMap<Box<[u8]>, i64>,
    bytes: usize,
    limit: usize,
}

impl Combiner {
    /// Full when it holds `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            sums: HashMap::new(),
            bytes: 0,
            limit,
        }
    }

    /// Adds to the sum of a key.
    pub(super) fn add(&mut self, key: &[u8], count: i64) -> Result<(), CountError> {
        match self.sums.get_mut(key) {
            Some(sum) => *sum = record::add(key, *sum, count)?,
            None => {
                self.sums.insert(key.into(), count);
                self.bytes += key.len() + ENTRY_BYTES;
            }
        }
        Ok(())
    }

    /// Whether it must be drained.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes >= self.limit
    }

    /// Hands out every sum as a record, ordered by key, and is empty again.
    pub(super) fn drain(
        &mut self,
        line: &mut Vec<u8>,
        mut each: impl FnMut(&[u8]) -> Result<(), PartError>,
    ) -> Result<(), PartError> {
        // Sorted, so that the same input makes the same file.
        let mut sums: Vec<_> = self.sums.drain().collect();
        sums.sort_unstable();
        self.bytes = 0;
        for (key, sum) in sums {
            write_count(line, &key, sum);
            each(line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(combiner: &mut Combiner) -> Vec<String> {
        let mut lines = Vec::new();
        let mut keep = |line: &[u8]| {
            lines.push(String::from_utf8_lossy(line).into_owned());
            Ok(())
        };
        combiner.drain(&mut Vec::new(), &mut keep).unwrap();
        lines
    }

    #[test]
    fn equal_keys_become_one_record() {
        let mut combiner = Combiner::new(1000);
        for (key, count) in [("b", 1), ("a", 2), ("b", 40)] {
            combiner.add(key.as_bytes(), count).unwrap();
        }
        assert_eq!(drained(&mut combiner), ["a\t2", "b\t41"]);
        assert!(drained(&mut combiner).is_empty());
        combiner.add(b"a", i64::MAX).unwrap();
        assert!(combiner.add(b"a", 1).is_err());
    }

    #[test]
    fn it_is_full_at_its_limit_and_empty_when_drained() {
        let mut combiner = Combiner::new(3 * (ENTRY_BYTES + 2));
        for n in 10..13 {
            assert!(!combiner.is_full());
            for _ in 0..100 {
                combiner.add(format!("{n}").as_bytes(), 1).unwrap();
            }
        }
        assert!(combiner.is_full());
        assert_eq!(drained(&mut combiner).len(), 3);
        assert!(!combiner.is_full());
    }
}
