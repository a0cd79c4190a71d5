//! Where volumes lie, and how tasks see them.

use std::sync::Arc;

use tepui_model::{
    Labels, Quantity, Reservation, Role, Value,
    resources::{DiskSource, DiskTraits, Persistence, Volume},
};

use super::*;

/// A volume named `v` of that role, on a disk of that kind and place.
pub(crate) fn volume(role: &str, disk: Option<(DiskKind, &str)>, path: &str) -> Resources {
    let source = disk.map(|(kind, root)| DiskSource {
        kind,
        root: Some(Arc::from(root)),
        vendor: None,
        id: None,
        metadata: Labels::new(),
        profile: None,
    });
    let traits = Traits {
        reservations: vec![Reservation::fixed(Role::new(role).unwrap())],
        disk: Some(DiskTraits {
            persistence: Some(Persistence {
                id: Arc::from("v"),
                principal: None,
            }),
            volume: Some(Volume {
                container_path: Arc::from(path),
                host_path: None,
                mode: VolumeMode::ReadWrite,
            }),
            source,
        }),
        ..Traits::plain()
    };
    Resources::from_item(&traits, "disk", &Value::Scalar(Quantity::from_units(64)))
}

fn folder(volume: &Resources) -> PathBuf {
    let places = places(Path::new("/var/lib/tepui"), volume).unwrap();
    places[0].folder.clone()
}

#[test]
fn a_volume_lies_where_mesos_has_it() {
    let path = |text: &str| PathBuf::from(text);
    let own = folder(&volume("eng/web", None, "data"));
    assert_eq!(own, path("/var/lib/tepui/volumes/roles/eng web/v"));
    let on_path = volume("a", Some((DiskKind::Path, "/disks/1")), "data");
    assert_eq!(folder(&on_path), path("/disks/1/volumes/roles/a/v"));
    let relative = volume("a", Some((DiskKind::Path, "disks/1")), "data");
    assert_eq!(
        folder(&relative),
        path("/var/lib/tepui/disks/1/volumes/roles/a/v")
    );
    let mounted = volume("a", Some((DiskKind::Mount, "/disks/2")), "data");
    assert_eq!(folder(&mounted), path("/disks/2"));
    assert!(places(Path::new("/var/lib/tepui"), &mounted).unwrap()[0].whole_disk);
    let block = volume("a", Some((DiskKind::Block, "/dev/sdb")), "data");
    assert!(places(Path::new("/var/lib/tepui"), &block).is_err());
    let plain: Resources = "cpus:1;disk:64;disk(a):64".parse().unwrap();
    assert_eq!(places(Path::new("/var/lib/tepui"), &plain), Ok(Vec::new()));
}

#[test]
fn a_path_inside_never_leads_out() {
    let mounted = |path| mounts(Path::new("/var/lib/tepui"), &volume("a", None, path));
    for path in ["data", "deep/data", "/mnt/data", "./data"] {
        assert_eq!(mounted(path).unwrap()[0].container_path, Path::new(path));
    }
    for path in ["", ".", "/", "..", "../up", "deep/../../up", "/mnt/.."] {
        assert!(mounted(path).is_err(), "{path}");
    }
}
