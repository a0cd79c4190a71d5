//! The link to the master: registering, being refused, being told, leaving.

use core::time::Duration;

use tepui_model::{AgentId, Time};

use super::{Agent, Link, Standing};
use crate::{
    AgentReport, Change, Effect, Effects, EndCause, ExecutorKey, KnownExecutor, KnownOperation,
    KnownTask, LinkId, MasterCommand, Note, OperationUuid, Registration, TaskKey,
    executor::Executor, limits, operation::Operation, record::Identity, task::KillCause,
    timers::Timer,
};

impl Agent {
    pub(super) fn link_up(&mut self, now: Time, link: LinkId, fx: &mut Effects) {
        self.drop_link();
        self.link = Link::Open(link);
        self.introduce(now, fx);
    }

    pub(super) fn link_down(&mut self, link: LinkId) {
        if self.link_id() == Some(link) {
            self.drop_link();
        }
    }

    /// Carries out what the master says on the present link; anything on another one is stale.
    pub(super) fn master(
        &mut self,
        now: Time,
        link: LinkId,
        command: MasterCommand,
        fx: &mut Effects,
    ) {
        if self.link_id() != Some(link) {
            return;
        }
        if let Link::Registered(_, silence) = self.link {
            self.timers.set(Timer::Silence, now + silence);
        }
        self.obey(now, link, command, fx);
    }

    fn obey(&mut self, now: Time, link: LinkId, command: MasterCommand, fx: &mut Effects) {
        match command {
            MasterCommand::Registered {
                agent_id,
                silence_limit,
            } => {
                self.registered(now, link, agent_id, silence_limit, fx);
            }
            MasterCommand::Refused {
                message,
                forget_identity,
                shut_down,
            } => {
                self.refused(link, message, fx);
                if shut_down {
                    self.dismiss(now, fx);
                } else if forget_identity && self.standing == Standing::Serving {
                    self.forget(now, fx);
                }
            }
            MasterCommand::Ping => {
                let report = AgentReport::Pong;
                fx.push(Effect::Send { link, report });
            }
            MasterCommand::RunTask {
                framework,
                task,
                launch_executor,
            } => self.run_task(now, *framework, *task, launch_executor, fx),
            MasterCommand::RunGroup {
                framework,
                tasks,
                launch_executor,
            } => self.run_group(now, *framework, tasks, launch_executor, fx),
            MasterCommand::ExecutorMessage { executor, data } => {
                self.pass_on(&executor, data, fx);
            }
            MasterCommand::KillTask {
                framework_id,
                task_id,
                grace,
                preempted: None,
            } => {
                let key = TaskKey::new(&framework_id, &task_id);
                self.kill(now, &key, KillCause::Asked, grace, fx);
            }
            MasterCommand::KillTask {
                framework_id,
                task_id,
                grace,
                preempted: Some(why),
            } => self.preempt(now, &TaskKey::new(&framework_id, &task_id), why, grace, fx),
            MasterCommand::Acknowledge {
                framework_id,
                task_id,
                uuid,
            } => {
                self.acknowledge(now, &TaskKey::new(&framework_id, &task_id), uuid, fx);
            }
            MasterCommand::ApplyOperation {
                framework_id,
                uuid,
                operation,
            } => self.apply_operation(now, framework_id, uuid, *operation, fx),
            MasterCommand::AcknowledgeOperation { uuid, status_uuid } => {
                self.acknowledge_operation(uuid, status_uuid, fx);
            }
            ending => self.obey_ending(now, ending, fx),
        }
    }

    /// What ends more than one task.
    fn obey_ending(&mut self, now: Time, command: MasterCommand, fx: &mut Effects) {
        match command {
            MasterCommand::ShutdownFramework { framework_id } => {
                self.shutdown_framework(now, &framework_id, fx);
            }
            MasterCommand::ShutdownExecutor { executor } => {
                self.shut_down(now, &executor, EndCause::Asked, fx);
            }
            MasterCommand::Drain {
                max_grace_period,
                mark_gone,
            } => self.drain(now, max_grace_period, mark_gone, fx),
            // Told apart by the caller.
            _ => {}
        }
    }

    /// For [`Agent::check`]: whether no stream is open.
    pub(crate) const fn link_down_now(&self) -> bool {
        matches!(self.link, Link::Down)
    }

    /// The stream to a master that is open.
    #[must_use]
    pub const fn link_id(&self) -> Option<LinkId> {
        match self.link {
            Link::Down => None,
            Link::Open(link) | Link::Registered(link, _) => Some(link),
        }
    }

    /// The link, if updates may be sent on it.
    pub(super) const fn registered_link(&self) -> Option<LinkId> {
        match self.link {
            Link::Registered(link, _) => Some(link),
            _ => None,
        }
    }

    /// What was sent may never have arrived: every task's first update is due again.
    fn drop_link(&mut self) {
        self.link = Link::Down;
        self.timers.cancel(&Timer::Silence);
        self.recall_operations();
        for (key, task) in &mut self.tasks {
            if task.updates.in_flight() {
                task.updates.recall();
                self.timers.cancel(&Timer::Retry(key.clone()));
            }
        }
    }

    fn disconnect(&mut self, link: LinkId, reason: String, fx: &mut Effects) {
        self.drop_link();
        fx.push(Effect::Disconnect { link, reason });
    }

    /// Says who this is, unless it is about to become somebody else.
    fn introduce(&mut self, now: Time, fx: &mut Effects) {
        let Link::Open(link) = self.link else { return };
        if matches!(self.standing, Standing::Forgetting | Standing::Dismissed) {
            return;
        }
        self.timers
            .set(Timer::Silence, now + limits::REGISTRATION_TIMEOUT);
        let report = AgentReport::Register(Box::new(self.registration()));
        self.images.told = self.images.present.clone();
        fx.push(Effect::Send { link, report });
    }

    fn registration(&self) -> Registration {
        let info = self.config.info.clone();
        let info = info.with_resources(self.resources.clone());
        let info = match self.id() {
            Some(id) => info.with_id(id.clone()),
            None => info,
        };
        let known = |(key, task): (&TaskKey, &crate::task::Task)| KnownTask {
            framework_id: key.framework.clone(),
            task: task.info.clone(),
            latest: task.latest.clone(),
        };
        Registration {
            info,
            version: self.config.version.clone(),
            tasks: self.tasks.iter().map(known).collect(),
            frameworks: self
                .frameworks
                .values()
                .map(|known| known.info.clone())
                .collect(),
            operations: self.operations.iter().map(known_operation).collect(),
            executors: self.executors.iter().map(known_executor).collect(),
            images: self.images.present.clone(),
        }
    }

    fn registered(
        &mut self,
        now: Time,
        link: LinkId,
        id: AgentId,
        silence: Duration,
        fx: &mut Effects,
    ) {
        match &self.identity {
            Some(identity) if identity.id != id => {
                let reason = format!("the master took this agent, {}, for {id}", identity.id);
                return self.disconnect(link, reason, fx);
            }
            Some(_) => {}
            None => {
                let boot_id = self.config.boot_id.clone();
                let identity = Identity {
                    id: id.clone(),
                    boot_id,
                    forgetting: false,
                    info: Some(self.config.info.clone()),
                };
                fx.push(Effect::Persist(identity.put()));
                self.identity = Some(identity);
            }
        }
        self.link = Link::Registered(link, silence);
        self.timers.set(Timer::Silence, now + silence);
        fx.note(Note::Registered(id));
        let waiting: Vec<TaskKey> = self
            .tasks
            .iter()
            .filter(|(_, task)| !task.updates.is_empty() && !task.updates.in_flight())
            .map(|(key, _)| key.clone())
            .collect();
        for key in waiting {
            self.send_first(now, &key, fx);
        }
        self.tell_operations(now, fx);
        // They may have changed since it introduced itself.
        self.tell_images(fx);
    }

    fn refused(&mut self, link: LinkId, message: String, fx: &mut Effects) {
        fx.note(Note::Refused(message.clone()));
        self.disconnect(link, message, fx);
    }

    /// As [`Agent::forget`], and the program ends with the last task.
    fn dismiss(&mut self, now: Time, fx: &mut Effects) {
        if matches!(self.standing, Standing::Serving | Standing::Forgetting) {
            self.forget(now, fx);
            self.standing = Standing::Dismissed;
            self.kill_guests(now, fx);
        }
    }

    /// Begins to end every task without a word, for the id under which they run is void.
    pub(super) fn forget(&mut self, now: Time, fx: &mut Effects) {
        let Some(identity) = &mut self.identity else {
            return;
        };
        self.standing = Standing::Forgetting;
        identity.forgetting = true;
        fx.push(Effect::Persist(identity.put()));
        self.forget_operations(None, fx);
        for key in self.keys() {
            self.silence(now, &key, fx);
        }
        self.shut_down_all(now, None, fx);
    }

    /// The master was silent for too long.
    pub(super) fn silent_master(&mut self, fx: &mut Effects) {
        if let Some(link) = self.link_id() {
            self.disconnect(
                link,
                "the master has not been heard for too long".to_owned(),
                fx,
            );
        }
    }

    /// Begins to leave the cluster for good.
    pub(super) fn leave(&mut self, now: Time, fx: &mut Effects) {
        if self.standing == Standing::Leaving {
            return;
        }
        self.standing = Standing::Leaving;
        self.timers.set(Timer::Leave, now + limits::LEAVE_TIMEOUT);
        for key in self.keys() {
            self.kill(now, &key, KillCause::Shutdown, None, fx);
        }
        self.shut_down_all(now, None, fx);
        self.kill_guests(now, fx);
    }

    /// Time is up for an agent that leaves: what still runs is killed, what is unheard stays so.
    pub(super) fn leave_at_last(&mut self, now: Time, fx: &mut Effects) {
        if self.has_no_containers() {
            return self.left(fx);
        }
        self.timers.set(Timer::Leave, now + limits::KILL_AGAIN);
        for key in self.executors.keys().cloned().collect::<Vec<_>>() {
            self.kill_executor(now, key, fx);
        }
        self.kill_guests(now, fx);
        for key in self.keys() {
            self.kill(now, &key, KillCause::Shutdown, Some(Duration::ZERO), fx);
        }
    }

    fn left(&mut self, fx: &mut Effects) {
        if let Some(link) = self.registered_link() {
            fx.push(Effect::Send {
                link,
                report: AgentReport::Unregister,
            });
        }
        for key in self.keys() {
            self.finish(&key, fx);
        }
        // Whoever waits for their ends hears from the master that the agent is gone.
        self.forget_operations(None, fx);
        self.drop_link();
        self.identity = None;
        self.timers.cancel(&Timer::Leave);
        // Who dies right after it left must not come back with the id that the master gave up.
        fx.push(Effect::Persist(Change {
            urgent: true,
            ..Identity::delete()
        }));
        fx.push(Effect::Left);
        self.standing = Standing::Left;
    }

    /// Goes on with what waited for the last task to end.
    pub(super) fn settle(&mut self, now: Time, fx: &mut Effects) {
        self.draining &= !self.tasks.is_empty();
        let idle = self.tasks.is_empty() && self.executors.is_empty();
        let alone = self.guest_containers.is_empty();
        match self.standing {
            Standing::Forgetting if idle => {
                self.identity = None;
                fx.push(Effect::Persist(Identity::delete()));
                self.standing = Standing::Serving;
                self.introduce(now, fx);
            }
            Standing::Leaving | Standing::Dismissed if idle && alone => self.left(fx),
            Standing::Leaving if self.has_no_containers() => {
                self.timers
                    .bring_forward(Timer::Leave, now + limits::LAST_WORDS);
            }
            _ => {}
        }
    }

    fn has_no_containers(&self) -> bool {
        self.containers.is_empty() && self.executors.is_empty() && self.guest_containers.is_empty()
    }

    pub(super) const fn is_serving(&self) -> bool {
        matches!(self.standing, Standing::Serving)
    }

    pub(super) fn keys(&self) -> Vec<TaskKey> {
        self.tasks.keys().cloned().collect()
    }
}

fn known_executor((key, executor): (&ExecutorKey, &Executor)) -> KnownExecutor {
    KnownExecutor {
        framework_id: key.framework.clone(),
        info: executor.info.clone(),
    }
}

fn known_operation((uuid, operation): (&OperationUuid, &Operation)) -> KnownOperation {
    KnownOperation {
        framework_id: operation.framework.clone(),
        uuid: *uuid,
        operation: operation.info.clone(),
        latest: operation.status.clone(),
    }
}
