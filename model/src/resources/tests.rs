//! What the resources promise.

mod laws;
mod naive;
mod some;

use super::*;

fn resources(text: &str) -> Resources {
    text.parse().unwrap()
}

fn role(name: &str) -> Role {
    Role::new(name).unwrap()
}

/// A disk with that name for a volume, or of that source.
fn disk_traits(persistence: Option<&str>, source: Option<DiskKind>, shared: bool) -> Traits {
    let persistence = persistence.map(|id| Persistence {
        id: Arc::from(id),
        principal: None,
    });
    let source = source.map(|kind| DiskSource {
        kind,
        root: matches!(kind, DiskKind::Path | DiskKind::Mount).then(|| Arc::from("/mnt")),
        vendor: None,
        id: None,
        metadata: Labels::new(),
        profile: None,
    });
    let disk = Some(DiskTraits {
        persistence,
        volume: None,
        source,
    });
    Traits {
        disk,
        shared,
        ..Traits::reserved(role("db"))
    }
}

fn disk(traits: &Traits, megabytes: i64) -> Resources {
    Resources::from_item(
        traits,
        "disk",
        &Value::Scalar(Quantity::from_units(megabytes)),
    )
}

#[test]
fn sums_go_over_all_bundles() {
    let all =
        resources("cpus:4;cpus(a):1.5;cpus(b):0.5;ports:[1-5];ports(a):[8-9];mem(b):64;x(a):3");
    assert_eq!(all.cpus(), Quantity::from_units(6));
    assert_eq!(all.memory(), Quantity::from_units(64));
    assert_eq!(all.disk() + all.gpus(), Quantity::ZERO);
    assert_eq!(all.ports().to_string(), "[1-5,8-9]");
    assert_eq!(all.scalar(&Kind::new("x")), Quantity::from_units(3));
    assert_eq!(all.scalars().to_string(), "cpus:6;mem:64;x:3");
    assert_eq!(
        all.to_plain_quantities(),
        resources("cpus:6;mem:64;ports:[1-5,8-9];x:3")
    );
}

#[test]
fn resources_are_picked_by_role() {
    let all = resources("cpus:4;cpus(a):1;cpus(a/b):2;cpus(c):3");
    assert_eq!(all.unreserved(), resources("cpus:4"));
    assert_eq!(all.reserved(), resources("cpus(a):1;cpus(a/b):2;cpus(c):3"));
    assert_eq!(all.reserved_to(&role("a")), resources("cpus(a):1"));
    assert_eq!(
        all.allocatable_to(&role("a")),
        resources("cpus:4;cpus(a):1")
    );
    assert_eq!(
        all.allocatable_to(&role("a/b")),
        resources("cpus:4;cpus(a):1;cpus(a/b):2")
    );
    assert_eq!(all.allocatable_to(&Role::default()), resources("cpus:4"));
    let roles: Vec<String> = all
        .reservation_roles()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(roles, ["a", "a/b", "c"]);
}

#[test]
fn unreserved_resources_do_not_stand_in_for_reserved_ones() {
    let all = resources("cpus:4;cpus(a):1");
    assert!(all.contains(&resources("cpus:4;cpus(a):0.5")));
    assert!(!all.contains(&resources("cpus:5")));
    assert!(!all.contains(&resources("cpus(b):1")));
    let left = all.checked_sub(&resources("cpus:1;cpus(a):1")).unwrap();
    assert_eq!(left, resources("cpus:3"));
}

#[test]
fn what_is_missing_is_named() {
    let all = resources("cpus:4;cpus(a):1;ports:[1-5]");
    let missing = |text| all.checked_sub(&resources(text)).unwrap_err().to_string();
    assert_eq!(missing("cpus:5"), "not enough: cpus: 5 of 4");
    assert_eq!(missing("cpus:4;cpus(a):2"), "not enough: cpus(a): 2 of 1");
    assert_eq!(missing("mem:1"), "not enough: mem: 1 of 0");
    assert_eq!(missing("ports:[4-6]"), "not enough: ports: [4-6] of [1-5]");
}

#[test]
fn a_subtraction_that_fails_takes_nothing() {
    let mut all = resources("cpus:4;mem:10");
    assert!(all.subtract(&resources("cpus:1;mem:11")).is_err());
    assert_eq!(all, resources("cpus:4;mem:10"));
}

#[test]
fn a_volume_is_given_whole_or_not_at_all() {
    let volume = disk_traits(Some("v"), None, false);
    let all = disk(&volume, 100);
    assert!(!all.contains(&disk(&volume, 50)));
    assert!(all.contains(&disk(&volume, 100)));
    assert!(!all.contains(&disk(&disk_traits(Some("w"), None, false), 100)));
    assert!(all.checked_sub(&disk(&volume, 100)).unwrap().is_empty());
    assert_eq!(all.disk(), Quantity::from_units(100));
}

#[test]
fn a_mounted_disk_is_given_whole_and_a_path_disk_in_parts() {
    let mount = disk_traits(None, Some(DiskKind::Mount), false);
    assert!(!disk(&mount, 100).contains(&disk(&mount, 50)));
    let path = disk_traits(None, Some(DiskKind::Path), false);
    assert!(disk(&path, 100).contains(&disk(&path, 50)));
    assert_eq!(disk(&path, 50) + disk(&path, 50), disk(&path, 100));
    let both = disk(&mount, 100) + disk(&mount, 100);
    assert_ne!(
        both,
        disk(&mount, 200),
        "two disks are not one of twice the size"
    );
    assert_eq!(both.disk(), Quantity::from_units(200));
    assert_eq!(both.to_plain_quantities(), resources("disk:200"));
}

#[test]
fn a_shared_volume_is_counted_once_however_many_use_it() {
    let shared = disk_traits(Some("v"), None, true);
    let twice = disk(&shared, 100) + disk(&shared, 100);
    assert_eq!(twice.disk(), Quantity::from_units(100));
    assert_eq!(twice.scalars().to_string(), "disk:100");
    assert_eq!(twice.to_plain_quantities(), resources("disk:100"));
    let once = twice.checked_sub(&disk(&shared, 100)).unwrap();
    assert_eq!(once, disk(&shared, 100));
    assert!(!once.contains(&twice));
    assert_eq!(twice.to_proto(None).len(), 2);
}

#[test]
fn a_task_may_mount_a_volume_read_only_and_it_stays_the_same_volume() {
    let volume = disk_traits(Some("v"), None, false);
    let mut read_only = volume.clone();
    read_only.disk.as_mut().unwrap().volume = Some(Volume {
        container_path: Arc::from("data"),
        host_path: None,
        mode: VolumeMode::ReadOnly,
    });
    assert!(disk(&volume, 100).contains(&disk(&read_only, 100)));
}

#[test]
fn traits_are_printed_as_mesos_prints_them() {
    let volume = disk_traits(Some("v"), Some(DiskKind::Mount), true);
    assert_eq!(
        disk(&volume, 1).to_string(),
        "disk(db)[MOUNT:/mnt,v]<SHARED>:1"
    );
    let labels = tepui_proto::v1::Label {
        key: "k".to_owned(),
        value: Some("v".to_owned()),
    };
    let labels = Labels::from(&tepui_proto::v1::Labels {
        labels: vec![labels],
    });
    let principal = Some(Arc::from("ops"));
    let dynamic = Reservation {
        principal,
        labels,
        kind: ReservationKind::Dynamic,
        role: role("a/b"),
    };
    let reservations = vec![Reservation::fixed(role("a")), dynamic];
    let refined = Traits {
        reservations,
        ..Traits::plain()
    };
    let expected = "disk(reservations: [(STATIC,a),(DYNAMIC,a/b,ops,{k:v})]):1";
    assert_eq!(disk(&refined, 1).to_string(), expected);
    let revocable = Traits {
        revocable: true,
        ..Traits::plain()
    };
    assert_eq!(disk(&revocable, 1).to_string(), "disk{REV}:1");
}
