//! Tasks: each is a timer on its agent and a line in its framework's book.

use tepui_model::{InvalidId, Reason, StatusUuid, TaskId, TaskState, TaskStatus, Time};

/// What has become of a task on its agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is on its way, or never arrived.
    Sent,
    /// Its agent starts it.
    Starting,
    /// It runs.
    Running,
    /// It ran as long as it was to.
    Finished,
    /// It was ended.
    Killed,
    /// It was ended to make room for another.
    Preempted,
    /// It went down with its agent.
    Dead,
}

/// What its framework knows of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belief {
    /// It was launched.
    Launched,
    /// It runs.
    Running,
    /// It has finished.
    Finished,
    /// It is lost, and another does its work.
    GivenUp,
}

/// One task. There may be millions.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) framework: u32,
    pub(super) agent: u32,
    pub(super) submitted: Time,
    pub(super) phase: Phase,
    pub(super) belief: Belief,
    /// Whether the framework has acknowledged that it runs.
    pub(super) running_heard: bool,
    /// Whether the framework has acknowledged its end.
    pub(super) end_heard: bool,
}

impl Task {
    pub(super) const fn new(framework: u32, submitted: Time) -> Self {
        Self {
            framework,
            agent: u32::MAX,
            submitted,
            phase: Phase::Sent,
            belief: Belief::Launched,
            running_heard: false,
            end_heard: false,
        }
    }

    pub(super) const fn has_ended(&self) -> bool {
        matches!(
            self.phase,
            Phase::Finished | Phase::Killed | Phase::Preempted | Phase::Dead
        )
    }

    /// Whether it takes its resources on its agent.
    pub(super) const fn is_there(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Running)
    }

    /// The state that its agent tells a framework that is aware of partitions or is not.
    const fn state(&self, is_aware: bool) -> TaskState {
        match self.phase {
            Phase::Sent | Phase::Starting => TaskState::Staging,
            Phase::Running => TaskState::Running,
            Phase::Finished => TaskState::Finished,
            Phase::Killed => TaskState::Killed,
            Phase::Preempted if is_aware => TaskState::Gone,
            Phase::Preempted => TaskState::Lost,
            Phase::Dead => TaskState::Lost,
        }
    }

    /// What its agent says of it, to a framework that is aware of partitions or is not.
    pub(super) fn status(&self, number: u32, is_aware: bool) -> Result<TaskStatus, InvalidId> {
        let mut status = TaskStatus::new(id(number)?, self.state(is_aware));
        status.uuid = Some(uuid(number, self.has_ended()));
        if self.phase == Phase::Preempted {
            status.reason = Some(Reason::ContainerPreempted);
        }
        Ok(status)
    }
}

/// Tasks are named by their number.
pub(super) fn id(number: u32) -> Result<TaskId, InvalidId> {
    TaskId::new(number.to_string())
}

/// The number of a task that was named here.
pub(super) fn number(id: &str) -> Option<u32> {
    id.parse().ok()
}

/// What the framework acknowledges: that the task runs, or that it has ended.
pub(super) fn uuid(number: u32, is_end: bool) -> StatusUuid {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes[4] = u8::from(is_end);
    StatusUuid::from_bytes(bytes)
}

/// Whether that was the uuid of an end.
pub(super) const fn is_end(uuid: StatusUuid) -> bool {
    uuid.as_bytes()[4] == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_found_by_its_id_and_its_end_by_the_uuid() {
        assert_eq!(number(id(71).unwrap().as_str()), Some(71));
        assert!(is_end(uuid(71, true)) && !is_end(uuid(71, false)));
        assert_ne!(uuid(71, true), uuid(72, true));
    }
}
