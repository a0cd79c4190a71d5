//! A store in memory, for tests and simulations: it can fail when told to.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Batch, Epoch, Error, Family, Store, frame};

/// How a commit shall fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is kept, and the caller hears an error.
    Lose,
    /// All is kept, and the caller hears an error all the same, as when the power goes after the
    /// flush.
    KeepButFail,
}

type FaultHook = Box<dyn FnMut(&Batch) -> Option<Fault> + Send>;

/// Records in memory. Clones share them, so a test can "restart" what uses the store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    records: BTreeMap<(&'static str, String), Vec<u8>>,
    epoch: u64,
    hook: Option<FaultHook>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks `hook` before each commit whether it shall fail. The hook may also wait, as a slow disk
    /// does.
    pub fn inject(&self, hook: impl FnMut(&Batch) -> Option<Fault> + Send + 'static) {
        self.lock().hook = Some(Box::new(hook));
    }

    /// Commits succeed again.
    pub fn heal(&self) {
        self.lock().hook = None;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Every change below is complete before anything that could panic.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&self, family: Family) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let shared = self.lock();
        let from = (family.name(), String::new());
        let records = shared
            .records
            .range(from..)
            .take_while(|((name, _), _)| *name == family.name());
        records
            .map(|((_, key), bytes)| Ok((key.clone(), frame::open(family, key, bytes)?)))
            .collect()
    }

    fn commit(&self, batch: Batch) -> Result<Epoch, Error> {
        batch.check()?;
        let mut shared = self.lock();
        let fault = shared.hook.as_mut().and_then(|hook| hook(&batch));
        if fault != Some(Fault::Lose) {
            shared.apply(&batch);
        }
        match fault {
            None => Ok(Epoch(shared.epoch)),
            Some(_) => Err(Error::Write {
                message: "an injected fault".to_owned(),
            }),
        }
    }
}

impl Shared {
    fn apply(&mut self, batch: &Batch) {
        self.epoch += batch.len() as u64;
        for write in batch.writes() {
            let place = (write.family.name(), write.key.clone());
            match &write.value {
                Some(value) => self
                    .records
                    .insert(place, frame::seal(write.family, &write.key, value)),
                None => self.records.remove(&place),
            };
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.lock();
        f.debug_struct("MemoryStore")
            .field("records", &shared.records.len())
            .field("epoch", &shared.epoch)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THINGS: Family = Family::new("things");

    fn one(key: &str) -> Batch {
        let mut batch = Batch::new();
        batch.put(THINGS, key, key.as_bytes().to_vec());
        batch
    }

    fn keys(store: &MemoryStore) -> Vec<String> {
        store
            .load(THINGS)
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect()
    }

    #[test]
    fn clones_share_the_records() {
        let store = MemoryStore::new();
        let before = store.clone();
        let first = store.commit(one("b")).unwrap();
        assert!(store.commit(one("a")).unwrap() > first);
        assert_eq!(keys(&before), ["a", "b"]);
    }

    #[test]
    fn a_lost_commit_leaves_nothing_and_a_kept_one_all() {
        let store = MemoryStore::new();
        let mut faults = [Fault::Lose, Fault::KeepButFail].into_iter();
        store.inject(move |_| faults.next());
        assert!(store.commit(one("lost")).is_err());
        assert!(store.commit(one("kept")).is_err());
        assert!(store.commit(one("fine")).is_ok());
        assert_eq!(keys(&store), ["fine", "kept"]);
    }
}
