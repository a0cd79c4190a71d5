//! What must be so at rest: everyone knows the same, and nothing is left of what has ended.

use std::collections::BTreeSet;

use tepui_agent_core::Agent;
use tepui_master_core::{Master, RecordKind};
use tepui_model::{AgentId, FrameworkId, TaskId, TaskState};
use tepui_proto::v1::{
    self,
    master::{
        call::Type,
        response::{GetAgents, GetFrameworks, GetTasks},
    },
};

use crate::{
    agent::AgentNode,
    checks::{Held, View, Violation, add_up, agreed_on, ensure, equal, kept_within, volumes_kept},
    framework::FrameworkNode,
    master::{MasterNode, operator_call},
};

/// Everyone is there, and all know the same tasks, all of which run.
pub(crate) fn agree(
    master: &MasterNode,
    agents: &[AgentNode],
    frameworks: &[FrameworkNode],
) -> Held {
    let core = master
        .core()
        .ok_or_else(|| Violation("there is no master".to_owned()))?;
    all_registered(master, core, agents)?;
    all_subscribed(master, core, frameworks)?;
    let view = of_master(core)?;
    equal(("the master", &view), ("the agents", &of_agents(agents)))?;
    let frameworks: View = frameworks.iter().flat_map(FrameworkNode::view).collect();
    equal(("the master", &view), ("the frameworks", &frameworks))?;
    let idle = view
        .iter()
        .find(|(_, (_, state))| *state != TaskState::Running);
    ensure(idle.is_none(), || {
        format!("a task does not run at rest: {idle:?}")
    })?;
    within_limits(master, core)?;
    estates(core, agents)?;
    sums(core)
}

/// What each agent has is what the master believes it has, its volumes are there and no others, and
/// nothing is under way.
fn estates(core: &Master, agents: &[AgentNode]) -> Held {
    let shown = get_agents(core)?.agents;
    for (index, agent) in agents.iter().enumerate() {
        let Some(own) = agent.core() else { continue };
        let id = own.id().map(Into::into);
        let shown = shown.iter().find(|shown| shown.agent_info.id == id);
        let believed = shown.map(|shown| shown.total_resources.as_slice());
        agreed_on(index, believed.unwrap_or_default(), own.resources())?;
        let volumes = own.resources().volumes().bundles().count();
        volumes_kept(index, volumes, agent.volumes())?;
    }
    let operations = core.get_operations().operations.len();
    ensure(operations == 0, || {
        format!("{operations} operations are not over at rest")
    })
}

/// Nothing is left: no task, no container, no record of either, no offer, no allocation.
pub(crate) fn nothing_left(master: &MasterNode, agents: &[AgentNode]) -> Held {
    let core = master
        .core()
        .ok_or_else(|| Violation("there is no master".to_owned()))?;
    let view = of_master(core)?;
    within_limits(master, core)?;
    ensure(view.is_empty(), || {
        format!("the master knows tasks at the end: {view:?}")
    })?;
    for (index, agent) in agents.iter().enumerate() {
        let (containers, records) = (agent.containers(), agent.records());
        ensure(containers == 0, || {
            format!("{containers} containers are left on machine {index}")
        })?;
        ensure(records == 0, || {
            format!("{records} records of tasks are left on machine {index}")
        })?;
        let has = agent.core().map(Agent::resources);
        ensure(has == Some(agent.untouched()), || {
            format!("reservations or volumes are left on machine {index}: {has:?}")
        })?;
    }
    let offers = core.offers_to(None);
    ensure(offers.is_empty(), || {
        format!("{} offers are left", offers.len())
    })
}

fn all_registered(master: &MasterNode, core: &Master, agents: &[AgentNode]) -> Held {
    let view = get_agents(core)?;
    let ids = view
        .agents
        .iter()
        .filter_map(|agent| agent.agent_info.id.as_ref());
    let known: BTreeSet<&str> = ids.map(|id| id.value.as_str()).collect();
    let kept: BTreeSet<&str> = master.kept(RecordKind::Agent).collect();
    let own: BTreeSet<&str> = agents
        .iter()
        .filter_map(AgentNode::core)
        .filter(|core| core.is_registered())
        .filter_map(|core| core.id().map(AgentId::as_str))
        .collect();
    ensure(own.len() == agents.len(), || {
        format!("only {own:?} are registered")
    })?;
    ensure(known == own, || {
        format!("the master knows agents {known:?}, there are {own:?}")
    })?;
    ensure(kept == own, || {
        format!("the registry has agents {kept:?}, there are {own:?}")
    })?;
    ensure(view.recovered_agents.is_empty(), || {
        "agents are awaited that are not there".to_owned()
    })
}

fn all_subscribed(master: &MasterNode, core: &Master, frameworks: &[FrameworkNode]) -> Held {
    let view = get_frameworks(core)?;
    let connected = view
        .frameworks
        .iter()
        .filter(|framework| framework.connected);
    let ids = connected.filter_map(|framework| framework.framework_info.id.as_ref());
    let known: BTreeSet<&str> = ids.map(|id| id.value.as_str()).collect();
    let present = frameworks.iter().filter(|framework| !framework.is_gone());
    let own: BTreeSet<String> = present
        .filter_map(FrameworkNode::id)
        .map(|id| id.to_string())
        .collect();
    let own: BTreeSet<&str> = own.iter().map(String::as_str).collect();
    ensure(known == own, || {
        format!("the master knows frameworks {known:?}, there are {own:?}")
    })?;
    let kept: BTreeSet<&str> = master.kept(RecordKind::Framework).collect();
    ensure(kept.is_superset(&own), || {
        format!("the registry has only frameworks {kept:?}")
    })
}

fn of_agents(agents: &[AgentNode]) -> View {
    let cores = agents.iter().filter_map(AgentNode::core);
    let tasks = cores.filter_map(|core| Some((core.id()?, core.statuses())));
    let places = tasks.flat_map(|(id, statuses)| {
        statuses.map(|(key, latest)| {
            (
                (key.framework.clone(), key.task.clone()),
                (id.clone(), latest.state),
            )
        })
    });
    places.collect()
}

fn of_master(core: &Master) -> Result<View, Violation> {
    let GetTasks {
        tasks,
        unreachable_tasks,
        ..
    } = get_tasks(core)?;
    tasks.iter().chain(&unreachable_tasks).map(place).collect()
}

type Entry = ((FrameworkId, TaskId), (AgentId, TaskState));

fn place(task: &v1::Task) -> Result<Entry, Violation> {
    let explain = |error: tepui_model::InvalidId| Violation(error.to_string());
    let framework = FrameworkId::try_from(&task.framework_id).map_err(explain)?;
    let id = TaskId::try_from(&task.task_id).map_err(explain)?;
    let agent = AgentId::try_from(&task.agent_id).map_err(explain)?;
    Ok(((framework, id), (agent, TaskState::from(task.state()))))
}

fn get_agents(core: &Master) -> Result<GetAgents, Violation> {
    let view = core.query(&operator_call(Type::GetAgents));
    Ok(view
        .map_err(|error| Violation(error.to_string()))?
        .get_agents
        .unwrap_or_default())
}

fn get_tasks(core: &Master) -> Result<GetTasks, Violation> {
    let view = core.query(&operator_call(Type::GetTasks));
    Ok(view
        .map_err(|error| Violation(error.to_string()))?
        .get_tasks
        .unwrap_or_default())
}

fn get_frameworks(core: &Master) -> Result<GetFrameworks, Violation> {
    let view = core.query(&operator_call(Type::GetFrameworks));
    Ok(view
        .map_err(|error| Violation(error.to_string()))?
        .get_frameworks
        .unwrap_or_default())
}

fn within_limits(master: &MasterNode, core: &Master) -> Held {
    kept_within(master.config(), &get_frameworks(core)?, &get_tasks(core)?)
}

/// What is allocated on each agent is what its tasks hold.
fn sums(core: &Master) -> Held {
    let tasks = get_tasks(core)?.tasks;
    for agent in get_agents(core)?.agents {
        let here = |task: &&v1::Task| Some(&task.agent_id) == agent.agent_info.id.as_ref();
        add_up(&agent, tasks.iter().filter(here))?;
    }
    Ok(())
}
