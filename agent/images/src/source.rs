//! Where images come from: registries, OCI layouts and archives of `docker save`.

mod archive;
mod challenge;
pub(crate) mod http;
mod layout;
pub(crate) mod reach;
mod registry;

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use self::{archive::Archive, http::Http, layout::Layout, registry::Registry};
use crate::{
    Credentials, Digest, Endpoint, Error, Home, Options, Reference,
    config::{Config, RunConfig},
    limits::MAX_INDEX_DEPTH,
    manifest::{Document, Manifest, Platform, choose},
};

/// An image that was found, and what it is made of. Nothing of its layers was read.
#[derive(Debug)]
pub(crate) struct Found {
    /// The digest of its manifest; in an archive, which has none, of its configuration.
    pub(crate) digest: Digest,
    pub(crate) run: RunConfig,
    /// The lowest first.
    pub(crate) layers: Vec<Layer>,
    pub(crate) origin: Origin,
}

/// A layer that can be fetched.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Its digest when decompressed.
    pub(crate) diff_id: Digest,
    /// How many bytes are to be fetched.
    pub(crate) size: u64,
    blob: Blob,
}

/// How a layer is named where it is.
#[derive(Clone, Debug)]
enum Blob {
    Digest(Digest),
    Member(String),
}

/// Where an image is.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Registry(Box<Registry>),
    Layout(Layout),
    Archive(Archive),
}

/// The contents of a layer.
pub(crate) enum Contents {
    /// From another machine, piece by piece.
    Remote(http::Answer),
    /// From a file.
    Local(Box<dyn Read + Send>),
}

impl Layer {
    /// The digest of what is fetched, if it has one.
    pub(crate) const fn digest(&self) -> Option<&Digest> {
        match &self.blob {
            Blob::Digest(digest) => Some(digest),
            Blob::Member(_) => None,
        }
    }
}

/// Finds an image. Mirrors are asked first.
pub(crate) async fn find(
    options: &Options,
    http: &Http,
    reference: &Reference,
    credentials: &Credentials,
) -> Result<Found, Error> {
    let endpoints = match (&reference.registry, &options.home) {
        (None, Home::Folder(folder)) => {
            let (folder, reference) = (folder.clone(), reference.clone());
            let found = tokio::task::spawn_blocking(move || in_folder(&folder, &reference)).await;
            return found.map_err(|error| Error::refusal("the folder", error))?;
        }
        (None, Home::Registry(home)) => {
            let mirrors = options.mirrors.iter();
            mirrors.chain([home]).cloned().collect()
        }
        (Some(registry), _) => {
            let endpoint = registry.parse::<Endpoint>();
            vec![endpoint.map_err(|error| Error::refusal(registry, error))?]
        }
    };
    let mut problem = None;
    for endpoint in endpoints {
        let basic = credentials.of(endpoint.host()).cloned();
        let registry = Registry::new(http.clone(), endpoint, reference, basic);
        match in_registry(registry, reference).await {
            Ok(found) => return Ok(found),
            Err(error) => {
                tracing::debug!(%error, "an image is not to be had");
                // What the last one says counts: mirrors need not have everything.
                problem = Some(error);
            }
        }
    }
    Err(problem.unwrap_or_else(|| Error::refusal("the agent", "no registry is known")))
}

async fn in_registry(registry: Registry, reference: &Reference) -> Result<Found, Error> {
    let (mut bytes, mut digest) = registry.manifest(&reference.version()).await?;
    for _ in 0..=MAX_INDEX_DEPTH {
        match Document::read(&bytes)? {
            Document::Manifest(manifest) => {
                let config = registry.document(&manifest.config).await?;
                return found(
                    digest,
                    &config,
                    manifest,
                    Origin::Registry(Box::new(registry)),
                );
            }
            // From here on by digest: a tag that moves meanwhile changes nothing.
            Document::Index(index) => {
                let chosen = choose(&index, &Platform::this())?;
                (bytes, digest) = registry.manifest(&chosen.digest.to_string()).await?;
            }
        }
    }
    Err(too_deep())
}

fn in_layout(layout: Layout, reference: &Reference) -> Result<Found, Error> {
    let (mut bytes, mut digest) = layout.manifest(reference)?;
    for _ in 0..=MAX_INDEX_DEPTH {
        match Document::read(&bytes)? {
            Document::Manifest(manifest) => {
                let config = layout.document(&manifest.config)?;
                return found(digest, &config, manifest, Origin::Layout(layout));
            }
            Document::Index(index) => {
                let chosen = choose(&index, &Platform::this())?;
                bytes = layout.document(&chosen)?;
                digest = chosen.digest;
            }
        }
    }
    Err(too_deep())
}

fn too_deep() -> Error {
    Error::Broken(format!(
        "its indexes lead from one to the next more than {MAX_INDEX_DEPTH} times"
    ))
}

fn in_archive(archive: Archive, reference: &Reference) -> Result<Found, Error> {
    let image = archive.image(reference)?;
    let blobs = image
        .layers
        .into_iter()
        .map(|(name, size)| (Blob::Member(name), size));
    let layers = layers(&image.config, blobs.collect())?;
    Ok(Found {
        digest: image.digest,
        run: image.config.run,
        layers,
        origin: Origin::Archive(archive),
    })
}

fn found(
    digest: Digest,
    config: &[u8],
    manifest: Manifest,
    origin: Origin,
) -> Result<Found, Error> {
    let config = Config::read(config)?;
    let blobs = manifest
        .layers
        .into_iter()
        .map(|it| (Blob::Digest(it.digest), it.size));
    let layers = layers(&config, blobs.collect())?;
    Ok(Found {
        digest,
        run: config.run,
        layers,
        origin,
    })
}

/// The layers as the manifest has them, and what the configuration says that is in them.
fn layers(config: &Config, blobs: Vec<(Blob, u64)>) -> Result<Vec<Layer>, Error> {
    let this = Platform::this();
    let fits = |said: &str, own: &str| said.is_empty() || said == own;
    if !fits(&config.os, &this.os) || !fits(&config.architecture, &this.architecture) {
        let (os, architecture) = (config.os.escape_debug(), config.architecture.escape_debug());
        return Err(Error::Unsupported(format!(
            "it is for {os}/{architecture}, and this machine is {}/{}",
            this.os, this.architecture
        )));
    }
    if config.diff_ids.len() != blobs.len() {
        let (said, there) = (config.diff_ids.len(), blobs.len());
        let text = format!("it says that it has {said} layers, and has {there}");
        return Err(Error::Broken(text));
    }
    let pairs = config.diff_ids.iter().zip(blobs);
    let layers = pairs.map(|(diff_id, (blob, size))| Layer {
        diff_id: diff_id.clone(),
        size,
        blob,
    });
    Ok(layers.collect())
}

/// Finds an image in a folder of archives and layouts (Mesos: `--docker_registry` with a path).
fn in_folder(folder: &Path, reference: &Reference) -> Result<Found, Error> {
    let opened = File::open(folder).map_err(Error::store("open", folder))?;
    let tagged = format!("{}:{}", reference.repository, reference.tag);
    let place = |name: &str| folder.join(name).display().to_string();
    let archive = format!("{tagged}.tar");
    if let Some(archive) = Archive::find(&opened, Path::new(&archive), place(&archive))? {
        return in_archive(archive, reference);
    }
    for name in [&tagged, &reference.repository] {
        if let Some(layout) = Layout::find(&opened, &PathBuf::from(name), place(name))? {
            return in_layout(layout, reference);
        }
    }
    Err(Error::NotFound {
        image: reference.to_string(),
        place: folder.display().to_string(),
    })
}

impl Origin {
    /// Where the contents of a layer come from.
    pub(crate) async fn open(&self, layer: &Layer) -> Result<Contents, Error> {
        match (self, &layer.blob) {
            (Self::Registry(registry), Blob::Digest(digest)) => {
                registry.blob(digest).await.map(Contents::Remote)
            }
            (Self::Layout(layout), Blob::Digest(digest)) => layout
                .blob(digest)
                .map(|file| Contents::Local(Box::new(file))),
            (Self::Archive(archive), Blob::Member(name)) => archive
                .layer(name)
                .map(|read| Contents::Local(Box::new(read))),
            _ => Err(Error::Broken("a layer is from elsewhere".to_owned())),
        }
    }
}

/// A reader of what comes piece by piece from elsewhere.
pub struct Pieces {
    pub(crate) receiver: tokio::sync::mpsc::Receiver<Piece>,
    current: hyper::body::Bytes,
    over: bool,
}

/// What comes from elsewhere.
#[derive(Debug)]
pub(crate) enum Piece {
    Bytes(hyper::body::Bytes),
    /// There is no more.
    End,
}

impl Pieces {
    pub(crate) fn new(receiver: tokio::sync::mpsc::Receiver<Piece>) -> Self {
        Self {
            receiver,
            current: hyper::body::Bytes::new(),
            over: false,
        }
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pieces")
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.over {
            match self.receiver.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.over = true,
                // Whoever fetches has given up: this is no end.
                None => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut off")),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}
