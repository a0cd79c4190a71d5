//! What was fetched once, for tasks of the same user (Mesos: FET-03).
//!
//! It holds no more than it may: before each piece is written, files that nobody uses make room,
//! the one that was longest not used first. It is empty after a start.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tepui_images::{Digest, Error};
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

use crate::Source;

/// The user, and what was fetched for him.
pub(crate) type Key = (String, Source);

/// What was fetched once.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    limit: u64,
    state: Mutex<State>,
    /// What is being fetched. Who comes later waits, and finds it.
    busy: Mutex<BTreeMap<Key, Arc<Lock<()>>>>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Key, (Arc<Entry>, u64)>,
    /// The bytes of all entries, and of what is being written.
    used: u64,
    /// Counts uses and names.
    clock: u64,
}

/// A file of the cache. It stays at least while this lives.
#[derive(Debug)]
pub(crate) struct Entry {
    path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) digest: Digest,
}

impl Entry {
    pub(crate) fn open(&self) -> Result<File, Error> {
        let opened = File::open(&self.path);
        opened.map_err(|error| Error::Broken(format!("it left the cache: {error}")))
    }
}

/// A file of the cache in the making. Without its end there is none.
#[derive(Debug)]
pub(crate) struct Draft {
    cache: Arc<Cache>,
    path: PathBuf,
    reserved: u64,
    file: File,
    kept: bool,
}

/// One's turn to fetch something that others want too.
#[derive(Debug)]
pub(crate) struct Turn {
    cache: Arc<Cache>,
    key: Key,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Cache {
    /// Makes the folder, empty, for nobody else to look into.
    pub(crate) fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        // A folder of its own: the operator's may hold something else.
        let folder = folder.join("fetched");
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)?,
        }
        Ok(Self {
            folder,
            limit,
            state: Mutex::default(),
            busy: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes that it holds, and that it may hold.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.state().used, self.limit)
    }

    /// Waits until nobody else fetches this.
    pub(crate) async fn turn(self: &Arc<Self>, key: Key) -> Turn {
        let lock = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(busy.entry(key.clone()).or_default())
        };
        let mut turn = Turn {
            cache: Arc::clone(self),
            key,
            guard: None,
        };
        turn.guard = Some(lock.lock_owned().await);
        turn
    }

    /// What is there; what is not what is wanted is forgotten.
    pub(crate) fn find(&self, key: &Key, wanted: Option<&Digest>) -> Option<Arc<Entry>> {
        let mut state = self.state();
        state.clock += 1;
        let now = state.clock;
        let (entry, used) = state.entries.get_mut(key)?;
        if wanted.is_none_or(|digest| *digest == entry.digest) {
            *used = now;
            return Some(Arc::clone(entry));
        }
        state.forget(key);
        None
    }

    /// Begins a new file.
    pub(crate) fn draft(self: &Arc<Self>) -> io::Result<Draft> {
        let number = {
            let mut state = self.state();
            state.clock += 1;
            state.clock
        };
        let path = self.folder.join(number.to_string());
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Draft {
            cache: Arc::clone(self),
            path,
            reserved: 0,
            file,
            kept: false,
        })
    }

    /// Removes all that nobody uses just now.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        let idle = state
            .entries
            .iter()
            .filter(|(_, (entry, _))| Arc::strong_count(entry) == 1);
        let idle: Vec<_> = idle.map(|(key, _)| key.clone()).collect();
        idle.iter().for_each(|key| state.forget(key));
    }

    /// Makes room; false if what is in use leaves none.
    fn reserve(&self, bytes: u64) -> bool {
        let mut state = self.state();
        while state.used.saturating_add(bytes) > self.limit {
            let idle = state
                .entries
                .iter()
                .filter(|(_, (entry, _))| Arc::strong_count(entry) == 1);
            let oldest = idle.min_by_key(|(_, (_, used))| *used);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                return false;
            };
            state.forget(&key);
        }
        state.used += bytes;
        true
    }
}

impl State {
    fn forget(&mut self, key: &Key) {
        let Some((entry, _)) = self.entries.remove(key) else {
            return;
        };
        self.used = self.used.saturating_sub(entry.bytes);
        if let Err(error) = fs::remove_file(&entry.path) {
            tracing::warn!(path = %entry.path.display(), %error, "cannot remove from the cache");
        }
    }
}

impl Draft {
    /// Takes room for more bytes; false if there is none.
    pub(crate) fn grow(&mut self, bytes: u64) -> bool {
        let has_room = self.cache.reserve(bytes);
        self.reserved += if has_room { bytes } else { 0 };
        has_room
    }

    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    /// Ends the file: others find it from now on.
    pub(crate) fn keep(mut self, key: Key, digest: Digest) -> Arc<Entry> {
        self.kept = true;
        let entry = Arc::new(Entry {
            path: self.path.clone(),
            bytes: self.reserved,
            digest,
        });
        let mut state = self.cache.state();
        state.forget(&key);
        state.clock += 1;
        let now = state.clock;
        state.entries.insert(key, (Arc::clone(&entry), now));
        entry
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let mut state = self.cache.state();
        state.used = state.used.saturating_sub(self.reserved);
        drop(state);
        // The next start removes it otherwise.
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        let busy = self.cache.busy.lock();
        let mut busy = busy.unwrap_or_else(PoisonError::into_inner);
        // Who waits holds the lock too.
        if busy
            .get(&self.key)
            .is_some_and(|lock| Arc::strong_count(lock) == 1)
        {
            busy.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn key(name: &str) -> Key {
        ("user".to_owned(), Source::Remote(name.to_owned()))
    }

    fn add(cache: &Arc<Cache>, name: &str, bytes: usize) -> Option<Arc<Entry>> {
        let mut draft = cache.draft().unwrap();
        if !draft.grow(bytes as u64) {
            return None;
        }
        draft.file().write_all(&vec![b'x'; bytes]).unwrap();
        Some(draft.keep(key(name), Digest::of(name.as_bytes())))
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder.join("fetched")).unwrap().count()
    }

    #[test]
    fn what_was_longest_not_used_goes_first_and_what_is_in_use_stays() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Arc::new(Cache::open(folder.path(), 30).unwrap());
        for name in ["a", "b", "c"] {
            add(&cache, name, 10).unwrap();
        }
        assert!(cache.find(&key("a"), None).is_some());
        add(&cache, "d", 10).unwrap();
        assert!(cache.find(&key("b"), None).is_none(), "the oldest went");
        let held = [cache.find(&key("a"), None), cache.find(&key("c"), None)];
        assert!(add(&cache, "e", 20).is_none(), "two are in use");
        assert!(held.iter().flatten().all(|entry| entry.open().is_ok()));
        drop(held);
        assert!(add(&cache, "f", 30).is_some());
        assert_eq!((cache.bytes(), files(folder.path())), ((30, 30), 1));
        assert!(
            add(&cache, "g", 31).is_none(),
            "larger than everything may be"
        );
    }

    #[test]
    fn what_is_another_than_is_wanted_is_forgotten_and_half_a_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Arc::new(Cache::open(folder.path(), 30).unwrap());
        add(&cache, "a", 10).unwrap();
        assert!(cache.find(&key("a"), Some(&Digest::of(b"a"))).is_some());
        assert!(cache.find(&key("a"), Some(&Digest::of(b"other"))).is_none());
        let mut draft = cache.draft().unwrap();
        assert!(draft.grow(30));
        drop(draft);
        assert_eq!((cache.bytes(), files(folder.path())), ((0, 30), 0));
    }

    #[test]
    fn a_new_start_has_an_empty_cache_and_touches_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("kept"), "").unwrap();
        let cache = Arc::new(Cache::open(folder.path(), 30).unwrap());
        add(&cache, "a", 10).unwrap();
        Cache::open(folder.path(), 30).unwrap();
        assert_eq!(files(folder.path()), 0);
        assert!(folder.path().join("kept").exists());
    }
}
