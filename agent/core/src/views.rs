//! What an agent shows of itself to operators.

use tepui_model::{ContainerId, FrameworkId, FrameworkInfo, TaskInfo, TaskStatus};
use tepui_proto::v1::{
    self,
    agent::response::{
        GetAgent, GetExecutors, GetFrameworks, GetState, GetTasks, get_containers, get_frameworks,
    },
};

use crate::{Agent, Phase, TaskKey, task::Task};

impl Agent {
    /// Whether the task's container may still run.
    #[must_use]
    pub fn is_live(&self, key: &TaskKey) -> bool {
        self.tasks.get(key).is_some_and(Task::is_live)
    }

    /// The container of a task that runs.
    #[must_use]
    pub fn running_container(&self, key: &TaskKey) -> Option<&ContainerId> {
        let task = self.tasks.get(key)?;
        let runs = task.phase == Phase::Running;
        task.container.as_ref().filter(|_| runs)
    }

    /// The containers of tasks that may still run, with their tasks.
    pub fn live_containers(&self) -> impl Iterator<Item = (&ContainerId, &TaskKey)> {
        self.containers.iter()
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

    /// The answer to `GET_STATE`. Command tasks have no executors.
    #[must_use]
    pub fn get_state(&self) -> GetState {
        GetState {
            get_tasks: Some(self.get_tasks()),
            get_executors: Some(GetExecutors::default()),
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
                container_status: self.container_status(task),
                resource_statistics: None,
            })
        };
        self.containers.iter().filter_map(show).collect()
    }

    /// What a running container was asked to have: its task's resources.
    #[must_use]
    pub fn resources_of(&self, container: &ContainerId) -> Option<&tepui_model::Resources> {
        let key = self.containers.get(container)?;
        self.tasks.get(key).map(|task| &task.info.resources)
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
