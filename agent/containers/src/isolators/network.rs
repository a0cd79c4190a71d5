//! `network/cni`: a network of its own, if the task asks for one.
//!
//! Here is what can be done before there is a process: the namespace, and what is written down
//! about it. The plugins are called a step later, since they take their time.

use std::{fs, os::unix::fs::symlink, path::Path};

use super::{Isolate, Machine, Preparation};
use crate::{
    Attachment, Isolator, LaunchError, NetworkError, NetworkSpec,
    init::wire::VolumePlan,
    limits::{MAX_ATTACHMENTS, MAX_PORT_MAPPINGS},
    networks,
    records::Folder,
};

pub(super) struct Network;

impl Isolate for Network {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_namespace(Isolator::Network, "net")
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        match &container.spec.network {
            NetworkSpec::Host => Ok(()),
            NetworkSpec::Alone => own(container, &[]),
            NetworkSpec::Attached(attachments) => own(container, attachments),
            NetworkSpec::Of(other) => {
                let other = container.folder.of(other);
                share(container, &other)
            }
        }
    }
}

fn own(container: &mut Preparation<'_>, attachments: &[Attachment]) -> Result<(), LaunchError> {
    if attachments.len() > MAX_ATTACHMENTS {
        return Err(NetworkError::TooMany(attachments.len()).into());
    }
    let ports: usize = attachments.iter().map(|one| one.ports.len()).sum();
    if ports > MAX_PORT_MAPPINGS {
        let message = format!("a container may have {MAX_PORT_MAPPINGS} ports, and not {ports}");
        return Err(LaunchError::Invalid(message));
    }
    let hostname = container.spec.hostname.as_deref();
    let folder = container.folder;
    networks::prepare(container.networks, attachments, folder, hostname)?;
    // That of users of its own belongs to these, who are not there yet.
    if container.users.is_none() {
        networks::make(folder)?;
    }
    container.plan.network = Some(networks::namespace(folder));
    show_files(container, folder);
    Ok(())
}

/// Joins the network that another container has, and knows itself by the same files.
fn share(container: &mut Preparation<'_>, other: &Folder) -> Result<(), LaunchError> {
    if !other.path().exists() {
        let message = "the container whose network it is to share is not there";
        return Err(LaunchError::Invalid(message.to_owned()));
    }
    // One that has the host's network shares just that.
    let Some(namespace) = networks::namespace_of(other) else {
        return Ok(());
    };
    let path = container.folder.path().join(networks::SHARED);
    symlink(&namespace, &path).map_err(|source| LaunchError::Record { path, source })?;
    container.plan.network = Some(namespace);
    show_files(container, other);
    Ok(())
}

/// Shows the files that say who this is in its `/etc`. On a root of its own they are there anyway,
/// made of those in its own folder; on the host's root they hide the host's.
fn show_files(container: &mut Preparation<'_>, folder: &Folder) {
    let own_root = container.plan.root.is_some();
    if own_root {
        let volumes = &mut container.plan.volumes;
        let own = container.folder.path();
        let is_ours = |volume: &&mut VolumePlan| volume.source.parent() == Some(own);
        for volume in volumes.iter_mut().filter(is_ours) {
            if let Some(name) = volume.source.file_name() {
                volume.source = folder.path().join(name);
            }
        }
        return;
    }
    for name in networks::FILES {
        let target = Path::new("/etc").join(name);
        if fs::metadata(&target).is_ok_and(|found| found.is_file()) {
            container
                .plan
                .volumes
                .insert(0, file(folder, name, &target));
        }
    }
}

fn file(folder: &Folder, name: &str, target: &Path) -> VolumePlan {
    VolumePlan {
        base: None,
        source: folder.path().join(name),
        target: target.to_owned(),
        read_only: false,
        // The host's may be a link to where its resolver keeps it.
        links: true,
        make: false,
        mapped: false,
        layers: None,
    }
}
