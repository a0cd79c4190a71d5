//! Task groups: tasks that are launched together or not at all, in containers inside of their
//! executor's, and of which none goes on when one fails or is killed (Mesos: EXE-03, SPC-07).
//!
//! The executor is of type DEFAULT and no program: its container holds what the tasks share, and
//! ends when the last of them has ended.

use std::sync::Arc;

use tepui_model::{
    ContainerId, ExecutorId, FrameworkInfo, Reason, Resources, TaskId, TaskInfo, TaskState, Time,
};
use tepui_proto::v1::executor_info;

use super::Agent;
use crate::{
    ContainerPlan, Effect, Effects, EndCause, ExecutorKey, Note, Phase, TaskKey,
    executor::Executor,
    limits,
    outcome::{self, Outcome},
    plan::{self, Parent},
    task::{KillCause, Task},
};

/// The group that a task is of.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    executor: ExecutorKey,
    group: Option<Box<str>>,
}

/// A group that can run.
struct Admitted {
    executor: ExecutorKey,
    /// The executor, with its container's plan, if it is started for the group.
    started: Option<(Executor, ContainerPlan)>,
    members: Vec<ContainerPlan>,
}

impl Agent {
    /// Starts a group of tasks, once; all of them or none.
    pub(super) fn run_group(
        &mut self,
        now: Time,
        framework: FrameworkInfo,
        infos: Vec<TaskInfo>,
        launch_executor: bool,
        fx: &mut Effects,
    ) {
        let Some(id) = framework.id.clone() else {
            return;
        };
        let key = |info: &TaskInfo| TaskKey::new(&id, &info.id);
        let infos: Vec<_> = infos.into_iter().map(|info| (key(&info), info)).collect();
        if let Some((known, _)) = infos.iter().find(|(key, _)| self.tasks.contains_key(key)) {
            return fx.note(Note::DuplicateTask(known.clone()));
        }
        if self.tasks.len() + infos.len() > limits::MAX_TASKS {
            for (key, info) in infos {
                self.refuse_unrecorded(now, &key, info, fx);
            }
            return;
        }
        self.adopt_framework(&id, framework, fx);
        let first = infos
            .first()
            .and_then(|(_, first)| first.wire.executor.as_ref());
        if first.is_some_and(|it| it.r#type() == executor_info::Type::Custom) {
            return self.run_group_in_executor(now, infos, launch_executor, fx);
        }
        match self.admit_group(&infos, launch_executor) {
            Ok(admitted) => self.start_group(now, infos, admitted, fx),
            Err(outcome) => self.refuse_group(now, infos, &outcome, launch_executor, fx),
        }
    }

    /// Nobody of a group runs when one cannot.
    pub(super) fn refuse_group(
        &mut self,
        now: Time,
        infos: Vec<(TaskKey, TaskInfo)>,
        outcome: &Outcome,
        launch_executor: bool,
        fx: &mut Effects,
    ) {
        let first = infos.first().map(|(key, info)| (key.clone(), info.clone()));
        for (key, info) in infos {
            let mut task = self.new_task(now, info);
            task.phase = Phase::Ended;
            self.insert(&key, task, fx);
            self.update(now, &key, outcome.clone(), fx);
        }
        let executor = first.and_then(|(key, info)| executor_key(&key, &info));
        if let (Some(executor), true) = (executor, launch_executor) {
            self.report_absence(&executor, None, fx);
        }
    }

    pub(super) fn new_task(&self, now: Time, info: TaskInfo) -> Task {
        let mut task = Task::new(info, None);
        task.latest.timestamp = Some(now);
        task.latest.agent_id = self.id().cloned();
        task
    }

    /// Everything that is needed to start a group, or what all of it is told instead.
    fn admit_group(
        &mut self,
        infos: &[(TaskKey, TaskInfo)],
        launch_executor: bool,
    ) -> Result<Admitted, Outcome> {
        for (key, info) in infos {
            self.admit(key, info)?;
        }
        let invalid = |error: &dyn ToString| {
            let reason = Reason::TaskGroupInvalid;
            Outcome::by_agent(TaskState::Error, reason, error.to_string())
        };
        let first = infos.first().filter(|(_, first)| {
            let executor = first.wire.executor.as_ref();
            crate::task::is_pod(executor)
                && infos
                    .iter()
                    .all(|(_, it)| it.wire.executor.as_ref() == executor)
        });
        let (key, first) = first
            .ok_or_else(|| invalid(&"The tasks of a group have one executor, of type DEFAULT"))?;
        let executor =
            executor_key(key, first).ok_or_else(|| invalid(&"The executor has no valid id"))?;
        let started = self.seat_group(&executor, infos, launch_executor)?;
        let container = match (&started, self.executors.get(&executor)) {
            (Some((made, _)), _) => made.container.clone(),
            (None, Some(known)) => known.container.clone(),
            (None, None) => return Err(invalid(&"The executor is not there")),
        };
        let mut members = Vec::new();
        for (key, info) in infos {
            let name = self.names.container();
            members.push(self.plan_inside(key, info, &name, (&executor, &container))?);
        }
        Ok(Admitted {
            executor,
            started,
            members,
        })
    }

    /// The executor that is started for a group, unless it is there.
    fn seat_group(
        &mut self,
        executor: &ExecutorKey,
        infos: &[(TaskKey, TaskInfo)],
        launch_executor: bool,
    ) -> Result<Option<(Executor, ContainerPlan)>, Outcome> {
        let Some((key, first)) = infos.first() else {
            return Ok(None);
        };
        let state = self.if_aware(key, TaskState::Dropped);
        let dropped = |message: &str| {
            Err(Outcome::by_agent(
                state,
                Reason::ExecutorTerminated,
                message,
            ))
        };
        match self.executors.get(executor) {
            Some(known) if known.ending.is_some() => {
                return dropped("The executor is being ended");
            }
            Some(_) => return Ok(None),
            None if !launch_executor => {
                return dropped("The executor of the tasks is not there any more");
            }
            None if self.executors.len() >= limits::MAX_EXECUTORS => {
                let message = "The agent has as many executors as it can keep track of";
                let reason = Reason::ContainerLaunchFailed;
                return Err(Outcome::by_agent(TaskState::Failed, reason, message));
            }
            None => {}
        }
        let invalid = |error: &dyn ToString| {
            let reason = Reason::TaskGroupInvalid;
            Outcome::by_agent(TaskState::Error, reason, error.to_string())
        };
        let Some(info) = first.wire.executor.as_ref() else {
            return Ok(None);
        };
        let own = Resources::try_from(info.resources.as_slice())
            .map_err(|error| invalid(&format!("Executor uses invalid resources: {error}")))?;
        let tasks = infos.iter().map(|(_, info)| info.resources.clone());
        let total: Resources = tasks.chain([own.clone()]).sum();
        let container = self.names.container();
        let plan = self
            .plan_executor(executor, info, (&container, &total, None))
            .map_err(|error| invalid(&error))?;
        let made = Executor::new(Arc::new(info.clone()), own, container);
        Ok(Some((made, plan)))
    }

    fn start_group(
        &mut self,
        now: Time,
        infos: Vec<(TaskKey, TaskInfo)>,
        admitted: Admitted,
        fx: &mut Effects,
    ) {
        let group = admitted.members.first();
        let group = group.map(|plan| plan.container.to_string().into_boxed_str());
        if let Some((executor, plan)) = admitted.started {
            self.add_executor(&admitted.executor, executor, fx);
            fx.push(Effect::Launch(Box::new(plan)));
        }
        for ((key, info), plan) in infos.into_iter().zip(&admitted.members) {
            let mut task = self.new_task(now, info);
            task.container = Some(plan.container.clone());
            task.group.clone_from(&group);
            self.insert(&key, task, fx);
            self.checkpoint(&key, fx);
        }
        let executor = self.executors.get(&admitted.executor);
        if executor.is_some_and(|it| it.phase == Phase::Running) {
            self.resize(&admitted.executor, fx);
            let launch = |plan| fx.push(Effect::Launch(Box::new(plan)));
            admitted.members.into_iter().for_each(launch);
        }
    }

    /// The container of a task inside of its executor's.
    fn plan_inside(
        &self,
        key: &TaskKey,
        info: &TaskInfo,
        name: &ContainerId,
        (executor, container): (&ExecutorKey, &ContainerId),
    ) -> Result<ContainerPlan, Outcome> {
        let mut plan = self.plan_alone(key, info, name)?;
        let linux = info
            .wire
            .container
            .as_ref()
            .and_then(|it| it.linux_info.as_ref());
        let as_task = TaskKey::new(&executor.framework, &TaskId::from(&executor.executor));
        let (work_dir, agent) = (&self.config.work_dir, &info.agent_id);
        // The host name is the executor's.
        plan.hostname = None;
        plan.parent = Some(Parent {
            container: container.clone(),
            sandbox: plan::sandbox(work_dir, agent, &as_task, container),
            share_processes: linux.is_some_and(|linux| linux.share_pid_namespace()),
        });
        Ok(plan)
    }

    /// What a task's container is to be, or what its framework is told instead.
    pub(super) fn plan(
        &self,
        key: &TaskKey,
        info: &TaskInfo,
        name: &ContainerId,
    ) -> Result<ContainerPlan, Outcome> {
        if !crate::task::is_pod(info.wire.executor.as_ref()) {
            return self.plan_alone(key, info, name);
        }
        let executor = executor_key(key, info);
        let found = executor.and_then(|key| Some((self.executors.get(&key)?, key)));
        match found {
            Some((executor, of)) => self.plan_inside(key, info, name, (&of, &executor.container)),
            None => Err(Outcome::by_agent(
                self.if_aware(key, TaskState::Dropped),
                Reason::ExecutorTerminated,
                "The executor of the task is not there any more",
            )),
        }
    }

    /// An executor's container is there: its tasks can be inside of it.
    pub(super) fn start_members(&mut self, now: Time, executor: &ExecutorKey, fx: &mut Effects) {
        for key in self.tasks_of(executor) {
            let task = &self.tasks[&key];
            let (Phase::Launching, Some(name)) = (task.phase, task.container.clone()) else {
                continue;
            };
            if task.kill.is_some() {
                let outcome = outcome::of_launch_failure(task, "its group was killed");
                self.ended(now, &key, outcome, fx);
                continue;
            }
            match self.plan(&key, &task.info, &name) {
                Ok(plan) => fx.push(Effect::Launch(Box::new(plan))),
                Err(outcome) => self.ended(now, &key, outcome, fx),
            }
        }
    }

    /// Whether a task waits for its executor's container to be there.
    pub(super) fn is_pod_starting(&self, key: &TaskKey) -> bool {
        let executor = self.membership(key).map(|member| member.executor);
        let executor = executor.and_then(|key| self.executors.get(&key));
        executor.is_some_and(|it| it.phase == Phase::Launching)
    }

    /// Whether a task was started inside of its executor's container, as far as this agent saw.
    pub(super) fn is_running_in_pod(&self, key: &TaskKey) -> bool {
        let executor = self.membership(key).map(|member| member.executor);
        let executor = executor.and_then(|key| self.executors.get(&key));
        executor.is_some_and(|it| it.pid.is_some())
    }

    pub(super) fn membership(&self, key: &TaskKey) -> Option<Membership> {
        let task = self.tasks.get(key).filter(|task| task.is_in_pod())?;
        Some(Membership {
            executor: ExecutorKey::of(key, task.executor.as_ref()?),
            group: task.group.clone(),
        })
    }

    /// Those of a group that are to go on.
    fn going_on(&self, member: &Membership) -> Vec<TaskKey> {
        let mut tasks = self.tasks_of(&member.executor);
        tasks.retain(|key| {
            let task = &self.tasks[key];
            task.kill.is_none() && task.group == member.group
        });
        tasks
    }

    /// One of a group is to end, and the others with it.
    pub(super) fn kill_rest(&mut self, now: Time, key: &TaskKey, fx: &mut Effects) {
        let Some(member) = self.membership(key) else {
            return;
        };
        let cause = self.tasks.get(key).and_then(|task| task.kill);
        let cause = match cause.map(|order| order.cause) {
            Some(cause) if cause.is_drain() || cause == KillCause::Shutdown => cause,
            _ => KillCause::Group,
        };
        for other in self.going_on(&member) {
            self.kill(now, &other, cause, None, fx);
        }
    }

    /// One of a group has ended: if not well, the others are to end too. With the last, the
    /// executor ends.
    pub(super) fn member_ended(
        &mut self,
        now: Time,
        member: &Membership,
        well: bool,
        fx: &mut Effects,
    ) {
        if !well {
            for other in self.going_on(member) {
                self.kill(now, &other, KillCause::Group, None, fx);
            }
        }
        if self.tasks_of(&member.executor).is_empty() {
            self.shut_down(now, &member.executor, EndCause::Idle, fx);
        }
    }

    /// What is inside of an executor's container ends first, each task with its grace. False if
    /// nothing is.
    pub(super) fn end_members(
        &mut self,
        now: Time,
        executor: &ExecutorKey,
        cause: EndCause,
        fx: &mut Effects,
    ) -> bool {
        let is_pod = self.executors.get(executor).is_some_and(Executor::is_pod);
        let tasks = self.tasks_of(executor);
        if !is_pod || tasks.is_empty() {
            return false;
        }
        let cause = match cause {
            EndCause::Asked => KillCause::Asked,
            _ => KillCause::Shutdown,
        };
        for key in tasks {
            self.kill(now, &key, cause, None, fx);
        }
        true
    }

    /// Executors of which the last task ended before the agent could end them too.
    pub(super) fn end_idle_pods(&mut self, now: Time, fx: &mut Effects) {
        let pods = self.executors.iter().filter(|(_, it)| it.is_pod());
        let pods: Vec<ExecutorKey> = pods.map(|(key, _)| key.clone()).collect();
        for key in pods {
            if self.tasks_of(&key).is_empty() {
                self.shut_down(now, &key, EndCause::Idle, fx);
            }
        }
    }
}

fn executor_key(key: &TaskKey, info: &TaskInfo) -> Option<ExecutorKey> {
    let executor = info.wire.executor.as_ref()?;
    let id = ExecutorId::try_from(&executor.executor_id).ok()?;
    Some(ExecutorKey::of(key, &id))
}
