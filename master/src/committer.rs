//! The thread that makes changes durable, and only then lets out what depends on them.
//!
//! A flush takes milliseconds. While one is under way the core goes on, and all that it did
//! meanwhile shares the next flush.

use std::{io, sync::Arc, thread, time::Instant};

use tepui_edge::History;
use tepui_store::{Batch, Error as StoreError, Store};
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use crate::{
    desk::metrics::Tally,
    dispatch::Dispatcher,
    driver::{Step, Work},
    sessions::Sessions,
};

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
    sessions: Sessions,
    tally: Tally,
) -> io::Result<oneshot::Receiver<Result<(), StoreError>>> {
    let (ended, end) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("tepui-commit".to_owned())
        .spawn(move || {
            let stored = tally.stored.clone();
            let mut dispatcher = Dispatcher::new(sessions, tally);
            let result = run(&*store, works, &mut dispatcher, &stored);
            let why = if result.is_ok() {
                "is stopping"
            } else {
                "cannot write its registry"
            };
            dispatcher.end_all(&Status::unavailable(format!("the master {why}")));
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
    dispatcher: &mut Dispatcher,
    stored: &History,
) -> Result<(), StoreError> {
    while let Some(work) = works.blocking_recv() {
        let mut group = Group::default();
        group.add(work, dispatcher);
        while let Ok(work) = works.try_recv() {
            group.add(work, dispatcher);
        }
        if !group.writes.is_empty() {
            let began = Instant::now();
            store.commit(group.writes)?;
            stored.add(began.elapsed().as_secs_f64() * 1000.0);
        }
        dispatcher.run(group.steps);
    }
    Ok(())
}

/// Works that share a flush.
#[derive(Default)]
struct Group {
    writes: Batch,
    steps: Vec<Step>,
}

impl Group {
    /// Adds a work. What depends on no write leaves at once.
    fn add(&mut self, work: Work, dispatcher: &mut Dispatcher) {
        self.writes.append(work.writes);
        if self.writes.is_empty() {
            dispatcher.run(work.steps);
        } else {
            self.steps.extend(work.steps);
        }
    }
}

#[cfg(test)]
mod tests {
    use tepui_store::{Family, Fault, MemoryStore};

    use super::*;

    /// A work that writes or not, and whether it has left.
    fn work(writes: bool) -> (Work, oneshot::Receiver<()>) {
        let (probe, left) = oneshot::channel();
        let mut work = Work::default();
        if writes {
            work.writes.put(Family::new("things"), "k", Vec::new());
        }
        work.steps.push(Step::Probe(probe));
        (work, left)
    }

    fn commit(store: &MemoryStore, list: Vec<Work>) -> Result<(), StoreError> {
        let (works, pending) = mpsc::channel(list.len());
        for work in list {
            works.blocking_send(work).unwrap();
        }
        drop(works);
        spawn(
            Arc::new(store.clone()),
            pending,
            Sessions::default(),
            Tally::default(),
        )
        .unwrap()
        .blocking_recv()
        .unwrap()
    }

    #[test]
    fn what_depends_on_a_failed_flush_never_leaves() {
        let store = MemoryStore::new();
        store.inject(|_| Some(Fault::Lose));
        let (before, mut before_left) = work(false);
        let (failed, mut failed_left) = work(true);
        let (after, mut after_left) = work(false);
        assert!(commit(&store, vec![before, failed, after]).is_err());
        assert!(before_left.try_recv().is_ok());
        assert!(failed_left.try_recv().is_err());
        assert!(after_left.try_recv().is_err());
    }

    #[test]
    fn what_came_before_the_end_is_durable_and_leaves() {
        let store = MemoryStore::new();
        let (first, mut first_left) = work(true);
        let (second, mut second_left) = work(true);
        commit(&store, vec![first, second]).unwrap();
        assert_eq!(store.load(Family::new("things")).unwrap().len(), 1);
        assert!(first_left.try_recv().is_ok() && second_left.try_recv().is_ok());
    }
}
