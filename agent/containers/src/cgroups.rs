//! Control groups of containers, on v1, hybrid and v2 machines, behind one pair of traits.
//!
//! `cgroups-rs` makes groups and sets limits, which it does well. Files are read and written here
//! where it is wrong: it moves processes into every hierarchy there is, looks for v2 controllers in
//! the wrong place, hides what enabling them failed with, watches for out-of-memory events by a
//! thread per group (v1) or not at all (v2), and has the kill of a group for v2 only. Nothing here
//! moves the agent itself.

mod cpuset;
mod disks;
mod mounts;
mod statistics;
mod v1;
mod v2;

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tepui_sys::{DeviceRule, PidFd, Signal};

use crate::{Bytes, Usage, init::wire::CgroupView, processors::Processors};

pub(crate) use mounts::Mounted;

/// What went wrong with a cgroup.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {path}: {message}")]
pub struct Error {
    /// What was tried: "write", "create".
    pub verb: &'static str,
    /// The cgroup, or a file in it.
    pub path: PathBuf,
    /// What the kernel said.
    pub message: String,
}

impl Error {
    pub(crate) fn new(verb: &'static str, path: &Path, message: impl fmt::Display) -> Self {
        Self {
            verb,
            path: path.to_owned(),
            message: message.to_string(),
        }
    }
}

/// A controller that containers are given limits by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Controller {
    Cpu,
    Memory,
    Pids,
    Devices,
    Io,
    HugePages,
    Processors,
    NetClass,
}

impl Controller {
    pub(crate) const ALL: [Self; 8] = [
        Self::Cpu,
        Self::Memory,
        Self::Pids,
        Self::Devices,
        Self::Io,
        Self::HugePages,
        Self::Processors,
        Self::NetClass,
    ];

    /// Those by which it is told whether a machine is v1 or v2.
    const MAIN: [Self; 3] = [Self::Cpu, Self::Memory, Self::Pids];

    /// Its name in v1.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Devices => "devices",
            Self::Io => "blkio",
            Self::HugePages => "hugetlb",
            Self::Processors => "cpuset",
            Self::NetClass => "net_cls",
        }
    }

    /// Its name in v2, where devices and packets are not for a controller.
    const fn unified_name(self) -> Option<&'static str> {
        match self {
            Self::Devices | Self::NetClass => None,
            Self::Io => Some("io"),
            _ => Some(self.name()),
        }
    }
}

/// The cgroups of this machine, below which containers get theirs.
pub(crate) trait Hierarchies: fmt::Debug + Send + Sync {
    /// Makes the group under which all groups of containers live, for these controllers.
    fn prepare_root(&self, controllers: &BTreeSet<Controller>) -> Result<(), (Controller, Error)>;
    /// Where that group is; an advisory lock on it says whose it is.
    fn root(&self) -> &Path;
    /// The group of one container, whether it exists or not.
    fn group(&self, name: &str) -> Box<dyn Group>;
    /// Whether it takes long to move a process into a group, so that it is better done ahead of
    /// time.
    fn is_slow_to_join(&self) -> bool;
    /// Whether a group that has processes may have groups with limits of their own below.
    fn limits_beside_processes(&self) -> bool;
    /// Whether containers can be weighed where several want one disk.
    fn can_weigh_disks(&self) -> bool;
    /// Gives a group, with all that is in it, another name.
    fn rename(&self, from: &str, to: &str) -> Result<(), Error>;
    /// The names of all groups that exist.
    fn names(&self) -> BTreeSet<String>;
    /// Removes the group under which all groups of containers live, where there are none.
    fn remove_root(&self);
}

/// How a process gets into a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entrance {
    /// Files to which it writes itself.
    pub(crate) join: Vec<PathBuf>,
    /// The group it can be born in.
    pub(crate) born_in: Option<PathBuf>,
}

/// CPU bandwidth of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CpuLimits {
    /// Thousandths of a processor: the share when processors are short.
    pub(crate) millicpus: u64,
    /// Whether the share is a small part of what others get for as much (Mesos: REV-04).
    pub(crate) low_priority: bool,
    /// CPU time per period at most.
    pub(crate) quota: Option<Duration>,
}

/// How a group shares disks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IoLimits {
    /// Its weight among those that want the same disk.
    pub(crate) weight: Option<u64>,
    /// The most that is read from each disk in a second.
    pub(crate) most_read: Option<Bytes>,
    /// The most that is written to each disk in a second.
    pub(crate) most_written: Option<Bytes>,
}

/// How a group's processor time is bounded: a file, and what is to be written to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quota {
    pub(crate) file: PathBuf,
    pub(crate) value: String,
}

/// The group of one container: one folder (v2) or one per hierarchy (v1).
pub(crate) trait Group: fmt::Debug + Send + Sync {
    /// Makes it. It is an error if it exists.
    fn create(&self) -> Result<(), Error>;
    /// How a process gets in.
    fn entrance(&self) -> Entrance;
    /// The names of the groups below this one: sessions, and containers inside.
    fn below(&self) -> BTreeSet<String>;
    /// How the init of a container gets in that others are made inside of: they are to have limits
    /// of their own below this group.
    fn entrance_beside_others(&self) -> Result<Entrance, Error>;
    /// How the container sees it.
    fn view(&self) -> CgroupView;
    /// Sets share and quota. Without a quota, the one that it has stays.
    fn set_cpu(&self, limits: CpuLimits) -> Result<(), Error>;
    /// How somebody else sets the quota. `None` where there is nothing to set it by.
    fn quota(&self, quota: Duration) -> Option<Quota>;
    /// Takes the quota away, so that what is killed can die at once: dying takes processor time
    /// too, and a thousand processes that share a tenth of a core would take minutes.
    fn unthrottle(&self) -> Result<(), Error>;
    /// Sets the hard limit of memory, swap included, and what is asked to be left to it when memory
    /// is short.
    fn set_memory(&self, hard: Bytes, soft: Bytes) -> Result<(), Error>;
    /// Bounds memory anew while processes run. The hard limit is only ever raised, for what is in
    /// use cannot be taken back (Mesos: ISO-01).
    fn raise_memory(&self, hard: Bytes, soft: Bytes) -> Result<(), Error>;
    /// Sets the most processes and threads.
    fn set_pids(&self, most: u64) -> Result<(), Error>;
    /// Lets its processes use these devices alone.
    fn allow_devices(&self, rules: &[DeviceRule]) -> Result<(), Error>;
    /// Lets its processes, and those of the groups below, run on these processors alone.
    fn set_processors(&self, processors: &Processors) -> Result<(), Error>;
    /// Weighs and bounds what it does with disks.
    fn set_io(&self, limits: IoLimits) -> Result<(), Error>;
    /// Gives its packets a handle.
    fn set_net_class(&self, class: u32) -> Result<(), Error>;
    /// Lets its processes have no huge pages.
    fn forbid_huge_pages(&self) -> Result<(), Error>;
    /// The processes inside, and in the groups below.
    fn processes(&self) -> Result<BTreeSet<u32>, Error>;
    /// Kills all processes inside, at once where the kernel can.
    fn kill(&self) -> Result<(), Error>;
    /// What is used.
    fn usage(&self) -> Usage;
    /// A descriptor that becomes readable when memory runs out, where the kernel does not kill the
    /// whole group.
    fn oom_events(&self) -> Result<Option<OwnedFd>, Error>;
    /// How many processes the kernel killed because memory ran out.
    fn oom_kills(&self) -> u64;
    /// The most memory that was in use, and what the kernel counts of it.
    fn memory_report(&self) -> (Bytes, String);
    /// Lets go of the page cache that was filled inside, if it can be done quickly: it would keep
    /// the removed group in the kernel's memory for as long as that is not needed otherwise.
    fn reclaim(&self);
    /// Removes it. False when something is still inside.
    fn remove(&self) -> Result<bool, Error>;
}

/// The lines of `memory.stat` worth a line in a task's message.
const REPORTED: [&str; 10] = [
    "cache",
    "rss",
    "mapped_file",
    "swap",
    "anon",
    "file",
    "kernel",
    "shmem",
    "slab",
    "sock",
];

fn report_statistics(statistics: &str) -> String {
    let wanted = |line: &&str| {
        line.split_once(' ')
            .is_some_and(|(key, _)| REPORTED.contains(&key))
    };
    let lines: Vec<&str> = statistics.lines().filter(wanted).collect();
    format!("MEMORY STATISTICS:\n{}\n", lines.join("\n"))
}

/// The hierarchies of this machine for these controllers. `None` if it has none, or none is wanted.
pub(crate) fn hierarchies(
    mounted: &Mounted,
    root: &str,
    wanted: &BTreeSet<Controller>,
) -> Option<Arc<dyn Hierarchies>> {
    match mounted {
        _ if wanted.is_empty() => None,
        Mounted::Nowhere => None,
        Mounted::V1(mounted) => Some(Arc::new(v1::V1::new(mounted, root, wanted))),
        Mounted::V2(mounted) => Some(Arc::new(v2::V2::new(mounted, root))),
    }
}

/// Turns an error of `cgroups-rs` into ours: its cause is what the kernel said.
fn failed(verb: &'static str, path: &Path) -> impl FnOnce(cgroups_rs::fs::error::Error) -> Error {
    move |error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        Error::new(verb, path, cause.unwrap_or_else(|| error.to_string()))
    }
}

/// Writes a value into a file of a group.
fn write(path: &Path, value: impl fmt::Display) -> Result<(), Error> {
    fs::write(path, value.to_string())
        .map_err(|error| Error::new("write", path, format_args!("{error} ({value})")))
}

/// Reads a file of a group. What cannot be read reads as nothing: a group vanishes at any moment.
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Reads a number.
fn read_number(path: &Path) -> Option<u64> {
    read(path).trim().parse().ok()
}

/// Reads one line of a file of `key value` lines.
fn read_keyed(path: &Path, key: &str) -> Option<u64> {
    let text = read(path);
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find_map(|(name, value)| (name == key).then(|| value.trim().parse().ok())?)
}

/// Whether a group has page cache, and all of it can be let go of at once: the kernel takes 100 ms
/// to find that what is not yet written cannot.
fn is_clean_cache(statistics: &Path, cached: &str, unwritten: [&str; 2]) -> bool {
    let bytes = |key| read_keyed(statistics, key).unwrap_or(0);
    bytes(cached) > 0 && unwritten.into_iter().all(|key| bytes(key) == 0)
}

/// Sets every limit on huge pages that a group has to nothing. The files have names by the size of
/// the pages, and end like this.
fn forbid_pages(group: &Path, ending: &str) -> Result<(), Error> {
    let entries = fs::read_dir(group).map_err(|error| Error::new("read", group, error))?;
    let names = entries
        .flatten()
        .filter_map(|it| it.file_name().into_string().ok());
    let mut limits = names.filter(|name| name.starts_with("hugetlb.") && name.ends_with(ending));
    limits.try_for_each(|name| write(&group.join(name), 0))
}

/// The processes in a group and in those below it.
fn read_tree(group: &Path) -> Result<BTreeSet<u32>, Error> {
    let mut all = read_processes(&group.join("cgroup.procs"))?;
    for below in folders(group) {
        all.append(&mut read_tree(&below)?);
    }
    Ok(all)
}

/// Kills the processes in a group and in those below it.
fn kill_tree(group: &Path) -> Result<(), Error> {
    kill_listed(&group.join("cgroup.procs"))?;
    folders(group).iter().try_for_each(|below| kill_tree(below))
}

fn read_processes(path: &Path) -> Result<BTreeSet<u32>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.split_ascii_whitespace().flat_map(str::parse).collect()),
        Err(error) if is_gone(&error) => Ok(BTreeSet::new()),
        Err(error) => Err(Error::new("read", path, error)),
    }
}

/// A group that is being removed answers reads with ENODEV.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ENODEV)
}

/// Kills the processes in a list, reading it again until it is empty or has not changed.
///
/// A number is signalled through a descriptor that was opened before the number was seen in the
/// list once more, so that nobody is hit who got the number of one that has just ended.
fn kill_listed(path: &Path) -> Result<(), Error> {
    let listed = read_processes(path)?;
    let held: Vec<_> = listed
        .iter()
        .filter_map(|pid| Some((*pid, PidFd::open(*pid).ok()?)))
        .collect();
    let still = read_processes(path)?;
    for (_, process) in held.iter().filter(|(pid, _)| still.contains(pid)) {
        process
            .signal(Signal::SIGKILL)
            .map_err(|error| Error::new("kill the processes in", path, error))?;
    }
    Ok(())
}

/// Removes a group and those that were made below it. False when something is still inside.
fn remove_tree(path: &Path) -> Result<bool, Error> {
    match fs::remove_dir(path) {
        Ok(()) => return Ok(true),
        Err(error) if is_gone(&error) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
        Err(error) => return Err(Error::new("remove", path, error)),
    }
    let mut all = true;
    for below in folders(path) {
        all &= remove_tree(&below)?;
    }
    // Busy with processes, or with groups that are gone now.
    Ok(all && fs::remove_dir(path).is_ok())
}

/// The groups directly below one.
fn folders(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else {
        return Vec::new();
    };
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries
        .flatten()
        .filter(is_folder)
        .map(|entry| entry.path())
        .collect()
}

/// The names of the groups directly below one.
fn folder_names(path: &Path) -> impl Iterator<Item = String> + use<> {
    folders(path)
        .into_iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_files_are_read_by_whole_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.events");
        fs::write(&path, "low 1\noom 2\noom_kill 3\noom_group_kill 4\n").unwrap();
        assert_eq!(read_keyed(&path, "oom"), Some(2));
        assert_eq!(read_keyed(&path, "oom_kill"), Some(3));
        assert_eq!(read_keyed(&path, "kill"), None);
        assert_eq!(read_keyed(&folder.path().join("none"), "oom"), None);
    }

    #[test]
    fn a_report_holds_only_what_matters() {
        let text = "cache 1\nrss 2\ninactive_file 3\ntotal_rss 4\n";
        assert_eq!(
            report_statistics(text),
            "MEMORY STATISTICS:\ncache 1\nrss 2\n"
        );
    }

    #[test]
    fn an_error_says_what_was_tried_and_where() {
        let error = write(Path::new("/nowhere/pids.max"), 7).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot write /nowhere/pids.max: "),
            "{error}"
        );
    }
}
