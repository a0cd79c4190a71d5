//! Operations on the agent's resources, through death and rebirth.

use std::sync::Arc;

use tepui_model::{
    Quantity, Reservation, ResourceOperation, Resources, Role, TaskInfo, TaskState, Traits, Value,
    resources::{DiskTraits, Persistence, ReservationKind, Volume, VolumeMode},
};
use tepui_proto::v1;

use super::{framework, node::Node, wire_task};
use crate::{
    AgentReport, Config, Effects, Event, Kind, MasterCommand, OperationUuid, Recovered, limits,
};

fn traits() -> Traits {
    Traits {
        reservations: vec![Reservation {
            kind: ReservationKind::Dynamic,
            ..Reservation::fixed(Role::new("a").unwrap())
        }],
        ..Traits::plain()
    }
}

fn item(traits: &Traits, name: &str, units: i64) -> Resources {
    Resources::from_item(traits, name, &Value::Scalar(Quantity::from_units(units)))
}

fn volume(mode: VolumeMode) -> Resources {
    let disk = DiskTraits {
        persistence: Some(Persistence {
            id: Arc::from("v"),
            principal: None,
        }),
        volume: Some(Volume {
            container_path: Arc::from("data"),
            host_path: None,
            mode,
        }),
        source: None,
    };
    let traits = Traits {
        disk: Some(disk),
        ..traits()
    };
    item(&traits, "disk", 64)
}

fn reserve() -> ResourceOperation {
    ResourceOperation::Reserve {
        source: None,
        resources: item(&traits(), "disk", 64),
    }
}

fn create() -> ResourceOperation {
    ResourceOperation::Create {
        volumes: volume(VolumeMode::ReadWrite),
    }
}

fn destroy() -> ResourceOperation {
    ResourceOperation::Destroy {
        volumes: volume(VolumeMode::ReadWrite),
    }
}

const fn uuid(number: u8) -> OperationUuid {
    OperationUuid([number; 16])
}

impl Node {
    /// Asks for an operation, with a name for its end or without one.
    fn operate(&mut self, number: u8, operation: &ResourceOperation, named: bool) {
        let mut wire = operation.to_proto();
        wire.id = named.then(|| v1::OperationId {
            value: format!("o{number}"),
        });
        self.master(MasterCommand::ApplyOperation {
            framework_id: framework("f").id,
            uuid: uuid(number),
            operation: Box::new(wire),
        });
    }

    fn operation_updates(&mut self) -> Vec<v1::OperationStatus> {
        let sent = std::mem::take(&mut self.sent).into_iter();
        let status = |report| match report {
            AgentReport::OperationUpdate { status, .. } => Some(*status),
            _ => None,
        };
        sent.filter_map(status).collect()
    }

    fn operation_update(&mut self) -> v1::OperationStatus {
        let mut updates = self.operation_updates();
        assert_eq!(updates.len(), 1, "{updates:?}");
        updates.remove(0)
    }

    fn acknowledge_operation(&mut self, number: u8, status: &v1::OperationStatus) {
        let status_uuid = status.uuid.as_ref().unwrap().value.as_slice();
        self.master(MasterCommand::AcknowledgeOperation {
            uuid: uuid(number),
            status_uuid: status_uuid.try_into().unwrap(),
        });
    }

    fn come_back(&mut self) {
        self.restart();
        self.connect();
    }
}

/// An agent with 64 megabytes of disk among other things.
fn node() -> Node {
    let mut node = Node::with(disky());
    node.connect();
    node.register();
    node.sent.clear();
    node
}

fn disky() -> Config {
    let mut config = super::config();
    let resources: Resources = "cpus:8;mem:8192;disk:64".parse().unwrap();
    config.info = config.info.with_resources(resources);
    config
}

/// A task that uses the volume.
fn user_of_volume(name: &str, mode: VolumeMode) -> TaskInfo {
    let mut wire = wire_task(name);
    let role = Role::new("a").unwrap();
    let resources = "cpus:1;mem:64".parse::<Resources>().unwrap() + volume(mode);
    wire.resources = resources.to_proto(Some(&role));
    TaskInfo::try_from(wire).unwrap()
}

#[test]
fn an_operation_is_on_disk_before_it_is_answered_and_answered_until_acknowledged() {
    let mut node = node();
    node.operate(1, &reserve(), true);
    assert!(
        node.disk
            .contains_key(&(Kind::Resources, "self".to_owned()))
    );
    let update = node.operation_update();
    assert_eq!(update.state(), v1::OperationState::OperationFinished);
    assert_eq!(update.operation_id.as_ref().unwrap().value, "o1");
    assert_eq!(update.converted_resources.len(), 1);
    node.pass(limits::RETRY_MIN.as_secs());
    assert_eq!(node.operation_update().uuid, update.uuid);
    node.pass(limits::RETRY_MIN.as_secs());
    assert!(
        node.operation_updates().is_empty(),
        "it waits twice as long"
    );
    node.pass(limits::RETRY_MIN.as_secs());
    assert_eq!(node.operation_update().uuid, update.uuid);
    node.acknowledge_operation(1, &update);
    node.pass(3600);
    assert!(node.operation_updates().is_empty());
    node.flush();
    assert!(!node.disk.keys().any(|(kind, _)| *kind == Kind::Operation));
}

#[test]
fn a_reborn_agent_has_what_was_reserved_and_says_what_was_not_acknowledged() {
    let mut node = node();
    node.operate(1, &reserve(), true);
    let update = node.operation_update();
    node.come_back();
    let registration = node.registration();
    assert_eq!(registration.operations.len(), 1);
    assert_eq!(registration.operations[0].uuid, uuid(1));
    assert_eq!(registration.operations[0].latest, update);
    let total = registration.info.resources.to_string();
    assert_eq!(
        total,
        "cpus:8;mem:8192;disk(reservations: [(DYNAMIC,a)]):64"
    );
    let wire = registration.info.wire.resources.as_slice();
    assert_eq!(Resources::try_from(wire).unwrap().to_string(), total);
    node.register();
    assert_eq!(node.operation_update(), update);
    node.acknowledge_operation(1, &update);
    node.flush();
    node.come_back();
    assert!(node.registration().operations.is_empty());
}

#[test]
fn an_operation_without_a_name_is_answered_once() {
    let mut node = node();
    node.operate(1, &reserve(), false);
    let update = node.operation_update();
    assert_eq!(update.uuid, None);
    node.pass(3600);
    assert!(node.operation_updates().is_empty());
    node.come_back();
    assert!(node.registration().operations.is_empty());
}

#[test]
fn what_cannot_be_done_changes_nothing_and_says_why() {
    let mut node = node();
    let refused = |node: &mut Node, number, operation| {
        let before = node.agent.resources().clone();
        node.operate(number, &operation, true);
        let update = node.operation_update();
        assert_eq!(update.state(), v1::OperationState::OperationFailed);
        assert_eq!(*node.agent.resources(), before);
        update.message.unwrap()
    };
    let text = refused(&mut node, 1, create());
    assert!(text.starts_with("not enough: disk"), "{text}");
    let text = refused(&mut node, 2, destroy());
    assert_eq!(text, "Persistent volumes not found");
    node.operate(3, &reserve(), false);
    node.operate(4, &create(), false);
    node.sent.clear();
    assert_eq!(
        refused(&mut node, 5, create()),
        "Persistence ID 'v' is not unique"
    );
    node.master(MasterCommand::ApplyOperation {
        framework_id: None,
        uuid: uuid(6),
        operation: Box::default(),
    });
    let update = node.operation_update();
    assert_eq!(update.message.as_deref(), Some("Unknown offer operation"));
}

#[test]
fn the_same_operation_is_done_once() {
    let mut node = node();
    node.operate(1, &reserve(), true);
    node.operate(1, &reserve(), true);
    assert_eq!(node.operation_updates().len(), 1);
}

#[test]
fn a_volume_is_made_mounted_and_kept_from_those_who_would_destroy_it() {
    let mut node = node();
    node.operate(1, &reserve(), false);
    node.operate(2, &create(), false);
    let folder = "/var/lib/tepui/agent/volumes/roles/a/v";
    assert_eq!(node.volumes, [format!("make {folder}")]);
    for (name, mode) in [("rw", VolumeMode::ReadWrite), ("ro", VolumeMode::ReadOnly)] {
        node.run_for(framework("f"), user_of_volume(name, mode));
        let mount = node.launches[0].volumes[0].clone();
        assert_eq!(mount.source.to_str(), Some(folder));
        assert_eq!(mount.container_path.to_str(), Some("data"));
        assert_eq!(mount.read_only, mode == VolumeMode::ReadOnly);
        let container = node.start();
        node.sent.clear();
        node.operate(3, &destroy(), false);
        let refusal = node.operation_update().message;
        assert_eq!(refusal.as_deref(), Some("Persistent volumes in use"));
        node.exit(&container, crate::Exit::code(0));
    }
    node.sent.clear();
    node.operate(4, &destroy(), false);
    let state = node.operation_update().state();
    assert_eq!(state, v1::OperationState::OperationFinished);
    assert_eq!(node.volumes.last().unwrap(), &format!("remove {folder}"));
}

#[test]
fn a_task_with_a_volume_that_is_not_here_is_dropped() {
    let mut node = node();
    let task = user_of_volume("t", VolumeMode::ReadWrite);
    node.run_for(framework("f"), task);
    let update = node.update();
    assert_eq!(update.state, TaskState::Lost);
    assert!(update.message.unwrap().contains("unknown to the agent"));
}

#[test]
fn data_that_was_to_go_goes_whenever_the_agent_dies() {
    let mut node = node();
    node.operate(1, &reserve(), false);
    node.operate(2, &create(), false);
    node.operate(3, &destroy(), false);
    let folder = "/var/lib/tepui/agent/volumes/roles/a/v";
    node.volumes.clear();
    node.come_back();
    assert_eq!(node.volumes, [format!("remove {folder}")], "begun again");
    node.register();
    node.operate(4, &create(), false);
    assert_eq!(node.volumes.last().unwrap(), &format!("make {folder}"));
    let removal = node.removals[0].clone();
    assert_eq!(node.removals.last(), Some(&removal), "under the same name");
    node.apply(Event::VolumeRemoved {
        removal: removal.clone(),
    });
    assert_eq!(node.volumes.last().unwrap(), &format!("forget {folder}"));
    node.volumes.clear();
    node.come_back();
    assert_eq!(node.volumes, [format!("make {folder}")]);
    node.apply(Event::VolumeRemoved { removal });
    assert_eq!(node.volumes.len(), 1, "what is not known is nothing");
}

#[test]
fn an_agent_that_lost_its_disk_does_not_start() {
    let mut node = node();
    node.operate(1, &reserve(), false);
    let records = node.disk.iter();
    let records = records.map(|((kind, key), value)| (*kind, key.clone(), value.clone()));
    let recovered = Recovered {
        records: records.collect(),
        containers: Vec::new(),
    };
    let smaller = super::config();
    let made = crate::Agent::new(smaller, recovered, node.now, &mut Effects::new());
    let text = made.unwrap_err().to_string();
    assert!(
        text.contains("--resources") && text.contains("disk"),
        "{text}"
    );
}

#[test]
fn nobody_is_told_of_operations_of_a_framework_that_is_gone() {
    let mut node = node();
    node.operate(1, &reserve(), true);
    node.sent.clear();
    node.master(MasterCommand::ShutdownFramework {
        framework_id: framework("f").id.unwrap(),
    });
    node.pass(3600);
    assert!(node.operation_updates().is_empty());
    assert!(!node.agent.resources().checkpointed().is_empty());
}

#[test]
fn a_new_id_keeps_reservations_and_forgets_operations() {
    let mut node = node();
    node.operate(1, &reserve(), true);
    node.master(MasterCommand::Refused {
        message: "removed".to_owned(),
        forget_identity: true,
        shut_down: false,
    });
    node.connect();
    let registration = node.registration();
    assert!(registration.info.id.is_none());
    assert!(registration.operations.is_empty());
    assert!(!registration.info.resources.checkpointed().is_empty());
}

#[test]
fn an_agent_that_leaves_takes_no_operation_with_it_but_keeps_what_was_reserved() {
    let mut node = node();
    node.operate(1, &reserve(), true);
    assert_eq!(node.operation_update().operation_id.unwrap().value, "o1");
    node.apply(Event::Leave);
    assert!(node.left);
    node.come_back();
    let registration = node.registration();
    assert_eq!(registration.info.id, None);
    assert!(registration.operations.is_empty(), "they belong to an id");
    assert!(
        node.agent
            .resources()
            .contains(&item(&traits(), "disk", 64))
    );
}
