//! How a container is launched, on the agent's side: one story, told step by step.

mod newborn;
mod prepare;
mod secrets;
mod volumes;

use std::{collections::btree_map::Entry, io, sync::Arc};

use tepui_model::ContainerId;
use tepui_sys::Watched;
use tokio::{sync::watch, time::timeout};

pub use self::prepare::find_user;
use self::{newborn::make_init, prepare::prepare_blocking};
pub(crate) use self::{
    newborn::understand,
    prepare::{command, encode},
};
use crate::{
    Isolator, LaunchError, NetworkSpec, Program, RootSpec, Spec, Started,
    container::{Container, group_name, remove_group},
    disk::Room,
    isolators::hard_limit,
    limits::LAUNCH_TIMEOUT,
    networks,
    records::{Folder, Record},
    runtime::{Inner, Slot},
    seat::{Seat, prepare_seats},
    users::{self, Lease},
};

/// Starts a container, and returns when its program runs.
pub(crate) async fn launch(inner: &Arc<Inner>, spec: Spec) -> Result<Started, LaunchError> {
    let id = spec.id.clone();
    // Dropped at the end of the launch: whoever waits for it is woken.
    let (_over, launching) = watch::channel(());
    match inner.table().entry(id.clone()) {
        Entry::Occupied(_) => return Err(LaunchError::Exists(id)),
        Entry::Vacant(free) => free.insert(Slot::Launching(launching)),
    };
    let folder = inner.records.folder(&id);
    let parent = parent_group(inner, &spec);
    let name = group_name(parent.as_deref(), &id);
    // The semaphore is never closed.
    let _permit = inner.launches.acquire().await.ok();
    let users = users::lease(inner, &spec);
    let users = users.inspect_err(|_| drop(inner.table().remove(&id)))?;
    // A seat is in a group of its own, which nobody can put beneath another.
    let seat = match spec.parent {
        None => inner.seats.take(),
        Some(_) => None,
    };
    let seat_name = seat.as_ref().map(|seat| seat.name.clone());
    let own = users.as_ref().map(Lease::start);
    let launching = launch_reserved(inner, spec, &folder, (seat, own));
    let launched = timeout(LAUNCH_TIMEOUT, launching).await;
    match launched.unwrap_or(Err(LaunchError::Timeout)) {
        Ok((started, mut container)) => {
            container.users = users;
            inner.watch(container);
            prepare_seats(inner);
            Ok(started)
        }
        Err(error) => {
            if !matches!(error, LaunchError::Exists(_)) {
                undo(inner, &id, &name, &folder).await;
            }
            if let Some(name) = seat_name {
                remove_leftover(inner, &name).await;
            }
            if !matches!(error, LaunchError::Exists(_)) {
                inner.give_back(&id).await;
            }
            inner.table().remove(&id);
            Err(error)
        }
    }
}

async fn launch_reserved(
    inner: &Arc<Inner>,
    spec: Spec,
    folder: &Folder,
    (seat, own_users): (Option<Seat>, Option<u32>),
) -> Result<(Started, Container), LaunchError> {
    let spec = named(inner, spec);
    let (id, program) = (spec.id.clone(), spec.program.clone());
    let parent = parent_group(inner, &spec);
    let memory_limit = hard_limit(&spec.limits);
    let kinds = [Isolator::Disk, Isolator::DiskQuota];
    let watched = kinds.into_iter().any(|it| inner.options.isolation.has(it));
    let disk = spec.disk.filter(|_| watched);
    let room = disk.map(|limit| Room::of(limit, inner.options.bytes_per_file));
    let disk = disk.map(|limit| (spec.sandbox.clone(), limit));
    let changes = match &spec.root {
        Some(RootSpec::Layers { upper, .. }) if disk.is_some() => Some(upper.clone()),
        _ => None,
    };
    let network = spec.network.clone();
    let mut prepared = prepare_blocking(inner, spec, folder, (seat, own_users)).await?;
    if let Some(start) = own_users {
        users::make(inner, &network, folder, start).await?;
    }
    networks::attach(&inner.options.networks, folder).await?;
    let mut newborn = make_init(inner, &mut prepared).await?;
    let started = newborn.identify()?;
    // It puts up the walls while the record is written.
    newborn.send(&prepared.plan, &program).await?;
    let (identity, own_processes) = ((started.pid, started.start_time), prepared.own_processes);
    let mut record = Record::new(&inner.boot_id, identity, own_processes, memory_limit);
    record.disk = disk;
    record.files = room.and_then(|room| room.files);
    record.parent = parent;
    record.holds_others = program == Program::Hold;
    record.changes = changes;
    record.granted = prepared.granted.clone();
    record.users = prepared.users;
    let path = folder.path().to_owned();
    folder
        .keep_plan(prepared.kept.as_deref().unwrap_or(&prepared.plan))
        .and_then(|()| folder.write(&record))
        .map_err(|source| LaunchError::Record { path, source })?;
    // From here on a restarted agent finds the container, so the program may run.
    let init = newborn.start(&program).await?;
    let init = Watched::new(init).map_err(|source| step("watch the container's init", source))?;
    let container = Container::new(id, folder.clone(), Some(record), Some(init), prepared.group);
    Ok((started, container))
}

/// What the group is called of the container that one is to be inside of.
pub(crate) fn parent_group(inner: &Inner, spec: &Spec) -> Option<String> {
    let parent = &spec.parent.as_ref()?.container;
    // One that is not there is refused before anything is made.
    let known = inner.known(parent).map(|parent| parent.group_name());
    Some(known.unwrap_or_else(|| parent.to_string()))
}

/// Who has a network of its own has a name there: its id, unless it asks for another.
fn named(inner: &Inner, mut spec: Spec) -> Spec {
    // Who is inside of another shares that one's network, and its name.
    if let Some(parent) = &spec.parent {
        if inner.options.isolation.has(Isolator::Network) {
            spec.network = NetworkSpec::Of(parent.container.clone());
        }
        return spec;
    }
    let own = matches!(spec.network, NetworkSpec::Alone | NetworkSpec::Attached(_));
    if own && inner.options.isolation.has(Isolator::UtsNamespace) {
        spec.hostname.get_or_insert_with(|| spec.id.to_string());
    }
    spec
}

pub(crate) fn step(step: &str, source: io::Error) -> LaunchError {
    LaunchError::Step {
        step: step.to_owned(),
        source,
    }
}

/// Leaves nothing of a container that did not start.
pub(crate) async fn undo(inner: &Inner, id: &ContainerId, name: &str, folder: &Folder) {
    remove_leftover(inner, name).await;
    if let Err(error) = networks::detach(&inner.options.networks, folder).await {
        // Its record stays: the next start of the agent tries again.
        return tracing::error!(container = %id, %error, "cannot clean up after a failed launch");
    }
    if let Err(error) = folder.remove() {
        tracing::warn!(container = %id, %error, "cannot remove the record of a failed launch");
    }
}

/// Removes a group of a failed launch, if it was made.
pub(crate) async fn remove_leftover(inner: &Inner, name: &str) {
    let Some(hierarchies) = &inner.hierarchies else {
        return;
    };
    if let Err(error) = remove_group(&*hierarchies.group(name)).await {
        tracing::warn!(group = name, %error, "cannot remove the cgroup of a failed launch");
    }
}
