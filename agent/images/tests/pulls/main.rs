//! Images from registries that are good, lie or hang, from folders, and what the store makes of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

mod apart;
mod encrypted;
mod folders;
mod hostile;
mod registry;
mod stores;

use std::{collections::BTreeMap, io::Write as _, path::Path};

use serde_json::{Value, json};
use tepui_images::{Credentials, Digest, Error, Image, Images, Options, Wanted};

/// A program that unpacks layers.
pub(crate) const UNPACKER: &str = env!("CARGO_BIN_EXE_tepui-test-unpacker");

/// An image: what it is made of, by digest.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) manifest: Vec<u8>,
    pub(crate) config: Vec<u8>,
    /// As they are unpacked.
    pub(crate) layers: Vec<Vec<u8>>,
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
}

/// A tar with one file.
pub(crate) fn layer(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(contents.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(1);
    // Nobody but root may give files away.
    header.set_uid(rustix::process::geteuid().as_raw().into());
    header.set_gid(rustix::process::getegid().as_raw().into());
    builder.append_data(&mut header, name, contents).unwrap();
    builder.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

pub(crate) fn described(bytes: &[u8]) -> Value {
    json!({ "digest": Digest::of(bytes).to_string(), "size": bytes.len() })
}

/// The kind of machine this is.
pub(crate) fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    }
}

pub(crate) fn build(layers: &[Vec<u8>]) -> Built {
    let ids: Vec<_> = layers
        .iter()
        .map(|layer| Digest::of(layer).to_string())
        .collect();
    let config = json!({
        "os": "linux", "architecture": architecture(), "config": { "Cmd": ["/bin/it"] },
        "rootfs": { "type": "layers", "diff_ids": ids },
    });
    let config = config.to_string().into_bytes();
    let packed: Vec<_> = layers.iter().map(|layer| gzip(layer)).collect();
    let manifest = json!({
        "schemaVersion": 2, "config": described(&config),
        "layers": packed.iter().map(|layer| described(layer)).collect::<Vec<_>>(),
    });
    let blobs = packed.into_iter().chain([config.clone()]);
    Built {
        manifest: manifest.to_string().into_bytes(),
        layers: layers.to_vec(),
        blobs: blobs.map(|bytes| (Digest::of(&bytes), bytes)).collect(),
        config,
    }
}

/// A store in a folder of its own.
pub(crate) struct Store {
    pub(crate) images: Images,
    pub(crate) folder: tempfile::TempDir,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(folder.path().join("images"));
        // As in an agent: as root, by a process that is confined.
        let root = rustix::process::geteuid().is_root();
        options.unpacker = root.then(|| UNPACKER.into());
        change(&mut options);
        let images = Images::open(options).unwrap();
        Self { images, folder }
    }

    pub(crate) async fn pull(&self, name: &str) -> Result<Image, Error> {
        self.images
            .pull(&wanted(name), std::future::ready(()), |_, _| {})
            .await
    }

    /// What is in one of its folders.
    pub(crate) fn entries(&self, kind: &str) -> usize {
        std::fs::read_dir(self.folder.path().join("images").join(kind))
            .unwrap()
            .count()
    }

    /// Nothing was fetched, and nothing is half.
    pub(crate) fn is_empty(&self) -> bool {
        ["layers", "images", "unfinished"]
            .iter()
            .all(|kind| self.entries(kind) == 0)
    }

    /// Waits until what was given up has been removed, by whoever was unpacking it.
    pub(crate) async fn settled(&self) {
        while self.entries("unfinished") > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// A file of a layer.
    pub(crate) fn file(&self, layer: &[u8], name: &str) -> Vec<u8> {
        let path = self.folder.path().join("images/layers");
        let path = path.join(Digest::of(layer).hex()).join("tree").join(name);
        std::fs::read(Path::new(&path)).unwrap()
    }
}

pub(crate) fn wanted(name: &str) -> Wanted {
    Wanted {
        reference: name.parse().unwrap(),
        cached: true,
        credentials: Credentials::default(),
    }
}
