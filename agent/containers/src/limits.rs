//! Every number that bounds something here, by name.

use std::time::Duration;

/// Processes and threads one container may have when the task asks for nothing else.
pub const DEFAULT_PIDS_LIMIT: u64 = 4096;

/// The least memory limit the kernel is given, in bytes (Mesos: ISO-01). Below it, hardly a shell
/// starts.
pub const MIN_MEMORY_BYTES: u64 = 32 * 1024 * 1024;

/// CPU shares of one whole processor (Mesos: ISO-01).
pub const SHARES_PER_CPU: u64 = 1024;

/// CPU shares of one whole processor that may be taken back at any time (Mesos: REV-04).
pub const REVOCABLE_SHARES_PER_CPU: u64 = 10;

/// The least CPU shares the kernel takes.
pub const MIN_CPU_SHARES: u64 = 2;

/// The most CPU shares the kernel takes.
pub const MAX_CPU_SHARES: u64 = 262_144;

/// Length of a CFS bandwidth period (Mesos: ISO-01).
pub const CFS_PERIOD: Duration = Duration::from_millis(100);

/// The least CFS quota the kernel takes per period.
pub const MIN_CFS_QUOTA: Duration = Duration::from_millis(1);

/// The older files that are kept of one stream of output, at most.
pub const MAX_LOG_FILES: u32 = 100;

/// The least that one file of output has room for, in bytes.
pub const MIN_LOG_BYTES: u64 = 4096;

/// The longest launch plan, which holds arguments and environment, in bytes.
pub const MAX_PLAN_BYTES: usize = 8 * 1024 * 1024;

/// The longest message between agent, launcher and init, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4096;

/// The longest record read back from the runtime folder, in bytes.
pub const MAX_RECORD_BYTES: u64 = 64 * 1024;

/// The secrets of one container that are files.
pub const MAX_SECRET_FILES: usize = 64;

/// All that is in the files of one container's secrets, in bytes. A plan has four bytes for each.
pub const MAX_SECRET_BYTES: usize = 1024 * 1024;

/// The oldest kernel, major and minor number, that has all the system calls in use: the last to
/// come was `mount_setattr`.
pub const MIN_KERNEL: (u32, u32) = (5, 12);

/// The users and the groups that a container has of its own, from 0 on.
pub const CONTAINER_USERS: u32 = 65_536;

/// The least user of the machine that a container may get: those below are the machine's.
pub const MIN_USERS_START: u32 = 65_536;

/// The first of the users of the machine that containers get, and how many there are: above those
/// that distributions, `systemd-nspawn` and directories of users give away.
pub const DEFAULT_USERS: (u32, u32) = (0x7000_0000, 2048 * CONTAINER_USERS);

/// The oldest kernel, major and minor number, that lays layers over each other whose owners are
/// others than on the disk.
pub const MIN_KERNEL_USERS: (u32, u32) = (5, 19);

/// How long the launcher has to say that it is up.
pub const LAUNCHER_START_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a container has from the request to its running program.
pub const LAUNCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Containers that are launched at the same time; the others wait for their turn.
pub const MAX_LAUNCHES: usize = 32;

/// Processes that wait in the cgroups of containers to come, where joining these is slow.
pub const SEATS: usize = 8;

/// When fewer than these are left, more are made, all in one go.
pub const MIN_SEATS: usize = 3;

/// How long a killed container has to vanish before that is an error.
pub const KILL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an emptied cgroup has to become removable.
pub const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The least weight of a container for disks that kernels take.
pub const MIN_IO_WEIGHT: u64 = 1;

/// The most weight for disks that every kernel takes.
pub const MAX_IO_WEIGHT: u64 = 1000;

/// v2 CPU weight of one whole processor (Mesos: ISO-02).
pub const WEIGHT_PER_CPU: u64 = 100;

/// v2 CPU weight of one whole processor that may be taken back at any time (Mesos: REV-04).
pub const REVOCABLE_WEIGHT_PER_CPU: u64 = 1;

/// The least v2 CPU weight the kernel takes.
pub const MIN_CPU_WEIGHT: u64 = 1;

/// The most v2 CPU weight the kernel takes.
pub const MAX_CPU_WEIGHT: u64 = 10_000;

/// The layers that a root may have: their names must fit into a page.
pub const MAX_LAYERS: usize = 128;

/// The numbers of projects that containers get, the first and the last (Mesos: ISO-06).
pub const DEFAULT_PROJECTS: (u32, u32) = (5000, 10_000);

/// The most numbers of projects that one agent gives away: each is asked for in turn.
pub const MAX_PROJECTS: u32 = 65_536;

/// What a sandbox may hold beyond a limit that the kernel keeps, in bytes, beside a 64th of it:
/// file systems book blocks of their own beyond it.
pub const PROJECT_SLACK_BYTES: u64 = 1024 * 1024;

/// The files of one sandbox that are looked at when it is measured, and so the most that it may
/// have; where any number is allowed, what was counted so far is what it holds.
pub const MAX_MEASURED_FILES: u64 = 4_000_000;

/// How long a part of a path may be, in bytes, when a sandbox is measured: the kernel takes no path
/// beyond 4096, so the folder at its end is kept open, and the way goes on from there.
pub const MAX_MEASURED_STEP: usize = 1024;

/// How many such parts the way to a folder may have. A task that nests more ends, since it could
/// hide anything there.
pub const MAX_MEASURED_STEPS: usize = 64;

/// The part of a container's disk, in bytes, that gives it room for one more file (mke2fs reckons
/// so).
pub const BYTES_PER_FILE: u64 = 16 * 1024;

/// The files that a container may have however little disk it asks for.
pub const LEAST_FILES: u64 = 10_000;

/// How long a sandbox is not measured after it was.
pub const DISK_WATCH_INTERVAL: Duration = Duration::from_secs(15);

/// The longest seccomp profile, in bytes.
pub const MAX_PROFILE_BYTES: u64 = 1024 * 1024;

/// Filters of the default profile that are kept compiled, one for each set of capabilities.
pub const MAX_FILTERS: usize = 64;

/// Removed containers whose page cache is let go of at the same time.
pub const MAX_RECLAIMS: usize = 32;

/// How long one CNI plugin may take: two of them fit into the time of a launch.
pub const PLUGIN_TIMEOUT: Duration = Duration::from_secs(25);

/// How often it is looked whether a plugin that an earlier agent started has ended.
pub const PLUGIN_LOCK_PAUSE: Duration = Duration::from_millis(20);

/// How long a killed plugin has to vanish before nobody waits for it any more.
pub const PLUGIN_REAP_TIMEOUT: Duration = Duration::from_secs(5);

/// The most that a plugin may write, in bytes.
pub const MAX_PLUGIN_OUTPUT_BYTES: usize = 1024 * 1024;

/// The most of what a failed plugin said that is passed on, in bytes.
pub const MAX_PLUGIN_WORDS: usize = 4096;

/// The longest configuration of a network, in bytes.
pub const MAX_NETWORK_CONFIG_BYTES: u64 = 256 * 1024;

/// The configurations that are looked through for a network.
pub const MAX_NETWORK_CONFIGS: usize = 1024;

/// The plugins of one network.
pub const MAX_PLUGINS: usize = 16;

/// The networks of one container.
pub const MAX_ATTACHMENTS: usize = 8;

/// The ports of the host that lead to one container.
pub const MAX_PORT_MAPPINGS: usize = 256;

/// The addresses that one network may give a container.
pub const MAX_ADDRESSES: usize = 64;

/// The name servers, and the words of each kind beside them, that one network may name.
pub const MAX_RESOLVERS: usize = 8;

/// The longest record of a container's networks, in bytes.
pub const MAX_NETWORK_RECORD_BYTES: u64 = 64 * 1024 * 1024;

/// Sessions in all containers at the same time.
pub const MAX_SESSIONS: usize = 256;

/// Sessions in one container at the same time.
pub const MAX_CONTAINER_SESSIONS: usize = 32;

/// How long a session has from the request to its running program.
pub const SESSION_START_TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes that are read at once of what a session's program writes.
pub const SESSION_CHUNK_BYTES: usize = 32 * 1024;

/// The most bytes of a list of a session's processes.
pub const MAX_LISTED_BYTES: u64 = 64 * 1024;

/// Who may be at one container's terminal at the same time.
pub const CONSOLE_CLIENTS: usize = 64;

/// What waits for who is at a terminal, or for the program; then nothing more is read.
pub const CONSOLE_BUFFER_BYTES: usize = 256 * 1024;

/// The longest message to a terminal.
pub const CONSOLE_MESSAGE_BYTES: usize = 32 * 1024;

/// How long a program waits for who is at its terminal and does not read.
pub const CONSOLE_PATIENCE: Duration = Duration::from_secs(5);

/// How often what comes from a console is taken while its end is waited for.
pub const CONSOLE_LOOK: Duration = Duration::from_millis(5);

/// How long it is waited for what a program wrote to its terminal before it ended.
pub const CONSOLE_FINISH: Duration = Duration::from_secs(1);

/// How often a session's helper kills what its program has left; then it is the agent's to end.
pub const SWEEPS: u32 = 1000;

/// The pause before it looks again.
pub const SWEEP_PAUSE: Duration = Duration::from_millis(1);
