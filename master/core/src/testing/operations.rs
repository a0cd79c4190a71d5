//! Reservations and volumes of tests, and what tests hear of operations.

use tepui_model::{
    OfferOperation, OperationId, ResourceOperation, Resources, StatusUuid, Traits,
    resources::{
        DiskTraits, Labels, Persistence, Reservation, ReservationKind, Volume, VolumeMode,
    },
};
use tepui_proto::v1;

use super::{Cluster, Node, Scheduler, agent_info, resources, role};
use crate::{
    AgentCommand, Event, FrameworkEvent, KnownOperation, OperationState, OperationStatus,
    OperationUuid, Registration,
    calls::{AcknowledgeOperation, Operation},
};

/// Resources that were reserved to that role while the agent ran.
pub(crate) fn reserved(text: &str, role_name: &str) -> Resources {
    let reservation = Reservation {
        role: role(role_name),
        kind: ReservationKind::Dynamic,
        principal: None,
        labels: Labels::new(),
    };
    resources(text).with_traits(|traits| Traits {
        reservations: [&traits.reservations[..], std::slice::from_ref(&reservation)].concat(),
        ..traits.clone()
    })
}

/// A volume of that role.
pub(crate) fn volume(id: &str, megabytes: u32, role_name: &str) -> Resources {
    shared_or_not(id, megabytes, role_name, false)
}

/// A volume that several tasks may use at once.
pub(crate) fn shared_volume(id: &str, megabytes: u32, role_name: &str) -> Resources {
    shared_or_not(id, megabytes, role_name, true)
}

fn shared_or_not(id: &str, megabytes: u32, role_name: &str, shared: bool) -> Resources {
    let disk = DiskTraits {
        persistence: Some(Persistence {
            id: id.into(),
            principal: None,
        }),
        volume: Some(Volume {
            container_path: "data".into(),
            host_path: None,
            mode: VolumeMode::ReadWrite,
        }),
        source: None,
    };
    reserved(&format!("disk:{megabytes}"), role_name).with_traits(|traits| Traits {
        disk: Some(disk.clone()),
        shared,
        ..traits.clone()
    })
}

pub(crate) fn reserve(resources: &Resources) -> ResourceOperation {
    let (source, resources) = (None, resources.clone());
    ResourceOperation::Reserve { source, resources }
}

pub(crate) fn unreserve(resources: &Resources) -> ResourceOperation {
    let resources = resources.clone();
    ResourceOperation::Unreserve { resources }
}

pub(crate) fn create(volumes: &Resources) -> ResourceOperation {
    let volumes = volumes.clone();
    ResourceOperation::Create { volumes }
}

pub(crate) fn destroy(volumes: &Resources) -> ResourceOperation {
    let volumes = volumes.clone();
    ResourceOperation::Destroy { volumes }
}

/// An operation of an ACCEPT, with a name if it is not empty.
pub(crate) fn named(name: &str, operation: ResourceOperation) -> Operation {
    Operation {
        id: (!name.is_empty()).then(|| OperationId::new(name).unwrap()),
        kind: OfferOperation::Resources(operation),
    }
}

pub(crate) fn launch(tasks: Vec<v1::TaskInfo>) -> Operation {
    Operation {
        id: None,
        kind: OfferOperation::Launch(tasks),
    }
}

/// A cluster with one framework of the role `web` that is offered one agent with a disk.
pub(crate) fn web_pair() -> (Cluster, Scheduler, Node) {
    let mut cluster = Cluster::new();
    let scheduler = cluster.subscribe(super::of_roles(&["web"]));
    let node = cluster.register("one", "cpus:4;mem:1024;disk:1000;ports:[1-9]");
    cluster.settle();
    (cluster, scheduler, node)
}

impl Cluster {
    /// Uses the one offer there is for these operations.
    pub(crate) fn do_all(&mut self, scheduler: &Scheduler, operations: Vec<Operation>) {
        let offer = self.offer(scheduler);
        self.accept_with(scheduler, &[&offer.id], operations);
    }

    /// What an agent has now.
    pub(crate) fn total(&self, node: &Node) -> Resources {
        let key = self.master.agents.by_id[&node.id];
        self.master.allocator.total(key).unwrap().clone()
    }

    /// The operations that an agent was sent since it was last asked for anything.
    pub(crate) fn applied(&mut self, node: &Node) -> Vec<(OperationUuid, v1::offer::Operation)> {
        let commands = self.commands(node.connection).into_iter();
        let operations = commands.filter_map(|command| match command {
            AgentCommand::ApplyOperation {
                uuid, operation, ..
            } => Some((uuid, *operation)),
            _ => None,
        });
        operations.collect()
    }

    /// The news of operations that a framework heard since it was last asked for anything.
    pub(crate) fn operation_updates(&mut self, scheduler: &Scheduler) -> Vec<OperationStatus> {
        let events = self.events(scheduler.connection).into_iter();
        let updates = events.filter_map(|event| match event {
            FrameworkEvent::OperationUpdate(status) => Some(*status),
            _ => None,
        });
        updates.collect()
    }

    /// The same, as name, state and text.
    pub(crate) fn operation_ends(
        &mut self,
        scheduler: &Scheduler,
    ) -> Vec<(String, OperationState, String)> {
        let updates = self.operation_updates(scheduler).into_iter();
        let short = |status: OperationStatus| {
            let name = status.id.map(|id| id.to_string()).unwrap_or_default();
            (name, status.state, status.message.unwrap_or_default())
        };
        updates.map(short).collect()
    }

    /// The agent says what became of an operation, and wants to hear that it was heard.
    pub(crate) fn report_operation(
        &mut self,
        node: &Node,
        uuid: OperationUuid,
        state: OperationState,
    ) -> StatusUuid {
        self.updates += 1;
        let news = StatusUuid::from_bytes(u128::from(self.updates).to_be_bytes());
        self.report_operation_again(node, uuid, state, Some(news));
        news
    }

    pub(crate) fn report_operation_again(
        &mut self,
        node: &Node,
        uuid: OperationUuid,
        state: OperationState,
        news: Option<StatusUuid>,
    ) {
        let status = OperationStatus {
            uuid: news,
            ..OperationStatus::new(None, state)
        };
        self.apply(Event::AgentOperation {
            connection: node.connection,
            uuid,
            status: Box::new(status),
        });
    }

    pub(crate) fn acknowledge_operation(
        &mut self,
        scheduler: &Scheduler,
        name: &str,
        uuid: StatusUuid,
    ) {
        let acknowledge = AcknowledgeOperation {
            agent_id: None,
            operation_id: OperationId::new(name).unwrap(),
            uuid,
        };
        let action = crate::Action::AcknowledgeOperation(acknowledge);
        self.call(scheduler.connection, action);
    }

    /// The agent comes back with other resources and with these operations.
    pub(crate) fn return_with(
        &mut self,
        node: &mut Node,
        total: &Resources,
        operations: Vec<KnownOperation>,
    ) {
        let mut wire = v1::AgentInfo::clone(&agent_info(&node.info.hostname, "cpus:1").wire);
        wire.resources = total.to_proto(None);
        let info = tepui_model::AgentInfo::try_from(wire).unwrap();
        let registration = Registration {
            operations,
            ..super::able(info.with_id(node.id.clone()))
        };
        node.connection = self.try_register(registration);
    }

    /// The names and states of the operations that operators see.
    pub(crate) fn shown_operations(&self) -> Vec<(String, &'static str)> {
        let shown = self.master.get_operations().operations.into_iter();
        let read = |operation: v1::Operation| {
            let id = operation.info.id.map(|id| id.value).unwrap_or_default();
            (id, operation.latest_status.state().as_str_name())
        };
        shown.map(read).collect()
    }
}
