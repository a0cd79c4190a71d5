//! The line of a task's status updates: in order, one at a time, until acknowledged (Mesos:
//! TSK-09).

use core::time::Duration;
use std::collections::VecDeque;

use tepui_model::{Reason, StatusUuid, TaskState, TaskStatus};

use crate::{limits, retry::Retry};

/// Whether an update says what a check found, and no new state.
pub(crate) fn is_of_check(status: &TaskStatus) -> bool {
    matches!(
        status.reason,
        Some(Reason::TaskCheckStatusUpdated | Reason::TaskHealthCheckStatusUpdated)
    ) && status.state == TaskState::Running
}

/// The line of a task's status updates.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    pending: VecDeque<TaskStatus>,
    /// When the first update of the line is sent again.
    retry: Retry,
}

impl Updates {
    /// The line as it was written in a record.
    pub(crate) fn recover(pending: impl IntoIterator<Item = TaskStatus>) -> Self {
        Self {
            pending: pending.into_iter().collect(),
            retry: Retry::default(),
        }
    }

    /// Puts an update at the end of the line.
    pub(crate) fn push(&mut self, status: TaskStatus) {
        // Only executors say so much: what was said before the newest, and was not sent, is old.
        if self.pending.len() >= limits::MAX_PENDING_UPDATES {
            self.pending.pop_back();
        }
        self.pending.push_back(status);
    }

    /// Puts an update at the end of the line. What a check found takes the place of what one found
    /// before that was not sent yet: who hears late hears what is so now.
    pub(crate) fn push_latest(&mut self, status: TaskStatus) {
        let sent = usize::from(self.in_flight());
        if is_of_check(&status)
            && self.pending.len() > sent
            && self.pending.back().is_some_and(is_of_check)
        {
            self.pending.pop_back();
        }
        self.push(status);
    }

    /// The update whose turn it is.
    pub(crate) fn first(&self) -> Option<&TaskStatus> {
        self.pending.front()
    }

    /// Whether an update of this name waits.
    pub(crate) fn has(&self, uuid: StatusUuid) -> bool {
        self.iter().any(|status| status.uuid == Some(uuid))
    }

    /// Whether the first update has been sent on the present link.
    pub(crate) const fn in_flight(&self) -> bool {
        self.retry.in_flight()
    }

    /// Notes that the first update is sent now; says how long to wait before it is sent again.
    pub(crate) fn sent(&mut self) -> Duration {
        self.retry.sent()
    }

    /// Notes that the link is gone: what was sent may never have arrived.
    pub(crate) const fn recall(&mut self) {
        self.retry.recall();
    }

    /// Takes the first update out of the line if this is its name, and says whether it was.
    pub(crate) fn acknowledge(&mut self, uuid: StatusUuid) -> bool {
        let matches = self.first().is_some_and(|first| first.uuid == Some(uuid));
        if matches {
            self.pending.pop_front();
            self.retry.recall();
        }
        matches
    }

    /// Forgets every update.
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
        self.retry.recall();
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The updates in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &TaskStatus> {
        self.pending.iter()
    }
}

#[cfg(test)]
mod tests {
    use tepui_model::TaskId;

    use super::*;

    fn status(uuid: u8) -> TaskStatus {
        let mut status = TaskStatus::new(TaskId::new("t").unwrap(), TaskState::Running);
        status.uuid = Some(StatusUuid::from_bytes([uuid; 16]));
        status
    }

    #[test]
    fn the_wait_doubles_from_ten_seconds_to_ten_minutes() {
        let mut updates = Updates::recover([status(1)]);
        let waits: Vec<u64> = (0..8).map(|_| updates.sent().as_secs()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600]);
        updates.recall();
        assert_eq!(updates.sent(), limits::RETRY_MIN);
    }

    #[test]
    fn what_a_check_found_takes_the_place_of_what_was_not_sent() {
        let found = |uuid| TaskStatus {
            reason: Some(Reason::TaskHealthCheckStatusUpdated),
            ..status(uuid)
        };
        let mut updates = Updates::recover([status(1)]);
        updates.sent();
        updates.push_latest(found(2));
        updates.push_latest(found(3));
        assert_eq!(updates.len(), 2, "the first is no check's");
        assert!(updates.acknowledge(StatusUuid::from_bytes([1; 16])));
        updates.sent();
        updates.push_latest(found(4));
        updates.push_latest(found(5));
        let left = updates.iter().filter_map(|status| status.uuid);
        assert!(left.eq([3, 5].map(|byte| StatusUuid::from_bytes([byte; 16]))));
    }

    #[test]
    fn only_the_first_update_can_be_acknowledged() {
        let mut updates = Updates::recover([status(1), status(2)]);
        updates.sent();
        assert!(!updates.acknowledge(StatusUuid::from_bytes([2; 16])));
        assert!(updates.in_flight());
        assert!(updates.acknowledge(StatusUuid::from_bytes([1; 16])));
        assert!(!updates.in_flight());
        assert_eq!(updates.len(), 1);
    }
}
