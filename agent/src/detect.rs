//! What this machine has to give, where the operator does not say (Mesos: AGT-02).

use std::{fs, io, num::NonZero, path::Path, thread};

use nix::sys::statvfs::statvfs;
use tepui_model::{Quantity, Resources, Role, Traits};
use tepui_proto::{decode, v1};

use crate::Error;

/// The ports that tasks may listen on (Mesos: PRT-01).
const PORTS: &str = "[31000-32000]";

const GIGABYTE: u64 = 1024;

/// The operator's resources, completed by what is found of the kinds that they do not mention.
/// What names no role is reserved to `role` (Mesos: RES-01). With no count of GPUs, none are looked
/// for.
pub(crate) fn resources(
    given: &str,
    role: &Role,
    work_dir: &Path,
    gpus: Option<usize>,
) -> Result<Resources, Error> {
    let refused = |error: &dyn std::fmt::Display| Error::Option {
        flag: "resources",
        problem: format!("'{given}' cannot be read: {error}"),
    };
    let is_json = given.trim_start().starts_with('[');
    let mut resources = if is_json {
        from_json(given, role).map_err(|error| refused(&error))?
    } else {
        Resources::parse(given, role).map_err(|error| refused(&error))?
    };
    let named = resources.clone();
    let mentions = |name: &str| {
        let mut all = named.bundles();
        all.any(|(_, amounts, _)| amounts.iter().any(|(other, _)| other == name))
            // Even a kind given as nothing is given.
            || !is_json && given.split(';').any(|item| is_of(item, name))
    };
    for (name, found) in [
        ("cpus", cpus as Find),
        ("mem", memory),
        ("disk", disk),
        ("ports", ports),
    ] {
        if !mentions(name) {
            let text = format!("{name}:{}", found(work_dir)?);
            resources += &Resources::parse(&text, role).map_err(|error| refused(&error))?;
        }
    }
    let Some(gpus) = gpus else {
        return Ok(resources);
    };
    if !mentions("gpus") && gpus > 0 {
        let text = format!("gpus:{gpus}");
        resources += &Resources::parse(&text, role).map_err(|error| refused(&error))?;
    } else if resources.gpus() > Quantity::from_units(i64::try_from(gpus).unwrap_or(i64::MAX)) {
        let problem = format!("'{given}' has more GPUs than the {gpus} that there are");
        let flag = "resources";
        return Err(Error::Option { flag, problem });
    }
    Ok(resources)
}

/// Mesos' JSON: a list of resources, with disks that the text form cannot say (Mesos: VOL-06).
fn from_json(given: &str, role: &Role) -> Result<Resources, String> {
    // A message that has nothing else which must be set.
    let list = format!("{{\"resources\":{given}}}");
    let list: v1::Request = decode::json(list.as_bytes()).map_err(|error| error.to_string())?;
    let resources = Resources::try_from(list.resources.as_slice());
    let resources = resources.map_err(|error| error.to_string())?;
    if !resources.checkpointed().is_empty() {
        let problem = "volumes and dynamic reservations are made while the agent runs";
        return Err(problem.to_owned());
    }
    let own = Traits::reserved(role.clone()).reservations;
    Ok(resources.with_traits(|traits| Traits {
        reservations: if traits.reservations.is_empty() && !traits.revocable {
            own.clone()
        } else {
            traits.reservations.clone()
        },
        ..traits.clone()
    }))
}

type Find = fn(&Path) -> Result<String, Error>;

/// Whether an item of the text form, `name:value` or `name(role):value`, is of that name.
fn is_of(item: &str, name: &str) -> bool {
    let end = item.find([':', '(']).unwrap_or(item.len());
    item[..end].trim() == name
}

/// The processors that this process may use: what affinity and cgroups leave of them.
fn cpus(_: &Path) -> Result<String, Error> {
    let count = thread::available_parallelism().map_or(1, NonZero::get);
    Ok(count.to_string())
}

/// Megabytes of memory, with headroom for the agent and the system: a gigabyte, or half of little.
fn memory(_: &Path) -> Result<String, Error> {
    let detect = |source| Error::Detect {
        what: "how much memory there is",
        flag: "resources",
        source,
    };
    let text = fs::read_to_string("/proc/meminfo").map_err(detect)?;
    let missing = || detect(io::Error::other("/proc/meminfo has no MemTotal"));
    let total = total_megabytes(&text).ok_or_else(missing)?;
    let total = total.min(own_limit_megabytes().unwrap_or(u64::MAX));
    Ok(if total > 2 * GIGABYTE {
        total - GIGABYTE
    } else {
        (total / 2).max(1)
    }
    .to_string())
}

fn total_megabytes(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024)
}

/// The memory limit that this process itself lives under, when it is in a container.
fn own_limit_megabytes() -> Option<u64> {
    let files = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let limits = files
        .into_iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    limits
        .filter_map(|limit| limit.trim().parse::<u64>().ok())
        .map(|bytes| bytes >> 20)
        .min()
}

/// Megabytes of the work dir's file system, with five gigabytes of headroom, or half of little.
fn disk(work_dir: &Path) -> Result<String, Error> {
    let status = statvfs(work_dir).map_err(|errno| Error::Detect {
        what: "the size of the work dir's file system",
        flag: "resources",
        source: errno.into(),
    })?;
    let bytes = u128::from(status.blocks()) * u128::from(status.fragment_size());
    let total = u64::try_from(bytes >> 20).unwrap_or(u64::MAX);
    Ok(if total > 10 * GIGABYTE {
        total - 5 * GIGABYTE
    } else {
        (total / 2).max(1)
    }
    .to_string())
}

fn ports(_: &Path) -> Result<String, Error> {
    Ok(PORTS.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(given: &str) -> Resources {
        resources(given, &Role::default(), Path::new("/"), None).unwrap()
    }

    #[test]
    fn what_is_given_is_kept_and_the_rest_is_found() {
        let given = "cpus:4;mem:8192;disk:10240;ports:[31000-32000]";
        assert_eq!(detected(given).to_string(), given);
        let found = detected("");
        assert!(found.cpus() >= Quantity::from_units(1));
        assert!(found.memory().is_positive() && found.disk().is_positive());
        assert_eq!(found.ports().len(), 1001);
        let reserved = detected("cpus(prod):2;gpus:1");
        assert_eq!(reserved.cpus(), Quantity::from_units(2));
        assert_eq!(reserved.gpus(), Quantity::from_units(1));
        assert!(reserved.memory().is_positive());
    }

    #[test]
    fn what_names_no_role_is_reserved_to_the_default_one() {
        let (given, role) = ("cpus:4;mem(db):64", Role::new("web").unwrap());
        let found = resources(given, &role, Path::new("/"), None).unwrap();
        assert_eq!(found.reserved_to(&role).cpus(), Quantity::from_units(4));
        assert_eq!(found.reserved_to(&role).ports().len(), 1001);
        assert_eq!(found.reserved_to(&role).memory(), Quantity::ZERO);
        assert!(found.unreserved().is_empty());
    }

    #[test]
    fn disks_with_a_path_or_a_mount_are_given_as_json() {
        let disk = r#"[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 2}},
            {"name": "disk", "type": "SCALAR", "scalar": {"value": 64}, "role": "db",
             "disk": {"source": {"type": "MOUNT", "mount": {"root": "/mnt/a"}}}}]"#;
        let role = Role::new("web").unwrap();
        let found = resources(disk, &role, Path::new("/"), None).unwrap();
        assert_eq!(found.reserved_to(&role).cpus(), Quantity::from_units(2));
        assert_eq!(
            found.disk(),
            Quantity::from_units(64),
            "no other disk is found"
        );
        let db = found.reserved_to(&Role::new("db").unwrap());
        assert_eq!(db.to_string(), "disk(db)[MOUNT:/mnt/a]:64");
        assert!(found.memory().is_positive());
        let volume = r#"[{"name": "disk", "type": "SCALAR", "scalar": {"value": 64}, "role": "db",
            "disk": {"persistence": {"id": "v"},
                     "volume": {"container_path": "v", "mode": "RW"}}}]"#;
        for (refused, why) in [(volume, "while the agent runs"), ("[{]", "cannot be read")] {
            let error = resources(refused, &role, Path::new("/"), None).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn malformed_resources_are_refused_with_the_flag() {
        for given in ["cpus", "cpus:x", "ports:[5-1]", "cpus:-1;mem:1"] {
            let error = resources(given, &Role::default(), Path::new("/"), None);
            let error = error.unwrap_err().to_string();
            assert!(
                error.starts_with("--resources") && error.contains(given),
                "{error}"
            );
        }
    }

    #[test]
    fn memory_is_read_in_megabytes() {
        assert_eq!(
            total_megabytes("MemTotal:       24552864 kB\nMemFree: 1 kB\n"),
            Some(23977)
        );
        assert_eq!(total_megabytes("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn gpus_are_counted_where_they_can_be_given_and_never_more_than_there_are() {
        let with = |given, gpus| resources(given, &Role::default(), Path::new("/"), Some(gpus));
        let found = with("cpus:1", 2).unwrap();
        assert_eq!(found.gpus(), Quantity::from_units(2));
        assert_eq!(with("gpus:1", 2).unwrap().gpus(), Quantity::from_units(1));
        assert!(with("cpus:1", 0).unwrap().gpus().is_zero());
        assert!(detected("cpus:1").gpus().is_zero());
        let error = with("gpus:3", 2).unwrap_err().to_string();
        assert!(error.contains("more GPUs than the 2"), "{error}");
    }
}
