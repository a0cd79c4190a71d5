//! The core as its records say it was.

use std::collections::{BTreeMap, BTreeSet};

use tepui_sdk::model::{FrameworkId, TaskId, Time};

use super::{
    Core, Effect, Effects,
    app::Deployed,
    instance::{Instance, parse_task_id},
};
use crate::{api, spec::App};

/// Every record of the store.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) identity: Option<api::StoredIdentity>,
    pub(crate) apps: Vec<api::StoredApp>,
    pub(crate) instances: Vec<api::StoredInstance>,
}

/// A record that this program did not write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record of {what} cannot be used: {problem}")]
pub struct Corrupt {
    what: String,
    problem: String,
}

impl Core {
    /// Takes up where the records end. Which of the instances still run is not in them: the master
    /// is asked.
    pub(crate) fn recover(
        now: Time,
        records: Records,
        effects: &mut Effects,
    ) -> Result<Self, Corrupt> {
        let identity = records.identity.unwrap_or_default();
        let framework_id = match identity.framework_id.as_str() {
            "" => None,
            id => Some(FrameworkId::new(id).map_err(|e| corrupt("the framework", e))?),
        };
        let mut apps = BTreeMap::new();
        for stored in records.apps {
            let wire = stored.app.ok_or_else(|| corrupt("an app", "it is empty"))?;
            let name = wire.name.clone();
            let app = App::try_from(wire).map_err(|e| corrupt(&format!("app {name:?}"), e))?;
            let mut deployed = Deployed::new(app, stored.version);
            deployed.removed = stored.removed;
            apps.insert(deployed.app.name.clone(), deployed);
        }
        let mut core = Self {
            apps,
            framework_id,
            next_instance: identity.next_instance.max(1),
            timers: BTreeSet::new(),
            wants_offers: None,
        };
        for stored in records.instances {
            core.recover_instance(stored)?;
        }
        // What was to be killed may not have heard of it yet.
        let ending = core.tasks().filter(|(_, instance)| !instance.is_alive());
        effects.extend(ending.map(|(task, _)| Effect::Kill { task, grace: None }));
        let names: Vec<_> = core.apps.keys().cloned().collect();
        for name in names {
            core.settle(now, &name, effects);
        }
        core.tell_wish(false, effects);
        Ok(core)
    }

    fn recover_instance(&mut self, stored: api::StoredInstance) -> Result<(), Corrupt> {
        let wire = stored
            .instance
            .ok_or_else(|| corrupt("an instance", "it is empty"))?;
        let what = format!("instance {:?}", wire.task_id);
        let id = TaskId::new(&wire.task_id).map_err(|e| corrupt(&what, e))?;
        let (name, number) =
            parse_task_id(&id).ok_or_else(|| corrupt(&what, "its id is no app and number"))?;
        let deployed = self
            .apps
            .get_mut(name)
            .ok_or_else(|| corrupt(&what, "its app has no record"))?;
        let instance =
            Instance::from_wire(wire).ok_or_else(|| corrupt(&what, "a field is malformed"))?;
        deployed.instances.insert(number, instance);
        self.next_instance = self.next_instance.max(number + 1);
        Ok(())
    }
}

fn corrupt(what: &str, problem: impl ToString) -> Corrupt {
    Corrupt {
        what: what.to_owned(),
        problem: problem.to_string(),
    }
}
