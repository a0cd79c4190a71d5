//! cgroups v1: a hierarchy per controller. Hybrid machines are such.

use std::{
    collections::BTreeSet,
    fs::File,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};

use cgroups_rs::fs::{
    Controller as Control, MaxValue, cpu::CpuController, cpuacct::CpuAcctController,
    memory::MemController, pid::PidController,
};
use nix::sys::eventfd::{EfdFlags, EventFd};
use tepui_sys::DeviceRule;

use super::{
    Controller, CpuLimits, Entrance, Error, Group, Hierarchies, IoLimits, Quota, cpuset, disks,
    failed, folder_names, forbid_pages, is_clean_cache, kill_tree,
    mounts::Hierarchy,
    read, read_keyed, read_number, read_tree, remove_tree, report_statistics,
    statistics::{self, Keyed},
    write,
};
use crate::{
    Bytes, MemoryUsage, Usage,
    init::wire::CgroupView,
    limits::{
        CFS_PERIOD, MAX_CPU_SHARES, MIN_CPU_SHARES, REVOCABLE_SHARES_PER_CPU, SHARES_PER_CPU,
    },
    processors::Processors,
};

/// The v1 hierarchies that are in use.
#[derive(Debug)]
pub(crate) struct V1 {
    mounted: Vec<Hierarchy>,
    /// The group for all containers, relative to each hierarchy.
    name: PathBuf,
    /// That group in the first hierarchy, which stands for all.
    root: PathBuf,
}

impl V1 {
    /// Uses those of the mounted hierarchies that have one of these controllers.
    pub(crate) fn new(mounted: &[Hierarchy], root: &str, wanted: &BTreeSet<Controller>) -> Self {
        let used = |hierarchy: &&Hierarchy| {
            let counts_cpu = wanted.contains(&Controller::Cpu) && hierarchy.has("cpuacct");
            counts_cpu
                || wanted
                    .iter()
                    .any(|controller| hierarchy.has(controller.name()))
        };
        let mounted: Vec<_> = mounted.iter().filter(used).cloned().collect();
        let first = mounted.first().map(|hierarchy| hierarchy.path.join(root));
        Self {
            mounted,
            name: root.into(),
            root: first.unwrap_or_default(),
        }
    }

    fn path(&self, controller: &str, name: &str) -> Option<PathBuf> {
        let hierarchy = self
            .mounted
            .iter()
            .find(|hierarchy| hierarchy.has(controller))?;
        Some(hierarchy.path.join(&self.name).join(name))
    }
}

impl Hierarchies for V1 {
    fn prepare_root(&self, controllers: &BTreeSet<Controller>) -> Result<(), (Controller, Error)> {
        for controller in controllers.iter().copied() {
            let failed = |error: Error| (controller, error);
            let Some(path) = self.path(controller.name(), "") else {
                let message = "no hierarchy of cgroup v1 has this controller";
                return Err(failed(Error::new(
                    "use",
                    Path::new(controller.name()),
                    message,
                )));
            };
            std::fs::create_dir_all(&path)
                .map_err(|error| failed(Error::new("create", &path, error)))?;
        }
        if controllers.contains(&Controller::Cpu) {
            self.prepare_cpu()
                .map_err(|error| (Controller::Cpu, error))?;
        }
        if controllers.contains(&Controller::Io) {
            self.count_disks();
        }
        if let Some(path) = self.path(Controller::Processors.name(), "") {
            let depth = self.name.components().count();
            cpuset::open(&path, depth).map_err(|error| (Controller::Processors, error))?;
        }
        Ok(())
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn group(&self, name: &str) -> Box<dyn Group> {
        let path = |controller| self.path(controller, name);
        let none = PathBuf::new;
        Box::new(V1Group {
            mounted: self
                .mounted
                .iter()
                .map(|hierarchy| hierarchy.path.clone())
                .collect(),
            cpu: path("cpu").map(|path| CpuController::new(path, none(), false)),
            cpu_account: path("cpuacct").map(|path| CpuAcctController::new(path, none())),
            memory: path("memory").map(|path| MemController::new(path, none(), false)),
            pids: path("pids").map(|path| PidController::new(path, none(), false)),
            devices: path("devices"),
            io: path("blkio"),
            huge_pages: path("hugetlb"),
            processors: path("cpuset"),
            net_class: path("net_cls"),
        })
    }

    fn is_slow_to_join(&self) -> bool {
        // The kernel waits until no other processor is about to fork: 5 to 20 ms, when nobody else
        // did so lately.
        true
    }

    fn limits_beside_processes(&self) -> bool {
        true
    }

    fn can_weigh_disks(&self) -> bool {
        self.path("blkio", "")
            .is_some_and(|group| disks::can_weigh(&group))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        for hierarchy in &self.mounted {
            let root = hierarchy.path.join(&self.name);
            let path = root.join(from);
            std::fs::rename(&path, root.join(to))
                .map_err(|error| Error::new("rename", &path, error))?;
        }
        Ok(())
    }

    fn names(&self) -> BTreeSet<String> {
        let roots = self
            .mounted
            .iter()
            .map(|hierarchy| hierarchy.path.join(&self.name));
        roots.flat_map(|root| folder_names(&root)).collect()
    }

    fn remove_root(&self) {
        for hierarchy in &self.mounted {
            // One that has groups in it stays.
            let _ = std::fs::remove_dir(hierarchy.path.join(&self.name));
        }
    }
}

impl V1 {
    /// Newer kernels count what is read and written only where a limit was set once. The one that
    /// is set here is none. A disk that will not have it is not counted.
    fn count_disks(&self) {
        let disks = std::fs::read_dir("/sys/block").into_iter().flatten();
        let numbers = disks.flatten().map(|disk| read(&disk.path().join("dev")));
        let Some(group) = self.path("blkio", "") else {
            return;
        };
        for number in numbers {
            let none = format!("{} 0", number.trim());
            let _ = write(&group.join("blkio.throttle.read_bps_device"), none);
        }
    }

    /// Makes the root where CPU time is counted, and weighs it.
    fn prepare_cpu(&self) -> Result<(), Error> {
        if let Some(path) = self.path("cpuacct", "") {
            std::fs::create_dir_all(&path).map_err(|error| Error::new("create", &path, error))?;
        }
        self.weigh_root()
    }

    /// Lets all containers together weigh as much as the machine has processors: a new group weighs
    /// as much as a single process of the host.
    fn weigh_root(&self) -> Result<(), Error> {
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let shares = (processors * SHARES_PER_CPU).clamp(MIN_CPU_SHARES, MAX_CPU_SHARES);
        let Some(mut path) = self.path("cpu", "") else {
            return Ok(());
        };
        for _ in self.name.components() {
            write(&path.join("cpu.shares"), shares)?;
            path.pop();
        }
        Ok(())
    }
}

/// What the kernel counts processor time in: a hundredth of a second, on every machine there is.
const TICK_NANOS: u64 = 10_000_000;

/// A rule as the kernel takes it: `c 1:3 rwm`.
fn shown(rule: &DeviceRule) -> String {
    let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |it| it.to_string());
    let kind = if rule.block { 'b' } else { 'c' };
    let access = [(rule.read, 'r'), (rule.write, 'w'), (rule.make, 'm')];
    let access: String = access
        .iter()
        .filter(|(may, _)| *may)
        .map(|(_, it)| it)
        .collect();
    let (major, minor) = (number(rule.major), number(rule.minor));
    format!("{kind} {major}:{minor} {access}")
}

/// The group of one container: a folder per hierarchy.
#[derive(Debug)]
struct V1Group {
    /// The roots of the hierarchies.
    mounted: Vec<PathBuf>,
    cpu: Option<CpuController>,
    cpu_account: Option<CpuAcctController>,
    memory: Option<MemController>,
    pids: Option<PidController>,
    devices: Option<PathBuf>,
    io: Option<PathBuf>,
    huge_pages: Option<PathBuf>,
    processors: Option<PathBuf>,
    net_class: Option<PathBuf>,
}

impl V1Group {
    /// Its folders, one per hierarchy: two controllers may share one.
    fn folders(&self) -> Vec<&Path> {
        let all = [
            self.cpu.as_ref().map(Control::path),
            self.cpu_account.as_ref().map(Control::path),
            self.memory.as_ref().map(Control::path),
            self.pids.as_ref().map(Control::path),
            self.devices.as_deref(),
            self.io.as_deref(),
            self.huge_pages.as_deref(),
            self.processors.as_deref(),
            self.net_class.as_deref(),
        ];
        let mut folders: Vec<&Path> = Vec::new();
        for folder in all.into_iter().flatten() {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        folders
    }

    fn memory_usage(&self) -> Usage {
        let Some(memory) = &self.memory else {
            return Usage::default();
        };
        let number = |name: &str| read_number(&memory.path().join(name));
        let statistics = Keyed::of(&memory.path().join("memory.stat"));
        Usage {
            memory_bytes: number("memory.usage_in_bytes").unwrap_or(0),
            memory: MemoryUsage {
                with_swap: number("memory.memsw.usage_in_bytes"),
                kernel: number("memory.kmem.usage_in_bytes"),
                sockets: number("memory.kmem.tcp.usage_in_bytes"),
                ..statistics::memory_v1(&statistics)
            },
            ..Usage::default()
        }
    }

    fn memory_file(&self, name: &str) -> Option<PathBuf> {
        Some(self.memory.as_ref()?.path().join(name))
    }
}

impl Group for V1Group {
    fn create(&self) -> Result<(), Error> {
        for folder in self.folders() {
            std::fs::create_dir(folder).map_err(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    Error::new("create", folder, "it exists already")
                }
                _ => Error::new("create", folder, error),
            })?;
        }
        // Nobody can join a group that may run nowhere, as a new one may.
        self.processors.as_deref().map_or(Ok(()), cpuset::inherit)
    }

    fn entrance(&self) -> Entrance {
        let list = |folder: &Path| folder.join("cgroup.procs");
        Entrance {
            join: self.folders().into_iter().map(list).collect(),
            born_in: None,
        }
    }

    fn entrance_beside_others(&self) -> Result<Entrance, Error> {
        Ok(self.entrance())
    }

    fn below(&self) -> BTreeSet<String> {
        let groups = self.folders().into_iter();
        groups.flat_map(folder_names).collect()
    }

    fn view(&self) -> CgroupView {
        let folder = self.mounted.first().and_then(|root| root.parent());
        let groups = self.folders().into_iter();
        let root = |group: &Path| {
            self.mounted
                .iter()
                .find(|root| group.starts_with(root))
                .cloned()
        };
        CgroupView {
            binds: groups
                .filter_map(|group| Some((group.to_owned(), root(group)?)))
                .collect(),
            folder: folder.map(Path::to_owned).unwrap_or_default(),
            fresh: false,
        }
    }

    fn set_cpu(&self, limits: CpuLimits) -> Result<(), Error> {
        let Some(cpu) = &self.cpu else { return Ok(()) };
        let per_cpu = if limits.low_priority {
            REVOCABLE_SHARES_PER_CPU
        } else {
            SHARES_PER_CPU
        };
        let shares = limits.millicpus * per_cpu / 1000;
        let shares = shares.clamp(MIN_CPU_SHARES, MAX_CPU_SHARES);
        cpu.set_shares(shares)
            .map_err(failed("set CPU shares of", cpu.path()))?;
        match limits.quota.and_then(|quota| self.quota(quota)) {
            Some(quota) => write(&quota.file, quota.value),
            None => Ok(()),
        }
    }

    fn quota(&self, quota: Duration) -> Option<Quota> {
        // The period of a new group is the one we want.
        debug_assert_eq!(CFS_PERIOD, Duration::from_millis(100));
        Some(Quota {
            file: self.cpu.as_ref()?.path().join("cpu.cfs_quota_us"),
            value: quota.as_micros().to_string(),
        })
    }

    fn unthrottle(&self) -> Result<(), Error> {
        let Some(cpu) = &self.cpu else { return Ok(()) };
        cpu.set_cfs_quota(-1)
            .map_err(failed("lift the CPU quota of", cpu.path()))
    }

    fn set_memory(&self, hard: Bytes, soft: Bytes) -> Result<(), Error> {
        let Some(memory) = &self.memory else {
            return Ok(());
        };
        let bytes = |amount: Bytes| i64::try_from(amount.0).unwrap_or(i64::MAX);
        memory
            .set_limit(bytes(hard))
            .map_err(failed("limit the memory of", memory.path()))?;
        // Memory and swap together: no swap. Kernels without swap accounting have no such file.
        if memory.path().join("memory.memsw.limit_in_bytes").exists() {
            let swap = memory.set_memswap_limit(bytes(hard));
            swap.map_err(failed("limit the swap of", memory.path()))?;
        }
        if soft < hard {
            let soft = memory.set_soft_limit(bytes(soft));
            soft.map_err(failed("set the soft memory limit of", memory.path()))?;
        }
        Ok(())
    }

    fn raise_memory(&self, hard: Bytes, soft: Bytes) -> Result<(), Error> {
        let Some(memory) = &self.memory else {
            return Ok(());
        };
        let now = read_number(&memory.path().join("memory.limit_in_bytes"));
        if now.is_some_and(|now| hard.0 <= now) {
            return Ok(());
        }
        // Memory alone must never be allowed more than memory and swap together.
        if memory.path().join("memory.memsw.limit_in_bytes").exists() {
            let bytes = i64::try_from(hard.0).unwrap_or(i64::MAX);
            let swap = memory.set_memswap_limit(bytes);
            swap.map_err(failed("limit the swap of", memory.path()))?;
        }
        self.set_memory(hard, soft)
    }

    fn set_pids(&self, most: u64) -> Result<(), Error> {
        let Some(pids) = &self.pids else {
            return Ok(());
        };
        let most = MaxValue::Value(i64::try_from(most).unwrap_or(i64::MAX));
        pids.set_pid_max(most)
            .map_err(failed("limit the processes of", pids.path()))
    }

    fn processes(&self) -> Result<BTreeSet<u32>, Error> {
        let groups = self.folders().into_iter();
        let read: Result<Vec<_>, _> = groups.map(read_tree).collect();
        Ok(read?.into_iter().flatten().collect())
    }

    fn kill(&self) -> Result<(), Error> {
        self.folders().into_iter().try_for_each(kill_tree)
    }

    fn allow_devices(&self, rules: &[DeviceRule]) -> Result<(), Error> {
        let Some(devices) = &self.devices else {
            return Ok(());
        };
        write(&devices.join("devices.deny"), "a")?;
        let allow = devices.join("devices.allow");
        rules.iter().try_for_each(|rule| write(&allow, shown(rule)))
    }

    fn set_processors(&self, processors: &Processors) -> Result<(), Error> {
        match &self.processors {
            Some(group) => cpuset::confine(group, processors),
            None => Ok(()),
        }
    }

    fn set_io(&self, limits: IoLimits) -> Result<(), Error> {
        match &self.io {
            Some(group) => disks::limit_v1(group, limits),
            None => Ok(()),
        }
    }

    fn set_net_class(&self, class: u32) -> Result<(), Error> {
        match &self.net_class {
            Some(group) => write(&group.join("net_cls.classid"), class),
            None => Ok(()),
        }
    }

    fn forbid_huge_pages(&self) -> Result<(), Error> {
        let Some(pages) = &self.huge_pages else {
            return Ok(());
        };
        forbid_pages(pages, ".limit_in_bytes")
    }

    fn usage(&self) -> Usage {
        let mut usage = self.memory_usage();
        usage.pids = self
            .pids
            .as_ref()
            .and_then(|pids| pids.get_pid_current().ok())
            .unwrap_or(0);
        usage.processes = self
            .folders()
            .first()
            .and_then(|folder| read_tree(folder).ok())
            .map_or(0, |processes| processes.len() as u64);
        if let Some(account) = &self.cpu_account {
            let (path, ticks) = (
                account.path(),
                Keyed::of(&account.path().join("cpuacct.stat")),
            );
            let nanos = |key| ticks.get(key).unwrap_or(0).saturating_mul(TICK_NANOS);
            usage.cpu_nanos = read_number(&path.join("cpuacct.usage")).unwrap_or(0);
            (usage.cpu_user_nanos, usage.cpu_system_nanos) = (nanos("user"), nanos("system"));
        }
        if let Some(cpu) = &self.cpu {
            let statistics = Keyed::of(&cpu.path().join("cpu.stat"));
            usage.throttling = statistics::throttling(&statistics, ("throttled_time", 1));
        }
        if let Some(group) = &self.processors {
            usage.processors = cpuset::shown(group, "cpuset.effective_cpus");
        }
        if let Some(io) = &self.io {
            let read = |name: &str| read(&io.join(name));
            let bytes = read("blkio.throttle.io_service_bytes_recursive");
            let operations = read("blkio.throttle.io_serviced_recursive");
            usage.devices = statistics::devices_v1(&bytes, &operations);
        }
        usage
    }

    fn oom_events(&self) -> Result<Option<OwnedFd>, Error> {
        let Some(memory) = &self.memory else {
            return Ok(None);
        };
        let control = memory.path().join("memory.oom_control");
        let file = File::open(&control).map_err(|error| Error::new("open", &control, error))?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let events = EventFd::from_flags(flags);
        let events = events.map_err(|error| Error::new("watch", memory.path(), error))?;
        let (events_number, file_number) = (events.as_raw_fd(), file.as_raw_fd());
        let register = memory.path().join("cgroup.event_control");
        write(&register, format_args!("{events_number} {file_number}"))?;
        Ok(Some(events.into()))
    }

    fn oom_kills(&self) -> u64 {
        let control = self.memory_file("memory.oom_control");
        control
            .and_then(|path| read_keyed(&path, "oom_kill"))
            .unwrap_or(0)
    }

    fn memory_report(&self) -> (Bytes, String) {
        let number = |name| {
            self.memory_file(name)
                .and_then(|path| read_number(&path))
                .unwrap_or(0)
        };
        let statistics = self
            .memory_file("memory.stat")
            .map(|path| read(&path))
            .unwrap_or_default();
        (
            Bytes(number("memory.max_usage_in_bytes")),
            report_statistics(&statistics),
        )
    }

    fn reclaim(&self) {
        let Some(memory) = &self.memory else { return };
        let statistics = memory.path().join("memory.stat");
        if is_clean_cache(&statistics, "cache", ["dirty", "writeback"]) {
            // What cannot be let go of now stays until the kernel needs the memory.
            let _ = write(&memory.path().join("memory.force_empty"), 0);
        }
    }

    fn remove(&self) -> Result<bool, Error> {
        let mut folders = self.folders().into_iter();
        folders.try_fold(true, |all, folder| Ok(all & remove_tree(folder)?))
    }
}
