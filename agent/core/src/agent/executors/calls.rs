//! What executors say: that they are there, what becomes of their tasks, words for their framework.

use tepui_model::{Reason, Source, StatusUuid, TaskId, TaskState, TaskStatus, Time};
use tepui_proto::v1::executor::{Event, event};

use super::super::Agent;
use crate::{
    AgentReport, Effect, Effects, EndCause, ExecutorCall, ExecutorKey, Note, Phase, StreamId,
    TaskKey, outcome::Outcome, timers::Timer,
};

impl Agent {
    /// Takes in what an executor says.
    pub(in crate::agent) fn executor_call(
        &mut self,
        now: Time,
        key: &ExecutorKey,
        call: ExecutorCall,
        fx: &mut Effects,
    ) {
        match call {
            ExecutorCall::Subscribe {
                stream,
                tasks,
                updates,
            } => self.subscribe(now, key, stream, (tasks, updates), fx),
            ExecutorCall::Update(status) => self.executor_update(now, key, *status, fx),
            ExecutorCall::Message(data) => {
                let (framework_id, executor_id) = (key.framework.clone(), key.executor.clone());
                self.counts.framework_messages += 1;
                // Best effort (Mesos: EXE-08).
                if let Some(link) = self.registered_link() {
                    let report = AgentReport::ExecutorMessage {
                        framework_id,
                        executor_id,
                        data,
                    };
                    fx.push(Effect::Send { link, report });
                }
            }
        }
    }

    /// An executor is there. The newest stream is the one that counts.
    fn subscribe(
        &mut self,
        now: Time,
        key: &ExecutorKey,
        stream: StreamId,
        (tasks, updates): (Vec<TaskId>, Vec<TaskStatus>),
        fx: &mut Effects,
    ) {
        let framework = self.frameworks.get(&key.framework);
        let wanted = framework.is_some_and(|framework| !framework.terminating);
        let executor = self.executors.get_mut(key);
        let Some(executor) = executor.filter(|it| it.ending.is_none() && wanted) else {
            super::tell(stream, shutdown_event(), fx);
            return fx.push(Effect::EndStream { stream });
        };
        let (again, old) = (executor.subscribed, executor.stream.replace(stream));
        executor.subscribed = true;
        self.timers.cancel(&Timer::Registration(key.clone()));
        if let Some(stream) = old {
            fx.push(Effect::EndStream { stream });
        }
        if !again {
            self.checkpoint_executor(key, fx);
        }
        super::tell(stream, self.subscribed_event(key), fx);
        for status in updates {
            self.executor_update(now, key, status, fx);
        }
        if again {
            self.reconcile(now, key, &tasks, fx);
        }
        self.hand_over(now, key, fx);
        let idle = self.executors.get(key).is_some_and(|it| !it.employed);
        if idle && self.tasks_of(key).is_empty() {
            self.shut_down(now, key, EndCause::Idle, fx);
        }
    }

    /// A launched task of which the executor does not know never reached it, for the agent died or
    /// the stream broke first. What it is to end, it hears again.
    fn reconcile(&mut self, now: Time, key: &ExecutorKey, known: &[TaskId], fx: &mut Effects) {
        for task_key in self.tasks_of(key) {
            let task = &self.tasks[&task_key];
            if task.phase != Phase::Running {
                continue;
            }
            if task.latest.state == TaskState::Staging && !known.contains(&task_key.task) {
                let outcome = Outcome::by_agent(
                    self.if_aware(&task_key, TaskState::Dropped),
                    Reason::AgentRestarted,
                    "The task did not reach its executor",
                );
                self.ended(now, &task_key, outcome, fx);
            } else if let Some(order) = task.kill {
                let event = super::kill_event(&task_key, Some(order.grace));
                self.tell_executor(key, event, fx);
            }
        }
    }

    fn subscribed_event(&self, key: &ExecutorKey) -> Event {
        let (executor, framework) = (&self.executors[key], &self.frameworks[&key.framework]);
        let info = self.config.info.clone();
        let info = match self.id() {
            Some(id) => info.with_id(id.clone()),
            None => info,
        };
        Event {
            r#type: Some(event::Type::Subscribed.into()),
            subscribed: Some(event::Subscribed {
                executor_info: (*executor.info).clone(),
                framework_info: (*framework.info.wire).clone(),
                agent_info: (&info).into(),
                container_id: Some((&executor.container).into()),
            }),
            ..Event::default()
        }
    }

    /// A task of an executor has a new state. It is acknowledged once it is on disk.
    fn executor_update(
        &mut self,
        now: Time,
        key: &ExecutorKey,
        mut status: TaskStatus,
        fx: &mut Effects,
    ) {
        let Some(uuid) = status.uuid else { return };
        let task_key = TaskKey {
            framework: key.framework.clone(),
            task: status.task_id.clone(),
        };
        let task = self.tasks.get(&task_key);
        let own = task.filter(|task| task.executor.as_ref() == Some(&key.executor));
        match own {
            // It is over, or was never here; that it is heard twice is no news either.
            Some(task) if task.phase == Phase::Ended || task.updates.has(uuid) => {}
            None => {
                self.counts.stray_updates += 1;
                fx.note(Note::UnknownTask {
                    task: task_key.clone(),
                    wants: "update",
                });
            }
            Some(task) if task.latest.uuid == Some(uuid) => {}
            Some(_) => {
                self.counts.status_updates += 1;
                self.complete(now, key, &mut status);
                self.take_update(now, &task_key, status, fx);
            }
        }
        self.tell_executor(key, acknowledged_event(&task_key.task, uuid), fx);
    }

    fn take_update(&mut self, now: Time, key: &TaskKey, mut status: TaskStatus, fx: &mut Effects) {
        let task = &self.tasks[key];
        let outcome = Outcome::of(&status);
        let outcome = self.as_preempted(key, task, self.as_drained(key, task, outcome));
        outcome.describe(&mut status);
        let executor = self.executor_of(key);
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        if status.state.is_terminal() {
            task.phase = Phase::Ended;
            self.timers.cancel(&Timer::Kill(key.clone()));
        } else if task.phase == Phase::Launching {
            // It can only know of it if it was given it.
            task.phase = Phase::Running;
        }
        self.put_update(now, key, status, fx);
        if let Some(executor) = executor.filter(|_| self.is_over(key)) {
            self.resize(&executor, fx);
        }
    }

    fn is_over(&self, key: &TaskKey) -> bool {
        self.tasks.get(key).is_none_or(|task| !task.is_live())
    }

    /// What the agent knows better than the executor.
    fn complete(&self, now: Time, key: &ExecutorKey, status: &mut TaskStatus) {
        status.source = Some(Source::Executor);
        status.agent_id = self.id().cloned();
        status.executor_id = Some(key.executor.clone());
        status.timestamp.get_or_insert(now);
        let Some(executor) = self.executors.get(key) else {
            return;
        };
        let own = self.status_of_executor(executor);
        let theirs = &mut status.passengers.container_status;
        match theirs {
            None => *theirs = Some(own),
            Some(theirs) => {
                theirs.container_id = own.container_id;
                theirs.executor_pid = own.executor_pid;
                if theirs.network_infos.is_empty() {
                    theirs.network_infos = own.network_infos;
                }
            }
        }
    }
}

pub(super) fn shutdown_event() -> Event {
    Event {
        r#type: Some(event::Type::Shutdown.into()),
        ..Event::default()
    }
}

fn acknowledged_event(task: &TaskId, uuid: StatusUuid) -> Event {
    Event {
        r#type: Some(event::Type::Acknowledged.into()),
        acknowledged: Some(event::Acknowledged {
            task_id: task.into(),
            uuid: uuid.to_vec(),
        }),
        ..Event::default()
    }
}
