//! LAUNCH: one task at a time is checked, charged and sent to its agent.

use std::sync::Arc;

use tepui_model::{AgentId, FrameworkKey, Reason, Resources, TaskId, TaskInfo, TaskState};
use tepui_proto::v1;

use super::accept::Grant;
use crate::{
    Master,
    effects::{AgentCommand, Effects, FrameworkEvent},
    executors::{Executor, Started},
    limits::MAX_QUOTED_CHARS,
    notices::Notice,
    tasks::{Task, from_master},
};

impl Master {
    /// Launches a task, or tells why not by TASK_ERROR.
    pub(super) fn launch(&mut self, grant: &mut Grant, wire: v1::TaskInfo, effects: &mut Effects) {
        match self.check_task(grant, &wire, &Started::new()) {
            Ok((task, executor)) => self.start_task(grant, task, executor, effects),
            Err(problem) => {
                let answer = (TaskState::Error, Reason::TaskInvalid);
                self.tell_refusal(grant.framework, &wire, answer, &problem, effects);
            }
        }
    }

    /// The task with its resources allocated to the offer's role, and what the executor takes that
    /// is started for it, unless that is among those that are started already; or what is wrong
    /// with it.
    pub(super) fn check_task(
        &self,
        grant: &Grant,
        wire: &v1::TaskInfo,
        started: &Started,
    ) -> Result<(TaskInfo, Option<Resources>), String> {
        let text = |error: &dyn ToString| error.to_string();
        let task = TaskInfo::try_from(wire).map_err(|error| text(&error))?;
        self.check_place(grant, &task)?;
        task.validate().map_err(|error| text(&error))?;
        let place = (grant.framework, grant.agent);
        let executor = self.check_executor(place, &task, started)?;
        if let Some(role) = task
            .allocation_role
            .as_ref()
            .filter(|role| **role != grant.role)
        {
            let offered = &grant.role;
            return Err(format!(
                "Task's resources are allocated to role '{role}' but the offer is for role \
                 '{offered}'"
            ));
        }
        let total = match &executor {
            Some(executor) => &task.resources + executor,
            None => task.resources.clone(),
        };
        if !grant.left.contains(&total) {
            return Err(format!(
                "Total resources {} required by task and its executor is more than available {}",
                quoted(&total),
                quoted(&grant.left),
            ));
        }
        let mut task = allocated(task, grant);
        self.complete_executor(grant.framework, &grant.role, &mut task);
        Ok((task, executor))
    }

    /// Whether the task is new, and goes where the offer is.
    pub(super) fn check_place(&self, grant: &Grant, task: &TaskInfo) -> Result<(), String> {
        self.check_unique(grant.framework, &task.id)?;
        let expected = self.agents.get(grant.agent).map(|agent| &agent.id);
        if expected == Some(&task.agent_id) {
            return Ok(());
        }
        let expected = expected.map_or("", AgentId::as_str);
        let uses = &task.agent_id;
        Err(format!(
            "Task uses invalid agent {uses} while agent {expected} is expected"
        ))
    }

    /// Mesos: TSK-08.
    fn check_unique(&self, key: FrameworkKey, id: &TaskId) -> Result<(), String> {
        let Some(framework) = self.frameworks.get(key) else {
            return Ok(());
        };
        if framework.tasks.contains_key(id) {
            return Err(format!("Task has duplicate ID: {id}"));
        }
        if framework.unreachable.get(id).is_some() {
            return Err(format!("Task reuses the ID of an unreachable task: {id}"));
        }
        let limit = self.config.limits.tasks_per_framework;
        if framework.tasks.len() >= limit {
            return Err(format!("The framework has {limit} tasks already"));
        }
        Ok(())
    }

    fn start_task(
        &mut self,
        grant: &mut Grant,
        task: TaskInfo,
        executor: Option<Resources>,
        effects: &mut Effects,
    ) {
        let launch_executor = executor.is_some();
        if let (Some(resources), Some(info)) = (executor, &task.wire.executor)
            && !self.start_executor(grant, info.clone(), resources)
        {
            return;
        }
        let Some(task) = self.add_task(grant, task, effects) else {
            return;
        };
        let framework = self.frameworks.get(grant.framework);
        let agent = self.agents.get(grant.agent);
        if let (Some(framework), Some(Some(connection))) =
            (framework, agent.map(|agent| agent.connection))
        {
            let command = AgentCommand::RunTask {
                framework: Arc::clone(&framework.info.wire),
                task: Arc::clone(&task.wire),
                launch_executor,
            };
            effects.tell_agent(connection, command);
        }
    }

    /// What an executor takes moves from the offers to it. False if it is not there, which was
    /// checked just before.
    pub(super) fn start_executor(
        &mut self,
        grant: &mut Grant,
        info: v1::ExecutorInfo,
        resources: Resources,
    ) -> bool {
        if grant.take(&resources).is_err() {
            return false;
        }
        let executor = Executor {
            info: Arc::new(info),
            resources,
            role: grant.role.clone(),
        };
        self.add_executor(grant.framework, grant.agent, executor);
        true
    }

    /// Puts a task into the tables; its resources move from the offers to it. That they are there
    /// was checked just before.
    pub(super) fn add_task(
        &mut self,
        grant: &mut Grant,
        task: TaskInfo,
        effects: &mut Effects,
    ) -> Option<Arc<TaskInfo>> {
        let key = grant.framework;
        let framework = self.frameworks.get_mut(key)?;
        let agent = self.agents.get_mut(grant.agent)?;
        grant.take(&task.resources).ok()?;
        // Each that uses a shared volume holds it (Mesos: VOL-04).
        let shared = task.resources.shared();
        self.allocator
            .charge(key, &grant.role, grant.agent, &shared);
        let task = Arc::new(task);
        agent.tasks.insert((key, task.id.clone()));
        let state = Task::staging(&framework.id, &agent.id, &task);
        framework.tasks.insert(task.id.clone(), Arc::new(state));
        effects.publish(Notice::TaskAdded {
            framework_id: framework.id.clone(),
            task: Arc::clone(&task),
            state: TaskState::Staging,
        });
        Some(task)
    }

    /// Tells a framework that a task it wanted is not launched.
    pub(super) fn tell_refusal(
        &self,
        key: FrameworkKey,
        wire: &v1::TaskInfo,
        (state, reason): (TaskState, Reason),
        message: &str,
        effects: &mut Effects,
    ) {
        let event = match TaskId::try_from(&wire.task_id) {
            Ok(id) => {
                let agent_id = AgentId::try_from(&wire.agent_id).ok();
                let status = from_master(self.now, id, agent_id, state, reason, message);
                FrameworkEvent::Update(Box::new(status))
            }
            Err(_) => FrameworkEvent::InvalidTask {
                task_id: wire.task_id.value.clone(),
                agent_id: wire.agent_id.value.clone(),
                message: message.to_owned(),
            },
        };
        self.tell(key, event, effects);
    }
}

/// A text that others can make long, cut so that many small tasks do not make many large messages.
pub(super) fn quoted(what: &impl ToString) -> String {
    let mut text = what.to_string();
    if let Some((end, _)) = text.char_indices().nth(MAX_QUOTED_CHARS) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// The task as its agent gets it: each resource names the role that it is allocated to, so that a
/// master that learns the task from its agent knows whom to charge.
pub(super) fn allocated(mut task: TaskInfo, grant: &Grant) -> TaskInfo {
    Arc::make_mut(&mut task.wire).resources = task.resources.to_proto(Some(&grant.role));
    task.allocation_role = Some(grant.role.clone());
    task
}

#[cfg(test)]
mod tests;
