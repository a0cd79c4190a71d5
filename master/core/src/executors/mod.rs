//! Custom executors as the master knows them: where they are and what they take (Mesos: EXE-04,
//! EXE-05, EXE-08, EXE-09). Agents own the truth about them, as about tasks.

mod agreement;
mod launch;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc};

use tepui_model::{AgentId, AgentKey, ExecutorId, FrameworkId, FrameworkKey, Resources, Role};
use tepui_proto::v1;

use crate::{
    Master,
    calls::{ExecutorCall, ExecutorWish},
    effects::{AgentCommand, Effects, FrameworkEvent},
    events::ConnectionId,
    frameworks::FrameworkState,
    master::Peer,
};

/// One executor on an agent, from the launch of its first task to the news of its end.
#[derive(Clone, Debug)]
pub(crate) struct Executor {
    pub(crate) info: Arc<v1::ExecutorInfo>,
    /// What it takes besides its tasks.
    pub(crate) resources: Resources,
    /// The role that this is allocated to.
    pub(crate) role: Role,
}

/// Executors that tasks of the same ACCEPT start.
pub(crate) type Started = BTreeSet<(AgentKey, ExecutorId)>;

impl Master {
    /// An executor takes nothing any more. Its framework hears how it ended, if it ever ran.
    pub(crate) fn executor_exited(
        &mut self,
        connection: ConnectionId,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        status: Option<i32>,
        effects: &mut Effects,
    ) {
        let Some(Peer::Agent(agent)) = self.connections.get(&connection).copied() else {
            return;
        };
        self.heard_of_agent(connection);
        let Some(key) = self.frameworks.by_id.get(framework_id).copied() else {
            return;
        };
        self.free_executor(agent, key, executor_id);
        if status.is_some()
            && let Some(agent) = self.agents.get(agent)
        {
            let failure = FrameworkEvent::Failure {
                agent_id: agent.id.clone(),
                executor_id: Some(executor_id.clone()),
                status,
            };
            self.tell(key, failure, effects);
        }
        self.finish_removal(key);
    }

    /// What an executor took is free again.
    fn free_executor(&mut self, agent_key: AgentKey, key: FrameworkKey, id: &ExecutorId) {
        let Some(agent) = self.agents.get_mut(agent_key) else {
            return;
        };
        let Some(executor) = agent.executors.remove(&(key, id.clone())) else {
            return;
        };
        if let Some(framework) = self.frameworks.get_mut(key) {
            framework.executors -= 1;
        }
        self.preemptions.touch();
        let (role, resources) = (&executor.role, &executor.resources);
        self.allocator
            .recover(key, role, agent_key, resources, None);
    }

    /// The executors of an agent that is taken out of the tables.
    pub(crate) fn lose_executors(&mut self, agent_key: AgentKey) {
        let Some(agent) = self.agents.get(agent_key) else {
            return;
        };
        let here: Vec<_> = agent.executors.keys().cloned().collect();
        for (key, id) in here {
            self.free_executor(agent_key, key, &id);
            self.finish_removal(key);
        }
    }

    /// The agents where a framework has executors.
    pub(crate) fn agents_with_executors(&self, key: FrameworkKey) -> Vec<AgentId> {
        let framework = self.frameworks.get(key);
        if framework.is_none_or(|framework| framework.executors == 0) {
            return Vec::new();
        }
        let agents = self.agents.iter();
        let agents = agents.filter(|agent| agent.executors.keys().any(|(owner, _)| *owner == key));
        agents.map(|agent| agent.id.clone()).collect()
    }

    /// Words of an executor for its framework (Mesos: EXE-08).
    pub(crate) fn executor_said(
        &mut self,
        connection: ConnectionId,
        framework_id: &FrameworkId,
        executor_id: ExecutorId,
        data: Vec<u8>,
        effects: &mut Effects,
    ) {
        let Some(Peer::Agent(agent)) = self.connections.get(&connection).copied() else {
            return;
        };
        self.heard_of_agent(connection);
        let agent_id = self.agents.get(agent).map(|agent| agent.id.clone());
        let key = self.frameworks.by_id.get(framework_id).copied();
        if let (Some(agent_id), Some(key)) = (agent_id, key) {
            let event = FrameworkEvent::Message {
                agent_id,
                executor_id,
                data,
            };
            self.tell(key, event, effects);
        }
    }

    /// What a framework wants of one of its executors. As in Mesos it hears nothing if there is no
    /// such agent or executor.
    pub(crate) fn call_executor(
        &self,
        key: FrameworkKey,
        call: ExecutorCall,
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let (framework_id, executor_id) = (framework.id.clone(), call.executor_id);
        let command = match call.wish {
            ExecutorWish::ShutDown => AgentCommand::ShutdownExecutor {
                framework_id,
                executor_id,
            },
            ExecutorWish::Hear(data) => AgentCommand::ExecutorMessage {
                framework_id,
                executor_id,
                data,
            },
        };
        let agent = self.agents.find(&call.agent_id);
        if agent.is_none_or(|agent| agent.connection.is_none()) {
            effects.warn(format!(
                "agent {} is not here to pass on what a framework says to an executor",
                call.agent_id
            ));
        }
        self.command(&call.agent_id, command, effects);
    }

    /// Whether something keeps a removed framework in the tables.
    pub(crate) fn is_still_ending(&self, key: FrameworkKey) -> bool {
        let framework = self.frameworks.get(key);
        framework.is_some_and(|framework| {
            framework.state == FrameworkState::Ending
                && (!framework.tasks.is_empty() || framework.executors > 0)
        })
    }
}
