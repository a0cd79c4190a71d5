//! Starting tasks, and what becomes of their containers.

use core::time::Duration;

use tepui_model::{AgentId, ContainerId, FrameworkInfo, Reason, TaskInfo, TaskState, Time};

use super::{Agent, Framework};
use crate::{
    ContainerEvent, ContainerPlan, Effect, Effects, ExitStatus, JoinedNetwork, Note, Phase,
    TaskKey, limits,
    outcome::{self, Outcome},
    plan::{self, Place},
    task::{KillCause, Task},
    timers::Timer,
};

impl Agent {
    /// Starts a task, once.
    pub(super) fn run_task(
        &mut self,
        now: Time,
        framework: FrameworkInfo,
        info: TaskInfo,
        launch_executor: bool,
        fx: &mut Effects,
    ) {
        if crate::task::is_pod(info.wire.executor.as_ref()) {
            return self.run_group(now, framework, vec![info], launch_executor, fx);
        }
        let Some(id) = framework.id.clone() else {
            return;
        };
        let key = TaskKey::new(&id, &info.id);
        if self.tasks.contains_key(&key) {
            return fx.note(Note::DuplicateTask(key));
        }
        if self.tasks.len() >= limits::MAX_TASKS {
            return self.refuse_unrecorded(now, &key, info, fx);
        }
        self.adopt_framework(&id, framework, fx);
        let mut task = Task::new(info, None);
        task.latest.timestamp = Some(now);
        task.latest.agent_id = self.id().cloned();
        if task.executor.is_some() {
            return self.run_in_executor(now, &key, task, launch_executor, fx);
        }
        let container = self.names.container();
        let planned = self.plan(&key, &task.info, &container);
        task.container = Some(container);
        match planned {
            Ok(plan) => {
                self.insert(&key, task, fx);
                self.checkpoint(&key, fx);
                fx.push(Effect::Launch(Box::new(plan)));
            }
            Err(outcome) => {
                task.container = None;
                task.phase = Phase::Ended;
                self.insert(&key, task, fx);
                self.update(now, &key, outcome, fx);
            }
        }
    }

    /// Whether a task may run here, or what its framework is told instead.
    pub(super) fn admit(
        &self,
        key: &TaskKey,
        task: &TaskInfo,
    ) -> Result<(&AgentId, &Framework), Outcome> {
        let dropped = |reason, message: &str| {
            Err(Outcome::by_agent(
                self.if_aware(key, TaskState::Dropped),
                reason,
                message,
            ))
        };
        let (Some(agent), Some(framework)) = (self.id(), self.frameworks.get(&key.framework))
        else {
            return dropped(Reason::AgentDisconnected, "The agent is not registered");
        };
        if !self.is_serving() {
            return dropped(Reason::AgentDraining, "The agent is leaving the cluster");
        }
        if self.draining {
            return dropped(Reason::AgentDraining, "The agent is draining");
        }
        if framework.terminating {
            return dropped(Reason::FrameworkRemoved, "The framework is being shut down");
        }
        if !self.resources.contains(&task.resources.checkpointed()) {
            return dropped(
                Reason::ResourcesUnknown,
                "The checkpointed resources being used by the task are unknown to the agent",
            );
        }
        if task.agent_id != *agent {
            let message = format!("The task is for agent {}, this is {agent}", task.agent_id);
            let state = TaskState::Error;
            return Err(Outcome::by_agent(state, Reason::TaskInvalid, message));
        }
        Ok((agent, framework))
    }

    /// What the container of a task that is in no group is to be.
    pub(super) fn plan_alone(
        &self,
        key: &TaskKey,
        task: &TaskInfo,
        container: &ContainerId,
    ) -> Result<ContainerPlan, Outcome> {
        let (agent, framework) = self.admit(key, task)?;
        let place = Place {
            config: &self.config,
            agent,
            framework: &framework.info,
            key,
            container,
        };
        plan::plan(&place, task).map_err(|error| {
            Outcome::by_agent(TaskState::Error, Reason::TaskInvalid, error.to_string())
        })
    }

    /// Acts on what became of a container.
    pub(super) fn container_event(
        &mut self,
        now: Time,
        container: ContainerId,
        event: ContainerEvent,
        fx: &mut Effects,
    ) {
        if let Some(key) = self.executor_containers.get(&container).cloned() {
            return self.executor_event(now, &key, event, fx);
        }
        if let Some(name) = self.guest_containers.get(&container).cloned() {
            return self.guest_event(now, &name, event, fx);
        }
        let Some(key) = self.containers.get(&container).cloned() else {
            return self.orphan_event(container, &event, fx);
        };
        if let ContainerEvent::Fetching { what } = &event {
            return self.fetching(now, &key, what, fx);
        }
        let task = &self.tasks[&key];
        if task.phase.next(&event).is_none() {
            return;
        }
        let outcome = match &event {
            ContainerEvent::Fetching { .. } => return,
            ContainerEvent::Started {
                pid,
                networks,
                net_class,
            } => {
                self.joined(&key, networks.clone(), *net_class);
                return self.started(now, &key, *pid, fx);
            }
            ContainerEvent::LaunchFailed { message } => outcome::of_launch_failure(task, message),
            ContainerEvent::Exited(exit) => {
                let unseen = task.rebooted && exit.status == ExitStatus::Unknown;
                if unseen && task.kill.is_none() {
                    self.lost(&key)
                } else {
                    outcome::of_exit(task, exit)
                }
            }
        };
        self.ended(now, &key, outcome, fx);
    }

    /// Notes the networks of a task's container, and the handle on its packets.
    pub(super) fn joined(
        &mut self,
        key: &TaskKey,
        networks: Vec<JoinedNetwork>,
        net_class: Option<u32>,
    ) {
        if let Some(task) = self.tasks.get_mut(key) {
            (task.networks, task.net_class) = (networks, net_class);
        }
    }

    /// What a container needs is not here: its framework hears why the task takes a while, and how
    /// far it has come whenever it has taken in what it heard before.
    fn fetching(&mut self, now: Time, key: &TaskKey, what: &str, fx: &mut Effects) {
        let Some(task) = self.tasks.get(key) else {
            return;
        };
        if task.phase != Phase::Launching || task.kill.is_some() {
            return;
        }
        let message = format!("Fetching {what}");
        let is_news = match task.latest.state {
            TaskState::Staging => true,
            // After a restart it is fetched again.
            TaskState::Starting => {
                task.updates.is_empty() && task.latest.message.as_ref() != Some(&message)
            }
            _ => false,
        };
        if is_news {
            let outcome = Outcome::by_executor(TaskState::Starting, message);
            self.update(now, key, outcome, fx);
        }
    }

    /// A container runs: its framework hears of it, unless the task was killed before.
    pub(super) fn started(&mut self, now: Time, key: &TaskKey, pid: u32, fx: &mut Effects) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        task.phase = Phase::Running;
        task.pid = Some(pid);
        if task.kill.is_some() {
            self.checkpoint(key, fx);
            return self.kill_now(now, key.clone(), fx);
        }
        task.started = Some(now);
        self.await_completion(key);
        self.begin_checks(now, key);
        self.update(now, key, Outcome::by_executor(TaskState::Running, ""), fx);
    }

    /// A task has no container any more, or never had one.
    pub(super) fn ended(&mut self, now: Time, key: &TaskKey, outcome: Outcome, fx: &mut Effects) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        task.phase = Phase::Ended;
        task.pid = None;
        self.timers.cancel(&Timer::Kill(key.clone()));
        self.timers.cancel(&Timer::Completion(key.clone()));
        self.end_checks(key);
        let task = &self.tasks[key];
        if let Some(container) = task.container.clone() {
            self.containers.remove(&container);
            fx.push(Effect::Remove { container });
        }
        let member = self.membership(key);
        let well = outcome.state == TaskState::Finished;
        self.update(now, key, outcome, fx);
        if let Some(member) = member {
            self.member_ended(now, &member, well, fx);
        }
    }

    /// Sets the timer of a task that may run only so long (Mesos: SPC-06).
    pub(super) fn await_completion(&mut self, key: &TaskKey) {
        let Some(task) = self.tasks.get(key) else {
            return;
        };
        let limit = task.info.wire.max_completion_time.as_ref();
        let limit = limit.and_then(|limit| u64::try_from(limit.nanoseconds).ok());
        if let (Some(nanoseconds), Some(started)) = (limit, task.started) {
            let at = started + Duration::from_nanos(nanoseconds);
            self.timers.set(Timer::Completion(key.clone()), at);
        }
    }

    /// As in Mesos, a task whose time is over gets no grace.
    pub(super) fn completion_time_over(&mut self, now: Time, key: &TaskKey, fx: &mut Effects) {
        if self.tasks.get(key).is_some_and(|task| task.kill.is_none()) {
            self.kill(
                now,
                key,
                KillCause::CompletionTime,
                Some(Duration::ZERO),
                fx,
            );
        }
    }

    /// What became of a container that belongs to no task.
    fn orphan_event(&mut self, container: ContainerId, event: &ContainerEvent, fx: &mut Effects) {
        if let ContainerEvent::Exited(_) = event
            && self.orphans.remove(&container)
        {
            self.timers.cancel(&Timer::Orphan(container.clone()));
            fx.push(Effect::Remove { container });
        }
    }

    /// The state for frameworks that know it, or else `TASK_LOST` (Mesos: TSK-11).
    pub(super) fn if_aware(&self, key: &TaskKey, state: TaskState) -> TaskState {
        self.or_if_aware(key, TaskState::Lost, state)
    }

    /// The one state, or the other for frameworks that are partition-aware.
    pub(super) fn or_if_aware(
        &self,
        key: &TaskKey,
        state: TaskState,
        aware_state: TaskState,
    ) -> TaskState {
        let aware = |framework: &super::Framework| {
            framework
                .info
                .capabilities
                .has(tepui_model::Capability::PartitionAware)
        };
        let aware = self.frameworks.get(&key.framework).is_some_and(aware);
        if aware { aware_state } else { state }
    }
}
