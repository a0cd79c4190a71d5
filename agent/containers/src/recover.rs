//! Finding the containers of an earlier agent again.

use std::sync::Arc;

use tepui_model::ContainerId;
use tepui_sys::{PidFd, Watched};

use crate::{
    Isolator, Recovered, RecoveredState, Started,
    container::{Container, group_name, remove_group},
    launch::{remove_leftover, undo},
    records::Record,
    runtime::Inner,
    seat::{self, prepare_seats},
    session,
};

/// Finds all containers that there are records of, and removes cgroups that nothing is written
/// about.
pub(crate) async fn recover(inner: &Arc<Inner>) -> Vec<Recovered> {
    let ids = inner.records.ids().unwrap_or_else(|error| {
        tracing::error!(%error, "cannot read the runtime folder: no container is recovered");
        Vec::new()
    });
    remove_strangers(inner, &ids).await;
    let mut recovered = Vec::new();
    for id in ids {
        if !inner.table().contains_key(&id) && !undo_cut_off(inner, &id).await {
            recovered.push(recover_one(inner, id).await);
        }
    }
    settle(inner).await;
    prepare_seats(inner);
    recovered
}

/// Lets the containers that were found run where they may: an agent that died may have been about
/// to say so.
async fn settle(inner: &Arc<Inner>) {
    if !inner.options.isolation.has(Isolator::Processors) {
        return;
    }
    let inner = Arc::clone(inner);
    let settle = move || {
        let hierarchies = inner.hierarchies.as_deref();
        hierarchies.map(|it| inner.grants.settle_all(it))
    };
    drop(tokio::task::spawn_blocking(settle).await);
}

/// Undoes a launch that was cut off before its record was written, so that its program never ran:
/// it may be launched again. Says whether there was one, and nothing is left of it.
async fn undo_cut_off(inner: &Inner, id: &ContainerId) -> bool {
    let folder = inner.records.folder(id);
    if !folder.is_cut_off() {
        return false;
    }
    tracing::info!(container = %id, "undoing a launch that was cut off");
    // Nothing says which container it was to be inside of.
    for holder in inner.records.ids().unwrap_or_default() {
        let record = inner.records.folder(&holder).read();
        let above = record.as_ref().and_then(|record| record.parent.as_deref());
        let holder = group_name(above, &holder);
        remove_leftover(inner, &group_name(Some(&holder), id)).await;
    }
    undo(inner, id, &group_name(None, id), &folder).await;
    folder.path().try_exists().is_ok_and(|there| !there)
}

async fn recover_one(inner: &Inner, id: ContainerId) -> Recovered {
    let folder = inner.records.folder(&id);
    let record = folder.read();
    let parent = record.as_ref().and_then(|record| record.parent.as_deref());
    let name = group_name(parent, &id);
    let group = inner
        .all_hierarchies
        .as_ref()
        .map(|hierarchies| hierarchies.group(&name).into());
    let init = record
        .as_ref()
        .and_then(|record| find_init(inner, &id, record));
    let state = match (&init, &record) {
        (
            Some(_),
            Some(Record {
                pid, start_time, ..
            }),
        ) => RecoveredState::Running(Started {
            pid: *pid,
            start_time: *start_time,
        }),
        _ => RecoveredState::Exited,
    };
    if let Some(record) = &record {
        inner.grants.restore(&id, record.granted.clone());
    }
    // Those of a container around this one are that one's.
    let users = record.as_ref().filter(|record| record.parent.is_none());
    let users = users.and_then(|record| record.users);
    let mut container = Container::new(id.clone(), folder, record, init, group);
    container.users = users.map(|start| inner.users.take_again(start));
    end_sessions(inner, &container).await;
    if state == RecoveredState::Exited {
        // Whoever is left of it has no init to end it: its launch was cut off, or its record lost.
        container.kill_leftovers().await;
    }
    inner.watch(container);
    Recovered { id, state }
}

/// Nobody has hold of the sessions of an earlier agent any more: whatever is left of them ends.
async fn end_sessions(inner: &Inner, container: &Container) {
    let (Some(hierarchies), Some(group)) = (&inner.all_hierarchies, &container.group) else {
        return;
    };
    let below = group.below();
    for name in below
        .iter()
        .filter(|name| name.starts_with(session::PREFIX))
    {
        let group = hierarchies.group(&format!("{}/{name}", container.group_name()));
        if let Err(error) = remove_group(&*group).await {
            tracing::error!(container = %container.id, %error, "cannot end a session in it");
        }
    }
}

/// Takes hold of the init, if it is the same process that was written down.
fn find_init(inner: &Inner, id: &ContainerId, record: &Record) -> Option<Watched<PidFd>> {
    if record.boot_id != inner.boot_id {
        return None;
    }
    let found = PidFd::find(record.pid, record.start_time);
    let held = found.and_then(|found| found.map(Watched::new).transpose());
    held.unwrap_or_else(|error| {
        tracing::error!(container = %id, %error, "cannot watch the init of a container");
        None
    })
}

/// The cgroup root is ours alone: a group in it without a record belongs to a container whose
/// record is lost, or to the seat of an earlier agent.
async fn remove_strangers(inner: &Inner, known: &[ContainerId]) {
    let Some(hierarchies) = &inner.all_hierarchies else {
        return;
    };
    for name in hierarchies.names() {
        if known.iter().any(|id| id.as_str() == name) {
            continue;
        }
        if !name.starts_with(seat::PREFIX) {
            tracing::warn!(
                group = name,
                "removing a cgroup that nothing is written about"
            );
        }
        if let Err(error) = remove_group(&*hierarchies.group(&name)).await {
            tracing::error!(group = name, %error, "cannot remove a cgroup of an earlier agent");
        }
    }
}
