//! Images for tasks: found in the store, or fetched into it.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    io::Read,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{FutureExt as _, future::try_join_all};
use tepui_model::ContainerId;
use tokio::{
    sync::{Mutex as Lock, Semaphore, mpsc},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    Credentials, Digest, Error, Listed, Options, Pruned, Reference, Root, RunConfig, User,
    limits::{CHUNKS_IN_LINE, LAYERS_AT_ONCE},
    retry::Retry,
    source::{self, Contents, Found, Layer, Origin, Piece, Pieces, http::Http},
    store::{self, ImageRecord, Pins, Store},
    stream::{Verified, failed},
    users,
};

/// Images for tasks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Images(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    store: Store,
    http: Http,
    /// Layers that may be fetched now.
    turns: Semaphore,
    /// What is being fetched: images by name, layers by digest. Who comes later waits, and finds
    /// it.
    busy: Mutex<BTreeMap<String, Arc<Lock<()>>>>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The image.
    pub reference: Reference,
    /// Whether one that was fetched under that name before will do.
    pub cached: bool,
    /// Who asks, besides who the agent is.
    pub credentials: Credentials,
}

/// An image that is there. It stays at least while this lives.
#[derive(Debug)]
pub struct Image {
    /// How it is run.
    pub run: RunConfig,
    /// The digest of its manifest.
    pub digest: Digest,
    pins: Pins,
}

impl Images {
    /// Opens the store. What a crash left half is removed.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(options: Options) -> Result<Self, Error> {
        Ok(Self(Arc::new(Inner {
            store: Store::open(&options.folder, options.size_limit)?
                .unpacking_by(options.unpacker.clone()),
            http: Http::new(options.stall_timeout, options.trusted.as_deref())?,
            turns: Semaphore::new(LAYERS_AT_ONCE),
            busy: Mutex::default(),
            options,
        })))
    }

    /// Gets an image: from the store, or else from where it is. `fetching` is waited for before
    /// anything is fetched; `told` hears how many bytes are there, and of how many, as they are
    /// sent. Dropping the future gives up, and leaves nothing half.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn pull(
        &self,
        wanted: &Wanted,
        fetching: impl Future<Output = ()> + Send,
        told: impl Fn(u64, u64) + Send + Sync,
    ) -> Result<Image, Error> {
        let name = self.name(&wanted.reference);
        let _turn = Busy::wait(&self.0, format!("image {name}")).await;
        if wanted.cached
            && let Some((image, pins)) = self.0.store.image(&name)
        {
            self.0.store.touch(&name);
            return Ok(Image {
                run: image.run,
                digest: image.digest,
                pins,
            });
        }
        fetching.await;
        let limit = self.0.options.pull_timeout;
        match timeout(limit, self.fetch(wanted, name, &told).boxed()).await {
            Ok(fetched) => fetched,
            Err(_) => Err(Error::Timeout(limit)),
        }
    }

    /// The name under which an image is kept: the same wherever it comes from, and another in
    /// another registry.
    fn name(&self, reference: &Reference) -> String {
        match reference.registry {
            Some(_) => reference.to_string(),
            None => format!("{}/{reference}", self.0.options.home),
        }
    }

    async fn fetch(
        &self,
        wanted: &Wanted,
        name: String,
        told: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Image, Error> {
        let Inner {
            options,
            http,
            store,
            ..
        } = &*self.0;
        let credentials = options.credentials.clone().with(wanted.credentials.clone());
        let found = source::find(options, http, &wanted.reference, &credentials).await?;
        self.check_size(&found)?;
        let missing = found.layers.iter();
        let missing = missing.filter(|layer| store.pin(&layer.diff_id).is_none());
        let meter = Meter {
            total: missing.map(|layer| layer.size).fold(0, u64::saturating_add),
            got: AtomicU64::new(0),
            told,
        };
        let layers = found
            .layers
            .iter()
            .map(|layer| self.layer(&found.origin, layer, &meter).boxed());
        // Held until the image is: no layer goes meanwhile.
        let _held = try_join_all(layers).await?;
        let record = ImageRecord {
            name: name.clone(),
            digest: found.digest,
            layers: found
                .layers
                .into_iter()
                .map(|layer| layer.diff_id)
                .collect(),
            run: found.run,
            used: store::seconds(),
        };
        let store = store.clone();
        blocking(move || {
            store.add_image(record)?;
            if let Err(error) = store.fit(&name) {
                store.forget_image(&name)?;
                return Err(error);
            }
            let (image, pins) = store.image(&name).ok_or(Error::Cancelled)?;
            Ok(Image {
                run: image.run,
                digest: image.digest,
                pins,
            })
        })
        .await
    }

    /// What is larger than everything may be is not even begun.
    fn check_size(&self, found: &Found) -> Result<(), Error> {
        let sizes = found.layers.iter().map(|layer| layer.size);
        let size = sizes.fold(0_u64, u64::saturating_add);
        let limit = self.0.options.size_limit;
        if size > limit {
            let text = format!(
                "it has {size} bytes, and all images may have {limit}: see --image-store-size"
            );
            return Err(Error::TooLarge(text));
        }
        Ok(())
    }

    /// Gets one layer, which others may be getting too.
    async fn layer(
        &self,
        origin: &Origin,
        layer: &Layer,
        meter: &Meter<'_>,
    ) -> Result<Pins, Error> {
        let _turn = Busy::wait(&self.0, format!("layer {}", layer.diff_id)).await;
        if let Some(pins) = self.0.store.pin(&layer.diff_id) {
            return Ok(pins);
        }
        let _permit = self.0.turns.acquire().await.map_err(|_| Error::Cancelled)?;
        let mut retry = Retry::default();
        loop {
            match self.fetch_layer(origin, layer, meter).await {
                Err(error) if retry.again(&error).await => {}
                done => return done,
            }
        }
    }

    async fn fetch_layer(
        &self,
        origin: &Origin,
        layer: &Layer,
        meter: &Meter<'_>,
    ) -> Result<Pins, Error> {
        let (store, wanted) = (self.0.store.clone(), layer.clone());
        let mut answer = match origin.open(layer).await? {
            Contents::Local(read) => return blocking(move || add(&store, read, &wanted)).await,
            Contents::Remote(answer) => answer,
        };
        let (sender, receiver) = mpsc::channel(CHUNKS_IN_LINE);
        let unpacking = spawn_blocking(move || add(&store, Pieces::new(receiver), &wanted));
        let fetched = loop {
            let piece = match answer.piece().await {
                Ok(Some(bytes)) => {
                    meter.add(bytes.len() as u64);
                    Piece::Bytes(bytes)
                }
                Ok(None) => Piece::End,
                Err(error) => break Err(error),
            };
            let is_end = matches!(piece, Piece::End);
            // Nobody reads on after an error, which is told below.
            if sender.send(piece).await.is_err() || is_end {
                break Ok(());
            }
        };
        drop(sender);
        let unpacked = unpacking.await.map_err(|_| Error::Cancelled)?;
        // That it was cut off follows from why.
        fetched.and(unpacked)
    }

    /// Finds a user of an image, as in `name`, `1000` or `name:group`.
    ///
    /// # Errors
    /// The image does not know the user.
    pub async fn user(&self, image: &Image, text: &str) -> Result<User, Error> {
        let (layers, text) = (self.0.store.trees(&image.pins), text.to_owned());
        blocking(move || users::find(&layers, &text)).await
    }

    /// Makes the folders for the root of a container, which uses the image from now on.
    ///
    /// # Errors
    /// The store cannot be worked on.
    pub async fn provide(&self, container: &ContainerId, image: Image) -> Result<Root, Error> {
        let (store, container) = (self.0.store.clone(), container.clone());
        blocking(move || store.provide(&container, &image.pins)).await
    }

    /// Makes the folders for volumes of a container that begin as these images. It uses them from
    /// now on, besides its root if it has one from here.
    ///
    /// # Errors
    /// The store cannot be worked on.
    pub async fn provide_volumes(
        &self,
        container: &ContainerId,
        has_root: bool,
        images: Vec<Image>,
    ) -> Result<Vec<Root>, Error> {
        let (store, container) = (self.0.store.clone(), container.clone());
        blocking(move || {
            let pins: Vec<_> = images.iter().map(|image| &image.pins).collect();
            store.provide_volumes(&container, has_root, &pins)
        })
        .await
    }

    /// Removes what an ended container has, if it has anything.
    ///
    /// # Errors
    /// The store cannot be worked on.
    pub async fn release(&self, container: &ContainerId) -> Result<(), Error> {
        let (store, container) = (self.0.store.clone(), container.clone());
        blocking(move || store.release(&container)).await
    }

    /// Removes what all containers have but these.
    ///
    /// # Errors
    /// The store cannot be worked on.
    pub async fn retain(&self, containers: BTreeSet<ContainerId>) -> Result<(), Error> {
        let store = self.0.store.clone();
        blocking(move || store.retain(&containers)).await
    }

    /// Removes all images that nobody uses, but those that are excluded.
    ///
    /// # Errors
    /// The store cannot be worked on.
    pub async fn prune(&self, excluded: &[Reference]) -> Result<Pruned, Error> {
        let kept = excluded
            .iter()
            .map(|reference| self.name(reference))
            .collect();
        let store = self.0.store.clone();
        blocking(move || store.prune(&kept)).await
    }

    /// Removes images that nobody uses, the longest unused first, until this part of their disk,
    /// between 0 and 1, is free (Mesos: IMG-03).
    ///
    /// # Errors
    /// The store cannot be worked on.
    pub async fn relieve(&self, headroom: f64) -> Result<Pruned, Error> {
        let (store, folder) = (self.0.store.clone(), self.0.options.folder.clone());
        let is_full = move || {
            rustix::fs::statvfs(&folder).is_ok_and(|disk| {
                let (free, all) = (disk.f_bavail as f64, disk.f_blocks as f64);
                free < all * headroom
            })
        };
        blocking(move || store.relieve(is_full)).await
    }

    /// The names by which tasks find the images that are there, the one that was used last first.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let home = format!("{}/", self.0.options.home);
        let names = self.0.store.names().into_iter();
        // What came from another folder than this agent's is found by no name.
        names
            .map(|name| name.strip_prefix(&home).unwrap_or(&name).to_owned())
            .filter(|name| name.parse::<Reference>().is_ok())
            .collect()
    }

    /// Waits until [`Images::names`] may say something else than when this was last waited for.
    /// One may wait at a time.
    pub async fn changed(&self) {
        self.0.store.changed().await;
    }

    /// All images.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        self.0.store.list()
    }
}

/// How much of an image has come.
struct Meter<'a> {
    total: u64,
    got: AtomicU64,
    told: &'a (dyn Fn(u64, u64) + Send + Sync),
}

impl Meter<'_> {
    fn add(&self, bytes: u64) {
        let got = self.got.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // What is tried again comes twice.
        (self.told)(got.min(self.total), self.total);
    }
}

/// Unpacks a layer into the store, if it is the one that was asked for.
fn add(store: &Store, read: impl Read, wanted: &Layer) -> Result<Pins, Error> {
    let read = Verified::new(read, wanted.size);
    store.add_layer(read, |read, unpacked| {
        let (digest, bytes) = read.finish().map_err(|error| failed(&error))?;
        if let Some(expected) = wanted.digest() {
            verify("a layer", expected, &digest)?;
        }
        if bytes != wanted.size {
            let text = format!("a layer has {bytes} bytes, and {} were named", wanted.size);
            return Err(Error::Broken(text));
        }
        verify("a layer, unpacked,", &wanted.diff_id, &unpacked.diff_id)
    })
}

fn verify(what: &str, expected: &Digest, found: &Digest) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Mismatch {
        what: what.to_owned(),
        expected: expected.clone(),
        found: found.clone(),
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work).await.unwrap_or(Err(Error::Cancelled))
}

/// One's turn to fetch something that others want too.
struct Busy<'a> {
    inner: &'a Inner,
    key: String,
    turn: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl<'a> Busy<'a> {
    async fn wait(inner: &'a Inner, key: String) -> Self {
        let lock = {
            let mut busy = inner.busy.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(busy.entry(key.clone()).or_default())
        };
        let mut turn = Self {
            inner,
            key,
            turn: None,
        };
        turn.turn = Some(lock.lock_owned().await);
        turn
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.turn = None;
        let mut busy = self
            .inner
            .busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Who waits holds the lock too.
        if busy
            .get(&self.key)
            .is_some_and(|lock| Arc::strong_count(lock) == 1)
        {
            busy.remove(&self.key);
        }
    }
}
