//! How a program is started in a container that runs already: one story, told step by step.
//!
//! The helper that does it is forked off the launcher, like an init, and joins the session's own
//! cgroup beneath the container's. It enters the namespaces of the container's init, takes the
//! task's rights in a child, and runs the program there. It stays outside of the container's
//! processes, waits for the program, and takes along whatever the program has started: also when
//! the agent is gone, whose end it sees by the socket.

mod ending;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::{
    io::{self, PipeReader, PipeWriter, Read as _, Write as _},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use tepui_sys::{Forked, Kernel};

pub(super) use self::ending::Line;
use self::wire::{SessionPlan, SessionRequest};
use super::{
    exec::exec,
    rights,
    start::{CANNOT_RUN, SIGNAL_OTHERS, begin, keep_powers, open_users},
    wire::{Failure, Plan},
};
use crate::limits::MAX_MESSAGE_BYTES;

/// The agent, as a session's helper sees it.
pub(super) trait Caller {
    /// Says which process this is.
    fn announce(&self) -> io::Result<()>;
    /// Waits for the plan. `None`: the agent is gone.
    fn plan(&self) -> io::Result<Option<(SessionPlan, Files)>>;
    /// Says that the program runs.
    fn started(&self, program: i32, terminal: Option<OwnedFd>) -> io::Result<()>;
    /// Says why it does not.
    fn report(&self, failure: &Failure);
    /// Waits for the program and for all that it has started, and says how it ended.
    fn finish(&self, kernel: &impl Kernel, program: i32, group: Option<&OwnedFd>)
    -> io::Result<()>;
}

/// What comes with the plan.
#[derive(Debug)]
pub(super) struct Files {
    /// A hold on the container's init.
    pub(super) init: OwnedFd,
    /// Standard input, output and error, for who has no terminal.
    pub(super) streams: Option<[OwnedFd; 3]>,
}

/// Who comes out of the start.
enum Side {
    /// The helper, with the program's process, and the group that the program is in.
    Helper {
        program: i32,
        terminal: Option<OwnedFd>,
        failures: PipeReader,
        group: Option<OwnedFd>,
    },
    /// The program's process, which could not run it.
    Program(Failure, PipeWriter),
    /// Nobody: the agent is gone.
    Nobody,
}

/// Runs one session from its first to its last moment. Returns this process' own exit code.
pub(super) fn run(kernel: &impl Kernel, request: &SessionRequest, caller: &impl Caller) -> u8 {
    match start(kernel, request, caller) {
        Ok(Side::Helper {
            program,
            terminal,
            failures,
            group,
        }) => attend(kernel, caller, (program, group), terminal, failures),
        Ok(Side::Program(failure, mut told)) => {
            if let Ok(text) = serde_json::to_vec(&failure) {
                // A helper that is gone need not know.
                let _ = told.write_all(&text);
            }
            CANNOT_RUN
        }
        Ok(Side::Nobody) => 0,
        Err(failure) => {
            caller.report(&failure);
            CANNOT_RUN
        }
    }
}

/// Stays with the program until it has ended.
fn attend(
    kernel: &impl Kernel,
    caller: &impl Caller,
    (program, group): (i32, Option<OwnedFd>),
    terminal: Option<OwnedFd>,
    failures: PipeReader,
) -> u8 {
    let mut text = Vec::new();
    // It closes when the program is run, without a word if all is well.
    let read = failures
        .take(MAX_MESSAGE_BYTES as u64)
        .read_to_end(&mut text);
    let failure = match (read, &text[..]) {
        (Ok(_), []) => None,
        _ => Some(serde_json::from_slice(&text).unwrap_or_else(|error| {
            Failure::step("hear from the program's process")(error.into())
        })),
    };
    if let Some(failure) = failure {
        caller.report(&failure);
        return CANNOT_RUN;
    }
    // Whoever cannot be told is gone, which the end of the program is hastened by.
    let _ = caller.started(program, terminal);
    match caller.finish(kernel, program, group.as_ref()) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn start(
    kernel: &impl Kernel,
    request: &SessionRequest,
    caller: &impl Caller,
) -> Result<Side, Failure> {
    become_helper(kernel, request)?;
    // Opened while the host's files are to be seen.
    let group = request
        .group
        .as_deref()
        .map(|path| kernel.open_folder(path));
    let group = group.transpose();
    let group = group.map_err(Failure::step("open the session's cgroup"))?;
    caller
        .announce()
        .map_err(Failure::step("reach the agent"))?;
    let Some((session, files)) = caller.plan().map_err(Failure::step("read the plan"))? else {
        return Ok(Side::Nobody);
    };
    let plan = &session.plan;
    if let Some(adjustment) = plan.oom_score_adj {
        let file = Path::new("/proc/self/oom_score_adj");
        let step = Failure::step("set the out-of-memory score");
        kernel.write(file, &adjustment.to_string()).map_err(step)?;
    }
    let users = open_users(kernel, plan)?;
    kernel
        .enter_namespaces(files.init.as_fd(), session.entered.into())
        .map_err(Failure::step("enter the container's namespaces"))?;
    let working = open_working(kernel, plan)?;
    let (terminal, streams) = streams(kernel, &session, files)?;
    let (failures, told) = io::pipe().map_err(Failure::step("make a pipe"))?;
    match kernel.fork().map_err(Failure::step("fork"))? {
        Forked::Parent(program) => {
            // What is left to do is to wait, and to end what the program has started.
            if plan.lessen {
                let step = Failure::step("take power from the session's helper");
                keep_powers(kernel, SIGNAL_OTHERS).map_err(step)?;
            }
            Ok(Side::Helper {
                program,
                terminal,
                failures,
                group,
            })
        }
        Forked::Child => {
            let folder = (&working, users.as_ref());
            let failure = run_program(kernel, &session, folder, &streams, &told);
            // They are closed already, and so not to be closed again.
            std::mem::forget((working, users, streams, terminal, failures, group));
            Ok(Side::Program(failure, told))
        }
    }
}

/// Leaves what it has from the launcher, hides, and enters its cgroups.
fn become_helper(kernel: &impl Kernel, request: &SessionRequest) -> Result<(), Failure> {
    let hide = || {
        let hidden = kernel.hide();
        hidden.map_err(Failure::step("hide from who is in the container"))
    };
    begin(kernel, c"tepui-session", hide, &request.join)
}

/// Where the program starts, as the container has it.
fn open_working(kernel: &impl Kernel, plan: &Plan) -> Result<OwnedFd, Failure> {
    let sandbox = plan
        .root
        .as_ref()
        .map_or(&plan.sandbox, |root| &root.sandbox);
    let path = match &plan.working_dir {
        Some(path) => sandbox.join(path),
        None => sandbox.clone(),
    };
    kernel.open_folder(&path).map_err(Failure::sandbox(&path))
}

/// What the program reads and writes: a terminal of the container's, whose master goes to the
/// agent, or what the agent sent.
fn streams(
    kernel: &impl Kernel,
    session: &SessionPlan,
    files: Files,
) -> Result<(Option<OwnedFd>, Vec<OwnedFd>), Failure> {
    let (master, streams) = match (session.terminal, files.streams) {
        (Some(size), _) => {
            let opened = kernel.open_terminal(size.into());
            let (master, terminal) = opened.map_err(Failure::step("make a terminal"))?;
            (Some(master), vec![terminal])
        }
        (None, Some(streams)) => (None, streams.into()),
        (None, None) => {
            let missing = io::Error::other("nothing came with the plan");
            return Err(Failure::step("connect input and output")(missing));
        }
    };
    // So that the task's user can open them once more, by `/dev/stdout`.
    if let Some(user) = session.plan.user_outside() {
        for stream in &streams {
            let given = kernel.give(stream.as_fd(), &user);
            given.map_err(Failure::step("give input and output to the task's user"))?;
        }
    }
    Ok((master, streams))
}

/// Becomes the program. It returns only if that failed.
fn run_program(
    kernel: &impl Kernel,
    session: &SessionPlan,
    (working, users): (&OwnedFd, Option<&OwnedFd>),
    streams: &[OwnedFd],
    told: &PipeWriter,
) -> Failure {
    let prepared = || -> Result<(), Failure> {
        kernel
            .new_session()
            .map_err(Failure::step("start a session"))?;
        kernel
            .reset_signals()
            .map_err(Failure::step("reset signals"))?;
        connect(kernel, streams)?;
        kernel
            .enter(working.as_fd())
            .map_err(Failure::sandbox(&session.plan.sandbox))?;
        rights::limit(kernel, &session.plan, users)?;
        kernel
            .keep_only(told.as_fd())
            .map_err(Failure::step("close files"))?;
        kernel.set_umask(0o022);
        rights::take(kernel, &session.plan)
    };
    match prepared() {
        Ok(()) => exec(kernel, &session.plan),
        Err(failure) => failure,
    }
}

fn connect(kernel: &impl Kernel, streams: &[OwnedFd]) -> Result<(), Failure> {
    let step = || Failure::step("connect standard input, output and error");
    match streams {
        [terminal] => {
            let terminal = terminal.as_fd();
            kernel.control_by(terminal).map_err(step())?;
            kernel.set_streams([terminal; 3]).map_err(step())
        }
        [input, output, error] => kernel
            .set_streams([input.as_fd(), output.as_fd(), error.as_fd()])
            .map_err(step()),
        _ => Err(step()(io::Error::other("there are not three of them"))),
    }
}
