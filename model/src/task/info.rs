//! A task as its framework describes it.

use std::{sync::Arc, time::Duration};

use tepui_proto::v1;

use super::TaskState;
use crate::{AgentId, FrameworkId, InvalidId, ResourceError, Resources, Role, TaskId, time};

/// Why a `TaskInfo` cannot be read. What can be read is checked with [`TaskInfo::validate`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTask {
    /// The task's id is no id.
    #[error("TaskInfo.task_id: {0}")]
    TaskId(InvalidId),
    /// The agent's id is no id.
    #[error("TaskInfo.agent_id: {0}")]
    AgentId(InvalidId),
    /// The resources are refused.
    #[error("Task uses invalid resources: {0}")]
    Resources(#[from] ResourceError),
}

/// A task as its framework describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInfo {
    /// The id, unique inside the framework.
    pub id: TaskId,
    /// The name, for people.
    pub name: String,
    /// The agent it goes to.
    pub agent_id: AgentId,
    /// What it takes, without its executor.
    pub resources: Resources,
    /// The role its resources are allocated to, if they say.
    pub allocation_role: Option<Role>,
    /// How long it has between SIGTERM and SIGKILL, if it says (Mesos: KIL-01).
    pub kill_grace: Option<Duration>,
    /// Everything, as it came.
    pub wire: Arc<v1::TaskInfo>,
}

impl TaskInfo {
    /// The task as the API shows it, in that state and without news of it.
    #[must_use]
    pub fn to_task(&self, framework_id: &FrameworkId, state: TaskState) -> v1::Task {
        let wire = &self.wire;
        v1::Task {
            name: self.name.clone(),
            task_id: (&self.id).into(),
            framework_id: framework_id.into(),
            executor_id: wire
                .executor
                .as_ref()
                .map(|executor| executor.executor_id.clone()),
            agent_id: (&self.agent_id).into(),
            state: v1::TaskState::from(state).into(),
            resources: self.resources.to_proto(self.allocation_role.as_ref()),
            labels: wire.labels.clone(),
            discovery: wire.discovery.clone(),
            container: wire.container.clone(),
            health_check: wire.health_check.clone(),
            kill_policy: wire.kill_policy,
            user: user_of(wire),
            limits: wire.limits.clone(),
            ..Default::default()
        }
    }
}

/// The user that the task's or its executor's command names.
fn user_of(wire: &v1::TaskInfo) -> Option<String> {
    let executor = wire
        .executor
        .as_ref()
        .and_then(|executor| executor.command.as_ref());
    wire.command
        .as_ref()
        .or(executor)
        .and_then(|command| command.user.clone())
}

impl TryFrom<v1::TaskInfo> for TaskInfo {
    type Error = InvalidTask;

    fn try_from(wire: v1::TaskInfo) -> Result<Self, InvalidTask> {
        let (resources, allocation_role) = Resources::from_proto(&wire.resources)?;
        let grace = wire
            .kill_policy
            .as_ref()
            .and_then(|policy| policy.grace_period.as_ref());
        Ok(Self {
            id: TaskId::try_from(&wire.task_id).map_err(InvalidTask::TaskId)?,
            name: wire.name.clone(),
            agent_id: AgentId::try_from(&wire.agent_id).map_err(InvalidTask::AgentId)?,
            resources,
            allocation_role,
            kill_grace: grace.and_then(time::span_from),
            wire: Arc::new(wire),
        })
    }
}

impl TryFrom<&v1::TaskInfo> for TaskInfo {
    type Error = InvalidTask;

    fn try_from(wire: &v1::TaskInfo) -> Result<Self, InvalidTask> {
        Self::try_from(wire.clone())
    }
}

impl From<&TaskInfo> for v1::TaskInfo {
    fn from(task: &TaskInfo) -> Self {
        (*task.wire).clone()
    }
}
