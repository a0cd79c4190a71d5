//! What an agent shows of itself to operators.

use std::path::PathBuf;

use tepui_model::{
    ContainerId, ExecutorId, FrameworkId, FrameworkInfo, TaskId, TaskInfo, TaskStatus,
};
use tepui_proto::v1::{
    self,
    agent::response::{
        GetAgent, GetExecutors, GetFrameworks, GetOperations, GetState, GetTasks, get_containers,
        get_executors, get_frameworks,
    },
};

use crate::{
    Agent, ExecutorKey, OperationUuid, Phase, TaskKey,
    history::Completed,
    operation::Operation,
    plan,
    task::{Task, is_pod},
};

impl Agent {
    /// Whether the task's container may still run.
    #[must_use]
    pub fn is_live(&self, key: &TaskKey) -> bool {
        self.tasks.get(key).is_some_and(Task::is_live)
    }

    /// The container that a running task is in: its own, or that of its executor.
    #[must_use]
    pub fn running_container(&self, key: &TaskKey) -> Option<&ContainerId> {
        let task = self.tasks.get(key)?;
        let runs = task.phase == Phase::Running;
        let of_executor = || {
            let executor = ExecutorKey::of(key, task.executor.as_ref()?);
            Some(&self.executors.get(&executor)?.container)
        };
        let container = task.container.as_ref().or_else(of_executor);
        container.filter(|_| runs)
    }

    /// The containers of tasks and executors that may still run.
    pub fn live_containers(&self) -> impl Iterator<Item = &ContainerId> {
        self.containers
            .keys()
            .chain(self.executor_containers.keys())
            .chain(self.guest_containers.keys())
    }

    /// Where the sandbox is of a container that runs, by its ids, the outermost first. The
    /// container of a task of a group is inside of its executor's.
    #[must_use]
    pub fn sandbox_of_container(&self, ids: &[ContainerId]) -> Option<PathBuf> {
        let (own, outer) = ids.split_last()?;
        let agent = self.id()?;
        let at = |key: &TaskKey| plan::sandbox(&self.config.work_dir, agent, key, own);
        if let Some(key) = self.executor_containers.get(own) {
            let key = TaskKey::new(&key.framework, &TaskId::from(&key.executor));
            return outer.is_empty().then(|| at(&key));
        }
        let key = self.containers.get(own)?;
        let task = self.tasks.get(key)?;
        let executor = task.executor.as_ref().filter(|_| task.is_in_pod());
        let executor = executor.and_then(|it| self.executors.get(&ExecutorKey::of(key, it)));
        let within = executor.map(|executor| &executor.container);
        outer.iter().eq(within).then(|| at(key))
    }

    /// Whose sandbox a task uses: that of its executor, which has its own id if the task runs
    /// alone.
    #[must_use]
    pub fn executor_id_of(&self, key: &TaskKey) -> ExecutorId {
        let known = self.tasks.get(key);
        let known = known.and_then(|task| task.executor.clone().filter(|_| !task.is_in_pod()));
        let ended = || {
            let mut ended = self.history.tasks();
            let of = |it: &&Completed| it.framework == key.framework && it.info.id == key.task;
            let executor = ended.find(of)?.info.wire.executor.as_ref();
            let executor = executor.filter(|it| !is_pod(Some(it)))?;
            ExecutorId::try_from(&executor.executor_id).ok()
        };
        let own = || ExecutorId::from(&key.task);
        known.or_else(ended).unwrap_or_else(own)
    }

    /// How many tasks are known, ended ones that wait for an acknowledgement among them.
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// The newest status of every task that is known, in the order of their keys.
    pub fn statuses(&self) -> impl Iterator<Item = (&TaskKey, &TaskStatus)> {
        self.tasks.iter().map(|(key, task)| (key, &task.latest))
    }

    /// The answer to `GET_AGENT`.
    #[must_use]
    pub fn get_agent(&self) -> GetAgent {
        let info = self.config.info.clone();
        let info = match self.id() {
            Some(id) => info.with_id(id.clone()),
            None => info,
        };
        GetAgent {
            agent_info: Some((&info).into()),
            ..GetAgent::default()
        }
    }

    /// The answer to `GET_TASKS`.
    #[must_use]
    pub fn get_tasks(&self) -> GetTasks {
        let mut tasks = GetTasks::default();
        for (key, task) in &self.tasks {
            let shown = show(
                &key.framework,
                &task.info,
                &task.latest,
                task.updates.first(),
            );
            match task.phase {
                Phase::Launching => tasks.queued_tasks.push(shown),
                Phase::Running => tasks.launched_tasks.push(shown),
                Phase::Ended => tasks.terminated_tasks.push(shown),
            }
        }
        let completed = self.history.tasks();
        let completed = completed.map(|task| show(&task.framework, &task.info, &task.latest, None));
        tasks.completed_tasks = completed.collect();
        tasks
    }

    /// The answer to `GET_FRAMEWORKS`.
    #[must_use]
    pub fn get_frameworks(&self) -> GetFrameworks {
        let show = |info: &FrameworkInfo| get_frameworks::Framework {
            framework_info: (*info.wire).clone(),
        };
        let gone = |info: &&FrameworkInfo| {
            info.id
                .as_ref()
                .is_none_or(|id| !self.frameworks.contains_key(id))
        };
        GetFrameworks {
            frameworks: self
                .frameworks
                .values()
                .map(|known| show(&known.info))
                .collect(),
            completed_frameworks: self.history.frameworks().filter(gone).map(show).collect(),
        }
    }

    /// The answer to `GET_EXECUTORS`. Command tasks have none.
    #[must_use]
    pub fn get_executors(&self) -> GetExecutors {
        let show = |info: &v1::ExecutorInfo| get_executors::Executor {
            executor_info: tepui_model::without_secrets(info),
        };
        let ended = self.history.executors();
        GetExecutors {
            executors: self.executors.values().map(|it| show(&it.info)).collect(),
            completed_executors: ended.map(|(_, it)| show(&it.info)).collect(),
        }
    }

    /// The answer to `GET_OPERATIONS`: those of which the end is not acknowledged.
    #[must_use]
    pub fn get_operations(&self) -> GetOperations {
        let show = |(uuid, operation): (&OperationUuid, &Operation)| v1::Operation {
            framework_id: operation.framework.as_ref().map(Into::into),
            agent_id: self.id().map(Into::into),
            info: operation.info.clone(),
            latest_status: operation.status.clone(),
            statuses: vec![operation.status.clone()],
            uuid: v1::Uuid {
                value: uuid.0.to_vec(),
            },
        };
        GetOperations {
            operations: self.operations.iter().map(show).collect(),
        }
    }

    /// The answer to `GET_STATE`.
    #[must_use]
    pub fn get_state(&self) -> GetState {
        GetState {
            get_tasks: Some(self.get_tasks()),
            get_executors: Some(self.get_executors()),
            get_frameworks: Some(self.get_frameworks()),
        }
    }

    /// The containers that run, for `GET_CONTAINERS`; the shell adds what they use.
    #[must_use]
    pub fn get_containers(&self) -> Vec<get_containers::Container> {
        let show = |(id, key): (&ContainerId, &TaskKey)| {
            let task = self
                .tasks
                .get(key)
                .filter(|task| task.phase == Phase::Running)?;
            Some(get_containers::Container {
                framework_id: Some((&key.framework).into()),
                executor_id: Some(v1::ExecutorId {
                    value: key.task.to_string(),
                }),
                executor_name: Some(task.info.name.clone()),
                container_id: id.into(),
                container_status: self.container_status(key, task),
                resource_statistics: None,
            })
        };
        let of_executors = self.executors.iter();
        let of_executors = of_executors.filter(|(_, it)| it.phase == Phase::Running);
        let of_executors = of_executors.map(|(key, it)| get_containers::Container {
            framework_id: Some((&key.framework).into()),
            executor_id: Some((&key.executor).into()),
            executor_name: Some(it.info.name.clone().unwrap_or_default()),
            container_id: (&it.container).into(),
            container_status: Some(self.status_of_executor(it)),
            resource_statistics: None,
        });
        let own = self.containers.iter().filter_map(show);
        own.chain(of_executors).collect()
    }

    /// What a running container was asked to have: the resources of its task, or those of an
    /// executor and its tasks.
    #[must_use]
    pub fn resources_of(&self, container: &ContainerId) -> Option<tepui_model::Resources> {
        if let Some(name) = self.guest_containers.get(container) {
            return self.guests.get(name).map(|guest| guest.resources.clone());
        }
        if let Some(executor) = self.executor_containers.get(container) {
            return Some(self.held_by(executor));
        }
        let key = self.containers.get(container)?;
        self.tasks.get(key).map(|task| task.info.resources.clone())
    }
}

/// A task as the API shows it; `sent` is the update that waits for its acknowledgement.
fn show(
    framework: &FrameworkId,
    info: &TaskInfo,
    latest: &TaskStatus,
    sent: Option<&TaskStatus>,
) -> v1::Task {
    let reported = sent.unwrap_or(latest);
    v1::Task {
        statuses: vec![latest.into()],
        status_update_state: Some(v1::TaskState::from(reported.state).into()),
        status_update_uuid: reported.uuid.map(|uuid| uuid.to_vec()),
        ..info.to_task(framework, latest.state)
    }
}
