//! LAUNCH_GROUP: tasks that are launched together or not at all (Mesos: SPC-07, EXE-03).

use std::collections::BTreeSet;

use tepui_model::{Quantity, Reason, Resources, TaskInfo, TaskState};
use tepui_proto::v1;

use super::{Grant, accept::Refusal};
use crate::{Master, effects::Effects};

/// The CPUs that an executor must have.
const LEAST_CPUS: Quantity = Quantity::from_millis(10);

/// The memory that an executor must have, in megabytes.
const LEAST_MEMORY: Quantity = Quantity::from_units(32);

/// What is said until agents can run groups.
const UNSUPPORTED: &str = "LAUNCH_GROUP is not supported by the agents of this master";

impl Master {
    /// Every task of a group hears the same.
    pub(super) fn launch_group(
        &self,
        grant: &Grant,
        executor: Option<&v1::ExecutorInfo>,
        tasks: Vec<v1::TaskInfo>,
        effects: &mut Effects,
    ) {
        let checked = self.check_launchable_group(grant, executor, &tasks);
        let problem = checked.err().unwrap_or_default();
        let refusal = Refusal {
            state: TaskState::Error,
            reason: Reason::TaskGroupInvalid,
            message: &problem,
        };
        self.refuse_tasks(grant.framework, tasks, &refusal, effects);
    }

    /// Whether a group can be launched.
    pub(super) fn check_launchable_group(
        &self,
        grant: &Grant,
        executor: Option<&v1::ExecutorInfo>,
        tasks: &[v1::TaskInfo],
    ) -> Result<(), String> {
        self.check_group(grant, executor, tasks)?;
        Err(UNSUPPORTED.to_owned())
    }

    fn check_group(
        &self,
        grant: &Grant,
        executor: Option<&v1::ExecutorInfo>,
        tasks: &[v1::TaskInfo],
    ) -> Result<(), String> {
        let executor = executor.ok_or("The executor of a task group must have an ID")?;
        let of_executor = check_executor(executor)?;
        if tasks.is_empty() {
            return Err("Task group cannot be empty".to_owned());
        }
        let (mut total, mut ids) = (of_executor, BTreeSet::new());
        for wire in tasks {
            let invalid = |problem: String| {
                let id = &wire.task_id.value;
                format!(
                    "A task within the task group was invalid: Task '{id}' is invalid: {problem}"
                )
            };
            check_member(wire).map_err(invalid)?;
            let task = self.check_identity(grant, wire).map_err(invalid)?;
            if !ids.insert(task.id.clone()) {
                return Err(invalid(format!("Task has duplicate ID: {}", task.id)));
            }
            total += &task.resources;
        }
        if !grant.left.serves(&total) {
            return Err(format!(
                "Total resources {} required by task group and its executor are more than \
                 available {}",
                super::launch::quoted(&total),
                super::launch::quoted(&grant.left),
            ));
        }
        Ok(())
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
        Type::Custom => {
            return refuse("Task groups need an executor of type DEFAULT on this master");
        }
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
