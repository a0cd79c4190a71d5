//! Executors of an earlier agent: those that run are waited for, as long as they may take to
//! subscribe again (Mesos: AGT-04, AGT-07).

use std::collections::BTreeMap;

use tepui_model::{ContainerId, Reason, Time};

use super::super::Agent;
use crate::{Effect, Effects, ExecutorKey, Exit, FoundContainer, Phase, TaskKey, timers::Timer};

impl Agent {
    /// Brings executors and containers together.
    pub(in crate::agent) fn place_executors(
        &mut self,
        now: Time,
        found: &mut BTreeMap<ContainerId, FoundContainer>,
        rebooted: bool,
        fx: &mut Effects,
    ) {
        let keys: Vec<ExecutorKey> = self.executors.keys().cloned().collect();
        for key in keys {
            let Some(executor) = self.executors.get_mut(&key) else {
                continue;
            };
            executor.rebooted = rebooted;
            let container = executor.container.clone();
            let untouched = executor.phase == Phase::Launching && !rebooted;
            self.executor_containers
                .insert(container.clone(), key.clone());
            let found = found.remove(&container);
            let (there, pid) = (found.is_some(), found.as_ref().and_then(|it| it.pid));
            let joined = found.map(|it| (it.networks, it.net_class));
            (executor.networks, executor.net_class) = joined.unwrap_or_default();
            match pid {
                Some(pid) => self.await_again(now, &key, pid, fx),
                // Its end is about to be told.
                None if there => {}
                None if untouched => self.start_again(now, &key, fx),
                None => self.executor_ended(now, &key, &Exit::unknown(), None, fx),
            }
        }
    }

    /// Goes on with one task of an executor. What its executor goes on with is told by that.
    pub(in crate::agent) fn resume_in_executor(
        &mut self,
        now: Time,
        key: &TaskKey,
        executor: &ExecutorKey,
        fx: &mut Effects,
    ) {
        let task = &self.tasks[key];
        if !task.is_live() && task.updates.is_empty() {
            self.finish(key, fx);
        } else if task.is_live() && !self.executors.contains_key(executor) {
            let outcome = self.lost(key);
            self.ended(now, key, outcome, fx);
        }
    }

    fn await_again(&mut self, now: Time, key: &ExecutorKey, pid: u32, fx: &mut Effects) {
        let Some(executor) = self.executors.get_mut(key) else {
            return;
        };
        executor.phase = Phase::Running;
        executor.pid = Some(pid);
        let limit = match executor.subscribed {
            true => self.config.executor_reregistration_timeout,
            false => self.config.executor_registration_timeout,
        };
        match executor.ending {
            Some(ending) if ending.deadline > now => {
                let timer = Timer::Executor(key.clone());
                self.timers.set(timer, ending.deadline);
            }
            Some(_) => self.kill_executor(now, key.clone(), fx),
            None if executor.is_pod() => {}
            None => self
                .timers
                .set(Timer::Registration(key.clone()), now + limit),
        }
        self.checkpoint_executor(key, fx);
    }

    /// A container that was asked for never came to be.
    fn start_again(&mut self, now: Time, key: &ExecutorKey, fx: &mut Effects) {
        let executor = &self.executors[key];
        let (info, container) = (executor.info.clone(), executor.container.clone());
        let failed = |why: String| Some((Reason::ContainerLaunchFailed, why));
        if executor.ending.is_some() {
            let why = failed("The agent was restarted before the executor was".to_owned());
            return self.executor_ended(now, key, &Exit::unknown(), why, fx);
        }
        let total = self.held_by(key);
        let first = self.tasks_of(key).into_iter().next();
        let role = first.and_then(|task| self.tasks[&task].info.allocation_role.clone());
        let role = role.map(|role| role.to_string());
        match self.plan_executor(key, &info, (&container, &total, role)) {
            Ok(plan) => fx.push(Effect::Launch(Box::new(plan))),
            Err(error) => {
                let why = failed(error.to_string());
                self.executor_ended(now, key, &Exit::unknown(), why, fx);
            }
        }
    }
}
