//! What is refused, in Mesos' words.

use std::sync::Arc;

use super::{
    some::{disk, item, shared, stack},
    *,
};

fn refusal(operation: &ResourceOperation, rules: &OperationRules<'_>) -> String {
    operation.validate(rules).unwrap_err().to_string()
}

fn reserve(resources: Resources) -> ResourceOperation {
    ResourceOperation::Reserve {
        source: None,
        resources,
    }
}

fn create(volumes: Resources) -> ResourceOperation {
    ResourceOperation::Create { volumes }
}

/// The last reservation, or the volume, made by that principal.
fn owned(resources: &Resources, principal: &str) -> Resources {
    resources.with_traits(|traits| {
        let mut traits = traits.clone();
        let name: Option<Arc<str>> = Some(Arc::from(principal));
        if let Some(last) = traits.reservations.last_mut() {
            last.principal.clone_from(&name);
        }
        let disk = traits.disk.as_mut();
        if let Some(volume) = disk.and_then(|disk| disk.persistence.as_mut()) {
            volume.principal = name;
        }
        traits
    })
}

#[test]
fn one_of_each_that_our_agents_can_do_passes() {
    let volume = volume("v", 10);
    for operation in some::one_of_each() {
        let nothing = Resources::new();
        let known = match operation {
            ResourceOperation::Create { .. } => &nothing,
            _ => &volume,
        };
        match operation {
            ResourceOperation::CreateDisk { .. } | ResourceOperation::DestroyDisk { .. } => {
                let refusal = refusal(&operation, &rules(known));
                assert_eq!(refusal, "'source' is not managed by a resource provider");
            }
            _ => assert_eq!(operation.validate(&rules(known)), Ok(())),
        }
    }
}

#[test]
fn only_what_is_dynamic_is_reserved_and_unreserved() {
    let nothing = Resources::new();
    let fixed: Resources = "cpus(a):1".parse().unwrap();
    let text = "Resource cpus(a):1 is not dynamically reserved";
    assert_eq!(refusal(&reserve(fixed.clone()), &rules(&nothing)), text);
    let unreserve = ResourceOperation::Unreserve { resources: fixed };
    assert_eq!(refusal(&unreserve, &rules(&nothing)), text);
    let empty = reserve(Resources::new());
    assert_eq!(
        refusal(&empty, &rules(&nothing)),
        "Invalid resources: Resource cannot be empty"
    );
}

#[test]
fn a_framework_reserves_for_the_role_it_was_offered_for() {
    let nothing = Resources::new();
    let role = Role::new("b").unwrap();
    let rules = OperationRules {
        allocation_role: Some(&role),
        framework: Some(Capabilities::NONE),
        ..rules(&nothing)
    };
    assert_eq!(
        refusal(&reserve(reserved("cpus", 1, &["a"])), &rules),
        "A reserve operation was attempted for a resource with role 'a', but the resource was \
         allocated to role 'b'"
    );
    let update = ResourceOperation::Reserve {
        source: Some(reserved("cpus", 1, &["a"])),
        resources: reserved("cpus", 1, &["b"]),
    };
    assert_eq!(
        refusal(&update, &rules),
        "Reservation updates are not yet implemented for the scheduler API."
    );
}

#[test]
fn the_actor_must_be_the_one_that_is_named() {
    let nothing = Resources::new();
    let rules = OperationRules {
        principal: Some("ops"),
        ..rules(&nothing)
    };
    let cpus = reserved("cpus", 1, &["a"]);
    assert_eq!(
        refusal(&reserve(cpus.clone()), &rules),
        "A reserve operation was attempted by principal 'ops', but there is a reserved resource \
         in the request with no principal set"
    );
    assert_eq!(
        refusal(&reserve(owned(&cpus, "dev")), &rules),
        "A reserve operation was attempted by authenticated principal 'ops', which does not \
         match a reserved resource in the request with principal 'dev'"
    );
    assert_eq!(reserve(owned(&cpus, "ops")).validate(&rules), Ok(()));
    let volume = volume("v", 1);
    assert_eq!(
        refusal(&create(volume.clone()), &rules),
        "Create volume operation attempted by principal 'ops', but there is a volume in the \
         operation with no principal set in 'disk.persistence'"
    );
    assert_eq!(
        refusal(&create(owned(&volume, "dev")), &rules),
        "Create volume operation attempted by authenticated principal 'ops', which does not \
         match a volume in the operation with principal 'dev' set in 'disk.persistence'"
    );
    assert_eq!(create(owned(&volume, "ops")).validate(&rules), Ok(()));
}

#[test]
fn an_agent_that_cannot_is_not_asked() {
    let nothing = Resources::new();
    let unable = OperationRules {
        agent: AgentCapabilities::NONE,
        ..rules(&nothing)
    };
    assert!(
        refusal(&reserve(reserved("cpus", 1, &["a/b"])), &unable)
            .ends_with("cannot be reserved on an agent without HIERARCHICAL_ROLE capability")
    );
    let nested = OperationRules {
        agent: AgentCapabilities::NONE.with(AgentCapability::HierarchicalRole),
        ..unable
    };
    let refined = refusal(&reserve(reserved("cpus", 1, &["a", "a/b"])), &nested);
    assert!(refined.ends_with("an agent without RESERVATION_REFINEMENT capability"));
    let known = volume("v", 10);
    let unable = OperationRules {
        checkpointed: &known,
        ..unable
    };
    let shrink = ResourceOperation::ShrinkVolume {
        volume: known.clone(),
        subtract: Quantity::from_units(1),
    };
    assert!(
        refusal(&shrink, &unable)
            .ends_with("cannot be shrunk on an agent without RESIZE_VOLUME capability")
    );
}

#[test]
fn a_volume_is_destroyed_before_its_reservation_goes() {
    let volume = volume("v", 1);
    let unreserve = ResourceOperation::Unreserve {
        resources: volume.clone(),
    };
    assert!(
        refusal(&unreserve, &rules(&volume))
            .starts_with("A dynamically reserved persistent volume disk")
    );
    assert!(
        refusal(&reserve(volume.clone()), &rules(&volume)).ends_with("must already be reserved")
    );
    let update = ResourceOperation::Reserve {
        source: Some(volume.clone()),
        resources: reserved("disk", 1, &["b"]),
    };
    assert!(refusal(&update, &rules(&volume)).ends_with("must already be reserved"));
}

#[test]
fn an_agents_own_reservation_is_not_changed() {
    let nothing = Resources::new();
    let update = |source: Resources, resources| ResourceOperation::Reserve {
        source: Some(source),
        resources,
    };
    let fixed: Resources = "cpus(a):1".parse().unwrap();
    let other = update(fixed.clone(), reserved("cpus", 1, &["b"]));
    let text = "Resource cpus(a):1 is not dynamically reserved";
    assert_eq!(refusal(&other, &rules(&nothing)), text);
    let on_top = dynamic(Traits::reserved(Role::new("a").unwrap()), "a/b");
    let refine = update(fixed, item(&on_top, "cpus", 1));
    assert_eq!(refine.validate(&rules(&nothing)), Ok(()));
    let away = update(item(&on_top, "cpus", 1), reserved("cpus", 1, &["b"]));
    assert!(refusal(&away, &rules(&nothing)).ends_with("is not dynamically reserved"));
}

#[test]
fn what_is_no_volume_is_not_created() {
    let nothing = Resources::new();
    let refused = |volumes| refusal(&create(volumes), &rules(&nothing));
    let change = |change: &dyn Fn(&mut Traits)| {
        volume("v", 1).with_traits(|traits| {
            let mut traits = traits.clone();
            change(&mut traits);
            traits
        })
    };
    let text = refused(reserved("disk", 1, &["a"]));
    assert!(text.starts_with("Not a persistent volume: Resource disk"));
    assert_eq!(
        refused(disk(DiskKind::Path, 1)),
        "Not a persistent volume: 'persistence' is not set in DiskInfo"
    );
    let unreserved = change(&|traits| traits.reservations.clear());
    assert_eq!(
        refused(unreserved),
        "Invalid resources: Invalid DiskInfo: Persistent volumes cannot be created from \
         unreserved resources"
    );
    let unmounted = change(&|traits| traits.disk.as_mut().unwrap().volume = None);
    assert_eq!(
        refused(unmounted),
        "Invalid resources: Invalid DiskInfo: Expecting 'volume' to be set for persistent volume"
    );
    let read_only = change(&|traits| {
        let disk = traits.disk.as_mut().unwrap();
        disk.volume.as_mut().unwrap().mode = crate::resources::VolumeMode::ReadOnly;
    });
    assert_eq!(
        refused(read_only),
        "Not a persistent volume: Read-only persistent volume not supported"
    );
    let on_host = change(&|traits| {
        let disk = traits.disk.as_mut().unwrap();
        disk.volume.as_mut().unwrap().host_path = Some(Arc::from("/etc"));
    });
    assert!(refused(on_host).ends_with("Expecting 'host_path' to be unset for persistent volume"));
    let nameless = change(&|traits| traits.disk.as_mut().unwrap().persistence = None);
    assert!(refused(nameless).ends_with("Non-persistent volume not supported"));
}

#[test]
fn the_name_of_a_volume_is_unique_per_role() {
    let known = volume("v", 1);
    let again = create(volume("v", 2));
    let text = "Persistence ID 'v' is not unique";
    assert_eq!(refusal(&again, &rules(&known)), text);
    let nothing = Resources::new();
    let twice = create(volume("v", 1) + volume("v", 1));
    assert_eq!(refusal(&twice, &rules(&nothing)), text);
    let other_role = some::as_volume(&item(&stack(&["b"]), "disk", 1), "v");
    assert_eq!(create(other_role).validate(&rules(&known)), Ok(()));
}

#[test]
fn shared_volumes_are_for_frameworks_that_know_them() {
    let nothing = Resources::new();
    let unaware = OperationRules {
        framework: Some(Capabilities::NONE),
        ..rules(&nothing)
    };
    let create = create(shared(&volume("v", 1)));
    assert!(refusal(&create, &unaware).ends_with("with no SHARED_RESOURCES capability"));
    let aware = OperationRules {
        framework: Some(Capabilities::NONE.with(Capability::SharedResources)),
        ..unaware
    };
    assert_eq!(create.validate(&aware), Ok(()));
    let known = shared(&volume("v", 1));
    for operation in [
        ResourceOperation::GrowVolume {
            volume: known.clone(),
            addition: reserved("disk", 1, &["a"]),
        },
        ResourceOperation::ShrinkVolume {
            volume: shared(&volume("v", 2)),
            subtract: Quantity::from_units(1),
        },
    ] {
        let text = refusal(&operation, &rules(&known));
        assert!(text.ends_with("a shared persistent volume is not supported"));
    }
}

#[test]
fn a_volume_that_is_unknown_or_used_stays() {
    let known = volume("v", 1);
    let destroy = ResourceOperation::Destroy {
        volumes: known.clone(),
    };
    let nothing = Resources::new();
    assert_eq!(
        refusal(&destroy, &rules(&nothing)),
        "Persistent volumes not found"
    );
    let used = OperationRules {
        used: &known,
        ..rules(&known)
    };
    assert_eq!(refusal(&destroy, &used), "Persistent volumes in use");
    let pending = OperationRules {
        pending: &known,
        ..rules(&known)
    };
    assert_eq!(refusal(&destroy, &pending), "Persistent volumes in use");
}

#[test]
fn a_size_changes_by_something_of_the_same_sort() {
    let known = volume("v", 10);
    let grow = |addition| ResourceOperation::GrowVolume {
        volume: volume("v", 10),
        addition,
    };
    let incompatible =
        "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields";
    for addition in [
        reserved("disk", 1, &["b"]),
        disk(DiskKind::Path, 1),
        "disk:1".parse().unwrap(),
    ] {
        assert_eq!(refusal(&grow(addition), &rules(&known)), incompatible);
    }
    let text = refusal(&grow(reserved("cpus", 1, &["a"])), &rules(&known));
    assert!(text.starts_with("Invalid resource in the 'GrowVolume.addition' field"));
    let shrink = |units| ResourceOperation::ShrinkVolume {
        volume: volume("v", 10),
        subtract: Quantity::from_units(units),
    };
    assert!(refusal(&shrink(0), &rules(&known)).ends_with("must be greater than zero"));
    assert!(refusal(&shrink(-1), &rules(&known)).ends_with("must be greater than zero"));
    assert!(refusal(&shrink(10), &rules(&known)).contains("must be smaller than the size"));
    assert_eq!(shrink(9).validate(&rules(&known)), Ok(()));
}

#[test]
fn a_mounted_disk_is_given_whole() {
    let mounted = some::as_volume(&disk(DiskKind::Mount, 10), "v");
    let grow = ResourceOperation::GrowVolume {
        volume: mounted.clone(),
        addition: disk(DiskKind::Mount, 1),
    };
    assert!(refusal(&grow, &rules(&mounted)).starts_with("Incompatible resources"));
    let shrink = ResourceOperation::ShrinkVolume {
        volume: mounted.clone(),
        subtract: Quantity::from_units(1),
    };
    assert_eq!(
        refusal(&shrink, &rules(&mounted)),
        "Shrinking a volume on a MOUNT disk is not supported"
    );
    // A volume smaller than the disk cannot be made of it.
    let part = ResourceOperation::Create {
        volumes: some::as_volume(&disk(DiskKind::Mount, 5), "w"),
    };
    let mut held = disk(DiskKind::Mount, 10);
    assert!(held.apply_all(&part.conversions().unwrap()).is_err());
    let whole = ResourceOperation::Create {
        volumes: some::as_volume(&disk(DiskKind::Mount, 10), "w"),
    };
    assert_eq!(held.apply_all(&whole.conversions().unwrap()), Ok(()));
}

#[test]
fn disks_of_providers_are_checked_and_then_not_supported() {
    let nothing = Resources::new();
    let provided = |resources: Resources| {
        resources.with_traits(|traits| Traits {
            provider: Some(Arc::from("p")),
            ..traits.clone()
        })
    };
    let make = |kind, target_type, profile: Option<&str>| ResourceOperation::CreateDisk {
        source: provided(disk(kind, 1)),
        target_type,
        target_profile: profile.map(Arc::from),
    };
    let refused = |operation| refusal(&operation, &rules(&nothing));
    assert_eq!(
        refused(make(DiskKind::Mount, DiskKind::Mount, None)),
        "'source' is not a RAW disk resource"
    );
    assert_eq!(
        refused(make(DiskKind::Raw, DiskKind::Path, None)),
        "'target_type' is neither MOUNT or BLOCK"
    );
    assert_eq!(
        refused(make(DiskKind::Raw, DiskKind::Block, None)),
        "'target_profile' must be set when 'source' has no profile"
    );
    assert_eq!(
        refused(make(DiskKind::Raw, DiskKind::Block, Some("fast"))),
        "CREATE_DISK is not supported by the agent: it has no resource provider"
    );
    let destroy = ResourceOperation::DestroyDisk {
        source: provided(disk(DiskKind::Mount, 1)),
    };
    assert_eq!(refused(destroy), "'source' is not backed by a CSI volume");
    let mixed = provided(reserved("cpus", 1, &["a"])) + reserved("mem", 1, &["a"]);
    assert_eq!(
        refused(reserve(mixed)),
        "Invalid resources: Some resources have a resource provider and some do not"
    );
}
