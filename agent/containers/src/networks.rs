//! Networks of containers: none, or any that plugins of the Container Network Interface (CNI) make.
//!
//! Everything here is a function of one container's folder of records. What will be done is written
//! there before it is done, so that whoever finds the folder can undo it: the network namespace is
//! kept by a mount on `net` in it, and `network` has the configurations of the plugins, as they
//! were when the container was attached, with what they answered.

mod config;
mod error;
mod files;
mod plugin;
mod record;
mod result;
mod spec;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub use config::Networks;
pub use error::NetworkError;
pub(crate) use files::{FILES, write_files};
pub(crate) use result::Resolvers;
pub use result::{Attached, InterfaceAddress};
pub use spec::{Attachment, NetworkSpec, PortMapping, Protocol};

use crate::records::Folder;
use plugin::{Command, Plugins};
use record::{Attaching, NetworkRecord};

/// Reads an answer of a plugin, whatever it is, and drops it.
pub(crate) fn read_any(bytes: &[u8]) {
    if let Ok(answer) = serde_json::from_slice(bytes) {
        drop(result::addresses(&answer));
        drop(result::resolvers(&answer));
    }
}

/// Where the network namespace of a container is mounted.
pub(crate) fn namespace(folder: &Folder) -> PathBuf {
    folder.path().join("net")
}

/// Writes down what the container is to be attached to, for its namespace in which nothing is yet
/// but the loopback device.
pub(crate) fn prepare(
    networks: &Networks,
    attachments: &[Attachment],
    folder: &Folder,
    hostname: Option<&str>,
) -> Result<(), NetworkError> {
    let attaching = attachments.iter().enumerate();
    let attaching = attaching.map(|(number, wanted)| Attaching::new(networks, wanted, number));
    let attaching = attaching.collect::<Result<_, _>>()?;
    let record = NetworkRecord::new(attaching, hostname);
    record.write(folder)?;
    write_files(folder, hostname, &record.attached(), &record.resolvers())
}

/// Makes the namespace of a prepared container.
pub(crate) fn make(folder: &Folder) -> Result<(), NetworkError> {
    let at = namespace(folder);
    tepui_sys::make_network(&at).map_err(|source| NetworkError::Namespace { at, source })
}

/// Attaches a prepared container to its networks. One that has none of its own needs nothing.
///
/// When this fails or is given up, what was done is undone by [`detach`].
pub(crate) async fn attach(networks: &Networks, folder: &Folder) -> Result<(), NetworkError> {
    let Some(mut record) = NetworkRecord::read(folder)? else {
        return Ok(());
    };
    let plugins = Plugins::new(networks, folder);
    for number in 0..record.attachments.len() {
        record.attachments[number].begun = true;
        record.write(folder)?;
        let result = add(&plugins, &record.attachments[number]).await?;
        record.attachments[number].result = Some(result);
        record.write(folder)?;
    }
    let (attached, resolvers) = (record.attached(), record.resolvers());
    write_files(folder, record.hostname.as_deref(), &attached, &resolvers)
}

/// One plugin after the other, each with the answer of the one before.
async fn add(plugins: &Plugins<'_>, attaching: &Attaching) -> Result<Value, NetworkError> {
    let mut result = None;
    for plugin in &attaching.plugins {
        let input = attaching.input(plugin, result.as_ref());
        let output = plugins.call(Command::Add, attaching, &input).await?;
        result = Some(attaching.read_answer(plugin, &output)?);
    }
    result.ok_or_else(|| NetworkError::NoPlugins(attaching.network.clone()))
}

/// Detaches a container from whatever it may be attached to, and lets go of its namespace. To do it
/// again does no harm.
///
/// # Errors
/// The first plugin that failed. The others were called all the same, and nothing is left in the
/// kernel; but the failed one may hold on to what it keeps elsewhere, such as an address.
pub(crate) async fn detach(networks: &Networks, folder: &Folder) -> Result<(), NetworkError> {
    let record = match NetworkRecord::read(folder) {
        Ok(record) => record,
        // Torn by a crash: then no plugin was called yet, for it is whole before one is.
        Err(error) => {
            tracing::warn!(%error, "a record of networks cannot be read");
            None
        }
    };
    let mut outcome = Ok(());
    if let Some(record) = record {
        let plugins = Plugins::new(networks, folder);
        let begun = record.attachments.iter().rev().filter(|one| one.begun);
        for attaching in begun {
            outcome = outcome.and(delete(&plugins, attaching).await);
        }
    }
    let at = namespace(folder);
    // An agent that is not root has none to remove, and may not try.
    if std::fs::symlink_metadata(&at).is_err() {
        return outcome;
    }
    let removed = tepui_sys::remove_network(&at);
    outcome.and(removed.map_err(|source| NetworkError::Namespace { at, source }))
}

async fn delete(plugins: &Plugins<'_>, attaching: &Attaching) -> Result<(), NetworkError> {
    let mut outcome = Ok(());
    for plugin in attaching.plugins.iter().rev() {
        let known = attaching.result.as_ref().filter(|_| attaching.checkable());
        let input = attaching.input(plugin, known);
        let deleted = plugins.call(Command::Delete, attaching, &input).await;
        outcome = outcome.and(deleted.map(drop));
    }
    outcome
}

/// Asks every plugin whether the container is attached as it should be.
pub(crate) async fn check(networks: &Networks, folder: &Folder) -> Result<(), NetworkError> {
    let Some(record) = NetworkRecord::read(folder)? else {
        return Ok(());
    };
    let plugins = Plugins::new(networks, folder);
    for attaching in record.attachments.iter().filter(|one| one.checkable()) {
        for plugin in &attaching.plugins {
            let input = attaching.input(plugin, attaching.result.as_ref());
            plugins.call(Command::Check, attaching, &input).await?;
        }
    }
    Ok(())
}

/// What a container is attached to. Nothing, if it has the host's network.
pub(crate) fn attached(folder: &Folder) -> Vec<Attached> {
    let record = NetworkRecord::read(folder).ok().flatten();
    record.map(|record| record.attached()).unwrap_or_default()
}

/// The namespace that a container is in, if it is not the host's.
pub(crate) fn namespace_of(folder: &Folder) -> Option<PathBuf> {
    let own = namespace(folder);
    let shared = || std::fs::read_link(folder.path().join(SHARED)).ok();
    let is_there = |at: &PathBuf| Path::exists(at);
    Some(own).filter(is_there).or_else(shared)
}

/// The link to the namespace of another container, for one that has none of its own.
pub(crate) const SHARED: &str = "net-of";
