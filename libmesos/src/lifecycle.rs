//! The life of a driver, as Mesos' drivers have it, and who waits for its end.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::limits;

/// The status of a driver; the numbers are those of `Protos.Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    NotStarted = 1,
    Running = 2,
    Aborted = 3,
    Stopped = 4,
}

#[derive(Debug)]
struct State {
    status: Status,
    /// Whether the session is over, or there never was one.
    over: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    state: Mutex<State>,
    changed: Condvar,
}

impl Lifecycle {
    pub(crate) const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                status: Status::NotStarted,
                over: true,
            }),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.lock().status
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status() == Status::Running
    }

    /// Whether the driver starts by this: it does so once.
    pub(crate) fn start(&self) -> bool {
        let mut state = self.lock();
        let starts = state.status == Status::NotStarted;
        if starts {
            *state = State {
                status: Status::Running,
                over: false,
            };
        }
        starts
    }

    /// Whether this aborts a running driver.
    pub(crate) fn abort(&self) -> bool {
        let mut state = self.lock();
        let aborts = state.status == Status::Running;
        if aborts {
            state.status = Status::Aborted;
            self.changed.notify_all();
        }
        aborts
    }

    /// Stops a driver that runs or was aborted: whether it ran, and what the caller is to be told.
    /// Whoever stops an aborted driver hears that it was aborted.
    pub(crate) fn stop(&self) -> (bool, Status) {
        let mut state = self.lock();
        let before = state.status;
        if !matches!(before, Status::Running | Status::Aborted) {
            return (false, before);
        }
        state.status = Status::Stopped;
        self.changed.notify_all();
        match before {
            Status::Running => (true, Status::Stopped),
            _ => (false, before),
        }
    }

    /// The session is over.
    pub(crate) fn over(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }

    /// Waits for a driver that does not run any more to have said its last words.
    pub(crate) fn await_last_words(&self) {
        let patience = limits::STOP_PATIENCE;
        drop(self.wait(self.lock(), patience, |state| !state.over));
    }

    /// Waits until the driver runs no more; its status then.
    pub(crate) fn join(&self) -> Status {
        let mut state = self.lock();
        while state.status == Status::Running {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let patience = limits::STOP_PATIENCE;
        self.wait(state, patience, |state| !state.over).status
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        patience: Duration,
        goes_on: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self
            .changed
            .wait_timeout_while(state, patience, |it| goes_on(it));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change above is whole or not made.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_driver_starts_once() {
        let life = Lifecycle::new();
        assert_eq!(life.stop(), (false, Status::NotStarted));
        assert!(!life.abort());
        assert!(life.start() && !life.start());
        assert_eq!(life.stop(), (true, Status::Stopped));
        assert!(!life.start());
        assert_eq!(life.status(), Status::Stopped);
    }

    #[test]
    fn stopping_an_aborted_driver_says_that_it_was_aborted() {
        let life = Lifecycle::new();
        life.start();
        assert!(life.abort() && !life.abort());
        assert_eq!(life.stop(), (false, Status::Aborted));
        assert_eq!(life.stop(), (false, Status::Stopped));
    }

    #[test]
    fn whoever_joins_hears_the_last_status() {
        let life = Lifecycle::new();
        assert_eq!(life.join(), Status::NotStarted);
        life.start();
        thread::scope(|scope| {
            let joined = scope.spawn(|| life.join());
            life.abort();
            life.over();
            assert_eq!(joined.join().unwrap(), Status::Aborted);
        });
        life.await_last_words();
    }
}
