//! Users of a container's own (`namespaces/user`): which it gets, and how its namespace is made and
//! kept.
//!
//! Its users 0 to 65,535 are as many users of the machine that nothing else belongs to. What is in
//! its sandbox, its volumes and its image keeps the owners that it has on the disk: the mounts say
//! who they are inside. All that its init does, it does outside of the namespace, as in every
//! container: only the task, and programs that are started beside it, are inside.
//!
//! The namespace is kept by a mount on `users` in the container's record folder.

mod range;

use std::{
    io,
    os::{
        fd::AsFd as _,
        unix::fs::{MetadataExt as _, chown},
    },
    path::Path,
};

use tepui_sys::{PidFd, receive};
use tokio::{io::Interest, net::UnixStream};

pub use self::range::{InvalidRange, UserRange};
pub(crate) use self::range::{Lease, Ranges};
use crate::{
    Isolator, LaunchError, NetworkSpec, RootSpec, Spec,
    init::wire::{FAILED, Plan, UP, UserPlan, UsersPlan},
    launch::{step, understand},
    limits::{CONTAINER_USERS, MAX_MESSAGE_BYTES},
    networks,
    records::{Folder, Record},
    runtime::Inner,
};

/// Whose users a container has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Users {
    /// As the operator has it, or as the container that it is inside of.
    #[default]
    Usual,
    /// Its own.
    Own,
    /// The machine's.
    Machines,
}

/// Which containers have users of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsersPolicy {
    /// Those that ask.
    #[default]
    Asked,
    /// All but those that ask for the machine's.
    Usual,
    /// All. Who asks for the machine's is refused.
    Always,
}

/// Whether a container is to have users of its own. `parents` says what the container has that it
/// is inside of.
fn wanted(asked: Users, policy: UsersPolicy, parents: Option<bool>) -> Result<bool, &'static str> {
    match (parents, asked, policy) {
        (Some(false), Users::Own, _) => Err(
            "the task asks for users of its own, but the group that it is in has the machine's: ask \
             for them in the executor's container",
        ),
        (Some(true), Users::Machines, _) => {
            Err("the task asks for the machine's users, but the group that it is in has its own")
        }
        (Some(has), _, _) => Ok(has),
        (None, Users::Machines, UsersPolicy::Always) => Err(
            "the task asks for the machine's users, and this agent gives all tasks their own \
             (--user-namespaces always)",
        ),
        (None, Users::Usual, UsersPolicy::Asked) | (None, Users::Machines, _) => Ok(false),
        (None, Users::Own, _) | (None, Users::Usual, _) => Ok(true),
    }
}

/// Takes users for a container that is to have its own. None where it has the machine's, or those
/// of the container that it is inside of.
pub(crate) fn lease(inner: &Inner, spec: &Spec) -> Result<Option<Lease>, LaunchError> {
    let invalid = |message: String| LaunchError::Invalid(message);
    let parents = spec.parent.as_ref().and_then(|parent| {
        let record = inner.known(&parent.container)?.record.clone()?;
        Some(record.users.is_some())
    });
    let wanted = wanted(spec.users, inner.options.users_policy, parents);
    let wanted = wanted.map_err(|refusal| invalid(refusal.to_owned()))?;
    if !wanted || parents.is_some() {
        return Ok(None);
    }
    if !inner.options.isolation.has(Isolator::Users) {
        let message = "users of its own need namespaces/user in --isolation";
        return Err(invalid(message.to_owned()));
    }
    if let Some(reason) = Isolator::Users.isolate().missing(&inner.machine) {
        let message = format!("this machine cannot give the task users of its own: {reason}");
        return Err(invalid(message));
    }
    let lease = inner.users.take().ok_or_else(|| {
        let range = inner.options.users;
        invalid(format!(
            "all of the {} ranges of users in {range} are in use: end a task, or start the agent \
             with a larger --userns-remap",
            range.containers()
        ))
    })?;
    Ok(Some(lease))
}

/// Writes into a plan whose users a container has, and gives it what is made for it alone.
pub(crate) fn prepare(
    spec: &Spec,
    folder: &Folder,
    own: Option<u32>,
    parent: Option<&Record>,
    plan: &mut Plan,
) -> Result<(), LaunchError> {
    let parents = spec.parent.as_ref().zip(parent.and_then(|it| it.users));
    let users = match (own, parents) {
        (Some(start), _) => UsersPlan {
            namespace: folder.users_path(),
            start,
        },
        (None, Some((parent, start))) => UsersPlan {
            namespace: folder.of(&parent.container).users_path(),
            start,
        },
        (None, None) => return Ok(()),
    };
    let user = plan.user.get_or_insert_with(|| UserPlan {
        uid: 0,
        gid: 0,
        groups: Vec::new(),
    });
    let numbers = [user.uid, user.gid];
    if let Some(number) = numbers
        .iter()
        .chain(&user.groups)
        .find(|number| **number >= CONTAINER_USERS)
    {
        return Err(LaunchError::Invalid(format!(
            "the task's user or group {number} is none of the {CONTAINER_USERS} that a container has \
             of its own"
        )));
    }
    if let Some(RootSpec::Layers { upper, .. }) = &spec.root {
        give(upper, users.start)?;
    }
    for volume in &spec.image_volumes {
        give(&volume.upper, users.start)?;
    }
    for name in networks::FILES {
        let path = folder.path().join(name);
        if path.exists() {
            give(&path, users.start)?;
        }
    }
    plan.users = Some(users);
    Ok(())
}

/// Gives a container what is its own alone: it belongs to the same user of it as of the machine.
fn give(path: &Path, start: u32) -> Result<(), LaunchError> {
    let shift = |owner: u32| owner.checked_add(start).filter(|_| owner < CONTAINER_USERS);
    let given = std::fs::symlink_metadata(path).and_then(|found| {
        let (uid, gid) = (shift(found.uid()), shift(found.gid()));
        chown(path, uid.or(Some(start)), gid.or(Some(start)))
    });
    given.map_err(|source| step(&format!("give {} to the container", path.display()), source))
}

/// Makes the namespace of a container with users of its own, and that of its network, if it has its
/// own, which belongs to the same users: they have power over it.
pub(crate) async fn make(
    inner: &Inner,
    spec_network: &NetworkSpec,
    folder: &Folder,
    start: u32,
) -> Result<(), LaunchError> {
    let network = has_own_network(spec_network);
    let refused = |source| step("ask the launcher for a user namespace", source);
    let socket = inner.launcher.ask_users(network).await.map_err(refused)?;
    socket.set_nonblocking(true).map_err(refused)?;
    let socket = UnixStream::from_std(socket).map_err(refused)?;
    let process = expect_up(&socket).await?;
    let folder = folder.clone();
    let kept = tokio::task::spawn_blocking(move || keep(&process, &folder, network, start));
    let kept = kept
        .await
        .unwrap_or_else(|ended| Err(io::Error::other(ended)));
    // Nobody is in it any more when this is closed; the mounts keep it.
    drop(socket);
    kept.map_err(|source| step("make a user namespace", source))
}

/// Whether the network namespace of such a container is made here.
pub(crate) fn has_own_network(network: &NetworkSpec) -> bool {
    matches!(network, NetworkSpec::Alone | NetworkSpec::Attached(_))
}

async fn expect_up(socket: &UnixStream) -> Result<PidFd, LaunchError> {
    let mut buffer = [0; MAX_MESSAGE_BYTES];
    let received = socket.async_io(Interest::READABLE, || receive(socket.as_fd(), &mut buffer));
    let received = received.await;
    let mut received = received.map_err(|source| step("make a user namespace", source))?;
    match (buffer[..received.length].first(), received.files.pop()) {
        (Some(&UP), Some(process)) => Ok(PidFd::from_fd(process)),
        (Some(&FAILED), _) => Err(understand(&buffer[1..received.length], None)),
        _ => Err(step(
            "make a user namespace",
            io::ErrorKind::UnexpectedEof.into(),
        )),
    }
}

fn keep(process: &PidFd, folder: &Folder, network: bool, start: u32) -> io::Result<()> {
    let gone = || io::Error::other("the process in it has ended");
    let pid = process.pid()?.ok_or_else(gone)?;
    tepui_sys::map_users(pid, start, CONTAINER_USERS)?;
    tepui_sys::keep_namespace(pid, "user", &folder.users_path())?;
    if network {
        let at = networks::namespace(folder);
        tepui_sys::keep_namespace(pid, "net", &at)?;
        tepui_sys::bring_up(&at)?;
    }
    // The number was still its own all the time, if it is now.
    process.pid()?.ok_or_else(gone).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_users_a_container_has_is_asked_for_and_decided_by_the_operator() {
        use UsersPolicy::{Always, Asked, Usual};
        let none = None::<bool>;
        for (asked, policy, has) in [
            (Users::Usual, Asked, false),
            (Users::Own, Asked, true),
            (Users::Machines, Asked, false),
            (Users::Usual, Usual, true),
            (Users::Machines, Usual, false),
            (Users::Usual, Always, true),
            (Users::Own, Always, true),
        ] {
            assert_eq!(wanted(asked, policy, none), Ok(has), "{asked:?} {policy:?}");
        }
        let refused = wanted(Users::Machines, Always, none).unwrap_err();
        assert!(refused.contains("--user-namespaces always"), "{refused}");
    }

    #[test]
    fn who_is_inside_of_another_has_that_one_s_users() {
        for has in [false, true] {
            for policy in [UsersPolicy::Asked, UsersPolicy::Usual, UsersPolicy::Always] {
                assert_eq!(wanted(Users::Usual, policy, Some(has)), Ok(has));
            }
        }
        assert!(wanted(Users::Own, UsersPolicy::Asked, Some(false)).is_err());
        assert!(wanted(Users::Machines, UsersPolicy::Asked, Some(true)).is_err());
    }
}
