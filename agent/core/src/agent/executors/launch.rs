//! Starting executors, and what becomes of their containers.

use std::sync::Arc;

use tepui_model::{ContainerId, ExecutorId, Reason, Resources, TaskId, TaskInfo, TaskState, Time};
use tepui_proto::v1::{
    self,
    executor::{Event, event},
};

use super::super::Agent;
use crate::{
    ContainerEvent, ContainerPlan, Effect, Effects, EndCause, ExecutorKey, Exit, Phase, TaskKey,
    executor::Executor,
    outcome::Outcome,
    plan::{self, Place},
    task::Task,
    timers::Timer,
};

impl Agent {
    /// Takes a task for an executor, which is started for it if need be.
    pub(in crate::agent) fn run_in_executor(
        &mut self,
        now: Time,
        key: &TaskKey,
        mut task: Task,
        launch_executor: bool,
        fx: &mut Effects,
    ) {
        let seat = self.seat(key, &task.info, launch_executor, fx);
        match seat {
            Ok(executor) => {
                self.insert(key, task, fx);
                self.checkpoint(key, fx);
                self.hand_over(now, &executor, fx);
            }
            Err(outcome) => {
                task.phase = Phase::Ended;
                let executor = task.executor.clone();
                self.insert(key, task, fx);
                self.update(now, key, outcome, fx);
                if let (Some(executor), true) = (executor, launch_executor) {
                    let executor = ExecutorKey::of(key, &executor);
                    self.report_absence(&executor, None, fx);
                }
            }
        }
    }

    /// Takes a group of tasks for an executor, which is given all of them at once, or none.
    pub(in crate::agent) fn run_group_in_executor(
        &mut self,
        now: Time,
        infos: Vec<(TaskKey, TaskInfo)>,
        launch_executor: bool,
        fx: &mut Effects,
    ) {
        let mut others = infos.iter().skip(1);
        let refused = others.find_map(|(key, info)| self.admit(key, info).err());
        let Some((key, first)) = infos.first() else {
            return;
        };
        let seat = match refused {
            Some(outcome) => Err(outcome),
            None => self.seat(key, first, launch_executor, fx),
        };
        let executor = match seat {
            Ok(executor) => executor,
            Err(outcome) => return self.refuse_group(now, infos, &outcome, launch_executor, fx),
        };
        let group = self.names.container().to_string().into_boxed_str();
        for (key, info) in infos {
            let mut task = self.new_task(now, info);
            task.group = Some(group.clone());
            self.insert(&key, task, fx);
            self.checkpoint(&key, fx);
        }
        self.hand_over(now, &executor, fx);
    }

    /// The executor for a task, as it is or started now.
    fn seat(
        &mut self,
        key: &TaskKey,
        task: &TaskInfo,
        launch_executor: bool,
        fx: &mut Effects,
    ) -> Result<ExecutorKey, Outcome> {
        self.admit(key, task)?;
        let invalid = |error: &dyn ToString| {
            Outcome::by_agent(TaskState::Error, Reason::TaskInvalid, error.to_string())
        };
        let Some(info) = task.wire.executor.as_ref() else {
            return Err(invalid(&"The task has no executor"));
        };
        let id = ExecutorId::try_from(&info.executor_id).map_err(|error| invalid(&error))?;
        let executor = ExecutorKey::of(key, &id);
        let dropped = |state: TaskState, message: &str| {
            Err(Outcome::by_agent(
                state,
                Reason::ExecutorTerminated,
                message,
            ))
        };
        let state = self.if_aware(key, TaskState::Dropped);
        match self.executors.get(&executor) {
            Some(known) if known.ending.is_some() => {
                return dropped(state, "The executor is being ended");
            }
            Some(_) => return Ok(executor),
            None if !launch_executor => {
                return dropped(state, "The executor of the task is not there any more");
            }
            None if !self.has_room_for_executor() => {
                let message = "The agent has as many executors as it can keep track of";
                let reason = Reason::ContainerLaunchFailed;
                return Err(Outcome::by_agent(TaskState::Failed, reason, message));
            }
            None => {}
        }
        let resources = Resources::try_from(info.resources.as_slice())
            .map_err(|error| invalid(&format!("Executor uses invalid resources: {error}")))?;
        let container = self.names.container();
        let total = &resources + &task.resources;
        let role = task.allocation_role.as_ref().map(ToString::to_string);
        let plan = self
            .plan_executor(&executor, info, (&container, &total, role))
            .map_err(|error| invalid(&error))?;
        let made = Executor::new(Arc::new(info.clone()), resources, container);
        self.add_executor(&executor, made, fx);
        fx.push(Effect::Launch(Box::new(plan)));
        Ok(executor)
    }

    pub(in crate::agent) fn add_executor(
        &mut self,
        key: &ExecutorKey,
        executor: Executor,
        fx: &mut Effects,
    ) {
        if let Some(framework) = self.frameworks.get_mut(&key.framework) {
            framework.executors += 1;
        }
        self.executor_containers
            .insert(executor.container.clone(), key.clone());
        self.executors.insert(key.clone(), executor);
        self.checkpoint_executor(key, fx);
    }

    /// What an executor's container is to be.
    pub(in crate::agent) fn plan_executor(
        &self,
        key: &ExecutorKey,
        info: &v1::ExecutorInfo,
        (container, total, role): (&ContainerId, &Resources, Option<String>),
    ) -> Result<ContainerPlan, plan::Unplannable> {
        let missing = || plan::Unplannable::Invalid("The agent is not registered".to_owned());
        let agent = self.id().ok_or_else(missing)?;
        let framework = self.frameworks.get(&key.framework).ok_or_else(missing)?;
        let place = Place {
            config: &self.config,
            agent,
            framework: &framework.info,
            key: &TaskKey::new(&key.framework, &TaskId::from(&key.executor)),
            container,
        };
        match crate::task::is_pod(Some(info)) {
            true => plan::pod(&place, info, total),
            false => plan::executor(&place, info, total, role),
        }
    }

    /// Acts on what became of an executor's container.
    pub(in crate::agent) fn executor_event(
        &mut self,
        now: Time,
        key: &ExecutorKey,
        event: ContainerEvent,
        fx: &mut Effects,
    ) {
        let Some(executor) = self.executors.get(key) else {
            return;
        };
        if executor.phase.next(&event).is_none() {
            return;
        }
        match event {
            // It is not there yet.
            ContainerEvent::Fetching { .. } => {}
            ContainerEvent::Started {
                pid,
                networks,
                net_class,
            } => {
                if let Some(executor) = self.executors.get_mut(key) {
                    (executor.networks, executor.net_class) = (networks, net_class);
                }
                self.executor_started(now, key, pid, fx);
            }
            ContainerEvent::LaunchFailed { message } => {
                self.counts.launch_errors += 1;
                let message = format!("Failed to launch container: {message}");
                let outcome = (Reason::ContainerLaunchFailed, message);
                self.executor_ended(now, key, &Exit::unknown(), Some(outcome), fx);
            }
            ContainerEvent::Exited(exit) => self.executor_ended(now, key, &exit, None, fx),
        }
    }

    /// From now on it has so long to subscribe.
    pub(in crate::agent) fn executor_started(
        &mut self,
        now: Time,
        key: &ExecutorKey,
        pid: u32,
        fx: &mut Effects,
    ) {
        let Some(executor) = self.executors.get_mut(key) else {
            return;
        };
        executor.phase = Phase::Running;
        executor.pid = Some(pid);
        let is_pod = executor.is_pod();
        let (ending, awaited) = (executor.ending, executor.stream.is_none());
        self.checkpoint_executor(key, fx);
        if ending.is_some() {
            self.kill_executor(now, key.clone(), fx);
        } else if is_pod {
            self.start_members(now, key, fx);
        } else if awaited {
            let timer = Timer::Registration(key.clone());
            let at = now + self.config.executor_registration_timeout;
            self.timers.set(timer, at);
        }
    }

    /// It has not subscribed in time.
    pub(in crate::agent) fn registration_over(
        &mut self,
        now: Time,
        key: &ExecutorKey,
        fx: &mut Effects,
    ) {
        let Some(executor) = self.executors.get(key) else {
            return;
        };
        let cause = match executor.subscribed {
            true => EndCause::NoReregistration,
            false => EndCause::NoRegistration,
        };
        self.shut_down(now, key, cause, fx);
    }

    /// Gives an executor the tasks that wait for it, if it is subscribed.
    pub(in crate::agent) fn hand_over(&mut self, now: Time, key: &ExecutorKey, fx: &mut Effects) {
        let Some(executor) = self.executors.get_mut(key) else {
            return;
        };
        let (Some(stream), None) = (executor.stream, executor.ending) else {
            return;
        };
        let queued = self.tasks_of(key).into_iter();
        let queued: Vec<TaskKey> = queued
            .filter(|task| self.tasks[task].phase == Phase::Launching)
            .collect();
        if queued.is_empty() {
            return;
        }
        if let Some(executor) = self.executors.get_mut(key).filter(|it| !it.employed) {
            executor.employed = true;
            self.checkpoint_executor(key, fx);
        }
        self.resize(key, fx);
        for tasks in self.by_group(queued) {
            let mut wires = Vec::new();
            let mut grouped = false;
            for task_key in tasks {
                let Some(task) = self.tasks.get_mut(&task_key) else {
                    continue;
                };
                task.phase = Phase::Running;
                task.started = Some(now);
                grouped |= task.group.is_some();
                wires.push((*task.info.wire).clone());
                self.checkpoint(&task_key, fx);
            }
            let event = match grouped {
                true => launch_group_event(wires),
                false => launch_event(wires.pop().unwrap_or_default()),
            };
            super::tell(stream, event, fx);
        }
    }

    /// The tasks of a group together, the others each alone.
    fn by_group(&self, tasks: Vec<TaskKey>) -> Vec<Vec<TaskKey>> {
        let mut all: Vec<Vec<TaskKey>> = Vec::new();
        let group = |key: &TaskKey| self.tasks.get(key).and_then(|task| task.group.as_ref());
        for key in tasks {
            let own = group(&key);
            let same = |known: &&mut Vec<TaskKey>| known.first().and_then(group) == own;
            let known = all.iter_mut().find(same).filter(|_| own.is_some());
            match known {
                Some(known) => known.push(key),
                None => all.push(vec![key]),
            }
        }
        all
    }

    /// The tasks of the same group that its executor has not been given.
    pub(in crate::agent) fn queued_with(&self, key: &TaskKey) -> Vec<TaskKey> {
        let group = self.tasks.get(key).and_then(|task| task.group.as_ref());
        let others = self.tasks.iter().filter(|(other, task)| {
            let same = group.is_some() && task.group.as_ref() == group;
            same && task.phase == Phase::Launching && other.framework == key.framework
        });
        let mut all: Vec<TaskKey> = others.map(|(other, _)| other.clone()).collect();
        if all.is_empty() {
            all.push(key.clone());
        }
        all
    }

    /// Its container has as much room as it and its tasks are to have.
    pub(in crate::agent) fn resize(&self, key: &ExecutorKey, fx: &mut Effects) {
        let Some(executor) = self.executors.get(key) else {
            return;
        };
        fx.push(Effect::Resize {
            container: executor.container.clone(),
            limits: plan::shared_limits(&self.config, &self.held_by(key)),
        });
    }
}

fn launch_group_event(tasks: Vec<v1::TaskInfo>) -> Event {
    Event {
        r#type: Some(event::Type::LaunchGroup.into()),
        launch_group: Some(event::LaunchGroup {
            task_group: v1::TaskGroupInfo { tasks },
        }),
        ..Event::default()
    }
}

fn launch_event(task: v1::TaskInfo) -> Event {
    Event {
        r#type: Some(event::Type::Launch.into()),
        launch: Some(event::Launch { task }),
        ..Event::default()
    }
}
