//! The agent's side of the launcher process: starts it, asks it for inits, starts it again if it
//! dies.

use std::{
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::Stdio,
    time::Duration,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt::SndBuf},
};
use tepui_sys::{Watched, receive, send};

use crate::{
    init::{
        LAUNCHER_NAME,
        session::wire::SessionRequest,
        wire::{HELLO, InitRequest, Request},
    },
    limits::{LAUNCHER_START_TIMEOUT, MAX_MESSAGE_BYTES},
};

/// The launcher process, as far as the agent sees it.
#[derive(Debug)]
pub(crate) struct Launcher {
    program: OwnedFd,
    running: tokio::sync::Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    socket: Watched<OwnedFd>,
    /// Held so that tokio reaps it when it has seen the socket close.
    _process: tokio::process::Child,
}

impl Launcher {
    /// Starts the launcher out of a sealed program, and waits until it is up.
    pub(crate) fn start(program: OwnedFd) -> io::Result<Self> {
        let running = Running::start(program.as_fd())?;
        Ok(Self {
            program,
            running: tokio::sync::Mutex::new(Some(running)),
        })
    }

    /// Asks for a new init, and returns the socket to it. What comes of it is told through the
    /// socket. The parent is a hold on the init whose namespaces it is to share.
    pub(crate) async fn ask_init(
        &self,
        request: InitRequest,
        parent: Option<BorrowedFd<'_>>,
    ) -> io::Result<UnixStream> {
        let (near, far) = UnixStream::pair()?;
        let files: Vec<_> = [far.as_fd()].into_iter().chain(parent).collect();
        self.ask(&Request::Init(request), &files).await?;
        Ok(near)
    }

    /// Asks for a process in a new user namespace, and in a network that belongs to it.
    pub(crate) async fn ask_users(&self, network: bool) -> io::Result<UnixStream> {
        let (near, far) = UnixStream::pair()?;
        self.ask(&Request::Users(network), &[far.as_fd()]).await?;
        Ok(near)
    }

    /// Asks for the helper of a session, and returns the socket to it.
    pub(crate) async fn ask_session(&self, request: SessionRequest) -> io::Result<UnixStream> {
        let (near, far) = UnixStream::pair()?;
        self.ask(&Request::Session(request), &[far.as_fd()]).await?;
        Ok(near)
    }

    /// Sends a request, with the far end of a socket and what else it needs. A launcher that is
    /// gone is replaced.
    pub(crate) async fn ask(&self, request: &Request, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut running = self.running.lock().await;
        if let Some(launcher) = running.as_ref() {
            match ask(&launcher.socket, request, files).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, "the launcher is gone: starting another"),
            }
        }
        let fresh = Running::start(self.program.as_fd())?;
        ask(&fresh.socket, request, files).await?;
        *running = Some(fresh);
        Ok(())
    }

    /// As [`Self::ask_init`], for a moment when nothing else runs.
    pub(crate) fn ask_blocking(&self, request: InitRequest) -> io::Result<UnixStream> {
        let (near, far) = UnixStream::pair()?;
        let bytes = message(&Request::Init(request))?;
        let Ok(running) = self.running.try_lock() else {
            return Err(io::Error::from(io::ErrorKind::ResourceBusy));
        };
        let running = running.as_ref();
        let launcher = running.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        send(launcher.socket.get().as_fd(), &bytes, &[far.as_fd()])?;
        Ok(near)
    }
}

/// Sends a request to the launcher, or to a seat.
pub(crate) async fn ask(
    socket: &Watched<OwnedFd>,
    request: &Request,
    files: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = message(request)?;
    let send = |socket: &OwnedFd| send(socket.as_fd(), &bytes, files).map(drop);
    socket.write_with(send).await
}

fn message(request: &Request) -> io::Result<Vec<u8>> {
    let bytes = serde_json::to_vec(request)?;
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(io::Error::other("the names of its cgroups are too long"));
    }
    Ok(bytes)
}

/// A pair of sockets in which messages keep their borders. The first end does not block.
pub(crate) fn message_sockets() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (near, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    setsockopt(&near, SndBuf, &(16 * MAX_MESSAGE_BYTES))?;
    fcntl(&near, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((near, far))
}

impl Running {
    fn start(program: BorrowedFd<'_>) -> io::Result<Self> {
        let (near, far) = message_sockets()?;
        // No hook runs between fork and exec, so the standard library uses posix_spawn and copies
        // nothing.
        let path = format!("/proc/self/fd/{}", program.as_raw_fd());
        let process = tokio::process::Command::new(path)
            .arg0(LAUNCHER_NAME)
            // An init keeps them for as long as its container lives: nothing of the agent's goes
            // along, no secret in the environment, and no end of a pipe that somebody waits for.
            .env_clear()
            .stdin(Stdio::from(far))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        expect_hello(near.as_fd())?;
        let socket = Watched::new(near)?;
        Ok(Self {
            socket,
            _process: process,
        })
    }
}

/// A program that is no launcher would run on as something else: whoever says nothing is not one.
fn expect_hello(socket: BorrowedFd<'_>) -> io::Result<()> {
    let timeout = PollTimeout::try_from(Duration::as_millis(&LAUNCHER_START_TIMEOUT))
        .unwrap_or(PollTimeout::MAX);
    let mut waiting = [PollFd::new(socket, PollFlags::POLLIN)];
    if poll(&mut waiting, timeout)? == 0 {
        return Err(io::Error::other(
            "it did not come up: does its main call init_main() first?",
        ));
    }
    let mut buffer = [0; 64];
    let received = receive(socket, &mut buffer)?;
    match &buffer[..received.length] {
        HELLO => Ok(()),
        _ => Err(io::Error::other(
            "it ended at once: does its main call init_main() first?",
        )),
    }
}
