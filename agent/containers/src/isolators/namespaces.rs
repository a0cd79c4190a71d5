//! `namespaces/...`: mounts, processes, interprocess communication, host name and cgroups of its
//! own.
//!
//! The launcher makes the namespaces in one system call; here is what has to be done inside them.

use super::{Isolate, Machine, Preparation};
use crate::{Communication, Isolator, LaunchError, init::wire::MountPlan, isolators::hard_limit};

pub(super) struct Namespace {
    isolator: Isolator,
    /// Its name below `/proc/self/ns`.
    file: &'static str,
    prepare: fn(&mut Preparation<'_>),
}

pub(super) static MOUNT: Namespace = Namespace {
    isolator: Isolator::MountNamespace,
    file: "mnt",
    prepare: |container| container.plan.own_mounts = true,
};

pub(super) static PID: Namespace = Namespace {
    isolator: Isolator::PidNamespace,
    file: "pid",
    prepare: |container| {
        container.plan.own_processes = true;
        container
            .plan
            .mounts
            .push(mount("proc", "/proc", String::new(), false));
    },
};

pub(super) static IPC: Namespace = Namespace {
    isolator: Isolator::IpcNamespace,
    file: "ipc",
    prepare: |container| {
        let parents = container.spec.communication == Communication::Parents;
        match container.parent.filter(|_| parents) {
            Some(parent) => container.plan.shared_memory_of = Some(parent),
            None => shared_memory(container),
        }
        container
            .plan
            .mounts
            .push(mount("mqueue", "/dev/mqueue", String::new(), true));
    },
};

fn shared_memory(container: &mut Preparation<'_>) {
    // It counts as the container's memory, so that is all that need bound it.
    let asked = container.spec.shared_memory.or(container.shared_memory);
    let size = asked
        .unwrap_or_else(|| hard_limit(&container.spec.limits))
        .0;
    let options = format!("mode=1777,size={size}");
    let own = mount("tmpfs", "/dev/shm", options, true);
    container.plan.mounts.push(own);
}

pub(super) static UTS: Namespace = Namespace {
    isolator: Isolator::UtsNamespace,
    file: "uts",
    prepare: |container| container.plan.hostname.clone_from(&container.spec.hostname),
};

pub(super) static CGROUP: Namespace = Namespace {
    isolator: Isolator::CgroupNamespace,
    file: "cgroup",
    prepare: |container| {
        container.plan.cgroups = container.group.map(|group| group.view());
    },
};

pub(super) fn mount(kind: &str, target: &str, options: String, optional: bool) -> MountPlan {
    let (kind, target) = (kind.to_owned(), target.into());
    MountPlan {
        kind,
        target,
        options,
        devices: false,
        read_only: false,
        optional,
    }
}

impl Isolate for Namespace {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_namespace(self.isolator, self.file)
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        (self.prepare)(container);
        Ok(())
    }
}
