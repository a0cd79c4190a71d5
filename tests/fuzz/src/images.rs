//! What registries and archives of images hold.

use std::{fs::File, os::fd::OwnedFd};

use tepui_images::{Credentials, Digest, Reference, fuzzing, unpack};

use crate::text_of;

/// The most that a layer unpacks to here, in bytes.
const LAYER: u64 = 1 << 20;

pub(crate) fn manifest(bytes: &[u8]) {
    fuzzing::manifest(bytes);
}

pub(crate) fn config(bytes: &[u8]) {
    fuzzing::config(bytes);
}

pub(crate) fn credentials(bytes: &[u8]) {
    drop(Credentials::read(bytes));
}

pub(crate) fn reference(bytes: &[u8]) {
    let Some(text) = text_of(bytes) else {
        return;
    };
    drop(text.parse::<Digest>());
    if let Ok(reference) = text.parse::<Reference>() {
        assert!(reference.to_string().parse::<Reference>().is_ok());
    }
}

/// A layer, unpacked into a folder beside which nothing may appear.
pub(crate) fn layer(bytes: &[u8]) {
    let Ok(place) = tempfile::tempdir() else {
        return;
    };
    let folder = place.path().join("layer");
    let made = std::fs::create_dir(&folder).and_then(|()| File::open(&folder));
    let Ok(open) = made else {
        return;
    };
    drop(unpack(bytes, OwnedFd::from(open), LAYER));
    let beside = std::fs::read_dir(place.path()).map_or(0, Iterator::count);
    assert_eq!(beside, 1, "a layer left its folder");
}
