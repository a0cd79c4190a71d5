//! What is parsed, what is refused, and what an operation converts.

use super::*;
use crate::{
    AgentCapabilities, AgentCapability, Capabilities, Capability, Quantity, Resources, Role,
    resources::{DiskKind, Traits},
};

mod laws;
mod refused;
mod some;

use some::{dynamic, reserved, rules, volume};

fn parsed(wire: v1::offer::Operation) -> ResourceOperation {
    match OfferOperation::from(wire) {
        OfferOperation::Resources(operation) => operation,
        other => panic!("{other:?}"),
    }
}

fn convert(operation: &ResourceOperation, mut held: Resources) -> String {
    held.apply_all(&operation.conversions().unwrap()).unwrap();
    held.to_string()
}

#[test]
fn a_reservation_is_put_on_and_taken_off() {
    let reserve = ResourceOperation::Reserve {
        source: None,
        resources: reserved("cpus", 2, &["a"]) + reserved("mem", 64, &["a"]),
    };
    let held: Resources = "cpus:4;mem:64".parse().unwrap();
    let done = convert(&reserve, held);
    assert_eq!(
        done,
        "cpus:2;cpus(reservations: [(DYNAMIC,a)]):2;mem(reservations: [(DYNAMIC,a)]):64"
    );
    let unreserve = ResourceOperation::Unreserve {
        resources: reserved("cpus", 1, &["a"]),
    };
    let left = convert(&unreserve, reserved("cpus", 2, &["a"]));
    assert_eq!(left, "cpus:1;cpus(reservations: [(DYNAMIC,a)]):1");
}

#[test]
fn a_refined_reservation_comes_off_one_level_at_a_time() {
    let unreserve = ResourceOperation::Unreserve {
        resources: reserved("cpus", 2, &["a", "a/b"]),
    };
    let left = convert(&unreserve, reserved("cpus", 2, &["a", "a/b"]));
    assert_eq!(left, reserved("cpus", 2, &["a"]).to_string());
    // A static reservation lies at the bottom and stays.
    let on_static = dynamic(Traits::reserved(Role::new("a").unwrap()), "a/b");
    let refined = some::item(&on_static, "cpus", 1);
    let unreserve = ResourceOperation::Unreserve {
        resources: refined.clone(),
    };
    assert_eq!(convert(&unreserve, refined), "cpus(a):1");
}

#[test]
fn reservations_are_changed_down_to_what_both_sides_have() {
    let source = reserved("cpus", 2, &["a", "a/b", "a/b/c"]);
    let resources = reserved("cpus", 2, &["a", "a/d"]);
    let operation = ResourceOperation::Reserve {
        source: Some(source.clone()),
        resources: resources.clone(),
    };
    let conversions = operation.conversions().unwrap();
    let steps: Vec<_> = conversions
        .iter()
        .map(|step| step.converted.reservation_roles().len())
        .collect();
    assert_eq!(steps, [1, 1, 1], "two levels down and one up");
    assert_eq!(convert(&operation, source.clone()), resources.to_string());
    let other = ResourceOperation::Reserve {
        source: Some(source),
        resources: reserved("cpus", 1, &["a"]),
    };
    assert_eq!(
        other.conversions().unwrap_err().to_string(),
        "Source and target resources should refer to identical resource quantities: cpus:2 vs. \
         cpus:1"
    );
}

#[test]
fn a_volume_is_made_grown_shrunk_and_destroyed() {
    let mut held = reserved("disk", 100, &["a"]);
    let mut step = |operation: &ResourceOperation| {
        held.apply_all(&operation.conversions().unwrap()).unwrap();
        (held.volumes().disk().units(), held.disk().units())
    };
    let create = ResourceOperation::Create {
        volumes: volume("v", 40),
    };
    assert_eq!(step(&create), (40, 100));
    let grow = ResourceOperation::GrowVolume {
        volume: volume("v", 40),
        addition: reserved("disk", 20, &["a"]),
    };
    assert_eq!(step(&grow), (60, 100));
    let shrink = ResourceOperation::ShrinkVolume {
        volume: volume("v", 60),
        subtract: Quantity::from_units(10),
    };
    assert_eq!(step(&shrink), (50, 100));
    let destroy = ResourceOperation::Destroy {
        volumes: volume("v", 50),
    };
    assert_eq!(step(&destroy), (0, 100));
    assert_eq!(held, reserved("disk", 100, &["a"]));
}

#[test]
fn a_shared_volume_is_destroyed_by_its_last_holder_only() {
    let shared = some::shared(&volume("v", 40));
    let create = ResourceOperation::Create {
        volumes: shared.clone(),
    };
    let mut held = reserved("disk", 40, &["a"]);
    held.apply_all(&create.conversions().unwrap()).unwrap();
    assert_eq!(held, shared);
    held += &shared;
    let destroy = ResourceOperation::Destroy {
        volumes: shared.clone(),
    };
    let conversions = destroy.conversions().unwrap();
    let before = held.clone();
    let refusal = held.apply_all(&conversions).unwrap_err().to_string();
    assert!(refusal.ends_with("cannot be removed due to additional shared copies"));
    assert_eq!(held, before);
    held.subtract(&shared).unwrap();
    held.apply_all(&conversions).unwrap();
    assert_eq!(held, reserved("disk", 40, &["a"]));
}

#[test]
fn two_reservations_cannot_be_made_of_the_same_port() {
    let port = |labels: &str| some::port(7, labels);
    let reserve = ResourceOperation::Reserve {
        source: None,
        resources: port("one") + port("two"),
    };
    let mut held: Resources = "ports:[7-7]".parse().unwrap();
    let conversions = reserve.conversions().unwrap();
    assert_eq!(conversions.len(), 2);
    assert!(held.apply_all(&conversions).is_err());
    assert_eq!(held.to_string(), "ports:[7-7]", "nothing has changed");
}

#[test]
fn a_launch_keeps_its_tasks_and_must_not_have_an_id() {
    let launch = |id: Option<&str>| v1::offer::Operation {
        r#type: Some(v1::offer::operation::Type::Launch.into()),
        id: id.map(|id| v1::OperationId {
            value: id.to_owned(),
        }),
        launch: Some(v1::offer::operation::Launch {
            task_infos: vec![v1::TaskInfo::default()],
        }),
        ..Default::default()
    };
    let OfferOperation::Launch(tasks) = launch(None).into() else {
        panic!("no launch")
    };
    assert_eq!(tasks.len(), 1);
    let OfferOperation::Invalid { reason, tasks } = launch(Some("1")).into() else {
        panic!("taken")
    };
    assert_eq!(reason, "The `id` field cannot be set on LAUNCH operations");
    assert_eq!(tasks.len(), 1);
}

#[test]
fn a_group_keeps_its_tasks_and_its_executor() {
    let group = |executor: &str| v1::offer::Operation {
        r#type: Some(v1::offer::operation::Type::LaunchGroup.into()),
        launch_group: Some(v1::offer::operation::LaunchGroup {
            executor: v1::ExecutorInfo {
                executor_id: v1::ExecutorId {
                    value: executor.to_owned(),
                },
                ..Default::default()
            },
            task_group: v1::TaskGroupInfo {
                tasks: vec![v1::TaskInfo::default()],
            },
        }),
        ..Default::default()
    };
    let executor = |operation: OfferOperation| match operation {
        OfferOperation::LaunchGroup { executor, .. } => executor,
        other => panic!("{other:?}"),
    };
    assert!(executor(group("e").into()).is_some());
    assert!(executor(group("").into()).is_none());
    assert_eq!(OfferOperation::from(group("e")).tasks().len(), 1);
    assert_eq!(OfferOperation::from(group("e")).into_tasks().len(), 1);
}

#[test]
fn what_is_malformed_is_invalid_with_the_reason() {
    let reason = |wire| match OfferOperation::from(wire) {
        OfferOperation::Invalid { reason, tasks } if tasks.is_empty() => reason,
        other => panic!("{other:?}"),
    };
    let unknown = v1::offer::Operation::default();
    assert_eq!(reason(unknown), "Unknown offer operation");
    for (kind, field) in [
        (v1::offer::operation::Type::Reserve, "reserve"),
        (v1::offer::operation::Type::Unreserve, "unreserve"),
        (v1::offer::operation::Type::Create, "create"),
        (v1::offer::operation::Type::Destroy, "destroy"),
        (v1::offer::operation::Type::GrowVolume, "grow_volume"),
        (v1::offer::operation::Type::ShrinkVolume, "shrink_volume"),
        (v1::offer::operation::Type::CreateDisk, "create_disk"),
        (v1::offer::operation::Type::DestroyDisk, "destroy_disk"),
    ] {
        let wire = v1::offer::Operation {
            r#type: Some(kind.into()),
            ..Default::default()
        };
        assert_eq!(reason(wire), format!("Expecting '{field}' to be present"));
    }
    let mut wire = ResourceOperation::Create {
        volumes: volume("v", 1),
    }
    .to_proto();
    let create = wire.create.as_mut().unwrap();
    let disk = create.volumes[0].disk.as_mut().unwrap();
    disk.persistence.as_mut().unwrap().id = "../etc".to_owned();
    assert_eq!(
        reason(wire),
        "Invalid resources: Invalid DiskInfo: Invalid persistence ID for persistent volume: \
         '../etc' contains invalid characters"
    );
}

#[test]
fn every_operation_goes_over_the_wire() {
    for operation in some::one_of_each() {
        let wire = operation.to_proto();
        assert_eq!(wire.r#type().as_str_name(), operation.name());
        let again = parsed(wire);
        assert_eq!(again, operation);
        assert!(!again.resources().is_empty());
    }
}
