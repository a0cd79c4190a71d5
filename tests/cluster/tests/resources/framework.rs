//! A framework that takes what it is offered and waits for what it is told.

use tepui_cluster_tests::{Cluster, PATIENCE};
use tepui_sdk::{
    Driver, Event, Events, Operations, Options, Profile,
    model::{
        Filters, Offer, OperationId, Resources, Role, TaskState, TaskStatus, Traits, resources,
    },
    v1::{self, framework_info::capability::Type as Capability},
};

/// A framework of one role, and the stream of what it hears.
pub(crate) struct Framework {
    driver: Driver,
    events: Events,
    role: Role,
    /// What was offered and not used.
    offers: Vec<Offer>,
}

impl Framework {
    /// Subscribes; it understands refined reservations, and these besides.
    pub(crate) fn subscribe(cluster: &Cluster, role: &str, capabilities: &[Capability]) -> Self {
        let role = Role::new(role).unwrap();
        let mut profile = Profile::new("resources").role(&role).user("root");
        let more = capabilities
            .iter()
            .map(|kind| v1::framework_info::Capability {
                r#type: Some((*kind).into()),
            });
        profile.wire().capabilities.extend(more);
        let options = Options::new(cluster.master.address(), profile).unwrap();
        let (driver, events) = tepui_sdk::connect(options);
        Self {
            driver,
            events,
            role,
            offers: Vec::new(),
        }
    }

    /// The next thing it hears that is wanted; offers are kept, the rest is passed over.
    async fn hear<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.next()).await;
            let event = event.expect("it hears nothing").unwrap().unwrap();
            match &event {
                Event::Offers(offers) => self.offers.extend(offers.clone()),
                Event::Rescinded(id) => self.offers.retain(|offer| offer.id != *id),
                _ => {}
            }
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    }

    /// An offer with at least that; others are given back at once.
    pub(crate) async fn offer(&mut self, least: &Resources) -> Offer {
        loop {
            let offers = std::mem::take(&mut self.offers);
            for offer in offers {
                if offer.resources.contains(least) {
                    return offer;
                }
                self.driver.decline(vec![offer.id], Filters::NONE).await;
            }
            self.hear(|event| matches!(event, Event::Offers(_)).then_some(()))
                .await;
        }
    }

    /// Uses an offer; what is left of it comes back at once.
    pub(crate) async fn accept(&mut self, offer: Offer, operations: Operations) {
        self.driver
            .accept_operations(vec![offer.id], operations, Filters::NONE)
            .await;
    }

    /// Uses an offer with at least that.
    pub(crate) async fn use_offer(
        &mut self,
        least: &Resources,
        operations: impl FnOnce(&Offer) -> Operations,
    ) {
        let offer = self.offer(least).await;
        let operations = operations(&offer);
        self.accept(offer, operations).await;
    }

    /// Gives every offer back.
    pub(crate) async fn decline(&mut self, offer: Offer) {
        self.driver.decline(vec![offer.id], Filters::NONE).await;
    }

    /// How that many tasks ended, by their ids.
    pub(crate) async fn ends(&mut self, count: usize) -> Vec<TaskStatus> {
        let mut ends: Vec<TaskStatus> = Vec::new();
        while ends.len() < count {
            let end = self.hear(|event| match event {
                Event::Update(status) if status.state.is_terminal() => Some(status.clone()),
                _ => None,
            });
            ends.push(end.await);
        }
        ends.sort_by(|one, other| one.task_id.cmp(&other.task_id));
        ends
    }

    /// Waits for the good end of one task.
    pub(crate) async fn finished(&mut self) {
        let end = self.ends(1).await.remove(0);
        assert_eq!(end.state, TaskState::Finished, "{end:?}");
    }

    /// What became of the named operation.
    pub(crate) async fn operation(&mut self, name: &str) -> (v1::OperationState, String) {
        let id = OperationId::new(name).unwrap();
        self.hear(|event| match event {
            Event::Operation(update) if update.operation_id == id => {
                Some((update.state, update.message.clone().unwrap_or_default()))
            }
            _ => None,
        })
        .await
    }

    /// Those resources, reserved to its role while the agent runs.
    pub(crate) fn reserved(&self, text: &str) -> Resources {
        let reservation = resources::Reservation {
            role: self.role.clone(),
            kind: resources::ReservationKind::Dynamic,
            principal: None,
            labels: resources::Labels::new(),
        };
        plain(text).with_traits(|traits| Traits {
            reservations: vec![reservation.clone()],
            ..traits.clone()
        })
    }

    /// A volume of its role, that tasks find at `data`.
    pub(crate) fn volume(&self, id: &str, megabytes: u32, shared: bool) -> Resources {
        let disk = resources::DiskTraits {
            persistence: Some(resources::Persistence {
                id: id.into(),
                principal: None,
            }),
            volume: Some(resources::Volume {
                container_path: "data".into(),
                host_path: None,
                mode: resources::VolumeMode::ReadWrite,
            }),
            source: None,
        };
        self.reserved(&format!("disk:{megabytes}"))
            .with_traits(|traits| Traits {
                disk: Some(disk.clone()),
                shared,
                ..traits.clone()
            })
    }
}

pub(crate) fn plain(text: &str) -> Resources {
    text.parse().unwrap()
}

/// What every task here takes besides.
pub(crate) fn little() -> Resources {
    plain("cpus:0.1;mem:32")
}

/// A task that runs a line of shell with those resources.
pub(crate) fn task(id: &str, offer: &Offer, resources: &Resources, line: &str) -> v1::TaskInfo {
    v1::TaskInfo {
        name: id.to_owned(),
        task_id: v1::TaskId {
            value: id.to_owned(),
        },
        agent_id: (&offer.agent_id).into(),
        resources: resources.to_proto(None),
        command: Some(v1::CommandInfo {
            value: Some(line.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Runs a conversation to its end.
pub(crate) fn talk(conversation: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(conversation);
}
