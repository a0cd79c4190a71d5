//! The launcher: forks an init whenever the agent asks for one, and knows nothing of tasks.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
};

use tepui_sys::{Forked, Kernel, Linux, Namespaces, PidFd, open_folder, receive, send, spawn};

use super::{
    session::{self, Caller as _, Line, wire::SessionRequest},
    start::{self, Agent},
    wire::{FAILED, Failure, HELLO, InitRequest, Plan, Request, UP},
};
use crate::{
    Isolator,
    limits::{MAX_MESSAGE_BYTES, MAX_PLAN_BYTES},
};

/// Serves the agent until it is gone. In a forked child, runs the container.
pub(super) fn run() -> u8 {
    // There is nobody to tell about an error: the agent sees the socket close.
    serve().unwrap_or(1)
}

fn serve() -> io::Result<u8> {
    let socket = tepui_sys::become_launcher()?;
    Linux.set_name(c"tepui-launcher")?;
    send(socket.as_fd(), HELLO, &[])?;
    while let Some((request, far, parent)) = next_request(&socket)? {
        match request {
            Request::Init(request) => match parent {
                Some(parent) => make_inside(&request, far, &parent),
                None => make_init(&request, far),
            },
            Request::Session(request) => make_session(&request, far),
            Request::Users(network) => make_users(network, far),
            Request::Seat(files) => match Linux.fork() {
                Ok(Forked::Parent(_)) => {}
                Ok(Forked::Child) => tepui_sys::leave(take_seat(&files, &far).unwrap_or(1)),
                Err(error) => report(far.as_fd(), &Failure::step("fork")(error)),
            },
        }
    }
    Ok(0)
}

/// Waits in its cgroups for the one init that is to be made there. Leaving is all that is left
/// then.
fn take_seat(files: &[PathBuf], socket: &OwnedFd) -> io::Result<u8> {
    tepui_sys::keep_only(socket.as_fd())?;
    Linux.set_name(c"tepui-seat")?;
    if let Err(failure) = start::join(&Linux, files) {
        report(socket.as_fd(), &failure);
        return Ok(1);
    }
    send(socket.as_fd(), &[UP], &[])?;
    if let Some((Request::Init(request), far, _)) = next_request(socket)? {
        make_init(&request, far);
    }
    Ok(0)
}

/// Forks a process into a user namespace, which waits there until the agent has what it wants of
/// it.
fn make_users(network: bool, far: OwnedFd) {
    let namespaces = Namespaces {
        user: true,
        network,
        ..Namespaces::default()
    };
    let waited = |socket: Socket| -> io::Result<()> {
        tepui_sys::keep_only(socket.0.as_fd())?;
        Linux.set_name(c"tepui-users")?;
        socket.announce()?;
        receive(socket.0.as_fd(), &mut [0; 1]).map(drop)
    };
    match spawn(namespaces, None) {
        Ok(Forked::Parent(_)) => {}
        Ok(Forked::Child) => {
            tepui_sys::leave(u8::from(waited(Socket(far.into())).is_err()));
        }
        Err(error) => report(far.as_fd(), &Failure::step("make a user namespace")(error)),
    }
}

/// `None` when the agent is gone.
fn next_request(socket: &OwnedFd) -> io::Result<Option<(Request, OwnedFd, Option<OwnedFd>)>> {
    let mut buffer = [0; MAX_MESSAGE_BYTES];
    let received = receive(socket.as_fd(), &mut buffer)?;
    let mut files = received.files.into_iter();
    let Some(far) = files.next() else {
        return Ok(None);
    };
    let request = serde_json::from_slice(&buffer[..received.length])?;
    Ok(Some((request, far, files.next())))
}

/// Forks an init, which does not come back from here.
fn make_init(request: &InitRequest, far: OwnedFd) {
    let agent = Socket(far.into());
    match fork(request) {
        Ok(Forked::Parent(_)) => {}
        Ok(Forked::Child) => match tepui_sys::keep_only(agent.0.as_fd()) {
            Ok(()) => tepui_sys::leave(start::run(&Linux, request, agent)),
            Err(_) => tepui_sys::leave(1),
        },
        Err(error) => agent.report(&Failure::step("make the container's namespaces")(error)),
    }
}

/// Forks an init by way of a process that enters namespaces to share, and ends: the launcher itself
/// stays where it is, and becomes the init's parent.
fn make_inside(request: &InitRequest, far: OwnedFd, parent: &OwnedFd) {
    let step = "enter the namespaces of the container that it is inside of";
    match Linux.fork() {
        Ok(Forked::Parent(_)) => {}
        Ok(Forked::Child) => {
            let entered = request.enter.unwrap_or_default().into();
            match Linux.enter_namespaces(parent.as_fd(), entered) {
                Ok(()) => make_init(request, far),
                Err(error) => report(far.as_fd(), &Failure::step(step)(error)),
            }
            tepui_sys::leave(0)
        }
        Err(error) => report(far.as_fd(), &Failure::step("fork")(error)),
    }
}

/// Forks the helper of a session, which does not come back from here.
fn make_session(request: &SessionRequest, far: OwnedFd) {
    let line = Line(far.into());
    let born_in = request.born_in.as_deref().map(open_folder).transpose();
    let forked = born_in.and_then(|group| {
        let group = group.as_ref().map(AsFd::as_fd);
        spawn(Namespaces::default(), group)
    });
    match forked {
        Ok(Forked::Parent(_)) => {}
        Ok(Forked::Child) => match tepui_sys::keep_only(line.0.as_fd()) {
            Ok(()) => tepui_sys::leave(session::run(&Linux, request, &line)),
            Err(_) => tepui_sys::leave(1),
        },
        Err(error) => line.report(&Failure::step("fork")(error)),
    }
}

fn fork(request: &InitRequest) -> io::Result<Forked> {
    let has = |isolator| request.isolation.has(isolator);
    let namespaces = Namespaces {
        mount: has(Isolator::MountNamespace),
        pid: has(Isolator::PidNamespace),
        ipc: has(Isolator::IpcNamespace),
        uts: has(Isolator::UtsNamespace),
        ..Namespaces::default()
    };
    let cgroup = request.born_in.as_deref().map(open_folder).transpose()?;
    spawn(namespaces, cgroup.as_ref().map(AsFd::as_fd))
}

/// Says why something could not be done. An agent that is gone needs no report.
fn report(socket: BorrowedFd<'_>, failure: &Failure) {
    let Ok(text) = serde_json::to_vec(failure) else {
        return;
    };
    let _ = send(socket, &[&[FAILED], text.as_slice()].concat(), &[]);
}

/// The socket between an init and the agent.
struct Socket(UnixStream);

impl Agent for Socket {
    fn announce(&self) -> io::Result<()> {
        // Inside a PID namespace this is number 1, and yet the descriptor means the same process
        // outside.
        let myself = PidFd::open(std::process::id())?;
        send(self.0.as_fd(), &[UP], &[myself.as_fd()])?;
        Ok(())
    }

    fn plan(&self) -> io::Result<Option<Plan>> {
        let mut bytes = Vec::new();
        io::Read::read_to_end(
            &mut io::Read::take(&self.0, MAX_PLAN_BYTES as u64),
            &mut bytes,
        )?;
        // An agent that died in the middle of it leaves a plan that does not parse.
        Ok(serde_json::from_slice(&bytes).ok())
    }

    fn report(&self, failure: &Failure) {
        let Failure { what, message, .. } = failure;
        // For whoever reads the task's output. Before the output is connected, this goes nowhere.
        eprintln!("tepui: cannot run the task: {what}: {message}");
        report(self.0.as_fd(), failure);
    }
}
