//! OCI layouts: a folder with an index and blobs by digest.

use std::{
    fs::File,
    io::Read as _,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::Arc,
};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use serde::Deserialize;

use crate::{
    Digest, Error, Reference, limits::MAX_DOCUMENT_BYTES, manifest::Descriptor, path::shown,
};

/// What says under which tag an image is kept.
const TAG: &str = "org.opencontainers.image.ref.name";

/// An OCI layout.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    folder: Arc<OwnedFd>,
    /// Its path, for people.
    place: String,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

/// Opens something beneath a folder. Links may lead about in it, and not out of it.
pub(super) fn open_beneath(
    folder: impl AsFd,
    path: &Path,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    openat2(
        folder,
        path,
        flags | OFlags::CLOEXEC | OFlags::NONBLOCK,
        Mode::empty(),
        resolve,
    )
}

/// Opens a file beneath a folder; nothing that is no file, which could wait for ever.
pub(super) fn open_file(folder: impl AsFd, path: &Path) -> rustix::io::Result<File> {
    let opened = open_beneath(folder, path, OFlags::RDONLY)?;
    match FileType::from_raw_mode(fstat(&opened)?.st_mode) {
        FileType::RegularFile => Ok(File::from(opened)),
        _ => Err(rustix::io::Errno::INVAL),
    }
}

impl Layout {
    /// Opens a layout beneath a folder. None if there is none.
    pub(super) fn find(
        folder: impl AsFd,
        name: &Path,
        place: String,
    ) -> Result<Option<Self>, Error> {
        match open_beneath(folder, name, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(folder) => Ok(Some(Self {
                folder: Arc::new(folder),
                place,
            })),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
            Err(error) => Err(Error::refusal(place, error)),
        }
    }

    /// The manifest of a reference, and its digest.
    pub(super) fn manifest(&self, reference: &Reference) -> Result<(Vec<u8>, Digest), Error> {
        let bytes = self.read(Path::new("index.json"))?;
        let index: Index = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Broken(format!("the index of {}: {error}", self.place)))?;
        let tagged = |it: &&Descriptor| match &reference.digest {
            Some(digest) => it.digest == *digest,
            None => it.annotations.as_ref().and_then(|them| them.get(TAG)) == Some(&reference.tag),
        };
        let only = || match index.manifests.as_slice() {
            [one] if reference.digest.is_none() && one.annotations.is_none() => Some(one),
            _ => None,
        };
        let found = index.manifests.iter().find(tagged).or_else(only);
        let found = found.ok_or_else(|| Error::NotFound {
            image: reference.to_string(),
            place: self.place.clone(),
        })?;
        Ok((self.document(found)?, found.digest.clone()))
    }

    /// A short blob.
    pub(super) fn document(&self, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        let bytes = self.read(Path::new(&name(&blob.digest)))?;
        let found = Digest::of(&bytes);
        if found != blob.digest {
            return Err(Error::Mismatch {
                what: format!("a document in {}", self.place),
                expected: blob.digest.clone(),
                found,
            });
        }
        Ok(bytes)
    }

    /// A blob.
    pub(super) fn blob(&self, digest: &Digest) -> Result<File, Error> {
        self.open(Path::new(&name(digest)))
    }

    fn open(&self, path: &Path) -> Result<File, Error> {
        open_file(&self.folder, path).map_err(|error| {
            let name = shown(path.as_os_str().as_encoded_bytes());
            Error::Broken(format!("{name} in {} cannot be read: {error}", self.place))
        })
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let limit = MAX_DOCUMENT_BYTES as u64;
        let file = self.open(path)?;
        let read = file.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error| Error::Broken(format!("{}: {error}", self.place)))?;
        if bytes.len() as u64 > limit {
            let text = format!("a document in {} has more than {limit} bytes", self.place);
            return Err(Error::TooLarge(text));
        }
        Ok(bytes)
    }
}

fn name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
