//! Waiting for files in a tokio runtime.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

use crate::PidFd;

/// An owner of one file descriptor, the same for as long as it lives.
trait Owner: AsRawFd + AsFd {}

impl Owner for OwnedFd {}
impl Owner for PidFd {}

/// A file that a tokio runtime waits for. It cannot be taken out or replaced, which tokio relies
/// on.
#[derive(Debug)]
pub struct Watched<T: AsRawFd>(AsyncFd<T>);

#[expect(
    private_bounds,
    reason = "other types could break their promise to tokio"
)]
impl<T: Owner> Watched<T> {
    /// Watches this file. Only inside a tokio runtime.
    pub fn new(file: T) -> io::Result<Self> {
        // SAFETY: an `Owner` keeps one open descriptor until it is dropped, and nothing here gives
        // it away.
        Ok(Self(unsafe { AsyncFd::register(file) }?))
    }

    /// The file.
    pub fn get(&self) -> &T {
        self.0.get_ref()
    }

    /// Waits until it is readable, and lets it count as readable for good: for files that become so
    /// once.
    pub async fn readable(&self) -> io::Result<()> {
        self.0.readable().await.map(drop)
    }

    /// Does something as soon as it is readable, again and again for as long as it would block.
    pub async fn read_with<R>(&self, read: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.0.async_io(Interest::READABLE, read).await
    }

    /// Does something as soon as it is writable, again and again for as long as it would block.
    pub async fn write_with<R>(&self, write: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.0.async_io(Interest::WRITABLE, write).await
    }
}
