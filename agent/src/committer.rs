//! The thread that makes changes durable, and only then lets out what depends on them.
//!
//! A flush takes milliseconds. While one is under way the core goes on, and all that it did
//! meanwhile shares the next flush. Changes that are in no hurry wait for the next flush that is
//! needed anyway.

use std::{io, sync::Arc, thread};

use tepui_agent_core::Effect;
use tepui_store::{Batch, Error as StoreError, Store};
use tokio::sync::{mpsc, oneshot};

use crate::{driver::Work, limits};

#[cfg(test)]
thread_local! {
    /// Of tests that drop a server without stopping it.
    static JOINED: tepui_edge::Joined = const { tepui_edge::Joined::new() };
}

/// Starts the thread. It ends, and says how, when the last sender of works is gone and all is done,
/// or when a change cannot be made durable.
pub(crate) fn spawn(
    store: Arc<dyn Store>,
    works: mpsc::Receiver<Work>,
    act: impl FnMut(Effect) + Send + 'static,
) -> io::Result<oneshot::Receiver<Result<(), StoreError>>> {
    let (ended, end) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("tepui-commit".to_owned())
        .spawn(move || {
            let result = run(&*store, works, act);
            // Whoever hears of the end may open the store again.
            drop(store);
            let _ = ended.send(result);
        })?;
    #[cfg(test)]
    JOINED.with(|joined| joined.add(thread));
    #[cfg(not(test))]
    drop(thread);
    Ok(end)
}

fn run(
    store: &dyn Store,
    mut works: mpsc::Receiver<Work>,
    mut act: impl FnMut(Effect),
) -> Result<(), StoreError> {
    let mut held = Batch::new();
    while let Some(work) = works.blocking_recv() {
        let mut group = vec![work];
        while let Ok(work) = works.try_recv() {
            group.push(work);
        }
        let mut urgent = false;
        for work in &mut group {
            urgent |= work.urgent;
            held.append(std::mem::take(&mut work.writes));
        }
        if (urgent || held.len() > limits::CHANGES_HELD) && !held.is_empty() {
            store.commit(std::mem::take(&mut held))?;
        }
        group
            .into_iter()
            .flat_map(|work| work.effects)
            .for_each(&mut act);
    }
    if held.is_empty() {
        return Ok(());
    }
    store.commit(held).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tepui_agent_core::Note;
    use tepui_store::{Epoch, Family, MemoryStore};

    use super::*;

    const THINGS: Family = Family::new("things");

    /// A store that writes down when it was asked to commit.
    #[derive(Debug)]
    struct Recorder {
        inner: MemoryStore,
        log: Arc<Mutex<Vec<String>>>,
    }

    impl Store for Recorder {
        fn load(&self, family: Family) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
            self.inner.load(family)
        }

        fn commit(&self, batch: Batch) -> Result<Epoch, StoreError> {
            self.log
                .lock()
                .unwrap()
                .push(format!("commit {}", batch.len()));
            self.inner.commit(batch)
        }
    }

    fn work(key: Option<&str>, urgent: bool, note: &str) -> Work {
        let mut writes = Batch::new();
        key.iter().for_each(|key| writes.put(THINGS, key, vec![1]));
        Work {
            writes,
            urgent,
            effects: vec![Effect::Note(Note::Refused(note.to_owned()))],
        }
    }

    fn log_of(works: Vec<Work>) -> Vec<String> {
        let log = Arc::new(Mutex::new(Vec::new()));
        let inner = MemoryStore::new();
        let store = Recorder {
            inner,
            log: log.clone(),
        };
        let acted = log.clone();
        let act = move |effect| {
            if let Effect::Note(Note::Refused(text)) = effect {
                acted.lock().unwrap().push(text);
            }
        };
        let (sender, receiver) = mpsc::channel(8);
        works
            .into_iter()
            .for_each(|work| sender.try_send(work).unwrap());
        drop(sender);
        run(&store, receiver, act).unwrap();
        log.lock().unwrap().clone()
    }

    #[test]
    fn what_is_urgent_is_durable_before_anything_else_and_shares_a_flush() {
        let works = vec![
            work(None, false, "a"),
            work(Some("x"), true, "b"),
            work(Some("y"), true, "c"),
        ];
        assert_eq!(log_of(works), ["commit 2", "a", "b", "c"]);
    }

    #[test]
    fn what_is_in_no_hurry_is_written_at_the_end() {
        assert_eq!(log_of(vec![work(Some("x"), false, "a")]), ["a", "commit 1"]);
    }
}
