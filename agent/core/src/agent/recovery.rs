//! Making an agent from the records of an earlier one and the containers found on the machine.
//!
//! | record says | container runs | has ended | is not there |
//! |---|---|---|---|
//! | Launching | running from now on | its end is awaited | started now; after a reboot: lost |
//! | Running | watched again | its end is awaited | failed; after a reboot: lost |
//! | Ended | removed | removed | - |
//! | no task | killed, then removed | removed | - |
//!
//! A container is removed only after its task's end is on disk. So one that is not there, of a task
//! that was being launched in this run of the machine, never was.

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{
    AgentId, ContainerId, Conversion, FrameworkId, FrameworkInfo, Reason, Reservation, Resources,
    TaskId, TaskState, Time, resources::ReservationKind,
};
use tepui_proto::v1;

use super::{Agent, Framework, Link, Standing};
use crate::{
    Change, Config, Effect, Effects, Exit, FoundContainer, Kind, Note, Phase, Reconfiguration,
    Recovered, TaskKey,
    figures::Counts,
    history::History,
    names::Names,
    outcome::{self, Outcome},
    record::{self, Damaged, Identity},
    timers::Timers,
    volumes,
};

/// Why no agent can be made from what an earlier one left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// The tasks that run hold more than the agent now has.
    #[error(
        "the tasks on this agent hold {needed}, but it now has only {total}: \
         give it at least that with --resources, or end the tasks first"
    )]
    Shrunk {
        /// What the tasks hold.
        needed: String,
        /// What the agent has.
        total: String,
    },
    /// It is configured otherwise than before, in a way that is not allowed.
    #[error(
        "this agent is not what it was: {difference}. With --reconfiguration-policy={policy} it \
         does not start so: configure it as before, let it have more with 'additive' or be \
         anything with 'any', or end its tasks and remove its work dir"
    )]
    Reconfigured {
        /// What is different.
        difference: String,
        /// What would have been allowed.
        policy: Reconfiguration,
    },
    /// What was reserved or made into volumes is not there any more.
    #[error(
        "on this agent {needed} is reserved or in volumes, but it now has only {total}: \
         give it at least that with --resources, or unreserve and destroy it first"
    )]
    Incompatible {
        /// What is reserved or in volumes.
        needed: String,
        /// What the agent is configured to have.
        total: String,
    },
}

/// What the records say besides what becomes part of the agent at once.
#[derive(Debug, Default)]
struct Read {
    /// The tasks of which the progress is known.
    progressed: BTreeSet<TaskKey>,
    /// What was reserved and made into volumes.
    checkpointed: Resources,
    /// Volumes whose data is being removed, with the names of the removals.
    removals: Vec<(String, v1::Resource)>,
}

/// What is found out about a live task besides its records.
#[derive(Clone, Copy, Debug)]
struct Trace {
    /// Whether its container was found.
    there: bool,
    /// The container's init, if it runs.
    pid: Option<u32>,
    /// Whether its record of progress could be read; if not, the container may have run before.
    progress_known: bool,
    /// Whether the machine was restarted since.
    rebooted: bool,
}

impl Agent {
    /// Makes an agent from what an earlier one left; from nothing, a new one. The effects come
    /// first, before those of any event.
    ///
    /// # Errors
    /// [`RecoveryError::Shrunk`] when the configured resources no longer cover the tasks, and the
    /// others when it is configured otherwise than before.
    pub fn new(
        config: Config,
        recovered: Recovered,
        now: Time,
        fx: &mut Effects,
    ) -> Result<Self, RecoveryError> {
        let mut agent = Self {
            identity: None,
            standing: Standing::Serving,
            draining: false,
            link: Link::Down,
            frameworks: BTreeMap::new(),
            tasks: BTreeMap::new(),
            containers: BTreeMap::new(),
            members: BTreeMap::new(),
            executors: BTreeMap::new(),
            executor_containers: BTreeMap::new(),
            resources: config.info.resources.clone(),
            operations: BTreeMap::new(),
            removals: BTreeMap::new(),
            images: super::images::Images::default(),
            guests: BTreeMap::new(),
            guest_containers: BTreeMap::new(),
            orphans: BTreeSet::new(),
            timers: Timers::default(),
            names: Names::new(config.seed),
            history: History::new(config.completed_tasks),
            counts: Counts::default(),
            config,
        };
        let is_new = recovered.records.is_empty();
        let Read {
            progressed,
            checkpointed,
            removals,
        } = agent.read(recovered.records, fx);
        agent.restore(&checkpointed)?;
        agent.restore_volumes(removals, fx);
        agent.compare()?;
        let rebooted = agent.identify(fx);
        agent.place(now, &progressed, recovered.containers, rebooted, fx);
        agent.cover()?;
        if !is_new {
            fx.note(agent.summary(fx));
        }
        if agent
            .identity
            .as_ref()
            .is_some_and(|identity| identity.forgetting)
        {
            agent.forget(now, fx);
            agent.settle(now, fx);
        }
        Ok(agent)
    }

    /// Reads every record. One that cannot be read is noted and deleted.
    fn read(&mut self, records: Vec<(Kind, String, Vec<u8>)>, fx: &mut Effects) -> Read {
        let mut by_kind: BTreeMap<Kind, Vec<(String, Vec<u8>)>> = BTreeMap::new();
        for (kind, key, bytes) in records {
            by_kind.entry(kind).or_default().push((key, bytes));
        }
        let mut read = Read::default();
        // In the order of the kinds: tasks belong to frameworks, progress belongs to tasks.
        for (kind, records) in by_kind {
            for (key, bytes) in records {
                if let Err(Damaged(message)) = self.read_one(kind, &key, &bytes, &mut read) {
                    fx.push(Effect::Persist(Change::delete(kind, &key)));
                    fx.note(Note::DamagedRecord { kind, key, message });
                }
            }
        }
        read
    }

    fn read_one(
        &mut self,
        kind: Kind,
        key: &str,
        bytes: &[u8],
        read: &mut Read,
    ) -> Result<(), Damaged> {
        match kind {
            Kind::Agent => self.identity = Some(Identity::read(bytes)?),
            Kind::Framework => {
                let (info, terminating) = record::read_framework(bytes)?;
                let id = info
                    .id
                    .clone()
                    .ok_or_else(|| Damaged::new("it has no id"))?;
                let framework = Framework {
                    terminating,
                    ..Framework::new(info)
                };
                self.frameworks.insert(id, framework);
            }
            Kind::Executor => {
                let (key, executor) = record::read_executor(bytes)?;
                self.framework_of(&key.framework).executors += 1;
                self.executors.insert(key, executor);
            }
            Kind::Task => {
                let (task_key, task) = record::read_task(bytes)?;
                self.framework_of(&task_key.framework).tasks += 1;
                self.add_task(task_key, task);
            }
            Kind::Progress => {
                let task_key = task_key(key)?;
                let task = self.tasks.get_mut(&task_key);
                let task = task.ok_or_else(|| Damaged::new("it has no task"))?;
                record::read_progress(bytes, task)?;
                read.progressed.insert(task_key);
            }
            Kind::Resources => read.checkpointed = record::read_resources(bytes)?,
            Kind::Operation => {
                let (uuid, operation) = record::read_operation(bytes)?;
                self.operations.insert(uuid, operation);
            }
            Kind::Removal => {
                let volume = record::read_removal(bytes)?;
                read.removals.push((key.to_owned(), volume));
            }
            Kind::Guest => {
                let (name, guest) = record::read_guest(bytes)?;
                self.guests.insert(name, guest);
            }
        }
        Ok(())
    }

    /// The framework of a task; one whose record is lost is known by its id alone.
    fn framework_of(&mut self, id: &FrameworkId) -> &mut Framework {
        self.frameworks
            .entry(id.clone())
            .or_insert_with(|| Framework::new(nameless(id)))
    }

    /// What was reserved and made into volumes is so again, on what the agent now has.
    fn restore(&mut self, checkpointed: &Resources) -> Result<(), RecoveryError> {
        let is_static = |level: &Reservation| level.kind == ReservationKind::Static;
        let configured = checkpointed.with_traits(|traits| {
            let mut traits = traits.without_volume();
            traits.reservations.retain(is_static);
            traits
        });
        let total = self.resources.to_string();
        let conversion = Conversion {
            consumed: configured,
            converted: checkpointed.clone(),
        };
        self.resources
            .apply(&conversion)
            .map_err(|_| RecoveryError::Incompatible {
                needed: checkpointed.to_string(),
                total,
            })
    }

    /// Data that was being removed goes on to go; folders that were being made are made.
    fn restore_volumes(&mut self, removals: Vec<(String, v1::Resource)>, fx: &mut Effects) {
        for (name, volume) in removals {
            self.remove_volume(name, &volume, fx);
        }
        let places = volumes::places(&self.config.work_dir, &self.resources);
        for place in places.unwrap_or_default() {
            fx.push(Effect::MakeVolume(place));
        }
    }

    /// Whether the resources still cover what the live tasks hold.
    fn cover(&self) -> Result<(), RecoveryError> {
        // An estimate of what is left unused may shrink under the tasks that use it.
        let needed = self.used().filter(|traits| !traits.revocable);
        let total = &self.resources;
        if total.contains(&needed) {
            return Ok(());
        }
        Err(RecoveryError::Shrunk {
            needed: needed.to_string(),
            total: total.to_string(),
        })
    }

    /// Whether it may be configured as it is, after what it was.
    fn compare(&self) -> Result<(), RecoveryError> {
        let policy = self.config.reconfiguration;
        let Some(before) = self.identity.as_ref().and_then(|known| known.info.as_ref()) else {
            return Ok(());
        };
        let checked = policy.check(before, &self.config.info);
        checked.map_err(|difference| RecoveryError::Reconfigured { difference, policy })
    }

    /// Takes up the earlier agent's id, and says whether the machine was restarted since.
    fn identify(&mut self, fx: &mut Effects) -> bool {
        let boot_id = self.config.boot_id.clone();
        let known = self.identity.take();
        let rebooted = known.as_ref().is_some_and(|known| known.boot_id != boot_id);
        // If its record is lost, its tasks know it.
        let of_tasks = || {
            self.tasks
                .values()
                .next()
                .map(|task| task.info.agent_id.clone())
        };
        let forgetting = known.as_ref().is_some_and(|known| known.forgetting);
        let id: Option<AgentId> = known.map(|known| known.id).or_else(of_tasks);
        self.identity = id.map(|id| Identity {
            id,
            boot_id,
            forgetting,
            info: Some(self.config.info.clone()),
        });
        if let Some(identity) = &self.identity {
            fx.push(Effect::Persist(identity.put()));
        }
        rebooted
    }

    /// Brings tasks and containers together.
    fn place(
        &mut self,
        now: Time,
        progressed: &BTreeSet<TaskKey>,
        found: Vec<FoundContainer>,
        rebooted: bool,
        fx: &mut Effects,
    ) {
        let found = found.into_iter();
        let mut found: BTreeMap<ContainerId, FoundContainer> = found
            .map(|container| (container.id.clone(), container))
            .collect();
        self.place_executors(now, &mut found, rebooted, fx);
        for key in self.keys() {
            // What has an executor goes on with that.
            if let Some(executor) = self.executor_of(&key) {
                self.resume_in_executor(now, &key, &executor, fx);
                continue;
            }
            let container = self.tasks[&key].container.clone();
            let trace = container.as_ref().and_then(|id| found.remove(id));
            let (there, pid) = (trace.is_some(), trace.as_ref().and_then(|found| found.pid));
            let joined = trace.map(|found| (found.networks, found.net_class));
            let (networks, net_class) = joined.unwrap_or_default();
            self.joined(&key, networks, net_class);
            let trace = Trace {
                there,
                pid,
                progress_known: progressed.contains(&key),
                rebooted,
            };
            if self.tasks[&key].is_live() {
                self.containers
                    .extend(container.map(|container| (container, key.clone())));
                self.resume(now, &key, trace, fx);
            } else {
                let left = container.filter(|_| trace.there);
                left.into_iter()
                    .for_each(|container| fx.push(Effect::Remove { container }));
                if self.tasks[&key].updates.is_empty() {
                    self.finish(&key, fx);
                }
            }
        }
        self.place_guests(now, &mut found, fx);
        self.adopt_orphans(now, found, fx);
        self.end_idle_pods(now, fx);
        self.drop_idle_frameworks(fx);
    }

    /// Frameworks of which the last task was forgotten, but not yet they.
    fn drop_idle_frameworks(&mut self, fx: &mut Effects) {
        let idle = self
            .frameworks
            .iter()
            .filter(|(_, framework)| framework.is_idle());
        let idle: Vec<FrameworkId> = idle.map(|(id, _)| id.clone()).collect();
        for id in idle {
            self.frameworks.remove(&id);
            fx.push(Effect::Persist(Change::delete(Kind::Framework, &id)));
        }
    }

    /// Goes on with one live task.
    fn resume(&mut self, now: Time, key: &TaskKey, trace: Trace, fx: &mut Effects) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        task.rebooted = trace.rebooted;
        let launching = task.phase == Phase::Launching;
        let untouched = launching && trace.progress_known && !trace.rebooted;
        match (trace.there, trace.pid) {
            (true, Some(pid)) if launching => self.started(now, key, pid, fx),
            (true, Some(pid)) => self.watch_again(now, key, pid, fx),
            (true, None) => {}
            (false, _) if untouched => self.launch_again(now, key, fx),
            (false, _) => {
                let outcome = self.vanished(key);
                self.ended(now, key, outcome, fx);
            }
        }
    }

    /// A container that ran before runs still.
    fn watch_again(&mut self, now: Time, key: &TaskKey, pid: u32, fx: &mut Effects) {
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        task.pid = Some(pid);
        let killed = task.kill.is_some();
        self.await_completion(key);
        if killed {
            self.pursue_kill(now, key, fx);
        } else {
            self.begin_checks(now, key);
        }
    }

    /// A container that was asked for never came to be.
    fn launch_again(&mut self, now: Time, key: &TaskKey, fx: &mut Effects) {
        let task = &self.tasks[key];
        let Some(container) = task.container.clone() else {
            return;
        };
        if self.is_pod_starting(key) {
            // It is launched when what it is inside of is there.
            return;
        }
        if task.kill.is_some() {
            let outcome = outcome::of_launch_failure(task, "the agent was restarted");
            return self.ended(now, key, outcome, fx);
        }
        match self.plan(key, &task.info, &container) {
            Ok(plan) => fx.push(Effect::Launch(Box::new(plan))),
            Err(outcome) => self.ended(now, key, outcome, fx),
        }
    }

    fn vanished(&self, key: &TaskKey) -> Outcome {
        let task = &self.tasks[key];
        if task.rebooted && task.kill.is_none() {
            return self.lost(key);
        }
        outcome::of_exit(task, &Exit::unknown())
    }

    /// The machine was restarted under a task.
    pub(super) fn lost(&self, key: &TaskKey) -> Outcome {
        let (state, reason) = if self.tasks[key].started.is_some() {
            (TaskState::Gone, Reason::ExecutorTerminated)
        } else {
            (TaskState::Dropped, Reason::AgentRestarted)
        };
        Outcome::by_agent(
            self.if_aware(key, state),
            reason,
            "The machine was restarted",
        )
    }

    fn adopt_orphans(
        &mut self,
        now: Time,
        found: BTreeMap<ContainerId, FoundContainer>,
        fx: &mut Effects,
    ) {
        for (container, FoundContainer { pid, .. }) in found {
            fx.note(Note::Orphan(container.clone()));
            if pid.is_some() {
                self.orphans.insert(container.clone());
                self.kill_orphan(now, container, fx);
            } else {
                fx.push(Effect::Remove { container });
            }
        }
    }

    fn summary(&self, fx: &Effects) -> Note {
        let launched = fx
            .iter()
            .filter(|effect| matches!(effect, Effect::Launch(_)))
            .count();
        let running = self
            .tasks
            .values()
            .filter(|task| task.pid.is_some())
            .count();
        Note::Recovered {
            running,
            launched,
            ended: self.tasks.len() - running - launched,
        }
    }
}

/// Reads the key of a task's records: ids have no slash.
fn task_key(key: &str) -> Result<TaskKey, Damaged> {
    let (framework, task) = key
        .split_once('/')
        .ok_or_else(|| Damaged::new("no task's key"))?;
    let framework = FrameworkId::new(framework).map_err(Damaged::new)?;
    Ok(TaskKey {
        framework,
        task: TaskId::new(task).map_err(Damaged::new)?,
    })
}

/// A framework whose record is lost.
fn nameless(id: &FrameworkId) -> FrameworkInfo {
    let wire = v1::FrameworkInfo {
        id: Some(id.into()),
        name: id.to_string(),
        user: "unknown".to_owned(),
        ..v1::FrameworkInfo::default()
    };
    #[expect(
        clippy::expect_used,
        reason = "it has what is required: a user and a valid id"
    )]
    FrameworkInfo::try_from(wire).expect("a valid framework")
}
