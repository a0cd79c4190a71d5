//! cgroups v2: one hierarchy for all controllers.

use std::{
    collections::BTreeSet,
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};

use cgroups_rs::fs::{
    Controller as _, MaxValue,
    cpu::CpuController,
    memory::{MemController, SetMemory},
    pid::PidController,
};
use tepui_sys::DeviceRule;

use super::{
    Controller, CpuLimits, Entrance, Error, Group, Hierarchies, IoLimits, Quota, cpuset, disks,
    failed, folder_names, forbid_pages, is_clean_cache, is_gone, kill_tree, read, read_keyed,
    read_number, read_tree, remove_tree, report_statistics,
    statistics::{self, Keyed},
    write,
};
use crate::{
    Bytes, MemoryUsage, Usage,
    init::wire::CgroupView,
    limits::{
        CFS_PERIOD, MAX_CPU_WEIGHT, MIN_CPU_WEIGHT, REVOCABLE_WEIGHT_PER_CPU, WEIGHT_PER_CPU,
    },
    processors::Processors,
};

/// The group of a container's init, beside those of the containers inside of it.
const HOLDER: &str = ".holder";

/// The one hierarchy.
#[derive(Debug)]
pub(crate) struct V2 {
    mounted: PathBuf,
    root: PathBuf,
    depth: usize,
}

impl V2 {
    /// Uses the group `root`, relative to the hierarchy mounted here.
    pub(crate) fn new(mounted: &Path, root: &str) -> Self {
        Self {
            mounted: mounted.to_owned(),
            root: mounted.join(root),
            depth: Path::new(root).components().count(),
        }
    }

    /// The hierarchy's root and all groups down to ours, from above.
    fn chain(&self) -> Vec<&Path> {
        let mut chain: Vec<_> = self.root.ancestors().take(self.depth + 1).collect();
        chain.reverse();
        chain
    }

    fn weigh_root(&self) -> Result<(), Error> {
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let weight = (processors * WEIGHT_PER_CPU).clamp(MIN_CPU_WEIGHT, MAX_CPU_WEIGHT);
        let mut below_root = self.chain().into_iter().skip(1);
        below_root.try_for_each(|group| write(&group.join("cpu.weight"), weight))
    }
}

impl Hierarchies for V2 {
    fn prepare_root(&self, controllers: &BTreeSet<Controller>) -> Result<(), (Controller, Error)> {
        if controllers.contains(&Controller::NetClass) {
            let message = "cgroup v2 has no such controller: filters there match cgroups by path";
            let error = Error::new("use", Path::new(Controller::NetClass.name()), message);
            return Err((Controller::NetClass, error));
        }
        for group in self.chain() {
            let any = controllers.first().copied().unwrap_or(Controller::Cpu);
            fs::create_dir_all(group).map_err(|error| (any, Error::new("create", group, error)))?;
            // One by one, so that an error tells which.
            for controller in controllers.iter().copied() {
                enable(group, controller).map_err(|error| (controller, error))?;
            }
        }
        if controllers.contains(&Controller::Devices) {
            let tried = tepui_sys::can_allow_devices();
            let failed = |error| Error::new("load a program (BPF) for", &self.root, error);
            tried.map_err(|error| (Controller::Devices, failed(error)))?;
        }
        if controllers.contains(&Controller::Cpu) {
            self.weigh_root()
                .map_err(|error| (Controller::Cpu, error))?;
        }
        Ok(())
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn group(&self, name: &str) -> Box<dyn Group> {
        let path = self.root.join(name);
        Box::new(V2Group {
            mounted: self.mounted.clone(),
            cpu: CpuController::new(path.clone(), PathBuf::new(), true),
            memory: MemController::new(path.clone(), PathBuf::new(), true),
            pids: PidController::new(path.clone(), PathBuf::new(), true),
            path,
        })
    }

    fn is_slow_to_join(&self) -> bool {
        // Processes are born in it.
        false
    }

    fn limits_beside_processes(&self) -> bool {
        // A group there has either processes or groups that controllers are enabled for.
        false
    }

    fn can_weigh_disks(&self) -> bool {
        disks::can_weigh(&self.root)
    }

    fn rename(&self, from: &str, _to: &str) -> Result<(), Error> {
        Err(Error::new(
            "rename",
            &self.root.join(from),
            "cgroup v2 renames no groups",
        ))
    }

    fn names(&self) -> BTreeSet<String> {
        folder_names(&self.root).collect()
    }

    fn remove_root(&self) {
        // One that has groups in it stays.
        let _ = fs::remove_dir(&self.root);
    }
}

/// Lets the groups below this one have a controller.
fn enable(group: &Path, controller: Controller) -> Result<(), Error> {
    let Some(name) = controller.unified_name() else {
        return Ok(());
    };
    let file = group.join("cgroup.subtree_control");
    let written = fs::write(&file, format!("+{name}"));
    written.map_err(|error| match error.kind() {
        // The agent is not to move itself or others: that is for whoever gave it its group.
        io::ErrorKind::ResourceBusy => {
            let hint = "there are processes in this cgroup itself: move them into one below it";
            Error::new("use", &file, format_args!("{error}; {hint}"))
        }
        _ => Error::new("write", &file, format_args!("{error} (+{name})")),
    })
}

/// The group of one container.
#[derive(Debug)]
struct V2Group {
    mounted: PathBuf,
    path: PathBuf,
    cpu: CpuController,
    memory: MemController,
    pids: PidController,
}

impl V2Group {
    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Group for V2Group {
    fn create(&self) -> Result<(), Error> {
        // All controllers share the folder.
        if self.cpu.exists() {
            return Err(Error::new("create", &self.path, "it exists already"));
        }
        self.cpu.create().map_err(failed("create", &self.path))
    }

    fn entrance(&self) -> Entrance {
        Entrance {
            join: Vec::new(),
            born_in: Some(self.path.clone()),
        }
    }

    fn entrance_beside_others(&self) -> Result<Entrance, Error> {
        // A group of v2 has either processes or groups with limits below.
        let leaf = self.path.join(HOLDER);
        fs::create_dir(&leaf).map_err(|error| Error::new("create", &leaf, error))?;
        let given = read(&self.file("cgroup.controllers"));
        let given: BTreeSet<&str> = given.split_ascii_whitespace().collect();
        let used = Controller::ALL.into_iter();
        let mut used = used.filter(|controller| {
            controller
                .unified_name()
                .is_some_and(|it| given.contains(it))
        });
        used.try_for_each(|controller| enable(&self.path, controller))?;
        Ok(Entrance {
            join: Vec::new(),
            born_in: Some(leaf),
        })
    }

    fn below(&self) -> BTreeSet<String> {
        folder_names(&self.path).collect()
    }

    fn view(&self) -> CgroupView {
        let folder = self.mounted.clone();
        CgroupView {
            binds: vec![(self.path.clone(), folder.clone())],
            folder,
            fresh: false,
        }
    }

    fn set_cpu(&self, limits: CpuLimits) -> Result<(), Error> {
        let per_cpu = if limits.low_priority {
            REVOCABLE_WEIGHT_PER_CPU
        } else {
            WEIGHT_PER_CPU
        };
        let weight = limits.millicpus * per_cpu / 1000;
        let weight = weight.clamp(MIN_CPU_WEIGHT, MAX_CPU_WEIGHT);
        self.cpu
            .set_shares(weight)
            .map_err(failed("set the CPU weight of", &self.path))?;
        match limits.quota.and_then(|quota| self.quota(quota)) {
            Some(quota) => write(&quota.file, quota.value),
            None => Ok(()),
        }
    }

    fn quota(&self, quota: Duration) -> Option<Quota> {
        Some(Quota {
            file: self.file("cpu.max"),
            value: format!("{} {}", quota.as_micros(), CFS_PERIOD.as_micros()),
        })
    }

    fn unthrottle(&self) -> Result<(), Error> {
        write(&self.file("cpu.max"), "max")
    }

    fn set_memory(&self, hard: Bytes, soft: Bytes) -> Result<(), Error> {
        let value = |amount: Bytes| MaxValue::Value(i64::try_from(amount.0).unwrap_or(i64::MAX));
        let limits = SetMemory {
            max: Some(value(hard)),
            low: (soft < hard).then(|| value(soft)),
            high: None,
            min: None,
        };
        self.memory
            .set_mem(limits)
            .map_err(failed("limit the memory of", &self.path))?;
        // Kernels without swap have no such file.
        if self.file("memory.swap.max").exists() {
            write(&self.file("memory.swap.max"), 0)?;
        }
        // The kernel itself destroys the whole container, even while no agent is there to do it.
        write(&self.file("memory.oom.group"), 1)
    }

    fn raise_memory(&self, hard: Bytes, soft: Bytes) -> Result<(), Error> {
        // What is no number is no limit.
        match read_number(&self.file("memory.max")) {
            Some(now) if hard.0 > now => self.set_memory(hard, soft),
            _ => Ok(()),
        }
    }

    fn set_pids(&self, most: u64) -> Result<(), Error> {
        let most = MaxValue::Value(i64::try_from(most).unwrap_or(i64::MAX));
        self.pids
            .set_pid_max(most)
            .map_err(failed("limit the processes of", &self.path))
    }

    fn processes(&self) -> Result<BTreeSet<u32>, Error> {
        read_tree(&self.path)
    }

    fn kill(&self) -> Result<(), Error> {
        match fs::write(self.file("cgroup.kill"), "1") {
            Ok(()) => Ok(()),
            // Kernels before 5.14 have no such file; and the group may be gone.
            Err(error) if is_gone(&error) || error.kind() == io::ErrorKind::PermissionDenied => {
                kill_tree(&self.path)
            }
            Err(error) => Err(Error::new("kill", &self.path, error)),
        }
    }

    fn allow_devices(&self, rules: &[DeviceRule]) -> Result<(), Error> {
        let failed = |error: io::Error| Error::new("allow devices to", &self.path, error);
        let group = tepui_sys::open_folder(&self.path).map_err(failed)?;
        tepui_sys::allow_devices(group.as_fd(), rules).map_err(failed)
    }

    fn set_processors(&self, processors: &Processors) -> Result<(), Error> {
        // Groups below may run where this one may, and say nothing themselves.
        cpuset::set(&self.file(cpuset::FILE), processors)
    }

    fn set_io(&self, limits: IoLimits) -> Result<(), Error> {
        disks::limit_v2(&self.path, limits)
    }

    fn set_net_class(&self, _class: u32) -> Result<(), Error> {
        // The root says before that there is none.
        Ok(())
    }

    fn forbid_huge_pages(&self) -> Result<(), Error> {
        forbid_pages(&self.path, ".max")
    }

    fn usage(&self) -> Usage {
        let cpu = Keyed::of(&self.file("cpu.stat"));
        let nanos = |key| cpu.get(key).unwrap_or(0).saturating_mul(1000);
        let memory = Keyed::of(&self.file("memory.stat"));
        let memory_bytes = read_number(&self.file("memory.current")).unwrap_or(0);
        let swap = read_number(&self.file("memory.swap.current"));
        Usage {
            cpu_nanos: nanos("usage_usec"),
            cpu_user_nanos: nanos("user_usec"),
            cpu_system_nanos: nanos("system_usec"),
            throttling: statistics::throttling(&cpu, ("throttled_usec", 1000)),
            memory_bytes,
            memory: MemoryUsage {
                swap,
                with_swap: swap.map(|swap| swap.saturating_add(memory_bytes)),
                ..statistics::memory_v2(&memory)
            },
            pids: self.pids.get_pid_current().unwrap_or(0),
            processes: read_tree(&self.path).map_or(0, |it| it.len() as u64),
            devices: statistics::devices_v2(&read(&self.file("io.stat"))),
            pressure: statistics::pressure(&self.path),
            processors: cpuset::shown(&self.path, "cpuset.cpus.effective"),
            gpus: Vec::new(),
            net_class: None,
            disk: None,
        }
    }

    fn oom_events(&self) -> Result<Option<OwnedFd>, Error> {
        // `memory.oom.group` needs no watcher.
        Ok(None)
    }

    fn oom_kills(&self) -> u64 {
        read_keyed(&self.file("memory.events"), "oom_kill").unwrap_or(0)
    }

    fn memory_report(&self) -> (Bytes, String) {
        // Kernels before 5.19 keep no peak.
        let peak = read_number(&self.file("memory.peak"));
        let peak = peak
            .or_else(|| read_number(&self.file("memory.current")))
            .unwrap_or(0);
        (
            Bytes(peak),
            report_statistics(&read(&self.file("memory.stat"))),
        )
    }

    fn reclaim(&self) {
        if is_clean_cache(
            &self.file("memory.stat"),
            "file",
            ["file_dirty", "file_writeback"],
        ) {
            // What cannot be let go of now stays until the kernel needs the memory. Before
            // 5.19, all of it.
            let all = read_number(&self.file("memory.current")).unwrap_or(0);
            let _ = write(&self.file("memory.reclaim"), all);
        }
    }

    fn remove(&self) -> Result<bool, Error> {
        remove_tree(&self.path)
    }
}
