//! One app: what is wanted, what there is, and the difference.

use std::collections::BTreeMap;

use tepui_sdk::model::Time;

use super::{
    instance::{Instance, Life},
    pace::Pace,
};
use crate::{api, spec::App};

#[derive(Debug)]
pub(crate) struct Deployed {
    pub(crate) app: App,
    /// Counts the deployments of this app.
    pub(crate) version: u64,
    pub(crate) removed: bool,
    /// By their numbers, so that the oldest comes first.
    pub(crate) instances: BTreeMap<u64, Instance>,
    pub(crate) pace: Pace,
    /// How many launches the master was last asked to make offers for.
    pub(crate) asked: usize,
    /// Why the last offers did not do.
    pub(crate) misfit: String,
    /// The last failure of an instance.
    pub(crate) failure: String,
}

/// What to do to come from what there is to what is wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Instances to end.
    pub(crate) kills: Vec<u64>,
    /// How many to launch.
    pub(crate) launches: usize,
}

impl Deployed {
    pub(crate) fn new(app: App, version: u64) -> Self {
        Self {
            app,
            version,
            removed: false,
            instances: BTreeMap::new(),
            pace: Pace::default(),
            asked: 0,
            misfit: String::new(),
            failure: String::new(),
        }
    }

    /// The difference between what is wanted and what there is, regardless of pauses.
    pub(crate) fn plan(&self) -> Plan {
        let mut old: Vec<u64> = Vec::new();
        let mut new: Vec<u64> = Vec::new();
        for (number, instance) in self.instances.iter().filter(|(_, i)| i.is_alive()) {
            if instance.version == self.version {
                new.push(*number)
            } else {
                old.push(*number)
            }
        }
        if self.removed {
            return Plan {
                kills: old.into_iter().chain(new).collect(),
                launches: 0,
            };
        }
        let wanted = self.app.replicas as usize;
        let mut kills = self.surplus(new.clone(), wanted);
        let kept = new.len() - kills.len();
        kills.extend(self.replaced(&old));
        // An instance that ends now still has its resources: its place is not counted as free yet.
        let room = self.ceiling().saturating_sub(kept + old.len());
        Plan {
            kills,
            launches: wanted.saturating_sub(kept).min(room),
        }
    }

    /// Those beyond `wanted`: the least worth first, of equal ones the youngest.
    fn surplus(&self, mut alive: Vec<u64>, wanted: usize) -> Vec<u64> {
        alive.sort_by_key(|number| (self.worth(*number), std::cmp::Reverse(*number)));
        alive.truncate(alive.len().saturating_sub(wanted));
        alive
    }

    /// Instances of earlier versions that are no longer needed to keep the floor of ready ones.
    /// Those whose readiness is not known yet, as after a restart, are kept like ready ones.
    fn replaced(&self, old: &[u64]) -> Vec<u64> {
        let keep = self.floor().saturating_sub(self.up_to_date());
        let mut replaced = old.to_vec();
        replaced.sort_by_key(|number| self.worth(*number));
        replaced.truncate(old.len().saturating_sub(keep));
        replaced
    }

    fn worth(&self, number: u64) -> u8 {
        self.instances.get(&number).map_or(0, Instance::worth)
    }

    /// So many stay ready while a version replaces another.
    fn floor(&self) -> usize {
        let wanted = self.app.replicas as usize;
        let floor =
            (f64::from(self.app.replicas) * self.app.upgrade.minimum_health).ceil() as usize;
        // Without room above there must be some below, or nothing could be replaced.
        if self.app.upgrade.over_capacity > 0.0 {
            floor
        } else {
            floor.min(wanted.saturating_sub(1))
        }
    }

    /// So many may run while a version replaces another.
    fn ceiling(&self) -> usize {
        let wanted = self.app.replicas as usize;
        let over = f64::from(self.app.replicas) * self.app.upgrade.over_capacity;
        let least = usize::from(self.app.upgrade.over_capacity > 0.0);
        wanted + (over.floor() as usize).max(least)
    }

    pub(crate) fn running(&self) -> usize {
        self.instances
            .values()
            .filter(|instance| instance.life == Life::Running)
            .count()
    }

    pub(crate) fn ready(&self) -> usize {
        self.instances
            .values()
            .filter(|instance| instance.is_ready())
            .count()
    }

    /// Ready instances of the newest version.
    pub(crate) fn up_to_date(&self) -> usize {
        let instances = self.instances.values();
        instances
            .filter(|it| it.version == self.version && it.is_ready())
            .count()
    }

    /// Why fewer instances run than are wanted; empty when none is missing.
    pub(crate) fn waiting(&self, now: Time) -> String {
        if self.removed || self.plan().launches == 0 {
            return String::new();
        }
        if now < self.pace.until() {
            let left = self.pace.until() - now;
            return format!(
                "launches again in {:.1} s; {}",
                left.as_secs_f64(),
                self.failure
            );
        }
        if self.misfit.is_empty() {
            "no offer yet".to_owned()
        } else {
            self.misfit.clone()
        }
    }

    pub(crate) fn to_store(&self) -> api::StoredApp {
        api::StoredApp {
            app: Some((&self.app).into()),
            version: self.version,
            removed: self.removed,
        }
    }
}

#[cfg(test)]
mod tests;
