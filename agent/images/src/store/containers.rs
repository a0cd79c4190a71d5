//! What containers have of the store: layers that all share, and a folder of their own for
//! changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tepui_model::ContainerId;

use super::{Pins, Store, files};
use crate::{Digest, Error};

/// What a container uses, as it is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Uses {
    layers: Vec<Digest>,
}

/// What a container's root is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The layers, the topmost first.
    pub lower: Vec<PathBuf>,
    /// Where changes go.
    pub upper: PathBuf,
    /// What an overlay needs besides.
    pub work: PathBuf,
}

impl Store {
    /// Makes the folders of a container, which uses these layers until it is released.
    pub(crate) fn provide(&self, container: &ContainerId, pins: &Pins) -> Result<Root, Error> {
        let path = self.path("containers", container.as_str());
        // What an earlier attempt to start it left.
        self.discard(&path)?;
        let unfinished = self.unfinished()?;
        let lower = self.trees(pins);
        for name in ["upper", "work"] {
            let folder = unfinished.path().join(name);
            fs::create_dir(&folder).map_err(Error::store("make", &folder))?;
        }
        // What is seen of a root is its uppermost folder's own permissions.
        if let Some(top) = lower.first() {
            resemble(&unfinished.path().join("upper"), top)?;
        }
        let uses = Uses {
            layers: pins.layers.clone(),
        };
        files::write(&unfinished.path().join("uses.json"), &uses)?;
        unfinished.finish(&path)?;
        let used = uses.layers.into_iter().collect();
        self.state().containers.insert(container.clone(), used);
        Ok(Root {
            lower,
            upper: path.join("upper"),
            work: path.join("work"),
        })
    }

    /// Makes folders for volumes of a container, which uses these layers besides until it is
    /// released. Without a root of its own it has nothing here yet.
    pub(crate) fn provide_volumes(
        &self,
        container: &ContainerId,
        has_root: bool,
        volumes: &[&Pins],
    ) -> Result<Vec<Root>, Error> {
        let path = self.path("containers", container.as_str());
        let uses = path.join("uses.json");
        let mut layers = match files::read::<Uses>(&uses) {
            Some(known) if has_root => known.layers,
            _ => Vec::new(),
        };
        layers.extend(volumes.iter().flat_map(|pins| pins.layers.iter().cloned()));
        let all = Uses { layers };
        if has_root {
            files::replace(&uses, &all)?;
        } else {
            // What an earlier attempt to start it left.
            self.discard(&path)?;
            let unfinished = self.unfinished()?;
            files::write(&unfinished.path().join("uses.json"), &all)?;
            unfinished.finish(&path)?;
        }
        let used = all.layers.into_iter().collect();
        self.state().containers.insert(container.clone(), used);
        let volumes = volumes.iter().enumerate();
        volumes
            .map(|(number, pins)| {
                let own = path.join(format!("volume-{number}"));
                let root = Root {
                    lower: self.trees(pins),
                    upper: own.join("upper"),
                    work: own.join("work"),
                };
                for folder in [&own, &root.upper, &root.work] {
                    fs::create_dir(folder).map_err(Error::store("make", folder))?;
                }
                if let Some(top) = root.lower.first() {
                    resemble(&root.upper, top)?;
                }
                Ok(root)
            })
            .collect()
    }

    /// Where the layers are, the topmost first.
    pub(crate) fn trees(&self, pins: &Pins) -> Vec<PathBuf> {
        pins.layers
            .iter()
            .rev()
            .map(|it| self.layer_path(it))
            .collect()
    }

    /// Removes what a container has, if it has anything.
    pub(crate) fn release(&self, container: &ContainerId) -> Result<(), Error> {
        self.discard(&self.path("containers", container.as_str()))?;
        self.state().containers.remove(container);
        Ok(())
    }

    /// Releases all containers but these.
    pub(crate) fn retain(&self, containers: &BTreeSet<ContainerId>) -> Result<(), Error> {
        let known: Vec<_> = self.state().containers.keys().cloned().collect();
        let gone = known
            .iter()
            .filter(|container| !containers.contains(*container));
        gone.into_iter()
            .try_for_each(|container| self.release(container))
    }

    /// Takes a folder away: first its name, then what is in it.
    pub(super) fn discard(&self, path: &Path) -> Result<(), Error> {
        if fs::symlink_metadata(path).is_err() {
            return Ok(());
        }
        let unfinished = self.unfinished()?;
        let aside = unfinished.path().join("removed");
        fs::rename(path, &aside).map_err(Error::store("remove", path))
    }
}

/// What is written down about containers. One that nothing can be read of has nothing.
pub(super) fn read(
    folder: &Path,
    broken: impl Fn(&Path) -> Result<(), Error>,
) -> Result<BTreeMap<ContainerId, BTreeSet<Digest>>, Error> {
    let mut containers = BTreeMap::new();
    for name in files::names(folder)? {
        let path = folder.join(&name);
        let uses = files::read::<Uses>(&path.join("uses.json"));
        match (ContainerId::new(&name), uses) {
            (Ok(id), Some(uses)) => drop(containers.insert(id, uses.layers.into_iter().collect())),
            _ => broken(&path)?,
        }
    }
    Ok(containers)
}

/// Gives a folder the owner and the permissions of another.
fn resemble(folder: &Path, other: &Path) -> Result<(), Error> {
    let set = fs::symlink_metadata(other).and_then(|there| {
        let mode = fs::Permissions::from_mode(there.mode() & 0o7777);
        // Without root there is one owner.
        let _ = chown(folder, Some(there.uid()), Some(there.gid()));
        fs::set_permissions(folder, mode)
    });
    set.map_err(Error::store("prepare", folder))
}
