//! Everything that happens because time passes, in one queue.

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{AgentKey, FrameworkKey, Time};

/// What is due at a time. Each is due at most once; the order among those due at the same time is
/// that of this list, then of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// An agent is pinged, and an earlier ping may be unanswered.
    Ping(AgentKey),
    /// A disconnected agent is unreachable.
    AgentDeadline(AgentKey),
    /// Agents that have not come back since the master started are unreachable.
    RecoveredAgents,
    /// A framework that is not connected is removed.
    FrameworkDeadline(FrameworkKey),
    /// The registry is cleared of old agents.
    RegistryGc,
    /// Resources are allocated.
    Allocation,
}

/// A queue of timers. Setting one again replaces it.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(Time, Timer)>,
    due: BTreeMap<Timer, Time>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Time) {
        self.cancel(timer);
        self.queue.insert((at, timer));
        self.due.insert(timer, at);
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.due.remove(&timer) {
            self.queue.remove(&(at, timer));
        }
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.due.contains_key(&timer)
    }

    /// When the next timer is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes the first timer that is due, with the time it was due at.
    pub(crate) fn pop(&mut self, now: Time) -> Option<(Time, Timer)> {
        let (at, timer) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.cancel(timer);
        Some((at, timer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Time {
        Time::from_micros(micros)
    }

    #[test]
    fn timers_are_due_in_the_order_of_their_times() {
        let mut timers = Timers::default();
        timers.set(Timer::Ping(AgentKey(1)), at(3));
        timers.set(Timer::Allocation, at(2));
        timers.set(Timer::Ping(AgentKey(0)), at(3));
        assert_eq!(timers.next(), Some(at(2)));
        assert_eq!(timers.pop(at(1)), None);
        let mut due = Vec::new();
        while let Some((_, timer)) = timers.pop(at(3)) {
            due.push(timer);
        }
        let pings = [Timer::Ping(AgentKey(0)), Timer::Ping(AgentKey(1))];
        assert_eq!(due, [&[Timer::Allocation], &pings[..]].concat());
    }

    #[test]
    fn a_timer_set_again_is_due_once() {
        let mut timers = Timers::default();
        timers.set(Timer::RegistryGc, at(1));
        timers.set(Timer::RegistryGc, at(5));
        assert_eq!(timers.pop(at(4)), None);
        assert_eq!(timers.pop(at(6)), Some((at(5), Timer::RegistryGc)));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_cancelled_timer_is_never_due() {
        let mut timers = Timers::default();
        timers.set(Timer::Allocation, at(1));
        timers.cancel(Timer::Allocation);
        assert!(!timers.is_set(Timer::Allocation));
        assert_eq!(timers.pop(Time::MAX), None);
    }
}
