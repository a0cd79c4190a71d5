//! Status updates of agents: kept, and passed on to the framework (Mesos: TSK-09).

use std::sync::Arc;

use tepui_model::{AgentKey, FrameworkId, FrameworkKey, TaskId, TaskState, TaskStatus};

use super::{Task, Told, keep_bounded};
use crate::{
    Master,
    effects::{AgentCommand, Effects, FrameworkEvent},
    events::ConnectionId,
    frameworks::FrameworkState,
    master::Peer,
    notices::Notice,
};

impl Master {
    pub(crate) fn agent_update(
        &mut self,
        connection: ConnectionId,
        framework_id: &FrameworkId,
        mut status: TaskStatus,
        latest: TaskState,
        effects: &mut Effects,
    ) {
        let Some(Peer::Agent(agent_key)) = self.connections.get(&connection).copied() else {
            return;
        };
        self.heard_of_agent(connection);
        let Some(agent) = self.agents.get(agent_key) else {
            return;
        };
        status.agent_id = Some(agent.id.clone());
        let Some(key) = self.frameworks.by_id.get(framework_id).copied() else {
            // It is removed, and nothing of it was known to be there.
            let framework_id = framework_id.clone();
            return effects
                .tell_agent(connection, AgentCommand::ShutdownFramework { framework_id });
        };
        if self.is_elsewhere(key, agent_key, &status.task_id) {
            return self.end_stranger(key, connection, &status, effects);
        }
        let ending = self.frameworks.get(key).map(|framework| framework.state);
        self.note_update(key, agent_key, &status, latest, effects);
        if ending == Some(FrameworkState::Ending) {
            self.settle_ending(key, agent_key, connection, &status, effects);
        } else {
            let id = status.task_id.clone();
            // An end without a uuid is told once; nobody will acknowledge it.
            let settled = status.uuid.is_none() && status.state.is_terminal();
            self.tell(key, FrameworkEvent::Update(Box::new(status)), effects);
            if settled {
                self.drop_task(key, &id);
            }
        }
    }

    /// Whether the framework's task of that id is another one, on another agent.
    fn is_elsewhere(&self, key: FrameworkKey, agent: AgentKey, id: &TaskId) -> bool {
        let framework = self.frameworks.get(key);
        let Some(task) = framework.and_then(|framework| framework.tasks.get(id)) else {
            return false;
        };
        self.agents
            .get(agent)
            .is_some_and(|agent| agent.id != *task.agent_id())
    }

    /// A task whose id was used again meanwhile: the framework must not take its updates for those
    /// of the new task, so the master takes them, and ends the old one if it still runs.
    fn end_stranger(
        &self,
        key: FrameworkKey,
        connection: ConnectionId,
        status: &TaskStatus,
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        let (framework_id, task_id) = (framework.id.clone(), status.task_id.clone());
        effects.warn(format!("ending an older task {task_id} of {framework_id}"));
        if let Some(uuid) = status.uuid {
            let (framework_id, task_id) = (framework_id.clone(), task_id.clone());
            let command = AgentCommand::Acknowledge {
                framework_id,
                task_id,
                uuid,
            };
            effects.tell_agent(connection, command);
        }
        if !status.state.is_terminal() {
            let command = AgentCommand::KillTask {
                framework_id,
                task_id,
                grace: None,
                preempted: None,
            };
            effects.tell_agent(connection, command);
        }
    }

    /// Keeps what an update says; frees the task's resources when it says that the task has ended.
    fn note_update(
        &mut self,
        key: FrameworkKey,
        agent: AgentKey,
        status: &TaskStatus,
        latest: TaskState,
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        let framework_id = framework.id.clone();
        let Some(task) = framework.task_mut(&status.task_id) else {
            return;
        };
        let told = Told {
            state: status.state,
            uuid: status.uuid,
        };
        if told.uuid.is_some() && task.told == Some(told) {
            return;
        }
        task.told = Some(told);
        task.keep(status.clone());
        let was_over = task.is_over();
        task.advance(status.state);
        task.advance(latest);
        let (state, ended) = (task.state, task.is_over() && !was_over);
        effects.publish(Notice::TaskUpdated {
            framework_id,
            status: Box::new(status.clone()),
            state,
        });
        if ended {
            self.preemptions.touch();
            let (role, resources) = (task.role.clone(), task.resources.clone());
            self.allocator.recover(key, &role, agent, &resources, None);
        }
    }

    /// What follows from an update of a removed framework's task.
    fn settle_ending(
        &mut self,
        key: FrameworkKey,
        agent: AgentKey,
        connection: ConnectionId,
        status: &TaskStatus,
        effects: &mut Effects,
    ) {
        let Some(framework) = self.frameworks.get(key) else {
            return;
        };
        if framework.tasks.contains_key(&status.task_id) {
            self.end_task(key, &status.task_id, effects);
        } else if let Some(uuid) = status.uuid {
            let (framework_id, task_id) = (framework.id.clone(), status.task_id.clone());
            let command = AgentCommand::Acknowledge {
                framework_id,
                task_id,
                uuid,
            };
            effects.tell_agent(connection, command);
        }
        if let Some(agent) = self.agents.get(agent) {
            self.forget_framework_on(key, &agent.id.clone(), effects);
        }
        self.finish_removal(key);
    }

    pub(crate) fn task_mut(&mut self, key: FrameworkKey, id: &TaskId) -> Option<&mut Task> {
        self.frameworks.get_mut(key)?.task_mut(id)
    }

    /// Takes an ended task out of the tables and keeps it for the operator to see.
    pub(crate) fn drop_task(&mut self, key: FrameworkKey, id: &TaskId) {
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        let Some(task) = framework.tasks.remove(id) else {
            return;
        };
        let agent = self.agents.by_id.get(task.agent_id()).copied();
        if let Some(agent) = agent.and_then(|agent| self.agents.get_mut(agent)) {
            agent.tasks.remove(&(key, id.clone()));
            if agent.is_idle() {
                let key = agent.key;
                self.agents.emptied.insert(key);
            }
        }
        self.complete_task(key, task);
    }

    /// Keeps an ended task for the operator to see, with its framework.
    pub(crate) fn complete_task(&mut self, key: FrameworkKey, task: Arc<Task>) {
        let limit = self.config.max_completed_tasks_per_framework;
        let Some(framework) = self.frameworks.get_mut(key) else {
            return;
        };
        if framework.state != FrameworkState::Ending {
            return keep_bounded(&mut framework.completed, task, limit);
        }
        let id = framework.id.clone();
        let completed = self.frameworks.completed.iter_mut();
        if let Some(completed) = completed.rev().find(|completed| completed.id == id) {
            keep_bounded(&mut completed.tasks, task, limit);
        }
    }
}

impl Task {
    /// Goes on to a state, unless it is behind already: ends are final, and agents tell the
    /// newest state before older ones have been acknowledged.
    pub(crate) fn advance(&mut self, state: TaskState) {
        if let Ok(next) = self.state.next(state)
            && !self.is_over()
        {
            self.state = next;
        }
    }
}

#[cfg(test)]
mod tests;
