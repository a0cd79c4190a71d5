//! What is written together.

use std::fmt;

use crate::{Error, limits};

/// A kind of record: its keys are apart from those of every other kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family(&'static str);

impl Family {
    /// A family of that name; the name is on disk, so it may never change.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The kind of record.
    pub family: Family,
    /// Its key.
    pub key: String,
    /// Its new value; none to delete it.
    pub value: Option<Vec<u8>>,
}

/// Changes that become durable together, in the order they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    writes: Vec<Write>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub const fn new() -> Self {
        Self { writes: Vec::new() }
    }

    /// Sets a record.
    pub fn put(&mut self, family: Family, key: &str, value: Vec<u8>) {
        self.writes.push(Write {
            family,
            key: key.to_owned(),
            value: Some(value),
        });
    }

    /// Deletes a record; one that does not exist stays so.
    pub fn delete(&mut self, family: Family, key: &str) {
        self.writes.push(Write {
            family,
            key: key.to_owned(),
            value: None,
        });
    }

    /// Adds all the changes of `other` after its own: how several batches share one flush.
    pub fn append(&mut self, other: Self) {
        self.writes.extend(other.writes);
    }

    /// The changes, in order.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// How many changes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Refuses what the store does not take, before anything is written.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut total = 0;
        for write in &self.writes {
            let value = write.value.as_ref().map_or(0, Vec::len);
            let too_large = |what, size, limit| {
                let (family, key) = (write.family, shorten(&write.key));
                Err(Error::TooLarge {
                    family,
                    key,
                    what,
                    size,
                    limit,
                })
            };
            if write.key.is_empty() {
                return Err(Error::NoKey {
                    family: write.family,
                });
            }
            if write.key.len() > limits::KEY_BYTES {
                return too_large("key", write.key.len(), limits::KEY_BYTES);
            }
            if value > limits::VALUE_BYTES {
                return too_large("value", value, limits::VALUE_BYTES);
            }
            total += write.key.len() + value;
            if total > limits::BATCH_BYTES {
                return too_large("batch", total, limits::BATCH_BYTES);
            }
        }
        Ok(())
    }
}

/// The beginning of a key, for an error about keys that are too long.
fn shorten(key: &str) -> String {
    const SHOWN: usize = 80;
    key.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const THINGS: Family = Family::new("things");

    fn refusal(key: &str, value: Vec<u8>) -> String {
        let mut batch = Batch::new();
        batch.put(THINGS, key, value);
        batch.check().unwrap_err().to_string()
    }

    #[test]
    fn each_limit_is_refused_by_name() {
        assert!(refusal("", Vec::new()).contains("empty key"));
        let long = "k".repeat(limits::KEY_BYTES + 1);
        assert!(refusal(&long, Vec::new()).contains("the key has 2049 bytes"));
        let wide = vec![0; limits::VALUE_BYTES + 1];
        assert!(refusal("k", wide).contains("the value has 33554433 bytes"));
    }

    #[test]
    fn the_largest_batch_is_bounded() {
        let mut batch = Batch::new();
        for n in 0..=limits::BATCH_BYTES / limits::VALUE_BYTES {
            batch.put(THINGS, &n.to_string(), vec![0; limits::VALUE_BYTES]);
        }
        assert!(
            batch
                .check()
                .unwrap_err()
                .to_string()
                .contains("the batch has")
        );
    }

    #[test]
    fn appended_changes_come_after() {
        let mut first = Batch::new();
        first.put(THINGS, "a", vec![1]);
        let mut second = Batch::new();
        second.delete(THINGS, "a");
        first.append(second);
        let values: Vec<_> = first.writes().iter().map(|w| w.value.clone()).collect();
        assert_eq!(values, [Some(vec![1]), None]);
    }
}
