//! What runs beside the agent: the launcher, and the init of each container.
//!
//! The agent has many threads and much memory, and must not fork. It starts a sealed copy of its
//! own program once: the *launcher*, which has one thread and almost nothing in memory, and forks
//! whenever the agent asks for a container. The child is the container's *init*, process 1 of its
//! namespaces. It joins the cgroups, tells the agent that it is there, and waits. The agent writes
//! down which process it is and only then sends the plan; so a task never runs without a record
//! from which a restarted agent finds it, and an agent that dies before leaves an init that sees
//! the socket close and ends. With the plan, the init sets up mounts and output, starts the task,
//! reaps what ends, passes SIGTERM on, and writes the task's exit status to a file, where it
//! outlives the agent.

mod console;
mod exec;
mod launcher;
mod mounts;
mod output;
mod reaper;
mod rights;
pub(crate) mod session;
mod start;
pub(crate) mod wire;

pub(crate) use reaper::{KILL_SIGNAL, PASSED_ON};

use std::{os::unix::ffi::OsStrExt, process::ExitCode};

/// The first argument that makes a program the launcher.
pub(crate) const LAUNCHER_NAME: &str = "tepui-launcher";

/// Becomes launcher and init when the runtime started this process as such. Call it first in
/// `main`, before any thread is started, and return the code if there is one.
#[must_use = "when it returns a code, main must return it at once"]
pub fn init_main() -> Option<ExitCode> {
    let name = std::env::args_os().next()?;
    (name.as_bytes() == LAUNCHER_NAME.as_bytes()).then(|| ExitCode::from(launcher::run()))
}
