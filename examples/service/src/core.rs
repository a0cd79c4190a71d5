//! The service framework as a state machine: apps, their instances, and what to do about both.
//!
//! Everything that happens is one method with the time at which it happened; what is to be done is
//! added to the [`Effects`]. There is no clock, no file and no socket in here.

mod app;
mod effects;
mod instance;
mod pace;
mod placement;
mod recovery;
mod statuses;

use std::collections::{BTreeMap, BTreeSet};

use tepui_sdk::model::{FrameworkId, TaskId, Time};

pub use self::recovery::Corrupt;
use self::{
    app::Deployed,
    instance::{Life, task_id},
};
pub(crate) use self::{
    effects::{Change, Effect, Effects},
    recovery::Records,
};
use crate::{
    api, limits,
    spec::{App, AppName},
};

/// Why a request is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no app {0:?}")]
    NoSuchApp(String),
    #[error("app {0:?} is named twice")]
    Twice(String),
    #[error(
        "there are {} apps already, and no more are possible",
        limits::MAX_APPS
    )]
    TooManyApps,
    #[error(
        "{replicas} replicas are more than {} of one app",
        limits::MAX_REPLICAS
    )]
    TooManyReplicas { replicas: u32 },
}

/// What is due at some time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The pause of an app ends.
    Pace(AppName),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Core {
    apps: BTreeMap<AppName, Deployed>,
    framework_id: Option<FrameworkId>,
    next_instance: u64,
    timers: BTreeSet<(Time, Timer)>,
    /// What the master was last told; `None` before it was told anything.
    wants_offers: Option<bool>,
}

impl Core {
    /// The framework's id, once the master has given it one.
    pub(crate) fn framework_id(&self) -> Option<&FrameworkId> {
        self.framework_id.as_ref()
    }

    /// When [`wake`](Self::wake) has something to do.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// Every task that may be alive.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = (TaskId, &instance::Instance)> {
        self.apps.iter().flat_map(|(name, deployed)| {
            let known =
                |(number, instance): (&u64, _)| task_id(name, *number).map(|task| (task, instance));
            deployed.instances.iter().filter_map(known)
        })
    }

    /// The names of all apps, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &AppName> {
        self.apps.keys()
    }

    /// What the API shows of an app.
    pub(crate) fn status(&self, name: &str, now: Time) -> Result<api::AppStatus, Refusal> {
        let (name, deployed) = self.apps.get_key_value(name).ok_or_else(|| unknown(name))?;
        let show = |(number, instance): (&u64, &instance::Instance)| {
            task_id(name, *number).map(|task| instance.to_wire(&task))
        };
        Ok(api::AppStatus {
            app: Some((&deployed.app).into()),
            version: deployed.version,
            running: deployed.running() as u32,
            ready: deployed.ready() as u32,
            up_to_date: deployed.up_to_date() as u32,
            waiting: deployed.waiting(now),
            instances: deployed.instances.iter().filter_map(show).collect(),
        })
    }

    /// The master took the subscription.
    pub(crate) fn subscribed(&mut self, id: FrameworkId, effects: &mut Effects) {
        if self.framework_id.as_ref() != Some(&id) {
            self.framework_id = Some(id);
            effects.push(Effect::Persist(self.identity()));
        }
        self.tell_wish(false, effects);
    }

    /// The master has ended this framework, and with it every instance. The apps stay wanted.
    pub(crate) fn forget_life(&mut self, now: Time, effects: &mut Effects) {
        self.framework_id = None;
        effects.push(Effect::Persist(self.identity()));
        let names: Vec<_> = self.apps.keys().cloned().collect();
        for name in names {
            let Some(deployed) = self.apps.get_mut(&name) else {
                continue;
            };
            for number in std::mem::take(&mut deployed.instances).into_keys() {
                let gone = task_id(&name, number).map(|task| Change::Instance(task, None));
                effects.extend(gone.map(Effect::Persist));
            }
            self.settle(now, &name, effects);
        }
        // The next session has been told nothing yet.
        self.wants_offers = None;
        self.tell_wish(false, effects);
    }

    /// Makes `apps` what is wanted: all of them, or none when one cannot be taken.
    pub(crate) fn deploy(
        &mut self,
        now: Time,
        apps: Vec<App>,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let mut names = BTreeSet::new();
        if let Some(twice) = apps.iter().find(|app| !names.insert(&app.name)) {
            return Err(Refusal::Twice(twice.name.to_string()));
        }
        let new = names
            .iter()
            .filter(|name| !self.apps.contains_key(**name))
            .count();
        if self.apps.len() + new > limits::MAX_APPS {
            return Err(Refusal::TooManyApps);
        }
        for app in apps {
            self.deploy_one(now, app, effects);
        }
        Ok(())
    }

    fn deploy_one(&mut self, now: Time, app: App, effects: &mut Effects) {
        let name = app.name.clone();
        let deployed = self
            .apps
            .entry(name.clone())
            .or_insert_with(|| Deployed::new(app.clone(), 0));
        let only_scaled = App {
            replicas: app.replicas,
            ..deployed.app.clone()
        } == app;
        // The same again, or more or fewer of it, replaces no instance.
        if deployed.version == 0 || deployed.removed || !only_scaled {
            deployed.version += 1;
            deployed.misfit.clear();
        }
        // Whoever deploys wants it tried now, whatever failed before.
        deployed.pace.reset();
        (deployed.app, deployed.removed) = (app, false);
        effects.push(Effect::Persist(Change::App(
            name.clone(),
            Some(deployed.to_store()),
        )));
        self.settle(now, &name, effects);
    }

    /// Wants another number of instances.
    pub(crate) fn scale(
        &mut self,
        now: Time,
        name: &str,
        replicas: u32,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if replicas > limits::MAX_REPLICAS {
            return Err(Refusal::TooManyReplicas { replicas });
        }
        let deployed = self.live(name)?;
        deployed.app.replicas = replicas;
        let (name, stored) = (deployed.app.name.clone(), deployed.to_store());
        effects.push(Effect::Persist(Change::App(name.clone(), Some(stored))));
        self.settle(now, &name, effects);
        Ok(())
    }

    /// Ends all instances; the app is forgotten when the last has ended.
    pub(crate) fn remove(
        &mut self,
        now: Time,
        name: &str,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let deployed = self.live(name)?;
        deployed.removed = true;
        let (name, stored) = (deployed.app.name.clone(), deployed.to_store());
        effects.push(Effect::Persist(Change::App(name.clone(), Some(stored))));
        self.settle(now, &name, effects);
        Ok(())
    }

    /// Time has passed.
    pub(crate) fn wake(&mut self, now: Time, effects: &mut Effects) {
        while let Some((time, timer)) = self.timers.first().cloned()
            && time <= now
        {
            self.timers.pop_first();
            match timer {
                Timer::Pace(name) => self.settle(now, &name, effects),
            }
        }
    }

    /// Kills an instance, and remembers that it is to be.
    fn end(&mut self, name: &AppName, number: u64, effects: &mut Effects) {
        let Some(deployed) = self.apps.get_mut(name) else {
            return;
        };
        let (Some(instance), Some(task)) =
            (deployed.instances.get_mut(&number), task_id(name, number))
        else {
            return;
        };
        (instance.life, instance.health) = (Life::Ending, None);
        let stored = api::StoredInstance {
            app: name.to_string(),
            instance: Some(instance.to_wire(&task)),
        };
        effects.push(Effect::Persist(Change::Instance(
            task.clone(),
            Some(stored),
        )));
        effects.push(Effect::Kill {
            task,
            grace: Some(deployed.app.kill_grace),
        });
    }

    /// Does what the difference between wanted and actual asks for, as far as no offer is needed.
    fn settle(&mut self, now: Time, name: &AppName, effects: &mut Effects) {
        let Some(deployed) = self.apps.get(name) else {
            return;
        };
        let plan = deployed.plan();
        for number in plan.kills {
            self.end(name, number, effects);
        }
        effects.push(Effect::Changed(name.clone()));
        let Some(deployed) = self.apps.get_mut(name) else {
            return;
        };
        if deployed.removed && deployed.instances.is_empty() {
            self.apps.remove(name);
            effects.push(Effect::Persist(Change::App(name.clone(), None)));
            return self.tell_wish(false, effects);
        }
        let until = deployed.pace.until();
        let paused = plan.launches > 0 && now < until;
        let asked = if paused { 0 } else { plan.launches };
        let more = asked > std::mem::replace(&mut deployed.asked, asked);
        if paused {
            self.timers.insert((until, Timer::Pace(name.clone())));
        }
        self.tell_wish(more, effects);
    }

    /// Tells the master whether offers are wanted, when that changed or `more` are wanted.
    fn tell_wish(&mut self, more: bool, effects: &mut Effects) {
        let wants = self.apps.values().any(|deployed| deployed.asked > 0);
        if wants && (more || self.wants_offers != Some(true)) {
            effects.push(Effect::Revive);
        } else if !wants && self.wants_offers != Some(false) {
            effects.push(Effect::Suppress);
        }
        self.wants_offers = Some(wants);
    }

    fn live(&mut self, name: &str) -> Result<&mut Deployed, Refusal> {
        let deployed = self.apps.get_mut(name).filter(|deployed| !deployed.removed);
        deployed.ok_or_else(|| unknown(name))
    }

    fn identity(&self) -> Change {
        Change::Identity(api::StoredIdentity {
            framework_id: self
                .framework_id
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            next_instance: self.next_instance,
        })
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::NoSuchApp(name.to_owned())
}

#[cfg(test)]
mod tests;
