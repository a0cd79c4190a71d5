//! What agent, launcher and init say to each other. All three are the same program, so there are no
//! versions.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tepui_sys::{Device, Layers, Mount, Reaped, Signal, User};

use super::session::wire::{EnteredPlan, SessionRequest, TerminalPlan};
use crate::{ExitStatus, Isolation, cgroups::Quota};

/// The launcher's first words.
pub(crate) const HELLO: &[u8] = b"tepui-launcher is up";

/// An init's first byte, with a descriptor of its process in the luggage.
pub(crate) const UP: u8 = b'U';

/// The agent's word after a plan: the container is written down.
pub(crate) const RUN: u8 = b'R';

/// The byte before a [`Failure`].
pub(crate) const FAILED: u8 = b'F';

/// Agent to launcher, with the far end of a socket in the luggage.
///
/// It holds nothing of the task: what the launcher reads stays in the memory of all later inits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Make a process for a container. The socket is the init's.
    Init(InitRequest),
    /// Make an init that waits for its one request, which comes through the socket.
    Seat(SeatRequest),
    /// Make a process that starts a program in a container that runs. The socket is its own.
    Session(SessionRequest),
    /// Make a user namespace, and a network that belongs to it if that is true. A process waits in
    /// it until the socket is closed.
    Users(bool),
}

/// A process for a container to come. See [`Seat`](crate::seat::Seat).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeatRequest {
    /// Files to which to write to join its v1 cgroups.
    pub(crate) join: Vec<PathBuf>,
    /// The namespaces to make. Those of mounts are made when the container is there: what the
    /// machine mounts until then is to be seen.
    pub(crate) isolation: Isolation,
}

/// A process for a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InitRequest {
    /// The namespaces to make.
    pub(crate) isolation: Isolation,
    /// Files to which the init writes itself to join the v1 cgroups.
    pub(crate) join: Vec<PathBuf>,
    /// The v2 cgroup to be born in.
    pub(crate) born_in: Option<PathBuf>,
    /// The namespaces to share with a container, of whose init a hold comes along.
    #[serde(default)]
    pub(crate) enter: Option<EnteredPlan>,
    /// What bounds the processor time of its cgroup once the task runs, and not before: to set up
    /// the walls takes time too.
    #[serde(default)]
    pub(crate) quota: Option<Quota>,
}

/// Agent to init: what the container is to be. Sent when the record of it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Whether there is no program, and the init alone holds what others share.
    #[serde(default)]
    pub(crate) hold: bool,
    /// The program and its arguments.
    pub(crate) command: Command,
    /// The whole environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Who runs it, if not the agent's user.
    pub(crate) user: Option<UserPlan>,
    /// Whose users its programs are, if not the machine's.
    #[serde(default)]
    pub(crate) users: Option<UsersPlan>,
    /// The working directory, where output goes.
    pub(crate) sandbox: PathBuf,
    /// The room of its output and of its errors, if they take turns.
    #[serde(default)]
    pub(crate) logs: Option<[LogPlan; 2]>,
    /// The existing file for the exit status.
    pub(crate) status: PathBuf,
    /// Whether mounts must not show on the host.
    pub(crate) own_mounts: bool,
    /// The container's own root, if it has one.
    pub(crate) root: Option<RootPlan>,
    /// Where the program starts: a path from the root, or from the sandbox, which it is without.
    pub(crate) working_dir: Option<PathBuf>,
    /// Whether the init is process 1 of a PID namespace.
    pub(crate) own_processes: bool,
    /// What to mount, in this order.
    pub(crate) mounts: Vec<MountPlan>,
    /// Device files to make when that is mounted.
    pub(crate) devices: Vec<DevicePlan>,
    /// Those among them that the operator has named, until they are there.
    #[serde(skip)]
    pub(crate) more_devices: Vec<DevicePlan>,
    /// Symbolic links to make then, and what they lead to.
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
    /// What is hidden.
    pub(crate) masked: Vec<PathBuf>,
    /// What can only be read.
    pub(crate) read_only: Vec<PathBuf>,
    /// Where the container sees its cgroups.
    pub(crate) cgroups: Option<CgroupView>,
    /// Folders of the machine to bind, once the mounts are there.
    pub(crate) volumes: Vec<VolumePlan>,
    /// The process whose `/dev/shm` is shown, and when it started.
    #[serde(default)]
    pub(crate) shared_memory_of: Option<(u32, u64)>,
    /// Secrets to show as files, after the volumes.
    #[serde(default)]
    pub(crate) secrets: Vec<SecretPlan>,
    /// An empty folder of the host that is needed for these.
    #[serde(default)]
    pub(crate) secrets_at: Option<PathBuf>,
    /// The network namespace to enter, if not the agent's.
    pub(crate) network: Option<PathBuf>,
    /// Folders of the container's own root to make where they are not there.
    pub(crate) folders: Vec<PathBuf>,
    /// The signal that asks its processes to end, if that is not SIGTERM.
    pub(crate) stop_signal: Option<i32>,
    /// Whether the init keeps of root's power only what it needs.
    #[serde(default)]
    pub(crate) lessen: bool,
    /// The host name to set.
    pub(crate) hostname: Option<String>,
    /// What the task's processes may do.
    pub(crate) rights: Rights,
    /// How gladly the kernel should take this container when memory runs out.
    pub(crate) oom_score_adj: Option<i32>,
    /// The terminal of the program, if it has one.
    #[serde(default)]
    pub(crate) console: Option<ConsolePlan>,
}

/// A terminal for the program, and where it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConsolePlan {
    /// The size at first.
    pub(crate) size: TerminalPlan,
    /// The socket to listen at.
    pub(crate) socket: PathBuf,
}

/// Users that are others outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UsersPlan {
    /// Where their namespace is mounted.
    pub(crate) namespace: PathBuf,
    /// The user of the machine that is root there.
    pub(crate) start: u32,
}

impl Plan {
    /// The task's user, as the machine sees it: whose files on the disk are those of `user` itself.
    pub(crate) fn user_outside(&self) -> Option<User> {
        let user = User::from(self.user.as_ref()?);
        let start = self.users.as_ref().map_or(0, |users| users.start);
        Some(User {
            uid: user.uid.saturating_add(start),
            gid: user.gid.saturating_add(start),
            // Nobody asks for more than who owns a file.
            groups: user.groups,
        })
    }

    /// The signal that asks its processes to end.
    pub(crate) fn stop_signal(&self) -> Signal {
        let asked = self
            .stop_signal
            .and_then(|signal| Signal::try_from(signal).ok());
        asked.unwrap_or(Signal::SIGTERM)
    }
}

/// The room of one stream of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogPlan {
    /// The bytes of one file.
    pub(crate) bytes: u64,
    /// The older files that are kept.
    pub(crate) kept: u32,
}

/// A program and its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    /// A path, or a name to look up in the `PATH` of the environment.
    pub(crate) path: String,
    /// All arguments, with the first.
    pub(crate) arguments: Vec<String>,
}

/// A user in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserPlan {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
}

impl From<&UserPlan> for User {
    fn from(plan: &UserPlan) -> Self {
        Self {
            uid: plan.uid,
            gid: plan.gid,
            groups: plan.groups.clone(),
        }
    }
}

/// What a task's processes may do. Empty is what the agent may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rights {
    /// Limits on single processes.
    pub(crate) limits: Vec<LimitPlan>,
    /// Which of root's powers are left.
    pub(crate) capabilities: Option<CapabilityPlan>,
    /// Whether no program gives more rights.
    pub(crate) no_new_privileges: bool,
    /// Filters of system calls, in this order, one number per instruction.
    pub(crate) filters: Vec<Vec<u64>>,
}

/// Sets of capabilities, as the kernel has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CapabilityPlan {
    /// What can ever be had.
    pub(crate) bounding: u64,
    /// What is had at first.
    pub(crate) held: u64,
    /// What outlives an exec though the user is not root.
    pub(crate) passed_on: u64,
}

/// The most of one resource that a process may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LimitPlan {
    pub(crate) resource: i32,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// A root that is not the host's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootPlan {
    /// What it is made of.
    pub(crate) base: RootBase,
    /// An empty folder of the host, where it is put together.
    pub(crate) at: PathBuf,
    /// Where the sandbox is, from there.
    pub(crate) sandbox: PathBuf,
}

/// What a root is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RootBase {
    /// A folder.
    Folder { path: PathBuf, read_only: bool },
    /// Layers of folders.
    Layers {
        lower: Vec<PathBuf>,
        upper: PathBuf,
        work: PathBuf,
    },
}

impl RootBase {
    /// The layers as the kernel takes them.
    pub(crate) fn layers(&self) -> Option<Layers> {
        match self {
            Self::Folder { .. } => None,
            Self::Layers { lower, upper, work } => Some(Layers {
                lower: lower.clone(),
                upper: upper.clone(),
                work: work.clone(),
            }),
        }
    }
}

/// A device file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DevicePlan {
    pub(crate) path: PathBuf,
    pub(crate) block: bool,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) mode: u32,
}

impl From<&DevicePlan> for Device {
    fn from(plan: &DevicePlan) -> Self {
        let DevicePlan {
            path,
            block,
            major,
            minor,
            mode,
        } = plan.clone();
        Self {
            path,
            block,
            major,
            minor,
            mode,
        }
    }
}

/// A folder or file of the machine to show in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VolumePlan {
    /// The folder that the source is looked up beneath, whatever links it holds.
    pub(crate) base: Option<PathBuf>,
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) read_only: bool,
    /// Whether links on the way to the target are followed, which never leads out of the root.
    pub(crate) links: bool,
    /// Whether the target is made if it is not there.
    pub(crate) make: bool,
    /// Whether users of the container's own own there what they own on the disk.
    #[serde(default)]
    pub(crate) mapped: bool,
    /// What is laid over each other at the source first.
    #[serde(default)]
    pub(crate) layers: Option<LayersPlan>,
}

/// Layers of folders that are seen as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayersPlan {
    /// The topmost first.
    pub(crate) lower: Vec<PathBuf>,
    pub(crate) upper: PathBuf,
    pub(crate) work: PathBuf,
}

impl From<&LayersPlan> for Layers {
    fn from(plan: &LayersPlan) -> Self {
        let LayersPlan { lower, upper, work } = plan.clone();
        Self { lower, upper, work }
    }
}

/// A secret to show as a file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecretPlan {
    pub(crate) target: PathBuf,
    pub(crate) content: Vec<u8>,
    /// Whether the target is made if it is not there.
    pub(crate) make: bool,
}

impl fmt::Debug for SecretPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretPlan at {}", self.target.display())
    }
}

/// A file system to mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MountPlan {
    pub(crate) kind: String,
    pub(crate) target: PathBuf,
    pub(crate) options: String,
    /// Whether device files in it mean something.
    pub(crate) devices: bool,
    /// Whether it is only read.
    pub(crate) read_only: bool,
    /// Skip it where the folder does not exist.
    pub(crate) optional: bool,
}

impl From<&MountPlan> for Mount {
    fn from(plan: &MountPlan) -> Self {
        Self {
            kind: plan.kind.clone(),
            target: plan.target.clone(),
            // Only shared memory may hold programs: some map code from there.
            no_exec: plan.kind != "tmpfs",
            options: plan.options.clone(),
            devices: plan.devices,
            read_only: plan.read_only,
        }
    }
}

/// How a container sees its own cgroups at the usual place, and only reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CgroupView {
    /// Each of the container's groups, and the root of the hierarchy in whose place it is to be
    /// seen.
    pub(crate) binds: Vec<(PathBuf, PathBuf)>,
    /// The folder of all hierarchies, to be made read-only.
    pub(crate) folder: PathBuf,
    /// Whether there is nothing at that folder yet, since `/sys` is the container's own.
    pub(crate) fresh: bool,
}

/// Init to agent: why the task does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// What it was about.
    pub(crate) cause: Cause,
    /// What could not be done, as in "cannot mount proc on /proc".
    pub(crate) what: String,
    /// The kernel's error number, if it was the kernel that refused.
    pub(crate) errno: Option<i32>,
    /// The error in words.
    pub(crate) message: String,
}

/// What a failure was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// The program: `what` is its path.
    Program,
    /// The sandbox: `what` is the path of the folder or of the file in it.
    Sandbox,
    /// Any other step.
    Step,
}

impl Failure {
    /// A failed step.
    pub(crate) fn step(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |error| Self::new(Cause::Step, what, &error)
    }

    /// A sandbox that cannot be used.
    pub(crate) fn sandbox(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = path.display().to_string();
        |error| Self::new(Cause::Sandbox, what, &error)
    }

    /// A failure with its cause.
    pub(crate) fn new(cause: Cause, what: String, error: &io::Error) -> Self {
        Self {
            cause,
            what,
            errno: error.raw_os_error(),
            message: error.to_string(),
        }
    }

    /// The error as it was on the other side.
    pub(crate) fn error(&self) -> io::Error {
        match self.errno {
            Some(errno) => io::Error::from_raw_os_error(errno),
            None => io::Error::other(self.message.clone()),
        }
    }
}

/// An exit status as the init writes it, in one line.
pub(crate) fn status_line(reaped: Reaped) -> String {
    match reaped {
        Reaped::Exited { code, .. } => format!("exited {code}\n"),
        Reaped::Signaled { signal, .. } => format!("signaled {signal}\n"),
    }
}

/// Reads what [`status_line`] wrote. `None` for anything else, such as a line cut short.
pub(crate) fn parse_status(line: &str) -> Option<ExitStatus> {
    let (how, number) = line.strip_suffix('\n')?.split_once(' ')?;
    let number = number.parse().ok()?;
    match how {
        "exited" => Some(ExitStatus::Code(number)),
        "signaled" => Some(ExitStatus::Signal(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_back_and_a_torn_one_does_not() {
        let exited = status_line(Reaped::Exited { pid: 7, code: 12 });
        assert_eq!(parse_status(&exited), Some(ExitStatus::Code(12)));
        let killed = status_line(Reaped::Signaled { pid: 7, signal: 9 });
        assert_eq!(parse_status(&killed), Some(ExitStatus::Signal(9)));
        for length in 0..exited.len() {
            assert_eq!(parse_status(&exited[..length]), None);
        }
    }

    #[test]
    fn an_error_number_survives_the_way_to_the_agent() {
        let failure = Failure::step("fork")(io::Error::from_raw_os_error(12));
        let text = serde_json::to_string(&failure).unwrap();
        let read: Failure = serde_json::from_str(&text).unwrap();
        assert_eq!(read.error().kind(), io::ErrorKind::OutOfMemory);
        let other = Failure::step("look")(io::Error::other("it is no regular file"));
        assert_eq!(other.error().to_string(), "it is no regular file");
    }
}
