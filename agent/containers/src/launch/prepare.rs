//! What can be done for a container before there is a process: its records, its groups, its plan.

use std::{io, sync::Arc};

use nix::unistd::{Gid, Uid, User, getgrouplist};
use tepui_model::ContainerId;

use super::{parent_group, secrets, step, volumes};
use crate::{
    Communication, Ids, Isolation, Isolator, LaunchError, LogRoom, NetworkSpec, Parent, Program,
    Spec,
    cgroups::{Entrance, Group, Hierarchies, Quota},
    container::{Container, group_name},
    grants::Granted,
    init::wire::{Command, ConsolePlan, LogPlan, Plan, UserPlan},
    isolators::Preparation,
    limits::{MAX_LOG_FILES, MAX_PLAN_BYTES, MIN_LOG_BYTES},
    records::Folder,
    runtime::Inner,
    seat::Seat,
    users,
};

/// What is ready before there is a process.
pub(super) struct Prepared {
    /// The plan for the init, as it is sent.
    pub(super) plan: Vec<u8>,
    /// What later programs in the container are started by, if that is not the plan: what only the
    /// init needs to know is not written down.
    pub(super) kept: Option<Vec<u8>>,
    /// Whether the init takes all processes along when it ends.
    pub(super) own_processes: bool,
    /// The user of the machine that is root in it, if it has other users than the machine's.
    pub(super) users: Option<u32>,
    /// The group, with its limits.
    pub(super) group: Option<Arc<dyn Group>>,
    /// The process that waits in the group, if one does.
    pub(super) seat: Option<Seat>,
    /// How the init gets into the group.
    pub(super) entrance: Entrance,
    /// The isolators that are the container's own: what it shares is not among them.
    pub(super) isolation: Isolation,
    /// The container that it is inside of, and whether it shares that one's processes.
    pub(super) parent: Option<(Arc<Container>, bool)>,
    /// What bounds its processor time once its program runs.
    pub(super) quota: Option<Quota>,
    /// What it has to itself.
    pub(super) granted: Granted,
}

/// Cgroups can be slow to make, and users slow to look up: not for the threads that serve
/// everybody.
pub(super) async fn prepare_blocking(
    inner: &Arc<Inner>,
    spec: Spec,
    folder: &Folder,
    (seat, users): (Option<Seat>, Option<u32>),
) -> Result<Prepared, LaunchError> {
    let (inner, folder) = (Arc::clone(inner), folder.clone());
    let prepare = move || prepare(&inner, &spec, &folder, (seat, users));
    let prepared = tokio::task::spawn_blocking(prepare).await;
    prepared.unwrap_or_else(|ended| Err(step("prepare the container", io::Error::other(ended))))
}

fn prepare(
    inner: &Inner,
    spec: &Spec,
    folder: &Folder,
    (seat, users): (Option<Seat>, Option<u32>),
) -> Result<Prepared, LaunchError> {
    check(inner, spec)?;
    let parent = spec
        .parent
        .as_ref()
        .map(|parent| find_parent(inner, parent, spec.share_cgroups));
    let parent = parent.transpose()?;
    let mut plan = first_plan(inner, spec, folder)?;
    make_folder(spec, folder)?;
    plan.volumes = volumes::prepare(spec, &inner.options, plan.user.as_ref())?;
    secrets::prepare(spec, &inner.options, folder, &mut plan)?;
    plan.volumes
        .extend(volumes::of_images(spec, &inner.options, folder)?);
    let group = make_group(inner, spec, seat.as_ref())?;
    let has_ended = |id: &ContainerId| inner.known(id).is_some_and(|it| it.has_ended());
    let grants = &inner.grants;
    let granted = grants.take(spec, inner.options.isolation, has_ended)?;
    let mut quota = None;
    let mut container = Preparation {
        spec,
        machine: &inner.machine,
        default_pids: inner.options.pids_limit,
        bytes_per_file: inner.options.bytes_per_file,
        policy: &inner.options.policy,
        networks: &inner.options.networks,
        filters: &inner.filters,
        group: group.as_deref(),
        plan: &mut plan,
        shared_memory: inner.options.shared_memory,
        parent: parent.as_ref().and_then(|(parent, _)| process(parent)),
        users,
        folder,
        quota: &mut quota,
        hierarchies: inner.hierarchies.as_deref(),
        grants,
        granted: &granted,
    };
    for isolator in inner.options.isolation.iter() {
        isolator.isolate().prepare(&mut container)?;
    }
    let record = parent
        .as_ref()
        .and_then(|(parent, _)| parent.record.as_ref());
    users::prepare(spec, folder, users, record, &mut plan)?;
    let isolation = own_isolation(inner, spec, parent.as_ref().map(|(_, share)| *share));
    plan.own_processes &= isolation.has(Isolator::PidNamespace);
    let entrance = match &group {
        Some(group) if plan.hold => group.entrance_beside_others()?,
        Some(group) => group.entrance(),
        None => Entrance::default(),
    };
    Ok(Prepared {
        own_processes: plan.own_processes,
        users: plan.users.as_ref().map(|users| users.start),
        plan: encode(&plan)?,
        kept: without_secrets(plan)?,
        group,
        seat,
        entrance,
        isolation,
        parent,
        quota,
        granted,
    })
}

/// The plan without what it has of secrets, if it has any.
fn without_secrets(mut plan: Plan) -> Result<Option<Vec<u8>>, LaunchError> {
    if plan.secrets.is_empty() {
        return Ok(None);
    }
    plan.secrets.clear();
    encode(&plan).map(Some)
}

/// What is known before anything is made.
fn first_plan(inner: &Inner, spec: &Spec, folder: &Folder) -> Result<Plan, LaunchError> {
    Ok(Plan {
        hold: spec.program == Program::Hold,
        command: command(&spec.program),
        environment: spec.environment.clone(),
        user: user(spec)?,
        sandbox: spec.sandbox.clone(),
        logs: spec.logs.map(|rooms| rooms.map(log)),
        working_dir: spec.working_dir.clone(),
        folders: spec.folders.clone(),
        stop_signal: spec.stop_signal.map(|signal| signal as i32),
        // Who cannot trace others could not look into an init that hides.
        lessen: inner.options.isolation.has(Isolator::Capabilities)
            && inner.machine.lacks_capability("SYS_PTRACE").is_none(),
        status: folder.status_path(),
        // A protected agent does not protect its tasks.
        oom_score_adj: (inner.machine.oom_score < 0).then_some(0),
        console: spec.terminal.map(|size| ConsolePlan {
            size: size.into(),
            socket: folder.console_path(),
        }),
        ..Plan::default()
    })
}

fn log(room: LogRoom) -> LogPlan {
    LogPlan {
        bytes: room.bytes.0.max(MIN_LOG_BYTES),
        kept: room.kept.min(MAX_LOG_FILES),
    }
}

fn make_folder(spec: &Spec, folder: &Folder) -> Result<(), LaunchError> {
    match folder.create() {
        Ok(true) => Ok(()),
        Ok(false) => Err(LaunchError::Exists(spec.id.clone())),
        Err(source) => Err(LaunchError::Record {
            path: folder.path().to_owned(),
            source,
        }),
    }
}

/// The isolators that are a container's own, when it is inside of another and shares that one's
/// processes or not.
fn own_isolation(inner: &Inner, spec: &Spec, share_processes: Option<bool>) -> Isolation {
    let mut isolation = inner.options.isolation;
    if let Some(share_processes) = share_processes {
        if spec.communication != Communication::Own {
            isolation = isolation.without(Isolator::IpcNamespace);
        }
        isolation = isolation.without(Isolator::UtsNamespace);
        if share_processes {
            isolation = isolation.without(Isolator::PidNamespace);
        }
    }
    isolation
}

/// The init of a container, and when it started.
fn process(container: &Container) -> Option<(u32, u64)> {
    let record = container.record.as_ref()?;
    Some((record.pid, record.start_time))
}

/// The container that a new one is to be inside of.
fn find_parent(
    inner: &Inner,
    parent: &Parent,
    share_cgroups: bool,
) -> Result<(Arc<Container>, bool), LaunchError> {
    let found = inner.known(&parent.container).filter(|it| !it.has_ended());
    let found = found.ok_or_else(|| LaunchError::NotRunning(parent.container.clone()))?;
    let holds = found.record.as_ref().is_some_and(|it| it.holds_others);
    let apart = |hierarchies: &Arc<dyn Hierarchies>| !hierarchies.limits_beside_processes();
    if !holds && !share_cgroups && inner.hierarchies.as_ref().is_some_and(apart) {
        let message = "on cgroup v2 a container inside of one that runs a program has no limits of \
                       its own: let it share that one's cgroups, or put it inside of the executor \
                       of a task group";
        return Err(LaunchError::Invalid(message.to_owned()));
    }
    Ok((found, parent.share_processes))
}

pub(crate) fn encode(plan: &impl serde::Serialize) -> Result<Vec<u8>, LaunchError> {
    let bytes =
        serde_json::to_vec(plan).map_err(|error| LaunchError::Invalid(error.to_string()))?;
    if bytes.len() > MAX_PLAN_BYTES {
        let message = "the arguments and the environment are too long";
        return Err(LaunchError::Invalid(message.to_owned()));
    }
    Ok(bytes)
}

/// A new group, or that of the seat under the container's name.
fn make_group(
    inner: &Inner,
    spec: &Spec,
    seat: Option<&Seat>,
) -> Result<Option<Arc<dyn Group>>, LaunchError> {
    let Some(hierarchies) = &inner.hierarchies else {
        return Ok(None);
    };
    let parent = parent_group(inner, spec);
    let group = hierarchies.group(&group_name(parent.as_deref(), &spec.id));
    match seat {
        Some(seat) => hierarchies.rename(&seat.name, spec.id.as_str())?,
        None => group.create()?,
    }
    Ok(Some(group.into()))
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
    if spec.network != NetworkSpec::Host && !inner.options.isolation.has(Isolator::Network) {
        return invalid("a network of its own needs network/cni in --isolation");
    }
    if spec.terminal.is_some() && spec.program == Program::Hold {
        return invalid("without a program there is nobody at a terminal");
    }
    if spec.root.is_none() && !spec.folders.is_empty() {
        return invalid("folders are made in a root of its own only");
    }
    if spec.root.is_some() && !inner.options.isolation.has(Isolator::Files) {
        return invalid("a root of its own needs filesystem/linux in --isolation");
    }
    Ok(())
}

pub(crate) fn command(program: &Program) -> Command {
    match program {
        Program::Hold => Command::default(),
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

/// Whom the task runs as, if not as the agent.
fn user(spec: &Spec) -> Result<Option<UserPlan>, LaunchError> {
    match (&spec.ids, &spec.user) {
        (Some(ids), _) => Ok(Some(UserPlan {
            uid: ids.uid,
            gid: ids.gid,
            groups: ids.groups.clone(),
        })),
        (None, Some(name)) => resolve_user(name),
        (None, None) => Ok(None),
    }
}

/// Finds a user of this machine by name or number; none if it is this process's own, and it could
/// become no other.
///
/// # Errors
/// There is no such user.
pub fn find_user(name: &str) -> Result<Option<Ids>, LaunchError> {
    let ids = |user: UserPlan| Ids {
        uid: user.uid,
        gid: user.gid,
        groups: user.groups,
    };
    Ok(resolve_user(name)?.map(ids))
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
