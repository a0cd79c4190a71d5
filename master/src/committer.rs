//! The thread that makes changes durable, and only then lets out what depends on them.
//!
//! A flush takes milliseconds. While one is under way the core goes on, and all that it did meanwhile
//! shares the next flush.

use std::{io, sync::Arc, thread};

use tepui_store::{Batch, Error as StoreError, Store};
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use crate::{
    dispatch::Dispatcher,
    driver::{Step, Work},
};

/// Starts the thread. It ends, and says how, when the last sender of works is gone and all is done,
/// or when a change cannot be made durable.
pub(crate) fn spawn(
    store: Arc<dyn Store>,
    works: mpsc::Receiver<Work>,
) -> io::Result<oneshot::Receiver<Result<(), StoreError>>> {
    let (ended, end) = oneshot::channel();
    thread::Builder::new()
        .name("tepui-commit".to_owned())
        .spawn(move || {
            let mut dispatcher = Dispatcher::default();
            let result = run(&*store, works, &mut dispatcher);
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
    Ok(end)
}

fn run(
    store: &dyn Store,
    mut works: mpsc::Receiver<Work>,
    dispatcher: &mut Dispatcher,
) -> Result<(), StoreError> {
    while let Some(work) = works.blocking_recv() {
        let mut group = Group::default();
        group.add(work, dispatcher);
        while let Ok(work) = works.try_recv() {
            group.add(work, dispatcher);
        }
        if !group.writes.is_empty() {
            store.commit(group.writes)?;
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
