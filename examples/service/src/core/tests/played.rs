//! A core whose world is the test's: time, offers, reports and the disk.

use std::{collections::BTreeMap, time::Duration};

use tepui_sdk::model::{
    AgentId, Attributes, ImageNames, Offer, OfferId, Resources, Role, TaskId, TaskState, TaskStatus,
};

use super::*;
use crate::spec::from_yaml;

/// Three web servers with a health check.
pub(super) const WEB: &str = "{name: web, replicas: 3, command: x, cpus: 0.1, mem: 32, \
    ports: [http], health: {http: {port: http}, interval: 2s, failures: 2}}";

/// Three instances without ports and checks.
pub(super) const PLAIN: &str = "{name: web, replicas: 3, command: x, cpus: 0.1, mem: 32}";

pub(super) struct Play {
    pub(super) core: Core,
    pub(super) now: Time,
    effects: Effects,
    apps: BTreeMap<String, api::StoredApp>,
    instances: BTreeMap<String, api::StoredInstance>,
    identity: Option<api::StoredIdentity>,
    /// The health checks of what was launched.
    checks: Vec<tepui_sdk::v1::HealthCheck>,
}

impl Play {
    /// A subscribed framework that wants this app.
    pub(super) fn with(yaml: &str) -> Self {
        let (now, mut effects) = (Time::from_micros(1_000_000_000_000), Effects::new());
        let mut core = Core::recover(now, Records::default(), &mut effects).unwrap();
        core.subscribed(FrameworkId::new("framework-1").unwrap(), &mut effects);
        let (apps, instances) = (BTreeMap::new(), BTreeMap::new());
        let mut play = Self {
            core,
            now,
            effects,
            apps,
            instances,
            identity: None,
            checks: Vec::new(),
        };
        play.said();
        play.deploy(yaml);
        play
    }

    /// The same, with all its instances running on two agents.
    pub(super) fn running(yaml: &str) -> Self {
        let mut play = Self::with(yaml);
        let resources = "cpus:4;mem:999;ports:[1-9]";
        play.offer(&[("one", resources), ("two", resources)]);
        let tasks: Vec<_> = play
            .core
            .tasks()
            .map(|(task, _)| task.to_string())
            .collect();
        for task in tasks {
            play.report(&task, TaskState::Running, "");
        }
        play.said();
        play
    }

    pub(super) fn deploy(&mut self, yaml: &str) {
        let apps = from_yaml(yaml).unwrap();
        self.act(|core, now, effects| core.deploy(now, apps, effects).unwrap());
    }

    pub(super) fn act(&mut self, deed: impl FnOnce(&mut Core, Time, &mut Effects)) {
        deed(&mut self.core, self.now, &mut self.effects);
    }

    pub(super) fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.act(|core, now, effects| core.wake(now, effects));
    }

    /// Offers of agents, each of which has an image that is called after it.
    pub(super) fn offer(&mut self, agents: &[(&str, &str)]) {
        let offer = |(agent, resources): &(&str, &str)| Offer {
            id: OfferId::new(agent).unwrap(),
            framework_id: FrameworkId::new("framework-1").unwrap(),
            agent_id: AgentId::new(agent).unwrap(),
            hostname: (*agent).to_owned(),
            port: 5051,
            role: Role::default(),
            resources: Resources::parse(resources, &Role::default()).unwrap(),
            attributes: Attributes::default(),
            executor_ids: Vec::new(),
            domain: None,
            unavailability: None,
            images: ImageNames::new([format!("of-{agent}:1")]),
        };
        let offers = agents.iter().map(offer).collect();
        self.act(|core, now, effects| core.offered(now, offers, effects));
    }

    pub(super) fn report(&mut self, task: &str, state: TaskState, message: &str) {
        let mut status = TaskStatus::new(TaskId::new(task).unwrap(), state);
        status.message = (!message.is_empty()).then(|| message.to_owned());
        self.act(|core, now, effects| core.reported(now, &status, effects));
    }

    /// Its agent says whether an instance that runs is well.
    pub(super) fn healthy(&mut self, task: &str, healthy: bool) {
        let mut status = TaskStatus::new(TaskId::new(task).unwrap(), TaskState::Running);
        status.healthy = Some(healthy);
        self.act(|core, now, effects| core.reported(now, &status, effects));
    }

    /// The checks of what was launched so far.
    pub(super) fn health_checks(&mut self) -> Vec<tepui_sdk::v1::HealthCheck> {
        self.said();
        std::mem::take(&mut self.checks)
    }

    /// Its agent has killed an instance that was not well.
    pub(super) fn end_unhealthy(&mut self, task: &str) {
        let mut status = TaskStatus::new(TaskId::new(task).unwrap(), TaskState::Killed);
        status.healthy = Some(false);
        self.act(|core, now, effects| core.reported(now, &status, effects));
    }

    /// The process dies and another begins with what is on the disk.
    pub(super) fn restart(&mut self) {
        self.said();
        let records = Records {
            identity: self.identity.clone(),
            apps: self.apps.values().cloned().collect(),
            instances: self.instances.values().cloned().collect(),
        };
        self.core = Core::recover(self.now, records, &mut self.effects).unwrap();
    }

    pub(super) fn status(&self) -> api::AppStatus {
        self.core.status("web", self.now).unwrap()
    }

    /// What the core asked for since the last time, as texts, and done as far as it is records.
    pub(super) fn said(&mut self) -> Vec<String> {
        let effects = std::mem::take(&mut self.effects);
        effects
            .into_iter()
            .flat_map(|effect| self.tell(effect))
            .collect()
    }

    fn tell(&mut self, effect: Effect) -> Vec<String> {
        match effect {
            Effect::Persist(change) => vec![self.record(change)],
            Effect::Apply(matches) => {
                let tasks = matches.launches.iter().flat_map(|launch| &launch.tasks);
                self.checks
                    .extend(tasks.filter_map(|task| task.health_check.clone()));
                let launch = |launch: &tepui_sdk::Launch| {
                    let ids = launch.tasks.iter().map(|task| task.task_id.value.as_str());
                    let ids: Vec<_> = ids.collect();
                    format!("launch {} on {}", ids.join(" "), launch.offer_id)
                };
                let declines = matches
                    .unused
                    .iter()
                    .map(|offer| format!("decline {offer}"));
                matches
                    .launches
                    .iter()
                    .map(launch)
                    .chain(declines)
                    .collect()
            }
            Effect::Kill { task, .. } => vec![format!("kill {task}")],
            Effect::Revive => vec!["revive".to_owned()],
            Effect::Suppress => vec!["suppress".to_owned()],
            Effect::Changed(_) => Vec::new(),
        }
    }

    fn record(&mut self, change: Change) -> String {
        match change {
            Change::Identity(identity) => {
                let text = format!("identity next {}", identity.next_instance);
                self.identity = Some(identity);
                text
            }
            Change::App(name, Some(app)) => {
                self.apps.insert(name.to_string(), app);
                format!("app {name}")
            }
            Change::App(name, None) => {
                self.apps.remove(name.as_str());
                format!("app {name} gone")
            }
            Change::Instance(task, Some(stored)) => {
                let state = stored.instance.as_ref().unwrap().state();
                self.instances.insert(task.to_string(), stored);
                format!("instance {task} {state:?}")
            }
            Change::Instance(task, None) => {
                self.instances.remove(task.as_str());
                format!("instance {task} gone")
            }
        }
    }
}
