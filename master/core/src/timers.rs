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
    /// Allocation does not wait for the agents of the registry any longer.
    AllocationRecovery,
    /// Frameworks may have to be asked to leave agents that will be away.
    InverseOffers,
    /// An ask has waited too long, or a notice of preemption is over.
    Preemption,
}

impl Timer {
    /// Whether somebody is given up when it is due.
    pub(crate) const fn is_deadline_of_others(self) -> bool {
        matches!(
            self,
            Self::AgentDeadline(_) | Self::RecoveredAgents | Self::FrameworkDeadline(_)
        )
    }
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

    /// When that timer is due.
    pub(crate) fn due(&self, timer: Timer) -> Option<Time> {
        self.due.get(&timer).copied()
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.due.contains_key(&timer)
    }

    /// When the next timer is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Whether somebody has until some time to be heard.
    pub(crate) fn has_deadline_of_others(&self) -> bool {
        let first = Timer::AgentDeadline(AgentKey(0));
        let next = self.due.range(first..).next();
        next.is_some_and(|(timer, _)| timer.is_deadline_of_others())
    }

    /// Takes the first timer that is due.
    pub(crate) fn pop(&mut self, now: Time) -> Option<Timer> {
        let (at, timer) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.cancel(timer);
        Some(timer)
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
        while let Some(timer) = timers.pop(at(3)) {
            due.push(timer);
        }
        let pings = [Timer::Ping(AgentKey(0)), Timer::Ping(AgentKey(1))];
        assert_eq!(due, [&[Timer::Allocation], &pings[..]].concat());
    }

    #[test]
    fn deadlines_of_others_are_told_from_the_masters_own_timers() {
        let key = FrameworkKey(7);
        let mut timers = Timers::default();
        for own in [
            Timer::Ping(AgentKey(9)),
            Timer::RegistryGc,
            Timer::Allocation,
        ] {
            timers.set(own, at(1));
        }
        assert!(!timers.has_deadline_of_others());
        timers.set(Timer::FrameworkDeadline(key), at(1));
        assert!(timers.has_deadline_of_others());
        timers.cancel(Timer::FrameworkDeadline(key));
        timers.set(Timer::AgentDeadline(AgentKey(0)), at(1));
        assert!(timers.has_deadline_of_others());
    }

    #[test]
    fn a_timer_set_again_is_due_once() {
        let mut timers = Timers::default();
        timers.set(Timer::RegistryGc, at(1));
        timers.set(Timer::RegistryGc, at(5));
        assert_eq!(timers.pop(at(4)), None);
        assert_eq!(timers.pop(at(6)), Some(Timer::RegistryGc));
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
