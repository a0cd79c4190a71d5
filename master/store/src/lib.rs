//! A durable keyed store: what must survive the death of a process.
//!
//! The master's registry, the agent's checkpoints and the frameworks' own state are sets of
//! records, each a value under a key in a [`Family`]. A [`Batch`] of changes becomes durable as a
//! whole, with one flush to disk, or not at all; so the way to write fast is to put many changes in
//! one batch.
//!
//! [`RocksStore`] keeps them in a folder, [`MemoryStore`] in memory for tests and simulations. Both
//! frame every value with a version and a checksum, and refuse a record that does not match them
//! instead of guessing.
//!
//! ```
//! use tepui_store::{Batch, Family, RocksStore, Store};
//!
//! const FRAMEWORKS: Family = Family::new("frameworks");
//!
//! # fn main() -> Result<(), tepui_store::Error> {
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("store");
//! let store = RocksStore::open(&path, &[FRAMEWORKS])?;
//! let mut batch = Batch::new();
//! batch.put(FRAMEWORKS, "f-1", b"hello".to_vec());
//! store.commit(batch)?;
//! assert_eq!(store.load(FRAMEWORKS)?, [("f-1".to_owned(), b"hello".to_vec())]);
//! # Ok(())
//! # }
//! ```

mod batch;
mod error;
mod frame;
pub mod limits;
mod memory;
mod rocks;
mod store;

pub use batch::{Batch, Family, Write};
pub use error::Error;
pub use memory::{Fault, MemoryStore};
pub use rocks::RocksStore;
pub use store::{Epoch, Store};
