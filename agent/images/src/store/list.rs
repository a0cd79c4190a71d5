//! What is in the store, for operators.

use std::{cmp::Reverse, collections::BTreeSet, path::Path};

use super::{State, Store, containers, read_images, read_layers};
use crate::{Digest, Error};

/// An image in the store, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, as tasks ask for it.
    pub name: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// How many layers it has.
    pub layers: usize,
    /// How large these are when unpacked. Images may share layers.
    pub bytes: u64,
    /// How many containers use all of it.
    pub containers: usize,
    /// When a task last had it, in seconds since 1970.
    pub used: u64,
    /// The ports that it listens on.
    pub ports: Vec<String>,
}

impl Store {
    /// All images, in the order of their names.
    pub(crate) fn list(&self) -> Vec<Listed> {
        self.state().list()
    }

    /// The names of the images, the one that was used last first.
    pub(crate) fn names(&self) -> Vec<String> {
        let state = self.state();
        let mut images: Vec<_> = state.images.values().collect();
        images.sort_by_key(|image| (Reverse(image.used), &image.name));
        images.into_iter().map(|image| image.name.clone()).collect()
    }

    /// Waits until other images are there, or were used, since this was last waited for.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }
}

/// The images in a store's folder, which an agent may be working in meanwhile.
///
/// # Errors
/// The folder cannot be read.
pub fn list(folder: &Path) -> Result<Vec<Listed>, Error> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let leave = |_: &Path| Ok(());
    let state = State {
        layers: read_layers(&folder.join("layers"), leave)?,
        images: read_images(&folder.join("images"), leave)?,
        containers: containers::read(&folder.join("containers"), leave)?,
        ..State::default()
    };
    Ok(state.list())
}

impl State {
    fn list(&self) -> Vec<Listed> {
        let images = self.images.values();
        let listed = images.map(|image| {
            let layers: BTreeSet<&Digest> = image.layers.iter().collect();
            let has = |used: &&BTreeSet<Digest>| layers.iter().all(|layer| used.contains(*layer));
            Listed {
                name: image.name.clone(),
                digest: image.digest.clone(),
                layers: image.layers.len(),
                containers: self.containers.values().filter(has).count(),
                used: image.used,
                ports: image.run.exposed_ports.clone(),
                bytes: self.bytes(layers),
            }
        });
        listed.collect()
    }
}
