//! Threads that somebody waits for.

use std::{cell::RefCell, thread::JoinHandle};

/// Threads that are waited for when this goes away.
///
/// RocksDB aborts a process that ends while one of its threads still uses it. A server waits for
/// its thread in its own way; a test that just drops its server keeps the thread here, in a
/// `thread_local`, so that the test is not over before its store is closed.
#[derive(Debug, Default)]
pub struct Joined(RefCell<Vec<JoinHandle<()>>>);

impl Joined {
    /// None yet.
    pub const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// Waits for this one too.
    pub fn add(&self, thread: JoinHandle<()>) {
        self.0.borrow_mut().push(thread);
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        for thread in self.0.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        thread,
        time::Duration,
    };

    use super::*;

    thread_local! {
        static JOINED: Joined = const { Joined::new() };
    }

    #[test]
    fn a_thread_ends_after_those_that_it_keeps() {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = ended.clone();
        let keeper = thread::spawn(move || {
            let kept = thread::spawn(move || {
                thread::sleep(Duration::from_millis(50));
                ended.store(true, Ordering::SeqCst);
            });
            JOINED.with(|joined| joined.add(kept));
        });
        keeper.join().unwrap();
        assert!(seen.load(Ordering::SeqCst));
    }
}
