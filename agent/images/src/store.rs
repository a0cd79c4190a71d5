//! The store: layers by their content, images by name, and what containers have of them.
//!
//! ```text
//! layers/HEX/{tree,layer.json}        a layer, whole, and how large it is
//! images/HEX.json                     an image: its name, its layers, how it is run
//! containers/ID/{uses.json,upper,work} what a container uses, and what it writes
//! unfinished/N                        what is being made, or being removed
//! ```
//!
//! Everything appears under its name by one rename, once it is on the disk, and goes the same way.
//! A layer is used by as many containers as have it in their `uses.json`: so that is known after a
//! crash too, and no counter can be wrong.

mod collect;
mod containers;
mod files;
mod list;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tepui_model::ContainerId;
use tokio::sync::Notify;

use self::files::Unfinished;
pub use self::{
    collect::Pruned,
    containers::Root,
    list::{Listed, list},
};
use crate::{
    Digest, Error,
    config::RunConfig,
    limits::{MAX_IMAGES, MAX_LAYER_BYTES},
    unpack::{Unpacked, unpack, unpack_apart},
};

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    size_limit: u64,
    /// The program that unpacks layers, unless that is done here.
    unpacker: OnceLock<PathBuf>,
    state: Mutex<State>,
    /// Told when other images are there, or were used.
    changed: Notify,
}

/// What is in the store.
#[derive(Debug, Default)]
struct State {
    layers: BTreeMap<Digest, LayerRecord>,
    /// By name.
    images: BTreeMap<String, ImageRecord>,
    containers: BTreeMap<ContainerId, BTreeSet<Digest>>,
    /// Layers that somebody is about to use.
    pins: BTreeMap<Digest, usize>,
    /// The number of the next thing that is being made.
    next: u64,
}

/// What is written down about a layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    bytes: u64,
    entries: u64,
}

/// What is written down about an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ImageRecord {
    /// Its name, as it was asked for.
    pub(crate) name: String,
    /// The digest of its manifest.
    pub(crate) digest: Digest,
    /// The lowest first.
    pub(crate) layers: Vec<Digest>,
    pub(crate) run: RunConfig,
    /// When a task last had it, in seconds since 1970.
    pub(crate) used: u64,
}

/// Layers that stay while this lives.
#[derive(Debug)]
pub(crate) struct Pins {
    store: Store,
    layers: Vec<Digest>,
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut state = self.store.state();
        for layer in &self.layers {
            if let Some(count) = state.pins.get_mut(layer) {
                *count -= 1;
                if *count == 0 {
                    state.pins.remove(layer);
                }
            }
        }
    }
}

impl Store {
    /// Opens a store, and makes it if there is none. What a crash left half is removed.
    pub(crate) fn open(folder: &Path, size_limit: u64) -> Result<Self, Error> {
        files::make_private(folder)?;
        for name in ["layers", "images", "containers", "unfinished"] {
            files::make_private(&folder.join(name))?;
        }
        files::sweep(&folder.join("unfinished"))?;
        let state = State {
            layers: read_layers(&folder.join("layers"), files::remove)?,
            images: read_images(&folder.join("images"), files::remove)?,
            containers: containers::read(&folder.join("containers"), files::remove)?,
            ..State::default()
        };
        Ok(Self(Arc::new(Inner {
            folder: folder.to_owned(),
            size_limit,
            unpacker: OnceLock::new(),
            state: Mutex::new(state),
            changed: Notify::new(),
        })))
    }

    /// Lets a program unpack layers from now on.
    pub(crate) fn unpacking_by(self, program: Option<PathBuf>) -> Self {
        if let Some(program) = program {
            // Said once, when the store is opened.
            let _ = self.0.unpacker.set(program);
        }
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, kind: &str, name: &str) -> PathBuf {
        self.0.folder.join(kind).join(name)
    }

    fn layer_path(&self, layer: &Digest) -> PathBuf {
        self.path("layers", layer.hex()).join("tree")
    }

    fn image_path(&self, name: &str) -> PathBuf {
        // Names have slashes; their digests do not.
        let hex = Digest::of(name.as_bytes());
        self.path("images", &format!("{}.json", hex.hex()))
    }

    /// A place to make something in, removed unless it is finished.
    fn unfinished(&self) -> Result<Unfinished, Error> {
        let number = {
            let mut state = self.state();
            state.next += 1;
            state.next
        };
        Unfinished::make(self.path("unfinished", &number.to_string()))
    }

    /// An image with all its layers, which stay while the pins live.
    pub(crate) fn image(&self, name: &str) -> Option<(ImageRecord, Pins)> {
        let mut state = self.state();
        let image = state.images.get(name)?.clone();
        if !image
            .layers
            .iter()
            .all(|layer| state.layers.contains_key(layer))
        {
            return None;
        }
        for layer in &image.layers {
            *state.pins.entry(layer.clone()).or_default() += 1;
        }
        drop(state);
        let layers = image.layers.clone();
        let store = self.clone();
        Some((image, Pins { store, layers }))
    }

    /// A layer, which stays while the pin lives, if it is there.
    pub(crate) fn pin(&self, layer: &Digest) -> Option<Pins> {
        let mut state = self.state();
        state.layers.get(layer)?;
        *state.pins.entry(layer.clone()).or_default() += 1;
        drop(state);
        Some(Pins {
            store: self.clone(),
            layers: vec![layer.clone()],
        })
    }

    /// Unpacks a layer, and has it in the store once `check` says that it is the right one.
    pub(crate) fn add_layer<R: Read>(
        &self,
        mut stream: R,
        check: impl FnOnce(R, &Unpacked) -> Result<(), Error>,
    ) -> Result<Pins, Error> {
        let unfinished = self.unfinished()?;
        let tree = unfinished.path().join("tree");
        fs::create_dir(&tree).map_err(Error::store("make", &tree))?;
        let opened = File::open(&tree).map_err(Error::store("open", &tree))?;
        files::open_to_all(&opened, &tree)?;
        let limit = self.room().min(MAX_LAYER_BYTES);
        let unpacked = match self.0.unpacker.get() {
            Some(program) => unpack_apart(program, &mut stream, opened.into(), limit)?,
            None => unpack(&mut stream, opened.into(), limit)?,
        };
        check(stream, &unpacked)?;
        let record = LayerRecord {
            bytes: unpacked.bytes,
            entries: unpacked.entries,
        };
        files::write(&unfinished.path().join("layer.json"), &record)?;
        unfinished.flush()?;
        self.commit_layer(unfinished, unpacked.diff_id, record)
    }

    fn commit_layer(
        &self,
        unfinished: Unfinished,
        layer: Digest,
        record: LayerRecord,
    ) -> Result<Pins, Error> {
        let mut state = self.state();
        // Somebody else may have been faster; then theirs is as good.
        if !state.layers.contains_key(&layer) {
            unfinished.finish(&self.path("layers", layer.hex()))?;
            state.layers.insert(layer.clone(), record);
        }
        *state.pins.entry(layer.clone()).or_default() += 1;
        drop(state);
        Ok(Pins {
            store: self.clone(),
            layers: vec![layer],
        })
    }

    /// Remembers an image whose layers are all there and pinned.
    pub(crate) fn add_image(&self, image: ImageRecord) -> Result<(), Error> {
        let path = self.image_path(&image.name);
        let mut state = self.state();
        if state.images.len() >= MAX_IMAGES && !state.images.contains_key(&image.name) {
            let oldest = state.images.values().min_by_key(|image| image.used);
            if let Some(name) = oldest.map(|image| image.name.clone()) {
                self.forget(&mut state, &name)?;
            }
        }
        files::replace(&path, &image)?;
        state.images.insert(image.name.clone(), image);
        drop(state);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Notes that a task has an image now.
    pub(crate) fn touch(&self, name: &str) {
        let path = self.image_path(name);
        let mut state = self.state();
        let Some(image) = state.images.get_mut(name) else {
            return;
        };
        let now = seconds();
        // To the minute is exact enough, and spares the disk.
        if now.saturating_sub(image.used) > 60 {
            image.used = now;
            self.0.changed.notify_one();
            if let Err(error) = files::replace(&path, image) {
                tracing::warn!(%error, "cannot note that an image is used");
            }
        }
    }
}

/// The time, in seconds since 1970.
pub(crate) fn seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// What cannot be read is given to `broken`.
fn read_layers(
    folder: &Path,
    broken: impl Fn(&Path) -> Result<(), Error>,
) -> Result<BTreeMap<Digest, LayerRecord>, Error> {
    let mut layers = BTreeMap::new();
    for name in files::names(folder)? {
        let path = folder.join(&name);
        let record = files::read(&path.join("layer.json"));
        match (format!("sha256:{name}").parse(), record) {
            (Ok(digest), Some(record)) => drop(layers.insert(digest, record)),
            _ => broken(&path)?,
        }
    }
    Ok(layers)
}

fn read_images(
    folder: &Path,
    broken: impl Fn(&Path) -> Result<(), Error>,
) -> Result<BTreeMap<String, ImageRecord>, Error> {
    let mut images = BTreeMap::new();
    for name in files::names(folder)? {
        let path = folder.join(&name);
        match files::read::<ImageRecord>(&path) {
            Some(image) => drop(images.insert(image.name.clone(), image)),
            None => broken(&path)?,
        }
    }
    Ok(images)
}
