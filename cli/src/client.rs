//! What the commands ask of a cluster, beyond single calls: finding tasks and where they ran.

use std::collections::BTreeMap;

use tepui_sdk::{
    Node, Operator,
    model::{AgentId, FrameworkId, TaskId},
    v1,
};

use crate::failure::Failure;

/// Connects to the master.
pub(crate) async fn connect(master: &str) -> Result<Operator, Failure> {
    Ok(Operator::connect(master).await?)
}

/// Every task that the master knows: running, unreachable and completed.
pub(crate) async fn all_tasks(operator: &Operator) -> Result<Vec<v1::Task>, Failure> {
    let found = operator.tasks().await?;
    Ok([found.tasks, found.unreachable_tasks, found.completed_tasks].concat())
}

/// The one task of that id. Ids may be given by their beginning, as long as only one task has it.
pub(crate) async fn find_task(operator: &Operator, wanted: &str) -> Result<v1::Task, Failure> {
    let mut found = all_tasks(operator).await?;
    if found.iter().any(|it| it.task_id.value == wanted) {
        found.retain(|it| it.task_id.value == wanted);
    } else {
        found.retain(|it| it.task_id.value.starts_with(wanted));
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(task), None) => Ok(task),
        (None, _) => Err(Failure::Failed(format!(
            "there is no task '{wanted}'; see `tepui ps --all`"
        ))),
        (Some(one), Some(other)) => Err(Failure::Failed(format!(
            "more than one task is called '{wanted}': {} of {} and {} of {}",
            one.task_id.value,
            one.framework_id.value,
            other.task_id.value,
            other.framework_id.value
        ))),
    }
}

/// Where an agent's own API is.
pub(crate) async fn node_of(operator: &Operator, agent: &v1::AgentId) -> Result<Node, Failure> {
    let id = AgentId::new(&agent.value).map_err(Failure::failed)?;
    let address = operator.agent_address(&id).await?;
    let address = address.ok_or_else(|| {
        Failure::Failed(format!(
            "the agent {} is gone, and the sandbox with it",
            agent.value
        ))
    })?;
    Ok(Node::connect(&address).await?)
}

/// The host names of agents by their ids.
pub(crate) async fn hosts(operator: &Operator) -> Result<BTreeMap<String, String>, Failure> {
    let agents = operator.agents().await?.agents;
    let host = |info: v1::AgentInfo| {
        let address = format!("{}:{}", info.hostname, info.port.unwrap_or_default());
        info.id.map(|id| (id.value, address))
    };
    Ok(agents
        .into_iter()
        .filter_map(|it| host(it.agent_info))
        .collect())
}

/// The names of frameworks by their ids.
pub(crate) async fn framework_names(
    operator: &Operator,
) -> Result<BTreeMap<String, String>, Failure> {
    let found = operator.frameworks().await?;
    let all = found
        .frameworks
        .into_iter()
        .chain(found.completed_frameworks);
    let name = |info: v1::FrameworkInfo| info.id.map(|id| (id.value, info.name));
    Ok(all.filter_map(|it| name(it.framework_info)).collect())
}

/// The ids of a task, checked.
pub(crate) fn ids_of(task: &v1::Task) -> Result<(FrameworkId, TaskId), Failure> {
    let framework = FrameworkId::new(&task.framework_id.value).map_err(Failure::failed)?;
    Ok((
        framework,
        TaskId::new(&task.task_id.value).map_err(Failure::failed)?,
    ))
}
