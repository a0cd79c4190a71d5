//! A task as its framework describes it.

use std::{sync::Arc, time::Duration};

use tepui_proto::v1;

use super::TaskState;
use crate::{
    AgentId, FrameworkId, InvalidId, ResourceError, Resources, Role, TaskId, secrets, time,
};

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
    /// Among the tasks of one role, the lower is preempted first.
    pub priority: i32,
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
            container: wire.container.as_ref().map(secrets::of_container),
            health_check: wire.health_check.as_ref().map(secrets::of_health_check),
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
            priority: wire.tepui_priority(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> v1::TaskInfo {
        let resources: Resources = "cpus:1;mem:64".parse().unwrap();
        let grace_period = Some(v1::DurationInfo {
            nanoseconds: 1_500_000_000,
        });
        let command = v1::CommandInfo {
            user: Some("nobody".to_owned()),
            ..Default::default()
        };
        v1::TaskInfo {
            name: "sleep".to_owned(),
            task_id: v1::TaskId {
                value: "t".to_owned(),
            },
            agent_id: v1::AgentId {
                value: "m-S0".to_owned(),
            },
            resources: resources.to_proto(Some(&Role::new("web").unwrap())),
            command: Some(command),
            kill_policy: Some(v1::KillPolicy { grace_period }),
            ..Default::default()
        }
    }

    #[test]
    fn a_task_is_read_and_keeps_its_original() {
        let task = TaskInfo::try_from(wire()).unwrap();
        assert_eq!(task.id.as_str(), "t");
        assert_eq!(task.resources.to_string(), "cpus:1;mem:64");
        assert_eq!(task.allocation_role, Some(Role::new("web").unwrap()));
        assert_eq!(task.kill_grace, Some(Duration::from_millis(1500)));
        assert_eq!(v1::TaskInfo::from(&task), wire());
    }

    #[test]
    fn a_task_that_cannot_be_read_is_refused_with_the_name_of_the_field() {
        let refusal = |wire: v1::TaskInfo| TaskInfo::try_from(wire).unwrap_err().to_string();
        let nameless = v1::TaskInfo {
            task_id: v1::TaskId::default(),
            ..wire()
        };
        assert_eq!(refusal(nameless), "TaskInfo.task_id: ID must not be empty");
        let homeless = v1::TaskInfo {
            agent_id: v1::AgentId::default(),
            ..wire()
        };
        assert_eq!(refusal(homeless), "TaskInfo.agent_id: ID must not be empty");
        let broken = v1::TaskInfo {
            resources: vec![v1::Resource::default()],
            ..wire()
        };
        assert_eq!(
            refusal(broken),
            "Task uses invalid resources: Empty resource name"
        );
    }

    #[test]
    fn the_api_shows_the_task_with_its_state_and_user() {
        let framework_id = FrameworkId::new("m-0000").unwrap();
        let task = TaskInfo::try_from(wire())
            .unwrap()
            .to_task(&framework_id, TaskState::Staging);
        assert_eq!(task.state(), v1::TaskState::TaskStaging);
        assert_eq!(task.user.as_deref(), Some("nobody"));
        assert_eq!(task.resources, wire().resources);
        assert_eq!(task.framework_id.value, "m-0000");
    }
}
