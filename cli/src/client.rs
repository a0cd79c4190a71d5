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

/// The framework of that id or name; one that is over only if there is no other.
pub(crate) async fn find_framework(
    operator: &Operator,
    wanted: &str,
) -> Result<v1::FrameworkId, Failure> {
    let found = operator.frameworks().await?.frameworks.into_iter();
    let named = |info: &v1::FrameworkInfo| {
        let id = info.id.as_ref().map_or("", |id| &id.value);
        info.name == wanted || id == wanted || id.ends_with(&format!("-{wanted}"))
    };
    let mut ids: Vec<_> = found
        .map(|it| it.framework_info)
        .filter(named)
        .filter_map(|info| info.id)
        .collect();
    match (ids.pop(), ids.pop()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(Failure::Failed(format!(
            "there is no framework '{wanted}'; see `tepui frameworks`"
        ))),
        (Some(one), Some(other)) => Err(Failure::Failed(format!(
            "more than one framework is called '{wanted}': {} and {}; name one by its id",
            other.value, one.value
        ))),
    }
}

/// The ids of a task, checked.
pub(crate) fn ids_of(task: &v1::Task) -> Result<(FrameworkId, TaskId), Failure> {
    let framework = FrameworkId::new(&task.framework_id.value).map_err(Failure::failed)?;
    Ok((
        framework,
        TaskId::new(&task.task_id.value).map_err(Failure::failed)?,
    ))
}

/// The agent of that name: its id, the end of its id (`S3`), its host name, or that with its port.
/// An id of the whole form is taken as it is, for an agent that is away is listed nowhere.
pub(crate) async fn find_agent(operator: &Operator, wanted: &str) -> Result<AgentId, Failure> {
    let found = operator.agents().await?;
    let there = found.agents.into_iter().map(|it| it.agent_info);
    let known: Vec<_> = there.chain(found.recovered_agents).collect();
    pick_agent(&known, wanted)
}

fn pick_agent(known: &[v1::AgentInfo], wanted: &str) -> Result<AgentId, Failure> {
    let id = |info: &v1::AgentInfo| info.id.clone().unwrap_or_default().value;
    let address = |info: &v1::AgentInfo| {
        let port = info.port.unwrap_or_default();
        format!("{}:{port}", info.hostname)
    };
    let ending = format!("-{wanted}");
    let named = |info: &&v1::AgentInfo| {
        id(info).ends_with(&ending)
            || info.hostname.eq_ignore_ascii_case(wanted)
            || address(info).eq_ignore_ascii_case(wanted)
    };
    let found: Vec<&v1::AgentInfo> = known.iter().filter(named).collect();
    let exact = known.iter().any(|info| id(info) == wanted);
    match (exact, &found[..]) {
        (true, _) => AgentId::new(wanted).map_err(Failure::failed),
        (false, [one]) => AgentId::new(id(one)).map_err(Failure::failed),
        (false, []) => match AgentId::new(wanted) {
            Ok(whole) if wanted.contains("-S") => Ok(whole),
            _ => Err(Failure::Failed(format!(
                "there is no agent '{wanted}'; see `tepui agents -o wide`"
            ))),
        },
        (false, several) => {
            let name = |info: &&v1::AgentInfo| format!("{} at {}", id(info), address(info));
            let names: Vec<String> = several.iter().map(name).collect();
            Err(Failure::Failed(format!(
                "more than one agent is called '{wanted}': {}; name one by its id",
                names.join(", ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(id: &str, hostname: &str, port: i32) -> v1::AgentInfo {
        v1::AgentInfo {
            id: Some(v1::AgentId {
                value: id.to_owned(),
            }),
            hostname: hostname.to_owned(),
            port: Some(port),
            ..v1::AgentInfo::default()
        }
    }

    #[test]
    fn an_agent_is_found_by_its_id_its_end_its_host_or_its_address() {
        let known = [agent("m-S1", "a", 5051), agent("m-S11", "b", 5051)];
        for (wanted, found) in [
            ("m-S1", "m-S1"),
            ("S1", "m-S1"),
            ("S11", "m-S11"),
            ("B", "m-S11"),
            ("a:5051", "m-S1"),
            ("m-S7", "m-S7"),
        ] {
            assert_eq!(pick_agent(&known, wanted).unwrap().as_str(), found);
        }
        let text = pick_agent(&known, "1").unwrap_err().to_string();
        assert!(text.starts_with("there is no agent '1'; see "), "{text}");
    }

    #[test]
    fn a_name_of_several_agents_is_refused_with_all_of_them() {
        let known = [
            agent("m-S1", "host", 5051),
            agent("n-S1", "other", 5051),
            agent("m-S2", "host", 5052),
        ];
        let text = pick_agent(&known, "S1").unwrap_err().to_string();
        assert!(
            text.contains("m-S1 at host:5051, n-S1 at other:5051"),
            "{text}"
        );
        let text = pick_agent(&known, "host").unwrap_err().to_string();
        assert!(
            text.contains("m-S1 at host:5051, m-S2 at host:5052"),
            "{text}"
        );
        assert_eq!(pick_agent(&known, "host:5052").unwrap().as_str(), "m-S2");
    }
}
