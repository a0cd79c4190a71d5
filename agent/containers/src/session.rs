//! Sessions: further programs in a container that runs, for who looks at it from outside.

mod open;
mod streams;

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    sync::Arc,
};

use tepui_model::ContainerId;
use tepui_sys::{PidFd, Signal, Watched, WindowSize, resize};
use tokio::sync::{oneshot, watch};

pub(crate) use self::open::{PREFIX, differing, open};
pub use self::streams::{SessionInput, SessionOutput, SessionStream};
use crate::{ExitStatus, Program};

/// A program to run in a container that runs.
///
/// It has the user, the rights, the limits, the working directory and the environment of the
/// container's task.
#[derive(Clone, Debug)]
pub struct SessionSpec {
    /// The container.
    pub container: ContainerId,
    /// What runs.
    pub program: Program,
    /// Variables besides those of the task, or in place of them.
    pub environment: Vec<(String, String)>,
    /// Where it starts: a path from the root, or from the sandbox. Without one, where the task did.
    pub working_dir: Option<PathBuf>,
    /// Its terminal, if it has one. Without one, it has three pipes.
    pub terminal: Option<WindowSize>,
}

/// A program that runs in a container beside its task.
#[derive(Debug)]
pub struct Session {
    /// What it reads.
    pub input: SessionInput,
    /// What it writes.
    pub output: SessionOutput,
    /// How it is steered.
    pub control: SessionControl,
}

/// How a session is steered. Cheap to clone; when the last clone is dropped, every process of the
/// session is killed.
#[derive(Clone, Debug)]
pub struct SessionControl(Arc<Held>);

#[derive(Debug)]
struct Held {
    program: PidFd,
    terminal: Option<Arc<Watched<OwnedFd>>>,
    exit: watch::Receiver<Option<ExitStatus>>,
    /// Dropped, it ends the session.
    _leash: oneshot::Sender<()>,
}

impl SessionControl {
    /// Tells the terminal its new size. Without a terminal, that means nothing.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn resize(&self, size: WindowSize) -> io::Result<()> {
        let terminal = self.0.terminal.as_ref();
        terminal.map_or(Ok(()), |master| resize(master.get().as_fd(), size))
    }

    /// Sends a signal to the program. One that has ended needs none.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        self.0.program.signal(signal).map(drop)
    }

    /// Waits until the program has ended and nothing that it has started is left.
    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.0.exit.clone();
        match exit.wait_for(Option::is_some).await.map(|exit| *exit) {
            Ok(Some(status)) => status,
            // The runtime is gone.
            _ => ExitStatus::Unknown,
        }
    }
}
