//! The node as a state machine.

mod checks;
mod drain;
mod executors;
mod guests;
mod images;
mod kill;
mod launch;
mod link;
mod operations;
mod pods;
mod preempt;
mod recovery;
#[cfg(test)]
pub(crate) mod tests;
mod updates;

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use tepui_model::{AgentId, ContainerId, FrameworkId, FrameworkInfo, Resources, TaskId, Time};

use crate::{
    Change, Config, ContainerName, Effect, Effects, Event, ExecutorKey, LinkId, OperationUuid,
    TaskKey, VolumePlace,
    executor::Executor,
    figures::Counts,
    guest::Guest,
    history::History,
    names::Names,
    operation::Operation,
    record::{self, Identity},
    task::Task,
    timers::{Timer, Timers},
};

pub(crate) use checks::is_well;
pub use executors::UnknownExecutor;
pub use guests::{ALONE, StillRunning};
pub use recovery::RecoveryError;

/// The node as a state machine: events and the time in, effects out.
#[derive(Debug)]
pub struct Agent {
    pub(crate) config: Config,
    pub(crate) identity: Option<Identity>,
    standing: Standing,
    /// An operator drains the agent, and tasks are left.
    draining: bool,
    link: Link,
    pub(crate) frameworks: BTreeMap<FrameworkId, Framework>,
    pub(crate) tasks: BTreeMap<TaskKey, Task>,
    /// The containers of live tasks that have their own.
    pub(crate) containers: BTreeMap<ContainerId, TaskKey>,
    /// The tasks that are known of each executor.
    pub(crate) members: BTreeMap<ExecutorKey, BTreeSet<TaskId>>,
    /// Those that have a container.
    pub(crate) executors: BTreeMap<ExecutorKey, Executor>,
    pub(crate) executor_containers: BTreeMap<ContainerId, ExecutorKey>,
    /// The containers that calls have launched, and the live ones by what the machine calls them.
    pub(crate) guests: BTreeMap<ContainerName, Guest>,
    pub(crate) guest_containers: BTreeMap<ContainerId, ContainerName>,
    /// Containers that belong to no task, and are being killed.
    pub(crate) orphans: BTreeSet<ContainerId>,
    /// What the agent has, with everything that was done to it.
    resources: Resources,
    /// The operations of which the end is not acknowledged.
    pub(crate) operations: BTreeMap<OperationUuid, Operation>,
    /// The data of volumes that is being removed, by the names of the removals.
    removals: BTreeMap<String, VolumePlace>,
    pub(crate) images: images::Images,
    pub(crate) timers: Timers,
    names: Names,
    pub(crate) history: History,
    pub(crate) counts: Counts,
}

/// Whether the agent means to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It does.
    Serving,
    /// The master disowned its id: it ends its tasks, then registers anew.
    Forgetting,
    /// The master wants it no more: it ends its tasks, then its program ends.
    Dismissed,
    /// The operator takes it out: it ends its tasks, then unregisters.
    Leaving,
    /// It has left.
    Left,
}

/// The stream to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    /// It is open; the master has not taken the agent in.
    Open(LinkId),
    /// The master has.
    Registered(LinkId, core::time::Duration),
}

/// A framework that has tasks or executors here.
#[derive(Debug)]
pub(crate) struct Framework {
    pub(crate) info: FrameworkInfo,
    /// The master said that it is gone.
    pub(crate) terminating: bool,
    /// How many tasks it has here.
    pub(crate) tasks: usize,
    /// How many executors.
    pub(crate) executors: usize,
}

impl Framework {
    /// One that has nothing here yet.
    pub(crate) const fn new(info: FrameworkInfo) -> Self {
        Self {
            info,
            terminating: false,
            tasks: 0,
            executors: 0,
        }
    }

    /// Whether nothing here keeps it.
    pub(crate) const fn is_idle(&self) -> bool {
        self.tasks == 0 && self.executors == 0
    }
}

impl Agent {
    /// Takes an event in, and leaves what is to be done about it. Fires the timers that are due.
    pub fn apply(&mut self, now: Time, event: Event, fx: &mut Effects) {
        if self.standing == Standing::Left {
            return;
        }
        match event {
            Event::LinkUp { link } => self.link_up(now, link, fx),
            Event::LinkDown { link } => self.link_down(link),
            Event::Master { link, command } => self.master(now, link, command, fx),
            Event::Container { container, event } => {
                let is_over = event.is_end();
                self.container_event(now, container.clone(), event, fx);
                if is_over {
                    self.end_guests_in(now, &container, fx);
                }
            }
            Event::Executor { key, call } => self.executor_call(now, &key, call, fx),
            Event::ExecutorGone { stream } => self.executor_gone(now, stream),
            Event::Probed {
                container,
                check,
                number,
                finding,
            } => self.probed(now, &container, (check, number), &finding, fx),
            Event::VolumeRemoved { removal } => self.volume_removed(&removal, fx),
            Event::Images { names } => self.images_changed(names, fx),
            Event::Leave => self.leave(now, fx),
            Event::Wake => {}
        }
        while let Some(timer) = self.timers.pop(now) {
            self.due(now, timer, fx);
        }
        self.settle(now, fx);
    }

    /// When to send [`Event::Wake`] at the latest.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.timers.next()
    }

    /// The agent's id, once a master gave it one.
    #[must_use]
    pub fn id(&self) -> Option<&AgentId> {
        self.identity.as_ref().map(|identity| &identity.id)
    }

    /// Whether a master has taken the agent in on the present link.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        matches!(self.link, Link::Registered(..))
    }

    fn due(&mut self, now: Time, timer: Timer, fx: &mut Effects) {
        match timer {
            Timer::Silence => self.silent_master(fx),
            Timer::Leave => self.leave_at_last(now, fx),
            Timer::Retry(key) => self.send_first(now, &key, fx),
            Timer::Kill(key) => self.kill_now(now, key, fx),
            Timer::Check(key, index) => self.check_due(key, index, fx),
            Timer::Guest(name) => drop(self.kill_guest(now, &name, fx)),
            Timer::Orphan(container) => self.kill_orphan(now, container, fx),
            Timer::Registration(key) => self.registration_over(now, &key, fx),
            Timer::Executor(key) => self.kill_executor(now, key, fx),
            Timer::Completion(key) => self.completion_time_over(now, &key, fx),
            Timer::Operation(uuid) => self.tell_operation(now, uuid, fx),
        }
    }

    /// Notes a framework, or what is new about it.
    fn adopt_framework(&mut self, id: &FrameworkId, info: FrameworkInfo, fx: &mut Effects) {
        let framework = match self.frameworks.get_mut(id) {
            Some(framework) if framework.info.wire == info.wire => return,
            Some(framework) => {
                framework.info = info;
                framework
            }
            None => {
                let framework = Framework::new(info);
                self.frameworks.entry(id.clone()).or_insert(framework)
            }
        };
        let change = record::put_framework(id, &framework.info, framework.terminating);
        fx.push(Effect::Persist(change));
    }

    /// Notes a task, which counts for its framework.
    fn insert(&mut self, key: &TaskKey, task: Task, fx: &mut Effects) {
        fx.push(Effect::Persist(record::put_task(key, &task)));
        if let Some(framework) = self.frameworks.get_mut(&key.framework) {
            framework.tasks += 1;
        }
        if let (Some(container), true) = (&task.container, task.is_live()) {
            self.containers.insert(container.clone(), key.clone());
        }
        self.add_task(key.clone(), task);
    }

    /// Notes a task where it is looked for.
    fn add_task(&mut self, key: TaskKey, task: Task) {
        if let Some(executor) = &task.executor {
            let executor = ExecutorKey::of(&key, executor);
            let members = self.members.entry(executor).or_default();
            members.insert(key.task.clone());
        }
        self.tasks.insert(key, task);
    }

    /// Forgets a task.
    fn drop_task(&mut self, key: &TaskKey) -> Option<Task> {
        let task = self.tasks.remove(key)?;
        if let Some(executor) = &task.executor
            && let Entry::Occupied(mut members) = self.members.entry(ExecutorKey::of(key, executor))
        {
            members.get_mut().remove(&key.task);
            if members.get().is_empty() {
                members.remove();
            }
        }
        Some(task)
    }

    /// Writes down how far a task has come.
    fn checkpoint(&self, key: &TaskKey, fx: &mut Effects) {
        fx.push(Effect::Persist(self.progress(key)));
    }

    fn progress(&self, key: &TaskKey) -> Change {
        record::put_progress(key, &self.tasks[key])
    }
}
