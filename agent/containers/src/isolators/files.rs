//! `filesystem/linux`: a `/dev` and `/sys` of its own, nothing to change the kernel by, and a root
//! of its own if the task has one.

use std::path::{Path, PathBuf};

use super::{Isolate, Machine, Preparation, namespaces::mount};
use crate::{
    LaunchError, RootSpec,
    init::wire::{DevicePlan, MountPlan, RootBase, RootPlan, VolumePlan},
    limits::MAX_LAYERS,
    networks,
};

/// Where a task in a root of its own finds its sandbox (Mesos' default).
pub(crate) const SANDBOX_IN_ROOT: &str = "/mnt/mesos/sandbox";

/// What would tell of the host, or of other containers.
const MASKED: [&str; 14] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// What would change the host. `/sys` as a whole is read-only.
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// The devices that every program expects: name, major and minor number.
pub(super) const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

const LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];

pub(super) struct Files;

impl Isolate for Files {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_capability("SYS_ADMIN")
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        let plan = &mut container.plan;
        let own = [
            read_only(mount("sysfs", "/sys", String::new(), false)),
            with_devices(mount(
                "tmpfs",
                "/dev",
                "mode=755,size=64m".to_owned(),
                false,
            )),
            terminals(),
        ];
        // What lies in `/dev` comes after it.
        let below = |mount: &MountPlan| mount.target.starts_with("/dev");
        let at = plan.mounts.iter().position(below);
        let at = at.unwrap_or(plan.mounts.len());
        for mount in &mut plan.mounts[at..] {
            mount.optional = false;
        }
        plan.mounts.splice(at..at, own);
        if let Some(view) = &mut plan.cgroups {
            view.fresh = true;
        }
        plan.devices = DEVICES.map(device).into();
        plan.devices.append(&mut plan.more_devices);
        plan.links = LINKS.map(|(path, to)| (path.into(), to.into())).into();
        plan.masked = MASKED.map(PathBuf::from).into();
        plan.read_only = READ_ONLY.map(PathBuf::from).into();
        match &container.spec.root {
            Some(root) => own_root(container, root),
            None => Ok(()),
        }
    }
}

fn read_only(mount: MountPlan) -> MountPlan {
    MountPlan {
        read_only: true,
        ..mount
    }
}

fn with_devices(mount: MountPlan) -> MountPlan {
    MountPlan {
        devices: true,
        ..mount
    }
}

/// Terminals of its own, which nobody outside sees.
fn terminals() -> MountPlan {
    let options = "newinstance,ptmxmode=0666,mode=0620";
    with_devices(mount("devpts", "/dev/pts", options.to_owned(), false))
}

fn device((name, major, minor): (&str, u32, u32)) -> DevicePlan {
    DevicePlan {
        path: Path::new("/dev").join(name),
        block: false,
        major,
        minor,
        mode: 0o666,
    }
}

fn own_root(container: &mut Preparation<'_>, root: &RootSpec) -> Result<(), LaunchError> {
    let base = base(root)?;
    if !container.plan.own_processes {
        let message = "a root of its own needs namespaces/pid in --isolation, for its /proc";
        return Err(LaunchError::Invalid(message.to_owned()));
    }
    let folder = container.folder;
    let at = folder.root_path();
    let record = |path: &Path, written: std::io::Result<()>| {
        written.map_err(|source| LaunchError::Record {
            path: path.to_owned(),
            source,
        })
    };
    record(&at, std::fs::create_dir(&at))?;
    let hostname = container.spec.hostname.as_deref();
    networks::write_files(folder, hostname, &[], &networks::Resolvers::default())?;
    for name in networks::FILES {
        let source = folder.path().join(name);
        let target = Path::new("/etc").join(name);
        container.plan.volumes.insert(
            0,
            VolumePlan {
                base: None,
                source,
                target,
                read_only: false,
                links: false,
                make: true,
                mapped: false,
                layers: None,
            },
        );
    }
    container.plan.root = Some(RootPlan {
        base,
        at,
        sandbox: SANDBOX_IN_ROOT.into(),
    });
    Ok(())
}

/// Checks what the root is to be made of.
fn base(root: &RootSpec) -> Result<RootBase, LaunchError> {
    let invalid = |message: String| Err(LaunchError::Invalid(message));
    match root {
        RootSpec::Folder { path, read_only } => {
            if !path.is_absolute() {
                return invalid(format!("the root {} is no absolute path", path.display()));
            }
            Ok(RootBase::Folder {
                path: path.clone(),
                read_only: *read_only,
            })
        }
        RootSpec::Layers { lower, upper, work } => {
            if lower.is_empty() || lower.len() > MAX_LAYERS {
                let count = lower.len();
                return invalid(format!(
                    "a root has 1 to {MAX_LAYERS} layers, and not {count}"
                ));
            }
            Ok(RootBase::Layers {
                lower: lower.clone(),
                upper: upper.clone(),
                work: work.clone(),
            })
        }
    }
}
