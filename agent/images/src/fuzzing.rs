//! Readers of what registries say, for those who try them with anything at all. Not for use.

use crate::{config::Config, manifest::Document};

/// Reads a manifest or an index.
pub fn manifest(bytes: &[u8]) {
    drop(Document::read(bytes));
}

/// Reads a configuration.
pub fn config(bytes: &[u8]) {
    drop(Config::read(bytes));
}
