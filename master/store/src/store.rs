//! The trait that every store has.

use std::fmt;

use crate::{Batch, Error, Family};

/// A place where records survive the death of the process.
///
/// Calls block: on a runtime's worker they belong on a thread of their own. A store may be shared
/// by threads; the changes of two concurrent commits never mix.
pub trait Store: Send + Sync + fmt::Debug {
    /// Every record of the family, ordered by key.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names the record that does not match its checksum; nothing is guessed.
    fn load(&self, family: Family) -> Result<Vec<(String, Vec<u8>)>, Error>;

    /// Makes the whole batch durable, then returns. Later changes of a key in a batch win.
    ///
    /// # Errors
    /// After an error nothing of the batch may be relied on: it may or may not be found later, but
    /// always as a whole.
    fn commit(&self, batch: Batch) -> Result<Epoch, Error>;
}

/// How far a store has come: each commit that changes something has a greater epoch than the one
/// before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub(crate) u64);

impl Epoch {
    /// The number, for logs.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
