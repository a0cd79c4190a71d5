//! Where a task's output goes: into files of the sandbox, or through pipes to the init, which
//! writes it into files that take turns.

use std::os::fd::{AsFd as _, OwnedFd};

use tepui_sys::{Kernel, LogStream, Logger, Room, User};

use super::wire::{Failure, LogPlan, Plan};

/// Connects output and error of this process, which its task inherits. Gives what the init writes
/// with, if it does. A task with users of its own has the sandbox shown in another way.
pub(super) fn connect(
    kernel: &impl Kernel,
    plan: &Plan,
    sandbox: OwnedFd,
    shown: Option<OwnedFd>,
) -> Result<Option<Logger>, Failure> {
    let open = |folder: &OwnedFd, name: &str| {
        let file = kernel.open_output(folder.as_fd(), name);
        file.map_err(Failure::sandbox(&plan.sandbox.join(name)))
    };
    let (out, err) = (open(&sandbox, "stdout")?, open(&sandbox, "stderr")?);
    let user = plan.user.as_ref().map(User::from);
    let give = |file: &OwnedFd, user: Option<&User>| match user {
        Some(user) => {
            let given = kernel.give(file.as_fd(), user);
            given.map_err(Failure::sandbox(&plan.sandbox))
        }
        None => Ok(()),
    };
    let given = [&sandbox, &out, &err];
    given
        .into_iter()
        .try_for_each(|file| give(file, user.as_ref()))?;
    let connect = |out: &OwnedFd, err: &OwnedFd| {
        let step = Failure::step("connect standard input, output and error");
        kernel.set_output(out.as_fd(), err.as_fd()).map_err(step)
    };
    // A terminal's output comes here from its console.
    let Some(rooms) = plan.logs.filter(|_| !plan.hold) else {
        match &shown {
            // Programs open what they write to once more, as /dev/stdout.
            Some(shown) => connect(&open(shown, "stdout")?, &open(shown, "stderr")?)?,
            None => connect(&out, &err)?,
        }
        return Ok(None);
    };
    let pipe = || {
        kernel
            .pipe()
            .map_err(Failure::step("make a pipe for output"))
    };
    let ((from_out, into_out), (from_err, into_err)) = (pipe()?, pipe()?);
    // As above.
    let outside = plan.user_outside();
    let pipes = [&into_out, &into_err];
    pipes
        .into_iter()
        .try_for_each(|pipe| give(pipe, outside.as_ref()))?;
    connect(&into_out, &into_err)?;
    let streams = vec![
        stream("stdout", out, from_out, rooms[0]),
        stream("stderr", err, from_err, rooms[1]),
    ];
    let logger = Logger::new(sandbox, user.as_ref(), streams);
    logger
        .map(Some)
        .map_err(Failure::step("take the task's output"))
}

fn stream(name: &'static str, file: OwnedFd, pipe: OwnedFd, room: LogPlan) -> LogStream {
    LogStream {
        name,
        file,
        pipe,
        room: Room {
            bytes: room.bytes,
            kept: room.kept,
        },
    }
}
