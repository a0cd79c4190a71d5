//! LAUNCH_GROUP: tasks that are launched together or not at all (Mesos: SPC-07, EXE-03).

use std::{collections::BTreeSet, sync::Arc};

use tepui_model::{ExecutorId, Quantity, Reason, Resources, TaskInfo, TaskState};
use tepui_proto::v1;

use super::{Grant, accept::Refusal};
use crate::{
    Master,
    effects::{AgentCommand, Effects},
    executors::Started,
};

/// The CPUs that an executor must have.
const LEAST_CPUS: Quantity = Quantity::from_millis(10);

/// The memory that an executor must have, in megabytes.
const LEAST_MEMORY: Quantity = Quantity::from_units(32);

/// A group that can be launched.
pub(super) struct Group {
    /// The tasks, each with the executor, and with its resources allocated.
    pub(super) tasks: Vec<TaskInfo>,
    /// The executor.
    pub(super) executor: ExecutorId,
    /// What the executor takes, if it is started for the group.
    pub(super) started: Option<Resources>,
}

impl Group {
    /// What is taken from the offers.
    pub(super) fn total(&self) -> Resources {
        let tasks = self.tasks.iter().map(|task| task.resources.clone());
        tasks.chain(self.started.clone()).sum()
    }
}

impl Master {
    /// Launches a group, or tells every task of it why not.
    pub(super) fn launch_group(
        &mut self,
        grant: &mut Grant,
        executor: Option<&v1::ExecutorInfo>,
        tasks: Vec<v1::TaskInfo>,
        effects: &mut Effects,
    ) {
        match self.check_group(grant, executor, &tasks, &Started::new()) {
            Ok(group) => self.start_group(grant, group, effects),
            Err(problem) => {
                let refusal = Refusal {
                    state: TaskState::Error,
                    reason: Reason::TaskGroupInvalid,
                    message: &problem,
                };
                self.refuse_tasks(grant.framework, tasks, &refusal, effects);
            }
        }
    }

    /// The group as it is launched, unless something is wrong with it. Executors that are started
    /// by what is accepted along with it count as there.
    pub(super) fn check_group(
        &self,
        grant: &Grant,
        executor: Option<&v1::ExecutorInfo>,
        wires: &[v1::TaskInfo],
        started: &Started,
    ) -> Result<Group, String> {
        let executor = executor.ok_or("The executor of a task group must have an ID")?;
        let of_executor = check_executor(executor)?;
        if wires.is_empty() {
            return Err("Task group cannot be empty".to_owned());
        }
        let id = ExecutorId::try_from(&executor.executor_id)
            .map_err(|error| format!("Executor has an invalid ID: {error}"))?;
        let place = (grant.framework, grant.agent);
        let is_there = self.has_executor(place, (&id, executor, &of_executor), started)?;
        let (mut tasks, mut ids) = (Vec::new(), BTreeSet::new());
        for wire in wires {
            let invalid = |problem: String| {
                let id = &wire.task_id.value;
                format!(
                    "A task within the task group was invalid: Task '{id}' is invalid: {problem}"
                )
            };
            check_member(wire).map_err(invalid)?;
            let mut wire = wire.clone();
            if executor.r#type() == v1::executor_info::Type::Custom && wire.command.is_none() {
                // What it is to run, its executor knows: it is a task of an executor's.
                wire.executor = Some(executor.clone());
            }
            let mut task = self.check_identity(grant, &wire).map_err(invalid)?;
            if !ids.insert(task.id.clone()) {
                return Err(invalid(format!("Task has duplicate ID: {}", task.id)));
            }
            Arc::make_mut(&mut task.wire).executor = Some(executor.clone());
            let mut task = super::launch::allocated(task, grant);
            self.complete_executor(grant.framework, &grant.role, &mut task);
            tasks.push(task);
        }
        let group = Group {
            tasks,
            executor: id,
            started: (!is_there).then_some(of_executor),
        };
        let total = group.total();
        if !grant.left.contains(&total) {
            return Err(format!(
                "Total resources {} required by task group and its executor are more than \
                 available {}",
                super::launch::quoted(&total),
                super::launch::quoted(&grant.left),
            ));
        }
        Ok(group)
    }

    fn start_group(&mut self, grant: &mut Grant, group: Group, effects: &mut Effects) {
        let launch_executor = group.started.is_some();
        let first = group.tasks.first();
        let info = first.and_then(|task| task.wire.executor.clone());
        if let (Some(resources), Some(info)) = (group.started, info)
            && !self.start_executor(grant, info, resources)
        {
            return;
        }
        let mut tasks = Vec::new();
        for task in group.tasks {
            tasks.extend(self.add_task(grant, task, effects));
        }
        let framework = self.frameworks.get(grant.framework);
        let agent = self.agents.get(grant.agent);
        if let (Some(framework), Some(Some(connection))) =
            (framework, agent.map(|agent| agent.connection))
        {
            let command = AgentCommand::RunGroup {
                framework: Arc::clone(&framework.info.wire),
                tasks: tasks.iter().map(|task| Arc::clone(&task.wire)).collect(),
                launch_executor,
            };
            effects.tell_agent(connection, command);
        }
    }

    /// What a task must be whatever its group is.
    fn check_identity(&self, grant: &Grant, wire: &v1::TaskInfo) -> Result<TaskInfo, String> {
        let task = TaskInfo::try_from(wire).map_err(|error| error.to_string())?;
        self.check_place(grant, &task)?;
        task.validate().map_err(|error| error.to_string())?;
        Ok(task)
    }
}

/// The default executor, and what it takes (Mesos: EXE-03).
fn check_executor(executor: &v1::ExecutorInfo) -> Result<Resources, String> {
    use v1::{container_info, executor_info::Type};
    let refuse = |problem: &str| Err(problem.to_owned());
    match executor.r#type() {
        Type::Default => {}
        Type::Custom => return check_custom(executor),
        Type::Unknown => return refuse("Unknown executor type"),
    }
    if executor.command.is_some() {
        return refuse("'ExecutorInfo.command' must not be set for 'DEFAULT' executor");
    }
    if let Some(container) = &executor.container {
        if container.r#type() != container_info::Type::Mesos {
            return refuse("'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor");
        }
        if container
            .mesos
            .as_ref()
            .is_some_and(|mesos| mesos.image.is_some())
        {
            return refuse(
                "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor",
            );
        }
    }
    let resources = Resources::try_from(executor.resources.as_slice());
    let resources =
        resources.map_err(|error| format!("Executor uses invalid resources: {error}"))?;
    if resources.cpus() < LEAST_CPUS {
        return Err(format!("Executor must have at least {LEAST_CPUS} cpus"));
    }
    if resources.memory() < LEAST_MEMORY {
        return Err(format!(
            "Executor must have at least {LEAST_MEMORY} MB of mem"
        ));
    }
    if !resources.disk().is_positive() {
        return refuse("Executor must have some disk");
    }
    Ok(resources)
}

/// A framework's own executor, which runs the tasks of its groups as it likes.
fn check_custom(executor: &v1::ExecutorInfo) -> Result<Resources, String> {
    if executor.command.is_none() {
        return Err("'ExecutorInfo.command' must be set for 'CUSTOM' executor".to_owned());
    }
    let resources = Resources::try_from(executor.resources.as_slice());
    resources.map_err(|error| format!("Executor uses invalid resources: {error}"))
}

/// What only tasks of a group must not be (Mesos: SPC-07).
fn check_member(task: &v1::TaskInfo) -> Result<(), String> {
    use v1::container_info;
    if task.executor.is_some() {
        return Err("'TaskInfo.executor' must not be set".to_owned());
    }
    let Some(container) = &task.container else {
        return Ok(());
    };
    if container.r#type() == container_info::Type::Docker {
        return Err("Docker ContainerInfo is not supported on the task".to_owned());
    }
    if !container.network_infos.is_empty() {
        return Err("NetworkInfos must not be set on the task".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
