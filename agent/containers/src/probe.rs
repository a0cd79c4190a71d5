//! Finding out what this machine can do, before anything is promised.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    path::{Component, Path},
    sync::{Arc, Mutex},
};

use nix::fcntl::{Flock, FlockArg};
use tokio::sync::Semaphore;

use crate::{
    Gpus, InitProgram, Isolation, Isolator, Missing, Options, Refusal, UsersPolicy,
    cgroups::{Controller, Hierarchies, Mounted, hierarchies},
    gpus::Found,
    grants::Grants,
    init::{
        LAUNCHER_NAME,
        wire::{FAILED, Failure, InitRequest},
    },
    isolators::Machine,
    launcher::Launcher,
    limits::{LAUNCHER_START_TIMEOUT, MAX_LAUNCHES, MAX_SESSIONS, MIN_KERNEL},
    processors,
    records::Records,
    refusal::CannotIsolate,
    runtime::Inner,
    seccomp::Filters,
    users::Ranges,
};

/// Makes a runtime, or says all that stands in the way of it.
pub(crate) fn probe(options: Options) -> Result<Inner, Refusal> {
    let isolation = options.isolation;
    check_cgroup_root(&options.cgroup_root)?;
    let kernel = nix::sys::utsname::uname().map_err(|error| Refusal::Machine(error.into()))?;
    check_kernel(&kernel.release().to_string_lossy())?;
    let mut machine = Machine::look().map_err(Refusal::Machine)?;
    machine.gpus = Found::look(&options.gpus);
    let mounted = Mounted::find().map_err(Refusal::Machine)?;
    let wanted = isolation.controllers();
    let in_use = hierarchies(&mounted, &options.cgroup_root, &wanted);
    try_controllers(&mut machine, in_use.as_deref(), wanted);
    let weighs = in_use.as_deref().is_some_and(Hierarchies::can_weigh_disks);
    if isolation.has(Isolator::Io) && options.policy.io.weight_per_cpu.is_some() && !weighs {
        let reason = "the kernel weighs nobody's use of disks (BFQ or io.cost): leave weights out";
        let known = machine.controllers.entry(Controller::Io);
        known.or_insert_with(|| reason.to_owned());
    }

    let runtime_dir = &options.runtime_dir;
    let unusable = |source| Refusal::RuntimeDir {
        path: runtime_dir.clone(),
        source,
    };
    let records = Records::open(runtime_dir).map_err(unusable)?;
    let mut locks = Vec::new();
    locks.extend(lock(runtime_dir).map_err(unusable)?);
    if locks.is_empty() {
        return Err(Refusal::RuntimeDirInUse(runtime_dir.clone()));
    }

    let launcher = start_launcher(&options.init)?;
    try_namespaces(&mut machine, &launcher, isolation);
    let mut needed = isolation;
    if options.users_policy == UsersPolicy::Asked {
        // Who asks is refused then.
        needed = needed.without(Isolator::Users);
    }
    refuse_if_missing(&machine, needed)?;
    if let Some(root) = in_use.as_deref().map(Hierarchies::root) {
        let lock = lock(root).map_err(Refusal::Machine)?;
        locks.push(lock.ok_or_else(|| Refusal::CgroupRootInUse(root.to_owned()))?);
    }
    let gpus = machine.gpus.devices.keys().copied().collect();
    let (classes, projects) = (options.net_classes, options.projects);
    let grants = Grants::new(processors::of_this_machine(), gpus, classes, projects);
    Ok(Inner {
        boot_id: tepui_sys::boot_id().map_err(Refusal::Machine)?,
        all_hierarchies: hierarchies(&mounted, &options.cgroup_root, &Controller::ALL.into()),
        hierarchies: in_use,
        machine,
        filters: Filters::default(),
        users: Ranges::new(options.users),
        records,
        launcher: Arc::new(launcher),
        seats: Arc::default(),
        grants: Arc::new(grants),
        launches: Semaphore::new(MAX_LAUNCHES),
        sessions: Arc::new(Semaphore::new(MAX_SESSIONS)),
        containers: Mutex::default(),
        _locks: locks,
        options,
    })
}

/// What this machine has for one isolator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The isolator.
    pub isolator: Isolator,
    /// What it lacks here. `None` if it works.
    pub missing: Option<String>,
}

/// Finds out what this machine has for every isolator, and leaves nothing behind.
///
/// # Errors
/// When the machine cannot be looked at, or the launcher does not start.
pub fn offers(init: &InitProgram) -> Result<Vec<Offer>, Refusal> {
    let mut machine = Machine::look().map_err(Refusal::Machine)?;
    machine.gpus = Found::look(&Gpus::default());
    let mounted = Mounted::find().map_err(Refusal::Machine)?;
    let root = format!("tepui-look-{}", std::process::id());
    let wanted: BTreeSet<_> = Controller::ALL.into();
    let tried = hierarchies(&mounted, &root, &wanted);
    try_controllers(&mut machine, tried.as_deref(), wanted);
    if let Some(tried) = tried {
        // What could not be made cannot be removed either.
        let _ = tried.group("").remove();
    }
    let launcher = start_launcher(init)?;
    try_namespaces(&mut machine, &launcher, Isolation::ALL);
    let offer = |isolator: Isolator| Offer {
        isolator,
        missing: isolator.isolate().missing(&machine),
    };
    Ok(Isolator::ALL.into_iter().map(offer).collect())
}

/// Names with slashes between, and none that leads anywhere else.
fn check_cgroup_root(root: &str) -> Result<(), Refusal> {
    let mut components = Path::new(root).components();
    let plain = |component| matches!(component, Component::Normal(_));
    if root.is_empty() || !components.all(plain) {
        return Err(Refusal::CgroupRoot(root.to_owned()));
    }
    Ok(())
}

/// Kernels name themselves `6.1.0-13-amd64`. One that does not is taken as new enough.
fn check_kernel(release: &str) -> Result<(), Refusal> {
    match version(release) {
        Some(version) if version < MIN_KERNEL => Err(Refusal::Kernel(release.to_owned())),
        _ => Ok(()),
    }
}

/// Major and minor number of a kernel.
pub(crate) fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release
        .split(|letter: char| !letter.is_ascii_digit())
        .map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Makes the root group with each controller, and notes which cannot be used.
fn try_controllers(
    machine: &mut Machine,
    hierarchies: Option<&dyn Hierarchies>,
    mut wanted: BTreeSet<Controller>,
) {
    let Some(hierarchies) = hierarchies else {
        let reason = "no cgroups are mounted on this machine (see /proc/self/mountinfo)";
        machine.controllers = wanted
            .into_iter()
            .map(|one| (one, reason.to_owned()))
            .collect();
        return;
    };
    // Each failure takes away one controller.
    while let Err((controller, error)) = hierarchies.prepare_root(&wanted) {
        machine.controllers.insert(controller, error.to_string());
        if !wanted.remove(&controller) {
            break;
        }
    }
}

fn lock(folder: &Path) -> io::Result<Option<Flock<File>>> {
    match Flock::lock(File::open(folder)?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::Error::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(error.into()),
    }
}

fn start_launcher(program: &InitProgram) -> Result<Launcher, Refusal> {
    // A program that goes on to its own work as launcher must not start launchers in turn, without
    // end.
    if std::env::args_os()
        .next()
        .is_some_and(|name| name == LAUNCHER_NAME)
    {
        return Err(Refusal::Launcher(io::Error::other(
            "this program does not call init_main()",
        )));
    }
    let path = program.path();
    let sealed = tepui_sys::seal_program(&path).map_err(|source| Refusal::Seal { path, source })?;
    Launcher::start(sealed).map_err(Refusal::Launcher)
}

/// Makes the namespaces once, and notes which cannot be made.
fn try_namespaces(machine: &mut Machine, launcher: &Launcher, isolation: Isolation) {
    let controllers_aside = isolation.without_controllers();
    if try_isolation(launcher, controllers_aside).is_ok() {
        return;
    }
    for isolator in controllers_aside.iter() {
        if let Err(error) = try_isolation(launcher, Isolation::NONE.with(isolator)) {
            machine.failed.insert(isolator, error.to_string());
        }
    }
}

/// Makes an init with these namespaces, and lets it end at once.
fn try_isolation(launcher: &Launcher, isolation: Isolation) -> io::Result<()> {
    let request = InitRequest {
        isolation,
        ..InitRequest::default()
    };
    let mut init = launcher.ask_blocking(request)?;
    init.set_read_timeout(Some(LAUNCHER_START_TIMEOUT))?;
    init.shutdown(std::net::Shutdown::Write)?;
    let mut answer = Vec::new();
    init.read_to_end(&mut answer)?;
    match answer.split_first() {
        Some((&FAILED, failure)) => {
            let failure: Failure = serde_json::from_slice(failure)?;
            Err(io::Error::other(format!(
                "cannot {}: {}",
                failure.what, failure.message
            )))
        }
        Some(_) => Ok(()),
        None => Err(io::Error::other(
            "a process in such a namespace ended at once",
        )),
    }
}

fn refuse_if_missing(machine: &Machine, asked: Isolation) -> Result<(), CannotIsolate> {
    let missing = |isolator: Isolator| {
        let reason = isolator.isolate().missing(machine)?;
        Some(Missing { isolator, reason })
    };
    let missing: Vec<_> = asked.iter().filter_map(missing).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(CannotIsolate { missing, asked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Capabilities;

    fn able() -> Machine {
        let namespaces = ["mnt", "pid", "ipc", "uts", "cgroup", "net", "user"]
            .map(str::to_owned)
            .into();
        Machine {
            capabilities: Capabilities::ALL,
            filters_calls: true,
            namespaces,
            ..Machine::default()
        }
    }

    #[test]
    fn a_machine_that_can_do_all_is_not_refused() {
        assert!(refuse_if_missing(&able(), Isolation::ALL).is_ok());
    }

    #[test]
    fn c32_a_refusal_names_all_that_is_missing_and_the_flag_that_accepts_less() {
        let mut machine = able();
        machine.namespaces.remove("cgroup");
        machine.controllers.insert(
            Controller::Memory,
            "cannot create x: Permission denied".into(),
        );
        let text = refuse_if_missing(&machine, Isolation::ALL)
            .unwrap_err()
            .to_string();
        assert_eq!(
            text,
            "this machine cannot isolate containers as asked for:\n  \
             cgroups/mem: cannot create x: Permission denied\n  \
             namespaces/cgroup: the kernel is built without it\n\
             to run tasks with less isolation all the same: --isolation \
             cgroups/cpu,cgroups/pids,cgroups/devices,namespaces/mnt,namespaces/pid,namespaces/ipc,namespaces/uts,\
             namespaces/user,\
             filesystem/linux,linux/capabilities,linux/nnp,linux/seccomp,posix/rlimits,disk/du,\
             network/cni"
        );
    }

    #[test]
    fn without_root_only_plain_processes_are_left() {
        let mut machine = Machine {
            capabilities: Capabilities::NONE,
            ..able()
        };
        try_controllers(&mut machine, None, Controller::ALL.into());
        let refused = refuse_if_missing(&machine, Isolation::ALL).unwrap_err();
        assert_eq!(refused.missing.len(), 13);
        let possible = "linux/nnp,linux/seccomp,posix/rlimits,disk/du";
        assert_eq!(refused.possible().to_string(), possible);
        let text = refused.to_string();
        assert!(
            text.contains("namespaces/pid: it needs root (CAP_SYS_ADMIN)"),
            "{text}"
        );
        assert!(text.ends_with(&format!("--isolation {possible}")), "{text}");
        assert!(refuse_if_missing(&machine, Isolation::NONE).is_ok());
    }

    #[test]
    fn what_is_not_asked_for_is_not_missed() {
        let machine = Machine {
            capabilities: Capabilities::NONE,
            ..able()
        };
        let cgroups = "cgroups/cpu,cgroups/mem".parse().unwrap();
        assert!(refuse_if_missing(&machine, cgroups).is_ok());
    }

    #[test]
    fn c32_a_kernel_that_lacks_system_calls_is_refused() {
        for release in [
            "5.12.0",
            "5.12",
            "6.1.0-13-amd64",
            "10.0",
            "6.18.44-fc",
            "strange",
        ] {
            assert!(check_kernel(release).is_ok(), "{release}");
        }
        for release in ["5.10.0-28-amd64", "4.19", "3.10.0-1160.el7"] {
            let text = check_kernel(release).unwrap_err().to_string();
            assert_eq!(
                text,
                format!("containers need Linux 5.12 or newer, and this is {release}")
            );
        }
    }

    #[test]
    fn a_cgroup_root_stays_below_the_hierarchies() {
        assert!(check_cgroup_root("tepui/5051").is_ok());
        for root in ["", "/tepui", "../tepui", "tepui/..", "."] {
            assert!(check_cgroup_root(root).is_err(), "{root}");
        }
    }
}
