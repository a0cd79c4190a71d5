//! Persistent volumes: where they lie, and how tasks see them (Mesos: VOL-01, VOL-05, VOL-06).

use std::path::{Component, Path, PathBuf};

use tepui_model::{
    Resources, Traits,
    resources::{DiskKind, VolumeMode},
};

/// Where the data of a persistent volume lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumePlace {
    /// The folder that tasks see.
    pub folder: PathBuf,
    /// A folder of the same file system, for what is being removed.
    pub trash: PathBuf,
    /// Whether the volume is a whole mounted disk, of which only what is in it can go.
    pub whole_disk: bool,
}

/// A persistent volume as one task sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeMount {
    /// What the source is a path of.
    pub origin: VolumeOrigin,
    /// The folder or file.
    pub source: PathBuf,
    /// The path in the container: absolute, or from the sandbox.
    pub container_path: PathBuf,
    /// Whether the task may only read it.
    pub read_only: bool,
    /// Whether other tasks may see it at the same time.
    pub shared: bool,
}

/// What the source of a volume is a path of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeOrigin {
    /// A persistent volume of this agent.
    Persistent,
    /// The host, if its operator allows that.
    Host,
    /// The task's own sandbox.
    Sandbox,
    /// The sandbox of the container that its own is inside of.
    Parent,
}

/// Why a volume cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoVolume {
    /// The disk is of a kind that no folder is on.
    #[error("a volume on a {0} disk has no folder")]
    Disk(&'static str),
    /// The path inside leads out of where it begins, or nowhere.
    #[error("the container path '{0}' of a volume must not be empty or contain '..'")]
    Path(String),
}

/// Where the data of the volumes among the resources lies.
pub(crate) fn places(work_dir: &Path, resources: &Resources) -> Result<Vec<VolumePlace>, NoVolume> {
    let traits = resources.bundles().map(|(traits, ..)| traits);
    traits
        .filter_map(|traits| place(work_dir, traits).transpose())
        .collect()
}

/// How a task sees the volumes among its resources.
pub(crate) fn mounts(work_dir: &Path, resources: &Resources) -> Result<Vec<VolumeMount>, NoVolume> {
    let mut mounts = Vec::new();
    for (traits, ..) in resources.bundles() {
        let Some(place) = place(work_dir, traits)? else {
            continue;
        };
        let disk = traits.disk.as_ref();
        let Some(volume) = disk.and_then(|disk| disk.volume.as_ref()) else {
            continue;
        };
        let container_path = PathBuf::from(&*volume.container_path);
        if !is_safe(&container_path) {
            return Err(NoVolume::Path(volume.container_path.to_string()));
        }
        mounts.push(VolumeMount {
            origin: VolumeOrigin::Persistent,
            source: place.folder,
            container_path,
            read_only: volume.mode == VolumeMode::ReadOnly,
            shared: traits.shared,
        });
    }
    Ok(mounts)
}

/// Whether a path names something below where it begins.
pub(crate) fn is_safe(path: &Path) -> bool {
    let named = path
        .components()
        .any(|component| matches!(component, Component::Normal(_)));
    let up = path
        .components()
        .any(|component| component == Component::ParentDir);
    named && !up
}

/// Where Mesos has a volume: under the role, whose slashes cannot be in the name of a folder.
fn place(work_dir: &Path, traits: &Traits) -> Result<Option<VolumePlace>, NoVolume> {
    let (Some(volume), Some(role)) = (traits.persistence(), traits.reservation_role()) else {
        return Ok(None);
    };
    let disk = traits.disk.as_ref();
    let source = disk.and_then(|disk| disk.source.as_ref());
    let root = source.and_then(|source| source.root.as_deref());
    // What is relative is relative to the work dir.
    let root = root.map_or_else(|| work_dir.to_owned(), |root| work_dir.join(root));
    match traits.disk_kind() {
        None | Some(DiskKind::Path) => {
            let base = root.join("volumes");
            let mut folder = base.join("roles");
            folder.push(role.as_str().replace('/', " "));
            folder.push(&*volume.id);
            Ok(Some(VolumePlace {
                folder,
                trash: base.join("trash"),
                whole_disk: false,
            }))
        }
        Some(DiskKind::Mount) => Ok(Some(VolumePlace {
            trash: root.join(".tepui-trash"),
            folder: root,
            whole_disk: true,
        })),
        Some(DiskKind::Block) => Err(NoVolume::Disk("BLOCK")),
        Some(DiskKind::Raw) => Err(NoVolume::Disk("RAW")),
    }
}

#[cfg(test)]
mod tests;
