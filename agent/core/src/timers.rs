//! What is due when: at most one time for each thing that can be due.

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{ContainerId, Time};

use crate::{ContainerName, ExecutorKey, OperationUuid, TaskKey};

/// What can be due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The master was silent for too long.
    Silence,
    /// An agent that leaves has waited long enough.
    Leave,
    /// A task's oldest update is to be sent again.
    Retry(TaskKey),
    /// A task's grace period is over.
    Kill(TaskKey),
    /// One of a task's checks is due.
    Check(TaskKey, usize),
    /// A container that belongs to no task has survived a SIGKILL.
    Orphan(ContainerId),
    /// A container that a call has launched survived a SIGKILL.
    Guest(ContainerName),
    /// A task's longest time to completion is over.
    Completion(TaskKey),
    /// An executor has not subscribed in time.
    Registration(ExecutorKey),
    /// The grace period of an executor is over.
    Executor(ExecutorKey),
    /// The end of an operation is to be told again.
    Operation(OperationUuid),
}

/// What is due when.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(Time, Timer)>,
    times: BTreeMap<Timer, Time>,
}

impl Timers {
    /// Sets the time of a timer, whether it had one or not.
    pub(crate) fn set(&mut self, timer: Timer, at: Time) {
        self.cancel(&timer);
        self.queue.insert((at, timer.clone()));
        self.times.insert(timer, at);
    }

    /// Sets the time of a timer that is set already, if that makes it fire sooner.
    pub(crate) fn bring_forward(&mut self, timer: Timer, at: Time) {
        if self.times.get(&timer).is_some_and(|set| *set > at) {
            self.set(timer, at);
        }
    }

    /// Makes sure that a timer never fires.
    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.times.remove(timer) {
            self.queue.remove(&(at, timer.clone()));
        }
    }

    /// The earliest time that anything is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes the earliest timer that is due now or was before.
    pub(crate) fn pop(&mut self, now: Time) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.queue.pop_first()?;
        self.times.remove(&timer);
        Some(timer)
    }

    /// Whether a timer is set.
    pub(crate) fn is_set(&self, timer: &Timer) -> bool {
        self.times.contains_key(timer)
    }

    /// The timers that are set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Timer> {
        self.times.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_only_ever_brought_forward() {
        let mut timers = Timers::default();
        timers.bring_forward(Timer::Leave, Time::from_micros(1));
        assert_eq!(timers.next(), None);
        timers.set(Timer::Leave, Time::from_micros(7));
        timers.bring_forward(Timer::Leave, Time::from_micros(9));
        assert_eq!(timers.next(), Some(Time::from_micros(7)));
        timers.bring_forward(Timer::Leave, Time::from_micros(5));
        assert_eq!(timers.next(), Some(Time::from_micros(5)));
    }

    #[test]
    fn a_timer_fires_once_at_the_time_it_was_last_set_to() {
        let mut timers = Timers::default();
        timers.set(Timer::Silence, Time::from_micros(5));
        timers.set(Timer::Leave, Time::from_micros(7));
        timers.set(Timer::Silence, Time::from_micros(9));
        assert_eq!(timers.next(), Some(Time::from_micros(7)));
        assert_eq!(timers.pop(Time::from_micros(6)), None);
        assert_eq!(timers.pop(Time::from_micros(9)), Some(Timer::Leave));
        assert_eq!(timers.pop(Time::from_micros(9)), Some(Timer::Silence));
        assert_eq!(timers.pop(Time::MAX), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_cancelled_timer_never_fires() {
        let mut timers = Timers::default();
        timers.set(Timer::Silence, Time::ZERO);
        timers.cancel(&Timer::Silence);
        timers.cancel(&Timer::Leave);
        assert_eq!(timers.pop(Time::MAX), None);
        assert_eq!(timers.iter().count(), 0);
    }
}
