//! Threads that have the rights of a task's user.
//!
//! The kernel judges what a thread does to files by a user of its own, besides that by which it
//! judges the rest: so it may do to files what the user may, while the user can do nothing to it.

use std::{io, thread};

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use tepui_images::Error;
use tokio::sync::oneshot;

/// A user, by numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// His group.
    pub gid: u32,
    /// His other groups.
    pub groups: Vec<u32>,
}

/// Does work on a thread of its own, with the rights of a user if one is given.
pub(crate) async fn as_owner<T: Send + 'static>(
    owner: Option<Owner>,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (sender, done) = oneshot::channel();
    let own = move || {
        let become_owner = || owner.as_ref().map_or(Ok(()), enter);
        let result = match become_owner() {
            Ok(()) => work(),
            Err(error) => Err(Error::Broken(format!(
                "the rights of the task's user cannot be taken: {error}"
            ))),
        };
        // Who waited may have gone.
        let _ = sender.send(result);
    };
    // Never given back to a pool: its rights are not those of others.
    let started = thread::Builder::new()
        .name("tepui-fetch".to_owned())
        .spawn(own);
    started.map_err(|error| Error::Broken(format!("no thread can be started: {error}")))?;
    done.await.unwrap_or(Err(Error::Cancelled))
}

/// Lets this thread do to files what the user may, and no more.
fn enter(owner: &Owner) -> io::Result<()> {
    let groups: Vec<_> = owner
        .groups
        .iter()
        .map(|group| rustix::process::Gid::from_raw(*group))
        .collect();
    rustix::thread::set_thread_groups(&groups)?;
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    setfsgid(gid);
    setfsuid(uid);
    // These two say nothing when they fail; each tells what was before.
    if setfsgid(gid) != gid || setfsuid(uid) != uid {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    Ok(())
}
