//! How an init starts its task: one story, told step by step.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use tepui_sys::{Forked, Kernel, Logger, Signal, User};

use super::{
    console::{self, Console},
    exec::exec,
    mounts, output,
    reaper::{hold, wait_for},
    rights,
    wire::{Failure, InitRequest, Plan, status_line},
};
use crate::cgroups::Quota;

/// The capability KILL.
pub(super) const SIGNAL_OTHERS: u64 = 1 << 5;

/// Exit code of a process that was to run a program and could not, as shells have it.
pub(super) const CANNOT_RUN: u8 = 127;

/// The agent, as its inits see it.
pub(super) trait Agent {
    /// Says which process this is.
    fn announce(&self) -> io::Result<()>;
    /// Waits for the plan. `None`: the agent is gone, or wants no container after all.
    fn plan(&self) -> io::Result<Option<Plan>>;
    /// Waits until the container is written down, so that a later agent finds it. False: the agent
    /// is gone, or wants no container after all.
    fn may_run(&self) -> io::Result<bool>;
    /// Says why the task does not run.
    fn report(&self, failure: &Failure);
}

/// A task that runs, and the file for its exit status.
struct Running {
    /// Its process; none where the init alone holds what others share.
    task: Option<i32>,
    /// What writes its output, unless it does so itself.
    logger: Option<Logger>,
    status: OwnedFd,
    own_processes: bool,
    stop: Signal,
    console: Option<Console>,
}

/// Runs one container from its first to its last moment. Returns the init's own exit code.
pub(super) fn run(kernel: &impl Kernel, request: &InitRequest, agent: impl Agent) -> u8 {
    let running = match start(kernel, request, &agent) {
        Ok(Some(running)) => running,
        Ok(None) => return 0,
        Err(failure) => {
            agent.report(&failure);
            return CANNOT_RUN;
        }
    };
    // The task's copy of the socket closed when its program was run: now the agent sees the end of
    // it.
    drop(agent);
    match finish(kernel, running) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn start(
    kernel: &impl Kernel,
    request: &InitRequest,
    agent: &impl Agent,
) -> Result<Option<Running>, Failure> {
    let quota = become_init(kernel, request)?;
    agent.announce().map_err(Failure::step("reach the agent"))?;
    let Some(plan) = agent.plan().map_err(Failure::step("read the plan"))? else {
        return Ok(None);
    };
    // Before the mounts, which may hide them.
    let status = kernel.open_for_writing(&plan.status);
    let status = status.map_err(Failure::step("open the file for the exit status"))?;
    let listener = plan.console.as_ref().map(|it| console::listen(&it.socket));
    let listener = listener
        .transpose()
        .map_err(Failure::step("make the console's socket"))?;
    let users = open_users(kernel, &plan)?;
    let Folders {
        sandbox,
        working,
        shown,
    } = folders(kernel, &plan, users.as_ref())?;
    let mut running = Running {
        task: None,
        logger: output::connect(kernel, &plan, sandbox, shown)?,
        status,
        own_processes: plan.own_processes,
        stop: plan.stop_signal(),
        console: None,
    };
    // The walls stand: nothing of it shows outside, and there is no other process yet.
    let told = Failure::step("hear whether to run");
    if !agent.may_run().map_err(told)? {
        return Ok(None);
    }
    if plan.hold {
        lessen(kernel, &plan)?;
        limit(kernel, quota)?;
        return Ok(Some(running));
    }
    let user = plan.user_outside();
    let console = match (&plan.console, listener) {
        (Some(wanted), Some(listener)) => Some(console::start(
            kernel,
            listener,
            wanted.size,
            user.as_ref(),
            plan.lessen,
        )?),
        _ => None,
    };
    match kernel.fork().map_err(Failure::step("fork"))? {
        Forked::Parent(task) => running.task = Some(task),
        Forked::Child => {
            let console = console.as_ref();
            return Err(run_task(kernel, &plan, (&working, users.as_ref()), console));
        }
    }
    running.console = console;
    if running.logger.is_some() {
        let step = Failure::step("let go of the task's output");
        let user = plan.user.as_ref().map(User::from);
        kernel.let_go_of_output(user.as_ref()).map_err(step)?;
    }
    lessen(kernel, &plan)?;
    limit(kernel, quota)?;
    Ok(Some(running))
}

/// Leaves what it has from the launcher, and enters its cgroups. Returns the file of its quota,
/// with what is to be written there: nobody in a cgroup namespace may open it any more.
fn become_init<'a>(
    kernel: &impl Kernel,
    request: &'a InitRequest,
) -> Result<Option<(OwnedFd, &'a str)>, Failure> {
    let block = || {
        let blocked = kernel.block_signals();
        blocked.map_err(Failure::step("block signals"))
    };
    begin(kernel, c"tepui-init", block, &request.join)?;
    let open = |quota: &'a Quota| {
        let file = kernel.open_for_writing(&quota.file);
        let file = file.map_err(Failure::step("open the file for the CPU quota"))?;
        Ok((file, quota.value.as_str()))
    };
    let quota = request.quota.as_ref().map(open).transpose()?;
    if request.isolation.has(crate::Isolator::CgroupNamespace) {
        kernel
            .unshare_cgroups()
            .map_err(Failure::step("make a cgroup namespace"))?;
    }
    if !request.isolation.has(crate::Isolator::PidNamespace) {
        kernel
            .adopt_orphans()
            .map_err(Failure::step("adopt orphans"))?;
    }
    Ok(quota)
}

/// Bounds the container's processor time, itself included, when all is done that took any: the
/// agent takes the task for running only afterwards, and need not be there for it.
fn limit(kernel: &impl Kernel, quota: Option<(OwnedFd, &str)>) -> Result<(), Failure> {
    let Some((file, value)) = quota else {
        return Ok(());
    };
    let written = kernel.write_to(file.as_fd(), value);
    written.map_err(Failure::step("set the CPU quota"))
}

/// How every process begins that was forked off the launcher for a container: it leaves what it has
/// from there, does what is its own kind's to do `apart`, and enters v1 cgroups.
pub(super) fn begin(
    kernel: &impl Kernel,
    name: &CStr,
    apart: impl FnOnce() -> Result<(), Failure>,
    groups: &[PathBuf],
) -> Result<(), Failure> {
    kernel
        .reset_signals()
        .map_err(Failure::step("reset signals"))?;
    apart()?;
    kernel
        .set_name(name)
        .map_err(Failure::step("set the name of the process"))?;
    kernel
        .new_session()
        .map_err(Failure::step("start a session"))?;
    join(kernel, groups)
}

/// Enters v1 cgroups, by writing to these files.
pub(super) fn join(kernel: &impl Kernel, files: &[PathBuf]) -> Result<(), Failure> {
    for file in files {
        let step = || format!("join a cgroup through {}", file.display());
        kernel
            .write(file, "0")
            .map_err(|error| Failure::step(step())(error))?;
    }
    Ok(())
}

/// The users of the container's own, if it has any.
pub(super) fn open_users(kernel: &impl Kernel, plan: &Plan) -> Result<Option<OwnedFd>, Failure> {
    let namespace = plan.users.as_ref().map(|users| &users.namespace);
    let opened = namespace.map(|path| kernel.open_users(path)).transpose();
    opened.map_err(Failure::step("open the container's user namespace"))
}

/// The folders of a task.
struct Folders {
    /// Where output goes.
    sandbox: OwnedFd,
    /// Where the program starts.
    working: OwnedFd,
    /// The sandbox as users of its own see it, if the task has such.
    shown: Option<OwnedFd>,
}

/// Isolates the container, and opens its folders before that or after it.
fn folders(kernel: &impl Kernel, plan: &Plan, users: Option<&OwnedFd>) -> Result<Folders, Failure> {
    let users = users.map(AsFd::as_fd);
    if users.is_some() {
        // Its files belong to who they belong to on the disk only outside of the container.
        let sandbox = kernel.open_folder(&plan.sandbox);
        let sandbox = sandbox.map_err(Failure::sandbox(&plan.sandbox))?;
        isolate(kernel, plan, users)?;
        let (shown, working) = open_folders(kernel, plan)?;
        return Ok(Folders {
            sandbox,
            working,
            shown: Some(shown),
        });
    }
    // Mounts may hide the folders on the host's root; on its own they are there afterwards.
    let (sandbox, working) = match plan.root {
        None => {
            let opened = open_folders(kernel, plan)?;
            isolate(kernel, plan, None)?;
            opened
        }
        Some(_) => {
            isolate(kernel, plan, None)?;
            open_folders(kernel, plan)?
        }
    };
    Ok(Folders {
        sandbox,
        working,
        shown: None,
    })
}

/// Gives the container its own network, file system and host name.
fn isolate(
    kernel: &impl Kernel,
    plan: &Plan,
    users: Option<BorrowedFd<'_>>,
) -> Result<(), Failure> {
    // Before `/sys` is mounted, which shows the network of whoever mounts it.
    if let Some(network) = &plan.network {
        let step = Failure::step("enter the container's network");
        kernel.join_network(network).map_err(step)?;
    }
    if plan.own_mounts {
        mounts::build(kernel, plan, users)?;
    }
    if let Some(hostname) = &plan.hostname {
        kernel
            .set_hostname(hostname)
            .map_err(Failure::step("set the host name"))?;
    }
    if let Some(adjustment) = plan.oom_score_adj {
        let file = Path::new("/proc/self/oom_score_adj");
        let step = Failure::step("set the out-of-memory score");
        kernel.write(file, &adjustment.to_string()).map_err(step)?;
    }
    Ok(())
}

/// Opens the sandbox, where output goes, and the folder where the program starts. In a root of its
/// own these are what the container sees.
fn open_folders(kernel: &impl Kernel, plan: &Plan) -> Result<(OwnedFd, OwnedFd), Failure> {
    let open = |path: &Path| kernel.open_folder(path).map_err(Failure::sandbox(path));
    let sandbox = plan
        .root
        .as_ref()
        .map_or(&plan.sandbox, |root| &root.sandbox);
    let working = plan.working_dir.as_ref().map(|path| sandbox.join(path));
    let working = working.as_deref().unwrap_or(sandbox);
    Ok((open(sandbox)?, open(working)?))
}

/// Keeps of root's power only what an init needs: to signal processes, whosoever they are. A task
/// that may trace others takes over little then. Nobody else may look into the init, though it has
/// no more rights than a task of root.
fn lessen(kernel: &impl Kernel, plan: &Plan) -> Result<(), Failure> {
    if !plan.lessen {
        return Ok(());
    }
    kernel.hide().map_err(Failure::step("hide the init"))?;
    keep_powers(kernel, SIGNAL_OTHERS).map_err(Failure::step("take power from the init"))
}

/// Keeps these capabilities and no others, for good.
pub(super) fn keep_powers(kernel: &impl Kernel, kept: u64) -> io::Result<()> {
    kernel.limit_capabilities(kept)?;
    kernel.set_capabilities(kept, 0)?;
    kernel.renounce_privileges()
}

/// Becomes the task. It returns only if that failed.
fn run_task(
    kernel: &impl Kernel,
    plan: &Plan,
    (working, users): (&OwnedFd, Option<&OwnedFd>),
    console: Option<&Console>,
) -> Failure {
    let prepared = || -> Result<(), Failure> {
        kernel
            .new_session()
            .map_err(Failure::step("start a session"))?;
        kernel
            .reset_signals()
            .map_err(Failure::step("reset signals"))?;
        if let Some(console) = console {
            console
                .connect(kernel)
                .map_err(Failure::step("connect the terminal"))?;
        }
        kernel
            .enter(working.as_fd())
            .map_err(Failure::sandbox(&plan.sandbox))?;
        kernel.set_umask(0o022);
        rights::limit(kernel, plan, users)?;
        rights::take(kernel, plan)
    };
    match prepared() {
        Ok(()) => exec(kernel, plan),
        Err(failure) => failure,
    }
}

/// Waits for the task, writes down how it ended, and leaves nothing behind.
fn finish(kernel: &impl Kernel, mut running: Running) -> io::Result<()> {
    let ended = match running.task {
        Some(task) => {
            let task = (task, running.logger.as_mut());
            wait_for(kernel, task, running.own_processes, running.stop)?
        }
        None => hold(kernel)?,
    };
    if let Some(console) = running.console {
        let logger = &mut running.logger;
        console.finish(|| logger.iter_mut().for_each(Logger::drain));
    }
    // One write: it is there whole, or not at all.
    kernel.write_to(running.status.as_fd(), &status_line(ended))?;
    if !running.own_processes {
        // Where this process is no namespace's init, the kernel leaves that to it.
        loop {
            kernel.signal_descendants(Signal::SIGKILL)?;
            while kernel.reap()?.is_some() {}
            if kernel.is_childless()? {
                break;
            }
            kernel.wait_signal()?;
        }
    }
    if let Some(mut logger) = running.logger {
        // What others in the container still write, nobody waits for.
        logger.drain();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
