//! Volumes: made ready to be bound into the container, or linked where it has no mounts of its own.

use std::{
    fs, io,
    os::{
        fd::AsRawFd as _,
        unix::fs::{MetadataExt as _, chown, symlink},
    },
    path::{Component, Path, PathBuf},
};

use super::step;
use crate::{
    Isolator, LaunchError, Options, Policy, Spec, VolumeKind, VolumeSpec,
    init::wire::{LayersPlan, UserPlan, VolumePlan},
    isolators::SANDBOX_IN_ROOT,
    limits::MAX_LAYERS,
    records::Folder,
};

/// Gets the volumes ready; gives what the container's init is to bind.
pub(super) fn prepare(
    spec: &Spec,
    options: &Options,
    user: Option<&UserPlan>,
) -> Result<Vec<VolumePlan>, LaunchError> {
    let own_mounts = options.isolation.has(Isolator::MountNamespace);
    let mut plans = Vec::new();
    for volume in &spec.volumes {
        let shown = volume.source.display();
        let cannot = |source| step(&format!("use the volume {shown}"), source);
        match volume.kind {
            VolumeKind::Given => give(volume, user).map_err(cannot)?,
            VolumeKind::HostPath => {}
            VolumeKind::SandboxPath => make(&spec.sandbox, volume, user).map_err(cannot)?,
            VolumeKind::ParentPath => {
                make(parent_sandbox(spec)?, volume, user).map_err(cannot)?;
            }
        }
        let in_sandbox = volume.target.is_relative();
        if own_mounts {
            plans.push(plan(spec, &options.policy, volume)?);
        } else if in_sandbox && !volume.read_only && volume.kind == VolumeKind::Given {
            link(&volume.source, &spec.sandbox.join(&volume.target)).map_err(cannot)?;
        } else {
            let message = "a volume that is read-only, of the host, or outside the sandbox needs \
                           namespaces/mnt in --isolation";
            return Err(LaunchError::Invalid(message.to_owned()));
        }
    }
    Ok(plans)
}

fn plan(spec: &Spec, policy: &Policy, volume: &VolumeSpec) -> Result<VolumePlan, LaunchError> {
    let sandbox = match spec.root {
        Some(_) => Path::new(SANDBOX_IN_ROOT),
        None => &spec.sandbox,
    };
    let (base, source) = match volume.kind {
        VolumeKind::Given => (None, volume.source.clone()),
        VolumeKind::HostPath => allowed(&volume.source, &policy.host_paths)?,
        VolumeKind::SandboxPath => (Some(spec.sandbox.clone()), volume.source.clone()),
        VolumeKind::ParentPath => {
            let base = parent_sandbox(spec)?.to_owned();
            (Some(base), volume.source.clone())
        }
    };
    Ok(VolumePlan {
        base,
        source,
        target: sandbox.join(&volume.target),
        read_only: volume.read_only,
        links: true,
        // On the host's root nothing may be made but in the sandbox.
        make: spec.root.is_some() || volume.target.is_relative(),
        mapped: true,
        layers: None,
    })
}

/// Gets the volumes ready that begin as images: each is put together in the record's folder, where
/// nobody but the container's init sees it.
pub(super) fn of_images(
    spec: &Spec,
    options: &Options,
    folder: &Folder,
) -> Result<Vec<VolumePlan>, LaunchError> {
    let invalid = |message: String| Err(LaunchError::Invalid(message));
    if !spec.image_volumes.is_empty() && !options.isolation.has(Isolator::MountNamespace) {
        return invalid("a volume that is an image needs namespaces/mnt in --isolation".to_owned());
    }
    let sandbox = match spec.root {
        Some(_) => Path::new(SANDBOX_IN_ROOT),
        None => &spec.sandbox,
    };
    let mut plans = Vec::new();
    for (number, volume) in spec.image_volumes.iter().enumerate() {
        let count = volume.lower.len();
        if count == 0 || count > MAX_LAYERS {
            return invalid(format!(
                "a volume has 1 to {MAX_LAYERS} layers, and not {count}"
            ));
        }
        let source = folder.volume_path(number);
        let made = fs::create_dir(&source);
        made.map_err(|error| step(&format!("make {}", source.display()), error))?;
        plans.push(VolumePlan {
            base: None,
            source,
            target: sandbox.join(&volume.target),
            read_only: volume.read_only,
            links: true,
            make: spec.root.is_some() || volume.target.is_relative(),
            mapped: false,
            layers: Some(LayersPlan {
                lower: volume.lower.clone(),
                upper: volume.upper.clone(),
                work: volume.work.clone(),
            }),
        });
    }
    Ok(plans)
}

/// The folder that the operator allows, and the path from there (Nomad's CVE-2026-14896: a path is
/// not yet below a folder because it begins with its name).
fn allowed(path: &Path, folders: &[PathBuf]) -> Result<(Option<PathBuf>, PathBuf), LaunchError> {
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    if !path.is_absolute() || !path.components().all(plain) {
        let message = format!(
            "'{}' is no path of the host: it must be absolute",
            path.display()
        );
        return Err(LaunchError::Invalid(message));
    }
    let Some(base) = folders.iter().find(|folder| path.starts_with(folder)) else {
        return Err(LaunchError::Invalid(format!(
            "the task asks for {0} of the host, which this agent does not allow: start it with \
             --allowed-host-paths {0}",
            path.display()
        )));
    };
    match path.strip_prefix(base) {
        Ok(rest) if rest != Path::new("") => Ok((Some(base.clone()), rest.to_owned())),
        _ => Ok((None, base.clone())),
    }
}

fn parent_sandbox(spec: &Spec) -> Result<&Path, LaunchError> {
    let parent = spec.parent.as_ref().map(|parent| parent.sandbox.as_path());
    parent.ok_or_else(|| {
        let message = "a volume of a parent's sandbox needs a parent: the task is in no group";
        LaunchError::Invalid(message.to_owned())
    })
}

/// Makes a folder in a sandbox, which links there cannot lead out of.
fn make(sandbox: &Path, volume: &VolumeSpec, user: Option<&UserPlan>) -> io::Result<()> {
    let plain = |part| matches!(part, Component::Normal(_));
    if !volume.source.components().all(plain) {
        return Err(io::Error::other(
            "it must be a path from the sandbox, without '..'",
        ));
    }
    let folder = tepui_sys::make_beneath(sandbox, &volume.source)?;
    let Some(user) = user else { return Ok(()) };
    // By descriptor: the name may mean something else by now.
    let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
    chown(path, Some(user.uid), Some(user.gid))
}

/// A volume belongs to the user of the task that mounts it; one that others may be using belongs
/// to the first, as in Mesos.
fn give(volume: &VolumeSpec, user: Option<&UserPlan>) -> io::Result<()> {
    let Some(user) = user else { return Ok(()) };
    let owner = fs::symlink_metadata(&volume.source)?.uid();
    if volume.read_only || (volume.shared && owner != 0) || owner == user.uid {
        return Ok(());
    }
    chown(&volume.source, Some(user.uid), Some(user.gid))
}

fn link(source: &Path, target: &Path) -> io::Result<()> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    symlink(source, target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_host_lies_below_an_allowed_folder_and_not_beside_it() {
        let folders = [PathBuf::from("/srv/data"), PathBuf::from("/etc/hosts")];
        let path = |path: &str| allowed(Path::new(path), &folders).ok();
        let below = (Some(PathBuf::from("/srv/data")), PathBuf::from("a/b"));
        assert_eq!(path("/srv/data/a/b"), Some(below));
        assert_eq!(path("/srv/data"), Some((None, "/srv/data".into())));
        assert_eq!(path("/etc/hosts"), Some((None, "/etc/hosts".into())));
        for bad in ["/srv/data2", "/srv", "/", "/srv/data/../x", "srv/data", ""] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
