//! What can be set about the fetcher.

use std::{path::PathBuf, time::Duration};

use crate::limits;

/// What can be set about the fetcher.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the cache is: one agent's own. It is emptied at the start.
    pub cache_dir: PathBuf,
    /// How much the cache may hold, in bytes. With 0 nothing is cached.
    pub cache_size: u64,
    /// The largest file, as it is fetched and again as it is unpacked, in bytes.
    pub size_limit: u64,
    /// How long a server may send less than a kilobyte a second.
    pub stall_timeout: Duration,
    /// Certificates that are trusted besides those of this machine: a file in PEM.
    pub trusted: Option<PathBuf>,
    /// Folders and files of this machine that tasks may have, with all that is below.
    pub host_paths: Vec<PathBuf>,
    /// Where paths lead from that are not absolute; none if there are no such.
    pub home: Option<PathBuf>,
}

impl Options {
    /// A cache in this folder, and nothing of this machine for anybody.
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            cache_size: limits::DEFAULT_CACHE_BYTES,
            size_limit: limits::DEFAULT_SIZE_LIMIT,
            stall_timeout: tepui_images::DEFAULT_STALL_TIMEOUT,
            trusted: None,
            host_paths: Vec::new(),
            home: None,
        }
    }
}
