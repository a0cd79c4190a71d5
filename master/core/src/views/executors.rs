//! GET_EXECUTORS.

use tepui_model::AgentId;
use tepui_proto::v1::master::response::{GetExecutors, get_executors};

use crate::{Master, executors::Executor};

impl Master {
    /// The custom executors, agent by agent. Tasks that run alone have none.
    pub(super) fn executors(&self) -> impl Iterator<Item = (AgentId, Executor)> {
        let agents = self.agents.iter();
        agents.flat_map(|agent| {
            let here = agent.executors.values();
            here.map(|executor| (agent.id.clone(), executor.clone()))
        })
    }

    /// The answer to GET_EXECUTORS.
    #[must_use]
    pub fn get_executors(&self) -> GetExecutors {
        to_wire(&self.executors().collect::<Vec<_>>())
    }
}

/// Executors as the API shows them.
pub(super) fn to_wire(executors: &[(AgentId, Executor)]) -> GetExecutors {
    let shown = executors.iter();
    let shown = shown.map(|(agent_id, executor)| get_executors::Executor {
        executor_info: tepui_model::without_secrets(&executor.info),
        agent_id: agent_id.into(),
    });
    GetExecutors {
        executors: shown.collect(),
        ..GetExecutors::default()
    }
}
