//! What a container sees of files: its root, what is mounted there, and what is kept from it.
//!
//! Until the end of it, the init has the host's root: what is shown inside is copied from there
//! first, before a mount can hide it, and every place inside is looked up beneath the container's
//! root.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use tepui_sys::{Device, Kernel, Mount, Place};

use super::wire::{CgroupView, Failure, MountPlan, Plan, RootBase, SecretPlan, VolumePlan};

/// Where a container has its device files.
const DEVICES: &str = "/dev";

/// Where a container has the memory that its processes share.
const SHARED_MEMORY: &str = "/dev/shm";

/// A part of the host's files, copied to be shown inside.
struct Copied {
    mounts: OwnedFd,
    plan: VolumePlan,
}

/// Builds the file system, and makes the container's root the root. With users of its own, these
/// are who it is built for.
pub(super) fn build(
    kernel: &impl Kernel,
    plan: &Plan,
    users: Option<BorrowedFd<'_>>,
) -> Result<(), Failure> {
    kernel
        .detach_mounts()
        .map_err(Failure::step("detach the mounts from the host's"))?;
    let Some(of) = &plan.users else {
        return build_as(kernel, plan, None);
    };
    // What is made inside belongs to the container's root: nobody else could make it where owners
    // are others than on the disk.
    let step = || Failure::step("make files as the container's root");
    kernel.act_as(of.start).map_err(step())?;
    build_as(kernel, plan, users)?;
    kernel.act_as(0).map_err(step())
}

fn build_as(
    kernel: &impl Kernel,
    plan: &Plan,
    users: Option<BorrowedFd<'_>>,
) -> Result<(), Failure> {
    let root = make_root(kernel, plan, users)?;
    // What a container has of devices is in its own `/dev`.
    if !plan.devices.is_empty() {
        kernel
            .forbid_devices(root.as_fd())
            .map_err(Failure::step("forbid devices outside of /dev"))?;
    }
    // What another container has, while this process can still find it.
    let shared_memory = plan.shared_memory_of.map(|(process, started)| {
        let copied = kernel.copy_mounts_of(process, started, Path::new(SHARED_MEMORY));
        copied.map_err(Failure::step("share the memory of the container around"))
    });
    let shared_memory = shared_memory.transpose()?;
    let groups = copy_groups(kernel, plan)?;
    let volumes = copy_volumes(kernel, plan, users)?;
    let secrets = hold_secrets(kernel, plan)?;
    uncover_groups(kernel, plan)?;
    for wanted in &plan.mounts {
        mount(kernel, root.as_fd(), wanted)?;
    }
    if let Some(mounts) = &shared_memory {
        let step = Failure::step("show the memory of the container around");
        let place = strict(root.as_fd(), Path::new(SHARED_MEMORY));
        kernel.show(mounts.as_fd(), &place, false).map_err(step)?;
    }
    make_devices(kernel, root.as_fd(), plan)?;
    if let Some(view) = &plan.cgroups {
        show_groups(kernel, root.as_fd(), view, &groups)?;
    }
    for volume in &volumes {
        show(kernel, root.as_fd(), volume)?;
    }
    for (secret, mounts) in plan.secrets.iter().zip(&secrets) {
        show_secret(kernel, root.as_fd(), secret, mounts)?;
    }
    make_folders(kernel, root.as_fd(), plan)?;
    forbid(kernel, root.as_fd(), plan)?;
    if plan.root.is_some() {
        kernel
            .enter_root(root.as_fd())
            .map_err(Failure::step("enter the container's root"))?;
    }
    Ok(())
}

/// Puts the root together where the host has a folder for it. Without one, it is the host's.
fn make_root(
    kernel: &impl Kernel,
    plan: &Plan,
    users: Option<BorrowedFd<'_>>,
) -> Result<OwnedFd, Failure> {
    let Some(root) = &plan.root else {
        return kernel
            .open_root(Path::new("/"))
            .map_err(Failure::step("open the root"));
    };
    let made = match (&root.base, root.base.layers()) {
        (RootBase::Folder { path, read_only }, _) => {
            let folder = copy(kernel, of_task(path, &root.at), users)?;
            kernel.mount_folder(folder.mounts.as_fd(), &root.at, *read_only)
        }
        (RootBase::Layers { .. }, Some(layers)) => kernel.mount_layers(&layers, &root.at, users),
        (RootBase::Layers { .. }, None) => Ok(()),
    };
    made.map_err(Failure::step("mount the container's root"))?;
    kernel
        .open_root(&root.at)
        .map_err(Failure::step("open the container's root"))
}

fn copy_groups(kernel: &impl Kernel, plan: &Plan) -> Result<Vec<Copied>, Failure> {
    let binds = plan.cgroups.iter().flat_map(|view| &view.binds);
    binds
        .map(|(group, target)| copy(kernel, of_ours(group, target, true), None))
        .collect()
}

/// Takes the host's cgroups away before the container's own are shown in their place. Beneath these
/// they would be out of reach, but in the table of mounts still, by which Java finds its limits.
fn uncover_groups(kernel: &impl Kernel, plan: &Plan) -> Result<(), Failure> {
    match &plan.cgroups {
        Some(view) if view.fresh && plan.root.is_none() => kernel
            .take_off(&view.folder)
            .map_err(Failure::step("take the host's cgroups away")),
        _ => Ok(()),
    }
}

fn copy_volumes(
    kernel: &impl Kernel,
    plan: &Plan,
    users: Option<BorrowedFd<'_>>,
) -> Result<Vec<Copied>, Failure> {
    // Volumes may lie in the sandbox.
    let sandbox = match (&plan.root, users) {
        (Some(root), _) => Some(of_task(&plan.sandbox, &root.sandbox)),
        // It is where it is, and yet belongs to others.
        (None, Some(_)) => Some(VolumePlan {
            links: true,
            make: false,
            ..of_task(&plan.sandbox, &plan.sandbox)
        }),
        (None, None) => None,
    };
    let volumes = sandbox.into_iter().chain(plan.volumes.iter().cloned());
    volumes.map(|volume| copy(kernel, volume, users)).collect()
}

/// What is shown of the task's, where an image must not have put a link.
fn of_task(source: &Path, target: &Path) -> VolumePlan {
    VolumePlan {
        mapped: true,
        ..of_ours(source, target, false)
    }
}

/// What is shown of ours, where an image must not have put a link.
fn of_ours(source: &Path, target: &Path, read_only: bool) -> VolumePlan {
    VolumePlan {
        base: None,
        source: source.to_owned(),
        target: target.to_owned(),
        read_only,
        links: false,
        make: true,
        mapped: false,
        layers: None,
    }
}

fn copy(
    kernel: &impl Kernel,
    plan: VolumePlan,
    users: Option<BorrowedFd<'_>>,
) -> Result<Copied, Failure> {
    let source = plan.base.as_ref().map(|base| base.join(&plan.source));
    let shown = source.as_ref().unwrap_or(&plan.source).display();
    if let Some(layers) = &plan.layers {
        let step = Failure::step(format!("lay the layers of {}", plan.target.display()));
        let laid = kernel.mount_layers(&layers.into(), &plan.source, users);
        laid.map_err(step)?;
    }
    let mounts = kernel
        .copy_mounts(plan.base.as_deref(), &plan.source)
        .map_err(Failure::step(format!("use {shown}")))?;
    if let Some(users) = users.filter(|_| plan.mapped) {
        let step = Failure::step(format!(
            "show {shown} to users of the container's own (its file system must have id-mapped \
             mounts)"
        ));
        kernel.map_users(mounts.as_fd(), users).map_err(step)?;
    }
    if plan.layers.is_some() {
        // It is seen where it is wanted, and nowhere else.
        let step = Failure::step(format!("take {shown} off"));
        kernel.take_off(&plan.source).map_err(step)?;
    }
    Ok(Copied { mounts, plan })
}

fn show(kernel: &impl Kernel, root: BorrowedFd<'_>, copied: &Copied) -> Result<(), Failure> {
    let VolumePlan {
        source,
        target,
        read_only,
        links,
        make,
        ..
    } = &copied.plan;
    let place = Place {
        root,
        path: target,
        links: *links,
        make: *make,
    };
    let (source, target) = (source.display(), target.display());
    kernel
        .show(copied.mounts.as_fd(), &place, *read_only)
        .map_err(Failure::step(format!("show {source} at {target}")))
}

/// Puts the secrets into memory that only this process knows the way to.
fn hold_secrets(kernel: &impl Kernel, plan: &Plan) -> Result<Vec<OwnedFd>, Failure> {
    let Some(at) = &plan.secrets_at else {
        return Ok(Vec::new());
    };
    let secrets: Vec<_> = plan
        .secrets
        .iter()
        .map(|it| it.content.as_slice())
        .collect();
    let owner = plan.user_outside();
    kernel
        .hold_secrets(at, &secrets, owner.as_ref())
        .map_err(Failure::step("keep secrets in memory"))
}

fn show_secret(
    kernel: &impl Kernel,
    root: BorrowedFd<'_>,
    secret: &SecretPlan,
    mounts: &OwnedFd,
) -> Result<(), Failure> {
    let SecretPlan { target, make, .. } = secret;
    let place = Place {
        root,
        path: target,
        links: true,
        make: *make,
    };
    let step = Failure::step(format!("show a secret at {}", target.display()));
    kernel.show(mounts.as_fd(), &place, true).map_err(step)
}

fn mount(kernel: &impl Kernel, root: BorrowedFd<'_>, plan: &MountPlan) -> Result<(), Failure> {
    if plan.optional && !kernel.is_folder(&strict(root, &plan.target)) {
        return Ok(());
    }
    let mount = Mount::from(plan);
    kernel
        .mount(root, &mount)
        .map_err(|error| Failure::step(format!("mount {mount}"))(error))
}

fn make_devices(kernel: &impl Kernel, root: BorrowedFd<'_>, plan: &Plan) -> Result<(), Failure> {
    for device in &plan.devices {
        let step = Failure::step(format!("make the device {}", device.path.display()));
        kernel
            .make_device(root, &Device::from(device))
            .map_err(step)?;
    }
    for (path, to) in &plan.links {
        let step = Failure::step(format!("make the link {}", path.display()));
        kernel.make_link(root, path, to).map_err(step)?;
    }
    if plan.devices.is_empty() {
        return Ok(());
    }
    let kept: Vec<_> = plan.devices.iter().map(|it| it.path.as_path()).collect();
    kernel
        .seal_devices(root, Path::new(DEVICES), &kept)
        .map_err(Failure::step("forbid other devices in /dev"))
}

fn show_groups(
    kernel: &impl Kernel,
    root: BorrowedFd<'_>,
    view: &CgroupView,
    groups: &[Copied],
) -> Result<(), Failure> {
    // Of v2 there is one group, at the folder itself.
    if view.fresh && groups.iter().any(|group| group.plan.target != view.folder) {
        let folder = MountPlan {
            kind: "tmpfs".to_owned(),
            target: view.folder.clone(),
            options: "mode=755,size=64k".to_owned(),
            devices: false,
            read_only: false,
            optional: false,
        };
        mount(kernel, root, &folder)?;
    }
    for group in groups {
        show(kernel, root, group)?;
    }
    protect(kernel, root, &view.folder)
}

/// Makes what an image says that is there, and is not.
fn make_folders(kernel: &impl Kernel, root: BorrowedFd<'_>, plan: &Plan) -> Result<(), Failure> {
    for path in &plan.folders {
        let place = Place {
            root,
            path,
            links: true,
            make: true,
        };
        let step = Failure::step(format!("make the folder {}", path.display()));
        kernel.make_folder(&place).map_err(step)?;
    }
    Ok(())
}

/// Hides what would tell of the host, or let it be changed.
fn forbid(kernel: &impl Kernel, root: BorrowedFd<'_>, plan: &Plan) -> Result<(), Failure> {
    for path in &plan.read_only {
        protect(kernel, root, path)?;
    }
    for path in &plan.masked {
        let step = Failure::step(format!("hide {}", path.display()));
        kernel.mask(&strict(root, path)).map_err(step)?;
    }
    Ok(())
}

fn protect(kernel: &impl Kernel, root: BorrowedFd<'_>, path: &Path) -> Result<(), Failure> {
    let step = Failure::step(format!("make {} read-only", path.display()));
    kernel.protect(&strict(root, path)).map_err(step)
}

/// A place of ours, where an image must not have put a link.
fn strict<'a>(root: BorrowedFd<'a>, path: &'a Path) -> Place<'a> {
    Place {
        root,
        path,
        links: false,
        make: true,
    }
}
