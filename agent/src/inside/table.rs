//! The sessions that are known, by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tepui_agent_core::ContainerName as Name;
use tepui_containers::{ExitStatus, SessionControl, Signal};
use tepui_model::ContainerId;
use tokio::sync::watch;

use super::Console;
use crate::limits;

/// The containers that are known. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inside(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    entries: BTreeMap<Name, Entry>,
    last: u64,
    /// The tasks at whose terminals somebody types.
    typed_at: BTreeSet<ContainerId>,
}

#[derive(Debug)]
struct Entry {
    /// Which was launched after which.
    number: u64,
    known: Known,
}

/// One container.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    state: watch::Sender<State>,
}

/// How far a container is.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// It is being started.
    Starting,
    /// It runs.
    Running(Console, SessionControl),
    /// It has ended.
    Ended(ExitStatus),
}

/// Why a name cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There is such a container.
    Exists,
    /// There are as many as can be.
    Full,
}

impl Inside {
    /// Takes a name for a session that is about to be opened.
    pub(crate) fn reserve(&self, name: &Name) -> Result<Reserved, Taken> {
        let mut table = self.lock();
        if table.entries.contains_key(name) {
            return Err(Taken::Exists);
        }
        if table.entries.len() >= limits::INSIDE_CONTAINERS && !table.forget_oldest() {
            return Err(Taken::Full);
        }
        table.last += 1;
        let number = table.last;
        let state = watch::Sender::new(State::Starting);
        let known = Known { state };
        table.entries.insert(name.clone(), Entry { number, known });
        drop(table);
        Ok(Reserved {
            inside: self.clone(),
            name: Some(name.clone()),
        })
    }

    /// A container by its name.
    pub(crate) fn get(&self, name: &Name) -> Option<Known> {
        self.lock().entries.get(name).map(|it| it.known.clone())
    }

    /// Forgets one that has ended. False: it has not.
    pub(crate) fn remove(&self, name: &Name) -> bool {
        let mut table = self.lock();
        let ended = table
            .entries
            .get(name)
            .is_none_or(|it| it.known.has_ended());
        if ended {
            table.entries.remove(name);
        }
        ended
    }

    /// The right to type at a task's terminal, which one has at a time.
    pub(crate) fn type_at(&self, container: &ContainerId) -> Option<Typing> {
        let free = self.lock().typed_at.insert(container.clone());
        free.then(|| Typing {
            inside: self.clone(),
            container: container.clone(),
        })
    }

    /// One has ended, and those inside of it end too.
    fn ended(&self, name: &Name, status: ExitStatus) {
        let table = self.lock();
        if let Some(entry) = table.entries.get(name) {
            entry.known.state.send_replace(State::Ended(status));
        }
        let inner = table.entries.iter();
        for (_, entry) in inner.filter(|(inner, _)| inner.parent().as_ref() == Some(name)) {
            entry.known.kill();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // What is behind it is whole even after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Makes room for another; false if all run.
    fn forget_oldest(&mut self) -> bool {
        let ended = self.entries.iter().filter(|(_, it)| it.known.has_ended());
        let oldest = ended.min_by_key(|(_, it)| it.number);
        let oldest = oldest.map(|(name, _)| name.clone());
        oldest.is_some_and(|name| self.entries.remove(&name).is_some())
    }
}

impl Known {
    /// How far it is now.
    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    fn has_ended(&self) -> bool {
        matches!(&*self.state.borrow(), State::Ended(_))
    }

    /// Waits for its end.
    pub(crate) async fn wait(&self) -> ExitStatus {
        let mut state = self.state.subscribe();
        loop {
            if let State::Ended(status) = &*state.borrow_and_update() {
                return *status;
            }
            // The sender lives in `self`.
            if state.changed().await.is_err() {
                return ExitStatus::Unknown;
            }
        }
    }

    fn kill(&self) {
        if let State::Running(_, control) = self.state()
            && let Err(error) = control.signal(Signal::SIGKILL)
        {
            tracing::warn!(%error, "cannot kill a container inside of another");
        }
    }
}

/// The right to type at a task's terminal, until it is dropped.
#[derive(Debug)]
pub(crate) struct Typing {
    inside: Inside,
    container: ContainerId,
}

impl Drop for Typing {
    fn drop(&mut self) {
        self.inside.lock().typed_at.remove(&self.container);
    }
}

/// A name that was taken. Dropped before its container runs, it is given back.
#[derive(Debug)]
pub(crate) struct Reserved {
    inside: Inside,
    name: Option<Name>,
}

impl Reserved {
    /// The container runs. From now on it is known until it is removed, and watched.
    pub(crate) fn runs(mut self, console: Console, control: SessionControl) {
        let Some(name) = self.name.take() else { return };
        if let Some(known) = self.inside.get(&name) {
            let running = State::Running(console, control.clone());
            known.state.send_replace(running);
        }
        let inside = self.inside.clone();
        tokio::spawn(async move {
            let status = control.wait().await;
            inside.ended(&name, status);
        });
    }

    /// Its program could not be run: it has ended already.
    pub(crate) fn never_ran(mut self, status: ExitStatus) {
        if let Some(name) = self.name.take() {
            self.inside.ended(&name, status);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            self.inside.lock().entries.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use tepui_proto::v1;

    use super::*;

    fn name(own: &str) -> Name {
        let parent = v1::ContainerId {
            value: "root".to_owned(),
            parent: None,
        };
        Name::read(&v1::ContainerId {
            value: own.to_owned(),
            parent: Some(Box::new(parent)),
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_name_is_had_once_until_it_is_given_back_or_removed() {
        let inside = Inside::default();
        let reserved = inside.reserve(&name("a")).unwrap();
        let again = inside.reserve(&name("a")).unwrap_err();
        assert_eq!(again, Taken::Exists);
        assert!(!inside.remove(&name("a")), "it has not ended");
        drop(reserved);
        assert!(inside.get(&name("a")).is_none());
        let reserved = inside.reserve(&name("a")).unwrap();
        reserved.never_ran(ExitStatus::Code(127));
        let known = inside.get(&name("a")).unwrap();
        assert_eq!(known.wait().await, ExitStatus::Code(127));
        assert!(inside.remove(&name("a")) && inside.get(&name("a")).is_none());
    }

    #[test]
    fn the_oldest_that_has_ended_makes_room_and_those_that_run_do_not() {
        let inside = Inside::default();
        let all = (0..limits::INSIDE_CONTAINERS).map(|number| {
            let name = name(&format!("n{number}"));
            inside.reserve(&name).unwrap()
        });
        let mut all: Vec<_> = all.collect();
        let full = inside.reserve(&name("more")).unwrap_err();
        assert_eq!(full, Taken::Full);
        for reserved in all.drain(3..5) {
            reserved.never_ran(ExitStatus::Code(0));
        }
        let _more = inside.reserve(&name("more")).unwrap();
        assert!(inside.get(&name("n3")).is_none());
        assert!(inside.get(&name("n4")).is_some());
    }
}
