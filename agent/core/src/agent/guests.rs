//! Containers that calls launch, inside of others or alone (Mesos: NST-01, NST-02): started, ended,
//! remembered until they are removed, and found again by the next agent, as Mesos' does it.
//!
//! One that was being launched when the agent died is not launched again: whoever asked for it has
//! lost the answer, and asks again.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::PathBuf,
};

use tepui_model::{ContainerId, TaskId, Time};

use super::Agent;
use crate::{
    Change, ContainerEvent, ContainerName, Effect, Effects, ExecutorKey, Exit, FoundContainer,
    Guest, GuestEnd, GuestOrder, GuestRefusal, Kind, Named, Phase, TaskKey, limits,
    plan::{self, GuestPlace, Shown, Unplannable},
    record,
    timers::Timer,
};

/// Where the sandboxes of guests that stand alone are, in the agent's own folder (Mesos: the
/// folder of standalone containers).
pub const ALONE: &str = "containers";

impl Agent {
    /// Launches a container. It is known from now on, and ends as [`Guest::end`] says: at once if
    /// it cannot be started.
    ///
    /// # Errors
    /// It cannot be launched, now or ever.
    pub fn launch_guest(
        &mut self,
        order: &GuestOrder,
        fx: &mut Effects,
    ) -> Result<(), GuestRefusal> {
        let name = &order.name;
        if self.guests.contains_key(name) || self.named(name).is_some() {
            return Err(GuestRefusal::Exists(name.clone()));
        }
        if self.guests.len() >= limits::MAX_GUESTS && !self.forget_oldest_guest(fx) {
            return Err(GuestRefusal::Full);
        }
        let host = name.parent().map(|parent| self.host(&parent)).transpose()?;
        let container = self.names.container();
        let invalid = |error: Unplannable| GuestRefusal::Invalid(error.to_string());
        let resources = plan::resources_of_guest(order).map_err(invalid)?;
        let place = self.guest_place(name, &container, host.as_ref(), order)?;
        let plan = plan::guest(place, order, &resources).map_err(invalid)?;
        let last = self.guests.values().map(|guest| guest.number).max();
        let guest = Guest {
            container: container.clone(),
            parent: host.as_ref().map(|host| host.container.clone()),
            executor: host.and_then(|host| host.executor),
            user: plan.user.clone(),
            sandbox: plan.sandbox.clone(),
            resources,
            phase: Phase::Launching,
            pid: None,
            networks: Vec::new(),
            end: None,
            killed: false,
            number: last.map_or(0, |last| last + 1),
        };
        fx.push(Effect::Persist(record::put_guest(name, &guest)));
        self.guest_containers.insert(container, name.clone());
        self.guests.insert(name.clone(), guest);
        fx.push(Effect::Launch(Box::new(plan)));
        Ok(())
    }

    /// The container that another is to be inside of, which must run.
    fn host(&self, parent: &ContainerName) -> Result<Named, GuestRefusal> {
        let invalid = |what| GuestRefusal::Invalid(format!("Parent container {parent} {what}"));
        let host = self
            .named(parent)
            .ok_or_else(|| invalid("does not exist"))?;
        match host.runs {
            true => Ok(host),
            false => Err(invalid("is not running")),
        }
    }

    fn guest_place<'a>(
        &self,
        name: &ContainerName,
        container: &'a ContainerId,
        host: Option<&'a Named>,
        order: &GuestOrder,
    ) -> Result<GuestPlace<'a>, GuestRefusal> {
        let own = name.own().unwrap_or(container);
        let user = order
            .command
            .as_ref()
            .and_then(|command| command.user.clone());
        let (sandbox, shown, usual) = match host {
            // Not in the other's own, where its task could put links in the way.
            Some(host) => (
                host.sandbox.with_file_name(container.as_str()),
                Shown::Within {
                    sandbox: host.sandbox.clone(),
                    name: own.clone(),
                },
                host.user.clone(),
            ),
            None => (self.alone(own), Shown::Alone, self.config.user.clone()),
        };
        Ok(GuestPlace {
            container,
            host,
            sandbox,
            shown,
            user: user.unwrap_or(usual),
        })
    }

    fn alone(&self, name: &ContainerId) -> PathBuf {
        self.config.work_dir.join(ALONE).join(name.as_str())
    }

    /// A container by its name: that of a task, of an executor, or one that a call has launched.
    #[must_use]
    pub fn named(&self, name: &ContainerName) -> Option<Named> {
        if let Some(guest) = self.guests.get(name).filter(|guest| guest.is_live()) {
            return Some(Named {
                container: guest.container.clone(),
                sandbox: guest.sandbox.clone(),
                user: guest.user.clone(),
                executor: guest.executor.clone(),
                runs: guest.phase == Phase::Running && !guest.killed,
            });
        }
        let own = name.own()?;
        let sandbox = self.sandbox_of_container(name.ids())?;
        let framework = |key: &TaskKey| self.frameworks.get(&key.framework);
        if let Some(key) = self.executor_containers.get(own) {
            let executor = self.executors.get(key)?;
            let command = executor.info.command.as_ref();
            let as_task = TaskKey::new(&key.framework, &TaskId::from(&key.executor));
            let user = command.and_then(|command| command.user.clone());
            return Some(Named {
                container: own.clone(),
                sandbox,
                user: user.or_else(|| Some(framework(&as_task)?.info.user.clone()))?,
                executor: Some(key.clone()),
                runs: executor.phase == Phase::Running,
            });
        }
        let key = self.containers.get(own)?;
        let task = self.tasks.get(key)?;
        let command = task.info.wire.command.as_ref();
        let user = command.and_then(|command| command.user.clone());
        Some(Named {
            container: own.clone(),
            sandbox,
            user: user.or_else(|| Some(framework(key)?.info.user.clone()))?,
            executor: Some(ExecutorKey::of(key, &self.executor_id_of(key))),
            runs: task.phase == Phase::Running,
        })
    }

    /// A container that a call has launched, until it is removed.
    #[must_use]
    pub fn guest(&self, name: &ContainerName) -> Option<&Guest> {
        self.guests.get(name)
    }

    /// The containers that calls have launched, in the order of their names.
    pub fn guests(&self) -> impl Iterator<Item = (&ContainerName, &Guest)> {
        self.guests.iter()
    }

    /// Kills a container that a call has launched, and again if that ends nothing. False if there
    /// is none that lives.
    pub fn kill_guest(&mut self, now: Time, name: &ContainerName, fx: &mut Effects) -> bool {
        let Some(guest) = self.guests.get_mut(name).filter(|guest| guest.is_live()) else {
            return false;
        };
        let container = guest.container.clone();
        if !guest.killed {
            guest.killed = true;
            fx.push(Effect::Persist(record::put_guest(name, guest)));
        }
        if guest.phase == Phase::Launching {
            // It may be waiting for its image.
            fx.push(Effect::Abandon {
                container: container.clone(),
            });
        }
        fx.push(Effect::Kill { container });
        let again = now + limits::KILL_AGAIN;
        self.timers.set(Timer::Guest(name.clone()), again);
        true
    }

    /// Kills all of them: the agent leaves.
    pub(super) fn kill_guests(&mut self, now: Time, fx: &mut Effects) {
        for name in self.guest_containers.values().cloned().collect::<Vec<_>>() {
            self.kill_guest(now, &name, fx);
        }
    }

    /// Forgets a container that has ended, with those that were inside of it, and gives their
    /// sandboxes, which nobody needs any more.
    ///
    /// # Errors
    /// It has not ended, or another inside of it has not.
    pub fn remove_guest(
        &mut self,
        name: &ContainerName,
        fx: &mut Effects,
    ) -> Result<Vec<PathBuf>, StillRunning> {
        let within = |other: &ContainerName| other.ids().starts_with(name.ids());
        let all = self.guests.iter().filter(|(other, _)| within(other));
        let all: Vec<_> = all
            .map(|(name, guest)| (name.clone(), guest.is_live()))
            .collect();
        if all.iter().any(|(_, is_live)| *is_live) {
            return Err(StillRunning);
        }
        let mut sandboxes = Vec::new();
        for (name, _) in all {
            sandboxes.extend(self.forget_guest(&name, fx));
        }
        Ok(sandboxes)
    }

    fn forget_guest(&mut self, name: &ContainerName, fx: &mut Effects) -> Option<PathBuf> {
        let guest = self.guests.remove(name)?;
        let change = Change::delete(Kind::Guest, &guest.container);
        fx.push(Effect::Persist(change));
        Some(guest.sandbox)
    }

    /// Makes room for another; false if all run. The sandbox stays: nobody said that it may go.
    fn forget_oldest_guest(&mut self, fx: &mut Effects) -> bool {
        let ended = self.guests.iter().filter(|(_, guest)| !guest.is_live());
        let oldest = ended.min_by_key(|(_, guest)| guest.number);
        let oldest = oldest.map(|(name, _)| name.clone());
        oldest.is_some_and(|name| self.forget_guest(&name, fx).is_some())
    }

    /// Something became of one.
    pub(super) fn guest_event(
        &mut self,
        now: Time,
        name: &ContainerName,
        event: ContainerEvent,
        fx: &mut Effects,
    ) {
        let Some(guest) = self.guests.get_mut(name) else {
            return;
        };
        if guest.phase.next(&event).is_none() {
            return;
        }
        match event {
            ContainerEvent::Fetching { .. } => {}
            ContainerEvent::Started { pid, networks, .. } => {
                guest.phase = Phase::Running;
                guest.pid = Some(pid);
                guest.networks = networks;
                fx.push(Effect::Persist(record::put_guest(name, guest)));
                if guest.killed {
                    self.kill_guest(now, name, fx);
                }
            }
            ContainerEvent::LaunchFailed { message } => {
                self.guest_ended(name, GuestEnd::Failed(message), fx);
            }
            ContainerEvent::Exited(exit) => self.guest_ended(name, GuestEnd::Exited(exit), fx),
        }
    }

    fn guest_ended(&mut self, name: &ContainerName, end: GuestEnd, fx: &mut Effects) {
        let Some(guest) = self.guests.get_mut(name) else {
            return;
        };
        guest.phase = Phase::Ended;
        guest.pid = None;
        guest.end = Some(end);
        let container = guest.container.clone();
        fx.push(Effect::Persist(record::put_guest(name, guest)));
        self.guest_containers.remove(&container);
        self.timers.cancel(&Timer::Guest(name.clone()));
        fx.push(Effect::Remove { container });
    }

    /// What is inside of a container ends with it.
    pub(super) fn end_guests_in(&mut self, now: Time, container: &ContainerId, fx: &mut Effects) {
        let inside = |(_, guest): &(&ContainerName, &Guest)| {
            guest.is_live() && !guest.killed && guest.parent.as_ref() == Some(container)
        };
        let inside = self.guests.iter().filter(inside);
        for name in inside.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.kill_guest(now, &name, fx);
        }
    }

    /// Brings what the records say together with what was found on the machine.
    pub(super) fn place_guests(
        &mut self,
        now: Time,
        found: &mut BTreeMap<ContainerId, FoundContainer>,
        fx: &mut Effects,
    ) {
        for name in self.guests.keys().cloned().collect::<Vec<_>>() {
            let Entry::Occupied(mut entry) = self.guests_entry(&name) else {
                continue;
            };
            let guest = entry.get_mut();
            let trace = found.remove(&guest.container);
            let container = guest.container.clone();
            match (guest.is_live(), trace) {
                (true, Some(trace)) => {
                    guest.phase = Phase::Running;
                    guest.pid = trace.pid;
                    guest.networks = trace.networks;
                    self.guest_containers.insert(container, name);
                }
                (true, None) => self.guest_vanished(&name, fx),
                (false, Some(_)) => fx.push(Effect::Remove { container }),
                (false, None) => {}
            }
        }
        self.end_stranded_guests(now, fx);
    }

    fn guests_entry(&mut self, name: &ContainerName) -> Entry<'_, ContainerName, Guest> {
        self.guests.entry(name.clone())
    }

    /// Its container is not there: it was never started, or ended with the machine.
    fn guest_vanished(&mut self, name: &ContainerName, fx: &mut Effects) {
        let Some(guest) = self.guests.get_mut(name) else {
            return;
        };
        let restarted = "The agent was restarted while it was being launched";
        guest.end = Some(match guest.phase {
            Phase::Launching => GuestEnd::Failed(restarted.to_owned()),
            Phase::Running | Phase::Ended => GuestEnd::Exited(Exit::unknown()),
        });
        guest.phase = Phase::Ended;
        fx.push(Effect::Persist(record::put_guest(name, guest)));
    }

    /// Ends those of which the other is gone that they were inside of, and those that an earlier
    /// agent was about to end.
    fn end_stranded_guests(&mut self, now: Time, fx: &mut Effects) {
        let is_there = |container: &ContainerId| {
            self.containers.contains_key(container)
                || self.executor_containers.contains_key(container)
                || self.guest_containers.contains_key(container)
        };
        let live = self.guests.iter().filter(|(_, guest)| guest.is_live());
        let stranded = live.filter(|(_, guest)| {
            guest.killed || guest.parent.as_ref().is_some_and(|it| !is_there(it))
        });
        for name in stranded.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.kill_guest(now, &name, fx);
        }
    }
}

/// A container has not ended yet, or one inside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has not ended: kill it first")]
pub struct StillRunning;
