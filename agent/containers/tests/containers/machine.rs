//! A runtime of its own for every test.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tepui_containers::{
    Bytes, Capabilities, Exit, ExitStatus, InitProgram, Limits, Options, Program, Runtime, Seccomp,
    Spec,
};
use tepui_model::{ContainerId, Quantity};

/// A program whose `main` calls `init_main` first.
pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_tepui-test-agent");

/// How long something is waited for that comes at once on a quiet machine. One that is emulated,
/// and busy besides, takes its time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A runtime with its own folders and cgroups.
pub(crate) struct Machine {
    pub(crate) runtime: Runtime,
    pub(crate) options: Options,
    /// Dropped after the runtime and before the folder.
    _remains: Remains,
    pub(crate) folder: TempDir,
}

/// What a failed test may leave.
pub(crate) struct Remains(pub(crate) Options);

/// How a container ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Machine {
    /// `None`, with a line that says why, on a machine where containers cannot be made.
    pub(crate) fn new() -> Option<Self> {
        Self::with(|_| {})
    }

    /// A machine whose operator allows tasks to ask for everything.
    pub(crate) fn trusting() -> Option<Self> {
        Self::with(|options| {
            options.policy.bounding_capabilities = Capabilities::ALL;
            options.policy.unconfined = true;
        })
    }

    /// The same with other options.
    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("not run: containers with all isolators need root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = format!("tepui-test/{}-{number}", std::process::id());
        let mut options = Options::new(folder.path().join("run"), root);
        options.init = InitProgram::Path(AGENT.into());
        change(&mut options);
        let runtime = Runtime::probe(options.clone()).unwrap();
        let _remains = Remains(options.clone());
        Some(Self {
            runtime,
            options,
            _remains,
            folder,
        })
    }

    /// Lets the agent die and start again, as far as that can be done in one process.
    pub(crate) fn restart(self) -> Self {
        let Self {
            runtime,
            options,
            _remains,
            folder,
        } = self;
        drop(runtime);
        let runtime = restarted(&options);
        Self {
            runtime,
            options,
            _remains,
            folder,
        }
    }

    /// A sandbox for a container.
    pub(crate) fn sandbox(&self, id: &str) -> PathBuf {
        let sandbox = self.folder.path().join("sandboxes").join(id);
        fs::create_dir_all(&sandbox).unwrap();
        sandbox
    }

    /// A container that runs a shell line.
    pub(crate) fn shell(&self, id: &str, line: &str) -> Spec {
        let limits = Limits {
            cpu_shares: Quantity::from_millis(100),
            cpu_limit: None,
            low_cpu_priority: false,
            memory: Bytes(64 << 20),
            memory_limit: None,
            pids: None,
        };
        let (id, program) = (
            ContainerId::new(id).unwrap(),
            Program::Shell(line.to_owned()),
        );
        let mut spec = Spec::new(id.clone(), self.sandbox(id.as_str()), program, limits);
        let path = "/usr/sbin:/usr/bin:/sbin:/bin";
        spec.environment = vec![("PATH".to_owned(), path.to_owned())];
        spec
    }

    /// Lets everybody through to a sandbox.
    pub(crate) fn open_way(&self, spec: &Spec) {
        for folder in [self.folder.path(), spec.sandbox.parent().unwrap()] {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(folder, open).unwrap();
        }
    }

    /// A container that runs a shell line with all the power of root that this machine has.
    pub(crate) fn trusted(&self, id: &str, line: &str) -> Spec {
        let mut spec = self.shell(id, line);
        spec.security.effective = Some(own_capabilities());
        spec.security.seccomp = Seccomp::Unconfined;
        spec
    }

    /// Runs a container to its end, and removes it.
    pub(crate) async fn run(&self, spec: Spec) -> Outcome {
        let (id, sandbox) = (spec.id.clone(), spec.sandbox.clone());
        self.runtime.launch(spec).await.unwrap();
        let exit = self.runtime.wait(&id).await;
        self.runtime.remove(&id).await.unwrap();
        let read = |name| fs::read_to_string(sandbox.join(name)).unwrap();
        Outcome {
            exit,
            out: read("stdout"),
            err: read("stderr"),
        }
    }

    /// Runs a shell line to its end.
    pub(crate) async fn run_shell(&self, line: &str) -> Outcome {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        self.run(self.shell(&format!("c{number}"), line)).await
    }

    /// All cgroups of this machine's containers.
    pub(crate) fn groups(&self) -> Vec<PathBuf> {
        let mut groups = groups(&self.options);
        // Those that wait for the next container.
        groups.retain(|path| !path.to_string_lossy().contains("/.seat-"));
        groups
    }
}

/// What this process may do.
pub(crate) fn own_capabilities() -> Capabilities {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    Capabilities::from_bits(u64::from_str_radix(set.unwrap().trim(), 16).unwrap())
}

/// The groups that containers have theirs below, one per hierarchy.
pub(crate) fn roots(options: &Options) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let hierarchies = mounts.lines().filter(|line| line.contains(" - cgroup"));
    let paths = hierarchies.filter_map(|line| line.split(' ').nth(4));
    paths
        .map(|path| Path::new(path).join(&options.cgroup_root))
        .collect()
}

pub(crate) fn groups(options: &Options) -> Vec<PathBuf> {
    let entries = roots(options)
        .into_iter()
        .flat_map(fs::read_dir)
        .flatten()
        .flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// Kills what is in a group, and removes it, with those below.
fn end(group: &Path) {
    let below = fs::read_dir(group).into_iter().flatten().flatten();
    let below = below.map(|entry| entry.path());
    below
        .filter(|path| path.is_dir())
        .for_each(|path| end(&path));
    let listed = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in listed.lines() {
        let pid = nix::unistd::Pid::from_raw(pid.parse().unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    }
    let _ = fs::remove_dir(group);
}

impl Drop for Remains {
    fn drop(&mut self) {
        let Self(options) = self;
        soon("all groups are removed", || {
            groups(options).iter().for_each(|group| end(group));
            groups(options).is_empty()
        });
        for root in roots(options) {
            let _ = fs::remove_dir(root);
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let paths = mounts.lines().filter_map(|line| line.split(' ').nth(4));
        for path in paths.map(Path::new) {
            if path.starts_with(&options.runtime_dir) {
                let _ = tepui_sys::remove_network(path);
            }
        }
    }
}

/// A runtime with the same options, as soon as the old one has let go of them.
pub(crate) fn restarted(options: &Options) -> Runtime {
    let began = Instant::now();
    loop {
        match Runtime::probe(options.clone()) {
            Ok(runtime) => return runtime,
            Err(error) if began.elapsed() > PATIENCE => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Waits until something is so.
pub(crate) fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < PATIENCE,
            "not so after {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An id.
pub(crate) fn id(id: &str) -> ContainerId {
    ContainerId::new(id).unwrap()
}

/// A container that exited by itself.
pub(crate) fn exited(code: i32) -> Exit {
    Exit {
        status: ExitStatus::Code(code),
        oom: None,
        disk: None,
    }
}

/// A container that was ended by a signal.
pub(crate) fn signaled(signal: i32) -> Exit {
    Exit {
        status: ExitStatus::Signal(signal),
        oom: None,
        disk: None,
    }
}
