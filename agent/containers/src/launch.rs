//! How a container is launched, on the agent's side: one story, told step by step.

use std::{collections::btree_map::Entry, io, os::fd::AsFd, sync::Arc};

use nix::unistd::{Gid, Uid, User, getgrouplist};
use tepui_model::ContainerId;
use tepui_sys::{PidFd, Watched, receive, start_time};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::UnixStream,
    sync::watch,
    time::timeout,
};

use crate::{
    Isolator, LaunchError, Program, Spec, Started,
    cgroups::{Entrance, Group},
    container::{Container, remove_group},
    init::wire::{Cause, Command, FAILED, Failure, Plan, Request, UP, UserPlan},
    isolators::{Preparation, hard_limit},
    limits::{LAUNCH_TIMEOUT, MAX_MESSAGE_BYTES, MAX_PLAN_BYTES},
    records::{Folder, Record},
    runtime::{Inner, Slot},
};

/// What is ready before there is a process.
struct Prepared {
    plan: Vec<u8>,
    own_processes: bool,
    group: Option<Box<dyn Group>>,
}

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
    let launched = timeout(LAUNCH_TIMEOUT, launch_reserved(inner, spec, &folder)).await;
    match launched.unwrap_or(Err(LaunchError::Timeout)) {
        Ok((started, container)) => {
            inner.watch(container);
            Ok(started)
        }
        Err(error) => {
            if !matches!(error, LaunchError::Exists(_)) {
                undo(inner, &id, &folder).await;
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
) -> Result<(Started, Container), LaunchError> {
    let (id, program) = (spec.id.clone(), spec.program.clone());
    let memory_limit = hard_limit(&spec.limits);
    let prepared = prepare_blocking(inner, spec, folder).await?;
    let (init, mut socket) = make_init(inner, &prepared).await?;
    let started =
        identify(&init).map_err(|source| step("identify the container's init", source))?;
    let identity = (started.pid, started.start_time);
    let record = Record::new(
        &inner.boot_id,
        identity,
        prepared.own_processes,
        memory_limit,
    );
    let path = folder.path();
    folder
        .write(&record)
        .map_err(|source| LaunchError::Record {
            path: path.to_owned(),
            source,
        })?;
    // From here on a restarted agent finds the container, so the program may run.
    send_plan(&mut socket, &prepared.plan).await?;
    expect_started(&mut socket, &program).await?;
    let init = Watched::readable_file(init)
        .map_err(|source| step("watch the container's init", source))?;
    let container = Container::new(id, folder.clone(), Some(record), Some(init), prepared.group);
    Ok((started, container))
}

fn step(step: &str, source: io::Error) -> LaunchError {
    LaunchError::Step {
        step: step.to_owned(),
        source,
    }
}

/// Cgroups can be slow to make, and users slow to look up: not for the threads that serve everybody.
async fn prepare_blocking(
    inner: &Arc<Inner>,
    spec: Spec,
    folder: &Folder,
) -> Result<Prepared, LaunchError> {
    let (inner, folder) = (Arc::clone(inner), folder.clone());
    let prepared = tokio::task::spawn_blocking(move || prepare(&inner, &spec, &folder)).await;
    prepared.unwrap_or_else(|ended| Err(step("prepare the container", io::Error::other(ended))))
}

fn prepare(inner: &Inner, spec: &Spec, folder: &Folder) -> Result<Prepared, LaunchError> {
    check(inner, spec)?;
    let mut plan = Plan {
        command: command(&spec.program),
        environment: spec.environment.clone(),
        user: spec
            .user
            .as_deref()
            .map(resolve_user)
            .transpose()?
            .flatten(),
        sandbox: spec.sandbox.clone(),
        status: folder.status_path(),
        // A protected agent does not protect its tasks.
        oom_score_adj: (inner.machine.oom_score < 0).then_some(0),
        ..Plan::default()
    };
    let group = inner
        .hierarchies
        .as_ref()
        .map(|hierarchies| hierarchies.group(spec.id.as_str()));
    let path = folder.path();
    match folder.create() {
        Ok(true) => {}
        Ok(false) => return Err(LaunchError::Exists(spec.id.clone())),
        Err(source) => {
            return Err(LaunchError::Record {
                path: path.to_owned(),
                source,
            });
        }
    }
    if let Some(group) = &group {
        group.create()?;
    }
    let mut container = Preparation {
        spec,
        machine: &inner.machine,
        default_pids: inner.options.pids_limit,
        group: group.as_deref(),
        plan: &mut plan,
    };
    for isolator in inner.options.isolation.iter() {
        isolator.isolate().prepare(&mut container)?;
    }
    let own_processes = plan.own_processes;
    let plan =
        serde_json::to_vec(&plan).map_err(|error| LaunchError::Invalid(error.to_string()))?;
    if plan.len() > MAX_PLAN_BYTES {
        return Err(LaunchError::Invalid(
            "the arguments and the environment are too long".to_owned(),
        ));
    }
    Ok(Prepared {
        plan,
        own_processes,
        group,
    })
}

fn check(inner: &Inner, spec: &Spec) -> Result<(), LaunchError> {
    let invalid = |message: &str| Err(LaunchError::Invalid(message.to_owned()));
    if !spec.sandbox.is_absolute() {
        return invalid("the sandbox is no absolute path");
    }
    if spec
        .environment
        .iter()
        .any(|(name, _)| name.is_empty() || name.contains('='))
    {
        return invalid("an environment variable has a name that is empty or holds a '='");
    }
    if spec.hostname.is_some() && !inner.options.isolation.has(Isolator::UtsNamespace) {
        return invalid("a host name of its own needs namespaces/uts in --isolation");
    }
    Ok(())
}

fn command(program: &Program) -> Command {
    match program {
        Program::Shell(line) => Command {
            path: "/bin/sh".to_owned(),
            arguments: vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
        },
        Program::Exec { path, arguments } if arguments.is_empty() => Command {
            path: path.clone(),
            arguments: vec![path.clone()],
        },
        Program::Exec { path, arguments } => Command {
            path: path.clone(),
            arguments: arguments.clone(),
        },
    }
}

/// Finds a user by name or number. `None` is the agent's own, when it could become no other.
fn resolve_user(name: &str) -> Result<Option<UserPlan>, LaunchError> {
    let unknown = || LaunchError::UnknownUser(name.to_owned());
    let looked_up = |source: nix::Error| step(&format!("look up user '{name}'"), source.into());
    let found = match User::from_name(name).map_err(looked_up)? {
        Some(user) => Some(user),
        None => match name.parse().map(Uid::from_raw) {
            Ok(uid) => User::from_uid(uid).map_err(looked_up)?,
            Err(_) => return Err(unknown()),
        },
    };
    let user = found.ok_or_else(unknown)?;
    let own = Uid::effective();
    if user.uid == own && !own.is_root() {
        return Ok(None);
    }
    let c_name = std::ffi::CString::new(user.name).map_err(|_| unknown())?;
    let groups = getgrouplist(&c_name, user.gid).map_err(looked_up)?;
    let groups = groups.into_iter().map(Gid::as_raw).collect();
    Ok(Some(UserPlan {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        groups,
    }))
}

/// Asks the launcher for an init, and waits until it has joined its cgroups.
async fn make_init(inner: &Inner, prepared: &Prepared) -> Result<(PidFd, UnixStream), LaunchError> {
    let entrance = prepared
        .group
        .as_ref()
        .map(|group| group.entrance())
        .unwrap_or_default();
    let Entrance { join, born_in } = entrance;
    let request = Request {
        isolation: inner.options.isolation,
        join,
        born_in,
    };
    // A launcher that dies under the request is replaced, once.
    for _ in 0..2 {
        let asked = inner.launcher.ask(&request).await;
        let socket = asked.and_then(|socket| {
            socket.set_nonblocking(true)?;
            UnixStream::from_std(socket)
        });
        let socket = socket.map_err(|source| step("ask the launcher for a container", source))?;
        if let Some(init) = expect_up(&socket).await? {
            return Ok((init, socket));
        }
    }
    Err(LaunchError::InitDied(String::new()))
}

/// `None` when the other end is closed without a word.
async fn expect_up(socket: &UnixStream) -> Result<Option<PidFd>, LaunchError> {
    let mut buffer = [0; MAX_MESSAGE_BYTES];
    let received = socket.async_io(Interest::READABLE, || receive(socket.as_fd(), &mut buffer));
    let mut received = received
        .await
        .map_err(|source| step("hear from the container's init", source))?;
    match (buffer[..received.length].first(), received.files.pop()) {
        (Some(&UP), Some(init)) => Ok(Some(PidFd::from_fd(init))),
        (Some(&FAILED), _) => Err(understand(&buffer[1..received.length], None)),
        _ => Ok(None),
    }
}

fn identify(init: &PidFd) -> io::Result<Started> {
    let gone = || io::Error::other("it has ended");
    let pid = init.pid()?.ok_or_else(gone)?;
    let start_time = start_time(pid)?;
    // The number was still its own when the start time was read, if it is now.
    init.pid()?.ok_or_else(gone)?;
    Ok(Started { pid, start_time })
}

async fn send_plan(socket: &mut UnixStream, plan: &[u8]) -> Result<(), LaunchError> {
    let sent = async {
        socket.write_all(plan).await?;
        socket.shutdown().await
    };
    sent.await
        .map_err(|error| LaunchError::InitDied(format!(": {error}")))
}

/// The socket closes when the program is run, without a word if all is well.
async fn expect_started(socket: &mut UnixStream, program: &Program) -> Result<(), LaunchError> {
    let mut words = Vec::new();
    let read = socket
        .take(MAX_MESSAGE_BYTES as u64)
        .read_to_end(&mut words)
        .await;
    read.map_err(|error| LaunchError::InitDied(format!(": {error}")))?;
    match words.split_first() {
        None => Ok(()),
        Some((&FAILED, failure)) => Err(understand(failure, Some(program))),
        Some(_) => Err(LaunchError::InitDied(
            ": it said what nobody understands".to_owned(),
        )),
    }
}

fn understand(failure: &[u8], program: Option<&Program>) -> LaunchError {
    let Ok(failure) = serde_json::from_slice::<Failure>(failure) else {
        return LaunchError::InitDied(": it said what nobody understands".to_owned());
    };
    let source = failure.error();
    match (failure.cause, program) {
        (Cause::Program, Some(Program::Exec { path, .. })) => LaunchError::Program {
            program: path.clone(),
            source,
        },
        (Cause::Program, _) => LaunchError::Program {
            program: failure.what,
            source,
        },
        (Cause::Sandbox, _) => LaunchError::Sandbox {
            path: failure.what.into(),
            source,
        },
        (Cause::Step, _) => LaunchError::Step {
            step: failure.what,
            source,
        },
    }
}

/// Leaves nothing of a container that did not start.
async fn undo(inner: &Inner, id: &ContainerId, folder: &Folder) {
    if let Some(hierarchies) = &inner.hierarchies {
        let group = hierarchies.group(id.as_str());
        if let Err(error) = remove_group(&*group, id).await {
            tracing::warn!(container = %id, %error, "cannot remove the cgroup of a failed launch");
        }
    }
    if let Err(error) = folder.remove() {
        tracing::warn!(container = %id, %error, "cannot remove the record of a failed launch");
    }
}
