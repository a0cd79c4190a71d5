//! The tasks, frameworks and agents of tests, and how tests name what they see.

use core::time::Duration;

use tepui_model::{
    AgentCapability, AgentId, AgentInfo, Capabilities, Capability, FrameworkId, FrameworkInfo,
    Reason, Resources, Role, TaskId, TaskInfo, TaskState, TaskStatus,
};
use tepui_proto::v1;

use crate::{AgentCommand, Config, KnownTask, Registration, tasks::Task};

pub(crate) fn config() -> Config {
    Config::new(v1::MasterInfo {
        id: "m".to_owned(),
        ..v1::MasterInfo::default()
    })
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn resources(text: &str) -> Resources {
    text.parse().unwrap()
}

pub(crate) fn role(name: &str) -> Role {
    Role::new(name).unwrap()
}

/// A partition-aware framework that may be away for a minute.
pub(crate) fn aware() -> FrameworkInfo {
    with_capabilities(&[Capability::PartitionAware])
}

/// A framework of the old kind that may be away for a minute.
pub(crate) fn unaware() -> FrameworkInfo {
    with_capabilities(&[])
}

fn with_capabilities(capabilities: &[Capability]) -> FrameworkInfo {
    let wire = v1::FrameworkInfo {
        user: "nobody".to_owned(),
        name: "test".to_owned(),
        failover_timeout: Some(60.0),
        capabilities: capabilities
            .iter()
            .copied()
            .collect::<Capabilities>()
            .to_proto(),
        ..v1::FrameworkInfo::default()
    };
    FrameworkInfo::try_from(wire).unwrap()
}

/// A partition-aware framework of these roles.
pub(crate) fn of_roles(roles: &[&str]) -> FrameworkInfo {
    let capabilities = [Capability::PartitionAware, Capability::MultiRole];
    let wire = v1::FrameworkInfo {
        roles: roles.iter().map(ToString::to_string).collect(),
        ..v1::FrameworkInfo::clone(&with_capabilities(&capabilities).wire)
    };
    FrameworkInfo::try_from(wire).unwrap()
}

/// A framework of these roles that understands reservations in several layers.
pub(crate) fn refining(roles: &[&str]) -> FrameworkInfo {
    let mut wire = v1::FrameworkInfo::clone(&of_roles(roles).wire);
    let more = [
        Capability::ReservationRefinement,
        Capability::SharedResources,
    ];
    wire.capabilities
        .extend(more.into_iter().collect::<Capabilities>().to_proto());
    FrameworkInfo::try_from(wire).unwrap()
}

/// A framework that may be away for so many seconds.
pub(crate) fn with_timeout(seconds: f64) -> FrameworkInfo {
    let mut wire = v1::FrameworkInfo::clone(&aware().wire);
    wire.failover_timeout = Some(seconds);
    FrameworkInfo::try_from(wire).unwrap()
}

pub(crate) fn agent_info(hostname: &str, resources: &str) -> AgentInfo {
    let wire = v1::AgentInfo {
        hostname: hostname.to_owned(),
        resources: self::resources(resources).to_proto(None),
        ..v1::AgentInfo::default()
    };
    AgentInfo::try_from(wire).unwrap()
}

/// The registration of an agent that can do everything.
pub(crate) fn able(info: AgentInfo) -> Registration {
    Registration {
        capabilities: AgentCapability::ALL.into_iter().collect(),
        ..Registration::new(info)
    }
}

/// A task of `true` for that agent.
pub(crate) fn task_info(id: &str, agent: &AgentId, resources: &str) -> v1::TaskInfo {
    v1::TaskInfo {
        name: id.to_owned(),
        task_id: v1::TaskId {
            value: id.to_owned(),
        },
        agent_id: agent.into(),
        resources: self::resources(resources).to_proto(None),
        command: Some(v1::CommandInfo {
            value: Some("true".to_owned()),
            ..Default::default()
        }),
        ..v1::TaskInfo::default()
    }
}

/// A task that some agent says it has.
pub(crate) fn known_task(framework: &FrameworkId, id: &str, state: TaskState) -> KnownTask {
    let wire = task_info(id, &AgentId::new("agent").unwrap(), "cpus:1");
    KnownTask {
        framework_id: framework.clone(),
        task: TaskInfo::try_from(wire).unwrap(),
        latest: TaskStatus::new(TaskId::new(id).unwrap(), state),
    }
}

/// A task that is not in a cluster.
pub(crate) fn task(id: &str) -> Task {
    let wire = task_info(id, &AgentId::new("agent").unwrap(), "cpus:1");
    let info = TaskInfo::try_from(wire).unwrap();
    Task::staging(
        &FrameworkId::new("framework").unwrap(),
        &info.agent_id,
        &info,
    )
}

/// What a status says in short.
pub(crate) fn short(status: &TaskStatus) -> (TaskState, Option<Reason>) {
    (status.state, status.reason)
}

/// The commands of a kind: its name and the task, if it is about one.
pub(crate) fn names(commands: &[AgentCommand]) -> Vec<String> {
    let name = |command: &AgentCommand| match command {
        AgentCommand::Registered { .. } => "registered".to_owned(),
        AgentCommand::Refused {
            forget_identity: true,
            ..
        } => "refused for ever".to_owned(),
        AgentCommand::Refused { .. } => "refused".to_owned(),
        AgentCommand::Ping => "ping".to_owned(),
        AgentCommand::ShutdownExecutor { executor_id, .. } => format!("shut down {executor_id}"),
        AgentCommand::ExecutorMessage {
            executor_id, data, ..
        } => {
            format!("tell {executor_id} {}", String::from_utf8_lossy(data))
        }
        AgentCommand::RunTask { task, .. } => format!("run {}", task.task_id.value),
        AgentCommand::RunGroup { tasks, .. } => {
            let ids: Vec<&str> = tasks.iter().map(|it| it.task_id.value.as_str()).collect();
            format!("run together {}", ids.join(" "))
        }
        AgentCommand::KillTask { task_id, .. } => format!("kill {task_id}"),
        AgentCommand::Acknowledge { task_id, .. } => format!("acknowledge {task_id}"),
        AgentCommand::ApplyOperation { operation, .. } => {
            format!("apply {}", operation.r#type().as_str_name())
        }
        AgentCommand::AcknowledgeOperation { .. } => "acknowledge an operation".to_owned(),
        AgentCommand::ShutdownFramework { framework_id } => format!("shutdown {framework_id}"),
        AgentCommand::Drain { .. } => "drain".to_owned(),
    };
    commands.iter().map(name).collect()
}
