//! An init that was forked and does not run its task yet: how it is asked for, and talked to.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use tepui_sys::{PidFd, Signal, receive, start_time};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::UnixStream,
};

use super::{prepare::Prepared, step};
use crate::{
    LaunchError, Program, Started,
    cgroups::Entrance,
    container::Container,
    init::{
        KILL_SIGNAL,
        session::wire::EnteredPlan,
        wire::{Cause, FAILED, Failure, InitRequest, RUN, UP},
    },
    limits::MAX_MESSAGE_BYTES,
    runtime::Inner,
    session,
};

/// An init that does not run its task yet. Dropped before it does, it is killed.
pub(super) struct Newborn {
    init: Option<PidFd>,
    socket: UnixStream,
    own_processes: bool,
}

impl Drop for Newborn {
    fn drop(&mut self) {
        if let Some(init) = &self.init {
            // One without a PID namespace ends when it has killed what it has started.
            let signal = if self.own_processes {
                Signal::SIGKILL
            } else {
                KILL_SIGNAL
            };
            let _ = init.signal(signal);
        }
    }
}

/// Takes the init of the seat, or asks the launcher for one and waits until it is in its cgroups.
pub(super) async fn make_init(
    inner: &Inner,
    prepared: &mut Prepared,
) -> Result<Newborn, LaunchError> {
    let isolation = prepared.isolation;
    let refused = |source| step("ask the launcher for a container", source);
    if let Some(seat) = prepared.seat.take() {
        let request = InitRequest {
            isolation,
            quota: prepared.quota.clone(),
            ..InitRequest::default()
        };
        // A seat that is gone is only a short cut less.
        if let Ok((init, socket)) = seat.give(request).await {
            return Ok(Newborn {
                init: Some(init),
                socket: open(socket).map_err(refused)?,
                own_processes: prepared.own_processes,
            });
        }
    }
    let Entrance { join, born_in } = prepared.entrance.clone();
    let (enter, held) = match &prepared.parent {
        Some((parent, share)) => {
            let (entered, init) = inside_of(parent, *share)?;
            (Some(entered), Some(init))
        }
        None => (None, None),
    };
    let request = InitRequest {
        isolation,
        join,
        born_in,
        enter,
        quota: prepared.quota.clone(),
    };
    // A launcher that dies under the request is replaced, once.
    for _ in 0..2 {
        let asked = inner.launcher.ask_init(request.clone(), held).await;
        let socket = asked.and_then(open).map_err(refused)?;
        if let Some(newborn) = expect_up(socket, prepared.own_processes).await? {
            return Ok(newborn);
        }
    }
    Err(LaunchError::InitDied(String::new()))
}

/// The namespaces of a container that one inside of it shares, and a hold on its init.
fn inside_of(
    parent: &Container,
    share_processes: bool,
) -> Result<(EnteredPlan, BorrowedFd<'_>), LaunchError> {
    let gone = || LaunchError::NotRunning(parent.id.clone());
    let init = parent.init.as_ref().ok_or_else(gone)?;
    let pid = parent.record.as_ref().ok_or_else(gone)?.pid;
    let differing = session::differing(pid)
        .map_err(|source| step("look at the namespaces to share", source))?;
    let entered = EnteredPlan {
        user: false,
        mount: false,
        cgroup: false,
        pid: differing.pid && share_processes,
        ..differing
    };
    Ok((entered, init.get().as_fd()))
}

fn open(socket: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// `None` when the other end is closed without a word.
async fn expect_up(
    socket: UnixStream,
    own_processes: bool,
) -> Result<Option<Newborn>, LaunchError> {
    let mut buffer = [0; MAX_MESSAGE_BYTES];
    let received = socket.async_io(Interest::READABLE, || receive(socket.as_fd(), &mut buffer));
    let received = received.await;
    let mut received = received.map_err(|source| step("hear from the container's init", source))?;
    match (buffer[..received.length].first(), received.files.pop()) {
        (Some(&UP), Some(init)) => Ok(Some(Newborn {
            init: Some(PidFd::from_fd(init)),
            socket,
            own_processes,
        })),
        (Some(&FAILED), _) => Err(understand(&buffer[1..received.length], None)),
        _ => Ok(None),
    }
}

impl Newborn {
    /// Which process it is.
    pub(super) fn identify(&self) -> Result<Started, LaunchError> {
        let identified = self
            .init
            .as_ref()
            .map_or_else(|| Err(has_ended()), identify);
        identified.map_err(|source| step("identify the container's init", source))
    }

    /// Sends the plan, by which the init makes everything ready.
    pub(super) async fn send(&mut self, plan: &[u8], program: &Program) -> Result<(), LaunchError> {
        let length = u32::try_from(plan.len()).unwrap_or(u32::MAX);
        let sent = async {
            self.socket.write_all(&length.to_be_bytes()).await?;
            self.socket.write_all(plan).await
        };
        match sent.await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.last_words(program, &error).await),
        }
    }

    /// Lets the init run the task's program, and waits until it does.
    pub(super) async fn start(mut self, program: &Program) -> Result<PidFd, LaunchError> {
        let told = async {
            self.socket.write_all(&[RUN]).await?;
            self.socket.shutdown().await
        };
        if let Err(error) = told.await {
            return Err(self.last_words(program, &error).await);
        }
        self.expect_started(program).await?;
        self.init
            .take()
            .ok_or_else(|| LaunchError::InitDied(String::new()))
    }

    /// Why an init is gone that does not listen any more.
    async fn last_words(&mut self, program: &Program, error: &io::Error) -> LaunchError {
        match self.expect_started(program).await {
            Err(words) => words,
            Ok(()) => LaunchError::InitDied(format!(": {error}")),
        }
    }

    /// The socket closes when the program is run, without a word if all is well.
    async fn expect_started(&mut self, program: &Program) -> Result<(), LaunchError> {
        let mut words = Vec::new();
        let mut socket = (&mut self.socket).take(MAX_MESSAGE_BYTES as u64);
        let read = socket.read_to_end(&mut words).await;
        // An init that ends without having heard our last word resets the connection.
        if let Err(error) = read
            && words.is_empty()
        {
            return Err(LaunchError::InitDied(format!(": {error}")));
        }
        match words.split_first() {
            None => Ok(()),
            Some((&FAILED, failure)) => Err(understand(failure, Some(program))),
            Some(_) => Err(LaunchError::InitDied(
                ": it said what nobody understands".to_owned(),
            )),
        }
    }
}

fn has_ended() -> io::Error {
    io::Error::other("it has ended")
}

fn identify(init: &PidFd) -> io::Result<Started> {
    let pid = init.pid()?.ok_or_else(has_ended)?;
    let start_time = start_time(pid)?;
    // The number was still its own when the start time was read, if it is now.
    init.pid()?.ok_or_else(has_ended)?;
    Ok(Started { pid, start_time })
}

pub(crate) fn understand(failure: &[u8], program: Option<&Program>) -> LaunchError {
    let Ok(failure) = serde_json::from_slice::<Failure>(failure) else {
        return LaunchError::InitDied(": it said what nobody understands".to_owned());
    };
    let source = failure.error();
    match (failure.cause, program) {
        (Cause::Program, Some(Program::Exec { path, .. })) => LaunchError::Program {
            program: path.clone(),
            source,
        },
        (Cause::Program, _) => LaunchError::Program {
            program: failure.what,
            source,
        },
        (Cause::Sandbox, _) => LaunchError::Sandbox {
            path: failure.what.into(),
            source,
        },
        (Cause::Step, _) => LaunchError::Step {
            step: failure.what,
            source,
        },
    }
}
