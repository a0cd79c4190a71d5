//! Status updates: made, written down, sent one at a time, acknowledged (Mesos: TSK-09).

use tepui_model::{
    ExecutorId, FrameworkId, Reason, StatusUuid, TaskInfo, TaskState, TaskStatus, Time,
};
use tepui_proto::v1;

use super::{Agent, Framework, is_well};
use crate::{
    AgentReport, Change, Effect, Effects, ExecutorKey, Kind, Note, Phase, TaskKey, checks,
    executor::Executor, history::Completed, networks, outcome::Outcome, task::Task, timers::Timer,
};

impl Agent {
    /// Gives a task a new state: written down, and sent when its turn has come.
    pub(super) fn update(&mut self, now: Time, key: &TaskKey, outcome: Outcome, fx: &mut Effects) {
        let uuid = self.names.update();
        let Some(task) = self.tasks.get(key) else {
            return;
        };
        let outcome = self.as_preempted(key, task, self.as_drained(key, task, outcome));
        let mut status = self.status(now, key, task, outcome);
        status.uuid = Some(uuid);
        self.put_update(now, key, status, fx);
    }

    /// Puts a task's new state, with its name, at the end of the line.
    pub(super) fn put_update(
        &mut self,
        now: Time,
        key: &TaskKey,
        mut status: TaskStatus,
        fx: &mut Effects,
    ) {
        if status.state.is_terminal() {
            *self.counts.ends.entry(status.state).or_default() += 1;
        }
        fx.note(Note::Changed {
            task: key.clone(),
            state: status.state,
            message: status.message.clone().unwrap_or_default(),
        });
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        if task.silent {
            status.uuid = None;
            task.latest = status;
            return self.end_in_silence(key, fx);
        }
        task.latest = status.clone();
        if task.is_run_by_executor() {
            // It waits for each of its updates to be acknowledged.
            task.updates.push(status);
        } else {
            task.updates.push_latest(status);
        }
        self.checkpoint(key, fx);
        if !self.tasks[key].updates.in_flight() {
            self.send_first(now, key, fx);
        }
    }

    fn status(&self, now: Time, key: &TaskKey, task: &Task, outcome: Outcome) -> TaskStatus {
        let mut status = TaskStatus::new(task.info.id.clone(), outcome.state);
        outcome.describe(&mut status);
        status.timestamp = Some(now);
        status.agent_id = Some(task.info.agent_id.clone());
        let own = || ExecutorId::from(&task.info.id);
        status.executor_id = Some(task.executor.clone().unwrap_or_else(own));
        status.passengers.container_status = self.container_status(key, task);
        if !status.state.is_terminal() {
            status.healthy = status.healthy.or_else(|| is_well(task));
        }
        let plain = task.checks.iter().find(|check| !check.is_health());
        status.passengers.check_status =
            plain.map(|check| checks::check_status(&check.probe, check.last()));
        status
    }

    /// What Mesos tells about the container of a task: its id, its address, its process.
    pub(crate) fn container_status(
        &self,
        key: &TaskKey,
        task: &Task,
    ) -> Option<v1::ContainerStatus> {
        let executor = task.executor.as_ref();
        let executor = executor.and_then(|it| self.executors.get(&ExecutorKey::of(key, it)));
        match executor {
            Some(executor) if task.is_in_pod() => {
                // The network is the executor's, and the process its own.
                let own: v1::ContainerId = task.container.as_ref()?.into();
                let parent = Some(Box::new((&executor.container).into()));
                return Some(v1::ContainerStatus {
                    container_id: Some(v1::ContainerId { parent, ..own }),
                    executor_pid: task.pid,
                    ..self.status_of_executor(executor)
                });
            }
            Some(executor) => return Some(self.status_of_executor(executor)),
            None if task.is_run_by_executor() => return None,
            None => {}
        }
        let container_id = task.container.as_ref()?;
        Some(v1::ContainerStatus {
            container_id: Some(container_id.into()),
            network_infos: networks::infos(task, self.config.ip.as_deref()),
            cgroup_info: task.net_class.map(networks::class),
            executor_pid: task.pid,
        })
    }

    /// The same about an executor's own container.
    pub(crate) fn status_of_executor(&self, executor: &Executor) -> v1::ContainerStatus {
        let networks = (&*executor.networks, executor.phase == Phase::Running);
        let ip = self.config.ip.as_deref();
        let asked = executor.info.container.as_ref();
        v1::ContainerStatus {
            container_id: Some((&executor.container).into()),
            network_infos: networks::of_container(asked, networks, ip),
            cgroup_info: executor.net_class.map(networks::class),
            executor_pid: executor.pid,
        }
    }

    /// A task that nobody asks about: the master is told once that it is over, so that it can
    /// count.
    fn end_in_silence(&mut self, key: &TaskKey, fx: &mut Effects) {
        let task = &self.tasks[key];
        if task.phase != Phase::Ended {
            return self.checkpoint(key, fx);
        }
        let status = task.latest.clone();
        self.send_once(key, status, fx);
        self.finish(key, fx);
    }

    /// Sends an update without a name, which nobody acknowledges.
    fn send_once(&self, key: &TaskKey, status: TaskStatus, fx: &mut Effects) {
        let Some(link) = self.registered_link() else {
            return;
        };
        let latest = status.state;
        let framework_id = key.framework.clone();
        let report = AgentReport::Update {
            framework_id,
            status: Box::new(status),
            latest,
        };
        fx.push(Effect::Send { link, report });
    }

    /// Refuses a task that there is no room for, not even to remember it.
    pub(super) fn refuse_unrecorded(
        &self,
        now: Time,
        key: &TaskKey,
        info: TaskInfo,
        fx: &mut Effects,
    ) {
        let task = Task::new(info, None);
        let outcome = Outcome::by_agent(
            TaskState::Failed,
            Reason::ContainerLaunchFailed,
            "The agent has as many tasks as it can keep track of",
        );
        self.send_once(key, self.status(now, key, &task, outcome), fx);
    }

    /// Sends the update whose turn it is, for the first time or again.
    pub(super) fn send_first(&mut self, now: Time, key: &TaskKey, fx: &mut Effects) {
        let Some(link) = self.registered_link() else {
            return;
        };
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        let Some(status) = task.updates.first().cloned() else {
            return;
        };
        let wait = task.updates.sent();
        let framework_id = key.framework.clone();
        let latest = task.latest.state;
        let report = AgentReport::Update {
            framework_id,
            status: Box::new(status),
            latest,
        };
        fx.push(Effect::Send { link, report });
        self.timers.set(Timer::Retry(key.clone()), now + wait);
    }

    /// The framework has acted on an update: the next one may go, or the task is over.
    pub(super) fn acknowledge(
        &mut self,
        now: Time,
        key: &TaskKey,
        uuid: StatusUuid,
        fx: &mut Effects,
    ) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        if !task.updates.acknowledge(uuid) {
            return;
        }
        let (more, ended) = (!task.updates.is_empty(), task.phase == Phase::Ended);
        self.timers.cancel(&Timer::Retry(key.clone()));
        if more {
            // Before the next one leaves: or else a restart would send the two in the wrong order.
            self.checkpoint(key, fx);
            self.send_first(now, key, fx);
        } else if ended {
            self.finish(key, fx);
        } else {
            fx.push(Effect::Persist(self.progress(key).later()));
        }
    }

    /// Forgets a task, but for the operators' history.
    pub(super) fn finish(&mut self, key: &TaskKey, fx: &mut Effects) {
        self.end_checks(key);
        let Some(task) = self.drop_task(key) else {
            return;
        };
        for timer in [Timer::Retry, Timer::Kill, Timer::Completion] {
            self.timers.cancel(&timer(key.clone()));
        }
        fx.push(Effect::Persist(Change::delete(Kind::Task, key)));
        fx.push(Effect::Persist(Change::delete(Kind::Progress, key)));
        self.history.task(Completed {
            framework: key.framework.clone(),
            info: task.info,
            latest: task.latest,
        });
        if let Some(framework) = self.frameworks.get_mut(&key.framework) {
            framework.tasks -= 1;
        }
        self.leave_framework(&key.framework, fx);
    }

    /// Forgets a framework that has nothing here any more.
    pub(super) fn leave_framework(&mut self, id: &FrameworkId, fx: &mut Effects) {
        if self.frameworks.get(id).is_some_and(Framework::is_idle)
            && let Some(framework) = self.frameworks.remove(id)
        {
            fx.push(Effect::Persist(Change::delete(Kind::Framework, id)));
            self.history.framework(framework.info);
        }
    }
}
