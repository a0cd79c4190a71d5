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

use super::{
    Controller, CpuLimits, Entrance, Error, Group, Hierarchies, failed, folder_names,
    is_clean_cache, kill_tree, mounts::Hierarchy, read, read_keyed, read_number, read_tree,
    remove_tree, report_statistics, write,
};
use crate::{
    Bytes, Usage,
    init::wire::CgroupView,
    limits::{
        CFS_PERIOD, MAX_CPU_SHARES, MIN_CPU_SHARES, REVOCABLE_SHARES_PER_CPU, SHARES_PER_CPU,
    },
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
        })
    }

    fn is_slow_to_join(&self) -> bool {
        // The kernel waits until no other processor is about to fork: 5 to 20 ms, when nobody else
        // did so lately.
        true
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
}

impl V1 {
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

/// The group of one container: a folder per hierarchy.
#[derive(Debug)]
struct V1Group {
    /// The roots of the hierarchies.
    mounted: Vec<PathBuf>,
    cpu: Option<CpuController>,
    cpu_account: Option<CpuAcctController>,
    memory: Option<MemController>,
    pids: Option<PidController>,
}

impl V1Group {
    /// The controllers, one per hierarchy: two may share one.
    fn controllers(&self) -> Vec<&dyn Control> {
        let all: [Option<&dyn Control>; 4] = [
            self.cpu.as_ref().map(|controller| controller as _),
            self.cpu_account.as_ref().map(|controller| controller as _),
            self.memory.as_ref().map(|controller| controller as _),
            self.pids.as_ref().map(|controller| controller as _),
        ];
        let mut controllers: Vec<_> = all.into_iter().flatten().collect();
        controllers.dedup_by(|one, other| one.path() == other.path());
        controllers
    }

    fn memory_file(&self, name: &str) -> Option<PathBuf> {
        Some(self.memory.as_ref()?.path().join(name))
    }
}

impl Group for V1Group {
    fn create(&self) -> Result<(), Error> {
        for controller in self.controllers() {
            if controller.exists() {
                return Err(Error::new("create", controller.path(), "it exists already"));
            }
            controller
                .create()
                .map_err(failed("create", controller.path()))?;
        }
        Ok(())
    }

    fn entrance(&self) -> Entrance {
        let list = |controller: &dyn Control| controller.path().join("cgroup.procs");
        Entrance {
            join: self.controllers().into_iter().map(list).collect(),
            born_in: None,
        }
    }

    fn entrance_beside_others(&self) -> Result<Entrance, Error> {
        Ok(self.entrance())
    }

    fn below(&self) -> BTreeSet<String> {
        let groups = self.controllers().into_iter();
        groups
            .flat_map(|group| folder_names(group.path()))
            .collect()
    }

    fn view(&self) -> CgroupView {
        let folder = self.mounted.first().and_then(|root| root.parent());
        let groups = self
            .controllers()
            .into_iter()
            .map(|controller| controller.path());
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
        let Some(quota) = limits.quota else {
            return Ok(());
        };
        // The period of a new group is the one we want.
        debug_assert_eq!(CFS_PERIOD, Duration::from_millis(100));
        let quota = i64::try_from(quota.as_micros()).unwrap_or(i64::MAX);
        cpu.set_cfs_quota(quota)
            .map_err(failed("set the CPU quota of", cpu.path()))
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
        let groups = self.controllers().into_iter();
        let read: Result<Vec<_>, _> = groups.map(|group| read_tree(group.path())).collect();
        Ok(read?.into_iter().flatten().collect())
    }

    fn kill(&self) -> Result<(), Error> {
        let mut groups = self.controllers().into_iter();
        groups.try_for_each(|group| kill_tree(group.path()))
    }

    fn usage(&self) -> Usage {
        let cpu = self.cpu_account.as_ref();
        let cpu = cpu.and_then(|account| read_number(&account.path().join("cpuacct.usage")));
        let memory = self.memory_file("memory.usage_in_bytes");
        Usage {
            cpu_nanos: cpu.unwrap_or(0),
            memory_bytes: memory.and_then(|path| read_number(&path)).unwrap_or(0),
            pids: self
                .pids
                .as_ref()
                .and_then(|pids| pids.get_pid_current().ok())
                .unwrap_or(0),
        }
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
        let mut controllers = self.controllers().into_iter();
        controllers.try_fold(true, |all, controller| {
            Ok(all & remove_tree(controller.path())?)
        })
    }
}
